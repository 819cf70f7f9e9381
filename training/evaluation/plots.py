"""Pictures of an evaluation: DSC per class, free response, reliability, subgroups.

Colours are those of Okabe and Ito, told apart by colour-blind people too; shapes differ as well.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxcurate.atomic import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, LIGHT = "0.45", "0.9"
MOST_POINTS = 250  # of a class in the strip; more are thinned evenly
MOST_GROUPS = 40
Values = Mapping[str, Mapping[str, Mapping[str, float]]]  # model -> class -> case -> value
Names = Mapping[str, str]  # class -> what it is called


def plot_scores(path: Path, values: Values, names: Names, title: str) -> bool:
    """DSC of each class: a box of the quartiles, a point per case. Classes by falling median.

    Returns:
        False without any value: there is no picture then.
    """
    classes = {c: [v for model in values.values() for v in model.get(c, {}).values()]
               for c in {c for model in values.values() for c in model}}  # fmt: skip
    order = sorted(
        (c for c, v in classes.items() if v), key=lambda c: -float(np.median(classes[c]))
    )
    if not order:
        return False
    models = [m for m in values if any(values[m].values())]
    step = 0.8 / len(models)
    height = 1.1 + len(order) * max(0.34, 0.2 * len(models))
    figure = _figure(8.4, height + (0.35 if len(models) > 1 else 0))
    axes = figure.subplots()
    for m, model in enumerate(models):
        colour = COLOURS[m % len(COLOURS)]
        for row, class_id in enumerate(order):
            own = np.sort(list(values[model].get(class_id, {}).values()))
            if own.size:
                y = row - 0.4 + step * (m + 0.5)
                _box(axes, own, y, 0.62 * step, colour, MARKERS[m % len(MARKERS)])
        axes.plot([], [], MARKERS[m % len(MARKERS)], color=colour, label=model)
    axes.set_yticks(range(len(order)), [_label(names, c, classes, len(models)) for c in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("DSC")
    axes.set_title(title, fontsize=11, loc="left")
    _tidy(axes, "x")
    if len(models) > 1:
        figure.legend(loc="outside lower center", ncols=min(4, len(models)), frameon=False)
    _save(path, figure)
    return True


def plot_froc(path: Path, curves: Mapping[str, Mapping[str, Any]], title: str) -> bool:
    """Free-response curves of one lesion class, one per model, with the band of the first."""
    told = {name: found for name, found in curves.items() if found}
    if not told:
        return False
    figure = _figure(6.4, 4.6)
    axes = figure.subplots()
    for n, (name, found) in enumerate(told.items()):
        colour = COLOURS[n % len(COLOURS)]
        x = np.asarray(found["curve"]["false_per_scan"])
        y = np.asarray(found["curve"]["sensitivity"])
        low, high = found["interval"]
        span = "" if low is None else f" ({low:.2f} to {high:.2f})"
        text = f"{name}: mean {found['mean']:.3f}{span}"
        if found["is_hard"]:
            axes.plot(
                x[-1:], y[-1:], MARKERS[n % len(MARKERS)], color=colour, label=f"{name}: masks"
            )
            continue
        band = found["band"]
        if band and n == 0:
            axes.fill_between(
                band["false_per_scan"], band["low"], band["high"], step="post",
                color=colour, alpha=0.16, linewidth=0,
            )  # fmt: skip
        axes.step(x, y, where="post", color=colour, linewidth=1.6, label=text,
                  linestyle=("-", "--", "-.", ":")[n % 4])  # fmt: skip
        axes.plot([x[-1], 8], [y[-1], y[-1]], color=colour, linewidth=0.9, linestyle=":")
        at = [float(rate) for rate in found["sensitivity"]]
        marks = MARKERS[n % len(MARKERS)]
        axes.plot(at, list(found["sensitivity"].values()), marks, color=colour, markersize=4)
    axes.set_xscale("symlog", linthresh=0.125, base=2)
    axes.set_xticks([0, 0.125, 0.25, 0.5, 1, 2, 4, 8], ["0", "1/8", "1/4", "1/2", *"1248"])
    axes.set_xlim(0, 9)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlabel("false positives per scan")
    axes.set_ylabel("lesions found")
    axes.set_title(title, fontsize=11, loc="left")
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    _tidy(axes, "both")
    _save(path, figure)
    return True


def plot_reliability(path: Path, found: Mapping[str, Mapping[str, Any]], names: Names) -> bool:
    """A small panel per class: share of voxels inside against mean probability, with the share of
    the voxels in each bin below."""
    from training.evaluation.calibration import curve

    told = {c: entry for c, entry in found.items() if entry and entry["voxels"]}
    if not told:
        return False
    across = min(4, len(told))
    down = -(-len(told) // across)
    figure = _figure(max(4.4, 2.5 * across + 0.6), 2.65 * down + 0.5)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(told) :]:
        axes.set_visible(False)
    for axes, (class_id, entry) in zip(grid.ravel(), told.items(), strict=False):
        points = curve(entry["bins"])
        x, y, share = (np.array(column) for column in zip(*points, strict=True))
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        axes.bar(x, share, width=0.06, color=COLOURS[5], alpha=0.45, linewidth=0)
        axes.plot(x, y, "-o", color=COLOURS[0], linewidth=1.4, markersize=3.5)
        name = names.get(class_id, class_id)
        axes.set_title(f"{name}\nECE {entry['ece']:.3f}, Brier {entry['brier']:.3f}", fontsize=9)
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_aspect("equal")
        _tidy(axes, "both")
    figure.supxlabel("predicted probability (bars: share of the voxels)", fontsize=10)
    figure.supylabel("share inside the structure", fontsize=10)
    _save(path, figure)
    return True


def plot_subgroups(path: Path, rows: Sequence[Mapping[str, Any]], whole: Any, title: str) -> bool:
    """Forest plot: mean DSC over the classes of each group with its interval; hollow: few."""
    own = [row for row in rows if row["class"] == "" and row["metric"] == "dsc"][:MOST_GROUPS]
    if not own:
        return False
    figure = _figure(7.6, 1.3 + 0.31 * (len(own) + len({row["attribute"] for row in own})))
    axes = figure.subplots()
    ticks: list[tuple[float, str, bool]] = []
    y, last = 0.0, ""
    if whole is not None:
        axes.axvline(whole, color=GREY, linewidth=0.9, linestyle=":", zorder=0)
    for row in own:
        if row["attribute"] != last:
            last = row["attribute"]
            ticks.append((y, last, True))
            y += 1
        low, high = row["interval"]
        if low is not None:
            axes.plot([low, high], [y, y], color=COLOURS[0], linewidth=1.6)
        face = "white" if row["is_few"] else COLOURS[0]
        axes.plot([row["mean"]], [y], "s", color=COLOURS[0], markerfacecolor=face, markersize=6)
        people = f"{row['patients']} patient{'s' if row['patients'] != 1 else ''}"
        ticks.append((y, f"{row['value']}  ({people})", False))
        y += 1
    axes.set_yticks([t[0] for t in ticks], [t[1] for t in ticks])
    for label, (_, _, is_head) in zip(axes.get_yticklabels(), ticks, strict=True):
        label.set_fontweight("bold" if is_head else "normal")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(y - 0.4, -0.6)
    axes.set_xlabel(
        "mean DSC of the classes, with its interval (hollow: few patients; dotted: all)"
    )
    axes.set_title(title, fontsize=11, loc="left")
    _tidy(axes, "x")
    _save(path, figure)
    return True


def _box(axes: "Axes", own: Any, y: float, width: float, colour: str, marker: str) -> None:
    """Quartiles as a box, the median as a line, cases as points beside each other."""
    if own.size > 4:
        low, middle, high = np.percentile(own, [25, 50, 75])
        axes.barh(y, high - low, left=low, height=width, color=colour, alpha=0.18, linewidth=0)
        axes.plot([middle, middle], [y - width / 2, y + width / 2], color=colour, linewidth=2)
    shown = own[np.unique(np.linspace(0, own.size - 1, min(own.size, MOST_POINTS)).astype(int))]
    golden = (np.arange(shown.size) * 0.618034) % 1 - 0.5
    axes.plot(
        shown, y + golden * width * 0.8, marker, color=colour, markersize=3.2, alpha=0.65,
        markeredgewidth=0,
    )  # fmt: skip


def _label(names: Names, class_id: str, values: Mapping[str, list[float]], models: int) -> str:
    n = len(values[class_id])
    return f"{names.get(class_id, class_id)} ({n if models == 1 else round(n / models)})"


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, min(height, 60.0)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes: "Axes", which: Any) -> None:
    axes.grid(axis=which, color=LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _save(path: Path, figure: "Figure") -> None:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    write_atomic(path, [stream.getvalue()])
