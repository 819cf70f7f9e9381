# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Addresses without a street's number: farms, lots, house names, townlands, corners, codes alone."""

import re

from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon

_W = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_TOWN = rf"{_W}(?:[ -](?:(?:upon|on|under|next|in|the|of|de|del|la|y)[ -])?{_W}){{0,2}}"
_UK = r"(?:[A-Z][A-HK-Y]?\d[A-Z\d]?[ ]\d[ABD-HJLNP-UW-Z]{2})"
_EIRCODE = r"[ACDEFHKNPRTVWXY]\d[\dW][ ]?[\dACDEFHKNPRTVWXY]{4}"
_HOUSE = one_of("rural", "house")
_BOX = one_of("rural", "box")
_KIND = one_of("rural", "kind")
_SITE = one_of("rural", "site")
_CALLE = one_of("rural", "calle")


def _is_townland(text: str, start: int, end: int) -> bool:
    """Whether a part is no plain word: "Derrybeg East", not "Patient, Eircode"."""
    words = re.findall(
        r"[^\W\d_]{3,}", fold(re.split(r",?\s(?:Eircode|EIRCODE)", text[start:end])[0])
    )
    known = lexicon()
    return any(known.kind(one) != "w" or one in known.places for one in words)


RURAL: tuple[Pattern, ...] = (
    # a British code alone in its line, with the lines of the address above it
    pattern("ADDRESS", rf"(?<=\n)[ ]*(?P<x>{_UK})(?=[ ]*(?:\n|$|[.,;]))", 0, shape=r"\n[ ]*[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2}"),
    pattern("ADDRESS", rf"(?<![^\n])[ ]*(?P<x>(?:\d{{1,4}}[a-z]?[ ])?{_W}(?:[ ]{_W}){{0,3}}(?:\n[ ]*{_TOWN}){{1,2}})(?=\n[ ]*(?:\x01|{_UK})[ ]*(?:\n|$))", 0, shape=r"\n[ ]*(?:\x01|[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2})[ ]*(?:\n|$)", check=lambda text, start, end: text[start].isdigit(), sure=False),
    # "The Bungalow, Sheepwash Lane, Little Wenham XA7 4QZ", "Rose Cottage, Ickford"
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:The[ ](?:Old[ ]|New[ ])?{_W}(?:[ ]{_W})?|{_W}(?:[ ]{_W})?[ ](?:{_HOUSE})|(?:The[ ])?(?:{_HOUSE})),[ ](?:{_TOWN},?[ ]){{1,3}}(?:{_UK}))(?!\w)", 0, shape=r"\d[A-Z\d]?[ ]\d[A-Z]{2}"),
    pattern("ADDRESS", rf"(?<=[ ])(?P<x>{_TOWN}[ ](?:{_UK}))(?=[ ]*(?:\n|$|[.,;)]))", 0, shape=r"\d[A-Z\d]?[ ]\d[A-Z]{2}", check=_is_townland),
    # "RMB 2240 Goldfields Track, Creswick Flat", "lot 9 Cottonwood Mobile Park, Wheatland"
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_BOX})\.?[ ]#?\d{{1,6}}[A-Z]?,?[ ](?:{_W}[ ]){{0,3}}{_W}(?:,[ ]{_TOWN}){{0,2}}(?:,?[ ][A-Z]{{2,3}})?(?:[ ]\d{{4,5}})?)(?!\w)", 0, starts=first_words(_BOX)),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:[Ll]ot|[Ss]pace|[Ss]pc|[Ss]ite|[Pp]itch|[Pp]lot|[Uu]nit|[Cc]abin|[Tt]railer|[Bb]erth|[Mm]ooring)[ ]#?\d{{1,4}}[A-Z]?,?[ ](?:{_W}[ ]){{1,4}}(?:{_SITE})(?:,[ ]{_TOWN})?)(?!\w)", 0, starts="lot space spc site pitch plot unit cabin trailer berth mooring"),
    pattern("ADDRESS", rf"(?<![\w./-])(?P<x>\d{{1,5}}[A-Z]?[ ](?:{_W}[ ]){{1,3}}(?:{_KIND}),[ ]{_TOWN})(?!\w)", 0, near=first_words(_KIND)),
    # "Calle Sucre esq. Junín", "Av. Brasil y Chacabuco", "corner of" in Spanish and Portuguese
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_CALLE})[ ]{_W}(?:[ ](?:de[ ]|la[ ])*{_W}){{0,2}}(?:[ ]N?[º°]?\d{{1,5}})?,?[ ](?:esq\.?|esquina|entre|casi|c/)[ ](?:con[ ])?(?:{_CALLE}[ ])?{_W}(?:[ ]{_W})?(?:[ ]y[ ]{_W})?(?:[ ]N?[º°]?\d{{1,5}})?)(?!\w)", 0, starts=first_words(_CALLE)),
    # "Derrybeg East, Kilcolman, Eircode X91 AB12"
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_TOWN},[ ]){{1,3}}(?:Eircode:?[ ]|EIRCODE:?[ ])?(?=[A-Z\d]+[ ]?[A-Z\d]*\d){_EIRCODE})(?!\w)", 0, shape=r"\d[\dW][ ]?[\dA-Z]{4}", check=_is_townland),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_TOWN},[ ]){{1,3}}(?:Eircode|EIRCODE):?(?:[ ][A-Z]\d[\dW][ ]?[A-Z\d]{{4}}(?!\w)|(?=[ ]\x01)))", 0, near="eircode", check=_is_townland),
)  # fmt: skip
