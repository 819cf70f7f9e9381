# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""A text from a bad print or OCR as it was meant, letter for letter where it stood.

``TH0MAS K1RKBR1DE``, ``077OO 900 288``, ``12 . 5 . 1 9 4 9``, a name broken by a hyphen at a line's
end: such signs are mended before any rule looks, in a reading of the very same length, so that spans
are those of the text itself. What is joined from parts is pushed to the left and filled up with
blanks; a hit within it covers the whole of it. Only what shows the mixing is touched: a digit between
letters that makes a word of them, a letter between digits of a clock, date or phone; and more (``l62``)
where two such places show a bad print. Any other text stays the same object.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from voxcurate.scrubbing.clinical_forms import GENES, TOKENS
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.months import TITLED
from voxcurate.scrubbing.vocabulary import fold, lexicon

_LETTER_OF = {"0": "o", "1": "li", "5": "s", "8": "b"}
_DIGITS = str.maketrans("OoIl|", "00111")
_WORD = re.compile(
    r"(?<![\w./+-])(?=[^\W\d_]*[0158])(?=[\d]*[^\W\d_])[^\W_]{4,24}(?![\w/+]|[.,:]\d|-\d)"
)
# a letter between digits, or at the edge of a part of a clock, a date, a phone number
_BETWEEN = re.compile(r"(?<![\w.])(?=[\dOIl]*\d[OIl]+\d)[\dOIl]{3,}(?![\w]|[.,]\d)")
_CLOCK = re.compile(r"(?<![\w:.])(?:[01OIl2]?[\dOIl])[:][0-5O][\dOIl](?![\w:])")
_DATE = re.compile(
    rf"(?<![\w/.-])[\dOIl]{{1,2}}([/.-])[\dOIl]{{1,2}}\1[\dOIl]{{2,4}}(?![\w/-])|(?<!\w)[0O]?[\dOIl][ -](?=(?:{TITLED}|(?i:{TITLED}))[ ,-])"
)
_PHONE = re.compile(
    r"(?<![\w./-])[+(]?(?=(?:\W?[OIl]?\d){5})[\dOIl]{3,6}(?:\)?[ -][\dOIl]{3,6}){1,4}(?![\w]|[.,]\d)"
)
_WEAK = re.compile(
    r"(?<![\w.])(?:[Il](?=\d)[\dOIl]*|(?=[\dOIl]*\d)[\dOIl]{2,}|[A-Z]{1,2}\d?O[ ]\d[A-Z]{2})(?:[.,][\dOIl]+)?(?![\w])"
)
_BROKEN = re.compile(r"([^\W\d_]{2,})-([ \t]*\n[ \t]*)([^\W\d_]{2,})")
_SPACED_WORD = re.compile(r"(?<![^\W_] )(?<!\w)[^\W\d_](?:[ ][^\W\d_]){3,}(?!\w|[ ][^\W\d_](?!\w))")
_SPACED_DATE = re.compile(
    r"(?<![\w.,/:-])(?<!\d[ ])(?:(?:\d[ ]\d|\d{1,2})[ ]?(?P<s>[./])[ ]?(?:\d[ ]\d|\d{1,2})[ ]?(?P=s)[ ]?\d(?:[ ]\d){3}"
    r"|\d{1,2}[ ](?P<t>[./])[ ]\d{1,2}[ ](?P=t)[ ](?:19|20)\d\d)(?![\w:]|[.,/]\d|[ ]\d)"
)
_SPACED_NUMBER = re.compile(
    r"(?i:\b(?:no|nhs|mrn|number|nr|id|tel|phone|fax|dob|hosp|ssn|acc)\W{0,4})(?P<x>\d(?:[ ]\d){5,15})(?!\w|[ ]\d)"
)
_SPELLED = re.compile(
    r"(?i:\b(?:spelled|spelt|spelling|buchstabiert)\W{1,3})(?P<x>[^\W\d_](?:[ .,-]{1,2}[^\W\d_]){2,})(?!\w)"
)
_LABEL = re.compile(r"(?i)(?<!\w)(?P<x>d o b|m r n|n h s|t e l|f a x)(?!\w)")
_BAD_PRINT = 2  # places that show the mixing, from which on lone letters are mended too


class Mended(NamedTuple):
    """A reading of a text, of the same length, and the zones whose letters were moved in it."""

    text: str
    zones: tuple[tuple[int, int], ...] = ()

    def widened(self, hits: Iterable[Hit]) -> Iterator[Hit]:
        """The hits; one that touches a zone covers the whole of it."""
        for hit in hits:
            start, end = hit.start, hit.end
            for first, last in self.zones:
                if first < end and start < last:
                    start, end = min(start, first), max(end, last)
            yield hit._replace(start=start, end=end)


