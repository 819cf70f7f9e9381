"""A look into some files that nobody described: masks or scans, which values, which modality."""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.ingest.masks import count_values, whole_numbers
from voxcurate.errors import CurationError
from voxcurate.readers import read_volume

MAX_LABELS = 150
MIN_ZEROS = 0.4
AIR_HU = -500  # some voxel below it, and whole numbers: a CT
MAX_EXTENSION = 1 << 20  # where the voxels begin, no label table goes on
_LABEL = re.compile(rb'<Label[^>]*\bKey="(-?\d+)"[^>]*>(?:<!\[CDATA\[)?([^\]<]+)')


@dataclass
class Seen:
    """Values of some label maps: voxels, and in how many of the files each occurs.

    Attributes:
        names: value -> name, from a table of labels within the files.
    """

    n_files: int = 0
    voxels: Counter[int] = field(default_factory=Counter)
    files: Counter[int] = field(default_factory=Counter)
    names: dict[int, str] = field(default_factory=dict)


def looks_like_mask(path: Path) -> bool:
    """Whether a volume holds few whole numbers from 0 on, mostly 0; False if it cannot be read."""
    try:
        array = whole_numbers(read_volume(path).array)
    except CurationError:
        return False
    if array.min() < 0 or int(array.max()) > np.iinfo(np.uint16).max:
        return False
    counts = count_values(array)
    return len(counts) <= MAX_LABELS and counts.get(0, 0) >= MIN_ZEROS * array.size


def see_values(paths: Sequence[Path]) -> Seen:
    """Values of label maps; files that cannot be read are passed over."""
    seen = Seen()
    for path in paths:
        try:
            counts = count_values(whole_numbers(read_volume(path).array))
        except CurationError:
            continue
        seen.n_files += 1
        seen.voxels.update(counts)
        seen.files.update(counts.keys())
        for value, name in label_table(path).items():
            seen.names.setdefault(value, name)
    return seen


def label_table(path: Path) -> dict[int, str]:
    """Value -> name from the label table that some NIfTI files carry (Caret XML); else empty."""
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_packed else path.open("rb") as stream:
            start = bytes(stream.read(MAX_EXTENSION))
    except (OSError, EOFError, zlib.error):
        return {}
    found: dict[int, str] = {}
    for value, name in _LABEL.findall(start):
        found.setdefault(int(value), name.decode("utf-8", "replace").strip())
    return found


def modality_of(paths: Sequence[Path]) -> str:
    """``"CT"`` if a readable volume holds whole numbers and air below -500; else empty."""
    for path in paths:
        try:
            array = read_volume(path, allow_nonfinite=True).array
        except CurationError:
            continue
        return "CT" if float(array.min()) < AIR_HU else ""
    return ""
