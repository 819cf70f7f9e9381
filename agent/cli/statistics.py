"""``voxcurate statistics``: volumes, who agrees with whom, label bias, annotation time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json
from agent.cli.options import (
    ClassOption,
    JsonOption,
    LabelsOption,
    Layout,
    LayoutOption,
    SetOption,
    WorkspaceOption,
)
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from agent.cli.statistics_view import Told


def statistics(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Without a workspace: label folders, each the labels of one source, model or "
            "person. Default: the workspace's last round."
        ),
    ] = None,
    classes: ClassOption = None,
    people: Annotated[
        list[str] | None,
        typer.Option(help="Name of a folder that people drew; may be given again."),
    ] = None,
    machine: Annotated[
        str,
        typer.Option(
            help="Name of the folder with a machine's labels: do they lean towards one of the "
            "other folders, more than those of --people do?"
        ),
    ] = "",
    labels: LabelsOption = None,
    layout: LayoutOption = "auto",
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="In a workspace: compare models and labels now, and keep it with the round. "
            "Without it the workspace is only read.",
        ),
    ] = False,
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell volumes per class and source, who agrees with whom, label bias, annotation time.

    Volumes: median and quartiles. Agreement: mean DSC of every two models, machines' and people's
    labels. Bias: do machines' labels agree with one architecture more than people's labels do?
    Time: AbdomenAtlas-8K's estimate with its assumptions. Of folders: volumes, agreement, bias.

    Example: voxcurate statistics unet/ swinunetr/ labelsTr/ --people labelsTr --json
    """

    def command() -> int:
        from agent.cli.statistics_view import show

        if folders:
            if workspace or settings or measure:
                raise ConfigError("want folders, or a workspace with --measure or --set")
            told = _of_folders(folders, classes or [], people or [], machine, labels, layout)
        else:
            if people or machine or labels:
                raise ConfigError("--people, --machine and --labels are about folders; give some")
            told = _of_workspace(workspace, classes or [], settings or [], measure=measure)
        if as_json:
            show_json(told.to_json())
        else:
            show(told)
        return SOME_FAILED if told.failed else DONE

    run_command(command)


def _of_folders(
    folders: list[Path],
    classes: list[str],
    people: list[str],
    machine: str,
    labels: Path | None,
    layout: Layout,
) -> "Told":
    from agent.cli.statistics_view import Told
    from agent.statistics_folders import FolderOptions, folder_statistics
    from voxcurate.classes import load_vocabulary

    vocabulary = load_vocabulary()
    options = FolderOptions(
        classes=tuple(classes),
        labels=labels,
        layout=layout,
        people=tuple(people),
        machine=machine,
    )
    found = folder_statistics(folders, vocabulary, options)
    return Told(
        what="folders: " + ", ".join(f"{name} ({n} cases)" for name, n in found.cases.items()),
        volumes=found.volumes,
        agreement=found.agreement,
        failed=found.failed,
        asks_for_bias=bool(people and machine),
        is_round=False,
    )


def _of_workspace(
    workspace: Path | None, classes: list[str], settings: list[str], *, measure: bool
) -> "Told":
    from dataclasses import replace

    from agent.asked_classes import asked_classes
    from agent.by_hand import by_hand
    from agent.cli.statistics_view import Told
    from labeling.statistics import agreement
    from labeling.statistics.annotation_time import estimate, work_of
    from labeling.statistics.label_volumes import counting_volumes

    with by_hand(workspace, settings, write=measure) as (context, config):
        failed: dict[str, Any] = {}
        if measure:
            failed = dict(agreement.run(context, config.labeling).failed)
        found = agreement.stored(context)
        if classes:
            wanted = tuple(asked_classes(classes, context.vocabulary))
            context = replace(context, classes=wanted)
            found = found and found.of_classes(wanted)
        time = config.labeling.statistics.time
        work = work_of(context, config.labeling)
        return Told(
            what=f"round {context.round}, {len(context.scans())} scans in use",
            volumes=tuple(counting_volumes(context)),
            agreement=found,
            time=estimate(work, time) if work.scans and work.classes else None,
            clock=time,
            failed=failed,
        )
