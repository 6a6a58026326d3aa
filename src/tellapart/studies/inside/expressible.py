"""`tellapart inside MODEL --expressible PROGRAM`: what MODEL's shape can hold, beside what MODEL itself answers."""

import math
from dataclasses import replace

from tellapart.findings.finding import Finding
from tellapart.findings.shown import LADDER, Rung
from tellapart.jsonvalue import JsonObject
from tellapart.rasp.programs import named
from tellapart.rasp.shape import read_config, shape_of
from tellapart.rasp.shown import shown
from tellapart.runs.folder import RunFolder, digest
from tellapart.stats.estimate import Estimate
from tellapart.studies.expressible.spec import ExpressibleSpec
from tellapart.studies.expressible.study import LENGTH, PREFIX, ask_for, measure
from tellapart.studies.inside.spec import InsideSpec
from tellapart.studies.study import Opened

FREE = ("networks", "concepts", "layer", "tuning", "dtype", "chat", "no_chat", "system", "limit")


def open_expressible(spec: InsideSpec) -> Opened:
    """Read the model's config. The finding has the estimate `base_score`, what the model shows."""
    (model,) = spec.networks
    config = read_config(model)
    task = f"{PREFIX}{spec.expressible}"
    asks = ExpressibleSpec(
        task=task, shape=model, length=_length(str(spec.expressible), config), seed=spec.seed
    )
    question = ask_for(asks)

    def find(folder: RunFolder) -> list[Finding]:
        finding = measure(asks, question, config, folder)
        does = shown(model, question.program, question.length, spec.seed)
        tables = {**finding.tables, **LADDER.write([*LADDER.read(finding), *_rungs(does)])}
        return [replace(finding, estimates={"base_score": does, **finding.estimates}, tables=tables)]

    return Opened(spec, {"model": model, "config_hash": digest(config)}, find, asks=False, free=FREE)


def _length(program: str, config: JsonObject) -> int:
    """Return the longest input, up to LENGTH tokens, whose text the model's context holds; LENGTH where none does."""
    own_program, context = named(program), shape_of(config).context
    fitting = [n for n in own_program.lengths(LENGTH) if own_program.context(n) <= context]
    return max(fitting, default=LENGTH)


def _rungs(does: Estimate) -> list[Rung]:
    if math.isnan(does.value):
        return []
    return [Rung("demonstrated", does.value, does.low, does.high, "the model, asked plainly on drawn inputs")]
