"""Names of targets, on a virtual clock and with a resolver of our own."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from callwright.clock import VirtualClock, VirtualLoop
from callwright.media import wire as media
from callwright.sip import wire as sip
from callwright.sip.engine import EngineSettings, SipEngine
from callwright.sip.names import NameNotFound, Names, literal
from callwright.telephony import Cause, HangUp, Originate, Refused, Target

LEG, CALL = UUID(int=1), UUID(int=2)


ADMIT = sip.Admit(open=True, refusal="")


class Resolver:
    def __init__(self, answers: dict[str, str], seconds: float = 0.1) -> None:
        self.answers = answers
        self.seconds = seconds
        self.asked: list[str] = []

    async def __call__(self, host: str) -> str:
        self.asked.append(host)
        await asyncio.sleep(self.seconds)
        if host not in self.answers:
            raise OSError("Name or service not known")
        return self.answers[host]


def run(story) -> None:
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(story(VirtualClock(loop)))


@pytest.mark.parametrize(
    ("host", "address"), [("192.0.2.1", "192.0.2.1"), ("example.com", None), ("192.0.2", None), ("192.0.2.01", None)]
)
def test_literals(host: str, address: str | None) -> None:
    assert literal(host) == address


@pytest.mark.parametrize("host", ["::1", "[2001:db8::1]"])
def test_ipv6_is_refused_clearly(host: str) -> None:
    with pytest.raises(NameNotFound, match="IPv6 is not supported"):
        literal(host)


def test_lookups_are_shared_and_kept_for_a_minute() -> None:
    async def story(clock: VirtualClock) -> None:
        resolver = Resolver({"sip.example.com": "192.0.2.7"})
        names = Names(clock, resolver)
        said: list[str] = []
        for _ in range(3):
            names.ask("sip.example.com", said.append, said.append)
        await clock.sleep(1)
        assert said == ["192.0.2.7"] * 3
        assert names.known("sip.example.com") == "192.0.2.7"
        await clock.sleep(60)
        assert names.known("sip.example.com") is None
        names.ask("sip.example.com", said.append, said.append)
        await clock.sleep(1)
        assert resolver.asked == ["sip.example.com"] * 2

    run(story)


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (0.1, "no.example.com: Name or service not known"),
        (60, "no.example.com: no answer from the resolver within 5 s"),
    ],
)
def test_failures_are_told_and_not_kept(seconds: float, why: str) -> None:
    async def story(clock: VirtualClock) -> None:
        resolver = Resolver({}, seconds)
        names = Names(clock, resolver)
        for _ in range(2):
            said: list[str] = []
            names.ask("no.example.com", lambda _: None, said.append)
            await clock.sleep(10)
            assert said == [why]
        assert len(resolver.asked) == 2

    run(story)


class Child:
    backlog = 0

    def __init__(self) -> None:
        self.sent: list[object] = []

    def send(self, message: object) -> None:
        self.sent.append(message)


@pytest.mark.parametrize("opened_first", [True, False])
def test_an_invite_waits_for_the_address_and_the_port(opened_first: bool) -> None:
    async def story(clock: VirtualClock) -> None:
        engine = SipEngine(EngineSettings(address="198.51.100.1"), clock, lookup=Resolver({"sip.example.com": "192.0.2.7"}))
        signalling, plane = Child(), Child()
        engine.signalling_up(signalling)
        engine.media_up(0, plane)
        engine.submit(Originate(id=1, call=CALL, leg=LEG, caller="1", target=Target("2", "sip.example.com", 5070, "u", "p")))
        if opened_first:
            engine.on_media(0, media.Opened(LEG, 20000))
        await clock.sleep(0.2)
        if not opened_first:
            assert signalling.sent == [ADMIT]
            engine.on_media(0, media.Opened(LEG, 20000))
        [admit, placed] = signalling.sent
        assert admit == ADMIT
        assert isinstance(placed, sip.PlaceLeg)
        assert (placed.user, placed.host, placed.address, placed.port, placed.username, placed.password) == (
            "2",
            "sip.example.com",
            "192.0.2.7",
            5070,
            "u",
            "p",
        )
        engine.close()

    run(story)


@pytest.mark.parametrize(
    ("host", "detail"),
    [
        ("no.example.com", "no.example.com: Name or service not known"),
        ("2001:db8::1", "2001:db8::1: IPv6 is not supported; use an IPv4 address or a name that has one"),
    ],
)
def test_a_target_without_an_address_is_unreachable(host: str, detail: str) -> None:
    async def story(clock: VirtualClock) -> None:
        engine = SipEngine(EngineSettings(address="198.51.100.1"), clock, lookup=Resolver({}))
        events: list[object] = []
        engine.attach(events.append)
        plane = Child()
        engine.signalling_up(Child())
        engine.media_up(0, plane)
        engine.submit(Originate(id=1, call=CALL, leg=LEG, caller="1", target=Target("2", host)))
        assert events == []
        await clock.sleep(1)
        assert [(type(e), e.cause, e.detail) for e in events] == [(Refused, Cause.UNREACHABLE, detail)]
        assert len([m for m in plane.sent if isinstance(m, media.Open)]) == len(
            [m for m in plane.sent if isinstance(m, media.Close)]
        )

    run(story)


def test_a_name_found_too_late_dials_nothing() -> None:
    async def story(clock: VirtualClock) -> None:
        engine = SipEngine(EngineSettings(address="198.51.100.1"), clock, lookup=Resolver({"sip.example.com": "192.0.2.7"}))
        events: list[object] = []
        engine.attach(events.append)
        signalling = Child()
        engine.signalling_up(signalling)
        engine.media_up(0, Child())
        engine.submit(Originate(id=1, call=CALL, leg=LEG, caller="1", target=Target("2", "sip.example.com")))
        engine.on_media(0, media.Opened(LEG, 20000))
        engine.submit(HangUp(id=2, call=CALL, leg=LEG))
        await clock.sleep(1)
        assert signalling.sent == [ADMIT]
        assert [(type(e), e.cause) for e in events] == [(Refused, Cause.CANCELLED)]

    run(story)
