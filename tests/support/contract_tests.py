"""Runs Schemathesis over a served OpenAPI document: a server with something of each kind in it, and how far to go.

Whatever is not held to the document on purpose stands here, with why, and nowhere else.
"""

from __future__ import annotations

import os
import select
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from support.server import Customer, Server, until

# Nobody takes part in these tests but the server and the client: requests that flows and webhooks ask for end here.
NOWHERE = "http://127.0.0.1:9"
SEED = 1
SURROUNDINGS = {"SCHEMATHESIS_HOOKS": "support.contract_hooks", "PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "120"}
PATIENCE_S = 3_000.0
REQUEST_S = 120

# The compatible interface takes what client libraries send, which is more than is right: unknown keys and parameters, keys in
# any case, numbers as texts, 0 and "" and {} for what is not set (contract §1.3), bodies in a string or none at all (§3.3),
# and nonsense for a page (§1.7). So it cannot be held to refuse whatever its document does not have.
LAX = ("negative_data_rejection",)
# A request may be right by its form and wrong by what it says: a step that leads nowhere, a language that nobody speaks.
BY_FORM_ALONE = ("positive_data_acceptance",)
# A call that was hung up stays readable (contract C33), and so do its legs.
KEPT = "^/(calls|legs)"
# Of the native interface: calls and flows are read as the compatible one reads them, and an object whose names are the
# parameters (`metadata.NAME`) cannot be sent wrong in all the ways that are made up for it.
READ_LAXLY = "^(placeCall|makeFlow|replaceFlow|checkFlow|bindNumbers|listCalls|exportCalls)$"
REFUSALS = [400, 401, 403, 404, 405, 409, 413, 422]


class Extent(NamedTuple):
    """How many cases an operation gets, how many chains of requests are tried, whether all bounds are, and for how many
    seconds cases and chains are made up again and again; 0 for once.
    """

    examples: int
    chains: int
    bounds: bool
    again_s: int


SHORT = Extent(examples=3, chains=30, bounds=False, again_s=0)
LONG = Extent(examples=50, chains=200, bounds=True, again_s=240)


def seed(customer: Customer, calls: int) -> Mapping[str, list[str]]:
    """Place calls that are recorded, written down and over, and one that goes on; make flows, numbers and webhooks.

    The answer has their ids by the name that parameters of paths have for them.
    """
    flow = {
        "record": True,
        "steps": [
            {"action": "pause", "options": {"length": 1}},
            {"action": "record", "options": {"maxLength": 1}},
            {"action": "hangup"},
        ],
    }
    waiting = {"steps": [{"action": "pause", "options": {"length": 80_000}}]}
    made: dict[str, list[str]] = {"destination": ["31205550123"], "number": ["31205550100", "31205550101"]}

    def keep(kind: str, of: Mapping[str, Any]) -> str:
        made.setdefault(kind, []).append(of["id"])
        return str(of["id"])

    placed = [
        customer.post("/calls", {"source": "31205550100", "destination": f"3161234567{n}", "callFlow": body}).made["id"]
        for n, body in enumerate([*[flow] * calls, waiting])
    ]
    wanted = ["ended"] * calls + ["ongoing"]
    until(
        lambda: [customer.get(f"/calls/{call}").made["status"] for call in placed],
        lambda seen: seen == wanted,
        within=REQUEST_S,
    )
    for call in placed:
        made.setdefault("call", []).append(call)
        for leg in customer.listed(f"/calls/{call}/legs"):
            keep("leg", leg)
            for recording in customer.listed(f"/calls/{call}/legs/{leg['id']}/recordings"):
                keep("recording", recording)
                keep("transcription", customer.post(f"/recordings/{recording['id']}/transcriptions", {}).made)
    for n in range(calls):
        keep("flow", customer.post(f"/numbers/3120555010{n}/call-flow", {"steps": [{"action": "hangup"}]}).made)
        keep("webhook", customer.post("/webhooks", {"url": f"https://hooks.example.com/{n}"}).made)
    made["id"] = [one for kind in ("call", "recording", "flow", "webhook", "transcription") for one in made[kind]]
    return made


def start(folder: Path) -> Server:
    settings = {"egress.proxy": NOWHERE, "simulator.speed": "20", "api.webhooks_per_world": "50", "log.level": "error"}
    return Server.start(folder, settings)


def configuration(seeded: Mapping[str, list[str]], extent: Extent, unchecked: Iterable[str]) -> str:
    """What `st` reads; half of all parameters that name something name something that is there."""
    # Who waits long for an answer is on a busy machine, which is no fault of the server.
    lines = [f"seed = {SEED}", "warnings = false", "continue-on-failure = true", f"request-timeout = {REQUEST_S}"]
    lines += ["[generation]", 'database = "none"']
    lines += [f"max-examples = {extent.examples}", "deterministic = true", "no-shrink = true"]
    lines += ["[checks]", *(f"{check}.enabled = false" for check in unchecked)]
    lines += [f"negative_data_rejection.expected-statuses = {REFUSALS}"]
    lines += ["[phases.coverage]", f"enabled = {str(extent.bounds).lower()}"]
    # Chains follow the links of the document; others would be guessed at.
    lines += [
        "[phases.stateful.generation]",
        f"max-examples = {extent.chains}",
        "[phases.stateful.inference]",
        "algorithms = []",
    ]
    lines += ["[[operations]]", f'include-path-regex = "{KEPT}"', "checks.use_after_free.enabled = false"]
    lines += [
        "[[operations]]",
        f'include-operation-id-regex = "{READ_LAXLY}"',
        "checks.negative_data_rejection.enabled = false",
    ]
    for kind, values in seeded.items():
        lines += [f"[dictionaries.{kind}]", f"values = {list(values)!r}"]
    lines += ["[parameters]"]
    lines += [f'"path.{kind}" = {{ dictionary = "{kind}", probability = 0.5 }}' for kind in seeded]
    lines += [f'"body.{name}" = {{ dictionary = "number", probability = 0.7 }}' for name in ("source", "destination")]
    return "\n".join(lines).replace("'", '"') + "\n"


def run(base: str, folder: Path, config: str, *filters: str, headers: Mapping[str, str], name: str, again_s: int) -> None:
    """AssertionError with what Schemathesis found and how to do it again."""
    file = folder / f"{name}.toml"
    file.write_text(config)
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={file}", "run", f"{base}/openapi.json", "--no-color"]
    # A connection that is kept may be closed, as one that is idle, just when the next request is sent.
    command += [f"--header={header}: {value}" for header, value in {**headers, "Connection": "close"}.items()]
    command += [*filters, *([f"--max-time={again_s}"] if again_s else [])]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | SURROUNDINGS,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    print(done.stdout)  # for whom looks on
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-3_000:]}"
    assert "No issues found" in done.stdout, done.stdout[-5_000:]


class _Through(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Door)
        with socket.socket(socket.AF_UNIX) as inner:
            inner.connect(str(self.server.path))
            other = {self.request: inner, inner: self.request}
            while True:
                for source in select.select([*other], [], [])[0]:
                    part = source.recv(65_536)
                    if not part:
                        return
                    other[source].sendall(part)


class Door(socketserver.ThreadingTCPServer):
    """A TCP port that leads to a control socket: HTTP clients know no other kind."""

    def __init__(self, path: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Through)
        self.path = path
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._serving = threading.Thread(target=self.serve_forever)
        self._serving.start()

    def server_close(self) -> None:
        self.shutdown()
        self._serving.join()
        super().server_close()
