# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Names by their shape alone: "HAND, PETER DO", "Belov A.N.", sign-offs, typists' initials.

Where the place says that a person stands there, an ordinary word is a name too.
"""

import re

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.months import MONTH_WORDS
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon

_W = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_PART = r"(?:(?:van|von|de|der|den|del|della|di|da|dos|la|le|el|al|ten|ter|bin|Ní|Ó|Mac|Mc)[ ])"
_INITIAL = r"(?:[ ][A-Z]\.?(?![\w'’]))"
_DEGREE = r"(?:\(?(?:MD|M\.D\.?|DO|D\.O\.?|MBBS|MBChB|FRCR|FRCS|MRCP|FRCPC?|PhD|Ph\.D\.?|RN|R\.N\.?|NP|APRN|ARNP|PA-C|PA(?=[,.\n]|$)|CRNP|RRT|LPN|LCSW|MSW|PharmD|DPM|DDS|RT\(R\)|RT|DNP|CRNA|facharzt|radiolog\w*)\)?(?!\w))"
_PERSON = one_of("people", "person")
_PERSON_STARTS = first_words(_PERSON)
_KIN = one_of("people", "kin")
_KIN_STARTS = first_words(_KIN)
_ROLE = one_of("people", "role")
_ROLE_STARTS = first_words(_ROLE)
_GOES_ON = r"(?=\s(?:is|has|was|had|in|at|on|here|called|calls|aware|informed|notified|updated|visited|visiting|present|to|will|states|stated|says|said|asked|pumped|came|arrived|and|w/|with|from|\(|\+?\d)|\s?[.,;:(/)]|\s*$|\s*\n)"
_CLOSING = one_of("people", "closing")
_CLOSING_STARTS = first_words(_CLOSING)
_NOBODY = (
    (w.STOP | w.NO_NAME | w.SHORT_FORMS | w.DEGREES | GENERIC)
    - MONTH_WORDS
    - w.PARTICLES
    - frozenset(("grace", "hope", "amber", "an"))
)
_ALWAYS = frozenset(["will", "may", "can", "not", "has", "was"])


def _words(text: str, start: int, end: int) -> list[str]:
    return [
        word
        for word in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", fold(text[start:end]))
        if len(word) > 1
    ]


def is_somebody(text: str, start: int, end: int) -> bool:
    """Whether no word is one that stands in such places without being a name."""
    words = _words(text, start, end)
    return (
        bool(words)
        and "\n" not in text[start:end].strip()
        and not any(word in _NOBODY for word in words)
    )


def is_likely(text: str, start: int, end: int) -> bool:
    """Whether moreover a word is a name, or is unknown."""
    known = lexicon()
    return is_somebody(text, start, end) and any(
        known.kind(word) != "w" or word in known.given for word in _words(text, start, end)
    )


def _is_somebody_aged(text: str, start: int, end: int) -> bool:
    """The same before an age: "CT-gesteuerte Drainage 10F" is of a size."""
    parts = re.findall(r"[^\W\d_]+", fold(text[start:end]))
    return is_somebody(text, start, end) and not any(one in w.SHORT_FORMS for one in parts[:1])


def _is_all_names(text: str, start: int, end: int) -> bool:
    """Whether every word is a name or could be one: "W/O CONTRAST" is no wife of anybody."""
    known = lexicon()
    kinds = [
        (known.kind(word), word in known.given or known.likeness(word) > 0)
        for word in _words(text, start, end)
    ]
    return is_somebody(text, start, end) and all(
        kind in "nb" or (kind == "u" and is_like) for kind, is_like in kinds
    )


def _is_surname_initials(text: str, start: int, end: int) -> bool:
    word = _words(text, start, end)[0]
    return lexicon().kind(word) != "w" and word not in _NOBODY and word not in lexicon().eponyms


def _is_small_pair(text: str, start: int, end: int) -> bool:
    """Whether two words in small letters are a given name and a surname."""
    words = _words(text, start, end)
    known = lexicon()
    if not words or words[0] in _NOBODY or words[-1] in _ALWAYS | w.PERSON_VERBS:
        return False
    first = (
        words[0] in known.given
        or known.kind(words[0]) == "n"
        or (known.kind(words[0]) == "u" and known.likeness(words[0]) > 0)
    )
    if len(words) == 1:
        return first  # "svetlana p."
    return first and (
        words[1] in known.surnames
        or known.kind(words[1]) in "nb"
        or words[1] in known.given
        or (
            known.kind(words[1]) == "u"
            and known.likeness(words[1]) > -2
            and words[0] in known.given
        )
    )


def _is_small_one(text: str, start: int, end: int) -> bool:
    word = fold(text[start:end])
    known = lexicon()
    if word in _NOBODY or word in MONTH_WORDS or word in w.PERSON_VERBS:
        return False
    return (
        word in known.given
        or known.kind(word) == "n"
        or (known.kind(word) == "u" and known.likeness(word) > -2 and len(word) > 3)
        or (
            known.kind(word) == "u"
            and known.likeness(word) > -6
            and len(word) > 4
            and re.search(r"(?:ed|ing|ly|s)$", word) is None
        )
    )


def _is_small_surname(text: str, start: int, end: int) -> bool:
    word = fold(text[start:end])
    return (
        word not in _NOBODY
        and word not in w.PERSON_VERBS
        and (
            lexicon().kind(word) in "nb"
            or (lexicon().kind(word) == "u" and lexicon().likeness(word) > 2)
        )
    )


def _is_strange(text: str, start: int, end: int) -> bool:
    """Whether no word is known, unless as a name."""
    known = lexicon()
    words = _words(text, start, end)
    return (
        is_somebody(text, start, end)
        and all(known.kind(word) in "nu" or word in known.given for word in words)
        and not any(word in known.eponyms for word in words)
    )


def _is_no_post(text: str, start: int, end: int) -> bool:
    """The same after a name, in brackets: "(AIOS)" is a post."""
    return not (text[start:end].isupper() and end - start < 6) and _is_strange(text, start, end)


def _are_initials(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end])
    return low not in w.SHORT_FORMS and low not in w.DEGREES and lexicon().foreign_kind(low) in "un"


def _are_typists(text: str, start: int, end: int) -> bool:
    return fold(text[start:end]) not in w.SHORT_FORMS


def _is_caseless(text: str, start: int, end: int) -> bool:
    """Whether the text is written without capitals."""
    around = text[max(0, start - 400) : end + 400]
    return sum(map(str.isupper, around)) * 25 < sum(map(str.islower, around))


def _is_no_component(text: str, start: int, end: int) -> bool:
    """Whether words joined as HL7 does are a name: no message type, no examination and its code."""
    found = text[start:end]
    if re.match(r"[A-Z]{3}\^[A-Z]\d\d(?!\w)", found) or re.fullmatch(
        r"[A-Z]{3}\^[A-Z]\d\d(?:\^\w+)?|[^^]+\^(?:CPT4?|LN|I10C?|I9C?|SCT|HCPCS|L|RADLEX)", found
    ):
        return False
    return any(
        lexicon().kind(one) != "w" and one not in w.SHORT_FORMS for one in _words(text, start, end)
    )


PEOPLE: tuple[Pattern, ...] = (
    pattern("NAME", rf"\b(?i:{_PERSON})[ ]?[:=][ ]{{0,6}}(?P<x>{_PART}?{_W}(?:[ ]{_W})?,[ ]?{_W}(?:[ -]{_W})?{_INITIAL}{{0,2}})(?=[ ]*(?:\(|,|;|\n|$|\||/|[ ]{{2}}|{_DEGREE}|[\d\x01]|DOB|MRN|SEX|AGE|M\b|F\b))", 0, starts=_PERSON_STARTS, labelled=True, check=is_somebody),
    pattern("NAME", rf"\b(?i:{_PERSON})[ ]?[:=][ ]{{0,6}}(?P<x>(?:{_W}|[A-Z]\.?)(?:[ ](?:{_PART}?{_W}|[A-Z]\.?)){{1,3}})(?=[ ]*(?:\(|,|;|\n|$|\||/|[ ]{{2}}|{_DEGREE}|[\d\x01]|DOB|MRN|SEX|AGE))", 0, starts=_PERSON_STARTS, labelled=True, check=is_likely),
    pattern("NAME", rf"(?<![\w-])(?P<x>{_W}(?:{_INITIAL})?[ ]{_PART}?{_W}|{_W},[ ]?{_W}(?:{_INITIAL})?|(?:[A-Z]\.[ ]?){{1,3}}{_W})(?=,?[ ]{{1,4}}{_DEGREE})", 0, shape=_DEGREE, check=is_somebody),
    pattern("NAME", rf"(?<![^\n])[ ]*(?P<x>{_W}(?:[ -]{_W})?,[ ]?{_W}(?:[ ]{_W})?(?:{_INITIAL})?)(?=[ ]*(?:/[ ]?[MF]\b|[ ]\d{{1,3}}[ ]?[MFmf]\b|,?[ ]\d{{1,3}}[ -]?(?:y|M\b|F\b|a\b)|[ ]{{2,}}\S*\d|,[ ](?:SpR|MD|Dr|RN)|[ ]?\((?:Dr|MD|Mr|Mrs|Miss|Ms|Consultant|SpR|Reg)))", 0, shape=r",[ ]?[^\W\d_]", check=is_somebody),
    pattern("NAME", rf"(?<![^\n])(?P<x>{_W}(?:[ ]{_W})?[ ][A-Z]\.?)(?=,[ ](?:SpR|StR|ST\d|CT\d|Reg|MD|Dr|RN|Cons))", 0, shape=r"[A-Z]\.?,[ ]", check=is_somebody),
    pattern("NAME", rf"(?:(?<![^\n|])[ ]*|[ ]{{3}}|\x01[ ]{{2,}})(?P<x>[A-ZÀ-Þ'’-]{{2,}}[ ]{{1,4}}{UPPER}[a-zà-ÿ]+(?:[ ]{UPPER}[a-zà-ÿ]+){{0,2}})(?=[ ]{{2,}}(?:[MF]\b|\d|DOB)|[ ]\((?:Mr|Mrs|Miss|Ms|Dr))", 0, shape=r"[A-Z]{2}[ ]{1,4}[A-Z][a-z]", check=is_likely),
    pattern("NAME", rf"(?<![\w-])(?P<x>{_W}(?:{_INITIAL})?[ ](?:{_PART})?{_W}),?[ ]\(?(?:is[ ])?(?:an?[ ])?(?=\d{{1,3}}(?:[ -]?(?:yo\b|y/o|yr|year|ans\b|jähr|jarige|J\.)|[MF]\b))", 0, shape=r"\d[ -]?(?:y|M\b|F\b|ans|[jJ])", check=_is_somebody_aged, sure=False),
    pattern("NAME", rf"(?<![\w-])(?P<x>{_W}[ ][A-Z]\.[ ]?[A-Z]\.)(?!\w)", 0, shape=r"[ ][A-Z]\.[ ]?[A-Z]\.", check=_is_surname_initials),
    pattern("NAME", rf"(?<![^\n])[ ]*(?:[-–—]{{1,2}}[ ]?)?(?P<x>(?:[A-Z]\.[ ]?){{1,3}}(?:{_PART})?{_W}(?:[ ]{_W})?)(?=[ ]*(?:\n|$|,|/|\(|{_DEGREE}))", 0, shape=r"[A-Z]\.[ ]?[A-Z]", check=_is_surname_initials),
    pattern("NAME", rf"(?<=[\n(])[ ]*(?P<x>{_W}(?:-{_W})?,[ ][A-Z]\.)(?=[ ]*[);:\n])", 0, shape=r",[ ][A-Z]\.", check=_is_surname_initials),
    pattern("NAME", rf"\b(?i:{_CLOSING})[,.!]?[ ]*\n?\s{{0,3}}(?P<x>(?:{_W}|[A-Z]\.[ ]?)(?:[ ]?(?:[A-Z]\.|{_PART}?{_W})){{0,3}})(?=[ ]*(?:\n|$|,|\(|/))", 0, starts=_CLOSING_STARTS, check=is_somebody, sure=False),
    pattern("NAME", r"\b(?i:prelim(?:inary)?|final|initials|typed[ ]by|typist|transcribed(?:[ ]by)?|trans|dict|dictated(?:[ ]by)?|checked(?:[ ]by)?|verified(?:[ ]by)?|addend(?:um)?|signed(?:[ ]by)?|entered[ ]by|tech(?:nologist)?(?:[ ]initials)?|rad|author|reader|init|by)[ ]?[:.]?[ ](?P<x>[A-Z]{2,4}|(?<=initials )[a-z]{2,3}|(?<=by )[a-z]{2,3}(?![ ](?:mouth|day|the))|(?<=[:] )[a-z]{2,3}(?=[ ]?[\d\x01]))(?=[ ]*(?:\n|$|\||;|,|[\d\x01]|/|[ ]{2}|[ ]Printed|for\b|on\b))", 0, starts="prelim preliminary final initials typed typist transcribed trans dict dictated checked verified addend addendum signed entered tech technologist rad author reader init by", check=_are_initials),
    pattern("NAME", r"\n[ ]*(?P<x>[A-Z]{2,3})(?=\s*\Z)", 0, shape=r"\n[ ]*[A-Z]{2,3}\s*\Z", check=_are_initials, sure=False),
    pattern("NAME", r"(?<![㐀-鿿가-힯])(?P<x>[㐀-鿿]{2,4}|[가-힯]{2,4})(?![㐀-鿿가-힯年月日])(?!\s?[:：]?\s?\d)(?=\s?[)\s,;:/|]|$)", shape=r"[㐀-鿿가-힯]{2}", check=lambda text, start, end: sum("㐀" <= c <= "힯" for c in text) < 40),
    pattern("NAME", r"(?:姓名|患者(?:姓名|氏名)?|病人|氏名|医师|醫師|医生|签名|报告医师|审核医师|담당의|환자명|성명)\s?[:：]?\s?(?P<x>[㐀-鿿가-힯]{2,4})", shape=r"[㐀-鿿가-힯]{2}", labelled=True),
    pattern("NAME", rf"\b(?i:{_KIN}),?[ ](?P<x>{_W}){_GOES_ON}", 0, starts=_KIN_STARTS, check=_is_strange, sure=False),
    pattern("NAME", rf"\b(?:SpR|StR|SHO|FY[12]|HO|[Rr]eg(?:istrar)?|[Rr]adiographer|[Ss]onographer|S/N|Sr|[Cc]harge [Nn]urse|[Mm]atron|[Pp]orter|[Ss]cribe|ODP|HCA|päivystäjä|lääkäri|hoitaja|sköterska|dyżurny|MTRA|MTA|MFA|OÄ|OA|AA|CA|Sgd\.?|Vaimo|vaimo|tytär|poika|syster|bror|córka|syn|manžel(?:ka)?|eşi|oğlu|kızı|Ehemann|Ehefrau|Tochter|Sohn|BS|BS CKI{{1,2}}|ThS|TS|Op|Uzm)\.?[ ](?P<x>{_W}(?:[ ]{_W})?)(?!\w)", 0, starts="spr str sho fy ho reg registrar radiographer sonographer s sr charge matron porter scribe odp hca paivystaja laakari hoitaja skoterska dyzurny mtra mta mfa oa aa ca sgd vaimo tytar poika syster bror corka syn manzel manzelka esi oglu kızı kizi ehemann ehefrau tochter sohn bs ths ts op uzm", check=_is_strange, sure=False),
    pattern("NAME", rf"\x01[ ]\((?P<x>{_W})(?=[;,)])", 0, shape=r"\x01[ ]\(", check=_is_no_post, sure=False),
    pattern("NAME", rf"\x01[ ](?P<x>(?:(?:van|von|de|der|den|del|da|dos|di|la|ter|ten|Ní|Nic|Ó|Uí|Mac|bin|binti|bint|ibn)\s){{1,2}}{_W})(?!\w)", 0, shape=r"\x01[ ](?:van|von|de|da|dos|di|la|ter|ten|Ní|Nic|Ó|Uí|Mac|bin|ibn)", check=lambda text, start, end: True, sure=False),
    pattern("NAME", rf"(?<![^\n])(?P<x>{_W})[ ]?/(?=\x01|\d{{1,2}}[ /.])", 0, shape=r"/[\x01\d]", check=_is_strange, sure=False),
    pattern("NAME", rf"(?<!\w)(?P<x>{_W}[ ][A-Z]\.)(?=[ ]\((?:SpR|StR|Dr|MD|RN|Cons|Reg|SHO|NP|PA))", 0, shape=r"[A-Z]\.[ ]\(", check=is_somebody),
    pattern("NAME", rf"\b(?:Dr|Prof|Mr|Mrs|Ms|Miss)\.?[ ](?P<x>[A-Z]{{2,}}(?:[ -]{UPPER}[a-zà-ÿ]+){{1,2}}(?:,[ ]{UPPER}[a-zà-ÿ]+)?)(?!\w)", 0, starts="dr prof mr mrs ms miss", check=is_likely),
    pattern("NAME", rf"(?<![\w-])(?P<x>(?:al|el|ul|ez|as|bin)-{UPPER}[a-zà-ÿ]{{2,}})(?!\w)", 0, shape=r"(?:al|el|ul|ez|as|bin)-[^\W\d_]"),
    pattern("NAME", rf"\b(?i:{_KIN}),?[ ](?P<x>{_W}[ ]{_W})(?!\w)", 0, starts=_KIN_STARTS, check=is_somebody, sure=False),
    pattern("NAME", rf"\b[SDWCFsdwcf]/[oO0]\.?:?[ ](?P<x>(?:(?:Mr|Mrs|Late|Lt|Shri|Smt)\.?[ ])?{_W}(?:[ ]{_W}){{0,2}})(?!\w)", 0, starts="s d w c f", check=_is_all_names),
    # initials of typists and readers
    pattern("NAME", r"(?:\x01|\bM\.?D\.?|\bD\.?O\.?),?[ ]?/[ ]?(?P<x>[a-z]{2,4})(?=[ ]*(?:\n|$))", 0, shape=r"/[ ]?[a-z]{2,4}[ ]*(?:\n|$)", check=_are_typists),
    pattern("NAME", r"\b(?i:tr|typ|typist|sekr|secr?|steno|trans|tip|dd|dt|dict|d|t|schr|diktat)\.?[ ]?[:.]?[ ](?P<x>[a-z]{2,4}|[A-Z]{2,3})(?=[ ]*(?:/|\n|$|\x01|\d{2,}[/.-]))", 0, starts="tr typ typist sekr sec secr steno trans tip dd dt dict d t schr diktat", check=_are_initials),
    pattern("NAME", r"\b(?i:reader|rater|observer|radiologist|read|rad)[ ]?[12AB][ :]+(?P<x>[A-Z]{2,3})(?=[ ]*[,;.\n)]|$)", 0, starts="reader rater observer radiologist read rad", check=_are_initials),
    pattern("NAME", r"(?<![^\n])(?P<x>[a-z]{2,3})[ ]?/[ ]?(?=\x01|Dr|Prof|[A-Z]{2,3}[ ]*(?:\n|$))", 0, shape=r"\n[a-z]{2,3}[ ]?/", check=_are_typists),
    pattern("NAME", r"(?:(?<=\x01)|(?<=\n)|(?<=[ ]{2})|(?<=MD ))(?P<x>[A-Z]{2,4}[:/][a-z]{2,4})(?=[ ]*(?:\n|$|/|\||\x01))", 0, shape=r"[A-Z]{2,4}[:/][a-z]{2,4}"),
    pattern("NAME", r"(?<![^\n])(?P<x>(?:[A-Z]\.){2,3})(?=[ ]?=[ ]?\x01)", 0, shape=r"\.[ ]?=[ ]?\x01"),
    pattern("NAME", r"(?<![^\n])(?P<x>[A-Z]\.)(?=[ ]*\n[ ]*\x01)", 0, shape=r"(?:\A|\n)[A-Z]\.[ ]*\n[ ]*\x01"),
    pattern("NAME", r"(?<![\w^])(?P<x>[^\W\d_][^\W\d_'’-]*(?:[ -][^\W\d_]+)?\^{1,2}[^\W\d_][\w^'’ .-]*)", 0, shape=r"\w\^", check=_is_no_component),
    pattern("NAME", r"(?i:\btyped|\binit(?:ials|iales|iali)?|\bscribe|\bsd|\bsecond[ ]read|\breader|\breviewer|\bchaperone|\bby[ ]me|\breporter|\bwitness)[ ]?[.:]?[ ](?P<x>[A-Z]{2,4}|[A-Z]-[A-Z]|[a-z]{2,3}(?=[ ]*[.\n\"”;]|[ ]*$))(?![\w-])", 0, starts="typed init initials initiales iniziali scribe sd second reader reviewer chaperone by reporter witness", check=_are_typists),
    pattern("NAME", r"\((?P<x>(?:[A-Z]\.){2,3})\)", 0, shape=r"\((?:[A-Z]\.){2,3}\)", check=lambda text, start, end: fold(text[start:end]) not in ("i.v.", "i.m.", "u.s.", "s.c.", "p.o.", "n.b.", "u.k.", "e.g.", "i.e."), sure=False),
    pattern("NAME", r"(?:(?<=\n)|(?<=[ ]{2}))(?P<x>[A-Z]{2,4}/[a-z]{2,4})(?=[ ]{2})", 0, shape=r"[A-Z]{2,4}/[a-z]{2,4}"),
    pattern("NAME", r"(?<![^\n])(?P<x>[A-Z]{2,3})(?=[ ](?:/[ ]|BCN|RN|SN|RGN|MD|NP|PA|SpR|SHO)\b)", 0, shape=r"\n[A-Z]{2,3}[ ]", check=_are_initials),
    pattern("NAME", r"\x01-(?P<x>(?:van|de|von|der|den|del|da|di|la|le)[ ](?:de[rn]?[ ])?[^\W\d_]+)", 0, shape=r"\x01-(?:van|de|von|der|den|del|da|di|la|le)"),
    pattern("NAME", rf"\b(?i:enf|adj|as|asist|inf|sor|m[ée]d|t[ée]c|enferm|aux|adjt|int|r[ée]s|ass|schw|pfl|vpk|zr|lek|mgr|in[żz]|mudr|prim|doc|dott|sig|sgra|sz|hem[şs])\.[ ](?P<x>{_W}(?:[ ]{_W})?)(?!\w)", 0, starts="enf adj as asist inf sor med tec enferm aux adjt int res ass schw pfl vpk zr lek mgr inz mudr prim doc dott sig sgra sz hems", check=is_likely, sure=False),
    pattern("NAME", rf"(?<!\w)(?P<x>{_W})[ ](?:didi|garu|ji|bhai|bhau|sahib|saheb|amma|anna|akka|san|sama|bey|han[ıi]m|efendi|abla|kaka|uncle|aunty)(?!\w)", 0, near="didi garu ji bhai bhau sahib saheb amma anna akka san sama bey hanim hanım efendi abla kaka uncle aunty", check=is_somebody, sure=False),
    pattern("NAME", rf"\bHr\.[ ](?P<x>{_W}(?:[ -]{_W})?)(?!\w)", 0, starts="hr", check=is_somebody),
    # notes in small letters
    pattern("NAME", rf"\b(?:{_KIN}|{_ROLE})\.?[ ](?P<x>[a-z]{{3,}}(?:-[a-z]{{3,}})?[ ](?:[a-z]{{3,}}(?:-[a-z]{{3,}})?|[a-z]\.))(?!\w)", 0, starts=_KIN_STARTS + " " + _ROLE_STARTS, check=_is_small_pair, sure=False),
    pattern("NAME", rf"\b(?:{_KIN})[ ](?P<x>[a-z]{{3,}}(?:-[a-z]{{3,}})?){_GOES_ON}", 0, starts=_KIN_STARTS, check=_is_small_one, sure=False),
    pattern("NAME", rf"\b{_ROLE}\.?[ ](?P<x>[a-z]{{3,}}){_GOES_ON}", 0, starts=_ROLE_STARTS, check=lambda text, start, end: _is_small_surname(text, start, end) and _is_caseless(text, start, end), sure=False),
    pattern("NAME", r"\b(?:baby[ ](?:girl|boy)|babyboy|babygirl|infant|twin[ ][ab12])[ ](?P<x>[a-z]{3,})(?=[ ]?[,.;(]|[ ](?:is|was|born|ga|dol))", 0, starts="baby babyboy babygirl infant twin", check=lambda text, start, end: fold(text[start:end]) not in _NOBODY and lexicon().kind(fold(text[start:end])) in "nub"),
    pattern("NAME", r"\b(?:rec['’]?d|received|assumed[ ]care[ ]of|admit(?:ted)?|pt|mr|mrs|ms|miss)\.?[ ](?P<x>[a-z]{3,})(?=[ ](?:in|on|from|awake|alert|remains|refused|is|was|has|had|states|stated|denies|slept|ambulated|tolerated|c/o|resting|requested|stable|sleeping|received)\b)", 0, starts="rec received assumed admit admitted pt mr mrs ms miss", check=lambda text, start, end: fold(text[start:end]) in lexicon().given | lexicon().surnames | frozenset(["hope", "grace", "faith", "joy"]) and fold(text[start:end]) not in w.STOP, sure=False),
    pattern("NAME", r"(?<![\w.])(?P<x>[a-z]{3,},[ ][a-z])[ ](?=\d{1,3}[ ]?(?:[mf]\b|yo|y/o))", 0, shape=r",[ ][a-z][ ]\d", check=lambda text, start, end: lexicon().kind(fold(text[start : end - 3])) != "w", sure=False),
    pattern("NAME", r"(?<![\w.])(?P<x>[a-z]\.[ ]?[a-z]{3,}(?:-[a-z]+)?)(?=,?[ ](?:rn|md|np|pa|lpn|rrt|lcsw|msw|do|cna|rt|pt|ot)\b)", 0, near="rn md np pa lpn rrt lcsw msw do cna rt pt ot"),
)  # fmt: skip
