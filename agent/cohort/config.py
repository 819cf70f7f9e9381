"""What a user may choose about a synthetic cohort."""

from pydantic import Field

from agent.cohort.plan import MIN_PATIENTS
from voxcurate.config import Config


class CohortConfig(Config):
    """Size and seed of a cohort, and how many label errors are planted."""

    patients: int = Field(24, ge=MIN_PATIENTS, le=2000)
    seed: int = Field(0, ge=0, le=9999)
    label_error_share: float = Field(
        0.125, ge=0, le=0.5, description="share of labelled (scan, class) pairs with an error"
    )
