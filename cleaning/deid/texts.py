"""Texts of a header without what identifies: known identifiers out, patterns out, and of the rest
the words that are known to be harmless."""

import re
from collections.abc import Iterable, Iterator

from cleaning.deid.words import CAMEL, defined_terms, header_words, is_harmless, is_name
from voxcurate.identifiers import Hit, Identifiers, find_known
from voxcurate.scrub import Scrubber

_PIECE = re.compile(r"[^\W_]+(?:[.,]\d+)*")  # letters and digits in a row, decimals whole
_DECIMAL = re.compile(r"\d{1,3}(?:[.,]\d{1,3})?")
_MIXED = re.compile(
    r"[A-Za-z]{0,3}\d{1,2}[A-Za-z]{0,2}|\d{1,3}[A-Za-z]{1,3}|b\d{2,4}|B\d{1,2}[05]0|"
    r"\d{1,4}x\d{1,4}(?:x\d{1,4})?|[vV]\d{1,3}(?:\.\d{1,4})?"
)
# digits with signs between them as in dates and telephone numbers: "12/03/1987", "555-1234"
_NUMBERS = re.compile(r"\d+(?:\s?[-/.:()]\s?\d+){2,}|\d{2,}-\d{2,}|\+\d[\d\s().-]*")
_LETTERS = frozenset("acloprtwx")  # "C+", "L hand", "T spine", "w/o"; other letters may be initials
_LABELS = frozenset({"id", "mrs", "dr", "ms", "pt", "nr", "mrn"})  # of what was taken out
_SIGNS = re.compile(r"[^\w\s]+|_+")
_TWICE = re.compile(r"([-_/,.])[-_/,.]+")
_SPACE = re.compile(r"[ \t]+")
_LABEL = re.compile(r"[^\W\d_]+(?:_[^\W_]+)+")
_SHORT = re.compile(r"\d{1,4}")  # of a coded string: "1500" is a template
_UNIT = re.compile(r"(?:[A-Za-z%\[\]{}/.*'^-]|\d{1,3}(?!\d)){1,24}")
CODE = re.compile(r"[A-Za-z]{0,4}[-_]?[A-Z]?\d[\d.\-A-Z]{0,14}|\d{5,18}|[A-Z0-9]{2,6}")


