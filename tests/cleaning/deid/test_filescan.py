"""The search finds what was left in any form, and takes ordinary words for none."""

from datetime import date

import pytest

from cleaning.deid.filescan import FileScan, jpeg_comments
from cleaning.deid.folding import days_in, folded, variants
from cleaning.deid.identities import Identities
from cleaning.deid.rawdicom import Leaf


def known(*, moved_by=-10, **values):
    found = Identities()
    for vr, (tag, value) in values.items():
        found.add(Leaf("x", tag, vr.strip("_"), value))
    return FileScan(found.finish(moved_by))


PATIENT = known(
    PN=(0x00100010, "Müller-Thürgood^Zenobia".encode()),
    LO=(0x00100020, b"0012345678"),
    DA=(0x00080020, b"20190503"),
    SH=(0x00081010, b"CT99AB"),
    UI=(0x0020000D, b"1.2.3.4.5.6"),
    ST=(0x00080081, b"12 Quillby Road, Mirandotte"),
    UN=(0x00291010, b"\0\1Bramblewick\0\3"),
)


@pytest.mark.parametrize(
    "text",
    [
        "MUELLER",
        "muller",
        "seen by Thürgood",
        "ZENOBIA",
        "ThurgoodZenobia",
        "xZenobiax1",
        "MRN 12345678",
        "0012345678",
        "id_12345678_ct",
        "CT99AB",
        "2019-05-03",
        "3 May 2019",
        "05/03/2019",
        "20190503101112",
        "1.2.3.4.5.6",
        "Quillby",
        "mirandotte road",
        "Bramblewick",
    ],
)
def test_identifiers_are_found(text):
    assert PATIENT.text(text)


@pytest.mark.parametrize(
    "text",
    [
        "CT ABDOMEN W CONTRAST",
        "Chest left upper lobe, series 5 image 34",
        "SIEMENS SOMATOM Force",
        "2019-05-04",
        "20190423",
        "12",
        "2.25.330186923427437165905413411453267340928",
        "1.2.840.10008.5.1.4.1.1.2",
        "wwlr2ffxzp",
    ],
)
def test_ordinary_words_are_not(text):
    assert not PATIENT.text(text)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", [str, str.upper, str.lower])
def test_names_are_found_in_every_encoding(encoding, form):
    scan = known(PN=(0x00100010, b"Thurgood^Zenobia"))
    value = form("of Thurgood").encode(encoding)
    assert scan._value(0, "UN", value)


def test_names_in_other_writings_are_found():
    scan = known(PN=(0x00100010, "Yamada^Tarou=山田^太郎".encode("iso2022_jp")))
    assert scan._value(0x00081030, "LO", "CT 山田".encode("iso2022_jp"))
    assert not scan._value(0x00081030, "LO", b"CT")


def test_plain_words_count_in_the_patient_s_own_name_and_in_prose_alone():
    scan = known(PN=(0x00100010, b"Liver^Plain"), PN_=(0x00080090, b"Arm^Hand"))
    assert scan.text("plain", free=True)
    assert not scan.text("PLAIN")
    assert not scan.text("arm hand")
    assert scan.text("LiverPlain")


def test_words_of_the_device_are_no_secrets():
    private = b"SIEMENS Gantrox header"
    scan = known(LO=(0x00081090, b"Gantrox 64"), UN=(0x00291010, private))
    assert not scan.text("Gantrox 64")


def test_a_day_on_which_another_day_falls_is_no_leak():
    found = Identities()
    found.add(Leaf("x", 0x00080020, "DA", b"20190503"))
    found.add(Leaf("x", 0x00080020, "DA", b"20190513"))
    scan = FileScan(found.finish(-10))
    assert not scan.text("20190503")
    assert scan.text("20190513")


def test_days_in_texts():
    assert days_in("on 03/04/2020") == {date(2020, 3, 4), date(2020, 4, 3)}
    assert date(2020, 3, 4) in days_in("4. März 2020")
    assert date(2020, 3, 4) in days_in("March 4th, 2020")
    assert days_in("12345678 and 2020") == set()


def test_variants():
    assert {"mueller", "muller"} <= variants("Müller")
    assert "muller" in variants("Mueller")
    assert folded("É") == "e"


def test_comments_of_jpeg_streams():
    comment = b"\xff\xfe\x00\x08Thurgo"
    assert list(jpeg_comments(b"\xff\xd8" + comment + b"\xff\xda")) == [b"Thurgo"]
    assert list(jpeg_comments(b"\xff\xd8\xff\xda" + comment)) == []
    assert list(jpeg_comments(b"\xff\x4f\xff\x64\x00\x06John")) == [b"John"]
