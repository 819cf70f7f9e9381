"""Tumours: how low the threshold was set, what that costs, what reports removed and named."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agent.report.blocks import Block, Chart, Section, Table, Text
from agent.report.charts import drawing, svg
from agent.report.view import RoundView
from labeling.roc.analysis import Analysis
from labeling.roc.queue import WAITING, lesion_folder, waiting_lesions
from labeling.roc.stage import STAGE, stored
from voxcurate.catalog import Decision

TITLE = "Tumours: threshold and what follows"
MOST = 30
ABOUT = (
    "Candidates are connected regions of the soft predictions; the threshold is swept over their "
    "score and set where the wanted share of lesions is found (ScaleMAI, arXiv:2501.03410, A.3). "
    "Measured on train and validation scans that people have labelled, by models that have not "
    "seen the scan where there are any; intervals are 95 %, by resampling patients. The threshold "
    "was chosen on these scans, so others will do slightly worse."
)
WHY_WAITING = (
    "the budget of the round (labeling.roc.budget) had no room for them; they come in the next "
    "rounds."
)
WORDS = {
    "remove": "label emptied: the report says no",
    "missed": "the report says yes, nothing found",
    "contradicts": "the report says no, a label that may not be mended shows one",
}


def lesions(view: RoundView) -> Section:
    """Curves and figures of each lesion class, then what reports and candidates disagree on."""
    found = stored(view.ctx, view.number)
    if not found:
        return Section("lesions", TITLE, empty="The round has no lesion class with predictions.")
    blocks: list[Block] = []
    for analysis in found:
        blocks += _of_class(view, analysis)
    listed = view.decided(STAGE, *WORDS)
    if listed:
        blocks.append(_table(view, listed))
    if more := waiting_lesions(lesion_folder(replace(view.ctx, round=view.number))):
        path = f"review/{view.number}/lesions/{WAITING}"
        blocks.append(Text(f"{more} more wait in {path}: {WHY_WAITING}", "note"))
    return Section("lesions", TITLE, blocks, about=ABOUT)


def _of_class(view: RoundView, found: Analysis) -> list[Block]:
    name = view.class_name(found.class_id)
    told = found.to_json(curve=False)
    patients = told["patients"]
    head = (
        "",
        "threshold",
        "lesions found",
        "false per scan",
        "left to people",
        "minutes per scan",
    )
    rows = [
        row
        for key, label in (
            ("operating_point", f"{found.config.sensitivity:.0%} wanted"),
            ("least_time", "least time"),
            ("usual_threshold", "0.5"),
        )
        if (row := _row(label, told, key)) is not None
    ]
    n_candidates = len(
        [d for d in view.decided(STAGE, "candidate") if d.class_id == found.class_id]
    )
    caption = (
        f"{name}: {told['scans']} scans, {told['lesions']} lesions; patients: "
        f"{patients['positive']} with, {patients['negative']} without; {n_candidates} candidates "
        "for people to accept or erase"
    )
    note = "; ".join(told["notes"])
    blocks: list[Block] = [Table(head, rows, caption, frozenset(range(1, 6)), note)]
    if told["scans"]:
        blocks.append(_chart(found, name))
    else:
        blocks.append(
            Text(f"{name}: no scan with a label by people, so there is no curve.", "note")
        )
    return blocks


def _row(label: str, told: dict[str, Any], key: str) -> list[str] | None:
    point = told[key]
    if point is None:
        return None
    spans = told["intervals"] if key == "operating_point" else {}

    def shown(name: str, form: str) -> str:
        if point[name] is None:
            return "unknown"
        span = spans.get(name)
        more = f" ({span[0]:{form}} to {span[1]:{form}})" if span else ""
        return f"{point[name]:{form}}{more}"

    at = "none" if point["threshold"] is None else f"{point['threshold']:.3f}"
    return [
        label, at, shown("sensitivity", ".1%"), shown("false_per_scan", ".2f"),
        shown("left_per_scan", ".2f"), shown("minutes_per_scan", ".2f"),
    ]  # fmt: skip


def _chart(found: Analysis, name: str) -> Chart:
    from labeling.roc.plot import draw_analysis

    with drawing(10.5, 3.4) as figure:
        draw_analysis(figure, found)
        picture = svg(figure, f"roc-{found.class_id}")
    alt = f"ROC per patient, free-response curve per lesion, and people's time, {name}"
    return Chart(picture, alt, "bands: 95 % over patients; the dot is the operating point")


def _table(view: RoundView, listed: Sequence[Decision]) -> Table:
    order = ("missed", "contradicts", "remove")
    rows = sorted(listed, key=lambda d: (order.index(d.verdict), d.case_id, d.class_id))
    shown = [
        (
            d.case_id,
            view.class_name(d.class_id),
            WORDS[d.verdict],
            str(d.evidence.get("finding", {}).get("question", "")),
            str(d.evidence.get("finding", {}).get("report_id", "")),
        )
        for d in rows[:MOST]
    ]
    head = ("case", "class", "what", "question", "report")
    note = f"{len(rows) - MOST} more" if len(rows) > MOST else ""
    return Table(head, shown, "reports against candidates and labels", frozenset(), note)
