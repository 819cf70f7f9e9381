"""``voxcurate evaluate``: a round's table."""

import json
from typing import Any

from voxcurate.errors import ConfigError
from voxcurate.workspace import Workspace


def round_table(workspace: Workspace, number: int) -> dict[str, Any]:
    """DSC and NSD per class of every model of a round, on the frozen test split.

    Raises:
        ConfigError: the round has not been evaluated.
    """
    path = workspace.round_path(number, "evaluation.json")
    if not path.is_file():
        raise ConfigError(f"round {number} has no evaluation yet")
    found: dict[str, Any] = json.loads(path.read_text())
    models = sorted(found["models"], key=lambda model: model["role"] != "flagship")
    columns = ["class", "n"]
    for model in models:
        columns += [f"{name} {model['name']}" for name in _shown_names(model)]
    classes = dict.fromkeys(c for model in models for c in model["classes"])
    rows = [[class_id, *_cells(models, class_id)] for class_id in classes]
    mean: list[Any] = ["mean", ""]
    for model in models:
        mean += [_shown(model["mean"][name.lower()]) for name in _shown_names(model)]
    notes = [line for model in models for line in _comparisons(model)]
    title = f"round {number}: test split, against original labels ({found['implementation']})"
    return {"title": title, "columns": columns, "rows": [*rows, mean], "notes": notes,
            "evaluation": found}  # fmt: skip


def _comparisons(model: dict[str, Any]) -> list[str]:
    """What the paired tests of the mean over the classes say, a line for each other model."""
    from training.evaluation.tables import comparisons, other_name, span

    lines = []
    for other in comparisons(model):
        for test in other.get("tests", ()):
            if test["class"] == "" and test["metric"] == "dsc":
                said = "significant" if test["is_significant"] else "not significant"
                p = "" if test["p_holm"] is None else f", p {test['p_holm']:.3g} by Holm"
                change = span(test["mean"], test["interval"], sign=True)
                lines.append(
                    f"{model['name']} against {other_name(other)}: DSC {change}, "
                    f"{test['n']} patients{p}: {said}"
                )
    return lines


def _shown_names(model: dict[str, Any]) -> tuple[str, ...]:
    """The flagship's DSC and NSD; of the others the DSC (JSON has it all)."""
    return ("DSC", "NSD") if model["role"] == "flagship" else ("DSC",)


def _cells(models: list[dict[str, Any]], class_id: str) -> list[Any]:
    entries = [model["classes"].get(class_id) for model in models]
    cells: list[Any] = [max((entry["dsc"]["n"] for entry in entries if entry), default=0)]
    for model, entry in zip(models, entries, strict=True):
        for name in _shown_names(model):
            cells.append(_shown(entry[name.lower()]["mean"] if entry else None))
    return cells


def _shown(value: float | None) -> float | str:
    return "" if value is None else value
