"""Invented people for the benchmark of de-identification: names that are in no list of names."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

_HEADS = [
    "Brax",
    "Quil",
    "Zorv",
    "Thax",
    "Vrem",
    "Plim",
    "Skorn",
    "Drux",
    "Jelv",
    "Kwin",
    "Mulv",
    "Ghaz",
]
_MIDDLES = ["ando", "ervi", "iqua", "olda", "umpe", "aski", "ethro", "inza", "ovri", "ubla"]
_TAILS = ["rth", "wick", "nsky", "mond", "ggin", "x", "lthe", "stra", "ppel", "zza"]


@dataclass(frozen=True)
class Person:
    """A patient with what a hospital writes of him; `kind_*` are planted in one place only.

    Attributes:
        last: the patient's name, in the header of every file of his.
        first: his first name, there too.
        patient_id: in every header.
        born: in every header.
        seen: day of the exam, in every header.
        stranger: a name that stands in the tried place alone.
        number: an id that stands in the tried place alone.
        day: a day that stands in the tried place alone.
    """

    last: str
    first: str
    patient_id: str
    born: date
    seen: date
    stranger: str
    number: str
    day: date

    @property
    def name(self) -> str:
        """As DICOM writes it."""
        return f"{self.last}^{self.first}"


def person(seed: int, kind: str) -> Person:
    """The patient of a seed, with a stranger for the kind of place."""
    own, other = Random(f"patient {seed}"), Random(f"{kind} {seed}")
    return Person(
        last=_word(own),
        first=_word(own),
        patient_id=f"{own.randrange(10**7, 10**8)}",
        born=date(1931, 1, 1) + timedelta(own.randrange(25_000)),
        seen=date(2009, 1, 1) + timedelta(own.randrange(4_000)),
        stranger=_word(other),
        number=f"{other.randrange(10**6, 10**7)}",
        day=date(2001, 1, 1) + timedelta(other.randrange(2_500)),
    )


def _word(random: Random) -> str:
    return random.choice(_HEADS) + random.choice(_MIDDLES) + random.choice(_TAILS)
