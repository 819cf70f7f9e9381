"""The identifiers that a header or table row already tells, and where they stand in a text.

What is known about a patient is the surest guide to what must go. Names are looked for part by
part (any order, any case, with or without accents, initials beside a known part); numbers with any
separators; dates in every common spelling.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from pydantic import Field

from voxcurate.config import Config


class Hit(NamedTuple):
    """A place in a text that identifies somebody: its kind and its span, never its value.

    `sure` is False where the words may be ordinary ones ("White" in "White matter").
    """

    kind: str
    start: int
    end: int
    sure: bool = True


class Identifiers(Config):
    """What is known of one patient and study; all of it must be gone from anything written.

    Names may be in DICOM form (``DOE^JOHN^A``), ``Doe, John A.`` or ``John A. Doe``.
    """

    names: tuple[str, ...] = Field((), description="the patient's names, relatives too")
    physicians: tuple[str, ...] = ()
    ids: tuple[str, ...] = Field((), description="patient ids, MRNs, UIDs, device serials")
    accessions: tuple[str, ...] = ()
    dates: tuple[date, ...] = Field((), description="birth, study, admission...")
    institutions: tuple[str, ...] = ()
    others: tuple[str, ...] = Field((), description="addresses, phones: removed literally")


# Surnames that are also words of a report: they count only where they stand like a name.
_ORDINARY_WORDS = """
abdomen arm back bell best black bland blood body bone bones bowel brain branch bright brown burns
bush case chest child clear close cold colon coarse cross day dense early east end field fine
fluid foot gray great green grey hand hard hart head heart hill hilum hip hope house joint kidney
knee knight large lane law left leg limb little liver long lord love low lung major marrow may
mean middle minor moon moore neck new noble north old oral page pain park pelvis plain pole pool
poor power price prior rib rich right root rose round sharp short silver singh sinus skin small
son south spine spleen spring stable star stone strong summers sweet temple vein wall ward water
weak wells west white wide will winter wise wood woods young the and for with from not are was has
"""
ORDINARY_WORDS = frozenset(_ORDINARY_WORDS.split())

# Names that belong to anatomy, diseases and operations; kept where a medical noun follows.
_EPONYMS = """
alzheimer baker barrett bartholin bosniak bouveret budd chiari castleman child pugh clark cooper
couinaud crohn cowper cushing douglas down fuhrman gartner gerota gleason glisson graves graf
hartmann hashimoto henle hill sachs hodgkin hounsfield huntington hutch kaposi kerley kienbock
klatskin krukenberg kupffer langerhans legg calve perthes littre luschka mallory weiss meckel
mirizzi monro morison morgagni bochdalek murphy nissen osgood paget pancoast parkinson pott
retzius richter riedel rokitansky salter harris santorini schatzki schmorl spigelian sylvius
tarlov todani treitz valsalva vater virchow warthin westermark wharton whipple wilms willis wilson
wirsung zenker zollinger ellison billroth bismuth forrest garre fleischner fisher fontaine
stanford debakey crawford marfan ehlers danlos ewing askin merkel burkitt sezary waldenstrom
wegener takayasu behcet sjogren roux ladd kasai blalock taussig fontan glenn mustard rastelli
seldinger hickman foley
"""
EPONYMS = frozenset(_EPONYMS.split())
_MEDICAL_NOUN = re.compile(
    r"(?:['’]?s)?(?:[\s-]+(?:and|[-–])?\s*\w+)?[\s-]+(?:disease|syndrome|lymphoma|procedure|operation|resection|"
    r"duct|pouch|fascia|space|node|nodule|nodes|score|class|grade|stage|criteria|segment|classification|tumou?r|"
    r"sarcoma|hernia|diverticulum|ligament|line|lines|lesion|fracture|ulcer|sign|cyst|esophagus|oesophagus|"
    r"type|ring|capsule|triangle|cells?|units?|catheter|balloon|anastomosis|loop|fundoplication|stump|category|"
    r"canal|foramen|ampulla|matter|lobe|thyroiditis|macroglobulinemia|carcinoma|gastrectomy|pugh|criterion)\b",
    re.IGNORECASE,
)
_NO_ID = frozenset({"unknown", "none", "anonymous", "anon"})
_TITLES = "md do phd mr mrs ms dr prof jr sr ii iii iv von van de der den la le del da di"
_SUFFIXES = frozenset(_TITLES.split())
_TITLE = r"(?:dr|mr|mrs|ms|miss|prof|professor|doctor|patient|pt)\.?\s+"
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def fold(text: str) -> str:
    """Lower case without accents, of exactly the same length, so that spans carry over."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_char(char) for char in text)


