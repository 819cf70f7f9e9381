"""Every attribute of the standard that can hold text, each with a word of its own."""

from random import Random

from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from benchmarks.deid.base import encoded, slice_of
from benchmarks.deid.people import person

# without these a file is no image, or would not be written at all
_NEEDED = frozenset(
    """PixelData FloatPixelData DoubleFloatPixelData SOPClassUID SpecificCharacterSet PatientID Rows
    Columns BitsAllocated NumberOfFrames BurnedInAnnotation ConversionType Modality SamplesPerPixel
    PhotometricInterpretation""".split()  # noqa: SIM905
)
_NO_TEXT = frozenset({"SQ", "US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "AT", "NONE"})


def every_attribute(*, nested: bool) -> tuple[bytes, dict[str, str]]:
    """A file with a word in every attribute, and the attribute's keyword by word.

    Args:
        nested: each in an item of a sequence instead of at the top.
    """
    random = Random(3)
    ds = slice_of(person(0, "attributes"), study="s", series="x", number=1)
    words: dict[str, str] = {}
    inside = []
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        kind = vr.split(" or ")[0]
        if kind in _NO_TEXT or keyword in _NEEDED or tag >> 16 in (0, 2, 4, 0xFFFE):
            continue
        word = "Zq" + "".join(random.choice("abdefghiklmnoprstuvwz") for _ in range(6))
        words[word] = keyword
        value = RawDataElement(Tag(tag), kind, 8, word.encode(), 0, False, True)
        target = Dataset() if nested else ds
        target[tag] = value
        if nested:
            inside.append(target)
    if nested:
        ds.ReferencedSeriesSequence = Sequence(inside)
    return encoded(ds), words
