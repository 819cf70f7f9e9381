# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Whether "3/14", "14.3." or "3-14" is a day without its year: what no score or fraction explains.

Scores, fractions, node counts, levels, doses, durations (the British "3/52") and settings of
machines are a closed family, told by the words around and by the second number; a pair of numbers
that could be a day and is none of these is one.
"""

import re
from math import gcd

from voxcurate.scrubbing.pattern import HOLE

# what makes a pair of numbers something else, right before it
_SCORE_BEFORE = re.compile(
    r"\b(?:grade[ds]?|scor\w+|strength|motor|power|murmur|pain|(?<!['’])d|day|dol|pod|hd|cycle|week|wk|pulses?|reflex\w*|gcs|rass|apgars?|images?|im|ims|se|ser|series|slices?|segments?|segs?|stages?|types?|levels?|bp|vision|va|visus|snellen|acuity|sats?|ratio|"
    r"nodes?|ln|lns|cores?|pieces|steps?|dos(?:e|age)|out\s+of|gravida|para|ef|zones?|lobes?|vessels?|bipap|cpap|psv|ps|peep|simv|ac|vent|settings?|imv|cpap|mode|flow|rate|rated|nrs|vas|"
    r"scale|index|chapter|(?<!c-)(?<!cesarean )section|page|fig(?:ure)?|table|titer|fraction|approximately|about|only|took|ate|tabs?|tablets?|than|x|lr|v|va|od|os|ou|mg|ml|edema|jvp|strength\s+is|(?<!d/)[ctlsCTLS]\d*|"
    r"lwk|bwk|hwk|swk|th|quant\w*|middle|lower|upper|proximal|distal|medial|lateral|anterior|posterior|inner|outer|inferior|superior|over|nearly|almost|some|all|(?:[a-z]+-)?rads|station|risk|probability|cp|ha|course|x?rt|sbrt|gy|fx|fractions?|boost|radiotherapy|chemo\w*rad\w*|insulin|nph|regular|lantus|humalog|novolog|vaccin\w*|shots?|er|pr|allred|sipap|nippv|ref|page|p|wells|child|criteria|sirs|kraft|muskel\w*|grad|stufe|schmerz\w*|score|punkte|cotation|echelle|échelle|escala|scala|punti|puntos|kracht|graad)"
    r"\W{0,3}(?:of|is|was|are|were|by|at|to|from|left|right|now|only|bis|à|von)?\W*$"
    r"|\d/10\s*(?:->|→|>|to|now|,|then)\s*$|\b[prcy]{0,3}[TN]\d[a-d]?(?:mi)?\s?\(?$|[<>≥≤=]\s?$|\+\s?$",
    re.IGNORECASE,
)  # fmt: skip
_SCORE_AFTER = re.compile(
    r"\s*(?:-?(?:strength|motor|power|pain|murmur|leads?\b|messungen|parts|patients|limbs|extremit\w+|quadrants|blood|bottles|sets?\b|samples|levels|ribs?\b|criteria|segments?|lobes?|nodes?|lns?\b|lymph|cores?|slices?|images?|vessels?|teeth|steps|points?|sem\b|systolic|diastolic|of\b|weeks?|months?|days?|hours?|wks?\b|"
    r"hrs?|mm|cm|mg|ml|cc|tabs?\b|tablets?|cups?|pulses|bilat\w*|throughout|ps\b|ns\b|normal|inch|%|scale|positive|were\b|dose|gy\b|cgy\b|fx\b|fractions?|fr\b|liters?|lpm|l\b|ratio|in\s+(?:all|both|bilateral|upper|lower|his|her|the\s+(?:right|left))|thirds?|"
    r"upper|lower|grip|dorsi|plantar|holosystolic|ejection|apgar|units?|bottles?|packs?|ppd|shots?|times|filled|full|the\s+(?:way|dose|time)|lymphknoten|lk\b|stanzen|biopsien|ganglions|ganglios|linfonodi|klieren|proximal|distal)|\"|/|\.\d)", re.IGNORECASE)  # fmt: skip
_NUMBER_AFTER = re.compile(
    r"[ \t]*(?!(?:[01]\d|2[0-3])[0-5]\d(?!\w|\.\d))\d(?!\d?(?:/\d|[ap]\b|:\d\d))"
)
# strength, scores and nodes anywhere in the sentence before
_SCORE_SENTENCE = re.compile(
    r"\b(?:strength|motor|power|deltoid|biceps|triceps|grip|quad\w*|iliopsoas|dorsiflex\w*|plantarflex\w*|flexion|extension|flexors?|extensors?|ehl|reflex\w*|dtrs?|segments?|couinaud|zones?|levels?|discs?|murmur|pulses|gcs|apgars?|fazekas|kraft\w*)\b[^.;\n]{0,60}$", re.IGNORECASE)  # fmt: skip
_NODES_SENTENCE = re.compile(
    r"\b(?:nodes?|nodal|lymph\w*|ln|lns|cores?|biops\w+|positive|involved|margins?|fragments|metasta\w+\s+in|sentinel|lk|pn\d\w*|n\d)\b[^.;\n]{0,40}$", re.IGNORECASE)  # fmt: skip
_DURATION_BEFORE = re.compile(
    r"\b(?:for|in|over|every|last|past|next|x|ago|history|hx|course|approx\w*|about|~|review|rest|rpt|repeat|fu|f/u|follow-?\s?up|rescan|within|after)\s*(?:in\s)?$|[~><]\s?$|\d/(?:7|12|52)\s?(?:and|to|-|–|,|or)\s?$", re.IGNORECASE)  # fmt: skip
_DURATION_AFTER = re.compile(
    r"\s*(?:hx|history|ago|course|of\b|old|age\b|duration|fu\b|f/u)", re.IGNORECASE
)
_SURELY_DAY_BEFORE = re.compile(
    r"(?:\b(?:w(?:ee)?k|night|morning|evening|day|afternoon)\s(?:of|beginning|commencing|ending)|\bw/[ec]|\b\w+(?:dag|tag|day)\s(?:d\.|den)|\b(?:mon|tues?|wed|thurs?|fri|sat|sun)(?:[a-z]*day)?\.?,?|\b(?:first|last|next|1st|2nd|final)\sdose)[\s(]*$", re.IGNORECASE)  # fmt: skip
_DAY_BEFORE = re.compile(
    r"(?:\b(?:on|since|until|til|till|thru|through|dated?|between|before|after|ct|cta|mri?|mra|cxr|kub|eeg|ekg|ecg|echo|tte|tee|pet|us|scans?|films?|x-?rays?|study|exam(?:ination)?|admit(?:ted)?|admission|adm|discharged?|"
    r"dc'?d?|d/c'?d?|seen|due|scheduled|appt|appointment|f/u|follow-?\s?up|as\s+of|surgery|day|dos|doa|dod|lmp|edc|mon|tues?|wed|thurs?|fri|sat|sun|\w+day|d\.d\.|dd\.?|vom|am|seit|bis|zum|op|sinds|van|tot|vanaf|week\s+of|w/e|wk\s+of|"
    r"c-?section|section|placement|insertion|removal|delivery|extubation|intubation|transfer|admit|arrived|exp|expires|cath|ercp|egd|colonoscopy|bx|bronch|lp|picc|stent|sphincterotomy|clinic|ctr|center|op|procedure|hemodialysis|hd|chemo|xrt|chest|pelvis|abdomen|head|neck|spine|wo|w/o|contrast|echocardiogram|doppler|mammogram|mammo|psa|hgb|inr|la|den|den|dne|z\s?dn\.?|note|le|du|depuis|el|desde|repeat(?:ed)?|collected|drawn|performed|obtained|taken|started|stopped|placed|removed|passed|done|completed|extubated|intubated|transferred|ordered|resulted|returned|changed|inserted|last|signed|received|report|from|of|by|cultures?|cx|labs?|biopsy|visit|note|[a-zé]{3,}(?:ed|ectomy|tomy|plasty|graphy|scopy|gram|otomy|ostomy|lysis|ization|isation)|\d/\d+\s?(?:-|–|to|and|&|,))"
    r"\W{0,2}|[@(]\s?|\b[dt]:\s{0,2}|\b(?:[a-zæøåäö]+dag|\w+tag)\s(?:d\.|den)\s?|\b(?:to|thru|til)\s)$", re.IGNORECASE)  # fmt: skip
_DAY_AFTER = re.compile(
    r"\s*(?:at\s+\d|@|\d{1,2}[ap]m?\b|(?:[01]\d|2[0-3])[0-5]\d\b|\d{4}\b|\d{1,2}:\d\d|[ap]m\b|[-–&]\s?\d{1,2}/\d|(?:to|and|thru|through|->|→)\s*\d{1,2}/\d|visit|exam|study|ct\b|mri\b|cxr|scan|film|labs?|admission|note|echo|night|morning|evening|overnight|cultures?|by\s)", re.IGNORECASE)  # fmt: skip
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
    r"\b(?:CT|CTA|MRI|MRA|MRCP|HRCT|CTPA|CTAP|CECT|NCCT|LDCT|DEXA|EBUS|TACE|TURP|CABG|PSMA|PORT|HIDA|TIPS|LEEP|BMBX|MBS|VFSS|UGI|SBFT|GGT|WBC|HGB|INR|PSA|CRP|[A-Z]*CT|CXR|KUB|EEG|EKG|ECG|PET|ERCP|EGD|PICC|ICU|MICU|SICU|MDT|[Mm]onday|Admit\w*|Seen|Date\w*|Since|Until|On|From|Last|Next|Due|Appt|Prior|Report|Final|Op|Surgery|Rad\w*|Scan|Exam|Note|Labs?|US|XR|DOS|LMP|JP|NG|NPO|OR|IR|ED|ER)[ ]?[:=]?[ ]?$")  # fmt: skip
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
    r"(?:\b(?:of|to|is|was|by|about|than|measur\w+|size|hb|hgb|wbc|crp|k|na|inr|ph|temp|t|bilirubin|score|dose|x|und|bis|von|ca\.?|version|v|no\.?|nr\.?|fig\.?|section|chapter|grade|level)|[<>=~±×:;+/-]|(?<!\w),|\d,)\s*$",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"(?<![\d.])\d{1,2}\.\s?\d{1,2}\.\s?(?:19|20)?\d\d(?![\d.])")
_DOTTED_BEFORE = re.compile(
    r"(?:\b(?:am|vom|bis|seit|zum|ab|und|den|dne|la|op|d\.|dd\.?|van|tot|le|el|il|dnia)|[-–]|\b(?:ct|mr|mrt|mri|us|pet|r[öo]|tt|tk|op|erco?p|stent|lab\w*|mo|di|mi|do|fr|sa|so|ma|ke|pe|lu|je|ve)\.?|\b\w+day|\b\w+tag|\b(?:on|since|until|from|dated)|\d\.\d{1,2}\.\s?(?:und|u\.|,|\+|&|/))\s?$",
    re.IGNORECASE,
)


def is_dotted_day(text: str, start: int, end: int) -> bool:
    """Whether "14.1." is a day: padded, after a word for a time, or in a text that writes days so."""
    before = text[max(0, start - 24) : start]
    if len(text[start:end]) == 6 or _DOTTED_BEFORE.search(before):
        return True
    return (
        _DOTTED.search(text) is not None
        and before.strip(" ") != ""
        and before[-1:] != "\n"
        and not _NUMBER_BEFORE.search(before)
    )


_DASHED_BEFORE = re.compile(
    r"(?:\b(?:on|dated?|since|until|till|seen|scheduled|admitted|discharged|performed|obtained|placed|removed|drawn|collected|started|stopped|inserted|done|completed|signed|d\.d\.|vom|am|seit|bis|zum|op|sinds|vanaf|le|of|from|ct|mri|cxr|pet|[a-z]{4,}(?:ectomy|tomy|plasty|scopy|stomy))|vgl\.?|vergl\.?|cf\.?|vs\.?|comparison|compared\s(?:to|with)|dd)\s*:?\s?$|\b(?:histo\w*|path\w*|biopsy|ct|mri|us|op|surgery|echo|pet)\s\($|@\s?$",
    re.IGNORECASE,
)
_DASHED_AFTER = re.compile(
    r"\s*(?:[.,;:)\n]|$|(?:by|at|with|for|and|showed|shows|demonstrated|compared|under|w/|via|revealed|which|was|in\s+(?:clinic|the)|after|before|because|en|et|und|y|e|i|resp|sowie)\b)",
    re.IGNORECASE,
)


_POINTED_BEFORE = re.compile(
    r"\b(?:on|dated?|since|until|till|seen|scheduled|admitted|discharged|performed|obtained|placed|removed|pulled|drawn|collected|inserted|done|signed|due|exam|surgery|op|admission|discharge|visit|scan)\s*:?\s?$",
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
