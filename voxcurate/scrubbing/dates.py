# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Dates in every common form: found, read and moved."""

import re
from datetime import date, timedelta

from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.months import (
    CLEAR,
    MONTH,
    MONTHS,
    OTHERS,
    TITLED,
    month_number,
)
from voxcurate.scrubbing.partial_dates import (
    is_dashed_day,
    is_dotted_day,
    is_partial_date,
    is_pointed_day,
)
from voxcurate.scrubbing.pattern import Pattern, pattern
from voxcurate.scrubbing.vague_dates import PART_BEFORE, VAGUE, month_is_meant
from voxcurate.scrubbing.vocabulary import fold
from voxcurate.scrubbing.wordlist import word_list

_D, _M, _Y4 = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[89]|20)\d\d"
_ORD = r"(?:st|nd|rd|th|er|\.|[°º])"
_ORDINAL = one_of("dates", "ordinal")
_DAY = one_of("dates", "day")
BEFORE_DATE = re.compile(
    rf"\b{PART_BEFORE}$|\b(?:la|ma|ke|ti|pe|su|mo|di|mi|do|fr|sa|so|lu|me|je|ve|wo|vr|za|zo)\.?,?\s+$|\b{_DAY}\.?,?\s+(?:(?:the|den|dem|d\.|le|el|the\s+(?:morning|night|evening|week)\s+of)\s*)?$",
    re.IGNORECASE,
)
_CLOCK = r"\d{1,2}(?::\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[ap]\.?m\b\.?)?(?:\s*(?:hrs|hours|uhr|uur|h|z|utc|gmt|[ecmp][sd]t)\b)?|\s*[ap]\.?m\b\.?|h\d\d\b)"
_TIME = rf"(?:(?:[T\s,]+|\s*[-–@]\s*)(?:at\s+|um\s+|om\s+|à\s+)?(?:{_CLOCK}|(?:[01]\d|2[0-3])[0-5]\d(?:\s*(?:hrs?|hours|h|uhr)\b))|[-–](?:[01]\d|2[0-3])[0-5]\d)?"
_NOT_UNIT = r"(?![ \t]*(?:x|×|mm|cm|ml|mg|hu|%)(?![:\w])|[ \t]*\d(?!\d{3}\b|\d?[:.]\d\d))"
_NUMERIC = (
    "(?:"
    + "|".join(
        rf"(?:{_D}\s?{s}\s?{_M}|{_M}\s?{s}\s?{_D})\s?{s}\s?['’]?(?:{_Y4}|\d\d)"
        for s in ("-", "/", r"\.")
    )
    + rf"|{_D}[-/.]{_M}[-/.]{_Y4})"
)
_FULL = rf"(?:{_NUMERIC}|{_Y4}[-/._]{_M}[-/._]{_D})"


def _is_no_rib(text: str, start: int, end: int) -> bool:
    """Whether an ordinal counts days: no rib, vertebra or toe is spoken of around it."""
    around = text[max(0, start - 60) : end + 40]
    return (
        re.search(
            r"\b(?:ribs?|vertebra\w*|meta\w+|digits?|fingers?|toes?|ventricle|percentile|nerve|branch|ray|interspace|space|order|grade|floor)\b",
            around,
            re.IGNORECASE,
        )
        is None
    )


def _is_no_centile(text: str, start: int, end: int) -> bool:
    """Whether "the 27th" counts days: no rib or floor, and no growth is told beside it."""
    return (
        re.search(r"(?i:centile|percentile|century|birthday)", text[max(0, start - 90) : end + 40])
        is None
    ) and _is_no_rib(text, start, end)


_HOLIDAY = one_of("dates", "holiday")
_HOLIDAY_STARTS = first_words(_HOLIDAY)


def _is_no_season(text: str, start: int, end: int) -> bool:
    """Whether "2025/04" is a month and no winter such as "2009/10"."""
    year, month = text[start:end].split("/")
    return (int(year) + 1) % 100 != int(month)


