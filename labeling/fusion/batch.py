"""Fusion of folders of ready predictions, without a workspace: case by case, resumable.

Masks keep their files' order of axes ``(K, J, I)`` from reading to writing, so that nothing is
turned over in memory; the rules work in world coordinates and do not care.
"""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labeling.config import LabelingConfig
from labeling.fusion.combine import Fused, fuse_case
from labeling.fusion.effects import Effect
from labeling.fusion.model_quality import weights_of
from labeling.output_folder import FILES, check_apart, claim, read_case_file
from labeling.rules import Anatomy, CaseFacts, load_anatomy
from labeling.structures import Structure, midline
from voxcurate.atomic import write_atomic, write_text
from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary
from voxcurate.errors import CurationError, SourceError
from voxcurate.ids import content_id
from voxcurate.labelmaps import box_parts
from voxcurate.predictions import Prediction, axes_reversed
from voxcurate.ready_predictions import Grid, read_prediction
from voxcurate.volume import Affine, orientation_of

VERSION = "5"
CASE_FILE = "fuse.json"
LOG_FILE = "rules.csv"
MASKS, REMOVED = "segmentations", "removed"
THREADS = 4
COLUMNS = (
    "case", "class", "rule", "action", "other", "pieces", "voxels", "ml",
    "i_start", "i_stop", "j_start", "j_stop", "k_start", "k_stop", "reason",
)  # fmt: skip
ModelWeights = Mapping[str, float | Mapping[str, float]]


@dataclass(frozen=True)
class Batch:
    """What came out of a run.

    Attributes:
        cases: case to what ``fuse.json`` holds: classes, rules, broken, sides, files.
        failed: case to what is wrong with it.
        missing: case to the models that lack it; it was done with the others.
        reused: cases that were done before.
    """

    cases: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reused: int = 0


def fuse_folders(
    models: Mapping[str, Mapping[str, CaseFiles]],
    vocabulary: Vocabulary,
    out: Path,
    config: LabelingConfig | None = None,
    *,
    classes: Sequence[str] = (),
    weights: ModelWeights | None = None,
    done: Callable[[str], None] = lambda _: None,
) -> Batch:
    """Fuse all cases; one that is done with the same inputs and settings is kept.

    Writes ``<case>/segmentations/<class>.nii.gz``, what the rules took away from machine-made masks
    as ``<case>/removed/<class>.nii.gz``, ``<case>/fuse.json``, and ``rules.csv`` of all cases.

    Args:
        models: model to its cases.
        vocabulary: what is known of the classes.
        out: folder to write to.
        config: method, threshold, rules.
        classes: only these; empty: all.
        weights: model to its weight, or to that of each class.
        done: called with each case.

    Raises:
        ConfigError: `out` has to do with what is read, or a file of the anatomy is wrong.
    """
    config = config or LabelingConfig()
    check_apart(out, (files for found in models.values() for files in found.values()))
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    cases: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    reused = 0
    for case in sorted({case for found in models.values() for case in found}):
        files = {model: found[case] for model, found in models.items() if case in found}
        if lacking := [model for model in models if model not in files]:
            missing[case] = lacking
        try:
            key = _fingerprint(files, vocabulary, anatomy, config, classes, weights)
            known = _read(out / case, key)
            if known is None:
                known = _fuse(files, anatomy, out / case, config, classes, weights or {})
                write_text(out / case / CASE_FILE, json.dumps({"fingerprint": key, **known}))
            else:
                reused += 1
            cases[case] = known
        except CurationError as error:
            failed[case] = str(error)
        done(case)
    _write_log(out / LOG_FILE, cases)
    return Batch(cases, failed, missing, reused)


def _fuse(
    files: Mapping[str, CaseFiles],
    anatomy: Anatomy,
    folder: Path,
    config: LabelingConfig,
    classes: Sequence[str],
    weights: ModelWeights,
) -> dict[str, Any]:
    """Fuse a case, write its files, and tell what was done."""
    with ThreadPoolExecutor(min(THREADS, len(os.sched_getaffinity(0)))) as pool:
        predictions = _read_all(files, classes, pool)
        names = list(dict.fromkeys(c for p in predictions for c in p.classes))
        names = [c for c in names if not classes or c in classes]
        if not names:
            raise SourceError("no model has a wanted class")
        shares = weights_of([(p.model_id, p.model_id) for p in predictions], names, weights)
        fused = fuse_case(
            predictions, names, anatomy, config,
            weights={c: row for c, row in shares.items() if len(set(row)) > 1},
        )  # fmt: skip
        affine = predictions[0].affine[:, [2, 1, 0, 3]]
        taken = _taken(fused.effects)
        jobs = [(f"{MASKS}/{c}.nii.gz", s) for c, s in fused.structures.items()]
        jobs += [(f"{REMOVED}/{c}.nii.gz", s) for c, s in taken.items()]
        names_written = [name for name, _ in jobs]
        claim(folder, CASE_FILE, names_written, _written_before(folder))
        list(pool.map(partial(_write, folder, affine), jobs))
    return {**_told(fused, anatomy, affine, list(files)), FILES: names_written}


