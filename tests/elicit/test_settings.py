"""Settings of elicitors as text: what is read is what was written, for every setting of every method."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tellapart.elicit import ELICITORS
from tellapart.elicit.elicitor import Elicitor
from tellapart.elicit.settings import read_elicitor, settings_of, write_elicitor
from tellapart.elicit.voting import BestOfK
from tellapart.errors import InvalidInput
from tellapart.studies.gain.eliciting import chosen_methods
from tellapart.studies.gain.spec import GainSpec

EVERY = [(name, field) for name, method in ELICITORS.items() for field in settings_of(method)]


def other(now: str) -> str:
    """Return another value than that of a setting, as text."""
    if "+" in now:
        return "+".join(now.split("+")[1:])
    if now.isdigit():
        return str(int(now) + 3)
    if now[:1].isdigit():
        return repr(float(now) * 1.5)
    return {"true": "false", "false": "true", "": "7"}.get(now, "other")


@pytest.mark.parametrize(("name", "field"), EVERY)
def test_every_setting_is_read_and_written(name: str, field: str) -> None:
    usual = ELICITORS[name]
    text = f"{name}:{field}={other(settings_of(usual)[field])}"
    changed = read_elicitor(text, ELICITORS)
    assert changed != usual
    assert type(changed) is type(usual)
    assert write_elicitor(changed) == text == str(changed)
    assert read_elicitor(write_elicitor(changed), ELICITORS) == changed


@pytest.mark.parametrize("method", ELICITORS.values(), ids=ELICITORS)
def test_a_method_as_it_is_registered_is_its_name(method: Elicitor) -> None:
    assert write_elicitor(method) == method.name
    assert read_elicitor(method.name, ELICITORS) is method


def test_methods_with_figures_in_their_modules_have_them_as_fields() -> None:
    without = {name for name, method in ELICITORS.items() if not settings_of(method)}
    assert without <= {"prefill", "sampling", "step_by_step"}


def test_several_settings_and_those_of_a_field() -> None:
    method: Any = read_elicitor("few_labels:settings.steps=60,sizes=1+4,draws=2", ELICITORS)
    assert (method.settings.steps, method.sizes, method.draws) == (60, (1, 4), 2)
    assert method.pressed == ELICITORS["few_labels"].pressed  # type: ignore[attr-defined]
    critique: Any = read_elicitor("critique:file=a/b.jsonl,judge=openai:m@http://127.0.0.1:1/v1", ELICITORS)
    assert critique.file == Path("a/b.jsonl")
    assert critique.judge == "openai:m@http://127.0.0.1:1/v1"
    sae: Any = read_elicitor("sae_feature:saes=gpt2-small-res-jb@blocks.8.hook_resid_pre", ELICITORS)
    assert sae.saes == ("gpt2-small-res-jb@blocks.8.hook_resid_pre",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("best_of_l", "did you mean 'best_of_k'"),
        ("best_of_k:draw=3", "did you mean 'draws'"),
        ("best_of_k:draws", "FIELD=VALUE"),
        ("best_of_k:draws=many", "whole number"),
        ("best_of_k:draws=0", "above 0"),
        ("best_of_k:draws=1.5", "whole number"),
        ("best_of_k:draws=2,draws=3", "twice"),
        ("svf:sizes=+", "one value or more"),
        ("rlvr:change=lora", "no setting 'change'"),
        ("prefill:own=3", "there are none"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refusal:
        read_elicitor(text, ELICITORS)
    assert "\n" not in str(refusal.value)


def test_python_and_the_command_line_say_the_same() -> None:
    models = {"base": "a", "tuned": "b", "task": "t"}
    spec = GainSpec(**models, elicitors=(BestOfK(draws=32), "prefill")).checked()  # type: ignore[arg-type]
    assert spec == GainSpec(**models, elicitors=("best_of_k:draws=32", "prefill")).checked()
    chosen = chosen_methods(spec.elicitors)
    assert dataclasses.asdict(chosen["best_of_k"]) == {"draws": 32}  # type: ignore[call-overload]
    with pytest.raises(InvalidInput, match="named twice"):
        chosen_methods(("prefill", "best_of_k", "best_of_k:draws=3"))


def test_a_setting_reaches_the_value_that_is_asked() -> None:
    value = BestOfK(draws=5).fit(None, None)  # type: ignore[arg-type]
    assert value.setting["draws"] == 5
