"""Charts as inline SVG that takes the page's text colour, so that it reads in light, dark, print.

Colours are Okabe and Ito's, which colour-blind people can tell apart; what matters also differs in
shape, hatch or label.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"  # stands for the page's text colour and is replaced by it
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, GREY, YELLOW = "#56B4E9", "#D55E00", "#8A8A8A", "#B8A500"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY)
MARKERS = "osD^vPX*"
NOISY_POINTS = 30  # a longer curve is drawn pale, with its running mean over it
FEWEST_FOR_BOX = 4  # points; fewer have no quartiles to speak of
MANY_POINTS = 3000  # more are drawn as pixels, or the page grows by megabytes
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "voxcurate",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
}


@contextmanager
def drawing(width: float, height: float) -> Iterator["Figure"]:
    """A figure of so many inches, in the report's style; draw on it, then call `svg` inside."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def svg(figure: "Figure", name: str) -> str:
    """The figure as SVG text for a page; `name` (unique on the page) keeps its ids apart."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{name}-\1"', text)
    return re.sub(r'<svg ([^>]*?)height="[^"]*" ([^>]*?)width="[^"]*"', r"<svg \1\2", text, count=1)


def bars(
    name: str,
    rows: Sequence[tuple[str, Mapping[str, float]]],
    parts: Mapping[str, tuple[str, str]],
    *,
    unit: str,
    show_total: bool = True,
    width: float = 8.0,
) -> str:
    """Horizontal stacked bars, first row on top.

    Args:
        rows: (label, part -> length).
        parts: part -> (colour, hatch), in stacking order.
        unit: of the axis.
        show_total: write each bar's total at its end.
    """
    with drawing(width, 0.9 + 0.34 * len(rows) + (0.3 if len(parts) > 1 else 0)) as figure:
        axes = figure.subplots()
        left = [0.0] * len(rows)
        for part, (colour, hatch) in parts.items():
            lengths = [row[1].get(part, 0.0) for row in rows]
            axes.barh(
                range(len(rows)),
                lengths,
                left=left,
                height=0.72,
                color=colour,
                hatch=hatch,
                edgecolor="white" if hatch else "none",
                linewidth=0,
                label=part,
            )
            left = [a + b for a, b in zip(left, lengths, strict=True)]
        if show_total:
            for y, total in enumerate(left):
                axes.annotate(
                    f"{total:,.0f}" if total >= 1000 else f"{total:.4g}",
                    (total, y),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                )
        axes.set_yticks(range(len(rows)), [label for label, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(unit)
        axes.margins(x=0.08)
        if len(parts) > 1:
            figure.legend(loc="outside upper center", ncols=min(len(parts), 7), fontsize=9)
        return svg(figure, name)


def sorted_scatter(
    name: str,
    groups: Mapping[str, Sequence[float]],
    cut: float | None,
    *,
    unit: str,
    cut_name: str,
) -> str:
    """Sizes in falling order, one panel per group, those at or above `cut` marked.

    The form of AbdomenAtlas-8K's figure 4 (arXiv:2305.09666); its panels are data sets.
    """
    n_rows = -(-len(groups) // 3)
    with drawing(8.4, 0.8 + 2.2 * n_rows) as figure:
        panels = figure.subplots(n_rows, min(3, len(groups)), squeeze=False, sharey=True).ravel()
        for axes, (group, sizes) in zip(panels, groups.items(), strict=False):
            ordered = sorted(sizes, reverse=True)
            n_above = sum(1 for v in ordered if cut is not None and v >= cut)
            ranks = range(1, len(ordered) + 1)
            kind: dict[str, Any] = {"s": 16, "rasterized": len(ordered) > MANY_POINTS}
            axes.scatter(ranks[n_above:], ordered[n_above:], color=BLUE, marker="o", **kind)
            axes.scatter(ranks[:n_above], ordered[:n_above], color=RED, marker="^", **kind)
            if cut is not None:
                axes.axhline(cut, color=RED, linewidth=0.9, linestyle="--")
            axes.set_title(f"{group} ({n_above} of {len(ordered)} above)", fontsize=9.5)
            axes.set_xlabel("rank of the scan")
            axes.grid(axis="y", color=GREY, alpha=0.25)
            _whole_ticks(axes)
        for axes in panels[len(groups) :]:
            axes.set_visible(False)
        for row in range(n_rows):
            panels[row * min(3, len(groups))].set_ylabel(unit)
        if cut is not None:
            figure.suptitle(f"triangles: {cut_name}", fontsize=9.5)
        return svg(figure, name)


Estimate = tuple[float, float | None, float | None]  # mean, low, high


def dots(
    name: str,
    panels: Mapping[str, Sequence[tuple[str, Estimate | None, Estimate | None]]],
    *,
    labels: tuple[str, str],
) -> str:
    """Dot plot: a panel per measure, a line per class, now (filled) and before (hollow)."""
    n_lines = max(len(lines) for lines in panels.values())
    with drawing(8.4, 1.2 + 0.42 * n_lines) as figure:
        drawn = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axes, (title, lines) in zip(drawn, panels.items(), strict=True):
            styles = ((1, 0.13, BLUE, "o", BLUE), (2, -0.17, GREY, "D", "none"))
            for which, shift, colour, marker, face in styles:
                first = True
                for y, line in enumerate(lines):
                    estimate = line[which]
                    if not isinstance(estimate, tuple):
                        continue
                    mean, low, high = estimate
                    if low is not None and high is not None:
                        axes.plot([low, high], [y - shift] * 2, color=colour, linewidth=1.6)
                    axes.plot(
                        [mean],
                        [y - shift],
                        marker=marker,
                        color=colour,
                        markerfacecolor=face,
                        linestyle="none",
                        label=labels[which - 1] if first else None,
                    )
                    first = False
            axes.set_title(title, fontsize=10)
            axes.set_yticks(range(len(lines)), [line[0] for line in lines])
            axes.set_ylim(len(lines) - 0.5, -0.5)
            axes.set_xlim(right=1.0)
            axes.grid(color=GREY, alpha=0.25)
        handles, names = drawn[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=2, fontsize=9)
        return svg(figure, name)


def strips(
    name: str,
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, bool]]]],
    groups: Sequence[str],
    *,
    unit: str,
) -> str:
    """One small panel per class: a column of points per group, with median and quartiles where
    there are four points or more; outliers (True) are crosses."""
    from statistics import quantiles

    columns = min(4, len(panels))
    n_rows = -(-len(panels) // columns)
    with drawing(8.4, 0.7 + 1.9 * n_rows) as figure:
        drawn = figure.subplots(n_rows, columns, squeeze=False).ravel()
        for axes, (title, by_group) in zip(drawn, panels.items(), strict=False):
            for x, group in enumerate(groups):
                points = by_group.get(group, ())
                if len(points) >= FEWEST_FOR_BOX:
                    low, middle, high = quantiles([v for v, _ in points], method="inclusive")
                    axes.fill_between([x - 0.38, x + 0.38], low, high, color=GREY, alpha=0.22, lw=0)
                    axes.hlines(middle, x - 0.38, x + 0.38, color=GREY, linewidth=1.4)
                for odd, marker, colour in ((False, ".", CYCLE[x % len(CYCLE)]), (True, "x", RED)):
                    chosen = [(i, v) for i, (v, is_odd) in enumerate(points) if is_odd is odd]
                    # a fixed spread by rank, not a random jitter: the same page every time
                    axes.scatter(
                        [x + ((i * 7) % 11 - 5) * 0.05 for i, _ in chosen],
                        [v for _, v in chosen],
                        marker=marker,
                        color=colour,
                        s=34,
                        linewidths=1.2 if odd else 0,
                        rasterized=len(points) > MANY_POINTS,
                    )
            axes.set_title(title, fontsize=9.5)
            axes.set_xlim(-0.5, len(groups) - 0.5)
            axes.set_xticks(range(len(groups)), [str(i + 1) for i in range(len(groups))])
            axes.set_ylim(bottom=0)
            axes.grid(axis="y", color=GREY, alpha=0.25)
        for axes in drawn[len(panels) :]:
            axes.set_visible(False)
        for row in range(n_rows):
            drawn[row * columns].set_ylabel(unit)
        key = ", ".join(f"{i + 1} {group}" for i, group in enumerate(groups))
        figure.supxlabel(
            f"source: {key}; bars: median and quartiles; crosses: outliers", fontsize=9
        )
        return svg(figure, name)


def curves(name: str, models: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> str:
    """Training curves: a row per quantity (loss, lr, ...), a line per model, over steps."""
    quantities = list(dict.fromkeys(q for curve in models.values() for q in curve))
    with drawing(8.4, 0.9 + 2.0 * len(quantities)) as figure:
        drawn = figure.subplots(len(quantities), 1, squeeze=False, sharex=True).ravel()
        for axes, quantity in zip(drawn, quantities, strict=True):
            for i, (model, curve) in enumerate(models.items()):
                points = curve.get(quantity, ())
                steps, values = [x for x, _ in points], [y for _, y in points]
                if len(points) >= NOISY_POINTS and quantity != "lr":
                    axes.plot(steps, values, color=CYCLE[i % len(CYCLE)], alpha=0.25, linewidth=0.8)
                    values = running_mean(values)
                axes.plot(
                    steps,
                    values,
                    color=CYCLE[i % len(CYCLE)],
                    linestyle=("-", "--", ":", "-.")[i // len(CYCLE) % 4],
                    marker=MARKERS[i % len(MARKERS)],
                    markersize=3.5,
                    markevery=max(1, len(points) // 12),
                    linewidth=1.2,
                    label=model,
                )
            axes.set_ylabel({"lr": "learning rate"}.get(quantity, quantity))
            axes.grid(color=GREY, alpha=0.25)
        drawn[-1].set_xlabel("training step")
        handles, names = drawn[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=3, fontsize=9)
        return svg(figure, name)


def running_mean(values: Sequence[float]) -> list[float]:
    """Mean over a window of a twelfth of the curve, centred, narrower at the ends."""
    half = max(1, len(values) // 24)
    windows = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def _whole_ticks(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
