"""The written anatomy: what a file of ``configs/anatomy`` may say."""

from typing import Literal

from pydantic import Field

from voxcurate.config import Config

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


class Relation(Config):
    """The centroid of `a` lies so many mm in a direction from that of `b`, or further."""

    a: str
    is_: Literal["left_of", "right_of", "in_front_of", "behind", "above", "below"] = Field(
        alias="is"
    )
    b: str
    margin_mm: float = 0.0


class Presence(Config):
    """Where all of `given` are there and none is cut off, `want` cannot be absent."""

    given: tuple[str, ...]
    want: str


class AnatomyFile(Config):
    """One file of ``configs/anatomy``."""

    region: str
    midline: tuple[str, ...] = ()
    side_margin_mm: float = 5.0
    classes: dict[str, ClassRules] = Field({})
    relations: tuple[Relation, ...] = ()
    presence: tuple[Presence, ...] = ()
