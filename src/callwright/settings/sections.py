"""Every setting, section by section: its type, its limits, its default, and when to change it.

The texts are the documentation: `callwright.settings.document` makes the reference file of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from callwright.egress import proxies
from callwright.settings import checks
from callwright.settings.recorded import RecordingsSection, TranscriptionSection
from callwright.settings.section import Section
from callwright.settings.spoken import SpeechSection
from callwright.settings.steps import FlowsSection, SoundsSection, TransferSection
from callwright.simulator.settings import SimulatorSettings

Port = Annotated[int, Meta(ge=0, le=65_535)]
Network = Annotated[str, Meta(extra={"check": checks.network})]
CallerNetwork = Annotated[str, Meta(extra={"check": checks.caller_network})]
Host = Annotated[str, Meta(extra={"check": checks.sip_host})]
Wait = Annotated[float, Meta(ge=1, le=604_800)]
Keep = Annotated[float, Meta(ge=60, le=31_622_400)]


class HttpSection(Section, frozen=True, kw_only=True):
    """Where the REST interface listens."""

    host: Annotated[
        str,
        Meta(
            description="The address to listen on. Set 0.0.0.0, with a certificate or behind a proxy with TLS, for clients on "
            "other machines.",
            extra={"check": checks.listening_host},
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="The TCP port. Change it when another program has it; 0 takes any free one.")] = 8080
    certificate: Annotated[
        str,
        Meta(
            description="A PEM file with the server's certificate and, after it, those that signed it. Set it and http.key for "
            "HTTPS on http.port; what is renewed in the files is taken within a minute, without a restart.",
            examples=["/etc/callwright/fullchain.pem"],
            extra={"check": checks.whole_path_or_empty},
        ),
    ] = ""
    key: Annotated[
        str,
        Meta(
            description="The PEM file with the key of http.certificate, not encrypted.",
            examples=["/etc/callwright/privkey.pem"],
            extra={"check": checks.whole_path_or_empty},
        ),
    ] = ""
    plain_port: Annotated[
        Port,
        Meta(
            description="With a certificate, a second TCP port of http.host that speaks HTTP without TLS, for programs that "
            "cannot be made to trust the certificate; 0 for none."
        ),
    ] = 0
    operator_token: Annotated[
        str,
        Meta(
            description="What a monitoring system on another machine sends as a bearer token to read /metrics. "
            "Empty: only this machine may.",
            extra={"secret": True, "check": checks.token},
        ),
    ] = ""


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


class EgressSection(Section, frozen=True, kw_only=True):
    """HTTP requests this server makes."""

    allow: Annotated[
        tuple[Network, ...],
        Meta(
            description="Private networks that webhooks, flow addresses and sound files may be on; all others are refused. "
            "Of a name each address must be allowed. A server that listens on loopback alone may always reach 127.0.0.0/8 "
            "and ::1.",
            examples=[["10.20.0.0/16"]],
        ),
    ] = ()
    ca_file: Annotated[
        str,
        Meta(
            description="A file of certificate authorities (PEM) to trust instead of those of this machine. "
            "Set it when your endpoints have certificates of your own authority.",
            examples=["/etc/callwright/authorities.pem"],
            extra={"check": checks.authorities_or_empty},
        ),
    ] = ""
    proxy: Annotated[
        str,
        Meta(
            description="A proxy that all these requests go through. It looks names up itself, so allow speaks only for hosts "
            "that are written as addresses: let the proxy refuse your networks. Speech services and buckets are reached "
            "directly.",
            examples=["http://user:password@proxy.example.com:3128"],
            extra={"secret": True, "check": proxies.fault_of},
        ),
    ] = ""


class WebhooksSection(Section, frozen=True, kw_only=True):
    """Telling your application what happens."""

    events: Annotated[
        tuple[Literal["call", "leg", "recording", "transcription", "webhook"], ...],
        Meta(
            description="What webhooks are told of that do not say it themselves: call, always, and leg, recording, "
            "transcription, webhook. Programs written for MessageBird know call alone.",
        ),
    ] = ("call",)
    timeout: Annotated[
        float,
        Meta(ge=0.1, le=60, description="Seconds an endpoint has to answer. Rather make the endpoint faster than this longer."),
    ] = 10.0
    retry: Annotated[
        tuple[Wait, ...],
        Meta(description="Seconds to wait before each further attempt after one that failed."),
    ] = (5.0, 30.0, 120.0, 600.0, 3600.0)
    then_every: Annotated[Wait, Meta(description="Seconds between attempts once the list above is used up.")] = 3600.0
    give_up_after: Annotated[
        Wait,
        Meta(description="Seconds after the event at which attempts end. The event is kept and can be sent again by hand."),
    ] = 259_200.0
    concurrency: Annotated[
        int, Meta(ge=1, le=4096, description="Requests under way at once. Raise it for many slow endpoints.")
    ] = 128
    per_endpoint: Annotated[
        int,
        Meta(
            ge=1, le=4096, description="Of these, how many one endpoint may have, so that a hanging one cannot take them all."
        ),
    ] = 16
    rate: Annotated[
        float,
        Meta(
            ge=0,
            le=10_000,
            description="Requests a second for one endpoint, 0 for as many as there are. After a pause one second's worth may "
            "go at once. A single endpoint can be given limits of its own: callwright endpoints limit.",
        ),
    ] = 0.0
    slow_after: Annotated[
        float,
        Meta(
            ge=0.05,
            le=60,
            description="Seconds after which a request that is not answered counts against slow_slots. An endpoint that has "
            "answered nothing since it began gets no other until it does. So those that hang leave the others their room.",
        ),
    ] = 1.0
    slow_slots: Annotated[
        int,
        Meta(
            ge=1,
            le=4096,
            description="Requests under way at once that are unanswered for slow_after, or go to endpoints that are not well. "
            "Those beyond count against concurrency.",
        ),
    ] = 256
    break_after: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="Failures in a row, such as no connection, no answer or 503, after which a host is left alone but for "
            "a probe now and then.",
        ),
    ] = 5
    break_first: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            description="Seconds until the first probe of a host that was left alone, or of an endpoint that failed ten times "
            "in a row.",
        ),
    ] = 5.0
    break_longest: Annotated[
        float,
        Meta(ge=0.1, le=86_400, description="Each probe that fails doubles the pause before the next, up to so many seconds."),
    ] = 300.0
    retry_after_at_most: Annotated[
        float,
        Meta(ge=0, le=86_400, description="Seconds an endpoint may make us wait by Retry-After; it asks for more in vain."),
    ] = 3600.0
    disable_after: Annotated[
        Wait,
        Meta(
            description="Seconds without a good answer after which an endpoint is disabled, if five attempts at least have "
            "failed. What was meant for it is kept and can be sent again by hand once it is enabled."
        ),
    ] = 432_000.0
    head_wait: Annotated[
        Wait,
        Meta(
            description="Seconds the later events of a call wait for one that fails, from its first failure on. Then they go "
            "without it, and the header webhook-gap names what is missing. While the whole host is down all wait."
        ),
    ] = 3600.0
    keep: Annotated[
        Keep,
        Meta(
            description="Seconds a delivered callback stays on record, with its attempts. The last of each call stays, emptied."
        ),
    ] = 604_800.0
    keep_exhausted: Annotated[
        Keep, Meta(description="Seconds a callback that was given up stays on record and can be sent again.")
    ] = 2_592_000.0
    legacy_signature: Annotated[
        Literal["base64", "hex"],
        Meta(description="How X-MessageBird-Signature is written. Set hex if your library compares hexadecimal."),
    ] = "base64"
    rotation_overlap: Annotated[
        float,
        Meta(
            ge=0,
            le=2_592_000,
            description="Seconds a secret that was replaced stays good beside the new one, unless the command says otherwise.",
        ),
    ] = 86_400.0


class TagSection(Section, frozen=True, kw_only=True):
    """How long calls with a tag are kept."""

    tag: Annotated[str, Meta(description="The tag.", examples=["dispute"], extra={"check": checks.tag})]
    days: Annotated[
        int, Meta(ge=0, le=36_500, description="Days after its end that a call with it is kept; 0 for ever.", examples=[3650])
    ]


class RetentionSection(Section, frozen=True, kw_only=True):
    """How long calls are kept, with everything that is kept of them: legs, journal, recordings, transcriptions, callbacks."""

    calls: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Days after its end that a call is kept; 0 for ever. Set what the law and your customers ask for: "
            "what is deleted is gone. A call whose callbacks are not settled waits for them.",
        ),
    ] = 0
    tags: Annotated[
        tuple[TagSection, ...],
        Meta(
            description="One such table for every tag whose calls are kept longer, or shorter, than others. Of a call with "
            "several of them, the longest time counts."
        ),
    ] = ()


class NumbersSection(Section, frozen=True, kw_only=True):
    """Who may take a telephone number."""

    claim: Annotated[
        Literal["open", "listed"],
        Meta(
            description="open: naming a number in the API creates it. listed: only the command line does; "
            "set it when several parties hold keys."
        ),
    ] = "open"


class StoreSection(Section, frozen=True, kw_only=True):
    """The database."""

    synchronous: Annotated[
        Literal["full", "normal"],
        Meta(
            description="full survives a power cut without losing a commit. normal is a little faster "
            "and may lose the last moments then."
        ),
    ] = "full"


class DrainSection(Section, frozen=True, kw_only=True):
    """Stopping the server."""

    seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="How long live calls may go on after SIGTERM, while no new ones are taken.")
    ] = 30.0


class LogSection(Section, frozen=True, kw_only=True):
    """What is told on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least important lines to write. Set debug to look for a fault."),
    ] = "info"
    format: Annotated[
        Literal["auto", "json", "terminal"],
        Meta(description="auto: readable lines on a terminal, JSON anywhere else. Set one when the guess is wrong."),
    ] = "auto"


