# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Names as letters and hand-overs write them: subject lines, "seeing Hemi", "D/W JK", typists."""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.months import MONTH_WORDS
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.people import is_likely, is_somebody
from voxcurate.scrubbing.vocabulary import fold, lexicon

_W = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_SUBJECT = one_of("people_letters", "subject")
_TYPIST = one_of("people_letters", "typist")
_TOLD = one_of("people_letters", "told")
_MET = r"(?:(?:thank you|thanks)(?: very much)? for (?:seeing|reviewing|referring|asking (?:me|us) to see)|grateful if you (?:would|could) see|(?:i|we) (?:have )?(?:saw|met|reviewed|seen|assessed|examined|consented|called|rang|phoned|telephoned|spoke to|spoke with)|please (?:see|review|ring|call|chase)|pleasure (?:of meeting|to see|to meet|seeing)|delighted to (?:see|meet)|opportunity (?:of seeing|to (?:see|review|meet)))"
_NO_PEOPLE = (w.STOP | w.NO_NAME | w.SHORT_FORMS | w.DEGREES | w.TITLES | GENERIC) - MONTH_WORDS


def _is_met(text: str, start: int, end: int) -> bool:
    """Whether what somebody saw is a person: no word of a report."""
    low = fold(text[start:end])
    known = lexicon()
    if low in _NO_PEOPLE or (low in known.eponyms and known.kind(low) == "w"):
        return False
    personal = re.match(
        r"[ ](?:today|yesterday|again|who|ahead|with (?:his|her|their)|and (?:his|her|their)|in (?:clinic|the clinic|my clinic))\b|,[ ](?:a|an|who|your|this|the)\b",
        text[end : end + 20],
    )
    return known.kind(low) != "w" or known.is_unlike_reports(low) or personal is not None


def _are_initials(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end]).replace(".", "")
    plain = low not in w.SHORT_FORMS and low not in w.DEGREES and low not in w.STOP
    return plain and low not in MONTH_WORDS and lexicon().foreign_kind(low) in "un"


def _is_typist(text: str, start: int, end: int) -> bool:
    initials = text[start:end]
    plain = {"no", "yes", "nein", "ja", "non", "oui", "ii", "iii", "iv"}
    return fold(initials) not in (plain if initials.islower() else plain | w.SHORT_FORMS)


def _is_doctor(text: str, start: int, end: int) -> bool:
    """Whether the last word after "dr ks" could be a surname."""
    last = fold(text[start:end]).split()[-1]
    return last not in _NO_PEOPLE and last not in w.PERSON_VERBS and lexicon().kind(last) in "nbu"


