"""The refiners and their registry; one structure refined by one of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from labeling.expert.support import Support
from labeling.refine.border import Border, Proposals, border_of
from labeling.refine.config import RefineConfig
from labeling.refine.points import Points, choose_points
from labeling.structures import Structure, dice
from voxcurate.protocols import load
from voxcurate.volume import Volume

REFINERS = {
    "geodesic": "labeling.refine.geodesic:GeodesicRefiner",
    "sam": "labeling.refine.sam:SamRefiner",
}


@runtime_checkable
class Refiner(Protocol):
    """Draws a border anew from points; made by ``kind(config)`` with a `RefineConfig`."""

    name: str
    version: str

    def refine(self, border: Border, points: Points) -> Proposals:
        """Masks in the border's box, the best guess first; what is given stays as it is."""
        ...


@dataclass(frozen=True, eq=False)
class Refined:
    """What came out for one structure.

    Attributes:
        label: as it was.
        proposals: named, those that differ from the label and from each other.
        points: the prompts.
    """

    label: Structure
    proposals: Mapping[str, Structure]
    points: Points


def make_refiner(config: RefineConfig) -> Refiner:
    """The configured refiner.

    Raises:
        ConfigError: there is none of this name, or it lacks what it needs.
    """
    made: Refiner = load(REFINERS, config.method)(config)
    return made


def refine(
    label: Structure,
    volume: Volume,
    refiner: Refiner,
    config: RefineConfig,
    *,
    support: Support | None = None,
    others: Iterable[Structure] = (),
    modality: str = "CT",
) -> Refined | None:
    """Refine one label; None if it is empty: there is no border.

    Args:
        label: in the volume's grid.
        volume: the scan.
        refiner: of `make_refiner`.
        config: band and points.
        support: the models' probabilities of the class.
        others: structures that may not share voxels with it.
        modality: of the scan.
    """
    if label.is_empty:
        return None
    border = border_of(
        label, volume, band_mm=config.band_mm, margin_mm=config.reach_mm, support=support,
        others=others, modality=modality,
    )  # fmt: skip
    points = choose_points(border, config.points)
    made = {name: border.structure(m) for name, m in refiner.refine(border, points).items()}
    return Refined(label, unlike(label, made, config.least_change), points)


def candidates(
    label: Structure,
    volume: Volume,
    config: RefineConfig,
    *,
    support: Support | None = None,
    others: Iterable[Structure] = (),
    modality: str = "CT",
) -> dict[str, Structure]:
    """A label's borders drawn anew, by name; none for an empty label."""
    found = refine(
        label, volume, make_refiner(config), config,
        support=support, others=others, modality=modality,
    )  # fmt: skip
    return dict(found.proposals) if found else {}


def unlike(
    label: Structure, made: Mapping[str, Structure], least_change: float
) -> dict[str, Structure]:
    """Those that are not empty and differ from the label and from those before them."""
    found: dict[str, Structure] = {}
    for name, s in made.items():
        known = (label, *found.values())
        if not s.is_empty and all(1.0 - (dice(s, k) or 0.0) >= least_change for k in known):
            found[name] = s
    return found
