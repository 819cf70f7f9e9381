"""The scans of a catalog, each checked and hashed once, through the ledger."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cleaning.check.config import CheckConfig
from cleaning.check.rules import CHECK_VERSION, check
from cleaning.duplicates.hashing import HASH_VERSION, fingerprint
from voxcurate.catalog import Scan, Writer
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.nifti import read_nifti
from voxcurate.stage import StageContext

STAGE = "clean"
VERSION = f"{CHECK_VERSION}.{HASH_VERSION}"
STATUS = {"pass": "ok", "suspect": "suspect", "reject": "rejected"}


@dataclass(frozen=True)
class Standing:
    """What the check makes of a scan: its status, why, and what was measured."""

    status: str
    reason: str
    evidence: Mapping[str, Any]


def check_scans(
    ctx: StageContext, scans: Sequence[Scan], config: CheckConfig, hashed: Set[str]
) -> tuple[dict[str, Standing], LedgerResult]:
    """The standing of each scan by case; what was checked before with these limits is taken over.

    Scans that the catalog has no fingerprint of get one.

    Args:
        ctx: the round.
        scans: to be checked.
        config: limits.
        hashed: cases that have a fingerprint.
    """
    examined = run_items(
        ctx,
        STAGE,
        [_item(ctx, scan, config, hashed) for scan in scans],
        "cleaning.checking:examine",
        _keep,
        version=VERSION,
        config=config,
        across_rounds=True,
        title="check scans",
    )
    return {case: _standing(found) for case, found in examined.results.items()}, examined


def _item(ctx: StageContext, scan: Scan, config: CheckConfig, hashed: Set[str]) -> Item:
    return Item(
        scan.case_id,
        inputs=[scan.sha256, scan.modality],
        payload={
            "path": str(ctx.workspace.root / scan.path),
            "modality": scan.modality,
            "hashed": scan.case_id in hashed,
            "config": config.model_dump(),
        },
    )


def examine(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: the check of one scan, and its fingerprint where the catalog has none."""
    volume = read_nifti(Path(payload["path"]), allow_nonfinite=True)
    found = check(volume, payload["modality"], CheckConfig(**payload["config"]))
    mark = None if payload["hashed"] else fingerprint(volume, payload["modality"]).as_dict()
    return {"check": found.as_dict(), "fingerprint": mark}


def _keep(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
    if value["fingerprint"] is not None:
        (scan,) = writer.rows(Scan, case_id=item.subject)
        writer.put(replace(scan, fingerprint=value["fingerprint"]))
    found = value["check"]
    return {
        "verdict": found["verdict"],
        "reasons": [{**r, "measured": round(float(r["measured"]), 6)} for r in found["reasons"]],
        "evidence": {name: round(float(v), 6) for name, v in found["evidence"].items()},
    }


def _standing(found: Mapping[str, Any]) -> Standing:
    reasons = [f"{r['code']}: {r['text']} ({r['measured']:.4g})" for r in found["reasons"]]
    broken = {r["code"]: r["measured"] for r in found["reasons"]}
    return Standing(STATUS[found["verdict"]], "; ".join(reasons), {**found["evidence"], **broken})
