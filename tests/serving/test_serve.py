"""The server in a process of its own, under load, with a folder of random experts over the skills specimen."""

import asyncio
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import openai
import pytest
import uvicorn

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.serving import connections
from tellapart.serving.asked import Reader, parsed, read_completion, seed_of
from tellapart.serving.commands import ServeSpec
from tellapart.serving.connections import BoundedProtocol
from tellapart.serving.failure import ApiError
from tellapart.serving.server import is_loopback
from tellapart.specimens.skills import load_model
from tellapart.studies.skills.expert import Expert, base_identity, write_expert
from tellapart.studies.skills.mix import Mix, read_mix
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.training.matrices import matrices_of, matrix

SKILLS = ("a", "b", "c")
CONCURRENT = 500
FIRST_PASS = (
    "--template",
    "{prompt}?",
    "--label",
    "d=a",
    "--label",
    "l=b",
    "--label",
    "c=c",
    "--label",
    "n=base",
)


class Served(NamedTuple):
    """The server's process and address, and the model and experts behind it."""

    process: subprocess.Popen[str]
    url: str
    model: LocalModel
    experts: dict[str, Weights]

    def memory(self) -> int:
        """Resident kilobytes of the process."""
        told = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", told)[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `skills train` leaves it, with random experts."""
    folder = tmp_path_factory.mktemp("experts")
    model = load_model("skills-0")
    rng = np.random.default_rng(0)
    ranks = {name: min(matrix(part).shape) for name, part in matrices_of(model.module).items()}
    for skill in SKILLS:
        z = {name: (1 + 0.3 * rng.standard_normal(n)).astype(np.float32) for name, n in ranks.items()}
        expert = Expert(skill, Weights(z), base_identity(model.module), {})
        write_expert(folder / "experts" / f"{skill}.safetensors", expert)
    spec = {"study": "skills", "model": "specimen:skills-0", "dtype": "float32"}
    (folder / "spec.json").write_text(json.dumps({"spec": spec}))
    return folder


def started(
    folder: Path, *options: str, token: str = "", preexec_fn: Callable[[], None] | None = None
) -> tuple[subprocess.Popen[str], str]:
    """Start the server; return its process and its address."""
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "TELLAPART_TOKEN": token,
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    command = [sys.executable, "-m", "tellapart.cli", "skills", "serve", str(folder), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env, preexec_fn=preexec_fn)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "serving" in line, line + process.stderr.read()
    return process, line.split()[-1]


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    process, url = started(folder, *FIRST_PASS, "--rows", "64", "--queue", "4096")
    model = load_model("skills-0")
    experts = {skill: Weights(_arrays(folder / "experts" / f"{skill}.safetensors")) for skill in SKILLS}
    yield Served(process, url, model, experts)
    process.kill()
    process.communicate()


