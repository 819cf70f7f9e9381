"""What becomes of each attribute: the Basic profile's table with the options that we follow.

The table is the one of PS3.15 2026c that dicom-anonymizer ships (attributes by their action code);
on it lie the options Retain Longitudinal Temporal Information with Modified Dates, Retain Patient
Characteristics (sex, age, size, weight), Clean Descriptors, Clean Structured Content and Clean
Graphics. What the table does not name is decided by the kind of its value, see `elements`.
"""

from functools import lru_cache
from typing import Literal

Action = Literal["drop", "empty", "dummy", "uid", "descend", "clean", "facts", "code", "by kind"]

DATES = frozenset({"DA", "DT", "TM"})
OVERLAYS, CURVES = 0x60, 0x50  # groups 60xx and 50xx: dropped whole (Clean Graphics)

# (0008,xxxx) ... : the texts that Clean Descriptors cleans instead of dropping them
_DESCRIPTORS = frozenset(
    {
        0x00081030, 0x0008103E, 0x00081080, 0x00082111, 0x00080108, 0x00180010, 0x00180031,
        0x00181030, 0x00181400, 0x00184000, 0x00189424, 0x0018937B, 0x00189185, 0x00189937,
        0x00200027, 0x00203406, 0x00204000, 0x00209158, 0x00321060, 0x00321070, 0x00400007,
        0x00400254, 0x00400280, 0x00400310, 0x00400556, 0x00281054, 0x00281055,
        0x00620005, 0x00620006, 0x00700081,
        0x30060002, 0x30060004, 0x30060006, 0x30060026, 0x30060028, 0x30060038, 0x30060085,
        0x30060088, 0x300A0002, 0x300A0003, 0x300A0004, 0x300A000E, 0x300A0016, 0x300A00C3,
        0x006A0005, 0x006A0006, 0x0040A160,
    }
)  # fmt: skip
# facts of the device and the technique, wanted for analysis: kept whole or dropped whole
_FACTS = frozenset(
    {
        0x00080070, 0x00081090, 0x00180024, 0x00181016, 0x00181018, 0x00181019,
        0x00181020, 0x00181160, 0x00181210, 0x00181250, 0x00181251, 0x00189005, 0x00189041,
        0x00541101, 0x00541103, 0x00541105,
    }
)  # fmt: skip
_CODES = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080119, 0x00080120})
# sex, age, size, weight, smoking, pregnancy, neutered: the option keeps them
_CHARACTERISTICS = frozenset(
    {0x00100040, 0x00101010, 0x00101020, 0x00101030, 0x001021A0, 0x001021C0, 0x00102203}
)
# sequences of the table that hold what the options keep, and of which nothing else identifies
_DESCENDED = frozenset(
    {0x0040A730, 0x00700001, 0x0040A073, 0x0040B020, 0x00081140, 0x00082112, 0x00400555, 0x00340001}
)
# who is meant, in codes or dates of his life: never kept
_DROPPED = frozenset(
    {
        0x00100030, 0x00100032, 0x00100033, 0x00100034, 0x00100035, 0x001021D0, 0x00401101,
        0x00081072, 0x0040A088, 0x00080082, 0x00081111, 0x00081110, 0x00080201, 0x00120062,
        0x00120063, 0x00120064, 0x00280303, 0x00080005, 0x00080305, 0x00100221, 0x00100222,
    }
)  # fmt: skip


@lru_cache(maxsize=1)
def _basic() -> dict[int, Action]:
    """Tag to action, of the plain table."""
    from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table

    kinds: list[tuple[Action, list[tuple[int, ...]]]] = [
        ("drop", [*table.X_TAGS, *table.X_Z_TAGS, *table.X_D_TAGS, *table.X_Z_D_TAGS]),
        ("empty", [*table.Z_TAGS, *table.Z_D_TAGS]),
        ("dummy", table.D_TAGS),
        ("uid", table.U_TAGS),
        ("descend", table.X_Z_U_STAR_TAGS),
    ]
    return {
        tag[0] << 16 | tag[1]: action for action, tags in kinds for tag in tags if len(tag) == 2
    }


@lru_cache(maxsize=16384)
def action_of(tag: int, vr: str) -> Action:
    """What becomes of a public attribute.

    Args:
        tag: group and element as one number.
        vr: the value representation that the standard gives it.
    """
    if tag in _DROPPED or tag & 0xFFFF == 0 or tag >> 24 in (OVERLAYS, CURVES):
        return "drop"
    if tag in _FACTS:
        return "facts"
    if tag in _CODES:
        return "code"
    if tag in _DESCRIPTORS:
        return "clean" if vr != "SQ" else "descend"
    if tag in _DESCENDED:
        return "descend"
    if tag in _CHARACTERISTICS:
        return "by kind"
    found = _basic().get(tag, "by kind")
    if vr in DATES and tag >> 16 not in (0x0010, 0x0016):
        return "by kind"  # moved, whatever the table says
    return found


def is_identifying(tag: int) -> bool:
    """Whether the plain table takes an attribute away or replaces it."""
    return _basic().get(tag, "by kind") in ("drop", "empty", "dummy")
