# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Villages, hamlets and islands, houses without a street, houses of care by a word of their country."""

import re

from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.medical import CLINICAL
from voxcurate.scrubbing.name_words import SHORT_FORMS, STOP
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.towns import is_listed
from voxcurate.scrubbing.vocabulary import fold, lexicon

_W = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_LINK = r"(?:aan de|aan den|aan|op de|op|am|an der|ob der|im|in|bei|sur|sous|lès|les|de la|de los|de las|de|del|della|di|du|des|la|le|upon|on|under|den|do|da|dos|das|na|nad|of|y|e)"
_TOWN = rf"{_W}(?:[ -]{_LINK}[ -]{_W}|[ -]{_W}){{0,2}}"
_PLACE = one_of("villages", "place")
_ISLAND = one_of("villages", "island")
_HOME = one_of("villages", "home")
_HOME_CAPITALS = one_of("villages", "home_capitals")
_CODE = r"(?:\d{4}[ ]?[A-Z]{2}|\d{4,5})"
_TAIL = rf"(?:,?[ ](?:{_CODE}[ ])?(?:{_TOWN}))?"
_STREET = r"(?:straat|vaart|kade|laan|weg|plein|dijk|gracht|singel|hof|pad|steeg|dreef|markt|sloot|akker|straße|strasse|gasse|allee|platz|ufer|damm|steig|stieg|twiete|chaussee|graben|anger|vägen|gatan|veien|gata)"
_CAPITALS = r"(?!(?:WITH|FROM|AT|TO|IN|ON|THE|COMPARED|FOR|BY|IS|WAS|SEE|PER|NO|NOT|PLEASE|SEND|CC|COPY|(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)(?:[CRUITLMVO][A-Z]*)?)\b)[A-ZÀ-Þ.'’&-]{2,}"
_FIELD = re.compile(
    r"(?:logia|logie|logía|iatria|iatrie|iatría|urgia|urgie|urgía|ogy|ica|ico|iche|cina|cine|zin)$"
)


def _own(text: str, start: int, end: int) -> list[str]:
    """Words that may be a name's: no kind of house, no short form, no field of medicine."""
    words = re.findall(r"[^\W\d_]{3,}", fold(text[start:end]))
    known = lexicon()
    return [
        one
        for one in words
        if one not in GENERIC | SHORT_FORMS | STOP
        and not _FIELD.search(one)
        and not CLINICAL.search(one)
        and (known.foreign_kind(one) != "w" or is_listed(one) or known.is_unlike_reports(one))
    ]


def _is_place(text: str, start: int, end: int) -> bool:
    """Whether a town of the lists, or a word that nothing explains, stands there."""
    known = lexicon()
    words = [one for one in re.split(r"[ -]", fold(text[start:end])) if len(one) > 2]
    if not words or words[0] in STOP or words[0] in SHORT_FORMS:
        return False
    return is_listed(fold(text[start:end])) or any(
        known.foreign_kind(one) != "w"
        and one not in known.eponyms
        and not _FIELD.search(one)
        and not CLINICAL.search(one)
        for one in words
    )


def _is_town(text: str, start: int, end: int) -> bool:
    name = fold(text[start:end])
    return len(name) > 3 and is_listed(name) and name not in lexicon().eponyms


def _is_street(text: str, start: int, end: int) -> bool:
    """Whether "Trekvaart 6" is one: the word is none of medicine ("Hinterfeld 3")."""
    word = fold(re.split(r"[ ]\d", text[start:end])[0]).split()[-1]
    return lexicon().foreign_kind(word) != "w" and not CLINICAL.search(word)


def _has_own(text: str, start: int, end: int) -> bool:
    return bool(_own(text, start, end)) and "\n" not in text[start:end]


def _has_long_own(text: str, start: int, end: int) -> bool:
    """The same of a line in capitals, where short words are short forms."""
    return any(len(one) > 3 for one in _own(text, start, end)) and "\n" not in text[start:end]


def _has_own_after(text: str, start: int, end: int) -> bool:
    """Whether words after the first are somebody's own."""
    after = text.find(" ", start, end)
    return after > 0 and bool(_own(text, after, end)) and "\n" not in text[start:end]


