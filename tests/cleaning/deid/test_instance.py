"""What of a file stays, what is written into it, and which files are refused."""

import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from benchmarks.deid.base import encoded, item, items, slice_of, uid_of
from benchmarks.deid.people import person
from cleaning.deid.config import DeidConfig
from cleaning.deid.errors import RefusedError, RiskyError
from cleaning.deid.instance import CODES, Deidentifier, Origin

WHO = person(5, "instance")
ORIGIN = Origin("p", "st", "se", "i")
KEY = b"k" * 32


def a_slice(**changes):
    ds = slice_of(WHO, study="s", series="x", number=7)
    for word, value in changes.items():
        setattr(ds, word, value)
    return ds


def run(data, **config):
    return Deidentifier(DeidConfig(**config), KEY).run(data, ORIGIN)


def again(data, **config):
    return dcmread(BytesIO(b"".join(run(data, **config).content)))


def test_what_analysis_needs_stays():
    old = a_slice()
    new = again(encoded(old))
    kept = """Rows Columns PixelSpacing ImagePositionPatient ImageOrientationPatient PatientSex
    PatientAge PatientSize PatientWeight KVP SliceThickness ConvolutionKernel Manufacturer StudyTime
    ManufacturerModelName StudyDescription SeriesDescription BodyPartExamined ImageType
    RescaleIntercept RescaleSlope RescaleType Modality InstanceNumber PixelData"""
    for word in kept.split():
        assert new[word].value == old[word].value, word


def test_characteristics_of_the_option_stay():
    new = again(encoded(a_slice(SmokingStatus="YES", PregnancyStatus=1, EthnicGroup="Quill")))
    assert (new.SmokingStatus, new.PregnancyStatus) == ("YES", 1)
    assert "EthnicGroup" not in new


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("Units", "BQML"),
        ("CorrectedImage", ["DECY", "ATTN", "SCAT", "DTIM", "NORM"]),
        ("ScanningSequence", ["GR", "IR"]),
        ("SequenceVariant", ["SK", "SP", "MP", "OSP"]),
        ("LossyImageCompressionMethod", "ISO_10918_1"),
        ("ConvolutionKernel", ["Br38f", "3"]),
        ("PhotometricInterpretation", "YBR_RCT"),
    ],
)
def test_defined_terms_of_images_stay(word, value):
    assert again(encoded(a_slice(**{word: value})))[word].value == value


def test_it_says_what_was_done():
    new = again(encoded(a_slice()))
    assert new.PatientIdentityRemoved == "YES"
    assert new.LongitudinalTemporalInformationModified == "MODIFIED"
    assert len(new.DeidentificationMethod) == 3
    codes = [
        (i.CodeValue, i.CodingSchemeDesignator) for i in new.DeidentificationMethodCodeSequence
    ]
    assert codes == [(code, "DCM") for code, _ in CODES]
    assert new.preamble == b"\0" * 128
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
    assert "SourceApplicationEntityTitle" not in new.file_meta
    assert new.PatientName == new.PatientID
    assert not new.PatientBirthDate if "PatientBirthDate" in new else True


def test_references_follow_their_instances():
    old = a_slice()
    other = uid_of("x", 8)
    old.ReferencedImageSequence = items(
        item(ReferencedSOPClassUID=old.SOPClassUID, ReferencedSOPInstanceUID=other)
    )
    new = again(encoded(old))
    eighth = again(encoded(slice_of(WHO, study="s", series="x", number=8)))
    assert new.ReferencedImageSequence[0].ReferencedSOPInstanceUID == eighth.SOPInstanceUID
    assert new.ReferencedImageSequence[0].ReferencedSOPClassUID == old.SOPClassUID
    assert new.SeriesInstanceUID == eighth.SeriesInstanceUID
    assert new.FrameOfReferenceUID == eighth.FrameOfReferenceUID


def test_another_key_gives_other_ids():
    data = encoded(a_slice())
    other = Deidentifier(DeidConfig(), b"x" * 32).run(data, ORIGIN)
    assert other.uid != run(data).uid
    assert other.patient != run(data).patient


def test_the_age_takes_the_birth_date_s_place():
    old = a_slice(PatientBirthDate="19500615", StudyDate="20100616")
    del old.PatientAge
    new = again(encoded(old))
    assert new.PatientAge == "060Y"
    old.PatientBirthDate = "19100615"
    assert again(encoded(old)).PatientAge == "090Y"


