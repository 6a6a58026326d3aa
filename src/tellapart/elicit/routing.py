"""Token routing (Venhoff et al. 2025, arXiv 2510.07364): the base writes, the tuned model takes over some tokens.

Who decides where: `routing` asks the teacher itself (an oracle: where the two disagree most, KL(tuned || base)),
`routing_entropy` the base alone (where its own entropy is high), `routing_first` takes the first m tokens. Each is
a curve over the routed share: `routing@0.05` routes about 5 of 100 tokens (the level is set on the fit split, the
share that came about stands in the measures), `routing@1` every token, the ceiling. The null control routes as large
a share at random positions. What the teacher told is counted in bits for each answer (routing_bits).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple, final

from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Switched, Tells, null_name
from tellapart.elicit.routing_bits import choice_bits, position_bits
from tellapart.errors import NotApplicable
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import number, wholes
from tellapart.models.model import Request
from tellapart.runs.asking import Ask, Elicitation, Pair, plain_requests
from tellapart.tasks.item import Task

if TYPE_CHECKING:
    from tellapart.models.two_models import RoutedAnswer

BUDGETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MAIN_BUDGET = 0.1
FIRST = (1, 2, 4, 8)
MAIN_FIRST = 1
LOOKED_AT = 16


class TokenRouter(NamedTuple):
    """Who decides: teacher (its disagreement above `level` nats), entropy (the base's above `level` nats), probe (its
    log-odds above `level`, the probe's weights beside it), first (the first `level` tokens), random (a share of
    `level`), all."""

    kind: str
    level: float
    probe: Weights = Weights()


class Trial(NamedTuple):
    """A few requests of the fit split, what the router sees where the tuned model writes alone (nats), and its probe
    where it has one."""

    pair: Pair
    requests: tuple[Request, ...]
    seen: tuple[float, ...]
    probe: Weights = Weights()

    @classmethod
    def of(cls, pair: Pair, ask: Ask, kind: str, probe: Weights | None = None) -> "Trial":
        """Return the trial of the first items of `ask`, one sample each."""
        few = ask._replace(items=ask.items[:LOOKED_AT], samples=1)
        requests = tuple(request for _, _, request in plain_requests(few))
        empty = cls(pair, requests, (), probe or Weights())
        if kind == "first":
            return empty
        alone = empty.answers(TokenRouter(kind, -math.inf, empty.probe))
        return empty._replace(seen=tuple(value for answer in alone for value in answer.seen))

    def answers(self, router: TokenRouter) -> "list[RoutedAnswer]":
        """Return the answers under `router`, in order."""
        return sorted(routed_answers(self.pair, self.requests, router), key=lambda answer: answer.index)


@final
@dataclass(frozen=True)
class Routed(Switched):
    """Answers of the base with some tokens of the tuned model.

    Setting: `decider` and `level` (see TokenRouter), `told` (tokens routed on the fit split: the code of the choices
    starts from them), `fitted_share` routed on the fit split, `label`. Measures: `routed_share`, `routed_tokens`.
    """

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer with the bits that the teacher told for it."""
        router = TokenRouter(str(self.setting["decider"]), number(self.setting, "level"), self.weights)
        if router.level <= 0 and router.kind in ("first", "random"):
            raise NotApplicable(f"{self.name} changes nothing: {router.kind} routes {router.level:g} tokens")
        tokens = wholes(self.setting, "told")
        rows = list(plain_requests(ask))
        for answer in routed_answers(pair, [request for _, _, request in rows], router):
            item, sample, request = rows[answer.index]
            share = sum(answer.routed) / len(answer.routed) if answer.routed else math.nan
            measures = {"routed_share": share, "routed_tokens": float(sum(answer.routed))}
            bits = answer_bits(pair, tokens, answer, router)
            yield Elicitation(item, sample, str(request.prompt), answer.completion, bits, measures)


