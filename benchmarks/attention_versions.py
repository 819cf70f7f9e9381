"""Do the changed structures lead the list? ``python -m benchmarks.attention_versions``.

Two labellings of one CT go through ``voxcurate attention`` as two models. Real: the labels that two
versions of TotalSegmentator gave the same CT; changed is a structure whose DSC between the two is
below 0.9. One label map is read twice: by its numbers, and by the names in its own header, which
call some ribs by other numbers than its voxels do. Planted: the newer labels, all borders frayed a
little, and six structures shifted, swollen, halved, taken away, made patchy or split up; twenty
times. Beside every figure stands a random order. Exit status 1 if by the default score a structure
that really changed stands behind one that did not, or fewer than 90 % of the first six are planted
ones.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import nibabel
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from labeling.attention.batch import attend_folders
from labeling.attention.evaluation import ranking
from labeling.attention.scores import ClassScore
from labeling.config import PriorityConfig, Score
from voxcurate.case_files import CaseFiles
from voxcurate.classes import load_vocabulary
from voxcurate.metrics import dsc

KINDS: tuple[Score, ...] = get_args(Score)
DEFAULT = PriorityConfig().score
SPLIT = "example_seg_fast_force_split.nii.gz"
OLD_SPLIT = "versions/force_split_2023-08-29_6527046.nii.gz"
PAIRS = (  # older, newer, each read by the names in its own header (else by the newer's)
    ("versions/example_seg_2023-08-29_d2907f6.nii.gz", "example_seg.nii.gz", True),
    (OLD_SPLIT, SPLIT, False),
    (OLD_SPLIT, SPLIT, True),
)
N_PLANTED, TRIALS = 6, 20
FRAY = 0.15  # share of the border voxels that change sides
CHANGED = 0.1  # 1 - DSC
LEAST_VOXELS = 40  # of a structure that is changed
Labels = npt.NDArray[np.uint8]


Labelling = tuple[Path, Mapping[int, str]]  # a label map and what its labels are called


def attend(older: Labelling, newer: Labelling) -> dict[str, ClassScore]:
    """Scores of every structure, as the command gives them."""
    models = {
        model: {"ct": CaseFiles("ct", label_map=path, names=names)}
        for model, (path, names) in (("older", older), ("newer", newer))
    }
    with tempfile.TemporaryDirectory() as out:
        found = attend_folders(models, load_vocabulary(), Path(out))
    if found.failed:
        raise SystemExit(str(dict(found.failed)))
    return dict(found.scores["ct"])


def names_of(path: Path) -> dict[int, str]:
    """What TotalSegmentator writes into the header: label to name."""
    text = b"".join(e.get_content() for e in nibabel.load(path).header.extensions)
    pattern = rb'<Label Key="(\d+)"[^>]*><!\[CDATA\[([^\]]+)\]'
    return {int(key): name.decode() for key, name in re.findall(pattern, text)}


def in_order(scores: Mapping[str, ClassScore], kind: Score) -> list[str]:
    """Structures as the list has them."""
    return sorted(scores, key=lambda c: (-scores[c].score(kind), c))


def real(folder: Path, console: Console) -> bool:
    """Both pairs of versions; whether the default score keeps the order of the change."""
    is_good = True
    for older, newer, own_names in PAIRS:
        paths = folder / older, folder / newer
        pair = [(path, names_of(path if own_names else paths[1])) for path in paths]
        scores = attend(pair[0], pair[1])
        one, two = (_masks(*labelling) for labelling in pair)
        change = {c: 1 - dsc(one[c], two[c]) for c in scores}
        change = {c: value for c, value in change.items() if np.isfinite(value)}
        changed = {c for c, value in change.items() if value > CHANGED}
        title = f"{Path(older).name} and {newer}" + (", names of each header" if own_names else "")
        table = Table("rank", "structure", DEFAULT, "1 - DSC", "rank of the change", title=title)
        order = in_order({c: scores[c] for c in change}, DEFAULT)
        falling = sorted(change, key=lambda c: -change[c])
        for n, name in enumerate(order[:8], 1):
            share = f"{scores[name].score(DEFAULT):.4f}"
            place = str(falling.index(name) + 1)
            table.add_row(str(n), name, share, f"{change[name]:.4f}", place)
        console.print(table)
        title = f"{len(changed)} of {len(change)} structures changed (DSC below {1 - CHANGED})"
        table = Table("score", "changed among so many first", "rank correlation", title=title)
        for kind in KINDS:
            first = in_order({c: scores[c] for c in change}, kind)[: len(changed)]
            led = len(changed & set(first))
            rho = spearman([scores[c].score(kind) for c in change], list(change.values()))
            table.add_row(kind, f"{led} of {len(changed)}", f"{rho:.3f}")
            is_good &= kind != DEFAULT or led == len(changed)
        chance = len(changed) ** 2 / len(change)
        table.add_row("random order", f"{chance:.1f} of {len(changed)}", "0")
        console.print(table)
    return is_good


def _masks(path: Path, names: Mapping[int, str]) -> dict[str, npt.NDArray[np.bool_]]:
    labels = np.asarray(nibabel.load(path).dataobj)
    return {name: labels == n for n, name in names.items()}


def spearman(one: list[float], two: list[float]) -> float:
    """Rank correlation."""
    return float(ranking(one, two).spearman or 0.0)


def planted(folder: Path, console: Console) -> bool:
    """Changes planted into frayed labels; whether they lead the list."""
    path = folder / SPLIT
    image: Any = nibabel.load(path)
    labels = np.asarray(image.dataobj).astype(np.uint8)
    sizes = np.bincount(labels.ravel())
    large = [n for n in range(1, len(sizes)) if sizes[n] >= LEAST_VOXELS]
    hits: dict[str, list[float]] = {kind: [] for kind in KINDS}
    by_change: dict[str, list[bool]] = {name: [] for name in CHANGES}
    n_structures = 0
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "changed.nii.gz"
        for trial in range(TRIALS):
            generator = np.random.default_rng(trial)
            chosen = [int(n) for n in generator.choice(large, N_PLANTED, replace=False)]
            changed = frayed(labels, generator)
            for n, change in zip(chosen, CHANGES.values(), strict=True):
                changed = change(changed, n, generator)
            nibabel.save(nibabel.Nifti1Image(changed, image.affine), target)
            names = {n: str(n) for n in large}
            scores = attend((path, names), (target, names))
            n_structures = len(scores)
            for kind in KINDS:
                first = in_order(scores, kind)[:N_PLANTED]
                hits[kind].append(sum(str(n) in first for n in chosen) / N_PLANTED)
                if kind == DEFAULT:
                    for n, what in zip(chosen, CHANGES, strict=True):
                        by_change[what].append(str(n) in first)
    title = f"{N_PLANTED} of {n_structures} structures changed, all frayed; {TRIALS} trials"
    table = Table("score", "planted among the first six", title=title)
    for way, values in hits.items():
        table.add_row(way, f"{np.mean(values):.3f} ± {np.std(values):.3f}")
    table.add_row("random order", f"{N_PLANTED / n_structures:.3f}")
    console.print(table)
    words = ", ".join(f"{what} {np.mean(found):.2f}" for what, found in by_change.items())
    console.print(f"by kind of change ({DEFAULT}): {words}")
    return bool(np.mean(hits[DEFAULT]) >= 0.9)


def frayed(labels: Labels, generator: np.random.Generator) -> Labels:
    """Some voxels at borders take the label of a neighbour."""
    axis, step = int(generator.integers(3)), int(generator.choice([-1, 1]))
    neighbour = np.roll(labels, step, axis)
    moves = (neighbour != labels) & (generator.random(labels.shape) < FRAY)
    return np.where(moves, neighbour, labels)


def _shift(labels: Labels, n: int, generator: np.random.Generator) -> Labels:
    """By two voxels along an axis."""
    mask = labels == n
    moved = np.roll(mask, 2 * int(generator.choice([-1, 1])), int(generator.integers(3)))
    return _set(np.where(mask, 0, labels), moved, n)


def _swell(labels: Labels, n: int, _: np.random.Generator) -> Labels:
    return _set(labels, ndimage.binary_dilation(labels == n), n)


def _halve(labels: Labels, n: int, _: np.random.Generator) -> Labels:
    mask = labels == n
    cut = mask.copy()
    cut[..., : int(np.median(np.nonzero(mask)[2]))] = False
    return np.where(mask & ~cut, 0, labels).astype(np.uint8)


def _remove(labels: Labels, n: int, _: np.random.Generator) -> Labels:
    return np.where(labels == n, 0, labels).astype(np.uint8)


def _give(labels: Labels, n: int, generator: np.random.Generator) -> Labels:
    """Half of it, at random blobs, becomes background (a patchy label)."""
    noise = ndimage.gaussian_filter(generator.normal(size=labels.shape), 1.5)
    mask = labels == n
    return np.where(mask & (noise > np.median(noise[mask])), 0, labels).astype(np.uint8)


def _blob(labels: Labels, n: int, generator: np.random.Generator) -> Labels:
    """A ball of half its volume elsewhere."""
    radius = max(1.0, (0.5 * int((labels == n).sum()) * 3 / (4 * np.pi)) ** (1 / 3))
    centre = [int(generator.integers(side)) for side in labels.shape]
    grid = np.ogrid[tuple(slice(0, side) for side in labels.shape)]
    ball = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2
    return _set(labels, np.asarray(ball), n)


def _set(labels: Any, mask: npt.NDArray[np.bool_], n: int) -> Labels:
    """On background only, so that no other structure changes."""
    return np.where(mask & ((labels == 0) | (labels == n)), n, labels).astype(np.uint8)


CHANGES: dict[str, Callable[[Labels, int, np.random.Generator], Labels]] = {
    "shifted": _shift,
    "swollen": _swell,
    "halved": _halve,
    "removed": _remove,
    "patchy": _give,
    "extra blob": _blob,
}


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("VOXCURATE_DATA", "../shared/data")) / "totalsegmentator_ct"
    parser.add_argument("--data", type=Path, default=default)
    given = parser.parse_args()
    console = Console(width=120)
    is_good = real(given.data, console)
    is_good &= planted(given.data, console)
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main())
