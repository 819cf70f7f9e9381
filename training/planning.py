"""Planning: from what the training cases are like and what the machine can do to a configuration.

As nnU-Net does (Isensee et al., Nature Methods 2021) the cases' fingerprint decides the grid and
the patch. Where we depart from it: the budget of voxels per step comes from cores or GPU memory
and the time there is, so that a laptop gets a plan that learns something in half an hour; and
every choice comes with its reason in words. Pure: plain facts in, a plan out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.config import (
    NetworkConfig,
    PlanningConfig,
    Shape,
    TrainingConfig,
    Triple,
    network_config,
)
from voxcurate.errors import TrainingError

STEP_MM = 0.25  # to which a coarsened spacing is rounded up
SMALLEST_SIDE = 16  # voxels; also what `TrainingConfig.patch` wants
FEW_VOXELS = 3.0  # a structure's diameter on the grid below which it will hardly be learnt
RESERVE = 0.12  # of the time: reading, start-up and validation


@dataclass(frozen=True)
class CaseFacts:
    """One training case: spacing and shape along right, front, head; millilitres by class."""

    modality: str
    spacing: Triple
    shape: Shape
    ml: Mapping[str, float]


@dataclass(frozen=True)
class ClassFacts:
    """A class in the training cases: in how many it is known and drawn, median size where drawn."""

    class_id: str
    n_known: int
    n_drawn: int
    median_ml: float


@dataclass(frozen=True)
class Fingerprint:
    """What the training cases are like; medians over the cases."""

    n_cases: int
    modality: str
    spacing: Triple
    extent_mm: Triple
    classes: tuple[ClassFacts, ...]


@dataclass(frozen=True)
class Machine:
    """What there is to compute with; `gpu_gb` 0: no GPU."""

    cores: int
    gpu_gb: float = 0.0


@dataclass(frozen=True)
class Plan:
    """A configuration and why; `seconds_per_step` 0: not measured."""

    spacing_mm: Triple
    patch: Shape
    batch: int
    network: str
    steps: int
    windows: tuple[tuple[float, float], ...] | None
    learning_rate: float = 3e-3
    seconds_per_step: float = 0.0
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """The plan as a layer of `TrainingConfig`."""
        grid: dict[str, Any] = {"spacing_mm": list(self.spacing_mm)}
        if self.windows is not None:
            grid["windows"] = [list(window) for window in self.windows]
        return {
            "steps": self.steps,
            "batch": self.batch,
            "learning_rate": self.learning_rate,
            "patch": list(self.patch),
            "grid": grid,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain data, for ``plan.json``."""
        return asdict(self)


def fingerprint(cases: Sequence[CaseFacts]) -> Fingerprint:
    """The fingerprint of training cases.

    Raises:
        TrainingError: there is none, or they are of several modalities.
    """
    if not cases:
        raise TrainingError("no case to plan with")
    kinds = sorted({case.modality for case in cases})
    if len(kinds) > 1:
        raise TrainingError(
            f"want scans of one modality, found {', '.join(kinds)}: train a model for each"
        )
    spacing = np.median([case.spacing for case in cases], axis=0)
    extent = np.median([np.multiply(case.shape, case.spacing) for case in cases], axis=0)
    names = list(dict.fromkeys(c for case in cases for c in sorted(case.ml)))
    return Fingerprint(
        n_cases=len(cases),
        modality=kinds[0],
        spacing=_triple(spacing),
        extent_mm=_triple(extent),
        classes=tuple(_class_facts(name, cases) for name in names),
    )


