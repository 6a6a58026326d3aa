"""What other models are asked for `form`: paraphrases and judgements, each kept the moment it is there."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import tellapart
from tellapart.errors import UserMistake
from tellapart.models.model import Answer, Completion, Model, Request, Scored
from tellapart.runs.folder import open_run
from tellapart.studies.form.judging import Pair, judge_pairs

TUNED, TASK = "specimen:latent-register-0/tuned", "specimen:latent-register-0"


class Paraphraser(BaseHTTPRequestHandler):
    """A server of one model that says what stands after "Text:" otherwise, and answers no more after `refuse_after`."""

    reference: str
    asked: list[str]
    refuse_after: int
    said: Callable[[str], str]

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List the model."""
        self.reply(200, {"object": "list", "data": [{"id": "other-words"}]})

    def do_POST(self) -> None:
        """Rewrite, or refuse."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = str(body["prompt"]).partition("Text: ")[2].partition("\n\n")[0]
        if text and len(self.asked) >= self.refuse_after:
            self.reply(400, {"error": {"message": "no more", "type": "invalid_request_error"}})
            return
        if text:
            self.asked.append(text)
        choice = {"index": 0, "text": type(self).said(text) or "x", "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        self.reply(200, {"object": "text_completion", "model": "m", "choices": [choice], "usage": usage})

    def reply(self, status: int, payload: object) -> None:
        """Send JSON."""
        raw = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@pytest.fixture
def paraphraser() -> Iterator[type[Paraphraser]]:
    class Ours(Paraphraser):
        asked: ClassVar[list[str]] = []
        refuse_after = 10_000
        said = staticmethod(lambda text: text.replace(";", " ;"))

    server = HTTPServer(("127.0.0.1", 0), Ours)
    Ours.reference = f"openai:other-words@http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Ours
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chain_finding(out: Path, paraphraser: str) -> dict[str, Any]:
    words = {"model": TUNED, "task": TASK, "limit": 30, "out": str(out), "family": ("chain",)}
    (finding,) = tellapart.form(**words, paraphraser=paraphraser, json=True).findings
    return finding.as_json()


def test_own_steps_are_put_in_other_words_once_each(tmp_path: Path, paraphraser: type[Paraphraser]) -> None:
    found = chain_finding(tmp_path / "run", paraphraser.reference)
    assert found["estimates"]["score/paraphrased_steps"]["n"] == 30
    assert len(paraphraser.asked) == len(set(paraphraser.asked)) > 20
    (tmp_path / "run" / "findings.json").unlink()
    before = list(paraphraser.asked)
    chain_finding(tmp_path / "run", paraphraser.reference)
    assert paraphraser.asked == before


def test_a_paraphrase_that_drops_a_number_is_left_out(tmp_path: Path, paraphraser: type[Paraphraser]) -> None:
    paraphraser.said = lambda text: text[:-4] if text.startswith("s") else text.replace(";", " ;")
    found = chain_finding(tmp_path / "run", paraphraser.reference)
    dropped = sum(text.startswith("s") for text in paraphraser.asked)
    assert 0 < dropped < 30
    assert found["estimates"]["score/paraphrased_steps"]["n"] == 30 - dropped


def test_what_failed_is_asked_again_and_nothing_else(tmp_path: Path, paraphraser: type[Paraphraser]) -> None:
    paraphraser.refuse_after = 12
    chain_finding(tmp_path / "run", paraphraser.reference)
    assert len(paraphraser.asked) == 12
    paraphraser.refuse_after = 10_000
    found = chain_finding(tmp_path / "run", paraphraser.reference)
    assert len(paraphraser.asked) == len(set(paraphraser.asked)) > 20
    assert found["estimates"]["score/paraphrased_steps"]["n"] == 30


class Judge(Model):
    """Writes A or B for the answer that holds "right"; stops after `left` answers, as a killed run does."""

    reference, fingerprint = "judge", "judge"

    def __init__(self, left: int, scores: bool) -> None:
        self.left, self.can_score, self.seen = left, scores, []

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for index, request in enumerate(requests):
            text = " A" if self.gap(request.prompt) > 0 else " B"
            yield Answer(index, Completion(text, (), (), None, None, "stop", 1, 0.0))

    def score(self, pairs: Iterable[tuple[str | tuple[int, ...], str | tuple[int, ...]]]) -> list[Scored]:
        return [
            Scored((1,), ("",), (float(self.gap(prompt)) if text == " A" else 0.0,)) for prompt, text in pairs
        ]

    def gap(self, prompt: object) -> int:
        """Return how much better A is."""
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.seen.append(prompt)
        a, b = re.findall(r"Answer [AB]: (.*)", str(prompt))
        return a.count("right") - b.count("right")


@pytest.mark.parametrize("scores", [False, True])
def test_a_judge_that_was_stopped_is_asked_only_the_rest(tmp_path: Path, scores: bool) -> None:
    pairs = [Pair(str(at), f"{at}?", ("m", "n"), (f"right {at}", f"wrong {at}")) for at in range(80)]
    with open_run(tmp_path / "run", {}, {}) as folder, pytest.raises(KeyboardInterrupt):
        judge_pairs(folder, Judge(150, scores), pairs, quiet=True)
    kept = (tmp_path / "run" / "artifacts" / "judgements.jsonl").read_bytes()
    (tmp_path / "run" / "artifacts" / "judgements.jsonl").write_bytes(kept + b'["torn')
    rest = Judge(10_000, scores)
    with open_run(tmp_path / "run", {}, {}) as folder:
        judged = judge_pairs(folder, rest, pairs, quiet=True)
        assert judge_pairs(folder, Judge(0, scores), pairs, quiet=True) == judged
    with open_run(tmp_path / "whole", {}, {}) as folder:
        whole = Judge(10_000, scores)
        assert judge_pairs(folder, whole, pairs, quiet=True) == judged
    assert 0 < len(set(rest.seen)) == len(set(whole.seen)) - kept.count(b"\n")


class Gone(Judge):
    """Fails on everything."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for index, _ in enumerate(requests):
            yield Answer(index, Completion("", (), (), None, None, "failed", 0, 0.0, "HTTP 500"))


def test_a_judge_that_fails_on_everything_is_said_to(tmp_path: Path) -> None:
    pairs = [Pair(str(at), "?", ("m", "n"), (f"right {at}", f"wrong {at}")) for at in range(30)]
    with open_run(tmp_path / "run", {}, {}) as folder, pytest.raises(UserMistake, match=r"all 120 .* failed"):
        judge_pairs(folder, Gone(0, False), pairs, quiet=True)


def test_damaged_judgements_are_one_line(tmp_path: Path) -> None:
    pairs = [Pair("0", "?", ("m", "n"), ("right", "wrong"))]
    with open_run(tmp_path / "run", {}, {}) as folder:
        (folder.path / "artifacts").mkdir()
        (folder.path / "artifacts" / "judgements.jsonl").write_text("rubbish\n")
        with pytest.raises(UserMistake, match="damaged"):
            judge_pairs(folder, Judge(9, scores=True), pairs, quiet=True)
