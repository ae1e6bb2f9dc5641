"""Steps of flows, as tests write them."""

from __future__ import annotations

from typing import Any

Step = dict[str, Any]


def _step(action: str, options: dict[str, Any], step: dict[str, Any]) -> Step:
    return {"action": action, **({"options": options} if options else {}), **step}


def play(*urls: str, **step: Any) -> Step:
    return _step("play", {"media": urls[0] if len(urls) == 1 else list(urls)}, step)


def say(text: str, options: dict[str, Any] | None = None, **step: Any) -> Step:
    return _step("say", {"payload": text, "language": "en-GB", **(options or {})}, step)


def pause(seconds: float, **step: Any) -> Step:
    return _step("pause", {"length": seconds}, step)


def record(options: dict[str, Any] | None = None, **step: Any) -> Step:
    return _step("record", options or {}, step)


def transfer(destination: str, options: dict[str, Any] | None = None, **step: Any) -> Step:
    return _step("transfer", {"destination": destination, **(options or {})}, step)


def fetch(url: str, **step: Any) -> Step:
    return _step("fetchCallFlow", {"url": url}, step)


def send_keys(keys: str, options: dict[str, Any] | None = None, **step: Any) -> Step:
    return _step("sendKeys", {"keys": keys, **(options or {})}, step)


def tag(*tags: str, **options: Any) -> Step:
    return _step("tag", {"tags": list(tags), **options} if tags else options, {})


def hangup(**step: Any) -> Step:
    return _step("hangup", {}, step)


def holds(variable: str, value: str, operator: str = "==") -> list[dict[str, str]]:
    """Conditions: one that must hold."""
    return [{"variable": variable, "operator": operator, "value": value}]
