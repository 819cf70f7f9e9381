"""Labels that speak about a part of the scan only: what is compared and mended is inside it.

Outside its `known` mask nothing is said of a label, so nothing there may decide or change: each
candidate gets the label's own voxels there, and a version that takes the label's place speaks
about the same part.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeling.structures import Structure, dice
from voxcurate.volume import Volume


def read_known(payload: Mapping[str, Any], volume: Volume) -> dict[str, Structure]:
    """Class to where its label speaks; a class that is not there speaks everywhere.

    Args:
        payload: `root` and `labels` (`labeling.expert.detect.label_entry`).
        volume: the scan.
    """
    from voxcurate.labels import read_mask

    root = Path(payload["root"])
    return {
        c: Structure.of(c, read_mask(root, entry["known"], volume.shape), volume.affine)
        for c, entry in payload["labels"].items()
        if "known" in entry
    }


def spoken(s: Structure, known: Structure | None) -> Structure:
    """What of a structure lies where a label speaks; all of it where it speaks everywhere."""
    return s if known is None else s.part(s.mask & known.within(s.box))


def merged(candidate: Structure, label: Structure, known: Structure | None) -> Structure:
    """A candidate for a label: where that speaks the candidate, elsewhere the label."""
    if known is None:
        return candidate
    rest = label.part(label.mask & ~known.within(label.box))
    return spoken(candidate, known).joined(rest)


def candidates_of(
    entries: Sequence[tuple[str, Structure]], known: Structure | None, always: Sequence[str]
) -> list[tuple[str, Structure]]:
    """Named candidates, the first the label, merged with it; those that change nothing where it
    speaks are left out, but for `always`."""
    if known is None:
        return list(entries)
    label = entries[0][1]
    found = [entries[0]]
    for name, s in entries[1:]:
        made = merged(s, label, known)
        if name in always or not _is_same(made, label):
            found.append((name, made))
    return found


def agreement(a: Structure, b: Structure, known: Structure | None) -> float | None:
    """The Dice of two candidates where the label speaks; None if both are empty there."""
    return dice(spoken(a, known), spoken(b, known))


def _is_same(a: Structure, b: Structure) -> bool:
    return a.voxels == b.voxels and bool(np.array_equal(a.within(b.box), b.mask))
