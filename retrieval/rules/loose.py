"""A phrase of several words in another order or taken apart by a list.

"Pleural effusion" is found in "effusion in the left pleural space", "no pleural or pericardial
effusion" and "pleural thickening or effusion"; "dilated bile duct" in "the bile duct is dilated".
Between the parts only words that carry nothing of their own may stand (``glue`` in
``configs/reading/terms.yaml``), besides the items of a list.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from retrieval.questions import terms
from retrieval.rules.lexicon import Lexicon, singular

P = TypeVar("P")
_WIDEST = 12  # words from the first part to the last
_LONGEST_PHRASE = 4
_LONGEST_ITEM = 2  # words of a list item between the parts


@dataclass(frozen=True, slots=True)
class Parts(Generic[P]):
    """A phrase in parts: the places of its words, the last word's (the head's) first."""

    places: tuple[int, ...]
    payloads: tuple[P, ...]


class LoosePhrases(Generic[P]):
    """Phrases by their last word and one other, so that few are tried on a sentence."""

    def __init__(self, lexicon: Lexicon, phrases: Iterable[tuple[str, P]]) -> None:
        self._family = _families(lexicon)
        self._glue = _glue(lexicon)
        made: dict[tuple[str, ...], list[P]] = {}
        for phrase, payload in phrases:
            words = tuple(self._family.get(w, w) for w in lexicon.phrase(phrase))
            is_plain = all(word and not word.endswith("*") for word in words)
            mods = [w for w in words[:-1] if w not in self._glue.all]
            if is_plain and 1 < len(words) <= _LONGEST_PHRASE and len(mods) == len(words) - 1:
                made.setdefault(words, []).append(payload)
        self._by_head: dict[str, dict[str, list[tuple[tuple[str, ...], tuple[P, ...]]]]] = {}
        for words, payloads in made.items():
            by_mod = self._by_head.setdefault(words[-1], {})
            by_mod.setdefault(words[0], []).append((words, tuple(payloads)))

    def find(self, words: list[str]) -> list[Parts[P]]:
        """Phrases whose words stand in `words` apart; those that stand as written are not told."""
        family = self._family
        plain = [family.get(word, word) for word in words]
        present = set(plain)
        found: list[Parts[P]] = []
        for head in present & self._by_head.keys():
            by_mod = self._by_head[head]
            for first in by_mod.keys() & present:
                for phrase, payloads in by_mod[first]:
                    if len(phrase) == 2 or present.issuperset(phrase):
                        for places in self._places(plain, phrase):
                            found.append(Parts(places, payloads))
        return found

    def _places(self, words: list[str], phrase: tuple[str, ...]) -> list[tuple[int, ...]]:
        found = []
        heads = [p for p, word in enumerate(words) if word == phrase[-1]]
        for head in heads:
            mods = _nearest(words, head, phrase[:-1])
            if mods is None:
                continue
            if mods[-1] < head:
                is_as_written = mods == list(range(head - len(mods), head))
                fits = not is_as_written and self._fits_before(words, mods, head)
            else:
                fits = mods[0] > head and self._fits_after(words, head, mods)
            if fits:
                found.append((head, *mods))
        return found

    def _fits_before(self, words: list[str], mods: list[int], head: int) -> bool:
        """ "pleural or pericardial effusion", "pleural effusion or thickening"."""
        if mods != list(range(mods[0], mods[0] + len(mods))) or head - mods[0] > _WIDEST:
            return False
        between = words[mods[-1] + 1 : head]
        glue, joints = self._glue.words, self._glue.joints
        if all(word in glue for word in between):
            return True
        if between[0] in joints:
            return self._is_list(between)
        tail = [word for word in between if word not in glue]
        return len(tail) >= 2 and tail[-1] in joints and self._is_list(between)

    def _is_list(self, between: list[str]) -> bool:
        """Items of at most two words with commas, "and" or "or" between them."""
        run = 0
        for word in between:
            if word in self._glue.joints:
                run = 0
            elif word not in self._glue.words:
                run += 1
                if run > _LONGEST_ITEM or word in self._glue.links or (word and not word.isalnum()):
                    return False
        return True

    def _fits_after(self, words: list[str], head: int, mods: list[int]) -> bool:
        """ "effusion in the pleural space", "the duct is dilated"."""
        if mods[-1] - head > _WIDEST or mods != list(range(mods[0], mods[0] + len(mods))):
            return False
        glue = self._glue
        between = words[head + 1 : mods[0]]
        linked = [p for p, word in enumerate(between) if word in glue.links]
        if not linked:
            return False
        for p, word in enumerate(between):
            if word in glue.words or word in glue.links or word[:1].isdigit():
                continue
            is_item = p > linked[0] and any(w in glue.joints for w in between[p + 1 :])
            if word in glue.joints and p > linked[0]:
                continue
            if not is_item:
                return False
        after = words[mods[-1] + 1] if mods[-1] + 1 < len(words) else "."
        ends = after in glue.all or after in glue.after or (after != "" and not after.isalnum())
        return ends or not glue.prepositions.intersection(between)


def _nearest(words: list[str], head: int, mods: tuple[str, ...]) -> list[int] | None:
    """The places of `mods` together before the head, else after it."""
    n = len(mods)
    for at in range(head - n, max(-1, head - _WIDEST - 1), -1):
        if tuple(words[at : at + n]) == mods:
            return list(range(at, at + n))
    for at in range(head + 1, min(len(words) - n, head + _WIDEST) + 1):
        if tuple(words[at : at + n]) == mods:
            return list(range(at, at + n))
    return None


@dataclass(frozen=True)
class _Glue:
    joints: frozenset[str]
    links: frozenset[str]
    words: frozenset[str]
    after: frozenset[str]
    prepositions: frozenset[str]
    all: frozenset[str]


def _glue(lexicon: Lexicon) -> _Glue:
    kinds = {
        name: frozenset(word for item in items for word in lexicon.phrase(item))
        for name, items in terms()["glue"].items()
    }
    prepositions = kinds["links"] & {
        "in",
        "of",
        "within",
        "at",
        "on",
        "along",
        "to",
        "from",
        "with",
    }
    together = kinds["joints"] | kinds["links"] | kinds["words"]
    return _Glue(
        kinds["joints"], kinds["links"], kinds["words"], kinds["after"], prepositions, together
    )


def _families(lexicon: Lexicon) -> dict[str, str]:
    return {
        word: lexicon.phrase(family[0])[0]
        for family in terms()["families"]
        for item in family
        for word in lexicon.phrase(item)
    }


@cache
def loose_words() -> tuple[str, ...]:
    """Words that the order of parts depends on, for the vocabulary."""
    glue: dict[str, Any] = terms()["glue"]
    families = [singular(word) for family in terms()["families"] for word in family]
    return (*(w for words in glue.values() for w in words if w[0].isalnum()), *families)
