"""The evaluation as tables: plain rows, Markdown, CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.evaluation.case import NAMES
from training.evaluation.values import Scores

Cell = str | int | float | None
Entry = Mapping[str, Any]  # of one model, as `summarise` makes it
NAMES_SHOWN = 10


@dataclass(frozen=True)
class Table:
    """A table: `name` is its file's; `title` stands above it; `shown`: rows as people read them."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    shown: Sequence[Sequence[str]] = ()

    def csv(self) -> str:
        """Comma separated, numbers in full."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if c is None else c for c in row] for row in self.rows])
        return stream.getvalue()


def cases_table(scores: Mapping[str, Scores]) -> Table:
    """All scores: a row per model, case and class."""
    columns = ["model", "case", "class", "state", *NAMES, "tolerance_mm", "truth_ml"]
    columns.append("predicted_ml")
    rows = [
        [model, case, c, *(row[name] for name in columns[3:])]
        for model, cases in scores.items()
        for case, classes in sorted(cases.items())
        for c, row in sorted(classes.items())
    ]
    return Table("cases", "Scores of the cases", columns, rows)


def classes_table(models: Sequence[Entry]) -> Table:
    """A row per model and class, with intervals."""
    columns = ["model", "class", "n", "patients", "is_few", "both_empty", "missed", "false"]
    for name in NAMES:
        middle = "median" if name == "hd95" else "mean"
        columns += [f"{name}_{middle}", f"{name}_low", f"{name}_high"]
    columns += ["hd95_infinite", "volume_error_ml_absolute", "two_people_dsc", "model_is"]
    columns += ["ece", "ece_low", "ece_high", "brier"]
    rows: list[list[Cell]] = []
    for entry in models:
        for class_id, told in entry["classes"].items():
            row: list[Cell] = [entry["name"], class_id, told["dsc"]["n"]]
            row += [told["patients"], int(told["is_few"])]
            row += [told["cases"][state] for state in ("both_empty", "missed", "false")]
            for name in NAMES:
                found = told[name]
                row += [found["median" if name == "hd95" else "mean"], *found["interval"]]
            people, soft = told.get("two_people", {}), told.get("calibration", {})
            row += [told["hd95"]["infinite"], told["volume_error_ml"]["mean_absolute"]]
            row += [people.get("dsc"), people.get("model_is"), soft.get("ece")]
            row += [*soft.get("ece_interval", (None, None)), soft.get("brier")]
            rows.append(row)
    return Table("classes", "Classes", columns, rows)


def shown_classes(entry: Entry, names: Mapping[str, str]) -> Table:
    """The classes of one model as people read them: values with intervals, the mean below."""
    columns = ["class", "n", "DSC", "NSD", "strict NSD", "HD95 mm", "volume error mL", "empty"]
    people = any("two_people" in told for told in entry["classes"].values())
    columns += ["two people"] if people else []
    rows = []
    for class_id, told in entry["classes"].items():
        out = [f"{n} {what}" for what in ("both", "missed", "false")
               if (n := told["cases"]["both_empty" if what == "both" else what])]  # fmt: skip
        row = [names.get(class_id, class_id), f"{told['dsc']['n']}{' (few)' * told['is_few']}"]
        row += [span(told[name]["mean"], told[name]["interval"]) for name in
                ("dsc", "nsd", "nsd_strict")]  # fmt: skip
        row += [_hd95(told["hd95"]), signed(told["volume_error_ml"])]
        row.append(", ".join(out))
        if people:
            known = told.get("two_people")
            row.append(f"{known['dsc']:.2f}: {known['model_is']}" if known else "")
        rows.append(row)
    mean = ["mean", ""]
    for name in ("dsc", "nsd", "nsd_strict"):
        mean.append(span(entry["mean"][name], entry["mean_interval"][name]))
    rows.append([*mean, *[""] * (len(columns) - len(mean))])
    return Table("", entry["name"], columns, rows, rows)


def subgroups_table(models: Sequence[Entry]) -> Table:
    """A row per model, group, class and metric."""
    columns = ["model", "attribute", "value", "class", "metric", "cases", "patients", "n", "mean"]
    columns += ["low", "high", "is_few"]
    rows = [
        [entry["name"], *(row[name] for name in columns[1:9]), *row["interval"], int(row["is_few"])]
        for entry in models
        for row in entry["subgroups"]
    ]
    return Table("subgroups", "Subgroups", columns, rows)


def shown_subgroups(entry: Entry) -> Table:
    """The groups of one model: mean of the classes."""
    columns = ["group", "", "patients", "scans", "DSC", "NSD"]
    whole = [row for row in entry["subgroups"] if row["class"] == ""]
    nsd = {(r["attribute"], r["value"]): r for r in whole if r["metric"] == "nsd"}
    rows, last = [], ""
    for row in [r for r in whole if r["metric"] == "dsc"]:
        other = nsd.get((row["attribute"], row["value"]))
        head = row["attribute"] if row["attribute"] != last else ""
        last = row["attribute"]
        people = f"{row['patients']}{' (few)' if row['is_few'] else ''}"
        rows.append([head, row["value"], people, str(row["cases"]),
                     span(row["mean"], row["interval"]),
                     span(other["mean"], other["interval"]) if other else ""])  # fmt: skip
    return Table("", f"{entry['name']}: subgroups", columns, rows, rows)


def tests_table(models: Sequence[Entry]) -> Table:
    """All tests of models against others."""
    columns = ["model", "against", "metric", "class", "n", "differ", "mean", "low", "high", "p"]
    columns += ["p_holm", "effect", "is_significant", "is_few"]
    rows: list[list[Cell]] = []
    for entry in models:
        for other in comparisons(entry):
            for test in other["tests"]:
                head = [entry["name"], other_name(other), test["metric"], test["class"] or "mean"]
                rows.append([*head, test["n"], test["differ"], test["mean"], *test["interval"],
                             test["p"], test["p_holm"], test["effect"],
                             int(test["is_significant"]), int(test["is_few"])])  # fmt: skip
    return Table("tests", "Comparisons", columns, rows)


def shown_tests(entry: Entry, other: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    """One comparison as people read it."""
    columns = ["class", "score", "patients", "difference", "p (Holm)", "effect", "significant"]
    rows = []
    for test in other["tests"]:
        name = names.get(test["class"], test["class"]) or "mean of the classes"
        p = "" if test["p_holm"] is None else f"{test['p_holm']:.3g}"
        effect = "" if test["effect"] is None else f"{test['effect']:+.2f}"
        said = "too few" if test["is_few"] else "yes" if test["is_significant"] else "no"
        change = span(test["mean"], test["interval"], sign=True)
        rows.append([name, test["metric"].upper(), str(test["n"]), change, p, effect, said])
    title = f"{entry['name']} against {other_name(other)}"
    return Table("", title, columns, rows, rows)


def worst_table(models: Sequence[Entry]) -> Table:
    """The worst cases of each model."""
    columns = ["model", "case", "class", "state", *NAMES]
    rows = [
        [entry["name"], *(row[name] for name in columns[1:])]
        for entry in models
        for row in entry["worst"]
    ]
    return Table("worst", "Worst cases", columns, rows)


def calibration_line(entry: Entry, names: Mapping[str, str]) -> str:
    """Which classes' probabilities are farthest from what they say; empty of hard masks."""
    found = sorted(
        ((told["calibration"]["ece"], c) for c, told in entry["classes"].items()
         if told.get("calibration", {}).get("ece") is not None), reverse=True,
    )  # fmt: skip
    if not found:
        return ""
    first = ", ".join(f"{names.get(c, c)} {error:.3f}" for error, c in found[:3])
    more = f" (worst of {len(found)} classes)" if len(found) > 3 else ""
    return f"Expected calibration error around the structures: {first}{more}."


