"""Numbers and call flows (`native.provisioning`)."""

from __future__ import annotations

from functools import cache

from callwright.flows.json_schema import json_schema
from callwright.native.described.common import NUMBER as NUMBER_IN_PATH
from callwright.native.described.common import PAGED, identified
from callwright.openapi.operation import Access, Answer, Body, Operation
from callwright.openapi.shapes import (
    Named,
    anything,
    body,
    choice,
    extended,
    identity,
    moment,
    or_null,
    page_of,
    published,
    record,
    several,
    text,
    truth,
    whole,
)

NUMBER = record(
    "Number",
    "A number of a world.",
    {
        "id": identity("The number."),
        "number": text("Its digits.", "31205550100"),
        "flowId": or_null(identity("The flow that answers it; null where the default flow does.")),
        "createdAt": moment("When it was registered."),
        "updatedAt": moment("When it was changed last."),
    },
)
NUMBER_WANTED = body(
    "NumberWanted",
    "A number to be registered, or bound.",
    {
        "number": text("Digits, with or without a plus sign.", "+31205550100"),
        "flowId": or_null(identity("The flow that is to answer it.")),
    },
    wanted=("number",),
)
FINDING = record(
    "Finding",
    "What is said about a flow.",
    {
        "severity": choice("`error` for what keeps a flow from being saved.", ("warning", "error")),
        "step": or_null(text("The id of the step that is meant.", "greeting")),
        "parameter": or_null(text("The value that is meant.", "steps[0].options.payload")),
        "message": text("What is the matter.", "The step after this one is never reached."),
    },
)
FLOW = record(
    "Flow",
    "A call flow as it is kept: the keys that were sent, and what we know of it.",
    {
        "id": identity("The flow."),
        "title": or_null(text("What its owner calls it.", "Front desk")),
        "record": truth("Whether its calls are recorded."),
        "default": truth("Whether it answers every number of the world that has no flow."),
        "maxDuration": or_null(whole("Seconds a call may last.", 3600), None),
        "steps": several(
            anything("A step as it was sent.", {"action": "say", "options": {"payload": "Hello.", "language": "en-GB"}}),
            "What is done, in order.",
        ),
        "createdAt": moment("When it was made."),
        "updatedAt": moment("When it was changed last."),
    },
)
FLOW["additionalProperties"] = True  # what a client sends beside is kept, as the compatible interface returns it
EXAMINED_FLOW = extended(
    "ExaminedFlow",
    "A call flow, and what is said about it today.",
    FLOW,
    {"warnings": several(FINDING, "Errors too, for a flow that would not be saved any more: a voice may be gone since.")},
)
EXAMINED_FLOW["additionalProperties"] = True
REPORT = record(
    "FlowReport",
    "What would be said about a flow if it were saved.",
    {"ok": truth("Whether it would be saved.", True), "findings": several(FINDING, "What would be said.")},
)
NUMBERS_WANTED = body(
    "NumbersWanted",
    "Numbers to be bound to a flow.",
    {"numbers": several(text("A number.", "31205550100"), "They are registered where they are not yet.", minItems=1)},
    wanted=("numbers",),
)
NUMBERS_WANTED["additionalProperties"] = True  # they are read as the compatible interface reads them
BOUND = record("BoundNumbers", "Numbers that a flow answers now.", {"data": several(NUMBER, "Those that were named.")})
EXAMPLE = {
    "title": "Front desk",
    "steps": [
        {"action": "say", "options": {"payload": "Welcome.", "voice": "female", "language": "en-GB"}},
        {"action": "hangup"},
    ],
}


@cache
def flow_wanted() -> Named:
    """The published schema of call flows, whose definitions are called ``FlowSay`` and so on here."""
    return published(json_schema(), "FlowWanted", "Flow")


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/numbers",
        name="listNumbers",
        tag="numbers",
        summary="List numbers",
        parameters=PAGED,
        answers=(Answer(status=200, sentence="A page of numbers.", shape=page_of("NumberPage", NUMBER)),),
    ),
    Operation(
        method="POST",
        path="/api/numbers",
        name="makeNumber",
        tag="numbers",
        summary="Register a number, or bind one to a flow",
        sentence='With numbers.claim = "listed" the control socket alone registers numbers.',
        body=Body(shape=NUMBER_WANTED),
        answers=(Answer(status=201, sentence="The number.", shape=NUMBER),),
        failures=(403, 409),
    ),
    Operation(
        method="DELETE",
        path="/api/numbers/{number}",
        name="removeNumber",
        tag="numbers",
        summary="Remove a number",
        sentence="Calls to it are turned away. Its webhook goes with it; the record of its calls stays.",
        parameters=(NUMBER_IN_PATH,),
        answers=(Answer(status=204, sentence="It is done."),),
        failures=(403,),
    ),
    Operation(
        method="GET",
        path="/api/flows",
        name="listFlows",
        tag="flows",
        summary="List call flows",
        parameters=PAGED,
        answers=(Answer(status=200, sentence="A page of flows.", shape=page_of("FlowPage", FLOW)),),
    ),
    Operation(
        method="POST",
        path="/api/flows",
        name="makeFlow",
        tag="flows",
        summary="Make a call flow",
        body=Body(shape=flow_wanted(), example=EXAMPLE),
        answers=(Answer(status=201, sentence="The flow.", shape=EXAMINED_FLOW),),
        failures=(409,),
    ),
    Operation(
        method="POST",
        path="/api/flows/check",
        name="checkFlow",
        tag="flows",
        summary="Say what would be said about a flow if it were saved",
        sentence="Nothing is kept of it.",
        body=Body(shape=flow_wanted(), example=EXAMPLE),
        answers=(Answer(status=200, sentence="What would be said.", shape=REPORT),),
    ),
    Operation(
        method="GET",
        path="/api/flows/{id}",
        name="showFlow",
        tag="flows",
        summary="Show a call flow",
        parameters=(identified("the flow"),),
        answers=(Answer(status=200, sentence="The flow.", shape=EXAMINED_FLOW),),
    ),
    Operation(
        method="PUT",
        path="/api/flows/{id}",
        name="replaceFlow",
        tag="flows",
        summary="Put another body in a flow's place",
        sentence="Its id and the numbers it answers stay.",
        parameters=(identified("the flow"),),
        body=Body(shape=flow_wanted(), example=EXAMPLE),
        answers=(Answer(status=200, sentence="The flow.", shape=EXAMINED_FLOW),),
        failures=(409,),
    ),
    Operation(
        method="POST",
        path="/api/flows/{id}/default",
        name="makeFlowDefault",
        tag="flows",
        summary="Let a flow answer every number that has none",
        parameters=(identified("the flow"),),
        answers=(Answer(status=200, sentence="The flow.", shape=EXAMINED_FLOW),),
        failures=(409,),
    ),
    Operation(
        method="POST",
        path="/api/flows/{id}/numbers",
        name="bindNumbers",
        tag="flows",
        summary="Let a flow answer these numbers too",
        parameters=(identified("the flow"),),
        body=Body(shape=NUMBERS_WANTED),
        answers=(Answer(status=200, sentence="The numbers.", shape=BOUND),),
        failures=(403, 409),
    ),
    Operation(
        method="GET",
        path="/api/schemas/flow.json",
        name="showFlowSchema",
        tag="flows",
        access=Access.ANYONE,
        failures=(422,),
        summary="Show the JSON Schema of call flows",
        answers=(
            Answer(status=200, sentence="A JSON Schema (2020-12).", shape=anything("The schema.", {"title": "Call flow"})),
        ),
    ),
)
