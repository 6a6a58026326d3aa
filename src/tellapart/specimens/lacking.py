"""What is said where a specimen's weights are not installed."""

from tellapart.errors import NotApplicable

INSTALL = (
    "pip install 'tellapart[specimens]', or `pip install ./packages/specimens` in a clone, which has them all"
)


def lacking_weights(name: str) -> NotApplicable:
    """Return what to raise for a specimen whose weights are not there."""
    return NotApplicable(f"the weights of specimen {name!r} are not installed: {INSTALL}")
