"""The cleaning stage: check and hash every scan, find duplicates, look for leaks, decide."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cleaning.check.config import CheckConfig
from cleaning.check.rules import CHECK_VERSION, check
from cleaning.config import CleaningConfig
from cleaning.deid.leakscan import LeakVerdict, header_texts, scan_case
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.groups import clusters, keep_one
from cleaning.duplicates.hashing import HASH_VERSION, ScanFingerprint, fingerprint
from cleaning.duplicates.pairs import DuplicatePair, group
from cleaning.duplicates.proof import prove_files
from voxcurate.catalog import Decision, Label, Report, Scan, Writer
from voxcurate.identifiers import Identifiers
from voxcurate.ledger import Item, run_items
from voxcurate.nifti import read_nifti
from voxcurate.scrub import NOTHING_KNOWN
from voxcurate.stage import StageContext, StageResult

STAGE = "clean"
ACTOR = f"cleaning {CHECK_VERSION}.{HASH_VERSION}"
VERSION = f"{CHECK_VERSION}.{HASH_VERSION}"
STATUS = {"pass": "ok", "suspect": "suspect", "reject": "rejected"}
PAGE = 500  # scans whose reports are held in memory
SPLIT_ORDER = ("test", "validation", "train")


def run(
    ctx: StageContext,
    config: CleaningConfig,
    *,
    known: Mapping[str, Identifiers] | None = None,
) -> StageResult:
    """Check the cohort's scans, find duplicates in the whole catalog, and say who leaves and why.

    A rejected scan and every scan of a duplicate cluster but one leave the cohort: their status and
    its reason are kept in the catalog, each change with a decision. Nothing is deleted.

    Args:
        ctx: the round.
        config: limits and thresholds.
        known: identifiers by case for the leak scan; without them it looks for patterns alone.
    """
    scans = [
        scan for scan in ctx.catalog.rows(Scan) if not ctx.cohort or scan.case_id in ctx.cohort
    ]
    examined = run_items(
        ctx,
        STAGE,
        [_item(ctx, scan, config.check) for scan in scans],
        "cleaning.stage:examine",
        _keep_fingerprint,
        version=VERSION,
        config=config.check,
        across_rounds=True,
        title="check scans",
    )
    standing = {
        case: (STATUS[found["verdict"]], found["reason"], found["evidence"])
        for case, found in examined.results.items()
    }
    pairs, unproved = _duplicates(ctx, config.duplicates, standing)
    copies = _copies(ctx, pairs)
    changed = _settle(ctx, standing, copies)
    leaks = _leaks(ctx, scans, known or {}) if config.leak_scan else []
    counts = Counter(status for status, _, _ in standing.values())
    return StageResult(
        {
            "checked": len(standing),
            "suspect": counts["suspect"],
            "rejected": counts["rejected"],
            "duplicates": len(copies),
            "duplicate_pairs": len(pairs),
            "leaks": sum(found.verdict == "leak" for found in leaks),
            "changed": changed,
        },
        {**examined.failed, **unproved},
    )


def _item(ctx: StageContext, scan: Scan, config: CheckConfig) -> Item:
    return Item(
        scan.case_id,
        inputs=[scan.sha256, scan.modality],
        payload={
            "path": str(ctx.workspace.root / scan.path),
            "modality": scan.modality,
            "hashed": scan.fingerprint.get("version") == HASH_VERSION,
            "config": config.model_dump(),
        },
    )


def examine(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: the check of one scan, and its fingerprint where the catalog has none."""
    volume = read_nifti(Path(payload["path"]), allow_nonfinite=True)
    found = check(volume, payload["modality"], CheckConfig(**payload["config"]))
    mark = None if payload["hashed"] else fingerprint(volume, payload["modality"]).as_dict()
    return {"check": found.as_dict(), "fingerprint": mark}


