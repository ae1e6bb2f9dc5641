from __future__ import annotations

import base64
from uuid import uuid4

import pytest

from callwright.errors import SettingsError
from callwright.recordings.keyfile import fault_of, read_keys
from callwright.recordings.keys import DataKey, KeyLost, Keyring, open_text, seal_text

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
ID = uuid4()


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_without_keys_nothing_is_sealed():
    keys = Keyring({})
    assert (keys.make(ID), keys.open(ID, "", None), keys.current) == (DataKey(), b"", "")
    assert seal_text(b"", b"text", ID) == open_text(b"", b"text", ID) == b"text"


def test_every_file_has_a_key_of_its_own_that_the_current_key_seals():
    keys = Keyring({"new": NEW, "old": OLD})
    first, second = keys.make(ID), keys.make(ID)
    assert first.key != second.key
    assert (len(first.key), first.key_id) == (32, "new")
    assert first.key not in (first.sealed or b"")
    assert keys.open(ID, first.key_id, first.sealed) == first.key
    assert Keyring({"new": NEW}).open(ID, "new", second.sealed) == second.key


def test_a_key_is_renewed_without_being_another():
    made = Keyring({"old": OLD}).make(ID)
    keys = Keyring({"new": NEW, "old": OLD})
    renewed = keys.renew(ID, made.key_id, made.sealed)
    assert (renewed.key, renewed.key_id) == (made.key, "new")
    assert Keyring({"new": NEW}).open(ID, "new", renewed.sealed) == made.key


def test_a_lost_key_is_told_with_what_to_do():
    made = Keyring({"2025": OLD}).make(ID)
    with pytest.raises(KeyLost, match=r"sealed with the key '2025'.*\(there: none\)\. Put that key back"):
        Keyring({}).open(ID, made.key_id, made.sealed)
    with pytest.raises(KeyLost, match="another key had that name"):
        Keyring({"2025": NEW}).open(ID, made.key_id, made.sealed)
    with pytest.raises(KeyLost, match="another key had that name"):  # a row's key does not open another's file
        Keyring({"2025": OLD}).open(uuid4(), made.key_id, made.sealed)


def test_a_text_is_sealed_and_its_change_is_noticed():
    sealed = seal_text(OLD, b"What was said.", ID)
    assert b"said" not in sealed
    assert open_text(OLD, sealed, ID) == b"What was said."
    for spoilt in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20]):
        with pytest.raises(KeyLost):
            open_text(OLD, spoilt, ID)


def test_keys_are_read_from_settings_and_file(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# made in 2025\n\nold:{OLD.hex()}\n  older:{base64.urlsafe_b64encode(NEW).decode().rstrip('=')}\n")
    assert list(read_keys((f"new:{written(NEW)}",), str(file)).items()) == [("new", NEW), ("old", OLD), ("older", NEW)]
    assert read_keys((), "") == {}


@pytest.mark.parametrize(
    "line",
    ["", "nokey", "a:", ":" + "A" * 43, "a b:" + "A" * 43, "a:" + written(OLD[:16]), "a:" + OLD.hex()[:-2], "a:?" + "A" * 43],
)
def test_a_key_that_cannot_be_is_refused_and_not_shown(line, tmp_path):
    fault = fault_of(line)
    assert fault is not None
    assert "openssl rand -base64 32" in fault
    assert line.partition(":")[2] in ("", "?") or line.partition(":")[2] not in fault
    with pytest.raises(SettingsError):
        read_keys((line,), "")


def test_files_of_keys_that_cannot_be_used(tmp_path):
    def refusal(text: bytes) -> str:
        file = tmp_path / "keys"
        file.write_bytes(text)
        with pytest.raises(SettingsError) as caught:
            read_keys((), str(file))
        return str(caught.value)

    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_keys((), str(tmp_path / "absent"))
    assert "plain ASCII" in refusal(b"\xff\xfe")
    assert "holds no key" in refusal(b"# nothing\n")
    assert "line 2: must" in refusal(b"# one\nbad\n")
    assert "a is there twice" in refusal(f"a:{OLD.hex()}\na:{NEW.hex()}\n".encode())
