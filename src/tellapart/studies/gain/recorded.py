"""What facts.json holds, as types: JSON by nature, so that a run is analysed anew from what it recorded.

A key may be missing where a run of an older version did not record it.
"""

from collections.abc import Mapping
from typing import Required, TypedDict

from tellapart.jsonvalue import Json


class ElicitorRecord(TypedDict, total=False):
    """What stands beside the rows of one value of an elicitor: which `elicitor` with which `settings`, where the method
    is from (`source`; `outside` another package, `elsewhere` another run), the bits it was given once, how the value is
    set, what it and its control tell of right answers, and why there are no figures (`missing`, `null_missing`)."""

    elicitor: Required[str]
    settings: Mapping[str, str]
    source: str
    oracle: bool
    outside: bool
    elsewhere: bool
    bits_once: float
    setting: Mapping[str, Json]
    tells: str
    null_tells: str
    missing: str
    null_missing: str


class ItemKey(TypedDict, total=False):
    """An item's answer key: the `accepted` answers in canonical form, their `kind`, how many `candidates` its question
    lists (None: none), whether a target stands `in_prompt`, the share of its text's answers that are right by copying,
    and the value of the field that slices were declared by."""

    accepted: Required[list[str]]
    kind: str
    candidates: int | None
    in_prompt: bool
    copied: float
    slice: str


class ModelSize(TypedDict, total=False):
    """Of what architecture and how many parameters a model is; empty where its weights are not available."""

    architecture: str
    parameters: int


class RuleRecord(TypedDict):
    """A made-up rule: its chance level, the numbers of labels, and the scores after each, by draw, of both models."""

    rule: str
    labels: list[int]
    chance: float
    base: list[list[float]]
    reference: list[list[float]]


class PricedRecord(TypedDict, total=False):
    """What is told of the reference: whether it was made by the tool, the made-up rules, or why there are none."""

    by_tool: bool
    rules: list[RuleRecord]
    missing: str


class PlanRecord(TypedDict, total=False):
    """Which plan was followed with which methods, why it stopped, the mechanisms that were given up, and each look."""

    plan: str | None
    asked: list[str]
    stopped: str
    dropped: dict[str, str]
    looks: list[Json]
    arms: list[str]
    planting: str


class WayPairing(TypedDict):
    """By which key the log of a way was paired with the base's, of how many items."""

    by: str
    items: int
    only_base: int
    only_way: int


class PairingRecord(TypedDict, total=False):
    """By which key two logs were paired, of how many items, and by which metric they are scored."""

    by: str
    items: int
    only_base: int
    only_tuned: int
    metric: dict[str, str]
    untold_samples: bool
    ways: dict[str, WayPairing]
