# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Patterns of identifiers nobody told us about, and the medical text they must not damage.

Each pattern has a kind and a group ``x``: what is replaced. Hits that touch a protected span (measurements,
levels, image numbers, doses) are dropped; what a label such as "MRN:" introduces is taken regardless.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from voxcurate.identifiers import EPONYMS, Hit, is_title

_FLAGS = re.IGNORECASE
_UP = r"[^\W\d_a-zß-öø-ÿ]"  # a capital letter of any alphabet (approximately: no lower Latin, digit, underscore)
_NAME_WORD = rf"(?:[Dd]e\s|[Vv]an\s(?:der\s)?|[Vv]on\s)?{_UP}[^\W\d_]*(?:['’-][^\W\d_]+)*"
_STOP = (
    r"(?:AT|ON|BY|AND|OR|IN|IS|WAS|HAS|FOR|OF|THE|TO|FROM|WITH|WHO|VIA|DATE|TIME|MRN|DOB|AGE|SEX|FINDINGS?|IMPRESSION|"
    r"CT|MRI?|COMPARISON|TECHNIQUE|HISTORY|INDICATION|EXAM|Findings?|Impression|Comparison|Technique|History|"
    r"Indication|Exam|Date|Time|The|No|There|On|At|In|Radiology|Department|Clinic|Surgery|Oncology|Team|Service|"
    r"Emergency|ED|ER|ICU|MD|PhD)\b"
)
_NAME = rf"(?:(?!{_STOP}){_UP}\.\s?)*(?!{_STOP}){_NAME_WORD}(?:[ \t]+(?!{_STOP})(?:{_UP}\.(?=\s)|{_NAME_WORD})){{0,3}}"
_SURNAME_FIRST = rf"(?!{_STOP}){_NAME_WORD},[ \t]*(?!{_STOP}){_NAME_WORD}(?:[ \t]+{_UP}\.?(?!\w))?"
_MONTH = (
    r"(?:jan(?:uary?|uar|vier)?|feb(?:ruary?|ruar)?|f[ée]v(?:rier)?|mar(?:ch|s)?|märz|apr(?:il)?|avril|may|mai|june?|"
    r"juin|juli?|july|juillet|aug(?:ust)?|août|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|"
    r"de[cz](?:ember)?|d[ée]c(?:embre)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|"
    r"noviembre|diciembre)"
)
_MONTH_TITLE = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
_D, _M, _Y4 = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[89]|20)\d\d"
_TIME = r"(?:[T\s,]+(?:at\s+)?\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s*[ap]\.?m\b\.?)?)?"
_NOT_UNIT = r"(?!\s*(?:x|×|mm|cm|ml|mg|hu|%|\d))"
_STATES = "A[LKZR]|C[AOT]|D[EC]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY]"
_STREET = (
    r"(?:(?i:street|avenue|road|boulevard|lane|drive|circle|terrace|square|highway|parkway|alley|crescent)|"
    r"St|Ave|Rd|Blvd|BLVD|Ln|Dr|Cir|Pl|Sq|Hwy|HWY|Pkwy|PKWY|AVE|RD)"
)
_HOSPITAL = (
    r"(?:Hospitals?|HOSPITAL|Medical Cent(?:er|re)|MEDICAL CENTER|Clinics?|Klinikum|Klinik|Infirmary|Hospice|"
    r"Health (?:System|Cent(?:er|re)|care)|Healthcare|Imaging Cent(?:er|re)|Cancer Cent(?:er|re)|Krankenhaus|Spital|"
    r"University|Universitätsklinikum|H[ôo]pital|Ziekenhuis)"
)
_NO_PLACE = (
    r"(?:The|Outside|Our|This|That|Prior|Previous|From|At|Local|General|Comparison|Department|Referring|Same|Another|"
    r"An|A|Emergency|Outpatient|Oncology|Surgery|Pain|Follow|In|Day|To|Discharged|Transferred|THE|OUTSIDE|AT|FROM|TO|IN|"
    r"THIS|OUR|ANOTHER|OF|PRIOR)"
)
_NO_LINK = r"(?:The|Outside|Our|This|From|At|In|To|THE|OUTSIDE|AT|FROM|TO|IN|THIS|OUR|ANOTHER)"
_PLACE_WORD = rf"{_UP}(?:[\w'’&-]|\.(?=\s[A-Z][a-z]+['’]?s?\s))*"


