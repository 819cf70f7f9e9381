# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Addresses, towns, rooms, and the places of care and work."""

import re

from voxcurate.scrubbing.care import GENERIC
from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.months import TITLED
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_set

_STATES = "A[LKZR]|C[AOT]|D[EC]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY]|Alabama|Arizona|California|Colorado|Connecticut|Florida|Georgia|Illinois|Indiana|Kentucky|Maryland|Massachusetts|Michigan|Minnesota|Missouri|New York|New Jersey|North Carolina|Ohio|Oregon|Pennsylvania|Tennessee|Texas|Virginia|Washington|Wisconsin|BC|AB|ON|QC|NSW|VIC|QLD"
_STREET = one_of("places", "street")
_EURO_STREET = one_of("places", "euro_street")
_APT = r"(?:apt|apartment|suite|ste|unit|flat|app)\.?"
_HOSPITAL = one_of("places", "hospital")
_NO_PLACE = one_of("places", "no_place")
_NO_LINK = r"(?:CNS|RN|MD|RGN|SpR|SHO|The|Outside|Our|This|From|At|In|To|THE|OUTSIDE|AT|FROM|TO|IN|THIS|OUR|ANOTHER)"
_PLACE_WORD = rf"{UPPER}(?:[\w'’&-]|(?:(?<=\b\w\w)|(?<=\b\w{{3}})|(?<=\b\w{{4}}))(?<!II)(?<!IV)\.(?=\s[A-Z][a-z]+['’]?s?\s))*"
_SHORT = one_of("places", "short")
_SHORT_STARTS = first_words(_SHORT)
_NOT_TOWNS = word_set("""
    ml mg hu ct mr us pet xr pa ap ed er am pm mm cm cc iu kg gy hz kv ms gm mri cta mra dr md
    ie ui iu me ke ae va kcal
    icu or no ad bc uh ui ce st nd rd th in on at to by is of
""")

_HOUNSFIELD = frozenset(["he", "eh", "ue", "ua"])


def _is_town(text: str, start: int, end: int) -> bool:
    """Whether what follows the digits is no unit and no ordinary word."""
    word = re.sub(r"^[\d\s-]+", "", text[start:end]).split()[-1]
    return lexicon().foreign_kind(fold(word)) != "w" or fold(word) in lexicon().places


def _is_town_of_state(text: str, start: int, end: int) -> bool:
    town, state = fold(text[start:end]).rsplit(", ", 1)
    if town in lexicon().places:
        return True
    return (
        state not in ("md", "pa", "do", "me", "or", "in", "ma", "ms", "ct", "va")
        and lexicon().foreign_kind(town.split()[-1]) != "w"
    )


def _is_dutch_code(text: str, start: int, end: int) -> bool:
    code = fold(text[start:end])[-2:]
    if code in _HOUNSFIELD and re.match(r"[ ][A-Z]", text[end : end + 2]) is None:
        return False
    return code not in _NOT_TOWNS and not text[start:end].startswith(("19", "20", "18"))


def _is_listed_town(text: str, start: int, end: int) -> bool:
    return fold(text[start:end]) in lexicon().places


def _is_named(text: str, start: int, end: int) -> bool:
    """Whether a hospital in lower case has a name, not only a description ("outside hospital")."""
    words = fold(text[start:end]).split()
    generic = {"hospital", "medical", "center", "centre", "clinic", "general", "university", "county", "city", "regional",
               "community", "childrens", "local", "va", "health", "nursing", "home", "rehab", "hospice", "and", "of", "the"}  # fmt: skip
    saintly = {"mercy", "memorial", "saint", "st", "st.", "mount", "mt", "samaritan", "sinai", "sacred", "holy", "baptist", "methodist",
               "presbyterian", "lutheran", "providence", "trinity", "deaconess", "lakeside", "riverside", "hillcrest"}  # fmt: skip
    names = [w for w in words if w not in generic]
    return any(w in saintly or w in lexicon().places or lexicon().kind(w) in "nb" for w in names)


def _is_ward(text: str, start: int, end: int) -> bool:
    return lexicon().foreign_kind(fold(text[start:end].split()[0])) != "w"


