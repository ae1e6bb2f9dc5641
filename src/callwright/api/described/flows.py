"""``/call-flows`` and ``/numbers`` (`api.flows`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

from callwright.api.described.accepted import DOUBLY_ENCODED, SPELLED, accepted
from callwright.api.described.common import GONE, NUMBER, PAGED, STAMPS, answer, identified, links, listing, next_, path
from callwright.dialect.strictness import Strictness
from callwright.flows.json_schema import EXAMPLE, json_schema
from callwright.flows.model import OPTIONS
from callwright.openapi.operation import Access, Answer, Body, Operation, Parameter, Place, operation
from callwright.openapi.shapes import ID, Named, anything, choice, exactly, identity, published, several, text, truth, whole


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
    **STAMPS,
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
    **STAMPS,
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
_FLOW = identified("flow")
_about_flows = partial(operation, tag="voice flows", access=Access.NETWORK)
_of_flow = partial(operation, tag="voice flows", access=Access.NETWORK, parameters=(_FLOW,))
_about_numbers = partial(operation, tag="voice numbers", access=Access.NETWORK)
_numbers_of_flow = partial(operation, tag="voice numbers", access=Access.NETWORK, parameters=(_FLOW,))
_ID_OR_DIGITS = Parameter(
    "number",
    {
        "anyOf": [{"type": "string", "format": "uuid"}, {"type": "string", "pattern": NUMBER.shape["pattern"]}],
        "description": "The number: its id, or its digits.",
        "examples": [ID],
    },
    place=Place.PATH,
)
_FLOW_NEXT = {
    "flow": next_("showVoiceFlow", "The flow.", flow="id"),
    "replace": next_("replaceVoiceFlow", "Another body for it.", flow="id"),
    "numbers": next_("listVoiceFlowNumbers", "Its numbers.", flow="id"),
    "addNumbers": next_("addVoiceFlowNumbers", "More numbers for it.", flow="id"),
    "replaceNumbers": next_("replaceVoiceFlowNumbers", "Other numbers for it.", flow="id"),
    "delete": next_("removeVoiceFlow", "Its end.", flow="id"),
}
_NUMBER_NEXT = {"number": next_("showVoiceNumber", "The number.", number="id")}
_FLOW_BODY, _NUMBERS_BODY = Body(flow_wanted(), example=EXAMPLE), Body(NUMBERS_WANTED)
_FLOW_SHOWN = Answer(200, "The flow.", FLOW_ANSWER)
_FLOW_MADE = Answer(201, "The flow.", FLOW_ANSWER, links=_FLOW_NEXT)


def operations(strictness: Strictness) -> Sequence[Operation]:
    return (
        _about_flows(
            "GET /call-flows",
            "listVoiceFlows",
            "List call flows",
            Answer(200, "A page of flows.", listing("VoiceFlowList", LISTED_FLOW, "/call-flows"), links=_FLOW_NEXT),
            parameters=PAGED,
        ),
        _about_flows(
            "POST /call-flows",
            "makeVoiceFlow",
            "Make a call flow",
            _FLOW_MADE,
            sentence="Its first text is spoken ahead of the first call. One that becomes the default takes that from another.",
            body=_FLOW_BODY,
        ),
        _of_flow("GET /call-flows/{flow}", "showVoiceFlow", "Show a call flow", _FLOW_SHOWN),
        _of_flow(
            "PUT /call-flows/{flow}",
            "replaceVoiceFlow",
            "Put another body in a flow's place",
            _FLOW_SHOWN,
            sentence="All of it: what is not sent is gone.",
            body=_FLOW_BODY,
        ),
        _of_flow(
            "DELETE /call-flows/{flow}",
            "removeVoiceFlow",
            "Remove a call flow",
            GONE,
            sentence="Its numbers are left without one.",
        ),
        _about_numbers(
            "GET /call-flows/{flow}/numbers",
            "listVoiceFlowNumbers",
            "List the numbers of a flow",
            Answer(200, "A page of numbers.", NUMBERS_OF_FLOW, links=_NUMBER_NEXT),
            parameters=(_FLOW, *PAGED),
        ),
        _numbers_of_flow(
            "POST /call-flows/{flow}/numbers",
            "addVoiceFlowNumbers",
            "Bind more numbers to a flow",
            Answer(201, "The flow's numbers, up to 100.", NUMBERS_OF_FLOW, links=_NUMBER_NEXT),
            sentence="A number has one flow: it leaves the one it had.",
            body=_NUMBERS_BODY,
        ),
        _numbers_of_flow(
            "PUT /call-flows/{flow}/numbers",
            "replaceVoiceFlowNumbers",
            "Bind these numbers to a flow and no others",
            Answer(200, "The flow's numbers, up to 100.", NUMBERS_OF_FLOW, links=_NUMBER_NEXT),
            body=_NUMBERS_BODY,
        ),
        _about_numbers(
            "GET /numbers",
            "listVoiceNumbers",
            "List numbers",
            Answer(200, "A page of numbers.", listing("VoiceNumberList", LISTED_NUMBER, "/numbers"), links=_NUMBER_NEXT),
            parameters=PAGED,
        ),
        _about_numbers(
            "GET /numbers/{number}",
            "showVoiceNumber",
            "Show a number",
            Answer(
                200,
                "The number.",
                answer("VoiceNumberAnswer", NUMBER_SHOWN, _NUMBER_LINKS),
                links={
                    "webhook": next_("setVoiceNumberWebhook", "A webhook for it.", number="number"),
                    "flow": next_("setVoiceNumberFlow", "A new flow for it.", number="number"),
                },
            ),
            parameters=(_ID_OR_DIGITS,),
        ),
        _about_numbers(
            "POST /numbers/{number}/call-flow",
            "setVoiceNumberFlow",
            "Make a flow and bind a number to it",
            _FLOW_MADE,
            sentence="The number is made where the world does not have it. The flow it had stays, without it.",
            parameters=(NUMBER,),
            body=_FLOW_BODY,
        ),
    )
