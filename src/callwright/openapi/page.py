"""The document as one HTML page: to be read without a network, without a script, on a telephone too.

All text goes through `html.escape`. The page is made of the document alone, so it cannot say anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import quote

from callwright.openapi.document import CHAPTERS, KEY_SCHEME, METHODS, SCHEMAS, STATUS, TRANSPORT, TRANSPORTS
from callwright.openapi.operation import JSON, Access
from callwright.openapi.shapes import example_of

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>{title}</h1>
<p>{sentence}</p>
<p>For programs: <a href="/openapi.json">openapi.json</a>, OpenAPI {openapi}.</p>
</header>
<nav aria-label="Operations">
<details open><summary>Contents</summary>
{contents}
</details>
</nav>
<main id="content">
{reading}
{chapters}
<section id="shapes">
<h2>Shapes</h2>
<p>What is sent and answered, by name.</p>
{shapes}
</section>
</main>
</body>
</html>
"""
READING = """<section id="reading">
<h2>Asking</h2>
<p>Over TCP with an access key, or over the control socket without one. Set these first, and every example below runs as it
stands once its values are yours.</p>
<pre><code>HOST=http://127.0.0.1:8080
KEY=live_…</code></pre>
</section>"""


class _Told(NamedTuple):
    """An operation with its path and method."""

    path: str
    method: str
    what: Mapping[str, Any]

    @property
    def anchor(self) -> str:
        return str(self.what["operationId"])

    @property
    def by_socket(self) -> bool:
        return self.what.get(TRANSPORT) == TRANSPORTS[Access.SOCKET]


def render(document: Mapping[str, Any]) -> str:
    schemas, info = document["components"]["schemas"], document["info"]
    by_tag: dict[str, list[_Told]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                by_tag[operations[method]["tags"][0]].append(_Told(path, method, operations[method]))
    return PAGE.format(
        title=escape(f"{info['title']} {info['version']}: its interfaces"),
        sentence=_prose(info["description"]),
        openapi=escape(document["openapi"]),
        style=files(__package__).joinpath("page.css").read_text(encoding="utf-8"),
        contents="\n".join(_contents(chapter, by_tag) for chapter in document[CHAPTERS]),
        reading=READING,
        chapters="\n".join(_chapter(chapter, by_tag, document) for chapter in document[CHAPTERS]),
        shapes="\n".join(_named(name, schema, schemas) for name, schema in schemas.items()),
    )


def _contents(chapter: Mapping[str, Any], by_tag: Mapping[str, list[_Told]]) -> str:
    tags = "\n".join(_contents_of_tag(tag, by_tag[tag]) for tag in chapter["tags"])
    return f'<p class="chapter"><a href="#{_id("chapter", chapter["name"])}">{escape(chapter["name"])}</a></p>\n{tags}'


def _contents_of_tag(tag: str, operations: list[_Told]) -> str:
    links = "".join(
        f'<li><a href="#{escape(one.anchor)}"><b class="{one.method}">{one.method.upper()}</b> {escape(one.path)}</a></li>'
        for one in operations
    )
    return f'<p><a href="#{_id("tag", tag)}">{escape(tag.capitalize())}</a></p><ul>{links}</ul>'


def _chapter(chapter: Mapping[str, Any], by_tag: Mapping[str, list[_Told]], document: Mapping[str, Any]) -> str:
    sentences = {tag["name"]: tag["description"] for tag in document["tags"]}
    sections = "\n".join(_section(tag, sentences[tag], by_tag[tag], document) for tag in chapter["tags"])
    failures = _failures({name: document["components"]["responses"][name] for name in chapter["responses"]})
    name = _id("chapter", chapter["name"])
    return (
        f'<section class="chapter" id="{name}">\n<h2>{escape(chapter["name"])}</h2>\n<p>{_prose(chapter["description"])}</p>\n'
        f"</section>\n{sections}\n"
        f'<section id="failures-{name}">\n<h2>Errors of {escape(_lowered(chapter["name"]))}</h2>\n'
        f"<p>Every answer of 400 and more has this body.</p>\n{failures}\n</section>"
    )


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]


def _section(tag: str, sentence: str, operations: list[_Told], document: Mapping[str, Any]) -> str:
    told = "\n".join(_operation(one, document) for one in operations)
    return (
        f'<section id="{_id("tag", tag)}">\n<h2>{escape(tag.capitalize())}</h2>\n<p>{_prose(sentence)}</p>\n{told}\n</section>'
    )


