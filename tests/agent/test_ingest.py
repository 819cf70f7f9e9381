"""Ingest end to end: layouts, labels, repeats, changes."""

import json

import numpy as np
import pytest

from agent.ingest.identities import Identities
from tests.agent.ingest_fixture import (
    LIVER,
    MAPS,
    SHAPE,
    SPLEEN,
    Bench,
    atlas,
    describe,
    maps,
    nnunet,
    scan_array,
    write,
)
from tests.conftest import oblique_affine
from voxcurate.catalog import Assembly, Decision, Label, Scan, WorkItem
from voxcurate.catalog.schema import TABLES
from voxcurate.errors import SourceError
from voxcurate.labels import read_mask
from voxcurate.nifti import read_nifti

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "bench")


def in_world(volume, affine):
    """World position and value of every voxel above air, sorted: the same in any axis order."""
    index = np.argwhere(volume > -500)
    places = index @ affine[:3, :3].T + affine[:3, 3]
    table = np.column_stack([np.round(places, 3), volume[tuple(index.T)]])
    return table[np.lexsort(table.T)]


def test_an_atlas_folder_comes_in_whole(bench, tmp_path):
    result = bench.ingest(atlas(tmp_path / "Some Atlas", 3))
    assert not result.failed
    assert result.counts["scans"] == 3
    assert result.counts["labels"] == 5
    scans = bench.catalog.rows(Scan)
    assert {scan.source for scan in scans} == {"some_atlas"}
    assert all(scan.case_id.startswith("some_atlas_") and scan.modality == "CT" for scan in scans)
    labels = {(row.case_id, row.class_id): row for row in bench.catalog.rows(Label)}
    pointers = bench.catalog.current()
    assert {k: p.label_id for k, p in pointers.items()} == {
        k: r.label_id for k, r in labels.items()
    }
    assert {row.trust for row in pointers.values()} == {"original"}


def test_scan_and_mask_keep_their_place_in_the_world(bench, tmp_path):
    bench.ingest(atlas(tmp_path / "atlas", 1))
    scan = bench.catalog.rows(Scan)[0]
    volume = read_nifti(bench.workspace.root / scan.path)
    assert volume.orientation == "RAS"
    expected = in_world(scan_array(0), oblique_affine())
    np.testing.assert_allclose(in_world(volume.array, volume.affine), expected, atol=2e-3)
    label = bench.catalog.rows(Label, class_id="liver")[0]
    mask = read_mask(bench.workspace.root, label.path, volume.shape)
    drawn = np.where(LIVER, 1, -1000)
    found = np.where(mask, 1, -1000)
    np.testing.assert_allclose(
        in_world(found, volume.affine), in_world(drawn, oblique_affine()), atol=2e-3
    )
    assert label.voxels == LIVER.sum()
    assert label.ml == pytest.approx(LIVER.sum() * 0.9 * 1.3 * 2.5 / 1000, rel=1e-4)


def test_the_second_time_does_nothing_and_new_files_only_add(bench, tmp_path):
    root = atlas(tmp_path / "atlas", 3)
    bench.ingest(root)
    before = bench.catalog.rows(Scan), bench.catalog.rows(Label), bench.catalog.rows(Assembly)
    again = bench.ingest(root)
    assert again.counts["unchanged"] == 3
    assert again.counts["new_scans"] == 0
    assert before == (
        bench.catalog.rows(Scan),
        bench.catalog.rows(Label),
        bench.catalog.rows(Assembly),
    )
    atlas(root, 2, first=3)
    more = bench.ingest(root)
    assert more.counts["unchanged"] == 3
    assert more.counts["new_scans"] == 2
    old = {scan.case_id: scan for scan in before[0]}
    kept = [scan for scan in bench.catalog.rows(Scan) if scan.case_id in old]
    assert kept == before[0]


