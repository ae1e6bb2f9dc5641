"""Write the pages that are made from the program; a test compares them with what is committed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from callwright import settings
from callwright.reasons import Reason, Refusal

REASONS = """\
# Why a call ended

Every leg that is over has exactly one of these reasons. It is in the native record of the leg, in the call's journal and
in the log line of the call's end. This page is made from the program by `scripts/docs`.

| Reason | What happened | What to do |
|---|---|---|
{reasons}

## Why a call was turned away

An incoming call that is refused at the gate leaves no record; the log has a line and `/metrics` a count.

| Refusal | SIP answer | Why |
|---|---|---|
{refusals}
"""


def reasons() -> str:
    return REASONS.format(
        reasons="\n".join(f"| `{one.value}` | {one.sentence} | {one.remedy} |" for one in Reason),
        refusals="\n".join(f"| `{one.value}` | {one.sip_code} {one.sip_phrase} | {one.sentence} |" for one in Refusal),
    )


PAGES: dict[str, Callable[[], str]] = {"settings.toml": settings.document, "reasons.md": reasons}


def main(folder: Path) -> None:
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).parent)
