"""`view`: this machine only, this address only, these two files only."""

import http.client
import json
import os
import shutil
import socket
import threading

import pytest
from synthetic import elicited, hostile, write_run

from tellapart.errors import UserMistake
from tellapart.report.view import MOST_CONNECTIONS, ROWS_AT_ONCE, open_server, rows_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("view") / "run", elicited(40))


@pytest.fixture(scope="module")
def server(run):
    with open_server(run) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, path, method="GET", host=None):
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def item_with_samples(run):
    return next(iter(json.loads((run / "findings.json").read_text())["findings"][0]["tables"]["samples"]))


def test_it_listens_on_loopback_alone(server):
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/", "/report.html"])
def test_the_report_is_served_and_may_ask_for_its_rows(server, path):
    answer, body = ask(server, path)
    assert answer.status == 200
    assert "connect-src 'self'" in body
    assert "connect-src 'none'" not in body
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_file_on_disk_stays_offline(server, run):
    assert "connect-src 'none'" in (run / "report.html").read_text()


def test_rows_of_an_item_and_of_one_condition(server, run):
    item = item_with_samples(run)
    every = json.loads(ask(server, f"/rows?item={item}")[1])
    tuned = json.loads(ask(server, f"/rows?item={item}&condition=tuned/plain")[1])
    assert every["total"] == len(every["rows"]) == 18
    assert {row["condition"] for row in tuned["rows"]} == {"tuned/plain"}
    assert [row["sample"] for row in tuned["rows"]] == list(range(9))
    assert json.loads(ask(server, f"/rows?item={item}&offset=17")[1])["rows"] == every["rows"][17:]
    assert json.loads(ask(server, "/rows?item=none")[1]) == {"rows": [], "total": 0}


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/findings.json",
        "/rows.parquet",
        "/%2e%2e/",
        "/static/",
    ],
)
def test_no_other_file_is_reachable(server, path):
    answer, body = ask(server, path)
    assert answer.status == 404
    assert "root:" not in body


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "127.0.0.1", "127.0.0.1.evil.test", ""])
def test_another_host_name_is_refused(server, host):
    answer, body = ask(server, "/rows?item=x", host=host)
    assert answer.status == 421
    assert "rows" not in body


@pytest.mark.parametrize("query", ["", "?condition=x", "?item=x&offset=-1", "?item=x&offset=many"])
def test_a_bad_question_is_answered_with_the_way_out(server, query):
    answer, body = ask(server, f"/rows{query}")
    assert answer.status == 400
    assert "item=ID" in json.loads(body)["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(server, method):
    assert ask(server, "/", method)[0].status == 501


def test_head_sends_no_body(server):
    answer, body = ask(server, "/", "HEAD")
    assert (answer.status, body) == (200, "")


def test_hostile_rows_are_made_visible(tmp_path):
    run = write_run(tmp_path / "run", hostile())
    rows = rows_of(run, next(iter(hostile().tables["samples"])))["rows"]
    assert any("⟨U+0000⟩" in row["completion"] for row in rows)
    assert len(rows) <= ROWS_AT_ONCE


def test_a_run_without_rows_says_so(tmp_path):
    run = write_run(tmp_path / "run", elicited(40))
    (run / "rows.parquet").unlink()
    with pytest.raises(UserMistake, match="finish the run"):
        rows_of(run, "x")


def test_a_port_in_use_and_a_folder_that_is_none_are_refused(server, run, tmp_path):
    with pytest.raises(UserMistake, match="cannot be used"):
        open_server(run, server.server_address[1])
    with pytest.raises(UserMistake, match="is no folder"):
        open_server(tmp_path / "nothing")
    with pytest.raises(UserMistake, match=r"0 .* to 65535"):
        open_server(run, 70000)


def _raw(server, text):
    with socket.create_connection(server.server_address, timeout=20) as one:
        one.sendall(text)
        told = b""
        while part := one.recv(65536):
            told += part
    return told


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"GET http://[ HTTP/1.1", 400), (b"\x00\xff garbage", 400), (b"PUT / HTTP/1.1", 501)],
)
def test_odd_requests_are_told_so_under_the_policy(server, line, status, capsys):
    host = f"127.0.0.1:{server.server_address[1]}".encode()
    told = _raw(server, line + b"\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert f" {status} ".encode() in told.split(b"\r\n")[0]
    assert b"Content-Security-Policy: default-src 'none'" in told
    assert "Traceback" not in capsys.readouterr().err


def test_every_answer_has_a_policy_and_the_page_its_own(server):
    assert ask(server, "/nothing")[0].headers["Content-Security-Policy"].startswith("default-src 'none'")
    policy = ask(server, "/")[0].headers["Content-Security-Policy"]
    assert "script-src 'sha256-" in policy
    assert "connect-src 'self'" in policy


def test_a_page_that_is_a_pipe_or_gone_is_not_waited_for(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    with open_server(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (folder / "report.html").unlink()
        os.mkfifo(folder / "report.html")
        assert ask(server, "/")[0].status == 404
        server.shutdown()


def test_half_open_connections_give_way(server):
    held = [socket.create_connection(server.server_address, timeout=20) for _ in range(MOST_CONNECTIONS + 10)]
    for one in held:
        one.sendall(b"GET / HTTP/1.1\r\nX: ")
    assert ask(server, "/")[0].status == 200
    for one in held:
        one.close()
