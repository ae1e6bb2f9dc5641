from __future__ import annotations

import re
from pathlib import Path

from callwright.settings import Row, Settings, document, load, rows
from callwright.settings.operations import TagSection
from callwright.settings.schema import description, fields, known_keys
from callwright.settings.telephony import TrunkSection
from callwright.simulator.settings import Act, CalleeScript

NOWHERE = Path("/nowhere")


def uncommented(text: str, *, examples: bool) -> str:
    """Take the # off the lines of settings; those of tables that are commented out too are examples."""
    lines = []
    example = False
    for line in text.splitlines():
        if line.startswith("["):
            example = False
        elif line.startswith("#["):
            example = True
        lines.append(line[1:] if re.match(r"#[a-z_\[]", line) and (examples or not example) else line)
    return "\n".join(lines)


def test_uncommented_it_is_the_defaults(tmp_path):
    path = tmp_path / "all.toml"
    path.write_text(uncommented(document(), examples=False))
    loaded = load({}, {}, path, NOWHERE)
    assert loaded.settings == Settings()
    assert {key for key, origin in loaded.origins.items() if origin == "default"} == {
        "retention.tags",
        "simulator.callees",
        "speech.providers",
        "trunks",
    }


def test_its_examples_are_settings_too(tmp_path):
    path = tmp_path / "all.toml"
    # The one example that goes with another outcome: who answers has no SIP code, and who refuses does not act.
    refusing, answering = "sip_code = 486\n", uncommented(document(), examples=True)
    assert refusing in answering
    path.write_text(answering.replace(refusing, ""))
    loaded = load({}, {}, path, NOWHERE)
    assert set(loaded.origins.values()) == {str(path)}
    callee = CalleeScript(hangup_after=30.0, speaks_after=1.0, beep=8.5, acts=(Act(at=2.0, press="1"),))
    assert loaded.settings.simulator.callees == {"31612345678": callee}
    assert loaded.settings.trunks == (
        TrunkSection(
            name="carrier", address="sip.example.com:5060", username="callwright", password="secret", from_=("192.0.2.0/28",)
        ),
    )


def test_every_setting_is_explained():
    kinds = [
        *known_keys().items(),
        *((f.name, f.type) for kind in (TrunkSection, TagSection, CalleeScript, Act) for f in fields(kind).values()),
    ]
    for key, kind in kinds:
        text = description(kind)
        assert text.endswith("."), key
        assert text in " ".join(line.removeprefix("# ") for line in document().splitlines()), key


def test_rows_show_values_with_origins_and_hide_secrets():
    environ = {
        "CALLWRIGHT_HTTP__OPERATOR_TOKEN": "0123456789abcdef",
        "CALLWRIGHT_TRUNKS": '[{ name = "a", address = "b", username = "u", password = "hunter2" }]',
        "CALLWRIGHT_SIMULATOR__CALLEES": '{ 31 = { outcome = "busy" } }',
    }
    loaded = load({"http.port": 0}, environ, None, NOWHERE)
    shown = rows(loaded)
    trunks = "environment CALLWRIGHT_TRUNKS"
    assert [row for row in shown if row.origin != "default"] == [
        Row("http.port", "0", "command line"),
        Row("http.operator_token", "***", "environment CALLWRIGHT_HTTP__OPERATOR_TOKEN"),
        Row(
            "simulator.callees",
            '{ 31 = { answer_after = 1.0, outcome = "busy", digits = "", '
            "digits_after = 0.5, digit_gap = 0.3, early_media = false, "
            "speaks_for = 2.0, greeting = 0.0, takes_transfers = true, acts = [] } }",
            "environment CALLWRIGHT_SIMULATOR__CALLEES",
        ),
        Row("trunks[0].name", '"a"', trunks),
        Row("trunks[0].address", '"b"', trunks),
        Row("trunks[0].username", '"u"', trunks),
        Row("trunks[0].password", "***", trunks),
        Row("trunks[0].from", "[]", trunks),
    ]
    assert Row("media.ports", "[20000, 29999]", "default") in shown
    assert Row("trunks", "[]", "default") in rows(load({}, {}, None, NOWHERE))
    assert "hunter2" not in str(shown)
