"""``voxcurate duplicates``: which scans are one scan under several names; no workspace needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command
from agent.cli.options import (
    JsonOption,
    ModalityOption,
    PathsOption,
    ScansArgument,
    SetOption,
    WorkersOption,
    WorkspaceOption,
)

if TYPE_CHECKING:
    from cleaning.duplicates.find import Found

app = typer.Typer(
    help="Scans that are one scan under several names.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
INTERRUPTED = "interrupted; nothing is kept, the same command begins anew"


@app.command()
def find(
    paths: ScansArgument,
    as_json: JsonOption = False,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each pair, both side by side.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="A file that --save wrote: look for copies of its scans too."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="File for the fingerprints of all scans, those of --against included."),
    ] = None,
    name: Annotated[
        str, typer.Option(help="What the scans' names begin with in --save; default: the path.")
    ] = "",
    modality: ModalityOption = "CT",
    with_paths: PathsOption = False,
    settings: SetOption = None,
    workers: WorkersOption = 0,
) -> None:
    """Find copies of scans: re-saved, resampled, reoriented, cropped, windowed, in other units.

    Of each group of copies one stays, the one with the finest voxels; how to carry labels over to
    it is in the JSON (to_keeper, world mm). Other phases and follow-ups of a patient, and mirror
    images, are linked and stay. Scans in a folder are numbered in the order of their paths. The
    exit status is 1 if a scan could not be read. docs/duplicates.md lists the thresholds that
    --set may change.

    Example: voxcurate duplicates find cohort/ other/ --pictures pairs --json > duplicates.json
    """

    def command() -> int:
        from tempfile import TemporaryDirectory

        from cleaning.duplicates.config import DuplicateConfig
        from cleaning.duplicates.find import find_duplicates, list_scans
        from cleaning.duplicates.index import FingerprintIndex
        from voxcurate.config import build, parse_overrides
        from voxcurate.executors import LocalExecutor

        config = build(DuplicateConfig, parse_overrides(settings or []))
        index = FingerprintIndex.load(against) if against is not None else None
        executor = LocalExecutor(workers=workers, retries=0)
        items = list_scans(paths, executor)
        if name:
            items = {f"{name}#{item.number}": item for item in items.values()}
        with TemporaryDirectory(prefix="voxcurate_") as scratch, _Phases() as phases:
            found = find_duplicates(
                items,
                executor,
                scratch=Path(scratch),
                config=config,
                modality=modality.upper(),
                against=index,
                pictures=pictures,
                advance=phases,
            )
        if save is not None:
            (index or FingerprintIndex()).added(found.prints).save(save)
        if as_json:
            from agent.cli.console import show_json

            show_json(_as_json(found, with_paths=with_paths))
        else:
            _show(found, with_paths=with_paths)
        return SOME_FAILED if found.failed else DONE

    run_command(command, interrupted=INTERRUPTED)


class _Phases:
    """One progress display after the other."""

    def __init__(self) -> None:
        self._context: Any = None
        self._bar: Any = None

    def __enter__(self) -> "_Phases":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def __call__(self, title: str, total: int) -> None:
        if not total and self._bar is not None and self._bar.title == title:
            self._bar.advance()
            return
        from voxcurate.progress import progress

        self._close()
        self._context = progress(title, total)
        self._bar = self._context.__enter__()

    def _close(self) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)
            self._context = self._bar = None


def _as_json(found: "Found", *, with_paths: bool) -> dict[str, Any]:
    scans = []
    for key, item in found.items.items():
        shown: dict[str, Any] = {"id": key, "path": item.root, "files": len(item.files)}
        if with_paths and item.inside:
            shown["inside"] = item.inside
        scans.append(shown)
    pairs = []
    for pair in found.pairs:
        shown = {"first": pair.first, "second": pair.second, **pair.as_dict()}
        shown["proved"] = pair.is_proved or pair.kind == "identical_pixels"
        if (pair.first, pair.second) in found.pictures:
            shown["picture"] = found.pictures[pair.first, pair.second]
        pairs.append(shown)
    groups = [
        {
            "members": list(members),
            "dropped": [
                {
                    "id": each.scan,
                    "keeper": each.keeper,
                    "kind": each.pair.kind,
                    "to_keeper": None
                    if each.to_keeper is None
                    else [[round(v, 5) for v in row] for row in each.to_keeper[:3].tolist()],
                }
                for each in found.dropped
                if each.scan in members
            ],
        }
        for members in found.groups
    ]
    failed = [{"id": key, "error": why} for key, why in found.failed.items()]
    return {"scans": scans, "pairs": pairs, "groups": groups, "failed": failed}


def _show(found: "Found", *, with_paths: bool) -> None:
    def called(key: str) -> str:
        item = found.items.get(key)
        return f"{key} ({item.inside})" if with_paths and item is not None and item.inside else key

    gone = {each.scan: each.keeper for each in found.dropped}
    for number, members in enumerate(found.groups, start=1):
        typer.echo(f"group {number}")
        for key in members:
            what = f"copy of {called(gone[key])}" if key in gone else "stays"
            typer.echo(f"  {called(key)}: {what}")
        _show_pairs(found, set(members), called)
    links = [pair for pair in found.pairs if not pair.is_copy]
    for pair in links:
        kind = pair.kind.replace("_", " ")
        typer.echo(f"linked ({kind}): {called(pair.first)}, {called(pair.second)}")
    for key, why in found.failed.items():
        typer.echo(f"failed: {called(key)}: {why}")
    typer.echo(
        f"{len(found.items)} scans, {len(found.groups)} groups of copies, {len(gone)} of them may "
        f"go; {len(links)} other links; {len(found.failed)} not read"
    )


def _show_pairs(found: "Found", members: set[str], called: Any) -> None:
    pairs: Sequence[Any] = [p for p in found.pairs if p.is_copy and p.first in members]
    for pair in pairs:
        text = pair.kind.replace("_", " ")
        if pair.agreement is not None:
            text += f", correlation {pair.agreement.ncc:.3f}, overlap {pair.agreement.overlap:.2f}"
        picture = found.pictures.get((pair.first, pair.second))
        text += f", {picture}" if picture else ""
        typer.echo(f"    {called(pair.first)} = {called(pair.second)}: {text}")


@app.command(name="list")
def list_(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a workspace's families of copies, linked scans, and families that cross the splits.

    Example: voxcurate duplicates list --json
    """

    def command() -> int:
        from agent.cli.duplicates_view import duplicates_of, show_duplicates
        from agent.commands import opened

        with opened(workspace) as (_, catalog):
            return show_duplicates(duplicates_of(catalog), as_json=as_json)

    run_command(command)


@app.command()
def show(
    case: Annotated[str, typer.Argument(help="Case id.")],
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each of its pairs.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the pairs of a workspace's scan, what was measured, and which labels were handed on.

    Example: voxcurate duplicates show CASE_ID --pictures pairs
    """

    def command() -> int:
        from agent.cli.duplicates_view import duplicate_of, show_duplicate, write_pair_pictures
        from agent.commands import opened

        with opened(workspace) as (found, catalog):
            told = duplicate_of(catalog, case)
            if pictures is not None:
                write_pair_pictures(found, catalog, case, pictures)
            return show_duplicate(told, as_json=as_json)

    run_command(command)
