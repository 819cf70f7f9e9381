"""All rules together: states, evidence, world coordinates."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.rules import (
    HARD,
    RULE_WEIGHTS,
    CaseFacts,
    Outcome,
    Violation,
    load_anatomy,
    shipped_anatomies,
)
from labeling.rules.case import Seen, world_axes
from labeling.structures import Structure
from tests.labeling.rules.bodies import (
    OBLIQUE,
    SHAPE,
    STRAIGHT,
    VOCABULARY,
    box_mask,
    masks_of,
    structures,
    written,
)
from voxcurate.config import read_yaml, shipped

ANATOMY = load_anatomy(VOCABULARY, shipped_anatomies())


@pytest.mark.parametrize("affine", [STRAIGHT, OBLIQUE])
def test_a_whole_patient_breaks_no_hard_rule_whatever_the_grid(affine):
    found = ANATOMY.outcomes(structures(masks_of(affine), affine), CaseFacts(sex="male"))
    assert [v.text() for v in found if v.state == "broken" and v.hard] == []
    assert {v.rule for v in found if v.state == "holds"} >= {
        "side", "anchor", "mirrored", "overlap", "relation", "between", "nearer", "gap", "presence",
        "pair", "sex",
    }  # fmt: skip


def test_an_outcome_is_plain_data_with_numbers_words_and_units():
    found = ANATOMY.outcomes(structures(masks_of(kidney_left=((40, -80, -70), (85, -40, 10)))))
    broken = [v for v in found if v.state == "broken"]
    assert broken
    for v in found:
        assert v.rule in RULE_WEIGHTS
        assert v.detail
        assert (v.weight > 0) is (v.state == "broken")
        again = json.loads(json.dumps(v.plain(), allow_nan=False))
        assert Violation(**again).text() == v.text()
    side = next(v for v in broken if v.rule == "side" and v.class_id == "kidney_left")
    assert side.unit == "mm"
    assert side.hard
    assert "right" in side.detail
    assert len(side.box) == 3


def test_an_outcome_of_an_earlier_version_can_still_be_read():
    old = {"class_id": "liver", "rule": "volume", "value": 1.0, "limit": 400.0, "weight": 0.9,
           "other": "", "detail": "mL"}  # fmt: skip
    assert Outcome(**old).state == "broken"


@pytest.mark.parametrize("rule", sorted(HARD))
def test_what_is_hard_is_a_rule(rule):
    assert rule in RULE_WEIGHTS


def test_a_missing_neighbour_is_unknown_and_never_fine():
    alone = {"kidney_left": masks_of()["kidney_left"]}
    found = ANATOMY.outcomes(structures(alone))
    about_others = [v for v in found if v.other]
    assert about_others
    assert {v.state for v in about_others} == {"unknown"}
    assert all("not labelled" in v.detail or "middle" in v.detail for v in about_others)
    assert ANATOMY.check(structures(alone)) == []


@settings(max_examples=25, deadline=None)
@given(
    st.permutations([0, 1, 2]),
    st.tuples(*[st.booleans()] * 3),
    st.sampled_from([STRAIGHT, OBLIQUE]),
)
def test_axes_flipped_or_in_another_order_change_nothing(order, flips, affine):
    masks = masks_of(
        affine, kidney_left=((40, -80, -70), (85, -40, 10)), aorta=((-25, -45, -120), (0, -20, 20)),
        spleen=(),
    )  # fmt: skip
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for new, old in enumerate(order):
        turn[old, new] = -1 if flips[new] else 1
        turn[old, 3] = SHAPE[old] - 1 if flips[new] else 0
    backwards = [n for n in range(3) if flips[n]]
    turned = {c: np.flip(m.transpose(order), backwards) for c, m in masks.items()}
    one = ANATOMY.outcomes(structures(masks, affine))
    two = ANATOMY.outcomes(structures(turned, affine @ turn))
    bare = [replace(v, value=None, weight=0, box=(), evidence={}, limit=None) for v in one]
    assert bare == [replace(v, value=None, weight=0, box=(), evidence={}, limit=None) for v in two]
    for a, b in zip(one, two, strict=True):
        assert (a.value is None) is (b.value is None)
        if a.value is not None:
            assert a.value == pytest.approx(b.value, abs=1e-6)
            assert a.weight == pytest.approx(b.weight, abs=1e-6)
        moved = [
            (SHAPE[old] - side[1], SHAPE[old] - side[0]) if flips[new] else tuple(side)
            for new, (old, side) in enumerate(zip(order, b.box, strict=False))
        ]
        if a.rule != "gap":  # its box is rounded outwards from world coordinates
            assert [tuple(a.box[old]) for old in order if a.box] == moved


def test_the_ends_of_the_scan_that_a_structure_reaches_are_named_in_the_patients_words():
    mask = np.zeros(SHAPE, bool)
    mask[10:12, :5, 50:] = True
    assert Seen(Structure.of("liver", mask, STRAIGHT)).cut == {"back", "top"}
    upside_down = np.diag([-1.0, 1, -1, 1]) @ STRAIGHT
    assert Seen(Structure.of("liver", mask, upside_down)).cut == {"back", "bottom"}
    assert world_axes(STRAIGHT[:, [2, 0, 1, 3]]) == [(2, 1.0), (0, 1.0), (1, 1.0)]


@pytest.mark.parametrize(
    ("step", "first", "cut"), [(3.0, 1, True), (3.0, 2, False), (3.5, 1, False), (3.5, 0, True)]
)
def test_where_voxels_are_small_the_last_but_one_counts_as_the_scans_end(step, first, cut):
    """Masks that were resampled may end there."""
    mask = np.zeros((9, 9, 12), bool)
    mask[4:6, 4:6, first : first + 4] = True
    s = Structure.of("liver", mask, np.diag([5.0, 5.0, step, 1.0]))
    assert Seen(s).cut == ({"bottom"} if cut else set())
    turned = Structure.of("liver", mask[:, :, ::-1], np.diag([5.0, 5.0, step, 1.0]))
    assert Seen(turned).cut == ({"top"} if cut else set())


def test_extents_are_those_of_all_voxels():
    rng = np.random.default_rng(0)
    mask = box_mask((-60, -50, -60), (50, 40, 90), OBLIQUE) & (rng.random(SHAPE) < 0.02)
    s = Structure.of("liver", mask, OBLIQUE)
    points = np.argwhere(mask) @ OBLIQUE[:3, :3].T + OBLIQUE[:3, 3]
    np.testing.assert_allclose(Seen(s).extent, [points.min(0), points.max(0)], atol=1e-9)


def test_all_that_is_written_is_about_classes_of_the_vocabulary():
    sides = ("left", "right")
    people_add = {"uterus", *(f"submandibular_gland_{s}" for s in sides)}
    known = {*VOCABULARY.ids(), *people_add}
    for name in shipped_anatomies():
        data = read_yaml(shipped("anatomy", f"{name}.yaml"))
        assert set(data["classes"]) <= known, name
        for item in data.get("presence", ()):
            assert set(item.get("may_be_cut", ())) <= set(item["given"])
        for class_id, rules in data["classes"].items():
            low, high = rules.get("ml", (0, 1))
            assert low < high, class_id
    assert ANATOMY.named() <= known
    plain = ANATOMY.plain()
    assert json.loads(json.dumps(plain)) == plain | {"weights": plain["weights"]}


def test_all_classes_that_rules_name_are_named():
    """One of each kind; each name occurs once."""
    anatomy = written(
        classes={"c1": {}}, midline=["c2"], anchors=["c3"],
        relations=[{"a": "c4", "is": "above", "b": "c5"}], overlaps=[{"a": "c6", "b": "c7"}],
        near=[{"a": "c8", "b": "c9", "mm": 1}], orders=[{"classes": ["d1", "d2"], "is": "above"}],
        continuity=[{"class": "d3", "between": ["d4", "d5"]}, {"class": "d6"}],
        between=[{"class": "d7", "of": ["d8", "d9"]}],
        nearer=[{"class": "e1", "to": ["e2"], "than": ["e3"]}],
        presence=[{"given": ["e4", "e5"], "want": "e6", "may_be_cut": ["e4"]}],
    )  # fmt: skip
    tens = (f"{letter}{n}" for letter in "cde" for n in range(1, 10))
    assert anatomy.named() == {name for name in tens if name not in ("e7", "e8", "e9")}


def test_what_is_said_of_one_class_is_what_is_said_of_it_among_all():
    masks = masks_of(
        kidney_left=((40, -80, -70), (85, -40, 10)), aorta=((-25, -45, -120), (0, -20, 20))
    )
    masks["liver_tumor"] = masks["liver"] & (np.indices(SHAPE)[2] > 30)
    masks["spleen"] |= masks["stomach"] & (np.indices(SHAPE)[0] < 20)
    every = ANATOMY.outcomes(structures(masks))
    for class_id in masks:
        own = [v.plain() for v in every if v.class_id == class_id]
        assert [v.plain() for v in ANATOMY.outcomes(structures(masks), about=class_id)] == own
