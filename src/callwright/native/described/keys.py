"""Access keys, and what callbacks are signed with (`native.provisioning`, `native.secrets`)."""

from __future__ import annotations

from functools import partial

from callwright.accounts.worlds import LIVE, TEST
from callwright.native.described.common import DONE, identified
from callwright.native.provisioning import LONGEST_LABEL
from callwright.openapi.operation import Access, Answer, Body, operation
from callwright.openapi.shapes import all_of, body, choice, extended, identity, moment, number, or_null, record, text, truth

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

_about_keys = partial(operation, tag="keys", access=Access.SOCKET)

OPERATIONS = (
    _about_keys(
        "GET /api/keys",
        "listKeys",
        "List access keys",
        Answer(200, "All keys.", all_of("Keys", KEY, "Access keys of both worlds.")),
        sentence="Those that were revoked too; never a key itself.",
    ),
    _about_keys(
        "POST /api/keys",
        "makeKey",
        "Make an access key",
        Answer(201, "The key, shown this once.", NEW_KEY),
        body=Body(KEY_WANTED),
    ),
    _about_keys(
        "DELETE /api/keys/{id}",
        "revokeKey",
        "Revoke an access key",
        DONE,
        sentence="It opens nothing any more, and stays in the list.",
        parameters=(identified("the key"),),
    ),
    _about_keys(
        "GET /api/keys/signing",
        "showSigningKey",
        "Show the signing key of a world",
        Answer(200, "The signing key.", SIGNING_KEY),
    ),
    _about_keys(
        "POST /api/keys/signing/rotate",
        "rotateSigningKey",
        "Replace the signing key of a world",
        Answer(200, "The new signing key.", SIGNING_KEY),
        sentence="That of today stays good for the overlap; callbacks are signed with both.",
        body=Body(body("Overlap", "How long the old one stays good.", {"overlap": OVERLAP}), optional=True),
        failures=(409,),
    ),
    _about_keys(
        "POST /api/keys/signing/rotate/finish",
        "finishSigningKey",
        "Let the old signing key go",
        Answer(200, "The signing key that is left.", SIGNING_KEY_FINISHED),
    ),
)
