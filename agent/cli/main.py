"""The command line: parses, calls one function, prints. Heavy imports wait until a command needs
them."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.ask import ask
from agent.cli.attention import attention
from agent.cli.audit import app as audit_app
from agent.cli.check import check
from agent.cli.clean import app as checks_app
from agent.cli.clean import clean
from agent.cli.compare import compare
from agent.cli.console import run_command
from agent.cli.deid import app as deid_app
from agent.cli.duplicates import app as duplicates_app
from agent.cli.errors import app as errors_app
from agent.cli.evaluate import evaluate
from agent.cli.fuse import fuse
from agent.cli.jobs import cancel, jobs, logs
from agent.cli.judge import app as judge_app
from agent.cli.labels import app as labels_app
from agent.cli.labels import assemble
from agent.cli.options import JsonOption, SetOption, WorkspaceOption
from agent.cli.predict import app as models_app
from agent.cli.predict import predict
from agent.cli.preflight import preflight
from agent.cli.priority import priority
from agent.cli.read_reports import read_reports
from agent.cli.refine import refine
from agent.cli.report import app as report_app
from agent.cli.review import app as review_app
from agent.cli.roc import roc
from agent.cli.rules import app as rules_app
from agent.cli.staging import app as staging_app
from agent.cli.statistics import statistics
from agent.cli.submit import submit
from agent.cli.train import train

app = typer.Typer(
    name="voxcurate",
    help="Turn CT scans and radiology reports into a trusted, versioned, voxel-annotated dataset "
    "and a model trained on it, round by round.\n\n"
    "Start: voxcurate init W && cd W && voxcurate ingest PATH && voxcurate round",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(review_app, name="review")
app.add_typer(report_app, name="report")
app.add_typer(deid_app, name="deid")
app.add_typer(duplicates_app, name="duplicates")
app.command(name="read-reports")(read_reports)
app.command()(check)
app.add_typer(models_app, name="models")
app.command()(train)
app.command()(predict)
app.command()(fuse)
app.command()(roc)
app.command()(refine)
app.command()(clean)
app.command()(assemble)
app.command()(statistics)
app.add_typer(labels_app, name="labels")
app.add_typer(errors_app, name="errors")
app.add_typer(rules_app, name="rules")
app.add_typer(judge_app, name="judge")
app.add_typer(audit_app, name="audit")
app.add_typer(checks_app, name="checks")
app.add_typer(staging_app, name="staging")


def main() -> None:
    """Entry of the ``voxcurate`` command."""
    app()


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="New or empty folder.")],
    preset: Annotated[str, typer.Option(help="Shipped round settings: cpu, gpu or demo.")] = "cpu",
    key_file: Annotated[
        str,
        typer.Option(
            help="File of the ids' key, from the workspace; default: your configuration folder."
        ),
    ] = "",
) -> None:
    """Make a workspace.

    Example: voxcurate init pancreas --preset gpu
    """

    def command() -> int:
        from agent.commands import init_workspace

        init_workspace(path, preset=preset, key_file=key_file)
        typer.echo("Workspace made. Next: go into it and run 'voxcurate ingest PATH'.")
        return 0

    run_command(command)


@app.command()
def ingest(
    path: Annotated[
        Path, typer.Argument(help="Folder with scans, and labels and reports if there are any.")
    ],
    source: Annotated[
        str,
        typer.Option(help="Description of the source: a YAML file, or the name of a shipped one."),
    ] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring scans, labels and reports into the workspace: linked, scrubbed, standardised, split.

    Example: voxcurate ingest ../openkbp --source openkbp
    """

    def command() -> int:
        from agent.cli.console import show_result
        from agent.commands import ingest_folder

        result = ingest_folder(workspace, path, source)
        return show_result("ingest", result, as_json=as_json)

    run_command(command)


