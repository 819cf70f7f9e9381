"""What an audit leaves in a folder: a table, the same for programs, and the worst as pictures."""

import csv
import html
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labeling.audit.findings import Finding
from voxcurate.atomic import write_atomic, write_text

TABLE, DATA, PAGE, PICTURES = "audit.csv", "audit.json", "audit.html", "pictures"
COLUMNS = (
    "rank", "case", "class", "probability", "status", "kind", "ml", "predicted_ml", "dsc", "nsd",
    "better", "better_dsc", "better_confidence", "became", "why",
)  # fmt: skip
Pictures = Mapping[tuple[str, str], Sequence[bytes | None]]
MANY = 12  # classes whose table is folded, so that the worst labels stay in sight
VIEWS = (  # as `labeling.audit.case` draws them
    ("label", "front"), ("prediction", "front"), ("label", "side"), ("prediction", "side"),
)  # fmt: skip
UNDER = {  # what a picture's left is
    "front": "from the front; the patient's right is on the left",
    "side": "from the side; the patient's front is on the left",
}
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:1360px;margin:2em auto;padding:0 1em;color:#222}
h1{font-size:1.4em}h2{font-size:1.15em;margin:2em 0 .6em}h3{font-size:1.1em;margin:0 0 .3em}
.row{border-top:1px solid #ccc;padding:1em 0}
.views{display:grid;grid-template-columns:repeat(4,1fr);gap:10px}
@media(max-width:1000px){.views{grid-template-columns:1fr 1fr}}
figure{margin:0}img{width:100%;display:block;background:#000}
figcaption{font-size:.85em;color:#555}ul{margin:.4em 0;padding-left:1.2em}.p{color:#b00020}
.none{background:#eee;color:#555;display:flex;align-items:center;justify-content:center;height:160px}
table{border-collapse:collapse;margin:.8em 0}td,th{padding:.15em .9em .15em 0;text-align:right}
td:first-child,th:first-child{text-align:left}th{border-bottom:1px solid #ccc;font-weight:600}
"""


def write_audit(
    out: Path,
    findings: Sequence[Finding],
    head: Mapping[str, Any],
    pictures: Pictures,
) -> None:
    """Write ``audit.csv``, ``audit.json``, ``audit.html`` and ``pictures/`` of the worst.

    Args:
        out: the folder.
        findings: the most suspicious first.
        head: settings, failures, notes; goes into the JSON beside the findings.
        pictures: (case, class) to the PNGs of label and prediction from the front, and of both
            from the side.
    """
    rows = [{"rank": n, **f.plain()} for n, f in enumerate(findings, 1)]
    write_text(out / TABLE, table_of(rows))
    write_text(out / DATA, json.dumps({**head, "labels": rows}, indent=1) + "\n")
    cards: list[str] = []
    below: list[str] = []
    for row, finding in zip(rows, findings, strict=True):
        drawn = pictures.get((finding.case, finding.class_id))
        if drawn is None:
            continue
        names = []
        for (what, side), png in zip(VIEWS, drawn, strict=True):
            name = f"{row['rank']:02d}_{what}_{side}.png"
            if png is not None:
                write_atomic(out / PICTURES / name, [png])
            names.append(name if png is not None else "")
        where = cards if finding.status == "suspect" else below
        where.append(_card(row, finding, names))
    write_text(out / PAGE, _page(findings, cards, below, head))


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The lines as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = {**row, "kind": row["kind_name"], "became": "; ".join(row["became"])}
        writer.writerow(["" if cells[c] is None else cells[c] for c in COLUMNS])
    return text.getvalue()


def _card(row: Mapping[str, Any], finding: Finding, names: Sequence[str]) -> str:
    said = "".join(f"<li>{html.escape(words)}</li>" for words in finding.witnesses.values())
    better = ""
    if finding.better:
        dsc = "" if finding.better_dsc is None else f", DSC with the label {finding.better_dsc:.2f}"
        better = f"<p>Better: the prediction of {html.escape(finding.better)}{dsc}.</p>"
    ml = {"label": _ml(finding.ml), "prediction": _ml(finding.predicted_ml)}
    shown = "".join(
        _figure(name, f"{what} ({ml[what]}), {UNDER[side]}", what)
        for name, (what, side) in zip(names, VIEWS, strict=True)
    )
    kind = finding.kind_name or finding.status
    p = finding.probability
    chance = "nothing could tell" if p is None else f"{100 * p:.0f} % chance that it is wrong"
    title = f"{row['rank']}. {finding.class_id.replace('_', ' ')}, {finding.case}: {kind}"
    return (
        f'<div class="row"><h3>{html.escape(title)} '
        f'<span class="p">{chance}</span></h3>'
        f'<div class="views">{shown}</div>{better}<ul>{said}</ul></div>'
    )


def _figure(name: str, caption: str, what: str) -> str:
    words = html.escape(caption)
    shown = f'<div class="none">no {what}</div>'
    if name:
        shown = f'<img src="{PICTURES}/{name}" alt="{words}">'
    return f"<figure>{shown}<figcaption>{words}</figcaption></figure>"


def _page(
    findings: Sequence[Finding],
    cards: Sequence[str],
    below: Sequence[str],
    head: Mapping[str, Any],
) -> str:
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in head["notes"])
    failed = [
        f"<li>{html.escape(f'{case} could not be read: {why}')}</li>"
        for case, why in head["failed"].items()
    ]
    counts = Counter(f.status for f in findings)
    heading = (
        f"{counts['suspect']} of {len(findings)} labels are suspect, {counts['unknown']} unknown "
        f"(nothing could tell), {counts['no doubt']} without doubt"
    )
    drawn = f"The worst {len(cards)}, in red" if cards else "None is suspect"
    more = f"<h2>Not suspect, but next to it</h2>{''.join(below)}" if below else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Audit of labels</title>'
        f"<style>{STYLE}</style><h1>{heading}</h1>{_by_class(findings)}"
        f"<ul>{notes}{''.join(failed)}</ul><h2>{drawn}</h2>{''.join(cards)}{more}</html>\n"
    )


def _by_class(findings: Sequence[Finding]) -> str:
    """How many labels of each class are what; unknown ones are nobody's right ones."""
    lines = ""
    classes = sorted({f.class_id for f in findings})
    for c in classes:
        n = Counter(f.status for f in findings if f.class_id == c)
        cells = (n["suspect"], n["unknown"], n["no doubt"])
        name = html.escape(c.replace("_", " "))
        lines += f"<tr><td>{name}</td>{''.join(f'<td>{k}</td>' for k in cells)}</tr>"
    head = "<th>class</th><th>suspect</th><th>unknown: nothing could tell</th><th>no doubt</th>"
    table = f"<table><tr>{head}</tr>{lines}</table>"
    if len(classes) <= MANY:
        return table
    return f"<details><summary>{len(classes)} classes</summary>{table}</details>"


def _ml(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g} mL"
