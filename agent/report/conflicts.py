"""Voxels that two labels claim though their classes exclude each other."""

from agent.report.blocks import Section, Table, ml
from agent.report.view import RoundView
from labeling.assembly.conflicts import NAME

TITLE = "Labels in conflict"
MOST = 30
ABOUT = (
    "Two labels that count claim these voxels, though their classes exclude each other. They come "
    "from different hands, so nothing was taken away: somebody should look."
)


def conflicts(view: RoundView) -> Section:
    """The largest conflicts between labels of the round's cohort, as its assembly found them."""
    cohort = {scan.case_id for scan in view.cohort}
    rows = [m for m in view.values("assemble", NAME) if m.class_id and m.case_id in cohort]
    if not rows:
        return Section("conflicts", TITLE, empty="No two labels that count claim the same voxels.")
    rows.sort(key=lambda m: (-(m.value or 0.0), m.case_id, m.class_id, m.model_id))
    shown = [
        (
            m.case_id,
            view.class_name(m.class_id),
            view.class_name(str(m.facts["other"])),
            ml(m.value or 0.0),
            " ".join(f"{low}:{high}" for low, high in m.facts["box"]),
        )
        for m in rows[:MOST]
    ]
    head = ("case", "class", "and", "shared (mL)", "box (I, J, K)")
    cases = len({m.case_id for m in rows})
    caption = f"{len(rows)} conflicts in {cases} scans"
    note = "'voxcurate labels conflicts' lists all." if len(rows) > MOST else ""
    table = Table(head, shown, caption, frozenset({3}), note)
    return Section("conflicts", TITLE, [table], about=ABOUT)
