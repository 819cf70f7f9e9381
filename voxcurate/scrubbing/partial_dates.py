# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Whether "3/14", "14.3." or "3-14" is a day without its year: what no score or fraction explains.

Scores, fractions, node counts, levels, doses, durations (the British "3/52") and settings of
machines are a closed family, told by the words around and by the second number; a pair of numbers
that could be a day and is none of these is one.
"""

import re
from math import gcd

from voxcurate.scrubbing.forms import one_of
from voxcurate.scrubbing.pattern import HOLE
from voxcurate.scrubbing.vocabulary import fold, lexicon

# what makes a pair of numbers something else, right before it
_SCORE_BEFORE = re.compile(
    rf"\b{one_of('partial_dates', 'score_before')}\W{{0,3}}{one_of('partial_dates', 'score_before_links')}?\W*$|\d/10\s*(?:->|→|>|to|now|,|then)\s*$|\b[prcy]{{0,3}}[TN]\d[a-d]?(?:mi)?\s?\(?$|[<>≥≤=]\s?$|\+\s?$",
    re.IGNORECASE,
)  # fmt: skip
_SCORE_AFTER = re.compile(
    rf"[ \t]*(?:\n[ \t]*(?!cc\b))?(?:-?{one_of('partial_dates', 'score_after')}|\"|/|\.\d)", re.IGNORECASE)  # fmt: skip
_NUMBER_AFTER = re.compile(
    r"[ \t]*(?!(?:[01]\d|2[0-3])[0-5]\d(?!\w|\.\d))\d(?!\d?(?:/\d|(?:\.[0-5]\d)?[ ]?[ap]\.?m?\b|:\d\d|[.h][0-5]\d[ ]?(?:h|hrs|uhr|uur)?\b))"
)
# strength, scores and nodes anywhere in the sentence before
_SCORE_SENTENCE = re.compile(
    rf"\b{one_of('partial_dates', 'score_sentence')}\b[^.;\n]{{0,60}}$", re.IGNORECASE)  # fmt: skip
_NODES_SENTENCE = re.compile(
    rf"\b{one_of('partial_dates', 'nodes_sentence')}\b[^.;\n]{{0,40}}$", re.IGNORECASE)  # fmt: skip
_DURATION_BEFORE = re.compile(
    rf"\b{one_of('partial_dates', 'duration_before')}\s*(?:in\s)?$|[~><]\s?$|\d/(?:7|12|52)\s?(?:and|to|-|–|,|or)\s?$", re.IGNORECASE)  # fmt: skip
_DURATION_AFTER = re.compile(
    r"\s*(?:hx|history|ago|course|of\b|old|age\b|duration|fu\b|f/u)", re.IGNORECASE
)
_SURELY_DAY_BEFORE = re.compile(
    rf"(?:\b(?:w(?:ee)?k|night|morning|evening|day|afternoon)\s(?:of|beginning|commencing|ending)|\bw/[ec]|\b\w+(?:dag|tag|day)\s(?:d\.|den)|\b(?:mon|tues?|wed|thurs?|fri|sat|sun)(?:[a-z]*day)?\.?,?|\b(?:first|last|next|1st|2nd|final)\sdose|\b{one_of('partial_dates', 'relative_day')})[\s(]*$", re.IGNORECASE)  # fmt: skip
_DAY_BEFORE = re.compile(
    rf"(?:\b{one_of('partial_dates', 'day_before')}\W{{0,2}}|[@(]\s?|\b[dt]:\s{{0,2}}|\b(?:[a-zæøåäö]+dag|\w+tag)\s(?:d\.|den)\s?|\b(?:to|thru|til)\s)$", re.IGNORECASE)  # fmt: skip
_DAY_AFTER = re.compile(
    rf"\s*{one_of('partial_dates', 'day_after')}", re.IGNORECASE)  # fmt: skip
# "CT chest 15/03", "Echo d.d. 31/1": an earlier examination by its kind, part and day
_EXAM_BEFORE = re.compile(
    rf"\b{one_of('partial_dates', 'exam')}(?:[ /+-]{{1,3}}{one_of('partial_dates', 'part')}){{0,4}}\.?(?:[ ](?:del?|du|di|vom|van|of|dated?))?[ ]{{1,2}}$|\b(?:d\.d\.|dd\.?)[ ]?$",
    re.IGNORECASE,
)
_FOUND_AFTER = re.compile(r"[ ]*(?:neg|pos|normal|bilat|\n)", re.IGNORECASE)
# "2/3 swallow trials", "4/5 discs": so many of so many things
_COUNTED_AFTER = re.compile(
    rf"[ ](?!{one_of('partial_dates', 'no_things')}\b)(?:[a-z]{{3,}}[ ])?(?<!with )[a-z]{{3,}}(?<![suiaoe])s\b|[ ]views?\b|[ ](?:phases?|studies|biopsies)\b"
)
_CULTURES = re.compile(r"\b(?:cultures?|bottles?|swabs?|sets?|bcx?)[ ]?:?[ ]?$", re.IGNORECASE)
_GROWN = re.compile(
    r"[ ](?:[A-Z][a-z]{2,}|[A-Z]{2,}|gram|gpc|gnr|pos|neg|\+|grew|growing|mrsa|coag)"
)
_DRUG = re.compile(
    r"(?:penem|cillin|\w[co]cin|mycin|xacin|azole|clav|\bcef\w*|one|ides?|cycline|abx|antibiotics?|"
    r"vanc|tazo|steroids|pred|cover)[ ]$",
    re.IGNORECASE,
)
# "repeat CT 3/12" where weeks are written "6/52"
_AGAIN_BEFORE = re.compile(
    r"\b(?:repeat|rpt|review|again|then|next|fu|f/u|surveillance)[ ](?:\w+[ ]){0,2}$", re.I
)
_COURSE = re.compile(
    r"\b(?:od|bd|tds|qds|bid|tid|qid|mane|nocte|prn|vte|dvt|lmwh|prophylaxis|course|abx|every|total|for|x)"
    r"[ ,]{1,2}$",
    re.IGNORECASE,
)
_UNTIL_WHEN = re.compile(
    r"\b(?:ct|mri?|us|cxr|imaging|watched|review(?:ed)?|seen|clinic)[ ]at[ ]$", re.I
)
_BRITISH = re.compile(r"(?<![\d/])\d{1,2}/(?:52|7)(?![\d/])")
_EYES = re.compile(r"\b(?:vision|va|visus|snellen|acuity|bcva|ucva)\b[^.;\n]{0,24}$", re.IGNORECASE)
# "3/12 R chest wall pain": a complaint of three months; "-> MRCP 12/12.": a plan in twelve
_COMPLAINT_AFTER = re.compile(
    rf"[ ](?:of[ ])?{one_of('partial_dates', 'complaint')}\b", re.IGNORECASE
)
_PLAN_BEFORE = re.compile(r"(?:->|→|=>)[ ]?(?:[\w+-]+[ ]){1,3}$")
_MEASURED_BEFORE = re.compile(r"\d[ ]?(?:mm|cm)\b[^.;\n()\d]{0,40}\($")  # "3 mm nodule (4/12)"
_ARROW = re.compile(r"(\d{1,2})/(\d{1,2})\s?(?:->|→|>)\s?$")
_ARROWED = re.compile(r"\s?(?:->|→|>)\s?(\d{1,2})/(\d{1,2})(?!\d|/)")
_LISTED = re.compile(
    r"(?<![\d/])(\d{1,2})/(\d{1,2})(?![\d/])[^\n/]{0,25}(?:[,;&]|\band)\s?(?:and\s)?$"
)
_LISTING = re.compile(r"[^\n/]{0,25}?(?:[,;&]|\band)\s?(?:and\s)?(\d{1,2})/(\d{1,2})(?![\d/])")
_SCORE_WORD = re.compile(
    r"(?:[A-Z][A-Za-z]*(?:-[A-Z][a-z]+)+|[A-Z]{3,}(?:-?[A-Z]?\d{1,2})?|[A-Z][a-z]{3,})[ ]?[:=]?[ ]?$"
)
_NO_SCORE_WORDS = re.compile(
    rf"\b{one_of('partial_dates', 'no_score_words')}[ ]?[:=]?[ ]?$")  # fmt: skip
_IMAGE_PAIRS = re.compile(r"\(\s?\d{1,3}/(?:3[2-9]|[4-9]\d|\d{3,4})(?!\d|/)")
_SCORES_OF = frozenset(
    {1, 2, 3, 4, 5, 6, 10}
)  # so many points a score has at most, or parts a whole
_LONG_SCORES_OF = frozenset({12, 14, 15, 20, 21, 24, 25, 27, 28, 30})


def is_partial_date(text: str, start: int, end: int) -> bool:
    """Whether "3/14" is a day rather than a score, a fraction or a count, by what is around it."""
    first, second = (re.sub(r"\D", "", part) for part in re.split(r"[-/.]", text[start:end])[:2])
    a, b = int(first), int(second)
    if not (1 <= a <= 31 and 1 <= b <= 31 and min(a, b) <= 12):
        return False
    before, after = text[max(0, start - 90) : start], text[end : end + 28]
    if _is_span(b, before, after):
        return False
    if a <= b and _is_part_of(a, b, before, after, text):
        return False
    if b == 7 and a % 7 == 0 and _is_course(before):
        return False  # "Fragmin 28/7", "3 g tds, 14/7"
    if _EXAM_BEFORE.search(before, max(0, len(before) - 60)) and (
        a > b or not _SCORE_AFTER.match(after) or _FOUND_AFTER.match(after)
    ):
        return True
    cued = _DAY_BEFORE.search(before, max(0, len(before) - 28)) is not None
    followed = _DAY_AFTER.match(after) is not None
    if (
        _is_step(a, b, before, after)
        or _is_of_series(a, b, before, text[end : end + 60])
        or _SURELY_DAY_BEFORE.search(before)
    ):
        return True
    if _is_else(a, b, before, after, text):
        return False
    if before.endswith(f"{HOLE} ") and a < b == 7 and re.match(r"[.,;)]", after):
        return True  # after a name: "stent by Dr Tran 1/7, "
    if cued or followed:
        return True
    if first[0] == "0" or second[0] == "0":
        return True
    if a > b:
        return True
    if b == 7 and a < 7:
        return False  # days, as the British write them
    if b in _SCORES_OF or (b == 8 and gcd(a, b) == 1):
        line_start = not before.strip(" ") or before.rstrip(" ").endswith("\n")
        return line_start and after[:1] not in ("", "\n")
    if a <= b and re.search(r"\b(?:\d?[A-Z]{4,}\d?|[A-Z]+\d)[ ]?[:=]?[ ]?$", before):
        return not _is_after_score_word(before)  # GPCOG 3/9
    return not (b in _LONG_SCORES_OF and _is_after_score_word(before))


def _is_part_of(a: int, b: int, before: str, after: str, text: str) -> bool:
    """Whether so many of so many things are told: "2/3 trials", "cultures 3/3 Staph", "6/9" eyes."""
    if b <= 12 and _COUNTED_AFTER.match(after):
        return True
    if b in (12, 52) and _UNTIL_WHEN.search(before):
        return True  # "CT at 6/12"
    if b <= 4 and _CULTURES.search(before) and _GROWN.match(after):
        return True
    if a == 6 and _EYES.search(before):
        return True
    if b in (12, 52) and _AGAIN_BEFORE.search(before) and _BRITISH.search(text):
        return True
    return b in (3, 5, 7, 10, 14) and _DRUG.search(before) is not None


def _is_course(before: str) -> bool:
    """Whether a dose, an aim or a drug stands before, so that sevenths are days of a course."""
    if _COURSE.search(before):
        return True
    last = re.search(r"([^\W\d_]{4,})[ ,]{1,2}$", before)
    return last is not None and fold(last[1]) in lexicon().products


def _is_span(b: int, before: str, after: str) -> bool:
    """Whether a pair is weeks or months as the British write them, or the image of a lesion."""
    if after.startswith(")") and _MEASURED_BEFORE.search(before):
        return True
    if b not in (12, 52):
        return False
    ends = re.match(r"[ ]*(?:[.;\n]|$)", after) is not None
    starts = not before.strip() or before.rstrip(" ").endswith((".", "\n", ":", ";"))
    return (starts and _COMPLAINT_AFTER.match(after) is not None) or (
        ends and _PLAN_BEFORE.search(before) is not None
    )


def _is_step(a: int, b: int, before: str, after: str) -> bool:
    """Whether an arrow joins two days: "3/3->3/4" but not "4/10 -> 2/10"."""
    other = _ARROW.search(before) or _ARROWED.match(after)
    if other is None:
        return False
    c, d = int(other[1]), int(other[2])
    return d != b and (a == c or abs(a - c) == 1) and max(c, d) <= 31


def _is_of_series(a: int, b: int, before: str, after: str) -> bool:
    """Whether the next days stand beside: "4/3 Na 138, 4/4 136"; scores share the second number."""
    last, following = _LISTED.search(before), _LISTING.match(after)
    if last and int(last[1]) == a and 0 < b - int(last[2]) <= 3:
        return True
    return bool(following and int(following[1]) == a and 0 < int(following[2]) - b <= 3)


def _is_after_score_word(before: str) -> bool:
    return _SCORE_WORD.search(before) is not None and _NO_SCORE_WORDS.search(before) is None


def _is_else(a: int, b: int, before: str, after: str, text: str) -> bool:
    """Whether the words around explain the pair: a score, nodes, an image, a time span."""
    near = before[-28:]
    if _SCORE_BEFORE.search(near) or _SCORE_AFTER.match(after):
        return True
    if b <= 12 and _NUMBER_AFTER.match(after):
        return True
    if before.endswith("(") and after.startswith(")") and _IMAGE_PAIRS.search(text):
        return True  # (series/image)
    if (
        a <= b
        and _NODES_SENTENCE.search(before)
        and not re.search(r"\b(?:on|dated|since)\s$", near)
    ):
        return True
    if b in (2, 3, 4, 5, 7, 8) and a < b and re.search(r"\d(?:\s?w\w*)?\s$", near):
        return True  # 29 3/7 weeks, 2 1/2
    if a <= b and b in (2, 3, 4, 5, 6, 7, 8, 10) and _SCORE_SENTENCE.search(before):
        return True
    return b in (7, 12, 24, 52) and bool(
        _DURATION_BEFORE.search(near) or _DURATION_AFTER.match(after)
    )


_NUMBER_BEFORE = re.compile(
    rf"(?:\b{one_of('partial_dates', 'number_before')}|[<>=~±×:;+/-]|(?<!\w),|\d,)\s*$",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"(?<![\d.])\d{1,2}\.\s?\d{1,2}\.\s?(?:19|20)?\d\d(?![\d.])")
_DOTTED_BEFORE = re.compile(
    rf"(?:\b{one_of('partial_dates', 'dotted_before')}|[-–]|\b{one_of('partial_dates', 'dotted_before_links')}\.?|\b\w+day|\b\w+tag|\b(?:on|since|until|from|dated)|\d\.\d{{1,2}}\.\s?(?:und|u\.|,|\+|&|/))\s?$",
    re.IGNORECASE,
)


def is_dotted_day(text: str, start: int, end: int) -> bool:
    """Whether "14.1." is a day: padded, after a word for a time, or in a text that writes days so."""
    before = text[max(0, start - 24) : start]
    if before.rstrip(" ")[-2:] in ("<-", "->") or before.rstrip(" ")[-1:] in tuple("←→<>≤≥"):
        return False  # "lactate 2.9 <- 5.1."
    if len(text[start:end]) == 6 or _DOTTED_BEFORE.search(before):
        return True
    return (
        _DOTTED.search(text) is not None
        and before.strip(" ") != ""
        and before[-1:] != "\n"
        and not _NUMBER_BEFORE.search(before)
    )


_DASHED_BEFORE = re.compile(
    rf"(?:\b{one_of('partial_dates', 'dashed_before')}|vgl\.?|vergl\.?|cf\.?|vs\.?|comparison|compared\s(?:to|with)|dd|thru|through|{one_of('partial_dates', 'relative_day')})\s*:?\s?$|\b(?:histo\w*|path\w*|biopsy|ct|mri|us|op|surgery|echo|pet)\s\($|@\s?$",
    re.IGNORECASE,
)
_DASHED_AFTER = re.compile(
    rf"\s*(?:[.,;:)\n]|$|{one_of('partial_dates', 'dashed_after')}\b)",
    re.IGNORECASE,
)


_POINTED_BEFORE = re.compile(
    rf"(?<![\w-]){one_of('partial_dates', 'pointed_before')}\s*:?\s?$",
    re.IGNORECASE,
)


def is_pointed_day(text: str, start: int, end: int) -> bool:
    """Whether "8.28" is a day and no decimal: after a word for a time, before no unit."""
    first, second = (int(part) for part in text[start:end].split("."))
    if not (1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12):
        return False
    before, after = text[max(0, start - 28) : start], text[end : end + 20]
    sure = max(first, second) > 12 or re.match(r"0|\d+\.0", text[start:end]) is not None
    return (
        _POINTED_BEFORE.search(before) is not None
        and _DASHED_AFTER.match(after) is not None
        and re.match(r"[ ]?T\b", after) is None
        and (sure or re.search(r"\d\.\d{1,2}\b[^.\n]*$", before) is None)
    )


def is_dashed_day(text: str, start: int, end: int) -> bool:
    """Whether "3-14" is a day and no range: after a word for a time, before no unit or noun."""
    first, second = (int(part) for part in re.split(r"[-.]", text[start:end].rstrip("."))[:2])
    if not (1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12):
        return False
    before = text[max(0, start - 28) : start]
    after_name = before.rstrip(" ")[-1:] == HOLE and max(first, second) > 12
    return (after_name or _DASHED_BEFORE.search(before) is not None) and _DASHED_AFTER.match(
        text, end
    ) is not None
