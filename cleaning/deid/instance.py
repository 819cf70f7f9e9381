"""One DICOM file without what identifies: bytes in, bytes out."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from cleaning.deid.config import DeidConfig
from cleaning.deid.dataset import (
    Element,
    Rewriter,
    charsets_of,
    decoder,
    raw_value,
    top_values,
    vr_of,
)
from cleaning.deid.dates import age_at, day_of
from cleaning.deid.encoding import UNDEFINED, Encoding, file_head
from cleaning.deid.errors import RefusedError, RiskyError
from cleaning.deid.known import identity_of
from cleaning.deid.pseudonyms import STANDARD_ROOT, Pseudonyms, is_nobody
from cleaning.deid.risk import may_show_face, risk_of
from cleaning.deid.table import OVERLAYS
from cleaning.deid.texts import TextCleaner
from cleaning.deid.values import ValueCleaner
from voxcurate.dicom_file import UNREADABLE, quiet_pydicom
from voxcurate.identifiers import Identifiers

DEID_VERSION = "2"
MAX_INFLATED = 1 << 30
_DEFLATED = "1.2.840.10008.1.2.1.99"
_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_DIRECTORY, _RAW_DATA = "1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.1.1.66"
METHOD = (
    "PS3.15 2026c Basic Profile, voxcurate",
    "Descriptors, graphics, structured content cleaned",
    "Dates moved, patient characteristics kept",
)
# CID 7050
CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113103", "Clean Graphics Option"),
    ("113104", "Clean Structured Content Option"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
SAFE_PRIVATE_CODE = ("113111", "Retain Safe Private Option")


@dataclass(frozen=True)
class Origin:
    """Stands for ids that a file lacks: text that is the same in every run, never written."""

    patient: str
    study: str
    series: str
    instance: str


@dataclass(frozen=True, eq=False)
class Instance:
    """A de-identified file.

    Attributes:
        content: its bytes, in pieces.
        patient: the patient's pseudonym.
        study: new UID of the study.
        series: new UID of the series.
        uid: new UID of the instance.
        number: its number in the series, 0 if it has none.
        flags: what a person should look at.
        shift_days: by which its dates were moved.
    """

    content: list[bytes]
    patient: str
    study: str
    series: str
    uid: str
    number: int
    flags: tuple[str, ...]
    shift_days: int


class Deidentifier:
    """De-identifies the files of a project.

    Args:
        config: what is kept.
        key: the project's secret.
        shared: what other files of the patient tell about him.
    """

    def __init__(self, config: DeidConfig, key: bytes, shared: Identifiers | None = None) -> None:
        self.config = config
        self._names = Pseudonyms(key)
        self._shared = shared or Identifiers()
        self._cleaners: dict[tuple[Identifiers, int], ValueCleaner] = {}
        codes = [*CODES, SAFE_PRIVATE_CODE] if config.keep_safe_private else list(CODES)
        self._codes = codes

    def run(self, data: bytes, origin: Origin) -> Instance:
        """A file without what identifies.

        Raises:
            RefusedError: it cannot be read whole, or should not be released.
        """
        with quiet_pydicom():
            try:
                return self._run(data, origin)
            except UNREADABLE as problem:
                kind = type(problem).__name__
                raise RefusedError(f"no DICOM that can be read whole ({kind})") from None

    def _run(self, data: bytes, origin: Origin) -> Instance:
        dataset = _read(data)
        syntax, encoding = _encoding_of(dataset)
        value = _reader(dataset)
        sop_class = value("SOPClassUID") or str(
            dataset.file_meta.get("MediaStorageSOPClassUID", "") or ""
        )
        _check_class(sop_class)
        risk = risk_of(sop_class, value)
        if not risk and _draws_in_pixels(dataset):
            risk = "an overlay in unused bits of the pixels"
        if risk and not self.config.keep_risky:
            raise RiskyError(risk)
        patient, shift = self._person(value, origin)
        cleaner = self._cleaner(dataset, value, shift)
        old = value("SOPInstanceUID") or str(
            dataset.file_meta.get("MediaStorageSOPInstanceUID", "") or ""
        )
        uid = self._names.uid(old or origin.instance)
        study = self._names.uid(value("StudyInstanceUID") or origin.study)
        series = self._names.uid(value("SeriesInstanceUID") or origin.series)
        rewriter = Rewriter(cleaner, encoding, safe_private=self.config.keep_safe_private)
        elements = rewriter.rewrite(dataset, ["iso8859"], _pixels(dataset, syntax, sop_class))
        ours = {
            0x00080005: ("CS", "ISO_IR 192"),
            0x00080016: ("UI", sop_class),
            0x00080018: ("UI", uid),
            0x0020000D: ("UI", study),
            0x0020000E: ("UI", series),
            0x00100010: ("PN", patient),
            0x00100020: ("LO", patient),
            0x00120062: ("CS", "YES"),
            0x00120063: ("LO", "\\".join(METHOD)),
            0x00280303: ("CS", "MODIFIED"),
        }
        age = _age(value)
        if age:
            ours[0x00101010] = ("AS", age)
        body = _with_ours(elements, ours, self._code_sequence(encoding), encoding)
        content = [file_head(sop_class, uid, syntax), *_packed(body, syntax)]
        number = value("InstanceNumber").strip()
        return Instance(
            content=content,
            patient=patient,
            study=study,
            series=series,
            uid=uid,
            number=int(number) if number.isdigit() and len(number) < 8 else 0,
            flags=_flags(value, risk),
            shift_days=shift,
        )

    def _person(self, value: Callable[[str], str], origin: Origin) -> tuple[str, int]:
        """Pseudonym and days by which dates move."""
        patient_id = value("PatientID")
        born = f"{value('PatientName')}|{value('PatientBirthDate')}".strip("|^ ")
        fallback = born if is_nobody(patient_id) and born else value("StudyInstanceUID")
        pseudonym = self._names.patient(patient_id, fallback or origin.patient)
        return pseudonym, self._names.shift_days(pseudonym)

    def _cleaner(self, dataset: Any, value: Callable[[str], str], shift: int) -> ValueCleaner:
        own = identity_of(top_values(dataset))
        known = _joined(own, self._shared)
        if (known, shift) not in self._cleaners:
            texts = TextCleaner(
                known, keep_words=self.config.keep_words, max_text=self.config.max_text
            )
            births = identity_of(iter([(0x00100030, "DA", value("PatientBirthDate"))])).dates
            self._cleaners[known, shift] = ValueCleaner(
                self._names, texts, shift, frozenset(births)
            )
        return self._cleaners[known, shift]

    def _code_sequence(self, encoding: Encoding) -> bytes:
        items = [
            encoding.text(0x00080100, "SH", code)
            + encoding.text(0x00080102, "SH", "DCM")
            + encoding.text(0x00080104, "LO", meaning)
            for code, meaning in self._codes
        ]
        return encoding.element(0x00120064, "SQ", encoding.items(items))


def _check_class(sop_class: str) -> None:
    """Leave out what is never released.

    Raises:
        RefusedError: the file does not say what it is.
        RiskyError: a directory, or an object that only its manufacturer can read.
    """
    if not sop_class:
        raise RefusedError("no SOP class")
    if sop_class == _DIRECTORY:
        raise RiskyError("a directory of files (DICOMDIR)")
    if not sop_class.startswith(STANDARD_ROOT) or sop_class == _RAW_DATA:
        raise RiskyError("a manufacturer's own object")


def _joined(one: Identifiers, other: Identifiers) -> Identifiers:
    both = {
        name: tuple(dict.fromkeys((*getattr(one, name), *getattr(other, name))))
        for name in type(one).model_fields
    }
    return Identifiers.model_construct(None, **both)


def _read(data: bytes) -> Any:
    from pydicom import dcmread

    if b"1.2.840.10008.1.2.1.99" in data[:2048]:
        _check_inflated(data)
    return dcmread(BytesIO(data), force=True)


def _check_inflated(data: bytes) -> None:
    """Refuse what grows past all reason when it is inflated, before all of it is."""
    left = zlib.decompressobj(-zlib.MAX_WBITS)
    left.decompress(data[_end_of_meta(data) :], MAX_INFLATED)
    if left.unconsumed_tail:
        raise RefusedError("inflates to more than 1 GiB")


def _end_of_meta(data: bytes) -> int:
    at = 132
    while data[at : at + 2] == b"\x02\x00":
        is_long = data[at + 4 : at + 6] in (b"OB", b"UN", b"OW", b"UT", b"SQ")
        form, head = ("<I", 12) if is_long else ("<H", 8)
        at += head + struct.unpack_from(form, data, at + head - struct.calcsize(form))[0]
    return at


def _encoding_of(dataset: Any) -> tuple[str, Encoding]:
    """Transfer syntax and encoding of a data set as it was read.

    Raises:
        RefusedError: it is empty, or encoded as no transfer syntax says.
    """
    from pydicom.uid import UID

    first = next((e for e in dataset.elements() if hasattr(e, "is_implicit_VR")), None)
    if first is None:
        raise RefusedError("no DICOM data set")
    implicit, little = bool(first.is_implicit_VR), bool(first.is_little_endian)
    stated = str(dataset.file_meta.get("TransferSyntaxUID", "") or "").strip(" \0")
    if not stated:
        stated = _IMPLICIT if implicit else _EXPLICIT if little else "1.2.840.10008.1.2.2"
    known = UID(stated)
    if known.is_private or not known.is_transfer_syntax:
        raise RefusedError("a transfer syntax that is not of the standard")
    if stated in (_IMPLICIT, _EXPLICIT):
        stated = _IMPLICIT if implicit else _EXPLICIT
    if known.is_implicit_VR != implicit and stated not in (_IMPLICIT, _EXPLICIT):
        raise RefusedError("encoded in another way than its transfer syntax says")
    if known.is_little_endian != little:
        raise RefusedError("encoded in another way than its transfer syntax says")
    return stated, Encoding(implicit=implicit, little=little)


def _reader(dataset: Any) -> Callable[[str], str]:
    """Text of an attribute of the header by keyword."""
    from pydicom.datadict import tag_for_keyword

    decode = decoder(charsets_of(dataset, ["iso8859"]))

    def value(keyword: str) -> str:
        tag = tag_for_keyword(keyword)
        if tag is None or tag not in dataset:
            return ""
        element = dataset.get_item(tag)
        raw = raw_value(element)
        if vr_of(tag, element.VR) == "US":
            order = "little" if element.is_little_endian else "big"
            return str(int.from_bytes(raw[:2], order)) if raw else ""  # type: ignore[arg-type]
        return decode(raw).strip(" \0")

    return value


def _pixels(dataset: Any, syntax: str, sop_class: str) -> Callable[[Any], bytes]:
    """What is written of the raw pixel data: all of it, and nothing behind the last pixel."""
    from pydicom.uid import UID

    value = _reader(dataset)
    encapsulated = UID(syntax).is_encapsulated

    def pixels(element: Any) -> bytes:
        raw = raw_value(element)
        if encapsulated:
            if element.length != UNDEFINED:
                raise RefusedError("compressed pixels that are not in fragments")
            return raw
        if element.length == UNDEFINED:
            raise RefusedError("pixels in fragments, though said to be uncompressed")
        n_bytes = _expected_bytes(value)
        if n_bytes is None:
            return raw
        if len(raw) < n_bytes:
            raise RefusedError("the pixel data are cut short")
        if len(raw) == n_bytes and n_bytes % 2 == 0:
            return raw
        return raw[:n_bytes] + b"\0" * (n_bytes % 2)

    has_pixels = 0x7FE00010 in dataset or 0x7FE00008 in dataset or 0x7FE00009 in dataset
    if value("Rows") and value("BitsAllocated") and not has_pixels:
        raise RefusedError("no pixel data")
    return pixels


def _expected_bytes(value: Callable[[str], str]) -> int | None:
    words = ("Rows", "Columns", "BitsAllocated")
    sizes = [int(value(word) or 0) for word in words]
    frames, samples = value("NumberOfFrames").strip() or "1", value("SamplesPerPixel") or "1"
    if not all(sizes) or not frames.isdigit() or not samples.isdigit():
        return None
    bits = sizes[0] * sizes[1] * sizes[2] * max(1, int(frames)) * max(1, int(samples))
    if value("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    return (bits + 7) // 8


def _with_ours(
    elements: list[Element],
    ours: dict[int, tuple[str, str]],
    codes: bytes,
    encoding: Encoding,
) -> list[bytes]:
    """The elements with those that we write in place of theirs, in the order of their tags."""
    written = {tag: encoding.text(tag, vr, text) for tag, (vr, text) in ours.items()}
    written[0x00120064] = codes
    every = {**dict(elements), **written}
    return [every[tag] for tag in sorted(every)]


def _packed(body: list[bytes], syntax: str) -> list[bytes]:
    if syntax != _DEFLATED:
        return body
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = squeeze.compress(b"".join(body)) + squeeze.flush()
    return [packed, b"\0" * (len(packed) % 2)]


def _age(value: Callable[[str], str]) -> str:
    """The age at the study, where the header has a birth date and no age: the date goes."""
    born, seen = day_of(value("PatientBirthDate")), day_of(value("StudyDate"))
    if value("PatientAge") or born is None or seen is None:
        return ""
    return age_at(born, seen)


def _draws_in_pixels(dataset: Any) -> bool:
    """Whether an overlay stands in bits of the pixels that the image leaves unused."""
    groups = {int(e.tag) >> 16 for e in dataset.elements() if int(e.tag) >> 24 == OVERLAYS}
    return any(
        group << 16 | 0x0102 in dataset
        and group << 16 | 0x3000 not in dataset
        and any(raw_value(dataset.get_item(group << 16 | 0x0102)))
        for group in groups
    )


def _flags(value: Callable[[str], str], risk: str) -> tuple[str, ...]:
    flags = [f"risky: {risk}"] if risk else []
    if may_show_face(value):
        flags.append("head: may show a face")
    return tuple(flags)
