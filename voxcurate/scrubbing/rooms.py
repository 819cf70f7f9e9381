# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Rooms, beds and lockers, businesses and schools, houses and villages, odd numbers of papers."""

import re

from voxcurate.scrubbing.forms import one_of
from voxcurate.scrubbing.name_words import SHORT_FORMS
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon

_W = rf"(?!(?:Signed|Seen|Dr|Mr|Mrs|Ms|Miss|Prof)\b){UPPER}(?:[\w'’&-]|\.(?=\w))*"
_BUSINESS = one_of("rooms", "business")
_BUSINESS_WORDS = (
    "co brewing distillery foundry canning packing meats seafoods fisheries quarry colliery refinery smelter sawmill timber lumber textiles pottery shipyard dockyard coaches buses tannery llc llp l inc ltd limited corp corporation company co coop cooperative partnership kg gmbh ag ek e ohg sa s sl bv b nv n pty bros brothers sons son sohne söhne daughters hijos fils freight logistics trucking haulage transport spa salon nails bakery cafe diner foods farm farms motors builders construction roofing plumbing electric industries manufacturing steel mill mills mine brewery vineyard vineyards "
    "rescue agency learning daycare preschool nursery kindergarten primary secondary elementary middle high polytechnic church parish chapel synagogue mosque cathedral railway railways rail airline airlines airways bank union mutual assurance hotel motel inn services council police constabulary barracks prison correctional institute foundation society library museum garage warehouse market supermarket store stores mall plaza cancer"
)
_UNITS_AFTER = (
    r"(?![\w%]|[.,:/]\d|[ ]?(?:mm|cm|ml|mg|min|hrs?|h\b|days?|weeks?|patients?|to\b|x\b|%|years?))"
)


def _is_business(text: str, start: int, end: int) -> bool:
    """Whether a word before "Freight" or "LLC" is none that reports have."""
    words = re.findall(r"[^\W\d_]{2,}", fold(text[start:end]))
    known = lexicon()
    if words[-1:] == ["kg"] and re.match(r"\s?[0-5]/5", text[end : end + 5]):
        return False  # the strength of a muscle
    if "\n" in text[start:end] or any(
        one in ("contrast", "grade", "risk", "dose") for one in words
    ):
        return False
    company = re.search(
        r"(?:LLC|Inc|Ltd|GmbH|KG|Co|Co-?op|Freight|Partnership)\.?$", text[start:end]
    )
    odd = any(
        (known.foreign_kind(one) != "w" or known.is_unlike_reports(one))
        and one not in known.eponyms
        for one in words[:-1]
    )
    return odd or (company is not None and len(words) > 1)


def _is_odd_user(text: str, start: int, end: int) -> bool:
    letters = re.match(r"[a-z]+", text[start:end])
    low = letters.group() if letters else ""
    return low not in SHORT_FORMS and lexicon().foreign_kind(low) != "w"


def _is_plate(text: str, start: int, end: int) -> bool:
    known = lexicon()
    machine = text[start : start + 2] in ("CT", "MR", "US", "PT", "IM", "SE", "TE", "TR")
    return not machine and known.foreign_kind(fold(text[end - 3 : end])) != "w"


def _is_no_hour(text: str, start: int, end: int) -> bool:
    """Whether four digits after "by ambulance" are no time of day."""
    hour = re.fullmatch(r"(?:[01]\d|2[0-3])[0-5]\d", text[start:end])
    return hour is None or re.search(r"\b(?i:by|via|per)\s\w+\s$", text[:start][-16:]) is None


