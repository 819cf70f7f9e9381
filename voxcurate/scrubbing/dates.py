# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Dates in every common form: found, read and moved."""

import re
from datetime import date, timedelta

from voxcurate.scrubbing.pattern import Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold
from voxcurate.scrubbing.wordlist import word_list

# how months begin in English, German, Dutch, French, Spanish, Italian and Portuguese, folded
_MONTH_STARTS = {
    "jan": 1, "ene": 1, "gen": 1, "feb": 2, "fev": 2, "mar": 3, "mrt": 3, "maa": 3, "apr": 4, "avr": 4, "abr": 4,
    "may": 5, "mai": 5, "mei": 5, "mag": 5, "jun": 6, "jui": 6, "giu": 6, "jul": 7, "lug": 7, "aug": 8, "aou": 8, "ago": 8,
    "ian": 1, "sty": 1, "led": 1, "oca": 1, "tam": 1, "sij": 1, "jän": 1, "lut": 2, "uno": 2, "sub": 2, "hel": 2, "vel": 2,
    "bre": 3, "ozu": 3, "kwi": 4, "dub": 4, "nis": 4, "huh": 4, "tra": 4, "maj": 5, "kve": 5, "tou": 5, "svi": 5, "iun": 6, "kes": 6, "haz": 6,
    "iul": 7, "lip": 7, "hei": 7, "tem": 7, "sie": 8, "srp": 8, "elo": 8, "kol": 8, "agu": 8, "agt": 8, "wrz": 9, "zar": 9, "eyl": 9, "syy": 9, "ruj": 9,
    "paz": 10, "rij": 10, "eki": 10, "lok": 10, "lis": 11, "kas": 11, "noi": 11, "gru": 12, "pro": 12, "ara": 12, "jou": 12, "des": 12,
    "янв": 1, "фев": 2, "мар": 3, "апр": 4, "мая": 5, "июн": 6, "июл": 7, "авг": 8, "сен": 9, "окт": 10, "ноя": 11, "дек": 12,
    "sep": 9, "set": 9, "oct": 10, "okt": 10, "ott": 10, "out": 10, "nov": 11, "dec": 12, "dez": 12, "dic": 12,
}  # fmt: skip
_ENGLISH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_OTHERS = (
    r"(?:januari?|janvier|janv|enero|gennaio|janeiro|februari?|feber|f[ée]vrier|f[ée]vr?|febrero|febbraio|fevereiro|m[äa]rz|maerz|maart|mrt|mars|marzo|mar[çc]o|"
    r"avril|avr|abril|aprile|mai|mei|mayo|maggio|maio|juni|juin|junio|giugno|junho|juli|juillet|juil|julio|luglio|julho|augustus|ao[ûu]t|agosto|"
    r"j[äa]nner|feb(?:ruar|er)|ianuarie|februarie|martie|aprilie|iunie|iulie|septembrie|octombrie|noiembrie|decembrie|maret|agt|desember|"
    r"stycznia|stycze[ńn]|lutego|luty|marca|marzec|kwietnia|kwiecie[ńn]|maja|czerwca|czerwiec|lipca|lipiec|sierpnia|sierpie[ńn]|wrze[śs]nia|wrzesie[ńn]|pa[źz]dziernika|pa[źz]dziernik|listopada|listopad|grudnia|grudzie[ńn]|"
    r"ledna|leden|[úu]nora|[úu]nor|b[řr]ezna|b[řr]ezen|dubna|duben|kv[ěe]tna|kv[ěe]ten|[čc]ervna|[čc]erven|[čc]ervence|[čc]ervenec|srpna|srpen|z[áa][řr][íi]|[řr][íi]jna|[řr][íi]jen|listopadu|prosince|prosinec|"
    r"ocak|[şs]ubat|mart|nisan|may[ıi]s|haziran|temmuz|a[ğg]ustos|eyl[üu]l|ekim|kas[ıi]m|aral[ıi]k|"
    r"(?:tammi|helmi|maalis|huhti|touko|kes[äa]|hein[äa]|elo|syys|loka|marras|joulu)kuu(?:ta|n|ssa)?|"
    r"janu[áa]r|febru[áa]r|m[áa]rcius|[áa]prilis|m[áa]jus|j[úu]nius|j[úu]lius|okt[óo]ber|augusztus|szeptember|"
    r"marts|maj|siječnja|veljače|ožujka|travnja|svibnja|lipnja|srpnja|kolovoza|rujna|"
    r"января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря|"
    r"septembre|septiembre|settembre|setembro|okt(?:ober)?|octobre|octubre|ottobre|outubro|novembre|noviembre|novembro|dez(?:ember)?|d[ée]cembre|d[ée]c|diciembre|dicembre|dezembro)"
)
_MONTH = rf"(?:{_OTHERS}|{_ENGLISH})"
_TITLED = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?|Januar|Februar|März|Juni|Juli|Oktober|Dezember)"
_CLEAR = r"(?:march|mar|dec|january|jan|february|feb|april|apr|june|july|jul|august|aug|september|sept|sep|october|oct|november|nov|december|januari?|februari?|m[äa]rz|maart|mrt|avril|juni|juin|juli|juillet|augustus|ao[ûu]t|okt(?:ober)?|octobre|dez(?:ember)?|d[ée]cembre|janvier|f[ée]vrier|septembre|novembre|enero|febrero|abril|junio|julio|septiembre|octubre|noviembre|diciembre)"
MONTHS = (
    "jan january feb february mar march apr april may jun june jul july aug august sept sep september oct october "
    "nov november dec december januari januar janvier janv enero gennaio janeiro februari februar feber fevrier "
    "fevr fev febrero febbraio fevereiro marz maerz maart mrt mars marzo marco avril avr abril aprile mai mei mayo "
    "maggio maio juni juin junio giugno junho juli juillet juil julio luglio julho augustus aout agosto septembre "
    "septiembre settembre setembro okt oktober octobre octubre ottobre outubro novembre noviembre novembro dez "
    "janner ianuarie februarie martie aprilie iunie iulie septembrie octombrie noiembrie decembrie maret agt desember stycznia styczen lutego luty "
    "marca marzec kwietnia kwiecien maja czerwca czerwiec lipca lipiec sierpnia sierpien wrzesnia wrzesien pazdziernika pazdziernik listopada listopad "
    "grudnia grudzien ledna leden unora unor brezna brezen dubna duben kvetna kveten cervna cerven cervence cervenec srpna srpen zari rijna rijen "
    "listopadu prosince prosinec ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik "
    + " ".join(
        f"{m}kuu{e}"
        for m in (
            "tammi",
            "helmi",
            "maalis",
            "huhti",
            "touko",
            "kesa",
            "heina",
            "elo",
            "syys",
            "loka",
            "marras",
            "joulu",
        )
        for e in ("", "ta", "n", "ssa")
    )
    + " augusztus szeptember marcius aprilis majus junius julius marts maj sijecnja veljace ozujka travnja svibnja lipnja srpnja kolovoza rujna "
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря "
    "dezember decembre diciembre dicembre dezembro "
)  # folded
_D, _M, _Y4 = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[89]|20)\d\d"
_ORD = r"(?:st|nd|rd|th|er|\.)"
_ORDINAL = r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|twenty-(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|thirtieth|thirty-first)"
_DAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|mi[ée]rcoles|jueves|viernes|s[áa]bado|domingo|luned[ìi]|marted[ìi]|mercoled[ìi]|gioved[ìi]|venerd[ìi]|sabato|domenica|segunda(?:-feira)?|ter[çc]a(?:-feira)?|quarta(?:-feira)?|quinta(?:-feira)?|sexta(?:-feira)?|pazartesi|sal[ıi]|[çc]ar[şs]amba|per[şs]embe|cuma|cumartesi|m[åa]ndag|tisdag|onsdag|torsdag|fredag|l[öo]rdag|s[öo]ndag|mandag|tirsdag)"
BEFORE_DATE = re.compile(
    rf"\b(?:mid|mi)-$|\b(?:la|ma|ke|pe|su|mo|mi|fr|sa|so)\s+$|\b{_DAY}\.?,?\s+(?:(?:the|den|dem|le|the\s+morning\s+of)\s+)?$",
    re.IGNORECASE,
)
_CLOCK = r"\d{1,2}(?::\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[ap]\.?m\b\.?)?(?:\s*(?:hrs|hours|uhr|uur|h|z|utc|gmt|[ecmp][sd]t)\b)?|\s*[ap]\.?m\b\.?|h\d\d\b)"
_TIME = rf"(?:(?:[T\s,]+|\s*[-–@]\s*)(?:at\s+|um\s+|om\s+|à\s+)?(?:{_CLOCK}|(?:[01]\d|2[0-3])[0-5]\d(?:\s*(?:hrs?|hours|h|uhr)\b)))?"
_NOT_UNIT = r"(?!\s*(?:x|×|mm|cm|ml|mg|hu|%)(?![:\w])|\s*\d(?!\d{3}\b|\d?[:.]\d\d))"
_NUMERIC = (
    "(?:"
    + "|".join(
        rf"(?:{_D}\s?{s}\s?{_M}|{_M}\s?{s}\s?{_D})\s?{s}\s?['’]?(?:{_Y4}|\d\d)"
        for s in ("-", "/", r"\.")
    )
    + rf"|{_D}[-/.]{_M}[-/.]{_Y4})"
)
_FULL = rf"(?:{_NUMERIC}|{_Y4}[-/._]{_M}[-/._]{_D})"

