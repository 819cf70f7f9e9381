"""Predictions of models on the cohort's scans: one file per case and model, made once.

Every case runs in a process of its own (`voxcurate.isolation`) with the model's limits of time and
memory; one that hangs, eats memory or writes rubbish fails with its reason, the others go on.
"""

import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from training.config import PredictConfig
from training.predictors.spec import (
    BundleSpec,
    FolderSpec,
    PredictorSpec,
    SlidingSpec,
    TotalSegmentatorSpec,
    ZooModel,
    check_classes,
    find_model,
)
from training.rounds.models import all_groups, taught_groups
from voxcurate.catalog import Model, Scan, WorkItem, Writer
from voxcurate.classes import Vocabulary
from voxcurate.errors import ConfigError
from voxcurate.ids import content_id, file_sha256
from voxcurate.isolation import Isolated
from voxcurate.ledger import Item, LazyItems, Place, fingerprint, run_items
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import adopt_file

VERSION = "2"
GRACE_S = 600.0  # of the executor beyond a case's own limit, for loading
CASES_AT_ONCE = 500
DONE: Mapping[str, Any] = {"stage": "predict", "status": "done"}
ROLE = "external"
FOLDER = "zoo"  # of a workspace: its own models' YAML files


def run(
    ctx: StageContext,
    config: PredictConfig,
    models: Sequence[Model],
    *,
    splits: Sequence[str] = (),
    cases: Iterable[str] = (),
) -> StageResult:
    """Predict every scan of the cohort with every model; a prediction is made once.

    A later round finds that of the same weights on the same scan.

    Args:
        models: of the catalog: trained here, or registered by `external_models`.
        splits: default: all.
        cases: only these; default: all.
    """
    wanted = set(cases)
    scans = [s for s in ctx.scans(*splits) if not wanted or s.case_id in wanted]
    known = [_Known(model, *spec_of(ctx, config, model)) for model in models]
    limit = max([config.time_limit_s, *(one.spec.time_limit_s for one in known)])

    def record(_: Writer, item: Item, value: Any) -> Mapping[str, Any]:
        target = ctx.workspace.prediction_path(ctx.round, item.variant, item.subject)
        adopt_file(Path(value["temporary"]), target)
        return {
            "path": ctx.workspace.relative(target),
            "out_of_fold": value["out_of_fold"],
            "classes": value["classes"],
            "peak_mb": value["peak_mb"],
        }

    result = run_items(
        ctx,
        "predict",
        _again(ctx, _items(ctx, known, scans)),
        "training.predict:predict_case",
        record,
        version=VERSION,
        executor=ctx.executor(workers=config.workers or len(gpus()), time_limit_s=limit + GRACE_S),
        across_rounds=True,
    )
    counts = {"models": len(models), "scans": len(scans)}
    return StageResult(
        {**counts, "predicted": result.computed, "reused": result.reused}, result.failed
    )


@dataclass(frozen=True)
class _Known:
    """A model, its settings, and where its weights lie."""

    model: Model
    spec: PredictorSpec
    weights: str


def _items(ctx: StageContext, models: Sequence[_Known], scans: Sequence[Scan]) -> Sequence[Item]:
    """One model after the other, so that a process loads each once. Made when looked at: 25,000
    scans with 19 models are half a million."""
    group_of = all_groups(ctx.catalog)
    vocabulary = [info.model_dump(mode="json") for info in ctx.vocabulary]
    taught = [taught_groups(known.model.training_cases, group_of) for known in models]
    fits = np.array([[x.spec.modality in ("any", s.modality) for s in scans] for x in models], bool)
    pairs = np.argwhere(fits.reshape(len(models), len(scans))).astype(np.uint32)

    def make(number: int) -> Item:
        at, place = map(int, pairs[number])
        known, scan = models[at], scans[place]
        is_new = group_of[scan.case_id] not in taught[at] and _is_vouched(known.spec)
        return _item(ctx, scan, known, is_new, vocabulary)

    return LazyItems(len(pairs), make)


def external_models(ctx: StageContext, config: PredictConfig) -> list[Model]:
    """The models that the round's settings name, registered in the catalog with their licences.

    Raises:
        ConfigError: there is no such model, its weights are not there, or it names classes that
            the vocabulary lacks.
    """
    folder = Path(config.model_folder).expanduser() if config.model_folder else None
    places = [ctx.workspace.root / FOLDER]
    return [
        register(ctx, find_model(_path(ctx, name), places, folder), ctx.vocabulary)
        for name in config.models
    ]