ROOMS: tuple[Pattern, ...] = (
    pattern("OTHER", r"\b(?:in|to|from|on|bed|room|rm|wd|ward)[ ](?P<x>\d{1,2}[A-Z]{1,2}-\d{1,3})(?![\w-])", 0, starts="in to from on bed room rm wd ward"),
    pattern("OTHER", r"\b(?:Station|Ward)[ ](?P<x>\d{1,2}[B-HK])(?![\w.-])", 0, starts="station ward", labelled=True),
    pattern("OTHER", rf"\b(?:in|[Tt]o|at|is|from|room|bed|pt|W/B:?|now)[ ]+(?P<x>(?:ED|ER|ICU|MICU|SICU|NICU|PICU|CCU|CVICU|HDU|ITU|PACU|IR|OR|OT|Resus|Majors|Minors|Theatre|Hall|Pod|Cubicle|Cube|Bay)[ -]?(?:\d{{1,3}}[A-Z]?|[A-H]\b)){_UNITS_AFTER}", 0, starts="in to at is from room bed pt w now"),
    pattern("OTHER", rf"\b(?:W/B|[Bb]ed|[Ww]ard|[Ll]oc(?:ation)?|[Rr]oom)[ ]?[:.]?[ ]*(?P<x>(?:[A-Z]{{2,5}}-\d{{1,3}}|Hall[ ][A-Z\d]\b)){_UNITS_AFTER}", 0, starts="w bed ward loc location room"),
    pattern("OTHER", rf"\b(?:locker|cubicle|theatre|chair|pod|parking[ ]bay)[ ]?(?:no\.?|number|\#)?[ ]?(?P<x>\d{{1,4}}[A-Z]?){_UNITS_AFTER}", 0, starts="locker cubicle theatre chair pod parking", sure=False),
    pattern("OTHER", rf"\b(?:unit|ambulance|crew|engine|rescue|squad)[ ](?P<x>(?:{UPPER}[a-z]+|[A-Z]{{1,3}})[ ]?\d{{1,4}}){_UNITS_AFTER}", 0, starts="unit ambulance crew engine rescue squad"),
    pattern("OTHER", rf"\b(?:RTW|NAW|KTW|NEF|SVB|SVA|SVAB|VSAV|SMUR|Christoph|Medic)[ ](?P<x>\d{{1,2}}){_UNITS_AFTER}", 0, starts="rtw naw ktw nef svb sva svab vsav smur christoph medic"),
    pattern("OTHER", r"(?<![\w-])(?P<x>W(?:ard)?[ ]?\d{1,3}[A-Z]?[ ,/]{1,2}(?:B|[Bb]ed[ ]?)\d{1,2})(?!\w)", 0, shape=r"\d[A-Z]?[ ,/]{1,2}[Bb]"),
    pattern("OTHER", r"\b(?:RTW|NAW|KTW|NEF)[ ](?P<x>\d{1,3}[/-]\d{1,3}(?:[-/]\d{1,2})?)", 0, starts="rtw naw ktw nef"),
    pattern("OTHER", rf"\b(?:RTW|NAW|KTW|NEF|SVB|SVA|SVAB|VSAV|SMUR|UMH|USVA|[Aa]mbulance|Medic|MEDIC|Rescue|Engine|BLS|ALS|Rega|Christoph)[ ](?P<x>\d{{3,4}}){_UNITS_AFTER}", 0, starts="rtw naw ktw nef svb sva svab vsav smur umh usva ambulance medic rescue engine bls als rega christoph", sure=False, check=_is_no_hour),
    pattern("OTHER", r"\x01[ ](?:[\d:]+[ ])?by[ ](?P<x>[a-z]{4,20}\d{0,4})(?=[ ](?:on|at|from)\b|\s*(?:\n|$|[,;|)]|[-=]{3})|[ ](?:RN|RT|MD)\b)", 0, shape=r"\x01[ ](?:[\d:]+[ ])?by[ ][a-z]", check=_is_odd_user, sure=False),
    pattern("OTHER", r"\bby[ ](?P<x>[a-z]{5,20}\d{0,4})(?=[ ](?:RN|RT|MD|on[ ][A-Z]{3,}-?\w*\d))", 0, starts="by", check=_is_odd_user, sure=False),
    pattern("OTHER", r"\"(?:user_?name|user|login|operator)\"[ ]?:[ ]?\"(?P<x>[^\"\s]{3,40})\"", labelled=True, shape=r"\"(?:user|login|operator)"),
    pattern("OTHER", r"(?:\x01|\*{3})\s{1,3}(?P<x>[a-z]{7,20})(?=\s*\Z)", 0, shape=r"[a-z]{7}\s*\Z", check=_is_odd_user, sure=False),
    pattern("OTHER", r"(?<!\w)(?P<x>[A-HJ-PR-Y]{2}[0-7]\d\s[A-HJ-PR-Z]{3})(?!\w)", 0, shape=r"[A-Z]{2}\d\d\s[A-Z]{3}", check=_is_plate),
    # businesses, schools, houses of God
    pattern("INSTITUTION", rf"(?<![\w-])(?P<x>(?:(?:{_W}|Univ\.)(?:,(?=[ ](?:LLC|LLP|Inc|{_W}[ ](?:and|&)))|,(?=[ ]L))?[ ](?:(?:of|and|&|the|y|und|de)[ ])?){{1,4}}{_BUSINESS}\b\.?(?:[ ](?:Church|School|College|Hub|hub))?)(?![\w-])", 0, near=_BUSINESS_WORDS, check=_is_business, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:Temple|Congregation|Church[ ]of|Iglesia|Masjid|Gurdwara|Univ\.?[ ]of|University[ ]of|Institute[ ]of|Home[ ]at|College[ ]of)(?:[ ]{_W}){{1,4}})(?!\w)", 0, starts="temple congregation church iglesia masjid gurdwara univ university institute home college", check=_is_business, sure=False),
    pattern("INSTITUTION", r"\"(?:company|employer|hospital|facility|institution|clinic|school)\"[ ]?:[ ]?\"(?P<x>[^\"\n]{3,60})\"", labelled=True, shape=r"\"(?:company|employer|hospital|facility|institution|clinic|school)"),
    pattern("INSTITUTION", r"\b(?:Institution(?:al)?(?:Department)?Name|Employer|Company|KLINIK|Praxis|Insurance|Insurer|Payer|School|Kindy|Nursery)\]?(?:\*\*)?[ ]?[:=\]][ ]?(?:\*\*)?[ ]?\"?(?P<x>[A-Z][^\"\n,;|<\[(]{3,60}?)(?=\"|[ ]{2}|[,;|(\n]|$)", 0, starts="institutionaldepartmentname institutionname employer company klinik praxis insurance insurer payer school kindy nursery", labelled=True, check=lambda text, start, end: fold(text[start:end]).strip(". ") not in SHORT_FORMS | {"yes", "none", "unknown", "medicare", "medicaid", "self-pay", "private", "self"}, sure=False),
    pattern("INSTITUTION", rf"\b(?:Station|Ward|Zimmer|Abteilung)[ ](?P<x>{UPPER}[a-zäöüß]{{3,}}[ ]\d{{1,2}}[A-Za-z]?)(?!\w)", 0, starts="station ward abteilung", sure=False),
    # houses, villages, blocks
    pattern("ADDRESS", rf"(?<!\w)(?P<x>Bl(?:oc)?k\.?[ ]\d{{1,4}}[A-Z]?[ ](?:{_W}[ ]){{1,4}}(?:\d{{1,3}}[ ])?#\d{{2}}-\d{{2,4}}(?:,?[ ](?:S\(?|Singapore[ ])?\d{{6}}\)?)?)", 0, starts="blk block", labelled=True),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:V(?:ill(?:age)?|PO)|P\.?[ ]?O|H\.?[ ]?No|At)\b\.?[ ]?[-:/]?[ ]?(?:P\.?O\.?[ ]?)?{_W}(?:,?[ ](?:(?:P\.?[ ]?O|P\.?S|Dist+|Tal(?:uka)?|Teh(?:sil)?|Via|Mandal|Block)\b\.?[ ]?[-:]?[ ]?)?{_W}){{1,6}}(?:[ ]?\([A-Z]{{2}}\))?(?:[ -]+\d{{3}}[ ]?\d{{3}})?)", 0, starts="vill village vpo v p po h at", shape=r"\b(?:Dist+|Tal|Teh|P\.?O|Mandal)\b"),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:The[ ](?:Old[ ]|New[ ])?)(?:Forge|Rectory|Vicarage|Mill|Barn|Smithy|Cottage|Lodge|Bakery|Chapel|Schoolhouse|Stables|Orchard|Willows|Laurels|Beeches|Elms|Oaks|Hollies|Paddocks?|Gables|Coach[ ]House|Post[ ]Office|Granary|Croft|Firs|Limes)(?:,[ ]{_W}(?:[ ]{_W}){{0,2}}){{0,3}})(?!\w)", 0, starts="the", sure=False),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:Hwy|Highway|Route|Rte|County[ ]Rd|US|I)[ -]?\d{{1,3}}[ ](?:&|and|at)[ ]{_W}(?:[ ]{_W})?[ ]?(?:St|Ave|Rd|Blvd|Dr|Ln|Road|Street)?\b\.?(?:,[ ]{_W}(?:[ ]{_W})?)?)", 0, starts="hwy highway route rte county us i"),
    pattern("ADDRESS", r"\"(?:address|street|city|town|addr)\"[ ]?:[ ]?\"(?P<x>[^\"\n]{3,80})\"", labelled=True, shape=r"\"(?:address|street|city|town|addr)"),
    pattern("ADDRESS", rf"\b(?:Place|Native[ ]place|Town|City|Ort|Wohnort|Lieu|Ville|Address|Addr|Residence)[ ]{{0,6}}[:=][ ]?(?P<x>{_W}(?:[ ]{_W})?)(?=[ ]*(?:\n|$|,|;|\||[ ]{{2}}))", 0, starts="place native town city ort wohnort lieu ville address addr residence", labelled=True, check=lambda text, start, end: lexicon().foreign_kind(fold(text[start:end]).split()[0]) != "w"),
    pattern("ADDRESS", rf"\b(?:on|in|along|near|off|at)[ ](?P<x>{_W}(?:[ ]{_W})?[ ](?:Road|Lane|Avenue|Drive|Close|Crescent|Terrace|Way|Boulevard))(?=[ ]?[.,;)\n]|[ ](?:on|when|at|in|and|near)\b)", 0, starts="on in along near off at", check=lambda text, start, end: "\n" not in text[start:end]),
    pattern("PHONE", r"\b(?:DA|Dw|DW|KL|Kl\.)[ ]?:?[ ]?(?P<x>\d{3,5})(?![\w.,/%]|[ ]?(?:mm|ml|mg|cm))", 0, starts="da dw kl", labelled=True),
    pattern("PHONE", r"\b(?:gefaxt|fax|telefax|tel|telefon|telefonisch|gef\.|mobil|handy)\W{0,3}(?P<x>0\d{2,4}[ ]?/[ ]?\d[\d ]{4,10}\d)(?!\w)", starts="gefaxt fax telefax tel telefon telefonisch gef mobil handy", labelled=True),
    # numbers of papers
    pattern("ID", r"(?<![\w-])(?P<x>\d{4}[ -]\d{3}[ -]\d{3}[ -]?[A-Z]{2})(?!\w)", 0, digits=10),
    pattern("ID", r"\b(?:card|account|acct|phone|mobile|number|no\.?|chip|visa|mastercard|ssn|iban)?[ ]?\(?(?:ending|ends|last[ ](?:four|4)(?:[ ]digits)?)[ ](?:in[ ]|with[ ])?(?P<x>\d{3,4})(?![\w/]|[.,:]\d)", starts="card account acct phone mobile number no chip visa mastercard ssn iban ending ends last", labelled=True),
    pattern("ID", r"\b(?:badge|belt|warrant|collar|shield|taxi|call[ ]?sign)[ ]?(?:no\.?|number|\#)?[ ]?[:#]?[ ]?(?P<x>(?:[A-Z]{1,3}[ ]?)?\d{3,7})(?![\w/]|[.,:]\d)", starts="badge belt warrant collar shield taxi call callsign", labelled=True),
    pattern("ID", r"\b(?:police|incident|event|cad|crime|dispatch|fire|visitor)[ ](?:log|ref|no\.?|number|report|\#)[ ]?[:#]?[ ]?(?P<x>\d{3,8})(?![\w/]|[.,:]\d)", starts="police incident event cad crime dispatch fire visitor", labelled=True),
    pattern("ID", r"\b(?:tx|rx|inv|po|wo|req|conf|enc|run|trip|tag|kit|tray|lot|box|bag)[ ]?#[ ]?(?P<x>\d{3,10}(?:-\d+)*)(?!\w)", starts="tx rx inv po wo req conf enc run trip tag kit tray lot box bag", labelled=True),
    pattern("ID", r"\b(?:case|ref|complaint|claim|inquest|datix|file|minute)[ ](?:no\.?[ ])?(?P<x>\d{2}/\d{3,5}(?:/\d+)?)(?!\w)", starts="case ref complaint claim inquest datix file minute", labelled=True),
    pattern("ID", r"\b(?:s/?n|serial)(?:[ ]?(?:no\.?|number|\#))?[ ]?[:#.]?[ ]{0,2}(?P<x>\d{5,10}[ ]\d{3,4})(?![\w.])", starts="s sn serial", labelled=True),
    pattern("ID", r"\b(?:insurance|ins|policy|member|subscriber|group|advantage|plan|payer)[^\n]{0,30}?[,:][ ](?P<x>[A-Z]{2,4}[ ]\d{3}-\d{2}-\d{4})(?!\w)", starts="insurance ins policy member subscriber group advantage plan payer", labelled=True),
)  # fmt: skip
