"""What became of a lost item, in words: shared by the analysis and the report."""

from collections.abc import Mapping
from typing import Literal

What = Literal["form", "skipped", "substance"]
WHAT: Mapping[What, str] = {
    "form": "the right answer is there, and is not read",
    "skipped": "fewer than half of the steps it took before",
    "substance": "worked through, and wrong",
}
