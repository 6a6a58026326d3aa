"""Put into the wheel every weight of the specimens that is not in tellapart's own (its pyproject.toml lists those)."""

import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

REPOSITORY = Path(__file__).resolve().parents[2]
SPECIMENS = Path("src/tellapart/specimens")


class CustomBuildHook(BuildHookInterface):
    """The hook that hatch calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files. Raises FileNotFoundError outside a clone, where there are none."""
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
        own = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
        files = [
            path.relative_to(REPOSITORY)
            for folder in sorted((REPOSITORY / SPECIMENS).rglob("weights"))
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
        if not files:
            raise FileNotFoundError(
                f"no weights under {REPOSITORY / SPECIMENS}: build from a clone of the repository"
            )
        for path in files:
            if path.as_posix() not in own:
                build_data["force_include"][str(REPOSITORY / path)] = path.relative_to("src").as_posix()