def left_out_lines(entry: Entry) -> list[str]:
    """What is in no score: values without a name, cases and classes that lack one side."""
    lines = []
    for side, values in entry.get("unnamed", {}).items():
        told = ", ".join(
            f"{value} ({one['cases']} {'case' if one['cases'] == 1 else 'cases'}, "
            f"{one['ml']:.3g} mL)"
            for value, one in values.items()
        )
        lines.append(
            f"Values of the {side}'s label maps without a class name: {told}. These voxels count "
            "as background of every class; --labels FILE names values."
        )
    parts = (("No prediction of", "missing"), ("No truth of", "extra"),
             ("Never predicted, not scored:", "not_predicted"))  # fmt: skip
    return lines + [f"{what} {_some(entry[key])}." for what, key in parts if entry.get(key)]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def shown_worst(entry: Entry, names: Mapping[str, str], limit: int) -> Table:
    """The first of them."""
    columns = ["case", "class", "DSC", "NSD", "HD95 mm", "volume error mL", ""]
    rows = [
        [row["case"], names.get(row["class"], row["class"]),
         f"{row['dsc']:.3f}", f"{row['nsd']:.3f}",
         "∞" if row["hd95"] is None else f"{row['hd95']:.1f}", f"{row['volume_error_ml']:+.2f}",
         "" if row["state"] == "scored" else row["state"]]
        for row in entry["worst"][:limit]
    ]  # fmt: skip
    return Table("", f"{entry['name']}: worst cases", columns, rows, rows)


def comparisons(entry: Entry) -> list[Mapping[str, Any]]:
    """Everything that a model was compared with."""
    first = [entry["against"]] if "against" in entry else []
    return [*first, *entry.get("against_others", ())]


def other_name(other: Mapping[str, Any]) -> str:
    """What the other model of a comparison is called."""
    return f"{other['name']}, round {other['round']}" if other.get("round") else str(other["name"])


def markdown(table: Table) -> str:
    """A table of what is shown."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = line(["---", *["---:"] * (len(table.columns) - 1)])
    return "\n".join([line(table.columns), rule, *(line(row) for row in table.shown)]) + "\n"


def span(
    value: float | None, interval: Sequence[float | None], digits: int = 3, *, sign: bool = False
) -> str:
    """``0.873 (0.84–0.90)``, with signs ``+0.010 (-0.01 to +0.03)``; empty without a value."""
    if value is None:
        return ""
    plus = "+" if sign else ""
    low, high = interval
    text = f"{value:{plus}.{digits}f}"
    if low is None and high is None:
        return text
    ends = ["∞" if x is None else f"{x:{plus}.{max(1, digits - 1)}f}" for x in (low, high)]
    return f"{text} ({ends[0]} to {ends[1]})" if sign else f"{text} ({ends[0]}–{ends[1]})"


def share(found: Mapping[str, Any]) -> str:
    """``85 % (71–93)``; a dash of nothing."""
    if found["share"] is None:
        return "–"
    low, high = found["interval"]
    text = f"{100 * found['share']:.0f} %"
    return text if low is None else f"{text} ({100 * low:.0f}–{100 * high:.0f})"


def signed(found: Mapping[str, Any]) -> str:
    """Mean with its sign, and the mean of absolute values."""
    if found["mean"] is None:
        return ""
    return f"{found['mean']:+.2f} (|{found['mean_absolute']:.2f}|)"


def _hd95(found: Mapping[str, Any]) -> str:
    if not found["n"]:
        return ""
    if found["median"] is None:
        return "∞"
    return span(found["median"], found["interval"], 1)
