"""`GET /calls` and `GET /calls/{id}` as one would write them for the one purpose of being fast: what `rest` measures against.

    python bench/rest_by_hand.py DATABASE PORT

The same database file and counters, the same check of the key, the same bytes in the answer; no framework, no layers, one
function for each endpoint. Pages are passed over with OFFSET: of the first, which is asked for, that costs nothing. Settings
of uvicorn are those of `callwright.web`.
"""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from time import gmtime, strftime
from typing import Any
from urllib.parse import parse_qsl

import apsw
import msgspec
import uvicorn

COUNT = "SELECT COALESCE(SUM(n), 0) FROM call_blocks WHERE world_id = ? AND number_id = x'' AND level = 1"
LIST = """SELECT world_id, id, status, source, destination, number_id, NULL, NULL, NULL, created_us, updated_us, ended_us
FROM calls INDEXED BY calls_by_pos WHERE world_id = ? ORDER BY pos DESC LIMIT ? OFFSET ?"""
FIND = """SELECT world_id, id, status, source, destination, number_id, called, webhook_url, webhook_token,
created_us, updated_us, ended_us FROM calls WHERE world_id = ? AND id = ?"""
NO_PAGE = {"totalCount": 0, "pageCount": 0, "currentPage": 0, "perPage": 0}

database = apsw.Connection(sys.argv[1], flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=200)
database.execute("PRAGMA query_only = 1")
database.execute("PRAGMA cache_size = -16384")
worlds = dict(database.execute("SELECT hash, world_id FROM keys WHERE revoked_us IS NULL"))
encode = msgspec.json.Encoder().encode


async def app(scope: Any, receive: Any, send: Any) -> None:
    try:
        key = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, secret = key.partition(b" ")
        world = worlds.get(hashlib.sha256(secret).digest()) if scheme.lower() == b"accesskey" else None
        path = scope["path"]
        if world is None:
            status, body = 401, b"{}"
        elif path == "/calls":
            status, body = 200, list_calls(world, scope["query_string"])
        elif path.startswith("/calls/"):
            status, body = one_call(world, path[7:])
        else:
            status, body = 404, b"{}"
    except Exception:
        status, body = 500, b"{}"
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def list_calls(world: bytes, query: bytes) -> bytes:
    page, size = page_of(query)
    ((total,),) = database.execute(COUNT, (world,))
    items = []
    for row in database.execute(LIST, (world, size, (page - 1) * size)):
        item = item_of(row)
        own = f"/calls/{item['id']}"
        item["_links"] = {"self": own, "legs": f"{own}/legs"}
        items.append(item)
    pages = {"totalCount": total, "pageCount": -(-total // size), "currentPage": page, "perPage": size}
    return encode({"data": items, "_links": {"self": f"/calls?page={page}"}, "pagination": pages})


def one_call(world: bytes, id_: str) -> tuple[int, bytes]:
    try:
        key = bytes.fromhex(id_.replace("-", ""))
    except ValueError:
        return 404, b"{}"
    for row in database.execute(FIND, (world, key)):
        item = item_of(row)
        own = f"/calls/{item['id']}"
        return 200, encode({"data": [item], "_links": {"self": own, "legs": f"{own}/legs"}, "pagination": NO_PAGE})
    return 404, b"{}"


def item_of(row: Any) -> dict[str, Any]:
    _, id_, status, source, destination, number_id, _, _, _, created_us, updated_us, ended_us = row
    item = {"id": uuid(id_), "status": status}
    if number_id is not None:
        item["numberId"] = uuid(number_id)
    item["createdAt"] = moment(created_us // 1_000_000)
    item["updatedAt"] = moment(updated_us // 1_000_000)
    item["endedAt"] = None if ended_us is None else moment(ended_us // 1_000_000)
    item["source"] = source
    item["destination"] = destination
    return item


def uuid(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(maxsize=1024)
def page_of(query: bytes) -> tuple[int, int]:
    sent = dict(parse_qsl(query.decode()))
    return int(sent.get("page", "1")), int(sent.get("limit", "10"))


@lru_cache(maxsize=4096)
def moment(second: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(second))


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
