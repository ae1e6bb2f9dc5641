"""Settings of the REST interface: where it listens, its limits, and how close it keeps to the original service."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from callwright.settings import checks
from callwright.settings.section import Port, Section


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


class ApiSection(Section, frozen=True, kw_only=True):
    """Limits of the REST interface."""

    body_limit: Annotated[int, Meta(ge=1_024, le=16_777_216, description="Bytes a request body may have; more get 413.")] = (
        65_536
    )
    flow_limit: Annotated[int, Meta(ge=1_024, le=16_777_216, description="Bytes a call flow may have; more get 422.")] = 32_768
    webhooks_per_world: Annotated[
        int,
        Meta(ge=1, le=10_000, description="Webhooks a world may have; another gets 422, and 409 over the native interface."),
    ] = 5


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