@dataclass(frozen=True)
class Routing(Elicitor):
    """What the three routers have in common. `kind` decides, `points` are the curve, `main` is what `fit` gives."""

    source: ClassVar[str] = "Venhoff et al. 2025, arXiv 2510.07364"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "tokens", "weights", "tuned"})
    value: ClassVar[type[Elicited]] = Routed
    mechanism: ClassVar[Mechanism] = "routing"
    tells: ClassVar[Tells] = "items"
    null_tells: ClassVar[Tells] = "items"
    kind: ClassVar[str]

    points: tuple[float, ...] = BUDGETS
    main: float = MAIN_BUDGET

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the main point of the curve."""
        return self.point(Trial.of(pair, ask, self.kind), self.main)

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return the points of the curve that routed anything on the fit split."""
        trial = Trial.of(pair, ask, self.kind)
        values = [self.point(trial, point) for point in self.points]
        return tuple(value for value in values if number(value.setting, "fitted_share") > 0)

    def point(self, trial: "Trial", point: float) -> Elicited:
        """Return the value at one point, its level set and its code begun on a few items of the fit split."""
        router, answers = self.decided(trial, point)
        setting = {
            "decider": router.kind,
            "level": router.level,
            "told": [token for answer in answers for token in routed_tokens(answer)],
            "fitted_share": routed_share(answers),
            "label": f"{self.kind} {point:g}",
        }
        return Routed(f"{self.name}@{point:g}", setting, fit_bits(trial.pair, answers, router))

    def decided(self, trial: "Trial", budget: float) -> "tuple[TokenRouter, list[RoutedAnswer]]":
        """Return the router that routes about `budget` of the tokens, and the trial's answers under it.

        What it sees depends on what it routes: the level is set on answers that the tuned model wrote alone, and
        once more on answers routed at that level, unless they already hold to the budget within a quarter.
        """
        if budget >= 1:
            return TokenRouter("all", 1.0), trial.answers(TokenRouter("all", 1.0))
        router = TokenRouter(self.kind, level_for(trial.seen, budget), trial.probe)
        answers = trial.answers(router)
        if abs(routed_share(answers) - budget) > budget / 4:
            seen = [value for answer in answers for value in answer.seen]
            router = TokenRouter(self.kind, level_for(seen, budget), trial.probe)
            answers = trial.answers(router)
        return router, answers

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control: as large a share routed at random positions (of every token: the ceiling itself)."""
        setting = {**elicited.setting, "decider": "random", "level": elicited.setting["fitted_share"]}
        return replace(elicited, name=null_name(elicited.name), setting=setting)

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: the two models do not share a vocabulary."""
        if pair.tuned is None or pair.base.tokenizer_id == pair.tuned.tokenizer_id:
            return None
        return f"{pair.base.reference} and {pair.tuned.reference} do not share a vocabulary"


@final
@dataclass(frozen=True)
class TeacherRouting(Routing):
    """The teacher decides where it takes over: an oracle."""

    name: ClassVar[str] = "routing"
    kind: ClassVar[str] = "teacher"

    points: tuple[float, ...] = (*BUDGETS, 1.0)


@final
@dataclass(frozen=True)
class EntropyRouting(Routing):
    """The base decides, by its own entropy: nothing is told about the positions."""

    name: ClassVar[str] = "routing_entropy"
    kind: ClassVar[str] = "entropy"


@final
@dataclass(frozen=True)
class FirstTokensRouting(Routing):
    """The tuned model writes the first m tokens."""

    name: ClassVar[str] = "routing_first"
    kind: ClassVar[str] = "first"

    points: tuple[float, ...] = FIRST
    main: float = MAIN_FIRST

    def decided(self, trial: "Trial", budget: float) -> "tuple[TokenRouter, list[RoutedAnswer]]":
        """Return the router of the first `budget` tokens, and the trial's answers under it."""
        router = TokenRouter("first", budget)
        return router, trial.answers(router)


def level_for(seen: Sequence[float], budget: float) -> float:
    """Return the level above which a share of `budget` of `seen` lies, at most; infinite where none may."""
    ranked = sorted(seen, reverse=True)
    most = int(budget * len(ranked))
    return ranked[most] if most < len(ranked) else -math.inf


def routed_share(answers: "Sequence[RoutedAnswer]") -> float:
    """Return the share of all tokens that were routed; NaN where there are none."""
    tokens = sum(len(answer.routed) for answer in answers)
    return sum(sum(answer.routed) for answer in answers) / tokens if tokens else math.nan


def routed_tokens(answer: "RoutedAnswer") -> list[int]:
    """Return the tokens that the tuned model chose."""
    return [token for token, routed in zip(answer.completion.tokens, answer.routed, strict=True) if routed]


def answer_bits(pair: Pair, tokens: Sequence[int], answer: "RoutedAnswer", router: TokenRouter) -> float:
    """Return the bits that the teacher told for one answer: its choices, and their places where it decides them."""
    from tellapart.elicit.local_routing import vocabulary_size

    logprobs = [log for log, routed in zip(answer.base_logprobs, answer.routed, strict=True) if routed]
    chosen = routed_tokens(answer)
    places = position_bits(len(answer.routed), len(chosen), "told" if router.kind == "teacher" else "known")
    return places + choice_bits(tokens, chosen, logprobs, vocabulary_size(pair.base))


def fit_bits(pair: Pair, answers: "Sequence[RoutedAnswer]", router: TokenRouter) -> float:
    """Return the bits told on the fit split, answer after answer: the code of the report's choices starts there."""
    tokens: list[int] = []
    bits = 0.0
    for answer in answers:
        bits += answer_bits(pair, tokens, answer, router)
        tokens += routed_tokens(answer)
    return bits


def routed_answers(pair: Pair, requests: Sequence[Request], router: TokenRouter) -> "Iterator[RoutedAnswer]":
    """Yield the answers that both models write under `router`, as they are finished."""
    from tellapart.elicit.local_routing import write

    return write(pair, requests, router)
