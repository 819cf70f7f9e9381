"""Pictures: a tumour's contact with vessels, confusion of subtypes, readers on the model's ROC."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.staging.confusion import Confusion
from training.staging.contact import Contact
from training.staging.readers import Standing, Study
from training.staging.stage import Staging
from training.staging.subtypes import NONE
from voxcurate.atomic import write_atomic
from voxcurate.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "0.45"
COLOURS = ("#009e73", "#d55e00", "#cc79a7", "#e69f00", "#56b4e9")  # by group, as shapes are
SHAPES = ("o", "s", "^", "D", "v")
WINDOW_HU = (-160.0, 240.0)
HALF_MM = 18.0


def plot_staging(path: Path, found: Staging, title: str, scan: Volume | None = None) -> bool:
    """Of each vessel in contact the section with the largest contact, and the degrees along it.

    Args:
        path: of the PNG.
        found: what was measured.
        title: the case.
        scan: drawn behind the sections.

    Returns:
        False where no vessel has a section to show: there is no picture then.
    """
    shown = [c for c in found.contacts if c.section is not None and c.degrees]
    if not shown:
        return False
    figure = _figure(3.6 * len(shown), 6.0)
    grid = figure.subplots(2, len(shown), squeeze=False, height_ratios=(1.35, 1))
    for (top, bottom), contact in zip(grid.T, shown, strict=True):
        _section(top, contact, scan)
        _profile(bottom, contact)
    figure.suptitle(f"{title}: {found.label}, {found.size_mm:.0f} mm (research only)", fontsize=10)
    _save(path, figure)
    return True


def plot_confusion(path: Path, found: Confusion, title: str) -> None:
    """Truth by rows, calls by columns; shades by share of the row."""
    n = len(found.classes)
    figure = _figure(2.4 + 1.0 * (n + 1), 1.7 + 0.75 * n)
    axes = figure.subplots()
    rows = found.counts.sum(axis=1, keepdims=True)
    share = np.where(rows > 0, found.counts / np.maximum(rows, 1), 0.0)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (i, j), count in np.ndenumerate(found.counts):
        colour = "white" if share[i, j] > 0.6 else "black"
        axes.text(j, i, str(count), ha="center", va="center", color=colour)
    names = [_short(c) for c in (*found.classes, NONE)]
    axes.set_xticks(range(n + 1), names, rotation=20, ha="right")
    axes.set_yticks(range(n), names[:-1])
    axes.set_xlabel("called")
    axes.set_ylabel("truth")
    axes.set_title(title, fontsize=10, loc="left")
    _save(path, figure)


def plot_readers(path: Path, study: Study, title: str) -> None:
    """Readers and groups on the model's ROC, by case."""
    figure = _figure(6.0, 5.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color=GREY, linewidth=0.8)
    if study.roc is not None and study.auc is not None:
        span = "" if study.auc.low is None else f" [{study.auc.low:.2f} to {study.auc.high:.2f}]"
        axes.plot(
            *study.roc, color=BLUE, linewidth=1.6, label=f"model, area {study.auc.mean:.2f}{span}"
        )
    if study.model is not None and (place := _place(study.model)) is not None:
        axes.plot(*place, "*", color=BLUE, markersize=13, label="model as it calls", zorder=5)
    groups = [g for g in study.groups if any(r.group == g.name for r in study.readers)]
    for n, group in enumerate(groups):
        colour, shape = COLOURS[n % len(COLOURS)], SHAPES[n % len(SHAPES)]
        for reader in study.readers:
            point = _place(reader)
            if reader.group == group.name and point is not None:
                axes.plot(*point, shape, color=colour, markersize=5, alpha=0.45, linewidth=0)
        _group(axes, group, colour, shape)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel("sensitivity")
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", fontsize=8.5)
    _save(path, figure)


def _group(axes: "Axes", group: Standing, colour: str, shape: str) -> None:
    point = _place(group)
    if point is None:
        return
    yes, no = group.figures["sensitivity"], group.figures["specificity"]
    assert yes is not None
    assert no is not None
    bars: dict[str, Any] = {}
    if None not in (yes.low, yes.high, no.low, no.high):
        bars = {
            "yerr": [[max(0.0, yes.mean - yes.low)], [max(0.0, yes.high - yes.mean)]],  # type: ignore[operator]
            "xerr": [[max(0.0, no.high - no.mean)], [max(0.0, no.mean - no.low)]],  # type: ignore[operator]
        }
    axes.errorbar(
        [point[0]], [point[1]], fmt=shape, color=colour, markersize=9, markeredgecolor="black",
        elinewidth=1, label=f"{group.name}, mean of {group.n_readers}", zorder=4, **bars,
    )  # fmt: skip


def _place(standing: Standing) -> tuple[float, float] | None:
    yes, no = standing.figures["sensitivity"], standing.figures["specificity"]
    return None if yes is None or no is None else (1 - no.mean, yes.mean)


def _section(axes: "Axes", contact: Contact, scan: Volume | None) -> None:
    s = contact.section
    assert s is not None
    if scan is not None:
        half, step = HALF_MM, 0.5
        ticks = np.arange(-half, half + step / 2, step)
        places = s.centre + ticks[:, None, None] * s.axes[0] + ticks[None, :, None] * s.axes[1]
        axes.imshow(
            _sampled(scan, places).T, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1],
            origin="lower", extent=(-half, half, -half, half),
        )  # fmt: skip
    for n, line in enumerate(s.around):
        label = "tumour" if n == 0 else None
        axes.plot(line[:, 0], line[:, 1], color=ORANGE, linewidth=1.3, label=label)
    axes.plot(s.wall[:, 0], s.wall[:, 1], color=BLUE, linewidth=1.2, label="vessel's wall")
    pieces = np.stack([s.wall[:-1], s.wall[1:]], axis=1)[s.touched]
    for n, piece in enumerate(pieces):
        label = "in contact" if n == 0 else None
        axes.plot(
            piece[:, 0], piece[:, 1], color=GREEN, linewidth=4, solid_capstyle="butt", label=label
        )
    axes.set_xlim(-HALF_MM, HALF_MM)
    axes.set_ylim(-HALF_MM, HALF_MM)
    axes.set_aspect("equal")
    axes.set_xlabel("mm", fontsize=8)
    bound = "at least " if contact.state == "at least" else ""
    axes.set_title(f"{contact.name}: {bound}{contact.degrees:.0f} degrees", fontsize=10)
    axes.legend(frameon=scan is not None, loc="upper left", fontsize=7)


def _profile(axes: "Axes", contact: Contact) -> None:
    start = 0.0
    for line in contact.profile:
        if line:
            x, y = np.array(line).T
            axes.plot(x + start, y, color=BLUE, linewidth=1.2)
            start += float(x[-1]) + 4.0
    axes.axhline(180, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_ylim(-5, 365)
    axes.set_yticks([0, 90, 180, 270, 360])
    axes.set_xlabel("along the vessel, mm", fontsize=8)
    axes.set_ylabel("degrees", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _sampled(scan: Volume, places: Any) -> Any:
    from scipy.ndimage import map_coordinates

    back = np.linalg.inv(scan.affine)
    index = np.moveaxis(places @ back[:3, :3].T + back[:3, 3], -1, 0)
    return map_coordinates(
        scan.array, index, order=1, output=np.float32, cval=-1000, prefilter=False
    )


def _short(name: str) -> str:
    return name.removeprefix("pancreatic_").replace("_", " ")


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(path: Path, figure: "Figure") -> None:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    write_atomic(path, [stream.getvalue()])
