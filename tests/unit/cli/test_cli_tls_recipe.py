"""What `callwright tls-recipe` prints, and that the certificates it makes, or has made with openssl, are good ones."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from callwright import certificates
from callwright.certificates import CertificateFiles
from callwright.cli import authority, main, recipes
from callwright.cli.recipes import HOST, RECIPES, Here
from callwright.clock import SECOND_US, SystemClock
from callwright.errors import CallwrightError

FIXED = ("node", "java", "dart")
FOLDER = Path("/srv/with a space")


def copied(text: str) -> list[str]:
    """Each block that is to be copied."""
    blocks = re.findall(r"(?:^ {4}.*\n?|^\n(?= {4}))+", text, re.MULTILINE)
    return ["\n".join(line.removeprefix("    ") for line in block.strip("\n").splitlines()) for block in blocks]


def run(capsys, tmp_path, *arguments: str) -> tuple[int, str, str]:
    try:
        main(["--data", str(tmp_path / "data"), "tls-recipe", *arguments])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def is_verified(folder: Path, name: str) -> None:
    """As strictly as OpenSSL can: what later versions of clients ask for is looked at too."""
    line = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", name]
    line += ["-CAfile", str(folder / "authority.pem"), str(folder / "certificate.pem")]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout


def test_without_a_library_it_lists_them(capsys, tmp_path):
    code, out, err = run(capsys, tmp_path)
    assert (code, [line.split("\t")[0] for line in out.splitlines()], err) == (0, list(RECIPES), "")


@pytest.mark.parametrize(
    ("name", "told"),
    [("nodejs", "the nearest is node"), ("pyton", "the nearest is python"), ("xyz", f"there are {', '.join(RECIPES)}")],
)
def test_one_there_is_not(name, told, capsys, tmp_path):
    assert run(capsys, tmp_path, name) == (1, "", f"callwright: There is no recipe for '{name}'; {told}.\n")


@pytest.mark.parametrize("name", RECIPES)
def test_a_server_without_tls(name, capsys, tmp_path):
    code, out, err = run(capsys, tmp_path, name.upper())
    assert (code, err) == (0, "")
    assert ("http://127.0.0.1:8080" in out) is (name in ("python", "php", "csharp"))
    assert ("/etc/hosts" in out, "port = 443" in out) == (name in FIXED,) * 2
    assert ("openssl req" in out) is (name in (*FIXED, "ruby"))
    assert (str(Path.cwd()) in out) is (name in (*FIXED, "ruby"))


@pytest.mark.parametrize("name", RECIPES)
def test_a_server_with_tls_alone_is_trusted(name):
    here = Here("https://192.0.2.7", None, "192.0.2.7", FOLDER, on_443=True, shown="/srv/certificate.pem")
    text = recipes.written(recipes.recipe(name), here)
    assert "None" not in text
    assert "openssl" not in text
    assert ("with a space" in text) is (name != "php")
    assert ("192.0.2.7 voice.messagebird.com" in text) is (name in FIXED)


@pytest.mark.parametrize("name", FIXED)
def test_a_certificate_that_is_good_is_kept_where_only_the_port_is_wrong(name):
    here = Here("https://192.0.2.7:8443", None, "192.0.2.7", FOLDER, shown="/srv/certificate.pem")
    text = recipes.written(recipes.recipe(name), here)
    assert "openssl" not in text
    assert "key = " not in text
    assert "[http]\nport = 443" in copied(text)


@pytest.mark.parametrize(
    ("here", "url"),
    [
        (Here(None, "http://127.0.0.1:8080", "127.0.0.1", FOLDER), "http://127.0.0.1:8080"),
        (Here("https://127.0.0.1", "http://127.0.0.1:8081", "127.0.0.1", FOLDER), "http://127.0.0.1:8081"),
        (Here("https://127.0.0.1:8443", None, "127.0.0.1", FOLDER), "https://127.0.0.1:8443"),
    ],
)
def test_what_takes_a_url_goes_where_no_certificate_is_needed(here, url):
    for name in ("python", "php", "csharp"):
        assert url in copied(recipes.written(recipes.recipe(name), here))[0]


def test_the_certificate_is_made_as_printed(tmp_path):
    here = Here(None, "http://192.0.2.7:8080", "192.0.2.7", tmp_path / "a folder")
    made, *_ = copied(recipes.written(recipes.recipe("node"), here))
    subprocess.run(["bash", "-euc", made], check=True, capture_output=True)
    files = CertificateFiles(here.folder / "certificate.pem", here.folder / "key.pem")
    assert certificates.check(files, SystemClock().now_us()) > SystemClock().now_us()
    assert certificates.names(files.certificate) == [HOST, "localhost"]
    is_verified(here.folder, HOST)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


@pytest.fixture
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_it_makes_one_itself_and_keeps_the_authority(capsys, tmp_path):
    folder = tmp_path / "made"
    code, out, err = run(capsys, tmp_path, "node", "--make-certificate", str(folder), "--address", "voice.example.com")
    assert (code, "openssl" in out, f'key = "{folder}/key.pem"' in out) == (0, False, True)
    assert err == (
        f"A new authority signed {folder}/certificate.pem for {HOST}, localhost, 127.0.0.1, voice.example.com; "
        f"its key is {folder}/key.pem.\n"
    )
    for name in (HOST, "voice.example.com"):
        is_verified(folder, name)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name: stat.S_IMODE((folder / name).stat().st_mode) for name in first} == {
        "authority.pem": 0o644,
        "authority-key.pem": 0o600,
        "certificate.pem": 0o644,
        "key.pem": 0o600,
    }
    code, out, err = run(capsys, tmp_path, "--make-certificate", str(folder))
    assert (code, out) == (0, "")
    assert err.startswith("The authority that was there signed ")
    second = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name for name in first if first[name] != second[name]} == {"certificate.pem", "key.pem"}
    is_verified(folder, HOST)


def test_a_new_authority_is_made_apart_from_the_certificate_there_is(capsys, tmp_path, monkeypatch):
    """What is printed writes key.pem without asking."""
    made = authority.make(tmp_path / "made", ["voice.example.com"], SystemClock().now_us())
    monkeypatch.setenv("CALLWRIGHT_HTTP__CERTIFICATE", str(made.certificate))
    monkeypatch.setenv("CALLWRIGHT_HTTP__KEY", str(made.key))
    assert f"export NODE_EXTRA_CA_CERTS={tmp_path}/made/authority.pem" in run(capsys, tmp_path, "node")[1]
    made.authority.unlink()
    _, out, _ = run(capsys, tmp_path, "node")
    assert f"mkdir -p {tmp_path}/made/authority && cd {tmp_path}/made/authority\n" in out
    assert f"export NODE_EXTRA_CA_CERTS={tmp_path}/made/authority/authority.pem" in out


def test_what_is_no_authority_is_left_as_it_is(tmp_path):
    now_us = SystemClock().now_us()
    made = authority.make(tmp_path / "one", [HOST], now_us)
    other = authority.make(tmp_path / "two", [HOST], now_us)
    too_late_us = now_us + 11 * 365 * 86_400 * SECOND_US
    with pytest.raises(CallwrightError, match=r"has expired; name another folder, and let clients trust the new one\.$"):
        authority.make(tmp_path / "one", [HOST], too_late_us)
    made.authority_key.write_bytes(other.authority_key.read_bytes())
    with pytest.raises(CallwrightError, match=r"is not the key of .*authority\.pem; name another folder\.$"):
        authority.make(tmp_path / "one", [HOST], now_us)
    made.authority_key.unlink()
    with pytest.raises(CallwrightError, match=r"has one of authority.pem and authority-key.pem; name another folder"):
        authority.make(tmp_path / "one", [HOST], now_us)
    other.authority.write_text("text")
    with pytest.raises(CallwrightError, match=r"cannot be read \(.*\); name another folder\.$"):
        authority.make(tmp_path / "two", [HOST], now_us)
    (tmp_path / "three").write_text("a file")
    with pytest.raises(CallwrightError, match="three cannot be written"):
        authority.make(tmp_path / "three", [HOST], now_us)


def test_a_pair_of_somebody_elses_is_not_overwritten(tmp_path):
    (tmp_path / "key.pem").write_text("theirs")
    with pytest.raises(CallwrightError, match=r"has another key\.pem, which would be lost; name another folder\.$"):
        authority.make(tmp_path, [HOST], SystemClock().now_us())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("key.pem", "theirs")]


def test_a_certificate_does_not_outlive_its_authority(tmp_path):
    begun_us = SystemClock().now_us()
    authority.make(tmp_path, [HOST], begun_us)
    late_us = begun_us + 3_600 * 86_400 * SECOND_US
    made = authority.make(tmp_path, [HOST], late_us)
    expires_us = certificates.check(CertificateFiles(made.certificate, made.key), late_us)
    assert expires_us == certificates.expires_us(made.authority.read_bytes())


@pytest.mark.parametrize(
    "address", ["https://voice.example.com", "voice.example.com:443", "münchen.example", "a'b", "$(id)", "1.2.3.4.5", "", "a b"]
)
def test_what_is_no_address_is_refused(address, capsys, tmp_path):
    arguments = ("node", "--make-certificate", str(tmp_path / "made"), "--address", address)
    told = f"callwright: --address {address!r} is neither a host name nor an IP address: write it alone, without https:// and "
    assert run(capsys, tmp_path, *arguments) == (1, "", f"{told}port, such as voice.example.com.\n")
    assert not (tmp_path / "made").exists()


def test_an_address_of_ipv6_may_have_brackets(capsys, tmp_path):
    code, out, _ = run(capsys, tmp_path, "node", "--make-certificate", str(tmp_path / "made"), "--address", "[2001:DB8::7]")
    assert (code, f"echo '2001:db8::7 {HOST}' | sudo" in out) == (0, True)
    done = subprocess.run(
        ["openssl", "x509", "-in", str(tmp_path / "made" / "certificate.pem"), "-noout", "-checkip", "2001:db8::7"],
        capture_output=True,
        text=True,
    )
    assert "does match" in done.stdout


def test_a_name_is_looked_up_for_the_file_of_hosts(tmp_path):
    here = Here(None, "http://localhost:8080", "localhost", tmp_path)
    (line,) = [block for block in copied(recipes.written(recipes.recipe("node"), here)) if "/etc/hosts" in block]
    echo = line.partition(" | sudo")[0]
    assert subprocess.run(["bash", "-euc", echo], capture_output=True, text=True).stdout == f"127.0.0.1 {HOST}\n"


def test_a_port_that_is_not_known(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CALLWRIGHT_HTTP__PORT", "0")
    told = "callwright: http.port is 0, which is any free port: start the server first, or set a number.\n"
    assert run(capsys, tmp_path, "python") == (1, "", told)


def test_a_server_on_all_addresses_is_reached_at_one(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CALLWRIGHT_HTTP__HOST", "0.0.0.0")
    code, out, _ = run(capsys, tmp_path, "python")
    assert code == 0
    assert re.search(r'VOICE_API_ROOT = "http://[1-9][0-9.]+:8080"', out)
    assert "http://callwright.example:8080" in run(capsys, tmp_path, "python", "--address", "callwright.example")[1]
