"""The catalog's side of models: who was trained on what, and which count in a round."""

from collections.abc import Iterable, Mapping

from voxcurate.catalog import Catalog, Model, Scan, WorkItem
from voxcurate.ids import content_id
from voxcurate.stage import StageContext

STAGES = {"zoo": "train_zoo", "flagship": "train_flagship"}


def of_round(ctx: StageContext, role: str, round_number: int | None = None) -> list[Model]:
    """The models of a role (``zoo`` or ``flagship``) that count in a round, reused ones too."""
    number = ctx.round if round_number is None else round_number
    lines = ctx.catalog.rows(WorkItem, round=number, stage=STAGES[role], status="done")
    newest: dict[str, WorkItem] = {}
    for line in sorted(lines, key=lambda line: line.updated):
        newest[line.subject] = line
    ids = {str(line.result["model_id"]) for line in newest.values() if "model_id" in line.result}
    return ctx.catalog.rows(Model, model_id=ids) if ids else []


def last_of(ctx: StageContext, role: str) -> list[Model]:
    """The models of a role in the newest round before this one that has any."""
    for number in range(ctx.round - 1, 0, -1):
        found = of_round(ctx, role, number)
        if found:
            return found
    return []


def groups(scans: Iterable[Scan]) -> dict[str, str]:
    """The group of each case: cases share one if they share a patient or a duplicate group.

    A group's name is that of its smallest patient, so that it does not depend on the order.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    listed = list(scans)
    for scan in listed:
        first, second = root(f"p:{scan.patient}"), root(f"d:{scan.duplicate_group}")
        if scan.duplicate_group and first != second:
            parent[max(first, second)] = min(first, second)
    people: dict[str, str] = {}
    for scan in listed:
        key = root(f"p:{scan.patient}")
        people[key] = min(people.get(key, scan.patient), scan.patient)
    return {scan.case_id: people[root(f"p:{scan.patient}")] for scan in listed}


def folds(group_of: Mapping[str, str], n: int, seed: int) -> dict[str, int]:
    """Fold of each case: its group's rank by hash, dealt round robin, so that folds are even."""
    names = sorted(set(group_of.values()), key=lambda name: content_id("fold", seed, name))
    rank = {name: position % n for position, name in enumerate(names)}
    return {case_id: rank[group] for case_id, group in group_of.items()}


def taught_groups(training_cases: Iterable[str], group_of: Mapping[str, str]) -> frozenset[str]:
    """The groups that a model was trained on; a case of any other group is out of fold for it."""
    return frozenset(group_of[c] for c in training_cases if c in group_of)


def all_groups(catalog: Catalog) -> dict[str, str]:
    """Groups over every scan in the catalog, whatever its status."""
    return groups(catalog.rows(Scan))