@app.command()
def plan(
    need: Annotated[str, typer.Argument(help="The clinical need in plain words.")],
    out: Annotated[
        Path | None, typer.Option(help="YAML file to write; default: standard output.")
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Turn a clinical need into a round's YAML: classes, cohort, models and budget, for you to
    edit.

    Example: voxcurate plan "pancreatic tumour detection in portal-venous CT" --out round.yaml
    """

    def command() -> int:
        from agent.commands import make_plan

        text, unknown = make_plan(workspace, need)
        if out is None:
            typer.echo(text)
        else:
            from voxcurate.workspace import write_text

            write_text(out, text)
            typer.echo(f"Written. Edit it, then: voxcurate round {out}")
        if unknown:
            typer.echo(f"not understood: {', '.join(unknown)}", err=True)
        return 0

    run_command(command)


@app.command(name="round")
def round_(
    file: Annotated[Path | None, typer.Argument(help="Round YAML, as 'plan' writes it.")] = None,
    settings: SetOption = None,
    rounds: Annotated[
        int, typer.Option(help="Run up to this many rounds, or until the stop rule.")
    ] = 1,
    no_review: Annotated[bool, typer.Option("--no-review", help="Do not wait for people.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the next curation round, or go on with the one that was interrupted or waits for review.

    Example: voxcurate round --rounds 2 --no-review --set flagship.training.steps=500
    """

    def command() -> int:
        from agent.cli.console import show_rounds
        from agent.commands import run_rounds

        outcomes = run_rounds(
            workspace, file=file, settings=settings or [], rounds=rounds, no_review=no_review
        )
        return show_rounds(outcomes, as_json=as_json)

    run_command(command)


@app.command()
def status(
    workspace: WorkspaceOption = None,
    private: Annotated[
        str,
        typer.Option(
            help="Show where one case came from (its original path): for the owner's eyes."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show rounds, stages, counts, failures and what to do next.

    Example: voxcurate status --json
    """

    def command() -> int:
        from agent.cli.console import show_status
        from agent.commands import status_of

        return show_status(status_of(workspace, private=private), as_json=as_json)

    run_command(command)


for command_ in (submit, jobs, cancel, logs, preflight):
    app.command()(command_)


app.command()(ask)


app.command()(compare)
app.command(name="attention")(attention)
app.command()(priority)


app.command()(evaluate)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="New folder for the dataset.")],
    split: Annotated[
        list[str] | None, typer.Option(help="Only this split; may be given again.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the dataset as it stands, with its provenance, in the AbdomenAtlas layout.

    Example: voxcurate export release --split train --split test
    """

    def command() -> int:
        from agent.cli.console import show_result
        from agent.commands import export_dataset

        return show_result("export", export_dataset(workspace, out, split or []), as_json=as_json)

    run_command(command)


@app.command()
def demo(
    path: Annotated[Path, typer.Argument(help="Folder for the cohort and the workspace.")] = Path(
        "demo"
    ),
    patients: Annotated[int, typer.Option(help="Synthetic patients.", min=8)] = 24,
    seed: Annotated[int, typer.Option(help="Seed of the cohort and of the rounds.")] = 0,
) -> None:
    """Run the main job on a synthetic cohort: ingest, two rounds, reports, scores. No GPU, no
    server.

    Example: voxcurate demo demo
    """

    def command() -> int:
        from agent.demo import run_demo

        return run_demo(path, patients=patients, seed=seed, say=typer.echo)

    run_command(command)


@app.command(name="demo-cohort")
def demo_cohort(
    out: Annotated[Path, typer.Argument(help="New folder.")],
    patients: Annotated[int, typer.Option(help="Synthetic patients.", min=1)] = 24,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a synthetic cohort with planted faults, and the truth beside it.

    Example: voxcurate demo-cohort cohort --patients 24 --seed 1
    """

    def command() -> int:
        from agent.cli.console import show_mapping
        from agent.commands import write_cohort

        return show_mapping(write_cohort(out, patients, seed), as_json=as_json)

    run_command(command)


@app.command(name="score-demo")
def score_demo(
    truth: Annotated[Path, typer.Argument(help="The truth folder that demo-cohort wrote.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare each stage's result with the cohort's truth, chance or a trivial method beside it.

    Example: voxcurate score-demo demo/cohort/truth -w demo/workspace
    """

    def command() -> int:
        from agent.cli.console import show_scores
        from agent.commands import score

        return show_scores(score(workspace, truth), as_json=as_json)

    run_command(command)
