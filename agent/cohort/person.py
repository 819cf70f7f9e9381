"""Invented patients: who they are on paper and what is true of their bodies."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

_FIRST = {
    "F": (
        "Elowyn",
        "Marigold",
        "Saoirse",
        "Ottilie",
        "Brunhilde",
        "Isaura",
        "Philippa",
        "Wilhelmina",
    ),
    "M": (
        "Thaddeus",
        "Ignatius",
        "Leopoldo",
        "Cornelius",
        "Evaristo",
        "Barnabas",
        "Sylvestre",
        "Aurelio",
    ),
}
_LAST_HEAD = (
    "Quill",
    "Brax",
    "Thorn",
    "Velk",
    "Osterm",
    "Drumm",
    "Fenw",
    "Kalib",
    "Morw",
    "Zanet",
    "Harg",
    "Pellg",
)
_LAST_TAIL = (
    "ington",
    "hurst",
    "ova",
    "berg",
    "escu",
    "wick",
    "enko",
    "ario",
    "mond",
    "strand",
    "idge",
    "aker",
)
_HOSPITAL = (
    "Northmere General Hospital",
    "St. Wystan Medical Centre",
    "Lake Orrin University Clinic",
)
_STREETS = ("Larkspur", "Quarrybank", "Hollowtree")
_TUMOR_KINDS = ("pdac", "pdac", "pdac", "pnet", "cyst")


@dataclass(frozen=True)
class Identity:
    """The identifiers that must never leave the private part of a workspace."""

    first: str
    last: str
    mrn: str
    birth: date
    phone: str
    street: str
    hospital: str
    physician: str
    radiologist: str


@dataclass(frozen=True)
class Tumor:
    """A pancreatic lesion: ``pdac``, ``pnet`` or ``cyst``; `at` 0 is the head, 1 the tail tip."""

    kind: str
    diameter_mm: float
    at: float

    @property
    def segment(self) -> str:
        """Head, neck, body or tail, in words."""
        for end, name in ((0.3, "head"), (0.42, "neck"), (0.7, "body")):
            if self.at < end:
                return name
        return "tail"


@dataclass(frozen=True)
class Person:
    """One invented patient.

    `size` scales the whole body; `fat_mm` is the mean thickness of subcutaneous fat.
    """

    number: int
    sex: str
    age: int
    identity: Identity
    size: float
    fat_mm: float
    tumor: Tumor | None
    absent: frozenset[str] = frozenset()
    conditions: frozenset[str] = frozenset()
    cyst_side: str = "left"
    metal: bool = False
    follow_ups: int = 0
    first_scan: date = field(default=date(2019, 1, 1))


def draw_people(patients: int, seed: int) -> tuple[Person, ...]:
    """All patients of a cohort; a third has a pancreatic lesion, few lack an organ."""
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(patients)
    with_tumor = set(order[: max(1, round(patients / 3))].tolist())
    diameters = rng.permutation(np.geomspace(8, 50, len(with_tumor)))
    diameter_of = dict(zip(sorted(with_tumor), diameters, strict=True))
    used: set[str] = set()
    return tuple(
        _draw_person(rng, number, patients, diameter_of.get(number), used)
        for number in range(patients)
    )


def _draw_person(
    rng: np.random.Generator, number: int, patients: int, diameter: float | None, used: set[str]
) -> Person:
    sex = str(rng.choice(["F", "M"]))
    age = int(rng.integers(31, 88))
    first_scan = date(2016, 1, 4) + timedelta(days=int(rng.integers(0, 2400)))
    tumor = None
    if diameter is not None:
        kind = _TUMOR_KINDS[int(rng.integers(len(_TUMOR_KINDS)))]
        tumor = Tumor(
            kind, round(float(diameter), 1), float(rng.choice([0.12, 0.2, 0.36, 0.6, 0.85]))
        )
    absent = _draw_absent(rng, number)
    sides = [side for side in ("left", "right") if f"kidney_{side}" not in absent]
    return Person(
        number=number,
        sex=sex,
        age=age,
        identity=_draw_identity(rng, sex, first_scan, age, used),
        size=float(rng.normal(1.0 if sex == "M" else 0.94, 0.035)),
        fat_mm=float(np.clip(rng.gamma(4, 5), 7, 40)),
        tumor=tumor,
        absent=absent,
        conditions=_draw_conditions(rng, tumor)
        - ({"gallstones"} if "gall_bladder" in absent else set()),
        cyst_side=str(rng.choice(sides)),
        metal=bool(rng.random() < 0.08) or number == patients - 1,
        follow_ups=int(rng.random() < 0.2) or int(number == 1),
        first_scan=first_scan,
    )


def _draw_absent(rng: np.random.Generator, number: int) -> frozenset[str]:
    chances = {"gall_bladder": 0.15, "spleen": 0.06, "kidney_left": 0.03, "kidney_right": 0.03}
    absent = {organ for organ, chance in chances.items() if rng.random() < chance}
    if number % 8 == 5:
        absent.add("gall_bladder")
    return frozenset(absent - ({"kidney_right"} if "kidney_left" in absent else set()))


def _draw_conditions(rng: np.random.Generator, tumor: Tumor | None) -> frozenset[str]:
    chances = {
        "renal_cyst": 0.25,
        "liver_cyst": 0.2,
        "gallstones": 0.2,
        "ascites": 0.1,
        "steatosis": 0.15,
        "calcified_aorta": 0.35,
        "liver_metastases": 0.35 if tumor and tumor.kind == "pdac" else 0.03,
    }
    found = {name for name, chance in chances.items() if rng.random() < chance}
    obstructs = tumor is not None and tumor.kind == "pdac" and tumor.at < 0.7
    if obstructs and rng.random() < 0.75:
        found.add("duct_dilation")
    return frozenset(found)


def _draw_identity(
    rng: np.random.Generator, sex: str, first_scan: date, age: int, used: set[str]
) -> Identity:
    def last_name() -> str:
        name = str(rng.choice(_LAST_HEAD)) + str(rng.choice(_LAST_TAIL))
        while name in used:
            name += "-" + str(rng.choice(_LAST_HEAD)) + str(rng.choice(_LAST_TAIL))
        used.add(name)
        return name

    birth = first_scan - timedelta(days=age * 365 + int(rng.integers(20, 340)))
    return Identity(
        first=str(rng.choice(_FIRST[sex])),
        last=last_name(),
        mrn=f"{rng.integers(10_000_000, 99_999_999)}",
        birth=birth,
        phone=f"({rng.integers(201, 989)}) 555-{rng.integers(1000, 9999)}",
        street=f"{rng.integers(11, 987)} {rng.choice(_STREETS)} Lane",
        hospital=str(rng.choice(_HOSPITAL)),
        physician=str(rng.choice(["Amaranta", "Percival", "Roswitha"])) + " " + last_name(),
        radiologist=str(rng.choice(["Ludmila", "Fitzgerald", "Kasimir"])) + " " + last_name(),
    )
