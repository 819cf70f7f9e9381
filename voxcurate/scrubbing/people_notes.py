# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Names as notes and lists write them: initials at the end, "Wm. Louie", nicknames, lists of roles.

What is left beside a hole, such as the "s/o" between two names, goes with it.
"""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.months import MONTH_WORDS
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.people import is_likely, is_somebody
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_set

_W = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_SMALL = r"[a-zà-öø-ÿ]{2,3}"
_SCRIBE = one_of("people_notes", "scribe")
_SCRIBE_STARTS = first_words(_SCRIBE)
_SHORT_GIVEN = one_of("people_notes", "short_given")
_PARTICLE = r"(?:(?:van|von|den|der|de|di|da|dos|du|la|le|ter|ten|zu|zum|zur|St\.?|ST\.?|VAN|DE|Mc|Mac|O)[ ])"


_UNITS = word_set("mg ml kg min hr day dl mm cm hpf lpf wk mo yr sec kcal meq mmol iu mcg ug ng pg")
_NUMBERED = word_set("""
    dea nhs npi mrn chi gmc hcn phn nhi urn ur hn ssn dob tel fax mob gp lic ref upin rpps adeli lanr
    bsnr bsn id pid acc dva hcc ihi crn nmc hpi fin csn nif nie dni cip nuss agb big riziv clia
""")  # short forms of numbers


def _are_initials(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end]).replace(".", "")
    if low in w.SHORT_FORMS or low in w.DEGREES or low in w.STOP or low in MONTH_WORDS:
        return False
    if low in _NUMBERED:
        return False
    return lexicon().foreign_kind(low) in "un" or "." in text[start:end]


def _are_pair(text: str, start: int, end: int) -> bool:
    """Whether "gho/sw" are two people's initials: no unit, no short form."""
    parts = text[start:end].split("/")
    return all(one not in w.SHORT_FORMS | w.STOP and one not in _UNITS for one in parts) and any(
        lexicon().foreign_kind(one) != "w" for one in parts
    )


def _is_written_small(text: str, start: int, end: int) -> bool:
    """Whether an unknown short word ends a note: no unit, no abbreviation that reports have."""
    low = fold(text[start:end])
    return _are_initials(text, start, end) and (
        len(low) > 1
        and lexicon().kind(low) in "un"
        and not re.search(r"\d\s?$", text[start - 3 : start])
    )


def _is_nickname(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end])
    known = lexicon()
    return is_somebody(text, start, end) and (
        known.kind(low) != "w" or known.is_unlike_reports(low)
    )


def _is_small_person(text: str, start: int, end: int) -> bool:
    first, last = fold(text[start:end]).split()
    known = lexicon()
    return first in known.given and known.kind(last) in "nbu" and last not in w.STOP


def _is_first_name(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end])
    known = lexicon()
    return is_somebody(text, start, end) and low in known.given and low not in known.eponyms


def _is_no_plain_word(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end])
    return low not in ("no", "yes", "not", "nil", "and", "the", "for", "see", "by", "on", "at")


def _is_person_told(text: str, start: int, end: int) -> bool:
    return is_likely(text, start, end) or ("'" in text[start:end] and is_somebody(text, start, end))


def _is_no_degree(text: str, start: int, end: int) -> bool:
    low = re.sub(r"[^a-z]", "", fold(text[start:end]))
    return low != "zi" and low not in w.DEGREES and low not in w.SHORT_FORMS and low not in w.TITLES


def _is_own_house(text: str, start: int, end: int) -> bool:
    """Whether words after "at the" are names, none of a disease, sign or device."""
    words = fold(text[start:end]).split()
    known = lexicon()
    short = text[start:end].isupper() and end - start < 6
    return (
        not short
        and is_somebody(text, start, end)
        and all(
            known.kind(one) in "nu" and one not in known.eponyms and one not in known.places
            for one in words
        )
    )


