from __future__ import annotations

from pathlib import Path

import pytest

from callwright.errors import SettingsError
from callwright.settings import Settings, load
from callwright.settings.checks import host_and_port
from callwright.settings.http import HttpSection
from callwright.settings.schema import known_keys
from callwright.settings.telephony import CallsSection, SipSection, TrunkSection
from callwright.simulator.settings import CalleeScript, SimulatorSettings

NOWHERE = Path("/nowhere")
_IPV4 = "must be an IPv4 address such as 127.0.0.1; IPv6 is not supported yet."
_NO_IPV6 = "is IPv6, which SIP does not speak here; give a name, or an IPv4 address such as 192.0.2.7:5080."


def written(tmp_path: Path, text: str, name: str = "given.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def faults(*, flags=None, environ=None, config=None, data=NOWHERE) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(flags or {}, environ or {}, config, data)
    return str(caught.value).splitlines()


def test_nothing_written_gives_the_defaults():
    loaded = load({}, {"PATH": "/bin", "CALLWRIGHT": "x"}, None, NOWHERE)
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert list(loaded.origins) == list(known_keys())


def test_the_stronger_source_wins(tmp_path):
    lines = [
        "[http]\nport = 1\nhost = '10.0.0.1'\n[calls]\nmax_live = 1\nmax_duration = 1\n",
        "[http]\nport = 2\n[calls]\nmax_live = 2\n",
    ]
    own, given = (written(tmp_path, text, name) for text, name in zip(lines, ["callwright.toml", "given.toml"], strict=True))
    environ = {"CALLWRIGHT_HTTP__PORT": "3", "CALLWRIGHT_CALLS__RING_TIMEOUT": "30"}
    loaded = load({"http.port": 4, "sip.port": None}, environ, given, tmp_path)

    assert loaded.settings == Settings(
        http=HttpSection(host="10.0.0.1", port=4), calls=CallsSection(ring_timeout=30.0, max_live=2, max_duration=1)
    )
    assert {key: origin for key, origin in loaded.origins.items() if origin != "default"} == {
        "http.host": str(own),
        "http.port": "command line",
        "calls.ring_timeout": "environment CALLWRIGHT_CALLS__RING_TIMEOUT",
        "calls.max_duration": str(own),
        "calls.max_live": str(given),
    }


@pytest.mark.parametrize("source", ["file", "environment", "flag"])
def test_tables_and_lists_from_every_source(tmp_path, source):
    text = {
        "sip.from": '["192.0.2.0/24", "198.51.100.7"]',
        "media.ports": "[30000, 30099]",
        "simulator.callees": '{ 3161 = { outcome = "busy", sip_code = 600 }, 999 = { hangup_after = 3, digits = "1#" } }',
        "trunks": '[{ name = "main", address = "sip.example.com", from = ["192.0.2.9"] }]',
    }
    if source == "file":
        config = written(tmp_path, "".join(f"{key} = {value}\n" for key, value in text.items()))
        loaded = load({}, {}, config, NOWHERE)
    elif source == "environment":
        loaded = load({}, {"CALLWRIGHT_" + key.upper().replace(".", "__"): value for key, value in text.items()}, None, NOWHERE)
    else:
        loaded = load(text, {}, None, NOWHERE)
    assert loaded.settings.sip == SipSection(from_=("192.0.2.0/24", "198.51.100.7"))
    assert loaded.settings.media.ports == (30000, 30099)
    assert loaded.settings.simulator == SimulatorSettings(
        callees={"3161": CalleeScript(outcome="busy", sip_code=600), "999": CalleeScript(hangup_after=3.0, digits="1#")}
    )
    assert loaded.settings.trunks == (TrunkSection(name="main", address="sip.example.com", from_=("192.0.2.9",)),)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("SIP__FROM", "192.0.2.0/24, 192.0.2.1", ("192.0.2.0/24", "192.0.2.1")),
        ("SIP__FROM", "", ()),
        ("EGRESS__ALLOW", "2001:db8::/32", ("2001:db8::/32",)),
        ("SIP__ALLOW_HOSTS", "a.example,192.0.2.1", ("a.example", "192.0.2.1")),
        ("MEDIA__PORTS", "40000,40001", (40000, 40001)),
        ("WEBHOOKS__RETRY", "1, 2.5", (1.0, 2.5)),
        ("TRANSFER__EARLY_MEDIA", "true", True),
        ("TRANSFER__EARLY_MEDIA", "0", False),
        ("DRAIN__SECONDS", " 2 ", 2.0),
        # digits stay text where text is wanted
        ("HTTP__OPERATOR_TOKEN", "1234567890123456", "1234567890123456"),
        ("CALLS__EMERGENCY_NUMBERS", "000,112", ("000", "112")),
    ],
)
def test_values_as_a_shell_writes_them(key, text, value):
    settings = load({}, {f"CALLWRIGHT_{key}": text}, None, NOWHERE).settings
    section, name = key.lower().split("__")
    assert getattr(getattr(settings, section), {"from": "from_"}.get(name, name)) == value


