# ruff: noqa: E501 -- expressions read best in one piece
"""Where known numbers, dates and phrases stand in a text, in whatever spelling."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache

from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.name_words import SHORT_FORMS
from voxcurate.scrubbing.partial_dates import is_partial_date
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_list, word_set

_NO_ID = frozenset({"unknown", "none", "anonymous", "anon"})
_SEPARATORS = re.compile(r"[\s./_()‐-―-]")  # that may stand within an id
_GLUED = r"(?:mrn|pid|pat|id|acc|no|nr|uid|mr)?"
_LEAD = r"(?:\b(?:mrn|id|no|number|patient|acc|accession)[\s.:#]*)"
_LAST = r"(?:last\s+(?:4|four|5|five)(?:\s+digits)?(?:\s+of\s+\w+)?|(?:ends?|ending)\s+(?:in|with)|[x*•]{2,}[\s-]*|\.{3}\s?|…\s?|(?:mrn|id|acc(?:ession)?|ssn|#|no\.?|number)\s*[:#]?\s*[x*.…-]*)(?:\s+(?:is|are))?\s*[:#]?\s*"


def find_ids(text: str, ids: Iterable[str], *, kind: str, embedded: bool = False) -> Iterator[Hit]:
    """Known numbers with any case and leading zeros; from seven digits on with any separators.

    An id of fewer than four letters and digits would hit image numbers and sizes: it counts only
    after a word such as "MRN", "ID" or "No.". The last four or five digits of a longer one count
    after a label ("MRN ending in 4511", "***-4511"). Of an id of letters and five or more digits,
    the digits count alone too.
    """
    edge = ("", "") if embedded else (r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])")
    squeezed = _SEPARATORS.sub("", fold(text)).replace("ı", "i")
    for one in ids:
        core = re.sub(r"[^A-Za-z0-9]", "", one)
        core = core.lstrip("0") or core
        if not core or not any(char.isalnum() for char in core):
            continue
        if core.isalpha() and (core.lower() in _NO_ID or lexicon().kind(core.lower()) in "wb"):
            continue
        digits = re.sub(r"\D", "", core)
        if len(digits) >= 6 and digits[-4:] in squeezed:
            partial = re.compile(
                rf"{_LAST}(?P<id>{digits[-5:-4]}?{digits[-4:]}){edge[1]}", re.IGNORECASE
            )
            yield from (Hit(kind, *m.span("id")) for m in partial.finditer(text))
        cores = (
            {core, digits.lstrip("0")}
            if len(digits.lstrip("0")) >= 5 and re.fullmatch(r"[A-Za-z]+\d+", core)
            else {core}
        )
        pieces = [piece.lstrip("0") for piece in re.split(r"\D+", one)]
        cores |= {piece for piece in pieces if len(piece) >= 6}
        written = one.strip()
        if len(core) >= 4 and written != core:  # as it is written, strokes and all
            exact = re.compile(rf"(?<![\w.]){re.escape(written)}(?!\w|\.\d)", re.IGNORECASE)
            yield from (Hit(kind, *m.span()) for m in exact.finditer(text))
        if core.isdigit() and len(core) in (5, 6):
            groups = (core[:-4], core[-4:-2], core[-2:]), (core[:-3], core[-3:])
            for group in groups:
                body = r"[-.\s]".join(group)
                parted = re.compile(rf"(?<![\w.,/-])0*{body}(?![\w/-]|[.,]\d)")
                yield from (Hit(kind, *m.span()) for m in parted.finditer(text))
        for wanted in sorted(cores):
            if fold(wanted) in squeezed:
                yield from _spelled(text, wanted, kind, edge)


def _spelled(text: str, core: str, kind: str, edge: tuple[str, str]) -> Iterator[Hit]:
    # a short number with separators would be a size: "12.34 mm", "12-34"
    short = len(core) < 4
    loose = "" if core.isdigit() and len(core) < 7 else r"[\s./_()‐-―-]?"
    body = loose.join(map(re.escape, core))
    first = r"(?<![A-Za-z0-9])" if short else edge[0]
    last = r"(?![A-Za-z0-9])" if short else edge[1]
    if not loose:
        last += r"(?![.,]\d)"  # a decimal
    lead = _LEAD if short else (first + _GLUED if core.isdigit() else first)
    found = re.compile(rf"{lead}{first if short else ''}(?P<id>0*{body}){last}", re.IGNORECASE)
    yield from (Hit(kind, *match.span("id")) for match in found.finditer(text))


_MONTHS = (
    ("jan", "january|januar|jänner|janner|januári|január|januari|ianuarie|stycznia|ledna|ocak|tammikuuta|janvier|enero|gennaio"), ("feb", "february|februar|februari|február|februarie|lutego|února|unora|şubat|subat|helmikuuta|fevrier|février|febrero"),
    ("mar", "march|märz|maerz|marz|marts|marzo|março|marco|martie|marca|března|brezna|mart|március|marcius|maaliskuuta|maart|mrt|mars|marzo"), ("apr", "april|avril|aprile|kwietnia|dubna|nisan|április|aprilis|aprilie|huhtikuuta|avr|abril|abr"),
    ("may", "mai|maj|maio|maja|května|kvetna|mayıs|mayis|május|majus|toukokuuta|mei|mayo|maggio"), ("jun", "june|juni|giugno|junho|czerwca|června|cervna|haziran|június|junius|iunie|kesäkuuta|juin|junio|giugno"), ("jul", "july|juli|julho|lipca|července|cervence|temmuz|július|julius|iulie|heinäkuuta|juillet|julio|luglio"),
    ("aug", "august|augustus|agosto|sierpnia|srpna|ağustos|agustos|augusztus|elokuuta|août|aout|agosto"), ("sep", "september|sept|setembro|września|wrzesnia|září|zari|eylül|eylul|szeptember|septembrie|syyskuuta|septembre|septiembre|settembre"),
    ("oct", "october|oktober|outubro|października|pazdziernika|října|rijna|ekim|október|octombrie|lokakuuta|okt|octobre|octubre|ottobre"), ("nov", "november|novembre|novembro|listopada|listopadu|kasım|kasim|noiembrie|marraskuuta|noviembre"),
    ("dec", "december|dezember|dezembro|grudnia|prosince|aralık|aralik|decembrie|joulukuuta|dez|décembre|decembre|diciembre|dicembre"),
)  # fmt: skip
_ORDINALS = word_list("""
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first
    twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh
    twenty-eighth twenty-ninth thirtieth thirty-first
