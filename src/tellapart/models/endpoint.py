"""A model behind any server that speaks the OpenAI protocol: vLLM, llama.cpp, transformers serve, others.

    model = open_endpoint("openai:NAME@http://127.0.0.1:8000/v1")        # URL,URL: several servers of one model
    for answer in model.generate([Request("Once upon a time", seed=1)]): ...

`openai:` sends raw prompts to /completions; `openai-chat:` sends one user message to /chat/completions,
where the server puts its own template around it. What the server offers is found out when it is opened
(endpoint_probe.py). The weights behind it cannot be verified: the fingerprint holds what it says of itself.
"""

import asyncio
import hashlib
import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload
from urllib.parse import urlsplit

from tellapart.errors import UserMistake
from tellapart.models.budget import current, paid_for
from tellapart.models.endpoint_answer import Traits, body_of, completion_of
from tellapart.models.endpoint_failure import Failure, Reply
from tellapart.models.endpoint_line import (
    Address,
    Body,
    EndpointOptions,
    Line,
    Result,
    Sleep,
    import_openai,
    stream,
)
from tellapart.models.endpoint_pool import stream_over
from tellapart.models.endpoint_probe import probe, prove_same, prove_sampling
from tellapart.models.endpoint_score import echo_body, prompt_ids, scored_of, scored_turn, turns_body
from tellapart.models.model import Answer, Model, Prompt, Request, Scored, Turns

FORM = re.compile(r"(openai|openai-chat):(.+)@(https?://[^@\s]+)")
MORE = re.compile(r",(?=https?://)")
"""Between the addresses of several servers."""
KEY_VARIABLES = ("TELLAPART_API_KEY", "OPENAI_API_KEY")
NO_KEY = "no-key"
UNVERIFIED = "the weights of a served model cannot be verified: the fingerprint is what the server says it is"
log = logging.getLogger(__name__)


