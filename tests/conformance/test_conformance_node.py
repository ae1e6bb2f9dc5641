"""The vendor's Node library and `standardwebhooks` for Node, as published, verify what a server sends."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.heard import AFTER, BEFORE, Heap, Heard, Secrets

HERE = Path(__file__).parent / "node"
WRONG = {"request": "Signatures not match.", "standard": "No matching signature found"}
WRONG_JWT = "invalid signature: signature verification failed"


def verdicts(node: str, heard: list[Heard], secrets: Secrets) -> list[dict[str, Any]]:
    """What is said of each request with these secrets."""
    found: list[dict[str, Any]] = []
    for has_token, secret in ((False, secrets.without), (True, secrets.with_token)):
        requests = [
            {"url": one.url, "headers": one.headers, "body": base64.b64encode(one.body).decode()}
            for one in heard
            if one.has_token is has_token
        ]
        asked = json.dumps({"requests": requests, "key": secrets.key, "secret": secret})
        done = subprocess.run([node, str(HERE / "verify.js")], input=asked, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found += json.loads(done.stdout)
    return found


def expected(heap: Heap, *, legacy: bool, standard: bool) -> list[dict[str, str]]:
    """What is to be said of each request, where its older headers and its newer ones are of the secrets given.

    The library writes a space in a query as ``%20``; the vendor's others, and so we, write it as a plus sign.
    """
    found = []
    for one in sorted(heap.posted, key=lambda one: one.has_token):
        request = legacy and "%20" not in one.url
        found.append(
            {
                "request": "ok" if request else WRONG["request"],
                "jwt": "ok" if legacy else WRONG_JWT,
                "standard": "ok" if standard else WRONG["standard"],
            }
        )
    return found


def test_every_attempt_is_believed(node: str, heap: Heap, stage: str) -> None:
    assert verdicts(node, heap.posted, heap.new) == expected(heap, legacy=stage in (BEFORE, AFTER), standard=True)
    assert verdicts(node, heap.posted, heap.old) == expected(heap, legacy=stage != AFTER, standard=stage != AFTER)


@pytest.mark.parametrize("stage", [BEFORE], indirect=True)
def test_they_tell_what_is_wrong(node: str, heap: Heap) -> None:
    forged = [one._replace(body=one.body + b" ") for one in heap.posted]
    for said in verdicts(node, forged, heap.new):
        assert (said["request"], said["standard"]) == (WRONG["request"], WRONG["standard"])
        assert "payload_hash claim" in said["jwt"]
