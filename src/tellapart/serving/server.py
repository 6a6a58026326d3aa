"""`tellapart skills serve`: open the experts, bind an address, serve until SIGTERM or SIGINT."""

import ipaddress
import os
import signal
import socket
import sys

import uvicorn

from tellapart.errors import UserMistake
from tellapart.serving.app import Limits, make_app
from tellapart.serving.commands import ServeSpec
from tellapart.serving.connections import BATCH, QUEUE, BoundedProtocol, BoundedServer
from tellapart.serving.worker import Worker
from tellapart.studies.skills.dispatch import dispatcher_of
from tellapart.studies.skills.mixed_run import Lanes, Size
from tellapart.studies.skills.opened import open_experts

GRACE_SECONDS = 10


def serve(spec: ServeSpec) -> int:
    """Serve until told to stop; return the exit code. Raises UserMistake before anything is opened to others."""
    token = os.environ.get(spec.token_env, "")
    if not token and not is_loopback(spec.host):
        raise UserMistake(
            f"--host {spec.host} is not the loopback address: set {spec.token_env} to a token that requests must bring"
        )
    experts = open_experts(spec.folder, spec.device, raw=True)
    dispatcher = dispatcher_of(list(experts.weights), spec.template, spec.label, spec.judge)
    longest = min(spec.max_tokens, experts.model.asked.context)
    listening = bound(spec.host, spec.port)
    with listening, Lanes(experts.model, experts.weights) as lanes:
        worker = Worker(lanes, dispatcher, Size(spec.rows, longest))
        app = make_app(experts, worker, Limits(token, spec.queue, longest, spec.seconds))
        config = uvicorn.Config(
            app,
            log_level="warning",
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
            backlog=BATCH,
            lifespan="on",
            http=BoundedProtocol,
            ws="none",
        )
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(
            f"serving {', '.join(experts.weights)} on http://{shown}:{port}/v1", file=sys.stderr, flush=True
        )
        # uvicorn raises what it heard once more when it has ended well: that is no failure, and no interruption.
        previous = {
            number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            BoundedServer(config).run(sockets=[listening])
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
    return 0


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine's loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address. Raises UserMistake where it is taken or is none."""
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(kind, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(QUEUE)  # before the address is told: who is told it may connect
    except OSError as error:
        raise UserMistake(
            f"{host}:{port} cannot be served on ({error}): choose another --host or --port"
        ) from None
    return listening
