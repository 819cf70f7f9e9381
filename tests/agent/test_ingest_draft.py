"""Folders nobody described: what is seen is drafted, what is not seen is asked for."""

import numpy as np
import pytest
import yaml

from agent.ingest.identities import Identities
from agent.ingest.peek import label_table, looks_like_mask, modality_of
from tests.agent.ingest_fixture import (
    LIVER,
    SHAPE,
    SPLEEN,
    Bench,
    atlas,
    dicom_series,
    maps,
    scan_array,
    write,
)
from voxcurate.catalog import Label, Scan
from voxcurate.errors import SourceError, WorkspaceError


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "bench")


def test_a_label_map_without_a_map_of_classes_is_never_guessed(bench, tmp_path):
    root = maps(tmp_path / "Our Livers", 3)
    with pytest.raises(SourceError) as error:
        bench.ingest(root)
    said = str(error.value)
    assert "sources/our_livers.yaml" in said
    assert "masks[0].labels.1, masks[0].labels.2" in said
    assert "voxcurate ingest PATH --source our_livers" in said
    assert str(tmp_path) not in said
    assert bench.catalog.count(Scan) == 0
    file = bench.workspace.root / "sources" / "our_livers.yaml"
    text = file.read_text()
    assert f"1: TODO  # {3 * LIVER.sum() - 2 * (LIVER & SPLEEN).sum():,} voxels in 3 of 3" in text
    assert f"2: TODO  # {2 * SPLEEN.sum():,} voxels in 2 of 3 files" in text
    data = yaml.safe_load(text)
    assert data["scans"] == "images/{case}.nii.gz"
    assert data["masks"][0]["path"] == "labels/{case}.nii.gz"
    assert data["modality"] == "CT"

    with pytest.raises(SourceError, match="still says TODO at"):
        bench.ingest(root)
    file.write_text(text.replace("1: TODO", "1: liver").replace("2: TODO", "2: spleen"))
    assert bench.ingest(root).counts["labels"] == 5  # found again without naming it
    assert bench.ingest(root, source="our_livers").counts["unchanged"] == 3
    assert {label.class_id for label in bench.catalog.rows(Label)} == {"liver", "spleen"}


def test_a_draft_is_not_drafted_twice(bench, tmp_path):
    root = maps(tmp_path / "m", 2)
    for _ in range(2):
        with pytest.raises(SourceError):
            bench.ingest(root)
    assert [p.name for p in (bench.workspace.root / "sources").glob("*.yaml")] == ["m.yaml"]


def test_a_shipped_description_that_fits_is_named(bench, tmp_path):
    root = maps(tmp_path / "hippo", 1)
    with pytest.raises(SourceError, match=r"Shipped descriptions whose patterns fit.*msd_hippo"):
        bench.ingest(root)


def test_a_recognised_folder_keeps_its_name(bench, tmp_path):
    root = atlas(tmp_path / "My Atlas", 2)
    bench.ingest(root)
    assert (bench.workspace.root / "sources" / "my_atlas.yaml").is_file()
    bench.ingest(atlas(root, 3))
    assert {scan.source for scan in bench.catalog.rows(Scan)} == {"my_atlas"}


def test_unknown_class_files_are_asked_for_and_can_be_passed_over(bench, tmp_path):
    root = atlas(tmp_path / "atlas", 2)
    write(root / "BDMAP_00000000" / "segmentations" / "wibble.nii.gz", SPLEEN)
    with pytest.raises(SourceError, match=r"masks\[0\].classes.wibble"):
        bench.ingest(root)
    file = bench.workspace.root / "sources" / "atlas.yaml"
    file.write_text(file.read_text().replace("wibble: TODO", "wibble: background"))
    assert bench.ingest(root).counts["labels"] == 3


@pytest.mark.parametrize("kind", ["dicom", "scans", "data"])
def test_folders_that_may_bear_a_patients_name_do_not_name_the_source(bench, tmp_path, kind):
    root = tmp_path / "doe_jane"
    if kind == "dicom":
        dicom_series(root / "x", 1)
    elif kind == "data":
        atlas(root, 1)
    else:
        write(root / "a.nii.gz", scan_array(1))
    bench.ingest(root)
    assert {scan.source for scan in bench.catalog.rows(Scan)} == {kind}
    other = tmp_path / "roe_max"
    write(other / "b.nii.gz", scan_array(2))
    bench.ingest(other)
    assert {s.source for s in bench.catalog.rows(Scan)} == {
        kind,
        "scans_2" if kind == "scans" else "scans",
    }


