"""One seed of `benchmarks.training_rounds`: a workspace with faulty labels, its rounds, and further
models trained on what they assembled."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.ingest import ingest
from agent.ingest.config import IngestConfig, SplitConfig
from agent.rounds import config_of, context_of, run_series
from benchmarks.label_errors.planting import Truth, choose
from benchmarks.label_errors.workspaces import check, copy, plant
from training import predict
from training.evaluation import stage as evaluation
from training.rounds import flagship
from training.rounds.cases import current_labels
from training.rounds.models import of_round
from voxcurate.catalog import Assembly, Catalog, Label, Model, Round
from voxcurate.catalog.records import NO_ROUND
from voxcurate.catalog.schema import TABLES
from voxcurate.classes import load_vocabulary
from voxcurate.errors import CurationError
from voxcurate.ids import content_id
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace, write_text

if TYPE_CHECKING:
    from benchmarks.training_rounds import Settings

SPLIT = SplitConfig(train=0.6, validation=0.1, test=0.3)
NAMES = ("dsc", "nsd")
SHARE = 0.2  # of the mix, for a part that is off unless asked for
Scores = dict[str, dict[str, dict[str, float]]]  # name -> class -> case


class World:
    """A seed's workspace; made on first use.

    Args:
        folder: of the whole benchmark.
        data: scans and labels.
        source: their description; empty: each folder has its own.
        seed: of faults, gaps, gold patients and networks.
        sizes: how much is trained.
    """

    def __init__(self, folder: Path, data: Path, source: str, seed: int, sizes: "Settings") -> None:
        self.sizes, self.seed = sizes, seed
        place = folder / f"seed_{seed}"
        if not (place / "faults.json").is_file():
            _base(folder / "base", data, source)
            copy(folder / "base", place, learned=False)
            write_text(place / "faults.json", json.dumps(_spoil(place, seed, sizes), indent=1))
        self.workspace = Workspace(place / "workspace")
        self.catalog = Catalog(self.workspace.catalog_url)

    def close(self) -> None:
        """Let go of the catalog."""
        self.catalog.close()

    def round(self, number: int) -> dict[str, Any]:
        """Scores of a round's models, after running the rounds up to it."""
        while self._rounds_done() < number:
            outcomes = run_series(
                self.workspace, self.catalog, rounds=1, overrides=self._overrides(),
                no_review=True,
            )  # fmt: skip
            if outcomes and outcomes[-1].status != "done":
                raise CurationError(f"the round ended as {outcomes[-1].status}")
        ctx = context_of(self.workspace, self.catalog, number)
        models = of_round(ctx, "flagship")
        names = {model.model_id: f"flagship of round {number}" for model in models}
        if number == 1:
            zoo = of_round(ctx, "zoo")
            names |= {model.model_id: f"cold start: {model.name}" for model in zoo}
            models = [*models, *zoo]
        return self._told(ctx, {names[m.model_id]: m for m in models})

    def again(
        self, *, warm_start: bool = False, without: Sequence[str] = (), share_of: str = ""
    ) -> dict[str, Any]:
        """Scores of another flagship on the labels that round 2 assembled; `share_of`: a kind of
        sample that gets `SHARE` of the mix."""
        self.round(2)
        ctx = context_of(self.workspace, self.catalog, 2)
        config = config_of(self.catalog, 2)
        wanted = config.flagship.model_copy(
            update={"warm_start": warm_start, "without": tuple(without)}
        )
        if share_of:
            mix = wanted.training.mix.model_copy(update={share_of: SHARE})
            training = wanted.training.model_copy(update={"mix": mix})
            wanted = wanted.model_copy(update={"training": training})
        done = check(flagship.run(ctx, wanted))
        (model,) = self.catalog.rows(Model, model_id=done.counts["models"])
        check(predict.run(ctx, config.predict, [model], splits=("test",)))
        check(evaluation.run(ctx, config.evaluate, [model]))
        name = f"without {', '.join(without)}" if without else "round 2 tuned from round 1"
        name = f"with {share_of}" if share_of else name
        return self._told(ctx, {name: model})

    def plain(self) -> dict[str, Any]:
        """Scores of a plain MONAI U-Net on the labels as they came."""
        from benchmarks.training_plain import PlainCase, train_and_score

        ctx = self._context()
        labels = current_labels(ctx, NO_ROUND)
        root = self.workspace.root
        cases = {
            split: [
                PlainCase(
                    scan.case_id,
                    root / scan.path,
                    scan.modality,
                    {
                        c: root / label.path if label.path else None
                        for c, label in labels.get(scan.case_id, {}).items()
                    },
                )
                for scan in ctx.scans(split)
            ]
            for split in ("train", "test")
        }
        tolerance = {c: ctx.vocabulary[c].tolerance_mm for c in ctx.classes}
        scores, facts = train_and_score(
            cases["train"], cases["test"], tolerance, asdict(self.sizes), self.seed
        )
        return {
            "models": {"plain MONAI U-Net": {"scores": scores, **facts}},
            "patients": self._patients(),
        }

    def _told(self, ctx: StageContext, models: Mapping[str, Model]) -> dict[str, Any]:
        told = {}
        for name, model in models.items():
            cases = evaluation.scores_of_round(ctx, ctx.round, model.model_id)
            scores: Scores = {}
            for kind in NAMES:
                table: dict[str, dict[str, float]] = {c: {} for c in model.classes}
                for case, classes in cases.items():
                    for class_id, found in classes.items():
                        if found.get(kind) is not None:
                            table[class_id][case] = round(float(found[kind]), 5)
                scores[kind] = table
            facts = {n: model.facts.get(n) for n in ("steps", "warm_started", "annealed_on")}
            told[name] = {"scores": scores, **facts, "training_cases": len(model.training_cases)}
        return {"models": told, "patients": self._patients()}

    def _patients(self) -> dict[str, str]:
        return {scan.case_id: scan.patient for scan in self._context().scans("test")}

    def _rounds_done(self) -> int:
        return self.catalog.count(Round, status="done")

    def _context(self) -> StageContext:
        return _context(self.workspace, self.catalog)

    def _overrides(self) -> dict[str, Any]:
        sizes = self.sizes
        training = {
            "steps": sizes.steps,
            "batch": sizes.batch,
            "patch": list(sizes.patch),
            "grid": {"spacing_mm": list(sizes.spacing_mm)},
            "device": sizes.device,
        }
        return {
            "seed": self.seed,
            "zoo": {"networks": list(sizes.zoo), "training": training},
            "flagship": {
                "network": sizes.network,
                "training": training,
                "warm_start": False,
                "warm_steps": sizes.steps,  # the preset asks for others
            },
            "labeling": {"judge": {"auto_mend": ["original", "pseudo", "judged"]}},
            "stop": {"max_rounds": 99},
        }


