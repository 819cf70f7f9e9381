"""Volumes of the labels that count: by class and source, with medians, quartiles and outliers."""

import math
from collections import defaultdict
from collections.abc import Mapping

from agent.report import charts
from agent.report.annotation import origin_of
from agent.report.blocks import Block, Chart, Section, Table, ml
from agent.report.statistics import outliers
from agent.report.view import Key, RoundView
from labeling.statistics.figures import Quartiles, volume_quartiles
from labeling.statistics.label_volumes import counting_volumes
from voxcurate.catalog import Label

MOST_OUTLIERS = 20
MOST_SOURCES = 5  # more do not fit beside each other
ALL = "all sources"
COLUMNS = ("labels", "absent", "1st quartile", "median", "3rd quartile")


def volumes(view: RoundView) -> Section:
    """Organ volumes of the current labels by source; outliers are named."""
    title = "Organ volumes"
    sources = sorted({scan.source for scan in view.used})
    panels: dict[str, dict[str, list[tuple[float, bool]]]] = {}
    odd: list[tuple[float, Key, Label, float]] = []
    for class_id in view.classes:
        found = [view.current(scan.case_id, class_id) for scan in view.used]
        present = [x for x in found if x is not None and x.ml > 0 and not x.known_path]
        if not present:
            continue
        marks = outliers([label.ml for label in present])
        middle = sorted(label.ml for label in present)[len(present) // 2]
        by_source: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        for label, mark in zip(present, marks, strict=True):
            by_source[view.scans[label.case_id].source].append((label.ml, bool(mark)))
            if mark:
                ratio = abs(math.log(label.ml / middle))
                odd.append((ratio, (label.case_id, class_id), label, middle))
        panels[view.class_name(class_id)] = by_source
    if not panels:
        return Section("volumes", title, empty="No current label has voxels.")
    picture = charts.strips("volumes", panels, sources, unit="mL")
    alt = f"Volumes in mL of {len(panels)} classes in {len(sources)} sources; {len(odd)} outliers"
    odd.sort(key=lambda o: (-o[0], o[1]))
    rows = [
        (view.class_name(key[1]), key[0], ml(label.ml), ml(middle), origin_of(label))
        for _, key, label, middle in odd[:MOST_OUTLIERS]
    ]
    head = ("class", "case", "volume (mL)", "median (mL)", "label")
    note = "Outlier: modified z of the logarithm above 3.5 within the class; five labels needed."
    if not rows:
        note = "No outliers. " + note
    return Section(
        "volumes",
        title,
        [
            Chart(picture, alt),
            *quartile_tables(view),
            Table(head, rows, "Outliers", frozenset({2, 3}), note),
        ],
    )


def quartile_tables(view: RoundView) -> list[Block]:
    """Median and quartiles per class and source, and folded the same by why a label counts."""
    rows = list(counting_volumes(view.ctx, view.number))
    if not rows:
        return []
    by_source = volume_quartiles(rows, "class_id", "source")
    whole = volume_quartiles(rows, "class_id")
    classes = [c for c in view.classes if (c,) in whole]
    sources = sorted({source for _, source in by_source})
    found = {(c, s): q for (c, s), q in by_source.items()} | {
        (c, ALL): q for (c,), q in whole.items()
    }
    shown = [*sources, ALL] if len(sources) > 1 else sources
    title = "Median (1st to 3rd quartile) in mL, and labels"
    note = (
        "Of labels with voxels that speak of their whole scan. A scan that shows an organ in part "
        "counts with that part." + _left_out(whole)
    )
    if len(shown) <= MOST_SOURCES + 1:
        cells = [[view.class_name(c), *(_cell(found.get((c, s))) for s in shown)] for c in classes]
        table = Table(["class", *shown], cells, title, frozenset(range(1, len(shown) + 1)), note)
    else:
        lines = [
            [view.class_name(c), s, *_cells(found[c, s])]
            for c in classes
            for s in shown
            if (c, s) in found
        ]
        table = Table(("class", "source", *COLUMNS), lines, title, frozenset(range(2, 7)), note)
    by_trust = volume_quartiles(rows, "class_id", "source", "trust")
    order = {c: i for i, c in enumerate(classes)}
    listed = sorted((order[c], s, t, q) for (c, s, t), q in by_trust.items() if c in order)
    fine = [[view.class_name(classes[i]), s, t, *_cells(q)] for i, s, t, q in listed]
    head = ("class", "source", "label", *COLUMNS)
    folded = Table(
        head, fine, "The same by why the label counts", frozenset(range(3, 8)), is_folded=True
    )
    return [table, folded]


def _cells(found: Quartiles) -> list[str | int]:
    values = (found.low, found.median, found.high)
    return [found.n, found.absent, *("–" if v is None else ml(v) for v in values)]


def _cell(found: Quartiles | None) -> str:
    if found is None or found.median is None or found.low is None or found.high is None:
        return "–"
    return f"{ml(found.median)} ({ml(found.low)} to {ml(found.high)}), {found.n}"


def _left_out(whole: Mapping[tuple[str, ...], Quartiles]) -> str:
    absent = sum(found.absent for found in whole.values())
    partial = sum(found.partial for found in whole.values())
    said = [f"labels that say that the structure is absent ({absent})"] if absent else []
    said += [f"labels that speak of a part of their scan only ({partial})"] if partial else []
    return f" Left out: {', '.join(said)}." if said else ""
