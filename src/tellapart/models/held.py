"""A model whose answers a finished run holds: it stands where the run is analysed anew, and is asked nothing."""

from collections.abc import Iterator, Sequence
from typing import final

from tellapart.errors import Refused
from tellapart.models.model import Answer, Model, Request


@final
class HeldModel(Model):
    """Known by the fingerprint that the run recorded. Whoever asks it anything is told that the run is not finished."""

    def __init__(self, reference: str, fingerprint: str, notes: Sequence[str] = ()) -> None:
        self.reference, self.fingerprint, self.notes = reference, fingerprint, tuple(notes)

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Raise Refused where anything is asked."""
        if requests:
            raise Refused(
                f"{len(requests)} answers of {self.reference} are missing: run the run's command again"
            )
        return iter(())
