# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Numbers and codes that nothing clinical explains.

A report's numbers belong to a closed world: values with units, ranges, sizes, levels, stages,
scores, image numbers, years, clocks, doses, isotopes, genes, models of scanners. What is long
enough to tell somebody apart and is none of these is taken for an identifier, doubtfully; so ids
are found that no pattern foresaw.
"""

import re
from collections.abc import Iterator

from voxcurate.scrubbing.billed import BILLED, ID_BEFORE, is_billed
from voxcurate.scrubbing.clinical_forms import CLOSED, GENES, MACHINES, PREFIXES, TOKENS
from voxcurate.scrubbing.forms import one_of
from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.pattern import UNITS
from voxcurate.scrubbing.vocabulary import fold, lexicon

# a run of letters and digits with joining signs, no comma or colon but between digits
_TOKEN = re.compile(
    r"[^\W_](?:\w|[-–‑/.+&*^~\\'’](?=\w)|(?<=\d)[,:](?=\d)|(?<=\d):(?=[A-Z]{1,3}\d))*"
)
_GROUPS = re.compile(
    r"(?<![\w.,/:+-])(?:[A-Z]{1,4}[ ]?)?\d{1,7}(?:[ \xa0-]\d{1,7}){1,6}(?![\w]|[.,:/]\d)"
)
_NUMBER = re.compile(r"\d+")
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_PARTS = re.compile(r"[-–‑/.+&*^~\\'’,:_]")

_N = r"\d{1,4}(?:[.,]\d{1,4})?"
_UNIT = rf"(?:{UNITS}|{one_of('explained', 'units_too')})"
_VALUE_UNIT = re.compile(
    rf"(?:[<>~≈±]?{_N}\s?(?:[-–/x×*:]|to)?\s?)*[ \t]*[-–]?(?:x|×|\*)?(?:10\^?\d)?{_UNIT}?(?:\^?[23²³])?(?:[/.·]{_UNIT}(?:\^?[23²³])?)*",
    re.IGNORECASE,
)
# a unit, or a power of ten, after a number
_UNIT_AFTER = re.compile(
    rf"(?![ \t]?(?-i:[MFD])(?!\w))[ \t]?[-–]?(?:(?:[x×*·][ \t]?10|10\^|e[+-]?\d)|(?:[x×*-]|–|to|by)[ \t]?{_N}[ \t]*-?{_UNIT}(?!\w)|{_UNIT}(?:[²³]|\^?[23])?(?:/\w+)?(?![\w@]|[.-]\w)|/\s?{one_of('explained', 'unit_after')}\b|[%°‰µ$€£])",
    re.IGNORECASE,
)
# laboratory values and settings of machines, whose numbers have no unit at times
_LAB_BEFORE = re.compile(
    rf"(?:\b{one_of('explained', 'lab_before')}[ \t]*{one_of('explained', 'lab_before_links')}*[ \t]*(?:\(?[\d.]+\)?[ \t]*(?:->|→|to|-|–|,|/|and|then)[ \t]*)*\(?)$",
    re.IGNORECASE,
)
_STRICT_ID_BEFORE = re.compile(
    rf"\b{one_of('explained', 'strict_id_before')}[ \t]*(?:[:#=]|is|was)?[ \t]*$",
    re.IGNORECASE,
)

_CODE_SYSTEM = re.compile(
    rf"\b{one_of('explained', 'code_system')}\s?(?:codes?|no\.?)?\s?[:#]?\s?\(?(?:[\w.]+\s?[,+/&]\s?)*$",
    re.IGNORECASE,
)
_SIZES = re.compile(
    rf"{_N}\s?(?:mm|cm|m)?(?:\s?[x×*]\s?{_N}\s?(?:mm|cm|m)?)+(?:[-–]?{_UNIT})?(?:[²³23])?",
    re.IGNORECASE,
)
_IMAGE_BEFORE = re.compile(
    r"\b(?:images?|imgs?|ims?|series|ser?|slices?|sl|frames?|bilder?|serie|coupes?)\b[\s\d/,;:#&.()–-]*$",
    re.IGNORECASE,
)
# a model's number beside its maker, device or lead
_DEVICE_BEFORE = re.compile(
    rf"\b{one_of('explained', 'device_before')}[ ,:(]{{1,2}}$",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"(?:[A-Z]{1,4}\d{1,4}[A-Z]{0,3}\d?|[A-Z]{2,5}-\d{2,3}|[A-Z]\d[A-Z]{2}\d{2}|[3-6]\d{3}-\d{2})"
)
_CHANGE = re.compile(
    r"(?:[A-Z]\d{1,4}(?:[A-Z]|del|fs|dup|ins)|\d{3,4}del\w*)(?:/(?:[A-Z]\d{1,4}(?:[A-Z]|del|fs|dup|ins|X)|\d{3,4}del\w*))*"
)
# names of protocols, series and kernels, of short numbers only: "Protocol Name: 2_ThorAbd_pv"
_PROTOCOL_BEFORE = re.compile(
    r"\b(?:protocol|protokoll|series|sequence|kernel|preset|recon|algorithm)(?:[ ]?(?:name|description|desc))?[ ]?[:=][ ]?(?:[\w.-]+[ ])?$",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d\.\d{1,6}")
_TIME_BEFORE = re.compile(r"\btime\W{0,4}$", re.IGNORECASE)
_SETTINGS = re.compile(r"[1-9]\d{0,2}(?:,[1-9]\d{0,2})*,\d{1,2}\.\d{1,4}")  # "120,1.25": kV, mm
_MORPHOLOGY = re.compile(r"[TMP]-[0-9A-F]{5}")
_PRESSURES = re.compile(r"[~<>]?\d{2,3}/\d{2,3}(?:[-–/]\d{2,3})*")
_VENTILATION = re.compile(
    rf"(?:\b{one_of('explained', 'ventilation')}\b[^\n\d]{{0,8}})(?:[\d./x-]+[ ,>]*){{0,2}}$",
    re.IGNORECASE,
)
_CAPITALS_BEFORE = re.compile(r"(?:^|[\s:#.])([A-Z]{2,5})[ ]$")
_YEAR = re.compile(r"(?:19|20)\d\d")
# the number of an implant in its maker's list: "stem ... ref 0580-1-442"
_CATALOGUE = re.compile(
    r"\b(?i:implants?|stem|cup|liner|cement|stent|graft|coils?|screws?|plate|prosthesis|lens|iol|valve|"
    r"catheter|mesh|cage|port|filter|head|insert|tibial|femoral)\b[^\n]{0,90}"
    r"\b(?i:ref|cat(?:alog(?:ue)?)?|part|model|item)(?:[ ]?(?:no\.?|\#))?[ :]{1,2}$"
)
_SHIFT = re.compile(r"(?:[01]\d|2[0-4])(?:00|15|30|45)[-–](?:[01]\d|2[0-4])(?:00|15|30|45)")


def find_unexplained(text: str) -> Iterator[Hit]:
    """Numbers and codes long enough to be somebody's that nothing clinical explains; doubtful.

    After a label such as "MRN" short ones count too, and they are sure.
    """
    for start, end in _tokens(text):
        token = text[start:end]
        digits = sum(map(str.isdigit, token))
        letters = sum(map(str.isalpha, token))
        if is_long(token, digits, letters):
            if not is_explained(text, start, end, digits, letters) and not is_value(
                text, start, end, labelled=True
            ):
                start, end = _with_letters(text, start, end)
                labelled = digits > 2 and ID_BEFORE.search(text, max(0, start - 30), start)
                yield Hit("ID", start, end, bool(labelled))
        elif digits >= 3 and _STRICT_ID_BEFORE.search(text, max(0, start - 32), start):
            yield Hit("ID", start, end)
    yield from _find_groups(text)


def _with_letters(text: str, start: int, end: int) -> tuple[int, int]:
    """A long number with the odd capitals before it and the two letters after: "TNMC 58814"."""
    if not text[start:end].isdigit():
        return start, end
    before = _CAPITALS_BEFORE.search(text, max(0, start - 8), start)
    if before and not _is_prefix(before[1]) and lexicon().kind(fold(before[1])) == "u":
        start = before.start(1)
    return start, end


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the tokens that hold a digit."""
    done = 0
    for digit in _NUMBER.finditer(text):
        start = digit.start()
        if start < done:
            continue
        while start > done and not text[start - 1].isspace():
            start -= 1
        for match in _TOKEN.finditer(text, start):
            done = match.end()
            if done > digit.start():
                yield match.span()
                break