def _read_all(
    files: Mapping[str, CaseFiles], classes: Sequence[str], pool: ThreadPoolExecutor
) -> list[Prediction]:
    """All models' predictions on the first one's grid, axes reversed."""
    found: list[Prediction] = []
    grid: Grid | None = None
    for model, own in files.items():
        wanted = own
        if classes and own.label_map is None and own.soft is None:
            wanted = replace(own, masks={c: p for c, p in own.masks.items() if c in classes})
            if not wanted.masks:
                continue
        try:
            prediction = read_prediction(wanted, model, grid=grid, each=pool.map)
        except CurationError as error:
            raise type(error)(f"model {model}: {error}") from None
        grid = grid or Grid(prediction.shape, prediction.affine, f"model {model}")
        found.append(prediction)
    if not found:
        raise SourceError("no model has a wanted class")
    return [axes_reversed(p) for p in found]


def _taken(effects: Sequence[Effect]) -> dict[str, Structure]:
    """Class to all that was taken from it and given to nobody."""
    found: dict[str, Structure] = {}
    for effect in effects:
        if effect.action == "removed" and effect.part is not None:
            old = found.get(effect.class_id)
            found[effect.class_id] = effect.part if old is None else old.joined(effect.part)
    return found


def _write(folder: Path, affine: Affine, job: tuple[str, Structure]) -> None:
    name, s = job
    n_k, n_j, n_i = s.shape
    k, j, i = s.box
    write_atomic(folder / name, box_parts(s.mask.T, (i, j, k), (n_i, n_j, n_k), affine))


def _written_before(folder: Path) -> list[str]:
    """What a version wrote that did not list its files."""
    data = read_case_file(folder / CASE_FILE) or {}
    taken = {e["class_id"] for e in data.get("rules", []) if e["action"] == "removed"}
    if FILES in data:
        return []
    return [
        *(f"{MASKS}/{c}.nii.gz" for c in data.get("classes", [])),
        *(f"{REMOVED}/{c}.nii.gz" for c in taken),
    ]


def _told(fused: Fused, anatomy: Anatomy, affine: Affine, models: Sequence[str]) -> dict[str, Any]:
    there = {c: s for c, s in fused.structures.items() if not s.is_empty}
    sided = any(anatomy.side_of(c) for c in there)
    is_known = midline(there, anatomy.midline) is not None
    violations = anatomy.check(fused.structures, CaseFacts())
    return {
        "models": list(models),
        "orientation": orientation_of(affine),
        "classes": {
            c: {
                "voxels": s.voxels,
                "ml": round(s.ml, 4),
                "box": [[side.start, side.stop] for side in s.box[::-1]],
                **fused.how[c],
            }
            for c, s in fused.structures.items()
        },
        "rules": [{**e.plain(), "box": e.plain()["box"][::-1]} for e in fused.effects],
        "broken": [{**v.plain(), "text": v.text()} for v in violations],
        "sides": "checked" if is_known or not sided else "not checked: no midline structure",
    }


def _fingerprint(
    files: Mapping[str, CaseFiles],
    vocabulary: Vocabulary,
    anatomy: Anatomy,
    config: LabelingConfig,
    classes: Sequence[str],
    weights: ModelWeights | None,
) -> str:
    return content_id(
        VERSION,
        {model: own.state() for model, own in files.items()},
        [info.model_dump(mode="json") for info in vocabulary],
        anatomy.plain(),
        [config.fuse.model_dump(mode="json"), config.rules.model_dump(mode="json")],
        [sorted(classes), weights or {}],
    )


def _read(folder: Path, key: str) -> dict[str, Any] | None:
    """What an earlier run found with the same inputs and settings, if its masks are there."""
    data = read_case_file(folder / CASE_FILE)
    if data is None or data.pop("fingerprint", "") != key:
        return None
    is_whole = all((folder / name).is_file() for name in data[FILES])
    return data if is_whole else None


def _write_log(path: Path, cases: Mapping[str, Mapping[str, Any]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for case, told in cases.items():
        for e in told["rules"]:
            ends = [end for side in e["box"] for end in side] or [""] * 6
            table.writerow(
                [case, e["class_id"], e["rule"], e["action"], e["other"], e["pieces"], e["voxels"],
                 e["ml"], *ends, e["reason"]]
            )  # fmt: skip
    write_text(path, text.getvalue())


def read_weights(
    path: Path, models: Sequence[str], vocabulary: Vocabulary
) -> dict[str, float | dict[str, float]]:
    """Weights of models from YAML or JSON: ``{unet: 2}`` or ``{unet: {liver: 0.94}}``.

    Raises:
        ConfigError: it cannot be read, names a model that is not there, or a weight is no number
            of 0 or more.
    """
    from voxcurate.config import read_yaml
    from voxcurate.errors import ConfigError

    found: dict[str, float | dict[str, float]] = {}
    for model, value in read_yaml(path).items():
        if model not in models:
            raise ConfigError(f"weights: no model {model!r}; there are {', '.join(models)}")
        if isinstance(value, Mapping):
            rows = {vocabulary.resolve(str(c)) or str(c): w for c, w in value.items()}
            found[model] = {c: _weight(w, f"{model}, {c}") for c, w in rows.items()}
        else:
            found[model] = _weight(value, str(model))
    return found


def _weight(value: Any, where: str) -> float:
    from voxcurate.errors import ConfigError

    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value) or value < 0:
        raise ConfigError(f"weights: {where}: want a number of 0 or more, found {value!r}")
    return float(value)