class ApiSection(Section, frozen=True, kw_only=True):
    """Limits of the REST interface."""

    body_limit: Annotated[int, Meta(ge=1_024, le=16_777_216, description="Bytes a request body may have; more get 413.")] = (
        65_536
    )
    flow_limit: Annotated[int, Meta(ge=1_024, le=16_777_216, description="Bytes a call flow may have; more get 422.")] = 32_768
    webhooks_per_world: Annotated[int, Meta(ge=1, le=10_000, description="Webhooks a world may have; another gets 422.")] = 5


class CompatibilitySection(Section, frozen=True, kw_only=True):
    """How close the compatible interface and the callbacks keep to the original service where its own libraries disagree."""

    documented_status_codes: Annotated[
        bool,
        Meta(
            description="true: 400 for what is wrong with a request and 409 for what an object cannot have now, as what "
            "is known of the original's reference says. false: 422 for both, the only one of the three that its Python, Ruby "
            "and C# libraries can read."
        ),
    ] = False
    collapse_statuses: Annotated[
        bool,
        Meta(
            description="true: a call that was busy, not answered or failed is shown as ended, in answers and in callbacks. "
            "Set it for the C# library, which cannot read those words."
        ),
    ] = False
    documented_events: Annotated[
        bool,
        Meta(
            description="true: callbacks tell of callCreated and callUpdated alone, whatever a webhook or webhooks.events asks "
            "for. Set it when a program fails over events it does not know. An example that is sent by hand still goes out."
        ),
    ] = False
    authentication_code: Annotated[
        Literal[15, 2],
        Meta(
            description="The error code of an access key that is missing or not known. Set 2 for programs that look for the "
            "one of the original's other interfaces, as the PHP and Dart libraries do."
        ),
    ] = 15
    on_finish_content_type: Annotated[
        Literal["application/json", "none"],
        Meta(
            description="The Content-Type of the recording that is posted to onFinish. none: without one, which is how the "
            "original's guides have it."
        ),
    ] = "application/json"
    method_on_get: Annotated[
        bool,
        Meta(
            description="true: _method in the query of a GET puts another method in its place, as it always does on POST. "
            "Leave it off where anything in between may repeat a GET."
        ),
    ] = False


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


