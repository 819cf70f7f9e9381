"""Runs in the ledger: what is trained is one item each, its model and bundle are recorded."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from training.config import TECHNICAL, PlanningConfig, TrainingConfig
from training.data.cases import case_mark
from training.rounds.cases import current_labels
from training.rounds.models import STAGES
from training.rounds.payload import Run, payload_of
from training.rounds.trust import chances, with_chances
from training.synthetic.health import Proof, healthy, lesion_sites
from voxcurate.catalog import Model, Scan, WorkItem, Writer
from voxcurate.catalog.catalog import now
from voxcurate.errors import TrainingError
from voxcurate.ids import content_id
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.stage import StageContext

VERSION = "2"


def train(ctx: StageContext, runs: Sequence[Run], *, threads: int, limit_s: float) -> LedgerResult:
    """Train what is not yet trained, each model one ledger item, and record models and bundles.

    A case that cannot be used is among the failures, as ``<model>/<case>``, though its model is
    trained on the others.

    Raises:
        TrainingError: there is nothing to train on.
    """
    if not runs:
        raise TrainingError("no model to train")
    role = runs[0].role
    executor = ctx.executor(
        workers=max(1, _cores() // threads) if threads else 1,
        threads=threads or _cores(),
        time_limit_s=limit_s,
    )
    runs = [_weighted(ctx, run) for run in runs]
    by_name = {run.name: run for run in runs}
    items = [_item(ctx, run) for run in runs]
    payloads = {item.subject: item.payload for item in items}

    def record(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
        return _record(ctx, by_name[item.subject], payloads[item.subject], writer, value)

    result = run_items(
        ctx,
        STAGES[role],
        items,
        "training.trainer.work:train_model",
        record,
        version=VERSION,
        executor=executor,
        across_rounds=role == "zoo",
        title=f"train {role}",
    )
    for name in result.results:  # only now: a kill before the record must not cost the checkpoint
        shutil.rmtree(payloads[name]["run"], ignore_errors=True)
    _make_newest(ctx, role, result.results)
    broken = {
        f"{name}/{case_id}": why
        for name, facts in result.results.items()
        for case_id, why in facts.get("failed_cases", {}).items()
    }
    return replace(result, failed={**result.failed, **broken})


def _weighted(ctx: StageContext, run: Run) -> Run:
    """A flagship's labels weigh by how likely they are right. The zoo's do not: its predictions
    are what tells that, and another weight would train it anew in every round."""
    if run.role != "flagship" or not run.training.trust.by_probability:
        return run
    told = chances(ctx, (case["case_id"] for case in (*run.cases, *run.memory)))
    return replace(
        run,
        cases=[with_chances(case, told) for case in run.cases],
        memory=[with_chances(case, told) for case in run.memory],
    )


def grid_spacing(scans: Sequence[Scan], config: TrainingConfig) -> list[float]:
    """Spacing of the network's grid: as configured, else the median of the scans, coarsened to the
    floor, which is as fine as a patch still shows enough of a scan (`training.planning`)."""
    if config.grid.spacing_mm is not None:
        return list(config.grid.spacing_mm)
    from training.data.grid import full_grid
    from training.planning import grid_spacing as planned

    own = [full_grid(_shape(scan), np.asarray(scan.affine), (1.0, 1.0, 1.0)) for scan in scans]
    spacing = np.median([grid.source_spacing for grid in own], axis=0).tolist()
    if config.grid.floor_mm is not None:
        return [round(max(config.grid.floor_mm, value), 3) for value in spacing]
    extent = np.median([grid.shape for grid in own], axis=0).tolist()  # of voxels of 1 mm
    return list(
        planned(spacing, extent, float(np.prod(config.patch)), PlanningConfig().coverage)[0]
    )


def _make_newest(ctx: StageContext, role: str, results: Mapping[str, Mapping[str, Any]]) -> None:
    """A configuration that is taken up again counts, not one tried in between."""
    lines = ctx.catalog.rows(WorkItem, round=ctx.round, stage=STAGES[role], status="done")
    for name, result in results.items():
        own = [line for line in lines if line.subject == name]
        ours = [line for line in own if line.result.get("model_id") == result["model_id"]]
        if len(own) > 1 and ours and ours[-1].updated < max(line.updated for line in own):
            with ctx.catalog.write() as writer:
                writer.put(replace(ours[-1], updated=now()))


def _item(ctx: StageContext, run: Run) -> Item:
    everything = [*run.cases, *run.memory, *run.raw, *run.anneal]
    ids = {case["case_id"] for case in everything}
    scans = ctx.catalog.rows(Scan, case_id=ids) if ids else []
    if not scans:
        raise TrainingError(f"model {run.name}: no labelled case to train on")
    payload = _payload(ctx, run, scans)
    settings = {k: v for k, v in payload["training"].items() if k not in TECHNICAL}
    inputs = {
        "cases": [case_mark(case) for case in run.cases],
        "memory": [case_mark(case) for case in run.memory],
        "kept": list(run.kept),
        "raw": [case_mark(case) for case in run.raw],
        "anneal": [case_mark(case) for case in run.anneal],
        "training": settings,
        "warm": run.warm.sha256 if run.warm else "",
        **({"aside": run.aside["cases"]} if run.aside else {}),
        **{
            name: payload[name]
            for name in (
                "classes",
                "spacing",
                "network",
                "steps",
                "seed",
                "swap",
                "tumours",
                "disjoint",
                "texts",
            )
        },
    }
    run_id = content_id(VERSION, run.role, run.name, inputs)
    root = ctx.workspace.root
    places = {
        "run_id": run_id,
        "run": str(root / "cache" / "training" / "runs" / run_id),
        "cache": str(root / "cache" / "training"),
        "log": str(ctx.workspace.round_path(ctx.round, "training", f"{run.name}.jsonl")),
        "scratch": str(ctx.workspace.scratch),
        "quiet": ctx.quiet,
    }
    return Item(subject=run.name, inputs=inputs, payload={**payload, **places}, single=True)


def _payload(ctx: StageContext, run: Run, scans: Sequence[Scan]) -> dict[str, Any]:
    return payload_of(
        run,
        ctx.vocabulary,
        spacing=grid_spacing(scans, run.training),
        seed=ctx.seed,
        round_number=ctx.round,
        patients=[scan.patient for scan in scans],
        licences=[scan.licence for scan in scans],
        warm=ctx.workspace.root / run.warm.path if run.warm else None,
        proofs=_proofs(ctx, run),
    )


def _proofs(ctx: StageContext, run: Run) -> dict[str, dict[str, Proof]]:
    """Case to the classes that synthetic tumours may be of; empty if none are wanted."""
    share, settings = run.training.mix.synthetic, run.training.synthetic
    lesions = list(lesion_sites(run.classes, ctx.vocabulary, settings)) if share else []
    if not lesions:
        return {}
    labels = current_labels(ctx, ctx.round)
    own = {case["case_id"]: labels.get(case["case_id"], {}) for case in run.cases}
    return healthy(ctx.catalog, ctx.vocabulary, lesions, own, run.asked, settings)


def _record(
    ctx: StageContext, run: Run, payload: Mapping[str, Any], writer: Writer, value: Any
) -> Mapping[str, Any]:
    from training.bundle.folder import adopt_bundle

    folder = f"{run.name}_{value['model_id'][:8]}"  # another config of this round: another folder
    target = ctx.workspace.root / "models" / str(ctx.round) / folder
    adopt_bundle(Path(value["bundle"]), target)
    kept = (
        "skipped_classes",
        "unseen_classes",
        "parameters",
        "steps",
        "annealed_on",
        "synthetic_tumours",
        "warm_started",
        "inherited",
        "bad_steps",
        "bad_cases",
        "parts",
        "patch",
    )
    model = Model(
        model_id=value["model_id"],
        round=ctx.round,
        name=run.name,
        architecture=payload["network"]["architecture"],
        path=ctx.workspace.relative(target),
        sha256=value["sha256"],
        classes=value["classes"],
        training_cases=value["training_cases"],
        licence=payload["licence"],
        facts={
            "role": run.role,
            "fold": run.fold,
            "network": run.network,
            "text": run.text,
            "spacing_mm": payload["spacing"],
            "windows": payload["training"]["grid"]["windows"],
            "seed": payload["seed"],
            "parent": run.warm.model_id if run.warm else "",
            **{name: value[name] for name in kept},
        },
    )
    writer.add(model)
    return {
        "model_id": model.model_id,
        "path": model.path,
        "skipped": value["skipped_classes"],
        "unseen": value["unseen_classes"],
        "failed_cases": value["failed_cases"],
    }


def _shape(scan: Scan) -> tuple[int, int, int]:
    i, j, k = scan.shape
    return i, j, k


def _cores() -> int:
    from voxcurate.executors import cores

    return cores()
