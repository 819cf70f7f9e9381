"""The class vocabulary."""

import pytest

from voxcurate.classes import ClassInfo, Vocabulary, load_vocabulary
from voxcurate.errors import ConfigError


def test_shipped_vocabulary_is_consistent():
    vocabulary = load_vocabulary()
    for info in vocabulary:
        for other in (info.pair, info.inside, *info.overlaps):
            assert not other or other in vocabulary, (info.id, other)
        if info.pair:
            pair = vocabulary[info.pair]
            assert pair.pair == info.id
            assert {info.side, pair.side} == {"left", "right"}
        if info.side:
            assert info.side in info.name


@pytest.mark.parametrize(
    ("name", "class_id"),
    [
        ("Inferior Vena Cava", "postcava"),
        ("gallbladder", "gall_bladder"),
        ("LeftParotid", "parotid_left"),
        ("SpinalCord", "spinal_cord"),
        ("urinary-bladder", "bladder"),
        ("no such organ", None),
    ],
)
def test_names_of_other_datasets_resolve(name, class_id):
    assert load_vocabulary().resolve(name) == class_id


def test_overlap_follows_containment_at_any_depth():
    vocabulary = load_vocabulary()
    assert vocabulary.containers("pancreatic_pdac") == ["pancreatic_tumor", "pancreas"]
    assert vocabulary.may_overlap("pancreas", "pancreatic_pdac")
    assert not vocabulary.may_overlap("liver", "kidney_right")


def test_users_add_and_replace_classes(tmp_path):
    own = tmp_path / "classes.yaml"
    own.write_text("left_atrium_scar: {inside: heart}\nliver: {tolerance_mm: 9}\n")
    vocabulary = load_vocabulary(own)
    assert vocabulary.containers("left_atrium_scar") == ["heart"]
    assert vocabulary["liver"].tolerance_mm == 9
    assert load_vocabulary()["liver"].tolerance_mm != 9


def test_a_name_for_two_classes_is_refused():
    with pytest.raises(ConfigError, match="stands for"):
        Vocabulary([ClassInfo(id="a", aliases=("x",)), ClassInfo(id="b", aliases=("X",))])


def test_unknown_class_says_where_to_add_it():
    with pytest.raises(ConfigError, match=r"classes\.yaml"):
        load_vocabulary()["nonsense"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("scar: {inside: hart}", "scar: inside: no class 'hart'"),
        ("scar: {overlaps: [liver, nothing]}", "scar: overlaps: no class 'nothing'"),
        ("scar_left: {pair: scar_right}", "scar_left: pair: no class 'scar_right'"),
        ("a: {inside: b}\nb: {inside: a}", "lies inside itself"),
        ("liver: [1]", "want a mapping"),
    ],
)
def test_a_class_that_names_what_is_not_there_is_refused(tmp_path, text, why):
    own = tmp_path / "classes.yaml"
    own.write_text(text)
    with pytest.raises(ConfigError, match=why):
        load_vocabulary(own)