def test_scans_that_are_no_ct_are_asked_about(bench, tmp_path):
    write(tmp_path / "mr" / "a.nii.gz", np.abs(scan_array(1)))
    with pytest.raises(SourceError, match="TODO at: modality"):
        bench.ingest(tmp_path / "mr")


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_a_folder_with_nothing_in_it(bench, tmp_path, content):
    (tmp_path / "void").mkdir()
    if content:
        (tmp_path / "void" / content).write_text("hello")
    with pytest.raises(SourceError, match="nothing to ingest"):
        bench.ingest(tmp_path / "void")


def test_a_path_that_is_no_folder(bench, tmp_path):
    with pytest.raises(SourceError, match="want a folder to ingest, found none"):
        bench.ingest(tmp_path / "nowhere")
    file = write(tmp_path / "x.nii.gz", scan_array(1))
    with pytest.raises(SourceError, match="want a folder to ingest, found a file"):
        bench.ingest(file)


def test_an_unknown_source_lists_the_known_ones(bench, tmp_path):
    with pytest.raises(SourceError, match=r"there are: .*openkbp"):
        bench.ingest(maps(tmp_path / "m", 1), source="nope")


def test_looks_like_a_mask(tmp_path):
    assert looks_like_mask(write(tmp_path / "m.nii.gz", LIVER))
    assert looks_like_mask(write(tmp_path / "f.nii.gz", LIVER.astype(np.float32)))
    assert not looks_like_mask(write(tmp_path / "s.nii.gz", scan_array(1)))
    assert not looks_like_mask(write(tmp_path / "p.nii.gz", LIVER * np.float32(0.3)))
    assert not looks_like_mask(write(tmp_path / "one.nii.gz", np.ones(SHAPE, np.uint8)))
    (tmp_path / "t.nii.gz").write_text("text")
    assert not looks_like_mask(tmp_path / "t.nii.gz")
    assert modality_of([tmp_path / "t.nii.gz", tmp_path / "s.nii.gz"]) == "CT"
    assert label_table(tmp_path / "t.nii.gz") == {}


def test_a_label_table_within_the_file_is_read(tmp_path, bench):
    import nibabel

    xml = (
        b'<CaretExtension><LabelTable><Label Key="1" Red="0"><![CDATA[liver]]></Label>'
        b'<Label Key="2"><![CDATA[wibble]]></Label></LabelTable></CaretExtension>'
    )
    root = tmp_path / "tables"
    for number in range(2):
        write(root / "images" / f"x{number}.nii.gz", scan_array(number))
        image = nibabel.Nifti1Image(LIVER.astype(np.uint8), np.diag([0.9, 1.3, 2.5, 1]))
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(30, xml))
        (root / "labels").mkdir(exist_ok=True)
        nibabel.save(image, root / "labels" / f"x{number}.nii.gz")
    assert label_table(root / "labels" / "x0.nii.gz") == {1: "liver", 2: "wibble"}
    with pytest.raises(SourceError, match=r"TODO at: masks\[0\].labels.2\)"):
        bench.ingest(root)
    text = (bench.workspace.root / "sources" / "tables.yaml").read_text()
    assert "1: liver  # 'liver'" in text
    assert "2: TODO  # 'wibble': not in the 2 files looked at" in text


def test_identities_say_where_a_case_came_from_and_no_other(bench, tmp_path):
    root = atlas(tmp_path / "atlas", 1)
    bench.ingest(root)
    case = bench.catalog.rows(Scan)[0].case_id
    with Identities(bench.workspace) as identities:
        told = identities.describe(case)
        assert told["path"] == str(root / "BDMAP_00000000" / "ct.nii.gz")
        assert told["identifiers"] == {"ids": ["BDMAP_00000000"]}
        assert identities.known()[case].ids == ("BDMAP_00000000",)
        with pytest.raises(WorkspaceError, match="no case 'x' was ever ingested"):
            identities.describe("x")
