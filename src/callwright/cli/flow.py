"""``callwright flow``: what can be done with a flow in a file, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callwright.cli.options import Json

if TYPE_CHECKING:
    from callwright.cli.place import Place
    from callwright.flows.check import Report

flow = typer.Typer(name="flow", help="Flows in files.", no_args_is_help=True, rich_markup_mode=None)

LIMIT = 32_768


@flow.command("check")
def check_flow(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The flow as JSON or XML; - reads standard input.")],
    fetched: Annotated[
        bool, typer.Option("--fetched", help="A program will answer with it, so URLs may be relative; XML is always so.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too.")] = False,
    json: Json = False,
) -> None:
    """Say what is wrong with a flow, or hardly meant.

    Needs no server. Exit status: 0 no errors, 1 errors, 2 asked wrongly.
    """
    from callwright.cli import show
    from callwright.cli.files import read_bytes
    from callwright.native import views

    report = _report(read_bytes(file), context.obj, fetched=fetched)
    if json:
        show.as_json({"ok": not report.errors, "findings": [views.finding(one) for one in report.findings]})
    else:
        show.table(
            ("", "Where", "What"),
            [("error" if one.error else "warning", one.parameter, one.sentence) for one in report.findings],
            empty="Nothing to be said about it.",
        )
    if report.errors or (strict and report.findings):
        raise typer.Exit(1)


@flow.command("schema")
def show_schema() -> None:
    """Print the JSON Schema of flows."""
    from callwright.cli import show
    from callwright.flows.json_schema import json_schema

    show.as_json(json_schema())


def _report(document: bytes, place: Place, *, fetched: bool) -> Report:
    from callwright.cli import abilities
    from callwright.dialect import decode
    from callwright.errors import Problem
    from callwright.flows import xml
    from callwright.flows.check import Report, check
    from callwright.flows.findings import Finding

    is_xml = document.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" or document[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        body: dict[str, Any] = xml.parse(document, limit=LIMIT) if is_xml else decode.flow(document, limit=LIMIT)
    except Problem as problem:
        return Report(None, (Finding(sentence=problem.message, parameter=problem.parameter or "", error=True),))
    return check(body, abilities.of(place, place.settings()), fetched=fetched or is_xml)
