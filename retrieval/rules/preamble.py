"""Where the findings begin behind an indication, history, comparison or technique."""

import re

from retrieval.rules.breaks import label_at

PREAMBLE = frozenset({"exam", "indication", "history", "comparison", "technique"})
_AFTER_SURGERY = re.compile(  # a line that goes on with what is seen now
    r"[ \t]*(?:status[ -]post|s/p|post|state after|condition after)\b[^.\n]*?"
    r"(?:\b(?:with (?:a|an|mild|moderate|severe|small|new|no|multiple|residual|\w+ effusion)|"
    r"there (?:is|are)|no (?:evidence|sign)|unchanged|stable)\b|\d\s?[mc]m\b)",
    re.I,
)
_NEWLINE = re.compile(r"\n")
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n")
_BACKGROUND = re.compile(
    r"[ \t]*(?:\?|[hcs]/[opc]\b|r/o\b|f/u\b|hx\b|pmh\b|\d+ ?-? ?(?:y|yr|yo|year)|"
    r"(?:the )?(?:patient|pt|images?|scan|study|exam(?:ination)?|sections|axial|coronal|helical|"
    r"intravenous|iv|oral|contrast|dose|ctdi|dlp|ct|known|history|previous|prior|post|status post|"
    r"referred|request|evaluate|assess|exclude|rule out|question|concern|compar(?:ed|ison)|he|she|"
    r"his|her|mr|mrs|ms|dr|diagnosed|underwent|treated|multiplanar|reformat\w*|reconstruct\w*)\b)",
    re.I,
)
_STATEMENT = re.compile(
    r"(?<=[.?!;])\s+(?!(?:[Nn]o|[Tt]here (?:is|are) no|[Tt]he) (?:prior|previous|comparison|iv|IV|"
    r"intravenous|oral|contrast|known|history|relevant|patient|study|scan|exam\w*|images?|request)\b)"
    r"(?=(?:There|No|Both|Bilateral|Normal|Mild|Moderate|Small|Severe|Multiple|Unremarkable)\b|"
    r"(?!He |She |Patient|Pt|This |Study|Scan|Exam|CT |Images?|Contrast|Intravenous|Oral)"
    r"[A-Za-z]+(?: [a-z]+){0,4} (?:is|are|appears?|shows?|demonstrates?|contains?|measures?|"
    r"normal|unremarkable|clear|intact)\b|"
    r"(?:On|In) the (?:\w+ ){0,3}(?:sections|images|slices|study|examination)\b|"
    r"[A-Z][a-z]+(?:,? [a-z]+){0,9} (?:is|are) "
    r"(?:present|seen|observed|noted|detected|identified)\b)"
)


_STUDY = re.compile(r"\b(?:ct|cta|ctpa|hrct|mdct|ct scan|tomography|angiogra\w+)\b", re.I)
_SAYS = re.compile(
    r"\b(?:is|are|was|were|has|have|shows?|demonstrates?|reveals?|there|no|normal|unremarkable|seen|"
    r"noted|increased|decreased|new|stable|unchanged|mild|moderate|severe|small|large)\b|"
    r"\d\s*(?:mm|cm)\b|:\s*\S",
    re.I,
)
_LONGEST_TITLE = 120  # characters


def is_title(text: str) -> bool:
    """Whether the first sentence of a report only names the study ("CTA chest, PE protocol")."""
    return (
        len(text) <= _LONGEST_TITLE
        and _STUDY.search(text) is not None
        and _SAYS.search(text) is None
    )


def first_finding(report: str, begin: int, end: int) -> int:
    """Where the findings begin behind a preamble: at a paragraph, label or statement.

    Else at the second line, or later where the lines go on with the patient or the examination.
    """
    begin += len(report[begin:end]) - len(report[begin:end].lstrip())
    blank = _PARAGRAPH.search(report, begin, end)
    stop = blank.start() if blank else end
    stop = begin + len(report[begin:stop].rstrip())
    for at in [m.end() for m in _NEWLINE.finditer(report, begin, stop)]:
        if (
            label_at(report, at, stop)
            or not _BACKGROUND.match(report, at, stop)
            or _AFTER_SURGERY.match(report, at, stop)
        ):
            return at
    stated = _STATEMENT.search(report, begin, stop)
    return stated.start() if stated else stop