def mended(text: str) -> Mended:
    """The text as a person would read it; the same object where nothing is mixed or broken."""
    changes = [*_words(text), *_numbers(text)]
    if len(changes) >= _BAD_PRINT:
        changes += [(m.start(), _in_digits(m.group())) for m in _WEAK.finditer(text)]
        changes += _words(text, bad=True)
    plain = _with(text, changes) if changes else text
    moved = [*_joined(plain), *_unspaced(plain)]  # "Font-\nenot" after "F0ntenot"
    if not changes and not moved:
        return Mended(text)
    plain = _with(plain, moved)
    return Mended(plain, tuple((start, start + len(value)) for start, value in moved))


def _with(text: str, changes: Iterable[tuple[int, str]]) -> str:
    chars = list(text)
    for start, value in changes:
        chars[start : start + len(value)] = value
    return "".join(chars)


def _words(text: str, *, bad: bool = False) -> Iterator[tuple[int, str]]:
    """Words with a digit for a letter: those that mending makes a known word; any in a bad print."""
    for match in _WORD.finditer(text):
        word = match.group()
        if fold(word) in GENES or any(one.fullmatch(word) for one in TOKENS):
            continue
        value = _in_letters(word, bad=bad)
        if value and value != word:
            yield match.start(), value


def _in_letters(word: str, *, bad: bool) -> str:
    letters = sum(map(str.isalpha, word))
    digits = [c for c in word if c.isdigit()]
    if any(c not in _LETTER_OF for c in digits) or letters < 3 or letters < 2 * len(digits):
        return ""
    core = word.strip("0158")
    if core.isalpha() and lexicon().kind(fold(core)) != "u":
        return ""  # "pain1", "week5"
    if core.isalpha() and not bad and (core.isupper() or len(core) < 4):
        return ""  # a code: "ABCD1"
    large = word.isupper() or word[:2].isupper()
    best = ""
    for choice in product(*(_LETTER_OF.get(c, c) if c.isdigit() else c for c in word)):
        made = "".join(
            c.upper() if old.isdigit() and large else c for c, old in zip(choice, word, strict=True)
        )
        if word[0].isdigit():
            made = made[0].upper() + made[1:]
        if lexicon().kind(fold(made)) != "u":
            return made
        best = best or made
    return best if bad and re.search(r"\d", core) else ""


def _in_digits(number: str) -> str:
    if number[-1:].isalpha() and number[-1] not in "OIl":  # a postcode
        return number.replace("O", "0")
    return number.translate(_DIGITS)


def _numbers(text: str) -> Iterator[tuple[int, str]]:
    """Numbers with a letter for a digit, where a clock, date or phone tells that it is one."""
    for one in (_BETWEEN, _CLOCK, _DATE, _PHONE):
        for match in one.finditer(text):
            value = match.group()
            if re.search(r"[OIl]", value) and re.search(r"\d", value):
                yield match.start(), _in_digits(value)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Words broken by a hyphen at a line's end, that are one word or name together."""
    for match in _BROKEN.finditer(text):
        head, gap, tail = match.groups()
        known = lexicon()
        whole = known.kind(fold(head + tail))
        parts = {known.kind(fold(head)), known.kind(fold(tail))}
        if tail[0].islower():
            if parts == {"w"} or (whole == "u" and "u" not in parts):
                continue  # "follow-" and "up"
            yield match.start(), head + tail + gap.replace("\n", " ") + " "
        elif head.isupper() == tail.isupper() and parts & {"n", "u"} and "w" not in parts:
            yield match.start(), f"{head}-{tail}{gap}".replace("\n", " ")


def _unspaced(text: str) -> Iterator[tuple[int, str]]:
    """Letters and digits that stand one by one."""
    for match in _SPACED_WORD.finditer(text):
        word = match.group().replace(" ", "")
        if lexicon().kind(fold(word)) != "u" and len(set(word)) > 2:
            yield match.start(), word.ljust(len(match.group()))
    for one in (_SPACED_NUMBER, _SPELLED, _LABEL):
        for match in one.finditer(text):
            found = match["x"]
            value = re.sub(r"[ .,-]", "", found)
            if one is _SPELLED:
                value = value.capitalize() if not value.isupper() else value
            yield match.start("x"), value.ljust(len(found))
    for match in _SPACED_DATE.finditer(text):
        found = match.group()
        if " " in found:
            yield match.start(), found.replace(" ", "").ljust(len(found))