class Pattern(NamedTuple):
    """A kind of identifier with its expression; `labelled` ones beat protected spans.

    A text without any of the `words` (folded), or without the `shape`, holds no match: that is
    cheaper to see than the expression is to try.
    """

    kind: str
    regex: re.Pattern[str]
    labelled: bool = False
    words: tuple[str, ...] = ()
    shape: re.Pattern[str] | None = None

    def may_match(self, text: str, folded: str) -> bool:
        """Whether a text is worth trying; False only where there is no match."""
        if self.words and not any(word in folded for word in self.words):
            return False
        return self.shape is None or self.shape.search(text) is not None


def _p(
    kind: str,
    expression: str,
    flags: int = _FLAGS,
    *,
    labelled: bool = False,
    words: str = "",
    shape: str = "",
) -> Pattern:
    found = re.compile(shape) if shape else None
    return Pattern(
        kind, re.compile(expression, flags), labelled, tuple(filter(None, words.split("|"))), found
    )


def _folded(text: str) -> str:
    """Lower case as `re.IGNORECASE` sees it: the long s is an s, the dotless i an i."""
    return text.lower() if text.isascii() else text.casefold().replace("ı", "i")


PATTERNS: tuple[Pattern, ...] = (
    _p("EMAIL", r"(?P<x>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)", words="@"),
    _p("URL", r"(?P<x>(?:https?://|www\.)[^\s<>\]]+)", words="http|www."),
    _p("IP", r"(?<![\d.])(?P<x>(?:\d{1,3}\.){3}\d{1,3})(?![\d.]\d)", shape=r"\d\.\d{1,3}\.\d"),
    _p("ID", r"(?<![\d.])(?P<x>[0-2](?:\.\d+){5,})"),  # DICOM UIDs
    _p("ID", r"(?<!\d)(?P<x>\d{3}-\d{2}-\d{4})(?!\d)"),  # social security numbers
    _p(
        "ID",
        r"\b(?:mrn|mr\s?#|medical\s+record(?:\s+(?:number|no\.?|num))?|accession(?:\s+(?:number|no\.?|id))?|acc(?:\s?#|\.?\s?no\.?|:)|"
        r"(?:patient|pat\.?|pt\.?|case|exam|order|visit|encounter|account|acct|hospital|policy|insurance|license|licence|"
        r"nhs|ssn|health\s?card|study|chart|file|record|unit)\s*(?:id|number|no\.?|num|#)|\bid|ssn|nhs)"
        r"\s*(?:is|of)?\s*[:#=]*\s*(?P<x>(?=[\w/-]*\d[\w/-]*\d)[A-Z0-9][\w/-]{2,}\w(?:[ -]\d{2,})*)",
        labelled=True,
    ),
    _p(
        "PHONE",
        r"\b(?:tel(?:ephone)?|phone|ph|fax|pager?|beeper|ext(?:ension)?|mobile|cell|contact|call(?:ed|\s+me)?|reach\w*|number|telefoon|t)\b"
        r"(?!\s*of\b)[^\d\n+(]{0,20}(?P<x>[+(]?\d(?:[\s().+/-]*\d){4,14}(?:\s?(?:x|ext\.?)\s?\d+)?)(?![\d.]*\s*(?:mm|cm|hu)\b)",
        labelled=True,
        shape=r"\d(?:[\s().+/-]*\d){4}",
    ),
    _p(
        "PHONE",
        r"(?<![\w.,/-])(?P<x>(?:\+?\d{1,3}[\s.-])?(?:\(\d{2,5}\)\s?|\d{3}[.-])\d{3,4}[\s.-]\d{3,4}(?:\s?(?:x|ext\.?)\s?\d+)?)(?![\w/]|\.\d)",
    ),
    _p("PHONE", r"(?<!\w)(?P<x>\+\d{1,3}(?:[\s.()-]*\d){7,12}(?:\s?x\d+)?)(?!\d)"),
    _p("PHONE", r"(?<![\w.,/-])(?P<x>00\d{1,3}(?:[\s.-]\d{2,4}){3,4}(?:\s?x\d+)?|0\d{2,4}[\s-]\d{3,4}[\s-]\d{2,4}(?:[\s-]\d{2,4})?)(?![\w/]|\.\d)"),
    # dates
    _p("DATE", rf"(?<![\d.])(?P<x>{_Y4}[-/._]{_M}[-/._]{_D}{_TIME})(?!\d)"),
    _p("DATE", rf"(?<![\w./-])(?P<x>(?:{_D}\s?[-/.]\s?{_M}|{_M}\s?[-/.]\s?{_D})\s?[-/.]\s?(?:{_Y4}|\d\d){_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}"),
    _p("DATE", rf"(?<![\w./])(?P<x>{_M}/{_Y4})(?![\w/])"),
    _p("DATE", rf"(?<!\w)(?P<x>(?:{_D}(?:st|nd|rd|th|\.)?[\s-]*(?:of\s+)?)?{_MONTH}\.?[\s,/-]*(?:{_D}(?:st|nd|rd|th)?[\s,-]+)?(?:of\s+)?(?:{_Y4}|['’]\d\d){_TIME})(?!\w)", shape=r"(?:1[89]|20)\d\d|['’]\d\d"),
    _p("DATE", rf"(?<!\w)(?P<x>{_D}[-]{_MONTH}[-]\d\d)(?!\w)", shape=r"\d-[^\W\d]"),
    _p("DATE", rf"(?<!\w)(?P<x>{_MONTH_TITLE}\.?\s{_D}(?:st|nd|rd|th)?)(?![\w/]|\.\d){_NOT_UNIT}", 0),
    _p("DATE", rf"(?<![\w.])(?P<x>{_D}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH_TITLE})(?!\w)", 0),
    _p("DATE", rf"\b(?:dated|since|(?:ct|mri?|exam|study|scan|radiograph|x-?ray|ultrasound|performed|admitted|discharged)\s+(?:on|of|from|dated))\s+(?P<x>{_M}/{_D}|{_D}/{_M})(?![\w/.])", shape=r"\d/\d"),
    _p("DATE", rf"(?<!\d)(?P<x>{_Y4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{6}})?)(?!\d)"),
    # long numbers and codes
    _p("ID", r"(?<![\w.,])(?P<x>\d{7,}|\d{4}(?:[ -]\d{4}){2,3})(?![\w]|\.\d)"),
    _p("ID", r"(?<![\w-])(?P<x>[A-Z]{1,4}-?\d{6,}|[A-Z]{1,3}\d{2}-\d{4,})(?![\w])", shape=r"\d{6}|\d-\d{4}"),
    # ages over 89 (a HIPAA identifier)
    _p("AGE", r"(?<![\w.])(?P<x>(?:9\d|1[0-2]\d)(?=\s*[-–]?\s*(?:year|yr|y/?o\b|y\.o\.|y\s+(?:old|female|male)|jahre|[FM]\b)))"),
    _p("AGE", r"\b(?:aged?|age\s+of)\s*[:=]?\s*(?P<x>(?:9\d|1[0-2]\d))(?![\d%]|\.\d|\s*(?:mm|cm|days?|weeks?|months?))", words="age"),
    _p("AGE", r"\b(?P<x>(?:ninety(?:-\w+)?|one\s+hundred(?:\s+and\s+\w+)?))(?=[\s-]+years?[\s-]+old)", words="ninety|hundred"),
    # addresses
    _p("ADDRESS", r"\b(?P<x>P\.?\s?O\.?\s+Box\s+\d+)", words="box"),
    _p("ADDRESS", rf"(?<![\w./-])(?P<x>\d{{1,6}}[A-Za-z]?\s+(?:[NSEW]\.?\s+)?(?:{_UP}[\w'’-]*\s+){{1,4}}{_STREET}\b\.?(?:,?\s+(?i:apt|suite|ste|unit|floor)\.?\s*#?\w+)?)", 0),
    _p("ADDRESS", r"\b(?P<x>(?:apt|suite|ste)\.?\s*#?\s?\d+\w?)\b"),
    _p("ADDRESS", rf"\b(?P<x>(?:[A-Z][a-z]+(?:\s[A-Z][a-z]+)?,\s*)?(?:{_STATES}),?\s+\d{{5}}(?:-\d{{4}})?)(?!\w|\.\d)", 0, shape=r"\d{5}"),
    _p("ADDRESS", r"\b(?:zip|postal|post)\s*(?:code)?\s*[:#]?\s*(?P<x>(?=\w*\d)[\w-]{4,8})", labelled=True, words="zip|post"),
    _p("ADDRESS", r"(?<![\w-])(?P<x>[A-Z]{1,2}\d[A-Z\d]?\s\d(?!MM|CM|ML|CC|HU|MG|KG)[A-Z]{2})(?!\w)", 0),
    _p("ADDRESS", r"\b(?:address|lives\s+at|resid\w+\s+at|home\s+is)\s*[:=]?\s*(?P<x>\d[^\n;.]{4,60})", labelled=True, words="address|lives|resid|home"),
    # places of care
    _p("INSTITUTION", rf"\b(?P<x>(?!{_NO_PLACE}\s){_PLACE_WORD}(?:\s(?:of|the|and|&|for|de|di)|\s(?!{_NO_LINK}\s){_PLACE_WORD}){{0,4}}\s{_HOSPITAL}(?:\s(?:of|at)\s{_UP}\w+(?:\s{_UP}\w+)?)?)\b(?!\s(?:Course|Stay|Day|Admission|Discharge))", 0, words="hospi|medical cent|clinic|klini|infirmary|health|imaging cent|cancer cent|krankenhaus|spital|universit|hôpital|hopital|ziekenhuis"),
    _p("INSTITUTION", rf"\b(?P<x>University (?:Hospital |Medical Center )?(?:of|Hospital) {_UP}\w+(?:\s{_UP}\w+)?)", 0, words="university"),
    # names that something introduces
    _p("NAME", rf"(?<!\w)(?:Drs?\.?|DRS?\.|dr\.|Mr\.?|MR\.(?=\s{_UP}\w)|mr\.|Mrs\.?|MRS\.?|mrs\.|Ms\.?|ms\.|Miss|Prof\.?|Professor|Doctor|DOCTOR|Herr|Frau|Mme\.?)\s+(?P<x>{_NAME})", 0),
    _p("NAME", r"(?<!\w)(?:dr|mr|mrs|ms)\.\s(?P<x>[^\W\d_]{2,}(?:['’-][^\W\d_]+)?)", 0),
    _p("NAME", rf"(?P<x>(?:{_SURNAME_FIRST}|{_NAME})),?\s+(?:M\.?D\.?|D\.O\.|Ph\.?D\.?|MBBS|FRCR|FRCPC|FACR|R\.?N\.?|N\.P\.|PA-C|CRNP|RT\(R\))(?![\w])", 0, shape=r"\s(?:M\.?D|D\.O\.|Ph\.?D|MBBS|FRC|FACR|R\.?N|N\.P\.|PA-C|CRNP|RT\(R\))"),
    _p("NAME", rf"(?<=,\s)(?:M\.?D\.?)\s+(?P<x>{_NAME})", 0),
    _p(
        "NAME",
        r"\b(?:(?:electronically|digitally)\s+(?:signed|verified|approved|authenticated)|signed\s+electronically|e-?signed)(?:\s+by)?\s*:?\s*"
        r"(?:(?:dr|prof)\.?\s+)?(?P<x>[^\W\d_][^\n\d;:()\[\]]*?)(?=\s*(?:,?\s+(?:on|at|M\.?D\b)|[\n;:()\d\[]|\.\s|\.?$))",
        words="electronically|digitally|esigned|e-signed",
    ),
    _p(
        "NAME",
        rf"\b(?i:(?:dictated|transcribed|signed|read|interpreted|reviewed|approved|verified|reported|performed|attested|finali[sz]ed|requested|ordered|referred|authori[sz]ed|supervised)\s+by|"
        rf"(?:attending|resident|fellow|radiologist|technologist|sonographer|consultant|author|dictator|transcriptionist|(?:referring|ordering|requesting|attending|primary care)\s+(?:physician|provider|clinician|doctor|md))\s*:)\s*:?\s*"
        rf"(?:(?i:dr|prof)\.?\s+)?(?P<x>{_SURNAME_FIRST}|{_NAME})", 0,
        words="dictated|transcribed|signed|read|interpreted|reviewed|approved|verified|reported|performed|attested|finalised|finalized|requested|ordered|referred|authorised|authorized|supervised|attending|resident|fellow|radiologist|technologist|sonographer|consultant|author|dictator|transcriptionist|physician|provider|clinician|doctor|md",
    ),
    _p("NAME", rf"\b(?i:discussed|reviewed|communicated|relayed|conveyed|telephoned|called|reported|notified|paged)(?:\s\w+)?(?:\s(?:with|to|by))\s+(?:(?i:dr|nurse)\.?\s+)?(?P<x>{_UP}[a-zà-ÿ'’-]+(?:\s{_UP}[a-zà-ÿ'’-]+)?)(?!\w)", 0, words="discussed|reviewed|communicated|relayed|conveyed|telephoned|called|reported|notified|paged"),
    _p("NAME", rf"\b(?i:patient(?:['’]s)?\s+name|pt\.?\s+name|name\s+of\s+patient|(?:full|first|last|family|given)?\s*name|patient)\s*[:=]\s*(?P<x>{_SURNAME_FIRST}|{_NAME})", 0, words="name|patient"),
    _p("NAME", rf"\b(?i:(?:my|maiden|last|first|full)\s+name\s+is|follow[\s-]?up\s+with|this\s+is|i\s+am|i['’]m|dear|sincerely,?|regards,?|named)\s+(?P<x>{_NAME})", 0, words="name|follow|this|am|'m|’m|dear|sincerely|regards"),
    _p("NAME", rf"\b(?i:wife|husband|daughter|mother|father|brother|sister|spouse|nurse|guardian)\s*,?\s(?P<x>(?!{_STOP}){_UP}[a-zà-ÿ'’-]+(?:\s{_UP}[a-zà-ÿ'’-]+)?)(?!\w)", 0, words="wife|husband|daughter|mother|father|brother|sister|spouse|nurse|guardian"),
)  # fmt: skip

