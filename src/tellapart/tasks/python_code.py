"""Functions that a task file names as `python:module:function`: scorers and step checkers.

Loading one runs its module. A task file may have come from anyone, so what it is about to run is said in one line on
stderr, and code from elsewhere than the task's folder or the current one is run only where `code_allowed` (the option
--allow-code) says so. A module that lies beside the task file is taken before an installed one.
"""

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import math
import re
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from tellapart.errors import UserMistake, one_line
from tellapart.tasks.item import Item, Scorer, StepCheck, StepChecker

LONGEST_MODULE = 200  # file systems take names of 255 bytes
_REFERENCE = re.compile(r"python:([A-Za-z_][\w.]*):([A-Za-z_]\w*)")


Allowed = Literal["none", "own", "all"]
"""Which code a task file may have run: none, that in the task's folder or the current one, or from anywhere."""
_ALLOWED: ContextVar[Allowed] = ContextVar("which code a task file may have run", default="own")
_SAID: set[Path] = set()


@contextlib.contextmanager
def code_allowed(allowed: Allowed) -> Iterator[None]:
    """Let task files that are opened inside run this code and no other."""
    before = _ALLOWED.set(allowed)
    try:
        yield
    finally:
        _ALLOWED.reset(before)


def load_function(reference: str, folder: Path | None = None) -> tuple[Callable[..., Any], str]:
    """Return the function named by `python:module:function`, and a hash of its module's source.

    `folder` is that of the task file that names it (None: the user names it). Raises UserMistake where the form is
    wrong, the module or the function is not available, or a task file names code that it may not run.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UserMistake(f"{reference!r} is not of the form python:module:function")
    module_name, function_name = match.groups()
    if len(module_name.encode()) > LONGEST_MODULE:
        raise UserMistake(f"{reference[:40]!r}... names a module of more than {LONGEST_MODULE} bytes")
    path = None if folder is None else folder.joinpath(*module_name.split(".")).with_suffix(".py")
    if path is not None and path.is_file():
        _check_place(path, reference, folder)
        return function_in(path, function_name)
    if folder is not None and (origin := _origin(module_name)) is not None:
        _check_place(origin, reference, folder)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise UserMistake(f"{reference!r}: module {module_name!r} cannot be loaded: {error}") from error
    return _function(module, function_name, module_name), _source_hash(module)


def _origin(module_name: str) -> Path | None:
    """Return the file of the package that a module is in, without running it; None where there is none."""
    try:
        spec = importlib.util.find_spec(module_name.partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return Path(places[0] or "") if places else Path(sys.base_prefix, "lib", module_name)


def _check_place(path: Path, reference: str, folder: Path | None) -> None:
    """Say which code is about to be run. Raises UserMistake where it lies elsewhere and that was not allowed."""
    if folder is None:
        return
    allowed = _ALLOWED.get()
    own = _is_own(path, folder)
    if allowed == "none" or (allowed == "own" and not own):
        outside = "" if own else ", outside the task's folder and the current one"
        raise UserMistake(
            f"{reference!r} would run {path}{outside}: give --allow-code (allow_code=True) to run it"
        )
    if path not in _SAID:
        _SAID.add(path)
        print(
            one_line(f"tellapart: runs the code of {path}, for {reference} of a task file"), file=sys.stderr
        )


def _is_own(path: Path, folder: Path) -> bool:
    """Return whether a file lies in the task's folder or the current one, and in no environment of packages there."""
    file = path.resolve()
    installed = {"site-packages", "dist-packages"} & set(file.parts)
    places = [
        folder for folder in (folder.resolve(), Path.cwd()) if folder != Path(folder.anchor)
    ]  # in / lies everything
    return not installed and any(file.is_relative_to(place) for place in places)


