"""Finding many phrases in a text at once, in one walk over its words."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, Generic, TypeVar

from retrieval.rules.lexicon import Lexicon, lower

P = TypeVar("P")
GAP = "~"  # in a phrase: up to so many words of any kind
_WIDEST_GAP_WORDS = 3


@dataclass(slots=True)
class Match(Generic[P]):
    """A phrase found at ``text[start:end]``, and what it was registered for."""

    start: int
    end: int
    payload: P


class Automaton(Generic[P]):
    """Phrases as a tree of words. Payloads of equal phrases stand together in a list."""

    def __init__(self, lexicon: Lexicon, phrases: Iterable[tuple[str, P]]) -> None:
        self._root = _Node()
        for phrase, payload in phrases:
            if GAP not in phrase:  # words joined across spaces ("gall bladder")
                parts = [lexicon.alternatives(word) for word in lexicon.phrase(phrase)]
            else:
                parts = [
                    (GAP,) if part == GAP else lexicon.alternatives(word)
                    for part in phrase.split(" ")
                    for word in (lexicon.phrase(part) if part != GAP else (GAP,))
                ]
            if not parts:
                raise ValueError(f"no word in phrase {phrase!r}")
            for words in product(*parts):
                self._add(words, payload)

    def _add(self, words: Iterable[str], payload: P) -> None:
        node = self._root
        for word in words:
            before, node = node, node.after.setdefault(word, _Node())
            if word == GAP:
                before.gap = node
        node.ending = node.ending or []
        node.ending.append(payload)

    def finish(self, ending: Callable[[list[P]], Any]) -> None:
        """Put ``ending(payloads)`` in the place of every phrase's list of payloads, once."""
        nodes = [self._root]
        while nodes:
            node = nodes.pop()
            nodes += node.after.values()
            if node.ending is not None:
                node.ending = ending(node.ending)

    def find(self, words: list[str]) -> list[tuple[int, int, Any]]:
        """Every phrase in `words`, as first word, word after the last, and payloads."""
        found: list[tuple[int, int, Any]] = []
        n = len(words)
        for i, node in enumerate(map(self._root.after.get, words)):
            j = i + 1
            while node is not None:
                if node.ending is not None:
                    found.append((i, j, node.ending))
                if node.gap is not None:
                    _beyond(words, i, j, node.gap, found)
                if j == n:
                    break
                node = node.after.get(words[j])
                j += 1
        return found


class _Node:
    """Where a phrase may go on: by its next word, or behind a gap; `ending`: what ends here."""

    __slots__ = ("after", "ending", "gap")

    def __init__(self) -> None:
        self.after: dict[str, _Node] = {}
        self.gap: _Node | None = None
        self.ending: Any = None


def _beyond(
    words: list[str], i: int, j: int, node: _Node, found: list[tuple[int, int, Any]]
) -> None:
    """Phrases that go on behind a gap: the first way on of each length."""
    for k in range(j, min(len(words), j + _WIDEST_GAP_WORDS + 1)):
        inner: _Node | None = node
        for at in range(k, len(words)):
            inner = inner.after.get(words[at]) if inner else None
            if inner is None:
                break
            if inner.ending is not None:
                found.append((i, at + 1, inner.ending))
        if words[k] and not words[k][0].isalnum():
            return  # a gap holds words, no commas


class PhraseFinder(Generic[P]):
    """Phrases with what they stand for, found in any text.

    Case and spelling (see `lexicon`) do not count, a space stands for spaces or a hyphen, "*" ends
    a word of any ending. All phrases that fit are found; overlaps are the caller's choice (see
    `longest`).
    """

    def __init__(self, phrases: Iterable[tuple[str, P]]) -> None:
        items = list(phrases)
        for phrase, _ in items:
            if not any(c.isalnum() for c in phrase):
                raise ValueError(f"no word in phrase {phrase!r}")
        self._lexicon = Lexicon(phrase for phrase, _ in items)
        self._automaton = Automaton(self._lexicon, items)

    def find(self, text: str) -> Iterator[Match[P]]:
        """Matches from left to right, overlapping ones too."""
        tokens = self._lexicon.tokens(lower(text))
        for i, j, payloads in self._automaton.find(tokens.words):
            for payload in payloads:
                yield Match(tokens.starts[i], tokens.ends[j - 1], payload)


def longest(matches: Iterable[Match[P]]) -> list[Match[P]]:
    """Without those that overlap a longer (of equals: the first) one, left to right."""
    items = list(matches)
    if all(a.end <= b.start for a, b in pairwise(items)):
        return items
    kept: list[Match[P]] = []
    for item in sorted(items, key=lambda m: (m.start - m.end, m.start)):
        if not any(item.start < other.end and other.start < item.end for other in kept):
            kept.append(item)
    return sorted(kept, key=lambda m: m.start)