@pytest.mark.parametrize(
    ("toml", "what", "problem"),
    [
        # unknown names
        ("trunk = 3", "trunk", "is not a section of the settings; the nearest is trunks."),
        ("[htp]\nport = 1", "htp", "is not a section of the settings; the nearest is http."),
        ("[http]\nprot = 1", "http.prot", "is not a setting; the nearest is http.port."),
        ("[drain]\nx = 1", "drain.x", "is not a setting; the nearest is drain.seconds."),
        (
            "[[trunks]]\nname = 'a'\naddress = 'b'\nzzz = 1",
            "trunks[0].zzz",
            "is not a setting; there are name, address, username, password, from.",
        ),
        (
            "[[trunks]]\nname = 'a'\naddress = 'b'\npasswrod = 'hunter2'",
            "trunks[0].passwrod",
            "is not a setting; the nearest is password.",
        ),
        ("[simulator.callees.31]\nanswr = 1", "simulator.callees.31.answr", "is not a setting; the nearest is answer_after."),
        # wrong types
        ("http = 1", "http", "must be a table: write [http] and its keys below."),
        ("[http]\nport = 'x'", 'http.port = "x"', "must be a whole number from 0 to 65535."),
        ("[http]\nport = true", "http.port = true", "must be a whole number from 0 to 65535."),
        ("[media]\nprocesses = 2.0", "media.processes = 2.0", "must be a whole number from 1 to 64."),
        ("[transfer]\nearly_media = 1", "transfer.early_media = 1", "must be true or false."),
        ("[sip]\nfrom = '192.0.2.1'", 'sip.from = "192.0.2.1"', "must be a list, each text in quotes."),
        ("[sip]\nfrom = [3]", "sip.from[0] = 3", "must be text in quotes."),
        ("[simulator]\ncallees = 3", "simulator.callees = 3", "must be a table."),
        ("[trunks]\nname = 'a'\npassword = 'hunter2'", "trunks = {…}", "must be a list, each a table of keys and values."),
        ("[[trunks]]\nname = 'a'", "trunks[0]", "must have address."),
        ("[[trunks]]\nname = 'a'\naddress = 'b'\npassword = 7", "trunks[0].password", "must be text in quotes."),
        # values out of range
        ("[http]\nport = 65536", "http.port = 65536", "must be a whole number from 0 to 65535."),
        ("[media]\nsilence = nan", "media.silence = nan", "must be a number from 1 to 86400."),
        ("[simulator]\nspeed = 0", "simulator.speed = 0", "must be a number above 0 and up to 1000."),
        ("[store]\nsynchronous = 'off'", 'store.synchronous = "off"', 'must be one of "full", "normal".'),
        ("[webhooks]\nretry = [5, 0]", "webhooks.retry[1] = 0", "must be a number from 1 to 604800."),
        (
            "[webhooks]\nevents = ['leg', 'legs']",
            'webhooks.events[1] = "legs"',
            'must be one of "call", "leg", "recording", "transcription", "webhook".',
        ),
        ("[calls]\ncurrency = 'eur'", 'calls.currency = "eur"', 'must be three capital letters such as "EUR".'),
        (
            "[simulator.callees.31]\nsip_code = 200",
            "simulator.callees.31.sip_code = 200",
            "must be a whole number from 300 to 699.",
        ),
        ("[simulator.callees.'+31']\n", 'simulator.callees.+31 = "+31"', "must be a number in digits, without +."),
        # values that mean nothing
        (
            "[[simulator.callees.31.acts]]\ntransfers_to = 'sip:a b'",
            'simulator.callees.31.acts[0].transfers_to = "sip:a b"',
            "must be a number such as 31612345678, or a URI such as sip:user@host.",
        ),
        ("[sip]\nhost = 'localhost'", 'sip.host = "localhost"', "must be an IPv4 address such as 127.0.0.1."),
        # IPv6, everywhere SIP and sound are concerned
        *(
            (f"[{section}]\n{key} = '::1'", f'{section}.{key} = "::1"', _IPV4)
            for section, key in (("sip", "host"), ("sip", "advertised_address"), ("media", "host"))
        ),
        ("[sip]\nallow_hosts = ['[::1]:5060']", 'sip.allow_hosts[0] = "[::1]:5060"', _NO_IPV6),
        ("[[trunks]]\nname = 'a'\naddress = '2001:db8::7'", 'trunks[0].address = "2001:db8::7"', _NO_IPV6),
        ("[http]\nhost = 'x'", 'http.host = "x"', "must be an IP address such as 127.0.0.1, or localhost."),
        ("[http]\noperator_token = 'short'", "http.operator_token", "must be empty or at least 16 characters long."),
        (
            "[egress]\nallow = ['10.0.0.1/8']",
            'egress.allow[0] = "10.0.0.1/8"',
            "has bits set behind the mask; write 10.0.0.0/8 or 10.0.0.1.",
        ),
        (
            "[sip]\nfrom = ['2001:db8::/32']",
            'sip.from[0] = "2001:db8::/32"',
            "must be IPv4, which is all that SIP listens on.",
        ),
        (
            "[egress]\nallow = ['ten']",
            'egress.allow[0] = "ten"',
            "must be an address or network such as 192.0.2.7 or 192.0.2.0/24.",
        ),
        (
            "[sip]\nallow_hosts = ['sip:a.example']",
            'sip.allow_hosts[0] = "sip:a.example"',
            "must be a host or host:port such as sip.example.com or 192.0.2.7:5080.",
        ),
        ("[media]\nports = [20000]", "media.ports = [20000]", "must be two ports, the first and the last."),
        (
            "[media]\nports = [20002, 20000]",
            "media.ports = [20002, 20000]",
            "must hold at least two ports, the first before the last.",
        ),
        (
            "[media]\nports = [20001, 20009]",
            "media.ports = [20001, 20009]",
            "must begin with an even port, because RTP takes the even ports and RTCP the odd ones.",
        ),
        # values that do not go together
        (
            "[media]\nports = [20000, 20003]\nprocesses = 3",
            "media.ports = [20000, 20003]",
            "is too narrow for media.processes = 3; each needs at least two ports.",
        ),
        (
            "[sip]\nport = 29999",
            "sip.port = 29999",
            "lies within media.ports, 20000 to 29999; choose another port or another range.",
        ),
        (
            "[[trunks]]\nname = 'a'\naddress = 'b'\n[[trunks]]\nname = 'a'\naddress = 'c'",
            'trunks[1].name = "a"',
            "is the name of trunks[0] too; give every trunk its own.",
        ),
        (
            "[[trunks]]\nname = 'a'\naddress = 'b'\npassword = 'hunter2'",
            'trunks[0].username = ""',
            "must be set when there is a password.",
        ),
        # a public server without a list of callers
        (
            "[sip]\nhost = '192.0.2.1'\n[[trunks]]\nname = 'a'\naddress = 'b'",
            'sip.host = "192.0.2.1"',
            "can be reached by strangers; list the addresses that may call in under from "
            'in a [[trunks]] entry or in sip.from, or keep sip.host at "127.0.0.1".',
        ),
        (
            "[sip]\nhost = '0.0.0.0'\nfrom = ['192.0.2.9']",
            'sip.host = "0.0.0.0"',
            "means every address of this machine; set sip.advertised_address to the one the far end shall use.",
        ),
    ],
)
def test_faults_in_a_file(tmp_path, toml, what, problem):
    path = written(tmp_path, toml)
    assert faults(config=path) == [f"{what} ({path}): {problem}"]


