# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Dictation as it was spoken: "JUNE FIRST 1949", "third of the first twenty five", "my pager's 5512"."""

from voxcurate.scrubbing.forms import one_of
from voxcurate.scrubbing.months import ENGLISH, MONTHS, NAMES_TOO, WORDS_TOO
from voxcurate.scrubbing.pattern import Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold

_ORDINAL = one_of("spoken", "ordinal")
_NUMBER = one_of("spoken", "number")
_DAY = rf"(?:(?:twenty|thirty)[ -])?(?:{_ORDINAL}|{_NUMBER})"
_YEAR = rf"(?:(?:19|20)\d\d|(?:nineteen|twenty|two[ ]thousand(?:[ ]and)?)(?:[ -](?:oh[ -])?{_NUMBER}){{0,2}})"
_NINETY = rf"(?:ninety(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?|(?:a|one)[ -]hundred(?:[ -](?:and[ -])?{_NUMBER})?)"
_KIN = r"(?:great-?[ ]?)?(?:grand(?:ad|dad|mother|father|ma|pa|mum|mom|parent)|gran|granny|nan|nana|mother|father|mum|mom|dad|aunt|uncle|lady|gentleman|patient)"


def _is_spoken_day(text: str, start: int, end: int) -> bool:
    """Whether "May first" is a day: with its year, or of a month that is no word."""
    first, *rest = fold(text[start:end]).replace(",", " ").split()
    told = len(rest) > 1 and rest[-1] not in ("first", "second", "one")
    return told or (first not in WORDS_TOO | NAMES_TOO and text[start].isupper())


SPOKEN: tuple[Pattern, ...] = (
    pattern("DATE", rf"\b(?P<x>{ENGLISH}[ ](?:the[ ])?{_DAY}(?:,?[ ]{_YEAR})?)(?![\w-])(?![ ](?:mg|mm|cm|ml|weeks?|months?|days?|times)\b)", near=MONTHS, labelled=True, check=_is_spoken_day),
    pattern("DATE", rf"\b(?P<x>(?:the[ ])?{_DAY}[ ](?:of[ ])?{ENGLISH},?[ ]{_YEAR})(?![\w-])", near=MONTHS, labelled=True),
    pattern("DATE", rf"\b(?:born(?:[ ]on)?|birth|dob|dated?|on)(?:[ ]is|[ ]was)?[ :]{{1,2}}(?:the[ ])?(?P<x>(?:(?:twenty|thirty)[ -])?{_ORDINAL}[ ]of[ ](?:the[ ])?{_ORDINAL}(?:[ ](?:of[ ])?(?:{_YEAR}|(?:oh[ ])?{_NUMBER}(?:[ -]{_NUMBER}){{0,2}}))?)(?!\w)", starts="born birth dob date dated on", labelled=True),
    pattern("PHONE", r"\b(?:pager|bleep|extension|ext|phone|cell|mobile|number|line|fax)['’]s[ ](?:still[ ]|now[ ])?(?P<x>\d[\d -]{2,14}\d)(?![\w/%]|[.,]\d)", starts="pager bleep extension ext phone cell mobile number line fax", labelled=True),
    pattern("PHONE", r"\x01[ ]?(?:x|ext|extn)\.?[ ]?(?P<x>\d{2,6})(?![\w/]|[.,]\d)", shape=r"\x01[ ]?(?:x|ext)", labelled=True),
    pattern("AGE", rf"\b{_KIN}(?:[ ]is|['’]s|,)?[ ](?:now[ ]|aged[ ])?(?P<x>{_NINETY}|9\d|1[01]\d)(?=[,.;)]|[ ](?:and|on|with|who|has|lives|but)\b)(?![.,]\d)", near="grandad granddad grandmother grandfather grandma grandpa grandmum grandmom grandparent gran granny nan nana mother father mum mom dad aunt uncle lady gentleman patient", labelled=True),
    pattern("AGE", rf"\x01,[ ](?:[a-z ]{{1,16}},[ ]){{0,2}}(?:[a-z ]{{1,8}}[A-Z],[ ])?(?:now[ ]|aged[ ])?(?P<x>{_NINETY})(?=[,.;)]|[ ](?:and|with|who|for)\b)", shape=r"ninety|hundred", near="ninety hundred"),
    pattern("NAME", r"\b(?:DICTATION|DICTATED|TRANSCRIBED|TYPED|INITIALS|dictation|initials)(?:[ ](?:BY|by))?[ ](?P<x>[A-Za-z]{2,3}[ ](?:SLASH|slash)[ ][A-Za-z]{2,3})(?!\w)", 0, near="slash", labelled=True),
)  # fmt: skip
