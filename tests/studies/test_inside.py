"""`inside` from networks to the run folder: the real twins, one network alone, and inputs that are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.internals.networks import Network
from tellapart.report.sections.inside import section
from tellapart.studies import run_study
from tellapart.studies.inside.measure import measure
from tellapart.studies.inside.spec import InsideSpec
from tellapart.studies.inside.study import analyse


def random_network(seed: int, name: str = "net", scale: float = 1.0) -> Network:
    random = np.random.default_rng(seed)
    weights = tuple(scale * random.standard_normal(shape) for shape in ((4, 5), (5, 5), (5, 3)))
    return Network(name, weights, (("cache", 2), ("gaussian", 2), ("sin", 1)))


@pytest.mark.parametrize("subject", ["skull", pytest.param("butterfly", marks=pytest.mark.slow)])
def test_the_twins_of_the_paper(shared: Path, tmp_path: Path, subject: str) -> None:
    pair = tuple(str(shared / "data" / "fer" / f"{kind}_{subject}.npz") for kind in ("picbreeder", "sgd"))
    run = run_study(InsideSpec(pair, out=str(tmp_path / "run")), quiet=True)
    assert [finding.verdict for finding in run.findings] == ["organised", "fractured"]
    for finding in run.findings:
        told = finding.controls["rotation of each hidden basis"]
        assert told.startswith("unchanged")
        assert told.endswith(f"after the rotation: {finding.verdict}")
        assert "none of them depends on the hidden basis" in finding.sentence
        assert np.isnan(finding.probability)
    assert {entry.name for entry in run.folder.iterdir()} >= {"spec.json", "findings.json", "report.html"}
    assert len(json.loads((run.folder / "findings.json").read_text())["findings"]) == 2


def test_a_network_beside_itself_shows_no_difference() -> None:
    one, other = measure(random_network(0, "a"), 0), measure(random_network(0, "b"), 1)
    assert [finding.verdict for finding in analyse([one, other])] == ["no difference"] * 2


def test_other_pictures_and_no_second_network_cannot_tell() -> None:
    one, other = measure(random_network(0), 0), measure(random_network(1), 0)
    found = analyse([one, other])[0]
    assert found.verdict == "cannot tell"
    assert "pictures differ" in found.sentence
    assert analyse([one])[0].verdict == "cannot tell"


def test_the_same_seed_gives_the_same_figures() -> None:
    first, again = measure(random_network(0), 5), measure(random_network(0), 5)
    assert first.estimates == again.estimates
    assert first.estimates["noise_error_1%"] != measure(random_network(0), 6).estimates["noise_error_1%"]


def test_constant_and_overflowing_networks_are_refused() -> None:
    black = random_network(0)
    dark = Network("dark", (*black.weights[:-1], np.zeros((5, 3))), black.activations)
    with pytest.raises(UserMistake, match="constant"):
        measure(dark, 0)
    with pytest.raises(UserMistake, match="overflow"):
        measure(random_network(0, scale=1e200), 0)


@pytest.mark.parametrize(
    "spec",
    [
        InsideSpec(),
        InsideSpec(("a", "b", "c")),
        InsideSpec(("a",), seed=-1),
        InsideSpec(("a.npz",), concepts="c.jsonl"),
        InsideSpec(("a",), concepts="c.jsonl", tuning=-1),
    ],
)
def test_bad_specs_are_refused(spec: InsideSpec) -> None:
    with pytest.raises(UserMistake):
        spec.checked()


def test_the_section_shows_pictures_and_takes_no_other_address() -> None:
    finding = analyse([measure(random_network(0), 0)])[0]
    shown = section(finding, 1)
    assert shown is not None
    assert shown.body.count("data:image/png;base64,") > 5
    assert "<script" not in shown.body
    table = finding.tables["inside"]
    assert isinstance(table, dict)
    table["picture"] = "https://example.org/a.png"
    with pytest.raises(ValueError, match="embedded"):
        section(finding, 1)
