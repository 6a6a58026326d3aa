"""`inside` on language models, from the command's spec to the run folder: planted specimens, resuming, refusals."""

import json
import math
from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.internals.concepts import read_concepts
from tellapart.report.sections.inside_concepts import contexts, entanglement
from tellapart.report.sections.inside_votes import section
from tellapart.studies import run_study
from tellapart.studies.inside.spec import InsideSpec

MODELS = ("specimen:latent-tracking-0/base", "specimen:latent-tracking-0/tuned")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("inside") / "run"
    run_study(InsideSpec(MODELS, "specimen:tracking", layer=1, tuning=0, out=str(out)), quiet=True)
    return out


def test_a_tuned_specimen_is_inside_as_its_base(folder: Path) -> None:
    again = run_study(InsideSpec(MODELS, "specimen:tracking", layer=1, tuning=0, out=str(folder)), quiet=True)
    assert [finding.verdict for finding in again.findings] == ["no difference"] * 2
    for finding in again.findings:
        estimates = finding.estimates
        assert estimates["concept_score"].value > 0.9
        for concept in ("swap", "letter"):
            assert (
                estimates[f"steering_effect/{concept}"].low
                > estimates[f"null_steering_effect/{concept}"].high
            )
            assert estimates[f"direction_reuse/{concept}"].value > 0.8
        assert 1 <= estimates["entanglement_participation_ratio"].value <= 2
        assert finding.controls["rotation of the states"].endswith("no difference")
        assert math.isnan(estimates["tuning_kept"].value)
        for maker in (section, entanglement, contexts):
            shown = maker(finding, 1)
            assert shown is not None
            assert "<script" not in shown.body
    assert (folder / "report.html").is_file()


def test_what_is_measured_is_not_measured_again(folder: Path) -> None:
    before = (folder / "findings.json").read_text()
    stored = json.loads((folder / "artifacts" / "model-0.json").read_text())
    stored["estimates"]["concept_score"]["value"] = 0.5
    kept = (folder / "artifacts" / "model-0.json").read_text()
    (folder / "artifacts" / "model-0.json").write_text(json.dumps(stored))
    again = run_study(InsideSpec(MODELS, "specimen:tracking", layer=1, tuning=0, out=str(folder)), quiet=True)
    assert again.findings[0].estimates["concept_score"].value == 0.5
    (folder / "artifacts" / "model-0.json").write_text(kept)
    run_study(InsideSpec(MODELS, "specimen:tracking", layer=1, tuning=0, out=str(folder)), quiet=True)
    assert (folder / "findings.json").read_text() == before


def test_a_model_that_does_not_show_a_concept_has_no_effects(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = [
        {"concept": "none", "context": c, "positive": f"{i}{c}1=", "negative": f"{i}{c}2=", "positive_answer": "~",
         "negative_answer": "^"}
        for c in "xy" for i in range(4)
    ]  # fmt: skip
    path.write_text("\n".join(json.dumps(line) for line in lines))
    spec = InsideSpec((MODELS[0],), str(path), tuning=0, out=str(tmp_path / "run"))
    found = run_study(spec, quiet=True).findings[0]
    assert found.verdict == "cannot tell"
    if math.isnan(found.estimates["steering_effect/none"].value):
        assert "no gap" in found.estimates["steering_effect/none"].method
        assert "does not show" in found.estimates["direction_reuse/none"].method


def test_the_other_concept_is_hurt_by_fine_tuning_or_not_but_told() -> None:
    from tellapart.internals.concept_figures import ConceptSettings, measure_concepts
    from tellapart.specimens import load_model

    some = ("first step", "second step", "after cd", "after ag")
    pairs = [pair for pair in read_concepts("specimen:tracking") if pair.context in some]
    model = load_model("latent-tracking-0/tuned")
    before = model.fingerprint
    found = measure_concepts(model, pairs, ConceptSettings(layer=1, tuning=2))
    assert math.isfinite(found.estimates["tuning_kept"].value)
    assert math.isfinite(found.estimates["null_tuning_kept"].value)
    assert model.fingerprint == before


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (InsideSpec((MODELS[0],), "specimen:none"), "choose specimen:register"),
        (InsideSpec((MODELS[0],), "none.jsonl"), "cannot be read"),
        (InsideSpec((MODELS[0],), "specimen:tracking", layer=7), "choose 0-1"),
        (InsideSpec((MODELS[0],)), "--concepts"),
        (InsideSpec(("no/such/model",), "specimen:tracking"), "no/such/model"),
    ],
)
def test_bad_input_gives_one_line(tmp_path: Path, spec: InsideSpec, says: str) -> None:
    from dataclasses import replace

    with pytest.raises(UserMistake, match=says) as told:
        run_study(replace(spec, out=str(tmp_path / "run")), quiet=True)
    assert "\n" not in str(told.value)
