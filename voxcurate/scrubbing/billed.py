# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Codes that bill an examination: CPT, HCPCS with their modifiers, items of a schedule."""

import re

from voxcurate.scrubbing.forms import one_of

ID_BEFORE = re.compile(
    rf"\b{one_of('explained', 'id_words')}\W{{0,3}}(?:(?:no|nr|num|number|id|code|is|was|there|here)\b\W{{0,3}})*$",
    re.IGNORECASE,
)
_EXAM_BEFORE = re.compile(
    rf"\b{one_of('explained', 'exam_before')}\b[^\n]*\((?:\w{{5}}\s?[/,+&]\s?)*$",
    re.IGNORECASE,
)
# billing codes of imaging, 7xxxx, beside an examination or another such code; items of a schedule
_BILLED_CODE = r"(?:(?:7\d|99)\d{3}|[ACEGJQR]\d{4})(?:-(?:RT|LT|TC|26|5\d|7[67]|Q[A-Z]))?"
BILLED = re.compile(rf"{_BILLED_CODE}(?:/{_BILLED_CODE}){{0,3}}(?:\^[A-Z]+)?")
_BILLED_NEAR = re.compile(
    rf"\b{one_of('explained', 'billed_near')}(?!\w)",
    re.IGNORECASE,
)
_ITEM_BEFORE = re.compile(
    r"\b(?:items?|mbs|ebm|ziffer|ccam|tarmed)[ ]?(?:no\.?|number|\#)?[: ]{1,2}(?:\d{4,5}[ ,/+&]{1,3})*$",
    re.I,
)


_CHARGED = re.compile(
    r"\b(?:charge[sd]?|billing|billed|cpt|hcpcs|ccam|(?:procedure|proc|billing|exam|acr|service|charge)[ ]codes?|codes)\W{0,3}(?:(?:for|as|with|under|is)[ ])?"
    r"(?:[A-Z]?\d{4,5}(?:-\w\w)?(?:[ ](?:for|x)[ ][\w -]{1,24}?)?[ ]?[,;/+&][ ]?(?:and[ ])?)*$",
    re.IGNORECASE,
)


def is_billed(text: str, start: int, end: int) -> bool:
    """Whether five digits are the code of an examination: "CT CHEST (71260)", "74150 or 74160"."""
    token = text[start:end]
    if BILLED.fullmatch(token):
        around = text[max(0, start - 40) : start] + " " + text[end : end + 25]
        if _BILLED_NEAR.search(around) and (
            "/" in token or not ID_BEFORE.search(text, max(0, start - 30), start)
        ):
            return True
        if re.search(r"code\s?[=:]\s?$", text[max(0, start - 8) : start], re.I) or "^" in token:
            return True
    if 5 <= end - start <= 8 and _CHARGED.search(text, max(0, start - 80), start):
        return True
    if _ITEM_BEFORE.search(text, max(0, start - 40), start) and end - start <= 5:
        return True
    line = text[max(text.rfind("\n", 0, start), start - 70, 0) : start]
    return (
        end - start == 5
        and _EXAM_BEFORE.search(line) is not None
        and re.match(r"(?:\s?[/,+&]\s?\w{5})*\)", text[end : end + 20]) is not None
    )
