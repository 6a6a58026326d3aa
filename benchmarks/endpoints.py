"""Four thousand requests to two servers, one slow, one that answers 429 at times; the run is killed and resumed.

    python benchmarks/endpoints.py [--items 250] [--samples 8] [--kills 1]

`tellapart gain` asks both for a base and a tuned model (2 x items x samples plain answers). Checked: every row is there
once, none failed, each holds the answer to its own seed. Exits with 1 where one is lost, doubled or another's.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Exchange(BaseHTTPRequestHandler):
    """One request: answered with a text that names its prompt and seed, after the server's delay."""

    server: "Server"
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.reply(200, {"object": "list", "data": [{"id": "base"}, {"id": "tuned"}]})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if not raw:
            return  # a client that was killed
        body = json.loads(raw)
        with self.server.lock:
            self.server.seen += 1
            refused = self.server.every and self.server.seen % self.server.every == 0
        time.sleep(self.server.delay)
        if refused:
            self.reply(429, {"error": {"message": "slow down"}})
            return
        seed = 0 if body.get("top_k") == 1 else body["seed"]
        right = body["model"] == "tuned" or seed % 7 == 0
        number = body["prompt"].split()[-1].rstrip("?")
        text = f"{number if right else 'none'} of {seed}"
        choice = {"index": 0, "text": text, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 2}
        self.reply(200, {"model": body["model"], "choices": [choice], "usage": usage})

    def reply(self, status: int, payload: object) -> None:
        raw = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(raw)


class Server(ThreadingHTTPServer):
    """A server on loopback: `delay` seconds an answer, every `every`-th refused (0: none)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, delay: float, every: int) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.delay, self.every, self.seen = delay, every, 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextlib.contextmanager
def serving(delay: float, every: int) -> Iterator[Server]:
    server = Server(delay, every)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def lines_of(folder: Path) -> list[str]:
    """Return the whole lines of plain answers in a run folder, which may be under way."""
    files = sorted((folder / "rows").glob("*-plain*.jsonl"))
    return [
        line for file in files for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=350)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--kills", type=int, default=1)
    asked = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch, serving(0.2, 0) as slow, serving(0.01, 25) as busy:
        task, out = Path(scratch) / "task.jsonl", Path(scratch) / "run"
        items = [
            {"id": str(n), "prompt": f"What is number {n}?", "target": str(n)} for n in range(asked.items)
        ]
        task.write_text("".join(json.dumps(item) + "\n" for item in items))
        task.with_suffix(".toml").write_text('name = "numbers"\nscorer = "contains"\nmax_tokens = 12\n')
        urls = f"{slow.url},{busy.url}"
        command = [
            sys.executable, "-m", "tellapart", "gain", f"openai:base@{urls}", f"openai:tuned@{urls}",
            "--task", str(task), "--samples", str(asked.samples), "--plan", "quick", "--out", str(out), "--json",
        ]  # fmt: skip
        start = time.perf_counter()
        for _ in range(asked.kills):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
            enough = len(lines_of(out)) + rng.randint(300, 900)
            while process.poll() is None and len(lines_of(out)) < enough:
                time.sleep(0.2)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            print(f"killed with {len(lines_of(out))} rows written")
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        seconds = time.perf_counter() - start
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines_of(out)]
        places = Counter((row["condition"], row["item"], row["sample"]) for row in rows)
        wrong = [
            row
            for row in rows
            if row["status"] != "ok" or not row["completion"].endswith(f" of {row['seed'] % 2**31}")
        ]
        report = {one["condition"] for one in rows}
        print(f"exit code {done.returncode}, {len(rows)} rows of {sorted(report)}, {seconds:.1f} s")
        if wrong:
            print(f"for instance {wrong[0]}")
        print(f"twice {sum(n > 1 for n in places.values())}, failed or another's {len(wrong)}")
        print(f"requests: slow server {slow.seen}, busy server {busy.seen} (one in 25 refused)")
        return int(done.returncode != 0 or bool(wrong) or any(n > 1 for n in places.values()))


if __name__ == "__main__":
    sys.exit(main())
