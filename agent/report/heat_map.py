"""Triangles of agreement: the mean DSC of every two raters, and the bias of each architecture."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent.report.charts import BLUE, GREY, ORANGE, drawing, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALEST, DARKEST = (0.93, 0.96, 0.99), (0.03, 0.19, 0.42)  # blues; lightness alone tells the value
CELL_IN, GAP_IN = 0.38, 0.2  # inches
WHITE_FROM = 0.65  # darker cells are read better in white
WIDEST_IN, WIDEST_REM = 8.4, 58.0  # a chart of the page's full width
Values = Mapping[tuple[int, int], float]  # (row, column) of raters, row > column -> DSC
Interval = tuple[float, float | None, float | None]  # mean, low, high


def triangles(name: str, panels: Mapping[str, Values], raters: Sequence[str]) -> str:
    """One triangle per panel: the raters from the second on against those before them.

    Args:
        name: unique on the page.
        panels: title to values; a pair that is not there is an empty cell.
        raters: their names, in order.
    """
    n = len(raters) - 1
    side = CELL_IN * n
    longest = 0.2 + 0.07 * max(len(r) for r in raters)
    columns = max(1, min(len(panels), int((WIDEST_IN - longest) // (side + GAP_IN))))
    n_rows = -(-len(panels) // columns)
    every = [v for values in panels.values() for v in values.values()]
    low = min([0.9, *(int(v * 10) / 10 for v in every)])
    width = longest + columns * (side + GAP_IN)
    height = n_rows * (side + 0.35) + longest * 0.75 + 0.2
    with drawing(width, height) as figure:
        drawn = figure.subplots(n_rows, columns, squeeze=False).ravel()
        for i, (axes, (title, values)) in enumerate(zip(drawn, panels.items(), strict=False)):
            _triangle(axes, values, n, low)
            axes.set_title(title, fontsize=9.5, loc="left")
            is_lowest = i >= (n_rows - 1) * columns
            axes.set_xticks(range(n), raters[:-1] if is_lowest else [""] * n, rotation=50)
            axes.set_yticks(range(n), raters[1:] if i % columns == 0 else [""] * n)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor", fontsize=9)
            for label in axes.get_yticklabels():
                label.set(fontsize=9)
        for axes in drawn[len(panels) :]:
            axes.set_visible(False)
        text = svg(figure, name)
    narrow = f'<svg style="max-width:{width * WIDEST_REM / WIDEST_IN:.1f}rem" '
    return text.replace("<svg ", narrow, 1)  # cells of one size, however few


def _triangle(axes: "Axes", values: Values, n: int, low: float) -> None:
    from matplotlib.patches import Rectangle

    for row in range(1, n + 1):
        for column in range(row):
            value = values.get((row, column))
            share = None if value is None else (value - low) / (1 - low)
            corner = (column - 0.48, row - 1 - 0.48)
            face = "none" if share is None else _shade(share)
            edge = GREY if share is None else "none"
            axes.add_patch(
                Rectangle(corner, 0.96, 0.96, facecolor=face, edgecolor=edge, linewidth=0.4)
            )
            if value is not None and share is not None:
                text = f"{value:.2f}" if value < 0.995 else "1.0"
                axes.text(
                    column, row - 1, text.removeprefix("0"), ha="center", va="center", fontsize=9,
                    color="white" if share > WHITE_FROM else "black",
                )  # fmt: skip
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(n - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _shade(share: float) -> tuple[float, float, float]:
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (a + share * (b - a) for a, b in zip(PALEST, DARKEST, strict=True))
    return red, green, blue


def forest(
    name: str,
    rows: Sequence[tuple[str, Interval | None, Interval | None]],
    *,
    labels: tuple[str, str],
    unit: str,
) -> str:
    """Differences with their intervals around zero, two kinds a line: filled and hollow."""
    with drawing(WIDEST_IN, 1.25 + 0.42 * len(rows)) as figure:
        axes = figure.subplots()
        axes.axvline(0, color=GREY, linewidth=0.9)
        styles = ((1, 0.13, BLUE, "o", BLUE), (2, -0.17, ORANGE, "D", "none"))
        for which, shift, colour, marker, face in styles:
            label: str | None = labels[which - 1]
            for y, row in enumerate(rows):
                found = row[which]
                if not isinstance(found, tuple):
                    continue
                mean, low, high = found
                if low is not None and high is not None:
                    axes.plot([low, high], [y - shift] * 2, color=colour, linewidth=1.6)
                axes.plot(
                    [mean], [y - shift], marker=marker, color=colour, markerfacecolor=face,
                    linestyle="none", label=label,
                )  # fmt: skip
                label = None
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(unit)
        axes.grid(axis="x", color=GREY, alpha=0.25)
        axes.margins(x=0.1)
        figure.legend(loc="outside upper center", ncols=2, fontsize=9)
        return svg(figure, name)
