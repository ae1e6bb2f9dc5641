"""How each client library of the original service is pointed at this server: some take a URL, some insist on its host name.

What is said of a library is what can be seen of it from outside: what it lets be set, and what it trusts.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from callwright.errors import CallwrightError

HOST = "voice.messagebird.com"
HTTPS_PORT = 443


class Here(NamedTuple):
    """The server as clients find it. `https` and `http` are addresses with and without TLS, None where there is none.

    `address` is a host's alone, `folder` where the files of a certificate are or will be, and `shown` is the certificate that
    is good for `HOST` already, None where there is none. `on_443` says that TLS is spoken on the port libraries expect.
    """

    https: str | None
    http: str | None
    address: str
    folder: Path
    on_443: bool = False
    made: bool = False
    shown: str | None = None

    @property
    def authority(self) -> str:
        """As a shell has it."""
        return shlex.quote(str(self.folder / "authority.pem"))

    @property
    def url(self) -> str:
        """Where to go without a certificate, if that is possible."""
        return self.http or self.https or ""


class Part(NamedTuple):
    """A sentence, and what is to be copied."""

    sentence: str
    lines: tuple[str, ...] = ()


_PRIVATE = "If an authority of your own signed the certificate, the environment names it"


class Recipe(NamedTuple):
    library: str
    package: str
    how: str
    parts: Callable[[Here], Iterable[Part]]


def _python(here: Here) -> Iterable[Part]:
    yield Part(
        "The address is a global of the library; set it before the first call, without a slash at the end:",
        ("import messagebird.client", f'messagebird.client.VOICE_API_ROOT = "{here.url}"'),
    )
    if here.http is None:
        yield Part(
            f"{_PRIVATE} to its HTTP library, which then trusts no other:", (f"export REQUESTS_CA_BUNDLE={here.authority}",)
        )


def _php(here: Here) -> Iterable[Part]:
    yield Part(
        "The address is given to its HTTP client, which is given to the client:",
        (
            f"$http = new MessageBird\\Common\\HttpClient('{here.url}', 10, 2, ['X-MessageBird-Version' => '20170314']);",
            "$client = new MessageBird\\Client($key, $http);",
        ),
    )
    if here.http is None:
        yield Part(
            "It trusts the authorities that it brings along and no other. Have a certificate of a public authority, or set "
            "http.plain_port and use that port."
        )


def _csharp(here: Here) -> Iterable[Part]:
    kinds = ("Call", "CallFlow", "Recording", "Transcription", "Webhook")
    yield Part(
        "The address is a static field, one for each kind of object; set all before the first call, no slash at the end:",
        tuple(f'VoiceBaseResource<{kind}>.baseUrl = "{here.url}";' for kind in kinds),
    )
    if here.http is None:
        yield Part(f"{_PRIVATE}; on Linux, to .NET:", (f"export SSL_CERT_FILE={here.authority}",))


def _go(here: Here) -> Iterable[Part]:
    scheme, _, host = here.url.partition("://")
    yield Part(
        "The address is fixed, but the HTTP client is not; give it a transport that sends requests here:",
        (
            "type here struct{}",
            "",
            "func (here) RoundTrip(request *http.Request) (*http.Response, error) {",
            "\tsent := request.Clone(request.Context())",
            f'\tsent.URL.Scheme, sent.URL.Host, sent.Host = "{scheme}", "{host}", "{host}"',
            "\treturn http.DefaultTransport.RoundTrip(sent)",
            "}",
            "",
            "client := messagebird.New(key)",
            "client.HTTPClient = &http.Client{Transport: here{}}",
        ),
    )
    if here.http is None:
        yield Part(f"{_PRIVATE}; on Linux, to Go:", (f"export SSL_CERT_FILE={here.authority}",))


def _ruby(here: Here) -> Iterable[Part]:
    if here.https is None:
        yield from _certificate(here)
    yield Part(
        "The address is a method of its voice client; it always speaks TLS, and the address ends with a slash:",
        (
            "class Here < MessageBird::VoiceClient",
            "  def endpoint",
            f"    '{here.https or here.url.replace('http://', 'https://')}/'",
            "  end",
            "end",
            "client = MessageBird::Client.new(key, nil, nil, Here.new(key))",
        ),
    )
    yield Part(f"{_PRIVATE} to Ruby:", (f"export SSL_CERT_FILE={here.authority}",))


def _node(here: Here) -> Iterable[Part]:
    yield from _by_name(here)
    yield Part("Node trusts this authority besides its own:", (f"export NODE_EXTRA_CA_CERTS={here.authority}",))


def _java(here: Here) -> Iterable[Part]:
    yield from _by_name(here)
    store = shlex.quote(str(here.folder / "cacerts"))
    yield Part(
        "Add the authority to a copy of what Java trusts, and start the program with it:",
        (
            f'cp "$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")/lib/security/cacerts" {store}',
            f"keytool -importcert -noprompt -alias callwright -file {here.authority} -keystore {store} -storepass changeit",
            f"export JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore={store}",
        ),
    )


def _dart(here: Here) -> Iterable[Part]:
    yield from _by_name(here)
    yield Part(
        "Let the program trust the authority, before the first call:",
        ("import 'dart:io';", f"SecurityContext.defaultContext.setTrustedCertificates('{here.folder / 'authority.pem'}');"),
    )


def _by_name(here: Here) -> Iterable[Part]:
    yield from _certificate(here, port=HTTPS_PORT)
    if not here.on_443:
        yield Part(
            "Port 443 takes root or the capability CAP_NET_BIND_SERVICE; docs/operations.md says how a service gets that alone."
        )
    yield Part(
        f"The library has {HOST} fixed. Where it runs, let that name lead to this server:",
        (f"echo {_hosts_line(here.address)} | sudo tee -a /etc/hosts",),
    )
    yield Part(
        "This then tells of calls, with your access key in $KEY:",
        (f'curl --cacert {here.authority} -H "Authorization: AccessKey $KEY" https://{HOST}/calls',),
    )


def _hosts_line(address: str) -> str:
    """A line of /etc/hosts, in which no name may stand for an address."""
    if _is_ip(address):
        return f"'{address} {HOST}'"
    return f"\"$(getent ahostsv4 {address} | awk '{{print $1; exit}}') {HOST}\""


def _certificate(here: Here, port: int | None = None) -> Iterable[Part]:
    """What the server has to be given, unless it has it."""
    if here.shown is not None:
        yield Part(f"The server shows a certificate for {HOST}, {here.shown}. Whoever signed it has to be trusted.")
        if port is not None and not here.on_443:
            yield Part(
                "It is to do so where the library looks for it: set this, and start it again:", ("[http]", f"port = {port}")
            )
        return
    if here.made:
        sentence = f"An authority of your own and a certificate for {HOST} are in {here.folder}."
        yield Part(f"{sentence} Only authority.pem leaves this machine, for where the library runs.")
    else:
        yield Part(
            f"Make an authority of your own and a certificate for {HOST} in {here.folder}, or have them made with "
            "--make-certificate. Only authority.pem leaves this machine, for where the library runs:",
            by_openssl(here),
        )
    yield Part(
        "Give the certificate to the server, in callwright.toml, and start it again:",
        (
            "[http]",
            *([] if port is None else [f"port = {port}"]),
            f'certificate = "{here.folder / "certificate.pem"}"',
            f'key = "{here.folder / "key.pem"}"',
        ),
    )


def by_openssl(here: Here) -> tuple[str, ...]:
    names = ",".join(["DNS:" + HOST, "DNS:localhost", "IP:127.0.0.1", *_more_names(here)])
    folder = shlex.quote(str(here.folder))
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    return (
        f"mkdir -p {folder} && cd {folder}",
        f"openssl req -x509 {key} -keyout authority-key.pem -out authority.pem -days 3650 "
        '-subj "/CN=Callwright private authority" -addext "keyUsage=critical,keyCertSign,cRLSign"',
        f'openssl req {key} -keyout key.pem -out certificate.csr -subj "/CN={HOST}"',
        f'printf "subjectAltName={names}\\nextendedKeyUsage=serverAuth\\nauthorityKeyIdentifier=keyid\\n" > certificate.ext',
        "openssl x509 -req -in certificate.csr -CA authority.pem -CAkey authority-key.pem -CAcreateserial -days 730 "
        "-extfile certificate.ext -out certificate.pem",
    )


def names_of(here: Here) -> list[str]:
    """What a certificate of this server's own is made for."""
    return [HOST, "localhost", "127.0.0.1", *(name.partition(":")[2] for name in _more_names(here))]