def _context(workspace: Workspace, catalog: Catalog) -> StageContext:
    classes = tuple(sorted({c for (c,) in catalog.columns(Label, "class_id", origin="original")}))
    return StageContext(workspace, catalog, load_vocabulary(), 1, classes=classes, quiet=True)


def _base(folder: Path, data: Path, source: str) -> None:
    """The data ingested once; the key is a fixed one, for the split hangs on it."""
    if (folder / "done").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(hashlib.sha256(b"public scans of a benchmark").hexdigest())
    workspace = Workspace.create(folder / "workspace", key_file="../key")
    catalog = Catalog(workspace.catalog_url)
    try:
        ctx = StageContext(workspace, catalog, load_vocabulary(), 0)
        done = ingest(ctx, data, source=source or None, config=IngestConfig(split=SPLIT))
        if source:  # the synthetic cohort has broken files
            check(done)
    finally:
        catalog.close()
    (folder / "done").touch()


def _spoil(place: Path, seed: int, sizes: "Settings") -> dict[str, Any]:
    """Errors and gaps in the training labels, but for those of some patients, which are gold."""
    workspace = Workspace(place / "workspace")
    catalog = Catalog(workspace.catalog_url)
    try:
        ctx = _context(workspace, catalog)
        scans = sorted(ctx.scans("train"), key=lambda s: content_id("gold", seed, s.patient))
        n_gold = max(1, round(sizes.gold * len(scans)))
        gold = {scan.case_id for scan in scans[:n_gold]}
        truth = Truth(ctx, [scan.case_id for scan in scans[n_gold:]])
        errors = choose(truth, sizes.wrong, seed, ("subtle", "moderate", "gross"))
        plant(ctx, errors)
        wrong = {(error.case_id, error.class_id) for error, _ in errors}
        right = [
            (case, name) for case, own in truth.labels.items() for name in own
            if (case, name) not in wrong
        ]  # fmt: skip
        right.sort(key=lambda pair: content_id("gap", seed, *pair))
        total = sum(len(own) for own in truth.labels.values())
        gaps = right[: round(sizes.missing * total)]
        _forget(catalog, gaps)
        label = TABLES[Label]
        with catalog.engine.begin() as connection:
            connection.execute(
                label.update().where(label.c.case_id.in_(sorted(gold))).values(gold=True)
            )
    finally:
        catalog.close()
    dice = [error.dsc for error, _ in errors]
    return {
        "labels": total, "wrong": len(wrong), "missing": len(gaps), "gold_cases": len(gold),
        "mean_dsc_of_wrong": round(float(np.mean(dice)), 3) if dice else None,
        "errors": [error.plain() for error, _ in errors], "gaps": gaps,
    }  # fmt: skip


def _forget(catalog: Catalog, pairs: Sequence[tuple[str, str]]) -> None:
    """Labels that nobody drew: the classes are unknown there."""
    with catalog.engine.begin() as connection:
        for kind in (Assembly, Label):
            table = TABLES[kind]
            for case_id, class_id in pairs:
                connection.execute(
                    table.delete().where(table.c.case_id == case_id, table.c.class_id == class_id)
                )