def register(ctx: StageContext, model: ZooModel, vocabulary: Vocabulary) -> Model:
    """A zoo model's row in the catalog; the same settings and weights have the same id."""
    spec = model.spec
    if model.missing:
        raise ConfigError(f"model {spec.name}: {model.missing}")
    check_classes(spec, vocabulary)
    sha256 = weights_mark(model)
    settings = spec.model_dump(mode="json", exclude={"time_limit_s", "memory_limit_mb"})
    row = Model(
        model_id=f"{spec.name}-{content_id('zoo', settings, sha256, digits=8)}",
        round=ctx.round,
        name=spec.name,
        architecture=spec.kind,
        path="",
        sha256=sha256,
        classes=sorted({c for c in spec.classes.values() if c}),
        training_cases=list(spec.trained_on) if isinstance(spec.trained_on, tuple) else [],
        licence=spec.licence,
        facts={
            "role": ROLE,
            "spec": spec.model_dump(mode="json"),
            "weights": str(model.weights.resolve()) if model.weights else "",
        },
    )
    known = ctx.catalog.one(Model, model_id=row.model_id)
    with ctx.catalog.write() as writer:
        writer.put(row if known is None else replace(known, facts=row.facts))
    return row


def spec_of(ctx: StageContext, config: PredictConfig, model: Model) -> tuple[PredictorSpec, str]:
    """The settings and weights of a model of the catalog."""
    if model.facts.get("role") == ROLE:
        from training.predictors.spec import make_spec

        return make_spec(model.facts["spec"], name=model.name), model.facts["weights"]
    folder = ctx.workspace.root / model.path
    spec = BundleSpec(
        name=model.name,
        licence=model.licence or "unknown",
        weights=model.path,
        modality="any",
        trained_on="elsewhere",  # its training cases are on record
        overlap=config.overlap,
        body_only=config.body_only,
        floor=config.floor,
        time_limit_s=config.time_limit_s,
        memory_limit_mb=config.memory_limit_mb,
    )
    return spec, str(folder)


def weights_mark(model: ZooModel) -> str:
    """A hash of what a model's predictions come from; of ready predictions: sizes and times."""
    path = model.weights
    if path is None:
        return ""
    if path.is_file():
        return file_sha256(path)
    files = [p for p in sorted(path.rglob("*")) if p.is_file()]
    if isinstance(model.spec, FolderSpec | TotalSegmentatorSpec):
        states = [(str(p.relative_to(path)), p.stat()) for p in files]
        return content_id([[name, s.st_size, s.st_mtime_ns] for name, s in states])
    kept = [p for p in files if p.suffix in {".pt", ".pth", ".json", ".yaml", ".ts"}]
    return content_id([[str(p.relative_to(path)), file_sha256(p)] for p in kept])


def drop_predictions(ctx: StageContext, config: PredictConfig) -> int:
    """Delete what `keep_rounds` says is no longer wanted; how many files went.

    A file of an old round that a kept round uses stays. What was deleted is marked in the ledger,
    and predicted again by a round that needs it.
    """
    if not config.keep_rounds:
        return 0
    oldest = ctx.round - config.keep_rounds + 1
    batches = ctx.catalog.stream(WorkItem, "subject", **DONE)
    subjects = sorted({subject for batch in batches for (subject,) in batch})
    n_gone = 0
    for first in range(0, len(subjects), CASES_AT_ONCE):
        lines = ctx.catalog.rows(WorkItem, subject=subjects[first : first + CASES_AT_ONCE], **DONE)
        used = {line.result.get("path") for line in lines if line.round >= oldest}
        gone = [
            line
            for line in lines
            if line.round < oldest
            and line.result["path"] not in used
            and not line.result.get("dropped")
        ]
        with ctx.catalog.write() as writer:
            writer.put_all([replace(x, result={**x.result, "dropped": True}) for x in gone])
        paths = {str(line.result["path"]) for line in gone}
        for path in sorted(paths):
            (ctx.workspace.root / path).unlink(missing_ok=True)
        n_gone += len(paths)
    return n_gone


def _again(ctx: StageContext, items: Sequence[Item]) -> Sequence[Item]:
    """The items; those whose file was dropped everywhere, or written over in this round with other
    inputs, are to be done again."""
    gone: set[int] = set()
    for first in range(0, len(items), CASES_AT_ONCE):
        some = items[first : first + CASES_AT_ONCE]
        lost = _lost(ctx, {x.subject for x in some}, {x.variant for x in some})
        for number, item in enumerate(some if lost else (), first):
            mark = fingerprint("predict", item, VERSION, None)
            if (item.subject, item.variant, mark) in lost:
                gone.add(number)
    return LazyItems(len(items), lambda number: replace(items[number], again=number in gone))