def test_a_new_mask_of_a_known_scan_is_added(bench, tmp_path):
    root = atlas(tmp_path / "atlas", 2)
    bench.ingest(root)
    write(root / "BDMAP_00000001" / "segmentations" / "spleen.nii.gz", SPLEEN)
    result = bench.ingest(root)
    assert result.counts["updated_scans"] == 1
    assert len(bench.catalog.current()) == 4
    assert bench.catalog.count(Scan) == 2


def test_a_changed_mask_is_a_new_version_with_a_decision(bench, tmp_path):
    root = atlas(tmp_path / "atlas", 1)
    bench.ingest(root)
    first = bench.catalog.rows(Label, class_id="liver")[0]
    write(root / "BDMAP_00000000" / "segmentations" / "liver.nii.gz", LIVER | SPLEEN)
    bench.ingest(root)
    versions = bench.catalog.rows(Label, class_id="liver")
    assert len(versions) == 2
    assert first in versions
    pointed = bench.catalog.current()[first.case_id, "liver"].label_id
    assert pointed != first.label_id
    assert [d.other_label for d in bench.catalog.rows(Decision, verdict="replaced")] == [
        first.label_id
    ]


def test_a_changed_scan_is_refused(bench, tmp_path):
    root = atlas(tmp_path / "atlas", 2)
    bench.ingest(root)
    before = bench.catalog.rows(Scan)
    write(root / "BDMAP_00000000" / "ct.nii.gz", scan_array(99))
    result = bench.ingest(root)
    assert len(result.failed) == 1
    assert "never replaced" in next(iter(result.failed.values()))
    assert bench.catalog.rows(Scan) == before
    path = bench.workspace.root / before[0].path
    assert read_nifti(path).shape == SHAPE
    assert bench.ingest(root).failed == result.failed


def test_complete_classes_that_are_absent_are_empty_labels(bench, tmp_path):
    root = describe(maps(tmp_path / "m", 3), MAPS + "complete: [spleen, pancreas]\n")
    write(root / "images" / "case_9.nii.gz", scan_array(9))  # no label map: nothing is told
    bench.ingest(root)
    by_class = {}
    for label in bench.catalog.rows(Label):
        by_class.setdefault(label.class_id, []).append(label.voxels)
    assert sorted(by_class["spleen"]) == [0, SPLEEN.sum(), SPLEEN.sum()]
    assert by_class["pancreas"] == [0, 0, 0, 0]  # no mask of the source could hold it: declared
    assert len(by_class["liver"]) == 3
    complete = {scan.case_id: scan.complete for scan in bench.catalog.rows(Scan)}
    assert sorted(complete.values()) == [["pancreas"], *[["pancreas", "spleen"]] * 3]


def test_an_empty_mask_of_an_undeclared_class_stays_unknown(bench, tmp_path):
    root = atlas(tmp_path / "atlas", 1)
    write(root / "BDMAP_00000000" / "segmentations" / "pancreas.nii.gz", np.zeros(SHAPE, bool))
    bench.ingest(root)
    assert bench.catalog.count(Label, class_id="pancreas") == 0


def test_nnunet_names_values_and_ignored_voxels(bench, tmp_path):
    result = bench.ingest(nnunet(tmp_path / "Dataset001"))
    assert not result.failed
    assert {scan.source for scan in bench.catalog.rows(Scan)} == {"my_livers"}
    labels = bench.catalog.rows(Label)
    assert {label.class_id for label in labels} == {"liver"}
    for label in labels:
        known = read_mask(bench.workspace.root, label.known_path, SHAPE)
        assert np.count_nonzero(~known) == SPLEEN.sum()
        assert label.voxels == (LIVER & ~SPLEEN).sum()


def test_a_value_may_mean_several_classes_and_several_values_one(bench, tmp_path):
    text = MAPS.replace("{1: liver, 2: spleen}", "{1: liver, 2: [liver, liver_tumor]}")
    bench.ingest(describe(maps(tmp_path / "m", 1), text))
    voxels = {label.class_id: label.voxels for label in bench.catalog.rows(Label)}
    assert voxels == {"liver": (LIVER | SPLEEN).sum(), "liver_tumor": SPLEEN.sum()}


