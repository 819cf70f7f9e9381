"""A folder full of rubbish: each piece is named by case and role, and the good ones come in."""

import gzip
import stat

import numpy as np
import pytest

from agent.ingest.identities import Identities
from tests.agent.ingest_fixture import (
    LIVER,
    SHAPE,
    SPLEEN,
    Bench,
    describe,
    dicom_series,
    scan_array,
    write,
)
from tests.conftest import oblique_affine
from voxcurate.catalog import Label, Scan, WorkItem

TEXT = """
name: heap
scans: "{case}/ct.nii.gz"
masks:
- path: "{case}/segmentations/{class}.nii.gz"
complete: [liver, spleen]
"""
LONG = "Müller_Åse_" + "x" * 200


def shifted(mm):
    affine = oblique_affine()
    affine[:3, 3] += mm
    return affine


@pytest.fixture
def heap(tmp_path):
    root = describe(tmp_path / "heap", TEXT)
    for number in range(4):
        write(root / f"good_{number}" / "ct.nii.gz", scan_array(number))
        write(root / f"good_{number}" / "segmentations" / "liver.nii.gz", LIVER)
    return root


def broken_scans(root):
    """Case -> part of the reason."""
    whole = (root / "good_0" / "ct.nii.gz").read_bytes()
    raw = gzip.decompress(whole)
    header = bytearray(raw)
    header[42:44] = (30_000).to_bytes(2, "little")  # a shape that no such file can hold
    files = {
        "truncated": whole[: len(whole) // 2],
        "lying": gzip.compress(bytes(header)),
        "empty": b"",
        "text": b"I am not a scan, I am a letter.",
    }
    for name, content in files.items():
        (root / name).mkdir()
        (root / name / "ct.nii.gz").write_bytes(content)
    write(root / "four" / "ct.nii.gz", np.zeros((*SHAPE, 3), np.int16))
    bad = scan_array(1).astype(np.float32)
    bad[3, 3, 3] = np.nan
    write(root / "nan" / "ct.nii.gz", bad)
    return {
        "truncated": "truncated|damaged",
        "lying": "shape|truncated|header",
        "empty": "empty",
        "text": "NIfTI|header",
        "four": r"shape|volume|\(I, J, K\)|4",
        "nan": "NaN",
    }


def test_every_broken_scan_is_named_and_the_good_ones_come_in(heap, tmp_path):
    reasons = broken_scans(heap)
    bench = Bench(tmp_path / "b")
    result = bench.ingest(heap)
    assert result.counts["scans"] == 4
    assert len(result.failed) == len(reasons)
    with Identities(bench.workspace) as identities:
        origin = {case: identities.lookup(case).path.split("/")[0] for case in result.failed}
    assert sorted(origin.values()) == sorted(reasons)
    for case, error in result.failed.items():
        assert any(word.lower() in error.lower() for word in reasons[origin[case]].split("|")), (
            f"{origin[case]}: {error}"
        )
        assert error.startswith("ct: ")
        assert origin[case] not in error.replace("truncated", "").replace("empty", "")
        assert str(tmp_path) not in error
        assert not bench.workspace.scan_path(case).exists()
    assert not list((bench.workspace.root / "tmp").glob("*"))
    assert bench.ingest(heap).failed.keys() == result.failed.keys()


def test_a_mended_scan_comes_in_later_and_its_failure_is_closed(heap, tmp_path):
    broken_scans(heap)
    bench = Bench(tmp_path / "b")
    first = bench.ingest(heap)
    write(heap / "nan" / "ct.nii.gz", scan_array(77))
    second = bench.ingest(heap)
    assert second.counts["new_scans"] == 1
    assert len(second.failed) == len(first.failed) - 1
    assert len(bench.catalog.rows(WorkItem, status="failed")) == len(second.failed)


@pytest.mark.parametrize(
    ("array", "affine", "reason"),
    [
        (LIVER[:-1], None, r"want the scan's shape \(23, 19, 14\) or .*found \(22, 19, 14\)"),
        (LIVER, shifted(3.0), "another place"),
        (LIVER[::2, ::2, ::2].repeat(2, 0)[:23], None, "shape"),
        (np.where(LIVER, 0.7, 0) + np.where(SPLEEN, 0.2, 0), None, "several values"),
        (LIVER.astype(np.uint8) + 2 * SPLEEN.astype(np.uint8), None, "several values from 1 to 2"),
    ],
)
def test_a_mask_that_does_not_fit_is_left_out_and_its_class_stays_unknown(
    heap, tmp_path, array, affine, reason
):
    array = np.asarray(array, dtype=np.float32 if array.dtype.kind == "f" else np.uint8)
    write(heap / "good_1" / "segmentations" / "liver.nii.gz", array, affine)
    write(heap / "good_1" / "segmentations" / "pancreas.nii.gz", SPLEEN)
    bench = Bench(tmp_path / "b")
    result = bench.ingest(heap)
    assert result.counts["scans"] == 4
    assert len(result.failed) == 1
    (key, error) = next(iter(result.failed.items()))
    case, role = key.split("/")
    assert role == "mask liver"
    import re

    assert re.search(reason, error), error
    found = {label.class_id: label.voxels for label in bench.catalog.rows(Label, case_id=case)}
    # liver: unknown; spleen: declared complete, and another mask of the case speaks; so "not there"
    assert found == {"pancreas": SPLEEN.sum(), "spleen": 0}
    assert bench.catalog.one(Scan, case_id=case).complete == ["spleen"]
    line = bench.catalog.one(WorkItem, status="failed")
    assert (line.subject, line.variant) == (case, "mask liver")
    # mended, the class comes in and the failure is closed
    write(heap / "good_1" / "segmentations" / "liver.nii.gz", LIVER)
    assert not bench.ingest(heap).failed
    assert bench.catalog.count(Label, case_id=case, class_id="liver") == 1
    assert bench.catalog.count(WorkItem, status="failed") == 0


def test_a_mask_of_another_grid_with_the_same_box_is_resampled_and_says_so(heap, tmp_path):
    affine = oblique_affine()
    affine[:3, :3] = affine[:3, :3] @ np.diag([23 / 19, 19 / 23, 1.0])
    write(heap / "good_1" / "segmentations" / "liver.nii.gz", LIVER.transpose(1, 0, 2), affine)
    bench = Bench(tmp_path / "b")
    assert not bench.ingest(heap).failed
    (resampled,) = [
        label for label in bench.catalog.rows(Label, class_id="liver") if "resampled" in label.facts
    ]
    assert resampled.facts["resampled"].startswith("resampled from (19, 23, 14)")
    assert resampled.voxels


def test_an_affine_that_is_off_by_rounding_is_tolerated(heap, tmp_path):
    affine = oblique_affine()
    affine[:3] += np.random.default_rng(0).uniform(-1e-3, 1e-3, (3, 4))
    write(heap / "good_1" / "segmentations" / "liver.nii.gz", LIVER, affine)
    assert not Bench(tmp_path / "b").ingest(heap).failed


def test_values_nobody_named_are_listed_and_the_named_ones_taken(tmp_path):
    text = (
        "name: m\nscans: i/{case}.nii.gz\nmasks: [{path: 'l/{case}.nii.gz', labels: {1: liver}}]\n"
    )
    root = describe(tmp_path / "m", text)
    write(root / "i" / "a.nii.gz", scan_array(0))
    array = LIVER.astype(np.uint8)
    array[SPLEEN] = 7
    write(root / "l" / "a.nii.gz", array)
    bench = Bench(tmp_path / "b")
    result = bench.ingest(root)
    assert next(iter(result.failed.values())).startswith(
        f"no class for value 7 ({SPLEEN.sum()} voxels)"
    )
    assert [label.class_id for label in bench.catalog.rows(Label)] == ["liver"]
    bench2 = Bench(tmp_path / "b2")
    describe(root, text.replace("{1: liver}", "{1: liver, 7: background}"))
    assert not bench2.ingest(root).failed


def test_odd_names_are_read_and_never_shown(heap, tmp_path, caplog):
    write(heap / LONG / "ct.nii.gz", scan_array(33))
    odd = heap / "bad_\udcff_byte"
    (odd / "segmentations").mkdir(parents=True)
    (odd / "ct.nii.gz").write_bytes((heap / "good_1" / "ct.nii.gz").read_bytes()[:900])
    bench = Bench(tmp_path / "b")
    result = bench.ingest(heap)
    assert result.counts["scans"] == 5
    assert len(result.failed) == 1
    said = caplog.text + str(result)
    assert "Müller" not in said
    assert "byte" not in said.replace("bytes", "")
    for path in bench.workspace.root.rglob("*"):
        assert "ller" not in path.name


def test_the_private_map_is_private(heap, tmp_path):
    bench = Bench(tmp_path / "b")
    bench.ingest(heap)
    assert stat.S_IMODE(bench.workspace.private.stat().st_mode) == 0o700
    files = list(bench.workspace.private.iterdir())
    assert sorted(path.name for path in files) == ["identities.sqlite", "reports.sqlite"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_hidden_files_and_the_workspace_itself_are_not_data(heap):
    write(heap / "good_0" / "._ct.nii.gz", LIVER)
    bench = Bench(heap)  # the workspace lies inside the folder
    bench.ingest(heap)
    again = bench.ingest(heap)
    assert again.counts["scans"] == 4
    assert "volumes_not_described" not in again.counts


def test_broken_dicom_is_named_and_the_other_series_come_in(tmp_path):
    root = tmp_path / "pacs"
    for number in (1, 2, 3):
        dicom_series(root / f"DOE_JANE_{number}", number)
    (root / "DOE_JANE_2" / "IM007.dcm").unlink()  # a hole in the series
    cut = root / "DOE_JANE_3" / "IM004.dcm"
    cut.write_bytes(cut.read_bytes()[:200])
    (root / "DOE_JANE_4").mkdir()
    (root / "DOE_JANE_4" / "IM001.dcm").write_bytes(b"garbage" * 99)
    bench = Bench(tmp_path / "b")
    result = bench.ingest(root)
    assert result.counts["scans"] == 1
    assert len(result.failed) >= 3
    assert "DOE" not in str(result)
    assert any("cannot be read" in error for error in result.failed.values())
    assert any("slice" in error for error in result.failed.values())
    assert bench.catalog.rows(Scan)[0].source == "dicom"
