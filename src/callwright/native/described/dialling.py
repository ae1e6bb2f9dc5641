"""Simulated callers (`native.dialling`)."""

from __future__ import annotations

from functools import partial

from callwright.native.described.calls import CALL
from callwright.native.described.common import identified
from callwright.native.dialling import CALLER
from callwright.openapi.operation import Answer, Body, operation
from callwright.openapi.shapes import body, number, several, text, truth
from callwright.simulator.settings import MOST_ACTS

MOST_S = 86_400
ACT = body(
    "CallerAct",
    "One thing that the caller does: all but `at` and `whenAsked` say what; of those one, but `speaksFor` beside `says`.",
    {
        "at": number("Seconds after the answer; with `whenAsked`, after the flow has asked.", 2.0, minimum=0, maximum=MOST_S),
        "whenAsked": truth(
            "Whether it waits until the flow asks: just before the end of a prompt that listens for keys, or once there is "
            "silence after a prompt. One such act is done for a prompt.",
        ),
        "press": text("Keys, pressed one after the other.", "1", pattern="^[0-9*#A-D]{0,64}$"),
        "says": text("A text that it says.", "Yes, please.", maxLength=1_000),
        "speaksFor": number("Seconds that it speaks; 0 is as long as the text takes.", 1.5, minimum=0, maximum=MOST_S),
        "beeps": truth("Whether it beeps, as a machine does."),
        "holds": truth("Whether it puts us on hold."),
        "resumes": truth("Whether it takes us off hold."),
        "transfersTo": text(
            "Whom it asks us to connect the other party with (SIP REFER): a telephone number, or a `sip:` URI.",
            "31698765432",
            maxLength=256,
        ),
        "hangsUp": truth("Whether it hangs up."),
    },
)
DIALLED = body(
    "DialledCall",
    "A call that is to come in.",
    {
        "number": text("A number of the test world.", "31205550100"),
        "source": text(f"Who calls; without it {CALLER}, which can be called back.", "31600000001"),
        "acts": several(ACT, "What the caller does once it is answered.", maxItems=MOST_ACTS),
        "keyGap": number("Seconds from one key to the next; without it 0.3.", 0.3, minimum=0, maximum=MOST_S),
        "takesTransfers": truth("Whether the caller's telephone calls somebody else when it is asked to; it does.", True),
    },
    wanted=("number",),
)
EXAMPLE = {"number": "31205550100", "acts": [{"whenAsked": True, "press": "1"}, {"at": 30.0, "hangsUp": True}]}

_about_calls = partial(operation, tag="calls")

OPERATIONS = (
    _about_calls(
        "POST /api/dial",
        "dial",
        "Have a simulated caller call a number of the test world",
        Answer(201, "The call.", CALL),
        sentence="The test world alone. The answer comes once the call is on record; times are those of the simulator "
        "(`simulator.speed`).",
        body=Body(DIALLED, example=EXAMPLE),
        failures=(403, 404),
    ),
    _about_calls(
        "DELETE /api/dial/{id}",
        "hangUpDialled",
        "Have the caller of such a call hang up",
        Answer(204, "It hangs up."),
        parameters=(identified("the call"),),
        failures=(403, 409),
    ),
)