def function_in(path: Path, name: str) -> tuple[Callable[..., Any], str]:
    """Return the function `name` of the Python file `path`, which is run, and a hash of its source."""
    key = f"tellapart_task_{hashlib.blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()}"
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise UserMistake(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserMistake(f"{path} cannot be loaded: {error}") from error
    return _function(module, name, str(path)), _source_hash(module)


@dataclass(frozen=True)
class PythonScorer(Scorer):
    """A function (item, completion) -> score in [0, 1], or (score, answer). Without an answer of its own the
    completion without white space at its ends counts as the answer."""

    reference: str
    source_hash: str
    function: Callable[[Item, str], Any]

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the reference, as the task file has it."""
        return self.reference

    def answer(self, item: Item, completion: str) -> str | None:
        """Return the answer that the function gives, or the stripped completion."""
        result = self._call(item, completion)
        return result[1] if isinstance(result, tuple) else completion.strip() or None

    def score(self, item: Item, completion: str) -> float:
        """Return the function's score. Raises UserMistake where it is no number in [0, 1]."""
        result = self._call(item, completion)
        value = result[0] if isinstance(result, tuple) else result
        if not isinstance(value, bool | int | float) or math.isnan(value) or not 0 <= value <= 1:
            raise UserMistake(
                f"{self.reference} gave {value!r} for item {item.id!r}: a score is a number in [0, 1]"
            )
        return float(value)

    def _call(self, item: Item, completion: str) -> Any:
        try:
            result = self.function(item, completion)
        except Exception as error:
            raise UserMistake(f"{self.reference} failed on item {item.id!r}: {error!r}") from error
        if isinstance(result, tuple) and (len(result) != 2 or not isinstance(result[1], str | None)):
            raise UserMistake(
                f"{self.reference} gave {result!r} for item {item.id!r}: give (score, answer text)"
            )
        return result


def load_scorer(reference: str, folder: Path | None = None) -> PythonScorer:
    """Return the scorer named by `python:module:function`. Raises UserMistake as `load_function` does."""
    function, source_hash = load_function(reference, folder)
    return PythonScorer(reference, source_hash, function)


@dataclass(frozen=True)
class PythonSteps:
    """A step checker, made strict: another answer than valid, invalid or absent raises UserMistake."""

    reference: str
    source_hash: str
    function: Callable[[Item, str], Any]

    def __call__(self, item: Item, completion: str) -> StepCheck:
        """Return what the function says of the steps of `completion`."""
        try:
            result = self.function(item, completion)
        except Exception as error:
            raise UserMistake(f"{self.reference} failed on item {item.id!r}: {error!r}") from error
        if result == "valid" or result == "invalid" or result == "absent":
            return result
        raise UserMistake(f"{self.reference} gave {result!r} for {item.id!r}: give valid, invalid or absent")


def load_steps(reference: str, folder: Path | None = None) -> StepChecker:
    """Return the step checker named by `python:module:function`. Raises UserMistake as `load_function` does."""
    function, source_hash = load_function(reference, folder)
    return PythonSteps(reference, source_hash, function)


def _function(module: ModuleType, name: str, where: str) -> Callable[..., Any]:
    function = vars(module).get(name)
    if not callable(function):
        raise UserMistake(f"{where} has no function {name!r}")
    return function


def _source_hash(module: ModuleType) -> str:
    """Return a hash of a module's source, and of those that it imports from the user's own folders: what they say
    changes its answers too. Installed packages count by their versions elsewhere."""
    file = vars(module).get("__file__")
    if file is None:  # a built-in module
        return ""
    own = Path(file)
    sources: dict[Path, bytes] = {}
    _collect(own, own.resolve().parent, sources)
    if len(sources) == 1:
        return hashlib.blake2b(sources[own.resolve()], digest_size=16).hexdigest()
    held = hashlib.blake2b(digest_size=16)
    for path in sorted(sources):
        held.update(hashlib.blake2b(sources[path]).digest())
    return held.hexdigest()


def _collect(path: Path, folder: Path, sources: dict[Path, bytes]) -> None:
    """Add the source of `path` to `found`, and of what it imports that is loaded and `_is_own`."""
    path = path.resolve()
    if path in sources:
        return
    sources[path] = path.read_bytes()
    try:
        tree = ast.parse(sources[path])
    except (SyntaxError, ValueError, RecursionError):  # an extension module
        return
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    for name in sorted(names):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and _is_own(Path(file), folder):
            _collect(Path(file), folder, sources)