""")  # fmt: skip


def date_spellings(day: date) -> Iterator[str]:
    """Expressions for the spellings of a known date; separators and leading zeros are free."""
    short, long = _MONTHS[day.month - 1]
    d, m = f"0?{day.day}", f"0?{day.month}"
    y = f"(?:{day.year:04d}|['’]?{day.year % 100:02d})"
    sep = r"\s*[-/.]\s*"
    month = rf"(?:{long}|{short})\.?"
    ordinal = rf"(?:{d}(?:st|nd|rd|th|er|\.)?|{_ORDINALS[day.day - 1]})"
    yield f"{day:%Y%m%d}"
    yield f"{day:%d%m%Y}"
    yield f"{day:%m%d%Y}"
    yield f"{day:%Y%m%d}\\d{{4,6}}"
    yield rf"{day.year:04d}\s?[-/._]\s?{m}\s?[-/._]\s?{d}"
    yield rf"{d}{sep}{m}{sep}{y}"
    yield rf"{m}{sep}{d}{sep}{y}"
    yield rf"{month}[\s-]*(?:the\s+)?{ordinal}(?:\s*[,-]?\s*{y})?"
    yield rf"(?:the\s+)?{ordinal}[\s./-]*(?:of\s+|de\s+)?{month}(?:[\s,./-]*(?:de\s+)?{y})?"
    yield rf"{month}[\s,./-]*(?:of\s+)?{day.year:04d}"


_THREE_NUMBERS = re.compile(r"(?=(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*['’]?(\d\d))")


def find_dates(text: str, dates: Iterable[date]) -> Iterator[Hit]:
    """Known dates in their common spellings, in seven languages; whole numbers only.

    Day and month without a year ("3/5") count where they stand like a date.
    """
    folded = ""
    three: set[tuple[int, int]] = set()
    for day in dates:
        if not folded:
            folded = text.lower()
            three = {(int(a), int(b)) for a, b, _ in _THREE_NUMBERS.findall(text)}
        spellings = [s for s in date_spellings(day) if _may_spell(s, day, folded, three)]
        if spellings:
            yield from (Hit("DATE", *match.span()) for match in _any_of(*spellings).finditer(text))
        if "/" in text:
            short = rf"0?{day.day}/0?{day.month}|0?{day.month}/0?{day.day}"
            for match in re.finditer(rf"(?<![\w./-])(?:{short})(?![\w/])", text):
                if is_partial_date(text, *match.span()):
                    yield Hit("DATE", *match.span())


@lru_cache(maxsize=512)
def _any_of(*spellings: str) -> re.Pattern[str]:
    pattern = "|".join(f"(?:{spelling})" for spelling in spellings)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.IGNORECASE)


def _may_spell(spelling: str, day: date, folded: str, three: set[tuple[int, int]]) -> bool:
    """Whether a text is worth searching for one spelling of a date; False only if it is not there.

    Args:
        spelling: one of `date_spellings`.
        day: the date.
        folded: the text in lower case.
        three: the first two of every three numbers that stand like a date.
    """
    if spelling.isdigit():
        return spelling in folded
    if spelling.startswith(f"{day.year:04d}"):
        return f"{day.year:04d}" in folded
    short, long = _MONTHS[day.month - 1]
    if short in spelling:
        return any(month in folded for month in (short, *long.split("|")))
    return (day.day, day.month) in three or (day.month, day.day) in three


def find_literals(text: str, phrases: Iterable[str], *, kind: str) -> Iterator[Hit]:
    """Known phrases in any case, accents and white space aside; from four letters on.

    A phrase of six digits or more (a phone number) counts with any separators, its last seven
    digits alone too; of an address each part between commas counts alone that holds a digit, or is
    a capitalised name.
    """
    folded = ""
    for phrase in phrases:
        folded = folded or fold(text)
        digits = re.sub(r"\D", "", phrase)
        letters = sum(map(str.isalpha, phrase))
        if len(digits) >= 6 and letters < 4:
            yield from _digits(text, digits, kind)
            continue
        parts = [part.strip() for part in re.split(r"[,;\n]", phrase)] if digits else []
        for piece in dict.fromkeys([phrase, *(p for p in parts if len(p) > 5 and not p.isalpha())]):
            if piece == phrase or any(map(str.isdigit, piece)):
                yield from _literal(folded, piece, kind)
        for town in (p for p in parts if len(p) > 3 and p.replace(" ", "").isalpha()):
            for match in re.finditer(rf"(?<!\w){re.escape(fold(town))}(?!\w)", folded):
                if text[match.start()].isupper():
                    yield Hit(kind, *match.span())


def _digits(text: str, digits: str, kind: str) -> Iterator[Hit]:
    for wanted in (
        {digits, digits.lstrip("0"), digits[-10:], digits[-7:]} if len(digits) > 8 else {digits}
    ):
        body = r"[\s().+/-]{0,3}".join(wanted)
        yield from (Hit(kind, *m.span()) for m in re.finditer(rf"(?<!\d)[+(]*0?{body}(?!\d)", text))


def _literal(folded: str, phrase: str, kind: str) -> Iterator[Hit]:
    words = fold(phrase).split()
    if sum(map(len, words)) < 4 or (len(words) == 1 and lexicon().kind(words[0]) in "wb"):
        return
    body = r"[\s_.,-]+".join(re.escape(word.strip(".,")) for word in words if word.strip(".,"))
    if not body or fold(words[0].strip(".,")) not in folded:
        return
    for match in re.finditer(rf"(?<!\w){body}(?!\w)", folded):
        yield Hit(kind, *match.span())


_GENERIC = word_set("""
    hospital hospitals clinic clinics center centre medical health system healthcare department
    dept of the and for radiology imaging university general regional community county city
    institute klinikum klinik krankenhaus universitatsklinikum ziekenhuis hopital hospitalier
    universitair medisch centrum trust nhs foundation memorial group associates inc llc care
    national college school am an de der du des la le at in st saint network services
