"""Headers that keep their data in another file: MetaImage and NRRD.

ITK opens whatever file such a header names. A header that somebody sent must not be able to show
us a file that lies elsewhere, so the names are looked at before ITK sees the header.
"""

import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from voxcurate.errors import VolumeReadError

MAX_HEADER_BYTES = 1 << 20
_META = re.compile(rb"^\s*ElementDataFile\s*[=:]\s*(.*?)\s*$", re.IGNORECASE)
_NRRD = re.compile(rb"^\s*data\s*file\s*:=?\s*(.*?)\s*$", re.IGNORECASE)
WRONG_HEADER = "the file is truncated, damaged or has a wrong header"
_INLINE = {"", "local"}
_NUMBER = re.compile(r"%[-+ 0#]*\d*(\.\d+)?[diu]")


def check_data_files(path: Path) -> None:
    """That a MetaImage or NRRD header names data in its own folder, or below it, only.

    Raises:
        VolumeReadError: an absolute path, one with ``..``, a link that leaves the folder, or no
            such file. The name is not told.
    """
    for name in data_files(path):
        parts = (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in parts:
            raise VolumeReadError(
                "the header names a data file outside its folder: want one beside the header"
            )
        home = path.parent.resolve()
        found = _matches(path.parent, name)
        if not found:
            raise VolumeReadError("the data file that the header names does not exist")
        if not all(one.resolve().is_relative_to(home) for one in found):
            raise VolumeReadError("the header names a data file that is a link out of its folder")


def data_files(path: Path) -> list[str]:
    """The data files that a header names, as written; patterns of numbers are kept.

    Empty where the data follow the header.

    Raises:
        VolumeReadError: no such header, or one of more than 1 MiB, in which a name may hide.
    """
    lines = _header_lines(path)
    for n, line in enumerate(lines):
        found = _META.match(line) or _NRRD.match(line)
        if found is None:
            continue
        value = found[1].decode("utf-8", "replace")
        first = value.split(maxsplit=1)[0] if value else ""
        if first.lower() == "list":  # the names stand below, one a line
            names = (one.strip().decode("utf-8", "replace") for one in lines[n + 1 :])
            return [name for name in names if name]
        if value.lower() in _INLINE:
            return []
        return [first if _NUMBER.search(first) else value]
    if lines and lines[0].startswith(b"NRRD"):
        return []
    raise VolumeReadError(WRONG_HEADER)


def _header_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            start = file.read(MAX_HEADER_BYTES)
    except OSError:  # its text would name the path
        raise VolumeReadError("cannot read the file") from None
    if start.startswith(b"NRRD"):  # an empty line ends the header, else the file does
        head, *data = re.split(rb"\r?\n\r?\n", start, maxsplit=1)
        if not data and len(start) == MAX_HEADER_BYTES:
            raise VolumeReadError(WRONG_HEADER)
        return head.splitlines()
    return start.splitlines()


def _matches(folder: Path, name: str) -> list[Path]:
    if not _NUMBER.search(name):
        one = folder / name
        return [one] if one.exists() else []
    pattern = "[0-9]*".join(re.escape(part) for part in re.split(_NUMBER, name) if part is not None)
    home = folder / PurePosixPath(name).parent
    if not home.is_dir():
        return []
    wanted = re.compile(pattern)
    return [one for one in sorted(home.iterdir()) if wanted.fullmatch(str(one.relative_to(folder)))]
