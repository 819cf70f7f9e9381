"""Which scans of earlier rounds a round's flagship learns from again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config import ReplayConfig
from training.replay.memory import Memory
from training.replay.store import read_memory
from voxcurate.catalog import Model, Scan
from voxcurate.stage import IN_COHORT, StageContext


def earlier_scans(
    ctx: StageContext, parent: Model | None, config: ReplayConfig, labelled: Collection[str]
) -> list[Scan]:
    """Scans that the flagship before has learnt from and this round's cohort does not hold.

    Only scans of the train split that cleaning left in and that have a label count. Their images
    and labels come from the catalog, as they are now.

    Args:
        parent: the flagship before; None: there is nothing to remember.
        labelled: cases with a label that counts.
    """
    if parent is None:
        return []
    memory = _memory_of(ctx, parent, config)
    current = set(ctx.cases("train"))
    asked = [case for case in memory.cases if case not in current and case in labelled]
    rows = ctx.catalog.rows(Scan, case_id=asked, split="train", status=IN_COHORT) if asked else []
    by_id = {scan.case_id: scan for scan in rows}
    memory.cases = [case for case in asked if case in by_id]
    return [by_id[case] for case in memory.trimmed(config.memory, config.size, seed=ctx.seed)]


def _memory_of(ctx: StageContext, parent: Model, config: ReplayConfig) -> Memory:
    """The memory beside the model; with ``full`` its ancestors' cases too."""
    found = read_memory(ctx.workspace.root / parent.path) or Memory(parent.training_cases)
    if config.memory == "full":
        found.cases = list(dict.fromkeys([*parent.training_cases, *found.cases]))
    return found


@dataclass(frozen=True)
class Continued:
    """What training alone on files goes on with, from a bundle.

    Attributes:
        cases: that the bundle has not learnt from.
        memory: that it has; none if it has learnt from all.
        classes: the bundle's, and behind them what the cases add.
        kept: classes of the bundle that no case is labelled with.
    """

    cases: list[Mapping[str, Any]]
    memory: list[Mapping[str, Any]]
    classes: tuple[str, ...]
    kept: tuple[str, ...] = ()


def continued(
    bundle: Path | None, cases: Sequence[Mapping[str, Any]], classes: Sequence[str]
) -> Continued:
    """Cases and classes, given the bundle whose weights training starts from (None: none).

    Args:
        cases: plain `CaseSpec`; those whose ids are in the bundle's memory are replayed.
        classes: that they are labelled with.
    """
    if bundle is None:
        return Continued(list(cases), [], tuple(classes))
    from training.bundle.folder import read_facts

    old = read_facts(bundle).classes
    memory = read_memory(bundle)
    known = set(memory.cases) if memory is not None else set()
    new = [case for case in cases if case["case_id"] not in known]
    earlier = [case for case in cases if case["case_id"] in known]
    every = tuple(dict.fromkeys([*old, *classes]))
    kept = tuple(class_id for class_id in old if class_id not in classes)
    return Continued(new or earlier, earlier if new else [], every, kept)
