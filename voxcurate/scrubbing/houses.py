# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Places of care and work by what stands beside them: a job, a kind of house, a brand's spelling."""

import re

from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.name_words import SHORT_FORMS, STOP
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.towns import is_listed
from voxcurate.scrubbing.vocabulary import fold, lexicon

_W = rf"{UPPER}(?:[\w'’&-]|\.(?=\w))*"
_NAME = rf"{_W}(?:[ ](?:(?:of|and|&|the|de|del|la|na|an|du|for)[ ]){{0,2}}{_W}){{0,4}}"
_JOB = one_of("houses", "job")
_KIND = one_of("houses", "kind")
_FIELD = one_of("houses", "field")
_ENDING = one_of("houses", "ending")
_BRAND = one_of("houses", "brand")
_PUBLIC = one_of("houses", "public")
_GERMAN = r"(?:zentrum|zentren|kliniken|klinik|klinikum|praxis|krankenhaus|spital|stift|heim|apotheke|ziekenhuis|kliniek|praktijk|centrum|gasthuis)"
_NO_HOUSE = re.compile(
    r"(?:ung|heit|keit|schaft|tion|tät|nis|termin|kontrolle|bericht|befund|aufnahme|sprechstunde)$"
)


_OF_FIRMS = re.compile(
    r"(?:Reporting|Radiology|Imaging|Health|Healthcare|Clinic|Care|Diagnostics|Labs?|Medical|Group|Solutions|Services|"
    r"Teleradiology|Pharmacy|Physio|Hospital|Partners|Logistics|Transport|Foods|Energy)\b"
)
_TOLD_PLACE = re.compile(r"(?:\b(?i:at|from|by|via|to|with|for|the)[ ]|[@(]|\A|\n[ ]*)\Z")


def _own(text: str, start: int, end: int) -> list[str]:
    words = re.findall(r"[^\W\d_]{2,}(?:['’-][^\W\d_]+)*", fold(text[start:end]))
    return [one for one in words if one not in GENERIC and one not in SHORT_FORMS]


def _is_own(word: str) -> bool:
    known = lexicon()
    return (
        known.foreign_kind(word) != "w" or is_listed(word) or known.is_unlike_reports(word)
    ) and word not in known.eponyms


def _is_employer(text: str, start: int, end: int) -> bool:
    """Whether what somebody works for has a name: two capitalised words, or one reports lack."""
    own = _own(text, start, end)
    if not own or fold(text[start:end]).split()[0] in STOP - {"the"}:
        return False
    return any(map(_is_own, own)) or len(text[start:end].split()) > 1


def _is_named_house(text: str, start: int, end: int) -> bool:
    """Whether one of the words is no word of reports and no ending of a noun."""
    own = _own(text, start, end)
    return bool(own) and any(_is_own(one) and not _NO_HOUSE.search(one) for one in own)


def _is_practice(text: str, start: int, end: int) -> bool:
    """Whether a line is a practice's name: "The Old Dairy Surgery", not "Robotic Surgery"."""
    words = fold(text[start:end]).split()
    return (words[0] == "the" and len(words) > 2) or _is_named_house(text, start, end)


def _is_named_compound(text: str, start: int, end: int) -> bool:
    """ "Brustzentrum Rheingau", but not "Hautklinik Vorstellung"."""
    parts = re.split(r"[ -]", fold(text[start:end]))
    last = parts[-1]
    return (
        lexicon().foreign_kind(last) != "w"
        and not _NO_HOUSE.search(last)
        and last not in lexicon().eponyms
    )


def _is_brand(text: str, start: int, end: int) -> bool:
    """Whether "NightOwl Reporting" is a firm: two words joined, neither of a machine."""
    camel = re.findall(r"[A-Z][a-z]+", re.split(r"[ ]", text[start:end])[0])
    known = lexicon()
    whole = fold("".join(camel))
    if whole in known.eponyms or known.foreign_kind(whole) == "w":
        return False
    if _OF_FIRMS.search(text, start, end):
        return True
    return _TOLD_PLACE.search(text, max(0, start - 14), start) is not None


