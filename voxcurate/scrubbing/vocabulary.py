"""Which words are names, which are words, which are both, and which look like a name."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from voxcurate.config import read_yaml, shipped
from voxcurate.scrubbing.folding import fold as fold
from voxcurate.scrubbing.medical import CLINICAL
from voxcurate.scrubbing.wordlist import plain_list, word_file, word_set

_MEDICINE = ("eponyms", "classes", "drugs", "devices", "short")
_BETWEEN = word_set("s al el o d l de van von der den del da di du la le") | {""}
_SUFFIXES = (
    ("s", ("",)), ("es", ("", "is")), ("ies", ("y",)), ("ed", ("", "e")), ("ing", ("", "e")),
    ("ly", ("",)), ("er", ("", "e")), ("ers", ("", "e")), ("ied", ("y",)), ("ness", ("",)),
    ("ation", ("e", "")), ("al", ("",)),
)  # fmt: skip


def _stems(word: str) -> Iterator[str]:
    for suffix, endings in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= (3 if suffix == "s" else 4):
            stem = word[: -len(suffix)]
            yield from (stem + ending for ending in endings)
    if len(word) > 6 and word.endswith(("ed", "ing")):
        stem = word[:-2] if word.endswith("ed") else word[:-3]
        if stem[-1] == stem[-2]:
            yield stem[:-1]


class Lexicon:
    """Names and words, as `configs/scrubbing` lists them.

    Args:
        given: given names, folded.
        surnames: surnames.
        words: words that are no names.
        both: names that are words too.
        places: towns.
        eponyms: names that belong to anatomy, diseases, operations, scores and devices.
        classes: surnames that name a class or score, beside a number.
        products: drugs, devices and their makers, which are words too.
    """

    def __init__(
        self,
        given: Iterable[str],
        surnames: Iterable[str],
        words: Iterable[str],
        both: Iterable[str],
        places: Iterable[str],
        eponyms: Iterable[str] = (),
        classes: Iterable[str] = (),
        products: Iterable[str] = (),
    ) -> None:
        self.given = frozenset(given)
        self.surnames = frozenset(surnames)
        self.both = frozenset(both)
        self.words = frozenset(words) - self.both
        self.places = frozenset(places)
        self.eponyms = frozenset(eponyms)
        self.classes = frozenset(classes) | self.eponyms
        self.products = frozenset(products)
        self.long = {name: word_file(name) for name in ("words", "surnames", "given", "towns")}
        self._names = self.given | self.surnames
        self._scores: dict[str, float] = {}
        self._kinds: dict[str, str] = {}
        self._short_kinds: dict[str, str] = {}

    def kind(self, word: str) -> str:
        """``n`` a name only, ``b`` name and word, ``w`` a word, ``u`` not known; of a folded word.

        A hyphenated or apostrophed word is a name if a part is one and none is a word.
        """
        found = self._kinds.get(word)
        if found is None:
            if len(self._kinds) > 100_000:
                self._kinds.clear()
            found = self._kinds[word] = self._kind(word, english=True)
        return found

    def foreign_kind(self, word: str) -> str:
        """`kind` of a word in a text that is not English: the long lists, of English words and of
        Americans' names, are not asked, but for frequent names."""
        found = self._short_kinds.get(word)
        if found is None:
            if len(self._short_kinds) > 100_000:
                self._short_kinds.clear()
            found = self._short_kinds[word] = self._kind(word, english=False)
        return found

    def is_unlike_reports(self, word: str) -> bool:
        """Whether a word is English, but none of those that reports have, nor made of one."""
        if self.foreign_kind(word) == "w" or CLINICAL.search(word) or word in self.eponyms:
            return False
        return self.long["words"].group(word) == 2 or word in self.long["towns"]

    def fame(self, word: str) -> int:
        """How well the lists know a name: 3 frequent, 2 known, 1 seldom, 0 not at all."""
        if word in self._names:
            return 3
        if "-" in word:
            return max(self.fame(part) for part in word.split("-"))
        if "'" in word:
            return max(self.fame(word.replace("'", "")), self.fame(word.split("'")[-1]))
        groups = (self.long["surnames"].group(word), self.long["given"].group(word))
        return 3 - min((group for group in groups if group is not None), default=3)

    def _kind(self, word: str, *, english: bool) -> str:
        if word in self.words:
            return "w"
        if "-" in word or "'" in word or "’" in word:
            parts = [p for p in re.split(r"[-'’]", word) if p not in _BETWEEN]
            if "-" not in word and len(parts) == 1 and word[0] in "od" and len(parts[0]) > 3:
                if word[0] == "d" and self.kind(parts[0]) == "w":
                    return "w"  # "bilan d'extension"
                return "n"  # O'Brien, D'Angelo
            kinds = [self.kind(part) if english else self.foreign_kind(part) for part in parts]
            if not kinds:
                return "w"
            if "w" in kinds or len(kinds) > 3:
                return "w"
            return "n" if "n" in kinds else ("b" if "b" in kinds and "u" not in kinds else "u")
        if word in self.both:
            return "b"
        if word in self._names:
            return "w" if word in self.words else "n"
        if len(word) < 2 or word in self.words:
            return "w"
        listed = self._listed(word) if english else "n" if self.fame(word) == 3 else "u"
        if listed in "bn":
            return listed
        if listed == "w" or any(s in self.words for s in _stems(word)):
            return "w"
        if len(word) > 5 and CLINICAL.search(word):
            return "w"
        if word.endswith("s") and word[:-1] in self._names and len(word) > 4:
            return "n"  # "Smiths"
        return "u"

    def _listed(self, word: str) -> str:
        """What the long lists say of a word: ``n``, ``b``, ``w``, or ``u`` nothing."""
        group = self.long["words"].group(word)
        if group is not None:
            return "wbw"[group]
        if word in self.long["surnames"] or word in self.long["given"]:
            return "n"
        return "u"

    def likeness(self, word: str) -> float:
        """Log odds that the letters of an unknown word are a name's rather than a word's."""
        found = self._scores.get(word)
        if found is None:
            if len(self._scores) > 100_000:
                self._scores.clear()
            odds, unseen = self._odds
            found = self._scores[word] = sum(odds.get(gram, unseen) for gram in _grams(word))
        return found

    @property
    def _odds(self) -> tuple[dict[str, float], float]:
        if not hasattr(self, "_trained"):
            self._trained = _log_odds(self._names, self.words - self._names)
        return self._trained


