"""Self-supervision on scans as they are: spoil a patch, let the network restore it.

Two ways, mixed by shares: masked-volume reconstruction (blocks are blanked), and restoration after
Models Genesis (Zhou et al., MICCAI 2019): a non-linear intensity curve, local pixel shuffling, and
inner or outer painting. Everything happens to the network's own input, all windows alike, the
coordinates untouched; the target is the first window as it was, the loss counts changed voxels.

Where we depart from Models Genesis: pixels are shuffled in some of the cells of a random grid, not
in ten thousand windows that may overlap (a hundredth of the time), and painted boxes hold noise of
the windows' own range.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from training.config import RestorationConfig

Floats = npt.NDArray[np.float32]
Way = Literal["blocks", "genesis"]
CHANGED = 1e-3  # of a window's range (-1 to 1): less is no change
CURVE_POINTS = 256


def spoil(
    image: Floats, n_windows: int, config: RestorationConfig, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """A spoiled copy of a network's input, and where it was changed.

    Args:
        image: ``(C, I, J, K)``, the windows first, scaled to -1..1.
        n_windows: channels that are spoiled; the coordinates behind them stay.

    Returns:
        the spoiled input, and ``(1, I, J, K)``: 1 where a window was changed.
    """
    spoiled = image.copy()
    windows = spoiled[:n_windows]
    total = config.blocks + config.genesis
    if generator.random() * total < config.blocks:
        hidden = blocks(image.shape[1:], config.block, config.hidden, generator)
        windows[:, hidden] = 0.0
        return spoiled, hidden[None].astype(np.float32)
    if generator.random() < config.curve:
        _bend(windows, generator)
    if generator.random() < config.shuffle:
        _shuffle(windows, config.shuffled, generator)
    if generator.random() < config.paint:
        is_inner = generator.random() < config.inner
        (_paint_inside if is_inner else _paint_outside)(windows, generator)
    changed = (np.abs(windows - image[:n_windows]) > CHANGED).any(axis=0)
    return spoiled, changed[None].astype(np.float32)


def blocks(
    shape: Sequence[int], side: int, share: float, generator: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Cubes of `side` voxels, each hidden with probability `share`."""
    coarse = generator.random([-(-n // side) for n in shape]) < share
    fine = coarse.repeat(side, 0).repeat(side, 1).repeat(side, 2)
    hidden: npt.NDArray[np.bool_] = fine[: shape[0], : shape[1], : shape[2]]
    return hidden


def curve(generator: np.random.Generator) -> Floats:
    """A monotonic cubic Bezier curve over -1..1, falling half of the time: `CURVE_POINTS`."""
    inner = generator.uniform(-1, 1, (2, 2))
    points = np.array([[-1.0, -1.0], *inner, [1.0, 1.0]])
    t = np.linspace(0, 1, 4 * CURVE_POINTS)[:, None]
    x, y = (
        (1 - t) ** 3 * points[0]
        + 3 * (1 - t) ** 2 * t * points[1]
        + 3 * (1 - t) * t**2 * points[2]
        + t**3 * points[3]
    ).T
    even = np.linspace(-1, 1, CURVE_POINTS)
    table: Floats = np.interp(even, np.sort(x), np.sort(y)).astype(np.float32)
    return table if generator.random() < 0.5 else np.negative(table)


def _bend(windows: Floats, generator: np.random.Generator) -> None:
    """The same curve for every window."""
    table = curve(generator)
    place = (windows + 1) * np.float32((CURVE_POINTS - 1) / 2)
    np.rint(place, out=place)
    windows[...] = table[np.clip(place, 0, CURVE_POINTS - 1).astype(np.intp)]


def _shuffle(windows: Floats, share: float, generator: np.random.Generator) -> None:
    """Swap the voxels within some cells of a grid of random cell size and offset."""
    shape = np.array(windows.shape[1:])
    sides = [int(generator.integers(2, max(3, n // 10 + 2))) for n in shape]
    start = [int(generator.integers(0, side)) for side in sides]
    counts = [(n - s) // side for n, s, side in zip(shape, start, sides, strict=True)]
    if min(counts) < 1:
        return
    inside = tuple(slice(s, s + n * side) for s, n, side in zip(start, counts, sides, strict=True))
    (a, b, c), (x, y, z) = counts, sides
    view = windows[:, *inside].reshape(-1, a, x, b, y, c, z)
    cells = view.transpose(1, 3, 5, 2, 4, 6, 0).reshape(a * b * c, x * y * z, -1)
    chosen = np.flatnonzero(generator.random(len(cells)) < share)
    order = generator.random((len(chosen), x * y * z)).argsort(axis=1)
    cells[chosen] = np.take_along_axis(cells[chosen], order[..., None], axis=1)
    back = cells.reshape(a, b, c, x, y, z, -1).transpose(6, 0, 3, 1, 4, 2, 5)
    windows[:, *inside] = back.reshape(windows[:, *inside].shape)


def _paint_inside(windows: Floats, generator: np.random.Generator) -> None:
    """Up to five boxes of a sixth to a third of a side, each of noise."""
    for _ in range(5):
        box = _box(windows.shape[1:], (1 / 6, 1 / 3), generator)
        shape = windows[:, *box].shape[1:]
        windows[:, *box] = generator.uniform(-1, 1, shape)
        if generator.random() < 0.05:
            return


def _paint_outside(windows: Floats, generator: np.random.Generator) -> None:
    """Noise everywhere but in up to four boxes of about half a side."""
    kept = np.zeros(windows.shape[1:], dtype=bool)
    for _ in range(4):
        kept[_box(kept.shape, (3 / 7, 4 / 7), generator)] = True
        if generator.random() < 0.05:
            break
    noise = generator.uniform(-1, 1, kept.shape).astype(np.float32)
    windows[...] = np.where(kept, windows, noise)


def _box(
    shape: Sequence[int], share: tuple[float, float], generator: np.random.Generator
) -> tuple[slice, ...]:
    box = []
    for n in shape:
        side = max(1, round(n * generator.uniform(*share)))
        start = int(generator.integers(0, n - side + 1))
        box.append(slice(start, start + side))
    return tuple(box)