DATES: tuple[Pattern, ...] = (
    *VAGUE,
    pattern("DATE", rf"(?<![\d.])(?P<x>{_Y4}[-/._]{_M}[-/._]{_D}(?:{_TIME}|T\d{{6}}))(?!\d)", labelled=True, digits=6),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_FULL}{_TIME}\s?[-–]\s?{_FULL}{_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}", labelled=True, digits=8),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}/{_D}\s?[-–]\s?{_NUMERIC})(?![\w/]|[.-]\d){_NOT_UNIT}", digits=6),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_NUMERIC}{_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}", labelled=True, digits=4),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.?\s?[-–/]\s?{_D}\.\s?{_M}\.\s?(?:{_Y4}|\d\d)?)(?![\w/]|[.-]\d)", digits=3),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_M}\s?[/-]\s?{_Y4}|{_Y4}-(?:0[1-9]|1[0-2]))(?![\w/-]){_NOT_UNIT}", digits=5),
    pattern("DATE", r"\b(?:dob|d\.o\.b\.?|birth\s?date|date\s+of\s+birth|born(?:\s+on)?|geb(?:\.|oren)?(?:\s+(?:am|op))?|geboortedatum|geburtsdatum|n[ée]{1,2}\s+le|date)\s*[:=-]?\s*(?P<x>\d{1,4}[ ./-]\d{1,2}[ ./-]\d{2,4}|\d{6}|\d{8})(?!\w)", labelled=True, starts="dob d birth birthdate date born geb geboren geboortedatum geburtsdatum ne nee", shape=r"\d{1,4}[ ./-]\d{1,2}[ ./-]\d|\d{6}"),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:{_D}{_ORD}?\s?(?:[-–&]|and|to|thru|through)\s?{_D}{_ORD}?\s+(?:of\s+)?{MONTH}|{MONTH}\.?\s+{_D}{_ORD}?\s?(?:[-–&]|and|to|thru|through)\s?{_D}{_ORD}?(?!\s?(?:mm|cm|ml|mg|/)))(?:[\s,]+{_Y4})?)(?!\w)", near=MONTHS, shape=r"\d[a-z.]{0,2}\s?(?:[-–&]|and|to|thru|through)\s?\d", check=month_is_meant, labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:(?:{_D}{_ORD}?[\s-]*|{_ORDINAL}\s+)(?:(?:of|de|of\s+the)\s+)?)?{MONTH}\.?[\s,/-]*(?:(?:{_D}{_ORD}?|{_ORDINAL})[\s,-]+)?(?:(?:of|de)\s+)?(?:{_Y4}|['’]\d\d){_TIME})(?!\w)", near=MONTHS, shape=r"(?:1[89]|20)\d\d|['’]\d\d", labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_D}[\s/-]?{MONTH}[\s/-]?\d\d|{MONTH}[-/]{_D}[-/]\d\d|{MONTH}\.?[ ]{_D}[/-]['’]?\d\d){_TIME}(?![\w:])", near=MONTHS, shape=r"\d[\s/-]?[^\W\d]|[^\W\d][-/]\d|\d[/-]['’]?\d\d", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?P<x>(?i:{CLEAR})\.?\s+(?:the\s+)?(?:{_D}{_ORD}?|{_ORDINAL}){_TIME})(?![\w/]|[.,]\d){_NOT_UNIT}", near=MONTHS, shape=r"\d|[a-zA-Z]{3}(?:st|nd|rd|th)\b", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?P<x>{TITLED}\.?\s+(?:the\s+)?(?:{_D}(?i:{_ORD})?|{_ORDINAL})(?i:{_TIME}))(?![\w/]|[.,]\d){_NOT_UNIT}", 0, near=MONTHS, shape=r"\d|[a-z]{3}(?:st|nd|rd|th)\b", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?<!\d/)(?P<x>(?:the\s+)?(?:{_D}{_ORD}?[\s-]+|{_ORDINAL}\s+)(?:of\s+|de\s+)?(?i:{CLEAR})(?:\.(?!\w))?{_TIME})(?!\w)", near=MONTHS, shape=r"\d[^\W\d]{0,2}\.?[\s-]+[^\W\d]|[a-zA-Z]{3}(?:st|nd|rd|th)\s", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?<!\d/)(?P<x>{_D}{_ORD}?[ -]+(?:de\s)?(?:mars|mai|mei|maart|marzo|mayo|maggio|maio|mart|marca|maja|luty|lutego|septiembre|settembre|setembro|m[äa]rz))(?!\w)", near=MONTHS, shape=r"\d[^\W\d]{0,2}\.?[\s-]+[^\W\d]", labelled=True),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{TITLED}[-/]['’]?\d\d)(?![\w/]|-\d|\s?(?:mm|cm|mg|ml|%))", 0, near=MONTHS, shape=r"[a-z][-/]['’]?\d\d"),
    pattern("DATE", rf"(?<![\w.])(?<!\d/)(?P<x>(?:the\s+)?(?:{_D}{_ORD}?[\s-]+|{_ORDINAL}\s+)(?:of\s+)?{TITLED}(?i:{_TIME}))(?!\w)", 0, near=MONTHS, shape=r"\d[a-z]{0,2}\.?[\s-]+(?:of\s+)?[A-Z]|[a-z]{3}(?:st|nd|rd|th)\s", labelled=True),
    pattern("DATE", rf"\b(?:on|since|until|from|by|dated|through|before|after)\s+(?P<x>may\s+{_D}{_ORD}?|{_D}{_ORD}?\s+(?:of\s+)?may)(?!\w|[/.]\d){_NOT_UNIT}", near="may", labelled=True),
    pattern("DATE", r"(?<![\w./-])(?P<x>(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])(?:\s?[-–]\s?(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01]))?)(?![\w/]|\.\d)", check=is_partial_date, digits=2),
    pattern("DATE", r"(?<![\w./-])(?P<x>(?:0?[1-9]|[12]\d|3[01])/(?:0[1-9]|1[0-2]|1[3-9]|2\d|3[01]))(?=[ ][-–][ ]\d)", labelled=True, check=is_partial_date, digits=2),
    pattern("DATE", rf"(?<!-)\b(?:on|dated|since|until|d\.d\.|dd|vom|am|seit|bis|zum|op|sinds|vanaf|le)\s+(?P<x>(?:{_D}[-.]{_M}|{_M}[-.](?:1[3-9]|2\d|3[01]))\.?)(?![\w/]|[-.]?\d){_NOT_UNIT}", starts="on dated since until d dd vom am seit bis zum op sinds vanaf le", shape=r"\d[-.]\d"),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}-{_D})(?![\w/-]|[.,]\d){_NOT_UNIT}", check=is_dashed_day, digits=2),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.(?:0?[1-9]|[12]\d|3[01]))(?![\w/-]|[.,]\d){_NOT_UNIT}", check=is_pointed_day, digits=2, sure=False),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.(?:0?[1-9]|1[0-2])\.)(?!\d)(?=\s|$|[-–,;:)/|.])", check=is_dotted_day, digits=2),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.\s?{_M}\.\s?(?:{_Y4}|\d\d)\s(?:r|г|y)\.|{_Y4}\.\s?(?:{_M}\.\s?{_D}\.?|{MONTH}\s{_D}\.?))(?!\w)", labelled=True, digits=3),
    pattern("DATE", rf"(?<!\w)(?P<x>{_HOLIDAY}(?:[\s,]+(?:of\s+)?{_Y4}|\s['’]\d\d)?)(?!\w|[\s-](?:tree|disease|factor|egg|bug|island|cactus|lights))", starts=_HOLIDAY_STARTS, labelled=True, check=lambda text, start, end: len(fold(text[start:end])) > 5 or text[start].isupper()),
    pattern("DATE", rf"(?<![\w.])(?P<x>{MONTH}\.?\s{_D},?\s['’]?\d\d)(?![\w/:]|[.,-]\d|\s?(?:am|pm|a\.m|p\.m|h\b|uhr)){_NOT_UNIT}", near=MONTHS, shape=r"\d,?\s['’]?\d\d", check=month_is_meant),
    pattern("DATE", rf"(?<!\w)(?P<x>(?i:{CLEAR})(?<=[A-Za-z]{{3}})['’]?\d\d)(?![\w/.-])", 0, near=MONTHS, shape=r"[A-Za-z]['’]?\d\d"),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:{MONTH}\s(?:the\s)?(?:{_D}{_ORD}?|{_ORDINAL})|(?:{_D}{_ORD}?|{_ORDINAL})\s(?:of\s)?{MONTH}),?\s(?:in\s)?(?:nineteen|twenty|two\sthousand)(?:[\s-](?:and|hundred|oh|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|one|two|three|four|five|six|seven|eight|nine)){{0,3}})(?!\w)", near=MONTHS, shape=r"[nN]ineteen|[tT]wenty|[tT]wo\s", labelled=True),
    pattern("DATE", rf"(?<![\w./])(?P<x>(?:{_D}{_ORD}?\s?(?:-|–|to|al|bis|au|a|t/m|tot|e|y|et|und|and|en|&|,)\s?)?{_D}{_ORD}?\s(?:de\s|of\s)?(?!avr(?!\.|il))(?:{OTHERS}))(?![\w])", near=MONTHS, shape=r"\d[^\W\d]{{0,2}}\.?\s".replace("{{", "{").replace("}}", "}"), check=month_is_meant, labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{MONTH}\.?\s?(?:[-–/]|to|through|thru|bis|and|&)\s?{MONTH}\.?,?\s(?:of\s)?(?:{_Y4}|['’]\d\d))(?!\w)", near=MONTHS, shape=r"(?:1[89]|20)\d\d|['’]\d\d", labelled=True),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}[./-](?:I{{1,3}}|IV|VI{{0,3}}|IX|XI{{0,2}})[./-](?:{_Y4}|\d\d))(?!\w)", 0, shape=r"\d[./-][IVX]", labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_Y4}[\s./-]?{MONTH}[\s./-]?{_D}{_ORD}?{_TIME})(?!\w)", near=MONTHS, shape=r"\d{4}", labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_D}{_ORD}?\s(?:of\s)?(?:muharram|safar|rabi['’]?\s?(?:al-)?\w+|jumada\s?(?:al-)?\w+|rajab|sha['’]?ban|shawwal|dhu(?:l|\sal)?[\s-]\w+|tishrei|cheshvan|kislev|tevet|shevat|adar|nis[sa]an|iyar|sivan|tammuz|elul|chaitra|vaisakha|farvardin|ordibehesht|khordad|tir|mordad|shahrivar|mehr|aban|azar|dey|bahman|esfand)(?:,?\s\d{{4}}(?:\s?(?:AH|H|AM|SH|هـ))?)?)(?!\w)", shape=r"\d\w{0,2}\s", near="muharram safar rabi jumada rajab sha shaban shawwal dhu dhul tishrei cheshvan kislev tevet shevat adar nisan nissan iyar sivan tammuz elul chaitra vaisakha farvardin ordibehesht khordad tir mordad shahrivar mehr aban azar dey bahman esfand", labelled=True),
    pattern("DATE", r"(?P<x>(?:令和|平成|昭和|大正)\s?(?:\d{1,2}|元)\s?[年.]\s?\d{1,2}\s?[月.]\s?\d{1,2}日?|(?<!\w)[RHS]\d{1,2}\.\d{1,2}\.\d{1,2}(?![\w.]))", 0, shape=r"[年和平成昭大]|[RHS]\d", labelled=True),
    pattern("DATE", rf"\b(?P<x>{_DAY}\.?,?\s+(?:the\s+)?{_D}(?:st|nd|rd|th))(?!\w)", starts="mon monday tue tues tuesday wed weds wednesday thu thur thurs thursday fri friday sat saturday sun sunday", labelled=True),
    pattern("DATE", r"(?P<x>(?:19|20)\d\d\s?年\s?\d{1,2}\s?月(?:\s?\d{1,2}\s?日)?|(?:19|20)\d\d\s?년\s?\d{1,2}\s?월(?:\s?\d{1,2}\s?일)?|\d{1,2}\s?月\s?\d{1,2}\s?日)", shape=r"[年년月]", labelled=True),
    pattern("DATE", r"\b(?P<x>ng[àa]y\s\d{1,2}\s(?:th[áa]ng\s\d{1,2}(?:\sn[ăa]m\s\d{4})?|[/-]\d{1,2}[/-]\d{2,4}))", starts="ngay", labelled=True),
    pattern("DATE", rf"\b(?:on|by|until|since|from|before|after|for|through|till|of|between)\s+(?P<x>the\s+{_D}(?:st|nd|rd|th))(?!\w|[\s-]+(?:and\s\d+(?:st|nd|rd|th)|to\s\d+(?:st|nd|rd|th)|of\s(?!this|last|next)|(?:post|hospital|ribs?|weeks?|months?|days?|year|hour|floor|digits?|fingers?|toes?|meta|ray|inter|order|percentile|ventricle|nerve|cranial|attempt|try|pass|visit|dose|cycle|trimester|edition|thoracic|lumbar|cervical|sacral|vertebra|part|portion|segment|stage|centile|image|slice|branch|time|round|line|decade|century|scan|study|ct|lesion|nodule|left|right|anterior|posterior|lateral|disc|pulmonary|grade|generation|costo|proximal|distal|carpo|mtp|mcp|pip|dip|space)))", starts="on by until since from before after for through till of between", shape=r"\d(?:st|nd|rd|th)"),
    pattern("DATE", r"(?<![\w./-])(?P<x>(?:1[3-9]|2\d|3[01])(?:st|nd|rd|th))(?=\s*(?:[.,;?!)/]|\n|$)|\s(?:am|pm|at|please|instead|or|if|with|for|in\sclinic|morning|afternoon|evening|w/|latest|inst|ult)\b)", shape=r"\d(?:st|nd|rd|th)", sure=False, check=_is_no_centile, digits=1),
    pattern("DATE", r"\b(?P<x>the\s(?:(?:1[3-9]|2\d|3[01])(?:st|nd|rd|th)(?=\s*(?:[.,;?!)/]|\n|$)|\s(?:am|pm|at|please|instead|or|if|with|for|in\sclinic|morning|afternoon|evening|w/)\b)|(?:[1-9]|1[0-2])(?:st|nd|rd|th)(?=[ ]?\?|\s(?:at\s\d|am\b|pm\b|please\b|instead\b))))", starts="the", shape=r"\d(?:st|nd|rd|th)", sure=False, check=_is_no_centile),
    pattern("DATE", rf"\b(?:on|until|since|til|till|says|say|by|from)\s(?P<x>(?:the\s)?{_D}(?:st|nd|rd|th))(?=[,.;)]?(?:\s*\n|$)|[,.;)]\s(?!(?:and\s|&\s)?\d)|\s(?:at|w/|with|by|via|in\s(?:clinic|the\sam)|am|pm|morning|for)\b)", starts="on until since til till says say by from", shape=r"\d(?:st|nd|rd|th)", sure=False, check=_is_no_rib),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_Y4}/(?:0[1-9]|1[0-2]))(?![\w/-]|[.,]\d)", digits=6, check=_is_no_season),
    pattern("DATE", r"(?:(?<=\d:\d\d[ ])|(?<![\w./:-]))(?P<x>(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?=[ ](?:[01]\d|2[0-3]):[0-5]\d(?!\d))", digits=4),
    pattern("DATE", r"(?<=\d:\d\d[ ])(?P<x>(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?![\w/-]|[.,]\d)", digits=4),
    pattern("DATE", r"\b(?:corrected|amended|addend(?:ed|um)|resulted|collected|received|called|revised|verified|final|finalized)[ :]{1,2}(?P<x>(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?![\w/-]|[.,]\d)", starts="corrected amended addended addendum resulted collected received called revised verified final finalized"),
    pattern("DATE", rf"\b(?P<x>(?:mon|tues?|wed(?:s|nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?[ ](?:{_D}/{_D}|{_D}{_ORD}?[ ]{MONTH}))(?![\w/])", starts="mon monday tue tues tuesday wed weds wednesday thu thur thurs thursday fri friday sat saturday sun sunday", labelled=True),
    pattern("DATE", rf"\b(?P<x>(?:the[ ])?{_ORDINAL}[ ](?:day[ ])?of[ ]{MONTH})(?!\w)", near=MONTHS, labelled=True),
    pattern("DATE", rf"\b(?:v\.|vom|am|ab|seit)[ ](?P<x>{_D}\.(?:0?[1-9]|1[0-2])\.)(?!\d)", starts="v vom am ab seit"),
    pattern("DATE", r"\x01\)[ ](?P<x>(?:0?[1-9]|1[0-2])\.(?:1[3-9]|2\d|3[01]))(?=[;,.)]?(?:\s|$))", 0, shape=r"\x01\)[ ]\d"),
    pattern("DATE", rf"\b(?:scan|exam|study|date|dt|ct|mri|us|colonography|mammogram|seen|on|dob)[^\n\d]{{0,12}}[ :](?P<x>{_D}[ ][A-Z][a-z]{{2,10}}[ ]?/)(?=[ ]?(?:\x01|\d|[A-Z][a-z]+[ ]\d{{4}}))", 0, near="scan exam study date dt ct mri us colonography mammogram seen on dob"),
    pattern("DATE", rf"(?<!\d)(?P<x>{_Y4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T?\d{{6}}|T\d{{4}})?)(?!\d)", digits=8),
)  # fmt: skip


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