_NO_DATE_BEFORE = re.compile(
    r"\b(?:grade[ds]?|scor\w+|strength|motor|power|murmur|pain|d|day|dol|pod|hd|cycle|week|wk|pulses?|reflex\w*|gcs|rass|apgars?|images?|series|slices?|segments?|stages?|types?|levels?|bp|vision|va|sats?|ratio|"
    r"nodes?|ln|lns|cores?|pieces|steps?|dos(?:e|age)|out\s+of|gravida|para|ef|zones?|lobes?|vessels?|bipap|cpap|psv|ps|peep|simv|ac|vent|settings?|imv|cpap|mode|flow|rate|rated|"
    r"scale|index|chapter|(?<!c-)(?<!cesarean )section|page|fig(?:ure)?|table|ratio|titer|fraction|approximately|about|only|took|ate|tabs?|tablets?|than|x|lr|v|va|od|os|ou|mg|ml|edema|jvp|strength\s+is|(?<!d/)[ctlsCTLS]\d*)"
    r"\W{0,3}(?:of|is|was|are|were|by|at|to|from)?\W*$|\d/10\s*(?:->|→|>|to|now|,|then)\s*$", re.IGNORECASE)  # fmt: skip
_NO_DATE_AFTER = re.compile(
    r"\s*(?:-?\s*(?:strength|motor|power|pain|murmur|leads?\b|messungen|parts|patients|limbs|extremit\w+|quadrants|blood|bottles|sets?\b|samples|levels|ribs?\b|criteria|segments?|lobes?|nodes?|lns?\b|lymph|cores?|slices?|images?|vessels?|teeth|steps|points?|sem\b|systolic|diastolic|of\b|weeks?|months?|days?|hours?|"
    r"hrs?|mm|cm|mg|ml|cc|tabs?\b|tablets?|cups?|pulses|bilat\w*|throughout|ps\b|ns\b|normal|inch|%|scale|positive|were\b|dose|liters?|lpm|l\b|ratio|in\s+(?:all|both|bilateral|upper|lower|his|her|the\s+(?:right|left))|"
    r"upper|lower|grip|dorsi|plantar|holosystolic|ejection|apgar|units?|bottles?|packs?|ppd|shots?|times|filled|full|the\s+(?:way|dose|time))|\"|/|(?!(?:[01]\d|2[0-3])[0-5]\d(?!\w|\.\d))\d(?!\d?(?:/\d|[ap]\b|:\d\d))|\.\d)", re.IGNORECASE)  # fmt: skip
