"""The anatomical rules, on phantoms in oblique world coordinates."""

import numpy as np
import pytest

from labeling.rules import CaseFacts, combined_weight, load_anatomy
from labeling.structures import Structure
from tests.labeling.conftest import AFFINE, SHAPE, phantom, swap_kidneys
from voxcurate.classes import load_vocabulary
from voxcurate.config import read_yaml, shipped
from voxcurate.errors import ConfigError

VOCABULARY = load_vocabulary()
ANATOMY = load_anatomy(VOCABULARY, ("abdomen", "head_neck"))


def structures(masks, affine=AFFINE):
    return {c: Structure.of(c, m, affine) for c, m in masks.items()}


def broken(masks, affine=AFFINE, facts=None):
    return {(v.class_id, v.rule) for v in ANATOMY.check(structures(masks, affine), facts)}


@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_phantom_breaks_nothing(seed):
    assert broken(phantom(seed)[1], facts=CaseFacts(sex="male")) == set()


def test_swapped_sides_are_seen_in_world_coordinates():
    masks = swap_kidneys(phantom(0)[1])
    assert {("kidney_left", "side"), ("kidney_right", "side")} <= broken(masks)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipping_array_and_affine_together_changes_nothing(axis):
    masks = swap_kidneys(phantom(1)[1])
    flip = np.eye(4)
    flip[axis, axis] = -1
    flip[axis, 3] = SHAPE[axis] - 1
    flipped = {c: np.flip(m, axis) for c, m in masks.items()}
    one = ANATOMY.check(structures(masks))
    two = ANATOMY.check(structures(flipped, AFFINE @ flip))
    assert [(v.class_id, v.rule, v.other) for v in one] == [
        (v.class_id, v.rule, v.other) for v in two
    ]
    assert np.allclose([v.value for v in one], [v.value for v in two])


def test_volume_pieces_overlap_and_presence():
    masks = phantom(0)[1]
    tiny = np.zeros(SHAPE, bool)
    tiny[12, 8, 12] = True
    assert ("kidney_left", "volume") in broken({**masks, "kidney_left": tiny})
    far = masks["liver"].copy()
    far[:4, :4, :4] = True
    assert ("liver", "pieces") in broken({**masks, "liver": far})
    grown = masks["spleen"] | masks["kidney_left"]
    assert ("spleen", "overlap") in broken({**masks, "spleen": grown})
    empty = np.zeros(SHAPE, bool)
    assert ("spleen", "presence") in broken({**masks, "spleen": empty})
    unknown = {c: m for c, m in masks.items() if c != "spleen"}
    assert broken(unknown) == set()  # no label is not a violation


def test_what_the_scan_cuts_off_may_be_small():
    masks = phantom(0)[1]
    cut = np.zeros(SHAPE, bool)
    cut[14:16, 8:10, 0] = True
    assert ("kidney_left", "volume") not in broken({"kidney_left": cut})
    inside = np.roll(cut, 3, axis=2)
    assert ("kidney_left", "volume") in broken({**masks, "kidney_left": inside})


def test_a_lesion_belongs_into_its_organ():
    masks = phantom(0)[1]
    assert ("liver_tumor", "inside") in broken({**masks, "liver_tumor": masks["spleen"]})
    within = masks["liver"].copy()
    within[:, :12] = False
    assert broken({**masks, "liver_tumor": within}) == set()


def test_a_prostate_in_a_woman_is_wrong():
    masks = {"prostate": phantom(0)[1]["kidney_left"]}
    assert ("prostate", "sex") in broken(masks, facts=CaseFacts(sex="female"))
    assert ("prostate", "sex") not in broken(masks, facts=CaseFacts(sex="male"))
    assert ("prostate", "sex") not in broken(masks)


def test_density_is_asked_only_where_it_is_known():
    masks = {"lung_left": phantom(0)[1]["spleen"]}
    assert ("lung_left", "hu") in broken(masks, facts=CaseFacts(hu={"lung_left": 60.0}))
    assert ("lung_left", "hu") not in broken(masks)


def test_who_breaks_more_relations_takes_the_blame():
    masks = phantom(0)[1]
    masks["spleen"] = np.roll(masks["kidney_right"], 3, axis=1)  # on the liver's side
    found = ANATOMY.check(structures(masks))
    weights = {
        c: combined_weight([v for v in found if v.class_id == c and v.rule == "relation"])
        for c in masks
    }
    assert max(weights, key=weights.get) == "spleen"


def test_every_written_class_and_file_is_known():
    for name in ("abdomen", "head_neck"):
        data = read_yaml(shipped("anatomy", f"{name}.yaml"))
        for class_id, rules in data["classes"].items():
            assert rules.get("ml", [0, 1])[0] < rules.get("ml", [0, 1])[1], class_id
        for relation in data["relations"]:
            assert {relation["a"], relation["b"]} <= set(data["classes"]) | set(VOCABULARY.ids())
    with pytest.raises(ConfigError, match="no such file"):
        load_anatomy(VOCABULARY, ("nowhere",))


def test_a_later_file_adds_to_what_is_written_of_a_class():
    from labeling.anatomy import AnatomyFile
    from labeling.rules import Anatomy

    files = [
        AnatomyFile.model_validate({"region": region, "classes": {"spleen": rules}})
        for region, rules in (("a", {"ml": [20, 3000], "lies": "left"}), ("b", {"ml": [30, 90]}))
    ]
    spleen = Anatomy(files, VOCABULARY).classes["spleen"]
    assert spleen.ml == (30, 90)
    assert spleen.lies == "left"
