"""The folder that people work in: ``review/<round>/<rank>_<case>_<class>/`` and ``queue.csv``."""

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.errors import ReviewError
from voxcurate.volume import Volume

QUEUE = "queue.csv"
README = "README.txt"
REVISED = "revised.nii.gz"
VERDICTS = ("confirm", "accept", "revised", "retire", "skip")
COLUMNS = (
    "rank", "folder", "case_id", "class_id", "error_probability", "reason",
    "verdict", "reviewer", "comment",
)  # fmt: skip
GEOMETRY_MM = 0.1  # how far a corner of a revised mask may be off
INSTRUCTIONS = """\
Review of round {round}: {n} structures, the most urgent first.

Each folder holds
  ct.nii.gz         the scan
  label.nii.gz      the label in question
  candidate.nii.gz  what the models or the judge propose instead
  attention.nii.gz  where the models disagree (64 = 1.0), if there is a map
  overview.png      both at a glance; R is the patient's right
  item.json         why this structure is here, and how it should be drawn

For each structure do one of these:
  confirm   the label is right                     write "confirm" into the verdict column
  accept    the candidate is right                 write "accept"
  revised   you drew it anew                       save it as revised.nii.gz in its folder
  retire    the label is wrong, nothing better     write "retire"
  skip      leave it for another time              write "skip"
in queue.csv. The reviewer and comment columns are free; both go into every export, so write
initials, not names. A revised mask must have the geometry of ct.nii.gz: same shape, same affine,
0 outside and anything else inside.
Then run: voxcurate review import, and voxcurate round; once the round is over, voxcurate assemble.
"""


def item_folder(rank: int, case_id: str, class_id: str) -> str:
    """Name of an item's folder."""
    return f"{rank:04d}_{case_id}_{class_id}"


def overview(
    volume: Volume, label: npt.NDArray[np.bool_], candidate: npt.NDArray[np.bool_], window: str
) -> bytes:
    """Label and candidate side by side: frontal projections above, axial and coronal outlines
    (label red, candidate green) below."""
    from PIL import Image, ImageDraw

    from labeling.projections import middle_slice, projection_pngs, slice_png

    shown = projection_pngs(volume, {"label": label, "candidate": candidate}, window=window)
    masks = {"label": label, "candidate": candidate}
    colors = {"label": (255, 64, 64), "candidate": (64, 255, 64)}
    centre = label if label.any() else candidate
    slices = [
        slice_png(volume, masks, axis, middle_slice(volume, centre, axis), colors, window=window)
        for axis in ("axial", "coronal")
    ]
    tiles = [Image.open(io.BytesIO(png)) for png in (shown["label"], shown["candidate"], *slices)]
    titles = ("label", "candidate", "axial: label red, candidate green", "coronal")
    width = max(tile.width for tile in tiles)
    heights = [max(t.height for t in tiles[n : n + 2]) + 18 for n in (0, 2)]
    sheet = Image.new("RGB", (2 * width, sum(heights)))
    draw = ImageDraw.Draw(sheet)
    for n, (tile, title) in enumerate(zip(tiles, titles, strict=True)):
        x, y = (n % 2) * width, (n // 2) * heights[0]
        draw.text((x + 4, y + 3), title, fill=(255, 255, 255))
        sheet.paste(tile, (x + (width - tile.width) // 2, y + 18))
    stream = io.BytesIO()
    sheet.save(stream, format="PNG", compress_level=3)
    return stream.getvalue()


def link_or_copy(source: Path, target: Path, *, link: bool = True) -> None:
    """A hard link, or a copy where links are not possible; an existing target is replaced.

    Without `link` always a copy: whoever saves over a linked mask would change the workspace's own.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    is_linked = False
    if link:
        with suppress(OSError):
            os.link(source, temporary)
            is_linked = True
    if not is_linked:
        shutil.copyfile(source, temporary)
    temporary.replace(target)


def write_queue(folder: Path, round_number: int, items: Sequence[Mapping[str, Any]]) -> None:
    """``README.txt``, then ``queue.csv``, whose being there says that the export is whole."""
    from voxcurate.workspace import write_text

    write_text(folder / README, INSTRUCTIONS.format(round=round_number, n=len(items)))
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    for item in items:
        table.writerow([item.get(column, "") for column in COLUMNS])
    write_text(folder / QUEUE, stream.getvalue())


def read_queue(folder: Path) -> list[dict[str, str]]:
    """The rows of ``queue.csv``, as saved by any spreadsheet program.

    Raises:
        ReviewError: there is no queue, or columns are missing.
    """
    path = folder / QUEUE
    if not path.is_file():
        raise ReviewError(f"no {QUEUE} in the review folder: want the one that was exported")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ReviewError(f"{QUEUE} is not UTF-8 text; save it as CSV UTF-8") from None
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    rows = list(csv.DictReader(io.StringIO(text), delimiter=separator))
    columns = set(rows[0]) if rows else set(COLUMNS)
    missing = {"folder", "case_id", "class_id", "verdict"} - columns
    if missing:
        raise ReviewError(f"{QUEUE}: missing columns {sorted(missing)}")
    return [{str(k): (v or "").strip() for k, v in row.items() if k} for row in rows]


def read_item(folder: Path, row: Mapping[str, str]) -> dict[str, Any]:
    """``item.json`` of a row.

    Raises:
        ReviewError: it is gone or damaged, or belongs to another structure.
    """
    case_id = row["case_id"]
    try:
        item = json.loads((folder / Path(row["folder"]).name / "item.json").read_text())
    except (OSError, json.JSONDecodeError):
        raise ReviewError("item.json is gone or damaged", case_id=case_id) from None
    if not isinstance(item, dict) or (item.get("case_id"), item.get("class_id")) != (
        case_id,
        row["class_id"],
    ):
        raise ReviewError("item.json belongs to another structure", case_id=case_id)
    return item


def read_revised(path: Path, shape: Sequence[int], affine: Any, case_id: str) -> Volume:
    """A revised mask, in exactly its scan's geometry; it is never resampled.

    Raises:
        ReviewError: it cannot be read, or lies elsewhere.
    """
    from voxcurate.errors import CurationError
    from voxcurate.nifti import read_nifti

    try:
        found = read_nifti(path)
    except CurationError as error:
        raise ReviewError(f"{REVISED}: {error}", case_id=case_id) from None
    if found.shape != tuple(shape):
        raise ReviewError(
            f"{REVISED}: want shape {tuple(shape)}, found {found.shape}", case_id=case_id
        )
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)
    corners[:, :3] *= np.array(shape) - 1
    off = np.abs(corners @ (found.affine - np.asarray(affine)).T).max()
    if off > GEOMETRY_MM:
        raise ReviewError(
            f"{REVISED}: its corners lie up to {off:.1f} mm from the scan's; "
            "save it in the geometry of ct.nii.gz",
            case_id=case_id,
        )
    return found
