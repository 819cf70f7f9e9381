"""The cleaning stage: check and hash every scan, find duplicates, look for leaks, decide."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cleaning.checking import STAGE, VERSION, Standing, check_scans
from cleaning.config import CleaningConfig
from cleaning.duplicates.hashing import HASH_VERSION
from cleaning.inheriting import carry_labels
from cleaning.joining import Copies, find_copies
from cleaning.leaks import find_leaks
from cleaning.listing import hash_marks
from voxcurate.catalog import Decision, Scan, ScanHead
from voxcurate.errors import ConfigError
from voxcurate.identifiers import Identifiers
from voxcurate.stage import StageContext, StageResult

ACTOR = f"cleaning {VERSION}"
PARTS = ("check", "duplicates", "leaks")
VERDICTS = {"suspect": "suspect", "rejected": "reject", "duplicate": "duplicate", "ok": "pass"}


def run(
    ctx: StageContext,
    config: CleaningConfig,
    *,
    known: Mapping[str, Identifiers] | None = None,
    only: Collection[str] = (),
) -> StageResult:
    """Check the cohort's scans, find duplicates in the whole catalog, and say who leaves and why.

    A rejected scan and every copy but one leave the cohort: their status and its reason are kept in
    the catalog, each change with a decision. Nothing is deleted.

    Args:
        ctx: the round.
        config: limits and thresholds.
        known: identifiers by case for the leak scan; without them it looks for patterns alone.
        only: some of `PARTS`; empty: all.

    Raises:
        ConfigError: no such part.
    """
    parts = set(only or PARTS)
    if not parts <= set(PARTS):
        raise ConfigError(f"want parts of {', '.join(PARTS)}, found {', '.join(sorted(parts))}")
    everything = {scan.case_id: scan for scan in ctx.catalog.rows(ScanHead)}
    marks = hash_marks(ctx.catalog)
    scans = [scan for case, scan in everything.items() if not ctx.cohort or case in ctx.cohort]
    counts: dict[str, Any] = {}
    failed: dict[str, str] = {}
    standing: dict[str, Standing] = {}
    copies = Copies()
    if "check" in parts:
        hashed = {case for case, mark in marks.items() if mark.version == HASH_VERSION}
        standing, examined = check_scans(ctx, scans, config.check, hashed)
        failed |= examined.failed
        counts |= _checked(standing)
        if any(scan.case_id not in hashed for scan in scans):  # they were hashed now
            marks = hash_marks(ctx.catalog)
    if "duplicates" in parts:
        copies = find_copies(ctx, config, everything, marks, standing)
        failed |= copies.failed
        counts |= _joined(copies)
    gone = _gone(copies) if "duplicates" in parts else None
    counts["changed"] = _settle(ctx, everything, standing, gone)
    if "duplicates" in parts and config.carry_labels and copies.dropped:
        carried = carry_labels(ctx, copies.dropped, everything)
        failed |= carried.failed
        counts["carried_labels"] = sum(bool(r["label"]) for r in carried.results.values())
    if "leaks" in parts and config.leak_scan:
        counts["leaks"] = _leaks(ctx, scans, known or {})
    return StageResult(counts, failed)


def _checked(standing: Mapping[str, Standing]) -> dict[str, int]:
    found = Counter(one.status for one in standing.values())
    return {"checked": len(standing), "suspect": found["suspect"], "rejected": found["rejected"]}


def _joined(copies: Copies) -> dict[str, int]:
    kinds = Counter(pair.kind for pair in copies.linked)
    return {
        "duplicates": len(copies.dropped),
        "duplicate_pairs": copies.n_pairs,
        "same_patient_pairs": kinds["same_patient"],
        "mirrored_pairs": kinds["mirrored"],
        "families_across_splits": len(copies.leaks),
        "models_that_saw_a_copy": len({m for leak in copies.leaks for m in leak.models}),
    }


def _settle(
    ctx: StageContext,
    scans: Mapping[str, Scan],
    standing: Mapping[str, Standing],
    gone: Mapping[str, Standing] | None,
) -> int:
    """Write every status that changed, with its decision; how many did.

    Args:
        ctx: the round.
        scans: all of the catalog, as they stood.
        standing: what the checks say.
        gone: copies that leave; None: they were not looked for, and stand as they are.
    """
    changes = {}
    for case, scan in scans.items():
        is_copy = scan.status == "duplicate"
        if gone is not None and case in gone:
            found = gone[case]
        elif is_copy and gone is None:
            continue
        elif case in standing:
            found = standing[case]
        elif is_copy:
            found = Standing("ok", "", {})  # of another cohort; its check comes with its round
        else:
            continue
        if (found.status, found.reason) != (scan.status, scan.status_reason):
            changes[case] = found
    with ctx.catalog.write() as writer:
        for case, found in changes.items():
            (row,) = writer.rows(Scan, case_id=case)
            writer.put(replace(row, status=found.status, status_reason=found.reason))  # type: ignore[arg-type]
            verdict = VERDICTS[found.status]
            writer.decide(_decision(ctx, case, verdict, found.reason, found.evidence))
    return len(changes)


def _gone(copies: Copies) -> dict[str, Standing]:
    """What is said of each copy that leaves; across splits also which, and who trained on it."""
    leaks = {member: leak for leak in copies.leaks for member in leak.members}
    gone = {}
    for each in copies.dropped:
        reason = f"{each.pair.kind}: the same scan as {each.keeper}"
        evidence = {"kept": each.keeper, **each.pair.as_dict()}
        leak = leaks.get(each.scan)
        if leak is not None:
            reason += f"; copies of it lie in {' and '.join(leak.splits)}: the strictest stays"
            evidence |= {"splits": list(leak.splits), "models": list(leak.models)}
            if leak.models:
                reason += f"; trained on one of them: {', '.join(leak.models)}"
        gone[each.scan] = Standing("duplicate", reason, evidence)
    return gone


def _leaks(ctx: StageContext, scans: Sequence[Scan], known: Mapping[str, Identifiers]) -> int:
    """Record every find as a decision; how many cases leak for sure."""
    found = [one for one in find_leaks(ctx, scans, known) if one.verdict != "clean"]
    with ctx.catalog.write() as writer:
        for one in found:
            places = ", ".join(sorted(one.evidence()))
            writer.decide(_decision(ctx, one.case_id, one.verdict, places, one.evidence()))
    return sum(one.verdict == "leak" for one in found)


def _decision(
    ctx: StageContext, case_id: str, verdict: str, reason: str, evidence: Mapping[str, Any]
) -> Decision:
    return Decision(
        decision_id="",
        round=ctx.round,
        stage=STAGE,
        case_id=case_id,
        class_id="",
        label_id="",
        verdict=verdict,
        reason=reason,
        actor=ACTOR,
        evidence=dict(evidence),
    )
