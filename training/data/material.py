"""What a run learns from: its cases, prepared side by side; broken ones are left out, on record."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from training.config import TrainingConfig
from training.data.cases import CacheError, CaseSpec, PreparedCase, ensure_case, load_case, spec_of
from training.trainer.devices import given_threads
from voxcurate.errors import CurationError, TrainingError
from voxcurate.executors import cores
from voxcurate.ids import content_id
from voxcurate.progress import progress

log = logging.getLogger(__name__)
ROLES = ("cases", "memory", "raw", "anneal")
NAMED = 3  # broken cases that an error names


@dataclass(frozen=True)
class Material:
    """Prepared cases by their role in the payload.

    Attributes:
        classes: those that have foreground in a labelled case.
        skipped: wanted classes that have none.
        failed: case id to what is wrong with it; it is in none of the lists.
    """

    classes: list[str]
    skipped: list[str]
    cases: list[PreparedCase] = field(default_factory=list)
    memory: list[PreparedCase] = field(default_factory=list)
    raw: list[PreparedCase] = field(default_factory=list)
    anneal: list[PreparedCase] = field(default_factory=list)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def labelled(self) -> list[PreparedCase]:
        """Cases of this round and of earlier ones."""
        return [*self.cases, *self.memory]

    @property
    def mark(self) -> str:
        """Which cases stand in which place: draws of a checkpoint mean these."""
        roles = ([case.case_id for case in getattr(self, role)] for role in ROLES)
        return content_id(self.classes, *roles)

    @property
    def case_ids(self) -> set[str]:
        """Cases that the weights learn from."""
        return {case.case_id for case in (*self.cases, *self.memory, *self.raw, *self.anneal)}


def gather(payload: Mapping[str, Any], config: TrainingConfig, fabric: Fabric) -> Material:
    """Prepare all cases of a run (see `training.rounds.payload.payload_of`).

    Of several processes the first prepares, and all read the same files.

    Raises:
        TrainingError: no labelled case is left, or no class has foreground in one.
        CacheError: a disk that is full breaks the run, not the cases that came last.
    """
    name = payload["name"]
    specs = {role: [spec_of(c) for c in payload.get(role, ())] for role in ROLES}
    if not specs["cases"]:
        raise TrainingError(f"model {name}: no labelled case to train on")
    classes = list(payload["classes"])
    failed = _prepare(specs, classes, payload, config, fabric)
    good = _without(specs, failed)
    if not good["cases"]:
        some = "; ".join(f"{case}: {why}" for case, why in list(failed.items())[:NAMED])
        raise TrainingError(f"model {name}: no labelled case can be used: {some}")
    labelled = _loaded([*good["cases"], *good["memory"]], classes, payload, config)
    trained, skipped = trainable(classes, labelled, payload.get("kept", ()))
    if not any(case.counts.any() for case in labelled):
        raise TrainingError(f"model {name}: no class has a voxel in the training cases")
    if skipped:
        failed |= _prepare(good, trained, payload, config, fabric)
        good = _without(good, failed)
    lists = {role: _loaded(good[role], trained, payload, config) for role in ROLES}
    for case_id, why in failed.items():
        log.warning("case %s is left out of training: %s", case_id, why)
    return Material(trained, skipped, failed=failed, **lists)


def trainable(
    classes: Sequence[str], prepared: Sequence[PreparedCase], kept: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """Classes with foreground somewhere or that are kept as the weights know them, and others."""
    total = sum((case.counts for case in prepared), np.zeros(len(classes), dtype=np.int64))
    good = [c for c, n in zip(classes, total, strict=True) if n > 0 or c in kept]
    return good, [c for c in classes if c not in good]


def _prepare(
    specs: Mapping[str, Sequence[CaseSpec]],
    classes: Sequence[str],
    payload: Mapping[str, Any],
    config: TrainingConfig,
    fabric: Fabric,
) -> dict[str, str]:
    """Fill the cache; case id to what is wrong with it. Scans come before their second labels."""
    failed: dict[str, str] = {}
    if fabric.global_rank == 0:
        scans = [spec for role in ROLES[:-1] for spec in specs[role]]
        total, quiet = len(scans) + len(specs["anneal"]), payload.get("quiet", True)
        cache = Path(payload["cache"])

        def one(spec: CaseSpec) -> tuple[str, str]:
            try:
                ensure_case(spec, classes, payload["spacing"], config.grid, cache)
            except CacheError:
                raise
            except CurationError as error:
                return spec.case_id, str(error)
            return spec.case_id, ""

        with (
            progress("prepare cases", total, quiet=quiet) as bar,
            ThreadPoolExecutor(given_threads() or cores(), "prepare") as pool,
        ):
            for some in (scans, specs["anneal"]):
                for case_id, why in pool.map(one, some):
                    bar.advance()
                    if why:
                        failed[case_id] = why
    found: dict[str, str] = fabric.broadcast(failed) if fabric.world_size > 1 else failed
    return found


def _without(
    specs: Mapping[str, Sequence[CaseSpec]], failed: Mapping[str, str]
) -> dict[str, list[CaseSpec]]:
    return {role: [s for s in specs[role] if s.case_id not in failed] for role in ROLES}


def _loaded(
    specs: Sequence[CaseSpec],
    classes: Sequence[str],
    payload: Mapping[str, Any],
    config: TrainingConfig,
) -> list[PreparedCase]:
    cache, spacing = Path(payload["cache"]), payload["spacing"]
    floor = config.trust.floor if config.trust.by_probability else 1.0
    return [
        load_case(
            spec,
            classes,
            ensure_case(spec, classes, spacing, config.grid, cache),
            config.label_weights,
            floor=floor,
        )
        for spec in specs
    ]
