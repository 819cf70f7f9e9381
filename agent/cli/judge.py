"""``voxcurate judge``: which of several labels of one structure is the best, on files alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json
from agent.cli.options import JsonOption, ModalityOption, SetOption
from voxcurate.errors import ConfigError

INTERRUPTED = "interrupted; answers that are kept (--keep) are not asked for again"

app = typer.Typer(help="Judge labels: which of several is the best.", no_args_is_help=True)


@app.callback()
def judge() -> None:
    """Judge labels: which of several is the best."""


@app.command()
def pair(
    candidates: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B",
            help="Masks of the structure on the scan's grid, the current one first; more than two "
            "meet in a knock-out.",
        ),
    ],
    scan: Annotated[Path, typer.Option(help="The CT: file, or folder with one DICOM series.")],
    class_id: Annotated[str, typer.Option("--class", help="The structure, by any of its names.")],
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Folder of trusted cases with their scans: what is usual is learned from them; "
            "for a vision model they are examples (--set vision.examples=2)."
        ),
    ] = None,
    reference_scans: Annotated[
        Path | None, typer.Option(help="Where the scans of --reference lie, if elsewhere.")
    ] = None,
    others: Annotated[
        Path | None,
        typer.Option(help="Other structures of this scan: label map or folder of masks."),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="Ask a vision-language model, as key=value: engine=openai model=... base_url=...; "
            "may be given again. Pictures of the scan go to it."
        ),
    ] = None,
    judge_name: Annotated[
        str,
        typer.Option(
            "--judge",
            help="anatomy, vision or committee; default: vision with --engine, else anatomy.",
        ),
    ] = "",
    keep: Annotated[
        Path | None,
        typer.Option(help="With --engine: folder that keeps answers and the log of calls."),
    ] = None,
    modality: ModalityOption = "CT",
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell which of two labels of a structure is better, how sure, and why.

    Judge anatomy knows usual shapes, places and the written anatomy. Judge vision shows both to a
    vision-language model, in both orders; what it does not say twice is no answer. The committee
    joins the two. No winner: nobody can tell, or both are bad. The exit status is 1 if a model was
    asked and gave no valid answer, or a trusted case could not be read.

    Example: voxcurate judge pair --scan ct.nii.gz --class liver old.nii.gz new.nii.gz --reference
    trusted/ --json
    """

    def command() -> int:
        from agent.judging import NAMES, Reference, failed_replies, judged, read_candidates, told
        from voxcurate.classes import load_vocabulary
        from voxcurate.config import parse_overrides

        if not 2 <= len(candidates) <= len(NAMES):
            raise ConfigError(f"want 2 to {len(NAMES)} masks, found {len(candidates)}")
        if keep is not None and not engine:
            raise ConfigError("--keep goes with --engine")
        vocabulary = load_vocabulary()
        known = vocabulary.resolve(class_id) or class_id
        volume, found = read_candidates(scan, candidates, known)
        trusted = Reference(reference, reference_scans) if reference else None
        with _folder(keep) as root:
            name, verdict = judged(
                volume,
                known,
                found,
                name=judge_name,
                vocabulary=vocabulary,
                reference=trusted,
                context=_others(others, volume, vocabulary),
                engine=parse_overrides(engine or []),
                root=root,
                modality=modality.upper(),
                settings=parse_overrides(settings or []),
            )
        plain = told(name, known, verdict, len(found))
        if as_json:
            show_json(plain)
        else:
            _show(plain)
        _warn(trusted, is_alone=trusted is None and not name.startswith("vision"))
        failed = bool(failed_replies(verdict)) or bool(trusted and trusted.failed)
        return SOME_FAILED if failed else DONE

    run_command(command, interrupted=INTERRUPTED)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as scratch:
        yield Path(scratch)


def _others(path: Path | None, volume: Any, vocabulary: Any) -> dict[str, Any]:
    if path is None:
        return {}
    from labeling.rules.files import read_case
    from voxcurate.case_files import find_cases
    from voxcurate.errors import GeometryError
    from voxcurate.labelmaps import same_affine

    cases = find_cases(path, vocabulary)
    if len(cases) != 1:
        raise ConfigError(f"--others: want the structures of one scan, found {len(cases)} cases")
    found = read_case(next(iter(cases.values())))
    for s in found.values():
        if s.shape != volume.shape or not same_affine(s.affine, volume.affine):
            raise GeometryError(f"--others: mask {s.class_id} lies on another grid than the scan")
    return found


def _show(plain: dict[str, Any]) -> None:
    winner = plain["winner"]
    if winner is None:
        typer.echo(f"{plain['class']}: no winner ({plain['judge']})")
    else:
        typer.echo(
            f"{plain['class']}: {winner} is better, probability {plain['probability']:.2f} "
            f"({plain['judge']})"
        )
    for reason in plain["reasons"]:
        typer.echo(f"  {reason}")


def _warn(trusted: Any, *, is_alone: bool) -> None:
    if is_alone:
        typer.echo("note: without --reference only the written anatomy is judged", err=True)
    for case, why in (trusted.failed if trusted else {}).items():
        typer.echo(f"failed: {case}: {why}", err=True)
