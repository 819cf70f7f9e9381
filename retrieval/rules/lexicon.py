"""Words of reports in one spelling, so that a phrase is found however it was written.

British and American spelling, plurals, hyphens and, in long words, one wrong letter make no
difference. Every word a phrase may hold is known beforehand (the vocabulary); all other words are
"" to whoever looks for phrases.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, compress
from operator import sub

from voxcurate.config import read_yaml, shipped

_WORD = r"[a-z]++(?![^\W_])|\d++(?:[.,]\d++)++|[^\W_]++|[^\w\s]|_"  # plain words are tried first
_TOKEN = re.compile(_WORD)
_PIECE = re.compile(rf"\s*+(?:{_WORD})")  # cuts a text without a rest, but for its end
_HYPHEN, _MAY_JOIN = "-", " "  # in the place of a word
_HYPHENS = frozenset("-'’‐‑")
_DOUBLE = re.compile(r"(.)\1")
_SHORTEST_MISSPELT = 6  # letters: shorter words have too many neighbours
_SHORT = 7  # letters: words below it have too many neighbours by another letter
_LONG = 9  # letters: a word that long is known without its end
_LONGEST_MISSPELT = 30
_MOST_WORDS = 100_000  # known spellings kept at once; bounds the memory
_RE_ENDINGS = ("centre", "fibre", "calibre", "metre", "litre")


@dataclass(slots=True)
class Tokens:
    """Words and signs of a text: `words` as the vocabulary spells them, "" for any other word.

    ``text[starts[i]:ends[i]]`` is the i-th. Signs (commas, brackets) stand for themselves.
    """

    words: list[str]
    starts: list[int]
    ends: list[int]


def lower(text: str) -> str:
    """In small letters, character by character, so that places stay where they are."""
    found = text.lower()
    if len(found) == len(text):
        return found
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


@cache
def _words(kind: str) -> dict[str, str]:
    found: dict[str, str] = read_yaml(shipped("reading", "text.yaml"))[kind]
    return found


def american(word: str) -> str:
    """The American spelling: oedema, haemangioma, tumour, calibre, characterised, dilatation.

    It is applied to phrases and text alike; what it does to other words ("aerated") does no harm.
    """
    if len(word) < 5:
        return word
    if word.endswith("ae"):  # sequelae: the plural of sequela
        word = word[:-1]
    word = word.replace("oe", "e").replace("ae", "e")
    if len(word) >= 6:
        word = word.replace("our", "or").replace("dilatat", "dilat").replace("artef", "artif")
        word = word.replace("isation", "ization").replace("ise", "ize").replace("ising", "izing")
    for ending in _RE_ENDINGS:
        if word.startswith(ending):
            word = ending[:-2] + "er" + word[len(ending) :]
    return word


def singular(word: str) -> str:
    """Without the ending of the plural, Latin and Greek ones by a list."""
    if len(word) <= 3 or word[-1] not in "sai":
        return _words("plurals").get(word, word)
    known = _words("plurals").get(word)
    if known is not None:
        return known
    if word.endswith("mata") and len(word) > 6:  # granulomata
        return word[:-2]
    if not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


class Lexicon:
    """The vocabulary of some phrases, and texts in its spelling.

    "metastas*" in a phrase stands for every word with that beginning.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._joints = frozenset(_words("joints"))
        self.vocabulary: set[str] = set()
        self.prefixes: tuple[str, ...] = ()
        prefixes = set()
        for phrase in phrases:
            words = [word for word, _, _ in _split(phrase.replace("*", "☆"))]
            for i, word in enumerate(words):
                if i + 1 < len(words) and words[i + 1] == "☆":
                    prefixes.add(american(word))
                elif word != "☆":
                    self.vocabulary.add(singular(american(word)))
                    if i and words[i - 1] in self._joints:
                        self.vocabulary.add(singular(american(words[i - 1] + word)))
        self.prefixes = tuple(sorted(prefixes, key=len, reverse=True))
        self._known: dict[str, str] = {}
        self._pieces = _Pieces(self)
        self._by_start: dict[str, tuple[str, ...]] = {}
        for prefix in self.prefixes:
            self._by_start[prefix[:3]] = (*self._by_start.get(prefix[:3], ()), prefix)
        self._neighbours: dict[str, str] | None = None
        self._plain = frozenset(_words("plain"))

    def spell(self, word: str) -> str:
        """One lower-case word in the vocabulary's spelling; "" if it is not in it."""
        found = self._known.get(word)
        if found is None:
            if len(self._known) > _MOST_WORDS:
                self._known.clear()
            found = self._known[word] = self._learn(word)
        return found

    def _learn(self, word: str) -> str:
        plain = american(word)
        one = singular(plain)
        if one in self.vocabulary:
            return one
        prefix = next((p for p in self._by_start.get(plain[:3], ()) if plain.startswith(p)), "")
        if not word.isalnum():
            return prefix + "*" if prefix else word
        fixed = ""
        if (
            _SHORTEST_MISSPELT <= len(word) <= _LONGEST_MISSPELT
            and word not in self._plain
            and word.isalpha()
        ):
            fixed = self._misspelt(one) or (self._misspelt(plain) if one != plain else "")
            fixed = fixed or self._once(word)
        if prefix and not fixed.startswith(prefix):  # "diverticultis" is more than "diverticul*"
            return prefix + "*"
        return fixed

    def _once(self, word: str) -> str:
        """A word with a letter typed twice, also one of another spelling ("dilaatation")."""
        for double in _DOUBLE.finditer(word):
            one = singular(american(word[: double.start()] + word[double.start() + 1 :]))
            if one in self.vocabulary and len(one) >= _SHORTEST_MISSPELT:
                return one
        return ""

    def _misspelt(self, word: str) -> str:
        """The one long word of the vocabulary that differs in one letter, not the first or last.

        A short word counts with a letter too few or too many or two in the wrong order, not with
        another letter.
        """
        if self._neighbours is None:
            self._neighbours = _deletions(self.vocabulary)
        for variant in (word, *_without_one(word)):
            found = self._neighbours.get(variant)
            if found and abs(len(found) - len(word)) <= 1 and _ends_alike(found, word):
                is_other = len(found) == len(word) and sorted(found) != sorted(word)
                if len(word) >= _SHORT or (len(found) >= _SHORTEST_MISSPELT and not is_other):
                    return found
        return ""

    def tokens(self, text: str) -> Tokens:
        """Words and signs of a lower-case text; hyphens go, "gall bladder" is one word."""
        pieces = _PIECE.findall(text)
        words = list(map(self._pieces.__getitem__, pieces))
        if _MAY_JOIN in words:
            return self._joined(text)
        ends = list(accumulate(map(len, pieces)))
        starts = list(map(sub, ends, map(len, map(str.lstrip, pieces))))
        if _HYPHEN in words:
            kept = [word != _HYPHEN for word in words]
            words, starts, ends = (list(compress(each, kept)) for each in (words, starts, ends))
        return Tokens(words, starts, ends)

    def piece(self, word: str) -> str:
        """`spell` for the pieces of a text; what may join others or be parted is marked."""
        if word in self._joints or word == "s" or self._parted(word):
            return _MAY_JOIN
        return _HYPHEN if word in _HYPHENS else self.spell(word)

    def _parted(self, word: str) -> tuple[str, str, int] | None:
        """Two words written as one, and the length of the first ("postcholecystectomy")."""
        if not word.startswith(("post", "pre")) or self.spell(word):
            return None
        cut = 4 if word.startswith("post") else 3
        rest, begin = self.spell(word[cut:]), self.spell(word[:cut])
        return (begin, rest, cut) if rest and begin else None

    def _joined(self, text: str) -> Tokens:
        """`tokens` of a text with words that stand together or apart ("gall bladder")."""
        words: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        raw = ""
        for match in _TOKEN.finditer(text):
            word = match.group()
            if word in _HYPHENS:
                continue
            start, end = match.span()
            if raw in self._joints and word[0].isalpha():
                joined = self.spell(raw + word)
                if joined and (joined in self.vocabulary or joined[-1] == "*"):
                    words[-1], ends[-1], raw = joined, end, ""
                    continue
            if word == "s" and start and text[start - 1] in "'’":
                continue
            parted = self._parted(word)
            if parted:
                begin, rest, cut = parted
                words += (begin, rest)
                starts += (start, start + cut)
                ends += (start + cut, end)
                raw = ""
                continue
            words.append(self.spell(word))
            starts.append(start)
            ends.append(end)
            raw = word
        return Tokens(words, starts, ends)

    def phrase(self, phrase: str) -> tuple[str, ...]:
        """A phrase's words as `tokens` gives them; "metastas*" ends in "*"."""
        found: list[str] = []
        marked = self.tokens(lower(phrase).replace("*", ""))
        stars = [bool(re.match(r"\w*\*", phrase[start:])) for start in marked.starts]
        for i, (word, star) in enumerate(zip(marked.words, stars, strict=True)):
            raw = lower(phrase)[marked.starts[i] : marked.ends[i]]
            found.append(american(raw) + "*" if star else word or singular(american(raw)))
        return tuple(found)

    def alternatives(self, word: str) -> tuple[str, ...]:
        """What a phrase's word may be in `tokens`: of "metastas*" every word that begins so."""
        if not word.endswith("*"):
            return (word,)
        start = word[:-1]
        known = sorted(item for item in self.vocabulary if item.startswith(start))
        longer = (item + "*" for item in self.prefixes if item.startswith(start))
        return (*known, *longer)


