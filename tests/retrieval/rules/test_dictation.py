"""Reports as they are dictated in haste: no capitals, no full stops, one word wrong."""

import pytest

from retrieval.rules.lexicon import Lexicon
from retrieval.rules.phrases import PhraseFinder
from retrieval.rules.reader import RuleReader
from retrieval.rules.text import sentences


@pytest.fixture(scope="module")
def reader():
    return RuleReader()


def texts(report):
    return [" ".join(s.text.split()) for s in sentences(report)]


def answers(reader, report):
    return {f.question: f.value for f in reader.read(report)}


@pytest.mark.parametrize(
    ("report", "wanted"),
    [
        (
            "lungs clear. no effusion. heart ok. bones fine",
            ["lungs clear.", "no effusion.", "heart ok.", "bones fine"],
        ),
        (
            "liver ok. cyst approx. 3 cm. no stones. after i.v. contrast no leak. seen by dr. who.",
            [
                "liver ok.",
                "cyst approx. 3 cm.",
                "no stones.",
                "after i.v. contrast no leak.",
                "seen by dr. who.",
            ],
        ),
        (
            "spleen neg. laceration grade 2. no bleeding. cyst 2.5 cm. in diameter",
            ["spleen neg.", "laceration grade 2.", "no bleeding.", "cyst 2.5 cm. in diameter"],
        ),
        (
            "gallbladder removed\nliver has several small cysts as seen before in march last year\n"
            "no ascites\nspleen normal",
            [
                "gallbladder removed",
                "liver has several small cysts as seen before in march last year",
                "no ascites",
                "spleen normal",
            ],
        ),
        ("Heart normal. moderate effusion.", ["Heart normal.", "moderate effusion."]),
        ("The ant. wall and approx. half of it.", ["The ant. wall and approx. half of it."]),
        (
            "NO MASS. LIVER NORMAL.\nSPLEEN 12 CM\nNO ASCITES",
            ["NO MASS.", "LIVER NORMAL.", "SPLEEN 12 CM", "NO ASCITES"],
        ),
    ],
)
def test_sentences_of_dictation(report, wanted):
    assert texts(report) == wanted


def test_wrapped_lines_in_small_letters_go_on():
    report = (
        "FINDINGS: The liver is enlarged and shows a nodular contour in keeping with\n"
        "cirrhosis of long standing. The spleen is enlarged. There is a moderate amount\n"
        "of ascites."
    )
    assert len(texts(report)) == 3


def test_two_short_lines_that_go_on_are_one_sentence():
    assert texts("Areas of ground\nglass.") == ["Areas of ground glass."]


def test_denial_ends_with_its_sentence(reader):
    found = answers(
        reader, "no free air. gallbladder has stones. pelvis no fracture. dependent atelectasis."
    )
    assert found["gallstones"] == found["atelectasis"] == "yes"
    assert found["fracture"] == "no"


def test_very_long_text_without_an_end_is_cut():
    found = sentences("no mass in the liver and " * 2000)
    assert all(len(s.text) <= 1000 for s in found)
    assert all(s.text.split()[0] in ("no", "mass", "in", "the", "liver", "and") for s in found)


BACKGROUND = ("effusion", "cough", "carcinoma", "cholecystectomy", "contrast")


@pytest.mark.parametrize(
    "report",
    [
        "Clinical history: 45M with cough. The liver is normal.",
        "Clinical history: cough, effusion. Liver is normal. Spleen fine.\nIMPRESSION: Normal.",
        "Clinical info: effusion? carcinoma?\nLiver: normal.\nPELVIS: Bladder normal.",
        "INDICATION: Cough, evaluate for effusion.\nLUNGS: Liver normal.\nPELVIS: No mass.",
        "HISTORY: 60F with cough\nh/o cholecystectomy\nknown carcinoma\nliver normal.\nspleen ok.",
        "TECHNIQUE: contrast given.\nImages were sent after contrast.\nLiver normal.",
        "Reason for exam: cough.\n\nLiver normal.\n\nIMPRESSION: Normal.",
        "Clinical: carcinoma, had effusion in 2017.\nThe study was done with contrast.\n"
        "The liver is normal.",
        "COMPARISON: No prior. The liver is normal.",
    ],
)
def test_findings_begin_where_a_preamble_ends(report):
    quiet = ("indication", "history", "technique", "comparison")
    for sentence in sentences(report):
        is_background = any(word in sentence.text for word in (*BACKGROUND, "prior"))
        assert (sentence.section in quiet) == is_background, sentence


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("absces", "abscess"),
        ("spelen", "spleen"),
        ("lession", "lesion"),
        ("kideny", "kidney"),
        ("dilaatation", "dilation"),
        ("pneumothorx", "pneumothorax"),
        ("efussion", "effusion"),
        ("diverticultis", "diverticulitis"),
    ],
)
def test_one_wrong_letter_makes_no_difference(typed, meant):
    phrases = ["abscess", "spleen", "lesion", "kidney", "dilatation", "pneumothorax"]
    lexicon = Lexicon([*phrases, "effusion", "diverticulitis", "diverticul*"])
    assert lexicon.spell(typed) == meant


@pytest.mark.parametrize("word", ["supine", "source", "legion", "initial", "critical"])
def test_other_words_are_no_misspellings(word):
    lexicon = Lexicon(["spine", "score", "lesion", "intimal", "cortical"])
    assert lexicon.spell(word) == ""


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("sequela", "sequelae"),
        ("bulla", "bullae"),
        ("vertebra", "vertebrae"),
        ("diverticulum", "diverticula"),
        ("bronchus", "bronchi"),
        ("thrombus", "thrombi"),
        ("metastasis", "metastases"),
        ("apex", "apices"),
        ("ostium", "ostia"),
        ("lumen", "lumina"),
        ("bronchiolus", "bronchioli"),
        ("papilla", "papillae"),
        ("haematoma", "haematomata"),
        ("corpus", "corpora"),
        ("aneurysm", "aneurysmata"),
        ("granuloma", "granulomata"),
        ("ramus", "rami"),
        ("infiltrate", "infiltrates"),
        ("prosthesis", "prostheses"),
        ("appendix", "appendices"),
        ("atrium", "atria"),
        ("axilla", "axillae"),
        ("fossa", "fossae"),
        ("vena cava", "venae cavae"),
        ("ovary", "ovaries"),
        ("cyst", "cysts"),
    ],
)
def test_singular_and_plural_find_each_other(one, many):
    assert [m.payload for m in PhraseFinder([(one, 1)]).find(f"two {many} seen")] == [1]
    assert [m.payload for m in PhraseFinder([(many, 1)]).find(f"one {one} seen")] == [1]


def test_size_behind_an_organ_is_that_organs(reader):
    found = {f.question: f.number for f in reader.read("Pancreas: Duct of the pancreas 3 mm.")}
    assert found["pancreatic_duct_size"] == 3
    found = {f.question: f.number for f in reader.read("The pancreas has a 2 cm cyst, duct ok.")}
    assert "pancreatic_duct_size" not in found
