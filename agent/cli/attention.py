"""``voxcurate attention``: where ready predictions deserve a look, without a workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, WIDTH, run_command, show_json
from agent.cli.options import (
    ClassOption,
    CutOption,
    JsonOption,
    LabelsOption,
    LayoutOption,
    MoreFolders,
    PredictionsOption,
    ScoreOption,
    TopPercentOption,
)
from agent.cli.prediction_view import warn_of_models
from agent.cli.priority_view import ROWS_SHOWN, cut_words, priority_of, show_rows
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from labeling.attention.batch import Batch
    from labeling.attention.files import Wanted
    from labeling.config import PriorityConfig
    from voxcurate.case_files import CaseFiles
    from voxcurate.classes import Vocabulary


def attention(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    more: MoreFolders = None,
    predictions: PredictionsOption = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="True labels: adds how well attention finds errors (Table 1)."),
    ] = None,
    classes: ClassOption = None,
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    score: ScoreOption = "",
    cut: CutOption = "",
    top_percent: TopPercentOption = None,
    entropy: Annotated[
        str, typer.Option(help="published (-p ln p, eq. 2) or binary (of p and 1 - p).")
    ] = "published",
    released: Annotated[
        bool,
        typer.Option(
            "--released",
            help="The thresholds and openings of AbdomenAtlas' released code; else its equations.",
        ),
    ] = False,
    masks: Annotated[bool, typer.Option("--masks/--no-masks", help="Write fused masks.")] = True,
    class_maps: Annotated[
        bool, typer.Option("--class-maps", help="Write each class's attention map too.")
    ] = False,
    min_region_mm3: Annotated[
        float, typer.Option(help="With --truth: smaller regions do not count.", min=0)
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Fuse ready predictions of several models and say where they are probably wrong.

    Writes per case the attention map and the fused masks, and for all cases scores.csv,
    priority.csv (case, class, score, rank, reason, box of the worst region) and distribution.png.
    A case that is done is not done again while inputs and settings stay.

    Example: voxcurate attention --predictions unet --predictions swin --predictions nnunet --out a
    """

    def command() -> int:
        from agent.asked_classes import asked_classes, classes_there
        from agent.prediction_folders import cases_of, models_of
        from labeling.config import PriorityConfig
        from voxcurate.classes import load_vocabulary
        from voxcurate.config import build

        folders = [*(predictions or []), *(more or [])]
        if not folders:
            raise ConfigError("want --predictions FOLDER, again for each further model")
        vocabulary = load_vocabulary()
        listed = build(PriorityConfig, priority_of(score, cut, top_percent))
        models = models_of(folders, vocabulary, labels, layout)
        true = None
        if truth is not None:
            true = cases_of(truth, vocabulary, labels, layout, "the truth")
        there = classes_there(case for cases in models.values() for case in cases.values())
        chosen = asked_classes(classes or (), vocabulary, there)
        wanted = _wanted(chosen, entropy, released, masks, class_maps)
        batch = _run(models, vocabulary, out, wanted, listed, true, min_region_mm3)
        if as_json:
            show_json(_plain(batch, models))
        else:
            _show(batch, listed)
        _warn(batch, models)
        return SOME_FAILED if batch.failed or batch.missing else DONE

    run_command(command)


def _wanted(
    classes: Sequence[str],
    entropy: str,
    released: bool,
    masks: bool,
    class_maps: bool,
) -> "Wanted":
    from labeling.attention.files import Wanted
    from labeling.config import AttentionConfig, released_attention
    from voxcurate.config import build

    plain = released_attention().model_dump() if released else {}
    config = build(AttentionConfig, plain, {"entropy": entropy})
    return Wanted(config, classes=frozenset(classes), masks=masks, class_maps=class_maps)


def _run(
    models: "Mapping[str, Mapping[str, CaseFiles]]",
    vocabulary: "Vocabulary",
    out: Path,
    wanted: "Wanted",
    priority: "PriorityConfig",
    truth: "Mapping[str, CaseFiles] | None",
    min_region_mm3: float,
) -> "Batch":
    from labeling.attention.batch import attend_folders
    from voxcurate.progress import progress

    with progress("attention", len({c for cases in models.values() for c in cases})) as bar:
        return attend_folders(
            models,
            vocabulary,
            out,
            wanted,
            priority=priority,
            truth=truth,
            min_region_mm3=min_region_mm3,
            done=lambda case: bar.advance(note=case),
        )


def _plain(batch: "Batch", models: "Mapping[str, Any]") -> dict[str, Any]:
    return {
        "models": list(models),
        "inconsistency": "defined" if len(models) > 1 else "undefined: one model",
        "cases": {
            case: {name: asdict(s) for name, s in classes.items()}
            for case, classes in batch.scores.items()
        },
        "priority": [asdict(row) for row in batch.rows],
        "evaluation": batch.evaluation,
        "failed": dict(batch.failed),
        "missing": dict(batch.missing),
        "reused": batch.reused,
    }


def _show(batch: "Batch", config: "PriorityConfig") -> None:
    n = len({row.case_id for row in batch.rows if row.chosen})
    title = f"{len(batch.scores)} cases, {n} to look at ({cut_words(config)})"
    show_rows(batch.rows[:ROWS_SHOWN], config.score, title)
    if len(batch.rows) > ROWS_SHOWN:
        typer.echo(f"... and {len(batch.rows) - ROWS_SHOWN} more in priority.csv")
    if batch.evaluation:
        _show_evaluation(batch.evaluation)


def _show_evaluation(found: "Mapping[str, Any]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="attention against true errors", title_justify="left")
    columns = (
        "class", "scans", "errors", "attended", "sensitivity", "precision", "voxel sens.",
        "voxel prec.", "rank corr.", "top 10 %", "random",
    )  # fmt: skip
    for n, column in enumerate(columns):
        table.add_column(column, justify="right" if n else "left")

    def with_sd(row: "Mapping[str, Any]", name: str) -> str:
        return "" if row[name] is None else f"{row[name]:.2f} ± {row[f'{name}_sd']:.2f}"

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    def ordering(rank: "Mapping[str, Any]") -> list[str]:
        chance = "" if rank["random"] is None else f"{rank['random']:.2f} ± {rank['random_sd']:.2f}"
        return [number(rank["spearman"]), number(rank["precision_at_top"]), chance]

    for name, row in found["table_1"].items():
        rank = found["ranking"][name]
        table.add_row(
            name, str(row["scans"]), str(row["errors"]), str(row["attended"]),
            with_sd(row, "sensitivity"), with_sd(row, "precision"),
            number(row["voxel_sensitivity"]), number(row["voxel_precision"]),
            *ordering(rank),
        )  # fmt: skip
    rank = found["cases"]
    table.add_row("cases", str(rank["n"]), *[""] * 6, *ordering(rank))
    Console(width=max(WIDTH, Console().width)).print(table)


def _warn(batch: "Batch", models: "Mapping[str, Any]") -> None:
    if len(models) == 1:
        typer.echo(
            "note: one model: inconsistency is undefined, attention is uncertainty and overlap",
            err=True,
        )
    warn_of_models(models, batch.missing, batch.failed)
