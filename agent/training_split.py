"""Which cases a training on files holds out: whole patients, never a scan of one that is learnt."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.training_cases import ReadCase
from voxcurate.errors import ConfigError
from voxcurate.ids import content_id

if TYPE_CHECKING:
    from agent.training_job import How


def linked(cases: Sequence[ReadCase]) -> list[ReadCase]:
    """The cases with whom they are of (`person`): patients who share a scan, voxel by voxel, are
    one, whatever their files are called."""
    first: dict[str, str] = {}  # a patient or a scan's content to the first patient met with it

    def found(name: str) -> str:
        while first[name] != name:
            name = first[name]
        return name

    for case in cases:
        first.setdefault(case.patient, case.patient)
        scan = f"scan:{case.sha256}"
        first.setdefault(scan, case.patient)
        first[found(case.patient)] = found(scan)
    return [replace(case, person=found(case.patient)) for case in cases]


def held_out(
    cases: Sequence[ReadCase], how: "How", taught: Collection[str] = ()
) -> list[frozenset[str]]:
    """The held-out cases of each fold; whole patients. None of a single patient.

    Args:
        cases: with labels.
        how: share or folds, and the seed.
        taught: patients that trained the ancestor. They are not held out while there are others:
            a score on them would be too good.
    """
    known = {case.owner for case in cases if case.patient in taught}
    people = sorted({c.owner for c in cases}, key=lambda p: content_id("hold", how.seed, p))
    if how.folds:
        if len(people) < how.folds:
            raise ConfigError(f"--folds {how.folds}: only {len(people)} patients can be used")
        chosen = [set(people[n :: how.folds]) for n in range(how.folds)]
    else:
        wanted = round(how.hold_out * len(people))
        unseen = [person for person in people if person not in known]
        if known and unseen:
            wanted = min(wanted, len(unseen))
            people = [*unseen, *(person for person in people if person in known)]
        n = min(len(people) - 1, max(1, wanted)) if how.hold_out else 0
        chosen = [set(people[:n])]
    return [frozenset(c.case_id for c in cases if c.owner in some) for some in chosen]


def unseen_only(
    raw: Sequence[ReadCase], cases: Sequence[ReadCase], held: frozenset[str]
) -> list[ReadCase]:
    """Scans without labels but those of held-out patients: the model must not see these at all."""
    hidden = {case.owner for case in cases if case.case_id in held}
    return [case for case in raw if case.owner not in hidden]
