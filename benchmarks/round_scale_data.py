"""A large simulated workspace: rows as the stages write them, few tiny masks behind all labels."""

import base64
import hashlib
import json
import os
import random
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from agent.config import resolve
from labeling.attention.priority import measures_of
from labeling.attention.scores import ClassScore, score_of
from voxcurate.catalog import Assembly, Catalog, Decision, Label, Measure, Model, Round, Scan
from voxcurate.catalog.records import Split
from voxcurate.catalog.schema import TABLES
from voxcurate.catalog.statements import insert, packed
from voxcurate.ids import content_id
from voxcurate.ledger import Item, LedgerResult, run_items
from voxcurate.nifti import write_nifti
from voxcurate.stage import StageContext
from voxcurate.volume import Volume
from voxcurate.workspace import Workspace

CLASSES = (
    "aorta", "gall_bladder", "kidney_left", "kidney_right", "liver", "pancreas", "postcava",
    "spleen", "stomach", "adrenal_gland_left", "adrenal_gland_right", "bladder", "celiac_trunk",
    "colon", "duodenum", "esophagus", "femur_left", "femur_right", "hepatic_vessel", "intestine",
    "lung_left", "lung_right", "portal_vein_and_splenic_vein", "prostate", "rectum",
)  # fmt: skip
DRAWN = ("liver", "spleen", "kidney_left", "kidney_right", "pancreas", "stomach")  # by the sources
MODELS = ("unet", "segresnet", "swin")
SHAPE = (30, 24, 20)
SIDE = 4  # voxels of a simulated organ
VARIANTS = 8  # files of each class, so that none has too many hard links
BATCH = 500
AFFINE = np.diag([1.5, 1.5, 3.0, 1.0])
ML = SIDE**3 * 1.5 * 1.5 * 3.0 / 1000
WORKER = "benchmarks.round_scale_data:same"


def case_name(n: int) -> str:
    """Case id of the n-th scan."""
    return f"scale_{content_id(n, digits=10)}"


def make(root: Path, n_scans: int, n_models: int = 3) -> None:
    """A workspace as ingest leaves it, in its first round: scans, the sources' labels, models."""
    workspace = Workspace.create(root)
    catalog = Catalog(workspace.catalog_url)
    _write_masks(workspace)
    config = resolve(workspace)
    models = [
        Model(m, 1, m, m, f"models/1/{m}", content_id(m), list(CLASSES), [], "MIT", {"role": "zoo"})
        for m in (*MODELS, *(f"model{n}" for n in range(3, n_models)))
    ]
    names = sorted(case_name(n) for n in range(n_scans))
    facts = {"classes": list(CLASSES), "cohort": names}
    first = Round(1, "running", config.model_dump(mode="json"), {}, 0, "2026-11-21", facts=facts)
    with catalog.write() as writer:
        writer.put_all(models)
        writer.put(first)
    for start in range(0, n_scans, BATCH):
        numbers = range(start, min(start + BATCH, n_scans))
        add(catalog, (scan(n) for n in numbers))
        add(catalog, (drawn(n, c) for n in numbers for c in DRAWN))
        add(
            catalog,
            (
                Assembly(0, case_name(n), c, drawn(n, c).label_id, "original")
                for n in numbers
                for c in DRAWN
            ),
        )
        for n in numbers:
            workspace.scan_path(case_name(n)).parent.mkdir(parents=True)
    catalog.close()


def add(catalog: Catalog, records: Iterable[Any]) -> None:
    """Add records of one kind, of whatever kind, without a look at what is there."""
    rows = list(records)
    if rows:
        with catalog.engine.begin() as connection:
            statement = insert(TABLES[type(rows[0])], connection.dialect)
            connection.exec_driver_sql(statement, [packed(row) for row in rows])


def scan(n: int) -> Scan:
    """The n-th scan with a fingerprint of about 15 kB."""
    rng = random.Random(n)
    name = case_name(n)
    return Scan(
        name, f"source{n % 20}", f"p{n // 2:08d}", name, split(n), "CT", f"scans/{name}/ct.nii.gz",
        content_id(name, digits=64), list(SHAPE), [1.5, 1.5, 3.0], AFFINE.tolist(), "CC-BY-4.0",
        {"sex": rng.choice("mf"), "age": rng.randint(20, 89), "phase": "portal venous",
         "manufacturer": "siemens", "kernel": "B30f", "day": rng.randint(0, 900)},
        {"version": 1, "pixels": content_id(n, digits=64), "whole": content_id(n, digits=64),
         "body": content_id(n, digits=64), "codes": _text(rng, 8192), "places": _text(rng, 1536),
         "cubes_mm": [[8.0, 200], [16.0, 56]], "thumbnail": {"data": _text(rng, 1200)},
         "frame": [0.0] * 12, "spacing": [1.5, 1.5, 3.0], "is_empty": False, "compared": "x"},
        [],
    )  # fmt: skip


