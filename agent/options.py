"""Options that many commands have: which workspace, JSON for programs, settings."""

from pathlib import Path
from typing import Annotated

import typer

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "-w",
        "--workspace",
        help="Workspace folder; default: $VOXCURATE_WORKSPACE, else the one around.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, as key=value; may be given again.")
]
