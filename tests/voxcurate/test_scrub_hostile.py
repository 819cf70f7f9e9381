"""Texts made to keep the scrubber busy: the work grows with the length, not faster.

A child process reads 16,000 characters of each; where one expression looks again at what another
place has seen, that takes minutes. The limit counts the child's own work, not the clock.
"""

import json
import subprocess
import sys

import pytest

from tests.voxcurate.test_scrub_shortcuts import PIECES

LENGTH, SECONDS = 16_000, 60
HOSTILE = [
    "1.1.", "wbc 1 -> 1 -> ", "series 1, ", "Present: Li, ", "A. B. ", "dr. ", "12/", "12-", "(((",
    "a@", "Mr Mr ", " ", "\n", "\r\n", "\t", "İ", "A", "Ab", "1", "1 ", "a-", "A-b ", "St. ",
    "of the ",    "Aa Bb ", "Aa, ", "de la ", "1/2 ", "in may ", "\x01, ", "_", "A_b", "a.b", "\\", "http://a",
    "Dr: ", "no. ", "10:", "Hospital ", "ninety ", "one two ", "am 1. ", "(1", "'s ", "Aa of Bb ",
]  # fmt: skip
CHILD = """
import json, signal, sys
from voxcurate.scrub import Scrubber
find = Scrubber().find
find("Dr. Smith of Oslo")
for piece in json.load(sys.stdin):
    signal.setitimer(signal.ITIMER_VIRTUAL, {seconds})
    find((piece * {length})[:{length}])
"""


def work(pieces, length, seconds):
    code = CHILD.format(length=length, seconds=seconds)
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, input=json.dumps(pieces), text=True, capture_output=True, check=False
    )


@pytest.mark.slow
def test_no_hostile_text_keeps_the_scrubber_busy():
    done = work(HOSTILE, LENGTH, SECONDS)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_no_expression_is_kept_busy_by_its_own_words():
    pieces = ["".join(piece + sep for sep in (" ", "\n", "")) for piece in PIECES[::12]]
    done = work(pieces, 4_000, SECONDS)
    assert done.returncode == 0, done.stderr


def test_numbers_parted_by_strokes_are_read_once():
    assert work(["12/", "1/2/", "120/80-"], 3_000, SECONDS).returncode == 0