VILLAGES: tuple[Pattern, ...] = (
    # "Contrada Fontanelle 7", "lieu-dit Le Moulin", "Ortsteil Berga", "Urbanización Los Pinos 3"
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_PLACE})[ ](?:{_LINK}[ ])?{_TOWN}(?:,?[ ](?:n\.?[º°o]?[ ]?|snc\b)?\d{{0,4}}[A-Za-z]?(?:[/-]\w{{1,3}})?)?(?:,[ ](?:{_CODE}[ ])?{_TOWN})?)(?!\w)", 0, starts=first_words(_PLACE), check=_has_own_after),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_ISLAND})[ ](?:of|de|di|do)[ ](?:the[ ])?{_W}(?:[ ]{_W})?)(?!\w)", 0, starts=first_words(_ISLAND), check=_has_own_after, sure=False),
    # "Trekvaart 6", "Kerkstraat 41-b, 7999 ZX Oud-Hemelum", "Mühlgraben 12a"
    pattern("ADDRESS", rf"(?<!\w)(?P<x>{UPPER}[a-zà-ÿß]{{2,}}(?:-{UPPER}?[a-zà-ÿß]+)?{_STREET}[ ]\d{{1,4}}(?:[ ]?-?[a-zA-Z](?!\w)|[-/]\d{{1,4}}|[ ](?:bis|hs|zw|boven)\b)?{_TAIL})(?!\w|[.,]\d|[ ]?(?:mm|cm|ml|%|°|Grad|HE|Tage?|Jahre?))", 0, near=" ".join(f"*{fold(one)}" for one in _STREET[3:-1].split("|")), check=_is_street),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?i:calle|c/|avda\.?|avenida|plaza|paseo|camino|ctra\.?|carretera|rua|r\.|praça|largo|via|viale|piazza|vicolo|strada|barrio)[ ]?(?:{_LINK}[ ]){{0,2}}{_TOWN},?[ ](?:s/n|snc|S/N|sn)(?!\w)(?:,?[ ](?:{_CODE}[ ])?{_TOWN})?)", 0, near="calle c avda avenida plaza paseo camino ctra carretera rua r praca largo via viale piazza vicolo strada barrio", shape=r"s/n|S/N|snc|sn", labelled=True),
    # a town after "te", "à", "uit", "nach": a word that nothing explains
    pattern("ADDRESS", rf"\b(?:te|naar|uit|à|nabij|omgeving)[ ](?P<x>{_TOWN})(?![\w'’])", 0, starts="te naar uit a nabij omgeving", check=_is_place, sure=False),
    pattern("ADDRESS", rf"\b(?:aus|nach|bei|desde|hasta|vers|depuis|presso|vicino)[ ](?P<x>{_TOWN})(?![\w'’])", 0, starts="aus nach bei desde hasta vers depuis presso vicino", check=_is_town, sure=False),
    # "r/o At post Khedgaon, Tal. Baramoli", "Mu.Po. Wadgaon, Dist Pune"
    pattern("ADDRESS", rf"\b(?P<x>(?i:at[ /&-]{{0,3}}(?:post|po)|a/p|mu\.?[ ]?po|mauje|gaon|ward[ ]no\.?[ ]\d{{1,3}}|mohalla|moh\.|nagar|taluka?|tal|tehsil|teh|tq|mandal|dist(?:rict|t)?|jila|zilla|thana|p\.?s|via|chak|basti|tola)\.?[ ]?[:-]?[ ]?{_W}(?:[ ]{_W})?(?:,?[ ](?i:post|po|p\.o|tal(?:uka)?|tehsil|teh|tq|mandal|dist(?:rict|t)?|thana|p\.?s|via)\.?[ ]?[:-]?[ ]?{_W}){{1,4}}(?:[ ]?[-–]?[ ]?\d{{3}}[ ]?\d{{3}})?)(?!\w)", 0, starts="at a mu mauje gaon ward mohalla moh nagar taluka taluk tal tehsil teh tq mandal dist district distt jila zilla thana p ps via chak basti tola"),
    pattern("ADDRESS", rf"(?<!\w)(?i:r/o|resident[ ]of|residing[ ]at|h\.?no)\.?[ ](?P<x>(?:(?:Village|Vill|At|At[ ]post|VPO|Moh|H\.?No)\.?[ ])?{_W}(?:[ ]{_W})?(?:,[ ](?:[A-Z][a-z]{{1,5}}\.[ ])?{_W}){{1,3}})(?!\w)", 0, starts="r resident residing h", check=_is_place, sure=False),
    # houses of care: "Foyer Les Tilleuls", "Sree Lotus Home", "Instituto Nacional del Tórax Andino"
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:{_HOME})(?:[ ](?:{_LINK}|d['’]|l['’]))?[ ]?(?:{_W})(?:[ -](?:{_LINK}[ ])?{_W}){{0,4}})(?!\w)", 0, starts=first_words(_HOME), check=_has_own_after, sure=False),
    pattern("INSTITUTION", rf"\b(?:[Aa]fd|Abt|Stat|Rep|Serv|Pav|Pab|Pad|Res)\.[ ](?P<x>{_W})(?![\w'’])", 0, starts="afd abt stat rep serv pav pab pad res", check=_is_place, sure=False),
    pattern("INSTITUTION", rf"\b(?i:nursing[ ]home|care[ ]home|rest[ ]home|hospice|hostel|lives[ ]at|living[ ]at|resident[ ]at|resident[ ]of|carers?[ ]from|staff[ ]at|transferred[ ]from|from|at)[ ](?P<x>(?:The[ ])?{_W}(?:[ ]{_W}){{0,2}}[ ](?:Home|House|Lodge|Court|Place|Grange|Manor|Villa|Care|Gardens|Nursing|Mission|Ashram|Sadan))(?!\w)", 0, near="home house lodge court place grange manor villa care gardens nursing mission ashram sadan", check=_has_own, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:Dr\.?|Pr\.?|Prof\.?|Mgr\.?|St\.?|Sgt\.?|Gen\.?|Lady|Lord|King|Queen|Prince(?:ss)?|President|Pope)[ ](?:{_W}[ ]){{1,3}}(?:Memorial|General|Hospital|Clinic|Centre|Center)(?:[ ](?:Hospital|Clinic|Cent(?:er|re)))?)(?!\w)", 0, near="memorial general hospital clinic centre center"),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:{_W}[ ]){{1,3}}(?:HC|HSC|RHC|CHC|PHC|MC|RMC|GH|DGH|CHSS|NHSCT|HHS|LHD))(?=[ ]*(?:\n|$|[,;|)]|[ ]{{2}}|ED\b|ICU\b))", 0, shape=r"[ ](?:HC|HSC|RHC|CHC|PHC|MC|RMC|GH|DGH|CHSS|NHSCT|HHS|LHD)", check=_has_own, sure=False),
    # in capitals: "SRI VENKATADRI INSTITUTE OF MEDICAL SCIENCES", "IMAGERIE DES TROIS RIVIÈRES"
    pattern("INSTITUTION", rf"(?:(?<![^\n])|(?<=[ ]{{2}})|(?<=AT )|(?<=FROM )|(?<=[|,;(] ))[ ]*(?P<x>(?:{_CAPITALS}[ ]){{1,5}}(?:{_HOME_CAPITALS})(?:[ ](?:OF|FOR|AND|&|DE|DES|DU|VAN|DI|E|Y)[ ](?:{_CAPITALS}[ ]?){{1,4}}|[ ](?:{_HOME_CAPITALS})){{0,2}})(?![\w'’])", 0, near=first_words(_HOME_CAPITALS), check=_has_long_own, sure=False),
    pattern("INSTITUTION", rf"(?<![^\n])[ ]*(?P<x>(?:{_HOME_CAPITALS})(?:[ ](?:DE|DES|DU|LA|LE|LES|DI|DEL|DELLA|VAN|VOOR|AM|AN|DER|IM|D['’]|L['’])){{0,3}}[ ]?[A-ZÀ-Þ'’-]{{3,}}(?:[ ][A-ZÀ-Þ'’-]{{2,}}){{0,4}})(?=[ ]*(?:\n|$|[-–|,(\x01/.]|[ ]{{2}}))", 0, starts=first_words(_HOME_CAPITALS), check=_has_own_after, sure=False),
)  # fmt: skip
