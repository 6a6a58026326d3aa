"""The model behind `inspect eval --model tellapart/REFERENCE`: Inspect's calls, answered in batches by one thread."""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import fields

import anyio
import anyio.to_thread
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from tellapart.errors import InvalidInput, UserMistake
from tellapart.jsonvalue import Json
from tellapart.models.model import Answer, Completion, Prompt, Request, Sampling, Turns
from tellapart.runs.asking import row_seed
from tellapart.serving.answering import Options, answering

MOST_AT_ONCE = 64
GATHER_SECONDS = 0.02
"""How long a batch waits for the calls that come together with its first."""
STOPS: dict[str, StopReason] = {"stop": "stop", "length": "max_tokens"}


class InspectModel(ModelAPI):
    """A model of tellapart. `-M` takes the fields of answering.Options: condition, elicitor, task, tuned, mix, device,
    dtype, max_rows."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **model_args: Json,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        try:
            self._answering = answering(model_name, _options(model_args))
        except UserMistake as mistake:
            raise PrerequisiteError(f"tellapart/{model_name}: {mistake}") from mistake
        self._batches = Batches(self._answering.answer)
        self._asked: Counter[str] = Counter()

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer one conversation; `config.num_choices` answers where asked. Raises InvalidInput for tools."""
        if tools:
            raise InvalidInput(f"tellapart/{self.model_name} calls no tools: take a task without them")
        prompt = prompt_of(input, self._answering.chat, self._answering.turns)
        sampling = sampling_of(config, self._answering.usual)
        futures = []
        for _ in range(config.num_choices or 1):
            # the n-th answer to a prompt has a seed of its own: epochs differ, and the same evaluation again does not
            count = self._asked[str(prompt)]
            self._asked[str(prompt)] += 1
            seed = row_seed(config.seed or 0, str(prompt), count)
            futures.append(self._batches.put(Request(prompt, seed, sampling)))
        completions = [await _result(future) for future in futures]
        return output_of(self.model_name, completions, bool(config.logprobs))

    def max_connections(self) -> int:
        """Return how many calls are answered together."""
        return MOST_AT_ONCE

    def collapse_user_messages(self) -> bool:
        """Return that messages of one side in a row are put as one."""
        return True

    def close(self) -> None:
        """End the thread that answers."""
        self._batches.close()


class Batches:
    """Requests of many callers, answered together by one thread: what comes while a batch is answered is the next."""

    def __init__(self, answer: Callable[[Sequence[Request]], Iterator[Answer]]) -> None:
        self._answer = answer
        self._waiting: queue.Queue[tuple[Request, Future[Completion]] | None] = queue.Queue()
        threading.Thread(target=self._work, daemon=True).start()

    def put(self, request: Request) -> "Future[Completion]":
        """Return the answer to come."""
        future: Future[Completion] = Future()
        self._waiting.put((request, future))
        return future

    def close(self) -> None:
        """Answer what waits, and end."""
        self._waiting.put(None)

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < MOST_AT_ONCE and not last:
                try:
                    more = self._waiting.get(timeout=GATHER_SECONDS)
                except queue.Empty:
                    break
                last = more is None
                if more is not None:
                    batch.append(more)
            self._answer_all(batch)
            if last:
                return

    def _answer_all(self, batch: "list[tuple[Request, Future[Completion]]]") -> None:
        try:
            for index, completion in self._answer([request for request, _ in batch]):
                batch[index][1].set_result(completion)
        except (
            Exception
        ) as error:  # told to everyone who waits: a thread that dies in silence would hang them
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        for _, future in batch:
            if not future.done():
                future.set_exception(RuntimeError("no answer came"))


def prompt_of(messages: Sequence[ChatMessage], chat: bool, turns: bool) -> Prompt:
    """Return a conversation as the prompt of a model: its texts, one a line, where the model is asked without a chat
    template; else its turns. Raises InvalidInput where it is none that can be put so."""
    if not chat:
        return "\n".join(message.text for message in messages)
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    said = [(message.role, message.text) for message in messages if message.role != "system"]
    roles = [role for role, _ in said]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        raise InvalidInput(
            f"a conversation of {', '.join(roles) or 'nothing'}: user and assistant must take turns"
        )
    texts = [text for _, text in said]
    if system:
        texts[0] = f"{system}\n\n{texts[0]}"
    if len(texts) == 1:
        return texts[0]
    if not turns:
        raise InvalidInput(f"{len(texts)} messages: an elicited model is asked one question at a time")
    return Turns(tuple(zip(texts[:-1:2], texts[1:-1:2], strict=True)), texts[-1])


def sampling_of(config: GenerateConfig, usual: Sampling) -> Sampling:
    """Return the sampling that Inspect asks for; what it does not say is as usual."""
    return Sampling(
        usual.temperature if config.temperature is None else config.temperature,
        usual.top_p if config.top_p is None else config.top_p,
        usual.top_k if config.top_k is None else config.top_k,
        usual.min_p,
        config.max_tokens or usual.max_tokens,
        usual.stop if config.stop_seqs is None else tuple(config.stop_seqs),
    )


def output_of(model: str, completions: Sequence[Completion], logprobs: bool) -> ModelOutput:
    """Return answers as Inspect takes them. Raises RuntimeError for one that failed: its sample is an error."""
    choices = []
    for completion in completions:
        if completion.finish == "failed":
            raise RuntimeError(completion.error or "no answer")
        message = ChatMessageAssistant(content=completion.text, model=model, source="generate")
        read = _logprobs(completion) if logprobs else None
        choices.append(
            ChatCompletionChoice(message=message, stop_reason=STOPS[completion.finish], logprobs=read)
        )
    written = sum(
        len(completion.tokens) if completion.generated is None else completion.generated
        for completion in completions
    )
    read_tokens = sum(completion.prompt_tokens for completion in completions)
    usage = ModelUsage(input_tokens=read_tokens, output_tokens=written, total_tokens=read_tokens + written)
    return ModelOutput(
        model=model, choices=choices, usage=usage, time=max(completion.seconds for completion in completions)
    )


def _logprobs(completion: Completion) -> Logprobs | None:
    if completion.logprobs is None:
        return None
    pairs = zip(completion.token_texts, completion.logprobs, strict=True)
    return Logprobs(content=[Logprob(token=token, logprob=value) for token, value in pairs])


def _options(given: dict[str, Json]) -> Options:
    names = {field.name for field in fields(Options)}
    for name in given:
        if name not in names:
            raise InvalidInput(f"-M {name}: there are {', '.join(sorted(names))}")
    most = given.get("max_rows")
    if most is not None and not (isinstance(most, int) and most > 0):
        raise InvalidInput(f"-M max_rows={most}: give 1 or more")
    texts = {name: str(value) for name, value in given.items() if name != "max_rows"}
    return Options(max_rows=most, **texts)


async def _result(future: "Future[Completion]") -> Completion:
    # a limiter of its own: anyio's default lets 40 calls wait, and the others would come too late for the batch
    limiter = anyio.CapacityLimiter(1)
    return await anyio.to_thread.run_sync(future.result, abandon_on_cancel=True, limiter=limiter)
