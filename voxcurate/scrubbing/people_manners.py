# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Names in the manners of other countries, of minutes and of notes: "dr.ssa Ventura", "'t Hooft".

Elided and abbreviated particles, titles with endings, Chinese names in three words, a surname with
initials after it, speakers of minutes, lone initials where somebody signs.
"""

import re
from collections.abc import Iterator

from voxcurate.scrubbing import name_words as w
from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.medical import CLINICAL, STRONG_NOUN
from voxcurate.scrubbing.months import MONTH_WORDS
from voxcurate.scrubbing.pattern import HOLE, UPPER, Pattern, pattern
from voxcurate.scrubbing.people import is_likely, is_somebody
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_set

_W = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*"
_ELIDED = r"(?:[Dd]e[l]{1,2}['’]|[Dd]all['’]|[DdLl]['’]|(?:[Vv]an[ ]|[Ii]n[ ]|[Oo]p[ ]|[Aa]an[ ])?['’][tT][ ]|[Vv]\.?/?d\.?[ ]|[Vv]dr?[ ]|[Vv]/d[ ])"
_TITLE = r"(?:Dre?|Drs|DRE?|Prof|Pr|Mme|Mlle|M|Mr|Mrs|Ms|Miss|Mevr|Mw|Dhr|Frau|Herrn?|Sig|Sra?|Dott|Dra|Dr\.?med)"
_ENDED = r"(?:[Dd]r|[Dd]ott|[Pp]rof|[Ss]ig|[Aa]vv|[Ii]nf|[Ss]r|[Dd])\.?[ ]?(?:\.?ssa|\.?ra|\.?re|\.?na|(?<=[gG]\.)r|\.?ª|\.in)"
_SMALL_INITIALS = r"(?:[A-Z]\.[ ]?){2,3}"
_SEX = one_of("people_manners", "sex")
_SIGNS = one_of("people_manners", "signs")
_DOCTOR = one_of("people_manners", "doctor")
_GREETING = one_of("people_manners", "greeting")
_NAMED = one_of("people_manners", "named")
_POST = one_of("people_manners", "post")
_MADE = one_of("people_manners", "made")
_OF_KIN = one_of("people_manners", "kin_of")
_KIN = one_of("people", "kin")
_KIN_LINK = r"(?:of|von|vom|de|del|d['’]|di|della|van|da|do)"
_SURNAMES = word_set("""
    tan lim ng lee goh chew wong chan ong koh teo ang yeo tay ho low toh sim chua chia chong foo heng
    kwek kwan lau leong liew loh mak neo phua poh quek seah seow soh teoh tham wee woo yap yee yong
    zhang wang li liu chen yang zhao huang zhou wu xu sun hu zhu gao lin guo ma luo liang song zheng
    xie han tang feng yu dong xiao cheng cao yuan deng zeng peng su lu jiang cai jia ding wei xue ye
    yan pan du dai xia zhong tian ren fan fang shi yao tao nguyen tran pham huynh vo dang bui ngo
    duong phan vu kim park choi jung kang cho yoon jang lim oh seo shin kwon hwang ahn yoo lai lui
    cheung leung kwok ko mok chu tse tsang tsui yip yeung fung fong hui hung ip kam kong kwong lam
    lo luk mui pang poon siu sze szeto to tong tsoi tung wan yiu yuen chin hsu hsieh chiu chiang chou
    kuo liao lien tsai tseng wen ooi khoo khor kok cheah cheong chin gan kee lew thong
""")
_CHINESE = "|".join(sorted(map(str.title, _SURNAMES), key=len, reverse=True))
_SPEAKS = re.compile(rf"(?:\[?\d\d?:\d\d\]?[ ])?({_W}(?:[ ][A-Z]\.?)?)")
_SCORED = re.compile(r":[ ]\d{1,3}(?:/\d{1,3})?(?![\w/:-]|\.\d)")
_SYLLABLE = re.compile(
    r"(?:[bcdfghjklmnpqrstvwxyz]{0,3}[aeiouyê]{1,3}(?:ng|nh|ch|h|n|m|k|p|t|w|y|i|u|o)?|ng)$"
)
_SPOKEN = word_set("""
    findings impression conclusion technique comparison history indication plan assessment colon horn
    cord bone heart lung liver brain limb spine bladder skin chest neck head