_N = r"\d+(?:[.,]\d+)?"
_UNIT = (
    r"(?:mm|cm|m|ml|cc|l|dl|hu|hounsfield|mg|mcg|µg|ug|g|kg|gy|mgy|msv|kv|kvp|ma|mas|mbq|mci|%|ms|s|sec|seconds?|minutes?|min|"
    r"hours?|hrs?|days?|weeks?|months?|slices?|units?|iu|mmol|meq|mhz|t|tesla|bpm|mmhg|degrees?|°|fold|x|×|cm2|cm3|mm2|mm3|mm²|mm³|cm²|cm³)"
)
PROTECTED: tuple[re.Pattern[str], ...] = (
    re.compile(rf"(?<![\w.]){_N}(?:\s*(?:mm|cm)?\s*(?:x|×|by|\*|-|–|to|/)\s*{_N}){{0,3}}\s*{_UNIT}(?:/\w+)?(?![\w])", _FLAGS),
    re.compile(r"\b[CTLS](?:1[0-2]|[1-9])(?:\s?(?:[-/–]|to)\s?[CTLS]?(?:1[0-2]|[1-9]))*\b"),
    re.compile(r"\b(?:images?|img|series|ser|se|im|slices?|sequence|phase|frames?|sections?)\s*(?:#|no\.?|numbers?|:)?\s*\d+(?:\s*(?:[-/,&–]|and|to|of)\s*\d+)*", _FLAGS),
    re.compile(r"\b(?:segments?|couinaud|zones?|levels?|stations?|stage|grade|type|class|category|bi-?rads|li-?rads|lr|pi-?rads|ti-?rads|lung-?rads|gleason|bosniak|asa|ecog|aspects)\s*(?:score|segment|no\.?)?\s*[-:]?\s*(?:[IVX]+|\d)[abc]?(?:\s*(?:[-/,+–]|and|to)\s*(?:[IVX]+|\d)[abc]?)*\b", _FLAGS),
    re.compile(rf"\b(?:te|tr|ti|fov|b|sd|hu|suv(?:max)?|psa|afp|cea|egfr|creatinine|hounsfield(?:\s+units?)?)\s*(?:of|=|:|is|value)?\s*-?{_N}\b", _FLAGS),
    re.compile(r"\b[pcy]{0,2}T\d[a-d]?(?:N\d[a-c]?)?(?:M\d[a-c]?)?\b"),
)  # fmt: skip


