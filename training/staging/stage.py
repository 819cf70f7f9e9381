"""The T stage of a tumour and its resectability from masks, with the reasons in words.

ScaleMAI (arXiv:2501.03410, C.5): T1 up to 20 mm, T2 up to 40 mm, T3 above; T4 if the contact with
one of the key vessels is 180 degrees and more. We add what is not known: a vessel without a mask,
or whose mask ends at the tumour, and a tumour at the edge of the scan make the stage a lower bound.
For research only; the resectability follows angles alone and no clinical guideline in full.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.staging.config import StagingConfig, VesselConfig
from training.staging.contact import Contact, contact_of, tumour_field
from training.staging.diameters import Lesion, lesions_of
from training.staging.field import Field
from training.staging.resectability import Resectability, resectability_of
from voxcurate.errors import GeometryError, SourceError
from voxcurate.masks import Bools, bounding_box, components
from voxcurate.volume import ML_PER_MM3, Affine, Volume

NO_TUMOUR = "no tumour"
SAME_MM = 1e-3  # affines of masks of one scan
DOUBT_DEG = 15.0  # the error that 95 % of the phantoms stay below (benchmarks.staging)


@dataclass(frozen=True)
class Staging:
    """The stage of a scan.

    Attributes:
        stage: ``T1``..``T4``, or ``no tumour``.
        at_least: it is a lower bound.
        size_mm: the diameter that counted; None without a tumour.
        diameter: which that is.
        reasons: why this stage, and what is not known.
        doubts: what is so near a limit that the error of measuring could change the stage.
        lesions: pieces of the tumour, the largest volume first.
        contacts: with each vessel.
        resectability: by contact angles alone; None without a tumour.
    """

    stage: str
    at_least: bool
    size_mm: float | None
    diameter: str
    reasons: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    contacts: tuple[Contact, ...] = ()
    resectability: Resectability | None = None

    @property
    def label(self) -> str:
        """In words: ``T2``, ``at least T2``."""
        return f"at least {self.stage}" if self.at_least else self.stage

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        found = self.resectability
        return {
            "stage": self.stage,
            "at_least": self.at_least,
            "label": self.label,
            "size_mm": None if self.size_mm is None else round(self.size_mm, 1),
            "diameter": self.diameter,
            "reasons": list(self.reasons),
            "doubts": list(self.doubts),
            "lesions": [lesion.plain() for lesion in self.lesions],
            "vessels": [contact.plain() for contact in self.contacts],
            "resectability": None
            if found is None
            else {
                "category": found.category,
                "at_least": found.at_least,
                "label": found.label,
                "reasons": list(found.reasons),
            },
            "use": "research only",
        }


def stage_case(masks: Mapping[str, Volume], config: StagingConfig | None = None) -> Staging:
    """Stage the tumour of one scan.

    Args:
        masks: class to mask (non-zero inside), all on one grid; an empty mask of the tumour says
            that there is none, an empty mask of a vessel that nobody has found it.
        config: limits, vessels, and what shows the tumour.

    Raises:
        SourceError: no mask of the tumour.
        GeometryError: masks on different grids.
    """
    config = config or StagingConfig()
    named = [c for c in config.tumour if c in masks]
    if not named:
        raise SourceError(f"no mask of the tumour: want {' or '.join(config.tumour)}")
    affine = _common_grid(masks)
    tumour = np.zeros(masks[named[0]].shape, np.bool_)
    for class_id in named:
        tumour |= masks[class_id].array != 0
    tumour = _without_specks(tumour, affine, config.speck_ml)
    if not tumour.any():
        return Staging(NO_TUMOUR, False, None, config.diameter, ("the tumour's mask is empty",))
    lesions = lesions_of(tumour, affine)
    mass = tumour_field(tumour, affine, config.contact)
    contacts = [_contact(v, masks, tumour, affine, config, mass) for v in config.vessels]
    return staged(lesions, contacts, config, voxel_mm=max(masks[named[0]].spacing))


def staged(
    lesions: Sequence[Lesion],
    contacts: Sequence[Contact],
    config: StagingConfig,
    *,
    voxel_mm: float = 0.0,
) -> Staging:
    """The stage by what was measured.

    Args:
        lesions: pieces of the tumour, the largest volume first; at least one.
        contacts: one per vessel of the config, in its order.
        config: limits.
        voxel_mm: the error of a diameter; sizes so near a limit are doubtful.
    """
    size = lesions[0].diameter(config.diameter)
    stage = next((name for name, limit in config.sizes_mm if size <= limit), config.larger)
    pieces = f" of the largest of {len(lesions)} tumours" if len(lesions) > 1 else ""
    reasons = [f"{_DIAMETER[config.diameter]}{pieces} is {size:.1f} mm: {stage} by size"]
    key = [c for v, c in zip(config.vessels, contacts, strict=True) if v.t4]
    reasons += [contact.said for contact in key]
    reached = [c for c in key if c.degrees is not None and c.degrees >= config.t4_deg]
    doubts = _doubts(size, key, config, voxel_mm)
    open_ends = [c.name for c in key if not c.is_certain]
    at_least = False
    if reached:
        stage = "T4"
        names = ", ".join(c.name for c in reached)
        reasons.append(f"contact of {config.t4_deg:.0f} degrees and more with {names}: T4")
    else:
        if open_ends:
            at_least = True
            reasons.append(f"not known of {', '.join(open_ends)}: the stage may be higher")
        if any(lesion.is_cut for lesion in lesions):
            at_least = True
            reasons.append("the tumour touches the edge of the scan: it may be larger")
    return Staging(
        stage, at_least, size, config.diameter, tuple(reasons), tuple(doubts), tuple(lesions),
        tuple(contacts), resectability_of(contacts, config, is_cut=any(x.is_cut for x in lesions)),
    )  # fmt: skip


def _doubts(
    size: float, key: Sequence[Contact], config: StagingConfig, voxel_mm: float
) -> list[str]:
    """What could change the stage if it were measured a little otherwise."""
    above = [(c, (c.degrees or 0.0) - config.t4_deg) for c in key if c.degrees]
    if any(excess > DOUBT_DEG for _, excess in above):
        return []
    found = [
        f"{contact.name}: {contact.degrees:.0f} degrees is within {DOUBT_DEG:.0f} of the limit of "
        f"{config.t4_deg:.0f}"
        for contact, excess in above
        if abs(excess) <= DOUBT_DEG
    ]
    if any(excess >= 0 for _, excess in above):
        return found
    sizes = [
        f"{size:.1f} mm is within a voxel of the limit of {limit:g} mm"
        for _, limit in config.sizes_mm
        if abs(size - limit) <= voxel_mm
    ]
    return [*sizes, *found]


_DIAMETER = {
    "feret": "the largest diameter",
    "axial": "the largest diameter in an axial slice",
    "sphere": "the diameter of the ball of the same volume",
}


def _contact(
    vessel: VesselConfig,
    masks: Mapping[str, Volume],
    tumour: Bools,
    affine: Affine,
    config: StagingConfig,
    mass: Field,
) -> Contact:
    there = [c for c in vessel.classes if c in masks]
    own = next((c for c in there if masks[c].array.any()), next(iter(there), None))
    others = [masks[c].array for c in config.ends_in if c in masks and c != own]
    mask = None if own is None else masks[own].array != 0
    return contact_of(vessel.name, tumour, mask, affine, config.contact, others=others, mass=mass)


def _without_specks(mask: Bools, affine: Affine, speck_ml: float) -> Bools:
    """Without pieces that are no tumour; if all are so small, all stay."""
    box = bounding_box(mask)
    if box is None:
        return mask
    numbers, n = components(np.ascontiguousarray(mask[box]))
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) * ML_PER_MM3
    keep = np.bincount(numbers.ravel(order="K"), minlength=n + 1) * voxel_ml >= speck_ml
    keep[0] = False
    if not keep.any():
        return mask
    result = np.zeros_like(mask)
    result[box] = keep[numbers]
    return result


def _common_grid(masks: Mapping[str, Volume]) -> Affine:
    first_id, first = next(iter(masks.items()))
    for class_id, volume in masks.items():
        same = volume.shape == first.shape and np.allclose(
            volume.affine, first.affine, rtol=0, atol=SAME_MM
        )
        if not same:
            raise GeometryError(f"mask {class_id} lies on another grid than {first_id}")
    return first.affine
