# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Codes of people, papers and machines: ids of many countries, user names, hosts, plates."""

import re

from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.pattern import Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon

# a code: letters and digits with strokes, two digits or more, at times grouped by spaces
_CODE = r"(?P<x>(?=[^\s,;]*\d[^\s,;]*\d)[^\W_](?:[\w/-]|[.:](?=\w)|(?<=\w)\\(?=\w))*\w(?:\(\w\))?(?:[ ]\d{3,4}(?![\w/.:-]|\s?(?:mm|cm|ml|hu)))*)"
_MARK = one_of("codes", "mark")
# words that a person's number follows, with or without a mark such as "no." between
_STRONG = one_of("codes", "strong")
_STRONG_STARTS = first_words(_STRONG)
_LOOSE = one_of("codes", "loose")
_LOOSE_STARTS = first_words(_LOOSE)
_NO_YEARS = r"(?!(?:19|20)\d\d(?:\b|\s))"
_PASSWORD = rf"\b{one_of('codes', 'password')}\s*(?:is|was|still|remains|now|unchanged|changed\s+to|:|=)?\s*[:=]?\s*(?:still\s+)?[\"'“]?(?P<x>(?!is\b|was\b|still\b|to\b|for\b|reset\b|protected\b|the\b)(?=\S*[\d!@#$%&*_-]|\S*[a-z][A-Z])[^\s\"'”,;]{{3,40}})"
_MEETING = rf"\b(?:{one_of('codes', 'meeting')}\s*(?:-?id|code|no\.?|number|pin|\#)|zoom|webex|teams)\s*(?:is|:|\#)?\s*[:#]?\s*(?P<x>\d{{3,4}}[ -]?\d{{3,4}}(?:[ -]?\d{{2,4}}){{0,2}})(?!\w)"
_HOST = rf"\b{one_of('codes', 'host')}\s*(?:name|id|:|=|no\.?|\#)?\s*[:=#]?\s*(?P<x>(?=[\w.-]*[\d_-])(?=[\w.-]*[A-Za-z])[A-Za-z0-9][\w.-]*[A-Za-z0-9])"
_USER = rf"\b{one_of('codes', 'user')}\s*(?:name|id)?\s*[:=#]?\s*(?P<x>(?!\d)(?=[\w.@\\-]*[\d_\\])[A-Za-z][\w.@\\-]{{2,40}}\w)"
_PLATE = r"\b(?i:car|tag|van|vehicle|taxi|truck|lorry|motorbike|motorcycle|scooter|ambulance|helicopter|aircraft|plane|tail(?=\W{0,2}\s?(?:no|number|\#))|reg(?:istration)?|plates?|kennzeichen|kenteken|immatricul\w*|matr[íi]cula|targa|plaka|rejestracja|rendsz[áa]m|rego|license|licence)\W{0,2}(?:\s?(?:reg(?:istration)?|plates?|number|no\.?|tail|nr\.?|mark|\#|is|was))*\s*[:#(]?\s*(?P<x>(?=[A-Z0-9 -]{0,12}\d)(?=[A-Z0-9 -]{0,12}[A-Z])[A-ZÄÖÜ0-9]{1,4}(?:[ -]?[A-Z0-9]{1,4}){1,3})(?![\w-])"


def _is_password_like(text: str, start: int, end: int) -> bool:
    """Whether a user name is one: no word with a number such as "isovue370" or "series2"."""
    letters = re.match(r"[A-Za-z]+", text[start:end])
    if "\\" in text[start:end] or "_" in text[start:end] or "@" in text[start:end]:
        return True
    if re.fullmatch(r"[A-Z]{2,}\d{2,4}|[A-Z]{5,}\d", text[start:end]):
        return (
            re.search(
                r"\b(?:by|user|login|von|par|door)\W{0,3}$",
                text[max(0, start - 10) : start],
                re.IGNORECASE,
            )
            is not None
        )
    return letters is None or lexicon().kind(fold(letters.group())) != "w"


