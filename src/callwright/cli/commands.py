"""The commands: what each is called, what it takes, and where its work is done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from callwright.cli.calls import calls
from callwright.cli.deliveries import deliveries
from callwright.cli.flow import flow as flow_commands
from callwright.cli.options import Json, Test, world_of
from callwright.cli.place import Place
from callwright.cli.provisioning import flows, keys, numbers
from callwright.cli.recordings import recordings
from callwright.cli.retention import retention
from callwright.cli.voices import voices
from callwright.cli.webhooks import endpoints, webhooks

app = typer.Typer(
    name="callwright",
    help="Callwright, a self-hosted programmable-voice platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would take half of the time that --help may take
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(keys)
app.add_typer(numbers)
app.add_typer(flows)
app.add_typer(voices)
app.add_typer(flow_commands)
app.add_typer(calls)
app.add_typer(recordings)
app.add_typer(retention)
app.add_typer(webhooks)
app.add_typer(endpoints)
app.add_typer(deliveries)


def _show_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    data: Annotated[Path, typer.Option(envvar="CALLWRIGHT_DATA", help="The data folder.")] = Path("callwright-data"),
    config: Annotated[
        Path | None, typer.Option(envvar="CALLWRIGHT_CONFIG", help="A settings file besides the one in the data folder.")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    context.obj = Place(data, config)


@app.command()
def serve(
    context: typer.Context,
    http_port: Annotated[str | None, typer.Option(help="The TCP port of the REST interface; 0 takes any free one.")] = None,
    sip_port: Annotated[str | None, typer.Option(help="The UDP port of SIP; 0 takes any free one.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any other setting; may be repeated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print where the server listens as a line of JSON.")] = False,
) -> None:
    """Run the platform until SIGTERM or Ctrl-C."""
    from callwright.cli.serving import run

    flags: dict[str, object] = {"http.port": http_port, "sip.port": sip_port}
    for one in setting or ():
        key, equals, value = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r}: write SECTION.KEY=VALUE, such as http.port=8081", param_hint="--set")
        flags[key] = value
    run(context.obj, {key: value for key, value in flags.items() if value is not None}, json=json)


@app.command("tls-recipe")
def tls_recipe(
    context: typer.Context,
    library: Annotated[str | None, typer.Argument(help="python, php, csharp, go, ruby, node, java or dart.")] = None,
    make_certificate: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Make an authority there, or use the one it has, and a certificate it signs."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST", help="Where clients reach this machine, if it is not the address it has.")
    ] = None,
) -> None:
    """Print how a client library of the original service is pointed at this server; without LIBRARY, which there are."""
    from callwright.cli.tls_recipe import run

    run(context.obj, library, make_in=make_certificate, address=address)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the calls; exit 0 only if all was as expected.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was observed as one JSON object.")] = False,
) -> None:
    """Start a platform of its own, place real calls between two telephones, and show what is on record about them."""
    from callwright.cli.demo.run import run

    raise typer.Exit(run(once=once, json=json))


@app.command()
def call(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="The number the call comes from.")],
    destination: Annotated[str, typer.Argument(help="The number or sip: address to call.")],
    flow: Annotated[
        str, typer.Option(help="What to do once it is answered: a JSON file, - for standard input, or a flow's id.")
    ],
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Where to post what happens to the call.")] = None,
    token: Annotated[str | None, typer.Option(help="What the callbacks are signed with besides the signing key.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag to find the call by; may be repeated.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A text to keep with the call; may be repeated.")
    ] = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """Place a call, as POST /calls does."""
    from callwright.cli.calling import Labels, place
    from callwright.cli.tags import named

    labels = Labels(tag or [], named(metadata or [], "--metadata"))
    place(context.obj, source, destination, flow, webhook, token, labels, world=world_of(test), json=json)


@app.command()
def dial(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help="The number of yours that is called.")],
    source: Annotated[str | None, typer.Option("--from", metavar="NUMBER", help="Who calls.")] = None,
    keys: Annotated[
        str | None,
        typer.Option(
            help="Keys to press, with commas between those for different questions, such as 1,1234#; each once asked."
        ),
    ] = None,
    keys_after: Annotated[
        float | None, typer.Option(min=0, max=86_400, metavar="SECONDS", help="Press them so long after the answer instead.")
    ] = None,
    gap: Annotated[float, typer.Option(min=0, max=60, help="Seconds from one key to the next.")] = 0.3,
    say: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Say this once asked; repeated, one at each question.")
    ] = None,
    say_after: Annotated[
        float | None, typer.Option(min=0, max=86_400, metavar="SECONDS", help="Say it so long after the answer instead.")
    ] = None,
    hangup_after: Annotated[
        float | None, typer.Option(min=0, max=86_400, metavar="SECONDS", help="Hang up so long after the answer.")
    ] = None,
    sip: Annotated[
        bool, typer.Option("--sip", help="Call the live world over SIP, with a telephone of its own; else the test world.")
    ] = False,
    language: Annotated[str, typer.Option(help="With --sip: the language of what is said, such as en-GB.")] = "en-US",
    test: Annotated[bool, typer.Option("--test", help="Call the test world, as it does anyway without --sip.")] = False,
    json: Json = False,
) -> None:
    """Call one of your own numbers without a telephone, and tell what happens. Ctrl-C hangs up.

    Exit status: 0 the call was answered and has ended, 1 it was not, 2 asked wrongly.
    """
    from callwright.cli.dial import Doings, groups, simulated

    if sip and test:
        raise typer.BadParameter("the test world has no SIP: leave one of them out", param_hint="--sip")
    for name, after in (("keys", keys_after if not keys else None), ("say", say_after if not say else None)):
        if after is not None:
            raise typer.BadParameter(f"it is the time of --{name}, which is not there", param_hint=f"--{name}-after")
    if say_after is not None and len(say or ()) > 1:
        raise typer.BadParameter("one text can be said at a time: give --say once, or leave it out", param_hint="--say-after")
    doings = Doings(groups(keys), keys_after, gap, say or [], say_after, hangup_after)
    if sip:
        from callwright.cli.dial_sip import over_sip

        raise typer.Exit(over_sip(context.obj, number, source, doings, language, json=json))
    raise typer.Exit(simulated(context.obj, number, source, doings, json=json))


@app.command()
def tag(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    add: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Add a tag; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Remove a tag; may be repeated.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a text of the metadata; may be repeated.")
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Remove a text of the metadata; may be repeated.")
    ] = None,
    test: Test = False,
    json: Json = False,
) -> None:
    """Change the tags and metadata of a call, while it is up or after it; without a change, show them."""
    from callwright.cli.tags import change, named

    metadata = {**named(set_ or [], "--set"), **dict.fromkeys(unset or [])}
    change(context.obj, call_id, add or [], remove or [], metadata, world=world_of(test), json=json)


@app.command()
def journal(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    test: Annotated[bool, typer.Option("--test", help="Look in the test world alone; else in both.")] = False,
    json: Json = False,
) -> None:
    """Tell the story of a call, line by line."""
    from callwright.cli.calling import tell

    tell(context.obj, call_id, ("test",) if test else ("live", "test"), json=json)


@app.command()
def replay(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID")],
    flow: Annotated[
        str | None, typer.Option(metavar="FILE", help="Another flow: a file in JSON or XML, or the id of a stored one.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a scenario for callwright flow test; - is standard output.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Look in the test world alone; else in both.")] = False,
    json: Json = False,
) -> None:
    """Have a past call again, in no time, from its journal, and show what is not as it was.

    Exit status: 0 no difference, 1 differences, 2 asked wrongly.
    """
    from callwright.cli.replay import run

    raise typer.Exit(run(context.obj, call_id, flow, export, ("test",) if test else ("live", "test"), json=json))


@app.command()
def listen(
    context: typer.Context,
    forward: Annotated[str, typer.Option(metavar="URL", help="Where to post, such as http://localhost:3000/callbacks.")],
    events: Annotated[
        str, typer.Option(metavar="TYPES", help="What to forward: call, leg, recording, transcription, webhook.")
    ] = "call",
    token: Annotated[
        str | None, typer.Option(help="What to sign with, instead of the signing key.", envvar="CALLWRIGHT_TOKEN")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End after one; exit status 1 if it was not taken.")] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many; exit status 1 if one of them was not taken.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="A server elsewhere, such as https://voice.example.com.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The access key for --server; it says which world.", envvar="CALLWRIGHT_KEY")
    ] = None,
    answer: Annotated[float, typer.Option(min=0.1, help="Seconds the receiver has to answer.")] = 30.0,
    test: Test = False,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each.")] = False,
) -> None:
    """Forward what happens to a program on this machine, signed as callbacks are; nothing of it is kept or tried again."""
    from callwright.cli.listen import Wanted, run

    if once and count is not None:
        raise typer.BadParameter("--once stands for --count 1: give one of them", param_hint="--once")
    if not forward.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{forward!r}: write http:// or https:// and so on", param_hint="--forward")
    if server is None:
        key = None
    elif key is None:
        raise typer.BadParameter("a server elsewhere wants a key: --key or CALLWRIGHT_KEY", param_hint="--server")
    elif test:
        raise typer.BadParameter("the key says which world it is", param_hint="--test")
    wanted = Wanted(forward, events, token, world_of(test), server, key, answer)
    raise typer.Exit(run(context.obj, wanted, count=1 if once else count, json=json))


@app.command()
def tail(
    context: typer.Context,
    call: Annotated[
        str | None, typer.Option("--call", metavar="CALL_ID", help="One call, from its beginning until it is over.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="With --call: go on after the call is over.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin so long ago, such as 90s, 10m, 2h or 3d, or at a time.")
    ] = None,
    types: Annotated[
        str, typer.Option("--type", help="What to tell of: call, leg, recording, transcription, webhook.")
    ] = "call,recording,transcription",
    status: Annotated[list[str] | None, typer.Option(help="Calls that become so; may be repeated.")] = None,
    direction: Annotated[str | None, typer.Option(help="incoming or outgoing.")] = None,
    source: Annotated[str | None, typer.Option(help="Who calls: 31612345678, or a part: 316*, *5678, *345*.")] = None,
    destination: Annotated[str | None, typer.Option(help="Who is called, in the same way.")] = None,
    number: Annotated[str | None, typer.Option(help="Calls of a number of yours, by its digits or id.")] = None,
    flow: Annotated[str | None, typer.Option(metavar="FLOW_ID", help="Calls that run a stored flow.")] = None,
    reason: Annotated[list[str] | None, typer.Option(help="Why they ended; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Calls with a tag; repeated, with all of them.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Calls with this in their metadata; may be repeated.")
    ] = None,
    test: Test = False,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each event.")] = False,
) -> None:
    """Tell what happens to calls, as it happens; a restart of the server loses nothing."""
    from callwright.cli.moments import ago
    from callwright.cli.tail import EVER, Wanted, run

    query = [("type", types)]
    query += [("status", one) for one in status or ()]
    single = {"direction": direction, "source": source, "destination": destination, "number": number, "flow": flow}
    query += [(name, value) for name, value in single.items() if value is not None]
    query += [("reason", one) for one in reason or ()] + [("tag", one) for one in tag or ()]
    for one in metadata or ():
        name, equals, value = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r}: write NAME=VALUE, such as customer=42", param_hint="--metadata")
        query.append((f"metadata.{name}", value))
    if call is None:
        if follow:
            raise typer.BadParameter("it goes on until Ctrl-C anyway; --follow is for --call", param_hint="--follow")
    elif len(query) > 1:
        raise typer.BadParameter("one call needs no filters: give --call, or the others", param_hint="--call")
    elif "call" not in types.split(",") and not follow:
        raise typer.BadParameter("without call its end is not told: add call, or --follow", param_hint="--type")
    else:
        query.append(("call", call))
    if since is not None or call is not None:
        query.append(("since", EVER if since is None else ago(since, "--since")))
    worlds = ("test",) if test else ("live",) if call is None else ("live", "test")
    wanted = Wanted(query, worlds, call, to_the_end=call is not None and not follow)
    raise typer.Exit(run(context.obj, wanted, json=json))


@app.command()
def settings(
    context: typer.Context,
    json: Json = False,
    reference: Annotated[
        bool, typer.Option("--reference", help="Print a settings file with every setting and its default instead.")
    ] = False,
) -> None:
    """Show the settings in force and where each was set."""
    from callwright.cli import show

    if reference:
        from callwright.settings import document

        print(document(), end="")
        return
    rows = _settings_in_force(context.obj)
    if json:
        show.as_json(rows)
    else:
        show.table(("Setting", "Value", "Set by"), [(row["key"], row["value"], row["origin"]) for row in rows], empty="")


@app.command()
def doctor(
    context: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Look at every call, callback, page and index; slow on a large database.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too.")] = False,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="First count all lists anew and make labels of tags and metadata; not while a server runs."),
    ] = False,
    json: Json = False,
) -> None:
    """Look for what is wrong, or soon will be, and say what to do about it.

    Works with the server running and stopped, and without --fix changes nothing. Exit status: 0 no faults, 1 faults, 2 asked
    wrongly.
    """
    from callwright.cli.doctor import run

    raise typer.Exit(run(context.obj, deep=deep, strict=strict, json=json, fixing=fix))


@app.command()
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    recordings: Annotated[bool, typer.Option("--recordings", help="With the files of recordings that are here.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Take the place of a backup that is there.")] = False,
    json: Json = False,
) -> None:
    """Write all that the server needs to go on into one file, while it runs or not.

    The database is that of one moment, and was looked over; FILE is there once it is whole. It holds secrets.
    """
    from callwright.cli.backup import back_up

    back_up(context.obj, file, overwrite=overwrite, recordings=recordings, json=json)


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that callwright backup made.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move what is in the data folder aside; else it must be empty or new.")
    ] = False,
    no_resend: Annotated[
        bool, typer.Option("--no-resend", help="Give callbacks up that were pending when the backup was made.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a data folder of a backup. No server may work on it."""
    from callwright.cli.backup import restore_from

    restore_from(context.obj, file, replace=replace, resend=not no_resend, json=json)


@app.command()
def health(context: typer.Context, json: Json = False) -> None:
    """Ask the running server whether it can carry calls.

    Exit status: 0 it can, 1 it says that it cannot now, 2 nobody answers.
    """
    from callwright.cli.health import run

    raise typer.Exit(run(context.obj, json=json))


@app.command()
def version() -> None:
    """Print the version."""
    from callwright import __version__

    print(f"callwright {__version__}")


def _settings_in_force(place: Place) -> list[dict[str, Any]]:
    """A running server's, which may have been given flags; else those a server started here would have."""
    from callwright.cli.control import NoServer, reach
    from callwright.settings import rows

    try:
        with reach(place, server_only=True) as control:
            found: list[dict[str, Any]] = control.get("/api/settings")["data"]
            return found
    except NoServer:
        return [{"key": row.key, "value": row.value, "origin": row.origin} for row in rows(place.settings())]
