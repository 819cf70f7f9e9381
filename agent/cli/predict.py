"""``voxcurate predict`` and ``voxcurate models``: let models of the zoo segment scans."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json, show_result
from agent.cli.options import CaseOption, JsonOption, ModalityOption, SetOption, WorkspaceOption
from voxcurate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.predicting import Alone, Done

app = typer.Typer(help="The models that can segment scans.", no_args_is_help=True)
ModelFolder = Annotated[
    Path | None,
    typer.Option("--model-folder", help="Where models' weights lie; default: $VOXCURATE_MODELS."),
]


def predict(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="A model's name, YAML file or bundle folder; again for more. Default in a "
            "workspace: those of its rounds.",
        ),
    ] = None,
    case: CaseOption = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            help="Without a workspace: a scan (NIfTI, NRRD, MetaImage, DICOM) or a folder; again "
            "for more.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="With --input: folder for <model>/<case>/<class>.nii.gz."),
    ] = None,
    soft: Annotated[
        bool, typer.Option("--soft", help="With --input: probabilities times 255, not masks.")
    ] = False,
    modality: ModalityOption = "CT",
    own_classes: Annotated[
        Path | None,
        typer.Option(
            "--own-classes",
            help="With --input: YAML file with classes of your own, as a workspace's classes.yaml.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="With --input: scans at once.")] = 1,
    model_folder: ModelFolder = None,
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let models segment scans; what is done stays done, the same command goes on from there.

    Each case runs in a process of its own with the model's limits of time and memory.

    Example: voxcurate predict --model totalsegmentator_fast --input ct.nii.gz --out masks
    """

    def command() -> int:
        from agent.predicting import Alone, predict_in_workspace

        if inputs:
            if out is None or not model:
                raise ConfigError("--input wants --model and --out")
            in_workspace = {"--case": case, "--set": settings, "--workspace": workspace}
            wrong = [name for name, value in in_workspace.items() if value]
            if wrong:
                raise ConfigError(f"{', '.join(wrong)}: only without --input, in a workspace")
            how = Alone(model, out, own_classes, model_folder, modality, soft, workers)
            return _alone(inputs, how, as_json=as_json)
        alone = {"--out": out, "--soft": soft, "--own-classes": own_classes}
        wrong = [name for name, value in alone.items() if value]
        if wrong:
            raise ConfigError(f"{', '.join(wrong)}: only with --input")
        given = list(settings or [])
        if model_folder is not None:
            given.append(f"predict.model_folder={model_folder.resolve()}")
        result = predict_in_workspace(workspace, model or [], case or [], given)
        return show_result("predict", result, as_json=as_json)

    run_command(command)


def _alone(inputs: "Sequence[Path]", how: "Alone", *, as_json: bool) -> int:
    from agent.predicting import predict_alone

    done = predict_alone(inputs, how)
    if as_json:
        show_json(vars(done))
    else:
        _show(done)
    return SOME_FAILED if done.failed else DONE


def _show(done: "Done") -> None:
    for key, classes in sorted(done.made.items()):
        typer.echo(f"{key}: {', '.join(classes)}")
    if done.kept:
        typer.echo(f"there already: {len(done.kept)}")
    for name, licence in sorted(done.licences.items()):
        typer.echo(f"licence of {name}: {licence}")
    for key, why in sorted(done.failed.items()):
        typer.echo(f"failed: {key}: {why}", err=True)


@app.callback()
def models() -> None:
    """The models that can segment scans."""


@app.command(name="list")
def list_models(
    model_folder: ModelFolder = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models: kind, classes, licence, and whether they can be used here or why not; in a
    workspace those that it trained, too.

    Example: voxcurate models list --json
    """

    def command() -> int:
        from agent.predicting import list_all

        lines = list_all(workspace, model_folder)
        if as_json:
            show_json(lines)
        else:
            _table(lines)
        return DONE

    run_command(command)


def _table(lines: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from agent.cli.console import WIDTH

    table = Table()
    for column in ("name", "kind", "classes", "licence", "available"):
        table.add_column(column)
    for line in lines:
        state = "yes" if line["available"] else f"no: {line['why_not']}"
        table.add_row(line["name"], line["kind"], str(len(line["classes"])), line["licence"], state)
    Console(width=max(WIDTH, Console().width)).print(table)