""")
_SHORTENED = word_set("iv im po sc us uk ie eg nb aa sd ua zb dh oä uu tel al od os ou")
_NOT_SPEAKERS = w.STOP | w.NO_NAME | w.SHORT_FORMS | w.TITLES | w.DEGREES | GENERIC | _SPOKEN


def _are_initials(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end]).replace(".", "").replace(" ", "")
    if "." in text[start:end]:
        return low not in _SHORTENED and low not in w.DEGREES
    if low in w.SHORT_FORMS or low in w.DEGREES or low in w.STOP or low in MONTH_WORDS:
        return False
    return lexicon().foreign_kind(low) in "un"


def _are_signed(text: str, start: int, end: int) -> bool:
    return fold(text[start:end]).strip(".") not in w.DEGREES | w.STOP


def _is_chinese(text: str, start: int, end: int) -> bool:
    """Whether a frequent surname is followed by one or two syllables that could be a given name."""
    first, *given = re.split(r"[ -]", fold(text[start:end]))
    known = lexicon()
    if first not in _SURNAMES or not all(_SYLLABLE.match(one) for one in given):
        return False
    if any(one in w.STOP or one in w.SHORT_FORMS or one in known.eponyms for one in given):
        return False
    return all(known.foreign_kind(one) != "w" or known.fame(one) > 0 for one in given)


def _is_with_initials(text: str, start: int, end: int) -> bool:
    """Whether "Chew LK" is a surname and initials, not "Dixon IP" or a heading."""
    name, initials = fold(text[start:end]).split()
    known = lexicon()
    if initials in ("ii", "iv", "vi", "ix", "xi", "xt", "od", "bd"):
        return False  # "Gharbi II"
    plain = name not in _NOT_SPEAKERS and name not in known.eponyms and initials not in w.DEGREES
    initialled = initials not in w.SHORT_FORMS or known.kind(name) == "n"
    return plain and initialled and known.kind(name) != "w"


def _is_strange(text: str, start: int, end: int) -> bool:
    """Whether nothing explains the last word: none of reports, no eponym, no clinical ending."""
    known = lexicon()
    last = fold(text[start:end]).split()[-1]
    return (
        last not in _NOT_SPEAKERS
        and known.foreign_kind(last) != "w"
        and last not in known.eponyms
        and CLINICAL.search(last) is None
    )


def _is_initialled(text: str, start: int, end: int) -> bool:
    """Whether initials go on into a name: that was found, or of a word that nothing explains."""
    words = re.findall(r"[^\W\d_]{2,}", text[start:end])
    if len(words) == 2 and "-" in text[start : start + 3] and words[0].lower() in w.PARTICLES:
        return True  # "J.-F. Le Gall"
    return text[end : end + 1] == HOLE if not words else _is_strange(text, start, end)


def _is_speaker(text: str, start: int, end: int) -> bool:
    """Whether a surname before a colon or a verb speaks: the lists know it as one."""
    known = lexicon()
    low = fold(text[start:end])
    if text[start:end].isupper() or low in _NOT_SPEAKERS | known.eponyms | MONTH_WORDS:
        return False
    if CLINICAL.search(low) or STRONG_NOUN.match(text, end):
        return False
    if low in known.classes and _SCORED.match(text, end):
        return False  # "Berg: 41/56"
    named = low in known.surnames or low in known.given or known.fame(low) > 1
    return named and known.kind(low) in "nb"


def _are_makers(text: str, start: int, end: int) -> bool:
    """Whether initials stand after who made or checked a report: no team, no degree."""
    parts = re.findall(r"[A-Z]+", text[start:end])
    never = w.SHORT_FORMS | w.DEGREES | w.STOP
    named = [lexicon().foreign_kind(fold(one)) != "w" for one in parts]
    told = len(parts) > 1 or text[start - 2 : start] == ": "
    return not any(fold(one) in never for one in parts) and (told or all(named))


def find_speakers(text: str) -> Iterator[Hit]:
    """Who speaks in two lines or more of a chat and is no word of reports: "Ged: looking now"."""
    if text.count(": ") < 2:
        return
    said: dict[str, list[int]] = {}
    talks: set[str] = set()
    start = 0
    for line in text.split("\n"):
        head, colon, rest = line.partition(": ")
        if colon and len(head) < 24 and (match := _SPEAKS.fullmatch(head)):
            said.setdefault(match[1], []).append(start + match.start(1))
            if rest[:1].islower() or rest[:2] in ("I ", "I'"):
                talks.add(match[1])
        start += len(line) + 1
    for name in sorted(talks):
        if len(said[name]) > 1 and _may_speak(name):
            yield from (Hit("NAME", at, at + len(name), False) for at in said[name])


def _may_speak(name: str) -> bool:
    known, low = lexicon(), fold(name).split()[0]
    if low in _NOT_SPEAKERS | known.eponyms | MONTH_WORDS or CLINICAL.search(low):
        return False
    return known.foreign_kind(low) != "w" and not name.isupper()


def _is_strange_or_given(text: str, start: int, end: int) -> bool:
    """Whether "Rose (daughter)" is somebody: a given name, or a word that nothing explains."""
    low = fold(text[start:end])
    return low not in _NOT_SPEAKERS and (
        low in lexicon().given or low in lexicon().long["given"] or _is_strange(text, start, end)
    )


def _is_greeted(text: str, start: int, end: int) -> bool:
    """Whether a letter greets somebody: no colleague, team or ward."""
    words = fold(text[start:end]).split()
    return not any(one in _NOT_SPEAKERS for one in words) and any(
        lexicon().foreign_kind(one) != "w" or one in lexicon().long["given"] for one in words
    )


def _is_given(text: str, start: int, end: int) -> bool:
    """Whether a word after a post is a given name, or a name of the lists."""
    low = fold(text[start:end])
    known = lexicon()
    if text[start:end].isupper() or low in _NOT_SPEAKERS or low in known.eponyms:
        return False
    named = low in known.given or known.long["given"].group(low) in (0, 1) or known.fame(low) > 1
    return named and known.kind(low) in "nb"


def _heads_entry(text: str, start: int, end: int) -> bool:
    """Whether a line begins with a given name that is a word too and a surname that was found."""
    low = fold(text[start:end])
    known = lexicon()
    if low in _NOT_SPEAKERS or low in known.eponyms or text[start:end].isupper():
        return False
    return low in known.given or low in known.long["given"] or known.is_unlike_reports(low)


MANNERS: tuple[Pattern, ...] = (
    # elided and shortened particles: "Pr d'Harcourt", "Van 't Zand", "M'Barek", "Anel vd Merwe"
    pattern("NAME", rf"\b{_TITLE}\.?[ ](?P<x>{_ELIDED}{_W}(?:[ -]{_W})?)(?!\w)", 0, starts="dr dre drs prof pr mme mlle m mr mrs ms miss mevr mw dhr frau herr herrn sig sr sra dott dra"),
    pattern("NAME", rf"(?<![\w'’])(?P<x>(?:(?:[Vv]an|[Ii]n|[Oo]p|[Aa]an)[ ])?['’][tT][ ]{_W})(?!\w)", 0, shape=r"['’][tT][ ]", check=_is_strange, sure=False),
    pattern("NAME", rf"(?<![\w'’])(?P<x>[MN]['’]{UPPER}[a-zà-ÿ]{{2,}}(?:[ ](?:{_W}|[A-ZÀ-Þ]{{2,}}))?)(?!\w)", 0, shape=r"[MN]['’]"),
    pattern("NAME", rf"(?<!\w)(?P<x>{_W}[ ](?:[Vv]\.?[ ]?/?d\.?[mnr]?|[Vv]d[rmn]?)\.?[ ]{_W})(?!\w)", 0, shape=r"[ ][Vv]\.?[ ]?/?d", check=is_somebody),
    pattern("NAME", rf"(?:\x01|[A-Z]\.)[ ]?(?P<x>(?:[Vv]\.?/?d\.?[mnr]?|[Vv]d[rmn]?)\.?[ ]{_W})(?!\w)", 0, shape=r"[Vv]\.?/?d[.mnr]{0,3}[ ]"),
    # "dr.ssa Ventura", "sig.ra Neri", "Dr.ª Reis", "Dr.in Huber"
    pattern("NAME", rf"\b{_ENDED}\.?[ ](?P<x>{_ELIDED}?{_W}(?:[ ](?:[A-Z]\.?|{_W}))?)(?!\w)", 0, starts="dr dott prof sig avv inf sr d", check=is_somebody),
    # "P-Y. Le Goff", "J.-P. Roux", "Ö., Fatma"
    pattern("NAME", rf"(?<![\w.])(?P<x>[A-ZÀ-Þ]\.?-[A-ZÀ-Þ]\.[ ]?(?:(?:Le|La|De|Du|Des|de|du|van|von|Van)[ ])?(?:{_W})?)(?=\x01|[^\w]|$)", 0, shape=r"[A-ZÀ-Þ]\.?-[A-ZÀ-Þ]\.", check=_is_initialled),
    pattern("NAME", rf"(?<![\w.])(?P<x>[A-ZÀ-Þ]\.,?[ ](?!{UPPER}\.){_W})(?=,[ ]\d{{1,3}}[ ]?(?:J|j|y|M|F|a)|,[ ]\x01)", 0, shape=r",[ ](?:\d{1,3}[ ]?[JjyMFa]|\x01)", signs=".", check=is_likely),
    pattern("NAME", rf"(?:(?<=[:;>][ ])|(?<=\d[ ])|(?<=\n))(?P<x>{UPPER}\.,?[ ])(?=\x01)", 0, shape=r"\.,?[ ]\x01"),
    # Chinese, Korean and Vietnamese names; a surname with initials after it
    pattern("NAME", rf"(?<![\w'’-])(?P<x>(?:{_CHINESE})[ ][A-Z][a-z]{{0,5}}(?:[ -][A-Z]?[a-z]{{1,5}})?)(?![\w'’])", 0, starts=" ".join(sorted(_SURNAMES)), check=_is_chinese, sure=False),
    pattern("NAME", rf"(?:\b(?i:by|with|per|d/w|to|from|and|see|ask|Dr\.?|Prof\.?|cc:?)[ ]|[,;:/(][ ]?|\n[ ]*|[ ]{{2}})(?P<x>{_W}[ ][A-Z]{{2}})(?=[ ]*(?:[.,;()/\n]|$|[ ]{{2}}|[–-][ ]))", 0, shape=r"[^\W\d_][ ][A-Z]{2}(?=[ ]*(?:[.,;()/\n]|$|[ ]{2}|[–-][ ]))", check=_is_with_initials, sure=False),
    pattern("NAME", rf"\x01[ ]?@[ ]?(?P<x>{_W}(?:[ ]{_W}){{0,2}})(?!\w)", 0, shape=r"\x01[ ]?@", check=is_somebody, sure=False),
    pattern("NAME", r"\x01[ ](?P<x>(?:[Jj]un|[Ss]en)\.|(?i:junior|senior|the[ ]third|fils|père))(?=(?<=\.)|[ ]*(?:[,.;)\n]|$|\x01|(?i:medical|mrn|dob|date|is|was|has|age|a)\b))", 0, shape=r"\x01[ ](?:[jJsSfpt])"),
    pattern("NAME", rf"(?<![\w.])(?P<x>[A-Z]\.[ ]?{_W}[ ])(?=\x01)", 0, shape=r"[A-Z]\.[ ]?[^\W\d_]+[ ]\x01", check=is_somebody, sure=False),
    # "Herr K.", "Née LE GOFF", "Médico de cabecera: Zubizarreta"
    pattern("NAME", r"\b(?:Fr|Hr|Frau|Herrn?|Mrs?|Ms|Mme|Mlle|Sra?|Sig|Dhr|Mw|Mevr|Dr|Prof)\.?[ ](?P<x>[A-ZÀ-Þ]\.)(?=,?[ ]|[)\n]|$)", 0, starts="fr hr frau herr herrn mr mrs ms mme mlle sr sra sig dhr mw mevr dr prof"),
    pattern("NAME", r"\b(?:[Nn][ée]e?|[Gg]eb\.|[Nn]ata|[ÉEée]pouse|[ÉEée]p\.|[Vv]euve|[Vv]ve|[Gg]eborene|[Rr]oz\.)[ ](?P<x>(?:(?:LE|LA|DE|DU|EL|VAN|VON|DER|DI|DEN|BEN|Le|La|De|Du|El|Van|von)[ ]){0,2}[A-ZÀ-Þ][A-Za-zÀ-ÿ'’-]{2,})(?=[ ]*(?:[.,;)(\n]|$|\x01)|[ ](?:le|am|il|op|el|à|in)\b)", 0, starts="ne nee geb nata epouse ep veuve vve geborene roz", check=is_likely, sure=False),
    pattern("NAME", rf"\b(?i:{_DOCTOR})[ ]?:[ ]{{0,3}}(?P<x>(?:{_ELIDED})?{_W}(?:[ ](?:{_W}|[A-Z]\.)){{0,2}})(?=[ ]*(?:[,;(\n]|$|\.(?:[ ]|$)|[ ]{{2}}|\x01))", 0, starts=first_words(_DOCTOR), check=_is_strange, sure=False),
    # "Beste Joke,", "Er heißt eigentlich Soboth", "CNS Bev to ring", "SW: Moira"
    pattern("NAME", rf"(?:(?<![^\n])|(?<=[.!>:] ))[ ]*(?i:{_GREETING})[ ](?P<x>{_W}(?:[ ]{_W})?)(?=[ ]?[,!]|[ ]?(?:\n|[-–][ ]))", 0, starts=first_words(_GREETING), check=_is_greeted, sure=False),
    pattern("NAME", rf"\b(?i:{_NAMED})[ ](?:eigentlich[ ]|wirklich[ ]|nun[ ]|en[ ]fait[ ]|eigenlijk[ ]|in[ ]realt[àa][ ])?[\"„“«]?(?P<x>{_W}(?:[ ]{_W})?)(?!\w)", 0, starts=first_words(_NAMED), check=_is_strange, sure=False),
    pattern("NAME", rf"\b(?:{_POST})(?:[ ]?:[ ]|[ ])(?P<x>{_W})(?![\w-])(?!['’]s[ ](?:sign|disease|test))", 0, starts=first_words(_POST), check=_is_given, sure=False),
    # initials that stand for somebody: "P.M., maschio", "R.W., 63M", "/mp", "Sign: KAT", "MvD /"
    pattern("NAME", rf"(?<![\w.])(?P<x>{_SMALL_INITIALS}|[A-Z]{{2}})(?=,?[ ]?\(?(?:\d{{1,3}}[ ]?(?:[MFmfVvWw]\b|J\.|j\b|y/?o?\b|yrs?\b|ans\b|a[ñn]os\b|anni\b|aa?\.|jaar\b|Jahre\b|jr\b)|(?:{_SEX})(?!\w)))", 0, shape=rf"[A-Z]\.?[ ]?,?[ ]?\(?(?:\d{{1,3}}[ ]?[MFmfVvWwJjya]|(?:{_SEX}))", check=_are_initials),
    pattern("NAME", rf"(?:\b(?i:{_SIGNS})[ ]?[:.]?[ ]{{1,3}}|\b(?i:{_SIGNS}):)(?P<x>[A-Z]{{2,4}}|(?:[A-Z]\.){{2,3}}|[A-Z][a-z]{{0,3}}[A-Z]|(?<=: )[a-z]{{2,3}})(?=[ ]*(?:\n|$|[,;|/)]|\x01|[ ]{{2}}))", 0, starts=first_words(_SIGNS), check=_are_signed),
    pattern("NAME", r"(?<![^\n])[ ]*/(?P<x>[a-z]{2,4})(?=[ ]*(?:\n|$))", 0, shape=r"/[a-z]{2,4}[ ]*(?:\n|$)", signs="/", check=_are_signed),
    pattern("NAME", r"\b(?:by|par|por|von|door|da|durch|av|af|przez)[ ](?P<x>[A-Z]{2,3})(?=[ ]*(?:\n|$|[;|/)]|\.(?:[ \n]|$)))", 0, starts="by par por von door da durch av af przez", check=_are_initials),
    pattern("NAME", r"(?<!\w)(?P<x>[A-Z](?:v|vd|van|v\.d\.)[A-Z]{1,2})(?!\w)", 0, shape=r"[A-Z]v", check=_are_initials),
    pattern("NAME", r"(?:(?<![^\n])|(?<=/ )|(?<=[ ]{2}))(?P<x>[A-Z](?:d|de|da|di|la|Mc|O)[A-Z]{1,2}|[A-Z]{2,3})(?=[ ]?(?:/[ ](?:supervis\w*|for|pour|für|voor|sup\b)|\((?:on[ ]call|covering|cover|nights?|locum|wnd|waarn\w*|garde|Dienst|guardia|reperib\w*|prelim|SpR|reg|resident|AIOS|ANIOS|FY\d|interne)\b))", 0, shape=r"/[ ](?:sup|for|pour|für|voor)|\((?:on|cov|night|locum|wnd|waarn|garde|Dienst|guard|reperib|prelim|SpR|reg|resid|AIOS|ANIOS|FY|intern)", check=_are_initials),
    # somebody's: "Mutter von Kjell", "primo de Encarni"
    pattern("NAME", rf"\b(?i:{_OF_KIN})[ ]{_KIN_LINK}[ ]?(?P<x>{_W}(?:[ ]{_W})?)(?!\w)", 0, starts=first_words(_OF_KIN), check=_is_strange, sure=False),
    # "Checked by: ZI/SR 17.05.", "Verslag gemaakt door FJ, akkoord"
    pattern("NAME", rf"\b(?i:{_MADE})(?::|[ ](?:by|door|von|par|da|por|af|av):?)[ ](?P<x>[A-Z]{{2,4}}(?:[ ]?[/+&][ ]?[A-Z]{{2,4}}){{0,3}})(?=[ ]*(?:[,;)\n|]|\.(?:\s|$)|$|\x01|[ ]{{2}})|[ ]\d)", 0, starts=first_words(_MADE), check=_are_makers, sure=False),
    # speakers of minutes: "Freeman: no ...", "Marsh keen", "- Lake to chase", "Iris was called by"
    pattern("NAME", rf"(?:(?<![^\n])|(?<=[.;] ))[ ]*(?:[-*•–][ ]?|\d{{1,2}}[.)][ ]|\d\d:\d\d[ ])?(?P<x>{_W})(?=:[ ](?![A-Z]{{2}})[\"“']?(?:[a-z]{{2}}|I[ ']))", 0, shape=r":[ ][\"“']?[a-zI]", check=_is_speaker, sure=False),
    pattern("NAME", rf"(?:(?<![^\n])|(?<=[.;:,] )|(?<=- ))[ ]*(?P<x>{_W})(?=[ ](?:keen|happy|concerned|worried|unsure|disagrees?|agrees|to[ ](?:chase|call|ring|email|see|discuss|book|arrange|inform|review|write|contact|consent|speak|follow)|will[ ](?:call|ring|email|see|discuss|book|arrange|inform|review|write|contact|chase|speak|present)|asked|asks|suggests?|suggested|feels|thinks|wonders?|prefers|says|said|off[ ](?:sick|today|until)|on[ ](?:leave|nights|holiday|AL|call[ ])|covering|oncall|back[ ](?:from|on[ ])|rang|phoned|emailed|bleeped|(?:was|is)[ ](?:called|bleeped|rung|paged|phoned|contacted|told|asked|informed|reassured)(?:[ ]by)?)(?!\w))", 0, near="sick leave nights holiday covering oncall back keen happy concerned worried unsure disagree disagrees agrees chase call ring email see discuss book arrange inform review write contact consent speak follow present asked asks suggest suggests suggested feels thinks wonder wonders prefers says said rang phoned emailed bleeped called rung paged contacted told informed reassured", check=_is_speaker, sure=False),
    # a given name that is a word too before a surname that was found: "Precious [name] d.o.b."
    pattern("NAME", rf"(?:(?<![^\n])|(?<=: )|(?<=Dear )|(?<=Re )|(?<=RE ))(?P<x>{_W})(?=[ ]\x01,?[ ]{{0,6}}(?:\n|\x01|\(|(?i:d\.?o\.?b|born|nhs|mrn|chi|nhi|hn|urn?|aged?|geb|n[ée]e?|[MF]\b)))", 0, shape=r"[ ]\x01", check=_heads_entry, sure=False),
    pattern("NAME", rf"(?<![\w-])(?P<x>{_W})(?=[ ]\((?:his|her|pt['’]?s|the)?[ ]?(?:{_KIN})\))", 0, near=first_words(_KIN), check=_is_strange_or_given, sure=False),
    pattern("NAME", rf"\b(?:rang|phoned|called|telephoned|spoke[ ](?:to|with)|saw|met|visited|emailed|texted|asked|told|reviewed|thanks|thank|hi|hello|dear|love)[ ](?P<x>{_W})(?=[ ](?:today|yesterday|at[ ](?:home|work)|by[ ]phone|on[ ](?:the[ ]phone|mon|tue|wed|thu|fri|sat|sun|\x01)|this[ ](?:morning|afternoon|evening)|again|back|herself|himself|directly|and[ ](?:her|his|their))\b)", 0, starts="rang phoned called telephoned spoke saw met visited emailed texted asked told reviewed thanks thank hi hello dear love", check=lambda text, start, end: fold(text[start:end]) not in _NOT_SPEAKERS, sure=False),
    pattern("NAME", rf"\b(?:Prot(?:okoll)?|Verslag|Notulen|Notulist|Secr|Verb(?:ale)?|Acta)\.?:[ ](?P<x>[A-Z]\.[ ]?{_W})", 0, starts="prot protokoll verslag notulen notulist secr verb verbale acta"),
)  # fmt: skip
