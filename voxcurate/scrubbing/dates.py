# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Dates in every common form: found, read and moved."""

import re
from datetime import date, timedelta

from voxcurate.scrubbing.pattern import Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold
from voxcurate.scrubbing.wordlist import word_list

# how months begin in English, German, Dutch, French, Spanish, Italian and Portuguese, folded
_MONTH_STARTS = {
    "jan": 1, "ene": 1, "gen": 1, "feb": 2, "fev": 2, "mar": 3, "mrt": 3, "maa": 3, "apr": 4, "avr": 4, "abr": 4,
    "may": 5, "mai": 5, "mei": 5, "mag": 5, "jun": 6, "jui": 6, "giu": 6, "jul": 7, "lug": 7, "aug": 8, "aou": 8, "ago": 8,
    "sep": 9, "set": 9, "oct": 10, "okt": 10, "ott": 10, "out": 10, "nov": 11, "dec": 12, "dez": 12, "dic": 12,
}  # fmt: skip
_ENGLISH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_OTHERS = (
    r"(?:januari?|janvier|janv|enero|gennaio|janeiro|februari?|feber|f[ée]vrier|f[ée]vr?|febrero|febbraio|fevereiro|m[äa]rz|maerz|maart|mrt|mars|marzo|mar[çc]o|"
    r"avril|avr|abril|aprile|mai|mei|mayo|maggio|maio|juni|juin|junio|giugno|junho|juli|juillet|juil|julio|luglio|julho|augustus|ao[ûu]t|agosto|"
    r"septembre|septiembre|settembre|setembro|okt(?:ober)?|octobre|octubre|ottobre|outubro|novembre|noviembre|novembro|dez(?:ember)?|d[ée]cembre|d[ée]c|diciembre|dicembre|dezembro)"
)
_MONTH = rf"(?:{_OTHERS}|{_ENGLISH})"
_TITLED = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?|Januar|Februar|März|Juni|Juli|Oktober|Dezember)"
_CLEAR = r"(?:march|mar|dec|january|jan|february|feb|april|apr|june|july|jul|august|aug|september|sept|sep|october|oct|november|nov|december|januari?|februari?|m[äa]rz|maart|mrt|avril|juni|juin|juli|juillet|augustus|ao[ûu]t|okt(?:ober)?|octobre|dez(?:ember)?|d[ée]cembre|janvier|f[ée]vrier|septembre|novembre|enero|febrero|abril|junio|julio|septiembre|octubre|noviembre|diciembre)"
MONTHS = (
    "jan january feb february mar march apr april may jun june jul july aug august sept sep september oct october "
    "nov november dec december januari januar janvier janv enero gennaio janeiro februari februar feber fevrier "
    "fevr fev febrero febbraio fevereiro marz maerz maart mrt mars marzo marco avril avr abril aprile mai mei mayo "
    "maggio maio juni juin junio giugno junho juli juillet juil julio luglio julho augustus aout agosto septembre "
    "septiembre settembre setembro okt oktober octobre octubre ottobre outubro novembre noviembre novembro dez "
    "dezember decembre diciembre dicembre dezembro "
)  # folded
_D, _M, _Y4 = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[89]|20)\d\d"
_ORD = r"(?:st|nd|rd|th|er|\.)"
_ORDINAL = r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|twenty-(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|thirtieth|thirty-first)"
_DAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)"
BEFORE_DATE = re.compile(
    rf"\b{_DAY}\.?,?\s+(?:(?:the|den|dem|le|the\s+morning\s+of)\s+)?$", re.IGNORECASE
)
_CLOCK = r"\d{1,2}(?::\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[ap]\.?m\b\.?)?(?:\s*(?:hrs|hours|uhr|uur|h|z|utc|gmt|[ecmp][sd]t)\b)?|\s*[ap]\.?m\b\.?|h\d\d\b)"
_TIME = rf"(?:(?:[T\s,]+|\s*[-–@]\s*)(?:at\s+|um\s+|om\s+|à\s+)?(?:{_CLOCK}|(?:[01]\d|2[0-3])[0-5]\d(?:\s*(?:hrs?|hours|h|uhr)\b)))?"
_NOT_UNIT = r"(?!\s*(?:x|×|mm|cm|ml|mg|hu|%)(?![:\w])|\s*\d(?!\d{3}\b|\d?:\d\d))"
_NUMERIC = rf"(?:(?:{_D}\s?[-/.]\s?{_M}|{_M}\s?[-/.]\s?{_D})\s?[-/.]\s?['’]?(?:{_Y4}|\d\d))"
_FULL = rf"(?:{_NUMERIC}|{_Y4}[-/._]{_M}[-/._]{_D})"

