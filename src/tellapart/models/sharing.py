"""What the jobs of a run have in common: which prompts begin alike, and how much of each its rows hold once for all.

It depends on the jobs alone, not on the batch's width, so that the memory of a batch can be told beforehand, and a row
that enters late is read like those before it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from tellapart.models.families import Family, Ids, families
from tellapart.models.rows import Job
from tellapart.models.stems import pays
from tellapart.models.width import Room


class Sharing:
    """Jobs by prompt and prompts by family. `numbers` are those of a token's keys and values in one layer; 0 where
    the modules cannot attend to stems: then nothing is shared."""

    def __init__(self, jobs: Sequence[Job], numbers: int) -> None:
        self.numbers = numbers
        self.jobs: dict[Ids, list[Job]] = {}
        for job in jobs:
            self.jobs.setdefault(job.prompt, []).append(job)
        self.samples = {prompt: len(jobs) for prompt, jobs in self.jobs.items()}
        self.families = families({prompt: len(prompt) - 1 for prompt in self.jobs})
        self.family_of: dict[Ids, Family] = {
            prompt: family for family in self.families for prompt in family.members
        }
        self._fellows: Counter[int] = Counter()
        for prompt, family in self.family_of.items():
            if not self._alone(prompt):
                self._fellows[id(family)] += self.samples[prompt]

    def ordered(self) -> Iterator[Job]:
        """Yield all jobs, those side by side whose prompts begin alike."""
        for family in self.families:
            for prompt in family.members:
                yield from self.jobs[prompt]

    def shared(self, prompt: Ids) -> int:
        """Return how many of the prompt's first tokens its rows share: all, those of its family, or 0."""
        if self._alone(prompt):
            return len(prompt)
        family = self.family_of[prompt]
        return family.shared if pays(self._fellows[id(family)], family.shared, self.numbers) else 0

    def room(self) -> Room:
        """Return what one row takes."""
        own = max(
            len(prompt) - self.shared(prompt) + max(job.budget for job in jobs)
            for prompt, jobs in self.jobs.items()
        )
        read = max(len(prompt) / samples for prompt, samples in self.samples.items())
        return Room(own, read, max(map(len, self.jobs)))

    def _alone(self, prompt: Ids) -> bool:
        return pays(self.samples[prompt], len(prompt), self.numbers)
