"""Power sampling (Karan & Du 2025, arXiv 2510.14901): draw whole answers from p(x)^alpha by Metropolis-Hastings.

An answer grows block by block. After each block, moves resample a suffix from a random position with the base at
temperature 1 / alpha and are accepted if
    log U < alpha [log p(x') - log p(x)] + log q(x) - log q(x') + log |x| - log |x'|,
the sums over the resampled suffix; the last two terms, absent from the paper's fixed-length blocks, make the choice
of a position fair between answers of different lengths, so that within a block the target is exact. An answer
that has ended after its block's moves is done, as in the paper. All chains move together, in one batch.
A limit seen on specimens: where a mode of the power law begins with a token that is rare in the base (6 of 100),
proposals at 1 / alpha all but never begin with it, and a chain of a few moves stays where it grew.
It only sharpens what the base knows: 0 bits. The null control makes as many proposals and accepts them at the same
rate by chance.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

from tellapart.elicit.access import TokenModel, token_model
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Switched, Tells, null_name
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import number, whole
from tellapart.models.model import Completion, Request, Sampling
from tellapart.runs.asking import Ask, Elicitation, Pair, row_seed

ALPHA = 4.0
MOVES = 4
LEAST_BLOCK = 16
MOST_BLOCKS = 8
RATE_ITEMS = 8


@dataclass
class Chain:
    """The state of one chain: the answer so far, one entry of each list for each of its tokens."""

    item: int
    sample: int
    prompt: tuple[int, ...]
    name: str
    tokens: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    proposals: list[float] = field(default_factory=list)
    ended: bool = False
    error: str = ""
    drawn: int = 0
    proposed: int = 0
    accepted: int = 0
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether the chain moves no more: its answer has ended, or a generation failed."""
        return self.ended or bool(self.error)


@final
@dataclass(frozen=True)
class Powered(Switched):
    """Answers from p^alpha. Setting: `alpha`, `moves` (per block), `rate` (null control: accepted by chance).

    Measures: `drawn_tokens` (all proposals), `accepted_share` of the moves.
    """

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer, once all chains are done."""
        alpha, moves = number(self.setting, "alpha"), whole(self.setting, "moves")
        if alpha <= 1 or moves < 1:
            raise NotApplicable(
                f"{self.name} changes nothing: alpha {alpha:g} and {moves} moves; give alpha > 1, moves >= 1"
            )
        model = token_model(pair.base)
        chains = [
            Chain(index, sample, model.encode(ask.task.prompt(item)), f"{item.id}|{sample}")
            for index, item in enumerate(ask.items)
            for sample in range(ask.samples)
            if (item.id, sample) not in ask.held
        ]
        run_chains(model, chains, self, ask)
        for chain in chains:
            share = chain.accepted / chain.proposed if chain.proposed else math.nan
            measures = {"drawn_tokens": float(chain.drawn), "accepted_share": share}
            prompt = ask.task.prompt(ask.items[chain.item])
            yield Elicitation(
                chain.item, chain.sample, prompt, finished(model, chain, ask.sampling), 0.0, measures
            )


@final
@dataclass(frozen=True)
class PowerSampling(Elicitor):
    """Whole answers drawn from the base's distribution to the power `alpha`."""

    name: ClassVar[str] = "power_sampling"
    source: ClassVar[str] = "Karan & Du 2025, arXiv 2510.14901"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "tokens"})
    value: ClassVar[type[Elicited]] = Powered
    mechanism: ClassVar[Mechanism] = "decoding"
    tells: ClassVar[Tells] = "nothing"

    alpha: float = ALPHA
    moves: int = MOVES

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the setting, with the acceptance rate on a few items (the null control needs it)."""
        setting = {"alpha": self.alpha, "moves": self.moves, "label": f"alpha {self.alpha:g}"}
        trial = ask._replace(items=ask.items[:RATE_ITEMS], samples=1)
        shares = [
            answer.measures["accepted_share"] for answer in Powered(self.name, setting).answers(pair, trial)
        ]
        measured = [share for share in shares if not math.isnan(share)]
        if not measured:
            raise NotApplicable(f"{self.name} on {ask.task.name}: no chain made a move")
        return Powered(self.name, {**setting, "fitted_rate": math.fsum(measured) / len(measured)})

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control that accepts by chance, at the fitted rate."""
        setting = {**elicited.setting, "rate": elicited.setting["fitted_rate"]}
        return replace(elicited, name=null_name(elicited.name), setting=setting)


