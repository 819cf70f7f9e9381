"""The written anatomy: what a file of ``configs/anatomy`` may say. `docs/rules.md` explains it."""

from typing import Literal

from pydantic import Field

from labeling.vision.wording import ClassPrompt
from voxcurate.config import Config

Direction = Literal["left_of", "right_of", "in_front_of", "behind", "above", "below"]
DIRECTIONS = {  # axis and sign in RAS+: is a's coordinate larger or smaller than b's
    "left_of": (0, -1.0),
    "right_of": (0, 1.0),
    "in_front_of": (1, 1.0),
    "behind": (1, -1.0),
    "above": (2, 1.0),
    "below": (2, -1.0),
}


class ClassRules(Config):
    """What is written about one class; what is left out is not checked."""

    ml: tuple[float, float] | None = None
    pieces_ml: float | None = Field(
        None, ge=0, description="what may lie outside the largest piece"
    )
    speck_ml: float | None = Field(None, gt=0, description="smaller pieces are no finding")
    reach_mm: float | None = Field(
        None, ge=0, description="how far it may reach out of the class that it lies inside"
    )
    hu: tuple[float, float] | None = None
    height_mm: tuple[float, float] | None = None
    lies: Literal["left", "right", ""] = ""
    sex: Literal["male", "female", ""] = ""
    side_margin_mm: float | None = Field(
        None, description="how far to its side the centroid lies at least; default: the file's"
    )
    midline_mm: float | None = Field(
        None, gt=0, description="how far from the body's middle the centroid may lie"
    )
    pair_ratio: float | None = Field(
        None, gt=1, description="volume of the larger of the two sides over that of the smaller"
    )
    removable: bool = Field(
        False, description="surgery may have taken it, or it never was: absence is no proof"
    )
    removed_by: tuple[str, ...] = Field(
        (), description="questions to reports whose yes says that surgery has taken all of it"
    )
    resected_by: tuple[str, ...] = Field(
        (), description="questions whose yes says that surgery has taken it or a part of it"
    )
    displaced: bool = Field(
        False,
        description="may rightly lie elsewhere or be double (transplanted, pelvic, crossed, pulled "
        "up): no piece as large as an organ is taken from machine-made masks for its place",
    )


class Relation(Config):
    """The centroid of `a` lies so many mm in a direction from that of `b`, or further."""

    a: str
    is_: Direction = Field(alias="is")
    b: str
    margin_mm: float = 0.0


class Presence(Config):
    """Where all of `given` are there and none is cut off, `want` cannot be absent."""

    given: tuple[str, ...]
    want: str
    may_be_cut: tuple[str, ...] = Field((), description="those of `given` that the scan may cut")
    sex: Literal["male", "female", ""] = Field("", description="only asked of this sex")


class Overlap(Config):
    """How much `a` and `b` may share at most, mL."""

    a: str
    b: str
    ml: float = Field(0.0, ge=0)


class Continuity(Config):
    """A tube is there at every level along the body axis: between the centroids of two structures,
    or, where none are named, between its own ends."""

    class_: str = Field(alias="class")
    between: tuple[str, str] | None = None
    ends: bool = Field(False, description="between their facing ends instead")
    gap_mm: float = Field(10.0, gt=0, description="longest gap allowed; never below two levels")


class Order(Config):
    """Classes in a row: each lies in a direction from all that follow."""

    classes: tuple[str, ...]
    is_: Direction = Field(alias="is")
    margin_mm: float = 0.0
    by: Literal["centroid", "end"] = Field(
        "centroid", description="end: what reaches furthest in the direction"
    )
    complete: bool = Field(False, description="none between two that are there can be absent")


class Between(Config):
    """From left to right the centroid lies between those of two structures."""

    class_: str = Field(alias="class")
    of: tuple[str, str]
    margin_mm: float = Field(0.0, description="how far beyond them it may lie")


class Nearer(Config):
    """Along the body axis a centroid lies nearer to one of `to` than to any of `than`, at their
    nearest levels."""

    class_: str = Field(alias="class")
    to: tuple[str, ...]
    than: tuple[str, ...]


class Near(Config):
    """The centroids of `a` and `b` lie no further apart than `mm`."""

    a: str
    b: str
    mm: float = Field(gt=0)


class AnatomyFile(Config):
    """One file of ``configs/anatomy``."""

    region: str
    midline: tuple[str, ...] = ()
    side_margin_mm: float = 5.0
    anchors: tuple[str, ...] = Field(
        (), description="classes that tell left from right, the most trusted first"
    )
    classes: dict[str, ClassRules] = Field({})
    relations: tuple[Relation, ...] = ()
    presence: tuple[Presence, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    continuity: tuple[Continuity, ...] = ()
    orders: tuple[Order, ...] = ()
    between: tuple[Between, ...] = ()
    nearer: tuple[Nearer, ...] = ()
    near: tuple[Near, ...] = ()
    prompts: dict[str, ClassPrompt] = Field(
        {}, description="what a vision-language model is told of a class; `docs/judging.md`"
    )
