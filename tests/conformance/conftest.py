"""Servers for libraries of others: one they ask, with calls on its record, and one whose callbacks they judge."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.client_stage import ClientStage, Conversation, client_stage
from support.heard import AFTER, BEFORE, DURING, QUERIES, TOKEN, Heap, Heard, Listener, Secrets
from support.peers import lacking, require_peer
from support.server import STOP_S, Server, until

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node, where the libraries that programs for it need are there too."""
    found = require_peer("node", apt="nodejs npm")
    if not (NODE / "node_modules").is_dir():
        lacking("libraries for Node are missing: npm ci --ignore-scripts --prefix tests/conformance/node")
    return found


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    chosen = {"webhooks.retry": "1", "webhooks.then_every": "1", "simulator.speed": "20", "api.webhooks_per_world": "6"}
    running = Server.start(tmp_path_factory.mktemp("server") / "one", chosen)
    yield running
    running.ask_to_stop()
    try:
        assert running.process.wait(STOP_S) == 0
    finally:
        running.kill()


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientStage]:
    with client_stage(tmp_path_factory.mktemp("clients")) as stage:
        yield stage


@pytest.fixture(scope="module")
def conversation(clients: ClientStage) -> Conversation:
    """A real call, of which a module may delete the recording."""
    return clients.conversation()


@pytest.fixture(scope="module", params=[BEFORE, DURING, AFTER])
def stage(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def heap(server: Server, stage: str) -> Iterator[Heap]:
    """Place a call in the test world with six webhooks, after secrets were rotated as far as `stage` says."""
    listener = Listener()
    made = {}
    for path, token in (("/plain", None), ("/token", TOKEN)):
        for query in QUERIES:
            url = listener.url(path + query)
            made[url] = server.test.post("/webhooks", {"url": url, "token": token}).made["id"]
    with_token = next(id_ for url, id_ in made.items() if "/token" in url)
    old = _secrets(server, with_token)
    if stage is not BEFORE:
        _keys(server, "rotate-signing", "--overlap", "1h")
        for url, id_ in made.items():
            if "/token" in url:
                body = {"token": TOKEN[::-1], "overlap": 3600}
                assert server.test.post(f"/api/webhooks/{id_}/rotate", body).status == 200
    if stage is AFTER:
        _keys(server, "rotate-signing", "--finish")
        for id_ in made.values():
            assert server.test.post(f"/api/webhooks/{id_}/rotate/finish", {}).status == 200
    new = _secrets(server, with_token)
    flow = {"steps": [{"action": "fetchCallFlow", "options": {"url": listener.url("/flow?x=1")}}]}
    placed = server.test.post("/calls", {"source": "31205550100", "destination": "31205550101", "callFlow": flow})
    assert placed.status == 201
    heard = until(lambda: list(listener.heard), _is_enough, what="two attempts at each webhook, and a flow that is fetched")
    yield Heap(_first_event(heard), next(one for one in heard if "/flow" in one.url), old, new)
    for id_ in made.values():
        assert server.test.delete(f"/webhooks/{id_}").status == 204
    _keys(server, "rotate-signing", "--finish")
    listener.close()


def _first_event(heard: list[Heard]) -> list[Heard]:
    return [one for one in heard if one.headers.get("webhook-sequence") == "1"]


def _is_enough(heard: list[Heard]) -> bool:
    return len(_first_event(heard)) == 4 * len(QUERIES) and any("/flow" in one.url for one in heard)


def _secrets(server: Server, webhook_id: str) -> Secrets:
    key = _keys(server, "signing")
    token = server.test.get(f"/api/webhooks/{webhook_id}/secret").content
    return Secrets(key["signingKey"], token["secret"], key["secret"])


def _keys(server: Server, *arguments: str) -> dict[str, Any]:
    """What an operator does on the server's machine."""
    line = [sys.executable, "-m", "callwright", f"--data={server.folder / 'data'}", "keys", *arguments, "--test", "--json"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
