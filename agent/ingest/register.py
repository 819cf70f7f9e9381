"""The last step of ingest: scans enter the catalog together, with splits, pointers and days."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from agent.ingest.config import IngestConfig
from agent.ingest.identities import Identities
from agent.ingest.items import STAGE
from agent.ingest.prints import Prints, fresh_prints, prints_of, unlinked_lines
from agent.ingest.split import Member, join, share_out
from voxcurate.catalog import Assembly, Decision, Label, Report, Scan, ScanHead, Writer
from voxcurate.catalog.records import Split
from voxcurate.stage import StageContext

REPORT = "report"
AT_ONCE = 100  # pairs whose thumbnails are held together


@dataclass(frozen=True)
class Registered:
    """What the catalog got: new scans by case id, and cases whose labels came or changed later."""

    new: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    bridges: int = 0


def register(
    context: StageContext, config: IngestConfig, identities: Identities, key: bytes
) -> Registered:
    """Give every finished case that is not yet in the catalog its row, in one transaction.

    Works from the ledger alone, so that what a killed run had finished comes in with the next one.
    Splits, patients and duplicate groups that are in the catalog stay as they are.
    """
    catalog = context.catalog
    lines = unlinked_lines(catalog)
    if not lines:
        return Registered()
    known: dict[str, Scan] = {scan.case_id: scan for scan in catalog.rows(ScanHead)}
    fresh = {line.subject: line.result for line in lines if line.subject not in known}
    groups = duplicate_groups(known, fresh, prints_of(catalog, fresh))
    truths = _truths(context, known)
    splits, bridges = share_out(_members(known, fresh, groups, truths), config.split, key)
    days = _days(identities, {**{c: s.patient for c, s in known.items()}, **_patients(fresh)})
    with context.catalog.write() as writer:
        for case_id, mark in fresh_prints(writer, fresh):
            scan = fresh[case_id]["scan"]
            facts = _facts(scan["facts"], days.get(case_id), bridges.get(case_id))
            own = {"facts": facts, "split": splits[case_id], "fingerprint": mark}
            writer.put(Scan(**{**scan, **own}, duplicate_group=groups[case_id][0]))
        for line in lines:
            _update(writer, known.get(line.subject), line.result, days.get(line.subject))
            _point(writer, line.subject, line.result, splits.get(line.subject))
            slim = {k: v for k, v in line.result.items() if k != "scan"}
            writer.put(replace(line, result={**slim, "linked": True}))
    updated = {line.subject for line in lines} - set(fresh)
    return Registered(tuple(sorted(fresh)), tuple(sorted(updated)), len(bridges))


def duplicate_groups(
    known: Mapping[str, Scan], fresh: Collection[str], prints: Prints
) -> dict[str, tuple[str, ...]]:
    """Duplicate groups of each new scan: those of the scans it repeats, else its own.

    A group is named by its smallest case id when it began. A scan that repeats members of several
    older groups belongs to the first (smallest); those groups stay apart. Scans in the catalog are
    not compared with each other again, and those with a fingerprint of an older kind not at all.

    Args:
        known: scans of the catalog; their fingerprints are not looked at here.
        fresh: cases that are new.
        prints: gives the fingerprints of cases. The codes of all are in memory together, their
            thumbnails few at a time.
    """
    from cleaning.duplicates.hashing import HASH_VERSION, ScanCodes, ScanFingerprint
    from cleaning.duplicates.pairs import confirm, suspects

    codes = {
        case_id: ScanCodes.from_dict(mark)
        for case_id, mark in prints({*known, *fresh})
        if mark.get("version") == HASH_VERSION
    }
    pairs, tries = suspects(codes, known={case_id for case_id in codes if case_id in known})
    del codes
    for start in range(0, len(tries), AT_ONCE):
        part = tries[start : start + AT_ONCE]
        wanted = {case_id for one in part for case_id in one[:2]}
        marks = {c: ScanFingerprint.from_dict(mark) for c, mark in prints(wanted)}
        found = (confirm(a, marks[a], b, marks[b], candidate) for a, b, candidate in part)
        pairs += [pair for pair in found if pair is not None and pair.is_copy]
    links: dict[str, list[str]] = {case_id: [f"case:{case_id}"] for case_id in (*known, *fresh)}
    for pair in pairs:
        links[pair.second].append(f"case:{pair.first}")
    result: dict[str, tuple[str, ...]] = {}
    for cluster in join(Member(c, tuple(names), frozenset()) for c, names in links.items()):
        cases = [member.case_id for member in cluster.members]
        older = tuple(sorted({known[c].duplicate_group for c in cases if c in known}))
        result.update({c: older or (min(cases),) for c in cases if c not in known})
    return result


def _members(
    known: Mapping[str, Scan],
    fresh: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, tuple[str, ...]],
    truths: Mapping[str, frozenset[str]],
) -> list[Member]:
    members = [
        Member(c, _links(s.patient, (s.duplicate_group,)), truths.get(c, frozenset()), s.split)
        for c, s in known.items()
    ]
    for case_id, result in fresh.items():
        truth = set(result["present"]) | ({REPORT} if result["has_report"] else set())
        if truth:
            truth.add(f"source {result['scan']['source']}")
        links = _links(result["scan"]["patient"], groups[case_id])
        members.append(Member(case_id, links, frozenset(truth)))
    return members


def _links(patient: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    return (f"patient:{patient}", *(f"group:{group}" for group in groups))


def _truths(context: StageContext, known: Mapping[str, Scan]) -> dict[str, frozenset[str]]:
    """What older scans can test, by case."""
    found: dict[str, set[str]] = {case_id: set() for case_id in known}
    if known:
        wanted = ("case_id", "class_id", "voxels")
        for case_id, class_id, voxels in context.catalog.columns(Label, *wanted, origin="original"):
            if case_id in found and voxels:
                found[case_id].add(class_id)
        for page in context.catalog.stream(Report, "case_id"):
            for (case_id,) in page:
                if case_id in found:
                    found[case_id].add(REPORT)
    return {
        c: frozenset(truth | {f"source {known[c].source}"}) for c, truth in found.items() if truth
    }


def _patients(fresh: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {case_id: result["scan"]["patient"] for case_id, result in fresh.items()}


def _days(identities: Identities, patients: Mapping[str, str]) -> dict[str, int]:
    """Days since the patient's first scan; a scan from before it, come later, has negative days."""
    dates = {
        one.case_id: date.fromisoformat(one.day)
        for one in identities.all()
        if one.day and one.case_id in patients
    }
    anchors = identities.anchors((patients[c], day) for c, day in dates.items())
    return {c: (day - anchors[patients[c]]).days for c, day in dates.items()}


