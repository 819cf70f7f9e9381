"""Which sources lie below a folder, and how each is described."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from agent.ingest.config import IngestConfig
from agent.ingest.draft import Draft, draft
from agent.ingest.files import list_files
from agent.ingest.identities import Identities
from voxcurate.catalog import Scan
from voxcurate.config import build, shipped
from voxcurate.dicom import find_series
from voxcurate.errors import SourceError
from voxcurate.layouts import is_volume
from voxcurate.sources import (
    FILE_NAME,
    TABLES,
    Pattern,
    SourceConfig,
    load_source,
    shipped_sources,
    unfinished,
)
from voxcurate.stage import StageContext
from voxcurate.workspace import write_text

FOLDER = "sources"
GENERIC = {
    "dicom": "dicom",
    "scans": "scans",
    "reports": "reports",
}  # a folder of these may be called like a patient


@dataclass(frozen=True)
class Found:
    """A source: its description, its folder, and the files in it (relative, sorted).

    Attributes:
        drafted: the file, in the workspace, of a description that was drafted just now.
    """

    config: SourceConfig
    root: Path
    files: Sequence[str]
    drafted: str = ""


def find_sources(
    context: StageContext,
    path: Path,
    source: Path | str | None,
    identities: Identities,
    config: IngestConfig,
) -> list[Found]:
    """The sources below a folder: as `source` says, else by ``dataset.yaml``, else as it was
    described before, else as it is recognised. A table of reports may stand for its folder.

    Raises:
        SourceError: there is nothing, or a description waits for a person (the message says where).
    """
    if path.is_file() and path.suffix.lower() in TABLES:
        return [_table(context, path.resolve(), source, identities, config)]
    root = path.resolve()
    files = list_files(root, leave_out=[context.workspace.root])
    if source is not None:
        return [Found(_named(context, source), root, files)]
    described = _split(root, files, FILE_NAME, config.max_depth)
    if described:
        found = [Found(load_source(r / FILE_NAME), r, own) for r, own in described]
        return _distinct(found)
    name = identities.source_at(root)
    if name is not None and _path(context, name).is_file():
        return [Found(load_source(_path(context, name)), root, files)]
    parts = _split(root, files, "dataset.json", config.max_depth) or [(root, files)]
    return _distinct([_drafted(context, r, own, identities, config) for r, own in parts])


def _table(
    context: StageContext,
    path: Path,
    source: Path | str | None,
    identities: Identities,
    config: IngestConfig,
) -> Found:
    """A single table of reports, whatever else lies beside it."""
    files = [path.name]
    if source is not None:
        return Found(_named(context, source), path.parent, files)
    return _drafted(context, path.parent, files, identities, config, at=path)


def _named(context: StageContext, source: Path | str) -> SourceConfig:
    """A description by its file, or by the name of one of the workspace or a shipped one."""
    file = Path(source)
    if file.is_file():
        return load_source(file)
    own = _path(context, str(source))
    if re.fullmatch(r"[a-z0-9_]+", str(source)):
        if own.is_file():
            return load_source(own)
        if str(source) in shipped_sources():
            return load_source(shipped("sources", f"{source}.yaml"))
    mine = sorted(p.stem for p in (context.workspace.root / FOLDER).glob("*.yaml"))
    names = ", ".join(sorted({*mine, *shipped_sources()}))
    raise SourceError(f"--source names neither a file nor a description; there are: {names}")


def _path(context: StageContext, name: str) -> Path:
    return context.workspace.root / FOLDER / f"{name}.yaml"


def _split(
    root: Path, files: Sequence[str], marker: str, depth: int
) -> list[tuple[Path, list[str]]]:
    """Folders with a marker file, each with its own files; an inner one takes from an outer."""
    places = [
        str(PurePosixPath(path).parent)
        for path in files
        if PurePosixPath(path).name == marker and path.count("/") <= depth
    ]
    owned: dict[str, list[str]] = {place: [] for place in places}
    for path in files:
        parents = [str(parent) for parent in PurePosixPath(path).parents]
        owner = next((parent for parent in parents if parent in owned), None)
        if owner is not None:
            owned[owner].append(path if owner == "." else path[len(owner) + 1 :])
    return [(root / place, sorted(owned[place])) for place in sorted(owned)]


def _distinct(found: list[Found]) -> list[Found]:
    names = [one.config.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"several sources call themselves {', '.join(twice)}; rename all but one")
    return found


def _drafted(
    context: StageContext,
    root: Path,
    files: Sequence[str],
    identities: Identities,
    config: IngestConfig,
    at: Path | None = None,
) -> Found:
    """Recognise a folder (known by the path `at`) and keep its description in the workspace.

    Raises:
        SourceError: a person must complete it.
    """
    known = identities.source_at(at or root)
    if known is not None and _path(context, known).is_file():
        return Found(load_source(_path(context, known)), root, files)
    made = draft(
        root, files, context.vocabulary, peek=config.peek, has_dicom=_has_dicom(root, files)
    )
    name = _free_name(context, made, root, files)
    file = _path(context, name)
    write_text(file, made.text(name))
    identities.name_source(at or root, name)
    open_lines = unfinished(made.data)
    if open_lines:
        raise SourceError(_ask(file.relative_to(context.workspace.root), name, open_lines, files))
    drafted = file.relative_to(context.workspace.root).as_posix()
    return Found(build(SourceConfig, {"name": name, **made.data}), root, files, drafted)


def _ask(file: Path, name: str, open_lines: Sequence[str], files: Sequence[str]) -> str:
    shown = ", ".join(open_lines[:6]) + (" ..." if len(open_lines) > 6 else "")
    fitting = [shipped_name for shipped_name in shipped_sources() if _fits(shipped_name, files)]
    hint = (
        f" Shipped descriptions whose patterns fit these files: {', '.join(fitting)} "
        f"(voxcurate ingest PATH --source {fitting[0]})."
        if fitting
        else ""
    )
    return (
        f"the data do not say everything: edit {file.as_posix()} in the workspace "
        f"(TODO at: {shown}), then run again: voxcurate ingest PATH --source {name}.{hint}"
    )


def _fits(name: str, files: Sequence[str]) -> bool:
    """Whether a shipped description finds scans, and masks for each of its patterns."""
    source = load_source(shipped("sources", f"{name}.yaml"))
    if source.layout != "files" or not source.scans or not source.masks:
        return False
    wanted = [Pattern(source.scans), *(Pattern(mask.path) for mask in source.masks)]
    return all(next(pattern.select(files), None) is not None for pattern in wanted)


def _free_name(context: StageContext, made: Draft, root: Path, files: Sequence[str]) -> str:
    """A name for the source: what the data say, else the folder's; numbered if it is taken.

    A plain word where the folder may be a patient's: DICOM, bare scans, or a single scan.
    """
    pattern = Pattern(str(made.data.get("scans", "")))
    is_one = sum(1 for _ in islice(pattern.select(files), 2)) < 2
    folder = "data" if is_one else _clean(root.name)
    wanted = GENERIC.get(made.kind) or _clean(made.name) or folder or "data"
    taken = {source for (source,) in context.catalog.columns(Scan, "source")} | set(
        shipped_sources()
    )
    names = [wanted, *(f"{wanted[:27]}_{n}" for n in range(2, 1000))]
    return next(n for n in names if n not in taken and not _path(context, n).exists())


def _clean(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_").lstrip("0123456789_")
    return plain[:28].strip("_")


def _has_dicom(root: Path, files: Sequence[str]) -> bool:
    """Whether there are DICOM images; the headers are read only if some file could be one."""
    if not any(_may_be_dicom(root, path) for path in files if not is_volume(path)):
        return False
    return bool(find_series(root))


def _may_be_dicom(root: Path, path: str) -> bool:
    if path.lower().endswith((".dcm", ".ima")):
        return True
    try:
        with (root / path).open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or start[:2] in (b"\x08\x00", b"\x02\x00")
