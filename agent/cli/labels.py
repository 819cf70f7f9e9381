"""``voxcurate assemble`` and ``voxcurate labels``: which label counts, who drew it, what was
before."""

from typing import Annotated

import typer

from agent.cli.console import run_command
from agent.cli.options import CaseOption, ClassOption, JsonOption, SetOption, WorkspaceOption
from voxcurate.errors import ConfigError

app = typer.Typer(
    help="Label versions: which counts, who drew what and why, and taking it back.",
    no_args_is_help=True,
)
CaseArgument = Annotated[str, typer.Argument(help="Case id.")]
ClassArgument = Annotated[
    str, typer.Argument(metavar="CLASS", help="Class, by any of its names, as in liver.")
]


def assemble(
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the most trusted version of each label count, and write the dataset as a version.

    In the last round; a round does the same by itself. Labels of classes that exclude each other
    are compared; conflicts are told, never mended silently.

    Example: voxcurate assemble --set labeling.assemble.minimum_dsc=0.7
    """

    def command() -> int:
        from agent.by_hand import by_hand
        from agent.cli.console import show_result
        from agent.cli.labels_view import show_assembled
        from labeling.assembly import assemble as stage

        with by_hand(workspace, settings or []) as (context, config):
            result = stage.run(context, config.labeling)
            if as_json:
                return show_result("assemble", result, as_json=True)
            return show_assembled(result, config.labeling.assemble)

    run_command(command)


@app.command(name="list")
def list_(
    case: CaseOption = None,
    classes: ClassOption = None,
    trust: Annotated[
        str,
        typer.Option(help="Only gold, human, original, judged, pseudo, synthetic or retired."),
    ] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the labels that count, with their trust, size and maker.

    Example: voxcurate labels list --class pancreas --trust pseudo
    """

    def command() -> int:
        from agent.asked_classes import asked_classes
        from agent.cli.labels_view import counting_labels, show_labels
        from agent.commands import opened
        from agent.rounds import vocabulary_of

        with opened(workspace) as (found_in, catalog):
            wanted = asked_classes(classes or (), vocabulary_of(found_in))
            found = counting_labels(catalog, case or (), wanted, trust)
            return show_labels(found, as_json=as_json)

    run_command(command)


@app.command()
def history(
    case: CaseArgument,
    class_id: ClassArgument,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell who drew a structure's versions, what was decided about them, why, and what counts now.

    Example: voxcurate labels history CASE_ID pancreas
    """

    def command() -> int:
        from agent.asked_classes import asked_classes
        from agent.cli.labels_view import show_history
        from agent.commands import check_cases, opened
        from agent.rounds import vocabulary_of
        from labeling.assembly.history import history as history_of

        with opened(workspace) as (found, catalog):
            check_cases(catalog, [case])
            (wanted,) = asked_classes([class_id], vocabulary_of(found))
            return show_history(history_of(catalog, case, wanted), as_json=as_json)

    run_command(command)


@app.command()
def undo(
    case: CaseArgument,
    class_id: ClassArgument,
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")],
    to: Annotated[
        str, typer.Option(help="Version that shall count; default: the one before.")
    ] = "",
    by: Annotated[str, typer.Option(help="Who decides this: initials or a role.")] = "reviewer",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an earlier version of a label count again; nothing is deleted, undo again to go back.

    Example: voxcurate labels undo CASE_ID pancreas --reason "the tail was cut off"
    """

    def command() -> int:
        from agent.asked_classes import asked_classes
        from agent.by_hand import by_hand
        from agent.cli.labels_view import show_undone
        from agent.commands import check_cases
        from labeling.assembly.undo import undo as undo_label
        from voxcurate.scrub import Scrubber

        if not reason.strip():
            raise ConfigError("want a reason: it is kept with the decision")
        with by_hand(workspace) as (context, config):
            check_cases(context.catalog, [case])
            (wanted,) = asked_classes([class_id], context.vocabulary)
            undone = undo_label(
                context,
                config.labeling.assemble,
                case,
                wanted,
                actor=f"human:{by}",
                reason=Scrubber().scrub(reason).text,
                to=to,
            )
            return show_undone(undone, as_json=as_json)

    run_command(command)


@app.command()
def conflicts(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List voxels that two labels claim though their classes exclude each other.

    Example: voxcurate labels conflicts --json
    """

    def command() -> int:
        from agent.cli.labels_view import conflicts_of, show_conflicts
        from agent.commands import opened

        with opened(workspace) as (_, catalog):
            return show_conflicts(conflicts_of(catalog), as_json=as_json)

    run_command(command)


@app.command()
def versions(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the versions of the dataset: their names, counts and hashes.

    Example: voxcurate labels versions
    """

    def command() -> int:
        from agent.cli.labels_view import show_versions
        from labeling.assembly.versions import current_version, list_versions
        from voxcurate.workspace import Workspace

        found = Workspace.find(workspace)
        return show_versions(list_versions(found), current_version(found), as_json=as_json)

    run_command(command)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="Version of the dataset, as 'versions' lists them.")],
    new: Annotated[str, typer.Argument(help="The other one; default: the last.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the structures whose label differs between two versions of the dataset.

    Example: voxcurate labels diff v0123456789ab
    """

    def command() -> int:
        from agent.cli.labels_view import show_changes
        from labeling.assembly.versions import current_version, differences
        from voxcurate.workspace import Workspace

        found = Workspace.find(workspace)
        changes = differences(found, old, new or current_version(found))
        return show_changes(changes, as_json=as_json)

    run_command(command)
