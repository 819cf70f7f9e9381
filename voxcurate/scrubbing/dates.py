# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Dates in every common form: found, read and moved."""

import re
from datetime import date, timedelta

from voxcurate.scrubbing.partial_dates import (
    is_dashed_day,
    is_dotted_day,
    is_partial_date,
    is_pointed_day,
)
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
_ORDINAL = r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|twenty[ -](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|thirtieth|thirty[ -]first)"
_DAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|mi[ée]rcoles|jueves|viernes|s[áa]bado|domingo|luned[ìi]|marted[ìi]|mercoled[ìi]|gioved[ìi]|venerd[ìi]|sabato|domenica|segunda(?:-feira)?|ter[çc]a(?:-feira)?|quarta(?:-feira)?|quinta(?:-feira)?|sexta(?:-feira)?|pazartesi|sal[ıi]|[çc]ar[şs]amba|per[şs]embe|cuma|cumartesi|m[åa]ndag|tisdag|onsdag|torsdag|fredag|l[öo]rdag|s[öo]ndag|mandag|tirsdag)"
BEFORE_DATE = re.compile(
    rf"\b(?:mid|mi|early|late)[- ]$|\b(?:la|ma|ke|ti|pe|su|mo|di|mi|do|fr|sa|so|lu|me|je|ve|wo|vr|za|zo)\.?,?\s+$|\b{_DAY}\.?,?\s+(?:(?:the|den|dem|d\.|le|el|the\s+(?:morning|night|evening|week)\s+of)\s*)?$",
    re.IGNORECASE,
)
_CLOCK = r"\d{1,2}(?::\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[ap]\.?m\b\.?)?(?:\s*(?:hrs|hours|uhr|uur|h|z|utc|gmt|[ecmp][sd]t)\b)?|\s*[ap]\.?m\b\.?|h\d\d\b)"
_TIME = rf"(?:(?:[T\s,]+|\s*[-–@]\s*)(?:at\s+|um\s+|om\s+|à\s+)?(?:{_CLOCK}|(?:[01]\d|2[0-3])[0-5]\d(?:\s*(?:hrs?|hours|h|uhr)\b))|[-–](?:[01]\d|2[0-3])[0-5]\d)?"
_NOT_UNIT = r"(?![ \t]*(?:x|×|mm|cm|ml|mg|hu|%)(?![:\w])|[ \t]*\d(?!\d{3}\b|\d?[:.]\d\d))"
_NUMERIC = (
    "(?:"
    + "|".join(
        rf"(?:{_D}\s?{s}\s?{_M}|{_M}\s?{s}\s?{_D})\s?{s}\s?['’]?(?:{_Y4}|\d\d)"
        for s in ("-", "/", r"\.")
    )
    + rf"|{_D}[-/.]{_M}[-/.]{_Y4})"
)
_FULL = rf"(?:{_NUMERIC}|{_Y4}[-/._]{_M}[-/._]{_D})"


def _month_is_meant(text: str, start: int, end: int) -> bool:
    """ "in May" but not "may": a month that is a word too wants its capital inside a sentence."""
    word = text[start:end].strip(".,")
    return (
        fold(word) not in ("may", "march", "mar", "mai", "mei", "mars", "dec", "sun", "set")
        or word[0].isupper()
    )


def _is_no_rib(text: str, start: int, end: int) -> bool:
    """Whether an ordinal counts days: no rib, vertebra or toe is spoken of around it."""
    around = text[max(0, start - 60) : end + 40]
    return (
        re.search(
            r"\b(?:ribs?|vertebra\w*|meta\w+|digits?|fingers?|toes?|ventricle|percentile|nerve|branch|ray|interspace|space|order|grade|floor)\b",
            around,
            re.IGNORECASE,
        )
        is None
    )


