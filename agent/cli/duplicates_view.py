"""Duplicates of a workspace on a terminal: families of copies, linked pairs, who gave labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from agent.cli.console import DONE, WIDTH, show_json
from voxcurate.catalog import Catalog, Decision, Label, Scan, ScanHead, ScanPair
from voxcurate.errors import ConfigError
from voxcurate.workspace import Workspace

ACROSS = "lies in several splits"
MEASURED = ("votes", "distance", "projection_bits", "ncc", "detail_ncc", "overlap", "shift_mm")


def duplicates_of(catalog: Catalog) -> dict[str, Any]:
    """Families of copies with who stays, pairs that are only linked, families across splits."""
    from cleaning.duplicates.groups import families
    from cleaning.joining import leaks_of, stored_pairs

    scans = {scan.case_id: scan for scan in catalog.rows(ScanHead)}
    pairs = stored_pairs(catalog.rows(ScanPair))
    leaks = leaks_of(catalog, pairs, scans)
    torn = {leak.members for leak in leaks}
    linked = leaks_of(catalog, pairs, scans, with_patients=True)
    kept = {d.case_id: d.evidence.get("kept", "") for d in _said(catalog)}
    return {
        "families": [
            {
                "members": [
                    {
                        "case_id": case,
                        "source": scans[case].source,
                        "split": scans[case].split,
                        "status": scans[case].status,
                        "copy_of": kept.get(case, "") if scans[case].status == "duplicate" else "",
                    }
                    for case in family
                ],
                "pairs": [
                    _pair_row(pair) for pair in pairs if pair.is_copy and pair.first in family
                ],
            }
            for family in families(pairs)
        ],
        "linked": [_pair_row(pair) for pair in pairs if not pair.is_copy],
        "across_splits": [leak.as_dict() for leak in leaks],
        "linked_across_splits": [leak.as_dict() for leak in linked if leak.members not in torn],
    }


def show_duplicates(found: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what `duplicates_of` gives."""
    if as_json:
        show_json(dict(found))
        return DONE
    if not found["families"] and not found["linked"]:
        typer.echo("No duplicates are known. ('voxcurate clean' or a round looks for them.)")
        return DONE
    console = _console()
    across = {tuple(leak["members"]): leak for leak in found["across_splits"]}
    for number, family in enumerate(found["families"], start=1):
        cases = tuple(member["case_id"] for member in family["members"])
        leak = across.get(cases)
        console.print(f"[bold]family {number}[/]" + (f" [red]{ACROSS}[/]" if leak else ""))
        if leak and leak["models"]:
            console.print(f"  [red]trained on one of them:[/] {', '.join(leak['models'])}")
        for member in family["members"]:
            what = f"copy of {member['copy_of']}" if member["copy_of"] else "stays"
            console.print(f"  {member['case_id']} ({member['source']}, {member['split']}): {what}")
    if found["linked"]:
        table = Table("first", "second", "linked as", "correlation", box=None, pad_edge=False)
        for pair in found["linked"]:
            ncc = f"{pair['ncc']:.3f}" if "ncc" in pair else ""
            table.add_row(pair["first"], pair["second"], pair["kind"].replace("_", " "), ncc)
        console.print(table)
    for leak in found["linked_across_splits"]:
        console.print(f"[yellow]linked, {ACROSS}:[/] {', '.join(leak['members'])}")
    return DONE


def duplicate_of(catalog: Catalog, case: str) -> dict[str, Any]:
    """The pairs of one scan, what cleaning decided, and the labels it gave or got.

    Raises:
        ConfigError: no such scan.
    """
    from cleaning.joining import stored_pairs

    scan = catalog.one(Scan, case_id=case)
    if scan is None:
        raise ConfigError(f"no scan is called {case!r}")
    rows = [*catalog.rows(ScanPair, first=case), *catalog.rows(ScanPair, second=case)]
    carried = [
        {
            "label_id": x.label_id,
            "class_id": x.class_id,
            "of": x.case_id,
            "from": x.facts["from_copy"],
        }
        for x in catalog.rows(Label, origin=("original", "revised"))
        if "from_copy" in x.facts and case in (x.case_id, x.facts["from_copy"])
    ]
    return {
        "case_id": case,
        "status": scan.status,
        "status_reason": scan.status_reason,
        "pairs": [_pair_row(pair) for pair in stored_pairs(rows)],
        "carried_labels": carried,
        "decisions": [
            {"round": d.round, "verdict": d.verdict, "reason": d.reason, "actor": d.actor}
            for d in _said(catalog, case_id=case)
        ],
    }


def show_duplicate(told: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what `duplicate_of` gives."""
    if as_json:
        show_json(dict(told))
        return DONE
    console = _console()
    console.print(f"[bold]{told['case_id']}[/]: {told['status']}. {told['status_reason']}")
    if not told["pairs"]:
        console.print("It has no copy and no linked scan.")
    for pair in told["pairs"]:
        numbers = ", ".join(
            f"{name.replace('_', ' ')} {pair[name]:.4g}" for name in MEASURED if name in pair
        )
        console.print(f"  {pair['first']} = {pair['second']}: {pair['kind']} ({numbers})")
    for label in told["carried_labels"]:
        console.print(f"  {label['class_id']} of {label['from']} is a candidate on {label['of']}")
    return DONE


def write_pair_pictures(
    workspace: Workspace, catalog: Catalog, case: str, folder: Path
) -> Sequence[Path]:
    """A picture of each pair of a scan: both on the same places, and their difference.

    Raises:
        ConfigError: no such scan.
        VolumeReadError: a file cannot be read.
    """
    from cleaning.duplicates.hashing import ScanFingerprint
    from cleaning.duplicates.pictures import pair_picture, write_pair_picture
    from cleaning.joining import stored_pairs

    rows = [*catalog.rows(ScanPair, first=case), *catalog.rows(ScanPair, second=case)]
    wanted = {case_id for row in rows for case_id in (row.first, row.second)}
    scans = {scan.case_id: scan for scan in catalog.rows(Scan, case_id=wanted)}
    written = []
    for pair in stored_pairs(rows):
        one, other = (
            ScanFingerprint.from_dict(scans[c].fingerprint) for c in (pair.first, pair.second)
        )
        path = folder / f"{pair.first}_{pair.second}.png"
        write_pair_picture(path, pair_picture(pair, one, other))
        written.append(path)
    return written


def _pair_row(pair: Any) -> dict[str, Any]:
    return {"first": pair.first, "second": pair.second, **pair.as_dict()}


def _said(catalog: Catalog, **where: Any) -> list[Decision]:
    rows = catalog.rows(Decision, stage="clean", verdict="duplicate", **where)
    return sorted(rows, key=lambda d: (d.round, d.created))


def _console() -> Console:
    plain = Console()
    return Console(width=max(plain.width, WIDTH) if plain.is_terminal else 160, highlight=False)
