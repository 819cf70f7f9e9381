"""Sections on the scans: the funnel, duplicates, rejected scans."""

from collections import Counter
from collections.abc import Sequence

from agent.report import charts
from agent.report.blocks import Card, Chart, Gallery, Section, Table, Text
from agent.report.pictures import Album
from agent.report.view import RoundView
from voxcurate.catalog import Decision, Scan, WorkItem

MOST_PAIRS = 10
MOST_REJECTED = 12
SPLITS = ("train", "validation", "test")
EVIDENCE = {  # names of the duplicate search's figures, for people
    "distance": "hash distance (of 256 bits)",
    "ncc": "correlation",
    "detail_ncc": "correlation of detail",
    "overlap": "overlapping share",
}


def funnel(view: RoundView) -> Section:
    """From what was found to what the round used."""
    unreadable = view.ctx.catalog.rows(WorkItem, stage="ingest", status="failed")
    status = Counter(scan.status for scan in view.cohort)
    steps = [
        ("found by ingest", len(view.scans) + len({i.subject for i in unreadable})),
        ("readable", len(view.scans)),
        ("named by the cohort query", len(view.cohort)),
        ("not rejected", len(view.cohort) - status["rejected"]),
        ("not a duplicate: used", len(view.used)),
    ]
    if not steps[0][1]:
        return Section("funnel", "From ingest to use", empty="No scan has been ingested yet.")
    picture = charts.bars(
        "funnel",
        [(name, {"scans": n}) for name, n in steps],
        {"scans": (charts.BLUE, "")},
        unit="scans",
    )
    alt = "; ".join(f"{name}: {n} scans" for name, n in steps)
    blocks: list[Chart | Table | Text] = [Chart(picture, alt)]
    blocks += [_status_table(view.cohort), _split_table(view.used)]
    return Section("funnel", "From ingest to use", blocks)


def _status_table(cohort: Sequence[Scan]) -> Table:
    reasons = Counter(
        (scan.status, in_kinds(scan.status_reason)) for scan in cohort if scan.status != "ok"
    )
    rows = [
        (status, reason, n)
        for (status, reason), n in sorted(reasons.items(), key=lambda x: (x[0][0], -x[1], x[0][1]))
    ]
    note = (
        "Suspect scans stay in the cohort; rejected ones and duplicates leave it."
        if rows
        else "Cleaning found nothing to reject, suspect or join."
    )
    head = ("status", "reason", "scans")
    return Table(head, rows, "What cleaning said", frozenset({2}), note)


def in_kinds(reason: str) -> str:
    """The kinds of a reason such as ``"all_noise: ... (0.1); not_hu: ... (0.2)"``, for counting."""
    kinds = [part.partition(":")[0].strip().replace("_", " ") for part in reason.split(";")]
    return ", ".join(kind for kind in kinds if kind) or "no reason given"


def _split_table(used: Sequence[Scan]) -> Table:
    counts: Counter[tuple[str, str]] = Counter((scan.source, scan.split) for scan in used)
    patients = {(scan.source, scan.patient) for scan in used}
    people = Counter(source for source, _ in patients)
    sources = sorted({scan.source for scan in used})
    numbers = [[counts[source, split] for split in SPLITS] for source in sources]
    rows = [
        (source, *row, sum(row), people[source])
        for source, row in zip(sources, numbers, strict=True)
    ]
    if len(rows) > 1:
        whole = [sum(column) for column in zip(*numbers, strict=True)]
        rows.append(("all", *whole, sum(whole), sum(people.values())))
    return Table(
        ("source", *SPLITS, "scans", "patients"),
        rows,
        "Scans in use, by source and split",
        frozenset(range(1, 6)),
        "The split of a patient is frozen at ingest; test labels are never mended nor trained on.",
    )


def duplicates(view: RoundView, album: Album) -> Section:
    """Pairs side by side: the scan that left and the one that stays."""
    title = "Duplicate scans"
    gone = [scan for scan in view.cohort if scan.status == "duplicate"]
    if not gone:
        return Section(
            "duplicates", title, empty="No scan of the cohort is a duplicate of another."
        )
    said = _said(view, "duplicate")
    cards = []
    for scan in gone[:MOST_PAIRS]:
        decision = said.get(scan.case_id)
        kept = _kept(view, scan, decision)
        pair = [album.scan(scan.case_id, scan)]
        names = scan.case_id
        if kept is not None:
            pair.append(album.scan(kept.case_id, kept))
            names = f"{scan.case_id} leaves, {kept.case_id} stays"
        lines = [decision.reason if decision and decision.reason else scan.status_reason]
        lines.append(_distance(scan, kept, decision))
        cards.append(Card(names, pair, [line for line in lines if line]))
    more = _more(len(gone), MOST_PAIRS, "duplicates")
    return Section("duplicates", title, [Gallery(cards, more)])


def _said(view: RoundView, verdict: str) -> dict[str, Decision]:
    rows = view.ctx.catalog.rows(Decision, stage="clean", verdict=verdict)
    return {d.case_id: d for d in sorted(rows, key=lambda d: d.round) if d.round <= view.number}


def _kept(view: RoundView, scan: Scan, decision: Decision | None) -> Scan | None:
    evidence = decision.evidence if decision else {}
    for value in evidence.values():
        if isinstance(value, str) and value != scan.case_id and value in view.scans:
            return view.scans[value]
    group = [
        other
        for other in view.scans.values()
        if scan.duplicate_group
        and other.duplicate_group == scan.duplicate_group
        and other.case_id != scan.case_id
        and other.status != "duplicate"
    ]
    return group[0] if group else None


def _distance(scan: Scan, kept: Scan | None, decision: Decision | None) -> str:
    numbers = [
        f"{EVIDENCE.get(name, name.replace('_', ' '))} {value:.4g}"
        for name, value in sorted((decision.evidence if decision else {}).items())
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    if numbers:
        return ", ".join(numbers)
    if kept is not None and scan.sha256 == kept.sha256:
        return "the files are equal (distance 0)"
    return "distance not recorded"


def rejected(view: RoundView, album: Album) -> Section:
    """Scans that cleaning took out or doubts, each with the reason."""
    title = "Rejected and suspect scans"
    order = {"rejected": 0, "suspect": 1}
    odd = [scan for scan in view.cohort if scan.status in order]
    if not odd:
        return Section(
            "rejected", title, empty="Cleaning rejected and doubted no scan of the cohort."
        )
    odd.sort(key=lambda scan: (order[scan.status], scan.case_id))
    cards = [
        Card(
            f"{scan.case_id}: {scan.status}",
            [album.scan(scan.case_id, scan)],
            [scan.status_reason or "no reason given", geometry(scan)],
        )
        for scan in odd[:MOST_REJECTED]
    ]
    more = _more(len(odd), MOST_REJECTED, "scans")
    return Section("rejected", title, [Gallery(cards, more)])


def geometry(scan: Scan) -> str:
    """Voxels and spacing in words."""
    voxels = " × ".join(str(n) for n in scan.shape)
    return f"{voxels} voxels of {' × '.join(f'{s:.3g}' for s in scan.spacing)} mm, {scan.modality}"


def _more(n: int, shown: int, what: str) -> str:
    return f"{n - shown} more {what} are not pictured; all are in the catalog." if n > shown else ""
