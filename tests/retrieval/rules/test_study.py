"""What was scanned and how, as titles of many manners name it."""

import pytest

from retrieval.rules.reader import RuleReader

READER = RuleReader()


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("CT of the abdomen and pelvis, non-contrast.", ("abdomen_pelvis", "non_contrast")),
        ("CT CHEST ABDOMEN PELVIS W/ CONTRAST", ("chest_abdomen_pelvis", "contrast")),
        ("ct abd pel w iv contrast", ("abdomen_pelvis", "contrast")),
        ("Thorax CT, contrast not given.", ("chest", "non_contrast")),
        ("CT pulmonary angiogram, IV contrast.", ("chest", "contrast")),
        ("CT CHEST\nTechnique: Unenhanced.", ("chest", "non_contrast")),
        ("CT abdomen, native and portal venous.", ("abdomen", "multiphase")),
        ("Chest CT. The upper abdomen is normal.", ("chest", None)),
    ],
)
def test_region_and_phase(title, wanted):
    text = f"{title}\nFindings: The liver is normal."
    found = {f.question: f for f in READER.read(text)}
    for question, choice in zip(("region", "contrast_phase"), wanted, strict=True):
        assert (found[question].choice if question in found else None) == choice
        if question in found:
            first, last = found[question].span
            assert " ".join(text[first:last].split()) == found[question].sentence