def _fold_char(char: str) -> str:
    if char.isascii():
        return char.lower()
    plain = unicodedata.normalize("NFKD", char)[:1].lower()
    return plain if len(plain) == 1 else char


def name_parts(name: str) -> tuple[str, ...]:
    """Parts of a name, folded, without titles, particles and bare initials: ``("doe", "john")``."""
    words = [word for piece in _WORD.findall(name) for word in _split_hyphen(fold(piece))]
    return tuple(dict.fromkeys(w for w in words if len(w) > 1 and w not in _SUFFIXES))


def is_title(text: str) -> bool:
    """Whether nothing but titles and particles stands there: "Dr.", "MD, PhD"."""
    words = _WORD.findall(fold(text))
    return bool(words) and all(word in _SUFFIXES for word in words)


def _split_hyphen(word: str) -> list[str]:
    pieces = [piece for piece in re.split(r"[-’']", word) if len(piece) > 1]
    return [word, *pieces] if len(pieces) > 1 else [word]


@lru_cache(maxsize=512)
def _chain(parts: frozenset[str], embedded: bool) -> re.Pattern[str]:
    """Known parts of names in a row, with initials and what may stand between."""
    before, after = (r"(?<![^\W\d_])", r"(?![^\W\d_])") if embedded else (r"(?<!\w)", r"(?!\w)")
    known = "|".join(sorted(map(re.escape, parts), key=len, reverse=True))
    # "j. doe", "doe, j. a.", "doe^john": initials and separators between known parts
    gap = r"(?:\s*,\s*|[\s._^]+|-)"
    return re.compile(
        rf"{before}(?:(?<![\w'’])[a-z]\.?\s+){{0,2}}(?:{known})"
        rf"(?:{gap}(?:[a-z]\.?{gap})?(?:{known})(?!\w))*"
        rf"(?:,?\s+[a-z]\.(?=\W|$))?(?:['’]s)?{after}"
    )


def find_names(text: str, names: Iterable[str], *, embedded: bool = False) -> Iterator[Hit]:
    """Parts of the names as whole words; neighbouring initials and known parts join into one hit.

    A part of up to two letters, an ordinary word or an eponym counts only where it stands like a
    name: capitalised beside another part, an initial or a title. An eponym before a medical noun
    ("Hodgkin lymphoma") is kept unless a title or another part stands before it.

    Args:
        text: the text.
        names: names in any form.
        embedded: treat digits and underscores as word ends too, as in file names.
    """
    parts = {part for name in names for part in name_parts(name)}
    if not parts:
        return
    folded = fold(text)
    if not any(part in folded for part in parts):
        return
    chain = _chain(frozenset(parts), embedded)
    for match in chain.finditer(folded):
        start, end = match.span()
        words = _WORD.findall(match.group().removesuffix("'s").removesuffix("’s"))
        hits = [w for w in words if w in parts or any(p in parts for p in re.split(r"[-’']", w))]
        lone = len({*hits}) == 1 and len(words) == 1
        titled = re.search(_TITLE + r"$", folded[max(0, start - 12) : start]) is not None
        if not lone or titled:
            yield Hit("NAME", start, end)
            continue
        part = hits[0]
        if part in EPONYMS and _MEDICAL_NOUN.match(folded, start + len(part)):
            continue
        if len(part) > 2 and part not in ORDINARY_WORDS:
            yield Hit("NAME", start, end)
        elif text[start].isupper() and text[start : start + len(part)].istitle():
            # a capital inside a sentence is a name; at its beginning it may be a word
            inside = re.search(r"[\w,;]\s+$", text[:start]) is not None
            if inside and not _MEDICAL_NOUN.match(folded, start + len(part)):
                yield Hit("NAME", start, end, sure=len(part) <= 2)


_SEPARATORS = re.compile(r"[\s./_-]")  # that may stand within an id


def find_ids(text: str, ids: Iterable[str], *, kind: str, embedded: bool = False) -> Iterator[Hit]:
    """Known numbers with any case and leading zeros; from seven digits on with any separators.

    An id of fewer than four letters and digits would hit image numbers and sizes: it counts only
    after a word such as "MRN", "ID" or "No.".
    """
    edge = ("", "") if embedded else (r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])")
    squeezed = _SEPARATORS.sub("", fold(text)).replace("ı", "i")
    for one in ids:
        core = re.sub(r"[^A-Za-z0-9]", "", one)
        short = len(core.lstrip("0")) < 4
        core = core.lstrip("0") or core
        if not core or not any(char.isalnum() for char in core):
            continue
        if core.isalpha() and core.lower() in ORDINARY_WORDS | _NO_ID:
            continue
        if fold(core) not in squeezed:
            continue
        # a short number with separators would be a size: "12.34 mm", "12-34"
        loose = "" if core.isdigit() and len(core) < 7 else r"[\s./_-]?"
        body = loose.join(map(re.escape, core))
        lead = r"(?:\b(?:mrn|id|no|number|patient|acc|accession)[\s.:#]*)" if short else ""
        first = r"(?<![A-Za-z0-9])" if short else edge[0]
        last = r"(?![A-Za-z0-9])" if short else edge[1]
        pattern = re.compile(rf"{lead}{first}(?P<id>0*{body}){last}", re.IGNORECASE)
        for match in pattern.finditer(text):
            yield Hit(kind, *match.span("id"))