_DATE_BEFORE = re.compile(
    r"(?:\b(?:on|since|until|till|thru|through|dated?|between|before|after|ct|cta|mri?|mra|cxr|kub|eeg|ekg|ecg|echo|tte|tee|pet|us|scans?|films?|x-?rays?|study|exam(?:ination)?|admit(?:ted)?|admission|adm|discharged?|"
    r"dc'?d?|d/c'?d?|seen|due|scheduled|appt|appointment|f/u|follow-?\s?up|as\s+of|surgery|day|dos|doa|dod|lmp|edc|mon|tues?|wed|thurs?|fri|sat|sun|\w+day|d\.d\.|dd\.?|vom|am|seit|bis|zum|op|sinds|van|tot|vanaf|"
    r"c-?section|section|placement|insertion|removal|delivery|extubation|intubation|transfer|admit|arrived|exp|expires|cath|ercp|egd|colonoscopy|bx|bronch|lp|picc|stent|sphincterotomy|clinic|ctr|center|op|procedure|hemodialysis|hd|chemo|xrt|chest|pelvis|abdomen|head|neck|spine|wo|w/o|contrast|echocardiogram|doppler|mammogram|mammo|psa|hgb|inr|la|den|den|dne|z\\s?dn\\.?|note|le|du|depuis|el|desde|repeat(?:ed)?|collected|drawn|performed|obtained|taken|started|stopped|placed|removed|passed|done|completed|extubated|intubated|transferred|ordered|resulted|returned|changed|inserted|last|signed|received|report|from|of|by|cultures?|cx|labs?|biopsy|visit|note|\d/\d+\s?(?:-|–|to|and|&|,))"
    r"\W{0,2}|[@(]\s?|\b[dt]:\s{0,2})$", re.IGNORECASE)  # fmt: skip
