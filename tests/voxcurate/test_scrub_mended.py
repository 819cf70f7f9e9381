# ruff: noqa: E501 -- lines of prints read best as they stand
"""Bad prints: confused, spaced and broken letters are read as they were meant, spans as they stand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxcurate.identifiers import Identifiers
from voxcurate.scrub import Scrubber
from voxcurate.scrubbing.mended import mended
from voxcurate.scrubbing.patterns import _find, find_patterns

SCRUBBER = Scrubber()
CLEAN = [
    "Gleason 3+4=7, PSA 5.8, T2 N0. H2O2, O2 2 l/min, I-131, CA125 12, IL10 low, E. coli O157:H7.",
    "Follow-\nup in 5 days. Seen 3/14/2024 at 10:05, tel 020 7946 0018. Series 5, image 108.",
    "Week5 pain1 tab8, PIK3CA, S100+, SOX10, B12, 5l bag, b1000, 0.5 mg, 10l of fluid. 1 2 3",
    "MRN 10058, room B8, level L5/S1, C5-C8. Dr Jane Roe called at 08:15 on 05/18/2021.",
]


@pytest.mark.parametrize("text", CLEAN)
def test_clean_texts_are_read_as_they_are(text):
    reading = mended(text)
    assert reading.text is text
    assert reading.zones == ()
    assert sorted(find_patterns(text)) == sorted(_find(text))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            [
                "liver",
                "Jane",
                "Roe",
                "10:05",
                "5",
                "mm",
                "T12",
                "3/14/2024",
                "on",
                ".",
                "\n",
                "018",
                "O2",
                "S1",
            ]
        ),
        max_size=30,
    )
)
def test_texts_without_mixing_have_the_very_same_hits(words):
    text = " ".join(words)
    assert mended(text).text is text
    assert list(find_patterns(text)) == list(_find(text))


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="abeOIl0158 -\n./:TJS\x01", max_size=60))
def test_a_reading_is_as_long_as_its_text_and_its_zones_lie_within(text):
    reading = mended(text)
    assert len(reading.text) == len(text)
    assert all(0 <= start < end <= len(text) for start, end in reading.zones)
    assert [i for i, c in enumerate(text) if c == "\x01"] == [
        i for i, c in enumerate(reading.text) if c == "\x01"
    ]


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Pt: M1CHAEL H0LL1DAY  DOB O4/O7/1961", ("M1CHAEL", "H0LL1DAY", "O4/O7/1961")),
        ("Ring O161 496 0l23 before 12 MAR 2O21.", ("O161 496 0l23", "12 MAR 2O21")),
        ("Seen by Dr. Hollo-\nway today.", ("Hollo", "way")),
        ("Dr HOLLOWAY-\nBRENNER rang.", ("HOLLOWAY", "BRENNER")),
        ("D O B 1 4 . 6 . 1 9 5 2 in clinic", ("1 4 . 6 . 1 9 5 2",)),
        ("NHS 4 8 5 7 7 7 3 4 5 6 checked", ("4 8 5 7 7 7 3 4 5 6",)),
        ("Note on Lena Holmqvist, spelled H O L M Q V I S T, record 1", ("H O L M Q V I S T",)),
    ],
)
def test_what_was_mended_goes_whole(text, gone):
    found = [text[hit.start : hit.end] for hit in SCRUBBER.find(text)]
    for value in gone:
        assert any(value in one for one in found), (value, found)
    clean = SCRUBBER.scrub(text).text
    assert SCRUBBER.scrub(clean).text == clean


def test_words_of_medicine_stay_in_a_bad_print():
    text = "Rumb1e at the apex, p0sitive sign. Wt. l62 lbs. acho-\nlic stools, HIST0RY of asthma."
    assert SCRUBBER.scrub(text).text == text


def test_known_names_are_found_in_a_bad_print():
    known = Identifiers(names=("Ottoline Wrexford",))
    assert "0TT0LINE" not in SCRUBBER.scrub("WREXF0RD 0TT0LINE, chest film", known).text