def _arrays(path: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return load_file(path)


def offline(served: Served, asked: list[tuple[str, str, int, float]]) -> list[str]:
    """What the offline call says to (prompt, mix, seed, temperature)."""
    rows = [
        (Request(prompt, seed_of(seed, 0), Sampling(heat, max_tokens=10)), read_mix(mix, SKILLS))
        for prompt, mix, seed, heat in asked
    ]
    with Lanes(served.model, served.experts) as lanes:
        return [answer.completion.text for answer in sorted(lanes.generate(rows), key=lambda one: one.index)]


def test_under_load_every_answer_is_the_offline_one(served: Served) -> None:
    mixes = ["a", "b", "c", "base", "a+0.5*b", "b-c", "0.3*a+0.7*c", "a+b+c"]
    asked = [(f"{at % 97:04d}=", mixes[at % len(mixes)], at, float(at % 3 > 0)) for at in range(CONCURRENT)]
    wanted = offline(served, asked)
    before = served.memory()
    found = asyncio.run(storm(served.url, asked))
    kinds = [at % 10 for at in range(CONCURRENT)]
    for kind, one, right in zip(kinds, found, wanted, strict=True):
        if kind == 7:
            assert one == 400
        elif kind == 8:
            assert one == 404
        elif kind != 9:
            assert one == right
    for _ in range(3):
        asyncio.run(storm(served.url, asked[:100]))
    assert served.process.poll() is None
    assert served.memory() < 1.25 * before + 50_000
    state = httpx.get(served.url.replace("/v1", "/health")).json()
    assert state["status"] == "ok"


async def storm(url: str, asked: list[tuple[str, str, int, float]]) -> list[str | int]:
    """Ask all at once; every tenth is malformed, of an unknown model, or goes away at once."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=120, limits=limits) as client:

        async def one(at: int) -> str | int:
            prompt, mix, seed, heat = asked[at]
            body: dict[str, Any] = {
                "model": mix, "prompt": prompt, "seed": seed, "temperature": heat, "max_tokens": 10,
            }  # fmt: skip
            if at % 10 == 7:
                body["temperature"] = "hot"
            if at % 10 == 8:
                body["model"] = "no such"
            try:
                patience = 0.05 if at % 10 == 9 else 120
                reply = await client.post(f"{url}/completions", json=body, timeout=patience)
            except httpx.TimeoutException:
                return 0
            told = reply.json()
            if reply.status_code != 200:
                assert set(told["error"]) == {"message", "type", "param", "code"}
                return reply.status_code
            return told["choices"][0]["text"]

        return list(await asyncio.gather(*(one(at) for at in range(len(asked)))))


def test_the_openai_client_works_unchanged(served: Served) -> None:
    with openai.OpenAI(base_url=served.url, api_key="none", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["base", "auto", *SKILLS]
        whole = client.completions.create(
            model="a+b", prompt=["3857=", "gbad="], max_tokens=8, seed=5, logprobs=2, n=2
        )
        assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
        told = whole.choices[0].logprobs
        assert told is not None
        assert "".join(told.tokens or ()) == whole.choices[0].text
        assert all(len(top) == 2 for top in told.top_logprobs or ())
        parts = list(
            client.completions.create(model="a+b", prompt="3857=", max_tokens=8, seed=5, stream=True)
        )
        assert "".join(part.choices[0].text for part in parts) == whole.choices[0].text
        assert parts[-1].choices[0].finish_reason == whole.choices[0].finish_reason
        message: Any = {"role": "user", "content": "3857="}
        chat = client.chat.completions.create(
            model="auto", messages=[message], max_tokens=4, logprobs=True, top_logprobs=1, temperature=0
        )
        extra: Any = chat.model_extra
        chosen = extra["tellapart"]["choices"][0]
        assert "likeliest" in chosen["reason"]
        assert sum(chosen["first_pass"]["shares"].values()) == pytest.approx(1.0)
        again = client.completions.create(model=chosen["mix"], prompt="3857=", max_tokens=4, temperature=0)
        assert again.choices[0].text == chat.choices[0].message.content
        chunks = list(client.chat.completions.create(
            model="a", messages=[message], max_tokens=4, stream=True, stream_options={"include_usage": True}
        ))  # fmt: skip
        assert chunks[-1].usage is not None
        stopped = client.completions.create(model="a", prompt="3857=", max_tokens=8, seed=5, stop=["zz", "#"])
        assert "#" not in stopped.choices[0].text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[1]", 400),
        (b'{"model": "a"}', 400),
        (b'{"model": "a", "prompt": []}', 400),
        (b'{"model": "a", "prompt": [99999]}', 400),
        (b'{"model": "a", "prompt": "x", "max_tokens": 0}', 400),
        (b'{"model": "a", "prompt": "x", "max_tokens": 0, "max_completion_tokens": 1}', 400),
        (b'{"model": "a", "prompt": "x", "n": 1000}', 400),
        (b'{"model": "a", "prompt": "x", "logprobs": 6}', 400),
        (b'{"model": "a", "prompt": "x", "stop": ["", "b"]}', 400),
        (b'{"model": "a", "prompt": "x", "echo": true}', 400),
        (b'{"model": "a", "prompt": "x", "temperature": NaN}', 400),
        (b'{"model": "__import__(1)", "prompt": "x"}', 404),
        (b'{"model": "a", "prompt": "' + b"x" * 5000 + b'"}', 400),
        (b'{"model": "auto", "prompt": [5, 6]}', 400),
        (b'{"model": "a", "prompt": "' + b"x" * (2 << 20) + b'"}', 413),
        (b"[" * 100_000, 400),
        (b'{"model": "a", "prompt": "\\ud800"}', 400),
        (b'{"model": "\\ud800", "prompt": "x"}', 400),
        (b'{"model": "a", "prompt": "x", "stream": {}}', 400),
        (b'{"model": "a", "prompt": "x", "temperature": 1' + b"0" * 400 + b"}", 400),
        (b'{"model": "a", "prompt": "x", "seed": 1' + b"0" * 400 + b"}", 400),
        (b'{"model": "a", "prompt": "x", "seed": 1' + b"0" * 5000 + b"}", 400),
    ],
)
def test_malformed_requests_get_openais_errors(served: Served, body: bytes, status: int) -> None:
    reply = httpx.post(f"{served.url}/completions", content=body)
    assert reply.status_code == status
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


def test_log_probabilities_of_a_chat_are_wanted_or_not(served: Served) -> None:
    body = {"model": "a", "messages": [{"role": "user", "content": "1="}], "max_tokens": 1}
    replies = [
        httpx.post(f"{served.url}/chat/completions", json={**body, "logprobs": one})
        for one in (True, False, None, {}, 0)
    ]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 400, 400]
    told = [reply.json()["choices"][0]["logprobs"] for reply in replies[:3]]
    assert [one is None for one in told] == [False, True, True]


def test_pages_and_unknown_paths(served: Served) -> None:
    root = served.url.removesuffix("/v1")
    told = httpx.get(f"{root}/metrics").text
    assert "tellapart_tokens_written" in told
    assert 'tellapart_requests_total{path="/v1/completions"' in told
    assert httpx.get(f"{root}/nothing").json()["error"]["type"] == "invalid_request_error"
    assert httpx.put(f"{root}/v1/completions").status_code == 405
    assert httpx.get(f"{root}/v1/models", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{root}/v1/models/zz").status_code == 404


def test_pages_of_other_places_are_not_answered_and_answers_run_nothing(served: Served) -> None:
    body = {"model": "a", "prompt": "1=", "max_tokens": 1}
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert httpx.post(f"{served.url}/completions", json=body, headers=headers).status_code == 403
    mine = httpx.post(f"{served.url}/completions", json=body, headers={"Origin": "http://localhost:3000"})
    assert mine.status_code == 200
    for path in ("/v1/models", "/nothing", "/health"):
        told = httpx.get(served.url.removesuffix("/v1") + path).headers["content-security-policy"]
        assert told.startswith("default-src 'none'")


def test_the_api_is_described(served: Served) -> None:
    told = httpx.get(served.url.removesuffix("/v1") + "/openapi.json").json()
    assert told["openapi"] == "3.1.0"
    schema = told["paths"]["/v1/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    heat = schema["anyOf"][0]["properties"]["temperature"]
    assert heat["anyOf"][0] == {"type": "number", "minimum": 0, "maximum": 2}
    assert "POST" in httpx.get(f"{served.url}/completions").headers["allow"]


def _half_open(url: str, count: int) -> list[socket.socket]:
    """Open connections that send a part of a request each."""
    host, port = url.removeprefix("http://").removesuffix("/v1").split(":")
    opened = []
    for index in range(count):
        one = socket.create_connection((host, int(port)), timeout=5)
        body = b"\r\n{" if index % 2 else b"X-a: "
        one.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n" + body)
        opened.append(one)
    return opened


@pytest.mark.slow
def test_half_open_connections_do_not_use_up_all_files(folder: Path) -> None:
    """With 160 files and 200 half-open connections the server still answers, and takes no processor time for them."""
    process, url = started(folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160)))
    held = []
    try:
        held = _half_open(url, 200)
        assert httpx.get(url.replace("/v1", "/health"), timeout=20).status_code == 200
        body = {"model": "a", "prompt": "1=", "max_tokens": 1}
        assert httpx.post(f"{url}/completions", json=body, timeout=20).status_code == 200
        assert len(os.listdir(f"/proc/{process.pid}/fd")) < 150
    finally:
        for one in held:
            one.close()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert said == ""


def test_a_request_that_does_not_come_in_is_closed() -> None:
    """In a loop of its own, with the time made short: neither the head nor the body is waited for longer."""

    async def closed_after(text: bytes) -> float:
        config = uvicorn.Config(
            _answers, http=BoundedProtocol, ws="none", lifespan="off", log_level="critical"
        )
        config.load()
        state = uvicorn.Server(config).server_state
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: BoundedProtocol(config, state, {}), "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            began = loop.time()
            writer.write(text)
            async with asyncio.timeout(10):
                assert await reader.read() == b""
            writer.close()
            return loop.time() - began

    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "REQUEST_SECONDS", 0.3)
        patch.setattr(connections, "CHECK_SECONDS", 0.05)
        for text in (head, head + b"\r\n{", b""):
            assert 0.2 < asyncio.run(closed_after(text)) < 5


async def _answers(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def test_a_token_is_asked_for_and_sigterm_is_clean(folder: Path) -> None:
    process, url = started(folder, token="s3cret")
    try:
        assert httpx.get(f"{url}/models").status_code == 401
        assert httpx.get(f"{url}/models", headers={"Authorization": "Bearer s3cret"}).status_code == 200
        assert httpx.get(url.replace("/v1", "/health")).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert "Traceback" not in said


def test_another_address_than_the_loopback_needs_a_token(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TELLAPART_TOKEN", raising=False)
    with pytest.raises(UserMistake, match="token"):
        ServeSpec(str(folder), host="0.0.0.0").run()
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.1", "x")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_seeds_and_defaults_are_read() -> None:
    reader = Reader(lambda text: Mix(), 32, lambda messages: "")
    asked = read_completion({"model": "a", "prompt": "x", "seed": 7, "n": 2}, reader)
    assert [request.seed for request in asked.requests] == [7, seed_of(7, 1)]
    assert asked.requests[0].sampling == Sampling(max_tokens=16)
    assert read_completion(parsed(b'{"model": "a", "prompt": [3.0, 4]}'), reader).requests[0].prompt == (
        3,
        4,
    )
    with pytest.raises(ApiError) as told:
        read_completion({"model": "a", "prompt": "x", "max_tokens": 33}, reader)
    assert told.value.status == 400
