# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Codes of beds, rooms and wards, of vehicles and accounts; lines of a house and odd ids."""

import re

from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.name_words import SHORT_FORMS
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon

_BED = one_of("wards", "bed")
_BEDS = first_words(_BED)
_TO = r"(?i:in|to|from|fr|frm|on|at|via|uit|naar|auf|aus|von|depuis|vers|en|de|a|al|da|dal|op|@)"
_TO_STARTS = "in to from fr frm on at via uit naar auf aus von depuis vers en de a al da dal op"
_AFTER = r"(?![\w%]|[.,:/-]\d|[ ]?(?:mm|cm|ml|mg|g\b|min|hrs?|h\b|days?|weeks?|months?|years?|patients?|x\b|%|Fr\b|ga?\b|units?|kV|mA|Hz))"
_SIDE = r"(?:NORTH|SOUTH|EAST|WEST|North|South|East|West|NE|NW|SE|SW|Nord|Süd|Ost|Noord|Zuid|Oost|Sud|Est|Ouest|Norte|Sur|Este|Oeste|CENTRAL|MAIN|TOWER|Tower)"
_VEHICLE = one_of("wards", "vehicle")
_REGISTERED = r"(?:[A-ZÄÖÜ]{1,3}[ -]?\d{1,2}[ -]?[A-Z]{1,3}[ -]?\d{1,4}|[A-ZÄÖÜ]{1,3}[ -][A-Z]{1,2}[ -]?\d{1,4}|\d{1,3}-[A-Z]{2,3}-\d{1,2}|[A-Z]{1,2}-?\d{2,3}-?[A-Z]{1,2}|\d{4}[ -]?[B-DF-HJ-NP-TV-Z]{3}|[A-Z]{2}[ ]?\d{3}[ ]?[A-Z]{2}|[A-Z]{2,3}[ -]?\d{3,4})"
_ACCOUNT = one_of("wards", "account")
_REGISTRY = one_of("wards", "registry")
_CODED = one_of("wards", "coded")


def _is_no_unit(text: str, start: int, end: int) -> bool:
    """Whether the letters of "PCU 338" are of a ward and not of a scanner, score or series."""
    letters = re.match(r"[A-Za-z]+", text[start:end])
    if letters is None:
        return True
    low = fold(letters.group())
    if "-" not in text[start:end] and low[-1] not in "uw":
        return False  # "HCQ 400"
    care = {"icu", "ccu", "micu", "sicu", "nicu", "picu", "pacu", "tcu", "ed", "er", "pcu", "or"}
    if low in care:
        return True
    return low not in SHORT_FORMS and lexicon().foreign_kind(low) == "u"


def _is_no_level(text: str, start: int, end: int) -> bool:
    """Whether what follows "Loc:" is no vertebra and no stage."""
    return re.fullmatch(r"[CTLSNM]\d{1,2}(?:[-/][CTLS]?\d{1,2})?", text[start:end]) is None


def _is_user(text: str, start: int, end: int) -> bool:
    return lexicon().foreign_kind(fold(text[start:end])) != "w" or not text[start:end].isalpha()


def _is_no_label(text: str, start: int, end: int) -> bool:
    """Whether the letters of "NB 5541" are no label of their own."""
    first = fold(text[start:end].split()[0])
    return first not in ("no", "nr", "id", "of", "is", "ct", "mr", "am", "xr", "us", "nm", "pet")


def _is_of_place(text: str, start: int, end: int) -> bool:
    """Whether "(Charak)" after a ward names it: no word of reports."""
    word = fold(re.findall(r"[^\W\d_]+", text[start:end])[-1])
    known = lexicon()
    return known.foreign_kind(word) != "w" and word not in known.eponyms


