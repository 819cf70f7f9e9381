"""Leaks are found where they may stand, and only there."""

import nibabel as nib
import numpy as np
import pytest

from cleaning.deid.leakscan import header_texts, scan_case
from voxcurate.errors import VolumeReadError
from voxcurate.identifiers import Identifiers
from voxcurate.nifti import write_nifti

DOE = Identifiers(names=("Doe^John",), ids=("0012345678",))


def test_a_clean_case_is_clean(ct, tmp_path):
    write_nifti(tmp_path / "ct.nii.gz", ct)
    found = scan_case(
        "src_abcdefgh23",
        DOE,
        reports={"r1": "Liver normal. 12 mm cyst in segment VII, series 4, image 34."},
        headers=header_texts(tmp_path / "ct.nii.gz"),
        names=["scans/src_abcdefgh23/ct.nii.gz", "scans/src_abcdefgh23/segmentations/liver.nii.gz"],
    )
    assert found.verdict == "clean"
    assert found.evidence() == {}


@pytest.mark.parametrize(
    ("where", "kwargs"),
    [
        ("report r1", {"reports": {"r1": "Mr Doe has a cyst."}}),
        ("report r1", {"reports": {"r1": "Unknown patient, MRN: 998877."}}),
        ("header descrip", {"headers": {"descrip": "doe john 0012345678"}}),
        ("file name", {"names": ["scans/c1/john_doe.nii.gz"]}),
        ("file name", {"names": ["scans/c1/x12345678.nii.gz"]}),
    ],
)
def test_leaks_are_found_and_never_quoted(where, kwargs):
    found = scan_case("c1", DOE, **kwargs)
    assert found.verdict == "leak"
    assert {leak.where for leak in found.leaks} == {where}
    assert not any(word in str(found).lower() for word in ("doe", "12345678", "998877"))


@pytest.mark.parametrize(
    ("where", "kwargs"),
    [
        ("report r", {"reports": {"r": "Liver normal (ThurgoodZenobia)."}}),
        ("report r", {"reports": {"r": "for Thuergood"}}),
        ("header descrip", {"headers": {"descrip": "zenobiathurgood"}}),
        ("file name", {"names": ["scans/c1/xthurgoodx.nii.gz"]}),
    ],
)
def test_what_the_scrubber_would_not_see_is_found_by_the_other_search(where, kwargs):
    found = scan_case("c1", Identifiers(names=("Thürgood^Zenobia",)), **kwargs)
    assert found.verdict == "leak"
    assert {leak.where for leak in found.leaks} == {where}


def test_a_name_inside_a_clinical_word_is_chance():
    known = Identifiers(names=("Angio^Zenobia", "Plast^Xu"))
    text = "Hemangioblastomatosis and angioplasty, vertebroplasties."
    assert scan_case("c1", known, reports={"r": text}).verdict == "clean"


def test_two_bytes_a_letter_in_a_header(tmp_path):
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4))
    image.header["descrip"] = "by Thurgood".encode("utf-16-le")
    nib.save(image, tmp_path / "x.nii")
    assert header_texts(tmp_path / "x.nii")["descrip"] == "by Thurgood"


def test_ordinary_words_are_doubtful():
    known = Identifiers(names=("Stone^Ann",))
    assert scan_case("c1", known, reports={"r": "A large Stone was seen"}).verdict == "doubtful"


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_header_texts(tmp_path, kind, name):
    image = kind(np.zeros((3, 4, 5), np.int16), np.eye(4))
    image.header["descrip"] = b"made by J. Doe"
    image.header["intent_name"] = b"intent"
    image.header["aux_file"] = b"aux"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"patient 77"))
    nib.save(image, tmp_path / name)
    texts = header_texts(tmp_path / name)
    assert texts["descrip"] == "made by J. Doe"
    assert texts["intent_name"] == "intent"
    assert texts["aux_file"] == "aux"
    assert "patient 77" in texts["extension"]


@pytest.mark.parametrize("content", [b"", b"no header", b"\0" * 600])
def test_no_header_is_an_error(tmp_path, content):
    (tmp_path / "x.nii").write_bytes(content)
    with pytest.raises(VolumeReadError, match="NIfTI header"):
        header_texts(tmp_path / "x.nii")
