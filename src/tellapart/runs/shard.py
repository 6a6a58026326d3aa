"""A shard: some questions to one model, as data. `run_shard` answers it into a file, in whatever process runs it.

    run_shard(shard, place, opened)      # place/answers-7.jsonl: a line for each answer, the last one says how it ended

Every question has a key, a hash of all that determines its answer: whatever a killed worker or a killed run left is
found again by it. Files are those of runs/files.py; a line that is no answer counts as none and is asked again.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from tellapart.errors import Refused, UserMistake
from tellapart.jsonvalue import Json
from tellapart.models import CHANGERS
from tellapart.models.budget import BudgetSpent, TokenBudget, metered
from tellapart.models.executor import Extra, Ids, Opening
from tellapart.models.model import Answer, Completion, Finish, Model, Prompt, Request, Sampling, Turns
from tellapart.runs import files
from tellapart.runs.folder import LARGEST_ARRAYS, digest

Kind = Literal["generate", "score"]
Pair = tuple[Ids, Ids]
"""A prompt and a completion that is scored after it, as token ids."""
Question = Request | Pair
"""What a worker is asked: an answer (of a shard of kind generate), or log-probabilities (score)."""
LONGEST_LINE = 2**30
"""Bytes of a line: a shard with its prompts, or an answer."""
REFUSED = "refused: "
_LISTS = {
    "tokens": int, "token_texts": str, "logprobs": float, "sampled_logprobs": float, "margins": float,
    "entropies": float,
}  # fmt: skip
_KINDS = {
    "text": (str,), "finish": (str,), "prompt_tokens": (int,), "seconds": (int, float), "error": (str,),
    "generated": (int, type(None)), "reasoning": (str,), "reasoning_tokens": (int, type(None)),
}  # fmt: skip
"""Types of a completion's fields."""


@dataclass(frozen=True)
class Shard:
    """`asked` are questions of one kind, by key. `allowance` is how many tokens may be generated for them (None: any
    number)."""

    number: int
    opening: Opening
    kind: Kind
    asked: Mapping[str, Question]
    record: tuple[Extra, ...] = ()
    allowance: int | None = None

    def as_json(self) -> str:
        """Return the shard as JSON."""
        asked = {key: question_data(question) for key, question in self.asked.items()}
        fields = {"number": self.number, "opening": self.opening._asdict(), "kind": self.kind, "asked": asked}
        return json.dumps({**fields, "record": self.record, "allowance": self.allowance})


class Answered(NamedTuple):
    """One line of a file of answers: the answer to the question `key` (a completion's fields, or log-probabilities) and
    the tokens generated since the line before; or, where `key` is "", how the shard ended: done, spent, refused."""

    key: str
    value: Json
    charge: int = 0


def shard_path(place: Path, number: int) -> Path:
    """Return the file that holds a shard."""
    return place / f"shard-{number}.json"


def read_shard(place: Path, number: int) -> Shard | None:
    """Return a shard; None where nobody waits for it any more."""
    data = files.read_whole(shard_path(place, number))
    if data is None:
        return None
    fields = json.loads(data)
    read = request_of if fields["kind"] == "generate" else pair_of
    return Shard(
        fields["number"],
        Opening(**fields["opening"]),
        fields["kind"],
        {key: read(question) for key, question in fields["asked"].items()},
        tuple(fields["record"]),
        fields["allowance"],
    )


def answers_path(place: Path, number: int) -> Path:
    """Return the file of a shard's answers."""
    return place / f"answers-{number}.jsonl"


def answer_of(line: bytes) -> Answered | None:
    """Return what a line of answers says; None where it is none."""
    try:
        key, value, charge = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    sound = isinstance(key, str) and type(charge) is int and 0 <= charge < 2**40
    return Answered(key, value, charge) if sound else None


def run_shard(shard: Shard, place: Path, opened: Callable[[Opening], AbstractContextManager[Model]]) -> None:
    """Answer what the shard's file of answers does not hold yet, each line the moment it is there. Does nothing where
    that has ended; goes on where a killed worker stopped, and stops where the shard is gone: nobody waits for it."""
    path = answers_path(place, shard.number)
    before = [answer for line in files.whole_lines(path, LONGEST_LINE) if (answer := answer_of(line))]
    if any(not answer.key for answer in before):
        return
    held = {answer.key for answer in before}
    pending = {key: question for key, question in shard.asked.items() if key not in held}
    spent = sum(answer.charge for answer in before)
    allowance = None if shard.allowance is None else max(1, shard.allowance - spent)
    with contextlib.suppress(FileNotFoundError), files.appending(path, create=False) as lines:

        def write(answer: Answered) -> None:
            lines.append(json.dumps(answer))

        try:
            with opened(shard.opening) as model:
                ending = _answered(model, shard, (pending, allowance), write, shard_path(place, shard.number))
            write(Answered("", ending))
        except UserMistake as mistake:
            write(Answered("", f"{REFUSED}{mistake}"))