_DATE_AFTER = re.compile(
    r"\s*(?:at\s+\d|@|\d{1,2}[ap]m?\b|(?:[01]\d|2[0-3])[0-5]\d\b|\d{4}\b|\d{1,2}:\d\d|[ap]m\b|[-–&]\s?\d{1,2}/\d|(?:to|and|thru|through)\s+\d{1,2}/\d|visit|exam|study|ct\b|mri\b|cxr|scan|film|labs?|admission|note|echo|night|morning|evening|overnight|cultures?)", re.IGNORECASE)  # fmt: skip
_DENOMINATORS = frozenset({2, 3, 4, 5, 6, 8, 10, 15, 20, 30})


def is_partial_date(text: str, start: int, end: int) -> bool:
    """Whether "3/14" is a day rather than a score, a fraction or a count, by what is around it."""
    first, second = (re.sub(r"\D", "", part) for part in re.split(r"[-/.]", text[start:end])[:2])
    a, b = int(first), int(second)
    if not (1 <= a <= 31 and 1 <= b <= 31 and min(a, b) <= 12):
        return False
    before, after = text[max(0, start - 28) : start], text[end : end + 28]
    if _NO_DATE_BEFORE.search(before) or _NO_DATE_AFTER.match(after):
        return False
    weight = 0
    if _DATE_BEFORE.search(before):
        weight += 4
    elif not before.strip(" ") or before.endswith("\n") or before.rstrip(" ").endswith("\n"):
        weight += 2
    if _DATE_AFTER.match(after):
        weight += 4
    if (
        (len(first) == 2 and first[0] == "0")
        or (len(second) == 2 and second[0] == "0")
        or (b > 12 and b not in _DENOMINATORS)
    ):
        weight += 3
    elif a <= b and b in _DENOMINATORS:
        weight -= 2
    elif a > b:
        weight += 1
    return weight >= 2


def _month_is_meant(text: str, start: int, end: int) -> bool:
    """ "in May" but not "may": a month that is a word too wants its capital inside a sentence."""
    word = text[start:end].strip(".,")
    return (
        fold(word) not in ("may", "march", "mar", "mai", "mei", "mars", "dec", "sun", "set")
        or word[0].isupper()
    )


