"""Stage assemble: which label version counts for each structure, by trust."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labeling.assembly.conflicts import find_conflicts
from labeling.assembly.versions import write_version
from labeling.config import AssembleConfig, LabelingConfig
from labeling.quality import MACHINE_MADE, TRUSTED, Standing, standing
from voxcurate.catalog import Assembly, Decision, Label, Scan, WorkItem
from voxcurate.labels import rebuild_view
from voxcurate.stage import StageContext, StageResult

RETIRED = "retired"
BATCH = 100  # cases whose versions are in memory, and whose pointers move, at once


def run(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Move the round's pointers to the most trusted versions and rebuild the changed views.

    A test scan only ever gets original labels. A class whose versions are all retired keeps the
    best of them under the trust "retired", which says that it is not to be trained on and leaves
    the view. An empty machine-drawn label of a class that nobody has measured says nothing: the
    structure stays unknown, and is counted as such. Each changed pointer is a Decision with the old
    and the new version. Then labels of classes that exclude each other are compared
    (`labeling.assembly.conflicts`), and the dataset as it now stands is written as a version
    (`labeling.assembly.versions`).
    """
    found = standing(ctx, config.assemble)
    unknown: Counter[str] = Counter()
    counts: dict[str, Any] = {"cases": 0, "changed": 0}
    failed: Mapping[str, str] = {}
    for batch in _batches(ctx):
        moves = [
            _assemble_case(ctx, config.assemble, scan, batch, found, counts, unknown)
            for scan in batch.scans
        ]
        _point(ctx, [move for case in moves for move in case])
    if config.assemble.compare:
        compared = find_conflicts(ctx, list(ctx.cases()))
        failed = compared.failed
        sizes = [len(result["conflicts"]) for result in compared.results.values()]
        counts["cases_in_conflict"] = sum(1 for n in sizes if n)
        counts["conflicts"] = sum(sizes)
    if found.withheld:
        counts["pseudo_labels_withheld"] = dict(found.withheld)
    if unknown:
        counts["left_unknown"] = dict(sorted(unknown.items()))
    counts["dataset_version"] = write_version(ctx)
    return StageResult(counts, failed)


@dataclass(frozen=True)
class _Batch:
    """Some cases: their versions by case and class, and the pointers now."""

    scans: Sequence[Scan]
    versions: Mapping[str, Mapping[str, Sequence[Label]]]
    now: Mapping[tuple[str, str], Assembly]
    newest: frozenset[str]


def _batches(ctx: StageContext) -> Iterator[_Batch]:
    for some in ctx.batches(size=BATCH):
        cases = [scan.case_id for scan in some]
        versions: dict[str, dict[str, list[Label]]] = {}
        for label in ctx.catalog.rows(Label, case_id=cases):
            if label.round <= ctx.round:
                versions.setdefault(label.case_id, {}).setdefault(label.class_id, []).append(label)
        yield _Batch(
            some,
            versions,
            ctx.catalog.current(ctx.round, case_id=cases),
            newest_fused(ctx, cases),
        )


def newest_fused(ctx: StageContext, cases: Sequence[str]) -> frozenset[str]:
    """The labels that the round's last fusion of each case made."""
    lines = ctx.catalog.rows(WorkItem, stage="fuse", round=ctx.round, status="done", subject=cases)
    lines.sort(key=lambda line: (line.updated, line.fingerprint))
    fused = {line.subject: line.result["labels"] for line in lines}  # the last of each
    return frozenset(i for labels in fused.values() for i in labels.values())


def _assemble_case(
    ctx: StageContext,
    config: AssembleConfig,
    scan: Scan,
    batch: _Batch,
    quality: Standing,
    counts: dict[str, Any],
    unknown: Counter[str],
) -> list[tuple[Assembly, Assembly | None]]:
    """Show what counts in the scan's view; the pointers to move, with those that they replace."""
    versions = batch.versions.get(scan.case_id, {})
    chosen = {
        class_id: found
        for class_id, labels in sorted(versions.items())
        if (
            found := choose(
                labels,
                config,
                split=scan.split,
                newest=batch.newest,
                withheld=class_id in quality.withheld,
                measured=class_id in quality.measured,
            )
        )
    }
    unknown.update(
        class_id
        for class_id, labels in versions.items()
        if class_id not in chosen
        and class_id not in quality.measured
        and (scan.case_id, class_id) not in batch.now
        and any(_says_absent(label) for label in labels)
    )
    changes = {
        class_id: (label, trust)
        for class_id, (label, trust) in chosen.items()
        if (pointer := batch.now.get((scan.case_id, class_id))) is None
        or (pointer.label_id, pointer.trust) != (label.label_id, trust)
    }
    counts["cases"] += 1
    counts["changed"] += len(changes)
    for _, trust in chosen.values():
        counts[trust] = counts.get(trust, 0) + 1
    if changes:
        shown = {c: label for c, (label, trust) in chosen.items() if trust != RETIRED}
        shown |= {
            label.class_id: label
            for class_id, labels in versions.items()
            if class_id not in chosen and (pointer := batch.now.get((scan.case_id, class_id)))
            for label in labels
            if label.label_id == pointer.label_id and not label.retired
        }  # withheld only now: the pointer of an earlier round stands
        rebuild_view(ctx.workspace, scan, shown)  # first: a killed run comes here again
    return [
        (
            Assembly(ctx.round, scan.case_id, class_id, label.label_id, trust),
            batch.now.get((scan.case_id, class_id)),
        )
        for class_id, (label, trust) in changes.items()
    ]


