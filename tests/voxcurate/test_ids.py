"""Ids: keyed for patients, content for what is derived."""

import re

from voxcurate.ids import case_id, content_id, keyed

KEY = b"k" * 32


def test_case_id_is_stable_keyed_and_unreadable():
    uid = "1.2.840.113619.2.55.3.604688119"
    made = case_id("north", uid, KEY)
    assert made == case_id("north", uid, KEY)
    assert re.fullmatch(r"north_[a-z2-7]{10}", made)
    assert made != case_id("north", uid, b"other" * 8)
    assert made.split("_")[1] != case_id("south", uid, KEY).split("_")[1]


def test_keyed_takes_any_text():
    assert keyed("Müller\udcff", KEY) != keyed("Muller", KEY)


def test_content_id_ignores_mapping_order_and_sees_every_part():
    assert content_id({"a": 1, "b": [2, 3]}) == content_id({"b": [2, 3], "a": 1})
    assert content_id("a", "b") != content_id("ab")
    assert content_id({1.0: "x"}) != content_id({"x": 1.0})
    assert content_id({"s": {3, 1, 2}}) == content_id({"s": {2, 3, 1}})


def test_half_a_character_has_an_id_and_changes_no_other():
    assert keyed("a\ud800", b"k") != keyed("a\ud801", b"k")
    assert keyed("a\udc80", b"k") == "sh5ghhokio"