_HOLIDAY = (
    r"(?:christmas(?:\s+(?:eve|day|morning|night))?|xmas(?:\s+(?:eve|day))?|boxing\s+day|new\s+year['’]?s?(?:['’])?(?:\s+(?:eve|day))?|(?:lunar|chinese)\s+new\s+year|easter(?:\s+(?:sunday|monday|weekend|saturday|day))?|good\s+friday|palm\s+sunday|ash\s+wednesday|"
    r"whit\s+(?:sunday|monday)|pentecost|thanksgiving(?:\s+day)?|halloween|hallowe['’]en|all\s+saints['’]?(?:\s+day)?|labou?r\s+day|memorial\s+day|independence\s+day|(?:4th|fourth)\s+of\s+july|july\s+(?:4th|fourth)|juneteenth|veterans?['’]?\s+day|"
    r"columbus\s+day|presidents?['’]?s?\s+day|mlk\s+day|martin\s+luther\s+king(?:\s+jr\.?)?\s+day|valentine['’]?s?(?:\s+day)|st\.?\s+patrick['’]?s?\s+day|mother['’]?s['’]?\s+day|father['’]?s['’]?\s+day|groundhog\s+day|patriots?['’]?\s+day|election\s+day|leap\s+day|"
    r"may\s+day|bank\s+holiday(?:\s+monday)?|guy\s+fawkes(?:\s+night)?|bonfire\s+night|anzac\s+day|australia\s+day|canada\s+day|victoria\s+day|waitangi\s+day|cinco\s+de\s+mayo|mardi\s+gras|kwanzaa|hanukkah|chanukah|passover|yom\s+kippur|rosh\s+hashanah|purim|sukkot|"
    r"hogmanay|burns\s+night|st\.?\s+(?:george|andrew|david|stephen|nicholas)['’]?s?\s+day|shrove\s+tuesday|pancake\s+day|maundy\s+thursday|fat\s+tuesday|bastille\s+day|quatorze\s+juillet|turkey\s+day|black\s+friday|cyber\s+monday|super\s+bowl(?:\s+sunday)?|daylight\s+saving(?:s)?|april\s+fools?['’]?(?:\s+day)?|earth\s+day|arbor\s+day|remembrance\s+(?:day|sunday)|armistice\s+day|"
    r"michaelmas|candlemas|martinmas|epiphany|twelfth\s+night|assumption\s+day|ascension\s+day|corpus\s+christi|all\s+souls['’]?(?:\s+day)?|d[ií]a\s+de\s+(?:los\s+)?(?:muertos|reyes)|(?:noche\s+de\s+)?reyes|vaisakhi|baisakhi|navratri|onam|pongal|raksha\s+bandhan|janmashtami|makar\s+sankranti|obon|golden\s+week|chuseok|seollal|double\s+ninth|qingming|dragon\s+boat\s+festival|loy\s+krathong|"
    r"ashura|mawlid|lag\s+b['’]?omer|shavuot|tisha\s+b['’]?av|simchat\s+torah|tu\s+bishvat|king['’]?s\s+day|queen['’]?s\s+birthday|midsummer(?:['’]?s)?(?:\s+(?:eve|day))?|solstice|lucia|walpurgis(?:nacht)?|buß-?\s?und\s?bettag|allerheiligen|mariä\s+himmelfahrt|nikolaus(?:tag)?|dreikönig(?:stag)?|bevrijdingsdag|"
    r"ramadan|ramazan|eid(?:[\s-](?:al|ul)[\s-](?:fitr|adha))?|diwali|deepavali|holi|dussehra|ganesh\s+chaturthi|nowruz|songkran|vesak|t[ếe]t|mid-autumn\s+festival|weihnacht(?:en|stag|sfeiertag)|heiligabend|silvester|neujahr(?:stag)?|karfreitag|ostern|oster(?:sonntag|montag)|pfingst(?:en|montag|sonntag)|"
    r"fronleichnam|tag\s+der\s+(?:arbeit|deutschen\s+einheit)|rosenmontag|no[ëe]l|p[âa]ques|toussaint|saint-sylvestre|nochebuena|nochevieja|navidad|semana\s+santa|natal|natale|pasqua|pasquetta|ferragosto|capodanno|carnaval|kerst(?:mis|avond)?|(?:eerste|tweede)\s+(?:kerstdag|paasdag|pinksterdag)|"
    r"pasen|koningsdag|sinterklaas|oudejaars(?:dag|avond)|nieuwjaar(?:sdag)?|hemelvaart(?:sdag)?|midsommar|juhannus|joulu|jul(?:afton|dagen)|kurban\s+bayram[ıi]|bayram|wigilia|sylwester|wielkanoc|v[áa]noce|velikonoce)"
)
_HOLIDAY_STARTS = (
    "hogmanay burns st shrove pancake maundy fat bastille quatorze turkey black cyber super daylight april earth arbor remembrance armistice michaelmas candlemas martinmas epiphany twelfth assumption ascension corpus dia noche reyes vaisakhi baisakhi navratri onam pongal raksha janmashtami makar obon golden chuseok seollal double qingming dragon loy ashura mawlid lag shavuot tisha simchat tu king kings queen queens midsummer midsummers solstice lucia walpurgis walpurgisnacht buß buss allerheiligen maria nikolaus nikolaustag dreikonig dreikonigstag bevrijdingsdag "
    "christmas xmas boxing new lunar chinese easter good palm ash whit pentecost thanksgiving halloween hallowe all labor labour memorial independence th fourth july juneteenth veterans veteran columbus "
    "presidents president mlk martin valentine valentines st mother mothers father fathers groundhog patriots patriot election leap may bank guy bonfire anzac australia canada victoria waitangi cinco mardi kwanzaa "
    "hanukkah chanukah passover yom rosh purim sukkot ramadan ramazan eid diwali deepavali holi dussehra ganesh nowruz songkran vesak tet mid weihnachten weihnachtstag weihnachtsfeiertag heiligabend silvester neujahr "
    "neujahrstag karfreitag ostern ostersonntag ostermontag pfingsten pfingstmontag pfingstsonntag fronleichnam tag rosenmontag noel paques toussaint saint nochebuena nochevieja navidad semana natal natale pasqua "
    "pasquetta ferragosto capodanno carnaval kerst kerstmis kerstavond eerste tweede pasen koningsdag sinterklaas oudejaarsdag oudejaarsavond nieuwjaar nieuwjaarsdag hemelvaart hemelvaartsdag midsommar juhannus joulu "
    "julafton juldagen kurban bayram wigilia sylwester wielkanoc vanoce velikonoce"
)


