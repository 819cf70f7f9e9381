"""What the evaluation found besides overlap: surfaces, volumes, lesions, stages, comparisons."""

import json
from collections.abc import Mapping
from typing import Any

from agent.report.blocks import Block, Listing, Section, Table, Text
from agent.report.view import RoundView
from training.evaluation import lesion_tables, stage_tables, tables

TITLE = "Surfaces, lesions and comparisons on the test split"
FILE, FOLDER = "evaluation.json", "evaluation"
MOST_WORST = 8
SHOWN = ("class", "n", "strict NSD", "HD95 mm", "volume error mL", "empty")
ABOUT = (
    "DSC and NSD stand above. HD95: median, infinite where one mask is empty. Strict NSD: within "
    "1 mm unless set otherwise. Volume error: mean with its sign, and of absolute values. "
    "Intervals: 95 % unless set otherwise, bootstrap over patients; of few patients they are too "
    "narrow."
)


def evaluated(view: RoundView) -> Section:
    """The flagship's (else the first model's) tables in brief, and where all of it is."""
    path = view.folder / FILE
    models = json.loads(path.read_text())["models"] if path.is_file() else []
    models.sort(key=lambda model: model["role"] != "flagship")
    if not models or not models[0]["classes"]:
        return Section("evaluation", TITLE, empty="No model was evaluated in this round.")
    entry = models[0]
    names = {class_id: view.class_name(class_id) for class_id in entry["classes"]}
    blocks: list[Block] = [_table(tables.shown_classes(entry, names), "", SHOWN)]
    if line := tables.calibration_line(entry, names):
        blocks.append(Text(line))
    for class_id in entry["lesions"]:
        blocks += _lesions(entry, class_id, names)
    if lines := stage_tables.staging_lines(entry, names):
        stages = stage_tables.shown_stages(entry)
        blocks += [_table(stages, "T stage")] if stages.shown else []
        blocks.append(Listing(lines))
    for other in tables.comparisons(entry):
        if other.get("tests"):
            title = f"Against {tables.other_name(other)}"
            found = _table(tables.shown_tests(entry, other, names), title, is_folded=True)
            blocks += [Text(_said(entry, other)), found]
    worst = tables.shown_worst(entry, names, MOST_WORST)
    if worst.shown:
        blocks.append(_table(worst, "Worst cases by DSC"))
    link = f"{FOLDER}/evaluation.md" if (view.folder / FOLDER / "evaluation.md").is_file() else ""
    return Section("evaluation", TITLE, blocks, about=ABOUT, link=link)


def _lesions(entry: Mapping[str, Any], class_id: str, names: Mapping[str, str]) -> list[Block]:
    name = names[class_id]
    blocks: list[Block] = [_table(lesion_tables.shown_lesions(entry, class_id), f"Lesions: {name}")]
    groups = lesion_tables.shown_lesion_groups(entry, class_id)
    if groups.shown:
        blocks.append(_table(groups, f"Lesions: {name}, by subgroup", is_folded=True))
    return [*blocks, Listing(lesion_tables.lesion_lines(entry, class_id))]


def _said(entry: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The test of the mean DSC in a sentence."""
    test = next(t for t in other["tests"] if t["class"] == "" and t["metric"] == "dsc")
    change = tables.span(test["mean"], test["interval"], sign=True)
    said = "too few patients for a claim" if test["is_few"] else (
        "significant" if test["is_significant"] else "not significant"
    )  # fmt: skip
    return (
        f"{entry['name']} against {tables.other_name(other)}: mean DSC {change} on {test['n']} "
        f"patients, {said} (Wilcoxon, Holm over all classes and scores)."
    )


def _table(
    found: tables.Table, caption: str, columns: tuple[str, ...] = (), *, is_folded: bool = False
) -> Table:
    """A table of the evaluation as one of the page; `columns`: only these, and what has cells."""
    kept = [
        n
        for n, name in enumerate(found.columns)
        if (not columns or name in columns) and any(row[n] for row in found.shown)
    ]
    rows = [[row[n] for n in kept] for row in found.shown]
    head = [found.columns[n] for n in kept]
    words = {"class", "case", "group", "", "empty", "size", "score", "stage", "significant"}
    numeric = frozenset(n for n, name in enumerate(head) if name not in words)
    return Table(head, rows, caption, numeric, is_folded=is_folded)
