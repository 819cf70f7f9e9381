"""Damaged DICOM and NIfTI files by the thousand: each must get a verdict, none may crash, hang or
blow up memory.

Run: ``python -m benchmarks.fuzz --files 2000``. Each file is a small valid one with one to three
mutations drawn from a fixed seed. Printed: verdicts by kind of mutation, processes that died,
time-outs, unexpected exceptions, the largest memory and the longest time of a file. Exit status 1
if any process died, ran out of time, raised, or took more memory than allowed.
"""

import argparse
import gzip
import json
import struct
import sys
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from cleaning.check.config import CheckConfig
from voxcurate.executor import LocalExecutor
from voxcurate.protocols import Task

Rng = np.random.Generator
Mutator = Callable[[bytes, Rng], bytes]
TIME_LIMIT_S = 60.0
MEMORY_MB = 1500
MOST_PEAK_MB = 1200.0
EXAMINE = "cleaning.check.examine:examine"


@dataclass(frozen=True)
class Seed:
    """A valid file: its bytes, the ending of its name, and where its interesting fields lie."""

    name: str
    content: bytes
    suffix: str


def main() -> int:
    """Print the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(Path(folder), given.files, given.seed, workers=given.workers)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return int(bool(found["failures"]))


def fuzz(folder: Path, n_files: int, seed: int, *, workers: int = 2) -> dict[str, Any]:
    """Write mutated files into a folder and check each in a worker."""
    kinds: dict[str, str] = {}
    tasks = []
    config = CheckConfig(time_limit_s=TIME_LIMIT_S, memory_mb=MEMORY_MB, max_gib=1.0)
    for n, (kind, suffix, content) in enumerate(mutants(n_files, seed)):
        path = folder / f"{n:05d}{suffix}"
        path.write_bytes(content)
        kinds[str(n)] = kind
        tasks.append(Task(str(n), _payload(path, config)))
    executor = LocalExecutor(workers=workers, time_limit_s=TIME_LIMIT_S, retries=0)
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    failures, peak, slowest = [], 0.0, 0.0
    for outcome in executor.run(EXAMINE, tasks):
        kind = kinds[outcome.key]
        peak, slowest = max(peak, outcome.peak_mb), max(slowest, outcome.seconds)
        if outcome.ok:
            verdicts[kind][outcome.value["check"]["verdict"]] += 1
            reasons.update(r["code"] for r in outcome.value["check"]["reasons"])
        if not outcome.ok or outcome.peak_mb > MOST_PEAK_MB:
            why = outcome.error_kind or f"{outcome.peak_mb:.0f} MB"
            failures.append([outcome.key, kind, why, outcome.error])
    return {
        "files": n_files,
        "seed": seed,
        "verdicts": {kind: dict(counts) for kind, counts in sorted(verdicts.items())},
        "total": dict(sum(verdicts.values(), Counter())),
        "reasons": dict(reasons.most_common()),
        "failures": failures,
        "peak_mb": round(peak),
        "slowest_s": round(slowest, 2),
    }


def _payload(path: Path, config: CheckConfig) -> dict[str, Any]:
    item = {"files": [str(path)]} if path.suffix == ".dcm" else {"path": str(path)}
    return {**item, "modality": "CT", "config": config.model_dump(), "memory": config.memory_mb}


def mutants(n: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Kind, name ending and bytes of mutated files; the same for the same seed."""
    seeds = seed_files()
    by_type = {
        "nifti": [s for s in seeds if ".nii" in s.suffix],
        "dicom": [s for s in seeds if s.suffix == ".dcm"],
    }
    mutators = {"nifti": {**ANY, **NIFTI}, "dicom": {**ANY, **DICOM}}
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        kind = ("nifti", "dicom")[number % 2]
        base = by_type[kind][int(rng.integers(len(by_type[kind])))]
        names = list(mutators[kind])
        name = names[(number // 2) % len(names)]
        content = base.content
        packed = base.suffix == ".nii.gz" and name not in PACKED_AS_IT_IS
        if packed:
            content = gzip.decompress(content)
        content = mutators[kind][name](content, rng)
        for _ in range(int(rng.integers(0, 3)) * int(rng.random() < 0.3)):
            other = names[int(rng.integers(len(names)))]
            if not {"bomb", "deflate bomb"} & {name, other} and other not in PACKED_AS_IT_IS:
                content = mutators[kind][other](content, rng)
        if packed:
            content = gzip.compress(content, 1, mtime=0)
        yield f"{kind} {name}", base.suffix, content[: 64 << 20]


# what may happen to any file


def _flip(content: bytes, rng: Rng) -> bytes:
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _flip_head(content: bytes, rng: Rng) -> bytes:
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        data[int(rng.integers(min(len(data), 400)))] = int(rng.integers(256))
    return bytes(data)


def _truncate(content: bytes, rng: Rng) -> bytes:
    return content[: int(rng.integers(len(content)))]


def _truncate_head(content: bytes, rng: Rng) -> bytes:
    return content[: int(rng.integers(min(len(content), 600)))]


def _insert(content: bytes, rng: Rng) -> bytes:
    at = int(rng.integers(len(content)))
    return content[:at] + rng.bytes(int(rng.integers(1, 64))) + content[at:]


def _remove(content: bytes, rng: Rng) -> bytes:
    at = int(rng.integers(len(content)))
    return content[:at] + content[at + int(rng.integers(1, 200)) :]


def _zeros(content: bytes, rng: Rng) -> bytes:
    at, n = int(rng.integers(len(content))), int(rng.integers(1, 400))
    return content[:at] + bytes(n) + content[at + n :]


def _noise(content: bytes, rng: Rng) -> bytes:
    return content[:132] + rng.bytes(int(rng.integers(0, 4000)))


def _swap_pairs(content: bytes, rng: Rng) -> bytes:
    data = np.frombuffer(content[: len(content) // 2 * 2], np.uint16)
    return data.byteswap().tobytes()


def _append(content: bytes, rng: Rng) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 5000)))


ANY: dict[str, Mutator] = {
    "bit flips": _flip,
    "header bytes": _flip_head,
    "truncated": _truncate,
    "truncated header": _truncate_head,
    "bytes inserted": _insert,
    "bytes removed": _remove,
    "zeroed block": _zeros,
    "noise after the start": _noise,
    "swapped bytes": _swap_pairs,
    "trailing bytes": _append,
}

# NIfTI-1: name of a field, its offset and struct code
_FIELDS = {
    **{f"dim[{n}]": (40 + 2 * n, "h") for n in range(8)},
    "datatype": (70, "h"),
    "bitpix": (72, "h"),
    **{f"pixdim[{n}]": (76 + 4 * n, "f") for n in range(8)},
    "vox_offset": (108, "f"),
    "scl_slope": (112, "f"),
    "scl_inter": (116, "f"),
    "xyzt_units": (123, "B"),
    "qform_code": (252, "h"),
    "sform_code": (254, "h"),
    **{f"quatern[{n}]": (256 + 4 * n, "f") for n in range(6)},
    **{f"srow[{n}]": (280 + 4 * n, "f") for n in range(12)},
    "magic": (344, "I"),
}
_ODD = {
    "h": (-32768, -1, 0, 1, 2, 7, 8, 16, 255, 512, 1024, 32767),
    "f": (float("nan"), float("inf"), -1.0, 0.0, 1e-38, 1e-3, 1e9, 3.4e38, 352.5),
    "B": (0, 1, 3, 255),
    "I": (0, 0x00316E, 0xFFFFFFFF),
}


def _set(content: bytes, name: str, value: float) -> bytes:
    at, code = _FIELDS[name]
    if len(content) < at + struct.calcsize(code):
        return content
    with np.errstate(all="ignore"):
        packed = struct.pack("<" + code, float(np.float32(value)) if code == "f" else int(value))
    return content[:at] + packed + content[at + len(packed) :]


def _odd_field(content: bytes, rng: Rng) -> bytes:
    for _ in range(int(rng.integers(1, 4))):
        name = list(_FIELDS)[int(rng.integers(len(_FIELDS)))]
        odd = _ODD[_FIELDS[name][1]]
        content = _set(content, name, odd[int(rng.integers(len(odd)))])
    return content


def _huge_dims(content: bytes, rng: Rng) -> bytes:
    for n in range(1, 1 + int(rng.integers(1, 8))):
        content = _set(content, f"dim[{n}]", int(rng.integers(1000, 32768)))
    return _set(content, "dim[0]", int(rng.integers(3, 8)))


def _bad_offset(content: bytes, rng: Rng) -> bytes:
    odd = (0, 1, 100, 347, 353, 1e6, 1e12, -352, float("nan"), float("inf"))
    return _set(content, "vox_offset", odd[int(rng.integers(len(odd)))])


def _other_type(content: bytes, rng: Rng) -> bytes:
    codes = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304, 99)
    return _set(content, "datatype", codes[int(rng.integers(len(codes)))])