def _operation(told: _Told, document: Mapping[str, Any]) -> str:
    what, schemas = told.what, document["components"]["schemas"]
    pieces = [
        f'<article id="{escape(told.anchor)}">',
        f'<h3><a class="here" href="#{escape(told.anchor)}">{escape(what["summary"])}</a></h3>',
        f'<p class="route"><b class="{told.method}">{told.method.upper()}</b> <code>{_breakable(told.path)}</code></p>',
        f'<p class="who">{_who(told)}</p>',
    ]
    if what["description"]:
        pieces.append(f"<p>{_prose(what['description'])}</p>")
    if what.get("parameters"):
        pieces.append(_parameters(what["parameters"], schemas))
    if "requestBody" in what:
        wanted = what["requestBody"]
        content = wanted["content"][JSON]
        optional = "" if wanted["required"] else " (may be left out)"
        pieces += [f"<h4>Body{optional}</h4>", _keys(content["schema"], schemas), _example("An example", content["example"])]
    pieces.append(f"<h4>Try it</h4>\n<pre><code>{escape(_curl(told, schemas))}</code></pre>")
    pieces += ["<h4>Answers</h4>", *_answers(what["responses"], document)]
    return "\n".join((*pieces, "</article>"))


def _who(told: _Told) -> str:
    if told.by_socket:
        return "Over the control socket alone"
    if not told.what["security"]:
        return "For anyone"
    return "With an access key" if TRANSPORT in told.what else "With an access key, or over the control socket"


def _parameters(parameters: list[Mapping[str, Any]], schemas: Mapping[str, Any]) -> str:
    rows = []
    for one in parameters:
        schema = one["schema"]
        shown = _shown(one)
        place = {"path": "in the path", "query": "", "header": "a header"}[one["in"]]
        if _stands_for_many(one):
            (schema,), often = schema["patternProperties"].values(), "one for each name"
        else:
            often = "may be repeated" if one.get("explode") else ""
        notes = ", ".join(note for note in (place, often) if note)
        rows.append(
            f"<tr><td><code>{escape(shown)}</code>{f'<br><i>{notes}</i>' if notes else ''}</td>"
            f"<td>{_type(schema, schemas)}{_limits(schema)}</td>"
            f"<td>{_prose(one['description'])}{_sample(schema)}</td></tr>"
        )
    return _table("Parameters", ("Name", "Type", "What it is"), rows)


def _shown(parameter: Mapping[str, Any]) -> str:
    """A parameter that stands for many is shown as one of them: ``metadata.NAME``."""
    return f"{parameter['name']}.NAME" if _stands_for_many(parameter) else str(parameter["name"])


