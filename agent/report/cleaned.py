"""Sections on what cleaning found: copies side by side, linked scans, rejected and suspect ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.report.blocks import Block, Card, Gallery, Section, Table, Text
from agent.report.cohort import geometry
from agent.report.pictures import Album
from agent.report.view import RoundView
from voxcurate.catalog import Decision, Scan, ScanPair, WorkItem

MOST_PAIRS = 10
MOST_REJECTED = 12
MOST_LINKED = 30
MEASURED = {  # the comparison's figures, for people
    "votes": "landmarks that agree",
    "distance": "hash distance (of 256 bits)",
    "ncc": "correlation",
    "detail_ncc": "correlation of detail",
    "overlap": "overlapping share",
    "shift_mm": "shift of blocks (mm)",
    "projection_bits": "projection hash distance (of 192 bits)",
    "lean_deg": "lean of the slices (degrees)",
}
LINKED = {"same_patient": "one patient's scans", "mirrored": "mirror images of each other"}


def duplicates(view: RoundView, album: Album) -> Section:
    """Copies that left with the scan that stays, scans that are only linked, families that cross
    the splits."""
    title = "Duplicate scans"
    pairs = [
        row
        for row in view.ctx.catalog.rows(ScanPair)
        if row.first in view.scans and row.second in view.scans
    ]
    gone = [scan for scan in view.cohort if scan.status == "duplicate"]
    blocks = [*_across(view, pairs), *_copies(view, gone, pairs, album), *_linked(pairs)]
    if not blocks:
        empty = "No scan of the cohort is a duplicate of another."
        return Section("duplicates", title, empty=empty)
    return Section("duplicates", title, blocks)


def _copies(
    view: RoundView, gone: Sequence[Scan], pairs: Sequence[ScanPair], album: Album
) -> list[Block]:
    said = _said(view)
    by_ends = {(pair.first, pair.second): pair for pair in pairs}
    cards = []
    for scan in gone[:MOST_PAIRS]:
        decision = said.get(scan.case_id)
        kept = view.scans.get(str(decision.evidence.get("kept", ""))) if decision else None
        if kept is None:
            cards.append(Card(scan.case_id, [album.scan(scan.case_id, scan)], [scan.status_reason]))
            continue
        first, second = sorted((scan, kept), key=lambda s: s.case_id)
        pair = by_ends.get((first.case_id, second.case_id))
        if pair is not None:
            shown = [album.pair(pair, first, second)]
        else:  # joined through a third scan
            shown = [album.scan(s.case_id, s) for s in (scan, kept)]
        lines = [scan.status_reason, _measured(decision.evidence if decision else {})]
        title = f"{scan.case_id} leaves, {kept.case_id} stays"
        cards.append(Card(title, shown, [line for line in lines if line]))
    if not cards:
        return []
    return [Gallery(cards, _more(len(gone), MOST_PAIRS, "duplicates"))]


def _linked(pairs: Sequence[ScanPair]) -> list[Block]:
    linked = [pair for pair in pairs if pair.kind in LINKED]
    if not linked:
        return []
    rows = [
        (pair.first, pair.second, LINKED[pair.kind], f"{pair.evidence.get('ncc', 0):.3f}")
        for pair in linked[:MOST_LINKED]
    ]
    note = "They stay: other phases, reconstructions and visits, and scans that are mirrored."
    note += " " + _more(len(linked), MOST_LINKED, "pairs")
    head = ("first", "second", "linked as", "correlation")
    return [Table(head, rows, "Scans that belong together", frozenset({3}), note.strip())]


def _across(view: RoundView, pairs: Sequence[ScanPair]) -> list[Block]:
    """Copies in several splits: the strictest split's scan stays, but somebody should know."""
    from cleaning.joining import leaks_of, stored_pairs

    leaks = leaks_of(view.ctx.catalog, stored_pairs(pairs), view.scans)
    if not leaks:
        return []
    rows = [
        tuple(", ".join(part) for part in (x.members, x.splits, x.sources, x.models)) for x in leaks
    ]
    warning = (
        f"{len(leaks)} families of copies lie in several splits. Of each, only scans of the "
        "strictest split (test, then validation) are used; the models named here were trained "
        "on one of its scans."
    )
    head = ("scans", "splits", "sources", "models that saw one")
    return [Text(warning, "warn"), Table(head, rows, "Across the splits")]


def rejected(view: RoundView, album: Album) -> Section:
    """Scans that cleaning took out or doubts, each with the reason and the place."""
    title = "Rejected and suspect scans"
    order = {"rejected": 0, "suspect": 1}
    odd = [scan for scan in view.cohort if scan.status in order]
    if not odd:
        return Section(
            "rejected", title, empty="Cleaning rejected and doubted no scan of the cohort."
        )
    odd.sort(key=lambda scan: (order[scan.status], scan.case_id))
    found = {
        item.subject: item.result.get("reasons", [])
        for item in sorted(
            view.ctx.catalog.rows(
                WorkItem, stage="clean", status="done", subject=[s.case_id for s in odd]
            ),
            key=lambda item: item.updated,
        )
    }
    cards = [
        Card(
            f"{scan.case_id}: {scan.status}",
            [album.checked(scan, found.get(scan.case_id, []))],
            [*scan.status_reason.split("; "), geometry(scan)],
        )
        for scan in odd[:MOST_REJECTED]
    ]
    return Section("rejected", title, [Gallery(cards, _more(len(odd), MOST_REJECTED, "scans"))])


def _said(view: RoundView) -> dict[str, Decision]:
    rows = view.ctx.catalog.rows(Decision, stage="clean", verdict="duplicate")
    return {d.case_id: d for d in sorted(rows, key=lambda d: d.round) if d.round <= view.number}


def _measured(evidence: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {evidence[key]:.4g}" for key, name in MEASURED.items() if evidence.get(key)
    )


def _more(n: int, shown: int, what: str) -> str:
    return f"{n - shown} more {what} are not pictured; all are in the catalog." if n > shown else ""
