"""Settings of the evaluation. What changes a case's scores is in `CaseConfig`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from training.staging.config import StagingConfig, SubtypeConfig
from voxcurate.config import Config
from voxcurate.lesions.config import HitRule, LesionConfig


class MatchConfig(LesionConfig):
    """What is a lesion, and when a predicted one is a true one."""

    contain: bool = Field(False, description="unused here: truth says where lesions are")
    hit: HitRule = Field(
        "iou", description="predicted and true lesion may be one if their intersection over union "
        "reaches `hit_iou`; if they share a voxel; or if the predicted one's centre lies in it",
    )  # fmt: skip
    size_edges_mm: tuple[float, float] = Field(
        (20.0, 40.0), description="small below the first, large above the second; ScaleMAI's"
    )
    diameter: Literal["feret", "axial", "sphere"] = Field(
        "feret", description="which diameter is a lesion's size: the longest in any direction, the "
        "longest in an axial slice, or that of a ball of the same volume",
    )  # fmt: skip
    split_is_false: bool = Field(
        False, description="further pieces of a true lesion count as false positives"
    )
    merged_is_found: bool = Field(
        False, description="a lesion that shares its predicted one with another counts as found"
    )


class CaseConfig(Config):
    """What the scores of a case depend on."""

    threshold: float = Field(0.5, gt=0, lt=1, description="a voxel is inside at this or more")
    tolerance_mm: float | None = Field(
        None, ge=0, description="of NSD, for every class; none: each class's own"
    )
    strict_mm: float = Field(1.0, ge=0, description="of the second NSD, the same for all classes")
    lesion_classes: tuple[str, ...] = Field(
        (), description="scored lesion by lesion; empty: those that the vocabulary calls lesions"
    )
    match: MatchConfig = MatchConfig()
    calibration: bool = True
    calibration_band_mm: float = Field(
        10.0, ge=0, description="probabilities count so far around truth and prediction; farther "
        "away everything is certainly outside, which would hide errors at the surface",
    )  # fmt: skip
    calibration_bins: int = Field(10, ge=2, le=50)


class EvaluateConfig(CaseConfig):
    """Quality on the frozen test split."""

    bootstrap: int = Field(1000, ge=1, description="resamples of the patients")
    confidence: float = Field(0.95, gt=0, lt=1)
    alpha: float = Field(0.05, gt=0, lt=1, description="level of a test, over all tests together")
    fewest_pairs: int = Field(
        6, ge=6, description="patients below which no difference is called significant: with five "
        "Wilcoxon's test cannot reach 0.05",
    )  # fmt: skip
    fewest_in_group: int = Field(
        5,
        ge=1,
        description="patients below which the figures of a class or a subgroup are marked: "
        "a bootstrap of so few gives intervals that are too narrow",
    )
    age_edges: tuple[int, ...] = Field((18, 40, 60, 80), description="years; of the age bands")
    slice_edges_mm: tuple[float, ...] = Field(
        (1.5, 3.0, 5.0), description="of the bands of slice thickness"
    )
    stages: bool = Field(
        True, description="of a round: T stage and subtype of each test scan, where a model was "
        "trained on a tumour and vessels of `staging`, or on two classes of `subtypes`",
    )  # fmt: skip
    staging: StagingConfig = StagingConfig()
    subtypes: SubtypeConfig = SubtypeConfig()
    worst: int = Field(20, ge=0, description="cases and classes in the list of the worst")
    plots: bool = True

    @model_validator(mode="after")
    def _edges(self) -> Self:
        for edges in (self.age_edges, self.slice_edges_mm, self.match.size_edges_mm):
            if list(edges) != sorted(set(edges)):
                raise ValueError(f"want edges that rise, found {edges}")
        return self

    def of_case(self) -> CaseConfig:
        """The part that a case's scores depend on."""
        return CaseConfig(**{name: getattr(self, name) for name in CaseConfig.model_fields})
