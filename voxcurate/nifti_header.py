"""NIfTI headers: what a file claims, checked before anything is allocated for it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.volume import Affine, Volume, checked_affine, spacing_of

MIN_SPACING_MM, MAX_SPACING_MM = 0.01, 100.0
MAX_HEADER = 540
# NIfTI's code to numpy's type, for numbers with one value per voxel
TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
TYPES |= {1024: "i8", 1280: "u8"}
REFUSED = {1: "1-bit", 32: "complex", 128: "RGB", 1536: "float128", 1792: "complex"}
REFUSED |= {2048: "complex", 2304: "RGBA"}


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """What a NIfTI-1 or NIfTI-2 header says about its volume.

    Attributes:
        shape: ``(I, J, K)``; trailing dimensions of 1 are dropped, missing ones added.
        dtype: as stored, with byte order.
        offset: byte at which the data start.
        slope: factor of the stored values; 1.0 for none.
        inter: summand of the stored values; 0.0 for none.
        affine: ``(4, 4)``, voxel to RAS+ mm.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float
    affine: Affine

    @property
    def n_bytes(self) -> int:
        """Bytes of the stored array."""
        i, j, k = self.shape
        return i * j * k * self.dtype.itemsize


def parse_header(raw: bytes) -> NiftiHeader:
    """The header at the start of a NIfTI file (its first 540 bytes are enough).

    Units other than mm are not converted: tools disagree on them, and metres show as an impossible
    spacing.

    Raises:
        VolumeReadError: not NIfTI, or a claim that cannot be true or that we cannot read.
    """
    header = raw_header(raw)
    shape = _shape([int(n) for n in header["dim"]])
    code = int(header["datatype"])
    if code not in TYPES:
        raise VolumeReadError(f"unsupported voxel type: {REFUSED.get(code, 'unknown')} ({code})")
    dtype = np.dtype(TYPES[code]).newbyteorder(header.endianness)
    size = int(header["sizeof_hdr"]) + 4
    offset = float(header["vox_offset"])
    if offset == 0:
        offset = size
    if not size <= offset <= 1 << 28:
        raise VolumeReadError(f"the header is wrong: the data cannot start at byte {offset:g}")
    slope, inter = (float(header[name]) for name in ("scl_slope", "scl_inter"))
    if slope == 0 or not np.isfinite(slope):
        slope, inter = 1.0, 0.0
    elif not np.isfinite(inter):
        raise VolumeReadError(f"the header is wrong: scl_inter is {inter}")
    return NiftiHeader(shape, dtype, int(offset), slope, inter, _affine(header))


def build_header(volume: Volume) -> bytes:
    """352 bytes of a NIfTI-1 header: sform and qform agree, units are mm.

    A sheared affine (gantry tilt) has no qform; its code is then 0.

    Raises:
        GeometryError: the volume is too large for NIfTI-1, or its type has no NIfTI code.
    """
    from nibabel.nifti1 import Nifti1Header

    codes = {np.dtype(name): code for code, name in TYPES.items()}
    dtype = volume.array.dtype.newbyteorder("=")
    if dtype not in codes:
        raise GeometryError(f"voxel type {dtype} cannot be written to NIfTI")
    if max(volume.shape) > 32767:
        raise GeometryError(f"want at most 32767 voxels a side for NIfTI, found {volume.shape}")
    header = Nifti1Header(endianness="<")
    header.set_data_shape(volume.shape)
    header["datatype"], header["bitpix"] = codes[dtype], dtype.itemsize * 8
    header["vox_offset"], header["scl_slope"], header["scl_inter"] = 352, 1, 0
    header.set_xyzt_units("mm")
    axes = volume.affine[:3, :3] / np.asarray(volume.spacing)
    is_orthogonal = np.allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    header.set_qform(volume.affine, 1 if is_orthogonal else 0, strip_shears=True)
    header.set_sform(volume.affine, 1)
    return bytes(header.binaryblock) + bytes(4)


def coded_affine(header: Any, name: str) -> Affine | None:
    """The affine of ``sform`` or ``qform``; None if its code says that it is not set.

    Raises:
        GeometryError: it is singular or not finite, or its quaternion is no rotation.
    """
    from nibabel.spatialimages import HeaderDataError

    if float(header["pixdim"][0]) not in (-1.0, 1.0):  # as the standard has it; nibabel refuses
        header = header.copy()
        header["pixdim"][0] = 1.0
    try:
        with np.errstate(all="ignore"):
            found = getattr(header, f"get_{name}")(coded=True)[0]
    except (HeaderDataError, ValueError, ArithmeticError, np.linalg.LinAlgError):
        raise GeometryError(f"the {name} is no rotation") from None
    return None if found is None else checked_affine(found)


def raw_header(raw: bytes) -> Any:
    """nibabel's header object, not checked.

    Raises:
        VolumeReadError: not NIfTI, or the header of a pair of files.
    """
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    for kind, size, at in ((Nifti1Header, 348, 344), (Nifti2Header, 540, 4)):
        for order, sign in (("little", "<"), ("big", ">")):
            if int.from_bytes(raw[:4], order) != size or len(raw) < size:  # type: ignore[arg-type]
                continue
            magic = raw[at : at + 3]
            if magic in (b"ni1", b"ni2"):
                raise VolumeReadError("a pair of .hdr and .img files is not supported")
            if magic in (b"n+1", b"n+2"):
                return kind(raw[:size], endianness=sign, check=False)
    raise VolumeReadError("not a NIfTI file: its header is wrong")


def _shape(dim: list[int]) -> tuple[int, int, int]:
    n_axes = dim[0]
    if not 1 <= n_axes <= 7:
        raise VolumeReadError(f"the header is wrong: {n_axes} dimensions")
    sides = dim[1 : n_axes + 1]
    if min(sides) < 1:
        raise VolumeReadError(f"the header is wrong: shape {tuple(sides)}")
    if any(n > 1 for n in sides[3:]):
        raise VolumeReadError(f"want one volume (I, J, K), found shape {tuple(sides)}")
    i, j, k = (*sides, 1, 1)[:3]
    return i, j, k


def _affine(header: Any) -> Affine:
    """The sform if it is set and usable, else the qform: nibabel's order."""
    problem = "neither sform nor qform is set: left and right are unknown"
    for name in ("sform", "qform"):
        try:
            affine = coded_affine(header, name)
            if affine is None:
                continue
            spacing = spacing_of(affine)
            if min(spacing) >= MIN_SPACING_MM and max(spacing) <= MAX_SPACING_MM:
                return affine
            problem = "impossible spacing: " + " x ".join(f"{s:g}" for s in spacing) + " mm"
        except GeometryError as error:
            problem = str(error)
    raise VolumeReadError(problem)
