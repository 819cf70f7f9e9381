"""What an audit leaves in a folder: a table, the same for programs, and the worst as pictures."""

import csv
import html
import io
import json
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
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}
h1{font-size:1.4em}h2{font-size:1.1em;margin:0 0 .3em}.row{border-top:1px solid #ccc;padding:1em 0}
.pair{display:flex;gap:10px}figure{margin:0;flex:1}img{width:100%;background:#000}
figcaption{font-size:.85em;color:#555}ul{margin:.4em 0;padding-left:1.2em}.p{color:#b00020}
.none{background:#eee;color:#555;display:flex;align-items:center;justify-content:center;height:220px}
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
        pictures: (case, class) to the PNGs of label and prediction.
    """
    rows = [{"rank": n, **f.plain()} for n, f in enumerate(findings, 1)]
    write_text(out / TABLE, table_of(rows))
    write_text(out / DATA, json.dumps({**head, "labels": rows}, indent=1) + "\n")
    cards = []
    for row, finding in zip(rows, findings, strict=True):
        pair = pictures.get((finding.case, finding.class_id))
        if pair is None:
            continue
        names = []
        for what, png in zip(("label", "prediction"), pair, strict=True):
            name = f"{row['rank']:02d}_{what}.png"
            if png is not None:
                write_atomic(out / PICTURES / name, [png])
            names.append(name if png is not None else "")
        cards.append(_card(row, finding, names))
    write_text(out / PAGE, _page(cards, head, len(rows)))


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
    shown = "".join(
        _figure(name, f"{what}, in red; the patient's right is on the left")
        for name, what in zip(names, (f"label ({_ml(finding.ml)})",
                                      f"prediction ({_ml(finding.predicted_ml)})"), strict=True)
    )  # fmt: skip
    kind = finding.kind_name or finding.status
    p = finding.probability
    chance = "probability unknown" if p is None else f"{100 * p:.0f} % wrong"
    title = f"{row['rank']}. {finding.class_id.replace('_', ' ')}, {finding.case}: {kind}"
    return (
        f'<div class="row"><h2>{html.escape(title)} '
        f'<span class="p">{chance}</span></h2>'
        f'<div class="pair">{shown}</div>{better}<ul>{said}</ul></div>'
    )


def _figure(name: str, caption: str) -> str:
    words = html.escape(caption)
    shown = '<div class="none">no prediction</div>'
    if name:
        shown = f'<img src="{PICTURES}/{name}" alt="{words}">'
    return f"<figure>{shown}<figcaption>{words}</figcaption></figure>"


def _page(cards: Sequence[str], head: Mapping[str, Any], n: int) -> str:
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in head["notes"])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Audit of labels</title>'
        f"<style>{STYLE}</style><h1>The {len(cards)} most suspicious of {n} labels</h1>"
        f"<ul>{notes}</ul>{''.join(cards)}</html>\n"
    )


def _ml(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g} mL"