def _is_no_season(text: str, start: int, end: int) -> bool:
    """Whether "2025/04" is a month and no winter such as "2009/10"."""
    year, month = text[start:end].split("/")
    return (int(year) + 1) % 100 != int(month)


DATES: tuple[Pattern, ...] = (
    pattern("DATE", rf"(?<![\d.])(?P<x>{_Y4}[-/._]{_M}[-/._]{_D}(?:{_TIME}|T\d{{6}}))(?!\d)", labelled=True, digits=6),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_FULL}{_TIME}\s?[-–]\s?{_FULL}{_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}", labelled=True, digits=8),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}/{_D}\s?[-–]\s?{_NUMERIC})(?![\w/]|[.-]\d){_NOT_UNIT}", digits=6),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_NUMERIC}{_TIME})(?![\w/]|[.-]\d){_NOT_UNIT}", labelled=True, digits=4),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.?\s?[-–/]\s?{_D}\.\s?{_M}\.\s?(?:{_Y4}|\d\d)?)(?![\w/]|[.-]\d)", digits=3),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_M}\s?[/-]\s?{_Y4}|{_Y4}-(?:0[1-9]|1[0-2]))(?![\w/-]){_NOT_UNIT}", digits=5),
    pattern("DATE", r"\b(?:dob|d\.o\.b\.?|birth\s?date|date\s+of\s+birth|born(?:\s+on)?|geb(?:\.|oren)?(?:\s+(?:am|op))?|geboortedatum|geburtsdatum|n[ée]{1,2}\s+le|date)\s*[:=-]?\s*(?P<x>\d{1,4}[ ./-]\d{1,2}[ ./-]\d{2,4}|\d{6}|\d{8})(?!\w)", labelled=True, starts="dob d birth birthdate date born geb geboren geboortedatum geburtsdatum ne nee", shape=r"\d{1,4}[ ./-]\d{1,2}[ ./-]\d|\d{6}"),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:{_D}{_ORD}?\s?(?:[-–&]|and|to|thru|through)\s?{_D}{_ORD}?\s+(?:of\s+)?{_MONTH}|{_MONTH}\.?\s+{_D}{_ORD}?\s?(?:[-–&]|and|to|thru|through)\s?{_D}{_ORD}?(?!\s?(?:mm|cm|ml|mg|/)))(?:[\s,]+{_Y4})?)(?!\w)", near=MONTHS, shape=r"\d[a-z.]{0,2}\s?(?:[-–&]|and|to|thru|through)\s?\d", check=_month_is_meant, labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:(?:{_D}{_ORD}?[\s-]*|{_ORDINAL}\s+)(?:(?:of|de|of\s+the)\s+)?)?{_MONTH}\.?[\s,/-]*(?:(?:{_D}{_ORD}?|{_ORDINAL})[\s,-]+)?(?:(?:of|de)\s+)?(?:{_Y4}|['’]\d\d){_TIME})(?!\w)", near=MONTHS, shape=r"(?:1[89]|20)\d\d|['’]\d\d", labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_D}[\s/-]?{_MONTH}[\s/-]?\d\d|{_MONTH}[-/]{_D}[-/]\d\d|{_MONTH}\.?[ ]{_D}[/-]['’]?\d\d){_TIME}(?![\w:])", near=MONTHS, shape=r"\d[\s/-]?[^\W\d]|[^\W\d][-/]\d|\d[/-]['’]?\d\d", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?P<x>(?i:{_CLEAR})\.?\s+(?:the\s+)?(?:{_D}{_ORD}?|{_ORDINAL}){_TIME})(?![\w/]|[.,]\d){_NOT_UNIT}", near=MONTHS, shape=r"\d|[a-zA-Z]{3}(?:st|nd|rd|th)\b", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?P<x>{_TITLED}\.?\s+(?:the\s+)?(?:{_D}(?i:{_ORD})?|{_ORDINAL})(?i:{_TIME}))(?![\w/]|[.,]\d){_NOT_UNIT}", 0, near=MONTHS, shape=r"\d|[a-z]{3}(?:st|nd|rd|th)\b", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?<!\d/)(?P<x>(?:the\s+)?(?:{_D}{_ORD}?[\s-]+|{_ORDINAL}\s+)(?:of\s+|de\s+)?(?i:{_CLEAR})(?:\.(?!\w))?{_TIME})(?!\w)", near=MONTHS, shape=r"\d[^\W\d]{0,2}\.?[\s-]+[^\W\d]|[a-zA-Z]{3}(?:st|nd|rd|th)\s", labelled=True),
    pattern("DATE", rf"(?<![\w.])(?<!\d/)(?P<x>{_D}{_ORD}?[ -]+(?:de\s)?(?:mars|mai|mei|maart|marzo|mayo|maggio|maio|mart|marca|maja|luty|lutego|septiembre|settembre|setembro|m[äa]rz))(?!\w)", near=MONTHS, shape=r"\d[^\W\d]{0,2}\.?[\s-]+[^\W\d]", labelled=True),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_TITLED}[-/]['’]?\d\d)(?![\w/]|-\d|\s?(?:mm|cm|mg|ml|%))", 0, near=MONTHS, shape=r"[a-z][-/]['’]?\d\d"),
    pattern("DATE", rf"(?<![\w.])(?<!\d/)(?P<x>(?:the\s+)?(?:{_D}{_ORD}?[\s-]+|{_ORDINAL}\s+)(?:of\s+)?{_TITLED}(?i:{_TIME}))(?!\w)", 0, near=MONTHS, shape=r"\d[a-z]{0,2}\.?[\s-]+(?:of\s+)?[A-Z]|[a-z]{3}(?:st|nd|rd|th)\s", labelled=True),
    pattern("DATE", rf"\b(?:in|since|until|till|through|from|to|by|last|this|next|early|late|mid|of|during|before|after|late|im|seit|ab|bis|sinds|eind|begin|depuis|en|desde|around|approximately|between)[\s-]+(?P<x>(?:{_ENGLISH}|{_OTHERS})(?:\s?[-–]\s?{_ENGLISH})?)(?!\w|['’]|\s+(?:be|have|not|also|represent|reflect|need|fracture))", near=MONTHS, check=_month_is_meant),
    pattern("DATE", rf"\b(?:on|since|until|from|by|dated|through|before|after)\s+(?P<x>may\s+{_D}{_ORD}?|{_D}{_ORD}?\s+(?:of\s+)?may)(?!\w|[/.]\d){_NOT_UNIT}", near="may", labelled=True),
    pattern("DATE", r"(?<![\w./-])(?P<x>(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])(?:\s?[-–]\s?(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01]))?)(?![\w/])", check=is_partial_date, digits=2),
    pattern("DATE", rf"\b(?:on|dated|since|until|d\.d\.|vom|am|seit|bis|zum|op|sinds|vanaf|le)\s+(?P<x>(?:{_D}[-.]{_M}|{_M}[-.](?:1[3-9]|2\d|3[01]))\.?)(?![\w/]|[-.]?\d){_NOT_UNIT}", starts="on dated since until d vom am seit bis zum op sinds vanaf le", shape=r"\d[-.]\d"),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}-{_D})(?![\w/-]|[.,]\d){_NOT_UNIT}", check=is_dashed_day, digits=2),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.(?:0?[1-9]|[12]\d|3[01]))(?![\w/-]|[.,]\d){_NOT_UNIT}", check=is_pointed_day, digits=2, sure=False),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.(?:0?[1-9]|1[0-2])\.)(?!\d)(?=\s|$|[-–,;:)/|.])", check=is_dotted_day, digits=2),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}\.\s?{_M}\.\s?(?:{_Y4}|\d\d)\s(?:r|г|y)\.|{_Y4}\.\s?(?:{_M}\.\s?{_D}\.?|{_MONTH}\s{_D}\.?))(?!\w)", labelled=True, digits=3),
    pattern("DATE", rf"(?<!\w)(?P<x>{_HOLIDAY}(?:[\s,]+(?:of\s+)?{_Y4}|\s['’]\d\d)?)(?!\w|[\s-](?:tree|disease|factor|egg|bug|island|cactus|lights))", starts=_HOLIDAY_STARTS, labelled=True, check=lambda text, start, end: len(fold(text[start:end])) > 5 or text[start].isupper()),
    pattern("DATE", rf"(?<![\w.])(?P<x>{_MONTH}\.?\s{_D},?\s['’]?\d\d)(?![\w/:]|[.,-]\d|\s?(?:am|pm|a\.m|p\.m|h\b|uhr)){_NOT_UNIT}", near=MONTHS, shape=r"\d,?\s['’]?\d\d", check=_month_is_meant),
    pattern("DATE", rf"(?<!\w)(?P<x>(?i:{_CLEAR})(?<=[A-Za-z]{{3}})['’]?\d\d)(?![\w/.-])", 0, near=MONTHS, shape=r"[A-Za-z]['’]?\d\d"),
    pattern("DATE", rf"(?<!\w)(?P<x>(?:{_MONTH}\s(?:the\s)?(?:{_D}{_ORD}?|{_ORDINAL})|(?:{_D}{_ORD}?|{_ORDINAL})\s(?:of\s)?{_MONTH}),?\s(?:in\s)?(?:nineteen|twenty|two\sthousand)(?:[\s-](?:and|hundred|oh|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|one|two|three|four|five|six|seven|eight|nine)){{0,3}})(?!\w)", near=MONTHS, shape=r"[nN]ineteen|[tT]wenty|[tT]wo\s", labelled=True),
    pattern("DATE", rf"(?<![\w./])(?P<x>(?:{_D}{_ORD}?\s?(?:-|–|to|al|bis|au|a|t/m|tot|e|y|et|und|and|en|&|,)\s?)?{_D}{_ORD}?\s(?:de\s|of\s)?(?!avr(?!\.|il))(?:{_OTHERS}))(?![\w])", near=MONTHS, shape=r"\d[^\W\d]{{0,2}}\.?\s".replace("{{", "{").replace("}}", "}"), check=_month_is_meant, labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_MONTH}\.?\s?(?:[-–/]|to|through|thru|bis|and|&)\s?{_MONTH}\.?,?\s(?:of\s)?(?:{_Y4}|['’]\d\d))(?!\w)", near=MONTHS, shape=r"(?:1[89]|20)\d\d|['’]\d\d", labelled=True),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_D}[./-](?:I{{1,3}}|IV|VI{{0,3}}|IX|XI{{0,2}})[./-](?:{_Y4}|\d\d))(?!\w)", 0, shape=r"\d[./-][IVX]", labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_Y4}[\s./-]?{_MONTH}[\s./-]?{_D}{_ORD}?{_TIME})(?!\w)", near=MONTHS, shape=r"\d{4}", labelled=True),
    pattern("DATE", rf"(?<!\w)(?P<x>{_D}{_ORD}?\s(?:of\s)?(?:muharram|safar|rabi['’]?\s?(?:al-)?\w+|jumada\s?(?:al-)?\w+|rajab|sha['’]?ban|shawwal|dhu(?:l|\sal)?[\s-]\w+|tishrei|cheshvan|kislev|tevet|shevat|adar|nis[sa]an|iyar|sivan|tammuz|elul|chaitra|vaisakha|farvardin|ordibehesht|khordad|tir|mordad|shahrivar|mehr|aban|azar|dey|bahman|esfand)(?:,?\s\d{{4}}(?:\s?(?:AH|H|AM|SH|هـ))?)?)(?!\w)", shape=r"\d\w{0,2}\s", near="muharram safar rabi jumada rajab sha shaban shawwal dhu dhul tishrei cheshvan kislev tevet shevat adar nisan nissan iyar sivan tammuz elul chaitra vaisakha farvardin ordibehesht khordad tir mordad shahrivar mehr aban azar dey bahman esfand", labelled=True),
    pattern("DATE", r"(?P<x>(?:令和|平成|昭和|大正)\s?(?:\d{1,2}|元)\s?[年.]\s?\d{1,2}\s?[月.]\s?\d{1,2}日?|(?<!\w)[RHS]\d{1,2}\.\d{1,2}\.\d{1,2}(?![\w.]))", 0, shape=r"[年和平成昭大]|[RHS]\d", labelled=True),
    pattern("DATE", rf"\b(?P<x>{_DAY}\.?,?\s+(?:the\s+)?{_D}(?:st|nd|rd|th))(?!\w)", starts="mon monday tue tues tuesday wed weds wednesday thu thur thurs thursday fri friday sat saturday sun sunday", labelled=True),
    pattern("DATE", r"(?P<x>(?:19|20)\d\d\s?年\s?\d{1,2}\s?月(?:\s?\d{1,2}\s?日)?|(?:19|20)\d\d\s?년\s?\d{1,2}\s?월(?:\s?\d{1,2}\s?일)?|\d{1,2}\s?月\s?\d{1,2}\s?日)", shape=r"[年년月]", labelled=True),
    pattern("DATE", r"\b(?P<x>ng[àa]y\s\d{1,2}\s(?:th[áa]ng\s\d{1,2}(?:\sn[ăa]m\s\d{4})?|[/-]\d{1,2}[/-]\d{2,4}))", starts="ngay", labelled=True),
    pattern("DATE", r"(?<!\w)(?P<x>mi-(?:janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre)|mid-(?:jan|feb|march|april|may|june|july|august|sept|oct|nov|dec)[a-z]*|(?:mitte|anfang|ende|eind|begin|half|d[ée]but|fin)\s(?:j[aä]n(?:uar|ner|uari)|februari?|m[äa]rz|maart|mei|juni|juli|august(?:us)?|september|oktober|november|dezember|december|janvier|f[ée]vrier|mars|avril|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre))(?!\w)", starts="mi mid early late mitte anfang ende eind begin half debut fin", labelled=True),
    pattern("DATE", rf"\b(?:on|by|until|since|from|before|after|for|through|till|of|between)\s+(?P<x>the\s+{_D}(?:st|nd|rd|th))(?!\w|[\s-]+(?:and\s\d+(?:st|nd|rd|th)|to\s\d+(?:st|nd|rd|th)|of\s(?!this|last|next)|(?:post|hospital|ribs?|weeks?|months?|days?|year|hour|floor|digits?|fingers?|toes?|meta|ray|inter|order|percentile|ventricle|nerve|cranial|attempt|try|pass|visit|dose|cycle|trimester|edition|thoracic|lumbar|cervical|sacral|vertebra|part|portion|segment|stage|centile|image|slice|branch|time|round|line|decade|century|scan|study|ct|lesion|nodule|left|right|anterior|posterior|lateral|disc|pulmonary|grade|generation|costo|proximal|distal|carpo|mtp|mcp|pip|dip|space)))", starts="on by until since from before after for through till of between", shape=r"\d(?:st|nd|rd|th)"),
    pattern("DATE", rf"\b(?:on|until|since|til|till|says|say|by|from)\s(?P<x>(?:the\s)?{_D}(?:st|nd|rd|th))(?=[,.;)]?(?:\s*\n|$)|[,.;)]\s(?!(?:and\s|&\s)?\d)|\s(?:at|w/|with|by|via|in\s(?:clinic|the\sam)|am|pm|morning|for)\b)", starts="on until since til till says say by from", shape=r"\d(?:st|nd|rd|th)", sure=False, check=_is_no_rib),
    pattern("DATE", rf"(?<![\w./-])(?P<x>{_Y4}/(?:0[1-9]|1[0-2]))(?![\w/-]|[.,]\d)", digits=6, check=_is_no_season),
    pattern("DATE", r"(?:(?<=\d:\d\d[ ])|(?<![\w./:-]))(?P<x>(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?=[ ](?:[01]\d|2[0-3]):[0-5]\d(?!\d))", digits=4),
    pattern("DATE", r"(?<=\d:\d\d[ ])(?P<x>(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?![\w/-]|[.,]\d)", digits=4),
    pattern("DATE", r"\b(?:corrected|amended|addend(?:ed|um)|resulted|collected|received|called|revised|verified|final|finalized)[ :]{1,2}(?P<x>(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?![\w/-]|[.,]\d)", starts="corrected amended addended addendum resulted collected received called revised verified final finalized"),
    pattern("DATE", rf"\b(?P<x>(?:mon|tues?|wed(?:s|nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?[ ](?:{_D}/{_D}|{_D}{_ORD}?[ ]{_MONTH}))(?![\w/])", starts="mon monday tue tues tuesday wed weds wednesday thu thur thurs thursday fri friday sat saturday sun sunday", labelled=True),
    pattern("DATE", rf"\b(?P<x>(?:the[ ])?{_ORDINAL}[ ](?:day[ ])?of[ ]{_MONTH})(?!\w)", near=MONTHS, labelled=True),
    pattern("DATE", rf"\b(?:v\.|vom|am|ab|seit)[ ](?P<x>{_D}\.(?:0?[1-9]|1[0-2])\.)(?!\d)", starts="v vom am ab seit"),
    pattern("DATE", r"\x01\)[ ](?P<x>(?:0?[1-9]|1[0-2])\.(?:1[3-9]|2\d|3[01]))(?=[;,.)]?(?:\s|$))", 0, shape=r"\x01\)[ ]\d"),
    pattern("DATE", rf"\b(?:scan|exam|study|date|dt|ct|mri|us|colonography|mammogram|seen|on|dob)[^\n\d]{{0,12}}[ :](?P<x>{_D}[ ][A-Z][a-z]{{2,10}}[ ]?/)(?=[ ]?(?:\x01|\d|[A-Z][a-z]+[ ]\d{{4}}))", 0, near="scan exam study date dt ct mri us colonography mammogram seen on dob"),
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