def is_long(token: str, digits: int, letters: int) -> bool:
    """Whether a token is long enough to be somebody's own."""
    if letters:
        return len(token) >= 5
    return digits >= 6 or (digits == 5 and len(token) == 5)


def is_explained(text: str, start: int, end: int, digits: int, letters: int) -> bool:
    """Whether a token is a value, a level, a stage, a score, a gene... by its form and context."""
    token = text[start:end]
    if any(one.fullmatch(token) for one in TOKENS) or fold(token) in GENES:
        return not _goes_back(token)
    if is_billed(text, start, end):
        return True
    if _CHANGE.fullmatch(token) or _MORPHOLOGY.fullmatch(token):
        return True
    if _MODEL.fullmatch(token) and _DEVICE_BEFORE.search(text, max(0, start - 24), start):
        return True
    if letters == 0:
        if _SETTINGS.fullmatch(token) or (
            _CLOCK.fullmatch(token) and _TIME_BEFORE.search(text, max(0, start - 12), start)
        ):
            return True
        return _number_is_explained(text, start, end, digits)
    if digits <= 4 and _PROTOCOL_BEFORE.search(text, max(0, start - 40), start):
        return True
    if re.match(r"\d{3}(?!\d)", token) and re.search(
        r"(?<!\d)\d{1,3}[ \xa0]$", text[max(0, start - 4) : start]
    ):
        return True  # 250 000/µl
    if _SIZES.fullmatch(token):
        return True
    if digits <= 7 and not re.search(r"(?<![\d.,])0\d", token) and _VALUE_UNIT.fullmatch(token):
        return True
    if _LAB_BEFORE.search(text, max(0, start - 40), start) and digits <= 6:
        return True
    return _parts_are_explained(token, digits)


