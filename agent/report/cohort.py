"""From what ingest found to what the round used."""

from collections import Counter
from collections.abc import Sequence

from agent.report import charts
from agent.report.blocks import Chart, Section, Table, Text
from agent.report.view import RoundView
from voxcurate.catalog import Scan, WorkItem

SPLITS = ("train", "validation", "test")


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


def geometry(scan: Scan) -> str:
    """Voxels and spacing in words."""
    voxels = " × ".join(str(n) for n in scan.shape)
    return f"{voxels} voxels of {' × '.join(f'{s:.3g}' for s in scan.spacing)} mm, {scan.modality}"
