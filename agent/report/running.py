"""Sections on the run: time and memory per stage, failures, where everything comes from."""

from collections import Counter
from typing import Any

from agent.report import charts
from agent.report.blocks import Block, Chart, Listing, Section, Table, Text
from agent.report.pictures import Album
from agent.report.tally import deciders
from agent.report.view import RoundView
from agent.stages import in_order
from voxcurate.catalog import Label, WorkItem
from voxcurate.progress import duration

MOST_FAILURES = 60
MOST_ERROR = 240  # characters of one error


def times(view: RoundView) -> Section:
    """Wall time, work time, items and peak memory of each stage."""
    title = "Time and memory"
    wall = {m.stage: m.value or 0.0 for m in view.measures if m.name == "wall_s" and not m.case_id}
    stages = in_order({*view.by_stage, *wall})
    counts = view.round.facts.get("counts", {}) if view.round else {}
    if not stages:
        return Section("times", title, empty="The ledger holds no work of this round.")
    rows = []
    bars = []
    for stage in stages:
        items = view.by_stage.get(stage, [])
        done = Counter(item.status for item in items)
        work = sum(item.seconds for item in items)
        peak = max((item.peak_mb for item in items), default=0.0)
        spent = duration(wall[stage]) if stage in wall else "–"
        memory = f"{peak:,.0f}" if peak else "–"
        bad = done["failed"] + done["quarantined"]
        said = _counts(counts.get(stage, {}))
        rows.append((stage, done["done"], bad, spent, duration(work), memory, said))
        bars.append((stage, {"wall": wall.get(stage, work)}))
    what = "wall time (s)" if wall else "work time, summed over the workers (s)"
    picture = charts.bars("times", bars, {"wall": (charts.BLUE, "")}, unit=what)
    alt = "; ".join(f"{stage}: {v['wall']:.1f} s" for stage, v in bars)
    head = ("stage", "items done", "failed", "wall time", "work time", "peak memory (MB)", "result")
    note = "Work time is summed over the workers. Peak memory: the largest of one worker process."
    table = Table(head, rows, "", frozenset(range(1, 6)), note)
    return Section("times", title, [Chart(picture, alt), table])


def _counts(counts: Any) -> str:
    """A stage's counts in words; nested ones are left to ``voxcurate status``."""
    if not isinstance(counts, dict):
        return ""
    plain = [(k, v) for k, v in sorted(counts.items()) if isinstance(v, (int, float, str))]
    return ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in plain if v != "")


def failed_items(view: RoundView) -> list[WorkItem]:
    """Ledger lines of the round that failed and were not done since."""
    done = {(i.stage, i.subject, i.variant) for i in view.items if i.status == "done"}
    return [
        i for i in view.items if i.status != "done" and (i.stage, i.subject, i.variant) not in done
    ]


def failures(view: RoundView, album: Album) -> Section:
    """What failed, with the error; a later run tries it again."""
    title = "Failures"
    rows = [
        (i.stage, i.subject, i.variant or "–", i.error[:MOST_ERROR], i.attempts)
        for i in failed_items(view)
    ]
    if not rows and not album.failures:
        return Section("failures", title, empty="No item failed.")
    blocks: list[Block] = []
    if rows:
        left = len(rows) - MOST_FAILURES
        note = f"{left} more; 'voxcurate status' lists all." if left > 0 else ""
        head = ("stage", "case or item", "variant", "error", "tries")
        blocks.append(Table(head, rows[:MOST_FAILURES], "", frozenset({4}), note))
        blocks.append(Text("Failed items are tried again by the next run of the same command."))
    if album.failures:
        blocks.append(Text("Pictures of this page that could not be drawn:", "note"))
        blocks.append(Listing(sorted(set(album.failures))[:MOST_FAILURES]))
    return Section("failures", title, blocks)


def provenance(view: RoundView) -> Section:
    """Where the data, labels and models of this round come from."""
    title = "Provenance"
    labels = [view.labels[p.label_id] for p in view.pointers.values() if p.label_id in view.labels]
    licences = Counter((scan.source, scan.licence) for scan in view.used)
    blocks: list[Block] = [
        Table(
            ("source", "licence", "scans"),
            [(source, licence, n) for (source, licence), n in sorted(licences.items())],
            "Licences of the scans in use",
            frozenset({2}),
        )
    ]
    models = [m for m in view.models.values() if m.round == view.number]
    if models:
        rows = [
            (m.name, m.architecture, len(m.training_cases), m.licence, m.sha256[:12])
            for m in models
        ]
        head = ("model", "network", "training scans", "licence", "SHA-256 (start)")
        blocks.append(Table(head, rows, "Models made in this round", frozenset({2})))
    actors = deciders(view.ctx.catalog, view.number)
    if actors:
        rows_of = [(*key, n) for key, n in sorted(actors.items())]
        head_of = ("stage", "who", "verdict", "decisions")
        blocks.append(Table(head_of, rows_of, "Who decided in this round", frozenset({3})))
    blocks.append(Listing(_notes(view, labels, actors.total())))
    return Section("provenance", title, blocks)


def _notes(view: RoundView, labels: list[Label], n_decisions: int) -> list[str]:
    versions = view.round.versions if view.round else {}
    tools = ", ".join(f"{name} {value}" for name, value in sorted(versions.items()))
    return [
        f"{len(labels)} label versions count as of round {view.number}; the catalog keeps "
        f"{view.ctx.catalog.count(Label)}, none is ever overwritten, each with its SHA-256.",
        "Labels of test scans are never mended, never trained on, never seen by a judge.",
        f"{n_decisions} decisions of this round are in the catalog's table 'decision' with "
        "reason, evidence and cost; 'voxcurate export' writes them out.",
        "Statuses of scans and flags of labels (gold, confirmed) are those of when this page was "
        "written; label pointers are those of the round.",
        f"Versions: {tools or 'not recorded'}.",
    ]
