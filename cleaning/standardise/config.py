"""Settings of the standard form."""

from typing import Annotated

from pydantic import Field

from voxcurate.config import Config

Millimetres = Annotated[float, Field(ge=0.1, le=20.0)]


class StandardiseConfig(Config):
    """How a scan is changed on its way into the workspace; masks follow its grid."""

    padding_hu: int | None = Field(
        -1024,
        ge=-2000,
        le=-900,
        description="CT values below become this one: scanners pad with -1024, -2000, -3024, and "
        "nothing is thinner than air; null: kept as they are",
    )
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres] | None = Field(
        None, description="of every scan, in RAS axis order; null: never resampled"
    )
    crop_body: bool = Field(False, description="CT: to the body, couch and air left out")
    deface: bool = Field(
        False, description="CT that shows a face: its front, 15 mm deep, becomes air"
    )
    crop_margin_mm: float = Field(10.0, ge=0.0, le=200.0, description="of air kept around the body")
