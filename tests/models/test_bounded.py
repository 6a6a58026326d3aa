"""Templates and tokenizers from anyone: what raises or never ends is one line, in bounded time."""

import threading
import time
from typing import Any

import pytest

from tellapart.errors import UserMistake
from tellapart.models import vocabulary
from tellapart.models.bounded import TookTooLong, within
from tellapart.models.model import as_messages
from tellapart.models.vocabulary import Vocabulary
from tellapart.specimens import load_model

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}"
SILENT = "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = b %}{% endfor %}{% endfor %}"
RAISES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.system('true') }}",
    "{% include '/etc/passwd' %}",
    "{{ raise_exception('\x1b[31mboo') }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ 1/0 }}",
    "{% for %}",
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_model("taught-register-0/base").tokenizer


@pytest.mark.timeout(60)
@pytest.mark.parametrize("template", [LOOP, SILENT, *RAISES])
def test_a_template_that_raises_or_never_ends_is_one_line(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.setattr(vocabulary, "TEMPLATE_SECONDS", 0.5)
    monkeypatch.setattr(tokenizer, "chat_template", template)
    with pytest.raises(UserMistake, match="the chat template") as told:
        Vocabulary(tokenizer, chat=True)._rendered(as_messages("1+1?"))
    assert "\x1b" not in str(told.value)
    assert "\n" not in str(told.value)


def test_it_is_stopped_in_a_thread_too() -> None:
    told: list[BaseException] = []

    def run() -> None:
        try:
            with within(0.1):
                while True:
                    pass
        except TookTooLong as error:
            told.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert [type(one) for one in told] == [TookTooLong]


def test_what_ends_in_time_is_left_alone() -> None:
    for _ in range(20):
        with within(0.5):
            pass
    deadline = time.monotonic() + 0.7
    while time.monotonic() < deadline:
        pass


class _Panicking:
    chat_template = None

    def encode(self, text: str, **_: Any) -> list[int]:
        return [1]

    def __call__(self, texts: list[str], **_: Any) -> Any:
        raise type("PanicException", (BaseException,), {})("the regex gives up\x1b[2J")


def test_a_tokenizer_that_panics_is_one_line() -> None:
    with pytest.raises(UserMistake, match="the tokenizer fails on a text: the regex gives up"):
        Vocabulary(_Panicking()).encode_prompts([("x", "")])  # type: ignore[arg-type]
