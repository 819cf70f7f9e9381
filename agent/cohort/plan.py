"""Which scans a cohort has: who is scanned where and when, what is copied, what is damaged."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from agent.cohort.corruption import DICOM_KINDS, NIFTI_KINDS
from agent.cohort.person import Person
from agent.cohort.tissues import PHASES
from voxcurate.errors import ConfigError

SOURCES = ("northclinic", "atlasdemo", "unetdemo", "rawdemo")
MIN_PATIENTS = 4
_PREFIX = {"northclinic": "S", "atlasdemo": "DEMO_", "unetdemo": "abd_", "rawdemo": "vol"}
# kind of copy -> (source of the original, source of the copy)
COPY_ROUTES = {
    "reoriented": ("unetdemo", "rawdemo"),
    "exact": ("atlasdemo", "atlasdemo"),
    "reencoded": ("northclinic", "atlasdemo"),
    "cropped": ("atlasdemo", "rawdemo"),
    "rescaled": ("northclinic", "rawdemo"),
    "exact_elsewhere": ("unetdemo", "rawdemo"),
    "resampled": ("atlasdemo", "unetdemo"),
}


@dataclass(frozen=True)
class ScanPlan:
    """One scan to be made.

    Attributes:
        index: place in the plan; seeds everything drawn for the scan.
        source: one of `SOURCES`.
        name: the case's name in its source.
        person: number of the patient.
        visit: 0 for the first scan of the patient.
        day: of the scan.
        phase: contrast phase.
        corruption: kind of damage, or empty.
        copy_of: index of the original, for a planted duplicate.
        copy_kind: key of `COPY_ROUTES`, or empty.
    """

    index: int
    source: str
    name: str
    person: int
    visit: int
    day: date
    phase: str
    corruption: str = ""
    copy_of: int | None = None
    copy_kind: str = ""


@dataclass
class _Draft:
    source: str
    person: int
    visit: int
    day: date
    phase: str
    corruption: str = ""
    copy_of: int | None = None
    copy_kind: str = ""


def plan_cohort(people: tuple[Person, ...], seed: int) -> tuple[ScanPlan, ...]:
    """Every scan of the cohort; originals come before their copies.

    Damaged scans are extra visits, so that no good scan is lost; a cohort of 24 has every kind of
    damage and of copy.

    Raises:
        ConfigError: fewer than `MIN_PATIENTS` patients: a source would be empty.
    """
    if len(people) < MIN_PATIENTS:
        raise ConfigError(f"want at least {MIN_PATIENTS} patients, got {len(people)}")
    rng = np.random.default_rng([seed, 4])
    home = _homes(len(people), rng)
    drafts = []
    for person in people:
        for visit in range(1 + person.follow_ups):
            drafts.append(_draft(home[person.number], person, visit, rng))
    drafts += _damaged(people, home, rng)
    originals = list(range(len(drafts)))
    drafts += _copies(drafts, originals, round(0.3 * len(people)), rng)
    names = _names(drafts, rng)
    return tuple(
        ScanPlan(index=index, name=names[index], **vars(draft))
        for index, draft in enumerate(drafts)
    )


def _homes(patients: int, rng: np.random.Generator) -> list[str]:
    counts = [max(1, round(patients * share)) for share in (1 / 3, 1 / 3, 1 / 4)]
    while sum(counts) > patients - 1:
        counts[counts.index(max(counts))] -= 1
    counts.append(patients - sum(counts))
    names = [source for source, count in zip(SOURCES, counts, strict=True) for _ in range(count)]
    return [names[i] for i in rng.permutation(patients)]


def _draft(source: str, person: Person, visit: int, rng: np.random.Generator) -> _Draft:
    day = person.first_scan + timedelta(days=visit * int(rng.integers(80, 260)))
    phase = str(rng.choice(PHASES, p=(0.15, 0.2, 0.5, 0.15)))
    return _Draft(source, person.number, visit, day, phase)


def _damaged(people: tuple[Person, ...], home: list[str], rng: np.random.Generator) -> list[_Draft]:
    """One more visit for some patients, each with one kind of damage."""
    result: list[_Draft] = []
    chosen = rng.permutation(len(people))
    by_dicom = {
        is_dicom: [people[i] for i in chosen if (home[i] == "northclinic") == is_dicom]
        for is_dicom in (False, True)
    }
    n_damaged = min(max(6, round(0.45 * len(people))), len(NIFTI_KINDS) * 4)
    for number in range(n_damaged):
        kind = NIFTI_KINDS[number % len(NIFTI_KINDS)]
        is_dicom = kind in DICOM_KINDS and number % 2 == 1
        pool = by_dicom[is_dicom]
        person = pool[(number // 2) % len(pool)]
        used = sum(draft.person == person.number for draft in result)
        draft = _draft(home[person.number], person, 1 + person.follow_ups + used, rng)
        draft.corruption = kind
        result.append(draft)
    return result


def _copies(
    drafts: list[_Draft], originals: list[int], count: int, rng: np.random.Generator
) -> list[_Draft]:
    result = []
    taken: set[int] = set()
    kinds = list(COPY_ROUTES)
    for number in range(max(3, count)):
        kind = kinds[number % len(kinds)]
        origin, target = COPY_ROUTES[kind]
        pool = [
            index
            for index in originals
            if drafts[index].source == origin
            and not drafts[index].corruption
            and index not in taken
        ]
        if not pool:
            continue
        chosen = pool[int(rng.integers(len(pool)))]
        taken.add(chosen)
        first = drafts[chosen]
        copy = _Draft(target, first.person, first.visit, first.day, first.phase)
        copy.copy_of, copy.copy_kind = chosen, kind
        result.append(copy)
    return result


def _names(drafts: list[_Draft], rng: np.random.Generator) -> list[str]:
    """Names in an order that tells nothing about copies and damage."""
    result = [""] * len(drafts)
    for source in SOURCES:
        mine = [index for index, draft in enumerate(drafts) if draft.source == source]
        for number, index in zip(rng.permutation(len(mine)) + 1, mine, strict=True):
            result[index] = f"{_PREFIX[source]}{int(number):04d}"
    return result
