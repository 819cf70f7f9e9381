"""Duplicates in a catalog: pairs found once and kept, which copy stays, what becomes of labels."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cleaning.checking import STAGE, VERSION
from cleaning.checking import Standing as Checked
from cleaning.config import CleaningConfig
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.groups import Dropped, Leak, Standing, families, leakage, settle
from cleaning.duplicates.hashing import HASH_VERSION, ScanCodes, ScanFingerprint
from cleaning.duplicates.pairs import DuplicatePair, confirm, suspects
from cleaning.duplicates.placing import UPRIGHT
from cleaning.duplicates.proof import prove_files
from cleaning.duplicates.registration import Agreement
from cleaning.listing import COMPARED, PAGE, HashMark, stored_fingerprints
from voxcurate.catalog import Catalog, Label, Model, Scan, ScanPair
from voxcurate.ids import content_id
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext

PAIR_STAGE = f"{STAGE}_pair"
SPLIT_ORDER = ("test", "validation", "train")
DIFFERENT = "different"
MEASURED = ("ncc", "detail_ncc", "overlap", "shift_mm", "misfit")
AT_ONCE = 500  # pairs whose thumbnails are in memory together


@dataclass(frozen=True)
class Copies:
    """What the search found in the whole catalog.

    Attributes:
        dropped: copies that leave.
        linked: pairs of one patient, and mirror images: both stay.
        leaks: families of copies that lie in several splits.
        failed: pairs that could not be compared.
    """

    dropped: Sequence[Dropped] = ()
    linked: Sequence[DuplicatePair] = ()
    leaks: Sequence[Leak] = ()
    n_pairs: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)


def find_copies(
    ctx: StageContext,
    config: CleaningConfig,
    scans: Mapping[str, Scan],
    marks: Mapping[str, HashMark],
    standing: Mapping[str, Checked],
) -> Copies:
    """Which scans of the catalog are one, and which of them stay.

    Only scans that were not compared before are compared, with all others. Rejected scans take no
    part. Where copies lie in several splits, only those of the strictest one (test, then
    validation) may stay, so that nothing of it is trained on.

    Args:
        ctx: the round.
        config: thresholds, and the order of sources.
        scans: all of the catalog.
        marks: of their fingerprints.
        standing: what the checks of this run say.
    """
    failed = _search(ctx, config.duplicates, scans, marks, standing)
    gone = {c for c, s in scans.items() if _status(s, standing) == "rejected"}
    rows = ctx.catalog.rows(ScanPair, version=_version(config.duplicates))
    found = stored_pairs([row for row in rows if not {row.first, row.second} & gone])
    pairs = [_of_two_days(pair, scans) for pair in found]
    strictest = {
        member: min((scans[m].split for m in family), key=SPLIT_ORDER.index)
        for family in families(pairs)
        for member in family
    }

    def prove_one(first: str, second: str) -> DuplicatePair | None:
        proved = _prove(ctx, config.duplicates, [(first, second)], scans)[0]
        return _of_two_days(proved[0], scans) if proved else None

    dropped = settle(
        pairs,
        _standings(ctx, scans, strictest, config.sources),
        compare=prove_one,
        may_stay=lambda case: scans[case].split == strictest[case],
    )
    return Copies(
        dropped,
        [pair for pair in pairs if not pair.is_copy],
        leaks_of(ctx.catalog, pairs, scans),
        sum(pair.is_copy for pair in pairs),
        failed,
    )


def leaks_of(
    catalog: Catalog,
    pairs: Sequence[DuplicatePair],
    scans: Mapping[str, Scan],
    *,
    with_patients: bool = False,
) -> list[Leak]:
    """Families that lie in several splits, with the models that were trained on one of them.

    Args:
        catalog: of the workspace.
        pairs: all that is known.
        scans: all of the catalog.
        with_patients: scans of one patient, and mirror images, join families too.
    """
    models = catalog.columns(Model, "model_id", "training_cases")
    return leakage(
        pairs,
        {case: scan.split for case, scan in scans.items()},
        {case: scan.source for case, scan in scans.items()},
        trained=dict(models),
        with_patients=with_patients,
    )


def stored_pairs(rows: Sequence[ScanPair]) -> list[DuplicatePair]:
    """Pairs as the catalog keeps them."""
    return [_of_evidence(row.first, row.second, row.evidence) for row in rows]


def _search(
    ctx: StageContext,
    config: DuplicateConfig,
    scans: Mapping[str, Scan],
    marks: Mapping[str, HashMark],
    standing: Mapping[str, Checked],
) -> Mapping[str, str]:
    """Compare the scans that are new to these settings with all; pairs that could not be read."""
    mark = _version(config)
    usable = {
        case
        for case, scan in scans.items()
        if marks[case].version == HASH_VERSION and _status(scan, standing) != "rejected"
    }
    known = {case for case in usable if marks[case].compared == mark}
    if usable == known:
        return {}
    pairs = _by_thumbnails(ctx.catalog, config, usable, known)
    sure = [pair for pair in pairs if pair.kind != "transformed"]
    unsure = [(pair.first, pair.second) for pair in pairs if pair.kind == "transformed"]
    proved, failed = _prove(ctx, config, unsure, scans)
    unread = {case for key in failed for case in key.split("+")}
    with ctx.catalog.write() as writer:
        if not known:  # other settings, or the first search
            writer.forget(ScanPair)
        writer.put_all([_row(pair, mark, ctx.round) for pair in (*sure, *proved)])
        compared = sorted(usable - known - unread)
        for start in range(0, len(compared), PAGE):
            page = writer.rows(Scan, case_id=compared[start : start + PAGE])
            writer.put_all(
                [replace(s, fingerprint={**s.fingerprint, COMPARED: mark}) for s in page]
            )
    return failed


def _by_thumbnails(
    catalog: Catalog, config: DuplicateConfig, usable: set[str], known: set[str]
) -> list[DuplicatePair]:
    """Pairs with at least one scan that is not known, by the fingerprints alone.

    The codes of all scans are in memory together, their thumbnails few at a time.
    """
    codes = {case: ScanCodes.from_dict(mark) for case, mark in stored_fingerprints(catalog, usable)}
    pairs, tries = suspects(codes, config, known=known)
    del codes
    for start in range(0, len(tries), AT_ONCE):
        part = tries[start : start + AT_ONCE]
        wanted = {case for each in part for case in each[:2]}
        prints = {
            case: ScanFingerprint.from_dict(mark)
            for case, mark in stored_fingerprints(catalog, wanted)
        }
        found = (
            confirm(first, prints[first], second, prints[second], candidate, config)
            for first, second, candidate in part
        )
        pairs += [pair for pair in found if pair is not None]
    return pairs


def _prove(
    ctx: StageContext,
    config: DuplicateConfig,
    pairs: Sequence[tuple[str, str]],
    scans: Mapping[str, Scan],
) -> tuple[list[DuplicatePair], Mapping[str, str]]:
    """Pairs compared by their files, those that are different left out; and those not readable."""
    items = [_item(ctx, config, scans[first], scans[second]) for first, second in pairs]
    done = run_items(
        ctx,
        PAIR_STAGE,
        items,
        "cleaning.joining:prove",
        lambda writer, item, value: value,
        version=VERSION,
        config=config,
        across_rounds=True,
        title="compare pairs",
    )
    found = []
    for key, evidence in done.results.items():
        first, second = key.split("+")
        if evidence["kind"] != DIFFERENT:
            found.append(_of_evidence(first, second, evidence))
    return [_if_alike(pair, scans, config) for pair in found], done.failed


def _item(ctx: StageContext, config: DuplicateConfig, one: Scan, other: Scan) -> Item:
    return Item(
        f"{one.case_id}+{other.case_id}",
        inputs=[one.sha256, other.sha256],
        payload={
            "paths": [str(ctx.workspace.root / scan.path) for scan in (one, other)],
            "modality": one.modality,
            "config": config.model_dump(),
        },
    )


def prove(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: two scans compared on a finer grid than their thumbnails'."""
    first, second = (Path(path) for path in payload["paths"])
    pair = prove_files(first, second, payload["modality"], DuplicateConfig(**payload["config"]))
    return {"kind": DIFFERENT} if pair is None else _evidence(replace(pair, is_proved=True))


