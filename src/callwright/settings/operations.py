"""Settings of running a server: what it keeps and for how long, how it stops, and what it tells."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from callwright.settings import checks
from callwright.settings.section import Section


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
