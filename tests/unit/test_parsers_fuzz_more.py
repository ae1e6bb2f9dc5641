"""The same for what is read less often: flows in XML, files, settings, and the smaller fields and bodies of SIP."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import msgspec
from hypothesis import strategies as st
from sippy.MsgBody import MsgBody
from sippy.SipContentType import SipContentType
from sippy.SipHeader import SipHeader
from sippy.SipResponse import SipResponse

from callwright.dialect import decode
from callwright.dialect.paging import MAX_NUMBER, MAX_SIZE, page_of
from callwright.egress.addresses import Veto, refusal_of_url
from callwright.errors import Problem, SettingsError
from callwright.flows import xml
from callwright.flows.schema import OPTIONS, compile_flow
from callwright.media import wav
from callwright.settings.load import load
from callwright.sip import headers, info, refer_to, release
from callwright.sip.digest import Credentials
from callwright.sip.wire import DialogState
from support.fuzzing import bounded, fuzzed, spoilt

NAMES = sorted({field.encode_name for kind in OPTIONS.values() for field in msgspec.structs.fields(kind)})
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
VALUES = st.sampled_from(["", "0", "1", "1.5", "true", "FALSE", "null", "31205550199", "https://a.test/", "both"]) | st.text(
    LETTERS, max_size=8
)
STEPS = st.lists(
    st.tuples(st.sampled_from([*OPTIONS, "dance"]), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)),
    min_size=1,
    max_size=4,
)


def document(steps: list[tuple[str, dict[str, str]]], shape: int) -> str:
    elements = []
    for action, options in steps:
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in options.items() if name != "payload")
        name = action.upper() if shape & 1 else action
        elements.append(f"<{name}{attributes}>{escape(options.get('payload', ''))}</{name}>")
    head = '<?xml version="1.0" encoding="utf-8"?>\n' if shape & 2 else ""
    body = "\n".join(elements)
    return f"{head}<Flow>{body}</Flow>" if shape & 4 else f"{head}{body}"


@fuzzed(steps=STEPS, shape=st.integers(0, 7))
def test_a_flow_in_xml_is_the_flow_in_json(steps: list[tuple[str, dict[str, str]]], shape: int) -> None:
    """Every document that is a flow is the one its values make in JSON; where one is refused, so is the other."""
    blank = any(action != "say" and options.get("payload", "").strip() for action, options in steps)
    with bounded(Problem):
        body = xml.parse(document(steps, shape).encode())
        assert not blank
        sent = [
            {"action": action, "options": {name: value for name, value in options.items() if name != "payload"}}
            for action, options in steps
        ]
        for step, (action, options) in zip(sent, steps, strict=True):
            if action == "say" and (payload := options.get("payload", "").strip()):
                step["options"] = {"payload": payload, **step["options"]}  # type: ignore[dict-item]
        in_json = decode.flow(msgspec.json.encode({"steps": sent}), limit=1_000_000)
        assert body == in_json
        compile_flow(body)


@fuzzed(data=spoilt(st.tuples(STEPS, st.integers(0, 7)).map(lambda made: document(*made).encode())) | st.binary(max_size=80))
def test_xml_that_is_none(data: bytes) -> None:
    with bounded(Problem):
        body = xml.parse(data)
        assert decode.flow(msgspec.json.encode(body), limit=1_000_000) == body


# Files

CHUNKS = st.lists(
    st.tuples(st.sampled_from([b"fmt ", b"data", b"LIST", b"fact"]), st.binary(max_size=44), st.integers(-2, 2)), max_size=4
)
GOOD_FORMAT = bytes.fromhex("0100 0100 401f0000 803e0000 0200 1000")


def wave(chunks: list[tuple[bytes, bytes, int]]) -> bytes:
    body = b"".join(name + max(len(data) + off, 0).to_bytes(4, "little") + data for name, data, off in chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + b"WAVEfmt \x10\x00\x00\x00" + GOOD_FORMAT + body


@fuzzed(data=spoilt(CHUNKS.map(wave)) | CHUNKS.map(wave) | st.binary(max_size=60))
def test_wav_files(data: bytes) -> None:
    with bounded(wav.UnplayableFile):
        samples = wav.read(data)
        assert samples.dtype == "<i2"
        assert samples.nbytes <= len(data)


KEYS = st.sampled_from(
    [
        *(
            "http.port",
            "http.host",
            "sip.from",
            "sip.advertised_address",
            "media.ports",
            "calls.emergency_numbers",
            "calls.currency",
        ),
        *(
            "webhooks.retry",
            "store.synchronous",
            "log.level",
            "simulator.callees",
            "trunks",
            "http",
            "nonsense",
            "http.nonsense",
        ),
    ]
)
TOML_VALUES = st.sampled_from(
    [
        *("1", "-1", "1.5", "nan", "inf", "true", '""', '"x"', '"127.0.0.1"', '"::1"', "[]", "[1, 2]", '["10.0.0.0/8"]', "{}"),
        *("1979-05-27", "99999999999999999999", '[["a"]]', '{a = "b"}', '"\\u0000"', "20000", "[20001, 20000]"),
    ]
)


def toml(pairs: list[tuple[str, str]]) -> bytes:
    return "\n".join(f"{key} = {value}" for key, value in pairs).encode()


@fuzzed(data=spoilt(st.lists(st.tuples(KEYS, TOML_VALUES), max_size=5, unique_by=lambda pair: pair[0]).map(toml)))
def test_settings(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name, bounded(SettingsError):
        path = Path(name) / "callwright.toml"
        path.write_bytes(data)
        loaded = load({}, {}, path, Path(name) / "nowhere")
        assert set(loaded.origins.values()) <= {"default", str(path)}


# What clients and customers write

QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["page", "perPage", "limit", "offset", "CurrentPage", "x"]),
        st.text(max_size=5) | st.integers().map(str),
    ),
    max_size=5,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@fuzzed(query=QUERIES | st.text(max_size=20))
def test_pages(query: str) -> None:
    with bounded():
        page = page_of(query)
        assert 1 <= page.number <= MAX_NUMBER
        assert 1 <= page.size <= MAX_SIZE
        assert 0 <= page.offset <= MAX_NUMBER


@fuzzed(address=st.ip_addresses(), form=st.sampled_from(["http://{}/", "https://{}:8443/x", "HTTP://{}"]))
def test_addresses_in_urls_are_told_alike_in_every_spelling(address: Any, form: str) -> None:
    """What may not be requested as an address may not be requested as the IPv6 address that stands for it."""
    with bounded():
        bare = f"[{address}]" if address.version == 6 else str(address)
        refusal = refusal_of_url(form.format(bare), Veto())
        assert (refusal is None) == (Veto().refusal(str(address)) is None)
        if address.version == 4:
            assert refusal_of_url(form.format(f"[::ffff:{address}]"), Veto()) is not None


# SIP

BODIES = st.lists(
    st.tuples(
        st.sampled_from(["Signal", "duration", " SIGNAL ", "x"]), st.sampled_from(["5", "#", "10", "16", "999999", "", "٣"])
    ),
    max_size=4,
).map(lambda lines: "\r\n".join("=".join(line) for line in lines))


@fuzzed(
    kind=st.sampled_from(["application/dtmf-relay", "application/dtmf", "Application/DTMF; a", ""]),
    body=BODIES | st.text(max_size=9),
)
def test_keys_in_info(kind: str, body: str) -> None:
    with bounded():
        read = info.read_key(kind, body)
        if read is not None:
            key, duration = read
            assert key in info.KEYS
            assert 0 <= duration < 100_000
            assert info.read_key("application/dtmf-relay", f"Signal={key}\r\nDuration={duration}") == read


WIRE = st.binary(max_size=20).map(lambda data: data.decode("ascii", "surrogateescape"))  # as sippy has it


@fuzzed(reasons=st.lists(WIRE | st.sampled_from(['Q.850;cause=17;text="Ü"', "SIP;cause=200"]), max_size=3))
def test_reasons(reasons: list[str]) -> None:
    """What comes as Reason fields goes on as one line, whatever it is."""
    with bounded():
        message = SipResponse(scode=486, reason="Busy", sipver="SIP/2.0")
        message.appendHeaders([SipHeader(name="reason", body=headers.Field("Reason", reason)) for reason in reasons])
        told = headers.reason_of(message)
        msgspec.json.encode(told)
        for field in headers.reason_fields(told):
            written = str(field).encode("utf-8", "surrogateescape")
            assert not set(written) & {0, 10, 13}


PARTS = st.lists(
    st.tuples(st.sampled_from(["application/sdp", "text/plain", "multipart/mixed; boundary=b", ""]), WIRE | st.just("v=0\r\n")),
    max_size=3,
)


@fuzzed(boundary=st.sampled_from(["b", '"b c"', "", '"', "=", "b\\"]), parts=PARTS, rest=WIRE)
def test_bodies_of_several_parts(boundary: str, parts: list[tuple[str, str]], rest: str) -> None:
    with bounded():
        text = "".join(f"--{boundary.strip(chr(34))}\r\nContent-Type: {kind}\r\n\r\n{body}\r\n" for kind, body in parts)
        kind = SipContentType(f"multipart/mixed;boundary={boundary}")
        kind.parse()
        found = headers.description_in(MsgBody(text + rest, mtype=kind))
        msgspec.json.encode(found)


URIS = st.sampled_from(
    ["sip:a@b", "tel:+1", "31612345678", "sips:a@b", "sip:a@b;method=BYE", "sip:a@b?Replaces=1", "sip:", "", " " * 40_000, "é"]
)


@fuzzed(
    name=st.sampled_from(["", '"a, b" ', '"', '"\\" ', "x", " " * 20_000]),
    uri=URIS,
    shape=st.sampled_from(["{}<{}>", "{}<{}>;a=b", "{}{};a=b", "{}<{}", "{}{}>", "{}<{}>,<sip:c@d>", "{}<<{}>>"]),
    noise=st.text(max_size=20),
)
def test_who_is_referred_to_and_by(name: str, uri: str, shape: str, noise: str) -> None:
    """A target is a number or URI on one line, or the REFER is refused."""
    value = shape.format(name, uri) + noise
    with bounded(refer_to.Unreferable):
        refer_to.read_referred_by([value])
        target = refer_to.read([value])
        assert target.isprintable()
        assert refer_to.refer_to(target, "b") is not None


STATES = st.builds(
    DialogState,
    *(st.sampled_from([b"1@a", b"", b"\xff"]), st.sampled_from([b"<sip:a@b>;tag=1", b"<sip:a", b"\xe9"])),
    *(
        st.sampled_from([b'"x" <sip:a@b>;tag=2', b"tel:1"]),
        st.sampled_from([b"sip:a@192.0.2.1:5070", b"sip:", b"", b"http://a"]),
    ),
    st.lists(st.sampled_from([b"<sip:192.0.2.9;lr>", b"", b"<"]), max_size=3).map(tuple),
    *(st.integers(0, 2**33), st.sampled_from(["192.0.2.1", "", "::1"]), st.integers(-1, 70_000)),
)


@fuzzed(state=spoilt(STATES.map(msgspec.msgpack.encode)) | st.binary(max_size=40))
def test_kept_dialogs(state: bytes) -> None:
    with bounded(release.UnusableState):
        request = release.bye(state)
        assert request.getMethod() == "BYE"
        assert 0 < request.getHFBody("cseq").getCSeqNum() < 2**31


PARAMETERS = st.sampled_from(
    [
        *('realm="a, b"', 'realm="Büro"', 'realm=""', "realm=a", 'nonce="x\\"y"', 'nonce="é"', 'opaque="é"', "stale=TRUE"),
        *('qop="auth,auth-int"', "qop=auth", "qop", "algorithm=MD5", "algorithm=SHA-256", 'algorithm="x"', "=", ",", '"'),
    ]
)
CHALLENGES = st.lists(PARAMETERS, max_size=6).map(", ".join)


@fuzzed(
    challenges=st.lists(st.tuples(st.sampled_from(["Digest ", "digest  ", "Basic ", ""]), CHALLENGES), max_size=3),
    noise=spoilt(st.just(b"")),
    tried=st.booleans(),
)
def test_challenges(challenges: list[tuple[str, str]], noise: bytes, tried: bool) -> None:
    """A challenge is met or not; what is sent back has no line ends in it."""
    with bounded():
        response = SipResponse(scode=401, reason="Unauthorized", sipver="SIP/2.0")
        for scheme, parameters in challenges:
            raw = f"WWW-Authenticate: {scheme}{parameters}".encode() + base64.b16encode(noise)
            response.appendHeader(SipHeader(raw.decode("ascii", "surrogateescape")))
        credentials = Credentials("u", "p")
        if credentials.accept(response, tried=tried):
            request = release.bye(
                msgspec.msgpack.encode(
                    DialogState(b"1@a", b"<sip:a@b>;tag=1", b"<sip:c@d>;tag=2", b"sip:c@192.0.2.1", (), 1, "192.0.2.1", 5060)
                )
            )
            credentials.sign(request, "sip:c@192.0.2.1")
            written = str(request.getHFBody("authorization")).encode("utf-8", "surrogateescape")
            assert written.startswith(b"Digest username=")
            assert b"\r" not in written
