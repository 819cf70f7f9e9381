"""The figures of the benchmark, as plain data and as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.label_errors.arms import Measured
from benchmarks.label_errors.detectors import DETECTORS
from benchmarks.label_errors.mending import Outcome
from benchmarks.label_errors.planting import half_of
from benchmarks.label_errors.scoring import by_class, by_kind, figures, share

WANTED = {"auroc": 0.97, "mended": 0.75, "harmed": 0.005}  # of gross errors at the 5 % rate
AT_RATE = 0.05


def evaluate(measured: Sequence[Measured], half: str) -> list[dict[str, Any]]:
    """Per group of severities, training and rate: detectors, kinds and what was mended."""
    groups: dict[tuple[str, bool, float], list[Measured]] = {}
    for one in measured:
        groups.setdefault((one.arm.group, one.arm.trained, one.arm.rate), []).append(one)
    found = []
    for (group, trained, rate), own in sorted(groups.items()):
        rows = [row for one in own for row in one.rows if half in ("all", half_of(row.case_id))]
        found.append(
            {
                "group": group,
                "trained": trained,
                "rate": rate,
                "seeds": sorted({one.arm.seed for one in own}),
                "half": half,
                "detectors": {name: figures(rows, name) for name in DETECTORS},
                "kinds": {name: by_kind(rows, name) for name in DETECTORS},
                "classes": {name: by_class(rows, name) for name in DETECTORS},
                "mending": mending([x for one in own for x in one.outcomes], half),
            }
        )
    return found


def mending(outcomes: Sequence[Outcome], half: str) -> dict[str, Any]:
    """By round: errors rightly mended (all, by kind, by class) and right labels harmed."""
    found: dict[str, Any] = {}
    own = [x for x in outcomes if half in ("all", half_of(x.case_id))]
    for number in sorted({x.round for x in own}):
        rows = [x for x in own if x.round == number]
        wrong = [x for x in rows if x.kind and x.right is not None]
        good = [x for x in rows if not x.kind]
        found[str(number)] = {
            "mended": _share(wrong),
            "unknown": sum(1 for x in rows if x.kind and x.right is None),
            "by_kind": {k: _share([x for x in wrong if x.kind == k])
                        for k in sorted({x.kind for x in wrong})},
            "by_class": {c: _share([x for x in wrong if x.class_id == c])
                         for c in sorted({x.class_id for x in wrong})},
            "could": sum(x.could for x in wrong),
            "verdicts": _verdicts(wrong),
            "harmed": share([x.harmed for x in good], [x.case_id for x in good]),
        }  # fmt: skip
    return found


def _share(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return share([bool(x.right) for x in outcomes], [x.case_id for x in outcomes])


def _verdicts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """What was decided on errors that are not mended; empty: not asked."""
    found: dict[str, int] = {}
    for x in outcomes:
        if not x.right:
            found[x.verdict or "not asked"] = found.get(x.verdict or "not asked", 0) + 1
    return dict(sorted(found.items()))


def reached(found: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """What was asked for, on gross errors at the 5 % rate; empty if it was not measured."""
    for one in found:
        if (one["group"], one["trained"], one["rate"]) == ("gross", False, AT_RATE):
            value = one["detectors"]["ours"]["auroc"]
            result = {f"AUROC {value:.3f}, want {WANTED['auroc']}": value >= WANTED["auroc"]}
            if "2" in one["mending"]:
                last = one["mending"]["2"]
                right, harm = last["mended"].get("share", 0.0), last["harmed"].get("share", 0.0)
                result[f"mended {right:.3f}, want {WANTED['mended']}"] = right >= WANTED["mended"]
                result[f"harmed {harm:.4f}, want at most {WANTED['harmed']}"] = (
                    harm <= WANTED["harmed"]
                )
            return result
    return {}


def show(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    """All tables."""
    for one in found:
        first = one["detectors"]["random"]
        title = (
            f"{one['group']} errors, {100 * one['rate']:g} %, seeds {one['seeds']}, "
            f"{one['half']} patients, networks trained on "
            f"{'the corrupted' if one['trained'] else 'uncorrupted'} labels: "
            f"{first['wrong']} errors of {first['n']} labels"
        )
        _detectors(one, title, console)
        _split(one["kinds"], "auroc", f"AUROC by kind; {title}", console)
        _split(one["kinds"], "recall", f"recall at 5 % flagged by kind; {title}", console)
        _split(one["classes"], "auroc", f"AUROC within a class; {title}", console)
        if one["mending"]:
            _mending(one["mending"], f"mended rightly; {title}", console)


def _detectors(one: Mapping[str, Any], title: str, console: Console) -> None:
    table = Table("detector", title=title)
    keys = ("auroc", "auprc", "recall", "precision")
    for key in keys:
        table.add_column(key if key.startswith("au") else f"{key} at 5 %", justify="right")
    for name, figure in one["detectors"].items():
        table.add_row(name, *(_with_interval(figure, key) for key in keys))
    console.print(table)


def _split(part: Mapping[str, Any], key: str, title: str, console: Console) -> None:
    """A row for each kind or class, a column for each detector."""
    table = Table("", "n", title=title)
    for name in part:
        table.add_column(name, justify="right")
    for what, row in part["ours"].items():
        cells = [f"{part[name][what][key]:.2f}" for name in part]
        table.add_row(what, str(row["wrong"]), *cells)
    console.print(table)


def _mending(rounds: Mapping[str, Any], title: str, console: Console) -> None:
    table = Table("", title=title)
    for number in rounds:
        table.add_column(f"after round {number}", justify="right")
    last = list(rounds.values())[-1]
    table.add_row("all", *(_counted(r["mended"]) for r in rounds.values()))
    for key in ("by_kind", "by_class"):
        for name in last[key]:
            table.add_row(name, *(_counted(r[key][name]) for r in rounds.values()))
    table.add_row("good labels harmed", *(_counted(r["harmed"]) for r in rounds.values()))
    table.add_row("not mended", *(str(r["verdicts"]) for r in rounds.values()))
    table.add_row("prediction is right", *(str(r["could"]) for r in rounds.values()))
    table.add_row("truth unknown", *(str(r["unknown"]) for r in rounds.values()))
    console.print(table)


def _counted(figure: Mapping[str, Any]) -> str:
    if not figure["n"]:
        return "0"
    low, high = figure["share_95"]
    return f"{figure['hits']} of {figure['n']}: {figure['share']:.3f} ({low:.3f} to {high:.3f})"


def _with_interval(figure: Mapping[str, Any], key: str) -> str:
    low, high = figure.get(f"{key}_95", (float("nan"),) * 2)
    return f"{figure[key]:.3f} ({low:.2f} to {high:.2f})"