_MONTHS = (
    ("jan", "january"), ("feb", "february"), ("mar", "march"), ("apr", "april"),
    ("may", "may"), ("jun", "june"), ("jul", "july"), ("aug", "august"),
    ("sep", "september"), ("oct", "october"), ("nov", "november"), ("dec", "december"),
)  # fmt: skip


def date_spellings(day: date) -> Iterator[str]:
    """Expressions for the spellings of a known date; separators and leading zeros are free."""
    short, long = _MONTHS[day.month - 1]
    d, m = f"0?{day.day}", f"0?{day.month}"
    y = f"(?:{day.year:04d}|['’]?{day.year % 100:02d})"
    sep = r"\s*[-/.]\s*"
    month = rf"(?:{long}|{short})\.?"
    ordinal = rf"{d}(?:st|nd|rd|th)?"
    yield f"{day:%Y%m%d}"
    yield f"{day:%d%m%Y}"
    yield f"{day:%m%d%Y}"
    yield rf"{day.year:04d}[-/._]{m}[-/._]{d}"
    yield rf"{d}{sep}{m}{sep}{y}"
    yield rf"{m}{sep}{d}{sep}{y}"
    yield rf"{month}[\s-]*{ordinal}(?:\s*,?\s*{y})?"
    yield rf"{ordinal}[\s.-]*(?:of\s+)?{month}(?:[\s,-]*{y})?"


_THREE_NUMBERS = re.compile(r"(?=(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*['’]?(\d\d))")


def find_dates(text: str, dates: Iterable[date]) -> Iterator[Hit]:
    """Known dates in their common spellings; whole numbers only."""
    folded = ""
    three: set[tuple[int, int]] = set()
    for day in dates:
        if not folded:
            folded = fold(text)
            three = {(int(a), int(b)) for a, b, _ in _THREE_NUMBERS.findall(text)}
        spellings = [s for s in date_spellings(day) if _may_spell(s, day, folded, three)]
        if not spellings:
            continue
        for match in _any_of(*spellings).finditer(text):
            yield Hit("DATE", *match.span())


@lru_cache(maxsize=512)
def _any_of(*spellings: str) -> re.Pattern[str]:
    pattern = "|".join(f"(?:{spelling})" for spelling in spellings)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.IGNORECASE)


def _may_spell(spelling: str, day: date, folded: str, three: set[tuple[int, int]]) -> bool:
    """Whether a text is worth searching for one spelling of a date; False only if it is not there.

    Args:
        spelling: one of `date_spellings`.
        day: the date.
        folded: the text.
        three: the first two of every three numbers that stand like a date.
    """
    if spelling.isdigit():
        return spelling in folded
    if spelling.startswith(f"{day.year:04d}"):
        return f"{day.year:04d}" in folded
    month, _ = _MONTHS[day.month - 1]
    if month in spelling:
        return month in folded
    return (day.day, day.month) in three or (day.month, day.day) in three


def find_literals(text: str, phrases: Iterable[str], *, kind: str) -> Iterator[Hit]:
    """Known phrases in any case, accents and white space aside; from four letters on."""
    folded = ""
    for phrase in phrases:
        folded = folded or fold(text)
        words = fold(phrase).split()
        if sum(map(len, words)) < 4 or (len(words) == 1 and words[0] in ORDINARY_WORDS):
            continue
        body = r"[\s_.,-]+".join(re.escape(word.strip(".,")) for word in words if word.strip(".,"))
        for match in re.finditer(rf"(?<!\w){body}(?!\w)", folded):
            yield Hit(kind, *match.span())


def find_known(text: str, known: Identifiers, *, embedded: bool = False) -> Iterator[Hit]:
    """Every place of the text that holds a known identifier; hits may overlap."""
    yield from find_literals(text, known.others, kind="OTHER")
    yield from find_literals(text, known.institutions, kind="INSTITUTION")
    yield from find_ids(text, known.ids, kind="ID", embedded=embedded)
    yield from find_ids(text, known.accessions, kind="ID", embedded=embedded)
    yield from find_dates(text, known.dates)
    yield from find_names(text, (*known.names, *known.physicians), embedded=embedded)
