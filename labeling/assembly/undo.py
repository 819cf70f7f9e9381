"""Taking back what counts: the pointer of a structure goes back to an earlier version."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from labeling.assembly.assemble import RETIRED, choose, newest_fused, show_current, trust_level
from labeling.assembly.history import MOVES, in_time
from labeling.config import AssembleConfig
from labeling.quality import standing
from voxcurate.catalog import Assembly, Catalog, Decision, Label, Scan
from voxcurate.errors import CatalogError
from voxcurate.stage import StageContext

STAGE = "labels"


@dataclass(frozen=True)
class Undone:
    """What counts now, what counted before, and the versions that were set aside for it."""

    case_id: str
    class_id: str
    label_id: str
    trust: str
    instead_of: str
    set_aside: tuple[str, ...]


def undo(
    ctx: StageContext,
    config: AssembleConfig,
    case_id: str,
    class_id: str,
    *,
    actor: str,
    reason: str,
    to: str = "",
) -> Undone:
    """Let an earlier version of a structure count again.

    No version is lost: whatever `assemble` would take before the wanted one is retired (it comes
    last from now on), and the wanted one is no longer retired.
    Undoing twice therefore gives back what there was. All of it is one transaction.

    Args:
        actor: who wants it, for the decision.
        reason: why; it must name no patient (it is scrubbed by the caller).
        to: id of the version that shall count; default the one that counted before.

    Raises:
        CatalogError: nothing counts for this structure, nothing counted before, `to` is no
            version of it or may not count yet, or the scan belongs to the frozen test split.
    """
    scan = ctx.catalog.one(Scan, case_id=case_id)
    pointer = ctx.catalog.current(case_id=case_id, class_id=class_id).get((case_id, class_id))
    if scan is None or pointer is None:
        raise CatalogError(f"no label of {class_id} counts on this scan", case_id=case_id)
    if scan.split == "test":
        raise CatalogError("a test scan's labels are never mended", case_id=case_id)
    versions = {x.label_id: x for x in ctx.catalog.rows(Label, case_id=case_id, class_id=class_id)}
    wanted = to or _before(ctx.catalog, pointer)
    if wanted not in versions:
        what = f"version {to}" if to else "version before the one that counts"
        raise CatalogError(f"{class_id}: there is no {what}", case_id=case_id)
    if wanted == pointer.label_id and pointer.trust != RETIRED:
        raise CatalogError(f"{class_id}: version {wanted} counts already", case_id=case_id)
    newest = newest_fused(ctx, [case_id])
    quality = standing(ctx, config)

    def chosen_of(labels: Sequence[Label]) -> str:
        found = choose(
            labels,
            config,
            split=scan.split,
            newest=newest,
            withheld=class_id in quality.withheld,
            measured=class_id in quality.measured,
        )
        return found[0].label_id if found else wanted

    aside = _in_the_way(list(versions.values()), wanted, chosen_of)
    chosen = versions[wanted]
    trust = trust_level(chosen, config)
    n = ctx.catalog.count(Decision, case_id=case_id, class_id=class_id, stage=STAGE)
    show_current(ctx, scan, {class_id: chosen})  # first: a killed command is given again
    with ctx.catalog.write() as writer:
        made = Decision(
            decision_id="",
            round=ctx.round,
            stage=STAGE,
            case_id=case_id,
            class_id=class_id,
            label_id=wanted,
            verdict="undo",
            reason=reason,
            actor=actor,
            other_label=pointer.label_id,
            evidence={"set_aside": list(aside), "number": n + 1},
        )
        writer.flag(wanted, made, retired=False)
        for label_id in aside:
            writer.flag(label_id, made, retired=True)
        writer.point(Assembly(ctx.round, case_id, class_id, wanted, trust))
    return Undone(case_id, class_id, wanted, trust, pointer.label_id, aside)


def _before(catalog: Catalog, pointer: Assembly) -> str:
    """What counted before what counts now: by the last decision that moved the pointer there."""
    moves = catalog.rows(
        Decision, case_id=pointer.case_id, class_id=pointer.class_id, verdict=MOVES
    )
    to_here = [d.other_label for d in in_time(moves) if d.label_id == pointer.label_id]
    return to_here[-1] if to_here else ""


def _in_the_way(
    versions: Sequence[Label], wanted: str, chosen_of: Callable[[Sequence[Label]], str]
) -> tuple[str, ...]:
    """The versions that must be retired so that `wanted` is what `assemble` chooses."""
    aside: list[str] = []
    while True:
        left = [
            replace(v, retired=v.label_id != wanted and (v.retired or v.label_id in aside))
            for v in versions
        ]
        best = chosen_of(left)
        if best == wanted:
            return tuple(aside)
        if best in aside:
            raise CatalogError(
                "this version cannot count: machine-drawn labels of its class wait until the "
                "models agree with trusted labels (minimum_dsc); confirm it in a review instead",
                case_id=versions[0].case_id,
            )
        aside.append(best)