_NO_DATE_BEFORE = re.compile(
    r"\b(?:grade[ds]?|scor\w+|strength|motor|power|murmur|pain|pulses?|reflex\w*|gcs|rass|apgars?|images?|series|slices?|segments?|stages?|types?|levels?|bp|vision|va|sats?|ratio|"
    r"nodes?|ln|lns|cores?|pieces|steps?|dos(?:e|age)|out\s+of|gravida|para|ef|zones?|lobes?|vessels?|bipap|cpap|psv|ps|peep|simv|ac|vent|settings?|imv|cpap|mode|flow|rate|rated|"
    r"scale|index|chapter|section|page|fig(?:ure)?|table|ratio|titer|fraction|approximately|about|only|took|ate|tabs?|tablets?|than|x|lr|v|va|od|os|ou|mg|ml|edema|jvp|strength\s+is|[ctlsCTLS]\d*)"
    r"\W{0,3}(?:of|is|was|are|were|by|at|to|from)?\W*$", re.IGNORECASE)  # fmt: skip
_NO_DATE_AFTER = re.compile(
    r"\s*(?:-?\s*(?:strength|motor|power|pain|murmur|segments?|lobes?|nodes?|lns?\b|lymph|cores?|slices?|images?|vessels?|teeth|steps|points?|sem\b|systolic|diastolic|of\b|weeks?|months?|days?|hours?|"
    r"hrs?|mm|cm|mg|ml|cc|tabs?\b|tablets?|cups?|pulses|bilat\w*|throughout|ps\b|ns\b|normal|inch|%|scale|positive|were\b|dose|liters?|lpm|l\b|ratio|in\s+(?:all|both|bilateral|upper|lower|his|her|the\s+(?:right|left))|"
    r"upper|lower|grip|dorsi|plantar|holosystolic|ejection|apgar|units?|bottles?|packs?|ppd|shots?|times|filled|full|the\s+(?:way|dose|time))|\"|/|\d(?!\d?/\d)|\.\d)", re.IGNORECASE)  # fmt: skip
_DATE_BEFORE = re.compile(
    r"(?:\b(?:on|since|until|till|thru|through|dated?|between|before|after|ct|cta|mri?|mra|cxr|kub|eeg|ekg|ecg|echo|tte|tee|pet|us|scans?|films?|x-?rays?|study|exam(?:ination)?|admit(?:ted)?|admission|adm|discharged?|"
    r"dc'?d?|d/c'?d?|seen|due|scheduled|appt|appointment|f/u|follow-?\s?up|as\s+of|surgery|day|dos|doa|dod|lmp|edc|mon|tues?|wed|thurs?|fri|sat|sun|\w+day|d\.d\.|dd\.?|vom|am|seit|bis|zum|op|sinds|van|tot|vanaf|"
    r"le|du|depuis|el|desde|repeat(?:ed)?|collected|drawn|performed|obtained|taken|started|stopped|placed|removed|passed|done|completed|extubated|intubated|transferred|ordered|resulted|returned|changed|inserted|last|signed|received|report|from|of|by|cultures?|cx|labs?|biopsy|visit|note|\d/\d+\s?(?:-|–|to|and|&|,))"
    r"\W{0,2}|[@(]\s?)$", re.IGNORECASE)  # fmt: skip
_DATE_AFTER = re.compile(
    r"\s*(?:at\s+\d|@|\d{4}\b|\d{1,2}:\d\d|[ap]m\b|[-–&]\s?\d{1,2}/\d|(?:to|and|thru|through)\s+\d{1,2}/\d|visit|exam|study|ct\b|mri\b|cxr|scan|film|labs?|admission|note|echo|night|morning|evening|overnight|cultures?)", re.IGNORECASE)  # fmt: skip
