# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Numbers and codes of people: record numbers, phones, mail, network addresses, cards, ages."""

import itertools
import re

from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.pattern import Pattern, pattern

_LABEL = one_of("numbers", "label")
_LABEL_STARTS = first_words(_LABEL)
_USER = r"\b(?:user\s?(?:name|id)?|log-?in(?:\s+(?:name|id))?|login|account\s+name|twitter|facebook|instagram|skype|handle|gebruikersnaam|benutzer(?:name)?)(?:\s*[:=]\s*|\s+(?=[\w.-]*[\d_]))(?P<x>@?[\w.\\-]{3,40})"
_PHONE_LABEL = rf"\b{one_of('numbers', 'phone_label')}\b"
_LINE = rf"\b{one_of('numbers', 'line')}(?![^\W\d_])"
_LINE_STARTS = "aircall ruf rufnummer piepser pieper piep funk busca buscapersonas cercapersone lokal lokalnr lokalnummer lok anknytning ankn wew wewnetrzny vnitrni nst nebenstelle nebenst intern inwendig doorkies extension alanumero belso mellek fx faks telefaks poste durchwahl dw sein klapka kl linka anschluss apparat app toestel tst doorkiesnummer interno int anexo ramal dahili ic puh p tlf tfn telf movil celular cel cep gsm pg pgr pager beeper bleep bip dect vocera spectralink ascom ext extn extension tel phone ph fax mobile cell handy telefon telefax telephone whatsapp viber signal hotline switchboard callback call"
_WORDY_NINETY = r"(?:ninety(?:[\s-](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one|a)\s+hundred(?:\s+(?:and\s+)?(?:one|two|three|four|five|six|seven|eight|nine|ten))?)"
_OLD = one_of("numbers", "old")


def _is_ip(text: str, start: int, end: int) -> bool:
    return all(int(part) < 256 for part in text[start:end].split("."))


def _has_digit(text: str, start: int, end: int) -> bool:
    return any(map(str.isdigit, text[start:end]))


def _is_no_temperature(text: str, start: int, end: int) -> bool:
    before = re.search(
        r"(?:\bt|temp\w*|tmax|febrile|fever)\W*(?:of|to|was|is)?\W*$",
        text[max(0, start - 14) : start],
        re.IGNORECASE,
    )
    return before is None


def _is_phone_long(text: str, start: int, end: int) -> bool:
    """Whether a number in groups has 8 to 13 digits and no line ends in it."""
    return 8 <= sum(map(str.isdigit, text[start:end])) <= 13 and "\n" not in text[start:end]


def _is_nhs(text: str, start: int, end: int) -> bool:
    """The check digit of a British NHS number, modulo 11."""
    digits = [int(c) for c in text[start:end] if c.isdigit()]
    rest = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
    return rest % 11 == digits[9]


def _is_code(text: str, start: int, end: int) -> bool:
    """Letters and digits in turn, as in no word, dose or stage."""
    code = text[start:end]
    turns = sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(code))
    digits = sum(map(str.isdigit, code))
    return digits >= 3 and len(code) - digits >= 2 and turns >= 2


def _is_no_age(text: str, start: int, end: int) -> bool:
    """Whether what follows "Case:" is no age ("45-year-old")."""
    return (
        re.match(r"\d{1,3}[ -]?(?:year|yr|y/?o\b|month|day|[fFmM]\b)", text[start : end + 12])
        is None
    )


def _is_extension(text: str, start: int, end: int) -> bool:
    """Whether "x1234" is a line in a house: no size such as "512 x512" stands before it."""
    return re.search(r"\d\s?(?:mm|cm)?\s?$", text[max(0, start - 6) : start]) is None


def _is_no_clock(text: str, start: int, end: int) -> bool:
    """Whether four digits after "called at" are no time of day and no year."""
    return re.fullmatch(r"(?:[01]\d|2[0-3])[0-5]\d|(?:19|20)\d\d", text[start:end]) is None


def _is_line(text: str, start: int, end: int) -> bool:
    """Whether what follows "call" or "ext" is a line: no value before it, no clock after "call"."""
    before = text[max(0, start - 12) : start].split("\n")[-1]
    if re.search(r"\d\s?[\w/.]*\s?$", before.rstrip(":# ")):
        return False
    return re.search(r"\bcall\s$", before, re.I) is None or _is_no_clock(text, start, end)


