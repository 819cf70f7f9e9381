"""The few private numbers that PS3.15 table E.3.10-1 calls safe."""

from typing import Any

from cleaning.deid.encoding import Encoding

# creator, group, element within its block: all of them numbers
SAFE: dict[tuple[str, int, int], str] = {
    ("Philips PET Private Group", 0x7053, 0x00): "DS",  # SUV factor
    ("Philips PET Private Group", 0x7053, 0x09): "DS",  # activity concentration factor
    ("ELSCINT1", 0x00E1, 0x21): "DS",  # DLP
    ("ELSCINT1", 0x01E1, 0x50): "DS",  # acquisition duration
    ("ELSCINT1", 0x01F1, 0x07): "DS",  # table velocity
    ("ELSCINT1", 0x01F1, 0x26): "DS",  # pitch
    ("ELSCINT1", 0x01F1, 0x27): "DS",  # rotation time
    ("GEMS_ACQU_01", 0x0019, 0x23): "DS",  # table speed
    ("GEMS_ACQU_01", 0x0019, 0x24): "DS",  # mid scan time
    ("GEMS_ACQU_01", 0x0019, 0x27): "DS",  # rotation speed
    ("GEMS_HELIOS_01", 0x0045, 0x01): "SS",  # detector macro rows
    ("GEMS_HELIOS_01", 0x0045, 0x02): "FL",  # macro width at the isocentre
    ("SIEMENS MR HEADER", 0x0019, 0x0C): "IS",  # b value
    ("SIEMENS MR HEADER", 0x0019, 0x0E): "FD",  # diffusion gradient direction
    ("SIEMENS MR HEADER", 0x0019, 0x27): "FD",  # b matrix
}
_DIGITS = frozenset(b"0123456789+-.eE\\ \0")
_SIZES = {"SS": 2, "FL": 4, "FD": 8}
_LONGEST = 128


def kept_private(dataset: Any, encoding: Encoding) -> list[tuple[int, bytes]]:
    """The safe numbers of a data set with their creators, encoded."""
    found: dict[int, bytes] = {}
    for element in dataset.elements():
        tag = int(element.tag)
        if not tag >> 16 & 1 or tag & 0xFFFF < 0x1000 or not isinstance(element.value, bytes):
            continue
        place = tag & 0xFFFF0000 | (tag >> 8 & 0xFF)
        if place not in dataset:
            continue
        creator = _text(dataset.get_item(place).value)
        vr = SAFE.get((creator, tag >> 16, tag & 0xFF), "")
        if vr and element.VR in (vr, "UN", None) and _is_number(vr, element.value):
            found[place] = encoding.text(place, "LO", creator)
            found[tag] = encoding.element(tag, vr, element.value)
    return sorted(found.items())


def _text(value: Any) -> str:
    raw = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return raw.strip(" \0")


def _is_number(vr: str, raw: bytes) -> bool:
    if len(raw) > _LONGEST:
        return False
    if vr in _SIZES:
        return len(raw) % _SIZES[vr] == 0
    return not set(raw) - _DIGITS and len(max(_text(raw).split("\\"), key=len, default="")) <= 12