def _goes_back(token: str) -> bool:
    """Whether four digits after four others are no later hour: "1103-0042"."""
    hours = re.fullmatch(r"(\d{4})[-–](\d{4})", token)
    if hours is None or _SHIFT.fullmatch(token) or _YEAR.fullmatch(hours[1]):
        return False
    return not 0 < int(hours[2]) - int(hours[1]) < 1000


def _number_is_explained(text: str, start: int, end: int, digits: int) -> bool:
    token = text[start:end]
    if _CODE_SYSTEM.search(text, max(0, start - 24), start) or is_billed(text, start, end):
        return True
    if token.isdigit():
        if _UNIT_AFTER.match(text, end) and (token[0] != "0" and digits <= 7):
            return True
        if token.endswith("000") and token[0] != "0" and len(token.rstrip("0")) <= 3:
            return True
        return (
            digits <= 8
            and token[0] != "0"
            and _LAB_BEFORE.search(text, max(0, start - 40), start) is not None
        )
    parts = _PARTS.split(token)
    if any(len(part) > 4 for part in parts):
        return (
            digits <= 9
            and bool(re.fullmatch(r"\d{1,6}[.,]\d{1,3}|\d{1,6}[-–]\d{1,6}", token))
            and (
                _UNIT_AFTER.match(text, end) is not None
                or _LAB_BEFORE.search(text, max(0, start - 40), start) is not None
            )
        )
    if _UNIT_AFTER.match(text, end) and digits <= 8:
        return True
    ranges = re.split(r"[-–/x×*:]", token)
    if all(re.fullmatch(r"\d{1,4}(?:[.,]\d{1,3})?", one) for one in ranges) and any(
        "." in one or "," in one for one in ranges
    ):
        return True  # ranges and ratios of decimals
    if any(len(part) > 2 and part[0] == "0" for part in parts):
        return False
    if _VENTILATION.search(text, max(0, start - 40), start) or _IMAGE_BEFORE.search(
        text, max(0, start - 40), start
    ):
        return True
    if _PRESSURES.fullmatch(token) and digits <= 10 and _falls(token):
        return True
    if len(parts) == 2:
        return _is_range(parts, token)
    if len(parts) == 3 and "/" in token and all(int(part) % 10 == 0 for part in parts[1:]):
        return int(parts[0]) % 10 == 0  # b 50/400/800
    return len(parts) >= 4 and all(len(part) <= 3 for part in parts) and "/" in token


