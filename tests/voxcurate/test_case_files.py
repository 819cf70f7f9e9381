"""Which file of a case's folder is what, by names alone."""

import pytest

from voxcurate.case_files import find_cases
from voxcurate.classes import load_vocabulary

NAMES = {1: "liver", 2: "spleen"}


@pytest.fixture
def cases(tmp_path):
    def made(*files):
        for case in ("one", "two"):
            for name in files:
                path = tmp_path / case / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        return tmp_path

    return made


def test_a_lone_file_not_called_like_a_class_is_a_label_map_if_its_names_are_given(cases):
    root = cases("ct.nii.gz", "organs.nii.gz")
    found = find_cases(root, load_vocabulary(), names=NAMES)
    assert {c: files.label_map.name for c, files in found.items()} == {
        "one": "organs.nii.gz",
        "two": "organs.nii.gz",
    }
    assert found["one"].names == NAMES
    unnamed = find_cases(root, load_vocabulary())
    assert set(unnamed["one"].masks) == {"organs"}


@pytest.mark.parametrize("files", [("liver.nii.gz",), ("organs.nii.gz", "targets.nii.gz")])
def test_a_class_of_its_own_or_one_of_several_is_a_mask(cases, files):
    found = find_cases(cases(*files), load_vocabulary(), names=NAMES)
    assert found["one"].label_map is None
    assert len(found["one"].masks) == len(files)