NOTES: tuple[Pattern, ...] = (
    pattern("NAME", rf"\b(?i:{_SCRIBE})(?:[ ](?i:by))?[ ]?[:.]?[ ](?P<x>{_SMALL}|[A-Z]{{2,3}}|(?:[A-Z]\.){{2,3}})(?=[ ]*(?:\n|$|\"|[\d\x01]|[.,;)](?:\s|$)|[ ]{{2}}))", 0, starts=_SCRIBE_STARTS, check=_are_initials, sure=False),
    pattern("NAME", r"\bper[ ](?P<x>[A-Z]{3})(?=[ ]*(?:\n|$|\"))", 0, starts="per", check=_are_initials, sure=False),
    pattern("NAME", rf"(?:[.;)][ ]|[–—-][ ]?|\n[ ]*)(?P<x>{_SMALL})(?=\s*\Z)", 0, shape=r"[a-zà-öø-ÿ]{2,3}\s*\Z", check=_is_written_small, sure=False),
    pattern("NAME", rf"(?<=\n)[ ]*(?P<x>{_SMALL}|[A-Z]{{2,3}})(?=[ ]\x01[ ]*(?:\n|$))", 0, shape=r"[A-Za-z]{2}[ ]\x01", check=_are_initials, sure=False),
    pattern("NAME", r"\n[ ]*(?P<x>[A-Z]\.)(?=\s*\Z)", 0, shape=r"[A-Z]\.\s*\Z", sure=False),
    pattern("NAME", rf"\x01[ ]?/[ ]?(?P<x>{_SMALL})(?=[ ]{{2}}|[ ]*(?:\n|$|\x01))", 0, shape=r"\x01[ ]?/", check=_is_written_small, sure=False),
    pattern("NAME", rf"(?<!\w)(?P<x>{_SHORT_GIVEN}\.[ ](?:[A-Z]\.[ ]?)?{_W}(?:[ ](?!The|In|On|At){_W})?)", 0, starts=re.sub(r"[^a-z]+", " ", _SHORT_GIVEN.lower()), shape=rf"{_SHORT_GIVEN}\.[ ]", check=is_likely),
    pattern("NAME", rf"(?<!\w)(?P<x>{_SHORT_GIVEN}\.)(?=[ ]?\x01)", 0, shape=rf"{_SHORT_GIVEN}\.[ ]?\x01"),
    pattern("NAME", r"\x01[ ]?(?P<x>[sdwhf]/o|a/[lp])(?=[ ](?:[Ll]ate[ ])?\x01)", 0, shape=r"\x01[ ]?\w/\w"),
    pattern("NAME", rf"(?<!\w)(?P<x>(?:[A-Z]\.[ -]?){{2,3}}{_PARTICLE}{{0,3}}|[A-Z]\.[ ]?{_PARTICLE}{{1,3}}|(?<=[Dd]r )[A-Z]\.?[ ]?|(?<=by )[A-Za-z]\.?[ ]?|(?<=\n)[A-Z]\.[ ])(?=\x01)", 0, shape=r"[A-Za-z.][ ]?\x01", check=_is_no_degree, sure=False),
    pattern("NAME", rf"\x01[.,]?[ ]\(?[\"“‘'](?P<x>{_W})[\"”’']", 0, shape=r"[\"“‘']", check=is_somebody, sure=False),
    pattern("NAME", rf"\b(?:name[ds]?|called|goes[ ]by|known[ ]as|aka|nick-?name[ds]?|alias|likes[ ]to[ ]be[ ]called|prefers)[ ]?:?[ ][\"“‘'](?P<x>{_W}(?:[ ]{_W})?)[\"”’']", 0, starts="name named names called goes known aka nickname nicknamed nick alias likes prefers", shape=r"[\"“‘']", check=is_somebody, sure=False),
    # "Vang, Pa Houa, 48F", "pt Ngai, Wing-Sum in", "Pt MORRISON Heather June  12.07.1951"
    pattern("NAME", rf"(?:[.;:][ ]|\d[.)][ ]|\n[ ]*)(?P<x>{_W}(?:[ -]{_W})?,[ ]{_W}(?:[ -]{_W}){{0,2}})(?=,?[ ]\d{{1,3}}[ ]?(?:[MFmf]\b|y|/))", 0, shape=r",[ ][^\W\d_]", check=is_likely),
    pattern("NAME", rf"\b(?:[Pp]t|[Pp]at|[Pp]atient|[Mm]other|[Aa]lias|[Nn]ame)[ ]+(?P<x>{_W},[ ](?:{_W}|[A-Z]\b)(?:-{_W})?)(?!\w)", 0, starts="pt pat patient mother alias name", check=is_likely),
    pattern("NAME", rf"\b(?:[Pp]t|[Pp]at|[Pp]atient|[Nn]ame)[ ]+(?P<x>[A-ZÀ-Þ'’-]{{3,}}(?:[ ]{UPPER}[a-zà-ÿ]+){{1,3}})(?=[ ]{{2}}|,?[ ](?:\d|\x01|DOB|MRN)|\n|$)", 0, starts="pt pat patient name", check=is_likely),
    pattern("NAME", r"(?<![^\n])[ ]*(?P<x>[A-ZÀ-Þ][A-ZÀ-Þ'’-]+(?:[ ][A-ZÀ-Þ][A-ZÀ-Þ'’-]*){1,3})(?=[ ]{2,}(?:[A-Z]{2,5}[ ]?[#:]?[ ]?)?[A-Z]?[\d\x01]|[ ]{2,}(?:DOB|MRN|NRIC|IC|NHS|CHI))", 0, shape=r"[A-ZÀ-Þ]{2}[ ]{2,}", check=is_likely),
    pattern("NAME", rf"\b(?:Regrets|Apologies|Present|Chair(?:ed by)?|Fellow|[Bb]aby|[Kk]ey worker|[Oo]perator|[Aa]djuster|[Vv]olunteer|[Ss]tudent nurse|[Cc]arer|[Aa]unty?|[Uu]ncle|[Nn]an(?:a|ny)?|LCSW|MSW|RGN|Sister|Matron|Warden|Attorney|atty|Constable|PC|HC|Officer|Sgt\.?|[Aa]ddressee|Operator|gez\.|Sgd\.?)[ ]?[:.]?[ ](?P<x>(?:[A-Z]\.[ ]?){{0,2}}{_W}(?:[ ](?!Regrets|Present|Apologies|The|In|On|At){_W})?)(?!\w)", 0, starts="regrets apologies present chair chaired fellow baby key operator adjuster volunteer student carer aunt aunty uncle nan nana nanny lcsw msw rgn sister matron warden attorney atty constable pc officer sgt hc addressee gez sgd", check=_is_nickname, sure=False),
    pattern("NAME", rf"(?<!\w)(?P<x>[A-Z]\.?[ ]{_W})(?=,?[ ](?:RGN|RMN|RN\b|SpR|StR|ST\d|pgy\d|PGY-?\d|R[1-5]\b|FY\d|SHO|CNS|ANP|DO\b|MD\b|NP\b|PA\b))", 0, shape=r"[A-Z]\.?[ ][A-Z]", check=is_likely),
    pattern("NAME", r"\b(?i:adjuster|attorney|atty|lawyer|solicitor|nurse|sister|carer|read[ ]by|cc|copy[ ]to|seen[ ]by|spoke[ ](?:to|with))[ ](?P<x>[a-z]+[ ][a-z]+)(?=[ ]?(?:[\d\x01,;(]|\n|$|do\b|md\b|rn\b))", 0, starts="adjuster attorney atty lawyer solicitor nurse sister carer read cc copy seen spoke", check=_is_small_person, sure=False),
    pattern("NAME", rf"(?<!\w)(?P<x>{_W})['’]s[ ](?=(?:line|device|scan|scans|films?|images?|drain|stent|mum|mom|dad|wife|husband|bloods|results?|report|letter|appointment|clinic|tube|biopsy|case)\b)", 0, shape=r"['’]s[ ]", check=_is_first_name, sure=False),
    pattern("NAME", rf"(?<!\w)(?P<x>{_W})[ ]\((?=(?:that['’]s|aka|a\.k\.a|real[ ]name|n[ée]e|formerly|born)\b)", 0, shape=r"[ ]\([tarnfb]", check=_is_nickname, sure=False),
    # "Gerlinde Ostermeier, *30.11.38", "Pat. Lutz Brehm, 71 J."
    pattern("NAME", rf"(?<![\w-])(?P<x>(?!(?:Herrn?|Frau|Madame|Mme|Mlle|Monsieur|Signora?|Sra?|Mevrouw|Mevr|Dhr|Mw|Patient(?:in)?|Pat|Recevoir)\b){_W}(?:[ -](?:{_PARTICLE})?{_W}){{1,2}})(?=,?[ ]\(?(?:\*|°|geb\.|geboren|n[ée]e?[ ]le|nat[oa][ ]il|nacid[oa]|nascid[oa]|født|f\.[ ]\d)[ ]?[\d\x01]?)", 0, shape=r"[*°]|geb|n[ée]e?[ ]le|nat[oa]|nacid|nascid|født|f\.[ ]\d", check=is_somebody),
    pattern("NAME", rf"\b(?:Pat\.|Patientin|Paz\.|Pac\.|Pte\.?)[ ](?:(?:Herr|Frau|Hr\.|Fr\.)[ ])?(?P<x>{_W}(?:[ -](?:{_PARTICLE})?{_W}){{1,2}})(?=,?[ ][*\d\x01(])", 0, starts="pat patientin paz pac pte", check=is_somebody),
    pattern("NAME", rf"(?<![^\n])[ ]*(?P<x>(?:De|Van|Van[ ](?:de[nr]?|der)|Vander|Le|La|Du|Della|Di|El|Al|Ben|Von|D['’])[ ]?{_W})(?=[ ]\x01)", 0, shape=r"[ ]\x01", check=is_somebody, sure=False),
    # typists: "Typed: [date] lmh", "14:20. gho/sw", "Verslag: KVDB/ms"
    pattern("NAME", r"\b(?:[Tt]yped|[Tt]ranscribed|[Dd]ictated|[Gg]eschrieben|[Gg]etypt|[Ss]aisi|T|TT)[ ]?:?[ ]\x01[ ](?P<x>[a-z]{2,4}|[A-Z]{2,4})(?=[ ]*(?:\n|$))", 0, shape=r"\x01[ ][A-Za-z]{2,4}[ ]*(?:\n|$)", check=_are_initials),
    pattern("NAME", r"(?:[.:\d\x01][ ]|\n)(?P<x>[a-z]{2,4}/[a-z]{2,4})(?=\s*\Z)", 0, shape=r"[a-z]{2}/[a-z]{2,4}\s*\Z", check=_are_pair, sure=False),
    pattern("NAME", r"\b(?:Verslag|Rapport|Report|Befund|Referto|Informe|R[ée]daction|CR|Bericht|Laudo|Relat[óo]rio)[ ]?:[ ](?P<x>[A-Z]{2,4}/[A-Za-z]{2,4})(?=[ ]*(?:\n|$|[.;,]))", 0, starts="verslag rapport report befund referto informe redaction cr bericht laudo relatorio", sure=False),
    pattern("NAME", rf"\b(?i:unknown|unidentified)[ ](?i:male|female|man|woman|patient|adult|child|person)[ ,]{{1,2}}[\"“'(](?P<x>{_W}(?:[ ]{_W})?)", 0, starts="unknown unidentified", sure=False),
    pattern("NAME", r"(?:[.!?][ ]|\n)(?P<x>[A-Z]\.)(?=[\"”][ ]*(?:\n|\Z))", 0, shape=r"[A-Z]\.[\"”]", sure=False),
    pattern("NAME", rf"\n[ \t\r]*\n(?P<x>{_W})\s*\Z", 0, shape=rf"\n[ \t\r]*\n{_W}\s*\Z", check=_is_nickname, sure=False),
    # beside a hole: "Vang, [Pa] Houa", "Dr Subhankar [Das] (", "Present: ..., [A.] K. Sinha"
    pattern("NAME", r"\x01,?[ ](?P<x>[A-Z]|[A-Z][a-z]{1,2})\.?[ ](?=\x01)", 0, shape=r"\x01,?[ ][A-Z]", check=_is_no_degree, sure=False),
    pattern("NAME", r"\x01,[ ](?P<x>[A-Z])(?=[ ](?:in|from|at)\b|,|\n|$)", 0, shape=r"\x01,[ ][A-Z]", sure=False),
    pattern("NAME", rf"\x01[ ](?P<x>S(?:t|te|ain|ainte)[.-][ ]?{_W})", 0, shape=r"\x01[ ]S", sure=False),
    pattern("NAME", r"\x01[ ]?(?P<x>[sdwhf])/(?=\x01)", 0, shape=r"\x01[ ]?[sdwhf]/"),
    pattern("NAME", r"(?:,[ ]|:[ ])(?P<x>(?:[A-Z]\.[ ]?){1,2})(?=\x01)", 0, shape=r"[A-Z]\.[ ]?\x01", check=_is_no_degree, sure=False),
    pattern("NAME", rf"\b(?:Dr|Prof|Mr|Mrs|Ms|Miss|Smt|Shri)\.?[ ]\x01[ ](?P<x>{_W})(?=[ ]?[(,.;\n])", 0, starts="dr prof mr mrs ms miss smt shri", check=_is_no_degree, sure=False),
    pattern("NAME", rf"\x01\.[ ](?P<x>{_W})(?=[,;(])", 0, shape=r"\x01\.[ ]", check=_is_nickname, sure=False),
    pattern("NAME", r"\b(?:sign-?off|minutes|typed|transcribed|scribe|initials?|typist|prepared[ ]by)[ ]?:[ ]?(?P<x>[A-Za-z]{2,3})(?=[ ]*(?:\n|$|\x01|[ ]{2}))", starts="sign signoff minutes typed transcribed scribe initial initials typist prepared", labelled=True, check=_is_no_plain_word, sure=False),
    pattern("NAME", rf"\b(?:[Kk]ey[ -]?[Ww]orker|[Cc]ase[ ][Mm]anager|[Ss]ocial[ ][Ww]orker|[Nn]amed[ ][Nn]urse|[Ll]ink[ ][Nn]urse|[Ll]ead[ ][Nn]urse|[Ss]cheduler|[Bb]ooker|[Ss]cribe|Operator|Reader|Chaperone|Observer|Escort|Interpreter|TSO|Manager|Supervisor|Coordinator|Navigator|Sonographer|Audiologist|Therapist|Midwife|Porter)[ ]?:[ ](?P<x>(?:[A-Z]\.[ ]?)*{_W}(?:[ ]{_W})?)(?=[ ]*(?:[;,(\n]|$|[ ]{{2}})|[ ][\d\x01+])", 0, starts="key keyworker case social named link lead scheduler booker scribe operator reader chaperone observer escort interpreter tso manager supervisor coordinator navigator sonographer audiologist therapist midwife porter", check=_is_person_told, sure=False),
    pattern("INSTITUTION", rf"\b(?:at|to|from)[ ]the[ ](?P<x>{_W}(?:[ ]{_W})?)(?=\s?[:.,;)\n]|[ ](?:on|for|and|with|in|last|where|who|but|yesterday|today)\b)", 0, starts="at to from", check=_is_own_house, sure=False),
    pattern("AGE", r"\x01,[ ](?P<x>9\d|1[01]\d)(?=[.,;)]|[ ]?[MFmf]\b|\n|$)", 0, shape=r"\x01,[ ](?:9|1)"),
)  # fmt: skip