def test_the_hu_offset_is_applied_to_ct_and_not_to_mr(tmp_path):
    for modality, offset in (("CT", -24), ("MR", 0)):
        bench = Bench(tmp_path / modality)
        text = MAPS + f"hu_offset: -24\nmodality: {modality}\n"
        bench.ingest(describe(maps(tmp_path / "m", 1), text))
        scan = bench.catalog.rows(Scan)[0]
        assert scan.modality == modality
        array = read_nifti(bench.workspace.root / scan.path).array
        lowest = scan_array(50).min() + offset
        assert array.min() == (max(lowest, -1024) if modality == "CT" else lowest)


def test_public_ids_are_the_cases_own_and_safe(bench, tmp_path):
    root = tmp_path / "m"
    for name in ("pt_1", "pt 1", "pt/1", "é" * 60):
        write(root / "images" / f"{name}.nii.gz", scan_array(len(name)))
    text = "name: pub\nscans: images/**/{case}.nii.gz\nids: public\n"
    bench.ingest(describe(root, text))
    ids = [scan.case_id for scan in bench.catalog.rows(Scan)]
    assert "pub_pt_1" in ids
    assert "pub_1" in ids
    assert len(ids) == 4
    assert all(len(one) < 70 and one.isascii() and "/" not in one for one in ids)


def test_several_described_folders_come_in_together(bench, tmp_path):
    describe(maps(tmp_path / "data" / "one", 1), MAPS)
    text = MAPS.replace("name: maps", "name: other")
    describe(maps(tmp_path / "data" / "deep" / "two", 2), text)
    result = bench.ingest(tmp_path / "data")
    assert result.counts["sources"] == 2
    assert sorted(scan.source for scan in bench.catalog.rows(Scan)) == ["maps", "other", "other"]
    # the same pixels in two sources are one duplicate group and one split
    groups = {}
    for scan in bench.catalog.rows(Scan):
        groups.setdefault(scan.duplicate_group, set()).add(scan.split)
    assert len(groups) == 2
    assert all(len(splits) == 1 for splits in groups.values())


def test_two_sources_of_one_name_are_refused(bench, tmp_path):
    describe(maps(tmp_path / "data" / "one", 1), MAPS)
    describe(maps(tmp_path / "data" / "two", 1), MAPS)
    with pytest.raises(SourceError, match="several sources call themselves maps"):
        bench.ingest(tmp_path / "data")
    assert bench.catalog.count(Scan) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MAPS.replace("liver", "livver"), "not in the vocabulary: livver"),
        (MAPS.replace("liver", "Right Kidney"), r"Right Kidney \(ours: kidney_right\)"),
        (MAPS.replace("images/", "pictures/"), "no file in the folder fits the scans"),
        (MAPS + "patient: '{person}'\n", "wants the field {person}"),
        (MAPS + "nonsense: 1\n", "nonsense: no such setting"),
        (MAPS + "patients: none.csv\n", "the patients table cannot be read"),
    ],
)
def test_a_wrong_description_is_explained_and_nothing_comes_in(bench, tmp_path, text, message):
    with pytest.raises(SourceError, match=message) as error:
        bench.ingest(describe(maps(tmp_path / "m", 1), text))
    assert str(tmp_path) not in str(error.value)
    assert bench.catalog.count(Scan) == bench.catalog.count(WorkItem) == 0


def test_gold_is_a_flag_and_disjoint_from_test(bench, tmp_path):
    bench.ingest(describe(maps(tmp_path / "m", 8), MAPS + "gold: true\n"))
    split = {scan.case_id: scan.split for scan in bench.catalog.rows(Scan)}
    assert {"train", "test"} <= set(split.values())
    for label in bench.catalog.rows(Label):
        assert label.gold == (split[label.case_id] != "test")
    for pointer in bench.catalog.rows(Assembly):
        assert (pointer.trust == "gold") == (split[pointer.case_id] != "test")


