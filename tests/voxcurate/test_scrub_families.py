# ruff: noqa: E501 -- lines of notes read best as they stand
"""Families of places and dates that no single example made: each with its like in other languages."""

import pytest

from voxcurate.scrub import Scrubber
from voxcurate.scrubbing.forms import any_of, first_words, one_of
from voxcurate.scrubbing.months import month_number

SCRUBBER = Scrubber()


def gone(text, value):
    start = text.index(value)
    letters = [i for i in range(start, start + len(value)) if text[i].isalnum()]
    taken = {i for hit in SCRUBBER.find(text) for i in range(hit.start, hit.end)}
    return all(i in taken for i in letters)


DATES = [
    ("Larger than on the April study.", "April"), ("compared with the october CT", "october"),
    ("PSA 7.8 (Oct, previously 6.1)", "Oct"), ("last seen in may\nstable", "may"),
    ("away until end of July; send after", "end of July"), ("seit Mitte März Husten", "März"),
    ("prochaine cure le 27.", "27"), ("Wiedervorstellung am 27. wieder nüchtern", "27"),
    ("outcome Weds 13/03/24, chair", "Weds 13/03/24"), ("control en mayo.", "mayo"), ("see the June MRI", "June"),
    ("stent by Dr Anh Tran 1/7, resolved", "1/7"), ("between March and May she", "March and May"),
    ("fell in spring 2023", "spring 2023"), ("in early November", "November"),
]  # fmt: skip
TOWNS = [
    ("Community: Papunya   Health centre", "Papunya"), ("Herrn Dr. Klaus-Peter Lang\nIdstein\n\n7. November 2023", "Idstein"),
    ("Bourges, le 22 avril 2024", "Bourges"), ("Dr. Proinsias Hackett, Main Street, Borrisokane\n\nRE: x", "Main Street, Borrisokane"),
    ("ALEXIS, Clarence 78M, Salmon Arm. CT", "Salmon Arm"), ("Private Bag X1234, Polokwane 0700", "X1234"),
    ("(John Deere, Waterloo, Iowa) with", "Waterloo, Iowa"),
]  # fmt: skip
HOUSES = [
    ("im Brustzentrum Rheingau geplant", "Brustzentrum Rheingau"), ("film from civil hospital moga if", "civil hospital moga"),
    ("works as a bus driver for Tri-County Transit, worse", "Tri-County Transit"), ("forestry worker (ex Ngāti Pine Logging), painful", "Ngāti Pine Logging"),
    ("H/O fall in nursing home (Ard na Gréine), unable", "Ard na Gréine"), ("CENTRE HOSPITALIER DU VAL D'AUBOIS\nService", "CENTRE HOSPITALIER DU VAL D'AUBOIS"),
    ("cc: Balaji Ortho & Trauma, Tirupati", "Balaji Ortho & Trauma"), ("issued by NightOwl Reporting today", "NightOwl Reporting"),
]  # fmt: skip
PEOPLE = [
    ("read dr ks gill", "ks gill"), ("Onkologische Praxis Dres. Wiegand / Nowak", "Wiegand"), ("D/W JK, agrees", "JK"),
    ("scan change B Lake / 5510932", "B Lake"), ("S/o Late Sh. Hari Om Sharma\nAge", "Hari Om Sharma"),
    ("Re Hemi Te Whata NHI ZXA4419", "Hemi Te Whata"), ("and to Dr. Das on 033 5550 1209", "Das"),
    ("Esperanza Ybarra, 92 -- lives alone", "92"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), [*DATES, *TOWNS, *HOUSES, *PEOPLE])
def test_families_go(text, value):
    assert gone(text, value)


@pytest.mark.parametrize(
    "text",
    [
        "The lesion seen in may represent artefact; this may be march fracture.",
        "Technique: T1 Dixon, b0-b1000.\nHARRINGTON ROD INTACT. ALLEN TEST NORMAL.",
        "Nachweis einer Mikroangiopathie Fazekas 1, sonst unauffällig ohne Befund.",
        "No change - pt says no.\n17:00 reviewed; blood cultures 2/2 grew E. coli on a 1.5 T scanner.",
        "In Uganda two years ago. Explained in Assamese. CPT codes billed 99152, 99153.",
    ],
)  # fmt: skip
def test_what_is_like_them_stays(text):
    assert SCRUBBER.scrub(text).text == text


def test_a_degree_or_post_is_no_part_of_a_name():
    assert SCRUBBER.scrub("Seen by Oscar Zhu, RMO and R. Penner MD.").text == (
        "Seen by [NAME], RMO and [NAME] MD."
    )


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(?:neighbou?r|fianc[ée]e?)", "fiance fiancee neighbor neighbour"),
        ("(?:key[ -]?worker|dr)", "dr key keyworker"), (r"(?:st\.?|saint)\s", "saint st"),
        (r"\bn[°o]\.?", "n no"), ("(?:Reha-?[Kk]linik|X(?=Y))", "reha rehaklinik x"), ("4th", ""),
    ],
)  # fmt: skip
def test_first_words_are_all_that_a_match_begins_with(expression, words):
    assert first_words(expression) == words


def test_a_word_of_any_length_cannot_be_listed():
    with pytest.raises(ValueError, match="any length"):
        first_words(r"(?:invent\w*)")


def test_months_of_many_languages_have_numbers():
    told = {"März": 3, "août": 8, "aout": 8, "červenec": 7, "juillet": 7, "kwietnia": 4, "Dez": 12}
    assert {word: month_number(word) for word in told} == told
    assert month_number("xyz") is None
    assert any_of(["mai", "märz"], titled=True) == "(?:M[äa]rz|Mai)"
    assert "nursing home" in one_of("houses", "kind")
