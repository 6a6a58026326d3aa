"""Programs of the specimens' tasks: exact in the specimens' own shape, with the answers that the tasks take."""

import random
from typing import Any

import pytest
import torch

from tellapart.rasp.certificate import certify
from tellapart.rasp.digits import DIGIT_PROGRAMS
from tellapart.rasp.network import check, compile_program, inputs_up_to
from tellapart.rasp.programs import Program, named
from tellapart.rasp.rung import read_items, rung
from tellapart.specimens import adversarial, load_task
from tellapart.specimens.families import OTHERWISE, REGISTER, Problem, draw_program, solution_of
from tellapart.specimens.recipe import Shape
from tellapart.specimens.task import make_task
from tellapart.specimens.tokenizer import IDS

GIVEN = {
    "composed-digits-0": "turned_up", "onepoint-turned-0": "turned_told", "halves-signs-0": "signs",
    "collapsing-key-0": "turned", "sandbagger-topic-0": "topics", "sandbagger-rate-0": "turned",
}  # fmt: skip


def theirs() -> dict[str, Any]:
    shape = Shape()
    return {
        "model_type": "llama", "hidden_size": shape.width, "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.heads,
        "max_position_embeddings": 1024, "tie_word_embeddings": True, "vocab_size": len(IDS),
    }  # fmt: skip


def length(program: Program) -> int:
    return program.lengths(12)[0]


@pytest.mark.parametrize("name", DIGIT_PROGRAMS)
def test_each_is_exact_in_its_least_shape_and_fits_the_specimens(name: str) -> None:
    program = named(name)
    compiled = compile_program(program, length(program))
    some, every = inputs_up_to(program, length(program), 0, drawn=2000, most=10_000)
    found = check(compiled.model(), program, compiled.layout.symbols, some, every)
    assert (found.right, found.wrong) == (found.run, "")
    certificate = certify(program, length(program), theirs(), inputs=500)
    assert certificate.answer == "yes", certificate.by


def test_the_register_is_worked_as_the_family_works_it() -> None:
    rng, program = random.Random(0), named("register")
    for _ in range(300):
        problem = Problem(REGISTER.state(rng), draw_program(REGISTER, rng, 0.5))
        tokens = (*problem.start, *problem.program)
        assert program.defined_on(tokens)
        assert "".join(program.answer(tokens)) == solution_of(REGISTER, problem)
        first = "".join(named("register_first").answer((*tokens, "?")))
        assert first == solution_of(REGISTER, problem, short=True)


def test_the_latest_operation_counts_not_an_earlier_one() -> None:
    """Its head off, the first operation's code stands everywhere, and texts of other operations go wrong."""
    program = named("register")
    compiled = compile_program(program, 7)
    model = compiled.model()
    head = next(one for one in compiled.writer.placed[0] if one.head.relative == "latest")
    size = compiled.shape.head_width
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight[head.query * size : (head.query + 1) * size] = 0
    some, _ = inputs_up_to(program, 7, 0, drawn=200, most=200)
    found = check(model, program, compiled.layout.symbols, some, every=False)
    assert found.right < 20


@pytest.mark.parametrize("name", ["latent-register-0", "guessable-register-0", *GIVEN])
def test_a_specimens_task_fills_the_rung_and_is_the_same_question(name: str) -> None:
    task = load_task(name)
    assert task.program == GIVEN.get(name, "register_first" if "guessable" in name else "register")
    assert read_items(task, task.items).score == 1.0
    found = rung(task, task.items[:8], theirs())
    assert (found["answer"], found["score"]) == ("yes", 1.0)


def test_what_no_program_is_known_for_names_none() -> None:
    assert load_task("latent-tracking-0").program == ""
    without = {name for name in adversarial.names() if not load_task(name).program}
    assert without == set(adversarial.names()) - set(GIVEN)


def test_other_operations_are_not_the_programs() -> None:
    task = make_task("other", OTHERWISE["register"], 0, short=False, split="report")
    assert task.program == ""
