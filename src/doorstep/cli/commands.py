"""The commands and their options."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text
from typer._click.utils import PacifyFlushWrapper
from typer.exceptions import TyperException

from doorstep.cli import terminal
from doorstep.cli.arguments import ManyEvents
from doorstep.cli.files import AsCsv, Html, command, refuse_unwritable, write_page
from doorstep.cli.interruption import INTERRUPTED, MESSAGE, at_once
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, definition, journey_definition, located
from doorstep.errors import DefinitionError, DoorstepError, Issue, RunError, is_interruption, writing

if TYPE_CHECKING:
    import pyarrow as pa

app: Final = typer.Typer(
    name="doorstep",
    help="Funnels that give the same number twice, and can say why.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

File = Annotated[
    Path, typer.Argument(help="The definition: YAML, JSON, or a published one as name@version.", show_default=False)
]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--events", help="Event files or globs, one or more: Parquet, CSV, JSON lines, gzip too.", show_default=False
    ),
]
InLake = Annotated[
    Path | None, typer.Option("--lake", help="A lake's directory, in place of files.", show_default=False)
]
AtSnapshot = Annotated[
    int | None, typer.Option("--snapshot", help="The lake as it was then; default: as it is now.", show_default=False)
]
Since = Annotated[str | None, typer.Option(help="First instant or date of entries, included.")]
Until = Annotated[str | None, typer.Option(help="Instant or date before which entries lie.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Data horizon: later rows are invisible; default: the last row.")
]
Timezone = Annotated[str, typer.Option(help="Time zone in which dates among the bounds are read.")]
FirstTime = Annotated[bool, typer.Option("--first-time", help="Only units whose first ever entry lies in the range.")]
Memory = Annotated[str | None, typer.Option(help="Memory limit, such as 2GB; more data than that goes to disk.")]


def source_of(events: list[str] | None, lake: Path | None, snapshot: int | None) -> object:
    """What a command reads: files, or a lake at a snapshot."""
    if events and lake is None and snapshot is None:
        return events
    if lake is None or events:
        raise RunError("no-source", "say which events are meant: --events PATH for files, or --lake DIR, one of them.")
    from doorstep.lake import open_lake

    opened = open_lake(lake, create=False)
    return opened if snapshot is None else opened.at(snapshot)


def memory_of(text: str | None) -> int | None:
    """Bytes in a size such as 2GB; RunError ``bad-memory``."""
    if text is None:
        return None
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        size = int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        raise RunError("bad-memory", f"--memory {text!r} is not a size. Write 2GB or 512MB.") from None
    if size < 64_000_000:
        raise RunError("bad-memory", f"--memory {text} is too little to work with. Give at least 64MB.")
    return size


Breakdowns = Annotated[
    list[str] | None,
    typer.Option(
        "--breakdown",
        help="A property; figures for each value it has at the entry, or elsewhere: platform@last, @STEP, "
        "@first_touch, @last_touch. May be repeated: several taken together.",
        show_default=False,
    ),
]
Top = Annotated[
    int | None,
    typer.Option("--top", help="Only so many values, most entered first; the rest as one.", show_default=False),
]


@app.command(cls=ManyEvents)
def run(
    file: File,
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    timezone: Timezone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    first_time: FirstTime = False,
    map_: Map = None,
    breakdown: Breakdowns = None,
    top: Top = None,
    segment: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME='{plan: pro}', NAME=FILE of filters, or NAME=saved:SEGMENT; may be repeated.", show_default=False
        ),
    ] = None,
    trend: Annotated[
        str | None, typer.Option(help="Figures by the entry's day, week or month in --timezone.", show_default=False)
    ] = None,
    times: Annotated[bool, typer.Option("--times", help="How long steps took, and conversion over time.")] = False,
    branches: Annotated[
        bool, typer.Option("--branches", help="How those went on who took each branch or optional step.")
    ] = False,
    compare_previous: Annotated[
        bool, typer.Option("--compare-previous", help="Beside the range of equal length before --since.")
    ] = False,
    html: Html = None,
    as_csv: AsCsv = False,
    attempts: Annotated[
        Path | None, typer.Option(help="Write every attempt to this file (.parquet or .csv).", show_default=False)
    ] = None,
    memory: Memory = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Count a funnel over event files or a lake."""
    with at_once():
        from rich.console import Group

        from doorstep.cli import answers
        from doorstep.cli.drawing import number_of
        from doorstep.cli.report import report
        from doorstep.cli.segments import segments_from
        from doorstep.funnels.previous import compare_previous as run_both
        from doorstep.funnels.run import run as run_funnel

    if attempts is not None and attempts.suffix not in {".parquet", ".csv"}:
        raise RunError("bad-attempts", f"--attempts {str(attempts)!r} should end in .parquet or .csv.")
    refuse_unwritable(html)
    source = source_of(events, lake, snapshot)
    with terminal.progress() as told:
        asked: dict[str, Any] = {
            "since": since,
            "until": until,
            "as_of": as_of,
            "timezone": timezone,
            "first_time": first_time,
            "columns": columns_of(map_),
            "breakdown": breakdown or None,
            "top": top,
            "segments": segments_from(segment, data),
            "source_timezone": source_timezone,
            "memory": memory_of(memory),
            "progress": told,
        }
        before = run_both(definition(file, data), source, **asked) if compare_previous else None
        result = before.current if before else run_funnel(definition(file, data), source, **asked)
        answer = answers.Answer(
            result=result,
            trend=result.trend(trend, timezone) if trend else None,  # type: ignore[arg-type]  # refused if it is none
            times=result.times() if times else None,
            branches=branches,
            before=before,
        )
        if attempts is not None:
            write(result.attempts, attempts)
        if html is not None:
            write_page(answer.to_page(command()), html)
    if as_json:
        terminal.show_json(answer.to_dict())
    elif as_csv:
        terminal.show_text(answer.to_csv())
    else:
        terminal.show(Group(report(result), *answers.screens(answer)))
    if attempts is not None:
        terminal.say(f"{number_of(len(result.matched.attempts), 'attempt')} written to {attempts}")


