"""From the catalog to a training run: cases with their labels, the grid, the ledger item."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from training.config import TECHNICAL, NetworkConfig, PlanningConfig, TrainingConfig, network_config
from training.data.cases import case_mark
from training.rounds.models import STAGES
from training.rounds.trust import chances, with_chances
from training.synthetic.health import Asked, Proof, healthy, lesion_sites
from voxcurate.catalog import Label, Model, Scan, WorkItem, Writer
from voxcurate.catalog.catalog import now
from voxcurate.classes import Vocabulary
from voxcurate.errors import TrainingError
from voxcurate.ids import content_id
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.stage import StageContext

VERSION = "2"
Accept = Callable[[Label], bool]


@dataclass(frozen=True)
class Run:
    """One model to be trained.

    Attributes:
        cases: plain `CaseSpec` of the labelled cases.
        memory: of labelled cases of earlier rounds, to be replayed.
        raw: of scans without labels (masked reconstruction).
        anneal: of cases with their best labels only.
        warm: the model whose weights it starts from.
        text: embedder of the classes' texts; empty: as the network's file says.
        kept: classes of `warm` that stay though no case is labelled with them.
        asked: lesion class to the questions about it, for synthetic tumours.
    """

    name: str
    role: str
    network: str
    classes: tuple[str, ...]
    training: TrainingConfig
    steps: int
    cases: Sequence[Mapping[str, Any]]
    raw: Sequence[Mapping[str, Any]] = ()
    anneal: Sequence[Mapping[str, Any]] = ()
    memory: Sequence[Mapping[str, Any]] = ()
    fold: int | None = None
    warm: Model | None = None
    text: str = ""
    kept: Sequence[str] = ()
    asked: Mapping[str, Asked] = field(default_factory=dict)


def current_labels(
    ctx: StageContext, round_number: int, *, with_retired: bool = False
) -> dict[str, dict[str, Label]]:
    """Case to class to the label version that counts as of a round; retired ones on request."""
    pointers = ctx.catalog.current(round_number)
    ids = [pointer.label_id for pointer in pointers.values()]
    by_id = {label.label_id: label for label in ctx.catalog.rows(Label, label_id=ids)}
    found: dict[str, dict[str, Label]] = {}
    for (case_id, class_id), pointer in pointers.items():
        label = by_id.get(pointer.label_id)
        if label is not None and (with_retired or not label.retired):
            found.setdefault(case_id, {})[class_id] = label
    return found


def case_specs(
    ctx: StageContext,
    scans: Sequence[Scan],
    labels: Mapping[str, Mapping[str, Label]],
    classes: Sequence[str],
    accept: Accept = lambda label: True,
) -> list[dict[str, Any]]:
    """Plain `CaseSpec` of the scans that have an accepted label of one of the classes."""
    found = []
    for scan in scans:
        own = labels.get(scan.case_id, {})
        chosen = {c: _label_spec(ctx, own[c]) for c in classes if c in own and accept(own[c])}
        if chosen:
            found.append(_case_spec(ctx, scan, chosen))
    return found


def raw_specs(
    ctx: StageContext, scans: Sequence[Scan], labelled: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Plain `CaseSpec` of the scans that are not among the labelled ones."""
    taken = {case["case_id"] for case in labelled}
    return [_case_spec(ctx, scan, {}) for scan in scans if scan.case_id not in taken]


