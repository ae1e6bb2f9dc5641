"""Each client library's own way with recordings and transcriptions, request by request (contract §6)."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from callwright.store import Change
from callwright.transcriptions import rows
from callwright.transcriptions.model import Content, TranscriptionStatus
from support.asgi import Client, Reply
from support.rest import Rest

SOUND = bytes(range(256)) * 100
UTC_SECOND = "2024-05-02T10:00:00Z"


class Stage(NamedTuple):
    """A client, the ids it knows, and the path that most libraries build of them."""

    ask: Client
    call: str
    leg: str
    recording: str

    @property
    def below(self) -> str:
        return f"/calls/{self.call}/legs/{self.leg}/recordings"


class Library(NamedTuple):
    """What a library adds to every request, where its answers begin, and what it sends to have a recording written down."""

    name: str
    headers: dict[str, str] | None = None
    prefix: str = ""
    page: str = ""
    slash: str = ""
    language: Any = b""
    deletes_with: bytes = b""


LIBRARIES = (
    Library("python", {"content-type": "application/json; charset=UTF-8"}, language={"language": "nl-NL"}, deletes_with=b"{}"),
    Library("php", {"content-type": "application/json", "accept-charset": "utf-8"}, page="?offset=0&limit=30"),
    Library("go", {"accept": "audio/*"}, prefix="/v1", page="?page=1", language=b"{}"),
    Library("ruby", language=b'"{\\"language\\":\\"nl-NL\\"}"'),
    Library("java", {"content-type": "text/plain", "charset": "utf-8"}, page="?offset=0&limit=0", language=b'"nl-NL"'),
    Library("c#", {"content-type": "application/json"}, page="?limit=20&page=0", slash="/", language={"Language": "nl-NL"}),
    Library("node", page="?limit=20&offset=0", language={"language": "nl-NL"}),
    Library("dart", {"content-type": "application/x-www-form-urlencoded"}, language={"language": "nl-NL"}),
)


@pytest.fixture
async def stage(rest: Rest) -> Stage:
    record = await rest.inbound_call()
    recording = await rest.recording(record, SOUND)
    return Stage(rest.live, str(record.call.id), str(recording.leg_id), str(recording.id))


async def written_down(rest: Rest, transcription: str) -> None:
    found = rest.transcriptions.get(rest.accounts.world("live").id, UUID(transcription))
    done = replace(found, status=TranscriptionStatus.DONE)
    await rest.store.commit(Change((rows.update(done, content=msgspec.json.encode(Content("Ja."))),)))


def readable(reply: Reply, *, listed: bool = False) -> dict[str, Any]:
    """What every library needs of an answer; its one item."""
    content = reply.json
    assert reply.status in (200, 201)
    assert "errors" not in content  # Python and Ruby look for the key
    assert isinstance(content["data"], list)
    (item,) = content["data"]
    assert all(isinstance(value, int) for value in content["pagination"].values())
    assert item["createdAt"] == UTC_SECOND
    assert item["updatedAt"] is not None  # Go parses both
    links = [item["_links"]] if listed else [item["_links"], content["_links"]]
    for one in links:
        assert {"self", "file"} <= set(one)
        assert all(isinstance(value, str) and value.startswith("/") and "/v1" not in value for value in one.values())
    return item


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
async def test_a_library_finds_hears_and_deletes(rest: Rest, stage: Stage, library: Library) -> None:
    async def ask(method: str, path: str, body: Any = b"") -> Reply:
        return await stage.ask(method, library.prefix + path, body, headers=library.headers or {})

    listed = readable(await ask("GET", stage.below + library.page), listed=True)
    if library.name == "java":
        viewed = readable(await ask("GET", f"/calls/{stage.call}?legs={stage.leg}&recordings={stage.recording}"))
        assert viewed["state"] == "done"
    else:
        viewed = readable(await ask("GET", f"{stage.below}/{stage.recording}"))
    assert listed == viewed
    for path in (f"{stage.below}/{stage.recording}.wav", viewed["_links"]["file"]):
        heard = await ask("GET", path)
        assert (heard.status, heard.body[44:]) == (200, SOUND)
        assert heard.headers["content-disposition"].startswith("attachment")  # Node

    made = await ask("POST", f"{stage.below}/{stage.recording}/transcriptions{library.slash}", library.language)
    assert made.status == 201
    transcription = readable(made)["id"]
    if library.name == "go":
        pages = [await ask("GET", f"{viewed['_links']['self']}/transcriptions?page={page}") for page in (1, 2)]
        assert readable(pages[0], listed=True)["id"] == transcription
        assert (pages[1].status, pages[1].json["data"]) == (200, [])
    else:
        below = f"{stage.below}/{stage.recording}/transcriptions"
        assert readable(await ask("GET", below + library.page), listed=True)["id"] == transcription
        assert readable(await ask("GET", f"{below}/{transcription}"))["status"] == "created"
    await written_down(rest, transcription)
    for path in (f"{stage.below}/{stage.recording}/transcriptions/{transcription}.txt", readable(made)["_links"]["file"]):
        text = await ask("GET", path)
        assert (text.status, text.body) == (200, b"Ja.")

    gone = await ask("DELETE", f"{stage.below}/{stage.recording}", library.deletes_with)
    assert (gone.status, gone.body) == (204, b"")
    missing = await ask("GET", f"{stage.below}/{stage.recording}")
    assert missing.status == 404
    (error,) = missing.json["errors"]
    assert set(error) == {"code", "message", "description"}  # Java reads no other
    assert (error["code"], error["message"]) == (13, error["description"])


async def test_the_survey_guides_fetch_the_file_by_post(stage: Stage) -> None:
    for path in (f"{stage.below}/{stage.recording}.wav", f"/recordings/{stage.recording}.wav"):
        assert (await stage.ask("POST", path)).body[44:] == SOUND
