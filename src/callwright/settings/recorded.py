"""Settings of recordings and of what is written down of them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from callwright.recordings import keyfile
from callwright.settings import checks
from callwright.settings.section import Section

SealingKey = Annotated[str, Meta(extra={"secret": True, "check": keyfile.fault_of})]


class RecordingsSection(Section, frozen=True, kw_only=True):
    """Where recordings are kept, and how they are sealed."""

    storage: Annotated[
        Literal["local", "s3"],
        Meta(
            description="local: in the data folder. s3: recordings move to object storage once they are over; "
            'it needs the extra "s3". Those that are there already stay where they are.'
        ),
    ] = "local"
    bucket: Annotated[
        str, Meta(description="The bucket, which must be there. Keep it set as long as recordings are in it.")
    ] = ""
    endpoint: Annotated[
        str,
        Meta(
            description="The address of an S3-compatible server; empty means that of Amazon's region.",
            examples=["https://s3.example.com"],
            extra={"check": checks.http_url_or_empty},
        ),
    ] = ""
    region: Annotated[str, Meta(description="The region. Servers of other makers mostly take any.")] = "us-east-1"
    prefix: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9!_.*'()-]+/)*$",
            description="What the names of objects begin with. Set it when the bucket is shared.",
            examples=["callwright/"],
            extra={"allowed": "empty, or names that each end with a slash"},
        ),
    ] = ""
    access_key: Annotated[
        str,
        Meta(description="Set both keys, or neither to have them found where Amazon's tools keep theirs."),
    ] = ""
    secret_key: Annotated[str, Meta(description="The secret that goes with it.", extra={"secret": True})] = ""
    keys: Annotated[
        tuple[SealingKey, ...],
        Meta(
            description="Keys to seal recordings and transcripts with, each name:key with 32 bytes in base64 or hexadecimal. "
            "The first seals what is new, the others open what is old. Without any, nothing is sealed.",
            extra={"secret": True, "allowed": "a list of texts, each name:key"},
        ),
    ] = ()
    keys_file: Annotated[
        str,
        Meta(
            description="A file with such keys, one a line, behind those above. Set it when secrets come as files.",
            examples=["/run/secrets/recordings"],
        ),
    ] = ""


class TranscriptionSection(Section, frozen=True, kw_only=True):
    """Writing down what was said in recordings: by a model on this machine, or by a service."""

    language: Annotated[
        str,
        Meta(
            description="The language when a request does not say. Recognisers are always told one.",
            extra={"check": checks.transcription_language},
        ),
    ] = "en-US"
    model: Annotated[
        str,
        Meta(
            description='A folder with a Whisper model for faster-whisper (CTranslate2); it needs the extra "transcribe". '
            "Nothing is ever downloaded.",
            examples=["/srv/models/faster-whisper-small"],
        ),
    ] = ""
    threads: Annotated[
        int,
        Meta(ge=1, le=64, description="Processor threads the model may use. It runs behind calls; leave cores for those."),
    ] = 1
    url: Annotated[
        str,
        Meta(
            description="Instead of a model: the address of a service with OpenAI's interface, up to and with /v1.",
            examples=["https://api.openai.com/v1"],
            extra={"check": checks.http_url_or_empty},
        ),
    ] = ""
    api_key: Annotated[str, Meta(description="The key that service asks for.", extra={"secret": True})] = ""
    service_model: Annotated[str, Meta(description="The name of the model that service shall use.")] = "whisper-1"
    at_once: Annotated[
        int,
        Meta(ge=1, le=64, description="Recordings the service is sent at once. A model on this machine takes one by one."),
    ] = 2