_HOLIDAY = (
    r"(?:christmas(?:\s+(?:eve|day|morning|night))?|xmas(?:\s+(?:eve|day))?|boxing\s+day|new\s+year['’]?s?(?:['’])?(?:\s+(?:eve|day))?|(?:lunar|chinese)\s+new\s+year|easter(?:\s+(?:sunday|monday|weekend|saturday|day))?|good\s+friday|palm\s+sunday|ash\s+wednesday|"
    r"whit\s+(?:sunday|monday)|pentecost|thanksgiving(?:\s+day)?|halloween|hallowe['’]en|all\s+saints['’]?(?:\s+day)?|labou?r\s+day|memorial\s+day|independence\s+day|(?:4th|fourth)\s+of\s+july|july\s+(?:4th|fourth)|juneteenth|veterans?['’]?\s+day|"
    r"columbus\s+day|presidents?['’]?s?\s+day|mlk\s+day|martin\s+luther\s+king(?:\s+jr\.?)?\s+day|valentine['’]?s?(?:\s+day)|st\.?\s+patrick['’]?s?\s+day|mother['’]?s['’]?\s+day|father['’]?s['’]?\s+day|groundhog\s+day|patriots?['’]?\s+day|election\s+day|leap\s+day|"
    r"may\s+day|bank\s+holiday(?:\s+monday)?|guy\s+fawkes(?:\s+night)?|bonfire\s+night|anzac\s+day|australia\s+day|canada\s+day|victoria\s+day|waitangi\s+day|cinco\s+de\s+mayo|mardi\s+gras|kwanzaa|hanukkah|chanukah|passover|yom\s+kippur|rosh\s+hashanah|purim|sukkot|"
    r"ramadan|ramazan|eid(?:[\s-](?:al|ul)[\s-](?:fitr|adha))?|diwali|deepavali|holi|dussehra|ganesh\s+chaturthi|nowruz|songkran|vesak|t[ếe]t|mid-autumn\s+festival|weihnacht(?:en|stag|sfeiertag)|heiligabend|silvester|neujahr(?:stag)?|karfreitag|ostern|oster(?:sonntag|montag)|pfingst(?:en|montag|sonntag)|"
    r"fronleichnam|tag\s+der\s+(?:arbeit|deutschen\s+einheit)|rosenmontag|no[ëe]l|p[âa]ques|toussaint|saint-sylvestre|nochebuena|nochevieja|navidad|semana\s+santa|natal|natale|pasqua|pasquetta|ferragosto|capodanno|carnaval|kerst(?:mis|avond)?|(?:eerste|tweede)\s+(?:kerstdag|paasdag|pinksterdag)|"
    r"pasen|koningsdag|sinterklaas|oudejaars(?:dag|avond)|nieuwjaar(?:sdag)?|hemelvaart(?:sdag)?|midsommar|juhannus|joulu|jul(?:afton|dagen)|kurban\s+bayram[ıi]|bayram|wigilia|sylwester|wielkanoc|v[áa]noce|velikonoce)"
)
_HOLIDAY_STARTS = (
    "christmas xmas boxing new lunar chinese easter good palm ash whit pentecost thanksgiving halloween hallowe all labor labour memorial independence th fourth july juneteenth veterans veteran columbus "
    "presidents president mlk martin valentine valentines st mother mothers father fathers groundhog patriots patriot election leap may bank guy bonfire anzac australia canada victoria waitangi cinco mardi kwanzaa "
    "hanukkah chanukah passover yom rosh purim sukkot ramadan ramazan eid diwali deepavali holi dussehra ganesh nowruz songkran vesak tet mid weihnachten weihnachtstag weihnachtsfeiertag heiligabend silvester neujahr "
    "neujahrstag karfreitag ostern ostersonntag ostermontag pfingsten pfingstmontag pfingstsonntag fronleichnam tag rosenmontag noel paques toussaint saint nochebuena nochevieja navidad semana natal natale pasqua "
    "pasquetta ferragosto capodanno carnaval kerst kerstmis kerstavond eerste tweede pasen koningsdag sinterklaas oudejaarsdag oudejaarsavond nieuwjaar nieuwjaarsdag hemelvaart hemelvaartsdag midsommar juhannus joulu "
    "julafton juldagen kurban bayram wigilia sylwester wielkanoc vanoce velikonoce"
)
_NUMBER_BEFORE = re.compile(
    r"(?:\b(?:of|to|is|was|by|about|than|measur\w+|size|hb|hgb|wbc|crp|k|na|inr|ph|temp|t|bilirubin|score|dose|x|und|bis|von|ca\.?|version|v|no\.?|nr\.?|fig\.?|section|chapter|grade|level)|[<>=~±×:;+/-]|(?<!\w),|\d,)\s*$",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"(?<![\d.])\d{1,2}\.\s?\d{1,2}\.\s?(?:19|20)?\d\d(?![\d.])")


def _is_dotted_day(text: str, start: int, end: int) -> bool:
    """Whether "14.1." is a day: padded, after a word for a time, or in a text that writes days so."""
    before = text[max(0, start - 24) : start]
    if len(text[start:end]) == 6 or re.search(
        r"(?:\b(?:am|vom|bis|seit|zum|ab|und|den|dne|la|op|d\.)|[-–]|\b(?:ct|mr|mrt|mri|us|pet|r[öo]|tt|tk|op|erco?p|stent|lab\w*)|\b\w+day|\b\w+tag|\b(?:on|since|until|from))\s?$",
        before,
        re.IGNORECASE,
    ):
        return True
    return (
        _DOTTED.search(text) is not None
        and before.strip(" ") != ""
        and before[-1:] != "\n"
        and not _NUMBER_BEFORE.search(before)
    )


