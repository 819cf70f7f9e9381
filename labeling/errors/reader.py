"""Label errors as the catalog tells them: read scan by scan, counted by the database.

Nothing is stored: what is told follows from decisions and label versions, and is true again after
every one of them.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from labeling.config import AnnotationTimeConfig
from labeling.errors.record import LabelError, Past, Prices
from labeling.errors.story import VERDICTS, errors_of
from labeling.errors.tally import MACHINES, PEOPLE, Group, Looked, Tally, tallied
from labeling.quality import TRUSTED
from voxcurate.catalog import Catalog, Decision, Label, LabelHead, Measure, Model, Scan, WorkItem
from voxcurate.catalog.schema import TABLES
from voxcurate.catalog.statements import conditions
from voxcurate.classes import Vocabulary

AT_ONCE = 200  # scans whose decisions are in memory
ALL_VERDICTS = tuple(sorted({verdict for own in VERDICTS.values() for verdict in own}))
Found = tuple[LabelError, str]  # an error and the patient


def read_errors(
    catalog: Catalog,
    vocabulary: Vocabulary,
    *,
    time: AnnotationTimeConfig | None = None,
    cases: Collection[str] = (),
    classes: Collection[str] = (),
    sources: Collection[str] = (),
    upto: int | None = None,
) -> Iterator[Found]:
    """Every label error ever found, with its patient, scan by scan in the order of their ids.

    Args:
        catalog: of the workspace.
        vocabulary: which classes are the two sides of one structure.
        time: what people's time is reckoned with where it was not written down.
        cases: only of these; empty: all. The same for `classes` and `sources`.
        upto: as of this round: later decisions are left out.
    """
    about = {
        case: (source, patient)
        for case, source, patient in catalog.columns(Scan, "case_id", "source", "patient")
        if (not cases or case in cases) and (not sources or source in sources)
    }
    named = [case for case in _named(catalog, classes) if case in about]
    pairs = {info: vocabulary[info].pair for info in vocabulary.ids()}
    models = dict(catalog.columns(Model, "model_id", "name"))
    prices = prices_of(time or AnnotationTimeConfig())
    for first in range(0, len(named), AT_ONCE):
        some = named[first : first + AT_ONCE]
        for past in _pasts(catalog, some, about, models, classes, upto):
            for error in errors_of(past, pairs, prices):
                yield error, past.patient


def prices_of(time: AnnotationTimeConfig) -> Prices:
    """What people's time is reckoned with."""
    each = time.minutes_by_class
    other = sum(each.values()) / len(each) if each else time.minutes_per_structure
    return Prices(draw=dict(each), draw_other=other)


def count_errors(
    catalog: Catalog, vocabulary: Vocabulary, *, upto: int | None = None
) -> tuple[Tally, Looked]:
    """All errors counted, and the labels that were looked at."""
    return tallied(read_errors(catalog, vocabulary, upto=upto)), looked_at(catalog, upto=upto)


def _named(catalog: Catalog, classes: Collection[str]) -> list[str]:
    """Scans with a decision that may tell of an error, in order."""
    table = TABLES[Decision]
    found: set[str] = set()
    chosen = {"verdict": ALL_VERDICTS, "stage": tuple(VERDICTS)}
    if classes:
        chosen["class_id"] = tuple(classes)
    with catalog.engine.connect() as connection:
        for wanted in conditions(table, chosen):
            query = sa.select(table.c.case_id).where(*wanted).distinct()
            found.update(case for (case,) in connection.execute(query))
    return sorted(found)