_DENOMINATORS = frozenset({2, 3, 4, 5, 6, 8, 10, 15, 20, 30})


def is_partial_date(text: str, start: int, end: int) -> bool:
    """Whether "3/14" is a day rather than a score, a fraction or a count, by what is around it."""
    first, second = (re.sub(r"\D", "", part) for part in re.split(r"[-/.]", text[start:end])[:2])
    a, b = int(first), int(second)
    if not (1 <= a <= 31 and 1 <= b <= 31 and min(a, b) <= 12):
        return False
    before, after = text[max(0, start - 28) : start], text[end : end + 28]
    if _NO_DATE_BEFORE.search(before) or _NO_DATE_AFTER.match(after):
        return False
    weight = 0
    if _DATE_BEFORE.search(before):
        weight += 4
    elif not before.strip(" ") or before.endswith("\n") or before.rstrip(" ").endswith("\n"):
        weight += 2
    if _DATE_AFTER.match(after):
        weight += 4
    if (
        (len(first) == 2 and first[0] == "0")
        or (len(second) == 2 and second[0] == "0")
        or (b > 12 and b not in _DENOMINATORS)
    ):
        weight += 3
    elif a <= b and b in _DENOMINATORS:
        weight -= 2
    elif a > b:
        weight += 1
    return weight >= 2


def _month_is_meant(text: str, start: int, end: int) -> bool:
    """ "in May" but not "may": a month that is a word too wants its capital inside a sentence."""
    word = text[start:end].strip(".,")
    return (
        fold(word) not in ("may", "march", "mar", "mai", "mei", "mars", "dec", "sun", "set")
        or word[0].isupper()
    )