def make_plan(
    found: Fingerprint,
    machine: Machine,
    config: PlanningConfig,
    *,
    shrink: float = 1.0,
    network: str = "",
) -> Plan:
    """Grid, patch, batch, network and a first number of steps.

    Args:
        found: of the training cases.
        machine: where training runs.
        config: its limits.
        shrink: of the voxels per step, where a measured step turned out too slow.
        network: asked for by name; empty: chosen.
    """
    where = _where(machine)
    voxels = max(SMALLEST_SIDE**3, round(_voxels(machine, config) * shrink))
    spacing, why = grid_spacing(found.spacing, found.extent_mm, voxels, config.coverage)
    shape = [
        max(1, round(extent / step)) for extent, step in zip(found.extent_mm, spacing, strict=True)
    ]
    name, because = (network, "asked for") if network else _network(machine, shape, voxels, config)
    divisor = max(config.divisor, divisor_of(network_config(name)))
    patch = patch_shape(shape, spacing, voxels, divisor)
    own = [max(1, round(e / step)) for e, step in zip(found.extent_mm, found.spacing, strict=True)]
    is_whole = all(p >= n for p, n in zip(patch, shape, strict=True))
    batch = _batch(patch, voxels, found.n_cases, machine, config)
    reasons = [
        f"{found.n_cases} {found.modality} cases, median {_text(own)} voxels at "
        f"{_text(found.spacing)} mm",
        f"spacing {_text(spacing)} mm: {why}",
        f"patch {_text(patch)}: "
        + ("the whole median scan" if is_whole else f"up to {voxels:,} voxels on {where}"),
        f"batch {batch}: {batch * math.prod(patch):,} voxels a step",
        f"network {name}: {because}",
    ]
    windows = None
    if found.modality != "CT":
        windows = (TrainingConfig().grid.windows[0],)
        reasons.append(f"one input window: {found.modality} values are scaled by percentiles")
    return Plan(
        spacing_mm=spacing,
        patch=patch,
        batch=batch,
        network=name,
        learning_rate=_rate(name, config),
        steps=config.gpu_steps if machine.gpu_gb else config.cpu_steps,
        windows=windows,
        reasons=tuple(reasons),
        warnings=tuple(_warnings(found, spacing)),
    )


def grid_spacing(
    spacing: Sequence[float], extent_mm: Sequence[float], voxels: float, coverage: float
) -> tuple[Triple, str]:
    """The finest spacing at which a patch still shows enough of a scan, and why.

    The median spacing if a patch of `voxels` covers `coverage` of the median scan; else the
    finest axes are coarsened, together, until it does.

    Args:
        spacing: median of the scans, mm.
        extent_mm: median of the scans.
        voxels: of a patch.
        coverage: share of the scan.
    """
    allowed = voxels / coverage
    if _n_voxels(extent_mm, spacing, 0.0) <= allowed:
        return _triple(spacing), "the scans' own; a patch shows enough of a scan"
    low, high = min(spacing), max(extent_mm)
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _n_voxels(extent_mm, spacing, middle) > allowed else (low, middle)
        )
    level = math.ceil(high / STEP_MM - 1e-2) * STEP_MM
    return (
        _triple([max(level, s) for s in spacing]),
        f"the scans' {_text(spacing)} mm are coarsened until a patch shows "
        f"{coverage:.0%} of a scan",
    )


def patch_shape(
    shape: Sequence[int], spacing: Sequence[float], voxels: float, divisor: int
) -> Shape:
    """The largest patch within a number of voxels: the whole scan, else a cube in millimetres.

    Sides are multiples of `divisor`, at least `SMALLEST_SIDE`, and no larger than the scan's
    rounded up.
    """
    least = max(SMALLEST_SIDE, divisor)
    most = [max(least, math.ceil(n / divisor) * divisor) for n in shape]
    if math.prod(most) <= voxels:
        return most[0], most[1], most[2]
    sides = [least] * 3
    growing = [0, 1, 2]
    while growing:
        axis = min(growing, key=lambda a: sides[a] * spacing[a])
        larger = [n + divisor * (a == axis) for a, n in enumerate(sides)]
        if larger[axis] > most[axis] or math.prod(larger) > voxels:
            growing.remove(axis)
        else:
            sides = larger
    return sides[0], sides[1], sides[2]


