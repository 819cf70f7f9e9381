"""What an evaluation writes: ``evaluation.md``, a CSV per table, pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.evaluation import lesion_tables, plots, stage_tables, tables
from training.evaluation.config import EvaluateConfig
from training.evaluation.values import Scores, tables_of
from voxcurate.atomic import make_folder, write_atomic
from voxcurate.classes import Vocabulary

SHOWN_WORST = 10
PICTURES = ("dsc.png", "froc_*.png", "reliability.png", "reliability_*.png", "subgroups.png",
            "subgroups_*.png")  # fmt: skip
EMPTY = (
    "Empty: scans in which both masks are (not scored), only the prediction is (missed), only the "
    "truth is (false).\n"
)


def write_evaluation(
    folder: Path,
    summary: Mapping[str, Any],
    scores: Mapping[str, Scores],
    config: EvaluateConfig,
    *,
    vocabulary: Vocabulary,
) -> list[str]:
    """Write tables and pictures.

    Args:
        folder: is made; files of an earlier evaluation there are replaced, pictures that cannot be
            drawn any more removed.
        summary: with ``models``, ``rules``.
        scores: model name to its scores.
        config: whether to draw.
        vocabulary: for the classes' names.

    Returns:
        Names of the files.
    """
    make_folder(folder)
    models: Sequence[Mapping[str, Any]] = summary["models"]
    names = {item.id: item.name or item.id for item in vocabulary}
    written = []
    every = [
        tables.cases_table(scores),
        tables.classes_table(models),
        lesion_tables.lesions_table(models),
        tables.subgroups_table(models),
        tables.tests_table(models),
        tables.worst_table(models),
    ]
    for table in every:
        written.append(f"{table.name}.csv")
        write_atomic(folder / written[-1], [table.csv().encode()])
    pictures = _pictures(folder, models, scores, names) if config.plots else []
    for path in (path for pattern in PICTURES for path in folder.glob(pattern)):
        if path.name not in pictures:
            path.unlink()
    text = markdown(summary, names, pictures)
    write_atomic(folder / "evaluation.md", [text.encode()])
    return ["evaluation.md", *written, *pictures]


def markdown(
    summary: Mapping[str, Any], names: Mapping[str, str], pictures: Sequence[str] = ()
) -> str:
    """The evaluation as people read it."""
    parts = ["# Evaluation\n", f"Truth: {summary['truth']}. " + _rules(summary["rules"])]
    for name in pictures:
        parts.append(f"![{name.removesuffix('.png').replace('_', ' ')}]({name})\n")
    for entry in summary["models"]:
        parts.append(f"## {entry['name']}\n")
        parts.append(f"{entry['cases']} scans of {entry['patients']} patients.\n")
        parts.append(tables.markdown(tables.shown_classes(entry, names)))
        parts.append(EMPTY)
        lines = tables.left_out_lines(entry)
        lines += [f"Failed: {case}: {why}." for case, why in entry.get("failed", {}).items()]
        if lines:
            parts += ["### Not scored\n", *(f"- {line}" for line in lines), ""]
        if line := tables.calibration_line(entry, names):
            parts.append(f"{line}\n")
        for class_id in entry["lesions"]:
            table = lesion_tables.shown_lesions(entry, class_id)
            parts.append(f"### Lesions: {names.get(class_id, class_id)}\n")
            lines = lesion_tables.lesion_lines(entry, class_id)
            parts += [tables.markdown(table), *(f"{line}\n" for line in lines)]
        if lines := stage_tables.staging_lines(entry, names):
            parts.append("### Stages and subtypes\n")
            table = stage_tables.shown_stages(entry)
            parts += [tables.markdown(table)] if table.shown else []
            parts += [f"{line}\n" for line in lines]
        if entry["subgroups"]:
            parts += ["### Subgroups\n", tables.markdown(tables.shown_subgroups(entry))]
        for class_id in entry["lesions"]:
            groups = lesion_tables.shown_lesion_groups(entry, class_id)
            if groups.shown:
                parts.append(f"### Subgroups, lesions: {names.get(class_id, class_id)}\n")
                parts.append(tables.markdown(groups))
        for other in tables.comparisons(entry):
            if other["tests"]:
                parts.append(f"### Against {tables.other_name(other)}\n")
                parts.append(tables.markdown(tables.shown_tests(entry, other, names)))
        if entry["worst"]:
            parts += ["### Worst\n", tables.markdown(tables.shown_worst(entry, names, SHOWN_WORST))]
    return "\n".join(parts)


def _rules(rules: Mapping[str, str]) -> str:
    told = [f"- {name.replace('_', ' ')}: {what}" for name, what in rules.items()]
    return "Rules:\n\n" + "\n".join(told) + "\n"


def _pictures(
    folder: Path,
    models: Sequence[Mapping[str, Any]],
    scores: Mapping[str, Scores],
    names: Mapping[str, str],
) -> list[str]:
    drawn = []
    values = {model: tables_of(found, ["dsc"])["dsc"] for model, found in scores.items()}
    if plots.plot_scores(folder / "dsc.png", values, names, "DSC: cases, median and quartiles"):
        drawn.append("dsc.png")
    lesions = dict.fromkeys(c for entry in models for c in entry["lesions"])
    for class_id in lesions:
        curves = {e["name"]: e["lesions"][class_id]["froc"] for e in models
                  if class_id in e["lesions"]}  # fmt: skip
        name = f"froc_{class_id}.png"
        title = f"Free response: {names.get(class_id, class_id)}"
        if plots.plot_froc(folder / name, curves, title):
            drawn.append(name)
    for entry in models:
        end = "" if len(models) == 1 else f"_{_safe(entry['name'])}"
        soft = {c: told.get("calibration") for c, told in entry["classes"].items()}
        name = f"reliability{end}.png"
        if plots.plot_reliability(folder / name, {c: s for c, s in soft.items() if s}, names):
            drawn.append(name)
        name = f"subgroups{end}.png"
        title = f"{entry['name']}: DSC by subgroup"
        mean = entry["mean"]["dsc"]
        if plots.plot_subgroups(folder / name, entry["subgroups"], mean, title):
            drawn.append(name)
    return drawn


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
