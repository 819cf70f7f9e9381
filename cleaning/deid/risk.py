"""Files whose pixels or payload may show who it is: not written unless asked for."""

import re
from collections.abc import Callable

_PRESENTATION = "1.2.840.10008.5.1.4.1.1.11."
_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
_ULTRASOUND = tuple(f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("3", "3.1", "6", "6.1", "6.2", "6.3"))
_VISIBLE = "1.2.840.10008.5.1.4.1.1.77.1."  # photographs, endoscopy, microscopy, video
_SCREEN = re.compile(
    r"screen\s?(?:save|shot|cap\w*)|snapshot|dose[_\s]?(?:report|info|sheet|summary|record)|"
    r"patient[_\s]?protocol|exam[_\s]?(?:summary|protocol)|secondary\s?capture|\bsr\s?report\b|"
    r"som\d?[_ ]prot|\bkey\s?images?\b|scanned|paper|worklist|requisition|consent",
    re.IGNORECASE,
)
_HEAD = re.compile(r"head|brain|skull|face|facial|sinus|orbit|schädel|neck|kopf", re.IGNORECASE)
_SCANNED = {"WSD", "DI", "DF", "SD", "DV", "SYN", "SI", "DRW"}
_RISKY_MODALITIES = {"US", "SC", "OT", "ES", "XC", "GM", "DOC", "IVUS", "ECG", "HC", "DG", "SMR"}


def risk_of(sop_class: str, value: Callable[[str], str]) -> str:
    """Why a file should not be released, in words without a value; ``""``: nothing speaks
    against it.

    Args:
        sop_class: its SOP class.
        value: text of an attribute of the header by keyword, ``""`` if absent.
    """
    burned = value("BurnedInAnnotation").upper()
    if burned.startswith("Y"):
        return "burned-in annotation: YES"
    if sop_class.startswith(_DOCUMENTS):
        return "encapsulated document"
    if sop_class.startswith(_PRESENTATION):
        return "presentation state: may draw text"
    is_secondary = sop_class == _SECONDARY or sop_class.startswith(f"{_SECONDARY}.")
    if is_secondary:
        return "secondary capture: may show a screen, a dose report or paper"
    told = f"{value('SeriesDescription')} {value('ImageType')} {value('ProtocolName')}"
    if _SCREEN.search(told.replace("\\", " ")):
        return "said to be a screenshot or a report"
    if burned.startswith("N"):
        return ""
    if sop_class in _ULTRASOUND:
        return "ultrasound without a word on burned-in annotation"
    if sop_class.startswith(_VISIBLE):
        return "photograph or video without a word on burned-in annotation"
    if value("ConversionType") in _SCANNED:
        return "digitised or drawn without a word on burned-in annotation"
    if value("Modality") in _RISKY_MODALITIES and value("Rows"):
        return "pixels of an uncertain kind without a word on burned-in annotation"
    return ""


def may_show_face(value: Callable[[str], str]) -> bool:
    """Whether the header says that the head is in it, whose surface may show a face."""
    told = " ".join(value(word) for word in ("BodyPartExamined", "StudyDescription"))
    told += " " + value("SeriesDescription")
    return _HEAD.search(told) is not None
