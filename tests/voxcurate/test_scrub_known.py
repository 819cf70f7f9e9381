# ruff: noqa: E501 -- lists of spellings read best in rows
"""What a header tells is found in every spelling, and nothing else for its sake."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxcurate.identifiers import Identifiers
from voxcurate.scrub import Scrubber, ScrubConfig
from voxcurate.scrubbing.known_names import is_one_slip, is_ordinary
from voxcurate.scrubbing.vocabulary import lexicon

KNOWN = Identifiers(
    names=("MÜLLER-LÜDENSCHEIDT^HANS PETER", "O'Brien^Sinead", "van der Berg^Jan", "Young^Mark", "Le^An",
           "Yamada^Tarou=山田^太郎", "Garcia Lopez^Maria"),
    physicians=("Dr. Fritz Kowalczyk",),
    ids=("MRN0048151", "AB-12-3456"),
    accessions=("ACC-2021-55",),
    dates=(date(2021, 3, 5),),
    institutions=("Massachusetts General Hospital",),
    others=("+49 6221 561234", "12 Long Street, Boston, MA 02114"),
)  # fmt: skip
ONLY_KNOWN = Scrubber(ScrubConfig(patterns=False))


def known_only(text):
    return ONLY_KNOWN.scrub(text, KNOWN).text


@pytest.mark.parametrize(
    "text",
    [
        "Hans-Peter Mueller-Luedenscheidt", "H. Müller", "LUDENSCHEIDT", "mueller hans", "Muller, H.",
        "OBrien", "o’brien", "SINÉAD", "J. van der Berg", "Jan van der Berg", "Young, M", "Mark Young",
        "YOUNG MARK", "An Le", "山田太郎", "Yamada Tarou", "Kowalcyzk", "Kowalczik", "fkowalczyk",
        "MariaGarcia", "García López", "0048151", "48151", "ab 12 3456", "AB123456", "acc202155",
        "5.3.2021", "March 5", "5 März 2021", "fifth of March, 2021", "20210305", "March 2021",
        "Mass General", "MGH", "Massachusetts Gen. Hosp", "06221/561234", "12 long street", "Boston",
    ],
)  # fmt: skip
def test_a_known_value_goes_in_every_spelling(text):
    assert known_only(f"({text})").strip("()").strip(".").startswith("[")
    left = known_only(f"Cyst; {text}; node")
    assert left.startswith("Cyst; [")
    assert left.endswith("]; node")


@pytest.mark.parametrize(
    "text",
    [
        "a young man", "Mark the area", "mass effect", "general", "3/5 strength", "image 481",
        "48151.5 mm", "an effusion", "in march", "Le Fort fracture", "5 mm", "12 mm", "HU 55",
        "Young man with cough",
    ],
)  # fmt: skip
def test_what_only_resembles_a_known_value_stays(text):
    assert known_only(f"Seen: {text}.") == f"Seen: {text}."


def test_a_misspelt_name_and_initials_are_doubtful():
    hits = ONLY_KNOWN.scrub("Kowalcyzk; H.P.M.; Kowalczyk", KNOWN).replacements
    assert [hit.sure for hit in hits] == [False, False, True]


def test_the_last_digits_of_an_id_count_after_a_label():
    known = Identifiers(ids=("7781234",))
    text = "MRN ending in 1234, ***1234, image 1234"
    assert Scrubber().scrub(text, known).text == "MRN ending in [ID], ***[ID], image 1234"


def slips(word):
    at = st.integers(1, len(word) - 1)
    changed = st.builds(lambda i, c: word[:i] + c + word[i + 1 :], at, st.sampled_from("aeiouxz"))
    dropped = st.builds(lambda i: word[:i] + word[i + 1 :], at)
    added = st.builds(lambda i, c: word[:i] + c + word[i:], at, st.sampled_from("aeiouxz"))
    swapped = st.builds(lambda i: word[: i - 1] + word[i] + word[i - 1] + word[i + 1 :], at)
    return st.one_of(changed, dropped, added, swapped)


@settings(deadline=None)
@given(slips("kowalczyk").filter(lambda word: word[0] == "k"))
def test_one_slip_is_found_and_two_words_apart_are_not(word):
    assert word == "kowalczyk" or is_one_slip(word, "kowalczyk")
    assert is_one_slip(word, "kowalczyk") == is_one_slip("kowalczyk", word)
    assert not is_one_slip(word + "ski", "kowalczyk")
    if lexicon().kind(word) == "u":
        assert known_only(f"seen by {word} today") == "seen by [NAME] today"


words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=5, max_size=9).filter(
    lambda word: not is_ordinary(word) and word not in lexicon().eponyms
)


@settings(deadline=None, max_examples=150)
@given(words, words, st.integers(100000, 99999999), st.dates(date(1920, 1, 1), date(2035, 1, 1)))
def test_no_known_value_is_left_of_any_person(first, last, number, day):
    known = Identifiers(names=(f"{last}^{first}".upper(),), ids=(str(number),), dates=(day,))
    text = (
        f"Patient {first.title()} {last.title()} ({last.upper()}, {first[0].upper()}.), MRN {number:09d}, "
        f"{day:%d.%m.%Y} or {day:%B} {day.day}, {day.year}; {last.title()}'s liver measures 17 cm."
    )
    left = Scrubber().scrub(text, known).text.lower()
    assert first not in left.replace("[name]", "")
    assert last not in left
    assert str(number) not in left
    assert f"{day:%B}".lower() not in left.replace("may", "") or day.month == 5
    assert left.endswith("'s liver measures 17 cm.")