def split(n: int) -> Split:
    """Of the n-th scan's patient."""
    place = n // 2 % 10
    return "test" if place == 0 else "validation" if place == 1 else "train"


def drawn(n: int, class_id: str) -> Label:
    """The source's label."""
    return label(n, class_id, "original", "", 0)


def label(n: int, class_id: str, origin: Any, model_id: str, number: int) -> Label:
    """A label version; few of the machine's are empty."""
    case = case_name(n)
    variant = (n * 7 + len(origin)) % VARIANTS
    is_empty = origin == "pseudo" and n % 10 == 3 and class_id == "prostate"
    path = "" if is_empty else mask_path(class_id, variant)
    sha256 = content_id(class_id, variant, is_empty, digits=64)
    facts = {"models": list(MODELS), "out_of_fold": [], "postprocess": {}, "n_models": 3}
    return Label(
        content_id(case, class_id, origin, model_id, number), case, class_id, origin, "", model_id,
        number, path, "", sha256, 0.0 if is_empty else ML, 0 if is_empty else SIDE**3,
        facts if model_id else {"source": "source"},
    )  # fmt: skip


def mask_path(class_id: str, variant: int) -> str:
    """Where the mask lies, relative to the workspace."""
    return f"labels/pool/{class_id}_{variant}.nii.gz"


def _write_masks(workspace: Workspace) -> None:
    """Organs lie apart; in the last variant a kidney reaches into the liver."""
    for place, class_id in enumerate(CLASSES):
        i, j = (place % 5) * 6, place // 5 * 4 + (1 if place // 5 else 0)
        for variant in range(VARIANTS):
            array = np.zeros(SHAPE, np.uint8)
            array[i : i + SIDE, j : j + SIDE - 1, variant : variant + SIDE] = 1
            if class_id == "kidney_right" and variant == VARIANTS - 1:
                array[:] |= _liver()
            write_nifti(workspace.root / mask_path(class_id, variant), Volume(array, AFFINE))


def _liver() -> Any:
    array = np.zeros(SHAPE, np.uint8)
    array[24:26, 0:2, 7:9] = 1
    return array


def predictions(ctx: StageContext, names: dict[str, int]) -> LedgerResult:
    """Ledger lines as of the stage predict: case x model."""
    models = sorted(model for (model,) in ctx.catalog.columns(Model, "model_id"))
    items = [
        Item(case, model, [case, model], partial(_predicted, case, model))
        for case in names
        for model in models
    ]
    return run_items(ctx, "predict", items, WORKER, lambda w, i, value: value, version="1")


def fusion(ctx: StageContext, names: dict[str, int]) -> LedgerResult:
    """What the stage fuse records: 25 pseudo labels and 26 measures a case, and a ledger line."""
    items = [Item(case, "", [case], partial(_fused, n)) for case, n in names.items()]

    def record(writer: Any, item: Item, value: dict[str, Any]) -> dict[str, Any]:
        labels = {}
        for class_id in CLASSES:
            made = label(value["n"], class_id, "pseudo", "ensemble-00000000", ctx.round)
            writer.add(made)
            labels[class_id] = made.label_id
        scores = {c: score_of(plain) for c, plain in value["attention"].items()}
        measures = measures_of(ctx, item.subject, scores, {"map": "", "map_scale": 40}, "ensemble")
        writer.put_all(measures)
        return {"labels": labels, "attention_mm3": measures[-1].value, "models": list(MODELS)}

    return run_items(ctx, "fuse", items, WORKER, record, version="1")


def detection(ctx: StageContext, names: dict[str, int]) -> LedgerResult:
    """What the stage detect records of the sources' labels, and some of its and the judge's
    decisions."""
    items = [Item(case, "", [case], partial(_examined, n)) for case, n in names.items()]

    def record(writer: Any, item: Item, value: dict[str, Any]) -> dict[str, Any]:
        writer.put_all(list(_detected(ctx.round, item.subject, value["rows"])))
        for row in value["rows"]:
            if row["comparison"]["dsc"] < 0.62:
                for stage, verdict in (("detect", "suspect_label"), ("judge", "to_review")):
                    writer.decide(
                        Decision("", ctx.round, stage, item.subject, row["class_id"],
                                 row["label_id"], verdict, "low agreement", stage)
                    )  # fmt: skip
        return value

    return run_items(ctx, "detect", items, WORKER, record, version="1")


