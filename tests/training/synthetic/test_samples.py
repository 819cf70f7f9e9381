"""Tumours in samples: masks, what is known, which organ, which cases."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.conftest import tiny
from tests.training.synthetic.scenes import SHAPE, SPACING, scene
from training.data.cases import PreparedCase
from training.data.patches import Patch
from training.synthetic.assignment import pairs, read_sites
from training.synthetic.config import SyntheticConfig
from training.synthetic.samples import Site, add_tumours

CLASSES = ("liver", "liver_tumor", "liver_lesion", "hepatic_vessel", "liver_cyst")
SITE = Site(1, (0,), vessels=(3,), unsure=(2,), kin=(1, 2, 4))
SETTINGS = SyntheticConfig(size_shares=(1, 0, 0), several=0.0)


def patch(seed=0, weight=None):
    hu, organ, vessel = scene(seed)
    target = np.zeros((5, *SHAPE), np.float32)
    target[0], target[3] = organ, vessel
    if weight is None:
        weight = np.array([1, 0, 1, 1, 1], np.float32).reshape(5, 1, 1, 1)
    return Patch(hu, np.zeros((3, *SHAPE), np.float32), target, weight)


def add(given, site=SITE, settings=SETTINGS, seed=1, **more):
    return add_tumours(given, site, SPACING, settings, np.random.default_rng(seed), **more)


def test_masks_and_weights_of_a_proven_organ():
    given = patch()
    kept = [given.hu.copy(), given.target.copy(), given.weight.copy()]
    made, tumours = add(given, settings=SETTINGS.model_copy(update={"mass_effect": 0.0}))
    (one,) = tumours
    organ, inside = given.target[0] > 0, one.mask
    np.testing.assert_array_equal(made.target[1] > 0, inside)
    np.testing.assert_array_equal(made.target[[0, 3, 4]], given.target[[0, 3, 4]])
    assert (made.weight[1][organ] == 0.5).all()  # all of the organ teaches
    assert not made.weight[1][~organ].any()
    assert not made.weight[2][inside].any()  # may or may not be one
    assert (made.weight[2][~inside] == 1).all()
    for before, after in zip(kept, (given.hu, given.target, given.weight), strict=True):
        np.testing.assert_array_equal(before, after)


def test_an_unproven_organ_teaches_in_the_tumour_only():
    made, tumours = add(patch(), is_proven=False)
    np.testing.assert_array_equal(made.weight[1] > 0, tumours[0].mask)


def test_a_label_that_counts_more_keeps_its_weight():
    weight = np.ones((5, 1, 1, 1), np.float32)
    made, _ = add(patch(weight=weight))
    assert (made.weight[1] == 1).all()


def test_broader_classes_have_it_too():
    made, tumours = add(patch(), replace(SITE, also=(2,), unsure=()))
    np.testing.assert_array_equal(made.target[2], made.target[1])
    assert (made.weight[2][tumours[0].mask] == 1).all()


def test_unknown_organ_or_none_at_all_no_tumour():
    unknown = np.array([0, 1, 1, 1, 1], np.float32).reshape(5, 1, 1, 1)
    given = patch(weight=unknown)
    assert add(given) == (given, [])
    empty = replace(patch(), target=np.zeros((5, *SHAPE), np.float32))
    assert add(empty)[0] is empty


def test_only_where_the_organs_label_speaks():
    weight = np.ones((5, *SHAPE), np.float32)
    weight[0, : SHAPE[0] // 2] = 0
    for seed in range(5):
        made, tumours = add(patch(weight=weight), seed=seed,
                            settings=SETTINGS.model_copy(update={"mass_effect": 0.0}))  # fmt: skip
        assert tumours
        assert not made.target[1, : SHAPE[0] // 2].any()


def test_no_known_vessel_is_hit_by_one_or_several():
    settings = SyntheticConfig(size_shares=(0.7, 0.3, 0), several=1.0, most=3, vessel_mm=0.0)
    several = 0
    for seed in range(6):
        made, tumours = add(patch(seed), settings=settings, seed=seed)
        several += len(tumours) > 1
        assert not ((made.target[1] > 0) & (made.target[3] > 0)).any()
        assert not ((made.target[1] > 0) & ~(made.target[0] > 0)).any()
    assert several >= 3


def test_bright_voxels_are_left_alone_where_no_vessel_is_drawn():
    for seed in range(6):
        given = patch(seed)
        vessel = given.target[3].copy()
        given.target[3] = 0
        settings = SETTINGS.model_copy(update={"mass_effect": 0.0, "size_shares": (0, 1, 0)})
        made, tumours = add(given, settings=settings, seed=seed)
        core = vessel * scene(seed)[1]
        if tumours:
            assert (made.target[1] * core).sum() <= 0.03 * core.sum()


def test_hosts_by_their_volume():
    given = patch()
    left = given.target[0].copy()
    left[SHAPE[0] // 2 :] = 0
    target = given.target.copy()
    target[4] = target[0] - left
    target[0] = left
    site = Site(1, (0, 4), vessels=(3,))
    sides = set()
    for seed in range(12):
        made, tumours = add(replace(given, target=target), site, seed=seed,
                            settings=SETTINGS.model_copy(update={"mass_effect": 0.0}))  # fmt: skip
        if tumours:
            found = made.target[1] > 0
            assert not (found & (target[0] > 0)).any() or not (found & (target[4] > 0)).any()
            sides.add(bool((found & (target[0] > 0)).any()))
    assert sides == {True, False}


def prepared(name, counts, known=(True,) * 5):
    return PreparedCase(
        name, np.zeros((4, 4, 4), np.int16), np.zeros((1, 4, 4, 4), np.uint8), None,
        np.array(known), np.ones(5, np.float32), np.array(counts), [np.zeros((0, 3), np.int16)] * 5,
        (1.0, 1.0, 1.0),
    )  # fmt: skip


PLAIN = {"liver_tumor": {"hosts": ["liver"], "vessels": ["hepatic_vessel", "aorta"], "also": [],
                         "unsure": ["liver_lesion"],
                         "kin": ["liver_tumor", "liver_lesion", "liver_cyst"]}}  # fmt: skip


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        ({"a": {"liver_tumor": "label"}, "ill": {"liver_tumor": "label"}}, [(0, 1)]),
        ({"a": {"liver_tumor": "unknown"}, "no_organ": {"liver_tumor": "label"}}, [(0, 1)]),
        ({"b": {"liver_cyst": "label"}}, []),
        ({}, []),
        (None, [(0, 1)]),
    ],
)
def test_which_cases(proofs, expected):
    cases = [
        prepared("a", [9, 0, 0, 0, 0]),
        prepared("b", [9, 0, 0, 0, 0], (True, False, True, True, True)),
        prepared("ill", [9, 0, 0, 0, 3]),
        prepared("no_organ", [0, 0, 0, 0, 0]),
    ]
    tumours = {"sites": PLAIN, "cases": proofs}
    sites = read_sites(tumours, CLASSES, tiny())
    assert sites[1].vessels == (3,)
    assert sites[1].unsure == (2,)
    assert sites[1].unproven == ({"a"} if proofs and proofs.get("a") == {"liver_tumor": "unknown"}
                                 else set())  # fmt: skip
    assert pairs(sites, cases, tumours, CLASSES) == expected


def test_a_lesion_whose_organ_is_not_trained_has_no_site():
    assert read_sites({"sites": PLAIN, "cases": None}, CLASSES[1:], tiny()) == {}