WARDS: tuple[Pattern, ...] = (
    # "fr PCU 338-2", "on 6 NORTH 611", "to resus R2", "Bed MW-II/17", "Zimmer 1.204", "lit 12 F"
    pattern("OTHER", rf"\b{_TO}[ ](?P<x>[A-Z]{{2,5}}[ -]?\d{{2,4}}-\d{{1,2}}|[A-Z]{{2,5}}[ ]\d{{3,4}}[A-D]?){_AFTER}", 0, starts=_TO_STARTS, check=_is_no_unit),
    pattern("OTHER", rf"\b{_TO}[ ](?:the[ ])?(?P<x>\d{{1,2}}[ ]?{_SIDE}(?:[ -]\d{{1,4}}(?:-?[A-D])?(?:-\d{{1,2}})?)?|{_SIDE}[ ]\d{{1,4}}[A-D]?(?:-\d{{1,2}})?){_AFTER}", 0, starts=_TO_STARTS, sure=False),
    pattern("OTHER", rf"\b(?i:{_BED})\.?[ ]?(?:[Nn]o\.?|[Nn]r\.?|[Nn]°|\#)?[ ]?:?[ ]?(?P<x>(?=[\w./-]*[\dIVX])[A-Z]{{0,4}}-?(?:[IVX]{{1,4}}|\d{{1,4}})[A-Z]?(?:[./-](?:[IVX]{{1,4}}|\d{{1,4}}|[A-Z])){{1,3}}){_AFTER}", 0, starts=_BEDS, labelled=True),
    pattern("OTHER", rf"\b(?i:{_BED})\.?[ ]?(?:[Nn]o\.?|[Nn]r\.?|[Nn]°|\#)?[ ]?:?[ ]?(?P<x>[A-Z]{{1,2}}\d{{1,4}}|\d{{1,4}}[ ]?[A-Z]?){_AFTER}", 0, starts=_BEDS, sure=False),
    pattern("OTHER", r"(?:(?<=[ ]{2})|(?<=[|\t])|(?<![^\n]))[ ]?(?P<x>(?:ED|ER|ICU|MICU|SICU|NICU|PICU|CCU|HDU|ITU|PACU|AMU|MAU|SAU|OR|OT|IR|\d{1,2}[A-Z]{1,2})-\d{1,3}[A-Z]?)(?=[ ]{2}|[ ]?(?:[|\t\n]|$))", 0, shape=r"[A-Z]-\d", sure=False),
    pattern("OTHER", r"\b(?:EMS|[Vv]ia|[Bb]y|[Cc]rew|[Pp]er)[ :]{1,2}(?P<x>(?:Medic|Rescue|Engine|Ambulance|Ladder|Squad|Truck|Unit|BLS|ALS|Lifeflight|LifeFlight)[ ]\d{1,3})(?![\w/]|[.,]\d)", 0, starts="ems via by crew per"),
    pattern("ADDRESS", r"\b(?:[Oo]n|[Oo]ff|[Aa]long|[Nn]ear)[ ](?:the[ ])?(?P<x>(?:I|US|SR|Hwy|Highway|Route|Rte|Interstate|State[ ]Route|(?<=the )[MA])[ -]?\d{1,3}(?:[ ](?:near|at|by|@)[ ](?:exit|mile|junction|jct|mm)[ ]\d{1,4}|[ ](?:exit|junction|jct)[ ]\d{1,4})?)(?![\w/]|[.,-]\d)", 0, starts="on off along near", sure=False),
    pattern("OTHER", rf"\b(?i:bay|bed|room|pod)[ ]\d{{1,3}}[ ](?P<x>(?:locker|bed|chair|space|trolley)[ ]\d{{1,3}}){_AFTER}", 0, starts="bay bed room pod"),
    pattern("OTHER", rf"\b(?i:bay|pod|box)[ ](?P<x>\d{{1,2}}[ ](?:locker|bed|chair|space|trolley)[ ]\d{{1,3}}){_AFTER}", 0, starts="bay pod box"),
    pattern("OTHER", r"\b(?:\w{3,9}/){0,2}(?i:ward|bed|room|location|loc|cubicle|zimmer|bett|kamer|chambre|lit|cama|letto)(?:/\w{3,9}){0,2}[ ]?:[ ]{0,3}(?P<x>(?=[^\s,;|]*\d)[A-Z\d][^\s,;|]{1,14})(?=[\s,;|]|$)", 0, near="ward bed room location loc cubicle zimmer bett kamer chambre lit cama letto", shape=r":[ ]{0,3}[A-Z\d]", labelled=True, check=_is_no_level),
    pattern("OTHER", r"(?<=/)(?P<x>[A-Z]\d-\d{2,4}[A-Z]?)(?=[ ]*(?:\n|$|[ ]{2}|[|,;]))", 0, shape=r"/[A-Z]\d-\d", labelled=True),
    pattern("INSTITUTION", rf"\b(?P<x>(?:Ward|Unit|Bay|Station|Floor|Block)[ ]\S{{1,5}}[ ]\({UPPER}[a-zà-ÿ]{{3,}}\))", 0, starts="ward unit bay station floor block", check=_is_of_place, sure=False),
    pattern("INSTITUTION", rf"\x01[ ]\((?P<x>{UPPER}[a-zà-ÿ]{{3,}})\)(?=[ ](?:on|since|from|with|under|bed|by)\b)", 0, shape=r"\x01[ ]\(", check=_is_of_place, sure=False),
    # machines with a name of the house's own: "Scanner CT-SEH-1"
    pattern("OTHER", rf"\b(?i:{_CODED})[ ]?:?[ ](?P<x>(?:CT|MR|MRT|XR|US|DX|IRM|TAC|RM|RX|TC|PET|TDM|NM|CR|DR)(?:[-_ ]?[A-Z]{{2,6}}[-_ ]?\d{{1,3}}|\d{{0,2}}(?:[-_][A-Z]{{2,8}}){{1,3}})){_AFTER}", 0, starts=first_words(_CODED), check=lambda text, start, end: re.search(r"[-_]", text[start:end]) is not None),
    pattern("OTHER", r"(?<![\w-])(?P<x>(?:CT|MR|MRI|XR|DX|PET|NM|CR|DR|US)\d{1,2}[-_][A-Z]{2,6}[-_][A-Z0-9]{2,8})(?![\w-])", 0, shape=r"\d[-_][A-Z]{2,6}[-_]"),
    pattern("OTHER", r"\b(?P<x>(?:[Bb]ay|BAY|[Pp]od|POD|[Cc]orridor)[ ][A-H])(?![\w'’]|[ ](?:of|and|to)\b)", 0, starts="bay pod corridor", sure=False),
    # vehicles: Indian, German, Dutch, French, Spanish, Italian, British plates beside a vehicle
    pattern("OTHER", rf"\b(?i:{_VEHICLE})\b[^\n.;]{{0,16}}?[ (:](?P<x>{_REGISTERED})(?![\w-]|[.,]\d)", 0, starts=first_words(_VEHICLE), labelled=True, check=lambda text, start, end: sum(map(str.isdigit, text[start:end])) >= 2 and sum(map(str.isalpha, text[start:end])) >= 1 and fold(text[start:end].split()[0]) not in ("ct", "mr", "am", "pm")),
    pattern("OTHER", r"(?<![\w-])(?P<x>(?:A[NPRS]|B[RH]|C[GH]|D[DLN]|G[AJ]|H[PR]|J[HK]|K[AL]|L[AD]|M[HLNPZ]|NL|O[DR]|P[BY]|RJ|SK|T[NRS]|U[AKP]|WB)[ -]?\d{1,2}[ -]?[A-Z]{1,3}[ -]?\d{4})(?![\w-])", 0, shape=r"[A-Z][ -]?\d{4}"),
    pattern("OTHER", r"(?<![\w-])(?P<x>[A-Z]{2}[ -]?\d{1,2}[ -]?[A-Z]{1,2}[ -]?\d{4}|[A-Z]{2}-\d{3}-[A-Z]{2})(?![\w-])", 0, shape=r"[A-Z]{2}[ -]?\d{1,3}[ -]?[A-Z]", check=_is_no_unit),
    # "mon compte (sblanchet)", "user (mkhan2)"
    pattern("OTHER", rf"\b(?i:{_ACCOUNT})[ ]?[:(][ ]?[\"'“]?(?P<x>[a-z][\w.-]{{3,30}})(?=[\"'”]?[ ]?[),;\n])", 0, starts=first_words(_ACCOUNT), check=_is_user),
    # ids: "lic. NB 5541", "REDCap record 551-23", "(Case 2217 ...", "Medicare 3999 55512 1/2"
    pattern("ID", rf"\b(?i:{_REGISTRY})(?![^\W\d_])\.?[ ]?(?:(?i:no|nr|n°|num|number|is)\.?[ ]?)?[:#]?[ ]?(?P<x>[A-Z]{{1,5}}[ ]?[-/]?(?:\d{{3,10}}(?:[ /-]\d{{1,6}}){{0,3}}|\d{{2}}(?:[ -]\d{{2,5}}){{1,3}})[A-Z]?)(?!\w|[.,]\d)", 0, starts=first_words(_REGISTRY), labelled=True, check=_is_no_label),
    pattern("ID", r"\b(?:HCC|CRN|[Pp]ension(?:er)?(?:[ ]card)?|[Cc]oncession(?:[ ]card)?|[Hh]ealth[ ]care[ ]card)[ ]?(?:(?i:no|number|card)\.?)?[ ]?[:#]?[ ](?P<x>\d{3}[ -]\d{3}[ -]\d{3}[A-Z]?)(?!\w)", 0, starts="hcc crn pension pensioner concession health", labelled=True),
    pattern("ID", r"\b(?i:redcap|edc|e?crf|castor|openclinica|trial|study|registry|randomi[sz]ation|screening|biobank)[ ](?:(?i:record|id|no\.?|number|subject|patient|participant|pt|case|code)[ ]?){1,2}[:#]?[ ]?(?P<x>\d{2,5}-\d{1,5}(?:-\d{1,5})?|[A-Z]{1,4}-?\d{2,6}|\d{3,6})(?![\w%]|[.,]\d)", 0, starts="redcap edc ecrf crf castor openclinica trial study registry randomisation randomization screening biobank", labelled=True),
    pattern("ID", r"\((?i:case|fall|cas|caso|casus|geval|file|folio|dossier|exam|acc|ref|ticket)[ ]?(?:(?i:no|nr|n°)\.?[ ]?)?[:#]?[ ]?(?P<x>(?!(?:19|20)\d\d\b)\d{4,9})(?=[ ]?[A-Z),;/]|[ ](?:complete|final|prelim))", 0, shape=r"\([A-Za-z]{2,8}[ ]?\W{0,4}\d{4}", labelled=True),
    pattern("ID", r"\b(?i:medicare|medicaid|mbs|irn)(?:[ ](?:no\.?|number|card))?[ ]?[:#]?[ ]{0,3}(?P<x>\d{4}[ -]?\d{5}[ -]?\d(?:[ ]?[-/][ ]?\d){0,2})(?!\w)", starts="medicare medicaid mbs irn", labelled=True),
    pattern("ID", r"\x01[ ]?(?P<x>\d{1,2}/\d{1,2})(?=[ ]*(?:\n|$|[ ]{2}))", 0, shape=r"\x01[ ]?\d{1,2}/", check=lambda text, start, end: re.search(r"(?i:medicare|card|ref|irn)\W{0,3}\x01[ ]?$", text[max(0, start - 16) : start]) is not None),
    # lines of a house: "bleeped (1147)", "DECT 7 3318", "| -4471", "T 0599 - 555 010"
    pattern("PHONE", r"\b(?i:bleep(?:ed)?|paged?|beeped|dect|ext|extn|pager|busca|bip|cercapersone|pieper|funk|sein|durchwahl|dw|app|apparat|poste|toestel|interno|int|anexo|ramal)\b\.?[ ]?(?:no\.?|nr\.?|holder)?[ ]?[:(][ ]?(?P<x>-?\d{3,6})(?=\)|[ ]?[,;.\n]|$)", starts="bleep bleeped page paged beeped dect ext extn pager busca bip cercapersone pieper funk sein durchwahl dw app apparat poste toestel interno int anexo ramal", labelled=True),
    pattern("PHONE", r"\b(?i:dect|ext|extn|int(?:ern)?|app(?:arat)?|tel|telefon|durchwahl|dw|poste|toestel|interno|pager|bleep|phone|fax)\b\.?[ ]?[:.]?[ ]?(?P<x>\d{1,2}[ -]\d{3,4})(?![\w/]|[.,]\d|[ -]\d)", starts="dect ext extn int intern app apparat tel telefon durchwahl dw poste toestel interno pager bleep phone fax", labelled=True),
    pattern("PHONE", r"(?:[|,;/][ ]?|[ ]{2}|\x01[ ]|\()(?P<x>[-–][ ]?\d{4})(?=[ ]*(?:\n|$|[|,;)]))", 0, shape=r"[-–][ ]?\d{4}", check=lambda text, start, end: re.search(r"\d[ ]*$", text[max(0, start - 3) : start]) is None),
    pattern("PHONE", r"(?:(?<![^\n|,;(·])|(?<=[ ]{2}))[ ]*(?:[TFMPtfm]|[Tt]el|[Ff]ax|[Mm]ob)[ ]?[:.]?[ ](?P<x>\(?0\d{1,5}\)?[ ]?[-–/][ ]?\d[\d ]{4,12}(?:-\d{1,4})?)(?!\w)", 0, starts="t f m p tel fax mob", labelled=True),
    pattern("PHONE", r"(?<![\w.,/+-])(?P<x>0\d{2,5}[ ]?[/–-][ ]?\d{2,4}(?:[ ]\d{2,4}){1,3}(?:-\d{1,4})?|0\d{2,5}[ ]?/[ ]?\d{2,4}[ ]?[-–][ ]?\d{2,6})(?![\w/]|[.,]\d)", digits=7),
    pattern("PHONE", r"\b(?:unter|auf|on|at|sous|au|al|op|en)[ ](?P<x>[-–]\d{3,5})(?=[ ]?(?:[,;)\n]|\.(?:[ \n]|$)|$))", starts="unter auf on at sous au al op en"),
)  # fmt: skip
