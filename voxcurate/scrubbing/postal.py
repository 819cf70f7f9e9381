# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Postal addresses from their postcode or street backwards and forwards, whatever their parts are.

A postcode beside a town is an anchor that few other things look like; the parts before it, up to
a house number or a box, are the rest of the address whatever a street is called there. A house
number before capitalised words that end as streets do is the other anchor.
"""

import re
from collections.abc import Iterator

from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.months import MONTH_WORDS
from voxcurate.scrubbing.pattern import HOLE, UPPER
from voxcurate.scrubbing.towns import STATE_NAMES
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_set

_STATES = r"(?:A[LKZR]|C[AOT]|D[EC]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TAI]|W[AVIY]|PR|GU)"
_UK = r"(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?\s?\d(?!MM|CM|ML|CC|HU|MG|KG|PM|AM)[ABD-HJLNP-UW-Z]{2})"
_CAP = rf"(?:St\.|Ste\.|Sankt|{UPPER}[^\W\d_]+(?:['’-][^\W\d_]+)*)"
_TOWN = rf"(?:{_CAP}(?:[ -](?:(?:am|an der|ob der|im|in|bei|sur|sous|lès|les|de|la|le|upon|on|under|next|aan|den|op|do|da|dos|das|of|del)[ -])?{_CAP}){{0,3}})"
_DAY_WORD = re.compile(
    rf"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|rajab|day)\b|\b(?:{'|'.join(sorted(MONTH_WORDS, key=len, reverse=True))})\b"
)
# codes that stand before or after a town; the town is taken in
_ANCHORS: tuple[re.Pattern[str], ...] = (
    re.compile(rf"(?<!\w)(?:{_STATES}\.?|{STATE_NAMES}),?\s+\d{{5}}(?:-\d{{4}})?(?![\w%]|[.,]\d)"),
    re.compile(r"(?<!\w)(?:NSW|VIC|Vic|QLD|Qld|SA|WA|TAS|Tas|ACT|NT)\.?,?\s+\d{4}(?![\w%]|[.,]\d)"),
    re.compile(r"(?<!\w)(?:(?:ON|QC|BC|AB|MB|SK|NS|NB|NL|PE|YT|NT|NU)\.?,?\s+[ABCEGHJ-NPRSTVXY]\d[A-Z]\s?|[ABCEGHJ-NPRSTVXY]\d[A-Z][ ])\d[A-Z]\d(?!\w)"),
    re.compile(r"(?<![\w-])[ACDEFHKNPRTVWXY]\d[\dW][ ](?=[A-Z\d]*\d)(?=\d*[A-Z])[\dACDEFHKNPRTVWXY]{4}(?!\w)"),
    re.compile(rf"(?<![\w-])(?!CT\d{{3}}){_UK}(?!\w)"),
    re.compile(rf"(?<![\w.,/-])(?:[A-Z]{{1,3}}-)?(?:\d{{5}}|\d{{4}}|\d{{2}}-\d{{3}}|\d{{4}}-\d{{3}}|\d{{3}}[ ]\d{{2}}|\d{{4}}[ ]?[A-Z]{{2}})[ ](?!(?i:hours?|hrs?|h|uhr|uur|ie|iu|ui|me|ke|e)\b){_TOWN}(?!\w)"),
    re.compile(rf"(?<!\w)(?:{UPPER}{{2}},?[ ])?\d{{5}}-\d{{3}}(?![\w%]|[.,-]\d)"),
    re.compile(rf"(?<=[ \n])(?!(?:Fax|Tel|Phone|Ph|Mob|Box|Bleep|Ext)\b){_TOWN}(?:[ ]?[-–,][ ]?|[ ])(?:\d{{3}}[ ]?\d{{3}}|\d{{5}}-\d{{3}}|\d{{3}}-\d{{4}}|(?!(?:19|20)\d\d)\d{{4}})(?![\w%]|[.,/-]\d|\s(?i:mm|cm|ml|mg|hu|hours|hrs|h|ie|iu|ui|units?|kcal)\b)"),
)  # fmt: skip
_CODE = re.compile(r"\d{3}|\d[A-Z ][ \d][A-Z\d]")  # every postcode holds one
_LOOSE = frozenset({5, 6, 7})  # anchors that count only after a house number
_TYPES = word_set("""
    street st road rd avenue ave av boulevard blvd bvd lane ln drive dr court ct place pl terrace
    tce terr ter crescent cres cr close cl way highway hwy parkway pkwy pwy parade pde circle cir
    circuit cct trail trl square sq row walk mews grove gr gve gardens gdns green hill rise view
    park quay wharf alley aly bypass turnpike tpke route rte loop run path pike point pt ridge vale
    villas wynd brae gate esplanade esp plaza broadway causeway chase cove cv crossing xing bend
    heights hts hollow landing manor meadow meadows orchard pass ranch reach shore shores spring
    springs spur trace valley viaduct vista croft field fields ford garth glade glen green grange
    haven heath holm lawn lawns lea ley links mall mead mount nook oaks paddock pines promenade
    sands side slope strand end bank banks brow dene downs common copse corner cottages dale
    marg nagar colony layout enclave chowk bazaar vihar salai cross main sector phase extension
    street, road, avenue, lane, drive, crs bnd plz tr wy freeway fwy expressway expy interstate
    motorway junction jct estate