DATES: tuple[Pattern, ...] = (
    pattern("DATE", rf"(?<![\d.])(?P<x>{_Y4}[-/._]{_M}[-/._]{_D}(?:{_TIME}|T\d{{6}}))(?!\d)", labelled=True, digits=6),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_FULL}{_TIME}\s?[-–]\s?{_FULL}{_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}", labelled=True, digits=8),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}/{_D}\s?[-–]\s?{_NUMERIC})(?![\w/]|[.-]\d){_NOT_UNIT}", digits=6),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_NUMERIC}{_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}", labelled=True, digits=4),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.?\s?[-–/]\s?{_D}\.\s?{_M}\.\s?(?:{_Y4}|\d\d)?)(?![\w/]|[.-]\d)", digits=3),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_M}\s?[/-]\s?{_Y4}|{_Y4}-(?:0[1-9]|1[0-2]))(?![\w/-]){_NOT_UNIT}", digits=5),
    pattern("DATE", r"\b(?:dob|d\.o\.b\.?|birth\s?date|date\s+of\s+birth|born(?:\s+on)?|geb(?:\.|oren)?(?:\s+(?:am|op))?|geboortedatum|geburtsdatum|n[ée]{1,2}\s+le|date)\s*[:=-]?\s*(?P<x>\d{1,4}[ ./-]\d{1,2}[ ./-]\d{2,4}|\d{6}|\d{8})(?!\w)", labelled=True, starts="dob d birth birthdate date born geb geboren geboortedatum geburtsdatum ne nee", shape=r"\d{1,4}[ ./-]\d{1,2}[ ./-]\d|\d{6}"),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:{_D}{_ORD}?\s?[-–]\s?{_D}{_ORD}?\s+(?:of\s+)?{_MONTH}|{_MONTH}\.?\s+{_D}{_ORD}?\s?[-–]\s?{_D}{_ORD}?)(?:[\s,]+{_Y4})?)(?!\w)", near=MONTHS, shape=r"\d[a-z.]{0,2}\s?[-–]\s?\d", check=_month_is_meant, labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:(?:{_D}{_ORD}?[\s-]*|{_ORDINAL}\s+)(?:(?:of|de|of\s+the)\s+)?)?{_MONTH}\.?[\s,/-]*(?:(?:{_D}{_ORD}?|{_ORDINAL})[\s,-]+)?(?:(?:of|de)\s+)?(?:{_Y4}|['’]\d\d){_TIME})(?!\w)", near=MONTHS, shape=r"(?:1[89]|20)\d\d|['’]\d\d", labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_D}[\s/-]?{_MONTH}[\s/-]?\d\d|{_MONTH}[-/]{_D}[-/]\d\d){_TIME}(?![\w:])", near=MONTHS, shape=r"\d[\s/-]?[^\W\d]|[^\W\d][-/]\d", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?P<x>(?i:{_CLEAR})\.?\s+(?:the\s+)?(?:{_D}{_ORD}?|{_ORDINAL}){_TIME})(?![\w/]|[.,]\d){_NOT_UNIT}", near=MONTHS, shape=r"\d|[a-zA-Z]{3}(?:st|nd|rd|th)\b", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?P<x>{_TITLED}\.?\s+(?:the\s+)?(?:{_D}(?i:{_ORD})?|{_ORDINAL})(?i:{_TIME}))(?![\w/]|[.,]\d){_NOT_UNIT}", 0, near=MONTHS, shape=r"\d|[a-z]{3}(?:st|nd|rd|th)\b", labelled=True),
    pattern("DATE", rf"(?<![\w./])(?P<x>(?:the\s+)?(?:{_D}{_ORD}?[\s-]+|{_ORDINAL}\s+)(?:of\s+|de\s+)?(?i:{_CLEAR})(?:\.(?!\w))?{_TIME})(?!\w)", near=MONTHS, shape=r"\d[^\W\d]{0,2}\.?[\s-]+[^\W\d]|[a-zA-Z]{3}(?:st|nd|rd|th)\s", labelled=True),
    pattern("DATE", rf"(?<![\w./])(?P<x>(?:the\s+)?(?:{_D}{_ORD}?[\s-]+|{_ORDINAL}\s+)(?:of\s+)?{_TITLED}(?i:{_TIME}))(?!\w)", 0, near=MONTHS, shape=r"\d[a-z]{0,2}\.?[\s-]+(?:of\s+)?[A-Z]|[a-z]{3}(?:st|nd|rd|th)\s", labelled=True),
    pattern("DATE", rf"\b(?:in|since|until|till|through|from|to|by|last|this|next|early|late|mid|of|during|before|after|late|im|seit|ab|bis|sinds|eind|begin|depuis|en|desde|around|approximately|between)[\s-]+(?P<x>(?:{_ENGLISH}|{_OTHERS})(?:\s?[-–]\s?{_ENGLISH})?)(?!\w|['’]|\s+(?:be|have|not|also|represent|reflect|need|fracture))", near=MONTHS, check=_month_is_meant),
    pattern("DATE", rf"\b(?:on|since|until|from|by|dated|through|before|after)\s+(?P<x>may\s+{_D}{_ORD}?|{_D}{_ORD}?\s+(?:of\s+)?may)(?!\w|[/.]\d){_NOT_UNIT}", near="may", labelled=True),
    pattern("DATE", r"(?<![\w./-])(?P<x>(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])(?:\s?[-–]\s?(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01]))?)(?![\w/])", check=is_partial_date, digits=2),
    pattern("DATE", rf"\b(?:on|dated|since|until|d\.d\.|vom|am|seit|bis|zum|op|sinds|vanaf|le)\s+(?P<x>(?:{_D}[-.]{_M}|{_M}[-.](?:1[3-9]|2\d|3[01]))\.?)(?![\w/]|[-.]?\d){_NOT_UNIT}", starts="on dated since until d vom am seit bis zum op sinds vanaf le", shape=r"\d[-.]\d"),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.(?:0?[1-9]|1[0-2])\.)(?!\d)(?=\s|$|[-–,;)])", check=lambda text, start, end: len(text[start:end]) == 6 or re.search(r"(?:am|vom|bis|seit|zum|ab|und|-|–)\s?$", text[max(0, start - 5) : start]) is not None, digits=2),
    pattern("DATE", rf"\b(?:on|by|until|since)\s+(?P<x>the\s+{_D}(?:st|nd|rd|th))(?=\s*(?:[.,;:)\n]|$|at\b|and\b|for\b|with\b|of\s+(?:this|last|next)))", starts="on by until since", shape=r"\d(?:st|nd|rd|th)"),
    pattern("DATE", rf"(?<!\d)(?P<x>{_Y4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T?\d{{6}}|T\d{{4}})?)(?!\d)", digits=8),
)  # fmt: skip