def same(payload: Any) -> Any:
    """Worker: the stages' work is not what is measured here."""
    return payload


def _predicted(case: str, model: str) -> dict[str, Any]:
    path = f"predictions/1/{model}/{case}.vxp"
    return {
        "path": path,
        "out_of_fold": model == "unet",
        "bytes": 123456,
        "sha256": content_id(path),
    }


def _fused(n: int) -> dict[str, Any]:
    rng = random.Random(n)
    return {"n": n, "attention": {c: _score(rng) for c in CLASSES}}


def _score(rng: random.Random) -> dict[str, Any]:
    """As `ClassScore.plain`."""
    mm3, organ_ml = rng.lognormvariate(7, 1.5), rng.uniform(5, 900)
    low = [rng.randrange(200) for _ in range(3)]
    return {
        **{item.name: 1.0 for item in fields(ClassScore)},
        "n_models": 3, "inconsistency": mm3 * 0.5, "uncertainty": mm3 * 0.4, "overlap": mm3 * 0.1,
        "attention": mm3, "voxels": int(mm3 * 3), "attention_mm3": mm3, "organ_ml": organ_ml,
        "share": mm3 / (mm3 + organ_ml * 1000), "per_ml": mm3 / organ_ml, "per_slice": mm3 / 400,
        "reason": "models disagree (52%)",
        "region": {"box": [[n, n + 90] for n in low], "attention_mm3": mm3 / 3},
    }  # fmt: skip


def _examined(n: int) -> dict[str, Any]:
    rng = random.Random(-n)
    rows = []
    for class_id in DRAWN:
        dsc = 1 - abs(rng.gauss(0, 0.15))
        comparison = {"dsc": dsc, "nsd": dsc, "n_models": 3, "out_of_fold": True,
                      "best_class": class_id, "best_dsc": dsc}  # fmt: skip
        rows.append(
            {"class_id": class_id, "label_id": drawn(n, class_id).label_id, "origin": "original",
             "gold": False, "confirmed": False, "features": [rng.random() for _ in range(14)],
             "centroid": [rng.random() for _ in range(3)], "comparison": comparison,
             "violations": []}
        )  # fmt: skip
    return {"rows": rows}


def _detected(number: int, case: str, rows: Iterable[Any]) -> Iterator[Measure]:
    for row in rows:
        about = {k: row["comparison"][k] for k in ("n_models", "out_of_fold", "best_class")}
        about["label_id"] = row["label_id"]
        for name in ("tot_dsc", "tot_nsd", "error_probability"):
            value = row["comparison"]["dsc"]
            value = 1 - value if name == "error_probability" else value
            yield Measure(number, "detect", case, row["class_id"], "", name, value, about)


def _text(rng: random.Random, n_bytes: int) -> str:
    return base64.b85encode(rng.randbytes(n_bytes)).decode()


STATE = {  # table: its key, and what else is not a time
    "assembly": ("round, case_id, class_id", "label_id, trust"),
    "decision": (
        "decision_id",
        "round, stage, case_id, class_id, label_id, verdict, reason, actor, other_label, evidence",
    ),
    "label": ("label_id", "origin, model_id, path, sha256, gold, confirmed, retired, facts"),
    "measure": ("round, stage, case_id, class_id, model_id, name", "value, facts"),
    "work_item": ("round, stage, subject, variant, fingerprint", "status, attempts, result"),
}


@dataclass(frozen=True)
class State:
    """What a workspace came to, without times: equal after a kill and without one."""

    tables: dict[str, str]
    views: str
    versions: list[str]


def state(root: Path) -> State:
    """Hashes of tables and of what each view shows."""
    tables = {}
    with closing(sqlite3.connect(root / "catalog.sqlite")) as connection:
        for name, (key, rest) in STATE.items():
            content, count = hashlib.sha256(), 0
            for row in connection.execute(f"SELECT {key}, {rest} FROM {name} ORDER BY {key}"):
                content.update(repr(row).encode())
                count += 1
            tables[name] = f"{count} {content.hexdigest()}"
    pool = {p.stat().st_ino: p.name for p in (root / "labels" / "pool").iterdir()}
    views = hashlib.sha256()
    for folder in sorted((root / "scans").glob("*/segmentations")):
        shown = [f"{e.name}={pool.get(e.inode(), 'empty')}" for e in os.scandir(folder)]
        views.update(f"{folder.parent.name} {sorted(shown)}".encode())
    heads = [json.loads(p.read_text()) for p in (root / "datasets").glob("v*/dataset.json")]
    return State(tables, views.hexdigest(), sorted(h["content_sha256"] for h in heads))
