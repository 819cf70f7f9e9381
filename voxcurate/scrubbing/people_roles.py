# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Given names alone beside a role, a label or a time, and initials where an entry ends.

"Navigator Tamika", "ask for Meg", "Known as: Bex", "[08:00] Kit SHO: on my way", "typed rlq".
"""

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.medical import CLINICAL
from voxcurate.scrubbing.months import MONTH_WORDS
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_set

_W = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_ROLE = one_of("people_roles", "role")
_POST = one_of("people_roles", "post")
_KNOWN = one_of("people_roles", "known")
_SIGNED = one_of("people_roles", "signed")
_NOBODY = (w.STOP | w.NO_NAME | w.SHORT_FORMS | w.TITLES | w.DEGREES | GENERIC) - MONTH_WORDS
_PLAIN = word_set("""
    no yes not nil and the for see by on at is was ok per to in of up as it qt qtc ca na dlco age
""")
_SHIFTS = word_set("""
    night day duty on oncall take senior junior first second locum bank med surg late early
""")


def _is_given(text: str, start: int, end: int) -> bool:
    """Whether a word is a given name of any list, or none that English or medicine has."""
    low, known = fold(text[start:end]), lexicon()
    if text[start:end].isupper() or low in _NOBODY or low in known.eponyms:
        return False
    given = low in known.given or low in known.long["given"]
    return (given and known.foreign_kind(low) != "w") or known.kind(low) in "nu"


def _speaks(text: str, start: int, end: int) -> bool:
    """Whether a word between a time and a post is a person's, not a specialty's or a shift's."""
    low = fold(text[start:end])
    return low not in _NOBODY | _SHIFTS and CLINICAL.search(low) is None


def _is_called(text: str, start: int, end: int) -> bool:
    """Whether what stands after "Known as:" is no empty field, label or plain word of forms."""
    low = fold(text[start:end])
    return (
        low not in _NOBODY and low not in _PLAIN and lexicon().foreign_kind(low.split()[0]) != "w"
    )


def _are_initials(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end]).replace(".", "").replace("-", "")
    if low in w.SHORT_FORMS or low in w.DEGREES or low in w.STOP or low in _PLAIN:
        return False
    return "." in text[start:end] or lexicon().foreign_kind(low) in "un"


def _are_last(text: str, start: int, end: int) -> bool:
    """Whether letters that end an entry are nobody's short form: hardly a vowel, in no list."""
    low = fold(text[start:end])
    plain = "." in text[start:end] or lexicon().kind(low) == "u"
    return plain and _are_initials(text, start, end)


ROLES: tuple[Pattern, ...] = (
    pattern("NAME", rf"\b(?:{_ROLE}|{_POST})(?:[ ]?:)?[ ](?P<x>{_W})(?=[ ]*(?:[,;()\n]|$|[ ]{{2}})|\.(?:\s|$)|[ ](?:[a-z\d+@(]|\x01))(?!['’]s[ ](?:sign|disease|test))", 0, near=f"{first_words(_ROLE)} {first_words(_POST)}", check=_is_given, sure=False),
    pattern("NAME", rf"(?<![\w-])(?P<x>{_W})(?=[ ](?:\((?:{_POST})\b|(?:{_POST})(?:[ ]*[,;)\n:]|[ ]{{2}}|$)))", 0, near=first_words(_POST), check=_is_given, sure=False),
    pattern("NAME", rf"\b(?i:ask(?:s|ed|ing)?|asking|call|ring|phone|speak)[ ](?:for|to|with)[ ](?P<x>{_W})(?=[ ]*(?:[,;()\n]|$)|\.(?:\s|$)|[ ](?:on|at|in|or|and|from|if|when)\b)", 0, starts="ask asks asked asking call ring phone speak", check=_is_given, sure=False),
    pattern("NAME", rf"\b(?i:security|reception|portering|pharmacy|transport|switchboard|theatres?|triage|housekeeping|estates|records|interpreting|bed[ ]manager)[ ]\((?P<x>{_W})(?=[),;])", 0, starts="security reception portering pharmacy transport switchboard theatre theatres triage housekeeping estates records interpreting bed", check=_is_given, sure=False),
    pattern("NAME", rf"\b(?i:{_KNOWN})[ ]?[:=][ ]{{0,6}}(?P<x>{_W}(?:[ ]{_W}){{0,2}})(?=[ ]*(?:[,;(\n|/]|$|-[ ])|[ ]{{2}}|[ ]\x01)", 0, starts=first_words(_KNOWN), labelled=True, check=_is_called, sure=False),
    # who speaks in a chat: "[08:00] Kit SHO: yes", "14:55 Bex (CNS): ring him"
    pattern("NAME", rf"(?:(?<=\n)|(?<![\s\S]))\[?[ ]?(?:[\d\x01./-]+,?[ ])?(?:\d{{1,2}}:\d\d|\x01)(?::\d\d)?\]?,?[ ](?P<x>{_W})(?=[ ]\(?(?:{_POST}|{_ROLE})\)?:)", 0, signs=":", shape=rf"[ ]\(?(?:{_POST}|{_ROLE})\)?:", check=_speaks, sure=False),
    # initials after who did something, and where an entry ends
    pattern("NAME", rf"\b(?i:{_SIGNED})(?:[ ]?:)?[ ]{{1,6}}(?P<x>[a-z]{{2,3}}|[A-Z]{{2,3}}|(?:[A-Z]\.-?){{2,4}}(?:[A-Z]\.?)?)(?=[ ]*(?:\n|$|[;,)/]|[ ]{{2}}|[\d\x01])|\.(?:\s|$)|:[ ])", 0, starts=first_words(_SIGNED), check=_are_initials, sure=False),
    pattern("NAME", r"\b(?i:reader|rater|observer|radiologist)[ ][12AB][ :]{1,2}(?P<x>[a-z]{2,3})(?=[ ]*(?:[,;.\n)]|$|(?i:reader|rater|observer)))", 0, starts="reader rater observer radiologist", check=_are_initials, sure=False),
    pattern("NAME", r"[.;\d\x01)],?[ ](?P<x>[A-Z]{3}|[a-z]{3}|(?:[A-Z]\.){2,3})(?=[ ]*\.?[ ]*(?:\Z|\n[ ]*(?:\n|\Z)))", 0, shape=r"(?:[A-Z]{3}|[a-z]{3}|[A-Z]\.)[ ]*\.?[ ]*(?:\Z|\n[ ]*(?:\n|\Z))", check=_are_last, sure=False),
    pattern("NAME", r"\b(?:[Dd]r|[Mm]rs?|[Mm]s|[Pp]rof)\.?[ ](?P<x>[A-Z](?:\.?-[A-Z]\.?|\.[A-Z]\.))(?![\w-])", 0, starts="dr mr mrs ms prof"),
)  # fmt: skip
