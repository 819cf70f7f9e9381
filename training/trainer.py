"""The worker that trains one model: plain data in, a bundle in the scratch folder out."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.batches import Loader
from training.bundle import BundleFacts, load_bundle, shares, weights_sha256, write_bundle
from training.cases import CaseSpec, PreparedCase, ensure_case, load_case, spec_of
from training.config import NetworkConfig, TrainingConfig
from training.devices import use_threads
from training.journal import last_facts
from training.loop import Training
from training.networks import SegmentationNet, build_network, count_parameters, grow_head
from training.replay.store import write_memory
from training.sampling import Pools, Sampler
from training.schedule import plan_of
from training.synthetic.assignment import pairs, read_sites
from voxcurate.config import build
from voxcurate.errors import TrainingError
from voxcurate.ids import content_id


def train_model(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Train a model as the payload says (see `training.runs.payload`).

    Returns:
        plain facts for the driver: ``bundle`` (temporary folder), ``model_id``, ``sha256``,
        ``classes``, ``skipped_classes`` (without any known foreground), ``training_cases``,
        ``parameters``, ``steps``, ``annealed_on``, ``loss``, ``bad_steps``.

    Raises:
        TrainingError: no case, no class with foreground, or the loss is no number.
    """
    use_threads()
    config = build(TrainingConfig, payload["training"])
    cases = [spec_of(c) for c in payload["cases"]]
    best = [spec_of(c) for c in payload["anneal"]]  # the same scans, their best labels only
    raw = [spec_of(c) for c in payload["raw"]]
    earlier = [spec_of(c) for c in payload.get("memory", ())]
    if not cases:
        raise TrainingError(f"model {payload['name']}: no labelled case to train on")
    prepared = _prepare([*cases, *earlier], payload, config)
    classes, skipped = _trainable(payload["classes"], prepared)
    if not classes:
        raise TrainingError(f"model {payload['name']}: no class has a voxel in the training cases")
    if skipped:
        prepared = _prepare([*cases, *earlier], {**payload, "classes": classes}, config)
    raw_cases = _prepare(raw, {**payload, "classes": classes}, config)
    facts = _facts(payload, config, classes, prepared)
    gold = _prepare(best, {**payload, "classes": classes}, config)
    anneal = [len(prepared) + n for n, case in enumerate(gold) if case.counts.any()]
    plan = plan_of(payload["steps"], config, anneal)
    network, ancestor = _network(payload, facts)
    sites = read_sites(payload["tumours"], classes, config)
    tumours = pairs(sites, prepared, payload["tumours"], classes)
    pools = Pools(len(cases), len(earlier), len(raw_cases), tumours)
    sampler = Sampler([*prepared, *gold], pools, plan, config, payload["seed"])
    swap = _swap(payload["swap"], classes)
    loader = Loader([*prepared, *gold], raw_cases, sites, swap, sampler, config)
    training = Training(
        network,
        loader,
        sampler,
        plan,
        config,
        folder=Path(payload["run"]),
        log_path=Path(payload["log"]),
    )
    state = training.run()
    if not all(bool(torch.isfinite(v).all()) for v in state.values() if v.is_floating_point()):
        raise TrainingError(f"model {payload['name']}: its weights are no numbers any more")
    return _finish(payload, facts, ancestor, state, training, skipped, anneal)


