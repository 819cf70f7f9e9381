"""Real public folders: shipped descriptions, DICOM, and segmentations in DICOM."""

import pytest

from agent.ingest.identities import Identities
from tests.agent.ingest_fixture import Bench
from voxcurate.catalog import Label, Scan
from voxcurate.errors import SourceError
from voxcurate.labels import read_mask

pytestmark = pytest.mark.real_data


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "bench")


@pytest.mark.slow
def test_head_and_neck_cts_with_partial_labels(bench, real_data):
    result = bench.ingest(real_data / "openkbp_ct", source="openkbp")
    assert not result.failed
    n_cases = len(list((real_data / "openkbp_ct").glob("*/ct.nii.gz")))
    assert result.counts["scans"] == n_cases
    splits = result.counts["splits"]
    assert abs(splits["test"] - 0.2 * n_cases) <= 2
    test = {scan.case_id for scan in bench.catalog.rows(Scan, split="test")}
    classes = {label.class_id for label in bench.catalog.rows(Label)}
    tested = {label.class_id for label in bench.catalog.rows(Label, case_id=test)}
    assert classes == tested
    assert bench.catalog.count(Label, voxels=0) == 0  # nothing is declared complete
    assert bench.ingest(real_data / "openkbp_ct", source="openkbp").counts["unchanged"] == n_cases


@pytest.mark.parametrize(
    ("folder", "source", "modality", "classes"),
    [
        ("sts_ct", "sts_ct", "CT", {"tumor"}),
        ("totalsegmentator_ct", "totalsegmentator_map", "CT", 41),
    ],
)
def test_described_folders(bench, real_data, folder, source, modality, classes):
    result = bench.ingest(real_data / folder, source=source)
    assert not result.failed
    assert {scan.modality for scan in bench.catalog.rows(Scan)} == {modality}
    found = {label.class_id for label in bench.catalog.rows(Label)}
    assert found == classes or len(found) == classes


def test_bare_scans_are_recognised(bench, real_data):
    result = bench.ingest(real_data / "ct_no_mask_3mm")
    assert result.counts["scans"] == 2
    assert {scan.split for scan in bench.catalog.rows(Scan)} == {"train"}


def test_dicom_series_with_segmentations(bench, real_data):
    folder = real_data / "dcmqi_dicom_seg_sr" / "segmentations"
    result = bench.ingest(folder)
    assert result.counts["scans"] == 5
    livers = [row for row in bench.catalog.rows(Label) if row.class_id == "liver"]
    assert len(livers) == 3
    shapes = {scan.case_id: scan.shape for scan in bench.catalog.rows(Scan)}
    for label in livers:
        mask = read_mask(bench.workspace.root, label.path, tuple(shapes[label.case_id]))
        assert int(mask.sum()) == label.voxels > 0
    assert all("segment" in why or "second mask" in why for why in result.failed.values())
    with Identities(bench.workspace) as identities:
        uids = [one.series_uid for one in identities.all()]
    bench.catalog.close()
    text = (bench.workspace.root / "catalog.sqlite").read_bytes()
    assert not any(uid.encode() in text for uid in uids)


@pytest.mark.parametrize("folder", ["openkbp_ct", "msd_hippocampus_mr", "sts_ct"])
def test_undescribed_folders_are_drafted(bench, real_data, folder):
    with pytest.raises(SourceError, match=r"edit sources/\w+\.yaml.*run again: voxcurate ingest"):
        bench.ingest(real_data / folder)
