"""What was found of lesions, as tables and sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.detection import GROUP_FIGURES
from training.evaluation.lesions import SIZES
from training.evaluation.tables import Cell, Entry, Table, share, span


def lesions_table(models: Sequence[Entry]) -> Table:
    """Sensitivity and false positives by size, specificity, the free-response mean."""
    columns = ["model", "class", "size", "figure", "n", "value", "low", "high"]
    rows: list[list[Cell]] = []
    for entry in models:
        for class_id, told in entry["lesions"].items():
            for figure in ("sensitivity", "patient_sensitivity", "false_per_scan"):
                for size in ("all", *SIZES):
                    found = told[figure][size]
                    rows.append([entry["name"], class_id, size, figure, found["n"],
                                 found["share"], *found["interval"]])  # fmt: skip
            for figure in ("specificity", "precision"):
                found = told[figure]
                rows.append([entry["name"], class_id, "all", figure, found["n"], found["share"],
                             *found["interval"]])  # fmt: skip
            if told["froc"]:
                froc = told["froc"]
                rows.append([entry["name"], class_id, "all", "froc_mean", told["lesions"],
                             froc["mean"], *froc["interval"]])  # fmt: skip
    return Table("lesions", "Lesions", columns, rows)


def shown_lesions(entry: Entry, class_id: str) -> Table:
    """One lesion class of one model: a row per size."""
    told = entry["lesions"][class_id]
    columns = ["size", "lesions", "found", "patients", "patients found", "false per scan"]
    rows = []
    for size in ("all", *SIZES):
        lesion, patient = told["sensitivity"][size], told["patient_sensitivity"][size]
        false = told["false_per_scan"][size]
        rows.append([size, str(lesion["n"]), share(lesion), str(patient["n"]), share(patient),
                     span(false["share"], false["interval"], 2)])  # fmt: skip
    return Table("", f"{entry['name']}: lesions of {class_id}", columns, rows, rows)


def lesion_lines(entry: Entry, class_id: str) -> list[str]:
    """What else is told of a lesion class, a sentence each."""
    told = entry["lesions"][class_id]
    states = told["states"]
    quiet = told["specificity"]
    said = f"Specificity {share(quiet)} of {quiet['n']} patients without a lesion"
    if not quiet["n"]:
        said = "Specificity unknown: no patient without a lesion"
    lines = [
        f"{said}; precision {share(told['precision'])}; split "
        f"{states['predicted'].get('split', 0)}, merged {states['truth'].get('merged', 0)}, not "
        f"counted {states['predicted'].get('ignored', 0)}."
    ]
    froc = told["froc"]
    if froc and froc["is_hard"]:
        lines.append("Predictions are masks: the free-response curve is one point.")
    elif froc:
        mean = span(froc["mean"], froc["interval"])
        lines.append(f"Mean sensitivity at 1/8 to 8 false positives per scan: {mean}.")
    return lines


def shown_lesion_groups(entry: Entry, class_id: str) -> Table:
    """The subgroups of one lesion class: shares of lesions and patients found, specificity."""
    groups: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in entry["subgroups"]:
        if row["class"] == class_id and row["metric"] in GROUP_FIGURES:
            groups.setdefault((row["attribute"], row["value"]), {})[row["metric"]] = row
    columns = ["group", "", "patients", "lesions", "found", "patients found", "specificity"]
    rows: list[list[str]] = []
    last = ""
    for (attribute, value), told in groups.items():
        first = next(iter(told.values()))
        cells = [_of_group(told.get(figure)) for figure in GROUP_FIGURES]
        lesions = told.get("lesion_sensitivity")
        people = f"{first['patients']}{' (few)' if first['is_few'] else ''}"
        rows.append([attribute if attribute != last else "", value, people,
                     str(lesions["n"]) if lesions else "0", *cells])  # fmt: skip
        last = attribute
    return Table("", f"{entry['name']}: subgroups, lesions of {class_id}", columns, rows, rows)


def _of_group(row: Mapping[str, Any] | None) -> str:
    return share({"share": None if row is None else row["mean"],
                  "interval": row["interval"] if row else (None, None)})  # fmt: skip
