"""Label versions: written once, traced, and shown in a view that can be rebuilt."""

import os

import numpy as np
import pytest

from tests.voxcurate.factories import a_scan
from voxcurate.catalog import Catalog, Label
from voxcurate.errors import CatalogError, GeometryError
from voxcurate.labels import adopt_mask, read_mask, rebuild_view, write_mask
from voxcurate.workspace import Workspace

SHAPE = (7, 5, 3)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Workspace.create(tmp_path / "w")


@pytest.fixture
def catalog(workspace):
    made = Catalog(workspace.catalog_url)
    with made.write() as writer:
        writer.add(a_scan())
    yield made
    made.close()


def mask(n):
    array = np.zeros(SHAPE, bool)
    array.ravel()[:n] = True
    return array


def store(workspace, catalog, array, **kind):
    file = write_mask(workspace.scratch, "t", array, np.diag([1.0, 2.0, 3.0, 1.0]))
    with catalog.write() as writer:
        return adopt_mask(
            writer,
            workspace,
            file,
            **{
                "case_id": "a_case",
                "class_id": "liver",
                "origin": "original",
                "round_number": 0,
                **kind,
            },
        )


def test_round_trip_and_volume_in_ml(workspace, catalog):
    label = store(workspace, catalog, mask(4))
    assert label.voxels == 4
    assert label.ml == pytest.approx(4 * 6 / 1000)
    assert np.array_equal(read_mask(workspace.root, label.path, SHAPE), mask(4))


def test_an_empty_mask_has_no_file(workspace, catalog):
    label = store(workspace, catalog, mask(0))
    assert (label.path, label.voxels, label.ml) == ("", 0, 0.0)
    assert not read_mask(workspace.root, label.path, SHAPE).any()


def test_storing_again_gives_the_same_version(workspace, catalog):
    assert store(workspace, catalog, mask(4)) == store(workspace, catalog, mask(4))
    assert catalog.count(Label) == 1


def test_versions_never_share_a_file(workspace, catalog):
    first = store(workspace, catalog, mask(4))
    other = store(workspace, catalog, mask(5), parent=first.label_id, origin="revised")
    assert first.path != other.path
    assert np.array_equal(read_mask(workspace.root, first.path, SHAPE), mask(4))


def test_view_shows_the_pointers_and_nothing_else(workspace, catalog):
    liver = store(workspace, catalog, mask(4))
    spleen = store(workspace, catalog, mask(0), class_id="spleen")
    folder = workspace.scan_path("a_case").parent / "segmentations"
    rebuild_view(workspace, a_scan(), {"liver": liver, "spleen": spleen})
    assert sorted(p.name for p in folder.iterdir()) == ["liver.nii.gz", "spleen.nii.gz"]
    assert not read_mask(workspace.root, workspace.relative(folder / "spleen.nii.gz"), SHAPE).any()
    newer = store(workspace, catalog, mask(6), origin="revised")
    rebuild_view(workspace, a_scan(), {"liver": newer})
    assert [p.name for p in folder.iterdir()] == ["liver.nii.gz"]
    assert read_mask(workspace.root, workspace.relative(folder / "liver.nii.gz"), SHAPE).sum() == 6
    assert read_mask(workspace.root, liver.path, SHAPE).sum() == 4


def test_a_lost_file_and_a_wrong_shape_are_clear_errors(workspace, catalog):
    label = store(workspace, catalog, mask(4))
    with pytest.raises(GeometryError, match="shape"):
        read_mask(workspace.root, label.path, (1, 2, 3))
    (workspace.root / label.path).unlink()
    with pytest.raises(CatalogError, match="gone"):
        read_mask(workspace.root, label.path, SHAPE)


def files(workspace):
    return sorted(
        p.name for p in (workspace.scan_path("a_case").parent / "segmentations").iterdir()
    )


