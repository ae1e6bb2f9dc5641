"""What is served, when it is made, and how it is cached."""

from __future__ import annotations

import asyncio
import json

import pytest

from callwright.native import described
from callwright.openapi.published import Published
from support.asgi import Client


def client():
    asked = []

    def interface():
        asked.append(1)
        return described.interface()

    return Client(Published(interface), None), asked


async def test_it_is_made_once_and_only_when_it_is_asked_for():
    ask, asked = client()
    assert asked == []
    replies = await asyncio.gather(*(ask("GET", path) for path in ("/openapi.json", "/docs") * 5))
    assert asked == [1]
    assert {reply.status for reply in replies} == {200}
    assert json.loads(replies[0].body)["openapi"].startswith("3.1.")
    assert replies[1].body.startswith(b"<!doctype html>")


@pytest.mark.parametrize(("path", "media"), [("/openapi.json", "application/json"), ("/docs", "text/html; charset=utf-8")])
async def test_headers_and_the_cache(path, media):
    ask, _ = client()
    reply = await ask("GET", path)
    assert reply.headers["content-type"] == media
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'; ")
    assert reply.headers["cache-control"] == "no-cache"
    tag = reply.headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await ask("GET", path, headers={"if-none-match": given})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert (await ask("GET", path, headers={"if-none-match": '"other"'})).status == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_a_path_is_there_with_and_without_its_version_and_a_slash(path):
    ask, _ = client()
    first = await ask("GET", path)
    for other in (f"{path}/", f"/v1{path}", f"/v1{path}/"):
        assert other in Published.paths
        assert (await ask("GET", other)).body == first.body


async def test_it_can_only_be_read():
    ask, asked = client()
    reply = await ask("POST", "/docs")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert asked == []


async def test_who_goes_away_while_it_is_made_takes_it_from_nobody():
    ask, asked = client()
    first = asyncio.create_task(ask("GET", "/docs"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    assert (await ask("GET", "/docs")).status == 200
    assert asked == [1]