def _finish(
    payload: Mapping[str, Any],
    facts: BundleFacts,
    ancestor: BundleFacts | None,
    state: dict[str, torch.Tensor],
    training: Training,
    skipped: Sequence[str],
    anneal: Sequence[int],
) -> dict[str, Any]:
    """Write the bundle; a warm-started model has learnt from its ancestor's cases too."""
    seen, people = set(facts.training_cases), set(facts.training_patients)
    if ancestor is not None:
        seen |= set(ancestor.training_cases)
        people |= set(ancestor.training_patients)
    sha256 = weights_sha256(state)
    done = replace(
        facts,
        model_id=content_id(
            "model", payload["round"], facts.name, sorted(seen), list(facts.classes), sha256
        ),
        training_cases=tuple(sorted(seen)),
        training_patients=tuple(sorted(people)),
        extra={"annealed_on": len(anneal), "skipped_classes": list(skipped)},
    )
    folder = Path(payload["scratch"]) / f"bundle_{payload['run_id']}"
    write_bundle(folder, done, state)
    write_memory(folder, training.sampler.memory)
    last = last_facts(Path(payload["log"]))
    return {
        "bundle": str(folder),
        "model_id": done.model_id,
        "sha256": sha256,
        "classes": list(done.classes),
        "skipped_classes": list(skipped),
        "training_cases": list(done.training_cases),
        "training_patients": list(done.training_patients),
        "parameters": count_parameters(training.network),
        "steps": training.plan.steps,
        "annealed_on": len(anneal) if training.plan.anneal_cases else 0,
        "warm_started": ancestor is not None,
        "loss": last.get("loss"),
        "bad_steps": training.trouble.total,
    }


def _prepare(
    cases: Sequence[CaseSpec], payload: Mapping[str, Any], config: TrainingConfig
) -> list[PreparedCase]:
    cache, classes = Path(payload["cache"]), payload["classes"]
    return [
        load_case(
            case,
            classes,
            ensure_case(case, classes, payload["spacing"], config.grid, cache),
            config.label_weights,
        )
        for case in cases
    ]


def _trainable(
    classes: Sequence[str], prepared: Sequence[PreparedCase]
) -> tuple[list[str], list[str]]:
    """Classes with foreground somewhere, and those without."""
    total = sum((case.counts for case in prepared), np.zeros(len(classes), dtype=np.int64))
    good = [c for c, n in zip(classes, total, strict=True) if n > 0]
    return good, [c for c in classes if c not in good]


def _facts(
    payload: Mapping[str, Any],
    config: TrainingConfig,
    classes: Sequence[str],
    prepared: Sequence[PreparedCase],
) -> BundleFacts:
    known = np.stack([case.known for case in prepared])
    voxels = np.array([case.image.size for case in prepared], dtype=np.float64)
    counts = sum((case.counts for case in prepared), np.zeros(len(classes)))
    space = np.maximum((known * voxels[:, None]).sum(axis=0), 1.0)
    prior = tuple(shares([float(c)], float(v))[0] for c, v in zip(counts, space, strict=True))
    spacing = payload["spacing"]
    return BundleFacts(
        name=payload["name"],
        model_id="",
        classes=tuple(classes),
        spacing=(spacing[0], spacing[1], spacing[2]),
        network=build(NetworkConfig, payload["network"]),
        training=config,
        training_cases=tuple(c["case_id"] for c in _scans(payload)),
        training_patients=tuple(sorted(set(payload["patients"]))),
        prior=prior,
        licence=payload["licence"],
        fold=payload["fold"],
    )


def _network(
    payload: Mapping[str, Any], facts: BundleFacts
) -> tuple[SegmentationNet, BundleFacts | None]:
    """A new network, or the ancestor's weights with their heads moved to this class list."""
    torch.manual_seed(payload["seed"] & 0x7FFFFFFF)
    network = build_network(facts.network, facts.in_channels, facts.prior)
    if not payload["warm"]:
        return network, None
    ancestor, old = load_bundle(Path(payload["warm"]))
    if ancestor.network != facts.network or ancestor.in_channels != facts.in_channels:
        return network, None
    state = {k: v.clone() for k, v in old.state_dict().items()}
    grow_head(state, ancestor.classes, facts.classes)
    network.load_state_dict(state)
    return network, ancestor


def _scans(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every case that the weights learn from."""
    return [*payload["cases"], *payload.get("memory", ()), *payload["raw"]]


def _swap(swap: Mapping[str, str] | None, classes: Sequence[str]) -> Any:
    """Class to mirrored class (empty: unknown), as positions in the trained classes."""
    if swap is None:
        return None
    return np.array([classes.index(swap[c]) if swap[c] in classes else -1 for c in classes])


def forget_run(folder: Path) -> None:
    """Drop a finished run's checkpoint."""
    shutil.rmtree(folder, ignore_errors=True)
