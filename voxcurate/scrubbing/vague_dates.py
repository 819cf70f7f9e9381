# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Dates that name no year: a month alone, its beginning or end, a season, a day of this month.

A month's name is a date where a time is spoken of: after "in", "since", "compared with"; before an
examination ("the April study"), another month, "last year"; in a cell or a bracket. Names that are
words or people too ("may", "March", "April") want a surer place than others.
"""

import re

from voxcurate.scrubbing.forms import first_words
from voxcurate.scrubbing.months import (
    CLEAR,
    ENGLISH,
    MONTHS,
    NAMES_TOO,
    OTHERS,
    TITLED,
    WORDS_TOO,
)
from voxcurate.scrubbing.pattern import Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold

_D = r"(?:0?[1-9]|[12]\d|3[01])"
_ANY = rf"(?:{ENGLISH}|{OTHERS})"
_MORE = rf"(?:\.?\s?(?:[-–/&]|and|to|or|through|thru|und|bis|et|à|y|e|en|tot|a)\s?{_ANY})?"
# a part of a month or year before it, in the languages of the list
PART_BEFORE = (
    r"(?:(?:mid|mi|early|late|mitte|anfang|ende|eind|begin|half|medio|d[ée]but|fin|courant)[- ]"
    r"|(?:inizio|met[àa]|fine|mediados|principios|finales|inicios|meados|in[íi]cio|final|fim|"
    r"d[ée]but|fin)\s(?:de\s|d['’]|di\s)|(?:the\s)?(?:very\s)?(?:end|start|beginning|middle|close|turn|"
    r"(?:first|second|latter|early|last|1st|2nd)\s(?:half|part|week|days?)|(?:first|last)\s(?:mon|"
    r"tues|wednes|thurs|fri|satur|sun)day)\s(?:of|in)\s(?:the\s)?)"
)
# before what is surely a time, even "may"
_IN = r"(?:in|since|until|till|during|throughout|back\sin|as\sof|im|seit|ab|bis|sinds|depuis|desde|dal|nel|fino\sa|entro|van|vanaf)"
_BEFORE = r"(?:from|to|by|last|this|next|early|late|mid|of|before|after|en|em|around|approximately|approx|circa|ca|between|through|vs|versus|cf|c/w|compared\s(?:to|with)|comparison|than|every|each|coming|come|mid|for|due|dated|date|repeat|rpt|review|recheck|rescan|follow-?up|f/u|booked|scheduled|planned|expected|edd|lmp|again|(?<=prior\s)\()"
_NOUN = r"(?:stud(?:y|ies)|scans?|exams?|examinations?|ct|cta|cts|mri?|mra|mrcp|pet|pet[-/]ct|us|uss|ultrasounds?|x-?rays?|films?|cxr|mammograms?|mammo|dexa|images?|imaging|prior|priors|comparisons?|series|visits?|clinics?|appointments?|appt|admissions?|discharge|reports?|letters?|notes?|mdts?|mdm|meetings?|boards?|rounds?|biops(?:y|ies)|bx|echo|ecg|ekg|colonoscop(?:y|ies)|endoscop(?:y|ies)|egd|ogd|ercp|bronch\w*|surger(?:y|ies)|operations?|procedures?|resection|bloods?|labs?|levels?|values?|psa|results?|cultures?|episodes?|fall|injury|bleed|attacks?|relapse|cycle|dose|chemo\w*|films|reading|baseline|audit|list|rota|slot|round|befund|untersuchung|voraufnahme|vorunters\w*|aufnahme|kontrolle)"
_MODAL = r"(?!\w|['’]|\s+(?:be|have|not|also|represent|reflect|need|fracture|indicate|suggest|mean|cause|account|explain|contain|benefit|require|well|still|warrant|simply|merely|or\smay))"
_FOREIGN_NOUN = r"(?:scanner|tac|tc|irm|rmn?|ct|mrt?|echo|ecografia|ecograf[íi]a|[ée]chographie|rx|radiograf[íi]a|radiographie|examen|esame|contr[ôo]le|controllo|control|kontrolle|consultation|visita|bilan|onderzoek|scan|opname|voraufnahme|befund|untersuchung|tdm|pet|mammografia|mammographie|informe|referto)"
_NEXT = r"(?:volgende|n[äa]chste[rn]?|prochaine?|pr[óo]xim[ao]|prossim[ao]|termin|wv|wiedervorstellung|rdv|cita|afspraak|controle|kontrolle|controllo|contr[ôo]le|datum|date|data|fecha|due|next)"
_SEASON = r"(?:spring|summer|autumn|winter|fall|frühjahr|frühling|sommer|herbst|voorjaar|najaar|zomer|herfst|printemps|été|automne|hiver|primavera|verano|otoño|invierno|estate|autunno|inverno|verão|outono)"
_FRENCH_DAY = r"(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)"


def month_is_meant(text: str, start: int, end: int) -> bool:
    """ "in May" but not "may": a month that is a word too wants its capital inside a sentence."""
    word = text[start:end].strip(".,")
    return fold(word) not in WORDS_TOO or word[0].isupper()


def _is_month_here(text: str, start: int, end: int) -> bool:
    """Whether a month after "in" is one: "in May", "seen in may", not "seen in may be"."""
    word = text[start:end].split()[0].strip(".,").split("-")[0]
    if fold(word) not in WORDS_TOO or word[0].isupper():
        return True
    return (
        re.match(r"\s*(?:[.,;:)]|\n|$|\d|and\b|for\b|with\b|at\b)", text[end : end + 8]) is not None
    )


def _is_no_person(text: str, start: int, end: int) -> bool:
    """Whether a month that is a given name too has no title, surname or verb beside it."""
    word = fold(text[start:end].split()[0].strip(".,"))
    if not month_is_meant(text, start, end):
        return False
    if word not in NAMES_TOO:
        return True
    after = re.match(
        r"[ ](?:[A-Z][a-zà-ÿ][^\W\d_]*|[A-Z]\.|is|was|has|says|said|who|will)\b",
        text[end : end + 16],
    )
    return (
        after is None
        and re.search(r"(?:Dr|Mrs?|Ms|Miss|Prof)\.?\s$", text[max(0, start - 6) : start]) is None
    )


def _is_no_measure(text: str, start: int, end: int) -> bool:
    """Whether a lone number after an article counts days: no unit, segment or rank follows."""
    after = text[end : end + 24]
    return (
        re.match(
            r"\s*(?:\)|[.,;:](?:\s|$)|\n|$|(?:et|au\s(?:matin|soir)|à\s\d|pour|avec|chez|par|dernier|prochain|courant|puis|y|con|para|a\slas|e|alle|con|per|om|met|bij|voor|dans|matin|soir)\b)",
            after,
        )
        is not None
        and re.search(
            r"(?:segment|niveau|stade|grade|score|type|n[°o]|nivel|livello|kreislauf)\s\S{0,3}\s?$",
            text[max(0, start - 16) : start],
            re.I,
        )
        is None
    )


VAGUE: tuple[Pattern, ...] = (
    # "in April", "seit März", "compared with Nov", "end of July", "between March and May"
    pattern("DATE", rf"\b{_IN}[\s-]+(?P<x>{_ANY}{_MORE}\.?)(?<!\s){_MODAL}", near=MONTHS, check=_is_month_here),
    pattern("DATE", rf"\b{_BEFORE}\.?[\s-]+(?P<x>{_ANY}{_MORE}){_MODAL}", near=MONTHS, check=_is_no_person),
    pattern("DATE", rf"\b(?P<x>{PART_BEFORE}{_ANY}{_MORE}(?:\s(?:1[89]|20)\d\d)?){_MODAL}", near=MONTHS, labelled=True),
    # "l'ecografia di dicembre", "scanner de mars", "CT van mei", "Termin: 19-09."
    pattern("DATE", rf"\b{_FOREIGN_NOUN}\s(?:\w+\s){{0,2}}?(?:de|di|d['’]|del|van|uit|vom|von|aus|do|da)\s?(?P<x>{_ANY})(?!\w|['’])", near=MONTHS),
    pattern("DATE", rf"\b(?:di|del|van|vom)\s(?P<x>{CLEAR})(?!\w|['’])", near=MONTHS, check=_is_no_person),
    pattern("DATE", rf"\b{_NEXT}\s?:\s?(?P<x>{_D}[-/.](?:0?[1-9]|1[0-2]))(?=[.,;)]?(?:\s|$))", starts=first_words(_NEXT), labelled=True),
    pattern("DATE", r"\b(?:ma|di|wo|do|vr|za|zo|mo|mi|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim|mi[ée]|jue|vie|s[áa]b|gio|dom)\.?\s(?P<x>(?:0[1-9]|[12]\d|3[01])([-/.])(?:0[1-9]|1[0-2])\.?)(?=[,;)\s]|\.(?:\s|$)|$)(?!\s?(?:mm|cm|ml|mg|x|%))", starts="ma di wo do vr za zo mo mi fr sa so lun mar mer jeu ven sam dim mie jue vie sab gio dom"),
    # "el viernes 5", "lundi 12", "venerdì 3 ore 9", "donderdag 14"; no clock, no count after it
    pattern("DATE", rf"\b(?P<x>(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|mi[ée]rcoles|jueves|viernes|s[áa]bado|domingo|luned[ìi]|marted[ìi]|mercoled[ìi]|gioved[ìi]|venerd[ìi]|sabato|domenica|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag)[ ](?:le[ ])?{_D}(?:[-/.](?:0?[1-9]|1[0-2])(?![\d-]))?)(?![\w%/°-]|[.,:]\d|\.{_D}|[ ]?(?:h|uur|uhr|heures?|horas?|ore|mm|cm|mg|ml|x)\b|[ ]de[ ]la\b)", starts="lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miercoles jueves viernes sabado domingo lunedi martedi mercoledi giovedi venerdi sabato domenica maandag dinsdag woensdag donderdag vrijdag zaterdag zondag", labelled=True),
    # "the April study", "her october CT", "a March visit"
    pattern("DATE", rf"\b(?P<x>(?:{TITLED}|(?i:{CLEAR}))\.?(?:\s?[-–/&]\s?{TITLED})?)['’]?s?[\s-]+(?:(?i:follow-?up|outside|prior|previous|interval|staging|surveillance|screening|baseline|first|second|last|initial|repeat|low-dose|contrast|chest|brain|head|abdom\w+|whole[- ]body|neck|spine|breast|liver|renal|cardiac|[A-Z]{{2,4}})\s)?(?i:{_NOUN})(?!\w)", 0, near=MONTHS, check=_is_no_person),
    # "(Oct, previously 6.1)", "| Nov |", "Jan: 12 mm", "April last year", "this March just gone"
    pattern("DATE", rf"(?:[(\[|/]\s?|[,;]\s)(?P<x>{TITLED}\.?)(?=\s?(?:[)\]|,;:/]|$|\n|\s[-–]\s))", 0, near=MONTHS, check=_is_no_person),
    pattern("DATE", rf"(?:(?<![^\n|])|(?<=[ ]{{2}}))[ ]*(?:[-*•][ ])?(?P<x>{TITLED}\.?)(?=[ ]?[:=][ ])", 0, near=MONTHS, check=_is_no_person),
    pattern("DATE", rf"(?<!\w)(?P<x>{_ANY})(?=\s(?:of\s)?(?:last|this|next|the\s(?:same|following|previous|preceding))\syear|\sgone\b|\sjust\s(?:gone|past)|\sdernier|\spasado|\sscorso|\sjl\b|\slaatstleden|\sd\.?\s?J\.|\sletzten\sJahres|\sdieses\sJahres|\sprochain)", near=MONTHS, check=month_is_meant),
    pattern("DATE", rf"\b(?:last|this|next|letzten|diesen|nächsten|vorigen|afgelopen|komende|vorige)\s(?P<x>{_ANY}){_MODAL}", near=MONTHS, check=_is_no_person),
    # "January to June", "Nov–Feb"
    pattern("DATE", rf"(?<!\w)(?P<x>{TITLED}\.?\s?(?:[-–/]|to|through|thru|until)\s?{TITLED})(?![\w/-])", 0, near=MONTHS, check=_is_no_person),
    # seasons of a year
    pattern("DATE", rf"(?<!\w)(?P<x>{_SEASON}\s(?:of\s)?(?:(?:1[89]|20)\d\d(?:[/-]\d\d)?|['’]\d\d))(?![\w/-])", starts=first_words(_SEASON), sure=False),
    # a day alone: "prochaine cure le 27.", "am 27. wieder", "el día 27", "il 27,", "op de 27e"
    pattern("DATE", rf"\b(?:le|entre\sle|jusqu['’]au|d[èe]s\sle|depuis\sle|el(?:\sd[íi]a)?|il(?:\sgiorno)?|(?:no\s)?dia|del)\s(?:{_FRENCH_DAY}\s)?(?P<x>{_D}(?:er)?(?:\s(?:et|ou|au|y|e)\s(?:le\s|el\s|il\s)?{_D})?)(?![\w%/°]|[.,-]\d)", starts="le entre jusqu des depuis el il no dia del", check=_is_no_measure, sure=False),
    pattern("DATE", rf"\b(?:am|zum|bis\szum|ab\sdem|seit\sdem|vom|den|dem)\s(?P<x>{_D}\.)(?=[,;)]|\s?$|\n|\s(?:und|oder|wieder|zur|zum|um|geplant|erneut|bei|mit|in|ist|war|wurde|wird|bis|d\.\s?M|des\sMonats|dieses|nächsten|vorgesehen|stationär|entlassen|aufgenommen|operiert)\b)", starts="am zum bis ab seit vom den dem", sure=False),
    pattern("DATE", rf"\bop\s(?:de\s)?(?P<x>{_D}e)(?=[.,;)\s]|$)", starts="op", sure=False),
)  # fmt: skip
