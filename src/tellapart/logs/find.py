"""From a path to the reader that understands it: files by their content, folders by the one log they hold."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tellapart.errors import UserMistake
from tellapart.logs.reader import Reader, joined
from tellapart.logs.recorded import Origin, Recorded
from tellapart.logs.source import Source, in_form, open_source, split

SUFFIXES = {".json", ".jsonl", ".csv", ".parquet", ".eval"}
WHOLE = ("rows.parquet", "per_instance_stats.json")
"""Files that stand for the folder they lie in."""


def read_with(readers: Sequence[Reader], reference: str) -> Recorded:
    """Return the log at `reference`, read by the first of `readers` that recognises it."""
    path, choice = split(str(reference))
    try:
        if path.is_dir():
            for reader in readers:
                if files := reader.whole(path):
                    return _joined(reader, str(reference), files)
            path, choice = _in_folder(path, choice)
    except OSError as error:
        raise UserMistake(f"{path}: cannot be read ({error})") from None
    source = open_source(str(reference), path, choice)
    with in_form(path):
        for reader in readers:
            if reader.recognises(source):
                return reader.read(source)
    raise UserMistake(f"{path}: {_not_a_log(source)}; known formats: {', '.join(r.tool for r in readers)}")


def content_hash(readers: Sequence[Reader], reference: str) -> str:
    """Return a hash (32 hex digits) of the bytes of the files that `read_with` reads at `reference`."""
    path, choice = split(str(reference))
    files = [path]
    if path.is_dir():
        files = next((found for reader in readers if (found := reader.whole(path))), [])
        files = files or [_in_folder(path, choice)[0]]
    return content_of_file(*files)


def content_of_file(*paths: str | Path) -> str:
    """Return a hash (32 hex digits) of what files hold, in their order. Raises UserMistake where one cannot be read."""
    held = hashlib.blake2b(digest_size=16)
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                held.update(hashlib.file_digest(file, "blake2b").digest())
        except OSError as error:
            raise UserMistake(f"{path}: cannot be read ({error})") from None
    return held.hexdigest()


def _joined(reader: Reader, reference: str, files: Sequence[Path]) -> Recorded:
    sources = [open_source(str(file), file, "") for file in files]
    for source in sources:
        if not reader.recognises(source):
            raise UserMistake(
                f"{source.path}: {_not_a_log(source)}; the other files there are of {reader.tool}"
            )
    with in_form(reference):
        return joined([reader.read(source) for source in sources], Origin(reader.tool, reference))


def _in_folder(folder: Path, choice: str) -> tuple[Path, str]:
    while True:
        for name in WHOLE:
            if (folder / name).is_file():
                return folder / name, choice
        if (folder / "spec.json").is_file():
            raise UserMistake(f"{folder}: the run is not complete (no rows.parquet); run its command again")
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        if len(inside) == 1 and inside[0].is_dir():
            folder = inside[0]
            continue
        break
    logs = [path for path in inside if path.is_file() and path.suffix in SUFFIXES]
    samples = [path for path in logs if path.name.startswith("samples_")]
    logs = samples or [path for path in logs if not path.stem.endswith("_metrics")]
    if len(logs) > 1 and choice:
        named = [path for path in logs if choice in path.name]
        if len(named) == 1:
            return named[0], ""
    if len(logs) == 1:
        return logs[0], choice
    listed = ", ".join(path.name for path in logs[:6]) + (", ..." if len(logs) > 6 else "")
    raise UserMistake(
        f"{folder}: holds {len(logs)} logs ({listed}); name one of them"
        if logs
        else f"{folder}: holds no log ({', '.join(sorted(SUFFIXES))})"
    )


def _not_a_log(source: Source) -> str:
    if source.has("results") and (source.has("versions") or source.has("config")):
        return "holds aggregate results only; give the samples (lm_eval --log_samples)"
    if isinstance(source.first, dict):
        names = ", ".join(str(name)[:30] for name in list(source.first)[:8])
        return f"is no known log (begins with {names or 'nothing'})"
    return "is no known log"