def test_a_file_that_is_not_toml(tmp_path):
    path = written(tmp_path, "[http\n")
    assert faults(config=path) == [
        f"{path}: is not TOML: Expected ']' at the end of a table declaration (at line 1, column 6)."
    ]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        (
            "HTTP_PORT",
            "1",
            "{name} (environment): is not a setting; two underscores part section and key: CALLWRIGHT_HTTP__PORT.",
        ),
        ("HTTPS__PORT", "1", "{name} (environment): is not a setting; the nearest is CALLWRIGHT_HTTP__PORT."),
        ("HTTP__PORT", "many", 'http.port = "many" (environment {name}): must be a whole number from 0 to 65535.'),
        ("TRANSFER__EARLY_MEDIA", "yes", 'transfer.early_media = "yes" (environment {name}): must be true or false.'),
        (
            "TRUNKS",
            "[{",
            "trunks (environment {name}): must be written as a value of TOML: "
            "Invalid initial character for a key part (at end of document).",
        ),
    ],
)
def test_faults_in_the_environment(name, text, fault):
    name = f"CALLWRIGHT_{name}"
    assert faults(environ={name: text}) == [fault.format(name=name)]


def test_a_variable_of_a_container_platform_is_not_ours():
    environ = {
        "CALLWRIGHT_SERVICE_HOST": "10.0.0.1",
        "CALLWRIGHT_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "CALLWRIGHT_REQUIRE_PEERS": "1",
    }
    assert load({}, environ, None, NOWHERE).settings == Settings()


