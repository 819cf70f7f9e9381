"""The long lists of the scrubber: what is in them, and that nothing reads them at import."""

import subprocess
import sys

import pytest

from voxcurate.scrubbing.wordlist import WordFile, word_file


def test_word_file_by_hand() -> None:
    words = WordFile("aba\t - te \t cus \nlon\t  \t don_bridge \nox\t - \t  ")

    assert words.group("aba") == 0
    assert words.group("abate") == 0
    assert words.group("abacus") == 1
    assert words.group("london bridge") == 1
    assert words.group("ox") == 0
    assert words.group("don") is None
    assert "lon" not in words
    assert "ab" not in words
    assert "" not in words


@pytest.mark.parametrize(
    ("name", "word", "group"),
    [
        ("words", "effusion", 0), ("words", "grant", 1), ("words", "murphy", None),
        ("surnames", "murphy", 0), ("surnames", "okafor", 1), ("surnames", "lung", None),
        ("given", "mary", 0), ("given", "effusion", None),
        ("towns", "chicago", 0), ("towns", "new york", 0), ("towns", "bath", 3),
        ("towns", "france", None), ("towns", "texas", None), ("towns", "florida", None),
    ],
)  # fmt: skip
def test_shipped_lists(name: str, word: str, group: int | None) -> None:
    assert word_file(name).group(word) == group


def test_lists_are_not_read_before_they_are_asked() -> None:
    code = (
        "import voxcurate.scrub, voxcurate.scrubbing.wordlist as w;"
        "assert w.word_file.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
