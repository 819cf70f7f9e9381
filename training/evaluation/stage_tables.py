"""Stages and subtypes of tumours as people read them."""

from collections.abc import Mapping
from typing import Any

from training.evaluation.tables import Entry, Table, share

MOST = 30
RESEARCH = "For research only, not a medical device. How stages are measured: docs/staging.md."


def shown_stages(entry: Entry) -> Table:
    """A row per scan: stage, size, contact with each vessel, the stage from the true masks."""
    told = entry.get("staging", {})
    cases: Mapping[str, Any] = told.get("cases", {})
    true = told.get("true", {})
    vessels = list(dict.fromkeys(v["vessel"] for one in cases.values() for v in one["vessels"]))
    rows = []
    for case, one in list(cases.items())[:MOST]:
        by_name = {v["vessel"]: v for v in one["vessels"]}
        size = "" if one["size_mm"] is None else f"{one['size_mm']:.1f}"
        wanted = true[case]["label"] if case in true else "unknown"
        rows.append([case, one["label"], size, *(_contact(by_name.get(v)) for v in vessels),
                     wanted])  # fmt: skip
    columns = ["case", "stage", "mm", *vessels, "from the true masks"]
    return Table("", f"{entry['name']}: T stage", columns, rows, rows)


def staging_lines(entry: Entry, names: Mapping[str, str]) -> list[str]:
    """What else is told of stages and subtypes, a sentence each."""
    told = entry.get("staging", {})
    lines = []
    if counts := told.get("counts"):
        same = told["same_stage"]
        lines.append(
            f"Stages: {', '.join(f'{label} {n}' for label, n in counts.items())}. The same as from "
            f"the true masks: {share(same)} of {same['n']} scans."
        )
        if len(told["cases"]) > MOST:
            lines.append(f"{len(told['cases']) - MOST} more scans are in evaluation.json.")
    if found := told.get("subtypes"):
        figures = [
            f"{names.get(c, c)} PPV {_value(found['ppv'][c])}, recall {_value(found['recall'][c])}"
            for c in found["classes"]
        ]
        lines.append(
            f"Subtypes of {found['patients']} patients: accuracy {_value(found['accuracy'])}; "
            f"{'; '.join(figures)}."
        )
    return [*lines, RESEARCH] if lines else []


def _value(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "n/a"
    return share({"share": found["value"], "interval": (found["low"], found["high"])})


def _contact(vessel: Mapping[str, Any] | None) -> str:
    if vessel is None:
        return ""
    if vessel["state"] in ("none", "unknown"):
        return str(vessel["state"])
    bound = "≥ " if vessel["state"] == "at least" else ""
    return f"{bound}{vessel['degrees']}°"
