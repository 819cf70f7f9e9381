"""Held-out predictions of three small networks on real scans, for `benchmarks.attention_quality`.

The product's own stages do it in a workspace: ingest (every scan may be trained on), the cold-start
zoo once per order of the networks, so that each network is trained without each fold, and
prediction of the fold that a model has not seen. Every scan thereby has a prediction of every
network, none of which saw it. All of it goes through the ledger and checkpoints: an interrupted run
goes on, and a complete one only reads.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.ingest import ingest
from agent.ingest.config import IngestConfig, SplitConfig
from training import predict, zoo
from training.config import AnnealConfig, GridConfig, PredictConfig, TrainingConfig, ZooConfig
from training.models import all_groups, folds
from voxcurate.catalog import Catalog, Model, Scan, WorkItem
from voxcurate.classes import load_vocabulary
from voxcurate.errors import CurationError
from voxcurate.executor import ExecutorConfig
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import Workspace

NETWORKS = ("unet_small", "dynunet_small", "segresnet_small")
ALL_TRAIN = IngestConfig(split=SplitConfig(train=1.0, validation=0.0, test=0.0, min_test=0))
ROUND = 1
FLOOR_MM = 4.0  # finest spacing of the networks' grid
PATCH = (48, 40, 48)


def open_cohort(folder: Path, scans: Path, source: str) -> StageContext:
    """The workspace with the scans; made on first use."""
    workspace = Workspace.create(folder / "workspace", key_file="../key")
    catalog = Catalog(workspace.catalog_url)
    context = StageContext(
        workspace, catalog, load_vocabulary(), ROUND, executor_config=ExecutorConfig(workers=1)
    )
    if not catalog.count(Scan):
        _whole(ingest(context, scans, source=source, config=ALL_TRAIN))
    return context


def train_and_predict(context: StageContext, steps: int) -> dict[str, int]:
    """Train each network without each fold, predict what it has not seen; fold of each case."""
    training = TrainingConfig(
        steps=steps,
        patch=PATCH,
        grid=GridConfig(floor_mm=FLOOR_MM),
        anneal=AnnealConfig(share=0.0, on="none"),
    )
    scans = context.scans()
    group_of = {case: all_groups(context.catalog)[case] for case in (s.case_id for s in scans)}
    fold_of = folds(group_of, len(NETWORKS), context.seed)
    for first in range(len(NETWORKS)):
        turned = NETWORKS[first:] + NETWORKS[:first]
        result = zoo.run(context, ZooConfig(networks=turned, training=training))
        _whole(result)
        for model in context.catalog.rows(Model, model_id=set(result.counts["models"])):
            unseen = [case for case, fold in fold_of.items() if fold == model.facts["fold"]]
            _whole(predict.run(context, PredictConfig(), [model], cases=unseen))
    return fold_of


def prediction_files(context: StageContext) -> dict[str, Sequence[Path]]:
    """Each case's prediction files, in the order of `NETWORKS`.

    Raises:
        CurationError: a prediction is missing, or its model has seen the case.
    """
    names = {m.model_id: str(m.facts["network"]) for m in context.catalog.rows(Model)}
    found: dict[str, dict[str, Path]] = {}
    for line in context.catalog.rows(WorkItem, stage="predict", status="done", round=ROUND):
        if not line.result["out_of_fold"]:
            raise CurationError("a model has seen the case that it predicts", case_id=line.subject)
        path = context.workspace.root / line.result["path"]
        found.setdefault(line.subject, {})[names[line.variant]] = path
    for case, files in found.items():
        if set(files) != set(NETWORKS):
            raise CurationError(f"want {NETWORKS}, found {sorted(files)}", case_id=case)
    return {case: [files[n] for n in NETWORKS] for case, files in sorted(found.items())}


def _whole(result: StageResult) -> None:
    failed: Mapping[str, str] = result.failed
    if failed:
        raise CurationError(f"{len(failed)} items failed: {dict(failed)}")
