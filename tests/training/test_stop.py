"""Each reason to stop, and none."""

import pytest

from training.config import StopConfig
from training.stop import RoundFacts, stop_reason

CONFIG = StopConfig(max_rounds=5, top=3)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (RoundFacts(1), ""),
        (RoundFacts(1, budget_left=0), "budget"),
        (RoundFacts(1, budget_left=4), ""),
        (RoundFacts(5), "round 5 of at most 5"),
        (RoundFacts(1, top_verdicts=("keep", "confirm", "keep", "replace")), "3 most urgent"),
        (RoundFacts(1, top_verdicts=("keep", "replace", "keep")), ""),
        (RoundFacts(1, top_verdicts=("keep", "keep")), ""),
        (RoundFacts(2, gain=0.004, noise=0.01), "within the noise"),
        (RoundFacts(2, gain=0.02, noise=0.01), ""),
        (RoundFacts(2, gain=-0.02, noise=0.01), "within the noise"),
        (RoundFacts(1, agreement={"a": 0.9}, inter_annotator={"a": 0.88}), "two people"),
        (RoundFacts(1, agreement={"a": 0.9, "b": 0.5}, inter_annotator={"a": 0.88, "b": 0.9}), ""),
        (RoundFacts(1, agreement={"b": 0.9}, inter_annotator={"a": 0.88}), ""),
    ],
)
def test_reason(facts, words):
    found = stop_reason(facts, CONFIG)
    assert (words in found) if words else not found
