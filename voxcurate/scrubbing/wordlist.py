"""Lists of words: short ones written as text, long ones in files that are read when first asked."""

import gzip
from functools import lru_cache

from voxcurate.config import shipped


def word_list(text: str) -> tuple[str, ...]:
    """The words of a text, in order."""
    return tuple(text.split())


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


class WordFile:
    """A shipped list of words in groups, made by `benchmarks/name_lists.py`.

    The text is searched as it is: a hundred thousand words would take longer to put into a set than
    a report takes to read.

    Args:
        text: lines ``three letters <tab> words of group 0 <tab> words of group 1 ...``, each word
            without its three letters, a space on either side.
    """

    def __init__(self, text: str) -> None:
        self._groups = {
            line[: line.index("\t")]: line.split("\t")[1:] for line in text.splitlines()
        }

    def group(self, word: str) -> int | None:
        """The group of a folded word; None if it is not in the list."""
        groups = self._groups.get(word[:3])
        if groups is None:
            return None
        rest = f" {word[3:].replace(' ', '_') or '-'} "
        return next((number for number, words in enumerate(groups) if rest in words), None)

    def __contains__(self, word: str) -> bool:
        return self.group(word) is not None


@lru_cache(maxsize=8)
def word_file(name: str) -> WordFile:
    """The shipped list ``words``, ``surnames``, ``given`` or ``towns``, read once."""
    path = shipped("scrubbing", "lists", f"{name}.txt.gz")
    return WordFile(gzip.decompress(path.read_bytes()).decode())


def plain_list(name: str) -> list[str]:
    """The words of a shipped list of one kind, in its order; faster than YAML to read."""
    return shipped("scrubbing", "lists", f"{name}.txt").read_text(encoding="utf-8").split()
