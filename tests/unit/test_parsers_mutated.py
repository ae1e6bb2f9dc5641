"""Every parser under spoilt copies of a corpus: bits flipped, pieces cut off, doubled and put together from two.

What a parser may raise is its one documented error. Findings stay in the corpus, under a name that says what is wrong.
SIP messages have a program of their own (`support.sip_fuzz`).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from callwright import ids, ipc
from callwright.accounts.worlds import Accounts
from callwright.clock import SystemClock
from callwright.dialect import decode, paging
from callwright.egress import addresses, urls
from callwright.errors import Problem, SettingsError, Unauthenticated
from callwright.flows import xml
from callwright.flows.schema import compile_flow
from callwright.media import rtcp, rtp, wav
from callwright.media import wire as media_wire
from callwright.media.rtp import MalformedPacket
from callwright.media.telephone_event import EventPayload, EventReader
from callwright.numbers.numbers import normalised
from callwright.settings.load import load
from callwright.sip import info, offer, release, sdp
from callwright.sip import wire as sip_wire
from callwright.store import Store
from callwright.trunks.routes import parse_sip_uri
from support.fuzzing import LARGEST, SLOWEST_S, mutants
from support.litter import clear_litter

SHORT, LONG = 400, 40_000
HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
MOST_MEMORY = 24 << 20  # for an input of 64 kB

US = offer.Local("198.51.100.1", 20_000, 7)
CALL = json.dumps(
    {
        "source": "31205550100",
        "destination": "+31 20 555 0101",
        "callFlow": {
            "title": "é",
            "record": False,
            "steps": [
                {"action": "transfer", "options": {"destination": "sip:a@b.test:5070;transport=udp", "mask": "true"}},
                {"id": "b", "action": "play", "options": {"media": ["https://a.test/b.wav"], "endKey": "#"}},
                {
                    "action": "pause",
                    "options": {"length": "1.5"},
                    "conditions": [{"variable": "a", "operator": "==", "value": ""}],
                },
                {"action": "say", "options": {"payload": "Hi\u2028", "language": "en-GB", "repeat": 2}},
            ],
        },
        "webhook": {"url": "https://a.test/hook?b=c", "token": "t"},
    }
).encode()
FLOW = json.dumps(json.loads(CALL)["callFlow"]).encode()


class Parser(NamedTuple):
    """`read` may raise `error` and nothing else."""

    read: Callable[[bytes], Any]
    error: tuple[type[Exception], ...]
    corpus: list[bytes]


def described(data: bytes) -> None:
    theirs = sdp.parse(data.decode("utf-8", "replace"))
    assert sdp.parse(sdp.serialize(theirs)) is not None
    offer.answer(theirs, US, prefer=None)


def frames(data: bytes) -> None:
    for union in (sip_wire.SignallingMessage, sip_wire.CoreMessage, media_wire.MediaMessage):
        unframer = ipc.Unframer(union)
        for start in range(0, len(data), 4_096):
            unframer.feed(data[start : start + 4_096])


def key_events(data: bytes) -> None:
    reader, now = EventReader(), 0
    for start in range(0, min(len(data), 8_192), 4):
        now += 160
        reader.packet(160 * (start // 12), EventPayload.parse(data[start : start + 4]), False, now)
        reader.elapse(now)


def settings_file(tmp_path: Path) -> Callable[[bytes], Any]:
    path = tmp_path / "callwright.toml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        load({}, {}, path, tmp_path / "nowhere")

    return read


async def keys() -> tuple[Accounts, list[bytes]]:
    """A room with two keys, and header fields that open it."""
    accounts = Accounts(Store.in_memory(), SystemClock())
    await accounts.prepare()
    made = [await accounts.make_key(kind) for kind in ("live", "test")]
    return accounts, [f"{scheme} {key.secret}".encode() for scheme, key in zip(("AccessKey", "accesskey "), made, strict=True)]


def text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: read(data.decode("utf-8", "replace"))


def files(folder: Path, pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob(pattern))]


def sound(samples: int, **fields: int) -> bytes:
    """A WAV file; `fields` are those of its format that are not as they should be."""
    told = {"kind": 1, "channels": 1, "rate": 8000, "bits": 16, **fields}
    form = (
        b"".join(told[name].to_bytes(size, "little") for name, size in (("kind", 2), ("channels", 2), ("rate", 4)))
        + (16_000).to_bytes(4, "little")
        + b"\x02\x00"
        + told["bits"].to_bytes(2, "little")
    )
    chunks = b"fmt " + len(form).to_bytes(4, "little") + form + b"LIST\x03\x00\x00\x00abc\x00"
    chunks += b"data" + (2 * samples).to_bytes(4, "little") + bytes(2 * samples)
    return b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WAVE" + chunks


STATE = msgspec.msgpack.encode(
    sip_wire.DialogState(
        b"1@192.0.2.7", b'"A" <sip:a@192.0.2.1>;tag=1', b"<sip:b@192.0.2.7>;tag=2", b"sip:b@192.0.2.7:5070;transport=udp",
        (b"<sip:192.0.2.8;lr>", b"sip:192.0.2.9"), 7, "192.0.2.7", 5070,
    )
)  # fmt: skip
SENT = [
    sip_wire.LegFailed(ids.uuid7(1), 486, "Busy Here", 'Q.850;cause=17;text="busy"'),
    sip_wire.LegAnswered(ids.uuid7(2), "v=0\r\n", "1@192.0.2.7", STATE),
]
ADDRESSES = [
    *(b"https://a.test/b?c=d#e", b"http://user:pw@[2001:db8::1]:8080/", b"http://127.0.0.1:80/../a%20b", b"https://0x7f.1/"),
    *(
        b"http://[::ffff:127.0.0.1]/",
        "https://bücher.test/ü".encode(),
        b"http://169.254.169.254/latest",
        b"https://xn--a.test.",
    ),
    *(b"http://1.1.1.1:65536/", b"http://[fe80::1%25eth0]/", b"http://2130706433/", b"http://017700000001/"),
]

PARSERS: dict[str, Parser] = {
    "sdp": Parser(described, (sdp.SdpError,), files(CORPUS, "*.sdp")),
    "rtp": Parser(rtp.parse, (MalformedPacket,), files(HERE / "media" / "packets", "rtp*.bin")),
    "rtcp": Parser(rtcp.parse, (MalformedPacket,), files(HERE / "media" / "packets", "rtcp*.bin")),
    "telephone-event": Parser(key_events, (MalformedPacket,), [b"\x05\x0a\x00\xa0" * 3 + b"\x05\x8a\x03\x20" * 3]),
    "call": Parser(lambda body: decode.call(body, flow_limit=32_768), (Problem,), [CALL]),
    "call flow": Parser(lambda body: decode.call_flow(body, flow_limit=32_768), (Problem,), [CALL]),
    "party": Parser(decode.party, (Problem,), [b'{"source": "+31 20 555 0100"}', b'{"Source": "sip:a@b.test"}', b""]),
    "destination": Parser(
        lambda text: decode.destination(text.decode("latin-1")), (Problem,), [b"31205550100", b"sip:desk@pbx.test", b"client:x"]
    ),
    "flow": Parser(lambda body: compile_flow(decode.flow(body, limit=32_768)), (Problem,), [FLOW]),
    "flow xml": Parser(lambda body: compile_flow(xml.parse(body)), (Problem,), files(CORPUS, "*.xml")),
    "numbers": Parser(decode.numbers, (Problem,), [b'{"numbers": ["+31205550100", "0031 20-555", 31205550101]}', b'["1"]']),
    "webhook": Parser(decode.webhook, (Problem,), [b'{"title": "a", "url": "https://a.test", "token": "b"}', b"[]"]),
    "transcription": Parser(decode.transcription, (Problem,), [b'"en-GB"', b'{"language": "nl-NL"}']),
    "page": Parser(text(paging.page_of), (), [b"page=2&perPage=20&limit=5&offset=%31%30", b"currentPage=-1"]),
    "info": Parser(
        text(lambda body: [info.read_key(kind, body) for kind in ("application/dtmf", "application/dtmf-relay")]),
        (),
        [b"Signal=5\r\nDuration=160\r\n", b"11", b"signal = #\nduration = 80"],
    ),
    "wav": Parser(wav.read, (wav.UnplayableFile,), [sound(80), sound(3, rate=44_100), sound(0), sound(8, kind=0xFFFE)]),
    "dialog": Parser(release.bye, (release.UnusableState,), [STATE]),
    "frames": Parser(frames, (ipc.LinkBroken,), [ipc.frame(SENT), ipc.frame([ipc.Ping(), ipc.Pong()])]),
    "url": Parser(text(urls.parse), (urls.BadUrl,), ADDRESSES),
    "veto": Parser(text(lambda url: addresses.refusal_of_url(url, addresses.Veto(["10.1.0.0/16"]))), (), ADDRESSES),
    "sip uri": Parser(text(parse_sip_uri), (), [b"sip:+31205550100@pbx.test:5070;transport=udp?a=b", b"sip:[::1]", b"sip:@c"]),
    "number": Parser(text(normalised), (), [b"+31 (0)20 555-01.00", b"tel:+31205550100;ext=1", b"0031205550100"]),
}  # fmt: skip


def parser(name: str, tmp_path: Path) -> Parser:
    if name == "settings":
        written = (Path(__file__).parents[2] / "docs" / "settings.toml").read_bytes()
        few = b'[http]\nport = 8080\n[sip]\nfrom = ["192.0.2.0/24"]\n[[trunks]]\nname = "a"\naddress = "b:5060"\nfrom = []\n'
        return Parser(settings_file(tmp_path), (SettingsError,), [few, few, few, written])
    if name == "key":
        accounts, sent = asyncio.run(keys())
        return Parser(lambda data: accounts.authenticate(data.decode("latin-1")), (Unauthenticated,), sent)
    return PARSERS[name]


NAMES = [*PARSERS, "settings", "key"]


@pytest.mark.parametrize("count", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", NAMES)
def test_spoilt(name: str, count: int, tmp_path: Path) -> None:
    read, errors, corpus = parser(name, tmp_path)
    values = refusals = 0
    for data in [*corpus, *mutants(corpus, count)]:
        began, said = time.thread_time(), "a value"
        try:
            read(data)
            values += 1
        except errors as error:
            refusals, said = refusals + 1, str(error)
        except Exception as error:
            raise AssertionError(f"{error!r} at {data!r}") from error
        assert time.thread_time() - began < SLOWEST_S, data[:200]
        assert said
    assert values > 0
    assert refusals > 0 or not errors


# Each makes 64 kB of what some parser might look at again and again.
SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "its end, repeated": lambda seed: seed + seed[-40:] * (LARGEST // max(len(seed[-40:]), 1)),
    "its beginning, repeated": lambda seed: seed[:40] * (LARGEST // 40),
    "blanks": lambda seed: seed[:-2] + b" " * LARGEST + seed[-2:],
    "line ends": lambda seed: seed[:-2] + b"\r\n" * (LARGEST // 2) + seed[-2:],
    "digits": lambda seed: seed.replace(b"1", b"1" * LARGEST, 1) if b"1" in seed else seed + b"9" * LARGEST,
    "every number without end": lambda seed: re.sub(rb"[0-9]+", b"9" * 5_000, seed),
    "the last number without end": lambda seed: re.sub(rb"[0-9]+(?=[^0-9]*$)", b"9" * 5_000, seed),
    "deep in JSON": lambda seed: b"[" * LARGEST,
    "deep in TOML": lambda seed: b"a = " + b"[" * LARGEST,
    "deep in XML": lambda seed: b"<a>" * LARGEST,
    "opened and never closed": lambda seed: b'{"a":[<(' * (LARGEST // 8),
    "letters": lambda seed: seed + b"a" * LARGEST,
    "quotes": lambda seed: seed[:20] + b'\\"' * (LARGEST // 2) + seed[20:],
    "percent signs": lambda seed: seed[:12] + b"%41" * (LARGEST // 3) + seed[12:],
    "dots and colons": lambda seed: seed[:8] + b".:" * (LARGEST // 2) + seed[8:],
    "zeros": lambda seed: seed + bytes(LARGEST),
    "all ones": lambda seed: seed[:2] + b"\xff" * LARGEST,
}


@pytest.mark.parametrize("name", NAMES)
def test_64_kb_take_no_time_and_no_memory(name: str, tmp_path: Path) -> None:
    read, errors, corpus = parser(name, tmp_path)
    clear_litter()
    for shape, make in SHAPES.items():
        data = make(corpus[0])[:LARGEST]
        tracemalloc.start()
        began, said = time.thread_time(), ""
        try:
            read(data)
        except errors as error:
            said = str(error)
        took = time.thread_time() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(said) < 2_000, shape
        assert took < 2 * SLOWEST_S, (shape, took)  # traced, everything takes twice as long
        assert peak < MOST_MEMORY, (shape, peak)
