"""Flow documents in XML (contract §4.4), to the body that the same flow has in JSON.

A document is one step, or several, or any other element around them. Options are attributes, the text of ``say`` is the
element's content; names match whatever their case. Document types are refused, and with them entities: nothing is ever
fetched or multiplied. What is wrong is told as `Malformed` or `Invalid`, with line and column.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from xml.parsers import expat

import msgspec

from callwright.errors import Invalid, Malformed, Problem
from callwright.flows.schema import KEYS_IN_OPTIONS, OPTIONS, Flow, Step, kinds_of, settle, with_step_ids

MAX_BYTES = 32_768
_SHOWN = 40  # characters of what was sent, in a message

# The libraries of Python know hundreds of encodings, some of which are programs; XML needs these.
_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
}
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARATION = re.compile(r"\s*<\?xml(?=\s)[^>]*\?>")
_DECLARED = re.compile(rb"\s*<\?xml(?=\s)[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")

_ACTIONS = {action.lower(): action for action in OPTIONS}
_KNOWN = ", ".join(action[0].upper() + action[1:] for action in OPTIONS)


def _names(*structs: type[msgspec.Struct]) -> dict[str, str]:
    """The names of fields on the wire, by themselves in lower case."""
    names = [field.encode_name for struct in structs for field in msgspec.structs.fields(struct)]
    return {name.lower(): name for name in names}


_HEAD = {lower: name for lower, name in _names(Flow).items() if name != "steps"}
_HEAD_KINDS = kinds_of(Flow)
_OF_STEP = {lower: name for lower, name in _names(Step).items() if name not in ("action", "options", *KEYS_IN_OPTIONS)}
_STEP_KINDS = kinds_of(Step)
_OPTION = {**_names(*OPTIONS.values()), **{name.lower(): name for name in KEYS_IN_OPTIONS}}
_OPTION_KINDS = {**{name: _STEP_KINDS[name] for name in KEYS_IN_OPTIONS}, **kinds_of(*OPTIONS.values())}


def parse(document: bytes, *, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Read a document of at most `limit` bytes. `compile_flow` says whether the steps can run."""
    if len(document) > limit:
        raise Invalid(f"The call flow has {len(document)} bytes; at most {limit} are taken.")
    text = _text_of(document)
    declaration = _DECLARATION.match(text)
    if declaration is not None:
        text = re.sub(r"[^\n]", " ", declaration[0]) + text[declaration.end() :]
    return _Document().read(text)


def _text_of(document: bytes) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if document.startswith(mark)), None)
    if encoding is None:
        declared = _DECLARED.match(document)
        named = "utf-8" if declared is None else declared[1].decode("ascii")
        encoding = _ENCODINGS.get(named.lower())
        if encoding is None:
            raise Malformed(f"The document's encoding is {named!r}. Send it as UTF-8.")
    try:
        return document.decode(encoding)
    except UnicodeError:
        raise Malformed(f"The document is not valid in its encoding, {encoding}. Send it as UTF-8.") from None


