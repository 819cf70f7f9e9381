"""The house: stages import only the foundation, which imports nothing of ours; agent: anything."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("retrieval", "cleaning", "labeling", "training")
OURS = (*STAGES, "voxcurate", "agent")
ALLOWED = {"voxcurate": {"voxcurate"}, "agent": set(OURS)} | {s: {s, "voxcurate"} for s in STAGES}
HEAVY = ("torch", "monai", "faiss", "SimpleITK", "skimage", "matplotlib", "langchain", "langgraph")


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("package", OURS)
def test_packages_import_only_what_they_may(package):
    for path in modules(package):
        ours = set(imported(path)) & set(OURS)
        assert ours <= ALLOWED[package], f"{path.relative_to(ROOT)} imports {ours}"


def test_no_stage_reads_the_cohort_generator():
    for package in (*STAGES, "voxcurate"):
        for path in modules(package):
            assert "agent.cohort" not in path.read_text()
    for part in ("ingest", "report"):
        for path in modules(f"agent/{part}"):
            assert "agent.cohort" not in path.read_text()


def test_packages_are_those_of_the_distribution():
    import tomllib

    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in (*OURS, "configs")
        for path in modules(package)
        if path.name == "__init__.py"
    }
    assert found == listed


def test_the_command_line_loads_nothing_heavy():
    code = (
        "import sys, agent.cli.main, agent.config, voxcurate.stage, voxcurate.ledger;"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_files_stay_small_enough_to_hold_in_the_head():
    long = {
        str(path.relative_to(ROOT)): n
        for package in OURS
        for path in modules(package)
        if (n := len(path.read_text().splitlines())) > 450
    }
    assert long == {}
