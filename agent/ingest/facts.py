"""De-identified facts about a scan: from a DICOM header or a row of the patients table."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from voxcurate.dicom import Series, identifiers
from voxcurate.identifiers import Identifiers
from voxcurate.scrub import leak_scan

MAX_AGE = 90  # stands for "90 or older", as HIPAA's Safe Harbor wants it

_PHASES = (
    (
        "non_contrast",
        r"non[\s_-]*contrast|nativ|plain|unenhanced|without|w/?o\b|\bnc\b|precontrast",
    ),
    ("arterial", r"arteri|\bart\b|\bcta\b|angio"),
    ("portal_venous", r"portal|portoven|venous|\bven\b|\bpv\b|\b70\s*s\b"),
    ("delayed", r"delay|\bdel\b|\blate\b|excret|nephro"),
)
_MODALITIES = {
    "CT": r"\bCTA?\b|CAT scan|tomograph",
    "MR": r"\bMRI?\b|\bMRCP\b|\bMRA\b|magnetic",
    "PT": r"\bPET\b|\bPT\b",
    "XR": r"\bXR\b|\bCR\b|\bDX\b|\bDR\b|x-?ray|radiograph",
    "US": r"\bUS\b|ultraso|sonogra",
    "MG": r"\bMG\b|mammo",
    "NM": r"\bNM\b|scintigra",
}
_HEADER = {
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "kernel": "ConvolutionKernel",
    "body_part": "BodyPartExamined",
}
_NUMBERS = {"kvp": "KVP", "slice_thickness_mm": "SliceThickness", "tilt_deg": "GantryDetectorTilt"}


def from_header(series: Series) -> dict[str, Any]:
    """Sex, age, phase, scanner and protocol of a series.

    Free text of the header never comes along: the phase is read from descriptions, which stay
    behind; short codes (manufacturer, kernel) are kept only if no identifier is in them.
    """
    known = identifiers(series)
    facts: dict[str, Any] = {"sex": sex(series.sex), "age": _capped(series.age_years)}
    words = ("SeriesDescription", "ProtocolName", "StudyDescription")
    found = (phase(series.fields.get(word, "")) for word in words)
    facts["phase"] = next(filter(None, found), "")
    if series.fields.get("ContrastBolusAgent"):
        facts["contrast"] = True
    for name, keyword in _HEADER.items():
        facts[name] = _code(series.fields.get(keyword, ""), known)
    for name, keyword in _NUMBERS.items():
        facts[name] = _number(series.fields.get(keyword, ""))
    return {name: value for name, value in facts.items() if value not in ("", None)}


def from_row(row: Mapping[str, str]) -> dict[str, Any]:
    """Sex, age, phase and manufacturer of a row of the patients table."""
    stated = row.get("phase", "").strip().lower().replace(" ", "_").replace("-", "_")
    facts: dict[str, Any] = {
        "sex": sex(row.get("sex", "") or row.get("gender", "")),
        "age": age(row.get("age", "")),
        "phase": phase(stated) or (stated if re.fullmatch(r"[a-z_]{1,20}", stated) else ""),
        "manufacturer": _code(row.get("manufacturer", ""), Identifiers()),
    }
    return {name: value for name, value in facts.items() if value not in ("", None)}


def sex(text: str) -> str:
    """``"F"``, ``"M"``, ``"O"``, or empty for anything else."""
    letter = text.strip().upper()[:1]
    return {"F": "F", "W": "F", "M": "M", "O": "O"}.get(letter, "")


def age(text: str) -> int | None:
    """Whole years of ``"67"``, ``"067Y"``, ``"67.5 years"``; 90 stands for all from 90 on."""
    found = re.fullmatch(r"\s*(\d{1,3}(?:\.\d+)?)\s*(?:y|years?|yrs?)?\s*", text, re.IGNORECASE)
    return _capped(float(found.group(1))) if found else None


@lru_cache(maxsize=1024)
def phase(text: str) -> str:
    """The contrast phase that a description names; empty if it names none, or several."""
    words = text.lower()
    found = [name for name, pattern in _PHASES if re.search(pattern, words)]
    if found[:1] == ["non_contrast"]:
        return found[0]
    return found[0] if len(found) == 1 else ""


@lru_cache(maxsize=1024)
def modality(text: str) -> str:
    """``"CT"``, ``"MR"``, ``"XR"``... that words name; empty if none or several do (PET/CT: PT)."""
    found = [kind for kind, words in _MODALITIES.items() if re.search(words, text, re.IGNORECASE)]
    if found == ["CT", "PT"]:
        return "PT"
    return found[0] if len(found) == 1 else ""


def _capped(years: float | None) -> int | None:
    return None if years is None or years < 0 or years > 130 else min(int(years), MAX_AGE)


def _code(text: str, known: Identifiers) -> str:
    short = text.strip()[:40]
    if not short or not re.fullmatch(r"[\w .,/()+-]+", short):
        return ""
    return "" if leak_scan(f"Manufacturer: {short}", known) else short  # alone it may be a town


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return round(value, 4) if value == value and abs(value) < 1e6 else None
