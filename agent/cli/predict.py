"""``voxcurate predict`` and ``voxcurate models``: let models of the zoo segment scans."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import DONE, SOME_FAILED, run_command, show_json, show_result
from agent.cli.options import CaseOption, JsonOption, SetOption, WorkspaceOption
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
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL SCANS...]",
            help="Without a workspace: one model (a bundle's folder, a YAML file, a name), then "
            "scans or folders of them; results lie in OUT/<case>.",
        ),
    ] = None,
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
        typer.Option(help="Of scans alone: folder for [<model>/]<case>/<class>.nii.gz."),
    ] = None,
    soft: Annotated[
        bool, typer.Option("--soft", help="Of scans alone: probabilities times 255, not masks.")
    ] = False,
    label_map: Annotated[
        bool,
        typer.Option(
            "--label-map",
            help="Of scans alone: one <case>.nii.gz with all classes, their numbers in "
            "labels.json, not a file per class.",
        ),
    ] = False,
    modality: Annotated[
        str, typer.Option(help="Of scans alone: CT, MR ... Default: what the model is for.")
    ] = "",
    own_classes: Annotated[
        Path | None,
        typer.Option(
            "--own-classes",
            help="Of scans alone: YAML file with classes of your own, as a workspace's "
            "classes.yaml.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Of scans alone: scans at once.")] = 1,
    model_folder: ModelFolder = None,
    settings: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let models segment scans; what is done stays done, the same command goes on from there.

    Each case runs in a process of its own with the model's limits of time and memory.

    Example: voxcurate predict hippocampus scans --out masks
    """

    def command() -> int:
        from agent.predicting import Alone, predict_in_workspace

        models, scans = list(model or []), list(inputs or [])
        if given:
            if models:
                raise ConfigError("name the model with --model or before the scans, not both")
            models, scans = given[:1], [*map(Path, given[1:]), *scans]
            if not scans:
                raise ConfigError("want scans, or a folder of them, after the model")
        if scans:
            if out is None or not models:
                raise ConfigError("scans alone want --out and a model: predict MODEL SCANS --out O")
            if soft and label_map:
                raise ConfigError("want --soft or --label-map: a map holds no probabilities")
            in_workspace = {"--case": case, "--set": settings, "--workspace": workspace}
            wrong = [name for name, value in in_workspace.items() if value]
            if wrong:
                raise ConfigError(f"{', '.join(wrong)}: only in a workspace, without scans")
            how = Alone(
                models, out, own_classes, model_folder, modality, soft, workers, label_map,
                is_flat=bool(given),
            )  # fmt: skip
            return _alone(scans, how, as_json=as_json)
        alone = {"--out": out, "--soft": soft, "--own-classes": own_classes,
                 "--label-map": label_map, "--modality": modality}  # fmt: skip
        wrong = [name for name, value in alone.items() if value]
        if wrong:
            raise ConfigError(f"{', '.join(wrong)}: only of scans alone")
        more = list(settings or [])
        if model_folder is not None:
            more.append(f"predict.model_folder={model_folder.resolve()}")
        result = predict_in_workspace(workspace, models, case or [], more)
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
