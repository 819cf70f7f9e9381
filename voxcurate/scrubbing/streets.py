# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Addresses as many countries write them: street, floor, code, town; and towns by what stands around."""

import re

from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.towns import is_listed
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_set

_W = rf"{UPPER}[\w'’.-]*"
_TOWN = rf"{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*(?:[ -](?:(?:am|an der|ob der|im|in|bei|sur|sous|lès|les|de|la|le|upon|on|under|next|aan|den|de|op|do|da|dos|das|of)[ -])?{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*){{0,2}}"
_CODE = (
    r"(?:[A-Z]{1,3}-)?(?:\d{4}-\d{3}|\d{2}-\d{3}|\d{3} \d{2}|\d{4,6}(?:-\d{3,4})?|\d{4} [A-Z]{2})"
)
_UK = r"(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?\s?\d[ABD-HJLNP-UW-Z]{2})"
_EIRCODE = r"[ACDEFHKNPRTVWXY]\d[\dW]\s?[\dACDEFHKNPRTVWXY]{4}"
_LEVEL = r"(?:,?\s(?:\d+\.?\s?[ºªo°]?\s?(?:Esq|Dto|Dt|Fte|andar|piso|étage|etage|OG|em|floor|Floor)\.?|(?:Apt|Apto|Flat|Unit|Suite|Top|Tür|Wohnung|lok|m|kat|D|Daire|bus|bte|App|esc|int|piso|stairs)\.?\s?[:#]?\s?\w{1,4}|\d+\s?[ºª]\s?[A-Z]?))"
_TAIL = rf"(?:{_LEVEL}?(?:,?[ \n]{{1,2}}(?:{_CODE})\s{_TOWN}|,\s{_TOWN}(?:,?\s(?:{_UK}|{_CODE}|[A-Z]{{2,3}}\s\d{{4,5}}))?|\s(?:à|in|te|a)\s{_TOWN}|,?\s{_UK})?)"
_NEVER_STREETS = word_set("""
    right left upper lower normal no the clear main wide first second third fourth long portal
    central middle common a an one two inner outer open main high
""")
_COUNTIES = "Galway|Cork|Kerry|Clare|Mayo|Dublin|Donegal|Sligo|Leitrim|Louth|Meath|Kildare|Wicklow|Wexford|Waterford|Tipperary|Limerick|Laois|Offaly|Carlow|Kilkenny|Cavan|Monaghan|Longford|Westmeath|Roscommon|Antrim|Armagh|Down|Fermanagh|Tyrone|Derry|Londonderry|Durham"
_NO_HOMES = word_set("""
    assisted nursing group home homes care house houses apartment shelter rehab retirement
    independent skilled senior sheltered supported residential a the her his own alone private
    hospital clinic facility law state general this that good bad mild
""")
_LIVES = one_of("streets", "lives")
_LIVES_STARTS = first_words(_LIVES)


def _is_home(text: str, start: int, end: int) -> bool:
    """Whether what somebody lives in is a town: two capitalised words, or one that is no word."""
    words = [fold(word) for word in re.split(r"[ -]", text[start:end])]
    if words[0] in _NO_HOMES or words[-1] in _NO_HOMES:
        return False
    return len(words) > 1 or words[0] in lexicon().places or lexicon().kind(words[0]) != "w"


def _is_small_home(text: str, start: int, end: int) -> bool:
    """Whether a word in small letters is a town: no word of reports."""
    word = fold(text[start:end])
    return word in lexicon().places or (
        len(word) > 4 and lexicon().kind(word) == "u" and lexicon().likeness(word) > -4.5
    )


def _is_heading_town(text: str, start: int, end: int) -> bool:
    words = [fold(word) for word in re.split(r"[ -]", text[start:end])]
    return is_listed(fold(text[start:end])) or all(lexicon().kind(word) != "w" for word in words)


def _is_no_route(text: str, start: int, end: int) -> bool:
    """Whether "via" begins a street: no "350 via R PICC", no "via L ACF"."""
    found = text[start:end]
    if found.startswith("via ") and re.search(r"[^\W\d_]{4}\.[ ]", found):
        return False  # "via Triwest. Smoking 45 py"
    return not found.startswith("via ") or (
        re.match(r"via [A-Z]{1,5}\b", found) is None
        and re.search(r"\d\s?(?:ml)?,?\s$", text[max(0, start - 6) : start]) is None
    )