def _pasts(
    catalog: Catalog,
    some: Sequence[str],
    about: Mapping[str, tuple[str, str]],
    models: Mapping[str, str],
    classes: Collection[str],
    upto: int | None,
) -> Iterator[Past]:
    only = {"case_id": list(some), **({"class_id": list(classes)} if classes else {})}
    decisions: dict[str, list[Decision]] = {case: [] for case in some}
    stages = {"stage": list(VERDICTS), "verdict": list(ALL_VERDICTS)}
    for decision in catalog.rows(Decision, **only, **stages):
        if upto is None or decision.round <= upto:
            decisions[decision.case_id].append(decision)
    labels: dict[str, dict[str, Label]] = {case: {} for case in some}
    for label in _versions(catalog, [d for own in decisions.values() for d in own]):
        labels[label.case_id][label.label_id] = label
    seconds = _judge_seconds(catalog, some)
    for case in some:
        yield Past(case, *about[case], decisions[case], labels[case], models, seconds.get(case, {}))


def _versions(catalog: Catalog, decisions: Sequence[Decision]) -> Iterator[Label]:
    """The label versions that decisions name, and those that they were made from; most versions
    of a structure nobody has ever said a word about."""
    wanted = {i for d in decisions for i in (d.label_id, d.other_label) if i}
    known: set[str] = set()
    while wanted:
        known |= wanted
        found = catalog.rows(LabelHead, label_id=wanted)
        yield from found
        wanted = {x.parent for x in found if x.parent} - known


def _judge_seconds(catalog: Catalog, some: Sequence[str]) -> dict[str, dict[int, float]]:
    """Case to round to processor seconds of the judge for each label that it looked at."""
    where = {"stage": "judge", "status": "done", "subject": list(some)}
    spent: Counter[tuple[str, int]] = Counter()
    for number, case, seconds in catalog.columns(WorkItem, "round", "subject", "seconds", **where):
        spent[case, number] += seconds
    asked = Counter(
        catalog.columns(Decision, "case_id", "round", stage="judge", case_id=list(some))
    )
    found: dict[str, dict[int, float]] = {}
    for (case, number), total in spent.items():
        found.setdefault(case, {})[number] = total / max(1, asked[case, number])
    return found


def looked_at(catalog: Catalog, *, upto: int | None = None) -> Looked:
    """How many labels could have been found wrong, and of how many patients.

    Labels that counted are those that the detection examined; drawings are the labels that the
    fusion made.
    """
    measure, label = TABLES[Measure], TABLES[Label]
    is_asked = (measure.c.stage == "detect", measure.c.name == "error_probability")
    labels: dict[Group, int] = {}
    last: dict[Group, str] = {}
    patients: dict[Group, int] = {}
    version = measure.c.facts["label_id"].as_string()
    asked = measure.join(label, label.c.label_id == version)
    scopes = (
        ("label", measure, asked, is_asked),
        ("drawing", label, label, (label.c.origin == "pseudo",)),
    )
    for scope, table, joined, wanted in scopes:
        upto_here = (table.c.round <= upto,) if upto is not None else ()
        for row in _counted(catalog, table, joined, (*wanted, *upto_here)):
            number, patient, class_id, source, origin, n = row
            by = PEOPLE if origin in TRUSTED else MACHINES
            for group in (
                ("", ""), ("class", class_id), ("source", source), ("origin", by),
                ("class origin", f"{class_id} {by}"),
            ):  # fmt: skip
                key = (number, scope, *group)
                labels[key] = labels.get(key, 0) + n
                if last.get(key) != patient:
                    last[key] = patient
                    patients[key] = patients.get(key, 0) + 1
    return Looked(labels, patients)


def _counted(
    catalog: Catalog, table: sa.Table, joined: Any, wanted: Sequence[sa.ColumnElement[bool]]
) -> Iterator[Sequence[Any]]:
    """Labels by round, patient, class, source and origin; those of a patient follow each other."""
    scan, label = TABLES[Scan], TABLES[Label]
    keys = (
        table.c.round, scan.c.patient, table.c.class_id, scan.c.source, label.c.origin,
    )  # fmt: skip
    query = (
        sa.select(*keys, sa.func.count())
        .select_from(joined.join(scan, scan.c.case_id == table.c.case_id))
        .where(*wanted)
        .group_by(*keys)
        .order_by(table.c.round, scan.c.patient)
    )
    with catalog.engine.connect() as connection:
        yield from connection.execution_options(yield_per=10_000).execute(query)
