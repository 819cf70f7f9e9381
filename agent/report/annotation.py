"""Sections on the labels: attention, priority, origins, changes, proposals."""

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from agent.report import charts
from agent.report.blocks import Block, Card, Chart, Gallery, Picture, Section, Table, Text, ml
from agent.report.drawing import View
from agent.report.pictures import OTHER, REFERENCE, Album, Drawn, strong_attention
from agent.report.view import RoundView, weight
from labeling.expert.calibration import calibrated
from voxcurate.catalog import Decision, Label, Measure

VIEWS: tuple[View, ...] = ("coronal", "axial")
MOST_PRIORITY = 8
MOST_CHANGES = 10
MOST_WAITING = 12
FLAGS = ("chosen", "is_outlier", "outlier", "selected", "flagged")  # columns of a priority list
UNITS = {
    "share": "attended share of the worst organ",
    "sum": "attention size (mm3)",
    "per-ml": "attention (mm3 per mL of organ)",
    "per-slice": "attention (voxels per slice)",
    "voxels": "attended voxels",
}
ABOUT = {
    "share": "what is shown is the share of strong attention in the scan's worst organ",
    "sum": "its size is the sum over voxels and classes, times a voxel's volume",
    "per-ml": "what is shown is its sum per volume of the organs",
    "per-slice": "what is shown is its sum per slice of the scan",
    "voxels": "what is shown is the number of its voxels",
}
ORIGINS = {  # part of a bar -> colour, hatch
    "gold": (charts.ORANGE, ""),
    "revised or confirmed": (charts.GREEN, ""),
    "original": (charts.BLUE, ""),
    "judged": (charts.PINK, "\\\\"),
    "pseudo": (charts.SKY, ".."),
    "synthetic": (charts.YELLOW, "++"),
    "unknown": ("#DDDDDD", "//"),
}


def ranked_by(view: RoundView) -> str:
    """The score that ranks the round's cases; where it was not measured, the sum."""
    wanted = str(view.config.get("labeling", {}).get("priority", {}).get("score", "sum"))
    known = [m.facts.get("scores", {}) for m in _attention(view) if not m.class_id]
    return wanted if known and all(wanted in scores for scores in known) else "sum"


def case_attention(view: RoundView) -> dict[str, float]:
    """The score that ranks (`ranked_by`) of each case that may be mended (no test case), largest
    first; a sum is in mm3."""
    kind, measures = ranked_by(view), _attention(view)
    whole = {
        m.case_id: float(m.facts.get("scores", {}).get(kind, m.value or 0.0))
        for m in measures
        if not m.class_id
    }
    if not whole:
        sums: dict[str, float] = defaultdict(float)
        for m in measures:
            sums[m.case_id] += m.value or 0.0
        whole = dict(sums)
    return dict(sorted(whole.items(), key=lambda kv: (-kv[1], kv[0])))


def _attention(view: RoundView) -> list[Measure]:
    return [m for m in view.values("detect", "attention_mm3") if m.case_id in view.mendable]


def above_cut(view: RoundView) -> tuple[float | None, str]:
    """The score of the last case that stands out, and the rule in words.

    The flag in ``priority.csv`` if it has one, else the round's rule applied to the measures.
    """
    sizes = case_attention(view)
    chosen = [c for c in _flagged(view) if c in sizes]
    rule = view.config.get("labeling", {}).get("priority", {})
    named = rule.get("rule", "")
    fraction = float(rule.get("fraction", 0.05))
    words = {
        "robust": "robust outliers",
        "budget": f"the first {rule.get('budget')} cases",
    }.get(named, f"the top {fraction:.0%} of the cases")
    if chosen:
        return min(sizes[c] for c in chosen), words
    if named == "top" and sizes:
        last = math.ceil(fraction * len(sizes)) - 1
        return list(sizes.values())[last], words
    return None, ""


def _flagged(view: RoundView) -> list[str]:
    """Cases that the detect stage marked in its list."""
    path = view.folder / "priority.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    found = []
    for row in rows:
        mark = next((row[n] for n in FLAGS if row.get(n)), "")
        if mark.lower() in {"1", "true", "yes"}:
            found.append(row.get("case_id") or row.get("case") or "")
    return [case for case in dict.fromkeys(found) if case]


