"""A drafted description: everything that could be seen, and ``TODO`` where a person must decide."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.ingest.draft_reports import find_reports
from agent.ingest.peek import Seen, looks_like_mask, modality_of, see_values
from voxcurate.classes import Vocabulary
from voxcurate.config import dump_yaml
from voxcurate.errors import SourceError
from voxcurate.layouts import Layout, is_volume, named_like_mask, our_class, recognise, stem
from voxcurate.sources import TODO, Pattern

HEAD = """\
# Drafted by voxcurate from what lies in the folder.
# Say what {todo} stands for, check the rest, then run the command again as it said.
# A label value: one of our class ids ('voxcurate' configs/classes.yaml), a list of them,
# 'background' (of no interest) or 'ignore' (unknown there). Classes that are always annotated,
# so that a missing one means "not there", belong under `complete: [...]`.
# The name shows in every case id: it must not be a patient's.
# Several scans of a patient: `patient: "{{folder}}"` or another part of the path, or a table
# `patients: FILE.csv` with the columns case and patient. Nothing said: each scan is a patient.
# A table of reports: `text` is one column or several, `keys` identify, `facts` tell more; the
# roles were seen in the columns' names.
# modality: CT, MR, ...    licence: unknown    ids: hashed (or public)    gold: false
"""


@dataclass
class Draft:
    """A description being drafted; `seen` holds the values per number of mask pattern, `notes` what
    a person should know to complete it."""

    kind: str
    data: dict[str, Any]
    name: str
    seen: dict[int, Seen] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """The YAML, with the counts of each value beside it."""
        lines: list[str] = []
        number = -1
        for line in dump_yaml({"name": name, **self.data}).splitlines():
            number += line.startswith("- path:")
            value = re.match(r"    (-?\d+):", line)
            seen = self.seen.get(number)
            if value and seen:
                line += "  # " + _note(seen, int(value.group(1)))
            lines.append(line)
        notes = "".join(f"# {note}\n" for note in self.notes)
        return HEAD.format(todo=TODO) + notes + "\n".join(lines) + "\n"


def draft(
    root: Path, files: Sequence[str], vocabulary: Vocabulary, *, peek: int, has_dicom: bool
) -> Draft:
    """What a folder holds, as far as names, ``dataset.json`` and a look into some files tell.

    Args:
        root: the folder.
        files: its files, relative, sorted.
        vocabulary: to find our classes behind other names.
        peek: files opened per pattern.
        has_dicom: there are DICOM images.

    Raises:
        SourceError: there is nothing to ingest, or ``dataset.json`` is broken.
    """
    masks = {path for path in files if is_volume(path) and named_like_mask(path)}
    rest = [path for path in files if is_volume(path) and path not in masks]
    masks.update(path for path in rest[:peek] if looks_like_mask(root / path))
    layout = recognise(
        files,
        vocabulary,
        dataset_json=_dataset_json(root) if "dataset.json" in files else None,
        masks=masks,
        has_dicom=has_dicom,
    )
    reports, notes = find_reports(root, files, peek=peek)
    if layout is None and not reports:
        raise SourceError(
            "nothing to ingest: want DICOM, NIfTI, NRRD or MetaImage scans, a table of reports, or "
            "a dataset.yaml that describes the data"
        )
    if layout is None:
        return Draft("reports", {"reports": reports}, "", notes=notes)
    made = _look(layout, root, files, vocabulary, peek)
    if reports:
        made.data["reports"] = reports
        made.notes = notes
    return made


def _look(
    layout: Layout, root: Path, files: Sequence[str], vocabulary: Vocabulary, peek: int
) -> Draft:
    result = Draft(layout.kind, dict(layout.data), layout.name)
    volumes = [path for path in files if is_volume(path)]
    if result.data.get("modality") == TODO and result.data["scans"] != TODO:
        found = [path for path, _ in Pattern(result.data["scans"]).select(volumes)]
        result.data["modality"] = modality_of(_some(root, found, 3)) or TODO
    for number, mask in enumerate(result.data.get("masks", ())):
        if mask.get("labels") != TODO or mask["path"] == TODO:
            continue
        found = [path for path, _ in Pattern(mask["path"]).select(volumes)]
        seen = see_values(_some(root, found, peek))
        result.seen[number] = seen
        mask["labels"] = _labels(seen, stem(mask["path"]), vocabulary) or TODO
    return result


def _labels(seen: Seen, file_name: str, vocabulary: Vocabulary) -> dict[int, str]:
    """Classes of the values seen: what the files or their name say themselves, never a guess."""
    names = {value: our_class(name, vocabulary) for value, name in seen.names.items() if value}
    values = [value for value in seen.voxels if value]
    if len(values) == 1 and "{" not in file_name and not names:
        names = {values[0]: our_class(file_name, vocabulary)}
    return {value: names.get(value) or TODO for value in sorted({*values, *names})}


def _note(seen: Seen, value: int) -> str:
    named = f"{seen.names[value]!r}: " if value in seen.names else ""
    if not seen.voxels[value]:
        return f"{named}not in the {seen.n_files} files looked at"
    return f"{named}{seen.voxels[value]:,} voxels in {seen.files[value]} of {seen.n_files} files"


def _some(root: Path, paths: Sequence[str], count: int) -> list[Path]:
    """Up to `count` files, evenly spread."""
    step = max(1, len(paths) // count)
    return [root / path for path in paths[::step][:count]]


def _dataset_json(root: Path) -> Mapping[str, Any] | None:
    try:
        data = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SourceError("dataset.json is not readable JSON") from None
    return data if isinstance(data, dict) else None