def write(table: pa.Table, path: Path) -> None:
    """Writes a table as the file's ending says."""
    from pyarrow import csv, parquet

    with writing(path):
        if path.suffix == ".parquet":
            parquet.write_table(table, path)
        else:
            csv.write_csv(table, path)


@app.command(cls=ManyEvents)
def explain(
    file: File,
    unit: Annotated[str, typer.Option(help="The unit, as in the `unit` column of --attempts.", show_default=False)],
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    timezone: Timezone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    first_time: FirstTime = False,
    map_: Map = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Tell one unit's story: its attempts, the rows that served, and why others did not."""
    with at_once():
        from doorstep.cli import screens
        from doorstep.funnels.explain import explain as explain_unit

    source = source_of(events, lake, snapshot)
    told = explain_unit(
        definition(file, data),
        source,
        unit,
        since=since,
        until=until,
        as_of=as_of,
        timezone=timezone,
        first_time=first_time,
        columns=columns_of(map_),
        source_timezone=source_timezone,
    )
    if as_json:
        terminal.show_json(told.to_dict())
    else:
        terminal.show(screens.story(told))


@app.command(cls=ManyEvents)
def check(
    file: File,
    events: Annotated[
        list[str] | None,
        typer.Option("--events", help="Also hold the definition against these events.", show_default=False),
    ] = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    traits: Annotated[
        Path | None, typer.Option(help="Of a journey: traits to hold it against, too.", show_default=False)
    ] = None,
    map_: Map = None,
    source_timezone: SourceTimezone = "UTC",
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Find errors, say every rule that is declared or defaulted, and point at what looks wrong."""
    with at_once():
        from doorstep.cli import screens
        from doorstep.cli.automation_documents import check_automation
        from doorstep.cli.journey_documents import check_journey, means_journey
        from doorstep.definitions.checklist import checklist
        from doorstep.definitions.identity import definition_hash, text_hash
        from doorstep.definitions.lint import lint
        from doorstep.funnels.data_check import check_against

    if means_journey(file, data):
        source = None if not events and lake is None and snapshot is None else source_of(events, lake, snapshot)
        check_journey(file, data, source, traits, columns_of(map_), source_timezone, as_json=as_json)
        return
    if check_automation(file, data, as_json=as_json):
        return
    try:
        funnel, placed = located(file, data)
    except DefinitionError as error:
        if not as_json or any(issue.code in UNREADABLE for issue in error.issues):
            raise
        terminal.show_json({"ok": False, "issues": [_issue(one) for one in error.issues], "rules": []})
        raise typer.Exit(1) from None
    rules = checklist(funnel)
    issues: list[Issue] = list(lint(funnel))
    if events or lake is not None or snapshot is not None:
        source = source_of(events, lake, snapshot)
        issues += check_against(funnel, source, columns=columns_of(map_), source_timezone=source_timezone)
    issues = list(placed(issues))
    ok = all(issue.level != "error" for issue in issues)
    if as_json:
        terminal.show_json(
            {
                "ok": ok,
                "funnel": {"name": funnel.funnel, "hash": definition_hash(funnel), "text_hash": text_hash(funnel)},
                "issues": [_issue(one) for one in issues],
                "rules": [asdict(rule) for rule in rules],
            }
        )
    else:
        terminal.show(screens.checked(funnel, definition_hash(funnel), rules, issues))
    if not ok:
        raise typer.Exit(1)


UNREADABLE: Final = frozenset({"no-such-file", "unreadable-file", "is-a-directory"})


def _issue(issue: Issue) -> dict[str, Any]:
    found = asdict(issue)
    found["position"] = None if issue.position is None else asdict(issue.position)
    return found


@app.command()
def describe(
    file: File,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, for a tracking plan.")] = False,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Say a definition in plain words and as a table."""
    with at_once():
        from doorstep.cli.automation_documents import describe_automation
        from doorstep.cli.journey_documents import describe_journey, means_journey
    if means_journey(file, data):
        describe_journey(file, data, as_json=as_json)
        return
    if describe_automation(file, data, as_json=as_json):
        return
    with at_once():
        from doorstep.cli import screens
        from doorstep.definitions.identity import canonical, definition_hash
        from doorstep.definitions.prose import as_markdown
        from doorstep.definitions.prose import describe as in_words

    funnel = definition(file, data)
    if as_json:
        terminal.show_json(
            {
                "funnel": funnel.funnel,
                "hash": definition_hash(funnel),
                "prose": in_words(funnel),
                "canonical": canonical(funnel),
            }
        )
    elif markdown:
        terminal.show_text(as_markdown(funnel))
    else:
        terminal.show(screens.described(funnel))


@app.command()
def test(file: File, data: Data = DATA, as_json: AsJson = False) -> None:
    """Run a definition's own examples."""
    with at_once():
        from doorstep.cli import screens
        from doorstep.cli.journey_documents import means_journey
        from doorstep.journeys.examples import run_examples

    results = run_examples(journey_definition(file, data) if means_journey(file, data) else definition(file, data))
    ok = all(one.passed for one in results)
    if as_json:
        listed = [{"name": one.name, "passed": one.passed, "failures": list(one.failures)} for one in results]
        terminal.show_json({"ok": ok, "examples": listed})
    elif results:
        terminal.show(screens.example_results(results))
    else:
        terminal.say(f"{file} has no examples. Add some under `examples:`; they are its tests.")
    if not ok:
        raise typer.Exit(1)


@app.command()
def schema(
    journey: Annotated[bool, typer.Option("--journey", help="Of journeys, in place of funnels.")] = False,
    kind: Annotated[str, typer.Option(help="funnel, journey, segment, signal or workflow.")] = "funnel",
    as_json: AsJson = False,
) -> None:
    """Print the JSON Schema of funnel documents, or of another kind, for editors (always JSON)."""
    from doorstep.cli.automation_documents import schema_of

    terminal.show_json(schema_of("journey" if journey else kind))


@app.command()
def demo(
    directory: Annotated[Path, typer.Argument(help="Where to write; made when absent.")] = Path("data"),
    rows: Annotated[int, typer.Option(help="About how many rows.", min=1_000)] = 200_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Write three months of a made-up B2B product's events."""
    from doorstep.demo import write

    with writing(directory):
        path = write(directory, rows=rows, seed=seed)
    if as_json:
        terminal.show_json({"events": str(path)})
    else:
        terminal.say(f"events written to {path}")


REFUSED: Final = frozenset({"examples-failed", "frozen", "not-frozen"})
"""Codes of errors that are the answer no to a request that was in order."""


def main() -> None:
    """Runs the command line; 0 done, 1 the answer is no, 2 the request or the input is wrong, 130 interrupted."""
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code, without a word
            raise KeyboardInterrupt
    except BaseException as error:
        _deaf()
        code = _told(error)
    _deaf()
    sys.exit(code or 0)


def _deaf() -> None:
    """All is said but a word: Ctrl-C, once more or late, neither cuts it off nor changes the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _told(error: BaseException) -> int | str | None:
    """Says what ended the command; its exit code."""
    if isinstance(error, SystemExit):  # help that its reader did not wait for is no error
        return 0 if isinstance(sys.stdout, PacifyFlushWrapper) else error.code
    if isinstance(error, typer.Abort) or (is_interruption(error) and not isinstance(error, DoorstepError)):
        _fail("interrupted", MESSAGE, KeyboardInterrupt())
        return INTERRUPTED
    if isinstance(error, DoorstepError):
        _fail(error.code, error.message, error)
        return INTERRUPTED if error.code == "interrupted" else _exit_code(error)
    if isinstance(error, TyperException):
        _fail("usage", getattr(error, "format_message", error.__str__)(), error)
        return 2
    if os.environ.get("DOORSTEP_DEBUG"):
        traceback.print_exc()
    what = f"{type(error).__name__}: {str(error)[:200]}"
    _fail("internal", f"this is a bug in doorstep ({what}). Please report it; DOORSTEP_DEBUG=1 shows more.", error)
    return 2


def _exit_code(error: DoorstepError) -> int:
    """1 for a check that found errors and for what the registry refuses, 2 for all else."""
    checked = isinstance(error, DefinitionError) and sys.argv[1:2] == ["check"] and not _unreadable(error)
    return 1 if checked or error.code in REFUSED else 2


def _unreadable(error: DefinitionError) -> bool:
    return any(issue.code in UNREADABLE for issue in error.issues)


def _fail(code: str, message: str, error: BaseException) -> None:
    if "--json" in sys.argv:
        with suppress(RunError):
            terminal.show_json({"error": {"code": code, "message": message}})
    if isinstance(error, DefinitionError):
        from doorstep.cli import screens

        terminal.say(screens.findings(error.issues))
    else:
        terminal.say(Text.assemble(("error", "bold red"), f" {code}: {message}"))
