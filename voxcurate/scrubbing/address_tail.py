# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Where an address that was found ends: over floor, door and stair, code and town after it.

A street is found by many expressions of many countries; what may follow its number is the same
list of parts everywhere, in any order.
"""

import re

from voxcurate.scrubbing.forms import one_of
from voxcurate.scrubbing.name_words import NO_NAME, SHORT_FORMS, STOP, TITLES
from voxcurate.scrubbing.pattern import UPPER
from voxcurate.scrubbing.towns import is_listed
from voxcurate.scrubbing.vocabulary import fold, lexicon

_PART = one_of("address_tail", "part")
_SIDE = one_of("address_tail", "side")
_LINK = r"(?:de[ ]la|de[ ]los|de|del|della|di|do|da|dos|das|d['’]|l['’]|la|le|les|sur|sous|lès|aan[ ]den|aan[ ]de|am|an[ ]der|im|in|bei|op|upon|on)"
_CAP = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_TOWN = rf"{_CAP}(?:[ -](?:{_LINK}[ ]?)?{_CAP}){{0,3}}"
_CODE = r"(?:[A-Z]{1,2}[- ])?(?:\d{4}-\d{3}|\d{5}-\d{3}|\d{2}-\d{3}|\d{3}[ ]\d{2}|\d{4}[ ]?[A-Z]{2}|\d{4,6})"
_SEP = r"(?:[ ]?[,–][ ]?|[ ]-[ ]?|[ ])"
# "3º B", "2.º izq", "esc. 2", "bât. C", "int. 5", "8 bis", "14-3"
_FLOOR = re.compile(
    rf"{_SEP}(?:(?:\d{{1,2}}[ ]?\.?[ ]?[ºª°]\.?|\d{{1,2}}[.]?o\.?)(?:[ ]?(?:{_SIDE}|[A-Z](?![\w'’]))\.?)?"
    rf"|\d{{1,2}}[ ]?(?:{_SIDE})\.?|(?:{_PART})\.?[ ]?(?:\d{{1,4}}[A-Za-z]?|[A-Z](?![\w'’])|{_SIDE})"
    rf"|(?:bis|ter|hs|huis|boven)(?!\w)|(?<=[\d, ])[A-D](?=,))(?![\w%])",
    re.IGNORECASE,
)
_PLACE = re.compile(rf"{_SEP}(?:{_CODE},?[ ](?P<coded>{_TOWN})|(?P<code>{_CODE})(?![\w%]|[.,/]\d))")
_BARE_TOWN = re.compile(rf"(?:,|[ ][-–]|[ ](?:à|in|te|a|en))[ ](?P<town>{_TOWN})(?!\w|['’]s)")
_STATE = re.compile(r"[ ]?[-/,–][ ]?[A-Z]{2}(?![\w-])|[ ]\([A-Z]{2}\)")
_STREET = re.compile(r"[^\W\d_]{3}.*\d|\d.*[^\W\d_]{3}", re.DOTALL)


def address_end(text: str, start: int, end: int) -> int:
    """Where the address goes on to that was found from `start` to `end`; `end` if no street."""
    if not _STREET.search(text[start:end]) or "\n" in text[start:end]:
        return end
    for _ in range(6):
        more = _FLOOR.match(text, end) or _PLACE.match(text, end)
        if more is not None and more.groupdict().get("code") and not _is_code(text, more):
            more = None
        if more is None:
            more = _BARE_TOWN.match(text, end)
            if more is None or not _is_town(more["town"]):
                more = _STATE.match(text, end)
        if more is None:
            return end
        end = more.end()
    return end


def _is_code(text: str, match: re.Match[str]) -> bool:
    """Whether a number alone is a postcode: five digits or more, after a comma."""
    code = match["code"]
    return text[match.start()] in ",–" and sum(map(str.isdigit, code)) > 4


def _is_town(name: str) -> bool:
    """Whether capitalised words after a street are its town: none begins a sentence or a label."""
    words = re.split(r"[ -]", fold(name))
    never = words[0] in STOP | TITLES | NO_NAME | SHORT_FORMS
    known = lexicon()
    return not never and (is_listed(fold(name)) or any(known.kind(one) != "w" for one in words))