LETTERS: tuple[Pattern, ...] = (
    pattern("NAME", rf"(?<![^\n])[ ]*(?i:{_SUBJECT})[ ]?[:.–-]?[ ](?:(?:Mr|Mrs|Ms|Miss|Master|Dr)\.?[ ])?(?P<x>{_W}(?:[ ](?:{_W}|[A-Z]\.?)){{0,4}})(?=[ ]*(?:\n|$|[ ]{{2}}|,|\(|/|[–-][ ]|\x01|(?i:NHI|DOB|MRN|NHS|CHI|HN|URN?|UR|ID|PHN|HCN|born|geb|d\.o\.b|aged?)\b|[*°\d]))", 0, starts=first_words(_SUBJECT), check=is_likely),
    pattern("NAME", rf"\b(?i:{_MET})[ ](?P<x>{_W})(?=[ ](?:{_W}[ ])?|[.,;:)\n]|$)(?!\w)", 0, near="seeing reviewing referring see saw met reviewed seen assessed examined consented called rang phoned telephoned spoke review ring call chase meeting meet", check=_is_met, sure=False),
    pattern("NAME", rf"\b(?i:{_TOLD})[ ](?:(?:team|reg|registrar|SpR|cons|consultant|sister|CN|NIC)[ ])?(?P<x>[A-Z]{{2,3}}|(?:[A-Z]\.){{2,3}})(?=[ ]*(?:[.,;)/\n]|$|[–-]|[ ]{{2}}|\x01)|[ ](?:SpR|StR|reg|Reg|cons|Cons|at|re|who|will|to|on|and|@|ext|bleep|\d))", 0, starts=first_words(_TOLD), check=_are_initials, sure=False),
    pattern("NAME", rf"\b(?i:{_TYPIST})[ ]?[:./][ ]?(?P<x>[a-zà-ÿ]{{2,4}}|[A-Z]{{2,4}}|(?:[A-Z]\.){{2,3}})(?=[ ]*(?:\n|$|/|[|,;]|\x01|[ ]{{2}}|\d))", 0, starts=first_words(_TYPIST), check=_is_typist, sure=False),
    pattern("NAME", r"(?<![^\n])(?:--|[–—])[ ]?(?P<x>[a-z]{2,3})(?=[ ]*(?:\n|$|\(|[ ](?:night|day|rad|reg|md|rn)))", 0, shape=r"(?:--|[–—])[ ]?[a-z]{2,3}", check=_are_initials, sure=False),
    pattern("NAME", rf"(?<![\w.])(?<!yo )(?<!/o )(?<!old )(?P<x>[A-Z]\.?[ ]{_W})(?=[ ]?[/|(–][ ]?\x01)", 0, shape=r"[/|(–][ ]?\x01", check=is_somebody, sure=False),
    pattern("NAME", r"\b(?:dr|mr|mrs|ms|miss|prof)\.?[ ](?P<x>(?:[a-z]{1,2}[ .]{1,2}){1,2}[a-z]{3,}(?:-[a-z]+)?)(?!\w)", 0, starts="dr mr mrs ms miss prof", check=_is_doctor, sure=False),
    pattern("NAME", r"\b(?:Dr|Prof|Mr|Mrs|Ms)\.?[ ](?P<x>Das|An|To|So|He|My|En|Des|Den|Von|Her|She|If|As|No|You|Her|One|Day|May|Hu|Ha|Le|La|Do)(?=[,;)]|[ ]*\n|[ ](?:on|at|in|to|and|from|re|has|was|is|who|will|for|with|by)\b)", 0, starts="dr prof mr mrs ms", check=lambda text, start, end: re.search(r"\b(?:und|der|ist|mit|een|het|les|dans)\b", text[max(0, start - 60) : end + 60]) is None, sure=False),
    pattern("NAME", rf"\b(?:Dres|Pr|Drs|Hrn|Mgr|Dña|Doña|Don|Srta|Avv|Me|Sra|Dtt)\.?[ ](?P<x>{_W}(?:[ -]{_W})?)(?:[ ]?[/,&][ ]?(?:und[ ])?\x01)?(?!\w)", 0, starts="dres pr drs hrn mgr dna dona don srta avv me sra dtt", check=is_likely, sure=False),
    pattern("NAME", rf"\x01(?:[ ](?P<x>{_W}))(?=[ ](?:NHI|DOB|dob|MRN|NHS|CHI|HN|UR|URN)\b)", 0, shape=r"(?:NHI|DOB|dob|MRN|NHS|CHI|HN|UR|URN)\b", check=is_somebody, sure=False),
    pattern("NAME", rf"\b[SDWCsdwc]/[oO][.:]?[ ](?:(?:Late|late|Lt)\.?[ ])?(?:(?:Sh|Shri|Sri|Smt|Kum|Km|Md|Mohd)\.?[ ])?(?P<x>{_W}(?:[ ]{_W}){{0,3}})(?=[ ]*(?:\n|$|[,;|(]|[ ]{{2}}|\x01|(?i:age|r/o|aged|sex)\b))", 0, starts="s d w c", check=is_likely),
    pattern("NAME", r"(?<!\w)(?P<x>(?:Mo|Jo|Al|Ed|Bo|Vi|Ty|Cy|Lu|Xi|Yu|Li|Wu|Ng|Vu|Ky|Ly))[ ](?=\x01)", 0, shape=r"[A-Z][a-z][ ]\x01", check=lambda text, start, end: re.search(r"(?:[.;:]\s|\A|\n|[,(]\s?|\b(?:by|with|from|to|and|told|cc|dear|hi)\s)[ ]*$", text[max(0, start - 8) : start], re.I) is not None, sure=False),
)  # fmt: skip