def _is_somewhere(text: str, start: int, end: int) -> bool:
    """Whether a town or strange word follows "district hospital"."""
    last = fold(text[start:end]).split()[-1]
    return is_listed(last) or lexicon().kind(last) in "nu"


HOUSES: tuple[Pattern, ...] = (
    # "works nights at the Buffalo Jump Truck Stop", "employer Gulf Crate & Pallet", "bei der Firma X"
    pattern("INSTITUTION", rf"\b(?:works?|worked|working|drives?|drove)[ ](?:[a-z-]+[ ]){{1,3}}(?:at|for)[ ](?:the[ ])?(?P<x>(?!Dr\b|Mr|Ms|Miss|Prof){_NAME})", 0, starts="work works worked working drive drives drove", check=_is_employer, sure=False),
    pattern("INSTITUTION", rf"\b(?:[Ee]mployer|[Ee]mployed[ ]by|[Ee]mpr(?:esa|\.)|[Ff]irma|Fa\.|[Dd]itta|[Aa]zienda|[Ss]oci[ée]t[ée]|[Ee]ntreprise|[Bb]edrijf|[Aa]rbeitgeber|[Ww]erkgever|[Ee]mployeur)[ ]?:?[ ](?:the[ ])?(?P<x>{_NAME})", 0, starts="employer employed empresa empr firma fa ditta azienda societe entreprise bedrijf arbeitgeber werkgever employeur", check=_is_employer, sure=False),
    # prisons, bases, ships; clubs; hospitals without the word: "Ponderosa Children's", "Lexmoor VA"
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:HMP|HMYOI|YOI|FCI|JVA|IRC|RAF|RNAS|HMS|USNS|HMAS|FOB|RAAF|CFB)[ ]{_W}(?:[ ]{_W})?)(?!\w)", 0, starts="hmp hmyoi yoi fci jva irc raf rnas hms usns hmas fob raaf cfb", check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>{_W}(?:[ ]{_W}){{0,2}}[ ](?:A?FC|RFC|RUFC|RLFC|GAA|RSL|SLSC|Juniors?))(?!\w)", 0, shape=r"[ ](?:A?FC|RFC|RUFC|RLFC|GAA|RSL|SLSC|Junior)", check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"\b(?:at|from|for|to|@|via|with|of)[ ](?:the[ ])?(?P<x>{_W}(?:[ ]{_W})?[ ](?:Children['’]s|Women['’]s|Presbyterian|Presby|Methodist|Baptist|Lutheran|Adventist|VA|VAMC|Regional|County|General|Mercy))(?![\w-]|[ ](?:Hosp|Hospital|Medical|Center|Clinic))", 0, starts="at from for to via with of", check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"(?<![^\n])[ ]*(?P<x>(?:The[ ])?{_W}(?:[ ]{_W}){{0,3}}[ ](?:Surgery|Practice|Superclinic|Medicentre|Polyclinic|Clinic|Health[ ]Hub))(?=[ ]*(?:\n|$|,))", 0, near="surgery practice superclinic medicentre polyclinic clinic hub", check=_is_practice, sure=False),
    pattern("INSTITUTION", rf"\b(?i:{_JOB})[ ](?:at|for|with|by|of|from|in)[ ](?:the[ ])?(?P<x>(?!Dr\b|Mr|Ms|Miss|Prof){_NAME}(?:[ ](?:hub|depot|plant))?)", 0, starts=first_words(_JOB), check=_is_employer, sure=False),
    pattern("INSTITUTION", rf"\b(?:[Ee]x|[Ff]ormer|[Ff]ormerly|[Rr]etired|[Ll]ate)(?:[ ](?:of|at|with|from)[ ]|[ -])(?:the[ ])?(?P<x>{_W}(?:[ ]{_W}){{1,3}})(?=[ ]?[),.;\n]|$|[ ](?:worker|employee|driver|engineer|staff)\b)", 0, starts="ex former formerly retired late", check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"\b(?:attends|attending|pupil[ ]at|student[ ]at|enrolled[ ]at|studies[ ]at|studying[ ]at|graduated[ ]from|goes[ ]to|year[ ]\d{{1,2}}[ ]at|teaches[ ]at|teacher[ ]at|lecturer[ ]at)[ ](?:the[ ])?(?P<x>{_NAME})(?=[ ]?[),.;:\n]|$|[ ](?:and|in|where|with|on|as|but|for)\b)", 0, starts="attends attending pupil student enrolled studies studying graduated goes year teaches teacher lecturer", check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"\b(?i:{_KIND})[ ]?[:(,–-][ ]?(?P<x>{_W}(?:[ ](?:{_W}|na|an|of|the|de|la|and|&)){{0,5}}?)(?=[ ]?[),.;\n]|$)", 0, starts=first_words(_KIND), check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>{UPPER}[a-zäöüß]*{_GERMAN}(?:[ ](?:am|an der|im|in|der|van|St\.|Sankt|Sint|de)){{0,2}}[ -]{UPPER}[^\W\d_]{{3,}}(?:[ /-]{UPPER}[^\W\d_]{{3,}}){{0,2}})(?!\w)", 0, shape=rf"{_GERMAN}[ -]", check=_is_named_compound, sure=False),
    pattern("INSTITUTION", rf"\b(?P<x>(?i:{_PUBLIC})[ ](?i:hospital|hosp\.?|clinic|health[ ]cent(?:er|re)|medical[ ]college)(?:,[ ]|[ ])(?:{UPPER}[^\W\d_]{{3,}}|[a-z]{{4,}}))(?!\w)", 0, starts=first_words(_PUBLIC), check=_is_somewhere, sure=False),
    pattern("INSTITUTION", rf"(?<![\w-])(?P<x>(?:{_W}[ ]){{1,3}}(?:{_FIELD})[ ](?:&|and|\+)[ ](?:{_FIELD}))(?!\w)", 0, near=first_words(_FIELD), check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"(?:\([ ]?|\|[ ]?|\b(?:at|from|with|cc:?|via|to)[ ])(?P<x>(?:{_W}[ ]){{1,3}}(?:{_FIELD}))(?=[ ]*(?:[),;|\n.]|$))", 0, near=first_words(_FIELD), check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"(?:(?<=\n)|(?<![\s\S])|\*\*[ ])[ ]*(?P<x>(?:{_W}[ ]){{1,3}}(?:{_ENDING})(?:,[ ](?:PLLC|LLC|LLP|Inc|PC|PA|Ltd)\.?)?(?:[ ]\#\d+)?)(?=[ ]*(?:\n|$|\(|\*|[ ]{{2}}|[ ]called\b|[ ]-[ ]))", 0, near=first_words(_ENDING), check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"\b(?i:from|to|cc|at|via|by|works?|welder|driver|nurse)(?::[ ]|[ ]{{1,3}}(?:at[ ]|PCP[ ])?)(?:the[ ])?(?P<x>(?:{_W}[ ]){{1,3}}(?:{_ENDING})(?:[ ]\#\d+)?)(?=[ ]*(?:[),;|\n.]|$|[ ]{{2}}))", 0, near=first_words(_ENDING), check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"\b(?:[Pp]harmacy|[Cc]hemist|[Ss]urgery|GP[ ]practice)[ ](?P<x>{_W}(?:[ ]{_W})?)(?=[ ]?[.,;\n]|$)", 0, starts="pharmacy chemist surgery gp", check=_is_named_house, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:{_BRAND})(?:[ ](?!On|In|At|The){_W}){{0,2}})(?!\w)", 0, starts=first_words(_BRAND), sure=False),
    pattern("INSTITUTION", rf"(?<![\w.-])(?P<x>[A-Z][a-z]{{2,}}[A-Z][a-z]{{2,}}(?:[ ]{_W}){{1,2}})(?!\w)", 0, shape=r"[A-Z][a-z]{2,}[A-Z][a-z]{2,}[ ][A-Z]", check=_is_brand, sure=False),
)  # fmt: skip
