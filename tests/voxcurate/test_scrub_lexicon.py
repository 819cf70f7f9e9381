"""The lists of medicine: what they keep, that a person's cue beats them, and how they are kept."""

import pytest

from voxcurate.scrub import Scrubber
from voxcurate.scrubbing.folding import fold
from voxcurate.scrubbing.vocabulary import lexicon
from voxcurate.scrubbing.wordlist import plain_list

SCRUBBER = Scrubber()
LISTS = ("eponyms", "classes", "drugs", "devices", "short")


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_sorted_and_folded_and_say_nothing_twice(name):
    words = plain_list(f"medicine_{name}")
    assert len(words) > 200
    assert words == sorted(set(words))
    assert all(word == fold(word) for word in words)


@pytest.mark.parametrize("name", ["eponyms", "drugs", "devices", "short"])
def test_no_frequent_name_is_medicine_without_more(name):
    names = {"smith", "palmer", "rose", "foster", "simpson", "maria", "thomas", "nguyen", "patel"}
    assert names.isdisjoint(plain_list(f"medicine_{name}"))
    assert not [word for word in plain_list(f"medicine_{name}") if word in lexicon().both]


@pytest.mark.parametrize(
    "text",
    [
        "She started Ocrevus after Tecfidera; he stopped Skyrizi. Takes Xarelto and Forxiga.",
        "Grocott and Fontana-Masson were negative, Verocay bodies absent.",
        "Repair of the Galeazzi fracture; Kapandji score 7, Insall-Salvati 1.2.",
        "A Corail stem, an Endurant graft, then the Sapien through a Perclose closure.",
        "We changed to Entresto, then the Novasure was done. Imaged with Dotarem on the Aquilion.",
        "LVEF 34% by biplane Simpson. Palmer not used. Berg: 41/56. Allen negative.",
    ],
)
def test_words_of_medicine_stay(text):
    assert SCRUBBER.scrub(text).text == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Seen by Palmer today.", "Palmer"),
        ("Dr Simpson not used to this.", "Simpson"),
        ("Anna Grocott rang about her scan.", "Grocott"),
        ("Discussed with Dr. Grocott, who agrees.", "Grocott"),
        ("Regards,\nAnna Berg", "Berg"),
    ],
)
def test_a_cue_of_a_person_beats_medicine(text, name):
    assert name not in SCRUBBER.scrub(text).text
