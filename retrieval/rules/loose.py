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


class LoosePhrases(Generic[P]):
    """Phrases by their last word and one other, so that few are tried on a sentence."""

    def __init__(self, lexicon: Lexicon, phrases: Iterable[tuple[str, P]]) -> None:
        self._family = _families(lexicon)
        self._kin = frozenset(self._family)
        self._glue = _glue(lexicon)
        made: dict[tuple[str, ...], list[P]] = {}
        written: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        for phrase, payload in phrases:
            raw = lexicon.phrase(phrase)
            words = self._turned(tuple(self._family.get(w, w) for w in raw))
            if 1 < len(words) <= _LONGEST_PHRASE and self._is_plain(words):
                made.setdefault(words, []).append(payload)
                written.setdefault(words, set()).add(raw)
        by_head: dict[str, dict[str, list[_Entry[P]]]] = {}
        for words, payloads in made.items():
            by_first = by_head.setdefault(words[-1], {})
            inner = frozenset(words[1:-1])
            entry = _Entry(words, inner, frozenset(written[words]), tuple(payloads))
            by_first.setdefault(words[0], []).append(entry)
        self._by_head = {head: (frozenset(firsts), firsts) for head, firsts in by_head.items()}
        self._plain_heads = frozenset(by_head)
        kin = {word for word, plain in self._family.items() if plain in by_head}
        self._heads = self._plain_heads | kin  # as texts have them

    def _turned(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """ "Plaque in the aorta" as "aorta plaque"."""
        for p, word in enumerate(words):
            if word in ("in", "of") and 0 < p < len(words) - 1:
                place = tuple(w for w in words[p + 1 :] if w != "the")
                return (*place, *words[:p]) if "in" not in place and "of" not in place else words
        return words

    def _is_plain(self, words: tuple[str, ...]) -> bool:
        glue = self._glue
        return all(
            w and w[-1] != "*" and w not in glue.joints and w not in glue.links for w in words
        ) and not all(w in glue.words for w in words)

    def find(self, words: list[str]) -> list[tuple[tuple[int, ...], tuple[P, ...]]]:
        """Phrases whose words stand in `words` apart or in kind; those as written are not told.

        Of each the places of its words, the last word's (the head's) first, and its payloads.
        """
        if self._heads.isdisjoint(words):
            return []
        family, plain = self._family, words
        if not self._kin.isdisjoint(words):
            plain = [family.get(word, word) for word in words]
        present = frozenset(plain)
        found: list[tuple[tuple[int, ...], tuple[P, ...]]] = []
        for head in _in_order(self._plain_heads & present, plain):
            firsts, by_first = self._by_head[head]
            beside = firsts & present
            if not beside:
                continue
            heads = [p for p, word in enumerate(plain) if word == head]
            for first in _in_order(beside, plain):
                for entry in by_first[first]:
                    if entry.inner <= present:
                        for places in self._places(words, plain, entry, heads):
                            found.append((places, entry.payloads))
        return found

    def _places(
        self, raw: list[str], words: list[str], entry: "_Entry[P]", heads: list[int]
    ) -> list[tuple[int, ...]]:
        phrase = entry.words
        n = len(phrase)
        found: list[tuple[int, ...]] = []
        for head in heads:
            core = head  # with the words that stand before it as in the phrase
            while n - (head - core) > 1 and core and words[core - 1] == phrase[core - head - 2]:
                core -= 1
            apart = phrase[: n - 1 - (head - core)]
            if not apart:
                if tuple(raw[core : head + 1]) not in entry.written:
                    found.append((head, *range(core, head)))
                continue
            mods = _nearest(words, core, head, apart)
            if mods and (
                self._fits_before(words, mods, core)
                if mods[-1] < core
                else self._fits_after(words, head, mods)
            ):
                found.append((head, *range(core, head), *mods))
        return found

    def _fits_before(self, words: list[str], mods: list[int], core: int) -> bool:
        """ "pleural or pericardial effusion", "pleural effusion or thickening"."""
        between = words[mods[-1] + 1 : core]
        glue, joints = self._glue, self._glue.joints
        if not between:
            return True
        if between[0] in joints:
            return self._is_list(between)
        tail = [word for word in between if word not in glue.words]
        if len(tail) >= 2 and tail[-1] in joints and tail[0] not in joints:
            return self._is_list(between)
        if joints.intersection(between):
            return False
        strange = [word for word in between if word not in glue.all]
        is_linked = any(word in glue.prepositions for word in between)
        return len(strange) <= (not is_linked) and all(w == "" or w.isalnum() for w in strange)

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
        glue = self._glue
        between = words[head + 1 : mods[0]]
        linked = [p for p, word in enumerate(between) if word in glue.links]
        if between and not linked:
            return False
        for p, word in enumerate(between):
            if word in glue.words or word in glue.links or word[:1].isdigit():
                continue
            is_behind = p > linked[0]
            if is_behind and p == len(between) - 1 and (word == "" or word.isalnum()):
                continue  # one more adjective: "dilatation of the renal collecting system"
            if word in glue.joints:
                if not is_behind:
                    return False
            elif not (is_behind and any(w in glue.joints for w in between[p + 1 :])):
                return False
        after = words[mods[-1] + 1] if mods[-1] + 1 < len(words) else "."
        ends = after in glue.all or after in glue.after or (after != "" and not after.isalnum())
        return ends or bool(between and not glue.prepositions.intersection(between))


@dataclass(frozen=True, slots=True)
class _Entry(Generic[P]):
    words: tuple[str, ...]
    inner: frozenset[str]  # without the first and the last
    written: frozenset[tuple[str, ...]]
    payloads: tuple[P, ...]


def _in_order(some: frozenset[str], words: list[str]) -> Iterable[str]:
    """As they stand in `words`, so that equal texts give equal answers."""
    return some if len(some) < 2 else sorted(some, key=words.index)


def _nearest(words: list[str], core: int, head: int, mods: tuple[str, ...]) -> list[int] | None:
    """The places of `mods` together before the core, else after the head."""
    n = len(mods)
    if n == 1:  # the common case, without a loop
        low = max(0, core - _WIDEST)
        before, after = words[low:core], words[head + 1 : head + _WIDEST + 1]
        if mods[0] in before:
            return [core - 1 - before[::-1].index(mods[0])]
        return [head + 1 + after.index(mods[0])] if mods[0] in after else None
    for at in range(core - n, max(-1, core - _WIDEST - 1), -1):
        if words[at] == mods[0] and tuple(words[at : at + n]) == mods:
            return list(range(at, at + n))
    for at in range(head + 1, min(len(words) - n, head + _WIDEST) + 1):
        if words[at] == mods[0] and tuple(words[at : at + n]) == mods:
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
