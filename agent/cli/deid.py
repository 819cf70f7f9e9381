"""``voxcurate deid``: files and texts without what identifies, and without a workspace."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, say, show_json
from agent.cli.deid_text import text
from agent.cli.options import JsonOption, WorkersOption
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from cleaning.deid.folder import Outcome

app = typer.Typer(help="Files and texts without what identifies.", no_args_is_help=True)
KEY_NAME = "deid.key"
LISTED = 30
app.command()(text)


@app.callback()
def deid() -> None:
    """Files and texts without what identifies. No workspace."""


@app.command()
def dicom(
    source: Annotated[Path, typer.Argument(help="A DICOM file, or a folder of them.")],
    out: Annotated[
        Path, typer.Argument(help="New folder, or one that this command wrote: it goes on.")
    ],
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key",
            help="File of the secret that ids are made with; made if absent. Default: deid.key in "
            "your configuration folder. The same key gives the same ids.",
        ),
    ] = None,
    keep_risky: Annotated[
        bool,
        typer.Option(
            "--keep-risky",
            help="Write secondary captures, screenshots, documents, presentation states and "
            "ultrasound too, flagged: their pixels may show a name.",
        ),
    ] = False,
    safe_private: Annotated[
        bool,
        typer.Option(
            "--keep-safe-private", help="Keep the private numbers that PS3.15 calls safe."
        ),
    ] = False,
    keep_words: Annotated[
        bool,
        typer.Option(
            "--keep-words",
            help="Keep words of descriptions that are not in the list of harmless words.",
        ),
    ] = False,
    private_map: Annotated[
        Path | None,
        typer.Option(
            "--private-map",
            help="CSV for the owner's eyes, mode 600: running number, source, written file.",
        ),
    ] = None,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """De-identify DICOM files by PS3.15's Basic profile, dates moved, and search what was written.

    A series in whose written files anything is found that its source told is not released. Files
    are named by their running number in the order of their paths. Exit status 1: something leaked
    or could not be read; risky files that are left out are no failure. Run again, it goes on.

    Example: voxcurate deid dicom archive shared --json
    """

    def command() -> int:
        from cleaning.deid.config import DeidConfig
        from cleaning.deid.folder import deidentify_folder

        config = DeidConfig(
            keep_risky=keep_risky, keep_safe_private=safe_private, keep_words=keep_words
        )
        if private_map is not None and private_map.resolve().is_relative_to(out.resolve()):
            raise ConfigError("--private-map tells who is who: want a place outside of the output")
        key = _key(key_file, out)
        found = deidentify_folder(source, out, config, key, workers=workers)
        if private_map is not None:
            _write_map(private_map, found)
        return _show(found, as_json=as_json)

    run_command(command)


def _key(given: Path | None, out: Path) -> bytes:
    from voxcurate.keys import key_folder, make_key, read_key

    path = given or key_folder() / KEY_NAME
    if path.resolve().is_relative_to(out.resolve()):
        raise ConfigError("want the key outside of the folder that is written: it undoes the ids")
    if not path.exists():
        make_key(path)
        say(f"made a new key: {path} (keep it: only with it the same patient gets the same id)")
    return read_key(path, "the de-identification's")


def _show(found: "Outcome", *, as_json: bool) -> int:
    if as_json:
        show_json({"ok": found.ok, **found.summary(), "cases": found.cases})
        return DONE if found.ok else SOME_FAILED
    total = found.summary()
    typer.echo(
        f"{total['files']} DICOM files in {total['series']} series: {total['written']} written, "
        f"{total['released']} series released"
    )
    if total["copies"]:
        typer.echo(f"{total['copies']} files were copies of others")
    if total["not_dicom"]:
        typer.echo(f"{total['not_dicom']} other files were passed over")
    for title, name in (("left out as risky", "risky"), ("refused", "refused")):
        for reason, numbers in total[name].items():
            typer.echo(f"{title}: {reason}: {_numbers(numbers)}")
    for flag, n in total["flags"].items():
        typer.echo(f"look at: {flag}: {n} files")
    for case, leaks in list(total["leaks"].items())[:LISTED]:
        kinds = sorted({f"{leak['kind']} in {leak['where']}" for leak in leaks})
        typer.echo(f"NOT RELEASED: series {case}: {'; '.join(kinds[:5])}")
    for case, why in total["failed"].items():
        typer.echo(f"failed: series {case}: {why}")
    return DONE if found.ok else SOME_FAILED


def _numbers(numbers: list[Any]) -> str:
    shown = ", ".join(map(str, numbers[:LISTED]))
    return f"files {shown}" + (
        f" and {len(numbers) - LISTED} more" if len(numbers) > LISTED else ""
    )


def _write_map(path: Path, found: "Outcome") -> None:
    import csv
    import os

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = csv.writer(file)
        rows.writerow(["number", "source", "written"])
        for number, (source, place) in sorted(found.places.items()):
            rows.writerow([number, os.fspath(source), place])
