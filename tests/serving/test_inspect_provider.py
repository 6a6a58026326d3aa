"""Models of tellapart as a provider of Inspect: real evaluations by Inspect itself, in a process of their own."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tellapart
from tellapart.errors import InvalidInput, Refused
from tellapart.interventions.weights import Weights
from tellapart.models.model import Request, Sampling, Turns
from tellapart.runs.folder import RunFolder
from tellapart.serving.answering import Options, answering, kept_values
from tellapart.specimens.skills import load_model
from tellapart.studies.skills.expert import Expert, base_identity, write_expert
from tellapart.training.matrices import matrices_of, matrix

ROOT = Path(__file__).parents[2]
NAME = "latent-register-0"
BASE, TUNED, TASK = f"specimen:{NAME}/base", f"specimen:{NAME}/tuned", f"specimen:{NAME}"


@pytest.fixture(scope="module")
def gain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `gain` that fitted a method of each kind."""
    folder = tmp_path_factory.mktemp("runs") / "gain"
    tellapart.gain(
        base=BASE, tuned=TUNED, task=TASK, limit=20, samples=1, elicited_samples=1, out=str(folder),
        elicitors=("prefill", "routing_first"),
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `skills train` leaves it, with an expert that changes nothing and one that garbles."""
    folder = tmp_path_factory.mktemp("experts")
    model = load_model("skills-0")
    rng = np.random.default_rng(0)
    ranks = {name: min(matrix(part).shape) for name, part in matrices_of(model.module).items()}
    for name, spread in (("neutral", 0.0), ("noise", 2.0)):
        z = {part: (1 + spread * rng.standard_normal(n)).astype(np.float32) for part, n in ranks.items()}
        expert = Expert(name, Weights(z), base_identity(model.module), {})
        write_expert(folder / "experts" / f"{name}.safetensors", expert)
    spec = {"study": "skills", "model": "specimen:skills-0", "dtype": "float32"}
    (folder / "spec.json").write_text(json.dumps({"spec": spec}))
    return folder


def evaluated(tmp_path: Path, task: str, *models: str) -> tuple[list[dict[str, Any]], str]:
    """Return what Inspect found of each model, and what went to stderr; provider and hook are found by the entry point
    that pyproject.toml names."""
    pytest.importorskip("inspect_ai", exc_type=ImportError)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["inspect_ai"]
    metadata = tmp_path / "path" / "tellapart-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tellapart\nVersion: 0.1.0\n")
    points = "".join(f"{name} = {value}\n" for name, value in declared.items())
    (metadata / "entry_points.txt").write_text(f"[inspect_ai]\n{points}")
    path = os.pathsep.join([str(metadata.parent), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    words = " -- ".join(models).split(" ")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("inspect_evals.py")), str(tmp_path / "logs"), task, *words],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], done.stderr


def test_plain_elicited_and_routed_models(tmp_path: Path, gain_run: Path) -> None:
    """What a run found of each condition is what Inspect finds of it: a latent skill, brought out by each method."""
    told, said = evaluated(
        tmp_path,
        NAME,
        BASE,
        f"{gain_run} condition=base/prefill",
        f"{gain_run} condition=base/routing_first@4",
    )
    assert [one["status"] for one in told] == ["success"] * 3, told
    base, prefilled, routed = (one["right"] for one in told)
    assert base < 0.4
    assert min(prefilled, routed) > 0.8
    assert told[0]["model"] == f"tellapart/{BASE}"
    answers = told[0]["answers"]
    assert answers[:8] != answers[8:]  # two epochs are two draws
    assert (
        said.count("tellapart: 8 items, paired by question") == 2
    )  # the hook, for each but the baseline itself
    assert said.count("the second is better") == 2


def test_a_method_fitted_here() -> None:
    found = answering(BASE, Options(elicitor="self_consistency:draws=3", task=TASK))
    requests = [Request("0163mrm=", seed, found.usual) for seed in range(3)]
    answers = dict(found.answer(requests))
    assert sorted(answers) == [0, 1, 2]
    assert {one.finish for one in answers.values()} == {"stop"}
    again = answering(BASE, Options(elicitor="self_consistency:draws=3", task=TASK))
    assert [one.text for _, one in sorted(again.answer(requests))] == [answers[i].text for i in range(3)]


@pytest.mark.slow
def test_mixed_experts(tmp_path: Path, experts: Path) -> None:
    told, _ = evaluated(
        tmp_path,
        "skills-0/digits",
        "specimen:skills-0",
        f"{experts} mix=neutral",
        f"{experts} mix=neutral+noise",
    )
    plain, neutral, noisy = (one["answers"] for one in told)
    assert plain == neutral
    assert plain != noisy


def test_the_same_answers_as_the_model_gives(gain_run: Path) -> None:
    found = answering(str(gain_run), Options(condition="base/plain"))
    assert found.usual == Sampling(1.0, max_tokens=found.usual.max_tokens, stop=found.usual.stop)
    request = Request("0163mrm=", 7, found.usual)
    direct = answering(BASE, Options())
    assert [one.completion.text for one in found.answer([request])] == [
        one.completion.text for one in direct.answer([request])
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(condition="base/prefil"), "did you mean 'base/prefill'"),
        (Options(mix="a"), "mix is not for it; it takes condition"),
    ],
)
def test_mistakes_with_a_run(gain_run: Path, options: Options, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        answering(str(gain_run), options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(condition="base/plain"), "condition is not for it"),
        (Options(task=TASK), "give elicitor too"),
        (Options(elicitor="prefill"), "give task too"),
        (Options(elicitor="best_of_k", task=TASK), "needs the right answer"),
        (Options(elicitor="answer_rank", task=TASK), "needs the right answer"),
        (Options(elicitor="routing_first", task=TASK), "no tuned model is given"),
    ],
)
def test_mistakes_with_a_model(options: Options, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        answering(BASE, options)


def test_a_changed_model_is_refused(gain_run: Path, tmp_path: Path) -> None:
    spec = json.loads((gain_run / "spec.json").read_text())
    spec["spec"]["fingerprints"]["base"] = "0" * 32
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(Refused, match="is not the base that"):
        answering(str(tmp_path), Options(condition="base/plain"))
    assert "base/prefill~null" in kept_values(RunFolder(gain_run))


def test_conversations_become_prompts() -> None:
    pytest.importorskip("inspect_ai", exc_type=ImportError)
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

    from tellapart.serving.inspect_model import prompt_of

    one = [ChatMessageSystem(content="Be brief."), ChatMessageUser(content="2+2?")]
    more = [*one, ChatMessageAssistant(content="4"), ChatMessageUser(content="3+3?")]
    assert prompt_of(one, chat=False, turns=True) == "Be brief.\n2+2?"
    assert prompt_of(one, chat=True, turns=False) == "Be brief.\n\n2+2?"
    assert prompt_of(more, chat=True, turns=True) == Turns((("Be brief.\n\n2+2?", "4"),), "3+3?")
    with pytest.raises(InvalidInput, match="one question at a time"):
        prompt_of(more, chat=True, turns=False)
    with pytest.raises(InvalidInput, match="take turns"):
        prompt_of([*more, ChatMessageAssistant(content="6")], chat=True, turns=True)
