"""``/call-flows`` and ``/numbers`` (`api.flows`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from callwright.api.described.accepted import DOUBLY_ENCODED, SPELLED, accepted
from callwright.api.described.common import CHANGED, MADE, NUMBER, PAGED, answer, identified, links, listing, next_, path, time
from callwright.dialect.strictness import Strictness
from callwright.flows.json_schema import json_schema
from callwright.flows.model import OPTIONS
from callwright.openapi.operation import Access, Answer, Body, Operation, Parameter, Place
from callwright.openapi.shapes import (
    ID,
    Named,
    anything,
    choice,
    exactly,
    identity,
    published,
    several,
    text,
    truth,
    whole,
)

EXAMPLE = {
    "title": "Front desk",
    "steps": [
        {"action": "say", "options": {"payload": "Welcome.", "voice": "female", "language": "en-GB"}},
        {"action": "hangup"},
    ],
}


@cache
def flow_wanted() -> Named:
    """The published schema of call flows, in all the forms that are taken: ``VoiceSay`` and so on."""
    schema = json_schema()
    schema["description"] = "A call flow. Steps are kept as they are sent, and those without an id get one."
    return published(accepted(schema), "VoiceFlowWanted", "Voice")


_STEP = {
    "type": "object",
    "description": "A step as it was sent, with an id.",
    "properties": {
        "id": text("Unique in the flow.", "step-1"),
        "action": choice("What it does.", tuple(OPTIONS), "hangup"),
        "options": anything("How.", {"payload": "Welcome.", "language": "en-GB"}),
    },
    "required": ["id", "action"],
    "examples": [{"id": "step-1", "action": "hangup"}],
}
_FLOW_KEYS = {
    "id": identity("The flow."),
    "title": text("What its owner calls it; not there without one.", "Front desk"),
    "record": truth("Whether its calls are recorded."),
    "default": truth("Whether it answers every number that has no flow; one does at most."),
    "maxDuration": whole("Seconds a call may last; not there without one.", 3600, 1),
    "steps": several(_STEP, "What is done, in order.", minItems=1),
    "createdAt": time(MADE),
    "updatedAt": time(CHANGED),
}
_UNSET = ("title", "maxDuration")
_FLOW_LINKS = links({"self": path("/call-flows/{}", "The flow.")})
FLOW = exactly("VoiceFlow", "A call flow.", _FLOW_KEYS, optional=_UNSET)
LISTED_FLOW = exactly("ListedVoiceFlow", "A call flow as lists have it.", _FLOW_KEYS | {"_links": _FLOW_LINKS}, optional=_UNSET)
FLOW_ANSWER = answer("VoiceFlowAnswer", FLOW, _FLOW_LINKS)

_NUMBER_KEYS = {
    "id": identity("The number."),
    "number": text("Its digits.", "31205550123"),
    "callFlowId": identity("The flow it is bound to; not there without one."),
    "createdAt": time(MADE),
    "updatedAt": time(CHANGED),
}
_NUMBER_LINKS = links({"self": path("/numbers/{}", "The number.")})
NUMBER_SHOWN = exactly("VoiceNumber", "A telephone number of this world.", _NUMBER_KEYS, optional=("callFlowId",))
LISTED_NUMBER = exactly(
    "ListedVoiceNumber",
    "A telephone number as lists have it.",
    _NUMBER_KEYS | {"_links": _NUMBER_LINKS},
    optional=("callFlowId",),
)
NUMBERS_OF_FLOW = listing("VoiceFlowNumberList", LISTED_NUMBER, "/call-flows/{}/numbers")
NUMBERS_WANTED = Named(
    "VoiceNumbersWanted",
    {
        "type": "object",
        "description": "Telephone numbers for a flow.",
        "properties": {
            "numbers": {
                "anyOf": [
                    {"type": "array", "items": {"anyOf": [{"type": "string", "pattern": r"^\+?[1-9][0-9]{2,14}$"}, SPELLED]}},
                    DOUBLY_ENCODED,
                ],
                "description": "Those that the world does not have are made, unless numbers.claim is `listed`.",
                "examples": [["31205550123"]],
            }
        },
        "required": ["numbers"],
    },
)
_FLOW, _FLOW_BODY = identified("flow"), Body(shape=flow_wanted(), example=EXAMPLE)
_ID_OR_DIGITS = Parameter(
    name="number",
    place=Place.PATH,
    shape={
        "anyOf": [{"type": "string", "format": "uuid"}, {"type": "string", "pattern": NUMBER.shape["pattern"]}],
        "description": "The number: its id, or its digits.",
        "examples": [ID],
    },
)
_OF_FLOW = {
    "flow": next_("showVoiceFlow", "The flow.", flow="id"),
    "replace": next_("replaceVoiceFlow", "Another body for it.", flow="id"),
    "numbers": next_("listVoiceFlowNumbers", "Its numbers.", flow="id"),
    "addNumbers": next_("addVoiceFlowNumbers", "More numbers for it.", flow="id"),
    "replaceNumbers": next_("replaceVoiceFlowNumbers", "Other numbers for it.", flow="id"),
    "delete": next_("removeVoiceFlow", "Its end.", flow="id"),
}
_OF_NUMBER = {"number": next_("showVoiceNumber", "The number.", number="id")}


def operations(strictness: Strictness) -> Sequence[Operation]:
    return (
        Operation(
            method="GET",
            path="/call-flows",
            name="listVoiceFlows",
            access=Access.NETWORK,
            tag="voice flows",
            summary="List call flows",
            parameters=PAGED,
            answers=(
                Answer(
                    status=200,
                    sentence="A page of flows.",
                    shape=listing("VoiceFlowList", LISTED_FLOW, "/call-flows"),
                    links=_OF_FLOW,
                ),
            ),
        ),
        Operation(
            method="POST",
            path="/call-flows",
            name="makeVoiceFlow",
            access=Access.NETWORK,
            tag="voice flows",
            summary="Make a call flow",
            sentence="Its first text is spoken ahead of the first call. One that becomes the default takes that from another.",
            body=_FLOW_BODY,
            answers=(Answer(status=201, sentence="The flow.", shape=FLOW_ANSWER, links=_OF_FLOW),),
        ),
        Operation(
            method="GET",
            path="/call-flows/{flow}",
            name="showVoiceFlow",
            access=Access.NETWORK,
            tag="voice flows",
            summary="Show a call flow",
            parameters=(_FLOW,),
            answers=(Answer(status=200, sentence="The flow.", shape=FLOW_ANSWER),),
        ),
        Operation(
            method="PUT",
            path="/call-flows/{flow}",
            name="replaceVoiceFlow",
            access=Access.NETWORK,
            tag="voice flows",
            summary="Put another body in a flow's place",
            sentence="All of it: what is not sent is gone.",
            parameters=(_FLOW,),
            body=_FLOW_BODY,
            answers=(Answer(status=200, sentence="The flow.", shape=FLOW_ANSWER),),
        ),
        Operation(
            method="DELETE",
            path="/call-flows/{flow}",
            name="removeVoiceFlow",
            access=Access.NETWORK,
            tag="voice flows",
            summary="Remove a call flow",
            sentence="Its numbers are left without one.",
            parameters=(_FLOW,),
            answers=(Answer(status=204, sentence="It is gone."),),
        ),
        Operation(
            method="GET",
            path="/call-flows/{flow}/numbers",
            name="listVoiceFlowNumbers",
            access=Access.NETWORK,
            tag="voice numbers",
            summary="List the numbers of a flow",
            parameters=(_FLOW, *PAGED),
            answers=(Answer(status=200, sentence="A page of numbers.", shape=NUMBERS_OF_FLOW, links=_OF_NUMBER),),
        ),
        Operation(
            method="POST",
            path="/call-flows/{flow}/numbers",
            name="addVoiceFlowNumbers",
            access=Access.NETWORK,
            tag="voice numbers",
            summary="Bind more numbers to a flow",
            sentence="A number has one flow: it leaves the one it had.",
            parameters=(_FLOW,),
            body=Body(shape=NUMBERS_WANTED),
            answers=(Answer(status=201, sentence="The flow's numbers, up to 100.", shape=NUMBERS_OF_FLOW, links=_OF_NUMBER),),
        ),
        Operation(
            method="PUT",
            path="/call-flows/{flow}/numbers",
            name="replaceVoiceFlowNumbers",
            access=Access.NETWORK,
            tag="voice numbers",
            summary="Bind these numbers to a flow and no others",
            parameters=(_FLOW,),
            body=Body(shape=NUMBERS_WANTED),
            answers=(Answer(status=200, sentence="The flow's numbers, up to 100.", shape=NUMBERS_OF_FLOW, links=_OF_NUMBER),),
        ),
        Operation(
            method="GET",
            path="/numbers",
            name="listVoiceNumbers",
            access=Access.NETWORK,
            tag="voice numbers",
            summary="List numbers",
            parameters=PAGED,
            answers=(
                Answer(
                    status=200,
                    sentence="A page of numbers.",
                    shape=listing("VoiceNumberList", LISTED_NUMBER, "/numbers"),
                    links=_OF_NUMBER,
                ),
            ),
        ),
        Operation(
            method="GET",
            path="/numbers/{number}",
            name="showVoiceNumber",
            access=Access.NETWORK,
            tag="voice numbers",
            summary="Show a number",
            parameters=(_ID_OR_DIGITS,),
            answers=(
                Answer(
                    status=200,
                    sentence="The number.",
                    shape=answer("VoiceNumberAnswer", NUMBER_SHOWN, _NUMBER_LINKS),
                    links={
                        "webhook": next_("setVoiceNumberWebhook", "A webhook for it.", number="number"),
                        "flow": next_("setVoiceNumberFlow", "A new flow for it.", number="number"),
                    },
                ),
            ),
        ),
        Operation(
            method="POST",
            path="/numbers/{number}/call-flow",
            name="setVoiceNumberFlow",
            access=Access.NETWORK,
            tag="voice numbers",
            summary="Make a flow and bind a number to it",
            sentence="The number is made where the world does not have it. The flow it had stays, without it.",
            parameters=(NUMBER,),
            body=_FLOW_BODY,
            answers=(Answer(status=201, sentence="The flow.", shape=FLOW_ANSWER, links=_OF_FLOW),),
        ),
    )
