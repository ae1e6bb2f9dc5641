"""Make a data folder to keep: real calls of every kind, and a server killed in the middle of one.

    PYTHONPATH=tests .venv/bin/python -m migration.record tests/migration/NAME

The folder gets the database and its write-ahead log as the dead server left them, compressed, and the access keys that
were made for it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import apsw

from callwright.phone.client import Phone
from support.kept import Successor, keys_of, shown, unpack
from support.server import Server, Webserver, until

CALLER, CALLEE, TRANSFERRED, PLAIN, ABSENT = (f"312055501{n:02}" for n in range(5))
SETTINGS = {"webhooks.retry": "1,1", "webhooks.then_every": "600", "webhooks.give_up_after": "3", "simulator.speed": "10"}
TOML = "[simulator.callees.31205550190]\noutcome = 'busy'\n[simulator.callees.31205550191]\nhangup_after = 1.0\n"


def to(phone: Phone, **options: int) -> dict[str, object]:
    return {"action": "transfer", "options": {"destination": f"sip:{CALLEE}@{phone.sip}", **options}}


async def dial(phone: Phone, server: Server, number: str) -> int:
    placed = await phone.call(f"sip:{number}@{server.sip}", caller=CALLER, tone=500.0)
    assert placed is not None
    return placed


async def ended(server: Server, number: str, calls: int) -> None:
    """Wait until so many calls to a number are on record and over."""
    for call in await asyncio.to_thread(until, lambda: server.calls_to(number), lambda found: len(found) == calls):
        await asyncio.to_thread(server.ended, call)


async def fill(server: Server, web: Webserver, a: Phone, b: Phone, data: Path) -> None:
    live = server.live
    live.post("/webhooks", {"url": web.url("/world"), "token": "of the world"})
    server.answers(TRANSFERRED, to(b), webhook=web.url("/number"))
    server.answers(PLAIN, {"action": "pause", "options": {"length": 1}}, {"action": "record", "options": {"maxLength": 1}})
    server.answers(ABSENT, to(b, ringTimeout=5), {"action": "pause", "options": {"length": 1}}, {"action": "hangup"})
    default = live.post("/call-flows", {"title": "Default", "default": True, "steps": [{"action": "hangup"}]})
    assert default.status == 201, default
    pause = {"action": "pause", "options": {"length": 1}}
    server.test.post("/call-flows", {"title": "Test", "default": True, "steps": [pause]})
    server.test.post("/numbers/31205550109/webhook", {"url": web.url("/test")})

    await dial(a, server, TRANSFERRED)  # B1
    await asyncio.gather(a.wait("answered"), b.wait("answered"))
    await a.do("hangup")
    await ended(server, TRANSFERRED, 1)
    await dial(a, server, TRANSFERRED)  # B2
    await asyncio.gather(a.wait("answered"), b.wait("answered"))
    await b.do("hangup")
    await ended(server, TRANSFERRED, 2)
    await b.do("policy", answer=486)  # P3 with A6
    await dial(a, server, TRANSFERRED)
    await ended(server, TRANSFERRED, 3)
    await b.do("policy", answer=None)  # A4 with P6
    await dial(a, server, TRANSFERRED)
    await b.wait("incoming", timeout=10.0)
    await a.do("hangup")
    await ended(server, TRANSFERRED, 4)
    await dial(a, server, ABSENT)  # P4, then the next step
    await ended(server, ABSENT, 1)
    await dial(a, server, PLAIN)  # A7
    await ended(server, PLAIN, 1)

    web.status = 503  # the deliveries of what follows are given up or left pending
    target = f"sip:{CALLEE}@{b.sip}"
    server.calls("31205550199", {"action": "hangup"}, webhook=web.url("/call"))  # N6
    await b.do("policy", answer=200)
    call = server.calls(target, {"action": "pause", "options": {"length": 30}}, webhook=web.url("/call"))  # C1
    await asyncio.to_thread(server.reaches, call, "ongoing")
    assert live.delete(f"/calls/{call}").status == 204
    await asyncio.to_thread(server.ended, call)
    for number in ("31205550190", "31205550191"):  # the test world
        flow = {"steps": [{"action": "pause", "options": {"length": 60}}]}
        asked = {"source": CALLER, "destination": number, "callFlow": flow, "webhook": {"url": web.url("/test")}}
        assert server.test.post("/calls", asked).status == 201
    await asyncio.to_thread(
        until, lambda: [c["status"] for c in server.test.listed("/calls")], lambda seen: seen == ["ended", "busy"]
    )
    await asyncio.to_thread(
        until, lambda: server.metric('callwright_deliveries_total{result="exhausted"}'), lambda total: total >= 2, within=90
    )
    await asyncio.to_thread(empty_log, data / "callwright.db")
    await dial(a, server, TRANSFERRED)  # left to R2
    last, *_ = await asyncio.to_thread(until, lambda: server.calls_to(TRANSFERRED), lambda found: len(found) == 5)
    await asyncio.to_thread(server.reaches, last, "ongoing", "ongoing")
    await asyncio.sleep(1.2)  # a beat of the heart


def empty_log(database: Path) -> None:
    """Write the log back, so that what is left in it in the end is the last call."""
    connection = apsw.Connection(str(database))
    assert connection.execute("PRAGMA journal_mode").get == "wal"
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()


def keys(data: Path) -> dict[str, str]:
    """A key of each world that the test may know, and one that was taken back."""

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "callwright", f"--data={data}", "keys", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    made = {kind: run("create", kind, "--label", f"kept {kind}") for kind in ("live", "test")}
    run("create", "live", "--label", "taken back")
    listed = [line.split("\t") for line in run("list").splitlines()]
    (gone,) = [line[0] for line in listed if "taken back" in line]
    run("revoke", gone)
    return made


async def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        web = Webserver()
        a, b = await asyncio.gather(Phone.start(user=CALLER), Phone.start(user=CALLEE))
        server = Server.start(Path(scratch) / "server", SETTINGS, TOML)
        data = Path(scratch) / "server" / "data"
        try:
            made = keys(data)
            await fill(server, web, a, b, data)
        finally:
            server.kill()
            await asyncio.gather(a.stop(), b.stop())
            web.close()
        for name in ("callwright.db", "callwright.db-wal"):
            (target / f"{name}.gz").write_bytes(gzip.compress((data / name).read_bytes(), 9, mtime=0))
        (target / "keys.json").write_text(json.dumps(made, indent=2) + "\n")
        await expect(target, Path(scratch) / "successor")


async def expect(kept: Path, scratch: Path) -> None:
    """Write down what the program that made a database shows of it."""
    successor = Successor(unpack(kept, scratch))
    await successor.settle()
    told = await shown(successor.store, keys_of(kept))
    successor.store.close()
    (kept / "expected.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    kept = Path(sys.argv[1])
    kept.mkdir(parents=True)
    asyncio.run(main(kept))
