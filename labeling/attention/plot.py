"""The distribution of attention sizes, as in Figure 4 of AbdomenAtlas-8K."""

import io
from collections.abc import Sequence
from pathlib import Path

from voxcurate.atomic import write_atomic


def plot_distribution(
    path: Path, scores: Sequence[float], chosen: Sequence[bool], unit: str
) -> None:
    """A point per case, the largest score first; those chosen for review are red.

    Args:
        path: a PNG.
        scores: of the cases, in falling order.
        chosen: whether each is above the cut.
        unit: of the scores, for the axis.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = range(1, len(scores) + 1)
    for is_chosen, colour, name in ((False, "0.45", "the rest"), (True, "tab:red", "for review")):
        points = [(x, y) for x, y, c in zip(places, scores, chosen, strict=True) if c == is_chosen]
        if points:
            x, y = zip(*points, strict=True)
            label = f"{name}: {len(points)}"
            axes.scatter(x, y, s=10, color=colour, label=label, linewidths=0, zorder=3)
    if any(chosen) and not all(chosen):
        last = max(n for n, c in enumerate(chosen) if c)
        axes.axvline(last + 1.5, color="tab:red", linewidth=0.8, linestyle="--")
    axes.set_xlabel("case, by falling attention")
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.legend(frameon=False, loc="upper right")
    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "voxcurate"}):
        figure.savefig(stream, format="png", metadata={"Software": None})
    write_atomic(path, [stream.getvalue()])
