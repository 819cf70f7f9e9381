"""Options that several commands have: one spelling and one meaning for each."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Layout = Literal["auto", "masks", "maps"]  # of `voxcurate.case_files`, which commands import late

# --- which workspace, what is printed, settings

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
WorkersOption = Annotated[int, typer.Option(min=0, help="Processes; 0: one per core.")]

ClusterOption = Annotated[
    str,
    typer.Option(
        "--cluster",
        help="A shipped cluster (box, slurm, ray), one of the workspace's clusters/NAME.yaml, or a "
        "YAML file.",
    ),
]

# --- which scans and classes

CaseOption = Annotated[
    list[str] | None,
    typer.Option("--case", help="Only this scan of the workspace, by its id; may be given again."),
]
ClassOption = Annotated[
    list[str] | None,
    typer.Option("--class", help="Only this class, by any of its names; may be given again."),
]
ModalityOption = Annotated[str, typer.Option(help="The scans' modality: CT, MR ...")]
ScansArgument = Annotated[
    list[Path],
    typer.Argument(
        help="Files (NIfTI, NRRD, MetaImage, DICOM) or folders of them, case folders with "
        "ct.nii.gz, DICOM trees."
    ),
]
PathsOption = Annotated[
    bool,
    typer.Option(
        "--paths", help="Name files below a folder too; their names may identify patients."
    ),
]

# --- folders of labels and predictions that other tools wrote

PredictionsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--predictions",
        help="Folder of one model's predictions; again for each further model. Soft, one-hot or "
        "hard masks per class, or label maps; cases are matched by name.",
    ),
]
MoreFolders = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FOLDER]...", help="Further folders, after --predictions."),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels", help="Names of a label map's values: JSON or YAML, as in dataset.json."
    ),
]
LayoutOption = Annotated[
    Layout,
    typer.Option(
        "--layout",
        help="What files directly in a folder are: masks (of one case), maps (one per case), or "
        "auto.",
    ),
]

# --- the priority list

ScoreOption = Annotated[
    str,
    typer.Option(
        "--score",
        help="What ranks: share (of attended volume in itself and the organ), sum (as published, "
        "in mm3), per-ml of organ, per-slice, voxels (as released). Default: the round's, else "
        "share.",
    ),
]
CutOption = Annotated[
    str,
    typer.Option(
        "--cut",
        help="Whom to look at: top (5 %), outliers, or a number of cases. Default: the round's, "
        "else top.",
    ),
]
TopPercentOption = Annotated[
    float | None, typer.Option("--top-percent", help="Of --cut top; default: 5.", min=0, max=100)
]
