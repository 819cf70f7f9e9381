"""``voxcurate check``: are these scans usable? Files and folders in, verdicts out; no workspace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command
from agent.cli.options import JsonOption, PathsOption, ScansArgument, SetOption, WorkersOption
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from cleaning.check.config import CheckConfig
    from cleaning.check.folder import Checked
    from voxcurate.protocols import ChatEngine

INTERRUPTED = "interrupted; nothing is kept, the same command begins anew"
MARKS = {"pass": "pass   ", "suspect": "SUSPECT", "reject": "REJECT "}


@dataclass(frozen=True)
class Options:
    """What to check, and how results are shown."""

    modality: str
    pictures: Path | None
    workers: int
    as_json: bool
    with_paths: bool
    with_masks: bool


def check(
    paths: ScansArgument,
    as_json: JsonOption = False,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder for a picture of each suspect or rejected scan, by its number."),
    ] = None,
    modality: Annotated[str, typer.Option(help="The wanted modality: CT, MR ... or any.")] = "CT",
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="A wanted region (head, neck, chest, abdomen, pelvis, limb); may be given again. "
            "Scans that show none of them are rejected."
        ),
    ] = None,
    with_paths: PathsOption = False,
    with_masks: Annotated[
        bool, typer.Option("--masks", help="Check files that are named as masks or labels, too.")
    ] = False,
    settings: SetOption = None,
    vision: Annotated[
        list[str] | None,
        typer.Option(
            help="Ask a vision model too, as key=value: engine=openai model=... base_url=...; may "
            "be given again. Pictures of the scans go to it; it can only add doubts."
        ),
    ] = None,
    vision_log: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the model's replies, malformed ones too."),
    ] = None,
    workers: WorkersOption = 0,
) -> None:
    """Check scans: broken files, incomplete series, values that are no HU, wrong axes, artefacts.

    Each scan passes, is suspect (a person should look), or is rejected, with the reasons and what
    was measured. Scans in a folder are numbered in the order of their paths. The exit status is 1
    if any scan is rejected. docs/checks.md lists the limits that --set may change.

    Example: voxcurate check cohort/ --region abdomen --pictures evidence --json > checks.json
    """

    def command() -> int:
        config = _config(settings or [], region or [])
        wanted = "" if modality.lower() == "any" else modality.upper()
        options = Options(wanted, pictures, workers, as_json, with_paths, with_masks)
        with _engine(vision or [], vision_log) as engine:
            return _run(paths, config, options, engine)

    run_command(command, interrupted=INTERRUPTED)


def _config(settings: Sequence[str], regions: Sequence[str]) -> "CheckConfig":
    from cleaning.check.config import CheckConfig
    from voxcurate.config import build, parse_overrides

    wanted: dict[str, Any] = {"wanted_regions": [r.lower() for r in regions]} if regions else {}
    return build(CheckConfig, parse_overrides(settings), wanted)


@contextmanager
def _engine(settings: Sequence[str], log: Path | None) -> "Iterator[ChatEngine | None]":
    if not settings:
        yield None
        return
    from tempfile import TemporaryDirectory

    from voxcurate.chat import EngineConfig, make_engine
    from voxcurate.config import build, parse_overrides

    with TemporaryDirectory() as scratch:
        folder = log or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        yield make_engine(build(EngineConfig, parse_overrides(settings)), root=folder)


def _run(
    paths: Sequence[Path], config: "CheckConfig", options: Options, engine: "ChatEngine | None"
) -> int:
    from cleaning.check.folder import Checked, check_paths, list_files
    from voxcurate.executors import LocalExecutor
    from voxcurate.progress import progress

    listing = list_files(paths, with_masks=options.with_masks)
    if not listing.volumes and not listing.dicom:
        raise ConfigError("no scans found: want NIfTI, NRRD, MetaImage or DICOM files")
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
    executor = LocalExecutor(workers=options.workers, time_limit_s=config.time_limit_s, retries=0)
    found: list[Checked] = []
    results = check_paths(
        listing,
        executor,
        modality=options.modality,
        config=config,
        pictures=options.pictures,
        engine=engine,
    )
    total = next(results)
    assert isinstance(total, int)
    with progress("check scans", total) as bar:
        for one in results:
            assert isinstance(one, Checked)
            found.append(one)
            bar.advance()
    found.sort(key=lambda one: one.item.number)
    if options.as_json:
        _show_json(found, listing.masks, listing.others, options.with_paths)
    else:
        _show(found, listing.masks, options.with_paths)
    return SOME_FAILED if any(one.check.verdict == "reject" for one in found) else DONE


def _counts(found: Sequence["Checked"]) -> dict[str, int]:
    verdicts = [one.check.verdict for one in found]
    return {name: verdicts.count(name) for name in ("pass", "suspect", "reject")}


def _show_json(found: Sequence["Checked"], masks: int, others: int, with_paths: bool) -> None:
    from agent.cli.console import show_json
    from cleaning.check.folder import as_json

    items = [as_json(one, with_paths=with_paths) for one in found]
    passed_over = {"masks": masks, "other_files": others}
    show_json({"scans": items, "counts": _counts(found), "passed_over": passed_over})


def _show(found: Sequence["Checked"], masks: int, with_paths: bool) -> None:
    for one in found:
        item = one.item
        name = f"{item.root}/{item.inside}" if with_paths and item.inside else item.root
        regions = [
            key.removeprefix("region_").removesuffix("_mm")
            for key, mm in one.check.evidence.items()
            if key.startswith("region_") and mm > 0
        ]
        shown = f" ({', '.join(regions)})" if regions else ""
        typer.echo(f"{MARKS[one.check.verdict]} {item.number:>5}  {name}{shown}")
        for reason in one.check.reasons:
            typer.echo(f"               {reason.code}: {reason.text} ({reason.measured:.4g})")
    counts = ", ".join(f"{n} {name}" for name, n in _counts(found).items())
    typer.echo(counts + (f"; {masks} files named as masks passed over" if masks else ""))
