# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Towns and villages by where they stand: after a label, alone in a letter's head, before a code."""

import re

from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon

_CAP = rf"(?:St\.|(?:d['’])?{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*)"
_TOWN = rf"{_CAP}(?:[ -](?:(?:am|an der|im|in|bei|sur|sous|lès|les|de|la|le|upon|on|under|aan|den|op|do|da|dos|das|of|na|ob der)[ -])?{_CAP}){{0,3}}"
STATE_NAMES = r"(?:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New[ ](?:Hampshire|Jersey|Mexico|York)|North[ ](?:Carolina|Dakota)|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode[ ]Island|South[ ](?:Carolina|Dakota)|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West[ ]Virginia|Wisconsin|Wyoming)"
_LABEL = one_of("towns", "label")
_SETTLEMENT = one_of("towns", "settlement")


def is_listed(name: str) -> bool:
    """Whether a folded name is a town of the lists, whatever else it is."""
    known = lexicon()
    group = known.long["towns"].group(name.replace("-", " "))
    return name in known.places or group is not None or name in known.long["towns"]


def _is_strange(text: str, start: int, end: int) -> bool:
    """Whether a word is no word of reports, or the whole a town of the lists."""
    known = lexicon()
    words = [fold(one) for one in re.split(r"[ -]", text[start:end]) if not one.isupper()]
    return is_listed(fold(text[start:end])) or any(
        known.foreign_kind(one) != "w" and one not in known.eponyms for one in words if len(one) > 2
    )


def _is_whole_town(text: str, start: int, end: int) -> bool:
    """Whether a line alone is a town: listed, or of no word that reports have."""
    known = lexicon()
    if is_listed(fold(text[start:end])) and end - start > 3:
        return True
    if text[start:end].isupper():
        return False
    words = [one for one in re.split(r"[ -]", fold(text[start:end])) if len(one) > 3]
    return bool(words) and all(
        known.kind(one) in "nu" and one not in known.eponyms for one in words
    )


def _is_head_town(text: str, start: int, end: int) -> bool:
    """Whether a line at the beginning or end is a town of the lists and no word of reports."""
    if 300 < start < len(text) - 200 or end - start < 4:
        return False
    name = fold(text[start:end])
    known = lexicon()
    plain = any(known.foreign_kind(one) in "wb" for one in re.split(r"[ -]", name) if len(one) > 3)
    return is_listed(name) and not plain and name not in known.eponyms


def _is_coded(text: str, start: int, end: int) -> bool:
    """Whether "Cape Town 8001" is a town and its code: the town is listed and no word."""
    name = fold(re.sub(r",?[ ]\d{4}$", "", text[start:end]))
    return is_listed(name) and lexicon().kind(name.split()[0]) != "w"


TOWNS: tuple[Pattern, ...] = (
    pattern("ADDRESS", rf"\b(?i:{_LABEL})[ ]{{0,8}}[:=][ ]{{0,4}}(?P<x>{_TOWN}(?:,[ ]{_TOWN}){{0,2}})(?=[ ]*(?:\n|$|,|;|\||\(|\d|\x01|[ ]{{2}}|[–-][ ]))", 0, starts=first_words(_LABEL), labelled=True, check=_is_strange),
    pattern("ADDRESS", rf"(?:(?<![^\n|;,(])|(?<=[ ]{{2}}))[ ]*(?i:{_SETTLEMENT})[ ]+(?P<x>{_TOWN})(?=[ ]*(?:\n|$|,|;|\||\x01|[ ]{{2}}))", 0, near=first_words(_SETTLEMENT), check=_is_strange),
    # a line of a letter's head: after one that names somebody or somewhere, before a gap or another
    pattern("ADDRESS", rf"\x01[^\n\x01]{{0,24}}\n[ ]*(?P<x>{_TOWN})(?=,?[ ]*(?:\Z|\n[ ]*(?:\n|\x01|\Z|(?i:tel|t[ée]l|phone|fax|e-?mail|dob|ref|re:|our|your|dear|date))))", 0, shape=rf"\n[ ]*{UPPER}", check=_is_whole_town, sure=False),
    pattern("ADDRESS", rf"\x01,[ ](?P<x>{_TOWN}(?:,[ ]{_TOWN})?)(?=[ ]*(?:\n|\Z|[;)]|\.(?:[ \n]|\Z)))", 0, shape=r"\x01,[ ]", check=_is_whole_town, sure=False),
    pattern("ADDRESS", rf"\x01,[ ](?P<x>(?:The[ ])?{_CAP}[ ](?:Street|Road|Lane|Avenue|Terrace|Close|Row|Square|Green|Hill|Place)(?:,[ ]{_TOWN}){{0,2}})(?=,[ ](?:\x01|{_TOWN})|[ ]*\n)", 0, near="street road lane avenue terrace close row square green hill place"),
    # "LEEDS" alone in the head or at the end, "TORONTO site"
    pattern("ADDRESS", rf"(?<![^\n])[ ]*(?P<x>{_TOWN})(?=[ ]*(?:\n|\Z)|[ ](?:[Ss]ite|SITE|[Cc]ampus|CAMPUS|[Bb]ranch|[Oo]ffice)\b)", 0, shape=rf"(?<![^\n])[ ]*{_TOWN}(?:[ ]*(?:\n|\Z)|[ ][SsCcBbOo])", check=_is_head_town, sure=False),
    pattern("ADDRESS", rf"\b[Ll]ives[ ](?P<x>{_TOWN})(?=[ ]?[.,;)\n]|$)", 0, starts="lives", check=_is_strange, sure=False),
    pattern("ADDRESS", rf"\b\d{{1,3}}[ ]?[MFmf],[ ](?P<x>{_TOWN})(?=[.,;]|\n|$)", 0, shape=r"\d[ ]?[MFmf],[ ]", check=_is_whole_town, sure=False),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>{_TOWN},[ ](?:{STATE_NAMES}))(?!\w)", 0, near=first_words(STATE_NAMES), check=_is_strange, sure=False),
    pattern("ADDRESS", rf"(?<![\w,])(?P<x>{_TOWN},?[ ](?!19|20)\d{{4}})(?=[ ]*(?:\n|\Z|[.,;)]))", 0, shape=r"[^\W\d],?[ ]\d{4}", has_digits=4, check=_is_coded, sure=False),
    pattern("ADDRESS", r"\b(?:p\.?[ ]?o\.?[ ]?box|p\.?o\.?b\.?|private[ ]bag|p\.?m\.?b\.?|postnet[ ]suite|gpo[ ]box|locked[ ]bag)[ ]?(?:no\.?[ ])?(?P<x>(?:[A-Z]{1,3}[ ]?)?\d{1,6})(?!\w|[.,/-]\d)", starts="p po pob private pmb postnet gpo locked", labelled=True),
)  # fmt: skip
