"""Reading and writing NIfTI, side by side with nibabel: ``python -m benchmarks.volume_io``.

First the results are compared, then each way is timed several times in turn and the best time of
each is shown, so that a busy machine slows all of them alike. Ratios count, absolute times do not.
"""

import argparse
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import nibabel
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter

from benchmarks.timing import best_of
from voxcurate.labelmaps import write_masks
from voxcurate.nifti import read_nifti, read_slice, write_nifti
from voxcurate.volume import Volume

AFFINE = np.diag([0.8, 0.8, 1.5, 1.0])


def phantom(shape: tuple[int, int, int]) -> tuple[Volume, Volume]:
    """A CT (int16, smooth tissue and scanner noise in air) and a label map of 24 ellipsoids."""
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, np.uint8)
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    for label in range(1, 25):
        centre, radius = (rng.uniform(*span, 3) * shape for span in ((0.25, 0.75), (0.04, 0.12)))
        labels[
            sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radius, strict=True)) <= 1
        ] = label
    tissue = gaussian_filter(rng.normal(size=shape).astype(np.float32), 2) * 600
    tissue += rng.normal(size=shape).astype(np.float32) * 12
    middle = [(n - 1) / 2 for n in shape]
    body = ((grid[0] - middle[0]) / middle[0]) ** 2 + ((grid[1] - middle[1]) / middle[1]) ** 2 < 0.8
    ct = np.where(body, tissue, -1000).astype(np.int16)
    return Volume(np.asfortranarray(ct), AFFINE), Volume(np.asfortranarray(labels), AFFINE)


def careful(path: Path) -> Any:
    """nibabel with the stored type kept, as those do who know it."""
    return np.asarray(nibabel.load(path).dataobj)


def compare(name: str, volume: Volume, folder: Path, repeats: int) -> list[tuple[Any, ...]]:
    """Rows (what, peer, its seconds, our seconds) for one volume, after checking equality."""
    theirs, ours = folder / f"{name}_nibabel.nii.gz", folder / f"{name}_ours.nii.gz"
    plane = volume.shape[2] // 2

    def save_nibabel() -> None:
        nibabel.save(nibabel.Nifti1Image(volume.array, volume.affine), theirs)

    save_nibabel()
    write_nifti(ours, volume)
    for read in (careful(ours), careful(theirs), read_nifti(ours).array, read_nifti(theirs).array):
        np.testing.assert_array_equal(read, volume.array)
    np.testing.assert_array_equal(read_slice(ours, 2, plane), volume.array[:, :, plane])

    jobs = {
        "write nibabel": save_nibabel,
        "write": lambda: write_nifti(ours, volume),
        "get_fdata": lambda: nibabel.load(theirs).get_fdata(),
        "careful": lambda: careful(theirs),
        "foreign": lambda: read_nifti(theirs),
        "read": lambda: read_nifti(ours),
        "slice nibabel": lambda: np.asarray(nibabel.load(theirs).dataobj[:, :, plane]),
        "slice": lambda: read_slice(ours, 2, plane),
    }
    s = best_of(jobs, repeats)
    sizes = ours.stat().st_size / theirs.stat().st_size
    return [
        (f"write {name} (size x{sizes:.2f})", "nibabel", s["write nibabel"], s["write"]),
        (f"read {name}, our file", "nibabel get_fdata", s["get_fdata"], s["read"]),
        (f"read {name}, our file", "nibabel, stored type", s["careful"], s["read"]),
        (f"read {name}, nibabel's file", "nibabel get_fdata", s["get_fdata"], s["foreign"]),
        (f"one slice of {name}", "nibabel dataobj", s["slice nibabel"], s["slice"]),
    ]


def masks(labels: Volume, folder: Path, repeats: int) -> list[tuple[Any, ...]]:
    """24 masks out of one label map, as a folder of segmentations holds them."""

    def with_nibabel() -> None:
        for label in range(1, 25):
            mask = (labels.array == label).astype(np.uint8)
            nibabel.save(nibabel.Nifti1Image(mask, labels.affine), folder / f"n{label}.nii.gz")

    def with_ours() -> None:
        write_masks(labels, {label: folder / f"o{label}.nii.gz" for label in range(1, 25)})

    with_nibabel()
    with_ours()
    for label in range(1, 25):
        np.testing.assert_array_equal(
            careful(folder / f"n{label}.nii.gz"), careful(folder / f"o{label}.nii.gz")
        )
    s = best_of({"nibabel": with_nibabel, "ours": with_ours}, repeats, clock=process_time)
    sizes = [sum(p.stat().st_size for p in folder.glob(f"{x}*.nii.gz")) for x in "on"]
    what = f"write 24 masks, processor time (size x{sizes[0] / sizes[1]:.2f})"
    return [(what, "nibabel loop", s["nibabel"], s["ours"])]


def main() -> None:
    """Compare, time, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 150))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    ct, labels = phantom(tuple(options.shape))
    table = Table("what", "peer", "peer ms", "ours ms", "ratio", title=f"{options.shape}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = compare("CT", ct, folder, options.repeats)
        rows += compare("labels", labels, folder, options.repeats)
        rows += masks(labels, folder, options.repeats)
    for what, peer, theirs, ours in rows:
        table.add_row(
            what, peer, f"{theirs * 1e3:.1f}", f"{ours * 1e3:.1f}", f"{theirs / ours:.1f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
