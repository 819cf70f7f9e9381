"""Real labels: hard rules leave people's drawings alone."""

import pytest

from labeling.rules import load_anatomy, shipped_anatomies
from labeling.rules.files import facts_of, read_case
from voxcurate.case_files import CaseFiles, find_cases
from voxcurate.classes import load_vocabulary
from voxcurate.nifti import read_nifti

pytestmark = pytest.mark.real_data
VOCABULARY = load_vocabulary()
ANATOMY = load_anatomy(VOCABULARY, shipped_anatomies())
NAMES = ("brainstem", "spinal_cord", "parotid_right", "parotid_left", "esophagus", "larynx",
         "mandible")  # fmt: skip


def test_hard_rules_accuse_no_neck(real_data):
    n, accused = 0, []
    for folder in sorted((real_data / "openkbp_ct").glob("pt_*"))[::3]:
        files = CaseFiles("case", {}, folder / "organs.nii.gz", dict(enumerate(NAMES, 1)))
        structures = read_case(files)
        facts = facts_of(structures, read_nifti(folder / "ct.nii.gz"), disjoint=True)
        accused += [v.text() for v in ANATOMY.check(structures, facts) if v.hard]
        n += len(structures)
    assert n > 100
    assert len(accused) <= 0.005 * n, accused


def test_hard_rules_accuse_nothing_of_a_trunk_with_61_classes(real_data):
    path = real_data / "totalsegmentator_ct" / "example_seg_fast_force_split.nii.gz"
    (files,) = find_cases(path, VOCABULARY).values()
    structures = read_case(files)
    assert len(structures) > 50
    found = ANATOMY.outcomes(structures, facts_of(structures, None, disjoint=True))
    assert [v.text() for v in found if v.hard and v.state == "broken"] == []
