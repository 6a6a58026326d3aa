"""What the two wheels hold: the core has the weights of `demo` alone, the other package all the rest."""

import tomllib
from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.specimens import WEIGHTS, adversarial, form, inside, load_model, skills, weights_files
from tellapart.specimens.demo import SHOWN

REPOSITORY = Path(__file__).parents[2]
BUILD = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
    "wheel"
]
MOST = 8 * 2**20


def test_the_core_wheel_has_the_pairs_of_the_demo_and_no_other_weights() -> None:
    needed = {
        file for name in SHOWN for role in ("base", "tuned") for file in weights_files(WEIGHTS, name, role)
    }
    assert set(BUILD["force-include"]) == {file.relative_to(REPOSITORY).as_posix() for file in needed}
    assert all(f"src/{to}" == file for file, to in BUILD["force-include"].items())
    assert BUILD["exclude"] == ["/src/tellapart/specimens/**/weights"]


def test_the_core_wheel_is_small() -> None:
    package = REPOSITORY / "src" / "tellapart"
    code = (path for path in package.rglob("*") if path.is_file() and "weights" not in path.parts)
    kept = (REPOSITORY / file for file in BUILD["force-include"])
    assert sum(path.stat().st_size for path in (*code, *kept) if "__pycache__" not in path.parts) < MOST


@pytest.mark.parametrize("name", ["locked-tracking-1/base", "threshold-high-0/tuned", "rationale-reads-0"])
def test_without_the_other_package_its_install_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    loads = {"threshold-high-0/tuned": adversarial.load_model, "rationale-reads-0": form.load_model}
    with pytest.raises(UserMistake, match="pip install 'tellapart") as refusal:
        loads.get(name, load_model)(name, folder=tmp_path)
    assert "\n" not in str(refusal.value)
    for load, other in ((inside.load_model, "shared-sums-0"), (skills.load_model, "skills-0")):
        with pytest.raises(UserMistake, match="pip install 'tellapart"):
            load(other, folder=tmp_path)
