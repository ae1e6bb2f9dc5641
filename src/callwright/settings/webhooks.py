"""Settings of webhooks, and of all HTTP requests that this server makes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from callwright.egress import proxies
from callwright.settings import checks
from callwright.settings.section import Section

Network = Annotated[str, Meta(extra={"check": checks.network})]
Wait = Annotated[float, Meta(ge=1, le=604_800)]
Keep = Annotated[float, Meta(ge=60, le=31_622_400)]


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
        Meta(
            description="Seconds after the event from which on one attempt that fails is the last. The event is kept and can "
            "be sent again by hand."
        ),
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
