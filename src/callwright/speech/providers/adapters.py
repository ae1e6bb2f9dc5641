"""How speech services are asked: a request each. What comes back is WAV, or samples of 16 bit at a rate that is known.

Sources: OpenAI's API reference for ``POST /v1/audio/speech``; Microsoft's text to speech REST API; ElevenLabs' "Create speech";
Deepgram's "Single Text Request". Each is asked for a rate that costs little to convert, where it lets one choose.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape, quoteattr

import msgspec

from callwright.egress.door import Header
from callwright.speech.settings import ProviderSettings


class Request(NamedTuple):
    """A POST."""

    url: str
    headers: tuple[Header, ...]
    body: bytes


class Adapter(Protocol):
    """One kind of service; `rate` is that of its samples when it sends them without a header."""

    @property
    def rate(self) -> int: ...

    def request(self, settings: ProviderSettings, voice: str, tag: str, text: str) -> Request:
        """Ask for a text in a voice of the service; `tag` is the language, as ``nl-NL``."""
        ...


class OpenAi:
    """``response_format`` wav: OpenAI's own is of 24 kHz, other servers have what they have."""

    rate = 24_000

    def request(self, settings: ProviderSettings, voice: str, tag: str, text: str) -> Request:
        body = {"model": settings.model or "tts-1", "input": text, "voice": voice, "response_format": "wav"}
        headers = (_JSON, *_key(settings, "Authorization", "Bearer "))
        return Request(f"{settings.url.rstrip('/')}/audio/speech", headers, msgspec.json.encode(body))


class Azure:
    """Text goes as SSML, so what is markup in it must not be."""

    rate = 16_000

    def request(self, settings: ProviderSettings, voice: str, tag: str, text: str) -> Request:
        ssml = (
            f'<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang={quoteattr(tag)}>'
            f"<voice name={quoteattr(voice)}>{escape(text)}</voice></speak>"
        )
        headers = (
            ("Content-Type", "application/ssml+xml"),
            ("X-Microsoft-OutputFormat", "riff-16khz-16bit-mono-pcm"),
            *_key(settings, "Ocp-Apim-Subscription-Key"),
        )
        return Request(f"{settings.url.rstrip('/')}/cognitiveservices/v1", headers, ssml.encode())


class ElevenLabs:
    rate = 16_000

    def request(self, settings: ProviderSettings, voice: str, tag: str, text: str) -> Request:
        body = {"text": text, **({"model_id": settings.model} if settings.model else {})}
        url = f"{settings.url.rstrip('/')}/v1/text-to-speech/{quote(voice, safe='')}?output_format=pcm_16000"
        return Request(url, (_JSON, *_key(settings, "xi-api-key")), msgspec.json.encode(body))


class Deepgram:
    """Its voices are models: ``aura-2-thalia-en``."""

    rate = 16_000

    def request(self, settings: ProviderSettings, voice: str, tag: str, text: str) -> Request:
        query = urlencode({"model": voice, "encoding": "linear16", "container": "wav", "sample_rate": self.rate})
        headers = (_JSON, *_key(settings, "Authorization", "Token "))
        return Request(f"{settings.url.rstrip('/')}/v1/speak?{query}", headers, msgspec.json.encode({"text": text}))


ADAPTERS: dict[str, Adapter] = {"openai": OpenAi(), "azure": Azure(), "elevenlabs": ElevenLabs(), "deepgram": Deepgram()}

_JSON = ("Content-Type", "application/json")


def _key(settings: ProviderSettings, header: str, before: str = "") -> tuple[Header, ...]:
    return ((header, f"{before}{settings.key}"),) if settings.key else ()
