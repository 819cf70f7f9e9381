"""Soft predictions: probabilities of one model for one case, one indexed file.

Layout: 8 bytes magic, length and CRC-32 of the header (two little-endian uint32), the header
(JSON), then one zlib body per class. A class is uint8 (``round(p * 255)``) cropped to the box of
its non-zero voxels; the header says where its body starts, so that one class is read alone.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from isal.igzip_lib import IsalError

from voxcurate import _kernels
from voxcurate.atomic import write_atomic
from voxcurate.errors import CurationError, GeometryError, VolumeReadError
from voxcurate.volume import Affine, Box, checked_affine

MAGIC = b"VOXPRED1"
_LENGTHS = struct.Struct("<II")
EMPTY_BOX: Box = (slice(0, 0), slice(0, 0), slice(0, 0))


@dataclass(frozen=True, eq=False)
class ProbabilityBox:
    """Probabilities of one class inside a box; outside it they are 0.

    Attributes:
        box: where the array lies in the volume; ``0:0`` on each axis if nothing was predicted.
        array: uint8, shape of the box; probability times 255.
    """

    box: Box
    array: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one model says about one case.

    Attributes:
        classes: class id to its box; read from disk on access if the prediction was opened.
        shape: ``(I, J, K)`` of the volume.
        affine: ``(4, 4)``, voxel to RAS+ mm, that of the scan.
        model_id: the model's name or id.
        out_of_fold: True if the case (and its patient) was not among the model's training cases.
        model_sha256: hash of the model's weights, if known.
        fold: the fold that the model left out, if it was cross-validated.
        meta: further plain JSON data.
    """

    classes: Mapping[str, ProbabilityBox]
    shape: tuple[int, int, int]
    affine: Affine
    model_id: str
    out_of_fold: bool
    model_sha256: str = ""
    fold: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def box(self, class_id: str) -> ProbabilityBox:
        """The class inside its box.

        Raises:
            VolumeReadError: the prediction lacks this class, or its part of the file is broken.
        """
        try:
            return self.classes[class_id]
        except KeyError:
            known = ", ".join(self.classes) or "none"
            raise VolumeReadError(
                f"no class {class_id!r} in this prediction; has {known}"
            ) from None

    def full(
        self, class_id: str, *, out: npt.NDArray[np.uint8] | None = None
    ) -> npt.NDArray[np.uint8]:
        """The class over the whole volume: uint8 ``(I, J, K)``, 0 outside its box.

        Args:
            class_id: one of `classes`.
            out: an array of that shape to overwrite and return; sparing the allocation pays.
        """
        part = self.box(class_id)
        if out is None:
            out = np.zeros(self.shape, np.uint8)
        elif out.shape != self.shape:
            raise GeometryError(f"want a buffer of shape {self.shape}, found {out.shape}")
        else:
            out.fill(0)
        out[part.box] = part.array
        return out


def axes_reversed(prediction: Prediction) -> Prediction:
    """The same with axes ``(K, J, I)``, as views: files of NIfTI lie so in memory."""
    classes = {
        name: ProbabilityBox(part.box[::-1], part.array.T)
        for name, part in prediction.classes.items()
    }
    affine = prediction.affine[:, [2, 1, 0, 3]]
    return replace(prediction, classes=classes, shape=prediction.shape[::-1], affine=affine)


def probability_box(
    probability: npt.NDArray[np.floating[Any]] | npt.NDArray[np.uint8], *, floor: float = 0.0
) -> ProbabilityBox:
    """Quantise and crop one class of a model's output.

    Args:
        probability: ``(I, J, K)``; floats in 0..1, or uint8 that is already times 255.
        floor: probabilities below become 0, so that a faint background does not fill the box;
            0 keeps everything that rounds to 1/255 or more.

    Raises:
        CurationError: NaN, or floats that are no probabilities.
        GeometryError: not 3-D.
    """
    if probability.ndim != 3:
        raise GeometryError(f"want probabilities (I, J, K), found shape {probability.shape}")
    least = max(1, int(np.ceil(floor * 255 - 0.5)))
    if probability.dtype == np.uint8:
        array = np.where(probability >= least, probability, np.uint8(0))
    else:
        array = np.empty(probability.shape, np.uint8)
        flat = np.ascontiguousarray(probability, dtype=np.float32).reshape(-1)
        if not _kernels.quantise(flat, least, array.reshape(-1)):
            raise CurationError("want probabilities from 0 to 1, found NaN or values outside")
    return tight_box(array)


def tight_box(array: npt.NDArray[np.uint8]) -> ProbabilityBox:
    """An array cropped to what is not 0 in it (C order is the fast one)."""
    if not array.size:
        return ProbabilityBox(EMPTY_BOX, np.zeros((0, 0, 0), np.uint8))
    lines = _kernels.occupied(array, 1, 255)
    if not lines[0].any():
        return ProbabilityBox(EMPTY_BOX, np.zeros((0, 0, 0), np.uint8))
    spans = [np.flatnonzero(line) for line in lines]
    i, j, k = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return ProbabilityBox((i, j, k), np.ascontiguousarray(array[i, j, k]))


