"""The scans of a catalog without their fingerprints, which are most of what a row holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from voxcurate.catalog import Catalog, Scan

PAGE = 200  # rows that are held with their fingerprints
COMPARED = "compared"  # in a fingerprint: the settings under which its scan was last compared


@dataclass(frozen=True)
class ListedScan:
    """What cleaning needs to know of each scan: `Scan` without its fingerprint.

    It cannot be written: to change a scan, read its whole row.

    Attributes:
        hash_version: of the fingerprint; 0 if the scan has none.
        compared: under which settings it was last compared with the others; empty: never.
    """

    case_id: str
    source: str
    patient: str
    split: str
    modality: str
    path: str
    sha256: str
    shape: list[int]
    spacing: list[float]
    affine: list[list[float]]
    facts: dict[str, Any]
    status: str
    status_reason: str
    hash_version: int = 0
    compared: str = ""


_COLUMNS = tuple(item.name for item in fields(ListedScan))[:-2]


def list_scans(catalog: Catalog) -> dict[str, ListedScan]:
    """All scans by case, in order of the cases; at no time more than a page of fingerprints."""
    found: list[ListedScan] = []
    for page in catalog.stream(Scan, *_COLUMNS, "fingerprint", batch=PAGE):
        for row in page:
            told = dict(zip(_COLUMNS, row[:-1], strict=True))
            version, compared = row[-1].get("version", 0), row[-1].get(COMPARED, "")
            found.append(ListedScan(**told, hash_version=int(version), compared=str(compared)))
    return {scan.case_id: scan for scan in sorted(found, key=lambda scan: scan.case_id)}


def stored_fingerprints(
    catalog: Catalog, cases: set[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fingerprints of some scans as they are stored, a page at a time.

    Args:
        catalog: of the workspace.
        cases: case ids.
    """
    ordered = sorted(cases)
    for start in range(0, len(ordered), PAGE):
        page = ordered[start : start + PAGE]
        yield from catalog.columns(Scan, "case_id", "fingerprint", case_id=page)
