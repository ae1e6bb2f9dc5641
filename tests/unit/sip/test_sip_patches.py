"""What is changed inside sippy, and that nothing else is."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest

from callwright.log import Log
from callwright.sip.patches import Faults

MESSAGES = """
import random, sys
from unittest import mock
from callwright.sip import patches
from callwright.sip.patches import Here, HerePort
import callwright.sip.exchange
from sippy import SipConf, SipVia, SipURL, SipTo
from sippy.SipAddress import SipAddress
from sippy.SipCallId import SipCallId
from sippy.SipCSeq import SipCSeq
from sippy.SipContact import SipContact
from sippy.SipFrom import SipFrom
from sippy.SipRequest import SipRequest

SipConf.SipConf.my_address, SipConf.SipConf.my_port = Here("198.51.100.1"), HerePort(5070)

def written():
    out = []
    with mock.patch.object(SipVia, "token_hex", lambda n: "b" * n):
        for host, port, transport in (("example.org", None, None), ("192.0.2.1", 5060, "udp"), ("192.0.2.1", 5099, "TCP"),
                                      (None, None, None)):
            uri = SipURL.SipURL(username="3000", host=host, port=port, transport=transport)
            caller = SipFrom(address=SipAddress(url=SipURL.SipURL(username="1000")))
            request = SipRequest(method="INVITE", ruri=uri, fr0m=caller, to=SipTo.SipTo(address=SipAddress(url=uri)),
                                 callid=SipCallId("c"), cseq=1, contact=SipContact(), target=(("192.0.2.1", 5060), "udp"))
            response = request.genResponse(200, "OK")
            for local in (None, (("192.0.2.9", 5060), "udp"), (("192.0.2.9", 5061), "udp"), (("192.0.2.9", 5061), "tls")):
                out += [request.localStr(local), response.localStr(local), request.genACK().localStr(local)]
    return out

before = written()
patched = patches.patch_dir()
after = written()
assert before == after
print(len(before), sorted(module.__name__ for module in patched))
"""


def test_messages_are_the_same_to_the_byte_with_our_dir() -> None:
    done = subprocess.run([sys.executable, "-c", MESSAGES], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    count, _, modules = done.stdout.strip().partition(" ")
    assert int(count) == 48
    for name in ("SipConf", "SipURL", "SipVia", "SipTransactionManager"):
        assert f"sippy.{name}'" in modules


INSTALLED = """
from types import SimpleNamespace
import callwright.sip.exchange
from callwright.sip import patches
patches.install(SimpleNamespace(printed=1, dumped=2), address="192.0.2.1", port=5060, user_agent="x", t1_s=0.5)
import sippy.SipMsg, sippy.UacStateTrying, sippy.SipTransactionManager
assert vars(sippy.SipMsg)["print"] == vars(sippy.UacStateTrying)["print"] == 1
assert vars(sippy.SipTransactionManager)["dump_exception"] == 2
from sippy.SipURL import SipURL
from sippy.SipFrom import SipFrom
header = SipFrom("<tel:+1-555;phone-context=a.b;npdi>;tag=x")
header.parse()
assert header.getUrl().username == "+1-555"
assert str(header.getCopy()) == str(header) == "<tel:+1-555;phone-context=a.b;npdi>;tag=x"
assert str(SipURL("sip:a%40b%3Bc%3Fd%23%20e+f;x=1@h")) == "sip:a%40b%3Bc%3Fd%23%20e+f;x=1@h"
assert str(SipURL("sip:\\udcc3\\udca9@h")) == "sip:%C3%A9@h"
print("done")
"""


def test_install() -> None:
    done = subprocess.run([sys.executable, "-c", INSTALLED], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_faults_are_counted_and_logged_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    now = SimpleNamespace(ns=10**12)
    faults = Faults(SimpleNamespace(mono_ns=lambda: now.ns), Log("sip.test"))  # type: ignore[arg-type]
    with caplog.at_level(logging.DEBUG, "callwright"):
        for number in range(3):
            try:
                raise ValueError("bad\r\nline" + "x" * 500)
            except ValueError as error:
                faults.unusable(f"udp:192.0.2.{number}:5060", error)
        try:
            raise KeyError("ours")
        except KeyError:
            faults.dumped("EventDispatcher2: unhandled exception when processing timeout event")
        now.ns += 10**9
        try:
            raise IndexError("theirs")
        except IndexError as error:
            with pytest.raises(IndexError):  # the server answers it and counts it
                faults.dumped("can't parse SIP request from udp:192.0.2.9:5060", extra="the whole message")
            faults.unusable("udp:192.0.2.9:5060", error)
        faults.unusable("udp:192.0.2.8:5060", ValueError("the end of the burst"))
        faults.flush()  # too soon
        now.ns += 10**9
        for _ in range(2):
            faults.flush()
    lines = [(record.getMessage(), vars(record)["fields"]) for record in caplog.records]
    first, broken, later, rest = lines
    assert first[0] == "sip_garbage"
    assert first[1]["source"] == "udp:192.0.2.0:5060"
    assert first[1]["reason"].startswith("ValueError: bad??linexxx")
    assert first[1]["reason"].endswith(f"({__file__.rpartition('/')[2]}:{first[1]['reason'].rpartition(':')[2][:-1]})")
    assert len(first[1]["reason"]) < 220
    assert broken[0] == "sip_fault"
    assert later[1] == {"source": "udp:192.0.2.9:5060", "reason": later[1]["reason"], "count": 3}
    assert rest == ("sip_garbage", {"source": "udp:192.0.2.8:5060", "reason": "ValueError: the end of the burst", "count": 1})
    assert (faults.garbage, faults.broken) == (5, 1)
    assert "the whole message" not in caplog.text