def test_what_is_shown_already_is_left_alone(workspace, catalog):
    labels = {
        "liver": store(workspace, catalog, mask(4)),
        "spleen": store(workspace, catalog, mask(0), class_id="spleen"),
        "aorta": store(workspace, catalog, mask(0), class_id="aorta"),
    }
    rebuild_view(workspace, a_scan(), labels)
    folder = workspace.scan_path("a_case").parent / "segmentations"
    before = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.iterdir()}
    assert before["spleen.nii.gz"] == before["aorta.nii.gz"], "one empty mask per case"
    rebuild_view(workspace, a_scan(), labels)
    assert {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.iterdir()} == before


def test_view_without_hard_links(workspace, catalog, monkeypatch):
    def refuse(*_):
        raise OSError("not here")

    monkeypatch.setattr(os, "link", refuse)
    liver = store(workspace, catalog, mask(4))
    rebuild_view(workspace, a_scan(), {"liver": liver})
    shown = workspace.scan_path("a_case").parent / "segmentations" / "liver.nii.gz"
    first = shown.stat().st_ino
    assert read_mask(workspace.root, workspace.relative(shown), SHAPE).sum() == 4
    rebuild_view(workspace, a_scan(), {"liver": liver})
    assert shown.stat().st_ino == first
    other = store(workspace, catalog, mask(5), origin="revised")
    rebuild_view(workspace, a_scan(), {"liver": other})
    assert read_mask(workspace.root, workspace.relative(shown), SHAPE).sum() == 5


def test_a_view_changed_by_hand_is_mended_and_versions_stay(workspace, catalog):
    liver = store(workspace, catalog, mask(4))
    rebuild_view(workspace, a_scan(), {"liver": liver})
    shown = workspace.scan_path("a_case").parent / "segmentations" / "liver.nii.gz"
    shown.unlink()
    shown.write_bytes(b"drawn over")
    rebuild_view(workspace, a_scan(), {"liver": liver})
    assert read_mask(workspace.root, workspace.relative(shown), SHAPE).sum() == 4


def test_what_a_killed_process_left_in_the_view_goes_and_the_rest_stays(workspace, catalog):
    folder = workspace.scan_path("a_case").parent / "segmentations"
    folder.mkdir(parents=True)
    (folder / ".liver.nii.gz.0a1b2c3d.tmp").touch()
    (folder / "notes.txt").touch()
    (folder / "colon.nii.gz").touch()
    rebuild_view(workspace, a_scan(), {"liver": store(workspace, catalog, mask(4))})
    assert files(workspace) == ["liver.nii.gz", "notes.txt"]


def test_a_version_that_is_there_is_not_written_again(workspace, catalog):
    label = store(workspace, catalog, mask(4))
    path = workspace.root / label.path
    before = path.stat().st_ino
    assert store(workspace, catalog, mask(4)) == label
    assert path.stat().st_ino == before
    assert not list(workspace.scratch.iterdir())


def test_known_region_goes_with_its_label(workspace, catalog):
    affine = np.eye(4)
    known = write_mask(workspace.scratch, "k", mask(9), affine)
    label = store(workspace, catalog, mask(4), known=known)
    assert read_mask(workspace.root, label.known_path, SHAPE).sum() == 9
    assert label.label_id != store(workspace, catalog, mask(4)).label_id
    nothing = write_mask(workspace.scratch, "n", mask(0), affine)
    with pytest.raises(CatalogError, match="known somewhere"):
        store(workspace, catalog, mask(4), known=nothing)


def test_a_crash_between_file_and_row_is_mended_by_doing_it_again(workspace, catalog):
    file = write_mask(workspace.scratch, "t", mask(4), np.eye(4))
    place = {"case_id": "a_case", "class_id": "liver", "origin": "original", "round_number": 0}

    def cut():
        with catalog.write() as writer:
            adopt_mask(writer, workspace, file, **place)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut()
    assert catalog.count(Label) == 0
    label = store(workspace, catalog, mask(4))
    assert read_mask(workspace.root, label.path, SHAPE).sum() == 4
    assert len(list((workspace.root / "labels").rglob("*.nii.gz"))) == 1
