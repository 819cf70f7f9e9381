"""``voxcurate staging``: T stage from masks, subtypes from scores, readers beside the model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json
from agent.cli.options import ClassOption, JsonOption, LabelsOption, LayoutOption, SetOption
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from training.staging.config import StagingConfig
    from voxcurate.config import Config

C = TypeVar("C", bound="Config")

app = typer.Typer(
    help="T stage of a tumour from masks, subtypes from scores, readers beside the model. For "
    "research only, not a medical device.",
    no_args_is_help=True,
)


@app.command()
def stage(
    folder: Annotated[
        Path,
        typer.Argument(metavar="MASKS", help="Folder of cases (masks or label maps), or one case."),
    ],
    tumour: Annotated[
        list[str] | None,
        typer.Option(
            "--tumour",
            help="Class that shows the tumour; several together. Default: pancreatic_tumor and "
            "pancreatic_pdac.",
        ),
    ] = None,
    vessels: Annotated[
        list[str] | None,
        typer.Option(
            "--vessels",
            help="Only this vessel of the settings (SMA, celiac, SMV), or a class; may be given "
            "again. Half its circumference in contact makes T4.",
        ),
    ] = None,
    scan: Annotated[
        Path | None,
        typer.Option(help="With --out: folder of the CTs, drawn behind the cross-sections."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="CSV with columns case and stage: adds the accuracy.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for staging.csv, staging.json and a picture per case; a later run takes "
            "over what still fits."
        ),
    ] = None,
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """T stage of each case's tumour: its size and how far it surrounds the vessels.

    A vessel without a mask, or whose mask ends at the tumour, is unknown, and the stage then a
    lower bound ("at least T2"). The resectability follows angles alone.

    Example: voxcurate staging stage masks --tumour pancreatic_tumor --out stages --set
    staging.diameter=axial
    """

    def command() -> int:
        from agent.cli.staging_view import show_stages
        from agent.staging import StageJob, stage_folder

        if scan is not None and out is None:
            raise ConfigError("--scan goes with --out")
        config = _staging(settings or [], tumour or [], vessels or [])
        told = stage_folder(StageJob(folder, config, scan, truth, out, labels, layout))
        show_json(told) if as_json else show_stages(told, out)
        return SOME_FAILED if told["failed"] else DONE

    run_command(command)


@app.command()
def subtypes(
    predictions: Annotated[
        Path,
        typer.Argument(help="Folder of cases with a probability (or mask) per subtype."),
    ],
    truth: Annotated[
        Path, typer.Argument(help="CSV: case, subtype, and patient if scans share one.")
    ],
    classes: ClassOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for subtypes.csv, subtypes.json and confusion.png."),
    ] = None,
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Subtype of each patient's tumour from the lesion's class scores, against the truth.

    Confusion, PPV and recall per class, accuracy and balanced accuracy, with 95 % intervals over
    patients. A lesion that was not found counts as wrong; what is undefined is n/a, not 0.

    Example: voxcurate staging subtypes soft truth.csv --class pdac --class pnet --class
    pancreatic_cyst --out subtypes
    """

    def command() -> int:
        from agent.cli.staging_view import show_subtypes
        from agent.staging_subtypes import SubtypeJob, subtypes_of_folder
        from training.staging.config import SubtypeConfig

        config = _built(SubtypeConfig, "subtypes", settings or [])
        told = subtypes_of_folder(
            SubtypeJob(predictions, truth, config, tuple(classes or ()), out, labels, layout)
        )
        show_json(told) if as_json else show_subtypes(told)
        return SOME_FAILED if told["failed"] or told["missing"] else DONE

    run_command(command)


@app.command()
def readers(
    marks: Annotated[
        Path,
        typer.Argument(help="CSV: case, reader, present (yes or no); if known group, subtype."),
    ],
    truth: Annotated[
        Path,
        typer.Argument(help="CSV: case, present; if known subtype, patient, size_mm."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="CSV of the model: case, score or present; if known subtype."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Scores of so much and more mean yes; default: 0.5.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for readers.csv, tests.csv, readers.json and readers.png."),
    ] = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Readers and groups of readers beside the model: sensitivity, specificity, accuracy.

    Wilson's interval per reader, a bootstrap over patients per group; the difference of model and
    group resamples patients and readers.

    Example: voxcurate staging readers marks.csv truth.csv --model scores.csv --out readers
    """

    def command() -> int:
        from agent.cli.staging_view import show_readers
        from agent.staging_readers import compare_tables
        from training.staging.config import ReaderConfig

        config = _built(ReaderConfig, "readers", settings or [])
        if threshold is not None:
            config = config.model_copy(update={"threshold": threshold})
        told = compare_tables(marks, truth, model, config, out)
        show_json(told) if as_json else show_readers(told)
        return DONE

    run_command(command)


def _built(kind: type[C], name: str, settings: Sequence[str]) -> C:
    """Settings given as ``--set <name>.key=value``."""
    from voxcurate.config import build, parse_overrides

    given: dict[str, Any] = dict(parse_overrides(settings))
    own = given.pop(name, {})
    if given:
        raise ConfigError(f"--set: want {name}.key=value, found {', '.join(sorted(given))}")
    return build(kind, own)


def _staging(
    settings: Sequence[str], tumour: Sequence[str], vessels: Sequence[str]
) -> "StagingConfig":
    from training.staging.config import StagingConfig, VesselConfig
    from voxcurate.classes import load_vocabulary

    config = _built(StagingConfig, "staging", settings)
    vocabulary = load_vocabulary()
    if tumour:
        names = tuple(dict.fromkeys(vocabulary.resolve(name) or name for name in tumour))
        config = config.model_copy(update={"tumour": names})
    if vessels:
        by_name = {vessel.name.lower(): vessel for vessel in config.vessels}
        chosen = []
        for name in dict.fromkeys(vessels):
            class_id = vocabulary.resolve(name) or name
            fits = [v for v in config.vessels if class_id in v.classes[:1]]
            own = by_name.get(name.lower()) or next(iter(fits), None)
            chosen.append(own or VesselConfig(name=class_id, classes=(class_id,), t4=True))
        config = config.model_copy(update={"vessels": tuple(chosen)})
    return config