class EndpointModel(Model):
    """A served model. `traits` say what its servers can do, `notes` what a reader must know of it; `others` are lines
    to more servers of the same model."""

    def __init__(
        self,
        reference: str,
        line: Line,
        traits: Traits,
        others: tuple[Line, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        self.reference = reference
        self.traits = traits
        self.fingerprint = fingerprint_of(line.address, traits, [other.address.host for other in others])
        self.can_score = traits.echo_tokens is not None or traits.scores_turns
        self.chat = line.address.api == "chat"
        self.notes = (*notes_of(traits), *notes)
        self._line, self._others = line, others
        self._samples = False

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield each answer as soon as it is finished, in any order. Before the first sampled one, the
        server is shown to sample at all; raises UserMistake where it does not, or lacks what is asked."""
        address, traits = self._line.address, self.traits
        bodies = [body_of(request, address, traits, self._line.options) for request in requests]
        if not self._samples and any(request.sampling.temperature > 0 for request in requests):
            for line in (self._line, *self._others):
                prove_sampling(line, traits)
            self._samples = True

        def finish(index: int, outcome: Reply | Failure) -> Answer:
            return Answer(
                index, completion_of(requests[index], outcome, address, traits.logprobs, traits.model)
            )

        yield from paid_for(
            [request.sampling.max_tokens for request in requests],
            lambda part: self._stream([bodies[at] for at in part], lambda i, o: finish(part[i], o)),
        )

    def _stream(
        self, bodies: Sequence[Body | None], finish: Callable[[int, Reply | Failure], Result]
    ) -> Iterator[Result]:
        if self._others:
            return stream_over((self._line, *self._others), bodies, finish)
        return stream(self._line, bodies, finish)

    def score(self, pairs: Iterable[tuple[Prompt, str | tuple[int, ...]]]) -> list[Scored]:
        """Return the log-probabilities (nats) of each (prompt, completion), in order; token ids are unknown but in a
        chat that scores turns.

        One NaN stands for a completion whose first token the server's tokenizer joins to the prompt, or
        that it failed to score. Raises TypeError where the server gives no such log-probabilities.
        """
        if not self.can_score:
            return super().score(pairs)
        texts = [(as_text(prompt, self.chat), as_text(completion)) for prompt, completion in pairs]
        scored = [Scored((), (), ())] * len(texts)
        places = [index for index, (_, completion) in enumerate(texts) if completion]
        budget = current()
        budget.require()
        bodies, read = self._scoring([texts[index] for index in places])
        lost: list[str] = []
        for place, outcome in self._stream(bodies, lambda place, outcome: (place, outcome)):
            index = places[place]
            scored[index] = read(place, outcome)
            budget.charge("scored", len(scored[index].logprobs))
            if math.isnan(scored[index].logprobs[0]):
                lost.append(outcome.reason if isinstance(outcome, Failure) else "no token boundary")
        if lost:
            log.warning(
                "%s: %d of %d texts not scored, first: %s", self.reference, len(lost), len(texts), lost[0]
            )
        return scored

    def _scoring(
        self, texts: Sequence[tuple[str | Turns, str]]
    ) -> tuple[list[Body], Callable[[int, Reply | Failure], Scored]]:
        """Return the bodies that have (prompt, completion)s scored, and what reads the answer to one, by its place."""
        address, model = self._line.address, self.traits.model
        if not self.chat:
            news = self.traits.echo_tokens or 0
            bodies = [echo_body(address, f"{prompt}{completion}", news) for prompt, completion in texts]
            return bodies, lambda at, outcome: scored_of(str(texts[at][0]), texts[at][1], outcome, model)
        prompts = list(dict.fromkeys(prompt for prompt, _ in texts))
        before: dict[str | Turns, tuple[int, ...]] = {}
        asking: list[Body] = [turns_body(address, prompt, "") for prompt in prompts]
        for at, ids in self._stream(asking, lambda at, outcome: (at, prompt_ids(outcome, model))):
            before[prompts[at]] = ids
        return [turns_body(address, *pair) for pair in texts], lambda at, outcome: scored_turn(
            before[texts[at][0]], texts[at][1], outcome, model
        )


def open_endpoint(
    reference: str, options: EndpointOptions | None = None, sleep: Sleep = asyncio.sleep, system: str = ""
) -> EndpointModel:
    """Open the model that `reference` names and find out what its server can do.

    The key is read from TELLAPART_API_KEY, else OPENAI_API_KEY. `sleep` is how it waits between attempts.
    Raises UserMistake for a malformed reference, a missing key or package, a server that does not answer,
    refuses the key or does not know the model, and for servers that are seen not to serve the same.
    """
    addresses = parse_reference(reference)
    import_openai()
    options = options or EndpointOptions()
    lines = []
    for address in addresses:
        address = replace(address, system=system) if address.api == "chat" else address
        lines.append(Line(address, key_for(address), options, sleep))
    traits = [probe(line) for line in lines]
    notes = prove_same(lines, traits) if len(lines) > 1 else ()
    if traits[0].dialect == "generation_config":  # transformers serve: one random state for all under way
        lines = [replace(line, options=replace(line.options, concurrency=1)) for line in lines]
    served = " ".join(sorted({own.served for own in traits}))
    return EndpointModel(reference, lines[0], replace(traits[0], served=served), tuple(lines[1:]), notes)


def parse_reference(reference: str) -> tuple[Address, ...]:
    """Return the address in `openai:NAME@URL` or `openai-chat:NAME@URL`, or the addresses in `...@URL,URL`.

    >>> parse_reference("openai:org/model@http://127.0.0.1:8000/v1")
    (Address(api='completions', name='org/model', url='http://127.0.0.1:8000/v1'),)
    """
    form = "openai:NAME@http://HOST:PORT/v1 (or openai-chat:NAME@...; several servers: URL,URL)"
    match = FORM.fullmatch(reference)
    if not match:
        raise UserMistake(f"cannot read the served model {hidden(reference)!r}: write {form}")
    kind, name, urls = match.groups()
    addresses = []
    for url in MORE.split(urls):
        try:
            parts = urlsplit(url)
            usable = bool(parts.hostname) and parts.port != 0 and not parts.query and not parts.fragment
        except ValueError:
            usable = False
        if not usable or "," in url:
            raise UserMistake(f"cannot use the server address in {hidden(reference)!r}: write {form}")
        addresses.append(Address("chat" if kind == "openai-chat" else "completions", name, url.rstrip("/")))
    if len({address.url for address in addresses}) < len(addresses):
        raise UserMistake(f"a server stands twice in {hidden(reference)!r}: name each once")
    return tuple(addresses)


def hidden(reference: str) -> str:
    """Return a reference without what may be a password or a key in its address."""
    return re.sub(r"//[^/\s]*@", "//...@", re.sub(r"[?#].*", "?...", reference))[:200]


def key_for(address: Address) -> str:
    """Return the API key to send; none is needed by servers on this machine."""
    for variable in KEY_VARIABLES:
        if key := os.environ.get(variable, "").strip():
            return key
    if address.loopback:
        return NO_KEY
    raise UserMistake(
        f"no API key for {address.host}: set TELLAPART_API_KEY (to any text if the server asks for none)"
    )


def fingerprint_of(address: Address, traits: Traits, others: Sequence[str] = ()) -> str:
    """Return a hash of host (and those of other servers), model name, API, and what the server says of itself. No key
    is in it."""
    parts = [
        "endpoint",
        ",".join(sorted((address.host, *others))),
        address.name,
        address.api,
        traits.dialect,
        traits.served,
    ]
    parts += [address.system] if address.system else []
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def notes_of(traits: Traits) -> tuple[str, ...]:
    """Return what a reader of a report must know about a served model."""
    notes = [UNVERIFIED]
    if traits.dialect == "plain":
        notes.append("the server may cut the distribution by defaults of its own (top_k, min_p)")
    if traits.ignores:
        notes.append(f"it takes {', '.join(traits.ignores)} and ignores it: found out by asking")
    if traits.reasons:
        notes.append(
            "it reasons before it answers: the reasoning is no part of the answer, its tokens count, and an answer "
            "that was truncated before it began is empty"
        )
    if traits.dialect == "generation_config":
        notes.append(
            "asked one request at a time: the server has one random state for all that are under way"
        )
    if traits.logprobs == "none":
        notes.append("the server gives no log-probabilities")
    if traits.logprobs in ("sampled", "unknown"):
        notes.append(
            f"its log-probabilities are {traits.logprobs}, not of the plain model, but at temperature 1"
        )
    return tuple(notes)


@overload
def as_text(given: Prompt) -> str: ...
@overload
def as_text(given: Prompt, turns: bool) -> str | Turns: ...
def as_text(given: Prompt, turns: bool = False) -> str | Turns:
    """Return text as it is, and turns where they are asked for; a served model scores no token ids."""
    if isinstance(given, str) or (turns and isinstance(given, Turns)):
        return given
    raise TypeError("a served model scores text, and turns in a chat, not token ids")
