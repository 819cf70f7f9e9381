"""Reading damaged DICOM in bounded memory, and what headers say one by one."""

import struct
import zlib

import pytest

from tests.voxcurate.test_dicom import SLICES, instance, save, whole
from voxcurate.dicom import find_series, read_series
from voxcurate.dicom_file import BoundedFile, open_dicom
from voxcurate.dicom_slices import loose_stack
from voxcurate.dicom_survey import survey
from voxcurate.errors import VolumeReadError


def test_no_more_is_read_than_there_is(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    file = BoundedFile(path)
    file.seek(4)
    assert file.read(1 << 62) == b"456789"
    assert file.read(10) == b""
    file.close()


def test_a_deflated_bomb_is_refused(tmp_path):
    name = b"1.2.840.10008.1.2.1.99"
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(name)) + name
    head = bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(bytes(32 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path / "bomb.dcm"
    path.write_bytes(head + body * 20 + b"\x03\x00")
    with pytest.raises(VolumeReadError, match="unpacks to more than"):
        open_dicom(path)


def test_terabytes_are_refused_before_they_are_taken(tmp_path):
    folder = whole(tmp_path / "x", Rows=65535, Columns=65535, NumberOfFrames=50000)
    (series,) = find_series(folder)
    with pytest.raises(VolumeReadError, match="more than the file"):
        read_series(series)


@pytest.mark.parametrize("content", [b"", b"text", bytes(128) + b"DICM", b"\x08\x00\xff\xff"])
def test_what_is_no_dicom_is_noted(tmp_path, content):
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    (facts,) = survey([path])
    assert facts.error
    assert "x.dcm" not in facts.error


def test_headers_are_told_one_by_one(tmp_path):
    folder = whole(tmp_path / "x")
    facts = survey(sorted(folder.iterdir()))
    assert len(facts) == SLICES
    assert {f.texts["modality"] for f in facts} == {"CT"}
    assert all(f.promised_bytes <= f.pixel_bytes for f in facts)
    assert all(len(f.vectors) == 3 and not f.damaged for f in facts)


def test_a_damaged_field_is_named_and_the_rest_kept(tmp_path):
    data = instance(0)
    data["PixelSpacing"]._value = "abc"
    folder = save(tmp_path / "x", data)
    (facts,) = survey(list(folder.iterdir()))
    assert "spacing" not in facts.vectors
    assert facts.numbers["rows"] > 0


def test_a_loose_stack_leaves_out_what_does_not_fit(tmp_path):
    folder = save(tmp_path / "x", *(instance(n) for n in (0, 1, 4, 5)), instance(5))
    files = sorted(folder.iterdir())
    with pytest.raises(VolumeReadError):
        read_series(files)
    assert loose_stack(files).shape[2] == 4
