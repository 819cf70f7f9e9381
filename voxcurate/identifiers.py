"""The identifiers that a header or table row already tells, and where they stand in a text.

What is known about a patient is the surest guide to what must go. Names are looked for part by
part (any order, any case, with or without accents, initials beside a known part, one letter wrong
in a long one); numbers with any separators; dates in every common spelling.
"""

from collections.abc import Iterator
from datetime import date

from pydantic import Field

from voxcurate.config import Config
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.known_names import find_names
from voxcurate.scrubbing.known_numbers import (
    find_dates,
    find_ids,
    find_institutions,
    find_literals,
)

__all__ = ["Hit", "Identifiers", "find_known"]


class Identifiers(Config):
    """What is known of one patient and study; all of it must be gone from anything written.

    Names may be in DICOM form (``DOE^JOHN^A``), ``Doe, John A.`` or ``John A. Doe``.
    """

    names: tuple[str, ...] = Field((), description="the patient's names, relatives too")
    physicians: tuple[str, ...] = ()
    ids: tuple[str, ...] = Field((), description="patient ids, MRNs, UIDs, device serials")
    accessions: tuple[str, ...] = ()
    dates: tuple[date, ...] = Field((), description="birth, study, admission...")
    institutions: tuple[str, ...] = ()
    others: tuple[str, ...] = Field((), description="addresses, phones: removed literally")


def find_known(text: str, known: Identifiers, *, embedded: bool = False) -> Iterator[Hit]:
    """Every place of the text that holds a known identifier; hits may overlap."""
    yield from find_literals(text, known.others, kind="OTHER")
    yield from find_institutions(text, known.institutions)
    yield from find_ids(text, known.ids, kind="ID", embedded=embedded)
    yield from find_ids(text, known.accessions, kind="ID", embedded=embedded)
    yield from find_dates(text, known.dates)
    yield from find_names(text, (*known.names, *known.physicians), embedded=embedded)
