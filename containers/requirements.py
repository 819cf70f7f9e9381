"""Print what pip installs for some extras: ``python requirements.py PYPROJECT cluster,llm``.

The libraries are a layer of their own, without our code, so that a change of ours is a small layer.
"""

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: Path, extras: list[str]) -> list[str]:
    """The dependencies, and those of extras; torch is left out: its build is chosen apart.

    Raises:
        SystemExit: there is no such extra.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    known = project["optional-dependencies"]
    if missing := sorted(set(extras) - set(known)):
        sys.exit(f"no such extra: {', '.join(missing)}; there are: {', '.join(sorted(known))}")
    found = [*project["dependencies"], *(line for name in extras for line in known[name])]
    return [line for line in found if not line.startswith("torch>")]


if __name__ == "__main__":
    names = [name for name in sys.argv[2].split(",") if name]
    sys.stdout.write("\n".join(requirements(Path(sys.argv[1]), names)) + "\n")
