"""What the words around a phrase do to it."""

import pytest

from retrieval.rules.context import context_of

FLAGS = (
    "negated",
    "uncertain",
    "nature",
    "likely",
    "historical",
    "family",
    "hypothetical",
    "unsaid",
)
CASES = [
    ("No evidence of liver lesion or ascites.", "ascites", {"negated"}),
    ("A liver lesion is not identified.", "lesion", {"negated"}),
    ("The previously seen lesion has resolved.", "lesion", {"negated"}),
    ("Gallstones: none.", "gallstones", {"negated"}),
    ("Cysts, stones or masses are not seen.", "cysts", {"negated"}),
    ("The kidneys contain cysts, hydronephrosis is not seen.", "cysts", set()),
    ("No hydronephrosis, the kidneys contain cysts.", "cysts", set()),
    ("No hydronephrosis but a cyst is seen.", "cyst", set()),
    ("No change in the cyst.", "cyst", set()),
    ("No significant interval increase in the renal mass.", "mass", set()),
    ("Nonobstructing stone in the kidney.", "stone", set()),
    ("No new lesion.", "lesion", {"unsaid"}),
    ("Metastasis cannot be excluded.", "metastasis", {"uncertain"}),
    ("We cannot exclude metastasis.", "metastasis", {"uncertain"}),
    ("A lesion suspicious for malignancy.", "malignancy", {"uncertain"}),
    ("A 5 mm lesion, too small to characterise.", "lesion", {"nature"}),
    ("Cyst versus haemangioma.", "cyst", {"uncertain"}),
    ("Likely a cyst.", "cyst", {"likely"}),
    ("History of pancreatic cancer.", "cancer", {"historical"}),
    ("Family history of pancreatic cancer.", "cancer", {"family"}),
    ("Rule out metastasis.", "metastasis", {"hypothetical"}),
    ("Lesion (no enhancement) and a cyst.", "cyst", set()),
    ("The duct is not dilated.", "dilated", {"negated"}),
]


@pytest.mark.parametrize(("sentence", "phrase", "wanted"), CASES)
def test_context(sentence, phrase, wanted):
    start = sentence.lower().index(phrase)
    context = context_of(sentence, start, start + len(phrase))
    assert {flag for flag in FLAGS if getattr(context, flag)} == wanted


def test_no_word_of_the_phrase_is_its_own_cue():
    sentence = "The gallbladder is surgically absent."
    assert not context_of(sentence, 4, 36).negated


def test_neutral_cue_is_told():
    assert context_of("No change in the cyst.", 17, 21).unchanged
