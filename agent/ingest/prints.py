"""Fingerprints of scans, known and new, read a page at a time: they are most of what is stored."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, Protocol

from agent.ingest.items import STAGE
from cleaning.listing import PAGE, stored_fingerprints
from voxcurate.catalog import Catalog, WorkHead, WorkItem, Writer

Marks = Iterable[tuple[str, Mapping[str, Any]]]
LEDGER: dict[str, Any] = {"round": 0, "stage": STAGE, "status": "done", "variant": ""}


class Prints(Protocol):
    """Gives the fingerprints of some cases, in any order; cases without one may be left out."""

    def __call__(self, cases: set[str], /) -> Marks:
        """(case id, fingerprint as it is stored) of each."""
        ...


def unlinked_lines(catalog: Catalog) -> list[WorkItem]:
    """Finished lines of cases not linked yet, by case and time, without their fingerprints."""
    heads = catalog.rows(WorkHead, **LEDGER)
    return [
        replace(line, result={**line.result, "scan": _without_print(line.result["scan"])})
        for line in _lines(catalog, {head.subject for head in heads})
    ]


def prints_of(catalog: Catalog, fresh: Collection[str]) -> Prints:
    """The fingerprints of the catalog's scans, and of new ones by the ledger's last lines.

    Args:
        catalog: of the workspace.
        fresh: cases that are not in the catalog yet.
    """
    new = set(fresh)

    def read(cases: set[str], /) -> Marks:
        yield from stored_fingerprints(catalog, cases - new)
        yield from fresh_prints(catalog, cases & new)

    return read


def fresh_prints(catalog: Catalog | Writer, cases: Collection[str]) -> Marks:
    """The fingerprints of cases that are in the ledger alone."""
    for case, lines in groupby(_lines(catalog, cases), key=lambda line: line.subject):
        *_, last = lines
        yield case, last.result["scan"]["fingerprint"]


def _lines(catalog: Catalog | Writer, cases: Collection[str]) -> Iterator[WorkItem]:
    ordered = sorted(cases)
    for start in range(0, len(ordered), PAGE):
        page = catalog.rows(WorkItem, **LEDGER, subject=ordered[start : start + PAGE])
        unlinked = [line for line in page if line.result.get("linked") is False]
        yield from sorted(unlinked, key=lambda line: (line.subject, line.updated))


def _without_print(scan: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scan.items() if name != "fingerprint"}
