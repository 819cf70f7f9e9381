"""Label versions on disk: written once under a name that comes from their content, never
overwritten."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.atomic import SUFFIX, adopt_file, make_folder, temporary_name
from voxcurate.catalog import Label, Scan, Writer
from voxcurate.errors import CatalogError, GeometryError
from voxcurate.ids import content_id
from voxcurate.volume import Box, Volume
from voxcurate.workspace import Workspace


@dataclass(frozen=True)
class MaskFile:
    """A mask that a worker wrote to the scratch folder; an empty mask has no file."""

    temporary: str
    sha256: str
    voxels: int
    ml: float
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_mask(
    scratch: Path,
    name: str,
    mask: npt.NDArray[np.bool_],
    affine: npt.NDArray[np.float64],
    *,
    box: Box | None = None,
    shape: tuple[int, int, int] | None = None,
) -> MaskFile:
    """Write a mask to the scratch folder; for workers.

    Args:
        name: unique among what is running, for example ``<case>_<class>_<origin>``.
        mask: shape ``(I, J, K)``, or that of `box`; non-zero is inside.
        affine: of the volume, voxel to RAS+ mm.
        box: where the mask lies in the volume; not given: it is the whole volume.
        shape: of the volume; wanted with `box`.

    Returns:
        Where it lies and what is known of it. The SHA-256 is of the volume's shape, the smallest
        box around the voxels and the voxels in it, not of the file.
    """
    from voxcurate.atomic import write_atomic
    from voxcurate.labelmaps import box_parts
    from voxcurate.masks import bounding_box

    inside = np.ascontiguousarray(mask, dtype=bool)
    i, j, k = (slice(0, n) for n in inside.shape) if box is None else box
    whole = inside.shape if shape is None else shape
    tight = bounding_box(inside)
    if tight is None:
        return MaskFile("", _content(whole, (), inside[:0]), 0, 0.0)
    part = np.ascontiguousarray(inside[tight])
    start = (i.start, j.start, k.start)
    place = tuple(
        slice(first + side.start, first + side.stop)
        for first, side in zip(start, tight, strict=True)
    )
    voxels = int(np.count_nonzero(part))
    ml = voxels * abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0
    path = scratch / f"{name}.{os.getpid()}.nii.gz"
    write_atomic(path, box_parts(part, place, whole, affine))  # type: ignore[arg-type]
    return MaskFile(str(path), _content(whole, place, part), voxels, round(ml, 6))


def mask_sha256(mask: npt.NDArray[Any]) -> str:
    """The hash that a label version carries: of its shape, its box and the voxels in it.

    Args:
        mask: of the whole volume; non-zero is inside.
    """
    from voxcurate.masks import bounding_box

    inside = np.ascontiguousarray(mask, dtype=bool)
    tight = bounding_box(inside)
    return _content(inside.shape, tight or (), inside[tight] if tight else inside[:0])


def _content(shape: Sequence[int], place: Sequence[slice], part: npt.NDArray[np.bool_]) -> str:
    import hashlib

    content = hashlib.sha256(repr(tuple(int(n) for n in shape)).encode())
    if place:
        content.update(repr([(int(side.start), int(side.stop)) for side in place]).encode())
        content.update(np.packbits(np.ascontiguousarray(part)).tobytes())
    return content.hexdigest()


def adopt_mask(
    writer: Writer,
    workspace: Workspace,
    file: MaskFile,
    *,
    case_id: str,
    class_id: str,
    origin: str,
    round_number: int,
    parent: str = "",
    model_id: str = "",
    known: MaskFile | None = None,
    facts: Mapping[str, Any] | None = None,
    gold: bool = False,
) -> Label:
    """Move a worker's mask to its place and add its label version; for drivers, inside a
    transaction.

    The id comes from case, class, origin, parent, model, round and content, so that doing it again
    after a crash gives the same version; a file that is there already is kept.

    Raises:
        CatalogError: `known` holds no voxel. Such a label says nothing, and no path would mean
            that it speaks about all voxels.
    """
    if known is not None and not known.voxels:
        raise CatalogError("want a label that is known somewhere, found none", case_id=case_id)
    label_id = content_id(
        case_id,
        class_id,
        origin,
        parent,
        model_id,
        round_number,
        file.sha256,
        known and known.sha256,
    )
    path = known_path = ""
    if file.voxels:
        final = workspace.label_path(case_id, class_id, label_id)
        _keep(Path(file.temporary), final)
        path = workspace.relative(final)
    if known is not None:
        final = workspace.label_path(case_id, class_id, f"{label_id}_known")
        _keep(Path(known.temporary), final)
        known_path = workspace.relative(final)
    label = Label(
        label_id=label_id,
        case_id=case_id,
        class_id=class_id,
        origin=origin,  # type: ignore[arg-type]
        parent=parent,
        model_id=model_id,
        round=round_number,
        path=path,
        known_path=known_path,
        sha256=file.sha256,
        ml=file.ml,
        voxels=file.voxels,
        facts={**file.facts, **(facts or {})},
        gold=gold,
    )
    writer.add(label)
    return label


def _keep(temporary: Path, final: Path) -> None:
    """Adopt a file under a name that tells its content: what is there stays as it is."""
    if final.exists():
        temporary.unlink()
    else:
        adopt_file(temporary, final)


def read_mask(root: Path, path: str, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The mask of a label version, bool ``(I, J, K)``; an empty `path` is an empty mask.

    Args:
        root: of the workspace.
        path: as the catalog stores it.
        shape: of the scan.

    Raises:
        CatalogError: the file is gone.
        GeometryError: it has another shape than its scan.
    """
    if not path:
        return np.zeros(shape, dtype=bool)
    from voxcurate.nifti import read_nifti

    file = root / path
    if not file.is_file():
        raise CatalogError("a label version's file is gone from the workspace")
    array = read_nifti(file).array
    if array.shape != tuple(shape):
        raise GeometryError(f"want a mask of shape {tuple(shape)}, found {array.shape}")
    inside: npt.NDArray[np.bool_] = array.astype(bool, copy=False)
    return inside


