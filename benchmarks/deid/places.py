# ruff: noqa: E501 -- the table of places reads best with one place per line
"""Where identifiers are planted: each place is a change of a slice's header or of its bytes."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from benchmarks.deid.base import encoded, item, items, uid_of
from benchmarks.deid.people import Person

Plant = Callable[[FileDataset, Person], None]
Change = Callable[[bytes, Person], bytes]


@dataclass(frozen=True)
class Place:
    """A kind of place. `plant` changes the header, `change` the bytes of the file. `risky` files
    are not expected to be written at all."""

    kind: str
    plant: Plant
    change: Change | None = None
    risky: bool = False

    def file(self, ds: FileDataset, person: Person) -> bytes:
        """The bytes of a file with something planted in it."""
        self.plant(ds, person)
        data = encoded(ds)
        return self.change(data, person) if self.change else data


def _raw(ds: Dataset, tag: int, vr: str, value: bytes) -> None:
    """An element whose bytes pydicom writes as they are."""
    ds[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


def _set(word: str, text: str) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        setattr(ds, word, _fill(text, p))

    return plant


def _fill(text: str, p: Person) -> str:
    return text.format(
        name=p.stranger, no=p.number, da=f"{p.day:%Y%m%d}", iso=f"{p.day:%Y-%m-%d}", last=p.last,
        first=p.first, initial=p.first[0], id=p.patient_id, dob=f"{p.born:%d.%m.%Y}",
        us=f"{p.day:%m/%d/%Y}", long=f"{p.day:%B} {p.day.day}, {p.day.year}",
    )  # fmt: skip


def _in_raw(tag: int, vr: str, text: str, encoding: str = "ascii") -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        value = _fill(text, p).encode(encoding)
        _raw(ds, tag, vr, value + b" " * (len(value) % 2))

    return plant


def _private(vr: str, text: str, *, creator: str = "HOSPITAL PRIVATE") -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        block = ds.private_block(0x0029, _fill(creator, p), create=True)
        value = _fill(text, p)
        block.add_new(0x10, vr, value.encode() if vr in ("OB", "UN") else value)

    return plant


def _nested(depth: int, inner: Callable[[Person], Dataset], word: str) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        content = inner(p)
        for _ in range(depth - 1):
            content = item(**{word: items(content)})
        setattr(ds, word, items(content))

    return plant


def _seq(word: str, **values: str) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        setattr(ds, word, items(item(**{w: _fill(t, p) for w, t in values.items()})))

    return plant


def _code(p: Person) -> Dataset:
    return item(
        CodeValue=p.number, CodingSchemeDesignator="99HOSP", CodeMeaning=f"CT by {p.stranger}"
    )


def _content(**values: str) -> Plant:
    """Content items of a structured report, in a container in a container."""

    def plant(ds: FileDataset, p: Person) -> None:
        inside = item(
            RelationshipType="CONTAINS",
            ConceptNameCodeSequence=items(
                item(CodeValue="121071", CodingSchemeDesignator="DCM", CodeMeaning="Finding")
            ),
            **{word: _fill(text, p) for word, text in values.items()},
        )
        box = item(
            RelationshipType="CONTAINS", ValueType="CONTAINER", ContentSequence=items(inside)
        )
        ds.ValueType, ds.ContentSequence = "CONTAINER", items(box)

    return plant


def _both(*plants: Plant) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        for one in plants:
            one(ds, p)

    return plant


def _charset(name: str | list[str], then: Plant) -> Plant:
    """A stated character set, and a value that may not be in it."""

    def plant(ds: FileDataset, p: Person) -> None:
        ds.SpecificCharacterSet = name
        then(ds, p)

    return plant


def _no(ds: FileDataset, p: Person) -> None:
    """Nothing in the header: the bytes are changed."""


def _overlay(element: int, vr: str, text: str) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        ds.add_new(0x60020010, "US", 8)
        ds.add_new(0x60020011, "US", 8)
        value = _fill(text, p)
        ds.add_new(0x60020000 | element, vr, value.encode() if vr == "OB" else value)

    return plant


def _curve(element: int, vr: str, text: str) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        value = _fill(text, p).encode()
        _raw(ds, 0x50040000 | element, vr, value + b" " * (len(value) % 2))

    return plant


def _syntax(uid: str) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        ds.file_meta.TransferSyntaxUID = UID(uid)
        ds.PatientComments = f"{p.stranger} {p.number}"
        ds.RequestAttributesSequence = items(item(RequestedProcedureID=p.number))
        ds.private_block(0x0031, "HOSPITAL", create=True).add_new(0x20, "LO", p.stranger)
        if uid == ExplicitVRBigEndian:
            pixels = ds.PixelData
            ds.PixelData = b"".join(
                pixels[i + 1 : i + 2] + pixels[i : i + 1] for i in range(0, len(pixels), 2)
            )

    return plant


def _jpeg(ds: FileDataset, p: Person) -> None:
    comment = f"exported for {p.last} by {p.stranger}".encode()
    stream = b"\xff\xd8\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + b"\xff\xd9"
    from pydicom.encaps import encapsulate

    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([stream + b"\0" * (len(stream) % 2)])
    ds["PixelData"].is_undefined_length = True


def _preamble(data: bytes, p: Person) -> bytes:
    return f"{p.stranger} {p.number}".encode().ljust(128, b"\0") + data[128:]


def _behind(data: bytes, p: Person) -> bytes:
    return data + f"{p.stranger} {p.number} ".encode() * 2


def _as_unknown(ds: FileDataset, p: Person) -> None:
    name = f"{p.stranger}^{p.first} "
    _raw(ds, 0x00101001, "UN", name.encode())
    _raw(ds, 0x00102297, "UN", name.encode())


def _sequence_as_unknown(ds: FileDataset, p: Person) -> None:
    inner = struct.pack("<HHI", 0x0040, 0x1001, 8) + p.number[:7].encode() + b" "
    raw = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
    _raw(ds, 0x00400275, "UN", raw)
    name = f"{p.stranger} ".encode() + b" " * ((len(p.stranger) + 1) % 2)
    inner = struct.pack("<HHI", 0x0008, 0x0104, len(name)) + name
    _raw(ds, 0x00081032, "UN", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)


def _class(uid: str, **values: str) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(uid)
        for word, text in values.items():
            setattr(ds, word, _fill(text, p))

    return plant


def _pdf(ds: FileDataset, p: Person) -> None:
    _class("1.2.840.10008.5.1.4.1.1.104.1", DocumentTitle="Letter on {name}")(ds, p)
    ds.EncapsulatedDocument = b"%PDF-1.4 " + p.stranger.encode() + zlib.compress(p.last.encode())


def _meta(element: int, vr: str, text: str) -> Plant:
    def plant(ds: FileDataset, p: Person) -> None:
        value = _fill(text, p)
        ds.file_meta.add_new(0x00020000 | element, vr, value.encode() if vr == "OB" else value)

    return plant


def _meta_private(ds: FileDataset, p: Person) -> None:
    ds.file_meta.PrivateInformationCreatorUID = uid_of("creator")
    ds.file_meta.PrivateInformation = f"{p.stranger} {p.number} ".encode()


def _icon(ds: FileDataset, p: Person) -> None:
    ds.IconImageSequence = items(
        item(Rows=4, Columns=4, BitsAllocated=8, SamplesPerPixel=1, ImageComments=p.stranger,
             PixelData=f"{p.stranger}".encode().ljust(16, b"."))
    )  # fmt: skip
    ds.IconImageSequence[0]["PixelData"].VR = "OB"


def _private_inside(ds: FileDataset, p: Person) -> None:
    inside = item(SeriesInstanceUID=uid_of("x"))
    inside.private_block(0x0029, "HOSPITAL", create=True).add_new(0x11, "LO", p.stranger)
    ds.ReferencedSeriesSequence = items(inside)


def _mixed_charsets(ds: FileDataset, p: Person) -> None:
    ds.SpecificCharacterSet = "ISO_IR 100"
    inside = item(SpecificCharacterSet="ISO_IR 192")
    _raw(inside, 0x00080104, "LO", f"é {p.stranger}ü ".encode().ljust(60))
    _raw(inside, 0x00321060, "LO", f"é {p.stranger}ü ".encode("latin-1").ljust(60))
    ds.ProcedureCodeSequence = items(inside)


def _numbers(ds: FileDataset, p: Person) -> None:
    text = p.stranger.encode()
    _raw(ds, 0x00200105 + 0x80000, "US", (text + text)[: len(text) // 2 * 2])
    _raw(ds, 0x00283002, "US", text[: len(text) // 2 * 2].ljust(12, b"x"))


def _odd_length(data: bytes, p: Person) -> bytes:
    """An odd-length value, as some software writes it: the study description."""
    at = data.index(b"\x08\0\x30\x10LO")
    (length,) = struct.unpack_from("<H", data, at + 6)
    name = p.stranger.encode()
    name += b"x" * ((len(name) + 1) % 2)
    return (
        data[:at]
        + b"\x08\0\x30\x10LO"
        + struct.pack("<H", len(name))
        + name
        + data[at + 8 + length :]
    )


def _no_preamble(data: bytes, p: Person) -> bytes:
    """A bare data set without VRs, as old archives have them."""
    return data[132 + 12 + struct.unpack_from("<I", data, 140)[0] :]


def _padded_pixels(ds: FileDataset, p: Person) -> None:
    ds.PixelData = ds.PixelData + f"{p.stranger} {p.number} ".encode() * 2


PLACES: tuple[Place, ...] = (
    # every VR that can hold text, in public attributes
    Place("PN other names", _set("OtherPatientNames", "{name}^{first}")),
    Place("PN birth name, mother's", _set("PatientMotherBirthName", "{name}^Ann")),
    Place("PN multi-valued, ideographic", _set("OtherPatientNames", "{name}^A=山田{name}^太郎=やまだ^たろう\\B^{name}")),
    Place("PN referring, performing", _set("PerformingPhysicianName", "{name}^Dr.\\{name}^{first}")),
    Place("PN not in the table", _set("ReviewerName", "{name}^R")),
    Place("LO patient id", _set("PatientID", "{id}")),
    Place("LO institution", _set("InstitutionName", "{name} Memorial")),
    Place("LO serial number", _set("DeviceSerialNumber", "SN{no}")),
    Place("LO other ids", _set("OtherPatientIDs", "{no}\\A{no}")),
    Place("LO not in the table", _set("RescaleType", "HU {name}")),
    Place("LO explanation", _set("WindowCenterWidthExplanation", "WINDOW1\\{name}")),
    Place("SH accession", _set("AccessionNumber", "{no}")),
    Place("SH station", _set("StationName", "CT_{name}")),
    Place("SH not in the table", _set("FilterType", "{last}")),
    Place("ST address", _set("InstitutionAddress", "1 {name} Street, {no}")),
    Place("LT comments", _set("PatientComments", "{name} {no} seen {iso}")),
    Place("LT history", _set("AdditionalPatientHistory", "{last} had {name} on {long}")),
    Place("UT", _set("LabelText", "{name} {no}")),
    Place("UT text value", _set("TextValue", "Reported by {name}, {last}, {first} and {us}")),
    Place("UC", _set("StrainDescription", "{name} {no}")),
    Place("UC long code", _set("LongCodeValue", "{name}{no}")),
    Place("UR", _set("RetrieveURL", "https://{name}.example/{no}")),
    Place("AE", _set("RetrieveAETitle", "{name}")),
    Place("AE not in the table", _set("ScheduledStationAETitle", "{name}")),
    Place("CS body part", _in_raw(0x00180015, "CS", "{name}")),
    Place("CS image type", _in_raw(0x00080008, "CS", "ORIGINAL\\PRIMARY\\{name} {no}")),
    Place("AS over 89 years", _in_raw(0x00101010, "AS", "097Y")),
    Place("AS holding text", _in_raw(0x00101010, "AS", "{name}")),
    Place("DA birth", _set("PatientBirthDate", "{da}")),
    Place("DA study", _set("StudyDate", "{da}")),
    Place("DA range", _in_raw(0x00080022, "DA", "{da}-{da}")),
    Place("DA old form", _in_raw(0x00080022, "DA", "{da}")),
    Place("DA holding text", _in_raw(0x00080022, "DA", "{name}")),
    Place("DT", _set("AcquisitionDateTime", "{da}101112.123456+0100")),
    Place("DT in a frame", _seq("FrameContentSequence", FrameAcquisitionDateTime="{da}101112")),
    Place("DT range", _in_raw(0x0008002A, "DT", "{da}1011-{da}1112")),
    Place("TM holding a date", _in_raw(0x00080032, "TM", "{da}")),
    Place("TM holding text", _in_raw(0x00080032, "TM", "{name}")),
    Place("DS holding text", _in_raw(0x00180088, "DS", "5.0 {name}")),
    Place("IS holding an id", _in_raw(0x00201002, "IS", "{id}")),
    Place("IS holding text", _in_raw(0x00200012, "IS", "{name}")),
    Place("UI instance", _set("SOPInstanceUID", "1.2.3.{no}.{da}.1")),
    Place("UI multi-valued", _set("IrradiationEventUID", "1.2.3.{no}.1\\1.2.3.{no}.2")),
    Place("UI holding text", _in_raw(0x00200052, "UI", "{name}")),
    Place("UI class holding text", _seq("ReferencedSOPSequence", ReferencedSOPClassUID="1.2.{no}.9.9.9")),
    Place("UN unknown public", _in_raw(0x00189FF1, "UN", "{name} {no}")),
    Place("UN of known attributes", _as_unknown),
    Place("UN holding sequences", _sequence_as_unknown),
    Place("LO unknown public", _in_raw(0x00189FF3, "LO", "{name} {no}")),
    Place("OB text", _in_raw(0x00181624, "OB", "{name} {no}")),
    Place("OB UTF-16", _in_raw(0x00420011, "OB", "{name} {no}", "utf-16-le")),
    Place("OW text", _in_raw(0x00283006, "OW", "{name}xx{no}")),
    Place("OF text", _in_raw(0x00641009, "OF", "{name}xx{no}")),
    Place("US text as numbers", _numbers),
    Place("wrong VR: name as LO", _in_raw(0x00100010, "LO", "{name}^{first}")),
    Place("wrong VR: date as LO", _in_raw(0x00080023, "LO", "{da}")),
    Place("wrong VR: number as LO", _in_raw(0x00280010 + 0x1000F0, "LO", "{name}")),
    Place("VR that does not exist", _in_raw(0x00184001, "LT", "{name} {no}")),
    # sequences
    Place("three sequences deep", _nested(3, _code, "PurposeOfReferenceCodeSequence")),
    Place("eight sequences deep", _nested(8, lambda p: item(PatientComments=p.stranger, ContentDate=f"{p.day:%Y%m%d}"), "ReferencedSeriesSequence")),
    Place("procedure codes", lambda ds, p: setattr(ds, "ProcedureCodeSequence", items(_code(p)))),
    Place("request attributes", _seq("RequestAttributesSequence", RequestedProcedureID="{no}", ScheduledProcedureStepDescription="CT for {name}")),
    Place("original attributes", lambda ds, p: setattr(ds, "OriginalAttributesSequence", items(item(SourceOfPreviousValues=p.stranger, AttributeModificationDateTime=f"{p.day:%Y%m%d}", ModifiedAttributesSequence=items(item(PatientName=p.stranger, PatientID=p.number)))))),
    Place("referenced patient", _seq("ReferencedPatientSequence", ReferencedSOPClassUID="1.2.840.10008.3.1.2.1.1", ReferencedSOPInstanceUID="1.2.3.{no}.4")),
    Place("referenced study", _seq("ReferencedStudySequence", ReferencedSOPInstanceUID="1.2.3.{no}.{da}")),
    Place("referenced images", _seq("ReferencedImageSequence", ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.2.3.{no}.5")),
    Place("other patient ids sequence", _seq("OtherPatientIDsSequence", PatientID="{no}", IssuerOfPatientID="{name}")),
    Place("operator identification", lambda ds, p: setattr(ds, "OperatorIdentificationSequence", items(item(PersonIdentificationCodeSequence=items(_code(p)), InstitutionName=p.stranger)))),
    Place("contributing equipment", _seq("ContributingEquipmentSequence", InstitutionName="{name}", StationName="{name}1", ContributionDescription="for {name}", ContributionDateTime="{da}", Manufacturer="SIEMENS")),
    Place("digital signature", _seq("DigitalSignaturesSequence", CertifiedTimestampType="{name}", DigitalSignatureDateTime="{da}101010")),
    Place("icon image", _icon),
    # private attributes
    Place("private with creator", _private("LO", "{name} {no}")),
    Place("private UN", _private("UN", "{name} {no} ")),
    Place("private OB", _private("OB", "{name} {no} ")),
    Place("private UT, dates", _private("UT", "{name} {iso} {us} {long}")),
    Place("private PN", _private("PN", "{name}^{first}")),
    Place("private creator", _private("LO", "x", creator="{name} {no}")),
    Place("private without creator", _in_raw(0x00311099, "LO", "{name} {no}")),
    Place("private group, low element", _in_raw(0x00310003, "LO", "{name} {no}")),
    Place("private sequence", lambda ds, p: ds.private_block(0x0029, "HOSPITAL", create=True).add_new(0x40, "SQ", items(item(PatientName=p.stranger)))),
    Place("private in a sequence", _private_inside),
    # texts that are cleaned, not dropped
    Place("description: own name", _set("StudyDescription", "CT ABDOMEN {last} {first}")),
    Place("description: a stranger's", _set("SeriesDescription", "Abdomen 5.0 {name}")),
    Place("description: initials", _set("SeriesDescription", "ABD {initial}. {last}, MRN {id}")),
    Place("description: run together", _set("SeriesDescription", "{last}_{first}_CT{id}")),
    Place("description: upper, lower", _set("StudyDescription", "for {name}")),
    Place("protocol: dates", _set("ProtocolName", "Abd {us} {iso} {da}")),
    Place("image comments: contacts", _set("ImageComments", "call {name} 555-{no} or {name}@{name}.org")),
    Place("derivation", _set("DerivationDescription", "MIP by {name}, {long}")),
    Place("contrast agent", _set("ContrastBolusAgent", "Iopromide by {name}")),
    Place("requested procedure", _set("RequestedProcedureDescription", "CT chest {name} dob {dob}")),
    Place("performed step", _set("PerformedProcedureStepDescription", "CT {no} {name}")),
    Place("manufacturer's model", _set("ManufacturerModelName", "Force of {last}")),
    Place("software", _set("SoftwareVersions", "VA44A\\{last}\\{id}")),
    Place("kernel", _set("ConvolutionKernel", "B30f\\{last}")),
    Place("code meaning of the standard", _seq("AnatomicRegionSequence", CodeValue="113345001", CodingSchemeDesignator="SCT", CodeMeaning="Abdomen of {name}")),
    Place("own code scheme", _seq("AnatomicRegionSequence", CodeValue="{no}", CodingSchemeDesignator="{name}", CodeMeaning="{name}")),
    # encodings
    Place("Latin-1", _charset("ISO_IR 100", _in_raw(0x00104000, "LT", "Müller-{name} é", "latin-1"))),
    Place("UTF-8 said to be Latin-1", _charset("ISO_IR 100", _in_raw(0x00081030, "LO", "CT für {name} é", "utf-8"))),
    Place("Latin-1 said to be UTF-8", _in_raw(0x0008103E, "LO", "Schädel {name} ü", "latin-1")),
    Place("Japanese, ISO 2022", _charset(["", "ISO 2022 IR 87"], _in_raw(0x00101001, "PN", "{name}^Taro=山田^太郎", "iso2022_jp"))),
    Place("Chinese, GB18030", _charset("GB18030", _in_raw(0x00204000, "LT", "王{name}小东", "gb18030"))),
    Place("mixed in one file", _mixed_charsets),
    Place("odd length", _no, _odd_length),
    # outside of the data set
    Place("meta: AE titles", _meta(0x16, "AE", "{name}")),
    Place("meta: implementation", _meta(0x13, "SH", "{name}")),
    Place("meta: private information", _meta_private),
    Place("preamble", _no, _preamble),
    Place("data set trailing padding", _in_raw(0xFFFCFFFC, "OB", "{name} {no}")),
    Place("behind the pixels", _padded_pixels),
    Place("behind the data set", _no, _behind),
    Place("JPEG comment", _jpeg),
    # graphics
    Place("overlay description", _overlay(0x22, "LO", "{name}")),
    Place("overlay comments", _overlay(0x4000, "LT", "{name} {no}")),
    Place("overlay label", _overlay(0x1500, "LO", "{name}")),
    Place("overlay data", _overlay(0x3000, "OB", "{name} {no} ")),
    Place("curve description", _curve(0x0022, "LO", "{name}")),
    Place("curve label", _curve(0x2500, "LO", "{name} {no}")),
    Place("curve data", _curve(0x3000, "OW", "{name} {no}")),
    Place("graphic annotation", lambda ds, p: setattr(ds, "GraphicAnnotationSequence", items(item(GraphicLayer="LAYER", TextObjectSequence=items(item(UnformattedTextValue=f"{p.stranger} {p.number}")))))),
    Place("content creator", _set("ContentCreatorName", "{name}^C")),
    Place("content description", _set("ContentDescription", "Marks of {name}")),
    # structured content
    Place("SR text", _content(ValueType="TEXT", TextValue="Seen by {name}. Liver normal. {last}, {us}.")),
    Place("SR person", _content(ValueType="PNAME", PersonName="{name}^{first}")),
    Place("SR date", _content(ValueType="DATE", Date="{da}")),
    Place("SR date and time", _content(ValueType="DATETIME", DateTime="{da}101112")),
    Place("SR UID", _content(ValueType="UIDREF", UID="1.2.3.{no}.7")),
    Place("SR observation time", _content(ValueType="TEXT", TextValue="Liver", ObservationDateTime="{da}101112")),
    Place("SR verifying observer", lambda ds, p: setattr(ds, "VerifyingObserverSequence", items(item(VerifyingObserverName=p.stranger, VerifyingOrganization=f"{p.stranger} Clinic", VerificationDateTime=f"{p.day:%Y%m%d}", VerifyingObserverIdentificationCodeSequence=items(_code(p)))))),
    Place("SR author", lambda ds, p: setattr(ds, "AuthorObserverSequence", items(item(PersonName=p.stranger, InstitutionName=p.stranger)))),
    # transfer syntaxes
    Place("implicit VR", _syntax(ImplicitVRLittleEndian)),
    Place("big endian", _syntax(ExplicitVRBigEndian)),
    Place("deflated", _syntax(DeflatedExplicitVRLittleEndian)),
    Place("no preamble", _syntax(ImplicitVRLittleEndian), _no_preamble),
    # files whose pixels or payload may show a name
    Place("burned-in annotation", _both(_set("BurnedInAnnotation", "YES"), _set("PatientComments", "{name}")), risky=True),
    Place("secondary capture", _class("1.2.840.10008.5.1.4.1.1.7", PatientComments="{name}"), risky=True),
    Place("screen saved as CT", _class("1.2.840.10008.5.1.4.1.1.2", SeriesDescription="Dose Report", PatientComments="{name}"), risky=True),
    Place("encapsulated PDF", _pdf, risky=True),
    Place("presentation state", _class("1.2.840.10008.5.1.4.1.1.11.1", ContentDescription="{name}"), risky=True),
    Place("ultrasound", _class("1.2.840.10008.5.1.4.1.1.6.1", PatientComments="{name}"), risky=True),
)  # fmt: skip