def _if_alike(
    pair: DuplicatePair, scans: Mapping[str, Scan], config: DuplicateConfig
) -> DuplicatePair:
    """A copy whose detail fits less well than a copy's must is another scan of the patient."""
    is_one_patient = scans[pair.first].patient == scans[pair.second].patient
    limit = config.min_same_patient_detail_ncc if is_one_patient else config.min_fine_detail_ncc
    detail = pair.agreement.detail_ncc if pair.agreement else 1.0
    is_copy = pair.kind != "transformed" or detail >= limit
    return pair if is_copy else replace(pair, kind="same_patient")


def _of_two_days(pair: DuplicatePair, scans: Mapping[str, Scan]) -> DuplicatePair:
    """Scans of one patient at known, different days are two scans unless their pixels are equal."""
    one, other = scans[pair.first], scans[pair.second]
    days = one.facts.get("day"), other.facts.get("day")
    is_visit = one.patient == other.patient and None not in days and days[0] != days[1]
    if pair.kind == "transformed" and is_visit:
        return replace(pair, kind="same_patient")
    return pair


def _standings(
    ctx: StageContext,
    scans: Mapping[str, Scan],
    members: Collection[str],
    order: Sequence[str],
) -> dict[str, Standing]:
    """What decides who stays, of some scans."""
    labelled = ctx.catalog.columns(Label, "case_id", "class_id", case_id=list(members))
    counts = Counter(case for case, _ in set(labelled))
    ranks = {name: place for place, name in enumerate(order)}
    return {
        case: Standing(
            counts[case],
            float(np.prod(scans[case].spacing)) / 1000,
            ranks.get(scans[case].source, len(ranks)),
        )
        for case in members
    }


