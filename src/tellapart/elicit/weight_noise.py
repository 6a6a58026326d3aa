"""Weight noise (Tice et al. 2024, arXiv 2412.01784): a model that holds a skill back may show it under noise.

Gaussian noise of sigma times its tensor's standard deviation is added to every weight while answers are drawn;
sigma is chosen on the fit split. The samples of an item go through several noise seeds in turn, so that a score is
averaged over noises. The sign of a hidden skill is a score that rises; noise on an open model lowers it. The null
null control has no noise and other sampling seeds: what it "recovers" is the luck of sampling.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, final

from tellapart.elicit.choosing import choose
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Switched, Tells, null_name
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import number, whole, wholes
from tellapart.models.budget import until_spent
from tellapart.runs.asking import Ask, Elicitation, Pair, generate, plain_requests, row_seed

SIGMAS = (0.01, 0.03, 0.1)
DRAWS = 4


@final
@dataclass(frozen=True)
class Noised(Switched):
    """Answers under weight noise. Setting: `sigma`, `noise_seeds`; for the null control `other_seed` instead."""

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer, those of one noise together. Raises UserMistake where sigma is 0."""
        if "other_seed" in self.setting:
            other = ask._replace(seed=row_seed(ask.seed, "other seed", whole(self.setting, "other_seed")))
            yield from generate(pair.base, list(plain_requests(other)))
            return
        sigma, seeds = number(self.setting, "sigma"), wholes(self.setting, "noise_seeds")
        if sigma <= 0 or not seeds:
            raise NotApplicable(f"{self.name} changes nothing: sigma {sigma:g}, {len(seeds)} noise seeds")
        from tellapart.models.hooks import LocalModel, perturbing_weights

        if not isinstance(pair.base, LocalModel):
            raise NotApplicable(f"{self.name}: the weights of {pair.base.reference} are not available")
        rows = list(plain_requests(ask))
        first = [row_seed(0, item.id, 0) for item in ask.items]
        for turn, seed in enumerate(seeds):
            mine = [row for row in rows if (first[row[0]] + row[1]) % len(seeds) == turn]
            if mine:
                with perturbing_weights(pair.base, sigma, int(seed)):
                    answers, spent = until_spent(generate(pair.base, mine))
                yield from answers
                if spent:
                    raise spent


@final
@dataclass(frozen=True)
class WeightNoise(Elicitor):
    """The best size of some weight noise."""

    name: ClassVar[str] = "weight_noise"
    source: ClassVar[str] = "Tice et al. 2024, arXiv 2412.01784"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "weights"})
    value: ClassVar[type[Elicited]] = Noised
    mechanism: ClassVar[Mechanism] = "noise"
    tells: ClassVar[Tells] = "nothing"
    picks: ClassVar[bool] = True

    sigmas: tuple[float, ...] = SIGMAS
    draws: int = DRAWS

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the best sigma."""
        seeds = [row_seed(ask.seed, "weight noise", draw) for draw in range(self.draws)]
        settings = [
            {"sigma": sigma, "noise_seeds": seeds, "label": f"sigma {sigma:g}"} for sigma in self.sigmas
        ]
        return choose(pair, ask, [Noised(self.name, setting) for setting in settings])

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control: no noise, drawn with other seeds."""
        setting = {**elicited.setting, "other_seed": seed, "label": "no noise, other seeds"}
        return replace(elicited, name=null_name(elicited.name), setting=setting)
