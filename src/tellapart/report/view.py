"""`tellapart view`: serve one run's report on this machine only, and every row behind it, read-only.

    GET /                                   report.html, written first where it is missing
    GET /rows?item=ID[&condition=NAME][&offset=N]   the rows of an item as JSON

Listens on 127.0.0.1 alone, answers only requests that name this address as their host (so that a web page cannot
reach it by rebinding a name), and opens no file but report.html and rows.parquet of the run.
"""

import contextlib
import json
import socket
import time
import webbrowser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.dataset

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.report.html import OFFLINE, SERVED, page_policy, write_report
from tellapart.report.text import visible_deep
from tellapart.runs.files import read_whole

ADDRESS = "127.0.0.1"
ROWS_AT_ONCE = 1000
_SHOWN = (
    "condition", "item", "sample", "seed", "split", "completion", "score", "status", "steps", "logprob",
    "tokens", "error",
)  # fmt: skip
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
MOST_CONNECTIONS = 32
"""Connections answered at a time, a thread each; one more closes the one that has been open longest."""
REQUEST_SECONDS = 20.0
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class ViewServer(ThreadingHTTPServer):
    """Serves one run folder. `url` is where."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, run_folder: Path, port: int) -> None:
        super().__init__((ADDRESS, port), _Handler)
        self.run_folder = run_folder
        self._open: dict[socket.socket, float] = {}
        self.url = f"http://{ADDRESS}:{self.server_address[1]}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread; the oldest gives way where there are too many, or has taken too long."""
        now = time.monotonic()
        by_age = sorted(self._open.items(), key=lambda each: each[1])
        spare = max(0, len(by_age) + 1 - MOST_CONNECTIONS)
        for place, (connection, since) in enumerate(by_age):
            if place < spare or now - since > REQUEST_SECONDS:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._open[request] = now
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about a client that went away."""

    def hosts(self) -> tuple[str, ...]:
        """Return the values of a Host header that mean this server."""
        port = self.server_address[1]
        return (f"{ADDRESS}:{port}", f"localhost:{port}")


def serve(run_folder: Path, port: int = 0, open_browser: bool = True) -> None:
    """Serve the run until interrupted; port 0 takes a free one. Prints the address, opens it where asked."""
    with open_server(run_folder, port) as server:
        print(f"{server.url}  (this machine only; stop with Ctrl-C)", flush=True)
        if open_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


def open_server(run_folder: Path, port: int = 0) -> ViewServer:
    """Return the server, bound but not yet serving; writes report.html where it is missing."""
    if not run_folder.is_dir():
        raise UserMistake(f"{run_folder} is no folder: give the folder of a run")
    if not 0 <= port <= 65535:
        raise UserMistake(f"--port {port}: give 0 (any free one) to 65535")
    if not (run_folder / "report.html").exists():
        write_report(run_folder)
    try:
        return ViewServer(run_folder, port)
    except OSError as error:
        raise UserMistake(
            f"port {port} of {ADDRESS} cannot be used ({error.strerror}); choose another"
        ) from error


def rows_of(run_folder: Path, item: str, condition: str | None = None, offset: int = 0) -> dict[str, Json]:
    """Return {"rows": [...], "total"} of an item, at most ROWS_AT_ONCE from `offset`, texts made visible."""
    path = run_folder / "rows.parquet"
    if not path.exists():
        raise UserMistake("this run has no rows.parquet yet: finish the run")
    wanted = pyarrow.dataset.field("item") == item
    if condition is not None:
        wanted &= pyarrow.dataset.field("condition") == condition
    try:
        table = pyarrow.dataset.dataset(path).to_table(columns=list(_SHOWN), filter=wanted)
    except (pa.ArrowException, OSError) as error:
        raise UserMistake(f"{path.name} cannot be read ({error})") from error
    page = table.sort_by([("condition", "ascending"), ("sample", "ascending")]).slice(offset, ROWS_AT_ONCE)
    return {"rows": visible_deep(page.to_pylist()), "total": table.num_rows}


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version = "tellapart"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.hosts():
            self._send(
                HTTPStatus.MISDIRECTED_REQUEST, "text/plain", "this server answers to its own address only\n"
            )
            return
        try:
            address = urlsplit(self.path)
        except ValueError:
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", "this is no address\n")
            return
        if address.path in ("/", "/report.html"):
            self._page()
        elif address.path == "/rows":
            self._rows(parse_qs(address.query, keep_blank_values=True))
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "here are / and /rows?item=\n")

    do_HEAD = do_GET  # noqa: N815

    def _page(self) -> None:
        path = self.server.run_folder / "report.html"
        try:
            text = (read_whole(path) or b"").decode("utf-8")
        except (UserMistake, OSError, ValueError) as error:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", f"report.html cannot be read ({error})\n")
            return
        # The page of another program, or one that was changed, runs and loads no more than ours would.
        self._send(HTTPStatus.OK, "text/html", text.replace(OFFLINE, SERVED, 1), page_policy(SERVED))

    def _rows(self, query: dict[str, list[str]]) -> None:
        try:
            item, condition = query["item"][0], query.get("condition", [None])[0]
            offset = int(query.get("offset", ["0"])[0])
            if not 0 <= offset < 2**53:
                raise ValueError(f"offset {offset}")
        except (KeyError, ValueError):
            self._json(HTTPStatus.BAD_REQUEST, {"error": "ask /rows?item=ID[&condition=NAME][&offset=N]"})
            return
        try:
            self._json(HTTPStatus.OK, rows_of(self.server.run_folder, item, condition, offset))
        except UserMistake as mistake:
            self._json(HTTPStatus.NOT_FOUND, {"error": str(mistake)})

    def _json(self, status: HTTPStatus, value: JsonObject) -> None:
        self._send(status, "application/json", json.dumps(value, ensure_ascii=True, allow_nan=False))

    def _send(self, status: HTTPStatus, kind: str, text: str, policy: str = DATA_POLICY) -> None:
        body = text.encode("utf-8", "backslashreplace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Tell what is wrong with a request that could not be read, under the same headers."""
        status = HTTPStatus(code)
        self.request_version = (
            self.protocol_version
        )  # of a line that was none it would be one without headers
        self._send(status, "text/plain", f"{status.phrase}\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the terminal shows the address and nothing else."""
