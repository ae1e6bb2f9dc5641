"""Flows of every kind, and everything that can happen to one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from callwright.flows import effects as fx
from callwright.flows.effects import Input
from callwright.flows.schema import KEYS, OPERATORS, compile_flow
from callwright.reasons import Reason
from support.flow_driver import RECORDING

IDS = ("a", "b", "c", "d", "e", "f")
NAMES = st.sampled_from(["choice", "pin", "x"])
WITHOUT_KEYS = ("hangup", "fetchCallFlow", "tag")

keys = st.sampled_from(sorted(KEYS))
machine = {"ifMachine": st.sampled_from(["continue", "delay", "hangup"]), "machineTimeout": st.integers(400, 10_000)}


def options(action: str) -> st.SearchStrategy[dict[str, Any]]:
    """All options of an action: those it needs, and any of the others."""
    needs: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "transfer": {"destination": st.sampled_from(["31205550199", "sip:desk@pbx.test"])},
        "say": {"payload": st.sampled_from(["Hello.", "Press one."])},
        "play": {"media": st.sampled_from(["https://sounds.test/a.wav", ["file:a.wav", "https://sounds.test/b.mp3"]])},
        "pause": {"length": st.sampled_from([0, 0.5, 2])},
        "record": {},
        "fetchCallFlow": {"url": st.just("https://flows.test/next")},
        "sendKeys": {"keys": st.sampled_from(["1w2#", "*,0"])},
        "tag": {"tags": st.sampled_from([["vip"], "vip, menu-{{choice}}", ["{{pin}}", "new"]])},
        "hangup": {},
    }
    may: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "transfer": {
            "mask": st.booleans(),
            "record": st.sampled_from(["in", "out", "both"]),
            "ringTimeout": st.integers(5, 300),
            **machine,
        },
        "say": {
            "language": st.sampled_from(["en-GB", "nl-NL"]),
            "voice": st.sampled_from(["male", "female"]),
            "repeat": st.integers(1, 10),
            **machine,
        },
        "record": {
            "maxLength": st.sampled_from([0, 5, 5_000_000_000]),
            "timeout": st.sampled_from([0, 3]),
            "finishOnKey": st.sampled_from(["any", "#", "*", "none", "1"]),
            "beep": st.booleans(),
            "transcribe": st.booleans(),
            "transcribeLanguage": st.just("nl-NL"),
            "onFinish": st.sampled_from(["https://flows.test/done", "/done"]),
        },
        "tag": {
            "remove": st.sampled_from([["paid"], "late,{{x}}"]),
            "metadata": st.dictionaries(st.sampled_from(["choice", "pin"]), st.sampled_from(["a", "{{choice}}!", None])),
        },
        "sendKeys": {"duration": st.integers(50, 500), "interval": st.integers(50, 500)},
    }
    return st.fixed_dictionaries(needs[action], optional=may.get(action, {}))


conditions = st.lists(
    st.fixed_dictionaries(
        {"variable": NAMES, "operator": st.sampled_from(sorted(OPERATORS)), "value": st.sampled_from(["1", "12", "", "#"])}
    ),
    max_size=2,
)


@st.composite
def steps(draw: st.DrawFn, ids: tuple[str, ...], index: int) -> dict[str, Any]:
    action = draw(st.sampled_from(["say", "play", "pause", "record", "transfer", "sendKeys", "tag", "fetchCallFlow", "hangup"]))
    step: dict[str, Any] = {"id": ids[index], "action": action, "options": draw(options(action))}
    step["conditions"] = draw(conditions)
    heard = st.fixed_dictionaries(
        {},
        optional={
            "onKeypressVar": NAMES,
            "onKeypressGoto": st.sampled_from(ids),
            "endKey": keys,
            "maxNumKeys": st.integers(1, 4),
        },
    )
    return {**step, **draw(heard)} if draw(st.booleans()) else step


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    ids = IDS[: draw(st.integers(1, len(IDS)))]
    made = [draw(steps(ids, index)) for index in range(len(ids))]
    return {"steps": made, "record": draw(st.booleans())}


flows = bodies().map(compile_flow)

anything: st.SearchStrategy[Input] = st.one_of(
    st.builds(fx.Begin, st.booleans()),
    st.builds(fx.Replace, flows, st.sampled_from(["", "https://flows.test/put"])),
    st.just(fx.Answered()),
    st.builds(fx.PlayEnded, st.sampled_from(["", "HTTP 404"])),
    st.builds(fx.Key, st.sampled_from([*sorted(KEYS), "a", "d"])),
    st.builds(fx.Key, st.sampled_from(["1", "#"])),
    st.builds(fx.Expired, st.sampled_from(list(fx.Timer))),
    st.just(fx.KeysSent()),
    st.builds(fx.Recorded, st.just(RECORDING), st.sampled_from(["silence", "key"]), st.sampled_from(["", "disk full"])),
    st.builds(fx.FlowFetched, flows, st.just("https://flows.test/next")),
    st.builds(fx.FetchFailed, st.just("HTTP 500"), st.none() | flows),
    st.builds(fx.Judged, st.sampled_from(list(fx.Verdict)), st.sampled_from(list(fx.Party))),
    st.just(fx.PeerAnswered()),
    st.builds(fx.PeerFailed, st.sampled_from([Reason.BUSY, Reason.NO_ROUTE])),
    st.just(fx.PeerGone()),
)
