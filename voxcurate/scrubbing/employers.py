# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Where people work, live and are cared for, by words of other languages, brackets and endings.

"chauffeur à la RATP", "centro de salud Los Olmos", "retired fitter (Kestrel Brewing Co.)", "Cedar
Bluffs VAMC", "Westgate North" in a cell.
"""

import re

from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.medical import CLINICAL
from voxcurate.scrubbing.name_words import SHORT_FORMS, STOP
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.towns import is_listed
from voxcurate.scrubbing.vocabulary import fold, lexicon

_W = rf"(?!(?:Dr|Mr|Mrs|Ms|Miss|Prof|Signed|Seen)\b){UPPER}(?:[\w'’&-]|\.(?=\w))*"
_LINK = r"(?:de[ ]la|de[ ]los|de[ ]las|del|de|della|dei|di|du|des|do|da|dos|das|der|am|an[ ]der|im|van|aan|op|la|le|les|los|las|el|of|the|and|&|y|e|et|und|en)"
_NAME = rf"{_W}(?:[ ](?:{_LINK}[ ])?{_W}){{0,3}}"
_WORK = one_of("employers", "work")
_AT = r"(?:[àa][ ]la|à[ ]l['’]|aux?|chez|à|bei[ ](?:der|dem)|beim?|bij|en[ ]el|en[ ]la|en|presso|alla|al|in[ ]der|na|no|para|por|pour|voor|für|di|de|de[ ]la|du|del|della)"
_PLANT = one_of("employers", "plant")
_HOUSE = one_of("employers", "house")
_JOB = one_of("employers", "job")
_SYSTEM = one_of("employers", "system")
_SITE = r"(?:North|South|East|West|Northeast|Northwest|Southeast|Southwest|Main|Downtown|Uptown|Midtown|Central|Campus|Annex|MOB|OPC|CBOC|VAMC|VAHCS)"
_OPEN = r"(?:(?<=[,|\t\"(])|(?<=: )|(?<=at )|(?<=from )|(?<=to )|(?<=site )|(?<=via )|(?<=@ )|(?<![^\n]))"
_ENDS = r"(?=[ ]*(?:[,|\t\"().;\n]|$|\x01|[ ]{2}|[-–][ ]))"


def _own(text: str, start: int, end: int) -> list[str]:
    words = re.findall(r"[^\W\d_]{3,}", fold(text[start:end]))
    return [one for one in words if one not in GENERIC | SHORT_FORMS | STOP]


def _is_odd(word: str) -> bool:
    known = lexicon()
    odd = known.foreign_kind(word) != "w" or is_listed(word) or known.is_unlike_reports(word)
    return odd and word not in known.eponyms and CLINICAL.search(word) is None


def _is_named(text: str, start: int, end: int) -> bool:
    """Whether one word is none that reports have."""
    return "\n" not in text[start:end] and any(map(_is_odd, _own(text, start, end)))


def _is_employer(text: str, start: int, end: int) -> bool:
    """Whether somebody works there: a name, or an abbreviation that reports do not have."""
    found = text[start:end]
    if re.fullmatch(r"[A-Z]{2,6}", found):
        return fold(found) not in SHORT_FORMS and lexicon().foreign_kind(fold(found)) != "w"
    return _is_named(text, start, end)


def _is_house(text: str, start: int, end: int) -> bool:
    """Whether what follows "hospital", "colegio" is its name: "La Fe", "Los Olmos"."""
    article = re.match(r"(?:La|Las|Los|El|Les|Le|San|Santa|São|Sint|Sainte?)[ -]", text[start:end])
    return article is not None or _is_named(text, start, end)


EMPLOYERS: tuple[Pattern, ...] = (
    # "chauffeur de bus à la RATP", "werkte bij scheepswerf De Noord", "arbeitet bei Bosch"
    pattern("INSTITUTION", rf"\b(?i:{_WORK})\b(?:[ ][a-zà-ÿ'’-]+){{0,3}}?[ ]{_AT}[ ]?(?P<x>(?:(?:{_PLANT})[ ])?(?:{_NAME}))", 0, starts=first_words(_WORK), check=_is_employer, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:{_PLANT})[ ](?:{_LINK}[ ])?{_NAME})", 0, starts=first_words(_PLANT), check=_is_named, sure=False),
    # "retired fitter (Kestrel Brewing Co.)", "ex Qantas engineer"
    pattern("INSTITUTION", rf"\b(?i:{_JOB})\b[^.()\n]{{0,24}}[ ]\((?:the[ ])?(?P<x>{_NAME}\.?)(?=[ ]?[,)])", 0, starts=first_words(_JOB), check=_is_employer, sure=False),
    pattern("INSTITUTION", rf"\b(?:[Ee]x|[Ff]ormer|[Rr]etired)[ -](?P<x>{_W}(?:[ ]{_W})?)(?=[ ](?:engineer|worker|machinist|employee|driver|pilot|fitter|miner|welder|mechanic|steward|stewardess|guard|clerk|staff|cabin|ground|line|shop|plant)\b)", 0, starts="ex former retired", check=_is_employer, sure=False),
    # "centro de salud Los Castaños", "hospital La Fe", "clinique des Tilleuls"
    pattern("INSTITUTION", rf"(?<![\w-])(?:{_HOUSE})[ ](?P<x>(?:(?:{_LINK})[ ]|[dl]['’]){{0,2}}{_NAME})(?![\w'’])", 0, starts=first_words(_HOUSE), check=_is_house, sure=False),
    pattern("INSTITUTION", rf"(?<![\w-])(?P<x>(?:CAP|CS|CEIP|IES|ULS|UBS|USF|CESFAM|MSP|MZEB|IME|ESAT|SSIAD)[ ](?:{_LINK}[ ])?{_NAME})(?![\w'’])", 0, starts="cap cs ceip ies uls ubs usf cesfam msp mzeb ime esat ssiad", check=_is_house, sure=False),
    # "Sint Jansgasthuis", "Station Haus C, Ebene 3", "Abt. Innere II"
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:(?:Sint|Sankt|St\.?|Onze[ ]Lieve[ ]Vrouwe?)[ -]?)?{UPPER}[a-zà-ÿ]*(?:gasthuis|ziekenhuis|krankenhaus|spital|stift|hospital)(?:[ ]{UPPER}[a-zà-ÿ]{{3,}})?)(?![\w-])", 0, shape=r"(?:gasthuis|ziekenhuis|krankenhaus|spital|stift|hospital)", check=_is_named, sure=False),
    pattern("INSTITUTION", r"(?<!\w)(?P<x>(?:(?:Station|Stat\.|Abt\.)[ ])?(?:Haus|Gebäude|Geb\.|Bau|Trakt|Pavillon)[ ][A-Z\d]{1,3}(?:,?[ ](?:Station|Stat\.|Ebene|Etage|Stock|Zimmer)[ ][A-Z\d]{1,4}|,?[ ]\d{1,2}\.[ ]?(?:OG|Stock|Etage|Ebene))?|Station[ ]\d{1,2}[A-Z]?,[ ]Haus[ ][A-Z\d]{1,3})(?![\w-])", 0, starts="station stat abt haus gebaude geb bau trakt pavillon", labelled=True, sure=False),
    pattern("INSTITUTION", r"\b(?:Abt\.|Abteilung|Klinik|Station)[ ](?:für[ ])?(?P<x>(?:Innere|Chirurgie|Medizin|Med\.|Neuro|Gyn)[ ](?:I{1,3}|IV|V|[1-9])(?:[ab])?)(?!\w)", 0, starts="abt abteilung klinik station", sure=False),
    # sites by their ending, houses of a chain
    pattern("INSTITUTION", rf"{_OPEN}[ ]?(?P<x>(?:{_W}[ ]){{1,2}}{_SITE}(?:[ ](?:OPC|CBOC|MOB|Annex|Campus))?){_ENDS}", 0, shape=rf"[ ]{_SITE}(?![\w-])", check=_is_named, sure=False),
    pattern("INSTITUTION", rf"(?:(?<=at )|(?<=from )|(?<=to )|(?<=via )|(?<=@ )|(?<=[,|\"(]))[ ]?(?P<x>(?:{_SYSTEM})[ ]{_W}(?:[ ]{_W})?)(?![\w'’])", 0, starts=first_words(_SYSTEM), sure=False),
    pattern("INSTITUTION", rf"(?<![^\n])[ ]*(?P<x>{_W}(?:[ ]{_W}){{0,4}}[ ][-–|/][ ](?:(?:Medical|Diagnostic|Department|Dept\.?|of|Nuclear|Clinical|Interventional|Breast|and|&|CT|MRI|X-?[Rr]ay)[ ]){{0,4}}(?:Imaging|Radiology|Radiodiagnostic|Nuclear[ ]Medicine|Pathology|Emergency[ ]Department|Outpatients))(?=[ ]*(?:\n|$))", 0, shape=r"[ ][-–|/][ ][A-Z]", near="imaging radiology radiodiagnostic medicine pathology department outpatients", check=_is_named, sure=False),
)  # fmt: skip
