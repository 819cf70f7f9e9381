"""What the scans' stored fingerprints say, read a page at a time: they are most of the catalog."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from voxcurate.catalog import Catalog, Scan

PAGE = 200  # rows that are held with their fingerprints
COMPARED = "compared"  # in a fingerprint: the settings under which its scan was last compared


class HashMark(NamedTuple):
    """Which version a scan's fingerprint has (0: there is none), and the settings under which it
    was last compared with the others (empty: never)."""

    version: int = 0
    compared: str = ""


def hash_marks(catalog: Catalog) -> dict[str, HashMark]:
    """The marks of all scans by case."""
    return {
        case: HashMark(int(mark.get("version", 0)), str(mark.get(COMPARED, "")))
        for page in catalog.stream(Scan, "case_id", "fingerprint", batch=PAGE)
        for case, mark in page
    }


def stored_fingerprints(
    catalog: Catalog, cases: set[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fingerprints of some scans as they are stored.

    Args:
        catalog: of the workspace.
        cases: case ids.
    """
    ordered = sorted(cases)
    for start in range(0, len(ordered), PAGE):
        page = ordered[start : start + PAGE]
        yield from catalog.columns(Scan, "case_id", "fingerprint", case_id=page)
