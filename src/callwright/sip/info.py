"""Keys in the body of a SIP INFO: ``application/dtmf-relay`` and ``application/dtmf``. No standard; vendors' habit."""

from __future__ import annotations

from callwright.telephony import KEYS

_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}


def read_key(content_type: str, body: str) -> tuple[str, int] | None:
    """The key and for how many milliseconds it was pressed (0: not said); None when the INFO carries no key."""
    kind = content_type.partition(";")[0].strip().lower()
    signal, duration = "", ""
    if kind == "application/dtmf":
        signal = body
    elif kind == "application/dtmf-relay":
        for line in body.splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "signal":
                signal = value
            elif name.strip().lower() == "duration":
                duration = value.strip()
    signal = signal.strip().upper()
    key = _NUMBERED.get(signal, signal)
    if key not in KEYS:
        return None
    return key, int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 6 else 0
