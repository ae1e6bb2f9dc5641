"""What the acts of the demo work with, and how they wait for what the platform does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar

from callwright.cli.demo import signatures
from callwright.cli.demo.customer import Answer, Customer
from callwright.cli.demo.expectations import Findings
from callwright.cli.demo.receiver import Received, Receiver, tone_file
from callwright.cli.demo.server import Server
from callwright.clock import Clock
from callwright.errors import CallwrightError
from callwright.phone.client import Phone

T = TypeVar("T")

GREETING_HZ, TONE_A_HZ, TONE_B_HZ = 650.0, 500.0, 850.0
GREETING_S = 2.0
GREETING_PATH = "/greeting.wav"
# Two windows of half a second tell tones apart by 2 Hz; G.711 moves none.
NEAR_HZ = 5.0
WAIT_S = 15.0
PAUSE_S = 0.05
RIGHT = "right"
TERMINAL = frozenset({"ended", "busy", "no_answer", "failed"})


class ActOver(CallwrightError):
    """An act cannot go on."""


class Stage:
    """Everything that is up while the demo runs. Made by `set_up`."""

    def __init__(self, server: Server, receiver: Receiver, phones: tuple[Phone, Phone], findings: Findings) -> None:
        self.server = server
        self.receiver = receiver
        self.a, self.b = phones
        self.findings = findings
        self.live, self.test = self._customer("live"), self._customer("test")
        self._signing_keys = {world: self._asked("/api/keys/signing", world)["signingKey"] for world in ("live", "test")}
        self.callbacks: list[dict[str, Any]] = []

    @classmethod
    async def set_up(cls, clock: Clock, findings: Findings, keep: AsyncExitStack, tell: Callable[[str], None]) -> Self:
        """Start everything; `keep` ends it."""
        tell("Starting the platform")
        server = await keep.enter_async_context(Server(clock))
        tell("Starting a web service for callbacks, and two telephones")
        sounds = {GREETING_PATH: await asyncio.to_thread(tone_file, GREETING_HZ, GREETING_S)}
        receiver = Receiver(clock, sounds)
        keep.callback(receiver.close)
        phones = []
        for user in ("31205550177", "31205550199"):
            phones.append(phone := await Phone.start(user=user))
            keep.push_async_callback(phone.stop)
        return await asyncio.to_thread(cls, server, receiver, (phones[0], phones[1]), findings)

    async def native(self, path: str, world: str = "live") -> Any:
        """Ask the native interface as the operator."""
        return await asyncio.to_thread(self._asked, path, world)

    async def ended(self, customer: Customer, call_id: str) -> dict[str, Any]:
        """The call once it is over, or as it is when patience ends."""

        async def look() -> dict[str, Any]:
            return (await customer.get(f"/calls/{call_id}")).first

        return await self._until(look, lambda call: call.get("endedAt") is not None)

    async def callbacks_of(self, act: str, call_id: str, world: str, token: str) -> list[Received]:
        """The callbacks about a call up to its last, each with the verdict on its signatures kept in `callbacks`."""

        async def look() -> list[Received]:
            return self.receiver.of_call(call_id)

        found = await self._until(look, lambda seen: any(one.item["payload"]["status"] in TERMINAL for one in seen))
        for one in found:
            faults = signatures.faults(
                one.url, one.headers, one.body, arrived_s=one.at_s, token=token, signing_key=self._signing_keys[world]
            )
            self.callbacks.append(
                {
                    "act": act,
                    "event": one.item["event"],
                    "status": one.item["payload"]["status"],
                    "sequence": _header(one, "webhook-sequence"),
                    "signatures": {name: fault or RIGHT for name, fault in faults.items()},
                    "body": one.content,
                }
            )
        return found

    def judge_signatures(self, act: str, expectation: str) -> None:
        verdicts = [callback["signatures"] for callback in self.callbacks if callback["act"] == act]
        wrong: dict[str, list[str]] = {}
        for one in verdicts:
            for name, verdict in one.items():
                if verdict != RIGHT:
                    wrong.setdefault(name, []).append(verdict)
        faults = [f"{name} of {len(said)} callbacks: {said[0]}" for name, said in wrong.items()]
        observed = "; ".join(faults) or f"{len(verdicts)} callbacks, {sum(map(len, verdicts))} signatures right"
        self.findings.note(expectation, observed, met=bool(verdicts) and not wrong)

    async def _until(self, look: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
        seen = await look()
        for _ in range(round(WAIT_S / PAUSE_S)):
            if enough(seen):
                break
            await asyncio.sleep(PAUSE_S)
            seen = await look()
        return seen

    def _customer(self, kind: str) -> Customer:
        with self.server.control() as control:
            made = control.ask("POST", "/api/keys", {"kind": kind, "label": "demo"})
        return Customer(self.server.address.http, made["key"])

    def _asked(self, path: str, world: str) -> Any:
        with self.server.control() as control:
            return control.get(path, world=world)


async def hears(phone: Phone, call: int, hz: float) -> dict[str, Any]:
    """What a telephone hears, as soon as it is a tone; the last of some measurements where it never is."""
    heard: dict[str, Any] = {}
    for _ in range(8):
        heard = await phone.measure(0.5, call=call)
        if near(heard["hz"], hz):
            break
    return {name: heard.get(name) for name in ("hz", "level", "share")}


def near(heard: float | None, hz: float) -> bool:
    return heard is not None and abs(heard - hz) <= NEAR_HZ


def made(answer: Answer, what: str) -> dict[str, Any]:
    """The object an answer says was made, or the end of the act."""
    if answer.status != 201 or not answer.first:
        raise ActOver(f"{what} answered {answer.status}: {_errors(answer.content)}")
    return answer.first


def order_fault(received: Sequence[Received]) -> str | None:
    """What is wrong with the order of a call's callbacks; None when it is right."""
    if not received:
        return "no callback came"
    events = [one.item["event"] for one in received]
    if events != ["callCreated"] + ["callUpdated"] * (len(events) - 1):
        return f"the events were {', '.join(events)}"
    sequence = [_header(one, "webhook-sequence") for one in received]
    if sequence != [str(n) for n in range(1, len(sequence) + 1)]:
        return f"webhook-sequence was {', '.join(map(str, sequence))}"
    statuses = [one.item["payload"]["status"] for one in received]
    if statuses[-1] != "ended" or TERMINAL & set(statuses[:-1]):
        return f"the statuses were {', '.join(statuses)}"
    return None


def keys_fault(shown: Any, required: Sequence[str], optional: Sequence[str] = ()) -> str | None:
    """What is wrong with the keys of an object; None when they are the documented ones."""
    if not isinstance(shown, Mapping):
        return f"no object but {shown!r}"
    missing = [key for key in required if key not in shown]
    surplus = [key for key in shown if key not in required and key not in optional]
    if missing or surplus:
        return f"keys missing: {', '.join(missing) or 'none'}; not documented: {', '.join(surplus) or 'none'}"
    return None


def _header(received: Received, name: str) -> str | None:
    return next((value for header, value in received.headers.items() if header.lower() == name), None)


def _errors(content: Any) -> str:
    try:
        return "; ".join(error["message"] for error in content["errors"])
    except (LookupError, TypeError):
        return str(content)