def _answered(
    model: Model,
    shard: Shard,
    pending: tuple[Mapping[str, Question], int | None],
    write: Callable[[Answered], None],
    wanted: Path,
) -> str:
    """Write the answers to what is owed while `wanted` is there, and return how it ended."""
    questions, allowance = pending
    keys = list(questions)
    if shard.kind == "score":
        pairs = [question for question in questions.values() if not isinstance(question, Request)]
        for key, scored in zip(keys, model.score(pairs), strict=True):
            write(Answered(key, scored.logprobs))
        return "done"
    requests = requests_of(questions)
    charged = 0
    with metered(TokenBudget(allowance)) as budget:
        try:
            for index, completion in _generated(model, requests, shard.record):
                if not wanted.exists():
                    return "done"
                total = budget.counts["generated"]
                write(Answered(keys[index], asdict(completion), total - charged))
                charged = total
        except BudgetSpent:
            return "spent"
    return "done"


def requests_of(questions: Mapping[str, Question]) -> list[Request]:
    """Return the answers that are wanted, in their order."""
    return [question for question in questions.values() if isinstance(question, Request)]


def _generated(model: Model, requests: Sequence[Request], record: tuple[Extra, ...]) -> Iterator[Answer]:
    if not record:
        return model.generate(requests)
    from tellapart.models.local import LocalModel

    assert isinstance(model, LocalModel)  # no other records
    return model.generate(requests, frozenset(record))


def key_of(opening: Opening, kind: Kind, question: Question, record: Sequence[Extra] = ()) -> str:
    """Return the hash of everything that determines an answer: who answers, what runs it, and what is asked."""
    answering = [opening.changed or opening.fingerprint, opening.engine, kind, sorted(record)]
    return digest([*answering, question_data(question)])


def question_data(question: Question) -> Json:
    """Return a question as JSON holds it."""
    return request_data(question) if isinstance(question, Request) else question


def request_data(request: Request) -> dict[str, Json]:
    """Return a request (without choices: those are scored) as JSON holds it."""
    prompt = request.prompt
    written = (
        {"earlier": prompt.earlier, "question": prompt.question} if isinstance(prompt, Turns) else prompt
    )
    return {
        "prompt": written,
        "seed": request.seed,
        "sampling": asdict(request.sampling),
        "prefill": request.prefill,
    }


def request_of(data: Mapping[str, Any]) -> Request:
    """Return the request that `request_data` wrote."""
    sampling = Sampling(**data["sampling"] | {"stop": tuple(data["sampling"]["stop"])})
    return Request(_prompt(data["prompt"]), data["seed"], sampling, data["prefill"])


def _prompt(written: str | Sequence[int] | Mapping[str, Any]) -> Prompt:
    if isinstance(written, Mapping):
        return Turns(tuple((user, assistant) for user, assistant in written["earlier"]), written["question"])
    return written if isinstance(written, str) else tuple(written)


def pair_of(data: Sequence[Sequence[int]]) -> Pair:
    """Return the (prompt, completion) of token ids that JSON holds."""
    prompt, completion = data
    return tuple(prompt), tuple(completion)


def completion_of(value: Any) -> Completion:
    """Return the completion of an answer's value. Raises ValueError where it is none."""
    if not isinstance(value, dict) or set(value) != {field.name for field in fields(Completion)}:
        raise ValueError("no completion")
    for name, kinds in _KINDS.items():
        if type(value[name]) not in kinds:
            raise ValueError(f"{name} {value[name]!r:.40}")
    for name, kind in _LISTS.items():
        held = value[name]
        if held is not None and not (isinstance(held, list) and all(type(part) is kind for part in held)):
            raise ValueError(f"{name} {held!r:.40}")
    if value["finish"] not in get_args(Finish) or value["tokens"] is None or value["token_texts"] is None:
        raise ValueError("no completion")
    completion: dict[str, Any] = {
        name: tuple(part) if name in _LISTS and part is not None else part for name, part in value.items()
    }
    return Completion(**completion)


def logprobs_of(value: Json) -> list[float]:
    """Return the log-probabilities of an answer's value. Raises ValueError where they are none."""
    held = value if isinstance(value, list) else [None]
    logprobs = [part for part in held if isinstance(part, float)]
    if len(logprobs) < len(held):
        raise ValueError("no log-probabilities")
    return logprobs


def open_model_of(opening: Opening) -> Model:
    """Return the model, opened as it was where the questions come from. Raises Refused where it is another here."""
    from tellapart.models.open import open_model

    model = open_model(*opening[:6])
    for what, here, there in (
        ("weights, config or tokenizer", model.fingerprint, opening.fingerprint),
        ("versions", model.engine, opening.engine),
    ):
        if here != there:
            raise Refused(
                f"a worker opened another {opening.reference} than the run did ({what}: {there} there, {here} in the "
                "worker): give both the same files and packages"
            )
    return model


@contextlib.contextmanager
def change_model(model: Model, opening: Opening, place: Path) -> Iterator[Model]:
    """Put the change in place that the questions are about. Raises Refused where it makes another model here."""
    if not opening.change:
        yield model
        return
    data = files.read_whole(weights_path(place, opening.weights), LARGEST_ARRAYS)
    if data is None:
        raise Refused(
            f"the weights {opening.weights} that a worker was to put on {opening.reference} are gone"
        )
    kind = json.loads(opening.change)["kind"]
    with CHANGERS[kind](model, opening.change, data, opening.weights, opening.strength):
        if model.fingerprint != opening.changed:
            raise Refused(f"a worker put another change on {opening.reference} than the run did ({kind})")
        yield model


def weights_path(place: Path, weights: str) -> Path:
    """Return the file of a change's weights, which all workers of a run read."""
    return place.parent / f"{weights}.safetensors"
