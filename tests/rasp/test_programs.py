"""Programs against plain Python: compiled, saved, loaded by plain transformers and run on every short input."""

import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from tellapart.errors import UserMistake
from tellapart.rasp.language import BOS, SEP, Feature, Stairs, nearest, position
from tellapart.rasp.layout import ROOT, constants, lay_out, steps
from tellapart.rasp.network import Compiled, batches, check, compile_program, inputs_up_to, save
from tellapart.rasp.programs import PROGRAMS, named

SHORT = 4


@pytest.fixture(scope="module")
def compiled() -> dict[str, Compiled]:
    return {name: compile_program(program, 8) for name, program in PROGRAMS.items()}


def test_there_are_twelve() -> None:
    assert len(PROGRAMS) == 12
    with pytest.raises(UserMistake, match="the programs are copy, reverse"):
        named("sorted")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_saved_program_is_exact_on_every_short_input(
    name: str, compiled: dict[str, Compiled], tmp_path: Path
) -> None:
    one = compiled[name]
    save(one, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert type(model) is LlamaForCausalLM
    inputs, every = inputs_up_to(one.program, SHORT, seed=0)
    assert every
    longest = random.Random(0)
    inputs += [one.program.draw(longest, one.program.lengths(8)[-1]) for _ in range(200)]
    found = check(model, one.program, one.layout.symbols, inputs, every=False)
    assert found.wrong == ""
    assert found.right == found.run == len(inputs)


def test_a_changed_weight_is_seen(compiled: dict[str, Compiled]) -> None:
    one = compiled["sort"]
    model = one.model()
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.mul_(0.0)
    inputs, every = inputs_up_to(one.program, SHORT, seed=0)
    found = check(model, one.program, one.layout.symbols, inputs, every)
    assert found.right < found.run
    assert ": " in found.wrong


@pytest.mark.parametrize("name", ["copy", "addition", "histogram"])
def test_the_norms_divide_by_the_same_number_at_every_position(
    name: str, compiled: dict[str, Compiled]
) -> None:
    one = compiled[name]
    model, seen = one.model(), []

    def see(module: torch.nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        seen.append((given[0], out))

    norms = [block for name, block in model.named_modules() if name.endswith("norm")]
    for norm in norms:
        norm.register_forward_hook(see)
    longest = random.Random(1)
    inputs = [one.program.draw(longest, one.program.lengths(8)[-1]) for _ in range(50)]
    for batch in batches(one.program, one.layout.symbols, inputs):
        model(batch.ids)
    assert len(seen) >= len(norms) == 2 * len(one.layout.layers) + 1
    for given, out in seen:
        assert torch.equal(given.pow(2).mean(-1), torch.full(given.shape[:-1], float(ROOT**2)))
        assert torch.equal(given, out)


def test_generation_writes_the_answer_and_ends(compiled: dict[str, Compiled], tmp_path: Path) -> None:
    save(compiled["reverse"], tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    asked = tokenizer("a b d=", return_tensors="pt")
    written = model.generate(**asked, max_new_tokens=8, do_sample=False, pad_token_id=1)
    assert tokenizer.decode(written[0], skip_special_tokens=False) == f"{BOS}abd{SEP}dba<eos>"


def test_other_layers_of_a_larger_shape_change_no_bit(compiled: dict[str, Compiled]) -> None:
    program = PROGRAMS["running_maximum"]
    wide = compiled[program.name].config | {"num_hidden_layers": 4, "hidden_size": 48, "vocab_size": 60}
    one = compile_program(program, 8, wide)
    inputs, _ = inputs_up_to(program, 3, seed=0)
    for batch in batches(program, one.layout.symbols, inputs):
        with torch.no_grad():
            whole, cut = (model(batch.ids).logits for model in (one.model(), one.model(cut=True)))
        symbols = len(one.layout.symbols)
        assert torch.equal(whole[..., :symbols], cut)
        assert whole[..., symbols:].max() < cut.max(-1).values.min()


@pytest.mark.parametrize("width", [1, 2, 3, 7, 16, 28, 576, 4096])
def test_constants_have_the_mean_square_asked(width: int) -> None:
    found = constants(width)
    assert len(found) <= 4
    assert sum(one**2 for one in found) == width


def test_what_is_read_no_more_gives_its_place_to_what_comes_later() -> None:
    place = position(4)
    layout = lay_out((BOS, SEP, "a"), nearest(place.map(lambda at: at % 2), {"a": 0.0, SEP: 1.0}), 6)
    assert layout.variables < len(layout.coordinates)


def test_levels_too_near_for_their_slack_are_refused() -> None:
    near = Stairs(Feature("token", {"a": 1.0}), [(0.0, 0.0), (0.1, 1.0)], slack=0.06)
    with pytest.raises(ValueError, match="too near"):
        steps(near.levels, near.slack)


@pytest.mark.parametrize(
    ("name", "given", "answer"),
    [
        ("copy", "dab", "dab"), ("reverse", "dab", "bad"), ("histogram", "abad", "2101"), ("sort", "dabd", "abdd"),
        ("most_frequent", "cbbc", "b"), ("parity", "1101", "1"), ("addition", "95+27", "131"),
        ("bracket_depth", "(()", "121"), ("bracket_depth", "))(", "000"), ("induction", "abcab", "c"),
        ("induction", "abc", "?"), ("lookup", "a1b2a", "1"), ("lookup", "a1a2a", "2"), ("modular_sum", "434", "1"),
        ("running_maximum", "acbd", "accd"),
    ],
)  # fmt: skip
def test_answers_by_hand(name: str, given: str, answer: str) -> None:
    assert PROGRAMS[name].defined_on(tuple(given))
    assert "".join(PROGRAMS[name].answer(tuple(given))) == answer


def test_addition_is_defined_on_sums_alone() -> None:
    addition = PROGRAMS["addition"]
    assert not any(addition.defined_on(tuple(text)) for text in ("12", "1+2+3", "+12", "1+23", ""))
    with pytest.raises(UserMistake, match="no input of up to 2 tokens"):
        addition.lengths(2)


def test_the_page_states_each_least_shape_and_what_raspl_predicts(compiled: dict[str, Compiled]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "expressible.md").read_text()
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.count("|") == 5
    ]
    stated = {row[0].strip("`"): row[2:] for row in rows if row[0].strip("`") in PROGRAMS}
    assert set(stated) == set(PROGRAMS)
    for name, (shape, longer) in stated.items():
        one = compiled[name].shape
        assert shape == f"{one.layers}, {one.heads}, {one.width}, {one.neurons}"
        assert longer == {"generalises": "right", "does not": "wrong"}[PROGRAMS[name].predicted]
