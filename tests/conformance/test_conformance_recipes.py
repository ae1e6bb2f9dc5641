"""What `callwright tls-recipe` prints for a running server leads there, copied as it stands."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.client_stage import HOST, ClientStage
from support.peers import require_peer
from support.server import PATIENCE_S

HERE = Path(__file__).parent
Run = Callable[..., str]


def blocks(clients: ClientStage, library: str) -> list[str]:
    """Each block that is to be copied."""
    line = [sys.executable, "-m", "callwright", f"--data={clients.server.folder / 'data'}", "tls-recipe", library]
    text = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    found = re.findall(r"(?:^ {4}.*\n?|^\n(?= {4}))+", text, re.MULTILINE)
    return ["\n".join(line.removeprefix("    ") for line in block.strip("\n").splitlines()) for block in found]


def with_(recipe: list[str], begin: str) -> str:
    (block,) = [one for one in recipe if begin in one]
    return block


@pytest.fixture
def run(clients: ClientStage) -> Run:
    """Run a program, or the lines of a shell, as a user would; what it prints."""

    def program(*line: str, **more: str) -> str:
        surroundings = os.environ | {"KEY": clients.server.keys["live"], **more}
        done = subprocess.run(line, capture_output=True, text=True, env=surroundings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return program


def test_python_is_set_to_the_port_without_tls(clients: ClientStage, run: Run) -> None:
    setting = with_(blocks(clients, "python"), "VOICE_API_ROOT")
    ask = "import os\nclient = messagebird.client.Client(os.environ['KEY'])\nprint(client.call_list().pagination)"
    assert clients.server.http in setting
    assert "'currentPage': 1" in run(sys.executable, "-c", f"{setting}\n{ask}")


def test_the_host_name_and_the_authority_lead_here(clients: ClientStage, run: Run, tmp_path: Path) -> None:
    recipe = blocks(clients, "node")
    assert with_(recipe, "/etc/hosts") == f"echo '127.0.0.1 {HOST}' | sudo tee -a /etc/hosts"
    # The file is not ours to write, nor the port to have: curl and Node are told the same in another way.
    there = clients.server.https.removeprefix("https://")
    (tmp_path / ".curlrc").write_text(f'connect-to = "{HOST}:443:{there}"\n')
    assert '"currentPage":1' in run("bash", "-ec", with_(recipe, "curl "), CURL_HOME=str(tmp_path))


def test_node_trusts_the_authority(clients: ClientStage, node: str, run: Run) -> None:
    trust = with_(blocks(clients, "node"), "NODE_EXTRA_CA_CERTS")
    ask = "require('messagebird').initClient(process.env.KEY).calls.list((error, value) => console.log(error || value))"
    line = f'{trust}\nexec "$NODE" --require "$ELSEWHERE" -e "$ASK"'
    there = clients.server.https.removeprefix("https://")
    more = {"NODE": node, "ELSEWHERE": str(HERE / "node" / "elsewhere.js"), "ASK": ask, "VOICE_SERVER": there}
    assert "currentPage: 1" in run("bash", "-ec", line, NODE_PATH=str(HERE / "node" / "node_modules"), **more)


def test_ruby_trusts_the_authority(clients: ClientStage, run: Run) -> None:
    ruby = require_peer("ruby", apt="ruby")
    recipe = blocks(clients, "ruby")
    # Of the library's class the recipe needs no more than that it is there and takes a key.
    stub = (
        "module MessageBird; VoiceClient = Struct.new(:key); Client = Struct.new(:key, :a, :b, :voice); end; key = ENV['KEY']"
    )
    ask = (
        "uri = URI.join(client.voice.endpoint, 'calls'); http = Net::HTTP.new(uri.host, uri.port); http.use_ssl = true\n"
        "puts http.get(uri.path, 'Authorization' => \"AccessKey #{key}\").body"
    )
    script = "\n".join(("require 'net/http'", stub, with_(recipe, "class Here"), ask))
    line = f'{with_(recipe, "SSL_CERT_FILE")}\nexec "$RUBY" -e "$SCRIPT"'
    assert '"currentPage":1' in run("bash", "-ec", line, RUBY=ruby, SCRIPT=script)


def test_who_does_not_trust_it_or_speaks_no_tls_is_no_fault_of_the_server(clients: ClientStage) -> None:
    """`ClientStage` looks at the log in the end: there is nothing of this in it."""
    parts = urlsplit(clients.server.https)
    there = (parts.hostname or "", parts.port or 0)
    with socket.create_connection(there, PATIENCE_S) as plain:
        plain.sendall(b"GET /calls HTTP/1.1\r\nHost: x\r\n\r\n")
        while plain.recv(1 << 12):
            pass
    with socket.create_connection(there, PATIENCE_S) as distrustful, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(distrustful, server_hostname=HOST)
    with socket.create_connection(there, PATIENCE_S) as hasty:
        hasty.sendall(b"\x16\x03\x01")
    assert clients.server.live.get("/calls").status == 200


def test_java_trusts_the_authority(clients: ClientStage, run: Run) -> None:
    keytool = Path(require_peer("keytool", apt="default-jdk-headless"))
    lines = with_(blocks(clients, "java"), "keytool")
    run("bash", "-ec", lines)
    store = clients.authority.with_name("cacerts")
    listed = run(str(keytool), "-list", "-keystore", str(store), "-storepass", "changeit", "-alias", "callwright")
    assert "trustedCertEntry" in listed