def _status(scan: Scan, standing: Mapping[str, Checked]) -> str:
    found = standing.get(scan.case_id)
    return found.status if found else scan.status


def _version(config: DuplicateConfig) -> str:
    return f"{HASH_VERSION}.{content_id(config.model_dump(mode='json'))}"


def _row(pair: DuplicatePair, version: str, round_number: int) -> ScanPair:
    return ScanPair(pair.first, pair.second, pair.kind, version, round_number, _evidence(pair))


def _evidence(pair: DuplicatePair) -> dict[str, Any]:
    found = pair.as_dict()
    if pair.agreement is not None:
        found["offset_mm"] = [round(mm, 3) for mm in pair.agreement.offset_mm]
    return found | ({"proved": True} if pair.is_proved else {})


def _of_evidence(first: str, second: str, evidence: Mapping[str, Any]) -> DuplicatePair:
    """The pair that `_evidence` wrote down."""
    measured = {name: evidence[name] for name in MEASURED if name in evidence}
    if "offset_mm" in evidence:
        measured["offset_mm"] = tuple(evidence["offset_mm"])
    turned = evidence.get("turned")
    rows = evidence.get("transform")
    return DuplicatePair(
        first,
        second,
        evidence["kind"],
        evidence["votes"],
        evidence.get("distance", 256),
        Agreement(**measured) if measured else None,
        np.array([*rows, [0.0, 0.0, 0.0, 1.0]]) if rows else None,
        (tuple(turned["axes"]), tuple(turned["flipped"])) if turned else UPRIGHT,
        bool(evidence.get("proved")),
        lean_deg=evidence.get("lean_deg", 0.0),
        projection_bits=evidence.get("projection_bits", 0),
    )