""")


def find_institutions(text: str, names: Iterable[str]) -> Iterator[Hit]:
    """Known places of care: whole, without the words that every hospital has, and abbreviated.

    "Massachusetts General Hospital" is found as "Mass General", "Massachusetts Gen. Hosp." and "MGH"
    too; an abbreviation that is also a medical one ("CT") is left.
    """
    folded = ""
    for name in names:
        folded = folded or fold(text)
        yield from find_literals(text, [name], kind="INSTITUTION")
        words = [x for x in re.split(r"[\s,./()&-]+", fold(name)) if x]
        solid = [
            x
            for x in words
            if x
            not in (
                "of",
                "the",
                "and",
                "for",
                "at",
                "de",
                "der",
                "du",
                "des",
                "la",
                "le",
                "am",
                "an",
                "in",
            )
        ]
        core = [x for x in solid if x not in _GENERIC]
        if len(solid) > 1:
            yield from _abbreviated(text, folded, solid, core)
        for short in {"".join(x[0] for x in solid).upper(), "".join(x[0] for x in words).upper()}:
            if len(short) >= 3 and short.lower() not in SHORT_FORMS:
                dotted = r"\.?".join(map(re.escape, short))
                yield from (
                    Hit("INSTITUTION", *m.span())
                    for m in re.finditer(rf"(?<![\w-]){dotted}(?!\w)", text)
                )


def _abbreviated(text: str, folded: str, solid: list[str], core: list[str]) -> Iterator[Hit]:
    """Each word cut short or whole, in order, the common ones at will: "Mass. Gen. Hosp."."""
    if not core or core[0][:3] not in folded:
        return
    forms = []
    for word in solid:
        stem = (
            re.escape(word[:3])
            + "".join(f"(?:{re.escape(c)}" for c in word[3:])
            + ")?" * max(0, len(word) - 3)
        )
        forms.append(rf"(?:{stem}|{word[0]}\.)" if len(word) > 3 else re.escape(word))
    body = "".join(
        rf"(?:{form}\.?[\s,-]*(?:(?:of|the|and|for|&)\s+)?){'?' if word not in core else ''}"
        for word, form in zip(solid, forms, strict=True)
    )
    for match in re.finditer(rf"(?<!\w){body}(?<![\s,])(?!\w)", folded):
        found = match.group().strip(" .,-")
        words = found.split()
        if not words:
            continue
        alone = len(words) == 1
        if alone and (lexicon().kind(words[0]) in "wb" or len(found) < 5 or found not in solid):
            continue
        if len(found) >= 5 and text[match.start()].isupper():
            yield Hit("INSTITUTION", match.start(), match.start() + len(found), sure=not alone)
