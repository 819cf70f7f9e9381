"""Settings of refinement."""

from pydantic import Field, model_validator

from voxcurate.config import Config


class RefineConfig(Config):
    """How borders are drawn anew, and where that is worth trying.

    The weights were chosen on half of the development cases (``benchmarks.refining``).
    """

    method: str = Field("geodesic", description="of labeling.refine.methods.REFINERS")
    repairs: bool = Field(
        False, description="in a round: the refined label is one more candidate for the judge"
    )
    points: int = Field(10, ge=2, le=200, description="prompts of a structure, half of them inside")
    band_mm: float = Field(5.0, gt=0, description="on both sides of the border: what may change")
    reach_mm: float = Field(
        10.0, ge=0, description="by which the border may be moved as a whole; 0: not at all"
    )
    reach_gain: float = Field(
        0.15, ge=0, description="log of how much sharper the scan must be at the moved border"
    )
    moves_mm: tuple[float, ...] = Field(
        (0.0, -3.0, 3.0, -6.0, 6.0),
        description="by which the label is made larger (or smaller, below 0) and even, for further "
        "proposals",
    )
    scan_weight: float = Field(0.3, ge=0, description="of the values, local log-likelihood ratio")
    label_weight: float = Field(0.6, ge=0, description="of the label, per label_mm of depth")
    label_mm: float = Field(2.0, gt=0, description="error of a drawn border")
    model_weight: float = Field(0.5, ge=0, description="of the models' log-odds")
    smoothness: float = Field(0.5, ge=0, description="of the border's weighted area")
    contrast_hu: float = Field(40.0, gt=0, description="step between neighbours that is an edge")
    steps: int = Field(100, ge=1, description="of the minimisation")
    least_change: float = Field(
        0.02, ge=0, lt=1, description="1 - Dice with the label below which nothing was refined"
    )
    confidence: float = Field(
        0.98,
        ge=0.5,
        le=1,
        description="chance of being better from which the judge's word counts; it is too sure of "
        "borders: of what it called 0.9 and more eight or nine in ten were better, and not many "
        "more of what it called 0.98",
    )
    confidence_by_class: dict[str, float] = Field(
        {}, description="for single classes; 1: their borders are left alone"
    )
    sam_folder: str = Field("", description="of a SAM model and its processor, for method sam")
    sam_batch: int = Field(8, ge=1, description="slices that the image encoder sees at once")
    sam_device: str = Field("auto", description="auto, cpu, cuda")

    @model_validator(mode="after")
    def _are_chances(self) -> "RefineConfig":
        for class_id, chance in self.confidence_by_class.items():
            if not 0.5 <= chance <= 1.0:
                raise ValueError(
                    f"confidence_by_class: want 0.5 to 1, found {chance:g} of {class_id}"
                )
        return self

    def confidence_of(self, class_id: str) -> float:
        """How sure the judge must be of a border of a class."""
        return self.confidence_by_class.get(class_id, self.confidence)

    def leaves(self, class_id: str) -> bool:
        """Whether a class's borders are left alone."""
        return self.confidence_of(class_id) >= 1.0
