"""SIPp, which is nobody's relative, calls the phone and is called by it."""

import asyncio

import pytest

from support.peers import require_peer
from support.ports import free_port, free_ports

SIPP = require_peer("sipp", apt="sip-tester")


async def sipp(tmp_path, *arguments):
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        SIPP, "-i", "127.0.0.1", "-nostdin", *arguments, cwd=tmp_path, stdin=quiet, stdout=quiet, stderr=quiet
    )


async def test_sipp_calls_the_phone(phone, tmp_path):
    bob = await phone(user="bob")
    await bob.do("policy", ring=0.1)
    caller = await sipp(tmp_path, "-sn", "uac", "-m", "3", "-r", "10", "-d", "300", "-p", str(free_port()), bob.sip)
    async with asyncio.timeout(60):
        assert await caller.wait() == 0
    assert [(await bob.wait("answered", call=n))["law"] for n in (1, 2, 3)] == ["PCMU"] * 3
    ends = [await bob.wait("ended", call=n) for n in (1, 2, 3)]
    assert [(end["who"], end["answered"]) for end in ends] == [("far", True)] * 3


async def test_the_phone_calls_sipp_and_hears_its_own_tone_back(phone, tmp_path):
    port, media = free_port(), free_ports(3)
    callee = await sipp(tmp_path, "-sn", "uas", "-rtp_echo", "-m", "1", "-p", str(port), "-mp", str(media))
    alice = await phone(user="alice")
    await alice.call(f"sip:service@127.0.0.1:{port}", tone=500)
    await alice.wait("ringing", code=180)
    assert (await alice.wait("answered"))["law"] == "PCMU"
    assert (await alice.wait("heard", silence=False))["hz"] == pytest.approx(500, abs=2)
    await alice.do("hangup")
    assert (await alice.wait("ended"))["code"] == 200
    counts = await alice.wait("counters")
    assert counts["sent"] - 25 <= counts["received"] <= counts["sent"]  # what was on its way at the end is not waited for
    callee.terminate()
    await callee.wait()
