"""The process itself: when it starts and stops, what it survives, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from uuid import uuid4

import pytest

from callwright.sip import wire
from callwright.sip.settings import SignallingSettings
from support.deaths import gone
from support.server import until
from support.signalling import ROOT, Core
from support.sip_peer import Peer, sdp

CALM = SignallingSettings(max_late_ms=10_000.0)


async def code_of(core: Core, within: float = 30.0) -> int:
    return await asyncio.wait_for(asyncio.to_thread(core.process.wait), within)


async def test_it_leaves_when_the_link_closes() -> None:
    core = await Core(CALM).start()
    out, err = await core.stop()
    assert (core.process.returncode, out) == (0, "")
    assert '"event":"core_gone","why":"end of file"' in err


async def test_it_leaves_a_core_of_another_epoch() -> None:
    core = Core(CALM)
    with pytest.raises(AssertionError, match="did not start"):
        await core.start(child_epoch=6)
    assert core.process.returncode == 0


async def test_it_leaves_a_core_that_is_silent() -> None:
    core = await Core(CALM).start()
    core.link._beat.cancel()  # type: ignore[union-attr]
    assert await code_of(core) == 0
    _, err = await core.stop()
    assert "silent for 1.5 s" in err


def test_it_dies_with_its_parent() -> None:
    parent = textwrap.dedent(
        """
        import socket, subprocess, sys, time
        ours, theirs = socket.socketpair()
        sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sip.bind(("127.0.0.1", 0))
        ours.set_inheritable(True)  # the child itself keeps the link open: only the kernel can tell it
        child = subprocess.Popen(
            [sys.executable, "-m", "callwright.sip.process", "--fd", str(theirs.fileno()), "--sip-fd", str(sip.fileno()),
             "--epoch", "1"], pass_fds=(ours.fileno(), theirs.fileno(), sip.fileno()))
        ours.recv(1)  # it greets when it is set up
        print(child.pid, flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    process.kill()
    process.wait()
    process.stdout.close()
    gone([child])


async def test_it_leaves_signals_of_the_terminal_to_the_core() -> None:
    core = await Core(CALM).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(core.process.pid, number)
    await core.load()
    await core.stop()
    assert core.process.returncode == 0


@pytest.mark.parametrize(
    ("host", "settings", "why"),
    [
        ("0.0.0.0", "{}", "sip.advertised is needed"),
        ("127.0.0.1", '{"advertised":"sip.example.org"}', "is no IPv4 address"),
        ("127.0.0.1", '{"advertized":"1.2.3.4"}', "advertized"),
        ("127.0.0.1", '{"trunks":[{"name":"t","from":["10.0.0.0/33"]}]}', "trunks.t.from: '10.0.0.0/33' is no IPv4 network"),
        ("127.0.0.1", '{"trunks":[{"name":"t","from":["2001:db8::/32"]}]}', "is no IPv4 network"),
    ],
)
def test_settings_that_cannot_be_used(host: str, settings: str, why: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind((host, 0))
        arguments = ["--fd", str(theirs.fileno()), "--sip-fd", str(sip.fileno()), "--epoch", "1", "--settings", settings]
        done = subprocess.run(
            [sys.executable, "-m", "callwright.sip.process", *arguments],
            pass_fds=(theirs.fileno(), sip.fileno()),
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_successor_has_the_same_port() -> None:
    core = await Core(CALM).start()
    peer = Peer(core.address)
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendAnswer(leg, sdp()))
    call.ack(await peer.get(200))
    core.process.kill()
    await code_of(core)
    core.link.close()
    call.send("BYE")  # waits in the socket
    await asyncio.to_thread(core.process.communicate)
    await core.start()
    assert (await peer.get(481)).cseq[1] == "BYE"
    peer.close()
    await core.stop()


async def test_the_address_to_advertise() -> None:
    core = Core(SignallingSettings(advertised="192.0.2.7"))
    await core.start()
    peer = Peer(core.address)
    core.send(wire.PlaceLeg(uuid4(), "1", "far.example.org", "127.0.0.1", peer.port, "2", sdp()))
    invite = await peer.get("INVITE")
    port = core.address[1]
    assert invite.get("Contact") == f"<sip:2@192.0.2.7:{port}>"
    assert invite.get("Via").startswith(f"SIP/2.0/UDP 192.0.2.7:{port};")
    assert invite.get("From").startswith("<sip:2@192.0.2.7>")
    peer.close()
    await core.stop()


BROKEN = """
from callwright.sip import dialog, process, reinvites
def broken(*_, **__):
    raise RuntimeError("made to fail")
{what} = broken
raise SystemExit(process.main())
"""


@pytest.mark.parametrize(
    ("what", "last"),
    [("dialog.Dialog.progress", wire.LegFailed), ("reinvites.send_waiting", wire.LegEnded)],
)
async def test_a_command_that_fails_ends_its_leg_and_nothing_else(
    what: str, last: type[wire.LegFailed | wire.LegEnded]
) -> None:
    core = await Core(CALM, program=("-c", BROKEN.format(what=what))).start()
    peer = Peer(core.address)
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    if last is wire.LegFailed:
        core.send(wire.SendProgress(leg))
        call.ack(await peer.get(500))
        assert await core.take(wire.LegFailed, leg) == wire.LegFailed(leg, 500, "Server Internal Error")
    else:
        core.send(wire.SendAnswer(leg, sdp()), wire.SendOffer(leg, sdp(2)))
        call.ack(await peer.get(200))
        peer.reply(await peer.get("BYE"), 200)
        assert await core.take(wire.LegEnded, leg) == wire.LegEnded(leg, "us", "dialog_lost", 500)
    core.send(wire.EndLeg(uuid4()))  # of nobody
    await core.load()
    peer.close()
    _, err = await core.stop()
    assert "made to fail" in err


async def test_a_response_that_cannot_be_worked_on_ends_its_leg() -> None:
    core = await Core(CALM, program=("-c", BROKEN.format(what="dialog.EVENTS[dialog.CCEventConnect]"))).start()
    peer = Peer(core.address)
    leg = uuid4()
    core.send(wire.PlaceLeg(leg, "1", "far.example.org", "127.0.0.1", peer.port, "2", sdp()))
    peer.reply(await peer.get("INVITE"), 200, body=sdp())
    await peer.get("ACK")
    assert await core.take(wire.LegFailed, leg) == wire.LegFailed(leg, 500, "Server Internal Error")
    peer.reply(await peer.get("BYE"), 200)
    peer.close()
    await core.stop()


COLLECTED = """
import gc
from callwright.sip import process
real = process.Signalling._every_second
def every_second(self):
    gc.set_debug(gc.DEBUG_SAVEALL)
    if self.exchange.idle:
        gc.collect()
        with open(FILE, "a") as told:
            print(len(gc.garbage), sorted({type(x).__name__ for x in gc.garbage})[:20], file=told)
    real(self)
process.Signalling._every_second = every_second
raise SystemExit(process.main())
"""


async def test_legs_of_every_kind_leave_nothing_for_the_collector(tmp_path: Path) -> None:
    settings = SignallingSettings(max_late_ms=10_000.0, new_legs_per_s=10_000.0, t1_s=0.02)
    told = tmp_path / "told"
    core = await Core(settings, program=("-c", COLLECTED.replace("FILE", repr(str(told))))).start()
    peer = Peer(core.address)
    for _ in range(10):
        await one_of_each(core, peer)
    told.unlink(missing_ok=True)
    await asyncio.to_thread(until, told.exists, bool, what="that it is idle")
    peer.close()
    await core.stop()
    assert told.read_text().splitlines()[-1] == "0 []"


async def one_of_each(core: Core, peer: Peer) -> None:
    # answered, re-INVITEs both ways, INFO, ended by the far end
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    core.send(wire.SendProgress(leg), wire.SendAnswer(leg, sdp()))
    call.ack(await peer.get(200))
    call.invite(sdp(2))
    await core.take(wire.OfferArrived, leg)
    core.send(wire.AnswerOffer(leg, sdp(2)))
    call.ack(await peer.get(200))
    core.send(wire.SendOffer(leg, sdp(3)))
    peer.reply(await peer.get("INVITE"), 200, body=sdp(3))
    await core.take(wire.OfferAnswered, leg)
    call.send("INFO", "Signal=1", kind="application/dtmf-relay")
    await core.take(wire.InfoArrived, leg)
    # a transfer each way, and one that nobody answers before the end
    call.send("REFER", fields=["Refer-To: <sip:x@example.org>"])
    await core.take(wire.ReferArrived, leg)
    core.send(wire.AnswerRefer(leg), wire.TellReferral(leg, 200, "OK"))
    for _ in range(2):
        peer.reply(await peer.get("NOTIFY"), 200)
    core.send(wire.SendRefer(leg, "1"))
    peer.reply(await peer.get("REFER"), 603, "Decline")
    await core.take(wire.ReferEnded, leg)
    call.send("REFER", fields=["Refer-To: <sip:x@example.org>"])
    await core.take(wire.ReferArrived, leg)
    core.send(wire.SendRefer(leg, "1"))
    await peer.get("REFER")
    call.send("BYE")
    assert (await peer.get(487)).cseq[1] == "REFER"
    await core.take(wire.LegEnded, leg)
    # refused, cancelled, turned away
    for end in (wire.SendReject, wire.EndLeg):
        call = peer.call()
        call.invite()
        leg = (await core.take(wire.LegArrived)).leg
        core.send(wire.SendReject(leg, 404, "Not Found") if end is wire.SendReject else wire.EndLeg(leg))
        call.ack(await peer.get(404, 603))
        await core.take(wire.LegFailed, leg)
    call = peer.call()
    call.invite()
    leg = (await core.take(wire.LegArrived)).leg
    call.cancel()
    call.ack(await peer.get(487))
    await core.take(wire.LegFailed, leg)
    peer.call().invite(fields=["Require: x"])
    await peer.get(420)
    # unreadable, before a transaction and within one
    call = peer.call()
    peer.send(call.text("INVITE", sdp()).replace(f"Call-ID: {call.call_id}\r\n", ""))
    await peer.get(400)
    peer.call().invite(fields=["Record-Route: <bad"])
    await peer.get(400)
    peer.send(peer.call().text("INFO").replace("Max-Forwards: 70", "Contact <"))
    await peer.get(400)
    # placed: answered after a challenge and ended by us, busy, cancelled, late answer, nobody there
    for outcome in ("answer", "busy", "cancel", "late", "silent"):
        leg = uuid4()
        port = 9 if outcome == "silent" else peer.port
        core.send(wire.PlaceLeg(leg, "1", "far.example.org", "127.0.0.1", port, "2", sdp(), "bob", "pw"))
        if outcome == "silent":
            await core.take(wire.LegFailed, leg)
            continue
        invite = await peer.get("INVITE")
        if outcome == "busy":
            peer.reply(invite, 486, "Busy Here")
            await core.take(wire.LegFailed, leg)
        elif outcome == "answer":
            peer.reply(invite, 401, "Challenge", fields=['WWW-Authenticate: Digest realm="r",nonce="n"'])
            invite = await peer.get("INVITE")
            peer.reply(invite, 200, body=sdp())
            await core.take(wire.LegAnswered, leg)
            peer.reply(invite, 200, body=sdp(), tag="fork")
            peer.reply(await peer.get("BYE"), 200)
            await core.take(wire.ForkReleased, leg)
            core.send(wire.EndLeg(leg))
            peer.reply(await peer.get("BYE"), 200)
            await core.take(wire.LegEnded, leg)
        else:
            peer.reply(invite, 180, "Ringing")
            await core.take(wire.LegProgress, leg)
            core.send(wire.EndLeg(leg))
            peer.reply(await peer.get("CANCEL"), 200)
            if outcome == "cancel":
                peer.reply(invite, 487, "Request Terminated")
                await core.take(wire.LegFailed, leg)
            else:
                peer.reply(invite, 200, body=sdp())
                await core.take(wire.LegEnded, leg)
                peer.reply(await peer.get("BYE"), 200)
