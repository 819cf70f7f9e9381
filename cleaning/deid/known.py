"""What a header tells about its patient, for the cleaning of its other texts."""

from collections.abc import Iterator
from typing import Any

from cleaning.deid.dates import day_of
from cleaning.deid.table import action_of, is_identifying
from voxcurate.identifiers import Identifiers

_TEXT = frozenset({"LO", "SH", "LT", "ST", "UC", "UT", "CS", "AE"})
_INSTITUTION = frozenset({0x00080080, 0x00080081, 0x00081040, 0x00120031, 0x00120060, 0x00380300})
_ADDRESS = frozenset({0x00101040, 0x00102154, 0x00102155, 0x00080092, 0x00080094, 0x00402010})
_PATIENT_NAMES = frozenset({0x00100010, 0x00101001, 0x00101005, 0x00101060, 0x00102297, 0x00100012})
_NO_ID = frozenset({0x00100040, 0x00400241, 0x00180010, 0x00102160, 0x00102180, 0x001021A0})
Value = tuple[int, str, str]  # tag, VR, decoded value


def identity_of(values: Iterator[Value]) -> Identifiers:
    """Names, ids, places and dates of a header.

    Texts of more than three words among the attributes that the profile removes are comments, not
    ids, and are left to the list of harmless words.
    """
    found: dict[str, list[Any]] = {
        name: [] for name in ("names", "physicians", "ids", "dates", "institutions", "others")
    }
    for tag, vr, value in values:
        several = [one.strip(" \0") for one in value.split("\\") if one.strip(" \0")]
        if vr == "PN":
            parts = [p for one in several for p in one.split("=") if p.strip("^ ")]
            found["names" if tag in _PATIENT_NAMES else "physicians"] += parts
        elif vr in ("DA", "DT"):
            found["dates"] += [day for one in several if (day := day_of(one))]
        elif tag in _INSTITUTION:
            found["institutions"] += several
        elif tag in _ADDRESS:
            found["others"] += several
        elif vr in _TEXT and tag not in _NO_ID and _may_be_id(tag, vr):
            found["ids"] += [one for one in several if _is_id(one)]
    unique = {name: tuple(dict.fromkeys(values)) for name, values in found.items()}
    return Identifiers(**unique)


def _may_be_id(tag: int, vr: str) -> bool:
    return is_identifying(tag) and action_of(tag, vr) not in ("clean", "facts")


def _is_id(value: str) -> bool:
    return len(value) > 2 and len(value.split()) < 4 and any(map(str.isdigit, value))