def steps_within(minutes: float, seconds_per_step: float) -> int:
    """Steps that fit into a time, with a reserve for reading and validation."""
    return max(1, int(60 * minutes * (1 - RESERVE) / max(seconds_per_step, 1e-6)))


def _class_facts(name: str, cases: Sequence[CaseFacts]) -> ClassFacts:
    known = [case.ml[name] for case in cases if name in case.ml]
    drawn = [ml for ml in known if ml > 0]
    return ClassFacts(name, len(known), len(drawn), float(np.median(drawn)) if drawn else 0.0)


def _voxels(machine: Machine, config: PlanningConfig) -> float:
    if machine.gpu_gb:
        return min(config.gpu_most_voxels, config.gpu_voxels_per_gb * machine.gpu_gb)
    return min(config.cpu_most_voxels, config.cpu_voxels_per_core * machine.cores)


def _batch(
    patch: Shape, voxels: float, n_cases: int, machine: Machine, config: PlanningConfig
) -> int:
    """More small patches where a GPU would else be idle; on a CPU more steps teach more."""
    most = config.most_batch if machine.gpu_gb else config.batch
    return max(1, min(round(config.batch * voxels / math.prod(patch)), most, n_cases))


def _network(
    machine: Machine, shape: Sequence[int], voxels: float, config: PlanningConfig
) -> tuple[str, str]:
    """The network for a machine and for scans of a shape on the grid, and why."""
    if not machine.gpu_gb:
        if math.prod(shape) <= voxels:
            return config.cpu_whole_network, "small scans: layers at full resolution are affordable"
        return config.cpu_network, f"the fastest, for {_where(machine)}"
    deep = divisor_of(network_config(config.gpu_network))
    if machine.gpu_gb < config.large_gpu_gb:
        return config.small_gpu_network, f"a small one, for {_where(machine)}"
    if min(shape) < 2 * deep:
        return config.small_gpu_network, f"sides below {2 * deep} voxels need no deeper one"
    return config.gpu_network, f"a large one, for {_where(machine)}"


def divisor_of(network: NetworkConfig) -> int:
    """What patch sides must be a multiple of: each level halves them."""
    fixed = {"swinunetr": 32, "mednext": 16}
    return int(fixed.get(network.architecture, 2 ** (len(network.channels) - 1)))


def _rate(network: str, config: PlanningConfig) -> float:
    is_wide = network_config(network).channels[0] >= config.wide_channels
    return config.wide_rate if is_wide else TrainingConfig().learning_rate


def _warnings(found: Fingerprint, spacing: Triple) -> list[str]:
    said = []
    for info in found.classes:
        if not info.n_drawn:
            said.append(f"class {info.class_id}: no case has a voxel of it; it will be left out")
            continue
        diameter = 2 * (3 * info.median_ml * 1000 / (4 * math.pi)) ** (1 / 3)
        across = diameter / float(np.prod(spacing)) ** (1 / 3)
        if across < FEW_VOXELS:
            said.append(
                f"class {info.class_id}: about {diameter:.1f} mm, {across:.1f} voxels across on "
                "this grid; set grid.spacing_mm finer, or use a GPU"
            )
        if info.n_drawn < 3:
            n = info.n_drawn
            said.append(f"class {info.class_id}: drawn in {n} {'case' if n == 1 else 'cases'} only")
    return said


def _n_voxels(extent_mm: Sequence[float], spacing: Sequence[float], level: float) -> float:
    return math.prod(e / max(s, level) for e, s in zip(extent_mm, spacing, strict=True))


def _where(machine: Machine) -> str:
    if machine.gpu_gb:
        return f"a GPU of {machine.gpu_gb:.0f} GB"
    return f"{machine.cores} CPU core" + ("s" if machine.cores > 1 else "")


def _triple(values: Any) -> Triple:
    first, second, third = (round(float(v), 3) for v in values)
    return first, second, third


def _text(values: Sequence[float]) -> str:
    return " x ".join(f"{v:g}" for v in values)