def _swap_header(content: bytes, rng: Rng) -> bytes:
    return content[:4][::-1] + content[4:] if rng.random() < 0.5 else _swap_pairs(content, rng)


def _gzip_damage(content: bytes, rng: Rng) -> bytes:
    """Of a packed file: its header, body, checksum, length; or members one after the other."""
    if content[:2] != b"\x1f\x8b":
        content = gzip.compress(content, 1, mtime=0)
    kind = int(rng.integers(5))
    data = bytearray(content)
    if kind == 0:
        data[int(rng.integers(2, 10))] = int(rng.integers(256))
    elif kind == 1:
        data[-8 + int(rng.integers(8))] ^= 0xFF
    elif kind == 2:
        data[int(rng.integers(10, len(data)))] ^= 1 << int(rng.integers(8))
    elif kind == 3:
        return content + content
    else:
        return content + rng.bytes(20)
    return bytes(data)


def _bomb(content: bytes, rng: Rng) -> bytes:
    """A little file that unpacks to 2 GiB beyond, or as, its header says."""
    head = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    head = head[:352].ljust(352, b"\0")
    if rng.random() < 0.5:
        for n, side in enumerate((1024, 1024, 1024), start=1):
            head = _set(head, f"dim[{n}]", side)
    # members one after the other are one stream to gzip: the zeros are packed once
    return gzip.compress(head, 9, mtime=0) + _packed_zeros(31) * 32