DATES: tuple[Pattern, ...] = (
    pattern("DATE", rf"(?<![\d.])(?P<x>{_Y4}[-/._]{_M}[-/._]{_D}(?:{_TIME}|T\d{{6}}))(?!\d)", labelled=True, digits=6),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_FULL}{_TIME}\s?[-–]\s?{_FULL}{_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}", labelled=True, digits=8),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}/{_D}\s?[-–]\s?{_NUMERIC})(?![\w/]|[.-]\d){_NOT_UNIT}", digits=6),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_NUMERIC}{_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}", labelled=True, digits=4),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.?\s?[-–/]\s?{_D}\.\s?{_M}\.\s?(?:{_Y4}|\d\d)?)(?![\w/]|[.-]\d)", digits=3),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_M}\s?[/-]\s?{_Y4}|{_Y4}-(?:0[1-9]|1[0-2]))(?![\w/-]){_NOT_UNIT}", digits=5),
    pattern("DATE", r"\b(?:dob|d\.o\.b\.?|birth\s?date|date\s+of\s+birth|born(?:\s+on)?|geb(?:\.|oren)?(?:\s+(?:am|op))?|geboortedatum|geburtsdatum|n[ée]{1,2}\s+le|date)\s*[:=-]?\s*(?P<x>\d{1,4}[ ./-]\d{1,2}[ ./-]\d{2,4}|\d{6}|\d{8})(?!\w)", labelled=True, starts="dob d birth birthdate date born geb geboren geboortedatum geburtsdatum ne nee", shape=r"\d{1,4}[ ./-]\d{1,2}[ ./-]\d|\d{6}"),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:{_D}{_ORD}?\s?[-–]\s?{_D}{_ORD}?\s+(?:of\s+)?{_MONTH}|{_MONTH}\.?\s+{_D}{_ORD}?\s?[-–]\s?{_D}{_ORD}?)(?:[\s,]+{_Y4})?)(?!\w)", near=MONTHS, shape=r"\d[a-z.]{0,2}\s?[-–]\s?\d", check=_month_is_meant, labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:(?:{_D}{_ORD}?[\s-]*|{_ORDINAL}\s+)(?:(?:of|de|of\s+the)\s+)?)?{_MONTH}\.?[\s,/-]*(?:(?:{_D}{_ORD}?|{_ORDINAL})[\s,-]+)?(?:(?:of|de)\s+)?(?:{_Y4}|['’]\d\d){_TIME})(?!\w)", near=MONTHS, shape=r"(?:1[89]|20)\d\d|['’]\d\d", labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_D}[\s/-]?{_MONTH}[\s/-]?\d\d|{_MONTH}[-/]{_D}[-/]\d\d){_TIME}(?![\w:])", near=MONTHS, shape=r"\d[\s/-]?[^\W\d]|[^\W\d][-/]\d", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?P<x>(?i:{_CLEAR})\.?\s+(?:the\s+)?(?:{_D}{_ORD}?|{_ORDINAL}){_TIME})(?![\w/]|[.,]\d){_NOT_UNIT}", near=MONTHS, shape=r"\d|[a-zA-Z]{3}(?:st|nd|rd|th)\b", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?P<x>{_TITLED}\.?\s+(?:the\s+)?(?:{_D}(?i:{_ORD})?|{_ORDINAL})(?i:{_TIME}))(?![\w/]|[.,]\d){_NOT_UNIT}", 0, near=MONTHS, shape=r"\d|[a-z]{3}(?:st|nd|rd|th)\b", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?<!\d/)(?P<x>(?:the\s+)?(?:{_D}{_ORD}?[\s-]+|{_ORDINAL}\s+)(?:of\s+|de\s+)?(?i:{_CLEAR})(?:\.(?!\w))?{_TIME})(?!\w)", near=MONTHS, shape=r"\d[^\W\d]{0,2}\.?[\s-]+[^\W\d]|[a-zA-Z]{3}(?:st|nd|rd|th)\s", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?<!\d/)(?P<x>(?:the\s+)?(?:{_D}{_ORD}?[\s-]+|{_ORDINAL}\s+)(?:of\s+)?{_TITLED}(?i:{_TIME}))(?!\w)", 0, near=MONTHS, shape=r"\d[a-z]{0,2}\.?[\s-]+(?:of\s+)?[A-Z]|[a-z]{3}(?:st|nd|rd|th)\s", labelled=True),
    pattern("DATE", rf"\b(?:in|since|until|till|through|from|to|by|last|this|next|early|late|mid|of|during|before|after|late|im|seit|ab|bis|sinds|eind|begin|depuis|en|desde|around|approximately|between)[\s-]+(?P<x>(?:{_ENGLISH}|{_OTHERS})(?:\s?[-–]\s?{_ENGLISH})?)(?!\w|['’]|\s+(?:be|have|not|also|represent|reflect|need|fracture))", near=MONTHS, check=_month_is_meant),
    pattern("DATE", rf"\b(?:on|since|until|from|by|dated|through|before|after)\s+(?P<x>may\s+{_D}{_ORD}?|{_D}{_ORD}?\s+(?:of\s+)?may)(?!\w|[/.]\d){_NOT_UNIT}", near="may", labelled=True),
    pattern("DATE", r"(?<![\w./-])(?P<x>(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])(?:\s?[-–]\s?(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01]))?)(?![\w/])", check=is_partial_date, digits=2),
    pattern("DATE", rf"\b(?:on|dated|since|until|d\.d\.|vom|am|seit|bis|zum|op|sinds|vanaf|le)\s+(?P<x>(?:{_D}[-.]{_M}|{_M}[-.](?:1[3-9]|2\d|3[01]))\.?)(?![\w/]|[-.]?\d){_NOT_UNIT}", starts="on dated since until d vom am seit bis zum op sinds vanaf le", shape=r"\d[-.]\d"),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.(?:0?[1-9]|1[0-2])\.)(?!\d)(?=\s|$|[-–,;:)/|.])", check=_is_dotted_day, digits=2),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.\s?{_M}\.\s?(?:{_Y4}|\d\d)\s(?:r|г|y)\.|{_Y4}\.\s?(?:{_M}\.\s?{_D}\.?|{_MONTH}\s{_D}\.?))(?!\w)", labelled=True, digits=3),
    pattern("DATE", rf"(?<!\w)(?P<x>{_HOLIDAY}(?:[\s,]+(?:of\s+)?{_Y4}|\s['’]\d\d)?)(?!\w|[\s-](?:tree|disease|factor|egg|bug|island|cactus|lights))", starts=_HOLIDAY_STARTS, labelled=True, check=lambda text, start, end: len(fold(text[start:end])) > 5 or text[start].isupper()),
    pattern("DATE", rf"\b(?P<x>{_DAY}\.?,?\s+(?:the\s+)?{_D}(?:st|nd|rd|th))(?!\w)", starts="mon monday tue tues tuesday wed weds wednesday thu thur thurs thursday fri friday sat saturday sun sunday", labelled=True),
    pattern("DATE", r"(?P<x>(?:19|20)\d\d\s?年\s?\d{1,2}\s?月(?:\s?\d{1,2}\s?日)?|(?:19|20)\d\d\s?년\s?\d{1,2}\s?월(?:\s?\d{1,2}\s?일)?|\d{1,2}\s?月\s?\d{1,2}\s?日)", shape=r"[年년月]", labelled=True),
    pattern("DATE", r"\b(?P<x>ng[àa]y\s\d{1,2}\s(?:th[áa]ng\s\d{1,2}(?:\sn[ăa]m\s\d{4})?|[/-]\d{1,2}[/-]\d{2,4}))", starts="ngay", labelled=True),
    pattern("DATE", r"(?<!\w)(?P<x>mi-(?:janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre)|mid-(?:jan|feb|march|april|may|june|july|august|sept|oct|nov|dec)[a-z]*|(?:mitte|anfang|ende|eind|begin|half|d[ée]but|fin)\s(?:j[aä]n(?:uar|ner|uari)|februari?|m[äa]rz|maart|mei|juni|juli|august(?:us)?|september|oktober|november|dezember|december|janvier|f[ée]vrier|mars|avril|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre))(?!\w)", starts="mi mid mitte anfang ende eind begin half debut fin", labelled=True),
    pattern("DATE", rf"\b(?:on|by|until|since)\s+(?P<x>the\s+{_D}(?:st|nd|rd|th))(?=\s*(?:[.,;:)\n]|$|at\b|and\b|for\b|with\b|of\s+(?:this|last|next)))", starts="on by until since", shape=r"\d(?:st|nd|rd|th)"),
    pattern("DATE", rf"(?<!\d)(?P<x>{_Y4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T?\d{{6}}|T\d{{4}})?)(?!\d)", digits=8),
)  # fmt: skip


