"""`tellapart skills serve` as a value. Nothing heavy is imported before it is run."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from tellapart.errors import UserMistake
from tellapart.studies.options import Verb
from tellapart.studies.skills.texts import DISPATCH_TEMPLATE


@dataclass(frozen=True)
class ServeSpec(Verb):
    """Serve a folder of experts behind an OpenAI-compatible API; requests with different mixes share batches.

    Models: base, each expert, every mix written as in digits+0.5*letters, and auto (a first pass chooses).
    """

    EXAMPLES = (
        "tellapart skills serve runs/skills",
        "tellapart skills serve runs/skills --port 0 --label numbers=a --label words=b",
    )

    folder: Annotated[Positional[str], arg(metavar="DIR")] = ""
    """The folder of `tellapart skills train`."""
    host: Annotated[str, arg(metavar="ADDRESS")] = "127.0.0.1"
    """Address; another than the loopback's needs a token."""
    port: int = 8000
    """Port (0: a free one, which is printed)."""
    token_env: Annotated[str, arg(metavar="NAME")] = "TELLAPART_TOKEN"
    """Environment variable with the bearer token that requests must bring (unset: none on the loopback)."""
    rows: int = 64
    """Most rows of a batch."""
    queue: int = 1024
    """Most answers that wait; more are refused with 429."""
    max_tokens: int = 512
    """Most tokens of an answer."""
    seconds: float = 120.0
    """Time-out of a request."""
    judge: Annotated[str, arg(metavar="NAME")] = ""
    """The expert that classifies prompts for auto (default: the base is asked)."""
    template: str = DISPATCH_TEMPLATE
    """The first pass's text; {prompt} and {labels} are filled in."""
    label: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="LABEL=MIX")] = ()
    """LABEL=MIX: what the first pass may answer, and what it means (default: the experts' names, and base)."""
    device: Annotated[str, arg(metavar="DEVICE")] = "cpu"
    """Device of the model."""

    def run(self) -> int:
        """Serve until told to stop."""
        spec = self.checked()
        try:
            from tellapart.serving.server import serve
        except ModuleNotFoundError as error:
            raise UserMistake(f"serving needs {error.name}: pip install 'tellapart[serve]'") from error
        return serve(spec)

    def checked(self) -> "ServeSpec":
        """Return the spec; raises UserMistake with the value given, the values allowed and the way out."""
        for name in ("rows", "queue", "max_tokens"):
            if getattr(self, name) < 1:
                raise UserMistake(f"--{name.replace('_', '-')} {getattr(self, name)}: give 1 or more")
        if not 0 <= self.port < 65536:
            raise UserMistake(f"--port {self.port}: give 0-65535")
        if not self.seconds > 0:
            raise UserMistake(f"--seconds {self.seconds}: give a number above 0")
        return self
