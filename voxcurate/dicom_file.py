"""One DICOM file read with care: whatever lies in it, it is read or refused, in bounded memory."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom.errors import BytesLengthException, InvalidDicomError

from voxcurate.errors import VolumeReadError

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_INFLATED = 1 << 29  # bytes of a deflated data set
DEFLATED = b"1.2.840.10008.1.2.1.99"
MAX_BYTES = 16 << 30  # of one volume in memory, unless the caller says otherwise

# pydicom meets damaged bytes with nearly every exception there is
UNREADABLE: tuple[type[Exception], ...] = (
    *(OSError, EOFError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError),
    *(AssertionError, RuntimeError, MemoryError, struct.error, zlib.error),
    *(BytesLengthException, InvalidDicomError, StopIteration),
)


class BoundedFile:
    """A file that never reserves more memory than it can fill.

    Python reserves what a caller asks for before it reads, and a damaged length asks for 4 GB.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        self.tell, self.close = self._file.tell, self._file.close

    def read(self, size: int | None = -1, /) -> bytes:
        """At most what is left."""
        left = max(0, self.size - self._file.tell())
        return self._file.read(left if size is None or size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As of any file."""
        return self._file.seek(offset, whence)


def open_dicom(path: Path, **options: Any) -> "Dataset":
    """A DICOM file as pydicom reads it.

    Args:
        path: the file.
        options: of `pydicom.dcmread`.

    Raises:
        VolumeReadError: it is none, is damaged, or unpacks to more than 512 MiB. The path is not
            named, nor is any value.
    """
    return _open(path, options)[0]


def open_header(path: Path, **options: Any) -> tuple["Dataset", int]:
    """What comes before the pixels, and the bytes of the file from there on.

    Raises:
        VolumeReadError: as `open_dicom`.
    """
    return _open(path, {**options, "stop_before_pixels": True})


def _open(path: Path, options: Mapping[str, Any]) -> tuple["Dataset", int]:
    from pydicom import dcmread

    try:
        with closing(BoundedFile(path)) as file:
            _check_deflated(file)
            header = dcmread(file, **options)
            return header, max(0, file.size - file.tell())
    except InvalidDicomError:
        raise VolumeReadError("no DICOM file: its first bytes are others") from None
    except UNREADABLE:
        raise VolumeReadError("a file of the series is no readable DICOM") from None


def _check_deflated(file: BoundedFile) -> None:
    """A deflated data set is unpacked at once by pydicom, however large it gets."""
    start = file.read(4096)
    if DEFLATED in start:
        at = 144 + int.from_bytes(start[140:144], "little")  # after the group length and the group
        file.seek(at)
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        total = 0
        data = file.read(1 << 20)
        while data and total <= MAX_INFLATED:
            total += len(unpacker.decompress(data, 1 << 24))
            data = unpacker.unconsumed_tail or file.read(1 << 20)
            if unpacker.eof:
                break
        if total > MAX_INFLATED:
            raise VolumeReadError(f"the data set unpacks to more than {MAX_INFLATED >> 20} MiB")
    file.seek(0)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """pydicom's warnings about odd values quote them, and they may name the patient."""
    from pydicom import config

    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        config.settings.reading_validation_mode = before