def protected_spans(text: str) -> list[tuple[int, int]]:
    """Spans of measurements, levels, image numbers, stages and doses."""
    return [match.span() for pattern in PROTECTED for match in pattern.finditer(text)]


def find_patterns(text: str) -> Iterator[Hit]:
    """Places that look like identifiers; hits may overlap."""
    folded = _folded(text)
    shield: list[tuple[int, int]] | None = None
    for pattern in PATTERNS:
        if not pattern.may_match(text, folded):
            continue
        kind = pattern.kind
        for match in pattern.regex.finditer(text):
            start, end = match.span("x")
            end -= len(text[start:end]) - len(text[start:end].rstrip(" ,.\t\n"))
            found = text[start:end]
            if not any(map(str.isalnum, found)) or any(char in "[]" for char in found):
                continue
            if kind == "NAME" and is_title(_whole_words(text, start, end)):
                continue  # "signed by Dr. [NAME]": what is left of a name that is gone
            if kind == "NAME" and text[start:end].split()[0].lower().rstrip("'s’") in EPONYMS:
                continue
            if not pattern.labelled:
                shield = protected_spans(text) if shield is None else shield
                if any(start < b and a < end for a, b in shield):
                    continue
            yield Hit(kind, start, end)


def _whole_words(text: str, start: int, end: int) -> str:
    """The span, widened to the ends of the words it begins and ends in."""
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return text[start:end]
