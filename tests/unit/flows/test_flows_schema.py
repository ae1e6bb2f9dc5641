"""What a flow may say, and what is told when it says something else."""

from typing import Any

import pytest

from callwright import ids
from callwright.clock import SystemClock
from callwright.errors import NotFound, Problem
from callwright.flows.flows import Flows
from callwright.flows.schema import TransferOptions, compile_flow, with_step_ids
from callwright.numbers.numbers import unbind_flow
from callwright.store import Store

WORLD = ids.uuid7(1)


def one(action: str, options: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    return {"steps": [{"action": action, **({} if options is None else {"options": options}), **rest}]}


@pytest.mark.parametrize(
    "body",
    [
        one("transfer", {"destination": "31205550199", "record": "both", "mask": True, "ringTimeout": 30}),
        one("say", {"payload": "Hi", "language": "en-GB", "voice": "female", "repeat": "3", "ifMachine": "delay"}),
        one("play", {"media": "http://sounds.test/a.wav"}),
        one("play", {"media": ["http://sounds.test/a.wav", "https://sounds.test/b.wav"]}),
        one("play", {"media": "file:welcome.wav"}),
        one("pause", {"length": "5"}),
        one("record", {"maxLength": 10, "timeout": 3, "finishOnKey": "#", "transcribe": "false"}),
        one("fetchCallFlow", {"url": "https://flows.test/next"}),
        one("sendKeys", {"keys": "1w2#", "duration": 100}),
        one("tag", {"tags": ["vip", "menu-{{choice}}"], "remove": ["new"], "metadata": {"customer": "{{pin}}", "draft": None}}),
        one("tag", {"tags": "vip, new"}),
        one("hangup"),
        one("say", {"payload": "Hi", "endKey": "#", "maxNumKeys": 3}, onKeypressVar="digits"),
        one("pause", {"length": 1}, conditions=[{"variable": "a", "operator": "==", "value": "1"}]),
    ],
    ids=lambda body: body["steps"][0]["action"],
)
def test_what_the_contract_allows_passes(body: dict[str, Any]) -> None:
    assert compile_flow(body).steps[0].action == body["steps"][0]["action"]


@pytest.mark.parametrize(
    ("body", "code", "parameter"),
    [
        ({}, 11, "steps"),
        ({"steps": []}, 10, "steps"),
        ({"steps": "x"}, 10, "steps"),
        ({"steps": ["x"]}, 10, "steps[0]"),
        ({"steps": [{}]}, 11, "steps[0].action"),
        ({"steps": [{"action": "hangup"}, None]}, 10, "steps[1]"),
        (one("dance"), 10, "steps[0].action"),
        ({"steps": [{"action": "hangup", "options": False}]}, 10, "steps[0].options"),
        ({"steps": [{"action": "hangup", "options": 0}]}, 10, "steps[0].options"),
        (one("transfer"), 11, "steps[0].options.destination"),
        (one("transfer", {"destination": " "}), 11, "steps[0].options.destination"),
        (one("transfer", {"destination": {}}), 10, "steps[0].options.destination"),
        (one("transfer", {"destination": "1", "record": "all"}), 10, "steps[0].options.record"),
        (one("transfer", {"destination": "1", "ringTimeout": 4}), 10, "steps[0].options.ringTimeout"),
        (one("transfer", {"destination": "1", "ringTimeout": 301}), 10, "steps[0].options.ringTimeout"),
        (one("say", {"payload": "x", "repeat": 11}), 10, "steps[0].options.repeat"),
        (one("say", {"payload": "x", "machineTimeout": 399}), 10, "steps[0].options.machineTimeout"),
        (one("play", {"media": []}), 11, "steps[0].options.media"),
        (one("play", {"media": "ftp://x/a.wav"}), 10, "steps[0].options.media"),
        (one("play", {"media": "a.wav"}), 10, "steps[0].options.media"),
        (one("pause", {"length": -1}), 10, "steps[0].options.length"),
        (one("pause", {"length": "long"}), 10, "steps[0].options.length"),
        (one("fetchCallFlow", {"url": "relative"}), 10, "steps[0].options.url"),
        (one("fetchCallFlow", {"url": "//other.test/flow"}), 10, "steps[0].options.url"),
        (one("sendKeys", {"keys": "1x"}), 10, "steps[0].options.keys"),
        (one("tag"), 11, "steps[0].options.tags"),
        (one("tag", {"tags": []}), 11, "steps[0].options.tags"),
        (one("tag", {"tags": ["ok", "x" * 65]}), 10, "steps[0].options.tags[1]"),
        (one("tag", {"tags": ["a,b"]}), 10, "steps[0].options.tags[0]"),
        (one("tag", {"tags": "a,,b"}), 10, "steps[0].options.tags[1]"),
        (one("tag", {"tags": [f"t{n}" for n in range(21)]}), 10, "steps[0].options.tags"),
        (one("tag", {"tags": [{}]}), 10, "steps[0].options.tags[0]"),
        (one("tag", {"remove": ["x\n"], "tags": ["x"]}), 10, "steps[0].options.remove"),
        (one("tag", {"remove": ["vip"], "tags": ["vip"]}), 10, "steps[0].options.remove"),
        (one("tag", {"metadata": {"a b": "x"}}), 10, "steps[0].options.metadata.a b"),
        (one("tag", {"metadata": {"a": "x" * 501}}), 10, "steps[0].options.metadata.a"),
        (one("tag", {"metadata": {"a": 42}}), 10, "steps[0].options.metadata.a"),
        (one("tag", {"metadata": {"a": "x", "b": None, "c": [], "d": 1}}), 10, "steps[0].options.metadata.c"),
        (one("tag", {"metadata": {"x" * 99: True}}), 10, f"steps[0].options.metadata.{'x' * 40}"),
        (one("tag", {"metadata": ["a"]}), 10, "steps[0].options.metadata"),
        (one("hangup", onKeypressGoto="nowhere"), 10, "steps[0].onKeypressGoto"),
        (
            one("hangup", conditions=[{"variable": "a", "operator": "like", "value": "1"}]),
            10,
            "steps[0].conditions[0].operator",
        ),
        ({"steps": [{"id": "a", "action": "hangup"}, {"id": "a", "action": "hangup"}]}, 10, "steps[1].id"),
        ({"steps": [{"id": {}, "action": "hangup"}]}, 10, "steps[0].id"),
        ({**one("hangup"), "maxDuration": 0}, 10, "maxDuration"),
        ({**one("hangup"), "record": "perhaps"}, 10, "record"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], code: int, parameter: str) -> None:
    with pytest.raises(Problem) as caught:
        compile_flow(body)
    assert (caught.value.http, caught.value.code, caught.value.parameter) == (422, code, parameter)


def test_strings_become_what_they_mean() -> None:
    options = compile_flow(one("transfer", {"destination": "1234", "mask": "true", "ringTimeout": "45"})).steps[0].options
    assert options == TransferOptions(destination="1234", mask=True, ring_timeout=45)


def test_steps_without_ids_get_free_ones() -> None:
    body = {"steps": [{"action": "hangup"}, {"id": "step-1", "action": "hangup"}, {"id": "x", "action": "hangup"}]}
    assert [step["id"] for step in with_step_ids(body)["steps"]] == ["step-1-", "step-1", "x"]
    assert [step.id for step in compile_flow(body).steps] == ["step-1-", "step-1", "x"]


async def test_flows_are_kept_as_sent_and_only_one_is_the_default() -> None:
    flows = Flows(Store.in_memory(), SystemClock())
    first = await flows.make(WORLD, {**one("hangup"), "title": "First", "default": True, "unknown": 1})
    assert first.body == {
        "title": "First",
        "default": True,
        "steps": [{"action": "hangup", "id": "step-1"}],
    }
    second = await flows.make(WORLD, {**one("pause", {"length": "3"}), "default": True})
    assert second.body["steps"][0]["options"] == {"length": "3"}
    assert flows.get(WORLD, first.id).body["default"] is False
    assert flows.default(WORLD) == second

    replaced = await flows.replace(WORLD, second.id, one("hangup"))
    assert replaced.body == {"steps": [{"action": "hangup", "id": "step-1"}]}
    assert (replaced.created_us, flows.default(WORLD)) == (second.created_us, None)
    assert [flow.id for flow in flows.page(WORLD, limit=10, offset=0).flows] == [second.id, first.id]

    await flows.remove(WORLD, first.id, also=unbind_flow(WORLD, first.id, 1))
    for missing in (first.id, second.id):
        with pytest.raises(NotFound):
            await flows.remove(ids.uuid7(2), missing, also=unbind_flow(WORLD, missing, 1))
    assert flows.page(WORLD, limit=10, offset=0).total == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**one("hangup"), "maxDuration": "abc"}, "maxDuration: it must be a whole number, and not a text."),
        (one("record", {"timeout": 1.5}), "steps[0].options.timeout: it must be a whole number, and not one with a fraction."),
        (
            one("say", {"payload": "Hi", "ifMachine": "HANGUP"}),
            "steps[0].options.ifMachine: 'HANGUP' is none of continue, delay, hangup.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words(body, words):
    with pytest.raises(Problem) as refused:
        compile_flow(body)
    assert refused.value.message.removeprefix("Step 'step-1': ") == words