def test_the_view_shows_the_original_labels(bench, tmp_path):
    bench.ingest(atlas(tmp_path / "atlas", 1))
    folder = bench.workspace.scan_path(bench.catalog.rows(Scan)[0].case_id).parent
    shown = sorted(path.name for path in (folder / "segmentations").iterdir())
    assert shown == ["liver.nii.gz", "spleen.nii.gz"]


def test_a_mask_stored_in_another_axis_order_fits(bench, tmp_path):
    root = maps(tmp_path / "m", 1)
    array = LIVER.astype(np.uint8)[::-1].transpose(2, 0, 1)
    affine = oblique_affine()
    affine[:3, 3] += affine[:3, 0] * (SHAPE[0] - 1)
    affine[:3, 0] *= -1
    write(root / "labels" / "case_0.nii.gz", array, affine[:, [2, 0, 1, 3]])
    assert not bench.ingest(describe(root, MAPS)).failed
    label = bench.catalog.rows(Label)[0]
    found = read_mask(bench.workspace.root, label.path, SHAPE)
    assert np.array_equal(found, LIVER)


def test_interrupted_before_the_last_step_the_next_call_finishes(bench, tmp_path, monkeypatch):
    root = atlas(tmp_path / "atlas", 6)

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.ingest.run.register", killed)
    with pytest.raises(KeyboardInterrupt):
        bench.ingest(root)
    assert bench.catalog.count(Scan) == 0
    monkeypatch.undo()
    result = bench.ingest(root)
    assert result.counts["unchanged"] == 6
    other = Bench(tmp_path / "other")
    other.ingest(root)
    assert bench.catalog.rows(Scan) == other.catalog.rows(Scan)
    assert bench.catalog.rows(Assembly) == other.catalog.rows(Assembly)


def test_what_another_folder_left_unfinished_comes_in_too(bench, tmp_path, monkeypatch):
    monkeypatch.setattr("agent.ingest.run.register", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):  # noqa: PT011 - stands for any crash
        bench.ingest(atlas(tmp_path / "atlas", 2))
    monkeypatch.undo()
    bench.ingest(describe(maps(tmp_path / "m", 1), MAPS))
    assert bench.catalog.count(Scan) == 3


def test_dates_become_days_and_facts_hold_no_identifier(bench, tmp_path):
    root = describe(maps(tmp_path / "m", 3), MAPS + "patients: people.csv\n")
    (root / "people.csv").write_text(
        "case;patient;sex;age;phase;date\n"
        "case_0;MRN0012345;female;101;venous;2020-03-01\n"
        "case_1;MRN0012345;F;67Y;native;2020-01-31\n"
        "case_2;MRN0099999;m;45;;\n"
    )
    bench.ingest(root)
    scans = bench.catalog.rows(Scan)
    facts = sorted(json.dumps(scan.facts, sort_keys=True) for scan in scans)
    assert facts == [
        '{"age": 45, "sex": "M"}',
        '{"age": 67, "day": 0, "phase": "non_contrast", "sex": "F"}',
        '{"age": 90, "day": 30, "phase": "portal_venous", "sex": "F"}',
    ]
    assert len({scan.patient for scan in scans}) == 2
    assert len({scan.split for scan in scans if scan.facts["sex"] == "F"}) == 1
    stored = "".join(repr(bench.catalog.rows(kind)) for kind in TABLES)
    if (file := bench.workspace.root / "catalog.sqlite").exists():
        stored += file.read_bytes().decode("latin-1")
    assert "0012345" not in stored
    with Identities(bench.workspace) as identities:
        assert sum("MRN0012345" in one.identifiers.ids for one in identities.all()) == 2