class _Pieces(dict[str, str]):
    """Spellings of the words that texts are cut into, with the white space before them; learnt."""

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__()
        self._lexicon = lexicon

    def __missing__(self, piece: str) -> str:
        if len(self) > _MOST_WORDS:
            self.clear()
        self[piece] = found = self._lexicon.piece(piece.lstrip())
        return found


def _split(phrase: str) -> list[tuple[str, int, int]]:
    return [
        (m.group(), m.start(), m.end())
        for m in _TOKEN.finditer(lower(phrase))
        if m.group() not in "-'’"
    ]


def _ends_alike(one: str, other: str) -> bool:
    """The last two letters, of which one may be double ("absces"); the last of a long word."""
    if one[-2:] == other[-2:] or one == other + other[-1]:
        return True
    is_long = len(one) != len(other) and len(other) >= _LONG
    return one[-1] == other[-1] and (is_long or sorted(one) == sorted(other))


def _without_one(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(1, len(word) - 1)]


def _deletions(vocabulary: Iterable[str]) -> dict[str, str]:
    """Long words by themselves without one inner letter; what two words share stands for none."""
    found: dict[str, str] = {}
    for word in sorted(vocabulary):
        if len(word) >= _SHORTEST_MISSPELT - 1 and word.isalpha():  # without the plural's s
            for variant in {word, *_without_one(word)}:
                found[variant] = "" if found.get(variant, word) != word else word
    return found
