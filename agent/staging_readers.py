"""``voxcurate staging readers``: tables of readers' marks beside the model's scores."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.staging import write_table
from voxcurate.atomic import make_folder, write_text

if TYPE_CHECKING:
    from training.staging.config import ReaderConfig
    from training.staging.readers import Standing
    from voxcurate.intervals import Estimate


def compare_tables(
    marks: Path, truth: Path, model: Path | None, config: "ReaderConfig", out: Path | None
) -> dict[str, Any]:
    """Readers, groups, model and tests as plain data; tables and the picture go to `out`.

    Raises:
        ConfigError: a table is wrong.
    """
    from training.staging.marks import read_marks, read_scores, read_truth
    from training.staging.plots import plot_readers
    from training.staging.readers import compare_readers

    true = read_truth(truth)
    readers = read_marks(marks, true)
    scores = None if model is None else read_scores(model, true, config.threshold)
    study = compare_readers(readers, true, scores, config)
    told = {
        "cases": len(true.present),
        "with_tumour": sum(true.present.values()),
        "readers": [_plain(s) for s in study.readers],
        "groups": [_plain(s) for s in study.groups],
        "model": None if study.model is None else _plain(study.model),
        "auc": _estimate(study.auc),
        "tests": [
            {
                "group": t.group, "figure": t.figure, "model_minus_group": round(t.difference, 4),
                "low": round(t.low, 4), "high": round(t.high, 4), "p": round(t.p, 4),
                "cases": t.n_cases,
            }
            for t in study.tests
        ],
        "settings": config.model_dump(mode="json"),
        "use": "research only",
    }  # fmt: skip
    if out is not None:
        make_folder(out)
        _write(out, told)
        plot_readers(out / "readers.png", study, "tumour: readers and model, by case")
    return told


def _plain(standing: "Standing") -> dict[str, Any]:
    return {
        "name": standing.name,
        "kind": standing.kind,
        "group": standing.group,
        "cases": standing.n_cases,
        "readers": standing.n_readers,
        "figures": {k.replace(" ", "_"): _estimate(e) for k, e in standing.figures.items()},
        "sensitivity_by_size": {k: _estimate(e) for k, e in standing.by_size.items()},
    }


def _estimate(estimate: "Estimate | None") -> dict[str, Any] | None:
    from training.staging.confusion import plain_estimate

    return plain_estimate(estimate)


def _write(out: Path, told: Mapping[str, Any]) -> None:
    lines = [*told["readers"], *told["groups"], *([told["model"]] if told["model"] else [])]
    figures = list(lines[0]["figures"])
    parts = ("value", "low", "high", "n")
    head = ["name", "kind", "group", "cases", "readers"]
    head += [f"{figure}_{part}" for figure in figures for part in parts]
    rows = [
        [line[k] for k in ("name", "kind", "group", "cases", "readers")]
        + [(line["figures"][f] or {}).get(p) for f in figures for p in parts]
        for line in lines
    ]
    write_table(out / "readers.csv", head, rows)
    if told["tests"]:
        write_table(
            out / "tests.csv", list(told["tests"][0]), [list(t.values()) for t in told["tests"]]
        )
    write_text(out / "readers.json", json.dumps(told, indent=1) + "\n")