def _is_no_value_list(text: str, start: int, end: int) -> bool:
    r"""Whether "HOSP\\jroe" is a user rather than values such as "DERIVED\\PRIMARY"."""
    first, second = text[start:end].split("\\")[:2]
    return not (first.isupper() and second.isupper())


def _ends_oddly(text: str, start: int, end: int) -> bool:
    """Whether what follows the line in "n_patel" is no word, and no key of JSON as "exam_dttm"."""
    return (
        re.match(r"[\"']\s?:", text[end : end + 3]) is None
        and lexicon().kind(fold(text[start:end].rsplit("_", 1)[1])) in "nu"
    )


def _is_odd_word(text: str, start: int, end: int) -> bool:
    return lexicon().kind(fold(text[start:end])) == "u"


def _has_four_digits(text: str, start: int, end: int) -> bool:
    """Whether a code of parts has four digits and a letter, or five digits and is no span of years."""
    code = text[start:end]
    digits = sum(map(str.isdigit, code))
    letters = sum(map(str.isalpha, code))
    if re.fullmatch(r"(?:CT|MR|US|XR|NM|PT)-\d{3,}-[A-Z]", code):
        return True
    if re.match(
        r"(?:ICD|CPT|HU|SARS|COVID|ISO|HLA|MIM|OMIM|SHA|CD|IL|DSM|NCT|RFC|EN|IEC|CTDI)[-\s]?\d",
        code,
    ):
        return False
    if re.fullmatch(r"[A-Z]?\d{1,2}(?:[-/][A-Z]?\d{1,2})*", code):
        return False  # levels and stages
    return digits >= 4 and (letters >= 1 or digits >= 5)


def _is_loose(text: str, start: int, end: int) -> bool:
    """Whether what follows "exam", "CT", "scan" is a code: strokes or letters and four digits."""
    code = text[start:end]
    digits = sum(map(str.isdigit, code))
    if re.fullmatch(
        r"(?:19|20)\d\d(?:[-/.]\d{1,2}){0,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[:h.]\d\d(?:[:.]\d\d)?|\d+[.,]\d+",
        code,
    ):
        return False
    if text[max(0, start - 2) : start].strip(" ")[-1:] in (":", "#", "="):
        return digits >= 3
    return (
        digits >= 4
        and not re.fullmatch(r"\d{4}|\d{1,4}-\d{1,4}|\d{1,3}/\d{1,3}|\d{4}[A-Za-z]+", code)
    ) or re.fullmatch(r"\d{2}-0\d{3}|\d{4}-\d{4}|\d\d-\d{4,}", code) is not None


def _is_no_word(text: str, start: int, end: int) -> bool:
    """Whether no part of what follows "Case:" is a word, as in "45-year-old"."""
    return (
        re.search(
            r"(?<![^\W_])[a-z]{3,}(?![^\W_])|^\d{1,4}/\d{1,4}$|^(?:SHA|AES|RSA|MD)-?\d",
            text[start:end],
        )
        is None
    )


def _is_no_year(text: str, start: int, end: int) -> bool:
    return re.fullmatch(r"(?:19|20)\d\d(?:\s?[-–/]\s?(?:(?:19|20)?\d\d))?", text[start:end]) is None


def _is_personal_plate(text: str, start: int, end: int) -> bool:
    return (
        sum(map(str.isdigit, text[start:end])) >= 2 and len(text[start:end].replace(" ", "")) >= 5
    )