def _facts(
    facts: Mapping[str, Any], day: int | None, bridges: list[Split] | None
) -> dict[str, Any]:
    found = dict(facts)
    if day is not None:
        found["day"] = day
    if bridges:
        found["bridges"] = bridges
    return found


def _update(writer: Writer, scan: Scan | None, result: Mapping[str, Any], day: int | None) -> None:
    """What may change about a known scan: its facts and which classes are told completely."""
    if scan is None:
        return
    bridges = scan.facts.get("bridges")
    facts = _facts(result["scan"]["facts"], day, bridges)
    complete = result["scan"]["complete"]
    if facts != scan.facts or complete != scan.complete:
        (whole,) = writer.rows(Scan, case_id=scan.case_id)
        writer.put(replace(whole, facts=facts, complete=complete))


def _point(writer: Writer, case_id: str, result: Mapping[str, Any], split: Split | None) -> None:
    """Pointers of round 0; gold is disjoint from test, so that a test scan's labels stay plain."""
    if split is None:
        split = writer.rows(Scan, case_id=case_id)[0].split
    older = {row.class_id: row for row in writer.rows(Assembly, round=0, case_id=case_id)}
    for class_id, label_id in sorted(result["labels"].items()):
        gold = result["gold"] and split != "test"
        if gold:
            writer.flag(
                label_id,
                _decision(case_id, class_id, label_id, "gold", "declared by the source"),
                gold=True,
            )
        before = older.get(class_id)
        if before is not None and before.label_id != label_id:
            reason = "the source's file changed; its new version counts"
            writer.decide(
                _decision(case_id, class_id, label_id, "replaced", reason, before.label_id)
            )
        writer.point(Assembly(0, case_id, class_id, label_id, "gold" if gold else "original"))


def _decision(
    case_id: str, class_id: str, label_id: str, verdict: str, reason: str, other: str = ""
) -> Decision:
    return Decision(
        "", 0, STAGE, case_id, class_id, label_id, verdict, reason, actor=STAGE, other_label=other
    )
