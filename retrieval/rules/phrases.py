"""Finding many phrases in a text at once, by their first word."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")
_WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
_LAST_FORMS = "(?:'?s|es)?"
_PREFIX = 4  # letters of a word ending in "*" that lead to it


@dataclass(frozen=True)
class Match(Generic[P]):
    """A phrase found at ``text[start:end]``, and what it was registered for."""

    start: int
    end: int
    payload: P


class PhraseFinder(Generic[P]):
    """Phrases with what they stand for.

    Case does not count, a space stands for spaces or a hyphen, "*" ends a word of any ending, and
    the last word may be a plural. All phrases that fit are found; overlaps are the caller's choice
    (see `longest`).
    """

    def __init__(self, phrases: Iterable[tuple[str, P]]) -> None:
        self._by_word: dict[str, list[tuple[re.Pattern[str], P]]] = {}
        for phrase, payload in phrases:
            first = _WORD.match(phrase.lower())
            if first is None:
                raise ValueError(f"no word in phrase {phrase!r}")
            key = first.group()
            is_only_part = first.end() == len(phrase) or phrase[first.end()] == "*"
            key = key[:_PREFIX] if is_only_part else key
            self._by_word.setdefault(key, []).append((_pattern(phrase), payload))

    def find(self, text: str) -> Iterator[Match[P]]:
        """Matches from left to right, overlapping ones too."""
        lower = text.lower()
        for word in _WORD.finditer(lower):
            if word.start() and lower[word.start() - 1].isalnum():
                continue
            for key in {word.group(), word.group()[:_PREFIX]}:
                for pattern, payload in self._by_word.get(key, ()):
                    match = pattern.match(lower, word.start())
                    if match:
                        yield Match(match.start(), match.end(), payload)


def longest(matches: Iterable[Match[P]]) -> list[Match[P]]:
    """Without those that overlap a longer (of equals: the first) one, left to right."""
    kept: list[Match[P]] = []
    for item in sorted(matches, key=lambda m: (m.start - m.end, m.start)):
        if not any(item.start < other.end and other.start < item.end for other in kept):
            kept.append(item)
    return sorted(kept, key=lambda m: m.start)


def _pattern(phrase: str) -> re.Pattern[str]:
    words = [re.escape(word).replace(r"\*", r"\w*") for word in phrase.lower().split()]
    joined = r"[\s-]+".join(words)
    return re.compile(joined + ("" if phrase.endswith("*") else _LAST_FORMS) + r"(?!\w)")