def test_all_faults_are_told_at_once(tmp_path):
    config = written(tmp_path, "[http]\nport = -1\nhots = 1\n")
    assert faults(flags={"htp.port": 1, "sip.port": "x"}, config=config) == [
        f"http.hots ({config}): is not a setting; the nearest is http.host.",
        "htp.port (command line): is not a setting; the nearest is http.port.",
        f"http.port = -1 ({config}): must be a whole number from 0 to 65535.",
        'sip.port = "x" (command line): must be a whole number from 0 to 65535.',
    ]


def test_a_file_that_was_named_must_exist(tmp_path):
    missing = tmp_path / "missing.toml"
    assert faults(config=missing) == [f"{missing}: cannot be read: No such file or directory."]
    assert faults(config=tmp_path) == [f"{tmp_path}: cannot be read: Is a directory."]
    (tmp_path / "callwright.toml").write_bytes(b"\xff")
    assert faults(data=tmp_path)[0].startswith(f"{tmp_path}/callwright.toml: is not TOML: ")


@pytest.mark.parametrize(
    "toml",
    [
        "[sip]\nhost = '192.0.2.1'\nfrom = ['192.0.2.9']",
        "[sip]\nhost = '192.0.2.1'\n[[trunks]]\nname = 'a'\naddress = 'b'\nfrom = ['192.0.2.9']",
        "[sip]\nhost = '0.0.0.0'\nfrom = ['192.0.2.9']\nadvertised_address = '198.51.100.1'",
        "[sip]\nhost = '127.0.0.2'",
    ],
)
def test_binds_that_are_allowed(tmp_path, toml):
    load({}, {}, written(tmp_path, toml), NOWHERE)


def test_who_can_reach_the_server():
    def reached(**flags: str) -> bool:
        given = {key.replace("__", "."): value for key, value in flags.items()}
        return load(given, {"CALLWRIGHT_SIP__FROM": "192.0.2.9"}, None, NOWHERE).settings.loopback_only

    assert reached()
    assert reached(http__host="localhost", sip__host="127.1.2.3")
    assert not reached(http__host="0.0.0.0")
    assert not reached(sip__host="192.0.2.1")
    assert not reached(media__host="192.0.2.1")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sip.example.com", ("sip.example.com", 5060)),
        ("sip.example.com:5080", ("sip.example.com", 5080)),
        ("192.0.2.7:5080", ("192.0.2.7", 5080)),
    ],
)
def test_trunk_addresses(text, parts):
    assert host_and_port(text) == parts


@pytest.mark.parametrize(
    "text",
    ["", ":5060", "a:", "a:0", "a:65536", "a:x", "a:-1", "sip:a@b", "a b", "10.0.0.300", "[::1]:1", "::1", "a_b..c", "a:1:2"],
)
def test_trunk_addresses_that_cannot_be(text):
    with pytest.raises(ValueError):
        host_and_port(text)


def test_settings_do_not_show_secrets_when_printed():
    trunk = TrunkSection(name="a", address="b", username="u", password="hunter2")
    assert "hunter2" not in repr(Settings(trunks=(trunk,))) + repr(trunk)