def test_no_date_is_the_birth_date_moved():
    old = a_slice(PatientBirthDate="19500615", ContentDate="19500615")
    assert not again(encoded(old)).ContentDate


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_encodings_stay(syntax):
    old = a_slice()
    old.file_meta.TransferSyntaxUID = syntax
    new = again(encoded(old))
    assert new.file_meta.TransferSyntaxUID == syntax
    assert new.Rows == 32
    assert new.PixelData == old.PixelData


def test_numbers_of_unknown_vr_are_not_turned_round():
    old = a_slice()
    old.add_new(0x00280106, "US", 7)
    little = encoded(old).replace(b"US\x02\0\x07\0", b"UN\0\0\x02\0\0\0\x07\0")
    assert again(little).SmallestImagePixelValue == 7
    old.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    big = encoded(old).replace(b"US\0\x02\0\x07", b"UN\0\0\0\0\0\x02\x07\0")
    assert "SmallestImagePixelValue" not in again(big)


def test_a_file_without_preamble_gets_one():
    old = a_slice()
    old.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    data = encoded(old)
    bare = data[144 + struct.unpack_from("<I", data, 140)[0] :]
    new = again(bare)
    assert new.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert new.PixelData == old.PixelData


def test_ids_that_are_missing_are_made_from_the_place():
    old = a_slice(StudyInstanceUID="", SeriesInstanceUID="", PatientID="", PatientName="")
    old.PatientBirthDate = ""
    one, two = run(encoded(old)), run(encoded(old))
    assert (one.study, one.series, one.patient) == (two.study, two.series, two.patient)
    assert again(encoded(old)).SeriesInstanceUID == one.series


def test_private_numbers_that_are_safe_stay_when_asked():
    old = a_slice()
    block = old.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x23, "DS", "4.5")
    block.add_new(0x24, "LO", "JOHN")
    block.add_new(0x30, "LO", "JOHN")
    assert not any(e.tag.is_private for e in again(encoded(old)))
    new = again(encoded(old), keep_safe_private=True)
    kept = [e for e in new if e.tag.is_private]
    assert [str(e.value) for e in kept] == ["GEMS_ACQU_01", "4.5"]
    assert "113111" in [i.CodeValue for i in new.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize(
    "changes",
    [
        {"BurnedInAnnotation": "YES"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1", "Modality": "US"},
        {"SeriesDescription": "Patient Protocol"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    ],
)
def test_risky_files_are_left_out_unless_asked_for(changes):
    data = encoded(a_slice(**changes))
    with pytest.raises(RiskyError):
        run(data)
    assert any(flag.startswith("risky") for flag in run(data, keep_risky=True).flags)


def test_ultrasound_that_says_no_is_written():
    changes = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1", "BurnedInAnnotation": "NO"}
    assert again(encoded(a_slice(**changes))).BurnedInAnnotation == "NO"


def test_an_overlay_in_the_pixels_is_risky():
    old = a_slice()
    old.add_new(0x60000102, "US", 12)
    with pytest.raises(RiskyError, match="overlay"):
        run(encoded(old))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no DICOM"),
        (b"\0" * 128 + b"DICM", "no DICOM"),
        (encoded(a_slice())[:900], "cut short|no pixel|no DICOM"),
        (encoded(a_slice())[:-100], "cut short"),
        (encoded(a_slice(SOPClassUID="1.2.3.4")), "manufacturer's own object"),
        (encoded(a_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.66")), "manufacturer's own"),
        (encoded(a_slice(SOPClassUID="1.2.840.10008.1.3.10")), "DICOMDIR"),
        (encoded(a_slice(PixelData=b"\0" * 100)), "pixel data are cut short"),
    ],
)
def test_files_that_cannot_be_cleaned_are_refused(data, why):
    with pytest.raises(RefusedError, match=why) as refused:
        run(data)
    assert WHO.last not in str(refused.value)


def test_a_bomb_is_refused(monkeypatch):
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    monkeypatch.setattr("cleaning.deid.instance.MAX_INFLATED", 1 << 16)
    old = a_slice(PixelData=b"\0" * (1 << 17), Rows=256, Columns=256)
    old.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(RefusedError, match="inflates"):
        run(encoded(old))


@settings(max_examples=60)
@given(st.data())
def test_mutated_files_are_cleaned_or_refused(data):
    content = bytearray(FILE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 1400))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        done = run(bytes(content))
    except RefusedError:
        return
    assert np.sum([len(piece) for piece in done.content]) > 0


FILE = encoded(a_slice())
