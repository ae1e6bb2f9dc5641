"""Settings of speech out."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from callwright.settings.section import Section
from callwright.speech.languages import find
from callwright.speech.settings import ENGINES, Engine, voice_key

Gender = Literal["male", "female"]


def each_once(names: tuple[str, ...]) -> str | None:
    if not names:
        return "must name at least one engine; espeak speaks every language of the API"
    return None if len(set(names)) == len(names) else "must name each engine once"


def service_url(text: str) -> str | None:
    if not text.startswith(("http://", "https://")) or not all("!" <= one <= "~" for one in text):
        return "must be an address that begins with http:// or https://"
    return None


def service_voices(voices: dict[str, str]) -> str | None:
    if not voices:
        return 'must name a voice for something, such as { "*" = "nova" } or { "nl-NL female" = "fenna" }'
    for key, name in voices.items():
        language, gender = voice_key(key)
        if (language and find(language) is None) or gender not in ("", "male", "female"):
            return f'{key!r} must be a language, male or female, both such as "nl-NL female", or "*"'
        if not name:
            return f"{key!r} must have a voice"
    return None


class SpeechProviderSection(Section, frozen=True, kw_only=True):
    """A speech service."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$",
            description="What logs and metrics call it.",
            examples=["kokoro"],
            extra={"allowed": "1 to 32 small letters, digits, dashes and underscores"},
        ),
    ]
    kind: Annotated[
        Literal["openai", "azure", "elevenlabs", "deepgram"],
        Meta(description="Whose interface it has. Many servers that you can run yourself have OpenAI's.", examples=["openai"]),
    ]
    voices: Annotated[
        dict[str, str],
        Meta(
            description="Its voice for a language and gender, a language, a gender, or everything else (*). "
            "Languages without one are left to others.",
            examples=[{"nl-NL female": "fenna", "nl-NL male": "maarten", "*": "nova"}],
            extra={"check": service_voices},
        ),
    ]
    url: Annotated[
        str,
        Meta(
            description="Its address, up to and with /v1 for OpenAI's interface; for the others the address of the host. "
            "It may be on a private network.",
            examples=["http://127.0.0.1:8880/v1"],
            extra={"check": service_url},
        ),
    ]
    key: Annotated[str, Meta(description="The key it asks for.", examples=["secret"], extra={"secret": True})] = ""
    model: Annotated[str, Meta(description="The model it shall use, where it has several.", examples=["tts-1"])] = ""
    timeout: Annotated[
        float,
        Meta(
            gt=0, le=60, description="Seconds it has for a sentence. What comes too late for a call is kept for the next one."
        ),
    ] = 10.0


def each_named_once(providers: tuple[SpeechProviderSection, ...]) -> str | None:
    names = [one.name for one in providers]
    if taken := sorted(set(names) & set(ENGINES)):
        return f"must not have the name of an engine, {taken[0]}; call it something else"
    return None if len(set(names)) == len(names) else "must have a name of their own each"


class SpeechSection(Section, frozen=True, kw_only=True):
    """Speaking texts. Services come first, in their order, then the engines of this machine."""

    engines: Annotated[
        tuple[Engine, ...],
        Meta(
            description='Engines of this machine, the first choice first. piper and hibari need the extra "voices".',
            extra={"check": each_once},
        ),
    ] = ENGINES
    piper_folder: Annotated[
        str,
        Meta(
            description="A folder of Piper voices: *.onnx, each with its *.onnx.json. Empty: none.",
            examples=["/srv/voices"],
        ),
    ] = ""
    piper_genders: Annotated[
        dict[str, Gender],
        Meta(
            description="Whether a Piper voice is male or female, by its file without .onnx, where its name does not tell; "
            "of a voice with several speakers those to be used, as name#number.",
            examples=[{"nl_NL-mls-medium#12": "female"}],
        ),
    ] = msgspec.field(default_factory=dict)
    cache_mb: Annotated[
        int,
        Meta(
            ge=16,
            le=1_048_576,
            description="Megabytes of spoken sentences kept in the data folder; about a minute of sound each.",
        ),
    ] = 1_024
    cache_days: Annotated[
        float,
        Meta(
            gt=0,
            le=3_650,
            description="Days after which a sentence that nobody asked for is removed. Lower it where texts are personal.",
        ),
    ] = 90.0
    patience: Annotated[
        float,
        Meta(
            gt=0, le=30, description="Seconds a caller waits for the next sentence of one voice before another one takes over."
        ),
    ] = 2.0
    deadline: Annotated[
        float,
        Meta(ge=1, le=120, description="Seconds after which an engine that works on one sentence is killed and started again."),
    ] = 10.0
    providers: Annotated[
        tuple[SpeechProviderSection, ...],
        Meta(
            description="One such table for every speech service, the first choice first.",
            extra={"check": each_named_once},
        ),
    ] = ()