def month_number(word: str) -> int | None:
    """1 to 12 for the name of a month in seven languages, or its beginning; else None."""
    folded = fold(word)
    if folded.startswith("juil"):
        return 7
    return _MONTH_STARTS.get(folded[:3]) if len(folded) >= 3 else None


_WORDS_OF_DAYS = word_list("""
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
""")  # fmt: skip


def parse_date(value: str, *, day_first: bool = False) -> date | None:
    """The full date that a span spells; None where a part is missing or impossible."""
    words = "".join(c if c.isalnum() else " " for c in re.sub(r"(?<=\d)T.*", "", value)).split()
    named = [i for i, w in enumerate(words) if w[:1].isalpha() and month_number(w)]
    numbers = [int(d) for w in words if (d := w.rstrip("stndrh")).isdigit()]
    if named:
        month = month_number(words[named[-1]]) or 0
        spelled = [
            _WORDS_OF_DAYS.index(w) + 1 for w in map(str.lower, words) if w in _WORDS_OF_DAYS
        ]
        numbers = spelled + numbers
        if len(numbers) < 2:
            return None
        first, second = numbers[:2]
        day, year = (first, second) if first <= 31 else (second, first)
    elif len(words) >= 1 and len(words[0]) >= 8 and words[0].isdigit():
        year, month, day = int(words[0][:4]), int(words[0][4:6]), int(words[0][6:8])
    elif len(numbers) < 3:
        return None
    elif numbers[0] > 31:
        year, month, day = numbers[:3]
    else:
        first, second, year = numbers[:3]
        dotted = re.match(r"\s*\d{1,2}\.\s?\d{1,2}\.", value) is not None
        swapped = (day_first or dotted) and second <= 12
        day, month = (first, second) if swapped or first > 12 else (second, first)
    year += 0 if year > 99 else (2000 if year < 50 else 1900)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def shifted(value: str, days: int, *, year: int | None, day_first: bool = False) -> str:
    """A date moved by some days, as ISO text: as exact as it was; empty where it cannot be read.

    A day without a year ("3/14", "March 3rd") is moved within `year` and shown without one
    (``--02-27``, the truncated form of ISO 8601:2000); a month moves as its 15th day does.

    Args:
        value: what is written.
        days: by how many.
        year: that of the dates around; None leaves days without a year unread.
        day_first: how "3/5" is read.
    """
    whole = parse_date(value, day_first=day_first)
    if whole is not None:
        return _moved(whole, days, "%Y-%m-%d")
    short = value.strip(" .,")
    month_year = re.fullmatch(r"(\d{1,2})\s?[/-]\s?(\d{4})", short)
    year_month = re.fullmatch(r"(\d{4})-(\d\d)", short)
    named = re.fullmatch(r"([^\W\d_]{3,})[.,\s/-]*(?:of\s+|de\s+)?(\d{4})", short)
    if month_year or year_month or named:
        found = month_year or year_month or named
        assert found is not None
        first, second = found.groups()
        month = month_number(first) if named else int(first if month_year else second)
        whole = _date(int(second if month_year or named else first), month, 15)
        return _moved(whole, days, "%Y-%m")
    if year is None:
        return ""
    with_year = f"{short} {year}" if re.search(r"[^\W\d_]{3}", short) else f"{short}/{year}"
    return _moved(parse_date(with_year, day_first=day_first), days, "--%m-%d")


def _moved(day: date | None, days: int, form: str) -> str:
    if day is None:
        return ""
    try:
        return (day + timedelta(days=days)).strftime(form)
    except OverflowError:
        return ""


def _date(year: int, month: int | None, day: int) -> date | None:
    try:
        return date(year, month or 0, day)
    except ValueError:
        return None