def _more_names(here: Here) -> list[str]:
    if here.address in ("localhost", "127.0.0.1"):
        return []
    return [("IP:" if _is_ip(here.address) else "DNS:") + here.address]


def _is_ip(address: str) -> bool:
    return ":" in address or address.replace(".", "").isdecimal()


RECIPES = {
    "python": Recipe("Python", "messagebird 2.2.0", "takes a URL", _python),
    "php": Recipe("PHP", "messagebird/php-rest-api 4.0.1", "takes a URL", _php),
    "csharp": Recipe("C#", "MessageBird 4.0.1", "takes a URL", _csharp),
    "go": Recipe("Go", "github.com/messagebird/go-rest-api/v9", "takes a transport, which leads to a URL", _go),
    "ruby": Recipe("Ruby", "messagebird-rest 5.0.0", "takes a URL, and always speaks TLS", _ruby),
    "node": Recipe("Node", "messagebird 4.0.1", "has host, port 443 and TLS fixed", _node),
    "java": Recipe("Java", "com.messagebird:messagebird-api 6.2.5", "has host, port 443 and TLS fixed", _java),
    "dart": Recipe("Dart", "messagebird 1.3.4", "has host, port 443 and TLS fixed", _dart),
}


def recipe(name: str) -> Recipe:
    """Raise `CallwrightError` for a name that no recipe has."""
    known = RECIPES.get(name.lower())
    if known is None:
        near = difflib.get_close_matches(name.lower(), RECIPES, n=1, cutoff=0.4)
        there = f"the nearest is {near[0]}" if near else f"there are {', '.join(RECIPES)}"
        raise CallwrightError(f"There is no recipe for {name!r}; {there}.")
    return known


def written(of: Recipe, here: Here) -> str:
    """The recipe as text: sentences, and below each, indented by four, what is to be copied."""
    paragraphs = [f"{of.library}, {of.package}: {of.how}."]
    for sentence, lines in of.parts(here):
        copied = "".join(f"\n    {line}".rstrip(" ") for line in lines)
        paragraphs.append(f"{sentence}\n{copied}" if lines else sentence)
    return "\n\n".join(paragraphs)
