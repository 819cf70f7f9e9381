"""Reading a report with clinical rules: no model, every answer with the sentence that proves it."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from retrieval.questions import Question, load_questions
from retrieval.rules.conclude import Conclusion
from retrieval.rules.evidence import Evidence
from retrieval.rules.implied import implied
from retrieval.rules.judge import evidence_of, normal_evidence
from retrieval.rules.places import Places
from retrieval.rules.preamble import is_title
from retrieval.rules.scan import Hit, Scan
from retrieval.rules.scanner import Scanner
from retrieval.rules.tables import Tables
from retrieval.rules.text import Sentence, sentences
from voxcurate.config import shipped
from voxcurate.protocols import Finding

RULES = "8"  # raised with every change of the code that may change an answer
_TITLE = re.compile(r"\S(?:[^\n]*\S)?")
_APART = re.compile(r"\n\s*\S")
_GOES_ON = re.compile(
    r"\s*(?:it|this|these|they|those|measur\w+|which|one|some|"
    r"(?:the )?(?:first|second|third|other)|"
    r"(?:the )?(?:largest|larger|biggest|smaller|smallest|dominant)|"
    r"the (?:lesion|mass|nodule|cyst|tumou?r|finding|focus|stone|calculus)s?)\b",
    re.I,
)


class RuleReader:
    """Reads one report into findings by rules (sections, anatomy, context of each phrase).

    A question that the report does not touch gets no finding. What several sentences say together
    is decided in `evidence`; a narrower question's yes is its broader ones' too, and several
    answers may together be a sign (``signs`` of a question). A size, choice or list ``of`` a
    question is told only where that one is answered yes or uncertain.

    Args:
        questions: defaults to the shipped ones. They are compiled at the first report.
    """

    name = "rules"

    def __init__(self, questions: Iterable[Question] | None = None) -> None:
        self.questions = tuple(questions) if questions is not None else load_questions()
        self.version = f"{RULES}-{_digest(self.questions)}"

    @cached_property
    def _compiled(self) -> tuple[Tables, Scanner, Places, list[tuple[int, ...]]]:
        tables = Tables(self.questions)
        broader = [_broader(question, tables) for question in self.questions]
        return tables, Scanner(tables), Places(tables), broader

    def __getstate__(self) -> dict[str, object]:
        """What is compiled is not pickled."""
        return {"questions": self.questions, "version": self.version}

    def read(self, text: str) -> list[Finding]:
        """Findings in the order of the questions; an empty report has none."""
        tables, scanner, places, broader_of = self._compiled
        scans: list[Scan] = []
        evidence: dict[int, list[Evidence]] = {}
        affirmed: list[dict[int, list[Hit]]] = []
        carried: list[frozenset[int]] = []
        before: Scan | None = None
        parts = sentences(text)
        if parts and not parts[0].section and is_title(parts[0].text):
            parts[0] = replace(parts[0], section="exam")
        for number, sentence in enumerate(parts):
            is_apart = before is None or (
                before.sentence.section != sentence.section
                or before.sentence.topic != sentence.topic
                or bool(_APART.search(text[before.sentence.end : sentence.start]))
            )
            scan = scanner.scan(sentence, before, is_apart)
            known: dict[int, list[Hit]] = {}
            for question, found, hit in evidence_of(scan, number, tables):
                evidence.setdefault(question, []).append(found)
                if hit is not None and found.value != "no" and found.kind == "said":
                    known.setdefault(question, []).append(hit)
            for question, found in normal_evidence(scan, number, tables):
                evidence.setdefault(question, []).append(found)
            for question, found in implied(scan, number, tables):
                evidence.setdefault(question, []).append(found)
            for question, hits in list(known.items()):  # a cyst is a lesion, too
                for broader in broader_of[question]:
                    known[broader] = [*known.get(broader, ()), *hits]
            going_on = self._going_on(scan, affirmed, known) if affirmed else frozenset()
            if not known:
                known = {question: [] for question in going_on}
            scans.append(scan)
            affirmed.append(known)
            carried.append(going_on)
            before = scan
        if not scans:
            return []
        title = _TITLE.search(text)
        if title and title.start() < scans[0].sentence.start:  # cut off as a heading
            name = Sentence(title.group(), title.start(), title.end(), "exam")
            scans.append(scanner.scan(name, None, is_apart=True))
            affirmed.append({})
            carried.append(frozenset())
        return Conclusion(tables, places, text, scans, affirmed, carried, evidence).findings()

    def _going_on(
        self, scan: Scan, affirmed: list[dict[int, list[Hit]]], known: dict[int, list[Hit]]
    ) -> frozenset[int]:
        """What a sentence goes on with that the one before affirms ("It measures 2 cm")."""
        if not _GOES_ON.match(scan.sentence.text):
            return frozenset()
        if not scan.groups:
            return frozenset(affirmed[-1])
        if known:
            return frozenset()
        named = frozenset(organ for group in scan.groups for organ in group.organs)
        asked = self.questions
        return frozenset(q for q in affirmed[-1] if asked[q].organ in named)


def _broader(question: Question, tables: Tables) -> tuple[int, ...]:
    """The questions above one, each by its first ``asked_when``."""
    found: list[int] = []
    while question.asked_when and question.asked_when[0] in tables.by_id:
        found.append(tables.by_id[question.asked_when[0]])
        question = tables.questions[found[-1]]
    return tuple(found)


def _digest(questions: tuple[Question, ...]) -> str:
    state = hashlib.sha256()
    for name in ("text.yaml", "cues.yaml", "terms.yaml"):
        state.update(shipped("reading", name).read_bytes())
    for question in questions:
        state.update(question.model_dump_json().encode())
    return state.hexdigest()[:10]
