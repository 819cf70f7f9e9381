"""``voxcurate read-reports``: reports in, answers out, without a workspace."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from agent.reading.show import Format
    from retrieval.alone import Alone

FAILURES_SHOWN = 30
INTERRUPTED = (
    "interrupted; a file named with --out is as it was, and the same command begins anew (answers "
    "of a language model are kept with --cache)"
)


@dataclass(frozen=True)
class Output:
    """How answers are shown."""

    as_json: bool = False
    as_csv: bool = False
    all_questions: bool = False
    with_text: bool = False
    out: Path | None = None


def read_reports(
    file: Annotated[
        str,
        typer.Argument(
            help="CSV, TSV, JSON, JSON lines or Parquet; a text file; a folder of text files; "
            "- for standard input: one report, or JSON lines."
        ),
    ],
    questions: Annotated[
        list[str] | None,
        typer.Option(
            help="A file of questions, or the name of a shipped one (abdomen, chest ...); may be "
            "given again. Default: all shipped."
        ),
    ] = None,
    text_column: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of a table with the report; given again, the columns are joined in that "
            "order. Default: guessed (report, text, findings + impression ...)."
        ),
    ] = None,
    id_column: Annotated[
        str, typer.Option(help="Column with the report's id. Default: guessed, else row numbers.")
    ] = "",
    reader: Annotated[str, typer.Option(help="rules, or llm: a language model.")] = "rules",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="For --reader llm, as key=value: engine.engine=openai engine.model=... "
            "engine.base_url=...; may be given again.",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="For --reader llm: a file that keeps its answers, so that the same command run "
            "again asks only for what is missing."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that read by rules; 0: one per core.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per report and line.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="A CSV with one column per question.")
    ] = False,
    all_questions: Annotated[
        bool,
        typer.Option(
            "--all", help='Show untouched questions too, as "not mentioned"; else they are absent.'
        ),
    ] = False,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="JSON: add the text that start and end refer to.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="File to write, whole or not at all; default: stdout.")
    ] = None,
) -> None:
    """Read radiology reports into answers, each with the sentence that proves it. No workspace.

    Answers come in the order of the reports. A report or row that cannot be read has an "error" in
    its place, and the exit status is 1. The text is NOT de-identified here, and nothing of it is
    stored or logged: the answers quote it, handle them as you would the reports.

    Example: voxcurate read-reports reports.csv --questions chest --json > answers.jsonl
    """

    def command() -> int:
        if as_json and as_csv:
            raise ConfigError("want --json or --csv, not both")
        output = Output(as_json, as_csv, all_questions, with_text, out)
        alone = _reader(questions or [], reader, settings or [], workers, cache)
        return _run(alone, file, text_column or [], id_column, output)

    run_command(command, interrupted=INTERRUPTED)


def _reader(
    questions: Sequence[str], reader: str, settings: Sequence[str], workers: int, cache: Path | None
) -> "Alone":
    from retrieval.alone import Alone, questions_of
    from retrieval.config import RetrievalConfig
    from voxcurate.config import build, parse_overrides

    config = build(RetrievalConfig, parse_overrides(settings), {"reader": reader})
    if cache is not None and reader != "llm":
        raise ConfigError("--cache is for --reader llm: rules are as quick as looking up")
    return Alone(questions_of(questions), config, workers, cache)


def _run(
    alone: "Alone", file: str, text_columns: Sequence[str], id_column: str, output: Output
) -> int:
    from agent.reading.files import open_source
    from agent.reading.out import ended_cleanly, sink
    from voxcurate.progress import progress

    source = open_source(file, text_columns, id_column)
    shown = _format(alone, output)
    failed: list[str] = []
    n_failed = 0
    on_screen = output.out is None and sys.stdout.isatty()  # a bar would run through the answers
    with (
        ended_cleanly(),
        sink(output.out, file) as write,
        progress("read reports", source.total, quiet=on_screen) as bar,
    ):
        write(shown.begin())
        for answered in alone.read(source.reports()):
            if answered.error:
                n_failed += 1
                if n_failed <= FAILURES_SHOWN:  # by place: an accession number names a patient
                    failed.append(f"{answered.given.place or answered.key}: {answered.error}")
            write(shown.show(answered))
            bar.advance()
    for line in failed:
        typer.echo(f"failed: {line}", err=True)
    if n_failed > FAILURES_SHOWN:
        typer.echo(f"... and {n_failed - FAILURES_SHOWN} more", err=True)
    if not bar.done:
        typer.echo("warning: there are no reports: the table has no rows", err=True)
    return SOME_FAILED if n_failed else DONE


def _format(alone: "Alone", output: Output) -> "Format":
    from agent.reading.show import JsonLines, Spreadsheet, Tables

    if output.as_json:
        return JsonLines(
            alone.questions,
            alone.reader,
            all_questions=output.all_questions,
            with_text=output.with_text,
        )
    if output.as_csv:
        return Spreadsheet(alone.questions, all_questions=output.all_questions)
    return Tables(alone.questions)
