"""Reading a report with clinical rules: no model, every answer with the sentence that proves it."""

import hashlib
import re
from collections.abc import Iterable
from functools import cached_property

from retrieval.questions import Question, load_questions, steps
from retrieval.rules.conclude import Conclusion
from retrieval.rules.evidence import Evidence
from retrieval.rules.judge import evidence_of, node_evidence, normal_evidence
from retrieval.rules.scan import Hit, Scan, Scanner
from retrieval.rules.tables import Tables
from retrieval.rules.text import Sentence, sentences
from voxcurate.config import shipped
from voxcurate.protocols import Finding

RULES = "5"  # raised with every change of the code that may change an answer
_TITLE = re.compile(r"\S(?:[^\n]*\S)?")
_APART = re.compile(r"\n\s*\S")
_GOES_ON = re.compile(
    r"\s*(?:it|this|these|they|those|measur\w+|which|one|some|"
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
    def _compiled(self) -> tuple[Tables, Scanner, list[tuple[Question, ...]]]:
        tables = Tables(self.questions)
        return tables, Scanner(tables), steps(self.questions)

    def __getstate__(self) -> dict[str, object]:
        """What is compiled is not pickled."""
        return {"questions": self.questions, "version": self.version}

    def read(self, text: str) -> list[Finding]:
        """Findings in the order of the questions; an empty report has none."""
        tables, scanner, depths = self._compiled
        scans: list[Scan] = []
        evidence: dict[int, list[Evidence]] = {}
        affirmed: list[dict[int, list[Hit]]] = []
        before: Scan | None = None
        for number, sentence in enumerate(sentences(text)):
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
            for question, found in node_evidence(scan, number, tables):
                evidence.setdefault(question, []).append(found)
            if not known and affirmed and not scan.groups and _GOES_ON.match(sentence.text):
                known = {question: [] for question in affirmed[-1]}
            scans.append(scan)
            affirmed.append(known)
            before = scan
        if not scans:
            return []
        title = _TITLE.search(text)
        if title and title.start() < scans[0].sentence.start:  # cut off as a heading
            name = Sentence(title.group(), title.start(), title.end(), "exam")
            scans.append(scanner.scan(name, None, is_apart=True))
            affirmed.append({})
        return Conclusion(tables, text, scans, affirmed, evidence).findings(depths)


def _digest(questions: tuple[Question, ...]) -> str:
    state = hashlib.sha256()
    for name in ("text.yaml", "cues.yaml", "terms.yaml"):
        state.update(shipped("reading", name).read_bytes())
    for question in questions:
        state.update(question.model_dump_json().encode())
    return state.hexdigest()[:10]
