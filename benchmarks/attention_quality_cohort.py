"""Held-out predictions of three small networks on real scans, for `benchmarks.attention_quality`.

The product's own parts do it in a workspace: ingest (every scan may be trained on), training of
each network without each fold, and prediction of the fold that a model has not seen. Every scan
thereby has a prediction of every network, none of which saw it. All of it goes through the ledger
and checkpoints: an interrupted run goes on, and a complete one only reads. The workspace's key, on
which case ids and thereby folds depend, is a fixed one: the scans are public.
"""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

from agent.ingest import ingest
from agent.ingest.config import IngestConfig, SplitConfig
from training import predict
from training.config import AnnealConfig, GridConfig, PredictConfig, TrainingConfig
from training.rounds.cases import case_specs, current_labels, target_classes
from training.rounds.models import all_groups, folds, of_round
from training.rounds.payload import Run
from training.rounds.runs import train
from voxcurate.catalog import Catalog, Model, Scan, WorkItem
from voxcurate.catalog.records import NO_ROUND
from voxcurate.classes import load_vocabulary
from voxcurate.errors import CurationError
from voxcurate.executors import ExecutorConfig
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

STEPS = {"unet_small": 300, "segresnet_small": 450, "dynunet_small": 180}  # about equal times
FOLDS = 3
ROUND = 1
FLOOR_MM = 4.0  # finest spacing of the networks' grid
PATCH = (48, 40, 48)
OVERLAP = 0.25  # of the windows in prediction
ALL_TRAIN = IngestConfig(split=SplitConfig(train=1.0, validation=0.0, test=0.0, min_test=0))


def open_cohort(folder: Path, scans: Path, source: str) -> StageContext:
    """The workspace with the scans; made on first use.

    Raises:
        CurationError: a scan cannot be used.
    """
    key = folder / "key"
    if not key.exists():
        folder.mkdir(parents=True, exist_ok=True)
        key.touch(mode=0o600)
        key.write_text(hashlib.sha256(b"public scans of a benchmark").hexdigest())
    workspace = Workspace.create(folder / "workspace", key_file="../key")
    catalog = Catalog(workspace.catalog_url)
    context = StageContext(
        workspace, catalog, load_vocabulary(), ROUND, executor_config=ExecutorConfig(workers=1)
    )
    if not catalog.count(Scan):
        failed = ingest(context, scans, source=source, config=ALL_TRAIN).failed
        _stop_at(dict(failed))
    return context


def train_and_predict(
    context: StageContext, effort: float = 1.0, only: Collection[str] = ()
) -> None:
    """Train each network without each fold, and predict what it has not seen.

    Args:
        context: of `open_cohort`.
        effort: times the usual number of steps.
        only: names of models (``unet_small_fold0``); empty: all.

    Raises:
        CurationError: a network cannot be trained, or a scan not be predicted.
    """
    scans = context.scans()
    group_of = all_groups(context.catalog)
    fold_of = folds({s.case_id: group_of[s.case_id] for s in scans}, FOLDS, context.seed)
    labels = current_labels(context, NO_ROUND)
    classes = target_classes(context, labels)
    cases = case_specs(context, scans, labels, classes)
    training = TrainingConfig(
        patch=PATCH,
        grid=GridConfig(floor_mm=FLOOR_MM),
        anneal=AnnealConfig(share=0.0, on="none"),
        log_every=50,
    )
    runs = [
        Run(
            name=f"{network}_fold{fold}",
            role="zoo",
            network=network,
            classes=classes,
            training=training,
            steps=max(1, round(effort * steps)),
            cases=[case for case in cases if fold_of[case["case_id"]] != fold],
            fold=fold,
        )
        for fold in range(FOLDS)
        for network, steps in STEPS.items()
        if not only or f"{network}_fold{fold}" in only
    ]
    _stop_at(dict(train(context, runs, threads=0, limit_s=86400.0).failed))
    for model in of_round(context, "zoo"):
        unseen = [case for case, fold in fold_of.items() if fold == model.facts["fold"]]
        done = predict.run(context, PredictConfig(overlap=OVERLAP), [model], cases=unseen)
        _stop_at(dict(done.failed))


def prediction_files(context: StageContext) -> dict[str, Sequence[Path]]:
    """Each case's prediction files, one per network.

    Raises:
        CurationError: a prediction is missing, or its model has seen the case.
    """
    models: dict[str, Model] = {m.model_id: m for m in of_round(context, "zoo")}
    found: dict[str, dict[str, Path]] = {}
    for line in context.catalog.rows(WorkItem, stage="predict", status="done", round=ROUND):
        if line.variant not in models:
            continue
        if not line.result["out_of_fold"]:
            raise CurationError("a model has seen the case that it predicts", case_id=line.subject)
        path = context.workspace.root / line.result["path"]
        found.setdefault(line.subject, {})[models[line.variant].facts["network"]] = path
    for case, files in found.items():
        if set(files) != set(STEPS):
            raise CurationError(f"want {list(STEPS)}, found {sorted(files)}", case_id=case)
    return {case: [files[n] for n in STEPS] for case, files in sorted(found.items())}


def _stop_at(failed: dict[str, str]) -> None:
    if failed:
        raise CurationError(f"{len(failed)} items failed: {failed}")
