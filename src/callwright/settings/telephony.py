"""Settings of calls: where they and their sound come in and go out, and their limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from callwright.settings import checks
from callwright.settings.section import Port, Section

CallerNetwork = Annotated[str, Meta(extra={"check": checks.caller_network})]
Host = Annotated[str, Meta(extra={"check": checks.sip_host})]


class SipSection(Section, frozen=True, kw_only=True):
    """Where calls come in."""

    host: Annotated[
        str,
        Meta(
            description="The address SIP listens on. Set it to an address of this machine that your trunk can reach; "
            "that is refused until a from list says who may call in.",
            extra={"check": checks.address},
        ),
    ] = "127.0.0.1"
    port: Annotated[
        Port, Meta(description="The UDP port. Change it when your trunk expects another; 0 takes any free one.")
    ] = 5060
    advertised_address: Annotated[
        str,
        Meta(
            description="The address told to the far end for SIP and sound; empty means sip.host. Set it to the public address "
            "when this machine is behind address translation.",
            extra={"check": checks.address_or_empty},
        ),
    ] = ""
    from_: Annotated[
        tuple[CallerNetwork, ...],
        Meta(
            description="Addresses and networks that may call in besides this machine and those listed with the trunks. "
            "Everyone else gets 403.",
            examples=[["192.0.2.0/24"]],
        ),
    ] = msgspec.field(default=(), name="from")
    allow_hosts: Annotated[
        tuple[Host, ...],
        Meta(
            description="Hosts, as host or host:port, that flows and POST /calls may name in sip: addresses, "
            "besides those of the trunks.",
            examples=[["pbx.example.com"]],
        ),
    ] = ()
    new_legs_per_second: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="How many new legs a second a signalling process takes; more get 503. 250 fills half a core.",
        ),
    ] = 250
    max_late_ms: Annotated[
        float,
        Meta(
            gt=0,
            le=60_000,
            description="How many milliseconds a signalling process may run late; beyond that new calls get 503. "
            "Raise it where other programs share the machine.",
        ),
    ] = 50.0
    user_agent: Annotated[
        str,
        Meta(
            pattern=r"^[\x21-\x7e][\x20-\x7e]{0,63}$",
            description="The User-Agent and Server header. Change it when a trunk knows its customers by it.",
            extra={"allowed": "1 to 64 printable ASCII characters"},
        ),
    ] = "Callwright"


class MediaSection(Section, frozen=True, kw_only=True):
    """Where sound goes in and out."""

    processes: Annotated[
        int, Meta(ge=1, le=64, description="Media processes. Add one for every 300 calls at once, up to the cores you have.")
    ] = 1
    ports: Annotated[
        tuple[Port, Port],
        Meta(
            description="First and last UDP port for sound, shared out among the processes; a leg takes two. "
            "Narrow it to what your firewall lets in.",
            extra={"check": checks.rtp_ports, "allowed": "two ports, the first and the last"},
        ),
    ] = (20_000, 29_999)
    max_calls: Annotated[
        int,
        Meta(ge=1, le=5_000, description="Calls a media process carries at once; more are refused. Lower it on slow machines."),
    ] = 300
    silence: Annotated[
        float,
        Meta(
            ge=1,
            le=86_400,
            description="Seconds without sound or an RTCP report from either side after which a call that is not on hold ends.",
        ),
    ] = 60.0
    host: Annotated[
        str,
        Meta(
            description="The address sound is received on; empty means sip.host. Set it when sound has a network of its own.",
            extra={"check": checks.address_or_empty},
        ),
    ] = ""


class CallsSection(Section, frozen=True, kw_only=True):
    """Limits on calls."""

    ring_timeout: Annotated[
        float,
        Meta(
            ge=1,
            le=300,
            description="Seconds a called party may ring when the flow's step does not say. Raise it for slow networks.",
        ),
    ] = 60.0
    max_duration: Annotated[
        int,
        Meta(
            ge=1,
            le=604_800,
            description="Seconds after which any call is ended. It protects against calls that nobody hangs up.",
        ),
    ] = 14_400
    max_live: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Live calls at once, simulated ones included; more get 503. Raise it with media.processes.",
        ),
    ] = 1_000
    currency: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z]{3}$",
            description="The currency written on legs (ISO 4217). Change it when your clients expect another.",
            extra={"allowed": 'three capital letters such as "EUR"'},
        ),
    ] = "EUR"
    emergency_numbers: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9]{2,15}$", extra={"allowed": "a number in digits"})], ...],
        Meta(
            description="Numbers that are never called, because an emergency service could not be told where the caller is. "
            "Add those of your country.",
        ),
    ] = (
        "000", "108", "110", "111", "112", "113", "115", "117", "118", "119", "120", "190", "192", "193",
        "911", "995", "997", "998", "999",
    )  # fmt: skip


class NumbersSection(Section, frozen=True, kw_only=True):
    """Who may take a telephone number."""

    claim: Annotated[
        Literal["open", "listed"],
        Meta(
            description="open: naming a number in the API creates it. listed: only the command line does; "
            "set it when several parties hold keys."
        ),
    ] = "open"


class TrunkSection(Section, frozen=True, kw_only=True):
    """A SIP trunk: calls to telephone numbers leave by the first one."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
            description="What logs and records call it.",
            examples=["carrier"],
            extra={"allowed": "1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit"},
        ),
    ]
    address: Annotated[
        str,
        Meta(
            description="Where calls are sent: host or host:port (5060 when it is not given).",
            examples=["sip.example.com:5060"],
            extra={"check": checks.sip_host},
        ),
    ]
    username: Annotated[
        str, Meta(description="Set both when the trunk asks for credentials (digest).", examples=["callwright"])
    ] = ""
    password: Annotated[
        str, Meta(description="The password that goes with it.", examples=["secret"], extra={"secret": True})
    ] = ""
    from_: Annotated[
        tuple[CallerNetwork, ...],
        Meta(description="The addresses its calls come from. Without any, calls only go out.", examples=[["192.0.2.0/28"]]),
    ] = msgspec.field(default=(), name="from")
