"""What another package adds by an entry point alone: a study, a log reader, a control, a verifier, an elicitor.

The package is written to a folder with its metadata, as pip would install it; nothing of ours knows of it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

POINTS = """
[tellapart.studies]
lengths = toy:STUDY
[tellapart.readers]
toy = toy:READER
[tellapart.controls]
toy = toy:Backwards
[tellapart.verifiers]
toy = toy:Shortest
[tellapart.elicitors]
toy = toy:Shouting
"""
PACKAGE = '''
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import Positional, arg

from tellapart.controls.control import Control, Made
from tellapart.elicit.choosing import Requested
from tellapart.elicit.elicitor import Elicitor, null_name
from tellapart.findings.finding import Finding
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import from_columns
from tellapart.runs.asking import plain_requests
from tellapart.stats.estimate import Estimate
from tellapart.studies.options import Limited, options_last
from tellapart.studies.study import Opened, Study
from tellapart.verifiers.verifier import Verifier


@options_last
@dataclass(frozen=True)
class LengthsSpec(Limited):
    """How long are the lines of FILE?"""

    file: Annotated[Positional[str], arg(metavar="FILE")] = ""
    """A text file."""
    least: int = 3
    """Shorter lines are short."""


STUDY = Study("lengths", LengthsSpec, "toy:open_lengths", ("long", "short"), "toy:again", ("margin",))


def open_lengths(spec, quiet):
    from tellapart.errors import InvalidInput
    try:
        lines = Path(spec.file).read_text().split()
    except OSError as error:
        raise InvalidInput(f"{spec.file}: {error.strerror}; give a text file") from None

    def find(folder):
        folder.write_artifact("facts", {"lines": lines, "least": spec.least})
        return judged(lines, spec.least)

    return Opened(spec, {"lines": len(lines)}, find, asks=False)


def again(folder, changes):
    from tellapart.runs.folder import read_json
    facts = read_json(folder / "artifacts" / "facts.json", "not finished")
    return judged(facts["lines"], facts["least"])


def judged(lines, least):
    mean = sum(map(len, lines)) / len(lines)
    verdict = "long" if mean >= least else "short"
    length = Estimate(mean, math.nan, math.nan, len(lines), "characters", "mean")
    return [Finding("How long?", verdict, math.nan, f"{mean:g} characters.", {"length": length})]


def read(source):
    lines = source.path.read_text().splitlines()[1:]
    columns = {"item": [str(i) for i in range(len(lines))], "score": np.array([float(line) for line in lines])}
    return from_columns(columns, origin(source, "toy"), ())


READER = Reader("toy", lambda source: source.path.suffix == ".csv" and b"toy scores" in source.path.read_bytes(), read)


class Backwards(Control):
    name, family, role = "backwards", "reading", "form"
    kept, removed, source = "the letters", "their order", "this test"
    question = "Is the question read?"

    def make(self, given):
        return Made(given.task)


class Shortest(Verifier):
    name = "shortest"
    source = "this test"

    def judge(self, bench):
        lengths = np.array([[len(text or "") for text in row] for row in bench.answers], dtype=float)
        return 1 / (1 + lengths)


class Shouted(Requested):
    def requests(self, pair, ask):
        for index, sample, request in plain_requests(ask):
            yield index, sample, replace(request, prompt=str(request.prompt).upper())


@dataclass(frozen=True)
class Shouting(Elicitor):
    name, source, needs = "shouting", "this test", frozenset({"text"})
    value, mechanism = Shouted, "prompt"

    times: int = 1

    def fit(self, pair, ask):
        return Shouted(self.name, {"times": self.times, "label": "loud"})

    def null(self, elicited, seed):
        return replace(elicited, name=null_name(elicited.name))
'''
REGISTERED = """
import tellapart
from tellapart.controls import CONTROLS, FAMILIES
from tellapart.elicit import ELICITORS
from tellapart.elicit.settings import read_elicitor
from tellapart.logs import READERS, read_log
from tellapart.verifiers import open_verifier
assert CONTROLS["reading/backwards"].kept == "the letters"
assert FAMILIES["reading"].question == "Is the question read?"
assert read_elicitor("shouting:times=2", ELICITORS).times == 2
assert READERS["toy"].tool == "toy"
assert list(read_log("scores.csv").frame["score"]) == [1.0, 0.0]
assert open_verifier("shortest").name == "shortest"
run = tellapart.lengths(file="lines.txt", out="python")
assert run.findings[0].verdict == "long", run
assert "lengths" in dir(tellapart)
assert tellapart.open_run("python").findings[0].sentence == "3.5 characters."
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, and beside it what its study and reader read."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "toy.py").write_text(PACKAGE)
    metadata = folder / "toy-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(POINTS)
    (folder / "lines.txt").write_text("one\nfour\n")
    (folder / "scores.csv").write_text("toy scores\n1\n0\n")
    return folder


def ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # the folder of `-c` is on the path of imports, so its metadata is found like an installed package's
    return subprocess.run(
        [sys.executable, "-c", *arguments], capture_output=True, text=True, cwd=folder, check=False
    )


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ran(folder, f"from tellapart.cli import main\nmain({list(arguments)!r})")


def test_a_study_of_another_package_is_a_verb_with_every_option(installed: Path) -> None:
    done = command(installed, "lengths", "lines.txt", "--out", "run", "--fail-on", "short")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3.5 characters" in done.stdout
    assert (installed / "run" / "report.html").exists()
    spec = json.loads((installed / "run" / "spec.json").read_text())["spec"]
    assert spec == {"study": "lengths", "file": "lines.txt", "least": 3, "limit": None, "seed": 0, "lines": 2}

    assert "  lengths      " in command(installed, "--help").stdout

    told = command(installed, "lengths", "--help").stdout
    assert "Shorter lines are short. (default: 3)" in told
    assert "examples:" not in told  # it gave none

    gated = command(installed, "lengths", "lines.txt", "--out", "run", "--fail-on", "long")
    assert gated.returncode == 3
    assert gated.stderr.startswith("tellapart: 'long' was found")

    findings = (installed / "run" / "findings.json").read_bytes()
    assert command(installed, "analyse", "run").returncode == 0
    assert (installed / "run" / "findings.json").read_bytes() == findings


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lengths", "nowhere.txt"), "nowhere.txt: No such file or directory; give a text file"),
        (("lengths", "lines.txt", "--out", "kept", "--fail-on", "lon"), "did you mean 'long'?"),
        (("length", "lines.txt"), "no verb 'length' (did you mean 'lengths'?)"),
    ],
)
def test_its_mistakes_are_one_line_and_leave_nothing(
    installed: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = command(installed, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (installed / "runs").exists()
    assert not (installed / "kept").exists()


def test_the_others_are_registered_and_python_has_the_call(installed: Path) -> None:
    done = ran(installed, REGISTERED)
    assert done.returncode == 0, done.stderr


def test_a_package_that_cannot_be_loaded_is_named_in_one_line(tmp_path: Path) -> None:
    metadata = tmp_path / "torn-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[tellapart.studies]\ntorn = nothing_there:STUDY\n")
    done = command(tmp_path, "--help")
    assert done.returncode != 0
    assert "entry point torn = nothing_there:STUDY" in done.stderr.splitlines()[-1]