def _lost(ctx: StageContext, cases: Collection[str], models: Collection[str]) -> set[Place]:
    """Case, model and fingerprint of what is called done, but whose file is not there any more."""
    names = ("subject", "variant", "fingerprint", "updated", "result")
    where: dict[str, Any] = {**DONE, "subject": list(cases), "variant": list(models)}
    kept: set[Place] = set()
    dropped: set[Place] = set()
    last: dict[str, tuple[tuple[str, str], Place]] = {}  # of each path
    places: dict[Place, set[str]] = {}
    for subject, variant, mark, updated, result in ctx.catalog.columns(WorkItem, *names, **where):
        place, path = (subject, variant, mark), str(result.get("path"))
        (dropped if result.get("dropped") else kept).add(place)
        places.setdefault(place, set()).add(path)
        last[path] = max(last.get(path, ((updated, mark), place)), ((updated, mark), place))
    over = {p for p, paths in places.items() if any(last[x][1] != p for x in paths)}
    return (dropped - kept) | over


def prediction_paths(ctx: StageContext, model_id: str) -> dict[str, Path]:
    """Case to the file of a model's prediction, as recorded for this round."""
    names = ("updated", "fingerprint", "subject", "result")
    lines = ctx.catalog.columns(WorkItem, *names, round=ctx.round, variant=model_id, **DONE)
    lines.sort(key=itemgetter(0, 1))  # the last of each case counts
    return {case: ctx.workspace.root / str(result["path"]) for _, _, case, result in lines}


def gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` calls them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip() and name.strip() != "-1"]
    return sorted(p.name.removeprefix("nvidia") for p in Path("/dev").glob("nvidia[0-9]*"))


def claim_gpu(folder: Path) -> dict[str, str]:
    """Variables that give this process a GPU of its own, as far as there are any.

    It is claimed by a lock that ends with the process.
    """
    import fcntl

    for name in gpus():
        stream = (folder / f".gpu_{name}.lock").open("w")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            continue
        _claims.append(stream)
        return {"CUDA_VISIBLE_DEVICES": name}
    return {}


_claims: list[TextIO] = []
_isolated: Isolated | None = None


def predict_case(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: predict one scan with one model into a temporary file, in a process of its own.

    Raises:
        ItemTimeoutError, WorkerCrashError: over a limit, or crashed.
        CurationError: what the predictor says.
    """
    global _isolated
    target = Path(payload["target"]).resolve()  # tools run in a folder of their own
    if _isolated is None:
        _isolated = Isolated(claim_gpu(target.parent))
    scratch = target.with_name(f"{target.stem}.work")
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        outcome = _isolated.call(
            "training.predictors.child:predict_to_file",
            {**payload, "scratch": str(scratch)},
            key=payload["case_id"],
            time_limit_s=payload["spec"]["time_limit_s"],
            memory_limit_mb=payload["spec"]["memory_limit_mb"],
        )
        return {
            "temporary": str(target),
            "classes": outcome.value["classes"],
            "out_of_fold": payload["out_of_fold"],
            "peak_mb": round(outcome.peak_mb, 1),
        }
    finally:
        for log in scratch.glob("*.log"):
            if payload.get("logs"):
                logs = Path(payload["logs"])
                logs.mkdir(parents=True, exist_ok=True)
                shutil.move(str(log), logs / f"{payload['case_id']}_{log.name}")
        shutil.rmtree(scratch, ignore_errors=True)


def _item(
    ctx: StageContext,
    scan: Scan,
    known: _Known,
    is_new: bool,
    vocabulary: Sequence[Mapping[str, Any]],
) -> Item:
    model, spec = known.model, known.spec
    name = f"prediction_{model.model_id}_{scan.case_id}.vxp"

    def payload() -> dict[str, Any]:
        return {
            "case_id": scan.case_id,
            "scan": str(ctx.workspace.root / scan.path),
            "shape": list(scan.shape),
            "modality": scan.modality,
            "spec": spec.model_dump(mode="json"),
            "weights": known.weights,
            "vocabulary": vocabulary,
            "target": str(ctx.workspace.scratch / name),
            "logs": str(ctx.workspace.root / "logs" / "predict"),
            "model_id": model.model_id,
            "sha256": model.sha256,
            "fold": model.facts.get("fold"),
            "out_of_fold": is_new,
        }

    settings = (
        {"floor": spec.floor, "overlap": spec.overlap, "body_only": spec.body_only}
        if (isinstance(spec, SlidingSpec))
        else {}
    )
    inputs = [model.model_id, model.sha256, scan.sha256, is_new, settings]
    return Item(subject=scan.case_id, variant=model.model_id, inputs=inputs, payload=payload)


def _is_vouched(spec: PredictorSpec) -> bool:
    """Whether it is known what trained a model."""
    return spec.trained_on != "unknown"


def _path(ctx: StageContext, name: str) -> str:
    """A model's path is relative to the workspace."""
    inside = ctx.workspace.root / name
    return str(inside) if ("/" in name or name.endswith(".yaml")) and inside.exists() else name
