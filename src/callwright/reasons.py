"""Why a leg ended: a closed list.

Every terminal leg carries exactly one `Reason`. Each says in one sentence what happened and what an operator or
developer can do; the reference page is generated from here.
"""

from __future__ import annotations

from enum import Enum
from typing import Self


class Reason(Enum):
    """A stable name; `.sentence` and `.remedy` explain it."""

    sentence: str
    remedy: str

    def __new__(cls, value: str, sentence: str = "", remedy: str = "") -> Self:
        member = object.__new__(cls)
        member._value_ = value
        member.sentence = sentence
        member.remedy = remedy
        return member

    # ended by a party
    CALLER_HANGUP = "caller_hangup", "The caller hung up.", "Nothing to do."
    CALLER_CANCELLED = "caller_cancelled", "The caller gave up before the call was answered.", "Nothing to do."
    CALLER_GONE = "caller_gone", "The caller left while this leg was being set up.", "Nothing to do."
    CALLEE_HANGUP = "callee_hangup", "The called party hung up.", "Nothing to do."
    PEER_GONE = "peer_gone", "The other leg of the bridge ended.", "Nothing to do."
    BUSY = "busy", "The called party was busy (SIP 486 or 600).", "Try again later, or add a step after the transfer."
    NO_ANSWER = (
        "no_answer",
        "The called party did not answer (SIP 408, 480 or 487).",
        "Try again later, or add a step after the transfer.",
    )

    # ended by us, as asked
    RING_TIMEOUT = (
        "ring_timeout",
        "Nobody answered within the ring timeout.",
        "Raise calls.ring_timeout or the step's ringTimeout if the callee needs longer.",
    )
    FLOW_ENDED = "flow_ended", "The call flow had no further step.", "Nothing to do."
    API_HANGUP = "api_hangup", "The call or leg was ended through the API.", "Nothing to do."
    MAX_DURATION = (
        "max_duration",
        "The call reached its longest allowed duration.",
        "Raise the flow's maxDuration or the setting calls.max_duration.",
    )
    MACHINE = (
        "machine",
        "An answering machine answered, and the step's ifMachine says hangup.",
        'Set ifMachine to "continue" or "delay" to talk to machines.',
    )
    FLOW_REPLACED = "flow_replaced", "The call's flow was replaced while this leg was part of it.", "Nothing to do."
    LEFT_BY_KEY = "left_by_key", "The other party pressed a key that ends the transfer step.", "Nothing to do."
    REFERRED = "referred", "The far end was transferred to another party (SIP REFER).", "Nothing to do."
    SHUTDOWN = "shutdown", "The server was stopped while the call was up.", "Give drain.seconds more time, or stop later."

    # could not be set up
    NO_FLOW = (
        "no_flow",
        "The number has no call flow and the world has no default flow.",
        'Bind a flow with POST /call-flows/{id}/numbers, or save a flow with "default": true.',
    )
    NO_ROUTE = (
        "no_route",
        "No trunk or host leads to this destination.",
        "Add a [[trunks]] entry to the settings, or add the host to sip.allow_hosts.",
    )
    NOT_ALLOWED = (
        "not_allowed",
        "The destination is not allowed by the settings.",
        "sip: targets must be hosts of a trunk or listed in sip.allow_hosts; emergency numbers are always refused.",
    )
    LIMIT = "limit", "A configured limit was reached.", "Look at the limits in the settings, section calls."
    NO_COMMON_CODEC = (
        "no_common_codec",
        "The two sides share no codec; Callwright speaks PCMU and PCMA at 8 kHz.",
        "Enable G.711 on the trunk or telephone.",
    )
    BAD_OFFER = (
        "bad_offer",
        "The session description of the far end cannot be used.",
        "The call's journal names the line at fault; correct it on the far end.",
    )
    MEDIA_CAPACITY = (
        "media_capacity",
        "No media process could take another stream.",
        "Widen media.ports, raise media.max_calls, or add media.processes.",
    )
    REDIRECT_REFUSED = (
        "redirect_refused",
        "The far end redirected the call (SIP 3xx), which is not followed.",
        "Dial the final destination, or have the trunk follow redirects.",
    )
    AUTH_FAILED = (
        "auth_failed",
        "The trunk refused our credentials (SIP 401 or 407 after they were sent).",
        "Check username and password of the trunk.",
    )
    REJECTED = (
        "rejected",
        "The far end refused the call (another SIP 4xx, 5xx or 6xx).",
        "The call's journal has the SIP code and phrase; ask the trunk's operator about them.",
    )
    NO_RESPONSE = (
        "no_response",
        "The far end sent no answer of any kind for 32 seconds.",
        "Check the trunk's address, port and firewall.",
    )
    UNREACHABLE = (
        "unreachable",
        "The far end could not be reached (name not found, or connection refused).",
        "Check the trunk's address and that it listens.",
    )
    NOT_SUPPORTED_YET = (
        "not_supported_yet",
        "The call flow uses a step or option that this version does not run yet.",
        "The call's journal names the step and option; take it out of the flow or upgrade.",
    )
    BAD_FLOW = (
        "bad_flow",
        "The call flow cannot be run as it is written.",
        "The call's journal names the step and what is wrong with it.",
    )
    MEDIA_UNAVAILABLE = (
        "media_unavailable",
        "A sound to be played could not be fetched, or is no sound that can be played.",
        "The call's journal has the URL's answer; open the URL from the server and check the file.",
    )
    SPEECH_UNAVAILABLE = (
        "speech_unavailable",
        "A text could not be spoken: no voice is set up for it, or the voices failed.",
        "The call's journal says which voices were tried; see the section speech of the settings.",
    )
    FLOW_UNAVAILABLE = (
        "flow_unavailable",
        "The next call flow could not be fetched, or what came was no call flow.",
        "The call's journal has the URL and its answer; ask for it from the server and check the flow.",
    )
    FLOW_LOOP = (
        "flow_loop",
        "The call flow ran in circles, or fetched flow after flow, without end.",
        "The call's journal has the steps; let each round wait for a key, a sound or a time.",
    )

    # lost
    NO_ACK = "no_ack", "Our answer was never acknowledged.", "Check that the far end receives our 200 (NAT, firewall)."
    MEDIA_TIMEOUT = (
        "media_timeout",
        "No sound arrived from either side for a minute.",
        "Check the advertised address and the firewall for the RTP ports.",
    )
    DIALOG_LOST = "dialog_lost", "The far end no longer knows the call.", "Nothing to do; the far end restarted."
    MEDIA_LOST = "media_lost", "The media process died.", "See the server's log for its last words."
    SIGNALLING_LOST = "signalling_lost", "The signalling process died.", "See the server's log for its last words."
    NODE_RESTARTED = "node_restarted", "The server was restarted while the call was up.", "See the log of that time."
    STORE_UNAVAILABLE = (
        "store_unavailable",
        "The database did not accept a write for 30 seconds.",
        "Check disk space and the permissions of the data folder.",
    )
    INTERNAL = "internal", "Callwright failed to carry the call on.", "The log has a traceback; please report it."


