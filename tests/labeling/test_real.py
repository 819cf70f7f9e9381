"""Rules and shape on real head-and-neck labels: quiet on clean ones, loud on planted errors."""

import numpy as np
import pytest

from labeling.body import body_frame
from labeling.expert.features import features, hu_median
from labeling.expert.layout import learn_layout
from labeling.expert.shape import learn_profile, oddity
from labeling.rules import CaseFacts, combined_weight, load_anatomy
from labeling.structures import Structure
from voxcurate.classes import load_vocabulary
from voxcurate.nifti import read_nifti

pytestmark = pytest.mark.real_data
NAMES = ("brainstem", "spinal_cord", "parotid_right", "parotid_left", "esophagus", "larynx",
         "mandible")  # fmt: skip


@pytest.fixture
def cases(real_data):
    """Every second case: CT, frame, structures, features."""
    found = []
    for path in sorted((real_data / "openkbp_ct").glob("pt_*"))[1::2]:
        ct = read_nifti(path / "ct.nii.gz")
        organs = read_nifti(path / "organs.nii.gz").array
        frame = body_frame(ct.array, ct.affine)
        there = {
            name: Structure.of(name, organs == n, ct.affine)
            for n, name in enumerate(NAMES, 1)
            if (organs == n).any()
        }
        found.append((ct, frame, there))
    return found


def weights(ct, frame, there, anatomy):
    hu = {c: hu_median(s, ct.array) for c, s in there.items()}
    broken = anatomy.check(there, CaseFacts(hu, frame.middle))
    return {c: combined_weight([v for v in broken if v.class_id == c]) for c in there}


def test_the_written_anatomy_fits_real_labels_and_sees_every_swap(cases):
    anatomy = load_anatomy(load_vocabulary(), ("abdomen", "head_neck"))
    clean, swapped = [], []
    for ct, frame, there in cases:
        clean += weights(ct, frame, there, anatomy).values()
        left, right = there.get("parotid_left"), there.get("parotid_right")
        if left is not None and right is not None:
            wrong = {
                **there,
                "parotid_left": Structure.of("parotid_left", right.full(), ct.affine),
                "parotid_right": Structure.of("parotid_right", left.full(), ct.affine),
            }
            found = weights(ct, frame, wrong, anatomy)
            swapped += [found["parotid_left"], found["parotid_right"]]
    assert np.mean(np.array(clean) >= 0.5) <= 0.03
    assert np.mean(np.array(swapped) >= 0.5) >= 0.95


def test_shape_and_place_tell_wrong_classes_from_right_ones(cases):
    """Learned from the other cases each time; a label of another class of the same scan."""
    vectors = [
        {c: features(s, ct.array, frame) for c, s in there.items()} for ct, frame, there in cases
    ]
    places = [{c: s.centroid for c, s in there.items()} for _, _, there in cases]
    good, bad = [], []
    for n, there in enumerate(places):
        layout = learn_layout([p for m, p in enumerate(places) if m != n])
        for c in there:
            rows = [v[c] for m, v in enumerate(vectors) if m != n and c in v]
            profile = learn_profile(c, rows)
            assert profile is not None
            for other in there:
                shape = profile.distance(vectors[n][other])
                odd = oddity(shape, layout.distance(c, there[other], there))
                (good if other == c else bad).append(odd)
    auroc = np.mean(np.array(bad)[:, None] > np.array(good))
    assert auroc > 0.99
    assert np.mean(np.array(good) > 2.0) < 0.06
