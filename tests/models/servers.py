"""Servers on loopback to test served models against: one that does what a prompt says, however bad, one that
speaks the protocol well over a local model, and the real `transformers serve`."""

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tellapart.models.model import Model, Request, Sampling

Json = dict[str, Any]


class Exchange(BaseHTTPRequestHandler):
    """One connection; `server` is a Loopback. Every exchange is closed after it, so nothing leaks over."""

    server: "Loopback"
    counted = False

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List the models."""
        self.server.keys.append(self.headers.get("Authorization", ""))
        self.reply(200, {"object": "list", "data": [{"id": "good"}, {"id": "other"}, "odd", {}]})

    def do_POST(self) -> None:
        """Hand the request to the server's behaviour, counting how many are under way."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.append(self.headers.get("Authorization", ""))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.under_way += 1
            self.server.most = max(self.server.most, self.server.under_way)
            self.counted = True
        try:
            self.server.behave(self, body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client gave up
        finally:
            self.leave()

    def leave(self) -> None:
        """Count the exchange as over, once: before its last byte, after which the client may send the next."""
        with self.server.lock:
            self.server.under_way -= self.counted
            self.counted = False

    def reply(self, status: int, payload: Any, headers: dict[str, str] | None = None) -> None:
        """Send a JSON value (or raw bytes) with its length."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.leave()
        self.wfile.write(raw)


class Loopback(ThreadingHTTPServer):
    """A server on an ephemeral port of 127.0.0.1 that remembers what it was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behave: Callable[[Exchange, Json], None]) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.behave = behave
        self.lock = threading.Lock()
        self.bodies: list[Json] = []
        self.keys: list[str] = []
        self.seen: Counter[str] = Counter()
        self.under_way = self.most = 0
        self.seconds = 0.0
        self.stop = threading.Event()

    @property
    def url(self) -> str:
        """The base URL of its API."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def nth(self, what: str) -> int:
        """Return how often `what` has been seen, this time included."""
        with self.lock:
            self.seen[what] += 1
            return self.seen[what]


@contextlib.contextmanager
def serving(behave: Callable[[Exchange, Json], None]) -> Iterator[Loopback]:
    """Run a Loopback in a thread."""
    server = Loopback(behave)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def good(body: Json, text: str | None = None) -> Json:
    """Return a well-formed answer whose text depends on prompt and seed."""
    seed = 0 if body.get("top_k") == 1 else body["seed"]
    text = text if text is not None else f"answer {seed} to {body.get('prompt')}"
    choice: Json = {"index": 0, "text": text, "finish_reason": "stop"}
    if "messages" in body:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    return {"object": "text_completion", "model": "good-1", "choices": [choice], "usage": usage}


def over(model: Model, lock: threading.Lock) -> Callable[[Exchange, Json], None]:
    """Return the behaviour of a good server with log-probabilities and echo over a local model."""

    def behave(exchange: Exchange, body: Json) -> None:
        with lock:
            exchange.reply(200, echoed(model, body) if body.get("echo") else generated(model, body))

    return behave


def generated(model: Model, body: Json) -> Json:
    """Return the answer of `model` as the completions API puts it."""
    top_k, stop = max(body.get("top_k", 0), 0), tuple(body.get("stop", ()))
    sampling = Sampling(
        body["temperature"], body["top_p"], top_k, body.get("min_p", 0.0), body["max_tokens"], stop
    )
    answer = next(iter(model.generate([Request(body["prompt"], body["seed"], sampling)]))).completion
    values = list(answer.logprobs or ())
    top = [{text: value} for text, value in zip(answer.token_texts, values, strict=True)]
    if body["max_tokens"] == 1:  # the likeliest token too, as servers give it
        greedy = next(
            iter(model.generate([Request(body["prompt"], 0, Sampling(0.0, max_tokens=1))]))
        ).completion
        top[0] |= dict(zip(greedy.token_texts, greedy.logprobs or (), strict=True))
    logprobs = {"tokens": list(answer.token_texts), "token_logprobs": values, "top_logprobs": top}
    choice = {"index": 0, "text": answer.text, "finish_reason": answer.finish, "logprobs": logprobs}
    usage = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": len(answer.tokens)}
    return {"model": body["model"], "choices": [choice], "usage": usage}


def echoed(model: Model, body: Json) -> Json:
    """Return the prompt with the log-probabilities of its tokens, the first of which has none."""
    text = body["prompt"]
    (scored,) = model.score([("", text)])
    texts, offsets, at = ["<s>"], [0], 3
    for token in scored.token_texts:
        texts.append(token)
        offsets.append(at)
        at += len(token)
    values = [None, *scored.logprobs]
    logprobs = {"tokens": texts, "token_logprobs": values, "text_offset": offsets}
    choice = {"index": 0, "text": text, "finish_reason": "length", "logprobs": logprobs}
    return {"model": body["model"], "choices": [choice], "usage": {"prompt_tokens": len(texts)}}


@contextlib.contextmanager
def transformers_serve(folder: Path, log: Path, life_seconds: int = 120) -> Iterator[str]:
    """Run the real `transformers serve` on a model folder; yields the base URL, or skips with the reason."""
    for package in ("accelerate", "fastapi", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"transformers serve needs {package}: pip install transformers[serving]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    guard = threading.Timer(life_seconds, process.kill)
    guard.daemon = True
    guard.start()
    try:
        wait_for(process, port, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        guard.cancel()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path, seconds: float = 60) -> None:
    """Return once the server is healthy; skip with the end of its log where it does not start."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1),
        ):
            return
        time.sleep(0.1)
    pytest.skip(f"transformers serve did not start: {log.read_text()[-300:]}")
