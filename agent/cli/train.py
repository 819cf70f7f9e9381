"""``voxcurate train``: a folder of scans and partial labels in, a MONAI bundle out."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json
from agent.cli.options import JsonOption, SetOption


def train(
    folder: Annotated[Path, typer.Argument(help="Scans, and labels of some or all of them.")],
    out: Annotated[Path, typer.Option(help="New folder for the MONAI bundle.")],
    source: Annotated[
        str,
        typer.Option(
            help="Description of the folder, as 'ingest --source' takes it: a YAML file, or the "
            "name of a shipped one. Default: dataset.yaml in the folder, or recognised."
        ),
    ] = "",
    name: Annotated[str, typer.Option(help="What the model is called.")] = "model",
    network: Annotated[
        str, typer.Option(help="One of configs/networks; default: planned for this machine.")
    ] = "",
    steps: Annotated[
        int,
        typer.Option(min=0, help="Optimiser steps.", show_default="as many as fit into --minutes"),
    ] = 0,
    minutes: Annotated[
        float,
        typer.Option(min=0, help="Time for everything.", show_default="30, on a GPU 240"),
    ] = 0.0,
    hold_out: Annotated[
        float,
        typer.Option(
            "--hold-out",
            help="Share of the patients kept apart to score the model on; 0: none. With --warm "
            "patients that the bundle has not seen, if there are any.",
        ),
    ] = 0.2,
    folds: Annotated[
        int,
        typer.Option(
            help="Cross-validation: so many models (2 or more), each without a fold of the "
            "patients.",
            show_default="one model",
        ),
    ] = 0,
    warm: Annotated[
        Path | None, typer.Option(help="Bundle whose weights it starts from; classes may differ.")
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            help="File with the names of the best-labelled cases, one a line: the last quarter of "
            "the steps (anneal.share) learns from them."
        ),
    ] = None,
    raw: Annotated[
        Path | None, typer.Option(help="Folder of further scans without labels, to learn from.")
    ] = None,
    raw_source: Annotated[str, typer.Option("--raw-source", help="Description of --raw.")] = "",
    own_classes: Annotated[
        Path | None,
        typer.Option(
            "--own-classes",
            help="YAML file with classes of your own, as a workspace's classes.yaml.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same cases, settings and seed: same model.")] = 0,
    threads: Annotated[
        int, typer.Option(min=0, help="Processor threads.", show_default="all cores")
    ] = 0,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a segmentation model on a folder, score it on held-out patients, write a MONAI bundle.

    Grid, patch, batch, network and number of steps are planned from the cases and this machine,
    and the reasons told (plan.json in the bundle); --set changes any of them
    (--set grid.spacing_mm=[1,1,1], --set learning_rate=0.001, --set planning.coverage=0.2). A class
    that a case does not label is unknown there, not background. Killed or interrupted, the same
    command goes on; done, it does nothing.

    Example: voxcurate train msd --source msd_hippocampus_mr --out hippocampus --minutes 30
    """

    def command() -> int:
        from agent.cli.console import say
        from agent.cli.train_view import show, warn
        from agent.training import train_folder
        from agent.training_job import How

        how = How(
            out=out, source=source, name=name, network=network, steps=steps, minutes=minutes,
            hold_out=hold_out, folds=folds, warm=warm, gold=gold, raw=raw, raw_source=raw_source,
            own_classes=own_classes, seed=seed, settings=tuple(settings or ()), threads=threads,
        )  # fmt: skip
        done = train_folder(folder, how, say)
        if as_json:
            show_json(vars(done))
        else:
            show(done, out)
        warn(done, out)
        return SOME_FAILED if done.failed else DONE

    run_command(command)