def prove(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: agreement of two scans on a finer grid than their thumbnails'."""
    first, second = (Path(path) for path in payload["paths"])
    pair = prove_files(first, second, payload["modality"], DuplicateConfig(**payload["config"]))
    if pair is None or pair.agreement is None:
        return {"fine_kind": "different", "fine_ncc": 0.0, "fine_detail_ncc": 0.0}
    found = pair.agreement
    return {
        "fine_kind": pair.kind,
        "fine_ncc": round(found.ncc, 4),
        "fine_detail_ncc": round(found.detail_ncc, 4),
        "fine_shift_mm": round(min(found.shift_mm, 999.0), 2),
        "fine_misfit": round(found.misfit, 4),
    }


def _keep_fingerprint(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
    if value["fingerprint"] is not None:
        (scan,) = writer.rows(Scan, case_id=item.subject)
        writer.put(replace(scan, fingerprint=value["fingerprint"]))
    found = value["check"]
    reasons = [f"{r['code']}: {r['text']} ({r['measured']:.4g})" for r in found["reasons"]]
    broken = {r["code"]: round(float(r["measured"]), 6) for r in found["reasons"]}
    evidence = {name: round(float(v), 6) for name, v in found["evidence"].items()}
    return {
        "verdict": found["verdict"],
        "reason": "; ".join(reasons),
        "evidence": {**evidence, **broken},
    }


Standing = dict[str, tuple[str, str, dict[str, Any]]]


def _duplicates(
    ctx: StageContext, config: DuplicateConfig, standing: Standing
) -> tuple[list[tuple[DuplicatePair, dict[str, Any]]], Mapping[str, str]]:
    """Pairs of the whole catalog with the evidence of their proof, and pairs not readable.

    Rejected scans take no part. Scans of one patient at known, different days are two scans unless
    their pixels are the same.
    """
    scans = {scan.case_id: scan for scan in ctx.catalog.rows(Scan)}
    status = {case: standing.get(case, (scan.status,))[0] for case, scan in scans.items()}
    marks = {
        case: ScanFingerprint.from_dict(scan.fingerprint)
        for case, scan in scans.items()
        if status[case] != "rejected" and scan.fingerprint.get("version") == HASH_VERSION
    }
    pairs = [pair for pair in group(marks, config) if not _two_days(pair, scans)]
    sure = [(pair, pair.as_dict()) for pair in pairs if pair.kind == "identical_pixels"]
    alike = {f"{p.first}+{p.second}": p for p in pairs if p.kind == "transformed"}
    proved = run_items(
        ctx,
        f"{STAGE}_pair",
        [_pair_item(ctx, key, pair, scans, config) for key, pair in alike.items()],
        "cleaning.stage:prove",
        lambda writer, item, value: value,
        version=VERSION,
        config=config,
        across_rounds=True,
        title="compare pairs",
    )
    for key, found in proved.results.items():
        pair = alike[key]
        is_one_patient = scans[pair.first].patient == scans[pair.second].patient
        limit = config.min_same_patient_detail_ncc if is_one_patient else config.min_fine_detail_ncc
        is_copy = found.get("fine_kind", "transformed") == "transformed"
        if is_copy and found["fine_detail_ncc"] >= limit:
            sure.append((pair, {**pair.as_dict(), **found}))
    return sure, proved.failed


def _two_days(pair: DuplicatePair, scans: Mapping[str, Scan]) -> bool:
    one, other = scans[pair.first], scans[pair.second]
    days = one.facts.get("day"), other.facts.get("day")
    return (
        pair.kind == "transformed"
        and one.patient == other.patient
        and None not in days
        and days[0] != days[1]
    )


def _pair_item(
    ctx: StageContext,
    key: str,
    pair: DuplicatePair,
    scans: Mapping[str, Scan],
    config: DuplicateConfig,
) -> Item:
    both = scans[pair.first], scans[pair.second]
    return Item(
        key,
        inputs=[scan.sha256 for scan in both],
        payload={
            "paths": [str(ctx.workspace.root / scan.path) for scan in both],
            "modality": both[0].modality,
            "config": config.model_dump(),
        },
    )


def _copies(
    ctx: StageContext, pairs: Sequence[tuple[DuplicatePair, dict[str, Any]]]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """For every scan that is a copy: the scan that stays, and what says so.

    Where copies lie in several splits, only those of the strictest one (test, then validation) may
    stay, so that nothing of it is trained on.
    """
    scans = {scan.case_id: scan for scan in ctx.catalog.rows(Scan)}
    labels = Counter(case for case, _ in set(ctx.catalog.columns(Label, "case_id", "class_id")))
    voxel_ml = {case: _voxel_ml(scan) for case, scan in scans.items()}
    evidence = {(pair.first, pair.second): found for pair, found in pairs}
    copies: dict[str, tuple[str, dict[str, Any]]] = {}
    for members in clusters(evidence):
        strictest = min((scans[m].split for m in members), key=SPLIT_ORDER.index)
        may_stay = [m for m in members if scans[m].split == strictest]
        kept = keep_one(may_stay, n_labels=labels, voxel_ml=voxel_ml)
        for member in members:
            if member != kept:
                ends = tuple(sorted((member, kept)))
                linked = [found for pair, found in evidence.items() if member in pair]
                found = evidence.get((ends[0], ends[1]), linked[0])
                copies[member] = (kept, {"kept": kept, **found})
    return copies


def _voxel_ml(scan: Scan) -> float:
    i, j, k = scan.spacing
    return i * j * k / 1000


def _settle(
    ctx: StageContext, standing: Standing, copies: Mapping[str, tuple[str, dict[str, Any]]]
) -> int:
    """Write every status that changed, with its decision; how many did."""
    verdicts = {"suspect": "suspect", "rejected": "reject", "duplicate": "duplicate", "ok": "pass"}
    changed = 0
    with ctx.catalog.write() as writer:
        for scan in writer.rows(Scan):
            as_is: tuple[str, str, dict[str, Any]] = (scan.status, scan.status_reason, {})
            status, reason, evidence = standing.get(scan.case_id, as_is)
            if scan.case_id in copies:
                kept, evidence = copies[scan.case_id]
                status, reason = "duplicate", f"{evidence['kind']}: the same scan as {kept}"
            elif scan.case_id not in standing:
                continue
            if (status, reason) == (scan.status, scan.status_reason):
                continue
            changed += 1
            writer.put(replace(scan, status=status, status_reason=reason))  # type: ignore[arg-type]
            writer.decide(_decision(ctx, scan.case_id, verdicts[status], reason, evidence))
    return changed


def _leaks(
    ctx: StageContext, scans: Sequence[Scan], known: Mapping[str, Identifiers]
) -> list[LeakVerdict]:
    """Read back what the workspace holds of each case; a find is a decision."""
    found = []
    for scan, texts in _with_reports(ctx, scans):
        path = ctx.workspace.root / scan.path
        names = [p.relative_to(ctx.workspace.root).as_posix() for p in path.parent.rglob("*")]
        found.append(
            scan_case(
                scan.case_id,
                known.get(scan.case_id, NOTHING_KNOWN),
                reports=texts,
                headers=header_texts(path) if path.is_file() else None,
                names=names,
            )
        )
    with ctx.catalog.write() as writer:
        for one in found:
            if one.verdict != "clean":
                places = ", ".join(sorted(one.evidence()))
                writer.decide(_decision(ctx, one.case_id, one.verdict, places, one.evidence()))
    return found


def _with_reports(
    ctx: StageContext, scans: Sequence[Scan]
) -> Iterator[tuple[Scan, dict[str, str]]]:
    """Scans with the texts of their reports by id, of which few are held at a time."""
    for start in range(0, len(scans), PAGE):
        page = scans[start : start + PAGE]
        texts: dict[str, dict[str, str]] = {scan.case_id: {} for scan in page}
        rows = ctx.catalog.columns(Report, "case_id", "report_id", "text", case_id=list(texts))
        for case_id, report_id, text in sorted(rows):
            texts[case_id][report_id] = text
        yield from ((scan, texts[scan.case_id]) for scan in page)


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