def write_prediction(path: Path, prediction: Prediction) -> None:
    """Write a prediction so that it is whole or not there.

    Same content, same file but for its packing: ISA-L has been seen to pack 20 bytes in two ways.

    Raises:
        GeometryError: a class's box and array do not fit each other or the shape.
    """
    bodies: list[bytes] = []
    index: dict[str, Any] = {}
    start = 0
    for class_id, part in prediction.classes.items():
        _check_box(class_id, part, prediction.shape)
        body = isal_zlib.compress(np.ascontiguousarray(part.array), 1) if part.array.size else b""
        index[class_id] = {
            "box": [[axis.start, axis.stop] for axis in part.box],
            "start": start,
            "length": len(body),
        }
        start += len(body)
        bodies.append(body)
    header = {
        "shape": list(prediction.shape),
        "affine": checked_affine(prediction.affine).tolist(),
        "model_id": prediction.model_id,
        "model_sha256": prediction.model_sha256,
        "fold": prediction.fold,
        "out_of_fold": prediction.out_of_fold,
        "meta": dict(prediction.meta),
        "classes": index,
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    write_atomic(path, [MAGIC, _LENGTHS.pack(len(text), zlib.crc32(text)), text, *bodies])


def open_prediction(path: Path) -> Prediction:
    """A prediction whose classes are read one by one when asked for.

    No file stays open between reads, so the object may go to another process.

    Raises:
        VolumeReadError: no such file, not a prediction, or truncated (checked for all classes).
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC) + _LENGTHS.size)
            if len(head) < len(MAGIC) + _LENGTHS.size or not head.startswith(MAGIC):
                raise VolumeReadError("not a prediction file: its first bytes are wrong")
            length, crc = _LENGTHS.unpack_from(head, len(MAGIC))
            size = file.seek(0, 2)
            file.seek(len(head))
            text = file.read(min(length, size))
    except OSError as error:
        raise VolumeReadError(f"cannot read the prediction: {error.strerror}") from None
    if len(text) < length or zlib.crc32(text) != crc:
        raise VolumeReadError("the prediction's header is truncated or damaged")
    header = json.loads(text)
    body = len(head) + length
    wanted = body + sum(entry["length"] for entry in header["classes"].values())
    if size != wanted:
        raise VolumeReadError(f"the prediction is truncated: want {wanted} bytes, found {size}")
    i, j, k = header["shape"]
    return Prediction(
        classes=_Stored(path, body, header["classes"]),
        shape=(i, j, k),
        affine=checked_affine(header["affine"]),
        model_id=header["model_id"],
        out_of_fold=header["out_of_fold"],
        model_sha256=header["model_sha256"],
        fold=header["fold"],
        meta=header["meta"],
    )


class _Stored(Mapping[str, ProbabilityBox]):
    """The classes of a file; each access reads and unpacks one body."""

    def __init__(self, path: Path, start: int, index: dict[str, Any]) -> None:
        self._path, self._start, self._index = path, start, index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, class_id: object) -> bool:
        return class_id in self._index  # `Mapping` would read and unpack the class to find out

    def __getitem__(self, class_id: str) -> ProbabilityBox:
        entry = self._index[class_id]
        i, j, k = (slice(a, b) for a, b in entry["box"])
        shape = (i.stop - i.start, j.stop - j.start, k.stop - k.start)
        if not entry["length"]:
            return ProbabilityBox((i, j, k), np.zeros(shape, np.uint8))
        try:
            with self._path.open("rb") as file:
                file.seek(self._start + entry["start"])
                body = file.read(entry["length"])
            raw = isal_zlib.decompress(body, bufsize=max(1, int(np.prod(shape))))
            array = np.frombuffer(raw, np.uint8).reshape(shape)
        except OSError as error:
            raise VolumeReadError(f"cannot read the prediction: {error.strerror}") from None
        except (IsalError, EOFError, ValueError):  # type: ignore[misc]  # its stub says: a value
            raise VolumeReadError(f"the prediction's class {class_id!r} is damaged") from None
        return ProbabilityBox((i, j, k), array)


def _check_box(class_id: str, part: ProbabilityBox, shape: tuple[int, int, int]) -> None:
    sides = tuple(axis.stop - axis.start for axis in part.box)
    inside = all(0 <= axis.start <= axis.stop <= n for axis, n in zip(part.box, shape, strict=True))
    if not inside or sides != part.array.shape or part.array.dtype != np.uint8:
        raise GeometryError(
            f"class {class_id!r}: want uint8 of a box inside {shape}, "
            f"found {part.array.dtype} {part.array.shape} for {sides}"
        )
