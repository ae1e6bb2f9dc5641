"""Whatever both far ends and the API do, over SIP and at once: every call ends once, and its record is sound."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from callwright.calls.model import Call
from callwright.errors import Problem
from callwright.flows.schema import compile_flow
from support.sip_peer import Message, Peer, sdp
from support.sip_stage import SipStage, pause, transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORIES = 40
FINALS = [(200, "OK"), (200, "OK"), (200, "OK"), (486, "Busy Here"), (302, "Moved"), (487, "Gone"), (503, "No")]


class Whimsical(Peer):
    """Answers whatever comes, after a while of its own, and not always as it should."""

    def __init__(self, target: tuple[str, int], chance: Random) -> None:
        super().__init__(target)
        self.chance = chance
        self.invited: list[Message] = []
        self.task = asyncio.get_running_loop().create_task(self._answer())

    def close(self) -> None:
        self.task.cancel()
        super().close()

    async def _answer(self) -> None:
        while True:
            request = await self.get("INVITE", "CANCEL", "BYE", "REFER", within=600.0)
            asyncio.get_running_loop().create_task(self._answer_one(request))

    async def _answer_one(self, request: Message) -> None:
        with contextlib.suppress(OSError):  # the story is over
            if request.what != "INVITE":
                if request.what == "CANCEL" and self.chance.random() < 0.7:
                    self.reply(self.invited[-1], 487, "Request Terminated")
                self.reply(request, self.chance.choice([202, 202, 603]) if request.what == "REFER" else 200)
            elif not any(request.branch == known.branch for known in self.invited):
                self.invited.append(request)
                if self.chance.random() < 0.8:
                    self.reply(request, 180, "Ringing")
                await asyncio.sleep(self.chance.random() * 0.1)
                code, phrase = self.chance.choice(FINALS)
                for tag in ["far", "fork"][: self.chance.choice([1, 1, 1, 2])]:
                    self.reply(request, code, phrase, body=sdp() if code == 200 else "", tag=tag)


async def story(stage: SipStage, seed: int, another: Callable[..., Peer]) -> None:
    chance = Random(seed)
    a = another()
    callees = [another(lambda address: Whimsical(address, chance)) for _ in range(2)]
    steps = [transfer(callee) for callee in callees] + [pause(0.05)]
    chance.shuffle(steps)
    number = await stage.answers(*steps)
    caller = a.call(number)
    invite = caller.invite()
    call = await stage.call_to(number)
    for _ in range(chance.randint(1, 4)):
        await asyncio.sleep(chance.random() * 0.08)
        match chance.choice(["cancel", "bye", "delete", "delete a leg", "ack", "repeat", "hold"]):
            case "cancel":
                caller.send("CANCEL", branch=_branch(invite), cseq=1)
            case "bye" if ok := (a.seen(200) or a.seen(180)):
                caller.learn(ok[0])
                caller.send("BYE")
            case "delete":
                await stage.switch.hang_up_call(stage.world.id, call.id)
            case "delete a leg":
                await stage.switch.hang_up_leg(stage.world.id, chance.choice(stage.legs(call)).id)
            case "ack" | "hold" as what if ok := a.seen(200, "INVITE"):
                caller.ack(ok[0])
                if what == "hold":
                    caller.invite(sdp(2, "sendonly"))
            case "repeat":
                a.send(invite)
    await asyncio.sleep(chance.random() * 0.2)
    await stage.switch.hang_up_call(stage.world.id, call.id)
    await stage.over(call)


async def changed(stage: SipStage, seed: int, another: Callable[..., Peer]) -> None:
    """A call that is up, and changed by all who can, at once and in any order."""
    chance = Random(seed)
    a, b = another(), another(lambda address: Whimsical(address, chance))
    others = [another(lambda address: Whimsical(address, chance)) for _ in range(2)]
    options = {"record": chance.choice(["in", "out", "both"])} if chance.random() < 0.5 else {}
    number = await stage.answers(pause(0.01), transfer(b, **options), pause(0.3))
    caller = a.call(number)
    caller.invite()
    caller.ack(await a.get(200))
    call = await stage.call_to(number)
    asking = []
    for _ in range(chance.randint(3, 10)):
        await asyncio.sleep(chance.random() * 0.06)
        deed = chance.choice(["add", "hold", "unhold", "refer", "replace", "delete a leg", "far refer", "far hold", "bye"])
        if deed == "far refer":
            caller.send("REFER", fields=[f"Refer-To: <sip:3000@127.0.0.1:{chance.choice(others).port}>"])
        elif deed == "far hold":
            caller.invite(sdp(chance.randint(2, 9), chance.choice(["sendonly", "inactive", "sendrecv"])))
        elif deed == "bye" and chance.random() < 0.3:
            caller.send("BYE")
        else:
            asking.append(asyncio.get_running_loop().create_task(ask(stage, call, deed, chance, chance.choice(others))))
    await asyncio.sleep(chance.random() * 0.2)
    await stage.switch.hang_up_call(stage.world.id, call.id)
    _, legs = await stage.over(call)
    assert "internal" not in {reason for _, _, reason in legs}
    await asyncio.gather(*asking)


async def ask(stage: SipStage, call: Call, deed: str, chance: Random, other: Peer) -> None:
    leg = chance.choice(stage.legs(call)).id
    flow = {"steps": [pause(0.1), transfer(other)]}
    with contextlib.suppress(Problem):
        match deed:
            case "add":
                await stage.switch.add_party(stage.world.id, call.id, f"sip:3000@127.0.0.1:{other.port}", None)
            case "hold" | "unhold":
                await stage.switch.hold_leg(stage.world.id, leg, on=deed == "hold")
            case "refer":
                await stage.switch.refer_leg(stage.world.id, call.id, leg, "31205550199")
            case "replace":
                await stage.switch.replace_flow(stage.world.id, call.id, compile_flow(flow), flow)
            case "delete a leg":
                await stage.switch.hang_up_leg(stage.world.id, leg)


def _branch(invite: str) -> str:
    return invite.partition("branch=")[2].partition("\r\n")[0]


@pytest.mark.parametrize("tell", [story, changed])
async def test_no_story_breaks_a_record(
    stage: SipStage, another: Callable[..., Peer], tell: Callable[[SipStage, int, Callable[..., Peer]], Awaitable[None]]
) -> None:
    await asyncio.gather(*(tell(stage, seed, another) for seed in range(STORIES)))
    engine = stage.sip_engine
    await stage.until(
        lambda: not engine.live_legs and not any(one.legs for one in engine.media_processes), "that no leg is left"
    )

    def dialogs() -> int:
        load = stage.sip_engine.signalling_load
        return -1 if load is None else load.live

    await stage.until(lambda: dialogs() == 0, f"the end of {dialogs()} dialogs of signalling")