def _has_domain(text: str, start: int, end: int) -> bool:
    """Whether an address ends in letters: "Omnipaque 350 @ 3.5" is a flow."""
    return text[end - 1].isalpha()


NUMBERS: tuple[Pattern, ...] = (
    pattern("EMAIL", r"(?P<x>[\w.+%'-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:(?:\.|\s?(?:\(dot\)|\[dot\])\s?|\sdot\s)[\w-]+)+)", labelled=True, check=_has_domain, shape=r"@|\([aA][tT]\)|\[[aA][tT]\]"),
    pattern("URL", r"(?P<x>(?:[a-z]{2,6}://|www\.|\\\\[\w.-]+\\)[^\s<>\]\x01]+)", labelled=True, shape=r"://|www\.|\\\\", signs="/wW\\"),
    pattern("URL", r"(?<![\w@.-])(?P<x>(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|info|health|nhs\.uk|co\.uk|ac\.uk|de|nl|fr|ch|at|be|eu|io|ca|example|test|pl|cz|fi|se|dk|es|it|pt|hu|ie|tr|in|ng|vn|cn|hk|jp|au|nz|za|br|mx|ru|us|uk|int|local|lan|intranet|internal|nhs|cloud|app|dev|hospital|care|clinic|doctor|online|site|me|tv|co)(?:[/:][^\s<>\]\x01]*)?)(?![\w@]|\.\w)", labelled=True, near="com org net edu gov info health uk de nl fr ch at be eu io ca example test pl cz fi se dk es it pt hu ie tr in ng vn cn hk jp au nz za br mx ru us int local lan intranet internal nhs cloud app dev hospital care clinic doctor online site me tv co"),
    pattern("IP", r"(?<![\d.])(?P<x>(?:\d{1,3}\.){3}\d{1,3})(?![\d.]\d)", check=_is_ip, digits=4),
    pattern("IP", r"(?<![\w:])(?P<x>(?:[0-9a-f]{1,4}:){4,7}:?[0-9a-f]{1,4}|(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2})(?![\w:])", shape=r"[0-9a-fA-F][:-][0-9a-fA-F]{1,4}[:-]", signs=":-"),
    pattern("ID", r"(?<![\w-])(?P<x>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?![\w-])", shape=r"-[0-9a-fA-F]{4}-"),
    pattern("ID", r"(?<![\d.])(?P<x>[0-2](?:\.\d+){5,})", digits=6),  # DICOM UIDs
    pattern("ID", r"(?<![\d-])(?P<x>\d{3}[- ]\d{2}[- ]\d{4})(?![\d-])", digits=9),  # social security numbers
    pattern("ID", r"(?<![\d-])(?P<x>[x*]{3}[- ][x*]{2}[- ]\d{4})(?![\d-])", shape=r"[x*][- ]\d{4}", signs="*xX"),
    pattern("ID", rf"\b{_LABEL}(?![^\W\d_])\s*(?:is|of|was)?\s*[:#=.]*\s*(?P<x>(?=[\w/.-]*\d[\w/.-]*\d)[A-Z0-9](?:[\w/-]|\.(?=\w)){{2,}}\w(?:[ -]\d{{2,}})*)", labelled=True, starts=_LABEL_STARTS, shape=r"\d", check=_is_no_age),
    pattern("ID", rf"\b{_LABEL}\s*(?:is|was)?\s*[:#=]+\s*(?P<x>\d{{2,}})(?!\w)", labelled=True, starts=_LABEL_STARTS, shape=r"\d", check=_is_no_age),
    pattern("ID", r"\|\s*(?P<x>\d{4,})(?=\s*\|)", labelled=True),  # fields of a header
    pattern("ID", r"\b(?:last\s+(?:4|four)(?:\s+digits)?(?:\s+of\s+\w+)?(?:\s+(?:is|are))?|(?:ends|ending)\s+(?:in|with))\s*[:#]?\s*(?P<x>\d{3,5})(?!\w)", labelled=True, starts="last ends ending"),
    pattern("ID", r"\b(?:licen[sc]e\s+plate|plate(?:\s+(?:no\.?|number))?|vehicle\s+reg(?:istration)?|reg\.?\s?no\.?|registration|kenteken|kennzeichen|immatriculation)\b\s*(?:is)?\s*[:#]?\s*(?P<x>(?-i:(?=[A-Z0-9 -]*\d)[A-Z0-9]{1,4}(?:[ -]?[A-Z0-9]{1,4}){1,3}))(?!\w)", labelled=True, starts="license licence plate vehicle reg registration kenteken kennzeichen immatriculation", check=_has_digit),
    pattern("ID", r"(?<!\w)(?P<x>(?=[A-HJ-NPR-Z]*\d)(?=\d*[A-HJ-NPR-Z])[A-HJ-NPR-Z0-9]{17})(?!\w)", 0, shape=r"[A-Z0-9]{17}"),  # vehicles
    pattern("ID", _USER, labelled=True, starts="user username userid login log account twitter facebook instagram skype handle gebruikersnaam benutzer benutzername"),
    pattern("ID", r"(?<!\w)(?P<x>[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,7}(?:\s?[A-Z0-9]{1,3})?)(?!\w)", 0, shape=r"[A-Z]{2}\d\d"),  # bank accounts
    pattern("ID", r"(?<!\w)(?P<x>[A-CEGHJ-PR-TW-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]|[12]\s\d\d\s\d\d\s\d[\dAB]\s\d{3}\s\d{3}(?:\s\d\d)?|756\.\d{4}\.\d{4}\.\d\d|[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]|\d{3}\.\d{3}\.\d{3}-\d\d)(?!\w)", 0, has_digits=6),
    pattern("ID", r"(?<![\d.,-])(?P<x>\d{3}\s\d{3}\s\d{4})(?![\w-]|\.\d)", check=_is_nhs, digits=10),
    pattern("PHONE", _PHONE_LABEL + r"(?!\s*of\b)(?P<g>[^\d\n+(\x01]{0,20})(?P<x>(?![67]\.\d\d|\d{1,2}/\d{1,2}/\d\d)[+(]?\d(?:[ \t().+/–-]*\d){4,14}(?:\s?(?:x|ext\.?)\s?\d+)?)(?![\d.]*\s*(?:mm|cm|hu)\b)", labelled=True, starts="tel telephone telefon telefoonnummer telefoon phone ph fax telefax pager page beeper bleep ext extension mobile mobil mobiel handy gsm cell cellular contact call called callback reach reached reachable reaching number durchwahl voicemail hotline whatsapp whats", shape=r"\d(?:[\s().+/–-]*\d){4}"),
    pattern("PHONE", _LINE + r"\.?\s?(?:no\.?|nr\.?|number|is|id|holder|phone|number\s+is)?\s*[:#(]*\s*[#*-]?(?P<x>-?\d{3,6}(?:[ -]\d{2,4})*|\d\d(?: \d\d){1,3}|-\d\d?)(?![\w]|[.,]\d|\s?(?:mm|cm|mg|ml|hu|mcg|pg|ng|cells)\b)", labelled=True, starts=_LINE_STARTS, check=_is_line),
    pattern("PHONE", r"(?<![\w.,/+-])(?P<x>(?:\d{3}[-. ])?\d{3}-\d{4}\s?(?:x|ext\.?)\s?\d{2,5})(?!\w)", labelled=True, digits=7),
    pattern("PHONE", r"(?:\x01|\d{4})\s?(?:x|ext\.?|extn\.?)\s?(?P<x>\d{2,5})(?![\w.,/%])", near="x ext extn"),
    pattern("PHONE", r"(?<![\w.,/+-])(?P<x>(?!\d\d/\d\d/\d\d|\d\d-\d\d-\d\d|\d\d\.\d\d\.\d\d)\(?0\d{1,4}\)?(?:[ ./-]{1,2}\d{2,8}){1,5}|1[38]00[ -]\d{3}[ -]\d{3}|\d{3}[ -]\d{2}[ -]\d{2}[ -]\d{2}|\d{2} \d{2} \d{2} \d{2}(?! \d)|9\d{4} \d{5}|1[3-9]\d \d{4} \d{4}|\d{4} \d{3} \d{3}|\(\d{2,3}\)\s?\d{4,5}-\d{4})(?![\w/-]|[.,]\d)", check=_is_phone_long, digits=4),
    pattern("PHONE", r"(?<!\w)p\.?\s?#?(?P<x>\d{4,5})(?![\w.,/%])", 0, shape=r"p\.?\s?#?\d{4}"),
    pattern("PHONE", r"(?<!\w)(?P<x>x\d{3,6}(?:-\d{2,4})?|x\d-\d{4})(?![\w/%]|[.,]\d)", starts="x", labelled=True, check=_is_extension),
    pattern("PHONE", r"(?<!\w)(?P<x>x\s\d{4,5})(?![\w/%]|[.,]\d|\s?(?:mm|cm|mg|ml|hu|days?)\b)", starts="x", check=_is_extension),
    pattern("PHONE", r"(?<![\w.,/+-])(?P<x>\d-(?!19|20)\d{4})(?![\w/%-]|[.,]\d|\s?(?:mm|cm|mg|ml|hu|cells|kcal|iu|units?|days?)\b)", 0, digits=5, sure=False),
    pattern("PHONE", r"\b(?:call(?:ed|ing)?|pag(?:e|ed|ing)|ring|dial|bleep(?:ed)?|beep(?:ed)?|phone|phoned|reach(?:ed|able)?|text|buzz|contact|return\s+call)\s+(?:me\s+|us\s+|back\s+|her\s+|him\s+|them\s+|team\s+)?(?:at\s+|on\s+|@\s?|via\s+|to\s+|#\s?)?(?P<x>(?:\d[- ])?\d{4,5})(?![\w/%:]|[.,]\d|\s?(?:hrs?|h|hours|mm|cm|mg|ml|hu|units?|times)\b)", starts="call called calling page paged paging ring dial bleep bleeped beep beeped phone phoned reach reached reachable text buzz contact return", check=_is_no_clock, labelled=True),
    pattern("PHONE", r"\b(?:pager|beeper|bleep|ext(?:ension)?|durchwahl)\.?\s*(?:id|no\.?|number|is)?\s*[:#(]*\s*#?(?P<x>\d{3,6})(?![\w.]\d|\w)", labelled=True, starts="pager beeper bleep ext extension durchwahl"),
    pattern("PHONE", r"(?<![\w.,/-])(?P<x>(?:\+?\d{1,3}[\s.-])?(?:\(\d{2,5}\)\s?(?:\d{2,4}[\s.-]?\d{3,5}|\d{5,8})|\d{3}[.-]\d{3,4}[\s.-]\d{3,4}|\d{3}\s\d{3}[\s.-]\d{4})(?:\s?(?:x|ext\.?)\s?\d+)?)(?![\w/]|[.-]\d)", digits=7),
    pattern("PHONE", r"(?<!\w)(?P<x>\+\d{1,3}(?:[\s.()/-]*\d){7,12}(?:\s?(?:x|ext\.?)\s?\d+)?)(?!\d)", digits=8),
    pattern("PHONE", r"(?<![\w.,/-])(?P<x>00\d{1,3}(?:[\s.-]\d{2,4}){3,4}(?:\s?x\d+)?|00\d{2}(?:[\s.-]?\d){8,11}|0\d{2,4}[\s-]\d{3,4}[\s-]\d{2,4}(?:[\s-]\d{2,4})?|0\d{1,4}\s?[/-]\s?\d{4,9}(?:-\d{1,4})?|0\d{3,4}\s\d{6}|0\d\s\d{4}\s\d{4}|0[1-9](?:[\s.]\d\d){4}|0\d{2,4}\s\d{2,4}(?:\s\d{2,3}){1,3})(?![\w/]|\.\d)", digits=6),
    pattern("PHONE", r"(?<![\w.,/+-])(?P<x>\d{3}-\d{4}|\d{1,2}-\d{3}-\d{3}-\d{4}|\d{2}\s\d{3}\s\d{3}\s\d{4}|\d{2,3}\s\d{3}\s\d{2}\s\d{2})(?![\w/-]|\.\d)", digits=7),
    pattern("ID", r"(?<![\w.,])(?P<x>\d{7,}|\d{4}(?:[ -]\d{4}){2,3}(?:[ -]\d{1,3})?|\d{4}[ -]\d{6}[ -]\d{4,5})(?![\w]|\.\d)", digits=7),
    pattern("ID", r"(?<![\w-])(?P<x>[A-Z]{1,5}[-_]?\d{6,}|[A-Z]{1,4}\d{2}-\d{4,}|[A-Z]{1,4}[-_]\d{2,4}[-_]\d{3,}|[A-Z]{2,4}-?\d{5})(?![\w])", shape=r"\d{5}|\d[-_]\d{3}", has_digits=5),
    pattern("ID", r"(?<![\w-])(?P<x>(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{8,})(?![\w-])", 0, shape=r"[A-Z0-9]{8}", check=_is_code, sure=False),
    # ages over 89 (a HIPAA identifier)
    pattern("AGE", rf"(?<![\w.])(?<!-)(?P<x>(?:9\d|1[0-2]\d)(?=\s*[-–]?\s*{_OLD}|\s?[/,]?\s?[FMfmWw]\b(?![\s-]*(?:[.:/]\d|series))|\s?(?:male|female|woman|man|lady|gentleman)\b))", labelled=True, check=_is_no_temperature, digits=2),
    pattern("AGE", r"\b(?:age|y\.?o\.?|yrs?|years|alter|leeftijd|[âa]ge|edad|et[àa]|idade)(?:\s?\([^)\n]{1,8}\))?\s?[:=]\s?(?P<x>9\d|1[01]\d)(?!\w|[.,/]\d|\s*(?:%|mm|cm|kg))", starts="age y yo yr yrs years alter leeftijd edad eta idade", labelled=True),
    pattern("AGE", r"\b(?:will\sbe|would\sbe|lived\sto(?:\sbe)?|died\s(?:at|aged)|now\saged)\s(?P<x>9\d|1[01]\d)(?![\w%]|[.,/]\d|\s?(?:mm|cm|degrees|mg|ml|percent|kg|bpm))", starts="will would lived died now", labelled=True),
    pattern("AGE", r"\b(?:age[ds]?|alter|leeftijd)\s*(?:is|of|:|=)?\s*(?P<x>9\d|1[0-2]\d)(?!\w|[.,/]\d|\s*(?:%|mm|cm|kg))", starts="age aged ages alter leeftijd", labelled=True),
    pattern("PHONE", r"\((?P<x>[-–]\s?\d{3,5})\)", shape=r"\([-–]"),
    pattern("AGE", r"\bturn(?:ed|s|ing)\s(?P<x>9\d|1[01]\d)(?![\w%]|[.,]\d|\s?(?:mm|cm|degrees|mg|percent))", starts="turned turns turning", labelled=True),
    pattern("AGE", r"\x01(?:\s\([^)\n]{1,12}\))?,\s(?P<x>9\d|1[01]\d)(?=\s(?:but|and|who|is|still|now|with)\b|,\s)", shape=r"\x01.{0,16},\s[91]", labelled=True),
    pattern("AGE", r"(?<![\w.])(?P<x>(?:9\d|1[01]\d)(?:th|st|nd|rd))(?=\s(?:birthday|year\sof|geburtstag))", digits=2, labelled=True),
    pattern("IP", r"(?<![\w:])(?P<x>(?=[0-9a-f:]*(?:[a-f]|::))(?:[0-9a-f]{1,4}:{1,2}){3,7}[0-9a-f]{1,4})(?![\w:])", shape=r"[0-9a-fA-F]:{1,2}[0-9a-fA-F]{1,4}:{1,2}[0-9a-fA-F]", signs=":"),
    pattern("PHONE", r"\b(?P<x>(?:(?:zero|oh|nought|one|two|three|four|five|six|seven|eight|nine|double|triple|hundred)[\s,-]+){4,14}(?:zero|oh|nought|one|two|three|four|five|six|seven|eight|nine|hundred))\b", starts="zero oh nought one two three four five six seven eight nine double triple", labelled=True),
    pattern("AGE", r"\b(?:she|he|pt|patient|who|now)(?:['’]s|\sis|\swas|\sturn(?:ed|s|ing))\s(?:now\s)?(?P<x>9\d|1[01]\d)(?=\s(?:now|and|but|with|who)\b|[,;]\s|\.(?:\s|$)|$)", starts="she he pt patient who now", labelled=True, check=_is_no_temperature),
    pattern("AGE", r"\b(?:(?:grand|great-?\s?grand|step)?(?:mother|father|parents?)|ma|mom|mum|dad|wife|husband|spouse|partner|aunt|uncle|sister|brother|neighbou?r|friend|pt|patient|resident|widow(?:er)?|lady|woman|man|gentleman),?\s\((?:aged?\s|now\s)?(?P<x>9\d|1[01]\d)\)", near="mother father grandmother grandfather grandparent parent parents stepmother stepfather ma mom mum dad wife husband spouse partner aunt uncle sister brother neighbor neighbour friend pt patient resident widow widower lady woman man gentleman", labelled=True),
    pattern("AGE", r"[(,]\s?(?P<x>9\d|1[01]\d)(?=\s?(?:j|jr|jrs|ans|aa?|a[ñn]os|anni|anos|jaar|jahre|y|yrs?|yo)\.?\s?[),;])", shape=r"[(,]\s?(?:9|1[01])\d\s?[a-z]", labelled=True),
    pattern("AGE", r"\x01['’]?s?,?\s?\((?:aged?\s)?(?P<x>9\d|1[01]\d)(?:\s?[FMfmWw])?\)", shape=r"\x01\W{1,4}(?:aged? )?[91]", labelled=True),
    pattern("AGE", r"\((?:b\.|born|dob|\*|geb\.?|n[ée]e?|°)?[^()\n]{0,24}\x01,\s(?:aged?\s|now\s)?(?P<x>9\d|1[01]\d)\)", shape=r"\x01,\s(?:aged? |now )?[91]", labelled=True),
    pattern("AGE", r"\x01,\s(?P<x>9\d|1[01]\d)(?![\w%°]|[.,/:-]\d|\s?(?:mm|cm|mg|ml|kg|bpm|percent|mmhg|hu|and|to|over)\b)", shape=r"\x01,\s[91]", labelled=True),
    pattern("AGE", r"\x01,\s(?:aged?\s)?(?P<x>9\d|1[01]\d)(?=,\s)", shape=r"\x01,\s(?:aged? )?[91]", labelled=True),
    pattern("AGE", r"(?<![\w.])(?:[FMfmWw]|male|female|man|woman|lady|gentleman|sex)\s?[/,]?\s?(?:of\s|aged\s)?(?P<x>9\d|1[01]\d)(?=\s*(?:[,;)\n](?!\d)|$|y|\.\s|\s[A-Z]|\s(?:with|who|admitted|has|was|is|from|p/w|presents)))", labelled=True, check=_is_no_temperature, near="f m w male female man woman lady gentleman sex"),
    pattern("AGE", r"(?<!\w)(?P<x>0(?:9\d|1[0-2]\d)|9\d|1[0-2]\d)Y(?!\w)", 0, shape=r"\dY"),
    pattern("AGE", r"\b(?:at|turn(?:s|ed|ing)|nearly|almost|over|about|at\s+the\s+age\s+of|age\s+of|(?:his|her|their))\s+(?P<x>9\d|1[01]\d)(?=(?:th|st|nd|rd)\s+birthday|[,;]|\.\s|\s+(?:she|he|who|and\s+(?:lives|independent|still|very)|years?)\b)", starts="at turns turned turning nearly almost over about age his her their", labelled=True, check=_is_no_temperature),
    pattern("AGE", rf"\b(?P<x>{_WORDY_NINETY})(?=[\s-]*(?:year|yr|y/?o))", near="ninety hundred", labelled=True),
    pattern("AGE", rf"\b(?:aged?|turned|is\s+now|(?:she|he|pt|patient|mother|father)(?:\s+is|['’]s))\s+(?P<x>{_WORDY_NINETY})\b(?!\s*(?:percent|%|degrees|mm|cm|mg))", near="ninety hundred", labelled=True),
    pattern("AGE", r"\b(?:in\s+(?:his|her|their)\s+(?:early\s+|mid[\s-]+|late\s+)?)(?P<x>90['’]?s|nineties|100['’]?s)\b", starts="in", labelled=True),
    pattern("AGE", r"(?<![\w.])(?P<x>9\d|1[01]\d)(?=[ -]?(?:j\.|jährig|jaar|ans\b|anni\b|años|anos\b|a\.|éves|letá|letý|lat\b|vuotias|år|g\.\b|urte))", labelled=True, digits=2),
    pattern("AGE", r"\b(?:nonagenarian|centenarian)\b".replace(r"\b(?:", r"\b(?P<x>", 1), starts="nonagenarian centenarian", labelled=True),
)  # fmt: skip
