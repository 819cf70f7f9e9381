"""How often the scan checks find planted damage, and what they say of undamaged scans.

Run: ``python -m benchmarks.checks --data ../shared/data --half measure``. The limits in
`cleaning.check.config.CheckConfig` were set on the half called ``tune`` (every second scan).
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check.rules import check
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

PATTERNS = (
    "openkbp_ct/*/ct.nii.gz",
    "sts_ct/*/CT_image.nii.gz",
    "totalsegmentator_ct/example_ct*.nii.gz",
    "ct_no_mask_3mm/*.nii.gz",
)
Image = npt.NDArray[Any]
Rng = np.random.Generator


def _planes(share: float, how: str) -> Callable[[Image, Rng], Image]:
    def damage(image: Image, rng: Rng) -> Image:
        result = image.copy()
        body = np.flatnonzero((image > -300).mean(axis=(0, 1)) > 0.01)
        n = max(1, round(share * body.size))
        start = int(rng.integers(body.size // 4, max(body.size // 4 + 1, body.size - n - 1)))
        chosen = body[start : start + n]
        if how == "empty":
            result[:, :, chosen] = -1024
        elif how == "repeat":
            result[:, :, chosen] = image[:, :, body[start - 1], None]
        else:
            result[:, :, body] = image[:, :, rng.permutation(body)]
        return result

    return damage


def _window(low: float, high: float, top: float | None = None) -> Callable[[Image, Rng], Image]:
    def damage(image: Image, rng: Rng) -> Image:
        clipped = np.clip(image, low, high)
        return clipped if top is None else np.rint((clipped - low) / (high - low) * top)

    return damage


DAMAGE: dict[str, tuple[str, Callable[[Image, Rng], Image]]] = {
    "empty slab 20 %": ("reject", _planes(0.2, "empty")),
    "empty slice": ("suspect", _planes(0.0, "empty")),
    "repeated slab 30 %": ("reject", _planes(0.3, "repeat")),
    "repeated slice": ("suspect", _planes(0.0, "repeat")),
    "shuffled slices": ("reject", _planes(1.0, "shuffle")),
    "offset +1024": ("reject", lambda x, r: x + 1024),
    "offset +1000": ("reject", lambda x, r: x + 1000),
    "offset -1024": ("reject", lambda x, r: x - 1024),
    "unsigned wrap": ("reject", lambda x, r: np.where(x < 0, x + 65536, x)),
    "inverted": ("reject", lambda x, r: -x),
    "slope x 10": ("reject", lambda x, r: x * 10),
    "slope / 10": ("reject", lambda x, r: x / 10),
    "8 bits": ("reject", _window(-160, 240, 255)),
    "8 bits, wide": ("reject", _window(-1000, 1000, 255)),
    "0 to 1": ("reject", lambda x, r: (x - x.min()) / np.ptp(x)),
    "z-score": ("reject", lambda x, r: (x - x.mean()) / x.std()),
    "clipped -160..240": ("suspect", _window(-160, 240)),
    "clipped -1000..400": ("suspect", _window(-1000, 400)),
    "NaN block": ("reject", lambda x, r: np.where(np.indices(x.shape)[2] == 5, np.nan, x)),
    "constant": ("reject", lambda x, r: np.full_like(x, -1000)),
    "white noise": ("reject", lambda x, r: r.uniform(-1000, 1500, x.shape)),
    "noise 350 HU": ("reject", lambda x, r: x + r.normal(0, 350, x.shape)),
    "noise 180 HU": ("suspect", lambda x, r: x + r.normal(0, 180, x.shape)),
    "air alone": ("reject", lambda x, r: r.normal(-1000, 12, x.shape)),
}


def main() -> int:
    """Print recall per kind of damage as JSON; exit 1 if an undamaged scan is rejected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--half", choices=("tune", "measure", "all"), default="measure")
    parser.add_argument("--every", type=int, default=1, help="take every n-th scan of the half")
    given = parser.parse_args()
    paths = sorted(path for pattern in PATTERNS for path in given.data.glob(pattern))
    half = {"tune": paths[::2], "measure": paths[1::2], "all": paths}[given.half]
    found: dict[str, Counter[str]] = defaultdict(Counter)
    clean: Counter[str] = Counter()
    for number, path in enumerate(half[:: given.every]):
        volume = read_nifti(path)
        clean[check(volume).verdict] += 1
        for kind, wanted, verdict, codes in _damaged(volume, number):
            found[kind][_mark(wanted, verdict)] += 1
            found[kind].update(codes)
    result = {"half": given.half, "clean": clean, "damage": found}
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return int(clean["reject"] > 0)


def _damaged(volume: Volume, seed: int) -> Iterator[tuple[str, str, str, list[str]]]:
    image = volume.array.astype(np.float32)
    for kind, (wanted, damage) in DAMAGE.items():
        damaged = damage(image, np.random.default_rng(seed)).astype(np.float32)
        result = check(volume.with_array(damaged))
        yield kind, wanted, result.verdict, [reason.code for reason in result.reasons]
    for kind, factor in (("spacing in metres", 1e-3), ("spacing x 20", 20.0)):
        affine = volume.affine @ np.diag([factor, factor, factor, 1])
        result = check(Volume(volume.array, affine))
        yield kind, "reject", result.verdict, [reason.code for reason in result.reasons]


def _mark(wanted: str, verdict: str) -> str:
    if verdict == "pass":
        return "MISSED"
    return "found" if verdict == wanted or wanted == "suspect" else "FOUND ONLY AS SUSPECT"


if __name__ == "__main__":
    raise SystemExit(main())