def _falls(token: str) -> bool:
    """Whether each pair of a blood pressure falls: 120/80-130/85."""
    return all(
        50 <= int(high) <= 300 and int(low) < int(high)
        for high, low in re.findall(r"(\d+)/(\d+)", token)
    )


def _is_range(parts: list[str], token: str) -> bool:
    low, high = int(parts[0]), int(parts[1])
    if "/" in token:
        return low % 5 == high % 5 == 0 and not _YEAR.fullmatch(parts[1])
    if len(parts[0]) == len(parts[1]) == 3:
        return low < high
    return low < high and low % 10 == 0 and high % 10 == 0


def _parts_are_explained(token: str, digits: int) -> bool:
    """Whether each part between joining signs is a word, a short number, or both as in "CK7"."""
    if digits > 5 and "_" not in token:
        return False
    parts = [part for part in _PARTS.split(token) if part]
    years = [part for part in parts if _YEAR.fullmatch(part)]
    if years and any(part.isdigit() and part not in years for part in parts):
        return False
    compound = not re.search(r"[^\w-]|_", token)  # a word of any language beside a gene or a number
    capital = any(part.isalpha() and part.isupper() for part in parts)
    brief = max(map(len, re.findall(r"\d+", token)), default=0) < 3
    for part in parts:
        if fold(part) in GENES:
            continue
        for run in _RUNS.findall(part):
            if run.isdigit():
                alone = run == part
                most = (
                    4 if alone and "_" not in token and (not capital or _YEAR.fullmatch(run)) else 3
                )
                if len(run) == 4 and "_" in token and run.startswith("00"):
                    continue  # the number of a file or series
                if (len(run) > most and not _YEAR.fullmatch(run)) or (
                    len(run) > 1 and run[0] == "0" and len(run) + capital > 2
                ):
                    return False
            elif not _is_prefix(run, alone=brief and run == part) and not (
                compound and run == part and run.islower() and len(run) > 3
            ):
                return False
    return True