def run_chains(model: TokenModel, chains: Sequence[Chain], value: Powered, ask: Ask) -> None:
    """Grow and move all chains to their ends, in place."""
    alpha, longest = number(value.setting, "alpha"), ask.sampling.max_tokens
    proposal = Sampling(temperature=1.0 / alpha, max_tokens=longest, stop=ask.sampling.stop)
    block = max(LEAST_BLOCK, math.ceil(longest / MOST_BLOCKS))
    for end in [*range(block, longest, block), longest]:
        growing = [chain for chain in chains if not chain.done]
        starts = [len(chain.tokens) for chain in growing]
        for chain, start, suffix in suffixes(model, growing, starts, end, (proposal, f"{ask.seed}|grow")):
            put(chain, start, suffix)
        for move in range(whole(value.setting, "moves")):
            moving = [chain for chain in growing if chain.tokens and not chain.error]
            chances = [random.Random(row_seed(ask.seed, f"{chain.name}|{end}", move)) for chain in moving]
            starts = [
                chance.randrange(len(chain.tokens)) for chance, chain in zip(chances, moving, strict=True)
            ]
            luck = dict(zip(map(id, moving), chances, strict=True))
            tag = f"{ask.seed}|move{move}"
            for chain, start, suffix in suffixes(model, moving, starts, end, (proposal, tag)):
                chain.proposed += 1
                if luck[id(chain)].random() < acceptance(chain, start, suffix, value):
                    chain.accepted += 1
                    put(chain, start, suffix)


def suffixes(
    model: TokenModel,
    chains: Sequence[Chain],
    starts: Sequence[int],
    end: int,
    how: tuple[Sampling, str],
) -> Iterator[tuple[Chain, int, Completion]]:
    """Yield (chain, start, suffix drawn from there up to position `end`); a failed draw ends its chain."""
    proposal, tag = how
    requests = [
        Request(
            (*chain.prompt, *chain.tokens[:start]),
            row_seed(0, f"{tag}|{chain.name}", end),
            replace(proposal, max_tokens=end - start),
        )
        for chain, start in zip(chains, starts, strict=True)
    ]
    for place, completion in model.generate(requests):
        chain = chains[place]
        chain.drawn += len(completion.tokens)
        chain.seconds += completion.seconds
        if completion.finish == "failed":
            chain.error = completion.error or "failed"
        else:
            yield chain, starts[place], completion


def put(chain: Chain, start: int, suffix: Completion) -> None:
    """Replace what follows position `start` by `suffix`, in place."""
    logprobs, proposals = both_logprobs(suffix)
    chain.tokens[start:] = suffix.tokens
    chain.texts[start:] = suffix.token_texts
    chain.logprobs[start:] = logprobs
    chain.proposals[start:] = proposals
    chain.ended = suffix.finish == "stop"


def both_logprobs(suffix: Completion) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return log p and log q of each token in nats. Raises UserMistake where the model gave none."""
    if suffix.logprobs is None or suffix.sampled_logprobs is None:
        raise NotApplicable(
            "power sampling needs the log-probability of each token, before and after temperature"
        )
    return suffix.logprobs, suffix.sampled_logprobs


def acceptance(chain: Chain, start: int, suffix: Completion, value: Powered) -> float:
    """Return the probability that `suffix` replaces what follows `start`, in [0, 1] (for the null: its rate)."""
    if "rate" in value.setting:
        return number(value.setting, "rate")
    logprobs, proposals = both_logprobs(suffix)
    alpha = number(value.setting, "alpha")
    gained = alpha * (math.fsum(logprobs) - math.fsum(chain.logprobs[start:]))
    proposed = math.fsum(chain.proposals[start:]) - math.fsum(proposals)
    lengths = math.log(len(chain.tokens)) - math.log(start + len(suffix.tokens))
    return math.exp(min(0.0, gained + proposed + lengths))


def finished(model: TokenModel, chain: Chain, sampling: Sampling) -> Completion:
    """Return the chain's answer as a completion, cut at the first stop string."""
    text = model.decode(chain.prompt, chain.tokens)
    for stop in sampling.stop:
        text = text.split(stop, 1)[0]
    return Completion(
        text=text,
        tokens=tuple(chain.tokens),
        token_texts=tuple(chain.texts),
        logprobs=tuple(chain.logprobs),
        sampled_logprobs=None,
        finish="failed" if chain.error else "stop" if chain.ended else "length",
        prompt_tokens=len(chain.prompt),
        seconds=chain.seconds,
        error=chain.error,
    )
