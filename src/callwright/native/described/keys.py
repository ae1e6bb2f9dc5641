"""Access keys, and what callbacks are signed with (`native.provisioning`, `native.secrets`)."""

from __future__ import annotations

from callwright.accounts.worlds import LIVE, TEST
from callwright.native.described.common import identified
from callwright.native.provisioning import LONGEST_LABEL
from callwright.openapi.operation import Access, Answer, Body, Operation
from callwright.openapi.shapes import (
    all_of,
    body,
    choice,
    extended,
    identity,
    moment,
    number,
    or_null,
    record,
    text,
    truth,
)

KIND = choice("The world it opens.", (LIVE, TEST))
KEY = record(
    "Key",
    "An access key, without what is secret of it.",
    {
        "id": identity("The key."),
        "kind": KIND,
        "label": text("What its owner wrote on it.", "web shop"),
        "ending": text("Its last characters, to know it by.", "9QyM"),
        "createdAt": moment("When it was made."),
        "revokedAt": or_null(moment("Since when it opens nothing; null while it is good."), None),
    },
)
NEW_KEY = extended(
    "NewKey",
    "A key that was just made, and the key itself: it is shown this once.",
    KEY,
    {"key": text("What to send after `AccessKey `.", "live_gshuPaZoeEG6ovbc8M79w0QyM")},
)
KEY_WANTED = body(
    "KeyWanted",
    "A key to be made.",
    {"kind": KIND, "label": text("What to know it by.", "web shop", maxLength=LONGEST_LABEL)},
    wanted=("kind",),
)
SIGNING_KEY = record(
    "SigningKey",
    "What the callbacks of a world are signed with.",
    {
        "kind": KIND,
        "signingKey": text("The key.", "EoqPLv8sUCpTHsv9fMZgLPCVcVbaqyBu"),
        "secret": text("The same, as libraries for Standard Webhooks take it.", "whsec_RW9xUEx2OHNVQ3A="),
        "oldSigningKey": or_null(text("The key it replaced, while that one is good.", "yes"), None),
        "oldSecret": or_null(text("The same for Standard Webhooks.", "whsec_eWVz"), None),
        "oldUntil": or_null(moment("Until when the old one is good."), None),
    },
)
FINISHED = {"finished": truth("Whether there was an old one.", True)}
SIGNING_KEY_FINISHED = extended("SigningKeyFinished", "The signing key, after the old one was let go.", SIGNING_KEY, FINISHED)
OVERLAP = or_null(
    number("Seconds that the old one stays good; without it, the setting webhooks.rotation_overlap.", 86_400, minimum=0)
)

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/keys",
        name="listKeys",
        tag="keys",
        access=Access.SOCKET,
        summary="List access keys",
        sentence="Those that were revoked too; never a key itself.",
        answers=(Answer(status=200, sentence="All keys.", shape=all_of("Keys", KEY, "Access keys of both worlds.")),),
    ),
    Operation(
        method="POST",
        path="/api/keys",
        name="makeKey",
        tag="keys",
        access=Access.SOCKET,
        summary="Make an access key",
        body=Body(shape=KEY_WANTED),
        answers=(Answer(status=201, sentence="The key, shown this once.", shape=NEW_KEY),),
    ),
    Operation(
        method="DELETE",
        path="/api/keys/{id}",
        name="revokeKey",
        tag="keys",
        access=Access.SOCKET,
        summary="Revoke an access key",
        sentence="It opens nothing any more, and stays in the list.",
        parameters=(identified("the key"),),
        answers=(Answer(status=204, sentence="It is done."),),
    ),
    Operation(
        method="GET",
        path="/api/keys/signing",
        name="showSigningKey",
        tag="keys",
        access=Access.SOCKET,
        summary="Show the signing key of a world",
        answers=(Answer(status=200, sentence="The signing key.", shape=SIGNING_KEY),),
    ),
    Operation(
        method="POST",
        path="/api/keys/signing/rotate",
        name="rotateSigningKey",
        tag="keys",
        access=Access.SOCKET,
        summary="Replace the signing key of a world",
        sentence="That of today stays good for the overlap; callbacks are signed with both.",
        body=Body(shape=body("Overlap", "How long the old one stays good.", {"overlap": OVERLAP}), optional=True),
        answers=(Answer(status=200, sentence="The new signing key.", shape=SIGNING_KEY),),
        failures=(409,),
    ),
    Operation(
        method="POST",
        path="/api/keys/signing/rotate/finish",
        name="finishSigningKey",
        tag="keys",
        access=Access.SOCKET,
        summary="Let the old signing key go",
        answers=(Answer(status=200, sentence="The signing key that is left.", shape=SIGNING_KEY_FINISHED),),
    ),
)
