"""What the shell of a job does wherever it is started: surroundings, then it becomes python."""

import re
import shlex
import sys
from pathlib import Path

from voxcurate.errors import ConfigError
from voxcurate.executors.cluster import ClusterConfig
from voxcurate.executors.launchers import JobSpec

# a python that is not there would end job after job without a word that the driver hears
STARTS = """\
starts() {
  command -v -- "$1" > /dev/null 2>&1 && return
  echo "no program $1 on $(hostname)" >&2
  echo '{"ended": {"why": "refused", "kind": "python is not there"}}' > "$signs"
  exit 127
}"""


def python_of(cluster: ClusterConfig) -> str:
    """Words of a shell: a container may be put before it, and variables are expanded."""
    return cluster.python or shlex.quote(sys.executable)


def surroundings(cluster: ClusterConfig) -> list[str]:
    """Lines before a job; the environment counts over what the setup did.

    Raises:
        ConfigError: the environment has a name that is none.
    """
    for name in cluster.environment:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ConfigError(f"want a variable's name in `environment`, found {name!r}")
    return [
        *cluster.setup,
        *(f"export {name}={shlex.quote(value)}" for name, value in cluster.environment.items()),
    ]


def begin(cluster: ClusterConfig, job: JobSpec) -> list[str]:
    """Lines that become a job's process, so that notices reach that."""
    return [f"signs={quoted(job.signs)}", *become(cluster, shlex.join(job.command))]


def become(cluster: ClusterConfig, words: str) -> list[str]:
    """The same for words as a shell reads them, where ``$signs`` is set already."""
    python = python_of(cluster)
    return [STARTS, f"starts {python}", f"exec {python} {words}"]


def quoted(path: Path) -> str:
    """A path as a shell reads it."""
    return shlex.quote(str(path.absolute()))
