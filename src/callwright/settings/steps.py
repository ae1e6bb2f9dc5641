"""Settings of what the steps of call flows do."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from callwright.settings.section import Section


class TransferSection(Section, frozen=True, kw_only=True):
    """Connecting a caller to a second party."""

    early_media: Annotated[
        bool,
        Meta(description="Let the caller hear what the called party sends before it answers, such as network announcements."),
    ] = False
    hold_music: Annotated[
        bool,
        Meta(
            description="Play music to a party whose other side put us on hold and sends nothing. Turn it off to have silence."
        ),
    ] = True
    parties: Annotated[
        int,
        Meta(ge=2, le=64, description="Legs that one call may have at once. More are refused; raise it for larger rounds."),
    ] = 16


class FlowsSection(Section, frozen=True, kw_only=True):
    """What call flows do where their steps do not say, and how far they may go."""

    fallback: Annotated[
        str,
        Meta(
            max_length=1_000,
            description="What callers who are on the line hear when the next flow cannot be fetched, before the call ends: a "
            "text to be spoken in flows.language, or file:name of a sound in the folder sounds. Empty: nothing.",
            examples=["file:sorry.wav"],
        ),
    ] = "We are sorry, your call cannot be handled at the moment. Please try again later."
    fallback_answers: Annotated[
        bool,
        Meta(
            description="Answer callers who are not on the line yet, to let them hear it. Otherwise they are refused with 503, "
            "and the trunk may lead them elsewhere."
        ),
    ] = False
    language: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
            description="The language of a say step that names none.",
            extra={"allowed": "a language tag such as en-GB"},
        ),
    ] = "en-GB"
    voice: Annotated[
        Literal["female", "male"],
        Meta(description="The voice of a say step that names none: a wish, as some languages have one voice alone."),
    ] = "female"
    if_machine: Annotated[
        Literal["continue", "delay", "hangup"],
        Meta(
            description="What a call that we place does when an answering machine answers and its say step does not say: speak "
            "at once, wait for the machine to be done, or hang up. With continue nobody waits to find out who answered."
        ),
    ] = "delay"
    machine_timeout: Annotated[
        int, Meta(ge=400, le=10_000, description="Milliseconds in which to find out who answered, when the step does not say.")
    ] = 7_000
    machine_patience: Annotated[
        float,
        Meta(ge=1, le=300, description="Seconds after the answer that a say step waits for a machine to be done, at most."),
    ] = 30.0
    key_timeout: Annotated[
        float, Meta(ge=0.5, le=60, description="Seconds that a step waits for the next of several keys.")
    ] = 5.0
    longest_recording: Annotated[
        float,
        Meta(ge=0, le=86_400, description="Seconds that a record step records, at most; 0 for no limit of its own."),
    ] = 3_600.0
    fetches: Annotated[
        int, Meta(ge=1, le=10_000, description="Flows that one call may fetch. It protects against flows that run in circles.")
    ] = 100
    fetch_timeout: Annotated[
        float, Meta(ge=0.5, le=60, description="Seconds for fetching a flow, its one repetition and its redirects included.")
    ] = 5.0


class SoundsSection(Section, frozen=True, kw_only=True):
    """Sound files that flows play."""

    cache_mb: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Megabytes of sounds kept in the data folder, ready to be played; those longest unused go first. "
            "An hour takes 58.",
        ),
    ] = 1_024
    decoders: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Processes that read files other than WAV of 8000 Hz, 16 bit, one channel; each takes about 100 MB. "
            "Raise it when many different ones are fetched at the same time.",
        ),
    ] = 4
