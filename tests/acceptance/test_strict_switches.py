"""A server with all switches of the section compatibility on, as a program of the original's users meets it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from support.server import PATIENCE_S, Customer, Server, Webserver, until

STRICT = """
[compatibility]
documented_status_codes = true
collapse_statuses = true
documented_events = true
authentication_code = 2
on_finish_content_type = "none"
method_on_get = true

[webhooks]
events = ["call", "leg", "recording"]

[simulator]
speed = 20.0

[simulator.callees.31612345678]
outcome = "busy"
"""
FLOW = {"steps": [{"action": "hangup"}]}


class Stage(NamedTuple):
    server: Server
    web: Webserver
    program: Webserver

    def places(self, destination: str, flow: dict[str, Any]) -> str:
        body = {"source": "31205550100", "destination": destination, "callFlow": flow}
        body["webhook"] = {"url": self.web.url("/voice"), "token": "token"}
        return str(self.server.test.post("/calls", body).made["id"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    web, program = Webserver(), Webserver()
    server = Server.start(tmp_path_factory.mktemp("strict"), toml=STRICT)
    try:
        yield Stage(server, web, program)
    finally:
        server.kill()
        web.close()
        program.close()


def test_a_call_that_is_busy_has_ended_everywhere_but_in_the_native_interface(stage: Stage) -> None:
    call = stage.places("31612345678", FLOW)
    told = stage.web.told(call)
    assert list(dict.fromkeys(one.call for one in told)) == ["queued", "starting", "ended"]
    assert told[-1].legs == ("busy",)
    assert stage.server.test.get(f"/calls/{call}").made["status"] == "ended"
    assert stage.server.test.get(f"/api/calls/{call}").content["status"] == "busy"


def test_what_is_posted_to_on_finish_has_no_type_and_no_other_events_go_out(stage: Stage) -> None:
    options = {"maxLength": 1, "onFinish": stage.program.url("/finished")}
    call = stage.places("31205550123", {"steps": [{"action": "record", "options": options}]})
    told = stage.web.told(call)
    assert {one.event for one in told} == {"callCreated", "callUpdated"}
    (finished,) = until(lambda: stage.program.posted, bool)
    assert "content-type" not in finished.headers
    assert json.loads(finished.body)["type"] == "ivr"
    voiced = stage.web.posted
    assert {one.item["type"] for one in voiced} == {"call"}, "webhooks.events asks for more"
    assert {one.headers["content-type"] for one in voiced} == {"application/json"}


def test_statuses_and_codes(stage: Stage) -> None:
    customer = stage.server.test
    call = stage.places("31612345678", FLOW)
    until(lambda: customer.get(f"/calls/{call}").made["status"], lambda status: status == "ended")
    assert customer.post("/calls", {}).status == 400
    assert customer.ask("PUT", f"/calls/{call}", {"callFlow": FLOW}).status == 409
    stranger = Customer(stage.server.http, "test_nobody").get("/calls")
    assert (stranger.status, stranger.content["errors"][0]["code"]) == (401, 2)
    native = Customer(stage.server.http, "test_nobody").get("/api/calls")
    assert (native.status, native.content["error"]["code"]) == (401, 15)
    assert customer.get(f"/calls/{call}?_method=DELETE").status == 204


def test_the_document_says_so(stage: Stage) -> None:
    with urllib.request.urlopen(f"{stage.server.http}/openapi.json", timeout=PATIENCE_S) as answer:
        document = json.load(answer)
    responses = document["paths"]["/calls/{call}"]["put"]["responses"]
    assert {"400", "409"} <= set(responses)
    assert "422" not in responses
    words = document["components"]["schemas"]["VoiceCall"]["properties"]["status"]["enum"]
    assert words == ["queued", "starting", "ongoing", "ended"]
    assert "busy" in document["components"]["schemas"]["Call"]["properties"]["status"]["enum"]


def test_whatever_stands_in_a_path_is_answered_in_the_interfaces_own_form(stage: Stage) -> None:
    told = [
        (answer.status, answer.content["error"]["code"])
        for path in ("/api/numbers/%0A", "/api/keys/%0A", "/api/deliveries/%0A/attempts/1", "/api/%0A", "/api/")
        for answer in (stage.server.test.delete(path),)
    ]
    assert told == [(400, 10), (403, 2), (405, 98), (404, 98), (404, 98)]
    assert stage.server.test.get("/calls/%0A").content["errors"][0]["code"] == 13
