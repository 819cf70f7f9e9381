"""Sections on the scans: the funnel, duplicates, rejected scans, what the reports say."""

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
ANSWERS = {  # part of a bar -> colour, hatch
    "yes": (charts.BLUE, ""),
    "uncertain": (charts.ORANGE, "//"),
    "no": ("#C9C9C9", ""),
    "value or choice": (charts.GREEN, ".."),
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


def findings(view: RoundView) -> Section:
    """How often each question is answered yes, no, uncertain, or with a value."""
    title = "What the reports say"
    cases = {scan.case_id for scan in view.cohort}
    rows = [f for f in view.findings if f.case_id in cases]
    if not rows:
        why = "No report is linked to a scan of the cohort, or none has been read."
        return Section("findings", title, empty=why)
    counts: dict[str, Counter[str]] = {}
    numbers: dict[str, list[tuple[float, str]]] = {}
    for row in rows:
        part = row.value if row.value in ANSWERS else "value or choice"
        counts.setdefault(row.question, Counter())[part] += 1
        if row.number is not None:
            numbers.setdefault(row.question, []).append((row.number, row.unit))
    ordered = sorted(counts, key=lambda q: (-counts[q]["yes"], q))
    shown = [(q.replace("_", " "), dict(counts[q])) for q in ordered[:30]]
    parts = {p: style for p, style in ANSWERS.items() if any(row[1].get(p) for row in shown)}
    picture = charts.bars("findings", shown, parts, unit="reports")
    alt = "; ".join(f"{q}: {', '.join(f'{n} {v}' for v, n in c.items())}" for q, c in shown[:10])
    readers = ", ".join(sorted({row.reader for row in rows}))
    text = f"{len({r.report_id for r in rows})} reports of the cohort, read by {readers}."
    blocks: list[Text | Chart | Table] = [Text(text), Chart(picture, alt)]
    if len(ordered) > len(shown):
        blocks.append(Text(f"{len(ordered) - len(shown)} rarer questions are not drawn.", "note"))
    if numbers:
        blocks.append(_numbers(numbers))
    return Section("findings", title, blocks)


def _numbers(numbers: dict[str, list[tuple[float, str]]]) -> Table:
    rows = []
    for question, values in sorted(numbers.items()):
        ordered = sorted(v for v, _ in values)
        unit = Counter(u for _, u in values).most_common(1)[0][0]
        middle = ordered[len(ordered) // 2]
        span = f"{ordered[0]:.4g} to {ordered[-1]:.4g}"
        rows.append((question.replace("_", " "), len(ordered), f"{middle:.4g}", span, unit))
    head = ("quantity", "reports", "median", "range", "unit")
    return Table(head, rows, "Values read from reports", frozenset({1, 2}))


def _more(n: int, shown: int, what: str) -> str:
    return f"{n - shown} more {what} are not pictured; all are in the catalog." if n > shown else ""
