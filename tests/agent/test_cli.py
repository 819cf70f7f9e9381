"""The command line: help with an example, documentation, exit status, clean errors."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.cli.console import run_command
from agent.cli.main import app

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
WANTED = {
    "init", "ingest", "plan", "round", "status", "ask", "review list", "review export",
    "review import", "evaluate", "export", "demo", "demo-cohort", "score-demo",
    "read-reports", "report list", "report show",
}  # fmt: skip


def commands():
    group = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= {f"{name} {sub}": c for sub, c in command.commands.items()}
        else:
            found[name] = command
    return found


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("VOXCURATE_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


def test_all_commands_are_there():
    assert commands().keys() >= WANTED


@pytest.mark.parametrize("name", sorted(WANTED))
def test_every_command_has_help_with_an_example_and_is_documented(name):
    text = commands()[name].help
    assert f"Example: voxcurate {name}" in text
    assert f"voxcurate {name}" in DOCS.read_text()
    assert all(getattr(p, "help", None) for p in commands()[name].params if p.name != "help")


def test_no_workspace_is_exit_2_with_a_clear_error(run):
    for words in (["status"], ["round"], ["ask", "liver"], ["review", "list"], ["export", "x"]):
        result = run(*words)
        assert result.exit_code == 2
        assert "error: no workspace" in result.output


def test_unknown_option_is_exit_2(run):
    assert run("round", "--nonsense").exit_code == 2


def test_init_then_status_says_what_to_do_next(run, tmp_path):
    assert run("init", "w").exit_code == 0
    shown = run("status", "-w", "w")
    assert shown.exit_code == 0
    assert "voxcurate ingest" in shown.output
    data = json.loads(run("status", "-w", "w", "--json").stdout)
    assert data["scans"]["total"] == 0
    assert run("init", "w").exit_code == 0  # again: nothing changes


def test_init_refuses_an_unknown_preset(run):
    result = run("init", "w", "--preset", "quantum")
    assert result.exit_code == 2
    assert "cpu" in result.output
    assert not Path("w").exists()


def test_a_round_without_scans_says_so(run):
    run("init", "w")
    result = run("round", "-w", "w")
    assert result.exit_code == 2
    assert "voxcurate ingest" in result.output


def test_stage_names_are_those_of_the_round():
    from agent.config import RoundConfig
    from agent.stages import STAGE_NAMES, in_order, round_stages

    assert tuple(round_stages(lambda: None, RoundConfig())) == STAGE_NAMES
    assert in_order({"train", "zebra", "clean", "apple"}) == ["clean", "train", "apple", "zebra"]


def test_a_file_that_the_system_refuses_is_told_without_its_path(capsys):
    def command():
        raise PermissionError(13, "Permission denied", "/archive/DOE_JANE/ct.dcm")

    with pytest.raises(typer.Exit) as left:
        run_command(command)
    assert left.value.exit_code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: Permission denied (unexpected PermissionError at test_cli.py:")
    assert "DOE" not in said