""")  # fmt: skip
_CLINICAL_TYPES = word_set("""
    st ct pt dr pl gr cr ter side end bank mount bend corner point path pass loop run field fields
    view row main cross sector phase extension common valley ridge ford shore spring main slope
    plaza hill bypass junction trace spur gate
""")  # fmt: skip
_HOUSE = re.compile(
    rf"(?<![\w./,-])"
    rf"\d{{1,5}}[A-Za-z]?(?:\s?[-/]\s?\d{{1,5}}[A-Za-z]?)?,?[ ](?:[NSEW]{{1,2}}\.?[ ]|(?:North|South|East|West)\s)?(?P<words>(?:(?:{UPPER}[\w'’-]*|(?:St|Mt|Ft|Dr|[NSEWA-Z])\.|\d{{1,3}}(?:st|nd|rd|th)|de|del|la|the|of|and|&)[ ]){{1,4}})(?P<type>{UPPER}[\w]*)\.?(?!\w)"
)
_POST = rf"(?:{_UK}|\d{{3}}[ ]?\d{{3}}|\d{{4,6}}(?:-\d{{4}})?)(?![\w%]|[.,]\d)"
_STATE = rf"(?:{_STATES}|{STATE_NAMES}|[A-Z]{{2,3}})"
_TAIL = re.compile(
    rf"(?:[ ](?:NE|NW|SE|SW|N|S|E|W|North|South|East|West)\b\.?)?(?:,?[ ](?i:apt|apartment|unit|suite|ste|flat|floor|fl|lot|rm|villa|shop|office|level|building|bldg|block|#)\.?[ ]?#?\w{{1,5}})?"
    rf"(?:(?:,[ ]?|,?\n|[ ]){_TOWN}(?:,[ ]{_TOWN})?,?[ ](?:{_STATE}\b\.?,?[ ])?{_POST}|,?[ ](?:{_STATE}\b\.?,?[ ])?{_POST}|,[ ]{_TOWN}(?:,[ ]{_TOWN})?(?:,?[ ]{_STATES}\b)?)?"
)
_PART_WORD = re.compile(
    rf"(?:{UPPER}[\w'’.-]*|\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,5}}[A-Za-z]?)?|\d{{1,3}}(?:st|nd|rd|th)|#\d+\w?|\d{{1,3}}(?:-\d{{1,3}}){{1,3}}|\d{{1,4}}/\w{{1,4}}|\d{{1,2}}[ºª°]|(?:ul|al|os|pl|av|rue|via|viale|calle|c/|str|m|lok|kl|et|apto?|app|bl|tv|th|mf|st|sal|int|esc|bte|bus|tér|utca|u)|all[ée]e|avenue|boulevard|place|impasse|chemin|quai|route|cours|square|[A-Za-z]?\d{{1,4}}|de|del|della|di|du|des|der|den|dem|la|le|les|los|las|el|the|of|on|upon|am|an|im|in|bei|do|da|dos|das|e|y|and|&|av|van|von|bis|ter|aan|op|n[.º°]?)"
)
_STARTS = re.compile(
    r"\b(?:(?:p\.?\s?o\.?\s?)?box\s\d|p\.?o\.?b\.?\s\d|(?-i:BP|B\.P\.)\s\d|(?:rural\s)?r(?:ou)?te\s\d|rr\s?#?\d|flat\s\w|apt\.?\s\w|unit\s\w|suite\s\w|plot\s\w|block\s\w|door\s?no|h\.?\s?no|no\.?\s?\d|c/o\s|postfach|postbus|boîte|casilla|apartado|lot\s\d)|(?<![\w.,/-])\d{1,5}[A-Za-z]?(?:[-/]\d{1,5}[A-Za-z]?){0,3}(?=,?\s+\S*[^\W\d_])",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?i:flat|apt|apto|apartment|unit|suite|ste|plot|block|blk|house|door|room|level|floor|lot|villa|shop|c/o|h\.?\s?no|no\.?)\b"
)
# a house number or flat before names, a comma and a town, with no postcode and no kind of street
_BARE = re.compile(
    rf"(?<![\w./,-])(?:(?:Apt|Flat|Unit|Apartment|Villa|House|Cottage)\.?\s\w{{1,4}},?\s(?P<words>(?:{_CAP}\s){{0,2}}{_CAP})|[1-9]\d{{0,3}}[A-Za-z]?,?[ ](?P<street>(?:{_CAP}\s){{0,2}}{_CAP})),\s{_TOWN}(?=\s*(?:[.,;)\n]|$))"
)
_PROVINCE = re.compile(r" ?\([A-Z]{2}\)|,? [A-Z]{2}(?=[\s.,;]*(?:\n|$))")
_CORNER = re.compile(
    rf"\b(?i:corner\sof|intersection\sof|junction\sof|at|on|near)\s(?P<x>(?:{UPPER}[\w'’]+|\d{{1,3}}(?:st|nd|rd|th))\s(?i:and|&|at)\s(?:{UPPER}[\w'’]+|\d{{1,3}}(?:st|nd|rd|th))(?:\s(?:St|Ave|Rd|Streets?|Avenues?|Roads?|Blvd)\b\.?)?)(?<=[a-z\d.])(?=[\s,.;)]|$)"
    rf"|\b(?P<y>(?i:mile\s(?:marker|post))\s\d{{1,4}}(?:\son\s(?:I|US|SR|Hwy|Route)[ -]?\d{{1,3}})?|(?:Calle|Carrera|Cra|Cl|Kr|Diagonal|Transversal)\.?\s\d{{1,3}}\w?\s?(?:#|No\.?)\s?\d{{1,3}}\w?\s?-\s?\d{{1,3}}(?:,\s{_TOWN})?|\d{{2,5}}\sblock\sof\s(?:[NSEW]\.?\s)?{UPPER}[\w'’]+(?:\s{UPPER}[\w'’]+)?)"
)
_GAP = re.compile(r"[ ]{2}|\t")
_NUMBER_ALONE = re.compile(
    r"\s*(?:n[.º°o]{0,2}\s?|no:?\s?)?\d{1,5}[A-Za-z]?(?:[-/]\d{1,4})?\s*", re.IGNORECASE
)
_HOUSE_NAME = re.compile(
    r"\b(?:House|Cottage|Rectory|Lodge|Farm|Barn|Court|Hall|Villa|Manor|Mill|Vicarage|Grange|Bungalow|Croft|Haus|Hof|Mansions?|Towers?|Apartments|Residence|Résidence|Building|Bldg|Chambers|Palace|Heights)\b"
)
_UNIT_BEFORE = re.compile(rf"{_UNIT.pattern}\.?[ ]?[:#]?[ ]?[\w/-]{{1,6}},?[ ]$")
_EURO_STREET = re.compile(
    rf"(?<!\w){UPPER}[\w'’.-]{{2,}}(?:[ ](?:(?:de|del|della|di|du|des|der|den|la|le|les|do|da|dos|das)[ ])*{UPPER}[\w'’.-]*){{0,3}}\s(?:n[.º°o]{{0,2}}\s?)?\d{{1,4}}\s?[a-zA-Z]?(?:[-–/]\d{{0,4}}\w?)?(?:\s(?:m|lok|kl|bl|apto?)\.?\s?\d+)?$"
)


def find_postal(text: str) -> Iterator[Hit]:
    """Addresses about their postcodes and about their house numbers and kinds of street."""
    for number, anchor in enumerate(_ANCHORS if _CODE.search(text) else ()):
        loose = number in _LOOSE
        for match in anchor.finditer(text):
            before = text[max(0, match.start() - 2) : match.start()]
            if loose and (before == ". " or _DAY_WORD.search(fold(match.group()))):
                continue
            head = _head(text, match.start(), strict=loose)
            if head is not None or not loose:
                begin = _town_before(text, match.start()) if head is None else head
                province = _PROVINCE.match(text, match.end())
                yield Hit("ADDRESS", begin, province.end() if province else match.end())
    for match in _BARE.finditer(text):
        words = re.findall(r"[^\W\d_]{3,}", fold(match["street"] or ""))
        street = match["street"] or ""
        if match["words"] or (words and not street.isupper() and not any(map(_is_word, words))):
            yield Hit("ADDRESS", *match.span(), False)
    for match in _CORNER.finditer(text):
        place = "x" if match["x"] else "y"
        if place == "y" or _is_corner(match):
            yield Hit("ADDRESS", *match.span(place))
    for match in _HOUSE.finditer(text):
        kind = fold(match["type"])
        if kind not in _TYPES or HOLE in match.group():
            continue
        words = [fold(word.strip(".,")) for word in match["words"].split()]
        tail = _TAIL.match(text, match.end())
        end = tail.end() if tail else match.end()
        if not any(len(word) > 2 for word in words):
            continue
        if kind in _CLINICAL_TYPES and end == match.end() and all(_is_word(w) for w in words):
            continue
        unit = _UNIT_BEFORE.search(text, max(0, match.start() - 24), match.start())
        yield Hit("ADDRESS", unit.start() if unit else match.start(), end)


def _is_corner(match: re.Match[str]) -> bool:
    """Whether "Elm and 5th" is a place: said to be a corner, or one of both is numbered or a street."""
    return match.group().lower().startswith(("corner", "intersection", "junction")) or (
        re.search(
            r"\d(?:st|nd|rd|th)\b|\b(?:St|Ave|Rd|Streets?|Avenues?|Roads?|Blvd)\b", match["x"]
        )
        is not None
    )


def _is_word(word: str) -> bool:
    return lexicon().kind(word) == "w"


def _head(text: str, anchor: int, *, strict: bool = False) -> int | None:
    """Where the address of a postcode begins: at a house number, box or flat up to four parts before.

    Args:
        text: the text.
        anchor: where the postcode, or the town before it, begins.
        strict: what has the house number must be a part of its own.
    """
    floor = max(0, anchor - 110)
    left = text[floor:anchor]
    floor += left.rfind("\n\n") + 2 if "\n\n" in left else 0
    left = text[floor:anchor].replace(" – ", " , ").replace(" - ", " , ").replace(" · ", " , ")
    end = len(left)
    begin: int | None = None
    number_alone = False
    for number in range(6):
        cut = max(left.rfind(sign, 0, end) for sign in ",\n;|")
        part = left[cut + 1 : end]
        if _NUMBER_ALONE.fullmatch(part) and cut >= 0 and begin is None:
            number_alone, end = True, cut
            continue
        if part.strip() or number:
            found = _part_start(part)
            if found is None:
                break
            at, is_house = found
            if begin is not None and not (_UNIT.match(part.lstrip()) or _HOUSE_NAME.search(part)):
                break
            is_house, number_alone = is_house or number_alone or begin is not None, False
            if is_house and not (strict and number == 0 and part.strip()):
                begin = floor + cut + 1 + at
            if part[:at].strip():
                break
        if cut < 0 or left[cut] in ";|" or (begin is not None and left[cut] == "\n"):
            break
        end = cut
    return begin


def _part_start(part: str) -> tuple[int, bool] | None:
    """Where the words at the end of a part begin that can be of an address; with a number or not."""
    words = list(re.finditer(r"\S+", part))
    first = len(words)
    while first and len(words) - first < 8 and _is_part(words[first - 1].group()):
        if first < len(words) and (
            words[first - 1].group()[-1] in ":|" or _GAP.match(part, words[first - 1].end())
        ):
            break
        first -= 1
    if first == len(words) or _DAY_WORD.search(fold(part[words[first].start() :])):
        return None
    at = words[first].start()
    if house := _STARTS.search(part, at):
        return house.start(), True
    return at, _EURO_STREET.search(part.rstrip()) is not None


def _is_part(word: str) -> bool:
    return _PART_WORD.fullmatch(word.strip("().,:'")) is not None


def _town_before(text: str, anchor: int) -> int:
    """Where the town begins that a postcode follows: at most four capitalised words."""
    town = re.compile(rf"(?:(?<=[\s(,:])|^){_TOWN},?\s*$").search(text, max(0, anchor - 50), anchor)
    if town is None:
        return anchor
    words = [fold(word.strip(".,")) for word in town.group().split()]
    return anchor if all(_is_word(word) for word in words) else town.start()