class Refusal(Enum):
    """Why an incoming call was turned away without a record (`lifecycle` row N1)."""

    sip_code: int
    sip_phrase: str
    sentence: str

    def __new__(cls, value: str, sip_code: int = 0, sip_phrase: str = "", sentence: str = "") -> Self:
        member = object.__new__(cls)
        member._value_ = value
        member.sip_code = sip_code
        member.sip_phrase = sip_phrase
        member.sentence = sentence
        return member

    STRANGER = "stranger", 403, "Forbidden", "The source address is neither loopback nor in a trunk's from list."
    OVER_LIMIT = "over_limit", 503, "Service Unavailable", "A limit on new or live legs was reached."
    DRAINING = "draining", 503, "Service Unavailable", "The server is shutting down."
    UNHEALTHY = "unhealthy", 503, "Service Unavailable", "A part the call needs is down: database or media."
    UNKNOWN_NUMBER = "unknown_number", 404, "Not Found", "The called number belongs to no live world."
    LOOP = "loop", 483, "Too Many Hops", "The call passed through this server more than five times."
    BAD_REQUEST = "bad_request", 400, "Bad Request", "The INVITE lacks something that is needed to answer it."
    EXTENSION = "extension", 420, "Bad Extension", "The INVITE requires a SIP extension that is not supported."
