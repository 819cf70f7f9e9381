"""What a candidate for a lesion is, and when it hits one."""

from typing import Literal

from pydantic import Field

from voxcurate.config import Config

ScoreName = Literal["max", "quantile", "top", "mean"]
HitRule = Literal["iou", "voxel", "centre"]


class LesionConfig(Config):
    """Candidates in soft predictions, and their hits."""

    candidate_above: float = Field(
        0.05, gt=0, lt=1, description="probability above which voxels join into candidates; low, "
        "for what is below it can never be found",
    )  # fmt: skip
    split_below: float = Field(
        0.5, ge=0, le=1, description="of the lower of two peaks: with a deeper valley between them "
        "they are two candidates, though they join above `candidate_above`; 0: never",
    )  # fmt: skip
    score: ScoreName = Field(
        "max", description="of a candidate: its highest probability, a high quantile, the mean of "
        "its `top_ml` highest, or the mean of all; the highest separated best (docs/LOG.md)",
    )  # fmt: skip
    quantile: float = Field(0.95, gt=0, le=1, description="of score quantile")
    top_ml: float = Field(0.1, gt=0, description="of score top: a ball of 6 mm")
    drawn_share: float = Field(
        0.5, gt=0, le=1, description="a candidate's mask is where the probability is at least this "
        "share of its highest, and all that is at least 0.5",
    )  # fmt: skip
    minimum_ml: float = Field(
        0.014, ge=0, description="smaller candidates and lesions do not count; a ball of 3 mm"
    )
    contain: bool = Field(True, description="drop candidates apart from the lesion's organ")
    organ_gap_mm: float = Field(
        3.0, ge=0, description="largest gap between a candidate and its organ"
    )
    hit: HitRule = Field(
        "iou", description="a candidate hits a lesion if their masks' intersection over union "
        "reaches `hit_iou`; if they share a voxel; or if the candidate's centre lies in it",
    )  # fmt: skip
    hit_iou: float = Field(0.1, gt=0, le=1, description="0.1 is customary for detection in 3-D")