class TextCleaner:
    """Cleans the texts of one patient's files.

    Args:
        known: what the headers tell about the patient.
        keep_words: keep words that are not in the list of harmless ones.
        max_text: longer texts are dropped.
    """

    def __init__(
        self, known: Identifiers, *, keep_words: bool = False, max_text: int = 2000
    ) -> None:
        self._known = known
        self._scrubber = Scrubber()
        self._keep_words = keep_words
        self._max_text = max_text
        self._parts = frozenset(_parts(known))

    def description(self, text: str) -> str:
        """A text for people: without known identifiers, patterns, long numbers and unknown words.

        A text of which no word is left becomes empty.
        """
        if not text.strip() or len(text) > self._max_text:
            return ""
        found = self._scrubber.scrub(text, self._known).replacements
        left = _without(
            text, (hit for hit in self._unless_kept(text, found) if not _is_label(text, hit))
        )
        left = _NUMBERS.sub(" ", left)
        pieces: list[str] = []
        last = 0
        for match in _PIECE.finditer(left):
            pieces += [left[last : match.start()], self._kept(match.group())]
            last = match.end()
        cleaned = "".join([*pieces, left[last:]])
        is_whole = cleaned == text and re.search(r"[^\W_]", text)
        return " ".join(text.split()) if is_whole else _tidy(cleaned)

    def _unless_kept(self, text: str, found: Iterable[Hit]) -> Iterator[Hit]:
        """What goes: all that was found; where words stay, none that is only doubtful."""
        known = list(find_known(text, self._known)) if self._keep_words else []
        for hit in found:
            told = any(one.start < hit.end and hit.start < one.end for one in known)
            if not self._keep_words or hit.kind != "NAME" or hit.sure or told:
                yield hit

    def term(self, text: str) -> str:
        """A coded string (CS): its harmless words."""
        return _SPACE.sub(
            " ", " ".join(filter(None, (self._kept_term(one) for one in text.split(" "))))
        )

    def fact(self, text: str, *, is_make: bool = False) -> str:
        """A fact of the device: whole, or nothing where an identifier may be in it.

        Args:
            text: the fact.
            is_make: manufacturer or model, whose names are in no list of words.
        """
        if len(text) > 64 or re.search(r"[@^]|\d{6}", text):
            return ""
        words = re.findall(r"[^\W\d_]{4,}", text)
        if any(map(is_name, words) if is_make else (not is_harmless(w) for w in words)):
            return ""
        found = self._scrubber.scrub(text, self._known).replacements
        telling = (h for h in found if h.kind != "INSTITUTION" and not _is_label(text, h))
        if any(telling) or self._names(text):
            return ""
        return text

    def code(self, text: str, *, is_public: bool) -> str:
        """A code value: of a public scheme if it looks like one, else only if it is harmless."""
        if self._names(text) or "".join(_PIECE.findall(text)).casefold() in self._parts:
            return ""
        if is_public and (CODE.fullmatch(text) or self._is_unit(text)):
            return text
        return self.description(text)

    def _is_unit(self, text: str) -> bool:
        """Whether a code may be a unit of UCUM: "{SUVbw}g/ml"."""
        words = re.findall(r"[^\W\d_]{4,}", text)
        return _UNIT.fullmatch(text) is not None and all(map(self._harmless, words))

    def is_known(self, text: str) -> bool:
        """Whether a value is one of the patient's ids."""
        return len(text) > 5 and text.strip().casefold() in self._parts

    def _kept(self, piece: str) -> str:
        low = piece.casefold()
        if low in self._parts:
            return ""
        if piece.isalpha():
            return piece if self._harmless(piece) else ""
        words = re.findall(r"[^\W\d_]+", piece)
        if any(word.casefold() in self._parts for word in words):
            return ""
        if _DECIMAL.fullmatch(piece) or _MIXED.fullmatch(piece):
            return piece
        numbers = re.findall(r"\d+", piece)
        short = all(len(n) < 4 for n in numbers) and sum(map(len, numbers)) < 5
        return piece if short and words and all(map(self._harmless, words)) else ""

    def _kept_term(self, term: str) -> str:
        pieces = [piece for piece in _PIECE.findall(term) if len(piece) > 1 or term != piece]
        plain = header_words()  # "CT" stays the modality of a patient called "CT^PHANTOM"
        terms = defined_terms() - self._parts
        if term.casefold() in terms and not self._names(term):
            return term
        listed = plain | terms
        known = (
            p.casefold() in listed
            or self._kept(p)
            or (_SHORT.fullmatch(p) and p not in self._parts)
            for p in pieces
        )
        return term if all(known) else ""

    def _harmless(self, word: str) -> bool:
        low = word.casefold()
        if low in self._parts or low in _LABELS:
            return False
        if len(word) == 1:
            return low in _LETTERS
        if self._keep_words:
            return True
        parts = CAMEL.findall(word)
        return is_harmless(word) and not any(part.casefold() in self._parts for part in parts)

    def _names(self, text: str) -> bool:
        return any(piece.casefold() in self._parts for piece in _PIECE.findall(text))


def _parts(known: Identifiers) -> Iterator[str]:
    """Words that are gone wherever they stand: parts of names, and ids."""
    for name in (*known.names, *known.physicians):
        for part in re.findall(r"[^\W\d_]+", name):
            if len(part) > 1:
                yield part.casefold()
    for one in (*known.ids, *known.accessions):
        yield from (one.strip().casefold(), "".join(_PIECE.findall(one)).casefold())
        yield from (p.casefold() for p in _PIECE.findall(one) if len(p) > 2)


def _is_label(text: str, hit: Hit) -> bool:
    """Whether a hit is a label like "GTV_1", or a part of one like "Br" of a kernel "Br38f": what
    of it stays is decided word by word."""
    around = text[max(0, hit.start - 1) : hit.start], text[hit.end : hit.end + 1]
    if not hit.sure and any(map(str.isdigit, around)):
        return True
    return hit.kind == "OTHER" and _LABEL.fullmatch(text[hit.start : hit.end]) is not None


def _without(text: str, hits: Iterable[Hit]) -> str:
    pieces, last = [], 0
    for hit in hits:
        pieces += [text[last : hit.start], " "]
        last = hit.end
    return "".join([*pieces, text[last:]])


def _tidy(text: str) -> str:
    """One space between words; signs that stand alone, and a text without words, go."""
    words = [w for w in text.split() if not _SIGNS.fullmatch(w) or w == "+"]
    left = _TWICE.sub(r"\1", " ".join(words)).strip(" ,;:-_/\\^=")
    for opening, closing in ("()", "[]"):
        if left.count(opening) != left.count(closing) or not left.strip("()[]"):
            left = left.strip(f"{opening}{closing} ")
    return left if re.search(r"[^\W_]", left) else ""
