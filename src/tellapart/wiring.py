"""Where a lower room reaches a higher one at run time: `specimen:NAME`, and the report of a run.

Rooms import only rooms below them (docs/architecture.md). What a lower one calls from above stands in a table of its
own, which `connect` fills when `tellapart` is imported; nothing heavy is imported before it is called.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tellapart.internals
import tellapart.models
import tellapart.tasks
from tellapart.findings.views import SHOWN, VIEWS, Picture, Shown, View

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from tellapart.findings.finding import Finding
    from tellapart.internals.concepts import ConceptPair
    from tellapart.models.local import LocalModel
    from tellapart.models.model import Model
    from tellapart.tasks.item import Task


CHANGES = ("full", "lora", "svf", "masked", "tiny_lora", "vectors")
"""Kinds of trained changes (training/kinds.py) that a worker puts in place (models/executor.py)."""


def connect() -> None:
    """Fill the tables of the lower rooms."""
    tellapart.tasks.OPENERS["specimen"] = _specimen_task
    tellapart.models.OPENERS["specimen"] = _specimen_model
    tellapart.internals.OPENERS["specimen"] = _specimen_concepts
    tellapart.models.CHANGERS.update(dict.fromkeys(CHANGES, _changed_model))
    VIEWS[:] = [View(_write_report, _print_run)]
    SHOWN[:] = [Shown(_notebook_html, _pictures, _export_run)]


def _specimen_task(name: str, seed: int) -> "Task":
    from tellapart.specimens import load_task

    return load_task(name)


def _specimen_model(name: str, device: str, dtype: str, max_rows: int | None) -> "Model":
    from tellapart.models.checkpoint import check_device
    from tellapart.specimens import load_model

    check_device(device)
    specimen = load_model(name, device, dtype)
    specimen.max_rows = max_rows
    return specimen


def _changed_model(
    model: "LocalModel", change: str, data: bytes, digest: str, strength: float
) -> "AbstractContextManager[object]":
    from tellapart.interventions.weights import weights_from
    from tellapart.training.change import changed
    from tellapart.training.kinds import remade

    return changed(model, remade(json.loads(change)), weights_from(data, digest), strength)


def _specimen_concepts(family: str) -> "tuple[ConceptPair, ...]":
    from tellapart.specimens.concepts import specimen_concepts

    return specimen_concepts(family)


def _write_report(run_folder: Path) -> None:
    from tellapart.report.html import write_report

    write_report(run_folder)


def _print_run(run_folder: Path, findings: "Sequence[Finding]", console: "Console") -> None:
    from tellapart.report.terminal import print_run

    print_run(run_folder, findings, console)


def _notebook_html(run_folder: Path, findings: "Sequence[Finding]") -> str:
    from tellapart.report.notebook import notebook_html

    return notebook_html(run_folder, findings)


def _pictures(findings: "Sequence[Finding]") -> list[Picture]:
    from tellapart.report.pictures import pictures

    return pictures(findings)


def _export_run(run_folder: Path, form: str, out: Path | None, conditions: Sequence[str]) -> tuple[Path, ...]:
    from tellapart.report.export import export_run

    return export_run(run_folder, form, out, conditions).paths
