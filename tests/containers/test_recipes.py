"""The recipes of containers, as far as they can be checked without building one."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from voxcurate.keys import key_folder

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "containers"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
)
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
}


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: words and what follows, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    found = [line.partition(" ") for line in lines if line.strip()]
    return [(word, rest.strip()) for word, _, rest in found]


def arguments() -> dict[str, str]:
    found = [rest.partition("=") for word, rest in instructions() if word == "ARG"]
    return {name: value for name, _, value in found}


def definition(section: str) -> list[str]:
    """Lines of a section of the Apptainer recipe."""
    text = (FOLDER / "voxcurate.def").read_text()
    return [line.strip() for line in text.split(f"\n%{section}\n")[1].split("\n%")[0].splitlines()]


def copied() -> set[str]:
    """Top-level names that the build context of the Dockerfile lets in."""
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"  # all is kept out that is not named
    return {rule[1:] for rule in rules if rule.startswith("!")}


def test_instructions_are_known_and_in_order() -> None:
    words = [word for word, _ in instructions()]
    assert set(words) <= {"ARG", "FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "CMD"}
    assert words[:2] == ["ARG", "FROM"]
    assert "VOLUME" not in words  # would keep patients' data
    users = [rest for word, rest in instructions() if word == "USER"]
    assert users == ["${UID}"]
    assert int(arguments()["UID"]) > 0
    after = words[len(words) - words[::-1].index("USER") :]
    assert set(after) <= {"WORKDIR", "CMD"}  # nothing is done as root after it


def environment() -> dict[str, str]:
    """Variables of the Dockerfile's images."""
    return dict(
        word.split("=", 1)
        for kind, rest in instructions()
        if kind == "ENV"
        for word in shlex.split(rest)
    )


def test_both_run_offline() -> None:
    variables = environment()
    assert variables.items() >= OFFLINE.items()
    exports = dict(
        line.removeprefix("export ").split("=", 1)
        for line in definition("environment")
        if line.startswith("export ")
    )
    assert exports.items() >= OFFLINE.items()
    same = (variables.keys() & exports.keys()) - {"PATH"}
    assert {name: variables[name] for name in same} == {name: exports[name] for name in same}


def test_versions_are_those_of_the_constraints() -> None:
    recipe = dict(line.split("=", 1) for line in definition("arguments") if line)
    assert arguments()["TORCH"] == recipe["torch"] == f"torch=={PINS['torch']}"
    assert arguments()["TORCH_INDEX"] == recipe["torch_index"] == ""  # pip's own, else a user's
    assert arguments()["EXTRAS"] == recipe["extras"]
    for path in ("ray-cluster.yaml", "ray-job.yaml"):
        text = (FOLDER / "kubernetes" / path).read_text()
        assert f'rayVersion: "{PINS["ray"]}"' in text
    minor = re.search(r"python:(\d+\.\d+)-", arguments()["BASE"])
    assert minor is not None
    assert minor[1] in PROJECT["project"]["requires-python"]
    assert arguments()["BASE"] in (FOLDER / "voxcurate.def").read_text()


def test_extras_exist() -> None:
    text = (FOLDER / "Dockerfile").read_text() + (FOLDER / "voxcurate.def").read_text()
    lists = re.findall(r"(?i)extras=([\w,]+)", text)
    assert len(lists) >= 3
    known = set(PROJECT["project"]["optional-dependencies"])
    assert {name for each in lists for name in each.split(",")} <= known


def test_requirements_are_those_of_the_project() -> None:
    command = [sys.executable, str(FOLDER / "requirements.py"), str(ROOT / "pyproject.toml")]
    done = subprocess.run([*command, "cluster,llm"], capture_output=True, text=True, check=True)
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *extras["cluster"], *extras["llm"]]
    torch = [line for line in wanted if re.match(r"torch\b", line)]
    assert len(torch) == 1  # its build is chosen apart
    assert done.stdout.split("\n") == [line for line in wanted if line not in torch] + [""]
    wrong = subprocess.run([*command, "nothing"], capture_output=True, text=True)
    assert wrong.returncode == 1
    assert "no such extra: nothing" in wrong.stderr


def test_all_of_the_package_is_copied_and_nothing_else() -> None:
    packages = {name.partition(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]}
    files = {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "constraints.txt"}
    wanted = packages | files | {"containers/requirements.py"}
    assert copied() == wanted
    assert {line.split()[0] for line in definition("files") if line} == wanted
    assert all((ROOT / name).exists() for name in wanted)
    sources = [
        name
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    ]
    assert set(sources) <= copied() | {"."}


def test_no_file_of_the_package_is_kept_out() -> None:
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    out = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    tracked = subprocess.run(
        ["git", "ls-files", *sorted(copied())], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(tracked) > 100
    assert not [name for name in tracked if any(fnmatch(Path(name).name, each) for each in out)]


def test_the_base_image_has_what_is_asked_of_it() -> None:
    runs = " ".join(rest for word, rest in instructions() if word == "RUN")
    for name in ("wget", "procps"):  # KubeRay's probes call wget
        assert name in runs
        assert name in " ".join(definition("post"))
    assert "rm -rf /var/lib/apt/lists/*" in runs
    ast.parse((FOLDER / "requirements.py").read_text())


@pytest.mark.parametrize("path", sorted((FOLDER / "slurm").glob("*.sbatch")), ids=lambda p: p.stem)
def test_batch_scripts_are_shell(path: Path) -> None:
    subprocess.run(["bash", "-n", str(path)], check=True)
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    last = max(n for n, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert all(line.startswith("#") for line in lines[:last])  # sbatch reads no further
    assert "RAY_AUTH_TOKEN=$(" in path.read_text() or "ray " not in path.read_text()


def test_one_machine_has_no_network() -> None:
    service = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["voxcurate"]
    assert service["network_mode"] == "none"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(":" in volume for volume in service["volumes"])  # no anonymous ones


def test_keys_outlive_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that goes with its container takes along the ids of all later cases."""
    folder = environment()["XDG_CONFIG_HOME"]
    monkeypatch.setenv("XDG_CONFIG_HOME", folder)
    assert key_folder().is_relative_to(folder)
    runs = " ".join(rest for word, rest in instructions() if word == "RUN")
    assert folder not in runs.split()  # without a mount it cannot be written
    service = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["voxcurate"]
    assert folder in [volume.rpartition(":")[2] for volume in service["volumes"]]
    assert not any(folder in path for path in service["tmpfs"])
    for path in ("ray-cluster.yaml", "ray-job.yaml"):
        assert f"mountPath: {folder}}}" in (FOLDER / "kubernetes" / path).read_text()
    assert '--bind "$HOME/.config/voxcurate"' in " ".join(definition("help"))
