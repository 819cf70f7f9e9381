"""What decides does not hang on hashes; what the marks in phrases stand for."""

import os
import subprocess
import sys

import pytest

from retrieval.questions import Question
from retrieval.rules.reader import RuleReader
from voxcurate.config import build

_REPORT = (
    "Findings: Enlarged mediastinal, hilar and retroperitoneal lymph nodes. Pleural or pericardial "
    "effusion is likely, possibly with thickening of the pleura on both sides. No mass or nodule "
    "in the liver, spleen or kidneys; calcified plaques in the aorta and the coronary arteries. "
    "Impression: Nodules in both lungs, suspicious for metastases, cannot exclude infection."
)
_PRINT = (
    "import sys\n"
    "from retrieval.rules.reader import RuleReader\n"
    "for f in RuleReader().read(sys.argv[1]):\n"
    "    sys.stdout.write(f'{f}\\n')\n"
)


def _read_with(seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PRINT, _REPORT],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


@pytest.mark.slow
def test_findings_with_their_rules_are_the_same_for_every_hash_seed():
    first, *others = (_read_with(seed) for seed in ("0", "1", "4242"))
    assert first.count("\n") > 10
    assert all(other == first for other in others)


def test_the_first_of_two_equal_sentences_is_the_proof():
    text = "There is a pleural effusion on the left. There is a pleural effusion on the right."
    found = {f.question: f for f in RuleReader().read(text)}
    assert found["pleural_effusion"].sentence == "There is a pleural effusion on the left."
    assert found["pleural_effusion"].side == "both"


def _answer(phrase: str, text: str) -> str | None:
    question = build(Question, {"id": "q", "text": "?", "phrases": [phrase]})
    return next((f.value for f in RuleReader([question]).read(text)), None)


@pytest.mark.parametrize(
    ("phrase", "text", "wanted"),
    [
        ("thrombus ~ portal vein", "Thrombus portal vein.", "yes"),
        ("thrombus ~ portal vein", "Thrombus within the main portal vein.", "yes"),
        ("thrombus ~ portal vein", "Thrombus seen within the main portal vein.", None),
        ("thrombus ~ portal vein", "Thrombus, the portal vein is patent.", None),
        ("thrombus ~ portal vein", "The portal vein holds a thrombus.", None),
        ("metastas*", "Metastases in the liver.", "yes"),
        ("metastas*", "Metastasized cancer.", "yes"),
        ("metastas*", "Metaplasia of the bronchus.", None),
        ("rib", "Ribbon-like opacity.", None),
        ("ground glass", "Ground-\nglass opacity.", "yes"),
        ("ground glass", "Glass on the ground.", None),
    ],
)
def test_marks_in_phrases(phrase, text, wanted):
    assert _answer(phrase, text) == wanted