@lru_cache(maxsize=4)
def _packed_zeros(wbits: int) -> bytes:
    """64 MiB of zeros, packed; as a raw deflate stream without its end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    body = packer.compress(bytes(64 << 20))
    return body + packer.flush(zlib.Z_FINISH if wbits > 0 else zlib.Z_FULL_FLUSH)


NIFTI: dict[str, Mutator] = {
    "odd header field": _odd_field,
    "huge dimensions": _huge_dims,
    "bad offset": _bad_offset,
    "other voxel type": _other_type,
    "swapped header": _swap_header,
    "gzip damage": _gzip_damage,
    "bomb": _bomb,
}
PACKED_AS_IT_IS = ("gzip damage", "bomb", "bit flips", "truncated", "trailing bytes")


# DICOM


def _elements(content: bytes) -> list[int]:
    """Offsets at which explicit little-endian elements seem to start."""
    found: list[int] = []
    at = 132
    while at + 8 <= len(content) and len(found) < 400:
        vr = content[at + 4 : at + 6]
        if not (vr.isalpha() and vr.isupper()):
            break
        found.append(at)
        if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"UC", b"UR"):
            at += 12 + int.from_bytes(content[at + 8 : at + 12], "little")
        else:
            at += 8 + int.from_bytes(content[at + 6 : at + 8], "little")
    return found


def _wrong_length(content: bytes, rng: Rng) -> bytes:
    places = _elements(content)
    if not places:
        return _flip(content, rng)
    data = bytearray(content)
    at = places[int(rng.integers(len(places)))]
    is_long = bytes(data[at + 4 : at + 6]) in (b"OB", b"OW", b"SQ", b"UN")
    odd = (0, 1, 3, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
    value = odd[int(rng.integers(len(odd)))]
    if is_long:
        data[at + 8 : at + 12] = struct.pack("<I", value)
    else:
        data[at + 6 : at + 8] = struct.pack("<H", value & 0xFFFF)
    return bytes(data)


def _wrong_vr(content: bytes, rng: Rng) -> bytes:
    places = _elements(content)
    if not places:
        return _flip(content, rng)
    at = places[int(rng.integers(len(places)))]
    vrs = (b"SQ", b"UN", b"OB", b"US", b"DS", b"FD", b"PN", b"XX", b"\0\0", b"AT", b"UI", b"SV")
    return content[: at + 4] + vrs[int(rng.integers(len(vrs)))] + content[at + 6 :]


def _odd_value(content: bytes, rng: Rng) -> bytes:
    """A number of the image module or of its place made impossible, the file else whole."""
    from pydicom import dcmread

    from voxcurate.dicom_file import UNREADABLE, quiet_pydicom

    words: tuple[str, ...] = (
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "SamplesPerPixel",
    )
    words += ("NumberOfFrames", "PixelRepresentation")
    texts: tuple[str, ...] = (
        "PixelSpacing",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "RescaleSlope",
    )
    texts += ("RescaleIntercept", "SliceThickness", "InstanceNumber")
    with quiet_pydicom():
        try:
            data = dcmread(BytesIO(content), force=True)
            if rng.random() < 0.5:
                word = words[int(rng.integers(len(words)))]
                odd = (0, 1, 3, 7, 33, 255, 65535)
                setattr(data, word, odd[int(rng.integers(len(odd)))])
            else:
                word = texts[int(rng.integers(len(texts)))]
                odd_texts = (
                    b"",
                    b"abc",
                    b"1e400",
                    b"nan\\nan",
                    b"0\\0\\0\\0\\0\\0",
                    b"-1",
                    b"\\\\",
                )
                value = odd_texts[int(rng.integers(len(odd_texts)))].decode()
                data[word]._value = value
            stream = BytesIO()
            data.save_as(stream, enforce_file_format=False)
            return stream.getvalue()
        except UNREADABLE:
            return _flip(content, rng)


def _huge_frames(content: bytes, rng: Rng) -> bytes:
    """Sides and frames that make terabytes."""
    from pydicom import dcmread

    from voxcurate.dicom_file import UNREADABLE, quiet_pydicom

    with quiet_pydicom():
        try:
            data = dcmread(BytesIO(content), force=True)
            data.Rows = data.Columns = 65535
            data.NumberOfFrames = int(rng.integers(1, 2**31 - 1))
            stream = BytesIO()
            data.save_as(stream, enforce_file_format=False)
            return stream.getvalue()
        except UNREADABLE:
            return _flip(content, rng)


def _deep_sequences(content: bytes, rng: Rng) -> bytes:
    """Sequences within sequences, closed or not, before the pixels."""
    depth = int(rng.integers(50, 20000))
    begin = b"\x08\x00\x15\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    nest = begin * depth + (end * depth if rng.random() < 0.5 else b"")
    places = _elements(content)
    at = places[len(places) // 2] if places else 132
    return content[:at] + nest + content[at:]


def _other_syntax(content: bytes, rng: Rng) -> bytes:
    """Another transfer syntax of the same length of text, as if packed otherwise."""
    names: tuple[bytes, ...] = (
        b"1.2.840.10008.1.2.1.99",
        b"1.2.840.10008.1.2.4.90",
        b"1.2.840.10008.1.2.4.70",
    )
    names += (b"1.2.840.10008.1.2.5\0\0\0", b"1.2.840.10008.1.2.2\0\0\0", b"9.9.9.9.9.9.9.9.9.9.99")
    at = content.find(b"1.2.840.10008.1.2", 132)
    if at < 0:
        return _flip(content, rng)
    name = names[int(rng.integers(len(names)))]
    old = content[at : at + 22]
    length = len(old.split(b"\x02\x00")[0]) if b"\x02\x00" in old else len(old)
    return content[:at] + name[:length].ljust(length, b"\0") + content[at + length :]


def _deflate_bomb(content: bytes, rng: Rng) -> bytes:
    """A deflated data set of 2 GiB of zeros."""
    name = b"1.2.840.10008.1.2.1.99"
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(name)) + name
    head = bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta
    return head + _packed_zeros(-15) * 32 + b"\x03\x00"


DICOM: dict[str, Mutator] = {
    "wrong length": _wrong_length,
    "wrong type": _wrong_vr,
    "odd value": _odd_value,
    "huge frames": _huge_frames,
    "deep sequences": _deep_sequences,
    "other transfer syntax": _other_syntax,
    "deflate bomb": _deflate_bomb,
}


def seed_files() -> list[Seed]:
    """Small valid files of every kind that we read; pydicom brings some compressed ones."""
    return [*_nifti_seeds(), *_dicom_seeds()]


def _nifti_seeds() -> list[Seed]:
    import nibabel as nib

    rng = np.random.default_rng(0)
    image = np.full((14, 12, 10), -1000.0) + rng.normal(0, 8, (14, 12, 10))
    image[3:11, 3:9, 1:9] = 40
    affine = np.diag([4.0, 5.0, 6.0, 1.0])
    affine[:3, 3] = (-20, 10, 5)
    found = []
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        for dtype in (np.int16, np.float32, np.uint8):
            data = kind(image.astype(dtype), affine).to_bytes()
            name = f"{kind.__name__} {np.dtype(dtype).name}"
            found.append(Seed(name, data, ".nii"))
            found.append(Seed(name + " gz", gzip.compress(data, 6, mtime=0), ".nii.gz"))
    return [*found, Seed("ours", _ours(image.astype(np.int16), affine), ".nii.gz")]


def _ours(image: Any, affine: Any) -> bytes:
    from voxcurate.nifti import write_nifti
    from voxcurate.volume import Volume

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.nii.gz"
        write_nifti(path, Volume(image, affine))
        return path.read_bytes()


def _dicom_seeds() -> list[Seed]:
    from pydicom.data import get_testdata_file
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

    found = [
        Seed("plain", _slice_bytes(ExplicitVRLittleEndian), ".dcm"),
        Seed("implicit", _slice_bytes(ImplicitVRLittleEndian), ".dcm"),
        Seed("rle", _slice_bytes(RLELossless), ".dcm"),
    ]
    for name in ("CT_small.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "image_dfl.dcm",
                 "liver_1frame.dcm", "J2K_pixelrep_mismatch.dcm"):  # fmt: skip
        path = get_testdata_file(name, download=False)
        if path is not None:
            found.append(Seed(name, Path(str(path)).read_bytes(), ".dcm"))
    return found


def _slice_bytes(syntax: Any) -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, RLELossless

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax if syntax != RLELossless else ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = UID("1.2.3.4.1")
    data.SeriesInstanceUID, data.StudyInstanceUID, data.Modality = "1.2.3.4", "1.2.3", "CT"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Rows, data.Columns, data.SamplesPerPixel = 24, 20, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.PixelSpacing, data.SliceThickness = [2.0, 2.0], 3.0
    data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 5]
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    image = np.random.default_rng(1).integers(0, 2000, (24, 20)).astype(np.uint16)
    data.PixelData = image.tobytes()
    if syntax == RLELossless:
        data.compress(RLELossless, generate_instance_uid=False)
    stream = BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