def _stands_for_many(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("style") == "form"


def _answers(responses: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    schemas, failures = document["components"]["schemas"], []
    for status, response in responses.items():
        if "$ref" in response:
            name = response["$ref"].rpartition("/")[2]
            failures.append(f'<a href="#failure-{escape(name)}">{escape(status)}</a>')
            continue
        yield f'<p class="answer"><b class="status">{escape(status)}</b> {_prose(response["description"])}</p>'
        for media, content in response.get("content", {}).items():
            yield from _content(media, content, schemas)
        if response.get("links"):
            yield _links(response["links"])
        if response.get("headers"):
            rows = [
                f"<tr><td><code>{escape(name)}</code></td><td>{_prose(header['description'])}</td></tr>"
                for name, header in response["headers"].items()
            ]
            yield _table("Headers", ("Name", "What it is"), rows)
    if failures:
        yield f'<p class="answer">Else an error: {", ".join(failures)}.</p>'


def _links(links: Mapping[str, Any]) -> str:
    """What can be asked next; several links may lead to one operation."""
    found = {one["operationId"]: one["description"] for one in links.values()}
    told = ", ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in found)
    return f'<p class="answer"><small>Next: {told}</small></p>'


def _content(media: str, content: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    if media != JSON:
        line = content.get("x-callwright-line")
        each = "" if line is None else f", each {_type(line, schemas)}"
        yield f"<p>As <code>{escape(media)}</code>{each}.</p>"
        if "example" in content:
            yield f"<pre><code>{escape(str(content['example']))}</code></pre>"
        return
    yield f"<p>{_type(content['schema'], schemas)}</p>"
    yield _example("An example", content["example"])


def _failures(responses: Mapping[str, Any]) -> str:
    return "\n".join(
        f'<p id="failure-{escape(name)}" class="answer"><b class="status">{response[STATUS]}</b> '
        f"{_prose(response['description'])}</p>{_example('An example', response['content'][JSON]['example'])}"
        for name, response in responses.items()
    )


def _named(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    return (
        f'<article id="shape-{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{_prose(schema.get('description', ''))}</p>{_keys(schema, schemas)}</article>"
    )


def _keys(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """What an object has, key by key; what it is where it has no named ones."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        return f"<p>{_type(schema, schemas)}</p>" if "properties" not in schemas[name] else _keys(schemas[name], schemas)
    if "properties" not in schema:
        return f"<p>{_type(schema, schemas)}{_limits(schema)}</p>"
    required = schema.get("required", ())
    rows = [
        f"<tr><td><code>{escape(key)}</code>{'' if key in required else '<br><i>optional</i>'}</td>"
        f"<td>{_type(shape, schemas)}{_limits(shape)}</td><td>{_prose(_meaning(shape, schemas))}{_sample(shape)}</td></tr>"
        for key, shape in schema["properties"].items()
    ]
    return _table("", ("Key", "Type", "What it is"), rows)


def _meaning(shape: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """The sentence of a key, or that of what it refers to."""
    named = schemas[shape["$ref"].removeprefix(SCHEMAS)] if "$ref" in shape else {}
    return str(shape.get("description") or named.get("description", ""))


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """The type of a value in a few words, with links: ``list of Leg``, ``date or null``."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(SCHEMAS))
        return f'<a href="#shape-{name}">{name}</a>'
    for word, between in (("allOf", " and "), ("anyOf", " or "), ("oneOf", " or ")):
        if word in schema:
            return between.join(_type(one, schemas) for one in schema[word])
    if "enum" in schema:
        words = [f"<code>{escape(one if isinstance(one, str) and one else json.dumps(one))}</code>" for one in schema["enum"]]
        if len(words) > 12:
            return f"<details><summary>one of {len(words)} words</summary>{', '.join(words)}</details>"
        return ", ".join(words)
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema['items'], schemas)}" if isinstance(schema.get("items"), dict) else "list"
    named = {"date-time": "time", "uuid": "id"}.get(schema.get("format", ""))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'], schemas)} by name"
    words_of = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return escape(named or words_of.get(kind, kind) if isinstance(kind, str) else " or ".join(kind))


def _limits(schema: Mapping[str, Any]) -> str:
    """Bounds and default in words."""
    schema = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
    told = []
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        told.append(f"{least:,} to {most:,}")
    elif least is not None:
        told.append(f"at least {least:,}")
    elif most is not None:
        told.append(f"at most {most:,}")
    for word, sentence in (
        ("minLength", "at least {} characters"),
        ("maxLength", "at most {} characters"),
        ("minItems", "at least {}"),
        ("maxItems", "at most {:,}"),
    ):
        if word in schema:
            told.append(sentence.format(schema[word]))
    if "default" in schema:
        told.append(f"without it {json.dumps(schema['default'], ensure_ascii=False)}")
    return f"<br><small>{escape('; '.join(told))}</small>" if told else ""


def _sample(schema: Mapping[str, Any]) -> str:
    """A short example behind a sentence; a choice shows its words already, and everybody has seen an id."""
    examples, inner = schema.get("examples"), schema.get("anyOf", [schema])[0]
    if not examples or "enum" in inner or "format" in inner:
        return ""
    if examples[0] in (None, "") or isinstance(examples[0], bool | dict | list):
        return ""
    return f" <small>Such as <code>{escape(str(examples[0]))}</code></small>"


def _table(title: str, columns: tuple[str, ...], rows: list[str]) -> str:
    heading = f"<h4>{escape(title)}</h4>\n" if title else ""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "\n".join(rows)
    return f'{heading}<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _example(title: str, value: Any) -> str:
    shown = json.dumps(value, indent=2, ensure_ascii=False)
    return f"<details><summary>{escape(title)}</summary><pre><code>{escape(shown)}</code></pre></details>"


def _curl(told: _Told, schemas: Mapping[str, Any]) -> str:
    """A line for a shell, with the examples of the document in it."""
    parameters = told.what.get("parameters", ())
    path = told.path
    for one in parameters:
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(str(example_of(one["schema"], schemas))))
    words = ["curl"]
    if told.method != "get":
        words.append(f"-X {told.method.upper()}")
    if told.by_socket:
        words.append("--unix-socket callwright-data/run/control.sock")
    elif told.what["security"] and KEY_SCHEME in told.what["security"][0]:
        words.append('-H "Authorization: AccessKey $KEY"')
    if "requestBody" in told.what:
        sent = json.dumps(told.what["requestBody"]["content"][JSON]["example"], ensure_ascii=False)
        quoted = sent.replace("'", "'\\''")
        words.append(f"-H 'Content-Type: application/json' \\\n  -d '{quoted}' \\\n ")
    words.append(f'"http://localhost{path}"' if told.by_socket else f'"$HOST{path}"')
    return " ".join(words)


def _prose(sentence: str) -> str:
    """A sentence with its `words` in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(sentence))


def _breakable(path: str) -> str:
    """A path that may be broken where a screen is narrow."""
    return escape(path).replace("/", "/<wbr>")


def _id(kind: str, name: str) -> str:
    return f"{kind}-{escape(name.lower().replace(' ', '-'))}"