class _Document:
    """One reading. The text is put into an element of ours, so that several steps may stand side by side."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._depth = 0
        self._complete = False
        self._holder = ""  # the element around the steps
        self._head: dict[str, Any] = {}
        self._steps: list[dict[str, Any]] = []
        self._spoken: list[str] | None = None  # the text of the step at hand

    def read(self, text: str) -> dict[str, Any]:
        try:
            self._parser.Parse("<flow>\n", False)
            self._parser.Parse(text.encode(), False)
            self._complete = True
            self._parser.Parse("</flow>", True)
        except expat.ExpatError as error:
            line, column = error.lineno - 1, error.offset + 1
            _unreadable(text, line, column, expat.errors.messages[error.code])
        finally:
            del self._parser  # it holds us, and we hold it
        if not self._steps:
            seen = f"<{self._holder[:_SHOWN]}> is none and holds none" if self._holder else "The document has no element"
            raise Invalid(f"A call flow needs steps. {seen}; a step is one of: {_KNOWN}.", parameter="steps")
        return with_step_ids({**self._head, "steps": self._steps})

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            return
        local = name.rpartition(" ")[2]
        action = _ACTIONS.get(local.lower())
        options = {name: value for name, value in attributes.items() if " " not in name}
        if self._spoken is not None:
            self._refuse(Invalid, f"<{local[:_SHOWN]}> stands in a step. A step holds no other element; put it after.")
        if action is not None:
            self._begin(action, options)
        elif self._depth == 2 and not self._steps and not self._holder:
            self._holder = local
            head = {name: options[name] for name in options if name.lower() in _HEAD}
            self._head = self._values(head, _HEAD, _HEAD_KINDS)
        else:
            self._refuse(Invalid, f"<{local[:_SHOWN]}> is not a step. Known: {_KNOWN}.")

    def _begin(self, action: str, attributes: dict[str, str]) -> None:
        if self._holder and self._depth == 2:
            self._refuse(Invalid, f"a step after </{self._holder[:_SHOWN]}>. Put all steps into one element, or into none.")
        of_step = {name: value for name, value in attributes.items() if name.lower() in _OF_STEP}
        rest = {name: value for name, value in attributes.items() if name not in of_step}
        step = {**self._values(of_step, _OF_STEP, _STEP_KINDS), "action": action}
        options = self._values(rest, _OPTION, _OPTION_KINDS, keep_zero="length" if action == "pause" else "")
        if "metadata" in options:
            options["metadata"] = self._object("metadata", options["metadata"])
        if options:
            step["options"] = options
        self._steps.append(step)
        self._spoken = []

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 0 and not self._complete:
            self._refuse(Malformed, "this closes an element that was never opened.")
        if self._spoken is None:
            return
        spoken, self._spoken = "".join(self._spoken).strip(), None
        if not spoken:
            return
        step = self._steps[-1]
        if step["action"] != "say":
            self._refuse(Invalid, f"{step['action']} holds text. Only say has text; what others need stands in attributes.")
        if "payload" in step.get("options", {}):
            self._refuse(Invalid, "say has its text twice, as payload and as content. Give it once.")
        step["options"] = {"payload": spoken, **step.get("options", {})}

    def _characters(self, text: str) -> None:
        if self._spoken is not None:
            self._spoken.append(text)
        elif text.strip():
            self._refuse(Invalid, f"{text.strip()[:_SHOWN]!r} stands outside of a step. Put it into say, or leave it out.")

    def _values(
        self, attributes: dict[str, str], names: Mapping[str, str], kinds: Mapping[str, type], keep_zero: str = ""
    ) -> dict[str, Any]:
        """Attributes under their own names and as what they are; those that are not set are left out, as in JSON."""
        values: dict[str, Any] = {}
        for sent, text in attributes.items():
            name = names.get(sent.lower(), sent)
            if name in values:
                self._refuse(Invalid, f"{name} is given twice. Give it once.")
            if text:
                values[name] = text
        settle(values, kinds, keep_zero=keep_zero)
        return values

    def _object(self, name: str, text: str) -> dict[str, Any]:
        """An attribute that holds what JSON calls an object."""
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError:
            self._refuse(Invalid, f"""{name} must be an object as JSON has it, such as {name}='{{"customer": "42"}}'.""")

    def _refuse(self, kind: type[Problem], what: str) -> NoReturn:
        line, column = self._parser.CurrentLineNumber - 1, self._parser.CurrentColumnNumber + 1
        parameter = f"steps[{max(len(self._steps) - 1, 0)}]" if kind is Invalid else None
        raise kind(f"line {line}, column {column}: {what}", parameter=parameter)


def _unreadable(text: str, line: int, column: int, why: str) -> NoReturn:
    lines = text.split("\n")
    start = max(column - 3, 0)  # expat stumbles over the third character of "<!DOCTYPE"
    if 0 < line <= len(lines) and lines[line - 1].startswith(("<!DOCTYPE", "<!ENTITY"), start):
        raise Malformed(f"line {line}, column {start + 1}: a document type is not allowed. Leave it out.")
    if why == "undefined entity":
        raise Malformed(f"line {line}, column {column}: an entity XML itself does not have. Write the character itself.")
    raise Malformed(f"line {line}, column {column}: this is not XML: {why}.")
