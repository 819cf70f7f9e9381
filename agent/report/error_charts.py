"""Charts of label errors: kinds by round, classes by round."""

from collections.abc import Mapping, Sequence
from typing import Literal

from agent.report.charts import BLUE, GREEN, GREY, ORANGE, PINK, drawing, svg
from labeling.errors.rates import Rate

SHOWN = 4  # rounds that a chart of kinds tells apart, the last ones
STYLES = ((BLUE, "o", 7.0), (ORANGE, "D", 5.0), (GREEN, "s", 5.0), (PINK, "^", 5.5))
COLUMNS = 4
By = Mapping[int, Rate]  # round to rate


def kinds_by_round(name: str, panels: Mapping[str, Sequence[tuple[str, By]]]) -> str:
    """A panel for each scope, a line for each kind, a dot with its interval for each round; the
    last round is filled and on top."""
    n_lines = sum(max(1, len(lines)) for lines in panels.values())
    rounds = sorted({n for lines in panels.values() for _, by in lines for n in by})[-SHOWN:]
    heights = [max(1, len(lines)) + 1.6 for lines in panels.values()]
    each = 0.22 + 0.11 * len(rounds)
    with drawing(8.4, 0.8 + each * (n_lines + 1.6 * len(panels))) as figure:
        drawn = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (title, lines) in zip(drawn, panels.items(), strict=True):
            for place, number in enumerate(reversed(rounds)):
                colour, marker, size = STYLES[place]
                shift = (len(rounds) - 1) / 2 - place
                step = 0.62 / max(1, len(rounds))
                rows = [(y, by[number]) for y, (_, by) in enumerate(lines) if number in by]
                for y, rate in rows:
                    if rate.low is not None and rate.high is not None:
                        ends, at = [rate.low, rate.high], y + shift * step
                        axes.plot(ends, [at] * 2, color=colour, linewidth=1.5, zorder=2)
                values = [rate.value or 0.0 for _, rate in rows]
                axes.plot(
                    values, [y + shift * step for y, _ in rows], linestyle="none", marker=marker,
                    markersize=size, color=colour, zorder=3,
                    markerfacecolor=colour if place == 0 else "none", markeredgewidth=1.4,
                    label=f"round {number}",
                )  # fmt: skip
            axes.set_yticks(range(len(lines)), [label for label, _ in lines])
            axes.set_ylim(len(lines) - 0.4, -0.6)
            right = axes.get_xlim()[1]
            axes.set_xlim(-0.012 * right, right)
            axes.set_title(title, fontsize=10, loc="left")
            axes.grid(axis="x", color=GREY, alpha=0.25)
            for y in range(1, len(lines)):
                axes.axhline(y - 0.5, color=GREY, alpha=0.15, linewidth=0.6)
        drawn[-1].set_xlabel("labels with an error per 1,000 looked at (lines: 95 % interval)")
        handles, names = drawn[0].get_legend_handles_labels()
        if len(handles) > 1:
            figure.legend(handles, names, loc="outside upper right", ncols=len(handles), fontsize=9)
        return svg(figure, name)


def classes_by_round(
    name: str, panels: Mapping[str, Mapping[str, By]], rounds: Sequence[int]
) -> str:
    """A small panel for each class: the rate of its labels by round, by who drew them."""
    columns = min(COLUMNS, len(panels))
    n_rows = -(-len(panels) // columns)
    styles: Mapping[str, tuple[str, str, Literal["-", "--"], float]] = {
        "people": (BLUE, "o", "-", -0.06),
        "machines": (ORANGE, "D", "--", 0.06),
    }
    with drawing(8.4, 0.6 + 1.65 * n_rows) as figure:
        drawn = figure.subplots(n_rows, columns, squeeze=False, sharey=True, sharex=True).ravel()
        for axes, (title, by_origin) in zip(drawn, panels.items(), strict=False):
            for origin, (colour, marker, line, shift) in styles.items():
                found = [(n, r) for n, r in by_origin.get(origin, {}).items() if r.labels]
                for number, rate in found:
                    axes.plot(
                        [number + shift] * 2, [rate.low or 0.0, rate.high or 0.0],
                        color=colour, linewidth=1.1, alpha=0.7,
                    )  # fmt: skip
                axes.plot(
                    [n + shift for n, _ in found], [r.value or 0.0 for _, r in found],
                    color=colour, marker=marker, linestyle=line, linewidth=1.4, markersize=5,
                    markerfacecolor=colour if origin == "people" else "none",
                )  # fmt: skip
            axes.set_title(title, fontsize=9.5)
            axes.set_xticks(list(rounds), [str(n) for n in rounds])
            axes.set_xlim(min(rounds) - 0.4, max(rounds) + 0.4)
            axes.grid(axis="y", color=GREY, alpha=0.25)
        top = drawn[0].get_ylim()[1]
        drawn[0].set_ylim(-0.04 * top, top)  # of all: points at 0 are seen whole
        for axes in drawn[len(panels) :]:
            axes.set_visible(False)
        for row in range(n_rows):
            drawn[row * columns].set_ylabel("per 1,000")
        from matplotlib.lines import Line2D

        keys = [
            Line2D(
                [], [], color=colour, marker=marker, linestyle=line,
                markerfacecolor=colour if origin == "people" else "none",
                label=f"labels drawn by {origin}",
            )
            for origin, (colour, marker, line, _) in styles.items()
        ]  # fmt: skip
        figure.legend(handles=keys, loc="outside upper center", ncols=2, fontsize=9)
        figure.supxlabel("round", fontsize=10)
        return svg(figure, name)