def show_current(ctx: StageContext, scan: Scan, instead: Mapping[str, Label]) -> None:
    """Rebuild a scan's view from its pointers, some classes shown by another version.

    Args:
        instead: class to the version that is about to count.
    """
    pointers = ctx.catalog.current(case_id=scan.case_id)
    ids = [p.label_id for (_, class_id), p in pointers.items() if class_id not in instead]
    shown = {x.class_id: x for x in ctx.catalog.rows(Label, label_id=ids) if not x.retired}
    rebuild_view(ctx.workspace, scan, {**shown, **instead})


def choose(
    labels: Sequence[Label],
    config: AssembleConfig,
    *,
    split: str = "train",
    newest: set[str] | frozenset[str] = frozenset(),
    withheld: bool = False,
    measured: bool = True,
) -> tuple[Label, str] | None:
    """The most trusted version and its trust; None if there is none that may count.

    Retired versions come last. Of equal trust the scan's own come before those carried over from a
    copy of it, then the newest round counts, then what the round's last fusion made (`newest`),
    then the last revision. A test scan gets no carried label.

    Args:
        labels: the versions of a structure.
        config: the trust order.
        split: of the scan.
        newest: what the round's last fusion made.
        withheld: what only a machine drew, and did not draw to mend a given label, does not count.
        measured: False: nobody knows how good machines are at this class. That they find nothing
            says nothing then, neither does what they found nothing in.
    """
    allowed = [
        x
        for x in labels
        if split != "test" or (x.origin == "original" and "from_copy" not in x.facts)
    ]
    if withheld:
        given = any(x.origin in TRUSTED for x in allowed)
        stays = (*TRUSTED, "judged") if given else TRUSTED
        allowed = [x for x in allowed if x.origin in stays or x.confirmed]
    if not measured and not any(x.origin in TRUSTED for x in allowed):
        silent = {x.label_id for x in allowed if _says_absent(x)}
        silent |= {x.parent for x in allowed if x.label_id in silent} - {""}
        allowed = [x for x in allowed if x.label_id not in silent]
    if not allowed:
        return None

    def rank(label: Label) -> tuple[bool, int, bool, int, bool, int, str]:
        level = trust_level(label, config)
        place = config.trust.index(level) if level in config.trust else len(config.trust)
        is_old = bool(newest) and label.label_id not in newest
        revision = -int(label.facts.get("revision", 0))
        is_carried = "from_copy" in label.facts
        return (label.retired, place, is_carried, -label.round, is_old, revision, label.label_id)

    best = min(allowed, key=rank)
    return best, RETIRED if best.retired else trust_level(best, config)


def _says_absent(label: Label) -> bool:
    """Whether a machine alone says that a structure is not there."""
    is_ours = label.origin in MACHINE_MADE and not label.confirmed and not label.gold
    return is_ours and not label.voxels


def trust_level(label: Label, config: AssembleConfig) -> str:
    """The best word of the trust order that fits a version."""
    words: list[str] = [label.origin]
    if label.gold:
        words.append("gold")
    if label.origin == "revised" or label.confirmed:
        words.append("human")
    known = [w for w in config.trust if w in words]
    return known[0] if known else label.origin


def _point(ctx: StageContext, moves: Sequence[tuple[Assembly, Assembly | None]]) -> None:
    decisions = []
    for new, old in moves:
        was = f"{old.trust} {old.label_id}" if old else "nothing"
        decisions.append(
            Decision(
                decision_id="",
                round=ctx.round,
                stage="assemble",
                case_id=new.case_id,
                class_id=new.class_id,
                label_id=new.label_id,
                verdict="pointer",
                reason=f"{new.trust} {new.label_id} instead of {was}",
                actor="assemble",
                other_label=old.label_id if old else "",
            )
        )
    if moves:
        with ctx.catalog.write() as writer:
            writer.point_all([new for new, _ in moves])
            writer.decide_all(decisions)
