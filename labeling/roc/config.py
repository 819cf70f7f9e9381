"""Settings of the ROC analysis for tumours, and ScaleMAI's published ones."""

from typing import Literal, Self

from pydantic import Field, model_validator

from voxcurate.lesions.config import LesionConfig


class RocConfig(LesionConfig):
    """What is a candidate, when it hits a lesion, and what people's time costs."""

    organs: dict[str, tuple[str, ...]] = Field(
        {}, description="lesion class to the organs that hold it; others as configs/classes.yaml "
        "says by `inside`, else by the organs that it overlaps",
    )  # fmt: skip
    sensitivity: float = Field(
        0.99, gt=0, le=1, description="wanted at the operating point; published: 99 %"
    )
    sensitivity_of: Literal["lesion", "patient"] = "lesion"
    seconds_per_false_positive: float = Field(
        5.0, ge=0, description="to remove one; published: less than 5 s"
    )
    minutes_per_missed: tuple[float, float] = Field(
        (4.0, 5.0), description="to draw a missed tumour, least and most; published: 4 to 5"
    )
    seconds_per_found: float = Field(
        0.0, ge=0, description="to accept a candidate that is right; published: not counted"
    )
    draws: int = Field(1000, ge=0, description="bootstrap resamples of the patients; 0: none")
    finding_confidence: float = Field(
        0.5, ge=0, le=1, description="of a report's no that removes candidates without a person"
    )
    budget: int = Field(
        200, ge=0, description="rows of one round that go to people, and that it waits for; others "
        "are listed in waiting.csv and come in the next rounds",
    )  # fmt: skip
    missed_share: float = Field(
        0.3, ge=0, le=1, description="of the budget: for what a report names and nothing found; it "
        "takes minutes each, but nothing else finds these. What is left over goes to the others",
    )  # fmt: skip
    contradicts_share: float = Field(
        0.2, ge=0, le=1, description="of the budget: for labels that contradict their report"
    )

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.missed_share + self.contradicts_share > 1:
            raise ValueError("want missed_share and contradicts_share of 1 together at most")
        return self


def published_roc() -> RocConfig:
    """ScaleMAI (arXiv:2501.03410) section A.3, as far as it is told.

    The paper sweeps the threshold of the voxels, which is the highest probability of a candidate,
    wants 99 % sensitivity, counts 5 s for a false positive and 4 to 5 minutes for a missed tumour.
    It does not say what a hit is (its readers mark any point inside), nor of a smallest size or
    organ: here any shared voxel counts, and everything is a candidate.
    """
    return RocConfig(score="max", hit="voxel", minimum_ml=0.0, contain=False, split_below=0)


PRESETS = {"default": RocConfig, "scalemai": published_roc}
