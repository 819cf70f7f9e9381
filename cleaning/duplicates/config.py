"""Settings of the search for duplicates."""

from pydantic import Field

from voxcurate.config import Config


class DuplicateConfig(Config):
    """When two scans are the same one. The defaults were measured: docs/duplicates.md."""

    radius_bits: int = Field(
        23, ge=0, le=127, description="landmarks are alike: Hamming distance of 256"
    )
    min_votes: int = Field(2, ge=1, description="landmarks that agree on one offset")
    lone_radius_bits: int = Field(
        8, ge=-1, le=127, description="so alike that one landmark is enough; -1: never"
    )
    vote_mm: float = Field(7.0, gt=0, description="offsets that agree; more than a cube")
    view_radius_bits: int = Field(35, ge=0, le=127, description="views are alike, of 256 bits")
    min_overlap: float = Field(
        0.45, ge=0, le=1, description="overlap, of the smaller body; two crops to 60 % may have it"
    )
    min_ncc: float = Field(
        0.93, description="copies: correlation of the images; other patients reach 0.90"
    )
    min_detail_ncc: float = Field(
        0.83, description="copies: correlation of what differs from the blur; others reach 0.82"
    )
    min_patient_ncc: float = Field(0.93, description="other scans of the patient: the same")
    min_patient_detail_ncc: float = Field(0.83, description="the same for the detail")
    max_coarse_shift_mm: float = Field(
        12.0, gt=0, description="copies, by thumbnails: blocks move so far from resampling alone"
    )
    max_shift_mm: float = Field(
        2.2, gt=0, description="copies, on the fine grid: blocks move hardly farther"
    )
    max_shift_voxels: float = Field(
        0.25, ge=0, description="and so much of the coarser scan's largest spacing"
    )
    max_misfit: float = Field(
        0.021, gt=0, description="copies, fine grid: left of the difference, of 500 HU: 10 HU"
    )
    max_odds: float = Field(
        1.3, gt=0, description="sum of the squares of shift and misfit over their limits"
    )
    min_odd_ncc: float = Field(
        0.965, description="copies that are turned or scaled against their header, fewer facts"
    )
    min_odd_detail_ncc: float = Field(0.93, description="the same for the detail")
    odd_view_radius_bits: int = Field(35, ge=0, description="the same for the views' distance")
    max_projection_bits: int = Field(
        52, ge=0, le=192, description="projections that differ more need no comparison; copies: 40"
    )
    min_turned_votes: int = Field(
        3, ge=1, description="landmarks, if the second is turned or flipped against its header"
    )
    min_lean_ncc: float = Field(
        0.6, description="a lean of the axes that no header tells is looked for from here"
    )
    leaning_shift_share: float = Field(
        0.6, gt=0, description="of the limit of shifts, for copies that lean: a head lies otherwise"
    )
    min_fine_detail_ncc: float = Field(
        0.8, description="the stage drops a copy: correlation of detail on the fine grid"
    )
    min_same_patient_detail_ncc: float = Field(
        0.95, description="the same for two scans of one patient, which may be two visits"
    )
