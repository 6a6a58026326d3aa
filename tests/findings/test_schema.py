"""docs/findings.schema.json: what is written holds to it, and what is not in the form does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from tellapart.studies import run_study
from tellapart.studies.gain.spec import GainSpec
from tellapart.studies.guard.spec import GuardSpec

jsonschema = pytest.importorskip("jsonschema")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/findings.schema.json").read_text())


@pytest.fixture
def written(tmp_path: Path) -> list[dict[str, Any]]:
    """The findings.json of two studies of logs, figures that are not known among them."""
    for name, right in (("base", 10), ("tuned", 30)):
        lines = "".join(f"{i},what is {i}?,{int(i < right)}\n" for i in range(40))
        (tmp_path / f"{name}.csv").write_text(f"item,question,correct\n{lines}")
    logs = (str(tmp_path / "base.csv"), str(tmp_path / "tuned.csv"))
    specs = GainSpec(logs=logs, out=str(tmp_path / "a")), GuardSpec(logs[0], out=str(tmp_path / "b"))
    return [json.loads((run_study(spec, quiet=True).folder / "findings.json").read_text()) for spec in specs]


def test_what_is_written_holds_to_the_schema(written: list[dict[str, Any]]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for document in written:
        jsonschema.validate(document, SCHEMA)


def test_what_is_not_in_the_form_does_not_hold(written: list[dict[str, Any]]) -> None:
    document = written[0]
    odd = [
        {**document, "version": 2},
        {**document, "findings": [{**document["findings"][0], "probability": 2}]},
        {**document, "findings": [{k: v for k, v in document["findings"][0].items() if k != "verdict"}]},
        {**document, "findings": [{**document["findings"][0], "estimates": {"gain": {"value": "much"}}}]},
        {**document, "findings": [{**document["findings"][0], "evidence": [["a", 1]]}]},
    ]
    for value in odd:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, SCHEMA)