def _is_named_street(text: str, start: int, end: int) -> bool:
    words = [fold(word) for word in text[start:end].split()]
    return words[0] not in _NEVER_STREETS


def _is_district(text: str, start: int, end: int) -> bool:
    """Whether a "Dist." or "Village" is followed by a name rather than by a word."""
    words = re.findall(r"[^\W\d_]{3,}", text[start:end])[1:]
    return text[start] == "P" or any(lexicon().kind(fold(word)) != "w" for word in words)


STREETS: tuple[Pattern, ...] = (
    pattern("ADDRESS", rf"(?<![\w./-])(?P<x>\d{{1,4}}\s?(?:bis|ter|[A-Za-z])?,?\s+(?:Bd\.?|Av\.|Pl\.|(?i:rue|avenue|boulevard|place|impasse|chemin|quai|all[ée]e|route|cours|square|sentier|ruelle|faubourg|r[ée]sidence|passage|villa|lotissement))\s+(?:(?:de|du|des|la|le|les|l['’]|d['’]|aux?|à)\s?)*[^\W\d_][\w'’-]*(?:[ -](?:(?:de|du|des|la|le|les)\s)?{UPPER}[\w'’-]*){{0,3}}{_TAIL})(?!\w)", 0, near="rue avenue av boulevard bd place pl impasse chemin quai allee route cours square sentier ruelle faubourg residence passage villa lotissement"),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?i:rua|r\.|jr\.|jir[óo]n|psje\.?|pasaje|carrera|cra\.|av\.|avda\.?|avenida|travessa|largo|praça|praceta|calle|c/(?! ?contr)|plaza|pza\.|paseo|p[ºo]\.?|camino|carrer|ctra\.?|via|viale|v\.le|piazza|p\.zza|corso|vicolo|largo|ulica|ul\.|al\.|aleja|os\.|strada|str\.|jalan|jl\.|ulice|náměstí|nám\.|trg)\s+(?:(?:de|del|della|delle|dei|di|do|da|dos|das|la|las|los|el)\s)*{_W}(?:[ ](?:(?:de|del|do|da|dos|das|di|e|y)\s)?{_W}){{0,3}},?\s(?:n\.?[ºo°]?\s?)?\d{{1,4}}[A-Za-z]?(?:[/-]\d{{1,4}}\w?)?{_TAIL})(?!\w|[.,]\d)", 0, near="jr jiron psje pasaje carrera cra po rua r av avda avenida travessa largo praca praceta calle c plaza pza paseo p camino carrer ctra via viale v piazza corso vicolo ulica ul al aleja os strada str jalan jl ulice namesti nam trg", check=_is_no_route),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_W}\s){{0,3}}(?:{_W}\s(?:Mahallesi|Mah\.?|Mh\.?|Caddesi|Cad\.?|Cd\.?|Bulvar[ıi]|Blv\.?|Sokağ[ıi]|Sokak|Sok\.?|Sk\.?)[, ]+)[^\n;]{{0,70}}?(?:No\s?[:.]?\s?\d+\w?(?:/\d+)?)(?:\s?D(?:aire)?\s?[:.]\s?\d+)?(?:,?\s(?:\d{{5}}\s)?{_TOWN}(?:\s?/\s?{_TOWN})?)?)(?!\w)", 0, near="mahallesi mah mh caddesi cad cd bulvari blv sokagi sokak sok sk"),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_TOWN}\s(?:utca|u\.|út|tér|krt\.|körút|sor|köz)|{UPPER}[^\W\d_]+(?:tie|kuja|polku|vägen|gatan|gata|gate|vej|gade|veien|vei|allé|stien|straße|strasse|str\.|weg|gasse|platz|ring|damm|laan|straat|plein|gracht|kade|dijk|singel|hof|pad))\s\d{{1,4}}\s?[a-zA-Z]?\.?(?:\s[A-Z]\s\d{{1,3}})?(?:/\d+)?{_TAIL})(?!\w|[.,]\d)", 0, near="utca u ut ter krt korut sor koz *tie *kuja *polku *vagen *gatan *gata *gate *vej *gade *veien *vei *alle *stien *strasse *straße *str *weg *gasse *platz *ring *damm *laan *straat *plein *gracht *kade *dijk *singel *hof *pad", check=lambda text, start, end: lexicon().kind(fold(re.split(r"[\s.]", text[start:end])[0])) != "w" or text[start:end].split()[0].endswith(("straße", "straat", "gatan"))),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:Am|An der|An den|Im|In der|Auf der|Auf dem|Zum|Zur|Unter den|Hinter dem|Beim)\s{_W}\s\d{{1,3}}\s?[a-z]?,\s?(?:{_CODE}\s)?{_TOWN})(?!\w)", 0, starts="am an im in auf zum zur unter hinter beim"),
    pattern("ADDRESS", rf"(?<![\w./-])(?P<x>(?:(?:(?:Flat|Apt|Apartment|Unit|Suite|Plot|Block|Blk|House|H\.?\s?No\.?|Door No\.?|D\.?\s?No\.?|No\.?|Room|Rm|Shop|Villa)\.?\s?[:#-]?\s?[\w/-]{{1,8}},?\s(?:{_W},?\s){{0,3}}))?(?:\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,4}})?,?\s)?(?:{_W}\s){{1,3}}(?:Street|Road|Rd|Lane|Avenue|Ave|Close|Crescent|Terrace|Row|Mews|Boulevard|Parkway|Grove|Gardens|Square|Drive|Way|Marg|Nagar|Colony|Layout|Estate|Enclave|Chowk|Bazaar|Vihar|St|Hill|Quay|Parade|Green|Walk|Rise|View|Park|Court),\s(?:{_TOWN},\s){{0,3}}{_TOWN}(?:,?\s(?:[A-Z]{{2,3}}\s)?(?:{_UK}|\d{{3}}\s?\d{{3}}|\d{{4,6}})|\s?[-–]\s?\d{{3}}\s?\d{{3}})?)(?!\w)", 0, near="street road rd lane avenue ave close crescent terrace row mews boulevard parkway grove gardens square drive way marg nagar colony layout estate enclave chowk bazaar vihar st hill quay parade green walk rise view park court", check=_is_named_street),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_W}\s){{1,2}}(?:Street|Road|Lane|Avenue|Close|Crescent|Terrace|Row|Mews|Boulevard|Parkway)(?:,\s{_TOWN})?)(?=\s*(?:[.,;)\n]|$|\s(?:and|with|where|in|near|for|by)))(?!\s(?:Hospital|Clinic|Surgery|Medical|Practice))", 0, near="street road lane avenue close crescent terrace row mews boulevard parkway", check=_is_named_street, sure=False),
    pattern("ADDRESS", r"\b(?:on|at|off|near|from)\s(?P<x>(?!the\s|a\s|this\s|his\s|her\s)(?:\d{1,5}\s)?[a-z]{3,}\s(?:[a-z]{3,}\s)?(?:st|ave|blvd|street|avenue|road|rd|lane|drive|pkwy|parkway|hwy|highway|boulevard|crescent|cres|terrace|pde|turnpike|expressway)\b(?:,\s[a-z]{3,}(?:\s(?:beach|heights|hills?|park|falls|springs|city|village|point|grove|valley|creek|island|bay|harbor|harbour))?(?=\s?[.,;)\n]|$))?)(?!\w|\s(?:depress|elev|chang|seg|tach))", 0, starts="on at off near from", check=_is_named_street),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:{_TOWN},\s)?Co\.?\s(?:{_COUNTIES})|(?:{_TOWN},\s)?County\s(?:{_COUNTIES}))(?!\w)", 0, near="co county"),
    pattern("ADDRESS", rf"(?<![\w-])(?P<x>{_EIRCODE})(?![\w-])", 0, shape=r"[ACDEFHKNPRTVWXY]\d[\dW]\s?[\dA-Z]{4}", check=lambda text, start, end: any(map(str.isdigit, text[end - 4 : end])) and any(map(str.isalpha, text[end - 4 : end])) and re.search(r"[A-Z]\d$|\d[A-Z]|[A-Z]{2}", text[end - 4 : end]) is not None),
    pattern("ADDRESS", rf"(?<![\w.,/-])(?P<x>(?:\d{{2}}-\d{{3}}|\d{{4}}-\d{{3}}|\d{{3}} \d{{2}}|\d{{4}}) {_TOWN})(?=\s*(?:[,;.)\n]|$))(?<!\d)", 0, digits=4, check=lambda text, start, end: re.search(r"(?:,|\n|^)\s*$", text[max(0, start - 3) : start]) is not None and _is_heading_town(text, start + re.match(r"[\d\s-]+", text[start:end]).end(), end)),  # type: ignore[union-attr]
    pattern("ADDRESS", r"\b(?:p\.?\s?o\.?\s?box|postfach|postbus|casilla|apartado(?:\s+de\s+correos)?|apdo\.?|bo[îi]te\s+postale|b\.p\.|caixa\s+postal|private\s+bag|locked\s+bag|gpo\s+box|postboks|box)\s?(?:no\.?)?\s?(?P<x>[A-Z]?\d{2,6})(?!\w|[.,/-]\d)", starts="p po postfach postbus casilla apartado apdo boite b bp caixa private locked gpo postboks", labelled=True),
    pattern("ADDRESS", r"(?<!\w)(?P<x>(?:H\.?\s?No\.?|D\.?\s?No\.?|Door\s?No\.?|Plot(?:\s?No\.?)?|Flat(?:\s?No\.?)?|House(?:\s?No\.?)?|Shop(?:\s?No\.?)?|Qr\.?\s?No\.?)\s?[:#-]?\s?\d[\w/-]*(?:,\s[^,\n;]{3,30}){1,4}?(?:\s?[-–,]?\s?\d{3}\s?\d{3}(?!\d)|(?=\n|;|$)))", starts="h hno d door plot flat house shop qr", labelled=True),
    pattern("ADDRESS", r"\b(?:cubicle|cub|stn|zi|sala|kamer|box|bay|isolette|incubator|crib|cama|lit|bett|letto|łóżko|s[äa]nky|theatre|theater|resus|trolley|stretcher|chair)\.?\s?(?:no\.?|\#)?\s?(?P<x>\d{1,4}[A-GI-Z]?)(?![\w%/]|[.,:]\d|\s?(?:mm|cm|mg|ml|hu|of|x|to|or|and|days?|hours?|weeks?|months?|years?|-)\b|\s?[-–])", starts="cubicle cub stn zi sala kamer box bay isolette incubator crib cama lit bett letto łozko sanky theatre theater resus trolley stretcher chair", sure=False),
    pattern("ADDRESS", r"\b(?:[Rr]oom|ROOM|[Ss]ala|[Zz]immer|[Ss]alle|[Kk]amer|[Ss]tanza)\s?[:#]?\s?(?P<x>[A-Z][A-Za-z]{1,8}[ -]\d{1,4}[A-Z]?)(?!\w|[.,]\d|\s?(?:mm|cm))", 0, starts="room sala zimmer salle kamer stanza"),
    pattern("ADDRESS", rf"(?<!\w)(?P<x>(?:VPO|Vill(?:age)?|Teh(?:sil)?|Tal(?:uka?)?|Dist(?:t|rict)?|P\.?M\.?B|Mandal|Mohalla|Taluk|Tq|Dt)\.?\s?[:-]?\s?(?:{UPPER}[\w'’]+|\d{{2,6}})(?:\s{UPPER}[\w'’]+)?(?:,\s(?:{_W})(?:\s{_W}){{0,2}}){{0,4}})", 0, starts="vpo vill village teh tehsil tal talu taluk taluka dist distt district pmb p mandal mohalla tq dt", check=_is_district),
    pattern("ADDRESS", rf"\b(?i:resides|residing|lives|living|moved\sto|lived)\s(?:at\s|to\s)?(?P<x>(?:Lot\s|Unit\s|Apt\s)?\d{{1,5}}\w?\s{UPPER}[\w'’]+(?:\s{UPPER}[\w'’]+){{0,3}}(?:,?\s(?:#|Apt|Unit|Lot)\.?\s?\w{{1,5}})?(?:,\s{_TOWN})?)", 0, starts="resides residing lives living moved lived", labelled=True),
    pattern("ADDRESS", r"(?<![\w./-])(?P<x>\d{1,2}\s?(?:West|East|North|South)(?:east|west)?)(?![\w'’-]|\s[A-Z])", 0, near="west east north south northeast northwest southeast southwest", sure=False),
    # "address:" and its like in many languages
    pattern("ADDRESS", r"\b(?:home\s+)?(?:address|addr|adresse|anschrift|wohnanschrift|adres|adr|domicilio|direcci[óo]n|morada|endere[çc]o|indirizzo|residenza|osoite|adress|bostadsadress|lakc[íi]m|c[íi]m|bydli[šs]t[ěe]|adresa|ikametg[âa]h|địa\s+chỉ|dia\s+chi|alamat|domicile|zam\.|r/o)\s*[:=]\s*(?P<x>[^\W_][^\n;|]{4,90}?)(?=\s*(?:\n|;|\||$|\.\s|\s{3}|,?\s(?:tel|phone|ph|mob|dob|mrn|gp)\b))", labelled=True, starts="home address addr adresse anschrift wohnanschrift adres adr domicilio direccion morada endereco indirizzo residenza osoite adress bostadsadress lakcim cim bydliste adresa ikametgah địa dia alamat domicile zam r"),
    pattern("ADDRESS", rf"\b(?:wh\.|wohnh\.|wohnhaft(?:\sin)?|residente\s(?:en|na|no|em|in)|demeurant(?:\sau)?|domicili[ée]e?(?:\sau)?|habite(?:\sau)?|zam\.|bytem|lak\.?|resident\sof|lives\sat|residing\sat|resides\sat)\s(?P<x>(?=[^\n;]{{0,60}}\d)[^\n;]{{4,80}}?)(?=\s*(?:\n|;|$|,\s[a-zà-ÿ]{{4,}}\s[a-zà-ÿ]{{2,}}\s|\.\s{UPPER}|\.\n|,\s(?:and|who|with|para|qui|pour|geb|Vers|DOB|tel|Tel)\b|\s(?:and|with|who|since)\s))", 0, labelled=True, starts="wh wohnh wohnhaft residente demeurant domicilie domiciliee habite zam bytem lak r resident lives residing resides"),
    # towns
    pattern("ADDRESS", rf"\b(?i:{_LIVES})\s(?:(?i:in|to|from|near|(?<=ve )of|(?<=nt )of|at|te|en|à|a|na|em|v|w|outside|around|here|there|up|over)\s){{1,2}}(?P<x>(?!The\s){_TOWN})(?:,\s(?P<s>{_TOWN}))?(?!\w|['’]s)", 0, starts=_LIVES_STARTS, check=_is_home, sure=False),
    pattern("ADDRESS", rf"\b(?i:{_LIVES})\s(?:in\s|here\s|back\s|up\s|over\s|down\s)?(?:in|to|from|near)\s(?P<x>[a-z]{{4,}})(?=[\s.,;)]|$)", 0, starts=_LIVES_STARTS, check=_is_small_home, sure=False),
    pattern("ADDRESS", rf"(?<![^\n])(?P<x>(?![A-Z]{{3,}}){_TOWN}),[ ](?:le\s|den\s|den\.\s|am\s|a\s|d\.\s|dnia\s|op\s|li\s|em\s)?(?:\x01|\d{{1,2}}[.\s])", 0, shape=r",\s(?:\w+\.?\s)?(?:\x01|\d)", check=_is_heading_town, sure=False),
    pattern("ADDRESS", rf"\b(?i:own home|home|farm|house|cottage|residence|college|university|school|church|station|airport),?\s(?:in\s)?(?P<x>{UPPER}[a-z]{{2,}}\s(?:Falls|Center|Creek|Springs|Beach|Lake|Hills?|City|Heights|Grove|Valley|Fork|Ridge|Point|Harbor|Harbour|Bay|Junction|Mills|Park|Island|Village))(?!\w)", 0, near="home farm house cottage residence college university school church station airport"),
    pattern("ADDRESS", rf"(?<=\x01, )(?P<x>{_TOWN})(?=[.;]?\n|;|$|\.\s|,\s(?:Vers|tel|Tel|T\.|geb|DOB|GP|vom|Co\.))", 0, shape=r"\x01, [^\W\d_]", check=lambda text, start, end: fold(text[start:end]) in lexicon().places, sure=False),
)  # fmt: skip
