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
def show_schema(
    scenario: Annotated[bool, typer.Option("--scenario", help="Of scenarios instead, for editors of YAML.")] = False,
) -> None:
    """Print the JSON Schema of flows."""
    from callwright.cli import show
    from callwright.flows.json_schema import json_schema
    from callwright.scenarios import json_schema as of_scenarios

    show.as_json(of_scenarios.json_schema() if scenario else json_schema())


@flow.command("test")
def try_scenarios(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Scenarios in YAML, folders of them, or - for standard input.")
    ],
    only: Annotated[str, typer.Option(metavar="TEXT", help="Those with this in their name, and no others.")] = "",
    fail_fast: Annotated[bool, typer.Option("--fail-fast", "-x", help="Stop at the first that is not met.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing of those that are met.")] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, max=64, help="In so many processes; else as many as are worth it.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="With real calls over SIP on this machine, in real time.")] = False,
    real_web: Annotated[
        bool, typer.Option("--real-web", help="Ask the web for real where the scenario does not say what it answers.")
    ] = False,
    deliver: Annotated[str, typer.Option(metavar="URL", help="Post the callbacks there, for real.")] = "",
    junit: Annotated[
        str, typer.Option(metavar="FILE", help="Write the results as JUnit's XML, too; - for standard output.")
    ] = "",
    json: Json = False,
) -> None:
    """Try flows with the calls that scenarios describe: ten minutes of call in milliseconds.

    Needs no server and no telephone. Exit status: 0 all is as expected, 1 differences, 2 asked wrongly.
    """
    from callwright.cli import show
    from callwright.cli.flow_tests import Asked, run
    from callwright.errors import CallwrightError

    asked = Asked(
        only=only,
        fail_fast=fail_fast,
        live=live,
        real_web=real_web,
        deliver_to=deliver,
        jobs=jobs,
        quiet=quiet,
        json=json,
        junit=junit,
    )
    try:
        status = run(context.obj, files, asked)
    except CallwrightError as error:
        show.aside(f"callwright: {error}")
        raise typer.Exit(2) from None
    raise typer.Exit(status)


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
