# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Medical text that looks like an identifier and must stay: measurements, levels, stages, doses."""

import re

from voxcurate.scrubbing.forms import one_of
from voxcurate.scrubbing.pattern import UNITS

_N = r"\d+(?:[.,]\d+)?"
_I = re.IGNORECASE
_SCORES = (
    r"segments?|couinaud|zones?|levels?|stations?|stages?|grades?|type|class|category|bi-?rads|li-?rads|lr|pi-?rads|ti-?rads|"
    r"lung-?rads|o-?rads|cad-?rads|vi-?rads|ni-?rads|gleason|bosniak|asa|ecog|aspects|nyha|figo|tnm|child-?pugh|meld|gcs|apgars?|"
    r"grade\s+group|isup|deauville|lugano|fleischner|kellgren|modic|pfirrmann|gustilo|salter-harris|garden|aast|who"
)
PROTECTED: tuple[re.Pattern[str], ...] = (
    re.compile(rf"(?<![\w.]){_N}(?:\s*(?:mm|cm)?\s*(?:x|×|by|\*|-|–|to|/)\s*{_N}){{0,3}}[ \t]*-?{UNITS}(?:/\w+)?(?![\w@]|\.\w)", _I),
    re.compile(r"\b[CTLSDctls](?:1[0-2]|[1-9])(?:\s?(?:[-/–]|to)\s?[CTLSctls]?(?:1[0-2]|[1-9]))*\b"),
    re.compile(r"(?<!c-)\b(?:images?|img|series|ser|se|im|slices?|sequence|phase|frames?|sections?|key\s+image|views?|fig(?:ure)?s?|tables?|levels?)\s*(?:#|no\.?|numbers?|:)?\s*\d+(?:\s*(?:[-/,&–]|and|to|of|through)\s*\d+)*(?!\d|-\d)", _I),
    re.compile(rf"\b(?:{_SCORES})\s*(?:score|segment|no\.?|of)?\s*[-:]?\s*(?:[IVX]+|\d+)[abcf]?(?:\s*(?:[-/,+–=]|and|to)\s*(?:[IVX]+|\d+)[abcf]?)*\b", _I),
    re.compile(rf"\b(?:te|tr|ti|fov|sd|hu|suv(?:max)?|psa|afp|cea|egfr|creatinine|wbc|hgb|hct|plt|inr|bun|ef|lvef|hounsfield(?:\s+units?)?|bp|hr|rr|sat|sats|spo2|o2|temp|ph|abg|vbg|vent|peep|fio2|bipap|cpap|gcs)\s*(?:of|=|:|is|was|value)?\s*-?\d{{1,4}}(?:[.,]\d+)?(?:\s?[-/]\s?{_N})*\b", _I),
    re.compile(r"\bb(?:[\s=-]|\svalues?\s(?:of\s)?)?\d{2,4}(?:\s?[-/,]\s?\d{2,4})*\b"),
    re.compile(r"\b[rpcy]{0,3}T(?:\d|is|x)[a-d]?\s?(?:N[\dx][a-c]?)?\s?(?:M[\dx][a-c]?)?\b"),
    re.compile(rf"\b{_N}\s?/\s?{_N}\s*(?:strength|motor|power|pain|murmur|segments?|lobes?|nodes?|ln|lymph|cores?|vessels?|systolic|pulses|points?|cm|mm)\b", _I),
)  # fmt: skip

# beside a name it makes a disease, a sign or a device of it
MEDICAL_NOUN = re.compile(
    rf"(?:['’]?s)?(?:[ ](?:and|or)[ ]\w+|[-–]\w+|[ ]\w+)?(?:\s|-){one_of('medical', 'medical_noun')}\b",
    re.IGNORECASE,
)  # fmt: skip

# beside any name at all, though no list knows it as an eponym
STRONG_NOUN = re.compile(
    rf"(?:['’]s?)?(?:[ ](?:and|or|&)[ ][A-Z][^\W\d_]+(?:['’]s)?)?[ -]{one_of('medical', 'strong_noun')}(?:e?s)?\b"
)  # fmt: skip
STRONG_NOUN_ANY_CASE = re.compile(STRONG_NOUN.pattern, re.IGNORECASE)  # where capitals say nothing

# endings of clinical words and of drugs
CLINICAL = re.compile(rf"{one_of('medical', 'clinical')}$")
