"""What flows are told by the operator."""

from __future__ import annotations

import msgspec


class FlowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds where a step does not say, and how far a flow may go.

    `key_timeout`, `longest_recording` and `longest_call` are in seconds, `machine_timeout` in milliseconds; a recording of
    0 seconds has no limit. `if_machine` is for calls we place; nobody asks who it was that called us. `fetches` counts the
    flows that one call may ask for; with `fallback_answers` a caller is answered to hear that there is none.
    """

    language: str = "en-GB"
    voice: str = "female"
    if_machine: str = "delay"
    machine_timeout: int = 7_000
    key_timeout: float = 5.0
    transcribe_language: str = "en-US"
    longest_recording: float = 3_600.0
    longest_call: float = 14_400.0
    fetches: int = 100
    fallback_answers: bool = False
