# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Names, codes and places where machines and hurried hands write them: messages, prints, e-mails.

HL7 fields, keys of JSON, initials after a label, "/es/" signatures, sign-offs after a dash, numbers
in groups after a reference or a country's word for its health number.
"""

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.people import is_somebody
from voxcurate.scrubbing.vocabulary import fold, lexicon

_W = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_DEGREE = r"(?:M\.?D|D\.?O|NP|PA(?:-C)?|APRN|RN|CRNP|FNP|DNP|DPM|PhD|PharmD|LCSW|MBBS|FRCR)\b"
_SIGNER = one_of("records", "signer")
_HEALTH = one_of("records", "health")
_REFERENCE = one_of("records", "reference")
_SCANNER = one_of("records", "scanner")
_FACILITIES = frozenset(
    [
        "facility",
        "fac",
        "hospital",
        "hosp",
        "mrn",
        "mr",
        "site",
        "auth",
        "authority",
        "org",
        "local",
        "lab",
        "hl",
        "iso",
        "dns",
        "ei",
        "pi",
    ]
)


def _are_initials(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end])
    return (
        low not in w.SHORT_FORMS and low not in w.DEGREES and low not in w.STOP and len(low) < 5
    ) and lexicon().foreign_kind(low) in "un"


def _is_given(text: str, start: int, end: int) -> bool:
    known = lexicon()
    low = fold(text[start:end])
    return low in known.given or low in known.long["given"]


def _is_signed_off(text: str, start: int, end: int) -> bool:
    """Whether the word after a closing dash is a given name, or none that reports have."""
    low = fold(text[start:end])
    return is_somebody(text, start, end) and (
        _is_given(text, start, end) or lexicon().kind(low) in "nu"
    )


def _are_small_names(text: str, start: int, end: int) -> bool:
    """Whether two to four words in small letters begin with a given name or end with a name."""
    words = fold(text[start:end]).split()
    known = lexicon()
    return not any(one in w.STOP or one in w.PERSON_VERBS for one in words) and (
        words[0] in known.given or words[0] in known.long["given"] or known.kind(words[0]) == "n"
    )


def _is_facility(text: str, start: int, end: int) -> bool:
    """Whether who gave a number has a name: no "FACILITY", "HOSP"."""
    low = fold(text[start:end])
    return low not in _FACILITIES and len(low) > 1


def _are_typists(text: str, start: int, end: int) -> bool:
    return fold(text[start:end]) not in (
        "by",
        "up",
        "in",
        "on",
        "to",
        "at",
        "as",
        "and",
        "the",
        "for",
    )


def _is_odd_code(text: str, start: int, end: int) -> bool:
    return sum(map(str.isdigit, text[start:end])) >= 5


RECORDS: tuple[Pattern, ...] = (
    # HL7: who has given a number, where a patient lies, surname and given name of a component
    pattern("INSTITUTION", r"\d\^{3}(?P<x>[A-Z][\w .-]{1,30})(?=\^|\|)", 0, shape=r"\d\^{3}[A-Z]", signs="^", check=_is_facility),
    pattern("OTHER", r"\bPV1\|[^|\n]*\|[^|\n]*\|(?P<x>[^|\n]{2,40})(?=\||\n|$)", 0, starts="pv", labelled=True),
    pattern("NAME", r"(?<![\w&])(?P<x>[A-ZÀ-Þ][A-ZÀ-Þ'’-]+&[A-ZÀ-Þ][A-ZÀ-Þ'’-]+)(?=[|&^~\n]|$)", 0, shape=r"[A-Z]&[A-Z]", signs="&", labelled=True),
    # initials: "Justified by: HK.", '"sig":"EB 01/05/24', "geschr. hs", "/ typed mr", "Dr. Wöss / BW-ek"
    pattern("NAME", rf"\b(?i:{_SIGNER})(?:[ ](?i:by|von|par|por|da|door))?[ ]?[:.][ ]?(?P<x>[A-Z]{{2,4}})(?=[ ]*(?:[.,;/|)\n\x01]|$))", 0, starts=first_words(_SIGNER), check=_are_initials, sure=False),
    pattern("NAME", r"\"(?:sig|signed|signature|signer|reader|read_by|tech|initials|author|rad|typist|by)\"\s?:\s?\"(?P<x>[A-Za-z]{2,4})(?=[\" ])", shape=r"\"\s?:\s?\"", signs='"', labelled=True),
    pattern("NAME", r"\b(?i:geschr|geschrieben|getippt|getypt|tippad|skrevet|dactylo|escrito|battuto|scritto|typed)\.?[ ]?[:/]?[ ](?P<x>[a-z]{2,3})(?=[ ]*(?:\n|$|/|\x01|\.(?:\s|$)))", 0, starts="geschr geschrieben getippt getypt tippad skrevet dactylo escrito battuto scritto typed", check=_are_typists, sure=False),
    pattern("NAME", r"\x01[ ]?/[ ]?(?P<x>[A-Z]{2,3}[-/:][a-z]{2,3})(?=\s*(?:\n|$))", 0, shape=r"\x01[ ]?/[ ]?[A-Z]{2}"),
    pattern("NAME", r"\x01[ ]?/[ ]?(?P<x>[A-Z]{2,4})(?=[-/:]\x01)", 0, shape=r"\x01[ ]?/[ ]?[A-Z]{2}"),
    pattern("NAME", r"\x01[ ]\((?P<x>(?:[A-Z]\.){2,3}),[ ](?=\d)", 0, shape=r"\x01[ ]\([A-Z]\."),
    # "/es/ PER LINDGREN MD", "Req: ANDERSEN,M NP", "Kahananui, L.   7712-334"
    pattern("NAME", rf"/es/[ ]?(?P<x>[A-ZÀ-Þ][\w.'’-]*(?:[ ][A-ZÀ-Þ][\w.'’-]*){{0,3}}?)(?=,?[ ]{_DEGREE}|[ ]*\n|,)", 0, shape=r"/es/", labelled=True),
    pattern("NAME", rf"\b(?i:req|ref|ord|att|rad|res|prov|phys|dr|np|pa)[ ]?[:.][ ]?(?P<x>[A-ZÀ-Þ][A-ZÀ-Þ'’-]+,[ ]?[A-Z])(?=\.?[ ]+{_DEGREE}|[ ]*\n|[ ]{{2}}|$)", 0, starts="req ref ord att rad res prov phys dr np pa", shape=r"[A-ZÀ-Þ],[ ]?[A-Z]"),
    pattern("NAME", rf"(?<![^\n])[ ]*(?P<x>{_W},[ ][A-Z]\.?(?:[ ]?[A-Z]\.)?)(?=[ ]{{2,}}[\d\x01])", 0, shape=r",[ ][A-Z]\.?[ .A-Z]*[ ]{2}", check=is_somebody),
    # sign-offs after a dash, first names at the head of a line or before what is done to them
    pattern("NAME", r"[\w.!?)][ ][-–—][ ]?(?P<x>[A-ZÀ-Þ][a-zà-öø-ÿ]+)(?=[ ]*(?:\n|$))", 0, shape=r"[-–—][ ]?[A-ZÀ-Þ][a-zà-öø-ÿ]+[ ]*(?:\n|$)", check=_is_signed_off, sure=False),
    pattern("NAME", rf"(?<![^\n])(?P<x>{_W})(?=[ ](?:in|at|from)[ ](?:Dr|Mr|Mrs|Ms|Prof)\b)", 0, shape=r"[ ](?:in|at|from)[ ][DMP]", check=_is_given, sure=False),
    pattern("NAME", rf"\b(?:[Rr]eg|[Rr]egistrar|SpR|StR|SHO|RMO|[Rr]esident|[Ff]ellow|[Nn]urse|CNC|ANUM|NUM|[Ii]ntern)[ ](?P<x>{_W})(?=[ ](?:notified|informed|paged|aware|called|told|rang|phoned|contacted|bleeped|updated|alerted)\b)", 0, near="notified informed paged aware called told rang phoned contacted bleeped updated alerted", check=is_somebody, sure=False),
    pattern("NAME", r"\b(?:pcte|pac|pcto|paciente|pte|pat|patient|pt|pz|paz|nom|nombre|name|naam)[ ]?[:.][ ]?(?P<x>[^\W\d_]{3,}(?:[ ](?!ci\b|dni\b|dob\b|mrn\b|age\b|edad\b)[^\W\d_]{2,}){1,3})(?=[ ](?:ci|dni|cc|nie|rut|curp|edad|age|dob|mrn|ssn|id|hc|nhc)\b|[ ]*[,;\n\d\x01])", starts="pcte pac pcto paciente pte pat patient pt pz paz nom nombre name naam", check=_are_small_names, sure=False),
    pattern("NAME", rf"\b(?:Pn|Puan|Tn|Tuan|Encik|Cik|Hj|Hjh|Datuk|Dato['’]?|Datin|Tan[ ]Sri|Puan[ ]Sri|Ibu|Bapak|Khun|Ustaz|Oom|oom|Tannie|tannie|Meester|Juffrou|Mma|Rra|Alhaji|Alhaja|Mzee|Mama|Pastor)\.?[ ](?P<x>{_W}(?:[ ]{_W}){{0,2}})(?!\w)", 0, starts="pn puan tn tuan encik cik hj hjh datuk dato datin tan ibu bapak khun ustaz oom tannie meester juffrou mma rra alhaji alhaja mzee mama pastor", check=is_somebody, sure=False),
    # numbers in groups: "courier ref AX99 8812 0045", "NASS 28 10099871 44", "(ref DSRB 2023/00551)"
    pattern("ID", rf"\b(?:{_REFERENCE})(?![^\W\d_])\.?[ ]?(?:no\.?|nr\.?|number|\#)?[ ]?[:#=]?[ ]?(?P<x>(?-i:[A-Z]{{1,4}}\d{{1,4}}(?:[ -]\d{{2,6}}[A-Z]{{0,2}}){{1,4}}|[A-Z]{{2}}[ ]\d{{3,4}}(?:[ ]\d{{3,4}}){{1,2}}(?:[ ]?\d?[A-Z]{{2}})?|[A-Z]{{2,6}}[ /-]\d{{2,4}}[/-]\d{{2,6}}(?:[/-]\w{{1,6}})?))(?![\w])", starts=first_words(_REFERENCE), labelled=True, check=_is_odd_code),
    pattern("ID", rf"\b(?:{_HEALTH})(?![^\W\d_])\.?[ ]?(?:no\.?|nr\.?|n[º°]|number|\#)?[ ]?[:#=]?[ ]?(?P<x>[A-Z]{{0,4}}[ -]?\d{{1,8}}(?:[ /-]\d{{1,8}}){{1,6}})(?![\w]|[.,]\d)", starts=first_words(_HEALTH), labelled=True, check=_is_odd_code),
    pattern("ID", r"\blast[ ]?4\s?[:#]?\s?(?P<x>[A-Z]?\d{4})(?!\w)", starts="last", labelled=True),
    # scanners by their names in the house: "on CT2-AMU", "NAEOTOM-2."; users, beds of a ward
    pattern("OTHER", r"(?<![\w-])(?P<x>(?:CT|MR|MRI|US|XR|PET|NM|DR)\d{1,2}-[A-Z]{2,8})(?![\w-])", 0, shape=r"\d-[A-Z]{2}", sure=False),
    pattern("OTHER", rf"(?<![\w-])(?P<x>(?:{_SCANNER})-\d{{1,2}})(?![\w-])", 0, starts=first_words(_SCANNER), sure=False),
    pattern("OTHER", r"\b(?:operators?|user|technologist|tech|radiographer|performed[ ]by|reader|author)['’]?s?(?:['’])?[ ]?(?:name)?[ ]?[:=][ ]?(?P<x>[a-z]{2,20}[._][a-z]{1,20})(?![\w@])", starts="operator operators user technologist tech radiographer performed reader author", labelled=True),
    pattern("OTHER", r"\b[Bb]ed[ ](?:\x01|[A-Z][\w'’.]*(?:[ ][A-Z][\w'’]*)?)[ ](?P<x>\d{1,2}[A-Z]?)(?![\w%]|[.,:/-]\d|[ ]?(?:mm|cm|ml|mg|hours?|days?|weeks?))", 0, starts="bed", sure=False),
)  # fmt: skip
