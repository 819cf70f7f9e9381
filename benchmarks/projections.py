"""Projections of one scan with all its classes, beside the obvious code: a class at a time.

Run: ``python -m benchmarks.projections [--shape 512 512 300] [--classes 24] [--repeats 2]``. The
scan and its masks are in memory on both sides. The peers draw the same pictures with numpy and PIL
and are compared with ours pixel for pixel first: *per class* is what one writes for one label and
calls for each (window, sum, overlay, PNG as PIL writes it); *scan once* is the same with the scan's
own projection kept, and with our PNG encoder, so that only the sweeps differ. Resizing and palette
are shared. Exit status 1 if the slowest of our ways is not 8 times faster than *per class*.
"""

import argparse
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.timing import best_of
from benchmarks.volume_io import phantom
from labeling.projections import WINDOWS, Look, ScanPictures, canonical
from labeling.projections.painting import PALETTE, painted
from labeling.projections.png import png
from labeling.projections.views import Placing, resized, resized_mask
from labeling.structures import Structure
from voxcurate.volume import Volume

LIMIT = 8.0
LETTERS = "RLSI"
Masks = dict[str, npt.NDArray[np.bool_]]


def peer_grey(volume: Volume, window: str) -> npt.NDArray[np.uint8]:
    """The scan seen from the front, by numpy and PIL."""
    low, high = WINDOWS[window]
    scaled = (np.clip(canonical(volume.array, volume), low, high) - low) / (high - low)
    plane = scaled.sum(axis=1, dtype=np.float64)[::-1, ::-1].T
    return resized(plane / plane.max() * 255, _size(volume))


def peer_under(volume: Volume, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The mask seen from the front, by numpy and PIL."""
    plane = np.asarray(canonical(mask, volume).any(axis=1))[::-1, ::-1].T
    return resized_mask(plane, _size(volume))


def per_class(volume: Volume, masks: Masks, window: str) -> dict[str, bytes]:
    """The obvious code: all of it for every class."""
    found = {}
    for name, mask in masks.items():
        grey = peer_grey(volume, window)
        indices = painted(grey, peer_under(volume, mask), "tinted", LETTERS)
        image = Image.fromarray(indices, mode="P")
        image.putpalette(PALETTE.tobytes())
        stream = io.BytesIO()
        image.save(stream, format="PNG")
        found[name] = stream.getvalue()
    return found


def scan_once(volume: Volume, masks: Masks, window: str) -> dict[str, bytes]:
    """The same, the scan projected once, with our encoder."""
    grey = peer_grey(volume, window)
    return {
        name: png(painted(grey, peer_under(volume, mask), "tinted", LETTERS), PALETTE)
        for name, mask in masks.items()
    }


def ours(volume: Volume, masks: Any, window: str) -> dict[str, bytes]:
    """Arrays or structures, one by one."""
    pictures = ScanPictures(volume, windows=(window,))
    look = Look(window)
    return {name: pictures.png(look, pictures.shadow(mask)) for name, mask in masks.items()}


def ours_map(
    volume: Volume, labels: npt.NDArray[Any], names: dict[int, str], window: str
) -> dict[str, bytes]:
    """All classes of a label map in one sweep."""
    pictures = ScanPictures(volume, windows=(window,))
    shadows = pictures.shadows(labels, names)
    return {name: pictures.png(Look(window), shadow) for name, shadow in shadows.items()}


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", type=int, nargs=3, default=[512, 512, 300])
    parser.add_argument("--classes", type=int, default=24, choices=range(1, 25))
    parser.add_argument("--window", default="bone")
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    volume, label_volume = phantom(tuple(given.shape))
    volume = Volume(np.asfortranarray(volume.array), volume.affine)  # as files are read
    labels = np.asfortranarray(label_volume.array)
    names = {n: f"class{n:02d}" for n in range(1, given.classes + 1)}
    masks: Masks = {name: labels == n for n, name in names.items()}
    structures = {name: Structure.of(name, mask, volume.affine) for name, mask in masks.items()}
    jobs: dict[str, Callable[[], dict[str, bytes]]] = {
        "per class": lambda: per_class(volume, masks, given.window),
        "scan once": lambda: scan_once(volume, masks, given.window),
        "ours, arrays": lambda: ours(volume, masks, given.window),
        "ours, label map": lambda: ours_map(volume, labels, names, given.window),
        "ours, structures": lambda: ours(volume, structures, given.window),
    }
    _compare(
        {name: job() for name, job in jobs.items() if name != "per class"},
        volume,
        masks,
        given.window,
    )
    seconds = best_of(jobs, given.repeats)
    table = Table(title=f"{given.shape}, {given.classes} classes, window {given.window}")
    for column in ("way", "seconds", "faster than per class", "than scan once"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for name, own in seconds.items():
        ratios = [seconds[peer] / own for peer in ("per class", "scan once")]
        table.add_row(name, f"{own:.2f}", *(f"{ratio:.1f}" for ratio in ratios))
    Console().print(table)
    worst = max(own for name, own in seconds.items() if name.startswith("ours"))
    faster = seconds["per class"] / worst
    Console().print(f"slowest of ours: {faster:.1f} times, limit {LIMIT:g}")
    return int(faster < LIMIT)


def _compare(made: dict[str, dict[str, bytes]], volume: Volume, masks: Masks, window: str) -> None:
    """Same pictures, pixel for pixel; of the slowest peer, the first class."""
    first = dict(list(masks.items())[:1])
    made = {"per class": per_class(volume, first, window), **made} if first else made
    wanted = made["scan once"]
    for way, pictures in made.items():
        for name, data in pictures.items():
            one, other = (
                np.asarray(Image.open(io.BytesIO(x)).convert("RGB")) for x in (data, wanted[name])
            )
            if not np.array_equal(one, other):
                raise SystemExit(f"{way}: another picture of {name}")
    size = sum(map(len, wanted.values())) / len(wanted) / 1000
    Console().print(f"same pictures on all sides; {size:.0f} kB each")


def _size(volume: Volume) -> tuple[int, int]:
    return Placing.of(volume.affine, volume.shape).size(1, 512)


if __name__ == "__main__":
    raise SystemExit(main())
