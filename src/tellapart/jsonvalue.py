"""A JSON value as a type: what a file, a server or a run folder holds before it is looked at.

Who reads one asks what it is (`isinstance`) before using it, and pyright holds them to it; `Any` would not.
"""

from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""Any value that JSON can write."""
JsonObject = Mapping[str, Json]
"""A JSON object, to be read."""
