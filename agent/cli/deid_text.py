"""``voxcurate deid text``: texts in, texts without identifiers out, without a workspace."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, say
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from agent.deid_text import Notes
    from voxcurate.identifiers import Identifiers
    from voxcurate.scrub import Scrubber

FAILURES_SHOWN = 30


def text(
    file: Annotated[
        str,
        typer.Argument(
            help="CSV, TSV, JSON, JSON lines or Parquet; a text file; a folder of text files; "
            "- for standard input: one text, or JSON lines."
        ),
    ],
    text_column: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of a table with the text; given again, the columns are joined in that "
            "order. Default: guessed (report, text, findings + impression ...)."
        ),
    ] = None,
    id_column: Annotated[
        str, typer.Option(help="Column with the text's id. Default: guessed, else row numbers.")
    ] = "",
    known: Annotated[
        Path | None,
        typer.Option(
            help="What is known of the people: a JSON object with names, physicians, ids, "
            "accessions, dates, institutions, others (lists) for every text; or a table with a "
            "column of the texts' ids. Columns of FILE such as patient_name and mrn count anyway."
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="For --shift-dates: file of the secret that dates are moved with; made if absent. "
            "Default: deid.key in your configuration folder, as for 'deid dicom'."
        ),
    ] = None,
    shift_dates: Annotated[
        bool,
        typer.Option(
            "--shift-dates",
            help="Move a patient's dates by the same days, as [DATE 2020-12-31], instead of "
            "blanking them; as many days as 'deid dicom' moves them with the same key.",
        ),
    ] = False,
    day_first: Annotated[
        bool, typer.Option("--day-first", help="Read 3/5/2021 as 3 May when dates are moved.")
    ] = False,
    sure_only: Annotated[
        bool,
        typer.Option(
            "--sure-only", help="Leave what is doubtful in the text; it is listed either way."
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One object a line: id, place, text, spans with kind and sure."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="File to write, whole or not at all; default: stdout.")
    ] = None,
) -> None:
    """Take out of texts what identifies people: names, dates, numbers, addresses, places of care.

    What is known of a person goes first, in every spelling, then what looks like an identifier.
    Doubtful places are replaced too and listed for review (with --json: "sure": false). A text
    that cannot be read has an "error" in its place, and the exit status is 1. Ids of the texts
    are not shown unless --id-column names their column: they may be accession numbers.

    Example: voxcurate deid text reports.csv --json > clean.jsonl
    """

    def command() -> int:
        from agent.deid_text import open_notes, read_known
        from voxcurate.scrub import Scrubber, ScrubConfig

        if key is not None and not shift_dates:
            raise ConfigError("--key is for --shift-dates")
        secret = _key(key) if shift_dates else b""
        config = ScrubConfig(shift_dates=shift_dates, day_first=day_first, doubtful=not sure_only)
        told = {} if known is None else read_known(known)
        notes = open_notes(file, text_column or [], id_column)
        shows_ids = bool(id_column)
        return _run(
            notes, told, Scrubber(config, key=secret), secret, file, out, as_json, shows_ids
        )

    run_command(command, interrupted="interrupted; a file named with --out is as it was")


def _key(given: Path | None) -> bytes:
    from agent.cli.deid import KEY_NAME
    from voxcurate.keys import key_folder, make_key, read_key

    path = given or key_folder() / KEY_NAME
    if not path.exists():
        make_key(path)
        say(f"made a new key: {path} (keep it: only with it dates move by the same days)")
    return read_key(path, "the texts'")


def _run(
    notes: "Notes",
    known: "dict[str, Identifiers]",
    scrubber: "Scrubber",
    secret: bytes,
    file: str,
    out: Path | None,
    as_json: bool,
    shows_ids: bool,
) -> int:
    from agent.deid_text import scrub_note, shown
    from agent.reading.out import ended_cleanly, sink
    from voxcurate.progress import progress

    kinds: Counter[str] = Counter()
    failed: list[str] = []
    doubtful = n = 0
    with (
        ended_cleanly(),
        sink(out, file) as write,
        progress("scrub texts", notes.total, quiet=out is None and sys.stdout.isatty()) as bar,
    ):
        for note in notes.notes():
            n += 1
            row = {"id": note.key} if shows_ids else {}
            if note.error:
                failed.append(f"{note.place}: {note.error}")
                row |= {"place": note.place, "error": note.error}
                text = f"[{note.place}: {note.error}]"
            else:
                scrubbed = scrub_note(scrubber, note, known, secret)
                kinds.update(hit.kind for hit in scrubbed.replacements)
                doubtful += len(scrubbed.review)
                row |= shown(note, scrubbed)
                text = scrubbed.text
            head = f"--- {note.place}\n" if notes.total != 1 else ""
            line = json.dumps(row, ensure_ascii=False) if as_json else f"{head}{text}"
            write(f"{line}\n")
            bar.advance()
    for why in failed[:FAILURES_SHOWN]:
        typer.echo(f"failed: {why}", err=True)
    if len(failed) > FAILURES_SHOWN:
        typer.echo(f"... and {len(failed) - FAILURES_SHOWN} more", err=True)
    found = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "nothing"
    typer.echo(f"{n} texts; replaced: {found}; doubtful: {doubtful}", err=True)
    return SOME_FAILED if failed else DONE