CODES: tuple[Pattern, ...] = (
    pattern("ID", rf"\b{_STRONG}(?![^\W\d_])\.?\s{{0,2}}(?:{_MARK}\b\.?|{_MARK}(?=\W))?\s*(?:is|was)?\s*[:#=.]*[ \t]*(?=\S*\d\S*\d\S*\d){_CODE}", labelled=True, starts=_STRONG_STARTS, shape=r"\d", check=_is_no_year),
    pattern("ID", rf"\b{_LOOSE}(?![^\W\d_])\.?\s{{0,3}}(?:{_MARK}\b\.?\s?[:#=]*|[:#=])[ \t]{{0,4}}{_NO_YEARS}(?!\d{{1,2}}[-/.:]\d{{1,2}}(?:[-/.:]\d{{1,4}})?\b)(?=\S*\d\S*\d\S*\d){_CODE}", labelled=True, starts=_LOOSE_STARTS, shape=r"\d", check=_is_no_word),
    pattern("ID", rf"\b{_LOOSE}(?![^\W\d_])\s{{1,2}}{_NO_YEARS}{_CODE}", starts=_LOOSE_STARTS, shape=r"\d", check=_is_loose),
    # "Nr badania: TK/1188/2020", "case history No. 18-3356", "document #3-20", "no 4419"
    pattern("ID", rf"(?<![^\W_])(?:nr|n[°º]|n\.[°º]|no\.(?![ \t]*\n)|№|no(?=:)|numer|num[ée]ro|n[úu]mero|nummer|[čc][íi]slo|number)\.?\s{{0,2}}(?:(?!of\b)[^\W\d_]{{2,}}\.?\s?){{0,2}}[:#]?\s{{0,2}}{_NO_YEARS}(?=\S*\d\S*\d\S*\d\S*\d|\S*\d\S*\d\S*\d)(?!\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d){_CODE}", shape=r"\d", near="nr n no numer numero nummer cislo number", check=_is_no_year),
    pattern("ID", r"(?<![\w#])(?:#|№)\s?(?P<x>\d{3,}(?:[-/]\w+)*)(?![\w%]|\.\d|\s?(?:mm|cm|french|fr|gauge|g\b))", shape=r"[#№]\s?\d{3}"),
    pattern("ID", r"\x01[ ](?P<x>\d{6,10})(?=[ ][LR]\b)", shape=r"\x01[ ]\d{6}", labelled=True),
    # after a name, date or number that is gone: "(8181 / ", ", VIR20-118)", "/ 9917-CT /"
    pattern("ID", r"\x01\s?\((?P<x>(?!(?:19|20)\d\d\b)\d{4,}(?:-\d+)*)(?=\s?[)/,;])", shape=r"\x01\s?\(\d"),
    pattern("ID", r"\x01\s?[,/;|(]\s?(?P<x>(?=[\w-]*\d[\w-]*\d)(?:[A-Z]{1,5}\d*-\d{2,}|\d{2,}-[A-Z]{1,4}\d*|[A-Z]{1,3}\d{2,}-\d{2,}|\d{2}-\d{2}-\d{2}|\d{2,4}-\d{4,})(?:-\w+)*)(?=\s?[)\s,;/|]|$)", 0, shape=r"\x01\s?[,/;|(]\s?[A-Z\d]"),
    # shapes without a label
    pattern("ID", r"(?<![\w.,/-])(?P<x>\d{6}[-+A]\d{3}[\dA-Z])(?![\w/-]|[.,]\d)", 0, digits=6, labelled=True),
    pattern("ID", r"(?<![\w.,/-])(?P<x>\d{3}-\d{2}-\d{2,4}|\d{2}-\d{2}-\d{2}-\d{2,}|\d{6}/\d{3,4}|\d{8}-\d{4}|\d{6}-\d{2}-\d{4}|\d{6}-\d{7}|\d{1,2}\.\d{3}\.\d{3}-[\dkK]|\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}|\d{1,4}[-/]\d{5,9}|20[0-4]\d[-/](?!19|20)\d{4}|\d{2,4}-0\d{3}|0\d{3}-\d{4}|\d{6}\s\d{5}|\d{3}\s\d{3}\s\d{3}(?!\s?\d)|\d{17}[xX]|\d{2}\s?\d{6}\s?[A-Z]\s?\d{3})(?![\w/-]|[.,]\d)", 0, digits=5),
    pattern("ID", r"(?<![\w./-])(?P<x>[A-Z]{1,2}\d{6}\s?\([\dA]\)|[STFGM]\d{7}[A-Z]|\d{8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z]|[A-Z]{5}\d{4}[A-Z]|[A-Z]\d{5,}[A-Z]?|\d{2}D\d{7}|\d[A-Z][A-Z0-9]\d-?[A-Z][A-Z0-9]\d-?[A-Z]{2}\d{2}|[A-Z]{2}\s?\d\s\d{2}\s\d{2,3}\s?\d{5,}|[A-Z]{2,4}\d{6,}\(\w\)|\d{7}[A-W]{1,2})(?![\w/-]|[.,]\d)", 0, has_digits=4, shape=r"\d{4}|\d[A-Z]"),
    pattern("ID", r"(?<![\w./,-])(?P<x>(?=[\w/-]*[A-Z])(?=(?:[A-Za-z/-]*\d){3})[A-Z0-9]{1,9}(?:[-/][A-Za-z0-9]{1,10}){1,4})(?![\w%]|[-/.,]\w)", 0, shape=r"[A-Z0-9][-/][A-Za-z0-9]", check=_has_four_digits),
    pattern("ID", r"(?<!\w)(?P<x>(?:[0-9A-Fa-f]{2}:){3,19}[0-9A-Fa-f]{2})(?![\w:])", 0, shape=r"[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}", signs=":"),
    # user names, workstations, plates, meetings, passwords, places on the globe
    pattern("OTHER", r"(?<![\w\\])(?P<x>[A-Za-z][\w-]{1,15}\\[A-Za-z][\w.-]{1,30})", shape=r"\w\\\w", signs="\\", check=_is_no_value_list),
    pattern("OTHER", r"\x01\s?[/|,]\s?(?P<x>[a-z]{3,}\d{2,4})(?=\s?[/|,\n]|$)", 0, shape=r"\x01\s?[/|,]\s?[a-z]"),
    pattern("OTHER", _USER, labelled=True, starts="closed opened signed cosigned co transcribed dictated reviewed authored finalized finalised authenticated electronically acknowledged resulted performed assigned routed forwarded requested queried completed operator user users usr username userid login logon logged scanned printed entered typed uploaded created modified edited saved verified released checked archived exported validated filed recorded locked approved drukował drukowal wydrukowal tulosti tulostanut gedruckt erstellt erfasst imprime saisi impreso ingevoerd afgedrukt by par von door gebruiker benutzer bearbeiter utilisateur usuario utilizador uzytkownik kayttaja kullanici", check=_is_password_like),
    pattern("OTHER", r"\b(?:user|username|user\s?name|userid|user\s?id|login|logon|logged\s+in\s+as|account|uid|benutzer|gebruiker|utilisateur|usuario)\s*[:=]?\s*(?P<x>[a-z][a-z._-]{3,30})(?![\w@])", starts="user username userid login logon logged account uid benutzer gebruiker utilisateur usuario", check=_is_odd_word, sure=False),
    pattern("OTHER", r"\b(?:by|par|von|door|teams|slack|skype|chat|webex|user)\s?(?::\s*|\()(?P<x>[a-z][a-z._]{4,30})(?=[\s,;)]|$)", starts="by par von door teams slack skype chat webex user", check=_is_odd_word, sure=False),
    pattern("OTHER", r"\b(?i:entered|printed|scanned|verified|created|modified|edited|saved|released|checked|exported|validated|filed|approved|opened|closed|accessed|transcribed)\s(?i:by):?\s(?P<x>[A-Z]{4,9})(?=\s(?:at|on|@|\d)|\s*(?:\n|$|[,;|]))", 0, starts="entered printed scanned verified created modified edited saved released checked exported validated filed approved opened closed accessed transcribed", check=_is_odd_word, sure=False),
    pattern("OTHER", r"(?<![\w/\\.@-])(?P<x>[a-z]{1,10}_[a-z]{4,15})(?!\w)", 0, shape=r"[a-z]_[a-z]", signs="_", check=_ends_oddly, sure=False),
    pattern("OTHER", r"\b(?:slack|twitter|ig|insta(?:gram)?|telegram|teams|handle|tiktok|mastodon|snap(?:chat)?|x)\s?:?\s(?P<x>@\w{3,30})", starts="slack twitter ig insta instagram telegram teams handle tiktok mastodon snap snapchat x", signs="@", labelled=True),
    pattern("ID", r"\b(?:collar|op|ip|opd|ipd|cr|shoulder\sno\.?|key\s?safe|keysafe|alarm|lock\s?box)\s?(?:no\.?|number|code)?\s?[:#]?\s?(?P<x>(?!(?:19|20)\d\d\b)\d{4,8})(?![\w/%]|[.,:]\d|\s?(?:mm|cm|mg|ml|hrs?|h)\b)", starts="collar op ip opd ipd cr shoulder key keysafe alarm lock lockbox", labelled=True),
    pattern("OTHER", _HOST, labelled=True, starts="station stn cart gantry workstation work ws aet ae hostname host station stationname console terminal node server pacs scanner device modality printer machine pc computer kiosk rechner arbeitsplatz poste werkplek stanowisko", shape=r"\d|_|\w-\w", check=lambda text, start, end: (end - start > 3 and any(map(str.isdigit, text[start:end])) and text[start:end].upper() == text[start:end]) or "_" in text[start:end] or re.search(r"-\w*\d", text[start:end]) is not None),
    pattern("OTHER", r"(?<![\w-])(?P<x>[A-Z]{2,8}(?:WS|PC|SRV|PACS|RIS|MOD|CON)[-_]?(?=[A-Z0-9_-]*\d)[A-Z0-9_-]{2,}|[A-Z]{2,12}-(?:PC|WS|SRV|PACS|RIS|PRN|WKS|RAD)-?\w{0,8}\d\w{0,3}|[A-Z]{2,}_[A-Z0-9]*\d[A-Z0-9_]*|[A-Z]{2,}_(?:CT|MR|AE|PACS|WS)\w*)(?![\w-])", 0, shape=r"[A-Z]_|\d"),
    pattern("OTHER", _PLATE, labelled=True, flags=0, starts="tag car van vehicle taxi truck lorry motorbike motorcycle scooter ambulance helicopter aircraft plane tail reg registration plate plates kennzeichen kenteken immatriculation immatriculee matricula targa plaka rejestracja rendszam rego license licence", check=_is_personal_plate),
    pattern("OTHER", r"(?<!\w)(?P<x>[A-Z]{2}\d{2}\s[A-HJ-PR-Y]{3})(?!\w)", 0, shape=r"[A-Z]{2}\d{2}\s[A-Z]{3}", check=lambda text, start, end: lexicon().kind(fold(text[end - 3 : end])) == "u" and lexicon().kind(fold(text[start : start + 2])) == "u"),
    pattern("OTHER", _MEETING, labelled=True, starts="meeting webinar conference zoom teams webex session call case booking confirmation dial dialin"),
    pattern("OTHER", _PASSWORD, labelled=True, starts="password passcode passwort passphrase pw pwd kennwort wachtwoord mot contrasena contraseña senha parola haslo otp access entry door gate key keycode keypad keysafe alarm pin locker lock one"),
    pattern("OTHER", r"(?<![\w.])(?P<x>-?\d{1,2}\.\d{4,},\s?-?\d{1,3}\.\d{4,}|\d{1,2}°\s?\d{1,2}['′]\s?(?:\d{1,2}(?:\.\d+)?[\"″]\s?)?[NS],?\s+\d{1,3}°\s?\d{1,2}['′]\s?(?:\d{1,2}(?:\.\d+)?[\"″]\s?)?[EW])(?!\w)", digits=3, shape=r"\.\d{4}|°"),
    pattern("OTHER", r"(?<![\w.@])(?P<x>@(?=\w*[\d_]|\w{4,}_)[A-Za-z]\w{2,30})(?![\w.])", 0, shape=r"@[A-Za-z]"),
)  # fmt: skip
