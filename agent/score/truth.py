"""The cohort's truth, laid over a workspace: which case is which scan, and its true masks."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxcurate.catalog import Catalog, Label, Scan
from voxcurate.errors import WorkspaceError
from voxcurate.ids import case_id
from voxcurate.labels import read_mask
from voxcurate.workspace import Workspace

Mask = npt.NDArray[np.bool_]
_CACHED_CASES = 64


@dataclass
class Scoring:
    """A workspace and the truth about it.

    Attributes:
        workspace: what is scored.
        catalog: its catalog.
        folder: the truth.
        data: ``truth.json``.
        entries: case id to the truth's entry of that scan, for every planted scan.
        scans: case id to the catalog's scan, for those that were ingested.
    """

    workspace: Workspace
    catalog: Catalog
    folder: Path
    data: dict[str, Any]
    entries: dict[str, dict[str, Any]]
    scans: dict[str, Scan]
    _masks: dict[str, dict[str, Mask]] = field(default_factory=dict)

    @classmethod
    def open(cls, workspace: Workspace, catalog: Catalog, folder: Path) -> "Scoring":
        """Read the truth and match it with the catalog by the workspace's key.

        Raises:
            WorkspaceError: there is no truth, or it is that of another cohort.
        """
        path = folder / "truth.json"
        if not path.is_file():
            raise WorkspaceError("no truth.json in the truth folder")
        data = json.loads(path.read_text(encoding="utf-8"))
        key = workspace.key()
        entries = {case_id(s["source"], s["key"], key): s for s in data["scans"]}
        scans = {scan.case_id: scan for scan in catalog.rows(Scan)}
        if scans and not set(entries) & set(scans):
            raise WorkspaceError("none of the workspace's scans is in this truth")
        known = {case: scan for case, scan in scans.items() if case in entries}
        return cls(workspace, catalog, folder, data, entries, known)

    @cached_property
    def case_of(self) -> dict[tuple[str, str], str]:
        """(source, key) to case id."""
        return {(s["source"], s["key"]): case for case, s in self.entries.items()}

    @cached_property
    def originals(self) -> dict[tuple[str, str], Label]:
        """(case, class) to the label that the source came with."""
        labels = self.catalog.rows(Label, origin="original")
        return {(x.case_id, x.class_id): x for x in labels if x.case_id in self.scans}

    def good_cases(self, *splits: str) -> list[str]:
        """Undamaged first copies that cleaning left in, of these splits (default: all)."""
        return [
            case
            for case, scan in self.scans.items()
            if scan.status in ("ok", "suspect")
            and not self.entries[case]["corruption"]
            and (not splits or scan.split in splits)
        ]

    def true_mask(self, case: str, class_id: str) -> Mask:
        """The true mask on the workspace's grid of the case (nearest voxel)."""
        if case not in self._masks:
            if len(self._masks) >= _CACHED_CASES:
                self._masks.pop(next(iter(self._masks)))
            scan = self.scans[case]
            self._masks[case] = self._masks_on(
                case, tuple(scan.shape), np.asarray(scan.affine, np.float64)
            )
        return self._masks[case][class_id]

    def borrowed_mask(self, case: str, donor: str, class_id: str) -> Mask:
        """The donor's true mask put into a case at the same place of the scanner."""
        scan = self.scans[case]
        shape, affine = tuple(scan.shape), np.asarray(scan.affine, np.float64)
        return self._masks_on(donor, shape, affine, only=class_id)[class_id]

    def label_mask(self, label: Label) -> Mask:
        """The mask of a label version."""
        shape = tuple(self.scans[label.case_id].shape)
        return read_mask(self.workspace.root, label.path, shape)

    def _masks_on(
        self,
        case: str,
        shape: tuple[int, ...],
        affine: npt.NDArray[np.float64],
        *,
        only: str = "",
    ) -> dict[str, Mask]:
        with np.load(self.folder / self.entries[case]["masks"]) as stored:
            organs, tumor, origin = stored["organs"], stored["tumor"], stored["affine"]
        step = np.linalg.inv(origin) @ affine
        values = dict(self.data["organ_values"])

        def move(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
            moved = ndimage.affine_transform(
                array,
                step[:3, :3],
                offset=step[:3, 3],
                output_shape=shape,
                order=0,
                mode="grid-constant",  # "constant" drops the border at index -1e-9
            )
            return np.asarray(moved, np.uint8)

        placed = move(organs)
        result = {
            name: placed == value for name, value in values.items() if not only or name == only
        }
        tumors = [name for name in self.data["classes"] if name not in values]
        for name in tumors:
            if not only or name == only:
                result[name] = move(tumor.astype(np.uint8)).astype(np.bool_)
        return result