def labelled_classes(
    cases: Sequence[Mapping[str, Any]], classes: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Classes that some case has a mask of, and those that none has."""
    known = {c for case in cases for c, label in case["labels"].items() if label["path"]}
    return [c for c in classes if c in known], [c for c in classes if c not in known]


def target_classes(ctx: StageContext, labels: Mapping[str, Mapping[str, Label]]) -> tuple[str, ...]:
    """The round's classes, else all that are labelled anywhere."""
    return ctx.classes or tuple(sorted({c for own in labels.values() for c in own}))


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
    return Item(subject=run.name, inputs=inputs, payload={**payload, **places})


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


def payload_of(
    run: Run,
    vocabulary: Vocabulary,
    *,
    spacing: Sequence[float],
    seed: int,
    round_number: int,
    patients: Sequence[str],
    licences: Sequence[str],
    warm: Path | None = None,
    proofs: Mapping[str, Mapping[str, Proof]] | None = None,
) -> dict[str, Any]:
    """What the worker gets of a run, in a round or alone on files; its places come on top.

    Args:
        proofs: see `training.synthetic.health.healthy`; None: the labels themselves tell where
            synthetic tumours may grow.
    """
    from training.network.text import NO_TEXT, class_texts

    config = _network(run)
    return {
        "name": run.name,
        "round": round_number,
        "classes": list(run.classes),
        "cases": list(run.cases),
        "memory": list(run.memory),
        "kept": list(run.kept),
        "raw": list(run.raw),
        "anneal": list(run.anneal),
        "spacing": list(spacing),
        "network": config.model_dump(mode="json"),
        "training": run.training.model_dump(mode="json"),
        "steps": run.steps,
        "seed": int(content_id("train", seed, run.role, run.name), 16) & 0x7FFFFFFF,
        "fold": run.fold,
        "swap": _swap(vocabulary, run),
        "texts": {} if config.text == NO_TEXT else class_texts(run.classes, vocabulary),
        "inside": _inside(vocabulary, run),
        "disjoint": _disjoint(vocabulary, run),
        "tumours": {
            "sites": lesion_sites(run.classes, vocabulary, run.training.synthetic),
            "cases": proofs,
        },
        "patients": sorted(set(patients)),
        "licence": "; ".join(sorted(set(licences))),
        "warm": str(warm) if warm else "",
    }


def _network(run: Run) -> NetworkConfig:
    config = network_config(run.network)
    return config.model_copy(update={"text": run.text}) if run.text else config


def _inside(vocabulary: Vocabulary, run: Run) -> dict[str, str]:
    """Class to the innermost class of the run that contains it."""
    around = {c: vocabulary.containers(c) for c in run.classes if c in vocabulary}
    found = {c: [o for o in outer if o in run.classes] for c, outer in around.items()}
    return {c: outer[0] for c, outer in found.items() if outer}


def _disjoint(vocabulary: Vocabulary, run: Run) -> list[list[str]]:
    """Pairs of classes that share no voxel; only if the training makes use of them."""
    if not (run.training.exclusion or run.training.exclusion_as_background):
        return []
    known = [c for c in run.classes if c in vocabulary]
    return [[a, b] for a, b in combinations(known, 2) if not vocabulary.may_overlap(a, b)]


def _swap(vocabulary: Vocabulary, run: Run) -> dict[str, str] | None:
    from training.data.patches import mirror_swap

    found = mirror_swap(run.classes, vocabulary, run.training.augment)
    if found is None:
        return None
    return {
        class_id: run.classes[n] if n >= 0 else ""
        for class_id, n in zip(run.classes, found.tolist(), strict=True)
    }


def _record(
    ctx: StageContext, run: Run, payload: Mapping[str, Any], writer: Writer, value: Any
) -> Mapping[str, Any]:
    from training.bundle.folder import adopt_bundle
    from training.trainer.work import forget_run

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
            "seed": payload["seed"],
            "parent": run.warm.model_id if run.warm else "",
            **{name: value[name] for name in kept},
        },
    )
    writer.add(model)
    forget_run(Path(payload["run"]))
    return {
        "model_id": model.model_id,
        "path": model.path,
        "skipped": value["skipped_classes"],
        "failed_cases": value["failed_cases"],
    }


def _label_spec(ctx: StageContext, label: Label) -> dict[str, Any]:
    """Plain `LabelSpec`; what a person confirmed weighs as what a person drew."""
    root = ctx.workspace.root
    is_human = (label.gold or label.confirmed) and label.origin != "original"
    return {
        "label_id": label.label_id,
        "path": str(root / label.path) if label.path else "",
        "known_path": str(root / label.known_path) if label.known_path else "",
        "origin": "revised" if is_human else label.origin,
    }


def _case_spec(ctx: StageContext, scan: Scan, labels: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "case_id": scan.case_id,
        "path": str(ctx.workspace.root / scan.path),
        "sha256": scan.sha256,
        "modality": scan.modality,
        "labels": dict(labels),
    }


def _shape(scan: Scan) -> tuple[int, int, int]:
    i, j, k = scan.shape
    return i, j, k


def _cores() -> int:
    from voxcurate.executor import cores

    return cores()