def is_value(text: str, start: int, end: int, *, labelled: bool) -> bool:
    """Whether what a pattern took for a code is clinical: a value with its unit, working hours, a
    nodal station; or, where no label introduces it, of a closed form such as a gene's."""
    token = text[start:end]
    if re.fullmatch(r"\d{1,2}[RLrl][is]?", token):
        return re.search(r"station\s?$", text[max(0, start - 9) : start], re.I) is not None
    if re.match(r"[.,]\d", text[end : end + 2]) and end - start <= 3:
        return True
    if _CATALOGUE.search(text, max(0, start - 130), start):
        return True
    if re.search(r"\b[Pp]orts?[ :]{1,2}$", text[max(0, start - 7) : start]) and token.isdigit():
        return True  # of a computer
    if _is_tag(text, start, end) or _is_round_range(text, start):
        return True
    if re.fullmatch(r"T\d{5}", token) and re.match(r"[ ,/]{1,2}M\d{5}", text[end : end + 9]):
        return True  # topography and morphology
    if re.fullmatch(r"M\d{5}", token) and re.search(
        r"T\d{5}[ ,/]{1,2}$", text[max(0, start - 9) : start]
    ):
        return True
    if _SHIFT.fullmatch(token) or re.fullmatch(r"\d{1,3}[.,]\d{1,2}", token):
        return True
    if re.fullmatch(r"\d{1,4}", token):
        if labelled and re.match(r"[ ]?x[ ]?\d\b(?![ ]?(?:mm|cm))", text[end : end + 8]):
            return False  # a line rung so often: "ext 2781 x 3"
        return bool(_UNIT_AFTER.match(text, end))
    is_short = "_" in token and not re.search(r"\d{4}", token)
    if is_short and _PROTOCOL_BEFORE.search(text, max(0, start - 40), start):
        return True
    if labelled:
        return False
    if _CODE_SYSTEM.search(text, max(0, start - 24), start):
        return True
    if _MORPHOLOGY.fullmatch(token) or (BILLED.fullmatch(token) and is_billed(text, start, end)):
        return True
    last = token.split()[-1]
    if len(last) < 5 or last.isdigit() or last.isalpha():
        return False
    digits = sum(map(str.isdigit, last))
    return any(one.fullmatch(last) for one in TOKENS[CLOSED:]) or (
        digits <= 6 and "/" in last and _UNIT_AFTER.match(text, end) is not None
    )


def _is_tag(text: str, start: int, end: int) -> bool:
    """Whether a code is a half of a DICOM tag "(0008,103E)"."""
    around = text[max(0, start - 6) : end + 6]
    tag = re.search(r"\([0-9A-Fa-f]{4},\s?[0-9A-Fa-f]{4}\)", around)
    return tag is not None and text[start:end] in tag.group()


def _is_round_range(text: str, start: int) -> bool:
    """Whether a range of round numbers begins here, such as "950-1050" after "ref"."""
    span = re.match(r"(\d{2,4})[-–](\d{2,4})(?![\d-])", text[start : start + 10])
    return (
        span is not None
        and int(span[1]) < int(span[2])
        and int(span[1]) % 50 == int(span[2]) % 50 == 0
        and not _YEAR.fullmatch(span[1])
    )


def _is_prefix(run: str, *, alone: bool = False) -> bool:
    low = fold(run)
    if low in PREFIXES or (alone and len(run) <= 4 and run != low and low not in MACHINES):
        return True
    camel = re.findall(r"[A-Z][a-z]{2,}", run)
    if alone and len(camel) > 1 and "".join(camel) == run:
        return all(lexicon().kind(fold(one)) == "w" for one in camel)
    return len(run) > 2 and lexicon().kind(low) == "w"


def _find_groups(text: str) -> Iterator[Hit]:
    """Numbers in groups parted by spaces, seven digits or more: "2123 45670 1"."""
    for match in _GROUPS.finditer(text):
        start, end = match.span()
        groups = re.findall(r"\d+", match.group())
        labelled = _STRICT_ID_BEFORE.search(text, max(0, start - 30), start) is not None
        letters = re.match(r"[A-Z]{2,} ?", match.group())
        if (
            letters
            and not labelled
            and (_is_prefix(letters.group().strip()) or ID_BEFORE.match(letters.group()))
        ):
            start += letters.end()
        if sum(map(len, groups)) < (5 if labelled else 7) or not any(
            map(str.isspace, text[start:end])
        ):
            continue
        if labelled or not _groups_are_values(groups, text, start, end):
            yield Hit("ID", start, end, labelled)


def _groups_are_values(groups: list[str], text: str, start: int, end: int) -> bool:
    if any(len(g) > 1 and g[0] == "0" for g in groups):
        return False
    if _UNIT_AFTER.match(text, end) or _VENTILATION.search(text, max(0, start - 40), start):
        return True
    if _LAB_BEFORE.search(text, max(0, start - 40), start):
        return True
    if max(map(len, groups)) <= 3:
        return len(groups) > 4 or len({len(g) for g in groups}) > 1 or len(groups) < 3
    return all(_YEAR.fullmatch(g) or len(g) <= 2 for g in groups)
