"""The scan's own reader: all values, every encoding, and no file that makes it fail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from benchmarks.deid.base import encoded, item, items, slice_of
from benchmarks.deid.people import person
from cleaning.deid.rawdicom import leaves

WHO = person(3, "raw")


def a_file(syntax=ExplicitVRLittleEndian):
    ds = slice_of(WHO, study="s", series="x", number=1)
    ds.file_meta.TransferSyntaxUID = syntax
    deep = item(PatientComments="deep down")
    ds.ReferencedSeriesSequence = items(item(ReferencedInstanceSequence=items(deep)))
    ds.private_block(0x0029, "HOSPITAL", create=True).add_new(
        0x10, "SQ", items(item(PatientID="private"))
    )
    return encoded(ds)


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_every_value_comes_out(syntax):
    found = list(leaves(a_file(syntax)))
    values = {leaf.value.strip(b" \0") for leaf in found}
    assert {b"deep down", b"private", WHO.name.encode(), WHO.patient_id.encode()} <= values
    (deep,) = [leaf for leaf in found if leaf.value.startswith(b"deep down")]
    assert deep.place == "(0008,1115)[1](0008,114a)[1](0010,4000)"
    assert deep.vr == "LT"
    assert any(leaf.place == "preamble" for leaf in found)
    assert not any(leaf.place.endswith("rest") for leaf in found)


def test_bytes_behind_the_data_set_come_out():
    found = list(leaves(a_file() + b"JOHN DOE"))
    assert b"JOHN DOE" in b"".join(leaf.value for leaf in found if not leaf.tag)


def test_what_is_no_dicom_comes_out_whole():
    assert [leaf.value for leaf in leaves(b"hello" * 100)] == [b"hello" * 100]
    assert [leaf.value for leaf in leaves(b"")] == [b""]


@settings(max_examples=200)
@given(st.data())
def test_no_mutation_makes_it_fail_or_lose_bytes(data):
    content = bytearray(FILE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        new = data.draw(st.binary(max_size=6))
        content[at : at + data.draw(st.integers(0, 6))] = new
    total = sum(len(leaf.value) for leaf in leaves(bytes(content)))
    assert total <= 3 * len(content)


FILE = a_file()
