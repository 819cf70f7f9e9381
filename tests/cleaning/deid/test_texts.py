"""Of texts stay the words that identify nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning.deid.texts import TextCleaner
from cleaning.deid.words import is_harmless, is_plain, vocabulary
from voxcurate.identifiers import Identifiers

KNOWN = Identifiers(names=("Brown^Zelda^A", "Li^Wu"), ids=("0012345678", "X-77"))
CLEAN = TextCleaner(KNOWN)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("CT ABDOMEN W/O CONTRAST", "CT ABDOMEN W/O CONTRAST"),
        ("Abd. venös  5.0  B30f", "Abd. venös 5.0 B30f"),
        ("Thorax nativ 1.0 I70f 3", "Thorax nativ 1.0 I70f 3"),
        ("T12 to L4/5", "T12 to L4/5"),
        ("Segmentation 24x38x3", "Segmentation 24x38x3"),
        ("SpinalCord", "SpinalCord"),
        ("GTV_1", "GTV_1"),
        ("CT CHEST BROWN ZELDA", "CT CHEST"),
        ("chest_zelda_brown", "chest"),
        ("Z. Brown, MRN 12345678", ""),
        ("CT for Quillby Mirandotte", "CT for"),
        ("SMITHSONIAN abdomen", "abdomen"),
        ("Abd 03/04/2020 axial", "Abd axial"),
        ("call 555-1234", "call"),
        ("mail a.person@example.org", "mail"),
        ("123456", ""),
        ("Li head", "head"),
        ("X77 chest", "chest"),
        ("...", ""),
    ],
)
def test_descriptions(text, wanted):
    assert CLEAN.description(text) == wanted


def test_long_texts_are_dropped():
    assert TextCleaner(KNOWN, max_text=20).description("abdomen " * 3) == ""


def test_unknown_words_can_be_kept():
    text = "CT CHEST BROWN Quillby"
    assert TextCleaner(KNOWN, keep_words=True).description(text) == "CT CHEST Quillby"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SIEMENS", "SIEMENS"),
        ("Biograph40_mCT 4R", "Biograph40_mCT 4R"),
        ("Force of Zelda", ""),
        ("Force of Kowalski", ""),
        ("Quillmatic 64", "Quillmatic 64"),
        ("12345678", ""),
        ("built by dr@example.org", ""),
    ],
)
def test_makes_stay_whole_or_go(text, wanted):
    assert CLEAN.fact(text, is_make=True) == wanted


def test_other_facts_are_made_of_known_words():
    assert CLEAN.fact("Br40d") == "Br40d"
    assert CLEAN.fact("STANDARD") == "STANDARD"
    assert CLEAN.fact("Quillby") == ""


def test_codes():
    assert CLEAN.code("T-62000", is_public=True) == "T-62000"
    assert CLEAN.code("121071", is_public=True) == "121071"
    assert CLEAN.code("NPONKINF", is_public=False) == ""
    assert CLEAN.code("X-77", is_public=True) == ""


def test_terms_stay_though_a_patient_is_called_so():
    assert TextCleaner(Identifiers(names=("CT^Head",))).term("CT") == "CT"
    assert CLEAN.term("F") == "F"
    assert CLEAN.term("QUILLBY") == ""


def test_frequent_names_are_no_plain_words():
    names = "smith garcia müller nguyen wang singh martinez kowalski mary jennifer hiroshi olga"
    assert not [name for name in names.split() if is_plain(name)]
    words = "abdomen chest liver contrast kidney venous spine segmentation lungs arterial"
    assert all(map(is_plain, words.split()))
    assert len(vocabulary()) > 5000
    assert not is_harmless("HeadSmith")


@given(st.text(max_size=60))
def test_cleaning_again_changes_nothing_and_nothing_grows(text):
    once = CLEAN.description(text)
    assert CLEAN.description(once) in (once, "")
    assert len(once) <= len(text)


def test_names_that_look_like_a_form_of_a_plain_word_are_names():
    names = "walker turner palmer wheeler waters summers chambers fuller graves li lu lo"
    assert not [name for name in names.split() if is_plain(name)]
    assert all(map(is_plain, ["biopsy", "stones", "bones", "arteries", "artery"]))
    assert CLEAN.description("CT CHEST WALKER") == "CT CHEST"


@pytest.mark.parametrize(
    "term",
    """BQML GML CNTS YBR_ICT YBR_RCT YBR_FULL_422 ISO_10918_1 UIDREF PNAME SCOORD3D TCOORD
    CLOSEDPLANAR_XOR IRRAD_VOLUME RM OSP M_FFE OPP_PHASE DECY SCAT DTIM LIN FC_FREQ_AX_GEMS
    RIGID_SCALE""".split(),  # noqa: SIM905
)
def test_defined_terms_stay(term):
    assert CLEAN.term(term) == term


def test_a_defined_term_that_is_the_patients_name_goes():
    lin = TextCleaner(Identifiers(names=("Lin^Gera",)))
    assert lin.term("LIN") == ""
    assert lin.term("LIN_GERA") == ""
    assert CLEAN.description("RM CHEST") == "CHEST"


@pytest.mark.parametrize(
    "text", ["AA - Ribs (left)", "v1.0", "Br38f", "Dose 95[%]", "ISOVUE300", "b1000 B800"]
)
def test_what_needs_no_cleaning_stays_as_it_is(text):
    assert CLEAN.description(text) == text


def test_numbers_of_templates_and_terms_with_blanks_stay():
    assert CLEAN.term("1500") == "1500"
    assert CLEAN.term("HAS OBS CONTEXT") == "HAS OBS CONTEXT"
    assert TextCleaner(Identifiers(ids=("1500",))).term("1500") == ""


def test_units_stay():
    assert CLEAN.code("{SUVbw}g/ml", is_public=True) == "{SUVbw}g/ml"
    assert CLEAN.code("[hnsf'U]", is_public=True) == "[hnsf'U]"
    assert CLEAN.code("{Quillby}", is_public=True) == ""
    assert CLEAN.fact("Br38f") == "Br38f"
