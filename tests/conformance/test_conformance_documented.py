"""The program in JavaScript of docs/webhooks.md, as it stands there, takes what the server sends."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from callwright.clock import SystemClock
from callwright.webhooks import signature
from support.ports import free_port
from support.server import PATIENCE_S, until

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
TOKEN = "tökén"
BODY = b'{"timestamp":"x","items":[{"type":"call","event":"callUpdated","payload":{"id":"7"}}]}'


@pytest.fixture
def program(node: str, tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The page's receiver with its port, once it listens."""
    (source,) = re.findall(r"^```js\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "receiver.js").write_text(source)
    port = free_port()
    surroundings = os.environ | {
        "NODE_PATH": str(Path(__file__).parent / "node" / "node_modules"),
        "WEBHOOK_SECRET": signature.standard_secret(TOKEN),
        "PORT": str(port),
    }
    running = subprocess.Popen([node, str(tmp_path / "receiver.js")], env=surroundings, stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: _listens(port), bool, what="that the program listens")
        yield port, running
    finally:
        running.kill()
        running.communicate()


def _listens(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as link:
        try:
            link.connect()
        except OSError:
            return False
    return True


def post(port: int, id_: str, signed: bytes, body: bytes) -> int:
    headers = dict(signature.standard_headers(id_, signed, ["the token before", TOKEN], SystemClock().now_us()))
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as link:
        link.request("POST", "/hook", body, {"webhook-id": id_, **headers})
        return link.getresponse().status


def test_the_program_of_the_page_takes_a_callback_once(program: tuple[int, subprocess.Popen[str]]) -> None:
    port, running = program
    # It prints after it has answered: the last answer says that everything before was printed.
    posts = [("1", BODY), ("1", BODY), ("2", b"x"), ("3", BODY), ("3", BODY)]
    assert [post(port, id_, signed, BODY) for id_, signed in posts] == [204, 204, 403, 204, 204]
    running.terminate()
    assert running.communicate(timeout=PATIENCE_S)[0] == "callUpdated 7\n" * 2
