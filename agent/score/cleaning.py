"""Scores of cleaning: damaged scans, duplicates, and whether duplicates cross the splits."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from agent.score.statistics import Hits, hits
from agent.score.table import ScoreRow, not_run
from agent.score.truth import Scoring
from voxcurate.catalog import Decision, Scan

STAGE = "clean"
Pair = frozenset[str]


def score_cleaning(scoring: Scoring) -> Iterator[ScoreRow]:
    """Damage and duplicates, found against planted."""
    if not scoring.scans:
        yield not_run(STAGE, "damaged scans, recall")
        return
    yield from _damage(scoring)
    yield from _duplicates(scoring)


def _damage(scoring: Scoring) -> Iterator[ScoreRow]:
    true = {case for case, entry in scoring.entries.items() if entry["corruption"]}
    unread = set(scoring.entries) - set(scoring.scans)
    by_status: dict[str, set[str]] = defaultdict(set)
    for case, scan in scoring.scans.items():
        by_status[scan.status].add(case)
    found = unread | by_status["rejected"] | by_status["suspect"]
    scored = hits(found, true)
    prevalence = len(true) / len(scoring.entries)
    missed = sorted(scoring.entries[case]["corruption"] for case in true - found)
    note = f"missed: {', '.join(missed)}" if missed else ""
    n = len(scoring.entries)
    if not scoring.catalog.count(Decision, stage="clean") and not by_status["rejected"]:
        note = "only what ingest refused; " + note
    yield ScoreRow(STAGE, "damaged scans, recall", scored.recall, "flag none", 0.0, n, note)
    false = sorted(case for case in found - true)
    yield ScoreRow(
        STAGE,
        "damaged scans, precision",
        scored.precision,
        "flag all",
        prevalence,
        scored.n_found,
        f"{len(false)} good scans flagged" if false else "",
    )
    out = unread | by_status["rejected"]
    yield ScoreRow(
        STAGE,
        "damaged scans kept out",
        hits(out, true).recall,
        "reject none",
        0.0,
        len(true),
        f"{len(out - true)} good scans kept out too" if out - true else "",
    )


def _duplicates(scoring: Scoring) -> Iterator[ScoreRow]:
    planted = {
        frozenset(scoring.case_of[tuple(pair[side])] for side in ("first", "second"))
        for pair in scoring.data["duplicates"]
    }
    planted = {pair for pair in planted if pair <= set(scoring.scans)}
    if not planted:
        yield not_run(STAGE, "duplicate pairs, recall", "no planted pair was ingested")
        return
    found = _grouped(scoring.scans)
    same = _same_files(scoring)
    scored, plain = hits(found, planted), hits(same, planted)
    kinds = {
        frozenset(scoring.case_of[tuple(pair[side])] for side in ("first", "second")): pair["kind"]
        for pair in scoring.data["duplicates"]
    }
    missed = sorted(kinds[pair] for pair in planted - found)
    yield _row("recall", scored, plain, f"missed: {', '.join(missed)}" if missed else "")
    yield _row("precision", scored, plain, "")
    one = [len({scoring.scans[case].split for case in pair}) == 1 for pair in planted]
    shares: dict[str, int] = defaultdict(int)
    for scan in scoring.scans.values():
        shares[scan.split] += 1
    chance = sum((count / len(scoring.scans)) ** 2 for count in shares.values())
    yield ScoreRow(
        "ingest",
        "planted duplicates in one split",
        sum(one) / len(one),
        "splits drawn by scan",
        chance,
        len(one),
    )


def _row(measure: str, scored: Hits, plain: Hits, note: str) -> ScoreRow:
    n = scored.n_true if measure == "recall" else scored.n_found
    return ScoreRow(
        STAGE,
        f"duplicate pairs, {measure}",
        getattr(scored, measure),
        "equal file hashes",
        getattr(plain, measure),
        n,
        note,
    )


def _grouped(scans: dict[str, Scan]) -> set[Pair]:
    groups: dict[str, list[str]] = defaultdict(list)
    for case, scan in scans.items():
        if scan.duplicate_group:
            groups[scan.duplicate_group].append(case)
    return {frozenset(pair) for group in groups.values() for pair in combinations(group, 2)}


def _same_files(scoring: Scoring) -> set[Pair]:
    groups: dict[str, list[str]] = defaultdict(list)
    for case in scoring.scans:
        sha = scoring.entries[case]["file_sha256"]
        groups[sha or case].append(case)
    return {frozenset(pair) for group in groups.values() for pair in combinations(group, 2)}
