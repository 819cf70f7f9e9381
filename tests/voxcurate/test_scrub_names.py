"""Names and places that only lists, cells and capitals tell; and medicine that looks like them."""

import re

import pytest

from voxcurate.scrub import Scrubber
from voxcurate.scrubbing.name_language import languages
from voxcurate.scrubbing.name_reading import Words
from voxcurate.scrubbing.vocabulary import lexicon


def scrub(text: str) -> str:
    return Scrubber().scrub(text).text


def rest(marked: str) -> str:
    """What stays of a text in whose braces stand identifiers."""
    return re.sub(r"\[[A-Z]+\]", "", scrub(marked.replace("{", "").replace("}", "")))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("okafor", "n"), ("murphy", "n"), ("caspian", "n"), ("effusion", "w"), ("points", "w"),
        ("grant", "b"), ("young", "b"), ("murphy-okafor", "n"), ("qxzvt", "u"),
    ],
)  # fmt: skip
def test_kind_of_a_word(word, kind):
    assert lexicon().kind(word) == kind


def test_long_lists_are_not_asked_in_other_languages():
    assert lexicon().kind("herzog") == "n"
    assert lexicon().foreign_kind("masa") == "u"
    assert lexicon().foreign_kind("garcia") == "n"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The heart is of normal size and there is no effusion.", "e"),
        ("Das Herz ist nicht vergrößert und kein Erguss.", "g"),
        ("Le cœur est de taille normale et sans épanchement dans les plèvres.", "f"),
        ("CT 12 mm", "e"),
    ],
)
def test_language_of_a_line(text, language):
    assert set(Words(text).languages) == {language}


def test_languages_by_line():
    low = ["der", "und", "nicht", "the", "of", "with"]
    starts = [True, False, False, True, False, False]
    assert languages(low, starts, low) == ["g", "g", "g", "e", "e", "e"]
    assert languages([], [], []) == []


@pytest.mark.parametrize(
    "text",
    [
        "Findings d/w {Tolliver} at the desk.",
        "He was helped by {Adaeze} and {Thibodeaux} then.",
        "pt's neighbor {dorothea} found her; {oyelaran} agrees",
        "{NORTH,WES}   DOB 1",
        "Sponsor: {VON BULOW, LEOPOLD}   EDIPI",
        "{HAND, MERRILL}   94 YEARS",
        "Seen.\n\n{E. Thorvaldsen}\nAddendum ends",
        "{M Pettigrew-Das} ST4",
        "copied in: {Tyra G} (scan)",
        "{Mark},\n\nthanks, I had a look.",
        "Re: {Pearl STONE}, CT KUB",
        "Minutes: {Kirsty}\n",
        "Dr. {Sunday Okeke}; to restage",
        "dr {hand} in to see pt at bedside today, no new orders given",
        "I TOLD {MERCY}'S SON ABOUT THE PLAN",
        "Mr {William 'Bill' Sutcliffe} was seen",
        "Her wife {Lake} is aware.",
        "{Garcia} {Delgado}, 44F, refused.",
    ],
)
def test_names_go(text):
    names = [piece.split("}")[0] for piece in text.split("{")[1:]]
    left = rest(text)
    assert all(part not in left for name in names for part in name.replace(",", " ").split())


@pytest.mark.parametrize(
    "text",
    [
        "planned at {Alder Creek} next month",
        "PT LIVES WITH HER SON IN {PADUCAH}.",
        "sister anahit lives in {fresno}, no phone there for now, called from work",
        "appendectomy at {Piedmont Crossing Children}'s, well since",
        "REPORT      {Quarry Hill General}\nX",
        "planned at {Ferrier Pathology} this week",
        "interpretation by {NightOwl Teleradiology}, no change",
        "d/c {Kurrajong Lodge} if well",
        "{OSPEDALE SAN TEODORO}\n",
        "Dept: {BRANFORD PULM}\n",
        "LOC: {4NORTH}   U",
        "moved here from {Nairobi} last week",
    ],
)
def test_places_go(text):
    place = text.split("{")[1].split("}")[0]
    assert all(part not in rest(text) for part in place.split())


@pytest.mark.parametrize(
    "text",
    [
        "A Bookwalter retractor and a 10 Fr Shiley tube were used.",
        "Grey Turner and Cullen signs absent. Samter triad is likely.",
        "Siewert III and Hinchey II. Scadding II. Prussak space clear.",
        "Trace fluid in the pouch of Douglas. Circle of Willis is complete.",
        "She is on Movicol, Keytruda, Fostair and Nexplanon. Read on Syngo.",
        "GERD and KRAS wild type; TACE planned; FESS done.",
        "Candida albicans grew. A Dari interpreter was present.",
        "An in-situ fracture; Fleischner guidance. No Poland syndrome.",
        "Status Post CABG. Past Medical History: Diabetes.",
        "LAD: mid 50-69%. AVC: mild.",
        "Kein Aszites, die Leber und die Milz sind nicht vergrößert. Uhr, Bild, Fenster und Frage.",
        "Masa sólida de 41 mm en el riñón derecho con realce y sin grasa.",
    ],
)
def test_medicine_stays(text):
    assert scrub(text) == text
