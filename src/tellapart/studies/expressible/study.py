"""`tellapart expressible`: program and shape -> certificate (and trainings) -> finding -> report, in a run folder."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tellapart.errors import InvalidInput
from tellapart.findings.expressible import CERTIFICATE, TRAININGS, CertificateLine, TrainingLine
from tellapart.findings.finding import Finding
from tellapart.findings.shown import LADDER, Rung
from tellapart.jsonvalue import Json, JsonObject
from tellapart.runs.folder import RunFolder, digest
from tellapart.runs.progress import ticking
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score
from tellapart.stats.wording import percent
from tellapart.studies.expressible.spec import VERDICTS, ExpressibleSpec
from tellapart.studies.study import Opened

if TYPE_CHECKING:
    from tellapart.rasp.certificate import Certificate
    from tellapart.rasp.learning import Learned
    from tellapart.rasp.network import Compiled
    from tellapart.rasp.programs import Program

PREFIX = "program:"
LENGTH = 8
MOST_TRAINED, MOST_WRITTEN = 5_000_000, 200_000_000
"""Weights of a shape that is trained in, and of one that is written whole."""
_CAVEATS = (
    "Exact in float32 on the CPU: in bfloat16 the same weights are not.",
    "Expressible says that weights exist, not that training finds them, nor that a trained model does it this way.",
    "A shape in which this compiler finds no place is \"not known\" unless a bound excludes it; for one layer or more "
    "no bound on layers is used.",
)  # fmt: skip
_TRAINED = (
    "What training finds hangs on its steps and rates (AdamW, 64 inputs a step): more may find more.",
    "Compiled weights span six orders of magnitude; noise is relative to each weight, and a step of training is not.",
)


class ProgramRequest(NamedTuple):
    """A program and the inputs it must answer: of up to `length` tokens. `score` is the share of a task's items that it
    answers right."""

    program: "Program"
    length: int
    score: float
    name: str


def open_expressible(spec: ExpressibleSpec, quiet: bool = False) -> Opened:
    """Read the task and the config."""
    question, config = ask_for(spec), _config(spec)

    def find(folder: RunFolder) -> list[Finding]:
        return [measure(spec, question, config, folder)]

    return Opened(spec, {"config_hash": digest(config or {})}, find, asks=False, free=("write",))


def ask_for(spec: ExpressibleSpec) -> ProgramRequest:
    """Return the program of a task or `program:NAME`. Raises InvalidInput where they do not go together."""
    from tellapart.rasp.programs import named
    from tellapart.rasp.rung import read_items
    from tellapart.tasks.sources import open_task

    name = str(spec.task)
    if name.startswith(PREFIX):
        program = named(name.removeprefix(PREFIX))
        length = LENGTH if spec.length is None else spec.length
        program.lengths(length)
        return ProgramRequest(program, length, 1.0, program.name)
    task = open_task(name, limit=spec.limit, seed=spec.seed)
    read = read_items(task, task.items)
    if spec.length is not None and spec.length < read.length:
        raise InvalidInput(
            f"--length {spec.length}: the longest item of {task.name} has {read.length} tokens"
        )
    return ProgramRequest(read.program, spec.length or read.length, read.score, task.name)


def _config(spec: ExpressibleSpec) -> dict[str, Json] | None:
    from tellapart.rasp.shape import read_config, shape_of

    if spec.shape is None:
        return None
    config = read_config(spec.shape)
    shape_of(config)
    return config


def measure(
    spec: ExpressibleSpec, question: ProgramRequest, config: JsonObject | None, folder: RunFolder
) -> Finding:
    """Return the finding. Trainings that the folder holds are not made again."""
    from tellapart.rasp.certificate import certify
    from tellapart.rasp.network import compile_program, save

    program, length = question.program, question.length
    least = compile_program(program, length)
    certificate = certify(program, length, config or least.config, spec.inputs, spec.seed)
    compiled = certificate.compiled
    if compiled is None and (spec.train or spec.write):
        option = "--train" if spec.train else f"--write {spec.write}"
        raise InvalidInput(
            f"{option}: {program.name} is not compiled in this shape: {certificate.by}; leave {option} out, or give "
            "another --shape"
        )
    learned: list[Learned] = []
    if compiled is not None and spec.train:
        learned = _trained(spec, question, compiled, folder)
    if compiled is not None and spec.write:
        save(compiled, Path(spec.write), cut=_weights(compiled) > MOST_WRITTEN)
    return _finding(question, certificate, least, learned)


def _weights(compiled: "Compiled") -> int:
    shape = compiled.shape
    layer = shape.width * (2 * shape.head_width * (shape.heads + shape.kv_heads) + 3 * shape.neurons)
    return shape.layers * layer + (1 if shape.tied else 2) * shape.vocab * shape.width


def _trained(
    spec: ExpressibleSpec, question: ProgramRequest, compiled: "Compiled", folder: RunFolder
) -> "list[Learned]":
    from tellapart.rasp.learning import Learned, Training, learn_all

    kept = folder.read_artifact("learned")
    if kept is not None:
        return [Learned(**run) for run in kept["learned"]]
    if _weights(compiled) > MOST_TRAINED:
        raise InvalidInput(
            f"--train: the shape has {_weights(compiled):,} weights; trained are shapes of up to {MOST_TRAINED:,}: "
            "leave --train out, or give a smaller --shape"
        )
    half = question.length // 2
    question.program.lengths(half)
    runs = learn_all(
        compiled, Training(half, spec.steps), spec.noises, range(spec.seed, spec.seed + spec.train)
    )
    learned = []
    with ticking("trainings", spec.train * (2 + len(spec.noises)), spec.json) as ticker:
        for run in runs:
            learned.append(run)
            ticker.tick()
    folder.write_artifact("learned", {"learned": [run._asdict() for run in learned]})
    return learned


def _finding(
    question: ProgramRequest, certificate: "Certificate", least: "Compiled", learned: "Sequence[Learned]"
) -> Finding:
    program, length = question.program, question.length
    from tellapart.rasp.learning import program_bits

    yes = certificate.answer == "yes"
    scores = _scores(learned, length // 2)
    estimates = {
        "expressible_layers": _exact(len(least.layout.layers), "layers", "what the compiler needs, inputs of up to "
                                     f"{length} tokens"),
        "expressible_heads": _exact(max(1, least.layout.heads), "heads", "most in one layer"),
        "expressible_width": _exact(least.layout.width, "coordinates", "variables and the constants of the norm"),
        **scores,
        "program_bits": _exact(program_bits(least), "bits", "the program's variables written out and compressed"),
    }  # fmt: skip
    line = CertificateLine(
        str(certificate.shape),
        certificate.answer,
        certificate.by,
        str(least.shape),
        f"{program.predicted}: {program.because}",
    )
    tables = {**LADDER.write(_ladder(question, certificate, scores)), **CERTIFICATE.write([line])}
    if learned:
        tables |= TRAININGS.write(TrainingLine(**run._asdict()) for run in learned)
    return Finding(
        question=f"Can this shape hold {program.name} ({program.asks}), and does training find it?",
        verdict=dict(zip(("yes", "no", "not known"), VERDICTS, strict=True))[certificate.answer],
        probability=math.nan,
        sentence=_sentence(question, certificate, scores if learned else {}),
        estimates=estimates,
        controls=_controls(certificate),
        caveats=_CAVEATS + (_TRAINED if learned else ()),
        evidence=(("answers right", certificate.exactness.right / certificate.exactness.run, math.nan),)
        if yes and certificate.exactness else (),
        tables=tables,
    )  # fmt: skip


def _sentence(question: ProgramRequest, certificate: "Certificate", scores: Mapping[str, Estimate]) -> str:
    name = question.program.name
    said = {
        "yes": f"{certificate.shape} holds {name} for inputs of up to {question.length} tokens: {certificate.by}.",
        "no": f"No weights of {certificate.shape} compute {name} at {question.length} tokens: {certificate.by}.",
        "not known": f"Whether {certificate.shape} holds {name} is not known: {certificate.by}.",
    }[certificate.answer]
    if not scores:
        return said
    learned, near = scores["learned_score"], scores["returned_score"]
    return (
        f"{said} Training finds {percent(learned.value)} of the answers from random weights and "
        f"{percent(near.value)} from noised ones."
    )


def _exact(value: float, unit: str, method: str) -> Estimate:
    return Estimate(float(value), float(value), float(value), 1, unit, method)


def _scores(learned: "Sequence[Learned]", length: int) -> dict[str, Estimate]:
    """Return learned_score and returned_score, with those on longer inputs; missing where nothing was trained."""
    if not learned:
        reason = "no training was asked (--train SEEDS)"
        return {name: missing("score", reason) for name in ("learned_score", "returned_score")}
    random = [run for run in learned if run.start == "random"]
    near = returning(learned)
    kept = [run for run in learned if run.start == "compiled"]

    def of(runs: "Sequence[Learned]", values: Sequence[float], method: str) -> Estimate:
        score = mean_score(values)
        return Estimate(
            score.value, score.low, score.high, len(runs), "score", f"{score.method} over seeds; {method}"
        )

    within = f"whole answers, inputs of up to {length} tokens"
    longer = f"whole answers, inputs of {length + 1} to {2 * length} tokens"
    return {
        "learned_score": of(random, [run.score for run in random], f"from random weights, {within}"),
        "learned_score_longer": of(random, [run.longer for run in random], f"from random weights, {longer}"),
        "returned_score": of(near, [run.score for run in near], f"from weights with noise {near[0].noise:g}, {within}"),
        "returned_score_longer": of(near, [run.longer for run in near], f"noise {near[0].noise:g}, {longer}"),
        "noised_score": of(near, [run.before for run in near], f"noise {near[0].noise:g} before training, {within}"),
        "stayed_score": of(kept, [min(run.score, run.longer) for run in kept], "from compiled weights, the lower of "
                           "both lengths"),
    }  # fmt: skip


def returning(learned: "Sequence[Learned]") -> "list[Learned]":
    """Return the trainings from the least noise that broke the program; from the largest where none did."""
    noises = sorted({run.noise for run in learned if run.start == "noised"})
    for noise in noises:
        noised = [run for run in learned if run.start == "noised" and run.noise == noise]
        if any(run.before < 1 for run in noised) or noise == noises[-1]:
            return noised
    raise AssertionError("no noise")


def _ladder(
    question: ProgramRequest, certificate: "Certificate", scores: Mapping[str, Estimate]
) -> list[Rung]:
    rungs = []
    if certificate.answer == "yes":
        rungs.append(Rung("expressible", question.score, question.score, question.score, certificate.by))
    for name, key in (("learnable from near", "returned_score"), ("learned", "learned_score")):
        score = scores[key]
        if not math.isnan(score.value):
            rungs.append(Rung(name, score.value, score.low, score.high, score.method.partition("; ")[2]))
    return rungs


def _controls(certificate: "Certificate") -> dict[str, str]:
    ran = certificate.exactness
    if ran is None:
        return {}
    return {
        "the compiled network on its inputs": f"{ran.right:,} of {ran.run:,} whole answers right"
        + (", all inputs there are" if ran.all else ", drawn")
    }
