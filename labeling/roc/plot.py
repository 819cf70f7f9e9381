"""The curves as a picture: ROC, free response, and people's time over the threshold."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labeling.roc.analysis import Analysis
from labeling.roc.sweep import minutes_of
from voxcurate.atomic import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "0.45"


def plot_analysis(path: Path, found: Analysis, title: str) -> None:
    """Three panels side by side, as a PNG.

    Args:
        path: of the picture.
        found: what is drawn; curves that cannot be told are named in their panel.
        title: what the lesion is called.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.6, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    draw_analysis(figure, found)
    figure.suptitle(title, fontsize=11)
    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "voxcurate"}):
        figure.savefig(stream, format="png", metadata={"Software": None})
    write_atomic(path, [stream.getvalue()])


def draw_analysis(figure: "Figure", found: Analysis) -> None:
    """Draw the three panels on a figure."""
    one, two, three = figure.subplots(1, 3)
    _roc(one, found)
    _froc(two, found)
    _time(three, found)
    for axes in (one, two, three):
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)


def _roc(axes: "Axes", found: Analysis) -> None:
    s = found.sweep
    axes.set_xlabel("patients without a lesion that are flagged")
    axes.set_ylabel("patients with a lesion that are flagged")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
    if np.isnan(s.auc):
        missing = "with" if not s.n_positive else "without"
        _say(axes, f"no ROC: no patient {missing} a lesion")
        axes.set_title("ROC, per patient", fontsize=10)
        return
    if found.intervals.roc is not None:
        rates, low, high = found.intervals.roc
        axes.fill_between(rates, low, high, step="post", color=BLUE, alpha=0.16, linewidth=0)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, linestyle=":")
    x, y = s.roc
    axes.plot(x[-2:], y[-2:], color=BLUE, linewidth=1.2, linestyle="--")  # no candidate there
    axes.plot(x[:-1], y[:-1], color=BLUE, linewidth=1.5)
    _mark(axes, found, s.false_patients, s.patient_sensitivity)
    span = found.intervals.values.get("auc")
    text = "" if span is None else f" ({span[0]:.3f} to {span[1]:.3f})"
    axes.set_title(f"ROC, per patient: area {s.auc:.3f}{text}", fontsize=10)


def _froc(axes: "Axes", found: Analysis) -> None:
    s = found.sweep
    axes.set_title("free response, per lesion", fontsize=10)
    axes.set_xlabel("false positives per scan")
    axes.set_ylabel("lesions found")
    axes.set_ylim(-0.02, 1.04)
    if not s.n_lesions:
        _say(axes, "no curve: no lesion")
        return
    if found.intervals.froc is not None:
        x, low, high = found.intervals.froc
        axes.fill_between(x, low, high, step="post", color=BLUE, alpha=0.16, linewidth=0)
    rate = s.false_per_scan
    axes.step(rate, s.sensitivity, where="post", color=BLUE, linewidth=1.5, label="all")
    if s.removed.any():
        axes.step(
            s.left_per_scan, s.sensitivity, where="post", color=GREEN, linewidth=1.2,
            linestyle="--", label="left to people after the reports",
        )  # fmt: skip
    axes.axhline(found.config.sensitivity, color=GREY, linewidth=0.7, linestyle=":")
    _mark(axes, found, rate, s.sensitivity)
    axes.legend(frameon=False, loc="lower right", fontsize=8.5)


def _time(axes: "Axes", found: Analysis) -> None:
    s = found.sweep
    axes.set_title("people's time", fontsize=10)
    axes.set_xlabel("threshold")
    axes.set_ylabel("minutes per scan")
    if not s.n_scans or s.thresholds.size < 2:
        _say(axes, "no candidates" if s.n_scans else "no scans")
        return
    low, high = (values[1:] / s.n_scans for values in minutes_of(s, found.config))
    x = s.thresholds[1:]  # falling: what holds at one holds down to the next
    if s.n_lesions:
        mean = sum(found.config.minutes_per_missed) / 2 * s.n_lesions / s.n_scans
        axes.axhline(mean, color=GREY, linewidth=0.8, linestyle="--", label="all drawn by hand")
    axes.fill_between(x, low, high, step="post", color=ORANGE, alpha=0.25, linewidth=0)
    axes.step(
        x, (low + high) / 2, where="post", color=ORANGE, linewidth=1.4, label="drawn + erased"
    )
    points: Sequence[tuple[int | None, str, str]] = (
        (found.operating, "o", f"{found.config.sensitivity:.0%} wanted"),
        (found.cheapest, "s", "least time"),
    )
    for index, marker, name in points:
        if index:
            y = (low + high)[index - 1] / 2
            axes.plot(
                [s.thresholds[index]], [y], marker, color=ORANGE, markerfacecolor="none", label=name
            )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="best", fontsize=8.5)


def _mark(axes: "Axes", found: Analysis, x: Any, y: Any) -> None:
    if found.operating is not None:
        at = found.operating
        axes.plot([x[at]], [y[at]], "o", color=ORANGE, zorder=4)
        axes.annotate(
            f"{found.threshold:.3f}", (x[at], y[at]), (6, -12), textcoords="offset points",
            color=ORANGE, fontsize=9,
        )  # fmt: skip


def _say(axes: "Axes", words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, color=GREY)