def _is_street(text: str, start: int, end: int) -> bool:
    """Whether the word before a house number is a street's: "Kerkstraat", not "Monitoring 10"."""
    word = re.split(r"\s\d", text[start:end])[0].split()[-1]
    sure = re.search(
        r"(?:stra(?:ß|ss)e|str\.|straat|gasse|allee|gracht|laan|chaussee|gatan|katu)$", word.lower()
    )
    return (
        sure is not None
        or " " in text[start:end].split(word)[0]
        or lexicon().foreign_kind(fold(word)) != "w"
    )


def _is_no_kind(text: str, start: int, end: int) -> bool:
    """Whether a clinic is more than a kind of clinic: "SPECIALIST OUTPATIENT CLINIC" is none."""
    words = fold(text[start:end]).split()
    if words[-1] == "surgery" and words[0] != "the":
        known = lexicon()
        return any(
            known.foreign_kind(one) != "w" or one in known.places or known.is_unlike_reports(one)
            for one in words[:-1]
            if one not in GENERIC
        )
    return words[-1] not in ("clinic", "clinics", "imaging") or not all(
        one in GENERIC for one in words
    )


_UP_WORDS = rf"(?:{UPPER}[\w'’-]*\.?[ ]+)"
PLACES: tuple[Pattern, ...] = (
    pattern("ADDRESS", r"\b(?P<x>p\.?\s?o\.?\s?box\s+\d+|postfach\s+\d+|postbus\s+\d+)", starts="p po postfach postbus"),
    pattern("ADDRESS", rf"(?<![\w./-])(?P<x>\d{{1,6}}[A-Za-z]?,?[ ]+(?!{TITLED}\b)(?:[NSEW]{{1,2}}\.?[ ]+|North\s|South\s|East\s|West\s)?(?:{_UP_WORDS}|\d{{1,3}}(?:st|nd|rd|th)\s+){{1,4}}{_STREET}\b\.?(?:\s+[NSEW]{{1,2}}\b)?(?:,?\s+(?i:{_APT}|floor)\s*#?\w+)?)", 0, digits=1),
    pattern("ADDRESS", r"(?<![\w./-])(?P<x>\d{1,5}\s+(?:[nsew]\.?\s+)?(?!hour|min|sec|week|month|year|day|mg|ml|mm|cm|tab|per|french|unit|x\b)(?:[^\W\d_]{3,}\s+){1,3}(?:street|avenue|road|boulevard|blvd|lane|rd|ave|parkway|crescent)\b\.?(?:,?\s+(?:apt|apartment|suite|ste|unit|flat)\.?\s*#?\w+)?)", near="street avenue road boulevard blvd lane rd ave parkway crescent"),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:(?:{UPPER}[\w'’.-]*\s){{0,3}}{UPPER}[\w'’-]*[\s-]?(?i:{_EURO_STREET})|(?:Im|Am|An der|Auf dem|De|Het)\s{UPPER}[^\W\d_]{{3,}}|{UPPER}[^\W\d_]{{2,}}(?i:{_EURO_STREET}))\s\d{{1,4}}\s?[a-zA-Z]?(?!\w|[.,]\d)(?:\s?[-/]\s?\d{{1,4}}\w?)?(?:,?\s*\n?\s*\s*(?:[A-Z]{{1,2}}-)?\d{{4,5}}\s?(?:[A-Z]{{2}} )?{UPPER}[^\W\d_]+(?:[ -]{UPPER}[^\W\d_]+)?)?)", 0, near="*strasse *straße *str *weg *gasse *allee *platz *ufer *ring *damm *steig *chaussee *straat *laan *plein *gracht *kade *dijk *singel *dreef *dreed *hof *pad *steeg *vej *gade *gatan *vagen *gata *katu im am an auf de het", shape=r"\s\d", check=_is_street),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:\d{{1,4}}\s?(?:bis|ter|[A-Z])?,?\s+)?(?i:rue|avenue|boulevard|place|impasse|chemin|quai|all[ée]e|route|calle|avenida|plaza|paseo|carrer|via|viale|piazza|corso|rua|ulica|ul\.)\s+(?:(?i:de|du|des|de la|de l['’]|d['’]|la|le|del|della|dei|da|do)\s?)*{UPPER}[\w'’-]*(?:[\s-](?:(?:de|du|la|le|del|di)\s)?{UPPER}[\w'’-]*){{0,3}}(?:,?\s\d{{1,4}}\w?)?)(?!\w)", 0, near="rue avenue boulevard place impasse chemin quai allee route calle avenida plaza paseo carrer via viale piazza corso rua ulica ul", check=lambda text, start, end: (any(map(str.isdigit, text[start:end])) and not re.match(r"(?:\d+\w?,?\s+)?(?:via|route)\s", text[start:end])) or text[start:end].startswith(("Via ", "Rue ", "Calle ", "Viale "))),
    pattern("ADDRESS", rf"\b(?P<x>{_APT}\s*#?\s?(?:\d+\w?|[A-Z]\d*))\b(?!\s*(?:mg|ml|/))", starts="apt apartment suite ste unit flat app", check=lambda text, start, end: not text[start:end].lower().startswith("unit") and (any(map(str.isdigit, text[start:end])) or text[start:end].lower().startswith(("apt", "apart", "suite")))),
    pattern("ADDRESS", rf"\b(?P<x>(?:(?:{UPPER}[\w.'’-]+\s){{0,2}}{UPPER}[\w'’-]+,\s*|(?<=, )|(?<=\n)|(?<=\x01 ))(?:{_STATES}),?\s+\d{{5}}(?:-\d{{4}})?)(?!\w|\.\d)", 0, has_digits=5),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:Mount |San |Santa |St\. |New |Fort |Los |Las |El |Saint |Lake |Port |West |East |North |South )?{UPPER}[a-z'’-]{{2,}},\s(?:{_STATES}))(?!\w)", 0, shape=r",\s[A-Z]", check=_is_town_of_state),
    pattern("ADDRESS", r"\b(?:zip|postal|post|plz|postcode)\s*-?(?:code)?\s*[:#]?\s*(?P<x>(?=\w*\d)[\w-]{4,8}(?:\s\d[A-Z]{2})?)", labelled=True, starts="zip zipcode postal post plz postcode postalcode"),
    pattern("ADDRESS", r"(?<![\w-])(?P<x>(?:[A-Z][a-zà-ÿ]{2,}(?:[ -][A-Z][a-z]+)?,?\s)?(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?)\s?\d(?!MM|CM|ML|CC|HU|MG|KG|PM|AM|CT|MR)[ABD-HJLNP-UW-Z]{2})(?!\w)", 0, shape=r"[A-Z][A-Z]?\d[A-Z\d]?\s?\d[A-Z]{2}"),
    pattern("ADDRESS", r"(?<![\w-])(?P<x>[ABCEGHJ-NPRSTVXY]\d[A-Z]\s\d[A-Z]\d)(?!\w)", 0, shape=r"\d[A-Z]\s\d[A-Z]\d"),
    pattern("ADDRESS", rf"(?<![\w.,/-])(?P<x>[1-9]\d{{3}} [A-Z]{{2}}(?: {UPPER}[^\W\d_]+(?:[ -](?:aan\s(?:de[nr]?\s)?)?{UPPER}[^\W\d_]+)?)?)(?!\w)", 0, check=lambda text, start, end: _is_dutch_code(text, start, min(end, start + 7)), digits=4),
    pattern("ADDRESS", rf"(?<![\w.,/])(?:(?<=, )|(?<=[A-Z]-)|(?<=\n)|(?<=in )|(?<=aus )|(?<=à )|(?<=[a-z0-9] )|(?<!.))(?P<x>\d{{5}}\s{UPPER}[a-zà-ÿß]+(?:[ -](?:(?:am|an der|im|bei|sur|sous)\s)?{UPPER}[a-zà-ÿß]+)?)(?!\w)", 0, check=_is_town, digits=5),
    pattern("ADDRESS", r"\b(?:address|lives\s+at|resid\w+\s+at|home\s+is|adresse|anschrift|wohnhaft|woonachtig|adres|domicilio)\s*(?:in|te)?\s*[:=]?\s*(?P<x>\d[^\n;.]{4,60}?)(?=\s*(?:[\n;.]|$|,?\s(?:and|who|with|since|but|where|tel|phone)\b))", labelled=True, starts="address lives residing resides resided residence home adresse anschrift wohnhaft woonachtig adres domicilio"),
    pattern("ADDRESS", rf"(?:\b(?:address|adresse|anschrift|wohnhaft|woonachtig|adres)\b\s*(?:in|te)?\s*[:=]\s*)(?P<x>{UPPER}[^\n;:]{{4,70}})", labelled=True, starts="address adresse anschrift wohnhaft woonachtig adres"),
    pattern("ADDRESS", rf"\b(?i:lives?|living|resid(?:es?|ing)|resident|moved|born|native|originally|from|grew\s+up|travell?ed|visiting|wohnt|wohnhaft|woont|habite|vive|in|near|to)\s(?:(?i:in|to|from|near|of|te|en|à)\s)?(?P<x>(?:New |San |Los |Den |Sankt |St\. |Saint |Bad |Santa )?{UPPER}[^\W\d_]{{2,}}(?:-{UPPER}[^\W\d_]+)?)(?!\w|['’]s)", 0, check=lambda text, start, end: _is_listed_town(text, start, end) or _is_listed_town(text, start + text[start:end].rfind(" ") + 1, end), sure=False, starts="live lives living resides residing reside resident moved born native originally from grew traveled travelled visiting wohnt wohnhaft woont habite vive in near to"),
    pattern("ADDRESS", rf"\b(?i:lives?|living|resid(?:es?|ing)|moved|native|grew\s+up|wohnt|wohnhaft|woont|habite|vive|visiting|travell?ed)\s(?i:in|to|of|from|te|en|à)\s(?P<x>{UPPER}[^\W\d_]{{2,}}(?:[\s-]{UPPER}[^\W\d_]+)?)(?!\w)", 0, starts="live lives living resides residing reside moved native grew wohnt wohnhaft woont habite vive visiting traveled travelled", check=_is_ward),
    # rooms and wards
    pattern("ADDRESS", r"\b(?:room|rm|bed|bay|zimmer|kamer|chambre|habitaci[oó]n)\s*(?:#|no\.?|number|nr\.?)?\s*:?\s*(?P<x>(?=[\w-]*\d)[A-Z]{0,2}-?\d{1,4}[A-Z]?(?:-\w{1,2})?)(?![\w.]\d|\w|\s*(?:mm|cm|days?|hours?))", labelled=True, starts="room rm bed bay zimmer kamer chambre habitacion"),
    pattern("ADDRESS", r"\b(?i:ward|station|afdeling|floor|unit)\s*:?\s*(?P<x>(?:\d{1,2}[A-Z]\d?|[A-Z]\d{1,2}[A-Z]?))(?!\w)(?!\s*[-/]\s*[A-Z]?\d)", 0, starts="ward station afdeling floor unit"),
    pattern("ADDRESS", r"\b(?:Ward|WARD|Station|Zimmer|Afdeling|afdeling|ward)\s*:?\s*(?P<x>\d{1,3}[A-Z]?)(?![\w.]|\s*(?:lymph|node|mm|cm))", 0, starts="ward station zimmer afdeling", check=lambda text, start, end: "tation" not in text[max(0, start - 9) : start] or text[end : end + 2] != " l"),
    pattern("ADDRESS", rf"\b(?:Ward|Afdeling|afdeling|Station|Pavilion)\s(?P<x>{UPPER}[a-zà-ÿ]{{3,}})(?!\w)", 0, starts="ward afdeling station pavilion", check=_is_ward),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>{UPPER}[a-zà-ÿ]{{3,}})\s(?:Ward|Pavilion|Wing)(?!\w)", 0, near="ward pavilion wing", check=_is_ward),
    # places of care and work
    pattern("INSTITUTION", rf"\b(?P<x>(?!{_NO_PLACE}\s){_PLACE_WORD}(?:[ ](?:of|the|and|&|for|de|di|der|am|du)|[ ](?!{_NO_LINK}[ ]){_PLACE_WORD}){{0,4}}[ ]{_HOSPITAL}(?:\s(?:of|at|de|du)\s{UPPER}\w+(?:\s{UPPER}\w+)?|\s(?:Utrecht|{UPPER}[a-z]+burg|Groningen|Leiden|Nord|Süd))?)(?!\w)(?!\s(?:Course|Stay|Day|Admission|Discharge|[Cc]ourse|[Ss]tay))", 0, near="hospital hospitals hosp medical med clinic clinics klinikum klinik kliniken infirmary hospice health healthcare imaging cancer krankenhaus spital university universitatsklinikum universitat universitair medisch hopital ziekenhuis rehab rehabilitation nursing surgery surgical care manor pavilion practice nhs radiology family high elementary college gasthuis streekziekenhuis kantonsspital", check=_is_no_kind),
    pattern("INSTITUTION", rf"\b(?P<x>(?:Universitätsklinikum|Universitätsspital|Klinikum|Krankenhaus|Klinik|H[ôo]pital|Clinique|CHU|Centre Hospitalier|Ziekenhuis|Hospital|Cl[ií]nica|Ospedale|Policlinico)[ ](?:(?:der|am|an der|im|de|du|des|de la|la|le|del|di|St\.|Sankt|Saint|San|Santa)[ ])*{UPPER}[\w'’-]+(?:[ -](?:de[ ]|la[ ]|der[ ]|du[ ])*{UPPER}[\w'’-]+){{0,2}})", 0, starts="universitatsklinikum universitatsspital klinikum krankenhaus klinik hopital clinique chu centre ziekenhuis hospital clinica ospedale policlinico", check=lambda text, start, end: lexicon().foreign_kind(fold(re.split(r"[\s-]", text[start:end])[-1])) != "w" or (" " in text[start:end].strip() and not text[start:end].startswith("Hospital "))),
    pattern("INSTITUTION", r"\b(?P<x>(?:Mount|Mt\.?) Sinai|Johns Hopkins|Mayo|Brigham(?:(?: and| &) Women's)?|Beth Israel(?: Deaconess)?|Cedars[- ]Sinai|Mass(?:achusetts)?\.? General|Charit[ée]|Karolinska|Addenbrooke['’]s|Barts|Erasmus MC|UMC [A-Z]\w+|Radboud\w*|Royal (?:Free|Marsden|Brompton|Infirmary|London|Victoria)|MD Anderson|(?:Memorial )?Sloan[- ]Kettering|Dana[- ]Farber|Cleveland Clinic|Kaiser(?: Permanente)?|Klinikum rechts der Isar|Great Ormond Street|Guy['’]s(?: and St\.? Thomas['’]?)?)(?!\w)(?![ ](?:[Ss]yndrome|[Ss]core|[Ss]tone|[Gg]rad|[Cc]lass|[Ss]tage|[IVX]+\b|[0-4]\b))", 0, starts="mount mt johns mayo brigham beth cedars mass massachusetts charite karolinska addenbrooke barts erasmus umc radboud radboudumc royal md memorial sloan dana cleveland kaiser klinikum great guy"),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:St\.?|Saint|Sankt|ST\.?)\s{UPPER}[a-zà-ÿ]+['’]s?(?:\s(?:and|&)\sSt\.?\s{UPPER}\w+['’]s?)?)(?!\w|\s(?:disease|valve|wort))", 0, starts="st saint sankt", check=lambda text, start, end: not re.search(r"(?:St|ST)\.?\s(?:John|Jude)['’]s?\s(?:wort|valve)", text[start : end + 8])),
    pattern("INSTITUTION", rf"\b(?P<x>University (?:Hospital |Medical Center )?(?:of|Hospital) {UPPER}\w+(?:\s{UPPER}\w+)?)", 0, starts="university"),
    pattern("INSTITUTION", r"\b(?:at|from|to|in|outside|the|of)\s+(?P<x>(?:[a-z.']{2,}\s+){1,3}(?:hospital|medical center|medical centre|clinic|nursing home|rehab|hospice))\b", 0, near="hospital center centre clinic home rehab hospice", check=_is_named),
    pattern("INSTITUTION", rf"(?<![\w-])(?P<x>{_SHORT})(?![\w-])", 0, check=lambda text, start, end: re.search(r"(?:\b(?:at|from|to|in|en|naar|of|im|am|outside|@|the)\s|^\s*|\n\s*)$", text[max(0, start - 10) : start]) is not None and ((end - start > 2 and text[start:end] not in ("AMC", "HUG", "OSH", "VA")) or (text[max(0, start - 3) : start] in ("at ", "he ") and text[start:end] != "VA")), sure=False, starts=_SHORT_STARTS),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:{UPPER}[\w&'’-]+\s){{1,4}}(?:Inc\.?|LLC|Ltd\.?|GmbH|Corp\.?|Corporation|Company|B\.V\.|PLC|S\.A\.))(?!\w)", 0, shape=r"Inc|LLC|Ltd|GmbH|Corp|Comp|B\.V|PLC|S\.A", check=lambda text, start, end: fold(text[start:end].split()[0]) not in ("siemens", "philips", "ge", "canon", "toshiba", "medtronic", "boston", "bayer", "the"), sure=False),
)  # fmt: skip
