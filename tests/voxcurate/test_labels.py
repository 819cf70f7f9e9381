"""Label versions: written once, traced, and shown in a view that can be rebuilt."""

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