def month_number(word: str) -> int | None:
    """1 to 12 for the name of a month in seven languages, or its beginning; else None."""
    folded = fold(word)
    if folded.startswith("juil"):
        return 7
    return _MONTH_STARTS.get(folded[:3]) if len(folded) >= 3 else None


_WORDS_OF_DAYS = word_list("""
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
""")  # fmt: skip


def parse_date(value: str, *, day_first: bool = False) -> date | None:
    """The full date that a span spells; None where a part is missing or impossible."""
    words = "".join(c if c.isalnum() else " " for c in re.sub(r"(?<=\d)T.*", "", value)).split()
    named = [i for i, w in enumerate(words) if w[:1].isalpha() and month_number(w)]
    numbers = [int(d) for w in words if (d := w.rstrip("stndrh")).isdigit()]
    if named:
        month = month_number(words[named[-1]]) or 0
        spelled = [
            _WORDS_OF_DAYS.index(w) + 1 for w in map(str.lower, words) if w in _WORDS_OF_DAYS
        ]
        numbers = spelled + numbers
        if len(numbers) < 2:
            return None
        first, second = numbers[:2]
        day, year = (first, second) if first <= 31 else (second, first)
    elif len(words) >= 1 and len(words[0]) >= 8 and words[0].isdigit():
        year, month, day = int(words[0][:4]), int(words[0][4:6]), int(words[0][6:8])
    elif len(numbers) < 3:
        return None
    elif numbers[0] > 31:
        year, month, day = numbers[:3]
    else:
        first, second, year = numbers[:3]
        dotted = re.match(r"\s*\d{1,2}\.\s?\d{1,2}\.", value) is not None
        swapped = (day_first or dotted) and second <= 12
        day, month = (first, second) if swapped or first > 12 else (second, first)
    year += 0 if year > 99 else (2000 if year < 50 else 1900)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def shifted(value: str, days: int, *, year: int | None, day_first: bool = False) -> str:
    """A date moved by some days, as ISO text: as exact as it was; empty where it cannot be read.

    A day without a year ("3/14", "March 3rd") is moved within `year` and shown without one
    (``--02-27``, the truncated form of ISO 8601:2000); a month moves as its 15th day does.

    Args:
        value: what is written.
        days: by how many.
        year: that of the dates around; None leaves days without a year unread.
        day_first: how "3/5" is read.
    """
    whole = parse_date(value, day_first=day_first)
    if whole is not None:
        return _moved(whole, days, "%Y-%m-%d")
    short = value.strip(" .,")
    month_year = re.fullmatch(r"(\d{1,2})\s?[/-]\s?(\d{4})", short)
    year_month = re.fullmatch(r"(\d{4})-(\d\d)", short)
    named = re.fullmatch(r"([^\W\d_]{3,})[.,\s/-]*(?:of\s+|de\s+)?(\d{4})", short)
    if month_year or year_month or named:
        found = month_year or year_month or named
        assert found is not None
        first, second = found.groups()
        month = month_number(first) if named else int(first if month_year else second)
        whole = _date(int(second if month_year or named else first), month, 15)
        return _moved(whole, days, "%Y-%m")
    if year is None:
        return ""
    with_year = f"{short} {year}" if re.search(r"[^\W\d_]{3}", short) else f"{short}/{year}"
    return _moved(parse_date(with_year, day_first=day_first), days, "--%m-%d")


def _moved(day: date | None, days: int, form: str) -> str:
    if day is None:
        return ""
    try:
        return (day + timedelta(days=days)).strftime(form)
    except OverflowError:
        return ""


def _date(year: int, month: int | None, day: int) -> date | None:
    try:
        return date(year, month or 0, day)
    except ValueError:
        return None
