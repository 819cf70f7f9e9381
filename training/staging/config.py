"""Settings of staging, of subtypes and of the comparison with readers."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from voxcurate.config import Config


class VesselConfig(Config):
    """A vessel whose contact with the tumour is measured."""

    name: str = Field(description="as it is called in tables: SMA, celiac ...")
    classes: tuple[str, ...] = Field(
        min_length=1, description="classes that show it; the first that there is counts"
    )
    t4: bool = Field(False, description="contact of t4_deg and more makes the tumour T4")
    borderline_above_deg: float | None = Field(
        None, ge=0, lt=360, description="more contact: borderline; 0: any contact; none: never"
    )
    advanced_above_deg: float | None = Field(
        None, ge=0, lt=360, description="more contact: locally advanced; none: never"
    )


class ContactConfig(Config):
    """How the contact of a tumour with a vessel is measured.

    `centreline`: cross-sections at right angles to the vessel's own course, the share of the
    vessel's wall that has tumour behind it. `published`: as ScaleMAI, arXiv:2501.03410, C.5: the
    whole vessel turned so that its principal axis is x, the share of a ring around each section
    that the dilated tumour fills.
    """

    method: Literal["centreline", "published"] = "centreline"
    gap_mm: float = Field(
        0.8,
        ge=0,
        description="tumour so near the wall touches it: about one voxel in the plane, for masks "
        "of two models may leave one out; a fat plane that people see is wider",
    )
    ring_mm: float = Field(2.0, gt=0, description="published: width of the ring, as released")
    dilate_mm: float = Field(
        1.0, ge=0, description="published: the tumour grows by so much; the paper names no number"
    )
    grid_mm: float = Field(
        0.8, gt=0.1, le=3, description="grid on which the vessel's course is found"
    )
    step_mm: float = Field(1.0, gt=0, description="between cross-sections")
    near_mm: float = Field(
        25.0, gt=0, description="of the vessel only what is so near the tumour is looked at"
    )
    least_deg: float = Field(
        10.0, ge=0, lt=180, description="less is no contact: the noise of voxels"
    )
    end_mm: float = Field(
        5.0,
        ge=0,
        description="a mask that ends so near the tumour may be cut off there: what follows is "
        "unknown",
    )


VESSELS = (
    VesselConfig(
        name="SMA", classes=("superior_mesenteric_artery",), t4=True,
        borderline_above_deg=0, advanced_above_deg=180,
    ),
    VesselConfig(
        name="celiac", classes=("celiac_trunk",), t4=True,
        borderline_above_deg=0, advanced_above_deg=180,
    ),
    VesselConfig(
        name="SMV", classes=("superior_mesenteric_vein", "veins"), t4=True,
        borderline_above_deg=180,
    ),
)  # fmt: skip


class StagingConfig(Config):
    """The T stage of a pancreatic tumour, and its contact with vessels."""

    tumour: tuple[str, ...] = Field(
        ("pancreatic_tumor", "pancreatic_pdac"),
        min_length=1,
        description="classes that show the tumour, together",
    )
    diameter: Literal["feret", "axial", "sphere"] = Field(
        "feret",
        description="which counts: the largest in any direction (TNM: greatest dimension), the "
        "largest in an axial slice (as read on screen), that of the ball of the same volume",
    )
    sizes_mm: tuple[tuple[str, float], ...] = Field(
        (("T1", 20.0), ("T2", 40.0)),
        min_length=1,
        description="stage and the largest diameter that still has it, rising; with T1a 5, T1b "
        "10 before T1 there are substages",
    )
    larger: str = Field("T3", description="stage of what is larger")
    t4_deg: float = Field(180.0, gt=0, le=360)
    vessels: tuple[VesselConfig, ...] = VESSELS
    ends_in: tuple[str, ...] = Field(
        ("aorta", "postcava", "portal_vein_and_splenic_vein", "veins", "superior_mesenteric_artery",
         "celiac_trunk", "common_hepatic_artery", "superior_mesenteric_vein"),
        description="a vessel that ends at one of these is not cut off: it goes on in it",
    )  # fmt: skip
    speck_ml: float = Field(
        0.014, ge=0, description="smaller pieces are no tumour: a ball of 3 mm, as in roc"
    )
    contact: ContactConfig = ContactConfig()

    @model_validator(mode="after")
    def _rising(self) -> "StagingConfig":
        limits = [limit for _, limit in self.sizes_mm]
        if limits[0] <= 0 or any(b <= a for a, b in pairwise(limits)):
            raise ValueError("want rising sizes above 0 mm")
        names = [vessel.name for vessel in self.vessels]
        if len(set(names)) < len(names):
            raise ValueError("want each vessel once")
        return self


class SubtypeConfig(Config):
    """The subtype of a patient's tumour from the segmented lesions' class scores."""

    score: Literal["mean", "sum"] = Field(
        "mean", description="of a class over the voxels of a lesion"
    )
    patient: Literal["largest", "malignant", "volume"] = Field(
        "largest",
        description="which lesion speaks for a patient: the largest, the first in `malignancy`, "
        "or all, weighted by their volume",
    )
    malignancy: tuple[str, ...] = Field(
        ("pancreatic_pdac", "pancreatic_pnet", "pancreatic_cyst"),
        description="classes, the most malignant first",
    )
    threshold: float = Field(
        0.5, gt=0, lt=1, description="a voxel is lesion if the classes together reach it"
    )
    speck_ml: float = Field(0.014, ge=0, description="smaller lesions do not count")


class ReaderConfig(Config):
    """Readers beside the model."""

    confidence: float = Field(0.95, gt=0.5, lt=1)
    draws: int = Field(2000, ge=100, description="resamples")
    seed: int = Field(0, ge=0)
    threshold: float | None = Field(
        None,
        description="the model calls cases of this score and more; none: 0.5 if the model's table "
        "has scores only",
    )
