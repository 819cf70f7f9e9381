# ruff: noqa: E501 -- expressions read best in one piece
"""Where the names of known people stand in a text, in whatever form."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.medical import MEDICAL_NOUN
from voxcurate.scrubbing.name_words import PERSON_VERBS, SHORT_FORMS
from voxcurate.scrubbing.vocabulary import fold, lexicon

_TITLES = (
    "md do phd mr mrs ms miss dr drs prof jr sr ii iii iv von van de der den la le del da di rn np pa herr frau mevrouw mme "
    "monsieur madame doctor professor"
)
_SUFFIXES = frozenset(_TITLES.split())
_PARTICLES = frozenset(("van", "von", "de", "der", "den", "la", "le", "del", "da", "di", "do"))
_LEFT = re.compile(
    r"(?<![\w'’.])(?:[A-Z]\.\s?){0,3}(?:(?:van|von|vom|zu|de|der|den|del|della|di|da|la|le|al|el|ten|ter)[\s-]){1,3}$",
    re.IGNORECASE,
)
_RIGHT = re.compile(r",?\s(?:[A-Z]\.?(?![\w'’])|(?:[A-Z]\.[ ]?){1,3}(?![\w'’]))")
_TITLE = re.compile(
    r"(?:(?:dr|mr|mrs|ms|miss|prof|professor|doctor|patient|pt|herr|frau|mw|dhr|mevrouw|mme|baby\s(?:girl|boy)|rec['’]?d|"
    r"mom|dad|mother|father|wife|husband|son|daughter|sister|brother|dtr|friend|re:|name:|named|nurse|rn|md|per|by|informed|paged|told)\.?|/s/)\s+$"
)
_AGED = re.compile(r",?\s(?:[a-z]\.?\s)?\d{1,3}\s?(?:yo\b|y/o|[mf]\b|yr|year)")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿가-힯]+")  # Chinese, Japanese, Korean
_SPELLED = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ss", "ß"))
_SPELLED_OUT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "æ": "ae", "å": "aa"}
)


def name_parts(name: str) -> tuple[str, ...]:
    """Parts of a name, folded, without titles, particles and bare initials: ``("doe", "john")``."""
    folded = fold(name).replace("’", "'")
    words = [word for piece in _WORD.findall(folded) for word in _split_hyphen(piece)]
    words = [word for word in dict.fromkeys(words) if len(word) > 1]
    solid = [word for word in words if word not in _SUFFIXES]
    if len(solid) < 2 <= len(words):  # "Le^An": what looks like a particle is the surname
        return tuple(word for word in words if word not in _SUFFIXES - _PARTICLES)
    return tuple(solid)


def is_ordinary(part: str) -> bool:
    """Whether a part of a name is also a word of reports."""
    return lexicon().kind(part) in "wb"


def _split_hyphen(word: str) -> list[str]:
    pieces = [piece for piece in re.split(r"[-’']", word) if len(piece) > 1]
    joined = [re.sub(r"[-’']", "", word)] if re.search(r"[-’']", word) else []
    return [word, *joined, *pieces] if len(pieces) > 1 or joined else [word]


class _Known(NamedTuple):
    """What is looked for: parts, joined parts, initials, long parts that may be misspelt."""

    parts: frozenset[str]
    joined: frozenset[str]
    initials: frozenset[str]
    long: frozenset[str]
    unspaced: tuple[str, ...]


@lru_cache(maxsize=256)
def _known(names: tuple[str, ...]) -> _Known:
    parts: set[str] = set()
    joined: set[str] = set()
    initials: set[str] = set()
    unspaced: set[str] = set()
    for name in names:
        own = name_parts(name)
        parts.update(own)
        spelled = [
            name.lower().translate(_SPELLED_OUT),
            *(fold(name).replace(a, b) for a, b in _SPELLED),
        ]
        parts.update(part for variant in spelled for part in name_parts(variant) if len(part) > 2)
        for run in re.split(r"[=^\s]", name):
            unspaced.update(_UNSPACED.findall(run))
        whole = "".join(_UNSPACED.findall(name.split("=")[0]))
        unspaced.update([whole] if whole else [])
        words = [fold(piece) for piece in _WORD.findall(name)]
        words = [x for x in words if x not in _SUFFIXES and not _UNSPACED.search(x)]
        if 2 <= len(words) <= 4:
            first_last = (
                [words, words[1:] + words[:1]]
                if re.search(r"[,^]", name)
                else [words, [*words[-1:], *words[:-1]]]
            )
            for order in first_last:
                initials.add("".join(x[0] for x in order))
                initials.update((order[0][0] + order[-1][0], order[0][0] + order[1][0]))
            solid = [x.replace("-", "").replace("'", "") for x in words if len(x) > 1]
            for a in solid:
                for b in solid:
                    if a != b:
                        joined.update(x for x in (a + b, a[0] + b, b + a[0]) if len(x) > 4)
    unspaced = {x for x in unspaced if len(x) > 1}
    joined = {x for x in joined if lexicon().kind(x) == "u"}
    long = frozenset(p for p in parts if len(p) >= 6 and p.isalpha() and not is_ordinary(p))
    initials = {x for x in initials if x.isascii() and len(x) > 1}
    return _Known(
        frozenset(parts),
        frozenset(joined),
        frozenset(initials),
        long,
        tuple(sorted(unspaced, key=len, reverse=True)),
    )


@lru_cache(maxsize=512)
def _chain(parts: frozenset[str], embedded: bool) -> re.Pattern[str]:
    """Known parts of names in a row, with initials and what may stand between."""
    before, after = (r"(?<![^\W\d_])", r"(?![^\W\d_])") if embedded else (r"(?<!\w)", r"(?!\w)")
    known = "|".join(sorted(map(re.escape, parts), key=len, reverse=True))
    # "j. doe", "doe, j. a.", "doe^john": initials and separators between known parts
    gap = r"(?:\s*,\s*|[\s._^=]+|-)"
    particle = r"(?:(?:van|von|de|der|den|del|della|di|da|la|le|al|el|ten|ter|zu|bin)[\s-]+){0,2}"
    return re.compile(
        rf"{before}(?:(?<![\w'’])[a-z]\.?\s+){{0,2}}(?:{known})"
        rf"(?:{gap}{particle}(?:[a-z]\.?{gap})?(?:{known})(?!\w))*"
        rf"(?:,?\s+[a-z]\.(?=\W|$))?{after}"
    )


def find_names(text: str, names: Iterable[str], *, embedded: bool = False) -> Iterator[Hit]:
    """Parts of the names as whole words; neighbouring initials and known parts join into one hit.

    A part of up to two letters, an ordinary word or an eponym counts only where it stands like a
    name: capitalised beside another part, an initial or a title. An eponym before a medical noun
    ("Hodgkin lymphoma") is kept unless a title or another part stands before it. A part of six
    letters or more is also found with one letter wrong, missing, added or swapped with the next,
    unless that makes another word or another name: those hits are doubtful. So are initials.

    Args:
        text: the text.
        names: names in any form.
        embedded: treat digits and underscores as word ends too, as in file names.
    """
    known = _known(tuple(names))
    if not known.parts and not known.unspaced:
        return
    folded = fold(text).replace("’", "'")
    for run in known.unspaced:
        yield from (Hit("NAME", *m.span()) for m in re.finditer(re.escape(run), text))
    if known.parts and any(part in folded for part in known.parts):
        yield from _parts(text, folded, known.parts, embedded)
    if not embedded:
        yield from _variants(text, folded, known)


def _parts(text: str, folded: str, parts: frozenset[str], embedded: bool) -> Iterator[Hit]:
    for match in _chain(parts, embedded).finditer(folded):
        start, end = match.span()
        words = _WORD.findall(match.group())
        if len(words) == 2 and re.match(r"[a-z]\s", text[start:]):  # an article: "a young man"
            words = words[1:]
            start = folded.index(words[0], start + 1)
        hits = [w for w in words if w in parts or any(p in parts for p in re.split(r"[-’']", w))]
        lone = len({*hits}) == 1 and len(words) == 1
        titled = _TITLE.search(folded[max(0, start - 14) : start]) is not None
        if not lone or titled:
            yield _widened(text, start, end)
            continue
        part = hits[0]
        if len(part) > 2 and _AGED.match(folded, end):
            yield _widened(text, start, end)
            continue
        if part in lexicon().eponyms and MEDICAL_NOUN.match(folded, start + len(part)):
            continue
        if len(part) > 2 and not is_ordinary(part):
            yield _widened(text, start, end)
        elif text[start].isupper() and _stands_like_a_name(text, start, start + len(part)):
            yield _widened(text, start, end)._replace(sure=len(part) <= 2)


def _widened(text: str, start: int, end: int) -> Hit:
    """A name with the initials and particles before it, and an initial after it."""
    left = _LEFT.search(text, max(0, start - 30), start)
    right = _RIGHT.match(text, end)
    return Hit("NAME", left.start() if left else start, right.end() if right else end)


def _stands_like_a_name(text: str, start: int, end: int) -> bool:
    """Whether an ordinary word is used as a name: capitalised inside a sentence, or doing things."""
    if MEDICAL_NOUN.match(text, end):
        return False
    if re.match(
        r"['’]s?\s(?:wife|husband|daughter|son|mother|father|family|room|care|chart)", text[end:]
    ):
        return True
    if re.match(r",\s[A-Z]\.?(?![\w'’])", text[end:]):
        return True
    follow = re.match(r"\s+([a-z]+)(?:\s+([a-z]+))?", text[end:].lower())
    acts = follow is not None and follow.group(1) in PERSON_VERBS
    if not text[start:end].istitle():
        return acts and end - start > 2
    return acts or re.search(r"[\w,]\s+$", text[:start]) is not None


def _variants(text: str, folded: str, known: _Known) -> Iterator[Hit]:
    """Joined forms ("jdoe"), misspelled long parts, and initials where initials stand."""
    kind = lexicon().kind
    for match in _WORD.finditer(folded):
        word = match.group()
        if word in known.joined:
            yield Hit("NAME", *match.span())
        elif (
            known.long
            and len(word) >= 5
            and word not in known.parts
            and kind(word) in "un"
            and any(is_one_slip(word, part) for part in known.long)
        ):
            yield Hit("NAME", *match.span(), sure=False)
    for one in known.initials:
        letters = one.upper()
        dotted = r"\.[ ]?".join(letters) + r"\.?(?!\w)"
        yield from (
            Hit("NAME", *m.span(), sure=False)
            for m in re.finditer(rf"(?<![\w.]){dotted}", text)
            if "." in m.group()
        )
        if len(letters) > 1 and one not in SHORT_FORMS:
            bare = rf"(?:\b(?:initials|pt|patient|mr|mrs|ms|dr|by|signed)\b[.:]?\s*|[(/]|^)(?P<x>{letters})(?=[)/:]|\s*$|\s*\n|[.,]?\s)(?![\w-])"
            for m in re.finditer(bare, text, re.MULTILINE):
                if (
                    not m.group()[0].isupper()
                    or m.group("x") != m.group()
                    or m.end() == len(text)
                    or text[m.end()] in "/:\n"
                ):
                    yield Hit("NAME", *m.span("x"), sure=False)


def is_one_slip(word: str, other: str) -> bool:
    """Whether one letter changed, left out, put in, or swapped with its neighbour parts the two."""
    if word == other:
        return False
    if len(word) == len(other):
        wrong = [i for i in range(len(word)) if word[i] != other[i]]
        if len(wrong) == 1:
            return wrong[0] > 0 or len(word) > 6
        return (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and word[wrong[0]] == other[wrong[1]]
            and word[wrong[1]] == other[wrong[0]]
        )
    short, long = sorted((word, other), key=len)
    if len(long) - len(short) != 1:
        return False
    i = next((k for k in range(len(short)) if short[k] != long[k]), len(short))
    return short[i:] == long[i + 1 :]
