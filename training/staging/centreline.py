"""The course of a vessel: paths along its middle, in world millimetres.

The vessel is cut into layers by the way one has to go inside it from its end (geodesic distance);
the middles of the connected pieces of the layers are the nodes of a tree, which forks where the
vessel does. Thinning to a skeleton would follow every bump of the wall.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxcurate.masks import Bools, components

Points = npt.NDArray[np.float64]
LAYER = 1.5  # thickness of a layer in voxels of the grid
SPUR = 1.3  # a branch shorter than so many radii is a bump of the wall
CORNER = 1.3  # radii at an end where layers lie aslant
SMOOTH = 1.0  # radii over which places and directions are averaged, to either side


@dataclass(frozen=True, eq=False)
class Path:
    """A stretch of a vessel's middle.

    Attributes:
        points: ``(n, 3)`` mm, evenly spaced.
        directions: unit vectors along it, ``(n, 3)``.
        radius_mm: typical half width.
        is_open: whether its first and last point are ends of the vessel's mask, rather than a fork.
        tips: where the mask ends beyond the first and last point, ``(2, 3)`` mm.
    """

    points: Points
    directions: Points
    radius_mm: float
    is_open: tuple[bool, bool]
    tips: Points


def paths_of(mask: Bools, origin: Points, grid_mm: float, *, step_mm: float) -> list[Path]:
    """The paths of all pieces of a vessel.

    Args:
        mask: bool on a grid along the world's axes.
        origin: world place of voxel 0, ``(3,)``.
        grid_mm: its spacing.
        step_mm: distance of the points of a path.

    Returns:
        None of what is no tube: shorter than it is wide.
    """
    numbers, n = components(mask)
    found: list[Path] = []
    for number in range(1, n + 1):
        voxels = np.argwhere(numbers == number)
        if len(voxels) >= 8:
            found += _paths(voxels, origin, grid_mm, step_mm)
    return found


def _paths(
    voxels: npt.NDArray[np.int64], origin: Points, grid_mm: float, step_mm: float
) -> list[Path]:
    radius = _radius(voxels) * grid_mm
    away = _away_from_end(voxels)
    nodes, parent, level = _tree(voxels, away)
    chains = _chains(parent, level, nodes, SPUR * radius / grid_mm)
    result = []
    for chain, is_open in chains:
        line = nodes[chain]
        ends = _ends(voxels, away, line, chain[0] == 0)
        tips = ends * grid_mm + origin
        made = _smooth(
            _straight_ends(line * grid_mm + origin, tips, is_open, radius), radius, step_mm
        )
        if made is not None:
            result.append(Path(*made, radius, is_open, tips))
    return result


def _radius(voxels: npt.NDArray[np.int64]) -> float:
    """Typical half width in voxels: of a tube the mean depth is a third of its radius."""
    from scipy.ndimage import distance_transform_edt

    low = voxels.min(0)
    box = np.zeros(np.ptp(voxels, axis=0) + 3, bool)
    box[tuple((voxels - low + 1).T)] = True
    depth = distance_transform_edt(box)[box]
    return float(max(1.0, 3 * (depth.mean() - 0.5)))


def _away_from_end(voxels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Way inside the vessel from its farthest end, in voxels, of every voxel."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    low = voxels.min(0)
    shape = np.ptp(voxels, axis=0) + 3
    place = np.full(shape, -1, np.int64)
    inner = voxels - low + 1
    place[tuple(inner.T)] = np.arange(len(voxels))
    steps = [s for s in np.ndindex(3, 3, 3) if s > (1, 1, 1)]
    rows, columns, lengths = [], [], []
    for step in np.array(steps) - 1:
        to = place[tuple((inner + step).T)]
        there = to >= 0
        rows.append(np.flatnonzero(there))
        columns.append(to[there])
        lengths.append(np.full(there.sum(), np.linalg.norm(step)))
    graph = coo_array(
        (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))),
        shape=(len(voxels), len(voxels)),
    ).tocsr()
    first = dijkstra(graph, directed=False, indices=0)
    end = int(np.argmax(np.where(np.isfinite(first), first, -1)))
    return np.asarray(dijkstra(graph, directed=False, indices=end))


def _tree(
    voxels: npt.NDArray[np.int64], away: npt.NDArray[np.float64]
) -> tuple[Points, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Middles of the layers' pieces ``(n, 3)`` in voxels, the piece before each, its layer; the
    first is the root."""
    import cc3d

    low = voxels.min(0)
    layer = (away // LAYER).astype(np.int64)
    labels = np.zeros(np.ptp(voxels, axis=0) + 1, np.uint32)
    inner = tuple((voxels - low).T)
    labels[inner] = layer + 1
    pieces, n = components(labels)
    number = pieces[inner].astype(np.int64) - 1
    counts = np.bincount(number, minlength=n)
    middles = np.stack(
        [np.bincount(number, voxels[:, axis], minlength=n) / counts for axis in range(3)], axis=1
    )
    level = np.zeros(n, np.int64)
    level[number] = layer
    order = np.argsort(level, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    parent = np.full(n, -1, np.int64)
    best = np.zeros(n)
    for (a, b), area in cc3d.contacts(np.ascontiguousarray(pieces)).items():
        one, two = sorted((int(a) - 1, int(b) - 1), key=lambda i: level[i])
        if level[two] == level[one] + 1 and area > best[two]:
            best[two] = area
            parent[two] = one
    parent = np.where(parent >= 0, rank[parent], -1)[order]
    return middles[order], parent, level[order]


def _chains(
    parent: npt.NDArray[np.int64],
    level: npt.NDArray[np.int64],
    nodes: Points,
    least: float,
) -> list[tuple[list[int], tuple[bool, bool]]]:
    """Node lists from the longest on; a branch begins at its fork and is left out if short."""
    leaves = sorted(set(range(len(parent))) - set(parent.tolist()), key=lambda i: -level[i])
    taken: set[int] = set()
    found: list[tuple[list[int], tuple[bool, bool]]] = []
    for leaf in leaves:
        chain, node = [], leaf
        while node >= 0 and node not in taken:
            chain.append(node)
            node = int(parent[node])
        is_main = not found
        length = (level[chain[0]] - level[chain[-1]]) * LAYER if chain else 0
        if not chain or (not is_main and length < least):
            continue
        taken |= set(chain)
        if node >= 0:
            chain.append(node)
        found.append((chain[::-1], (node < 0, True)))
    return found


def _ends(
    voxels: npt.NDArray[np.int64], away: npt.NDArray[np.float64], line: Points, is_root: bool
) -> Points:
    """Where the mask ends at the two ends of a line of nodes, in voxels."""
    near = np.linalg.norm(voxels - line[-1], axis=1)
    beyond = np.where(near <= near.min() + 3 * LAYER, away, -1)
    last = voxels[int(np.argmax(beyond))]
    first = voxels[int(np.argmin(away))] if is_root else line[0]
    return np.array([first, last], np.float64)


def _straight_ends(line: Points, tips: Points, is_open: tuple[bool, bool], radius: float) -> Points:
    """The line with its open ends drawn straight on to the tips: the way inside a vessel begins
    in a corner of its end, and the first layers lie aslant."""
    for end in (0, 1):
        if not is_open[end]:
            continue
        line, tip = (line if end == 0 else line[::-1]), tips[end]
        at = _lengths(line)
        kept = line[at >= min(CORNER * radius, at[-1] / 3)]
        if len(kept) > 1:
            near = kept[_lengths(kept) <= max(2 * radius, 4.0)]
            near = near if len(near) > 2 else kept
            _, _, axes = np.linalg.svd(near - near.mean(0), full_matrices=False)
            outward = axes[0] * (1 if axes[0] @ (kept[0] - kept[-1]) >= 0 else -1)
            far = float((tip - kept[0]) @ outward)
            line = np.concatenate([kept[:1] + far * outward, kept]) if far > 0 else kept
        line = line if end == 0 else line[::-1]
    return line


def _lengths(line: Points) -> npt.NDArray[np.float64]:
    """Way along a line to each of its points."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])


def _smooth(line: Points, radius: float, step_mm: float) -> tuple[Points, Points] | None:
    """Even points and directions along a line of middles; None if it is shorter than wide."""
    at = _lengths(line)
    if len(line) < 3 or at[-1] < radius:
        return None
    fine = np.arange(0, at[-1], min(0.5, step_mm))
    dense = np.stack([np.interp(fine, at, line[:, axis]) for axis in range(3)], axis=1)
    reach = SMOOTH * radius
    even = np.arange(0, at[-1], step_mm)
    points, directions = np.empty((len(even), 3)), np.empty((len(even), 3))
    for n, s in enumerate(even):
        own = min(reach, max(s, step_mm), max(at[-1] - s, step_mm))
        points[n] = dense[np.abs(fine - s) <= own].mean(0)
        around = dense[np.abs(fine - s) <= reach]
        _, _, axes = np.linalg.svd(around - around.mean(0), full_matrices=False)
        forward = around[-1] - around[0]
        directions[n] = axes[0] * (1 if axes[0] @ forward >= 0 else -1)
    return points, directions
