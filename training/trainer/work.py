"""The worker that trains one model: plain data in, a bundle in the scratch folder out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.bundle.folder import BundleFacts, shares, weights_sha256, write_bundle
from training.config import TECHNICAL, NetworkConfig, TrainingConfig
from training.data.batches import Loader
from training.data.cases import case_mark
from training.data.material import ROLES, Material, gather
from training.data.on_device import DeviceLoader
from training.mix.sampling import Pools, Sampler
from training.mix.schedule import plan_of
from training.network import count_parameters
from training.replay.store import write_memory
from training.replay.teacher import load_teacher
from training.synthetic.assignment import pairs, read_sites
from training.trainer.ancestry import Beginning, begin
from training.trainer.devices import is_rank, make_fabric, use_threads
from training.trainer.journal import last_facts
from training.trainer.loop import Training
from training.trainer.ranks import train_in_ranks
from voxcurate.config import build
from voxcurate.errors import TrainingError
from voxcurate.ids import content_id


def train_model(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Train a model as the payload says (see `training.rounds.payload.payload_of`).

    Returns:
        plain facts for the driver: ``bundle`` (temporary folder), ``model_id``, ``sha256``,
        ``classes``, ``skipped_classes`` (without any known foreground), ``training_cases``,
        ``unseen_classes`` (in no patch), ``failed_cases`` (id to what is wrong with it; left out),
        ``parameters``, ``steps``, ``annealed_on``, ``synthetic_tumours`` (by class), ``loss``,
        ``bad_steps``, ``bad_cases``, and the portion that fitted into memory (``parts`` of a batch,
        ``patch``).

    Raises:
        TrainingError: no case, no class with foreground, or the loss is no number.
        TrainingPausedError: the time budget is spent; the same call goes on.
    """
    use_threads()
    config = build(TrainingConfig, payload["training"])
    if config.compute.devices * config.compute.nodes > 1 and not is_rank():
        return train_in_ranks(payload, config)
    fabric = make_fabric(config)
    material = gather(payload, config, fabric)
    classes, prepared, gold = material.classes, material.labelled, material.anneal
    facts = _facts(payload, config, material)
    anneal = [len(prepared) + n for n, case in enumerate(gold) if case.counts.any()]
    plan = plan_of(payload["steps"], config, anneal)
    begun = begin(payload, facts)
    sites = read_sites(payload["tumours"], classes, config)
    tumours = pairs(sites, prepared, payload["tumours"], classes)
    raw = [*material.raw, *prepared] if config.pretrain_share else material.raw
    pools = Pools(len(material.cases), len(material.memory), len(raw), tumours)
    sampler = Sampler([*prepared, *gold], pools, plan, config, payload["seed"])
    if not sampler.has_labels():
        raise TrainingError(
            f"model {payload['name']}: want samples with labels in the mix, found none"
        )
    swap = _swap(payload["swap"], classes)
    kind = DeviceLoader if config.augment.on_device else Loader
    loader = kind([*prepared, *gold], raw, sites, swap, sampler, config)
    training = Training(
        begun.network,
        loader,
        sampler,
        plan,
        config,
        folder=Path(payload["run"]),
        log_path=Path(payload["log"]),
        fabric=fabric,
        identity={**identity_of(payload), "usable cases": material.mark},
        disjoint=_disjoint(payload.get("disjoint", ()), classes),
        teacher=load_teacher(payload["warm"], facts, config.distill),
        title=f"train {payload['name']}",
        quiet=payload.get("quiet", True),
    )
    state = training.run()
    if not all(bool(torch.isfinite(v).all()) for v in state.values() if v.is_floating_point()):
        raise TrainingError(f"model {payload['name']}: its weights are no numbers any more")
    if fabric.global_rank:
        return {}
    return _finish(payload, begun, state, training, material)


def _finish(
    payload: Mapping[str, Any],
    begun: Beginning,
    state: dict[str, torch.Tensor],
    training: Training,
    material: Material,
) -> dict[str, Any]:
    """Write the bundle; a warm-started model has learnt from its ancestor's cases too."""
    facts, ancestor = begun.facts, begun.ancestor
    seen, people = set(facts.training_cases), set(facts.training_patients)
    if ancestor is not None:
        seen |= set(ancestor.training_cases)
        people |= set(ancestor.training_patients)
    sha256 = weights_sha256(state)
    annealed_on = len(training.plan.anneal_cases)
    done = replace(
        facts,
        model_id=content_id(
            "model", payload["round"], facts.name, sorted(seen), list(facts.classes), sha256
        ),
        training_cases=tuple(sorted(seen)),
        training_patients=tuple(sorted(people)),
        extra={"annealed_on": annealed_on, "skipped_classes": material.skipped},
    )
    folder = Path(payload["scratch"]) / f"bundle_{payload['run_id']}"
    write_bundle(folder, done, state)
    memory = training.sampler.memory
    if payload.get("aside"):
        memory.put_before(payload["aside"])
    write_memory(folder, memory)
    last = last_facts(Path(payload["log"]))
    return {
        "bundle": str(folder),
        "model_id": done.model_id,
        "sha256": sha256,
        "classes": list(done.classes),
        "skipped_classes": material.skipped,
        "unseen_classes": training.unseen(material.classes),
        "failed_cases": dict(material.failed),
        "training_cases": list(done.training_cases),
        "training_patients": list(done.training_patients),
        "parameters": count_parameters(training.network),
        "steps": training.plan.steps,
        "annealed_on": annealed_on,
        "synthetic_tumours": {
            name: int(n) for name, n in zip(done.classes, training.sampler.grown, strict=True) if n
        },
        "warm_started": ancestor is not None,
        "inherited": dict(begun.inherited),
        "loss": last.get("loss"),
        "bad_steps": training.trouble.total,
        "bad_cases": training.trouble.likely,
        "parts": training.portion.parts,
        "patch": list(training.portion.patch),
    }


def identity_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of what decides a run's result, by name, without where files lie."""
    settings = {k: v for k, v in payload["training"].items() if k not in TECHNICAL}
    marks = {role: [case_mark(case) for case in payload.get(role, ())] for role in ROLES}
    same = ("classes", "spacing", "network", "seed", "swap", "tumours", "disjoint", "texts")
    parts = {"training": settings, **marks, **{name: payload.get(name) for name in same}}
    return {name: content_id(value) for name, value in parts.items()}


def _facts(
    payload: Mapping[str, Any],
    config: TrainingConfig,
    material: Material,
) -> BundleFacts:
    classes, prepared = material.classes, material.labelled
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
        training_cases=tuple(sorted(material.case_ids)),
        training_patients=tuple(sorted(set(payload["patients"]))),
        prior=prior,
        licence=payload["licence"],
        fold=payload["fold"],
        modality=payload["cases"][0]["modality"],
    )


def _disjoint(pairs_of: Sequence[Sequence[str]], classes: Sequence[str]) -> Any:
    """Which of the trained classes share no voxel, ``(classes, classes)``."""
    found = np.zeros((len(classes), len(classes)), dtype=bool)
    place = {class_id: n for n, class_id in enumerate(classes)}
    for a, b in pairs_of:
        if a in place and b in place:
            found[place[a], place[b]] = found[place[b], place[a]] = True
    return found


def _swap(swap: Mapping[str, str] | None, classes: Sequence[str]) -> Any:
    """Class to mirrored class (empty: unknown), as positions in the trained classes."""
    if swap is None:
        return None
    return np.array([classes.index(swap[c]) if swap[c] in classes else -1 for c in classes])
