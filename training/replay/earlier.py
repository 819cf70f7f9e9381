"""Which scans of earlier rounds a round's flagship learns from again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
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
    by_id = _replayable(ctx, memory, labelled)
    memory.cases = list(by_id)
    return [by_id[case] for case in memory.trimmed(config.memory, config.size, seed=ctx.seed)]


def put_aside(
    ctx: StageContext,
    parent: Model | None,
    config: ReplayConfig,
    labelled: Collection[str],
    learnt: Collection[str],
    *,
    replays: bool,
) -> dict[str, Any]:
    """What later rounds may replay although this one does not, as `Memory.state_dict`; empty if
    there is nothing.

    These are the cases that the flagship before remembers and that are not learnt from now: all of
    them where nothing is replayed; else those without a label that counts and those that cleaning
    has taken out for now. What a bounded memory has no room for is forgotten, and so is what is no
    scan of the train split any more.

    Args:
        learnt: cases of this round's training.
        replays: whether this round replays.
    """
    if parent is None:
        return {}
    memory = _memory_of(ctx, parent, config)
    gone = {*learnt, *(_replayable(ctx, memory, labelled) if replays else ())}
    train = {case for (case,) in ctx.catalog.columns(Scan, "case_id", split="train")}
    return memory.only([c for c in memory.cases if c in train and c not in gone])


def _replayable(ctx: StageContext, memory: Memory, labelled: Collection[str]) -> dict[str, Scan]:
    """Remembered cases that can be learnt from and that the round's cohort does not hold."""
    current = set(ctx.cases("train"))
    asked = [case for case in memory.cases if case not in current and case in labelled]
    rows = ctx.catalog.rows(Scan, case_id=asked, split="train", status=IN_COHORT) if asked else []
    by_id = {scan.case_id: scan for scan in rows}
    return {case: by_id[case] for case in asked if case in by_id}


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
        aside: what the bundle remembers beside these (`Memory.state_dict`).
    """

    cases: list[Mapping[str, Any]]
    memory: list[Mapping[str, Any]]
    classes: tuple[str, ...]
    kept: tuple[str, ...] = ()
    aside: Mapping[str, Any] = field(default_factory=dict)


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
    given = {case["case_id"] for case in cases}
    aside = memory.only([c for c in memory.cases if c not in given]) if memory is not None else {}
    return Continued(new or earlier, earlier if new else [], every, kept, aside)