def _grams(word: str) -> list[str]:
    framed = f"^{word}$"
    return [framed[i : i + 3] for i in range(len(framed) - 2)]


def _log_odds(names: Iterable[str], words: Iterable[str]) -> tuple[dict[str, float], float]:
    """Naive Bayes over three letters at a time, smoothed by adding; and that of unseen ones."""
    smooth, kinds = 0.4, 9000
    of_names = Counter(gram for name in names for gram in _grams(name))
    of_words = Counter(gram for word in words for gram in _grams(word))
    base_names = math.log(of_names.total() + smooth * kinds)
    base_words = math.log(of_words.total() + smooth * kinds)
    odds = {
        gram: math.log(of_names[gram] + smooth) - base_names
        - math.log(of_words[gram] + smooth) + base_words
        for gram in sorted(of_names.keys() | of_words.keys())
    }  # fmt: skip
    return odds, base_words - base_names


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The shipped lists, read once."""
    names = read_yaml(shipped("scrubbing", "names.yaml"))
    words = read_yaml(shipped("scrubbing", "words.yaml"))
    medicine = read_yaml(shipped("scrubbing", "medicine.yaml"))
    more = {kind: plain_list(f"medicine_{kind}") for kind in _MEDICINE}
    products = [*medicine["products"].split(), *more["drugs"], *more["devices"]]
    short = [*medicine["short"].split(), *more["short"]]
    return Lexicon(
        fold(names["given"]).split(),
        fold(names["surnames"]).split(),
        [*words["words"].split(), *products, *medicine["latin"].split(), *short],
        words["both"].split(),
        names["places"].split(),
        [*words["eponyms"].split(), *medicine["eponyms"].split(), *more["eponyms"]],
        [*medicine["classes"].split(), *more["classes"]],
        products,
    )
