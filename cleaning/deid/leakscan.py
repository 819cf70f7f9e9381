"""An independent look for identifiers in what was written for a case.

It reads back what the workspace really holds (report texts, NIfTI header fields and extensions,
file names) and does not ask the code that wrote it. What is known of the patient is searched for
twice: as the scrubber would, and by the search that reads written DICOM files (`identities`,
`filescan`), which shares nothing with it.
"""

import gzip
import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cleaning.deid.filescan import FileScan
from cleaning.deid.identities import Identities
from voxcurate.errors import VolumeReadError
from voxcurate.identifiers import Hit, Identifiers
from voxcurate.scrub import NOTHING_KNOWN, leak_scan

# where free text stands in a header: name, first byte, size
NIFTI1_TEXT = (
    ("data_type", 4, 10),
    ("db_name", 14, 18),
    ("descrip", 148, 80),
    ("aux_file", 228, 24),
    ("intent_name", 328, 16),
)
NIFTI2_TEXT = (("descrip", 240, 80), ("aux_file", 320, 24), ("intent_name", 508, 16))
MAX_EXTENSION = 1 << 20
_WIDE = re.compile(rb"(?:[\x20-\x7e]\0){3}")


@dataclass(frozen=True)
class Leak:
    """An identifier found: where (a role, never a path), of what kind, at which span."""

    where: str
    kind: str
    start: int
    end: int
    sure: bool


@dataclass(frozen=True)
class LeakVerdict:
    """What was found of one case: ``leak``, ``doubtful`` (ordinary words) or ``clean``."""

    case_id: str
    verdict: Literal["clean", "doubtful", "leak"]
    leaks: tuple[Leak, ...] = ()

    def evidence(self) -> dict[str, Any]:
        """Counts per place and kind: plain data without a value."""
        counts: dict[str, Any] = {}
        for leak in self.leaks:
            name = f"{leak.where}: {leak.kind}" + ("" if leak.sure else " (doubtful)")
            counts[name] = counts.get(name, 0) + 1
        return counts


def scan_case(
    case_id: str,
    known: Identifiers = NOTHING_KNOWN,
    *,
    reports: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    names: Iterable[str] = (),
) -> LeakVerdict:
    """Everything written for one case against what is known of the patient.

    Args:
        case_id: taken out of the file names first, for it is a keyed hash.
        known: identifiers from the source; without them only patterns are looked for.
        reports: report texts by role.
        headers: header texts by field.
        names: file names, relative to the workspace.
    """
    texts = {f"report {role}": text for role, text in (reports or {}).items()}
    texts |= {f"header {field}": text for field, text in (headers or {}).items()}
    search = _search(known)
    leaks = []
    for where, text in texts.items():
        hits = leak_scan(text, known)
        leaks += [_leak(where, hit) for hit in hits] or _more(where, text, search)
    for name in names:
        rest = name.replace(case_id, " ")
        hits = leak_scan(rest, known, file_name=True)
        leaks += [_leak("file name", hit) for hit in hits] or _more("file name", rest, search)
    if any(leak.sure for leak in leaks):
        return LeakVerdict(case_id, "leak", tuple(leaks))
    return LeakVerdict(case_id, "doubtful" if leaks else "clean", tuple(leaks))


def _search(known: Identifiers) -> FileScan:
    found = Identities()
    people = (*known.names, *known.physicians)
    found.add_known(people, (*known.ids, *known.accessions), known.dates)
    return FileScan(found.finish(0))


def _more(where: str, text: str, search: FileScan) -> list[Leak]:
    prose = where != "file name"  # there a name inside a longer word is chance
    found = search.text(text, whole=prose)
    return [Leak(where, kind, 0, len(text), True) for kind in sorted(found)]


def header_texts(path: Path) -> dict[str, str]:
    """The free text of a NIfTI header and of its extensions, by field; empty fields are left out.

    Raises:
        VolumeReadError: no NIfTI file.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            head = stream.read(544)
            fields, end = _layout(head)
            extension = stream.read(min(max(end - 544, 0), MAX_EXTENSION))
    except (OSError, EOFError, zlib.error, struct.error):
        raise VolumeReadError("want a NIfTI header, found none") from None
    texts = {name: _text(head[start : start + size]) for name, start, size in fields}
    first = 352 if fields is NIFTI1_TEXT else 544
    texts["extension"] = _text((head + extension)[first:end])
    return {name: text for name, text in texts.items() if text}


def _layout(head: bytes) -> tuple[tuple[tuple[str, int, int], ...], int]:
    for order in "<>":
        size = struct.unpack(f"{order}i", head[:4])[0]
        if size == 348:
            return NIFTI1_TEXT, int(struct.unpack(f"{order}f", head[108:112])[0])
        if size == 540:
            return NIFTI2_TEXT, int(struct.unpack(f"{order}q", head[168:176])[0])
    raise VolumeReadError("want a NIfTI header, found none")


def _text(raw: bytes) -> str:
    """The text of a field; two bytes a letter are taken as one."""
    if _WIDE.match(raw):
        raw = raw.replace(b"\0", b"")
    return " ".join(raw.replace(b"\0", b" ").decode("utf-8", "replace").split())


def _leak(where: str, hit: Hit) -> Leak:
    return Leak(where, hit.kind, hit.start, hit.end, hit.sure)