def rebuild_view(workspace: Workspace, scan: Scan, labels: Mapping[str, Label]) -> None:
    """Make ``scans/<case>/segmentations/`` show exactly these label versions (class -> version).

    Files are hard links to the immutable versions (copies where links are not possible); empty
    labels are links to one empty mask per case. A file that already shows its version is left
    alone.
    """
    folder = workspace.scan_path(scan.case_id).parent / "segmentations"
    make_folder(folder)
    for class_id, label in labels.items():
        source = workspace.root / label.path if label.path else _empty_mask(workspace, scan)
        _show(source, folder / f"{class_id}.nii.gz")
    for path in folder.iterdir():
        ours = path.name.endswith((".nii.gz", SUFFIX))  # the latter: left by a killed process
        if ours and path.name.removesuffix(".nii.gz") not in labels:
            path.unlink()


def _empty_mask(workspace: Workspace, scan: Scan) -> Path:
    path = workspace.root / "labels" / scan.case_id / "empty.nii.gz"
    if not path.exists():
        from voxcurate.nifti import write_nifti

        affine = np.asarray(scan.affine, dtype=np.float64)
        write_nifti(path, Volume(np.zeros(tuple(scan.shape), np.uint8), affine))
    return path


def _show(source: Path, target: Path) -> None:
    if target.exists() and _same(source, target):
        return
    temporary = temporary_name(target)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copy2(source, temporary)  # with its time, by which `_same` knows it again
    temporary.replace(target)


def _same(source: Path, target: Path) -> bool:
    if target.samefile(source):
        return True
    one, other = source.stat(), target.stat()
    linked = one.st_nlink > 1 and one.st_dev == other.st_dev  # links work here: want one
    return not linked and (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