def attention(view: RoundView) -> Section:
    """Sizes of the attention maps, sorted, by source, with the cut."""
    title = "Attention sizes"
    sizes = case_attention(view)
    if not sizes:
        why = "No attention map was made in this round: it needs predictions of two or more models."
        return Section("attention", title, empty=why)
    cut, rule = above_cut(view)
    groups: dict[str, list[float]] = defaultdict(list)
    for case, size in sizes.items():
        source = view.scans[case].source if case in view.scans else "unknown source"
        groups[source].append(size)
    kind = ranked_by(view)
    name = f"{rule}, from {cut:.4g} on" if cut is not None else ""
    picture = charts.sorted_scatter(
        "attention", dict(sorted(groups.items())), cut, unit=UNITS[kind], cut_name=name
    )
    ordered = list(sizes.values())
    middle = ordered[len(ordered) // 2]
    alt = f"{len(ordered)} scans; largest {ordered[0]:.4g}, median {middle:.4g}; {name}"
    about = (
        "Each point is a scan. Attention is high where the models disagree, are unsure, or give a "
        f"voxel to two organs; {ABOUT[kind]}. "
        "The few scans far above the rest are the ones worth a person's time."
    )
    return Section("attention", title, [Chart(picture, alt)], about=about)


def priority(view: RoundView, album: Album) -> Section:
    """The most urgent structures, with their current label drawn on the scan."""
    title = "Top of the priority list"
    sizes = case_attention(view)
    if not sizes:
        return Section("priority", title, empty="There is no priority list without attention maps.")
    key = ranked_by(view).replace("-", "_")
    total: dict[str, float] = defaultdict(float)
    parts: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    top = [case for case in sizes if sizes[case] > 0][:MOST_PRIORITY]
    for m in view.class_attention(top):
        if m.value:
            total[m.case_id] += m.value
            rank = float(m.facts.get(key, m.value))
            parts[m.case_id].append((rank, m.value, m.class_id))
    found = view.values("detect", "error_probability")
    chance = {(m.case_id, m.class_id): m.value for m in found if m.value is not None}
    if not top:
        return Section("priority", title, empty="All attention maps are empty: the models agree.")
    cards = []
    for rank, case in enumerate(top, 1):
        worst = sorted(parts[case], reverse=True)[:3]
        lines = [f"attention {ml(total[case] / 1000)} mL"]
        for _, size, class_id in worst:
            risk = chance.get((case, class_id))
            said = f", error probability {calibrated(risk):.2f}" if risk is not None else ""
            lines.append(f"{view.class_name(class_id)}: {ml(size / 1000)} mL{said}")
        names = [class_id for _, _, class_id in worst]
        suspect = [d for d in view.decided("detect", "suspect_label") if d.case_id == case]
        lines += [f"suspect: {view.class_name(d.class_id)}: {d.reason}" for d in suspect[:3]]
        cards.append(Card(f"{rank}. {case}", _current_pictures(view, album, case, names), lines))
    return Section("priority", title, [Gallery(cards)], about=_whole_list(view))


def _current_pictures(
    view: RoundView, album: Album, case: str, classes: Sequence[str]
) -> list[Picture]:
    """The first of the classes that has a label: from the front, and where attention is on it."""
    scan = view.scans.get(case)
    for class_id in classes:
        label = view.current(case, class_id)
        if scan is None or label is None or not label.voxels:
            continue
        name = f"{view.class_name(class_id)} ({origin_of(label)})"
        drawn: dict[str, Drawn] = {"now": (label, REFERENCE)}
        path = _attention_map(view, case)
        if path is None:
            near = album.show(case, scan, drawn, f"{name} in blue")
        else:
            drawn["attention"] = (partial(strong_attention, path), OTHER)
            what = f"{name} in blue, strong attention in orange"
            close = (partial(album.near, scan, label, drawn["attention"]), OTHER)
            near = album.show(case, scan, drawn, what, focus=(drawn["now"], close))
        return [album.frontal(case, scan, label, f"front view: {name} in red"), near]
    return [album.scan(case, scan)]


def _attention_map(view: RoundView, case: str) -> Path | None:
    for m in view.values("detect", "attention_mm3"):
        if (m.case_id, m.class_id) == (case, "") and m.facts.get("map"):
            path = view.ctx.workspace.root / str(m.facts["map"])
            return path if path.is_file() else None
    return None


def _whole_list(view: RoundView) -> str:
    has = (view.folder / "priority.csv").is_file()
    return "The whole list is priority.csv beside this page." if has else ""


def origin_of(label: Label | None) -> str:
    """Which bar part a label belongs to."""
    if label is None:
        return "unknown"
    if label.gold:
        return "gold"
    if label.confirmed or label.origin == "revised":
        return "revised or confirmed"
    return label.origin


def origins(view: RoundView) -> Section:
    """Where the current label of each class comes from."""
    title = "Where the labels come from"
    if not view.classes or not view.used:
        return Section("origins", title, empty="No class is annotated in a scan of the cohort yet.")
    rows = []
    table = []
    for class_id in view.classes:
        found = [view.current(scan.case_id, class_id) for scan in view.used]
        counts = Counter(origin_of(label) for label in found)
        n_empty = sum(1 for label in found if label is not None and not label.voxels)
        rows.append((view.class_name(class_id), dict(counts)))
        table.append((view.class_name(class_id), *(counts[part] for part in ORIGINS), n_empty))
    shown = [part for part in ORIGINS if any(row[1].get(part) for row in rows)]
    picture = charts.bars(
        "origins", rows, {p: ORIGINS[p] for p in shown}, unit="scans", show_total=False
    )
    alt = "; ".join(f"{n}: {', '.join(f'{v} {k}' for k, v in c.items())}" for n, c in rows[:12])
    columns = [0, *(i for i, part in enumerate(ORIGINS, 1) if part in shown), len(ORIGINS) + 1]
    numbers = Table(
        [("class", *ORIGINS, "of these: absent")[i] for i in columns],
        [[row[i] for i in columns] for row in table],
        "The same in numbers (scans)",
        frozenset(range(1, len(columns))),
        "Absent: the label says that the structure is not in the scan. Unknown: nobody has said.",
        is_folded=True,
    )
    return Section("origins", title, [Chart(picture, alt), numbers])


def changes(view: RoundView, album: Album) -> Section:
    """Labels whose current version is another one than a round ago."""
    title = "Changed labels"
    pairs = view.changed
    n_new = len(view.new_keys)
    fresh = f"{n_new} structures that had no label got their first one." if n_new else ""
    if not pairs:
        why = "No label that existed before the round was replaced. " + fresh
        return Section("changes", title, empty=why.strip())
    # those that a person or a judge explained come first, then the largest change of volume
    ranked = sorted(
        pairs,
        key=lambda p: (-_said(view, *p), -abs(p[1].ml - p[0].ml), p[1].label_id),
    )
    cards = [_change_card(view, album, old, new) for old, new in ranked[:MOST_CHANGES]]
    moves = Counter((old.class_id, origin_of(old), origin_of(new)) for old, new in pairs)
    rows = [(view.class_name(c), a, b, n) for (c, a, b), n in sorted(moves.items())]
    left = len(pairs) - len(cards)
    more = f"{left} more changed labels are not pictured; the table counts all." if left else ""
    blocks: list[Block] = [
        Text(f"{len(pairs)} labels changed. {fresh}".strip()),
        Gallery(cards, more),
        Table(("class", "from", "to", "labels"), rows, "All changes", frozenset({3})),
    ]
    return Section("changes", title, blocks)


def _said(view: RoundView, old: Label, new: Label) -> int:
    decision = view.why(new, old)
    return weight(decision) if decision else 0


def _change_card(view: RoundView, album: Album, old: Label, new: Label) -> Card:
    scan = view.scans.get(new.case_id)
    before, after = (old, REFERENCE), (new, OTHER)
    shots = [
        album.show(new.case_id, scan, {name: shown}, f"{name}", view=plane, focus=(before, after))
        for plane in VIEWS
        for name, shown in (("before (blue)", before), ("after (orange)", after))
    ]
    overlap = album.dice(scan, old, new) if scan else None
    size = f"{ml(old.ml)} mL before, {ml(new.ml)} mL after"
    size += f"; DSC between the two {overlap:.2f}" if overlap is not None else ""
    lines = [f"{origin_of(old)} to {origin_of(new)}: {size}", *explain(view, new, old)]
    return Card(f"{view.class_name(new.class_id)}, {new.case_id}", shots, lines)


def explain(view: RoundView, new: Label, old: Label | None) -> list[str]:
    """Why a label counts, and who said so."""
    decision = view.why(new, old)
    if decision is None or decision.stage == "assemble":
        return ["a newer version of the same or higher trust"]
    return [decision.reason or "no reason given", f"decided by {decision.actor} ({decision.stage})"]


def waiting(view: RoundView, album: Album) -> Section:
    """What people are asked to look at."""
    title = "Proposals waiting for review"
    open_items = view.waiting
    if not open_items:
        return Section("waiting", title, empty="Nothing waits for a person.")
    cards = [_waiting_card(view, album, d) for d in open_items[:MOST_WAITING]]
    left = len(open_items) - len(cards)
    more = f"{left} more wait; see 'voxcurate review list'." if left > 0 else ""
    about = (
        f"{len(open_items)} structures wait in the folder review/{view.number}/ of the workspace."
    )
    return Section("waiting", title, [Gallery(cards, more)], about=about)


def _waiting_card(view: RoundView, album: Album, decision: Decision) -> Card:
    case, class_id = decision.case_id, decision.class_id
    current = view.current(case, class_id) or view.labels.get(decision.label_id)
    proposal = view.labels.get(decision.other_label)
    if proposal is not None and current is not None and proposal.label_id == current.label_id:
        proposal = view.labels.get(decision.label_id)
    drawn: dict[str, Drawn] = {}
    said = []
    if current is not None:
        drawn["now"] = (current, REFERENCE)
        said.append(f"current ({origin_of(current)}) in blue")
    if proposal is not None and (current is None or proposal.label_id != current.label_id):
        drawn["proposal"] = (proposal, OTHER)
        said.append(f"proposal ({origin_of(proposal)}) in orange")
    what = ", ".join(said) or "no label yet"
    name = f"{view.class_name(class_id)}, {case}" if class_id else case
    shots = [album.show(case, view.scans.get(case), drawn, what, view=plane) for plane in VIEWS]
    return Card(name, shots, [decision.reason or "no reason given", f"asked by {decision.actor}"])
