"""Settings of synthetic tumours."""

from typing import Annotated

from pydantic import Field, model_validator

from voxcurate.config import Config

Range = tuple[float, float]
Shares = tuple[
    Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]
]
SIZE_CLASSES = ("<20 mm", "20-40 mm", ">40 mm")  # T1 to T3 (ScaleMAI, section C.5)
VESSELS = (
    "aorta",
    "postcava",
    "celiac_trunk",
    "superior_mesenteric_artery",
    "hepatic_vessel",
    "portal_vein_and_splenic_vein",
    "pulmonary_vein",
    "pulmonary_artery",
    "common_bile_duct",
    "pancreatic_duct",
)


class LesionStyle(Config):
    """How lesions of a class look.

    `hypo`, `hyper`, `iso` and `fluid` are shares. Contrast is against the median of this organ in
    this scan; `fluid` aims at an absolute HU instead, as cysts have it. In an organ as dark as fat
    or air (a fatty pancreas, a lung) what would be hypo is solid tissue of `solid_hu`.
    """

    hypo: float = Field(0.8, ge=0)
    hyper: float = Field(0.1, ge=0)
    iso: float = Field(0.05, ge=0, description="to be seen by texture, rim and mass effect only")
    fluid: float = Field(0.05, ge=0)
    contrast_hu: Range = Field((20.0, 75.0), description="of hypo and hyper")
    min_scatter: float = Field(
        0.8, ge=0, description="contrast in units of the organ's own scatter, at the least"
    )
    fluid_hu: Range = (-5.0, 22.0)
    floor_hu: float = Field(5.0, description="no hypo lesion is darker on average: that is fat")
    solid_hu: Range = (15.0, 50.0)
    replaces: float = Field(
        0.8,
        ge=0,
        le=1,
        description="of the organ's own structure (fat, small vessels); noise stays",
    )
    texture_hu: Range = Field((3.0, 12.0), description="standard deviation of correlated noise")
    texture_mm: Range = Field((2.0, 8.0), description="its length")
    core: float = Field(
        0.4, ge=0, le=1, description="probability of a darker middle where larger than 20 mm"
    )
    elastic: float = Field(
        0.22, ge=0, le=0.35, description="displacement over radius; 0: ellipsoid"
    )
    elongation: float = Field(1.35, ge=1, le=2, description="longest axis over the mean, at most")
    edge_mm: Range = Field((0.5, 4.0), description="width of the edge")

    @model_validator(mode="after")
    def _something(self) -> "LesionStyle":
        if not self.hypo + self.hyper + self.iso + self.fluid:
            raise ValueError("want a share of hypo, hyper, iso or fluid above 0")
        return self


CYSTS = ("liver_cyst", "pancreatic_cyst", "kidney_cyst", "kidney_cyst_left", "kidney_cyst_right")
CYST = LesionStyle(
    hypo=0.0,
    hyper=0.04,
    iso=0.0,
    fluid=0.96,
    texture_hu=(0.0, 2.0),
    core=0.0,
    elastic=0.08,
    elongation=1.2,
    edge_mm=(0.5, 1.5),
)


class SyntheticConfig(Config):
    """Tumours grown in healthy organs."""

    size_shares: Shares = Field((0.4, 0.4, 0.2), description="of " + ", ".join(SIZE_CLASSES))
    smallest_mm: float = Field(6.0, gt=0, description="diameter of the sphere of equal volume")
    largest_mm: float = Field(80.0, gt=40)
    several: float = Field(0.25, ge=0, le=1, description="probability of one more, and so on")
    most: int = Field(4, ge=1, description="in one sample")
    styles: dict[str, LesionStyle] = Field(
        default_factory=lambda: dict.fromkeys(CYSTS, CYST),
        description="by lesion class; others are LesionStyle's defaults",
    )
    mass_effect: float = Field(0.5, ge=0, le=1, description="probability that it pushes")
    expansion: float = Field(
        1.45, ge=1, le=2, description="final radius over that of the tissue it replaces, at most"
    )
    capsule: float = Field(0.15, ge=0, le=1, description="probability of an enhancing rim")
    capsule_mm: Range = (1.0, 3.0)
    capsule_hu: Range = (15.0, 50.0)
    vessels: tuple[str, ...] = Field(VESSELS, description="classes that no tumour touches")
    bright_scatter: float = Field(
        3.0,
        gt=0,
        description="what is brighter than the organ by so much of its smoothed scatter"
        " is a vessel",
    )
    vessel_mm: float = Field(1.0, ge=0, description="kept between a tumour and a vessel")
    unlabelled: bool = Field(
        False, description="also where nothing is known of lesions, neither by label nor report"
    )
    confidence: float = Field(0.8, ge=0, le=1, description="that a report's no needs")

    @model_validator(mode="after")
    def _sizes(self) -> "SyntheticConfig":
        if not sum(self.size_shares):
            raise ValueError("want a share of some size class above 0")
        return self

    def style(self, lesion: str) -> LesionStyle:
        """How lesions of a class look."""
        return self.styles.get(lesion, LesionStyle())