class Settings(Section, frozen=True, kw_only=True):
    """All settings, in the order of the reference file."""

    http: HttpSection = HttpSection()
    sip: SipSection = SipSection()
    media: MediaSection = MediaSection()
    calls: CallsSection = CallsSection()
    transfer: TransferSection = TransferSection()
    flows: FlowsSection = FlowsSection()
    simulator: SimulatorSettings = SimulatorSettings()
    sounds: SoundsSection = SoundsSection()
    egress: EgressSection = EgressSection()
    webhooks: WebhooksSection = WebhooksSection()
    speech: SpeechSection = SpeechSection()
    recordings: RecordingsSection = RecordingsSection()
    transcription: TranscriptionSection = TranscriptionSection()
    retention: RetentionSection = RetentionSection()
    numbers: NumbersSection = NumbersSection()
    store: StoreSection = StoreSection()
    drain: DrainSection = DrainSection()
    log: LogSection = LogSection()
    api: ApiSection = ApiSection()
    compatibility: CompatibilitySection = CompatibilitySection()
    trunks: Annotated[
        tuple[TrunkSection, ...],
        Meta(description="One such table for every SIP trunk; calls to telephone numbers leave by the first."),
    ] = ()

    @property
    def loopback_only(self) -> bool:
        """Whether nobody but this machine can reach the server."""
        return all(checks.is_loopback(host) for host in (self.http.host, self.sip.host, self.media.host or self.sip.host))

    @property
    def sound_address(self) -> str:
        """The address told to the far end for sound."""
        return self.sip.advertised_address or self.media.host or self.sip.host
