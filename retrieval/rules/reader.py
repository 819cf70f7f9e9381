"""Reading a report with clinical rules: no model, every answer with the sentence that proves it."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from retrieval.questions import Question, load_questions, roles, terms
from retrieval.rules.anatomy import OrganGroup, organ_groups, organs_of, topic_organs
from retrieval.rules.context import Context, context_of
from retrieval.rules.measure import Measurement, measurements
from retrieval.rules.phrases import Match, PhraseFinder, longest
from retrieval.rules.text import Sentence, sentences
from voxcurate.config import shipped
from voxcurate.protocols import Finding

RULES = "3"  # raised with every change of the code that may change an answer
_QUIET = frozenset({"indication", "history", "comparison", "technique", "exam"})
_RANK = {"yes": 2, "uncertain": 1, "no": 0}
_GOES_ON = re.compile(
    r"\s*(?:it|this|these|they|the (?:largest|lesion|mass|nodule|cyst|tumou?r)|measur\w+|which)\b",
    re.I,
)


@dataclass(frozen=True)
class _Hit:
    """A phrase of a question in a sentence; `role` says what the phrase is for."""

    question: str
    role: str  # term, phrase, exclude, no, or the choice's name after "choice:"


@dataclass(frozen=True)
class _View:
    """A sentence with its organs; `subject` are the organs it speaks of without naming any."""

    sentence: Sentence
    groups: list[OrganGroup]
    subject: frozenset[str]
    is_inherited: bool


class RuleReader:
    """Reads one report into findings by rules (sections, anatomy, context of each phrase).

    Yes beats uncertain beats no; among equals the surer, then the earlier sentence is the proof. A
    question that the report does not touch gets no finding. "The liver is unremarkable" answers no
    to the questions that say so, with confidence 0.6.

    Args:
        questions: defaults to the shipped ones.
    """

    name = "rules"

    def __init__(self, questions: Iterable[Question] | None = None) -> None:
        self.questions = tuple(questions) if questions is not None else load_questions()
        self._by_id = {item.id: item for item in self.questions}
        self._finder = PhraseFinder(_phrases(self.questions))
        self._sizes = [item for item in self.questions if item.kind == "size"]
        self.version = f"{RULES}-{_digest(self.questions)}"

    def read(self, text: str) -> list[Finding]:
        """Findings in the order of the questions; an empty report has none."""
        found: dict[str, Finding] = {}
        previous: list[str] = []
        for view in _views(text):
            hits = _without_excluded(self._finder.find(view.sentence.text))
            affirmed: dict[str, list[Match[_Hit]]] = {}
            for finding, hit in self._answers(view, hits):
                self._keep(found, finding)
                if finding.value in ("yes", "uncertain"):
                    affirmed.setdefault(finding.question, []).append(hit)
            for finding in self._normals(view):
                self._keep(found, finding)
            for finding in self._measured(view, hits, affirmed, previous):
                self._keep(found, finding)
            if affirmed or not _GOES_ON.match(view.sentence.text):
                previous = list(affirmed)
        return [found[item.id] for item in self.questions if item.id in found]

    def _keep(self, found: dict[str, Finding], new: Finding) -> None:
        old = found.get(new.question)
        if old is None or _is_stronger(new, old, self._by_id[new.question]):
            found[new.question] = new

    def _answers(
        self, view: _View, hits: list[Match[_Hit]]
    ) -> Iterator[tuple[Finding, Match[_Hit]]]:
        for hit in hits:
            question = self._by_id[hit.payload.question]
            if question.kind == "size" or not _may_read(question, view.sentence.section):
                continue
            confidence = 0.95
            if hit.payload.role == "term":
                organs = organs_of(view.sentence.text, hit.start, hit.end, view.groups)
                if question.organ not in (organs or view.subject):
                    continue
                confidence = 0.95 if organs else 0.85 if not view.is_inherited else 0.7
            answer = _answer(question, view.sentence, hit, confidence)
            if answer is not None:
                yield answer, hit

    def _normals(self, view: _View) -> Iterator[Finding]:
        sentence = view.sentence
        if sentence.section in _QUIET or "otherwise" in sentence.text.lower():
            return
        for start, end, is_partly in _normal_spans(sentence.text):
            if context_of(sentence.text, start, end).negated:
                continue
            organs = organs_of(sentence.text, start, end, view.groups) or view.subject
            for question in self.questions:
                if question.organ in organs and (
                    question.normal_size or (question.normal and not is_partly)
                ):
                    yield _finding(question.id, "no", sentence, 0.6)

    def _measured(
        self,
        view: _View,
        hits: list[Match[_Hit]],
        affirmed: dict[str, list[Match[_Hit]]],
        previous: list[str],
    ) -> Iterator[Finding]:
        if view.sentence.section in _QUIET:
            return
        text = view.sentence.text
        sizes = [m for m in measurements(text) if not m.is_prior and not m.is_distance]
        things = [h for h in hits if h.payload.role in ("term", "phrase")]
        for size in sizes:
            nearest = _nearest(size, things, view.groups, text)
            for question in self._sizes:
                own = [h for h in things if h.payload.question == question.id]
                if nearest is None:
                    goes_on = not view.groups and not things and _GOES_ON.match(text)
                    fits = bool(goes_on and question.of in previous)
                else:
                    fits = any(_same(nearest, h) for h in (*affirmed.get(question.of, ()), *own))
                if fits:
                    made = _finding(question.id, "number", view.sentence, 0.9 if nearest else 0.7)
                    yield replace(made, number=size.largest_mm, unit="mm")


def _phrases(questions: Iterable[Question]) -> Iterator[tuple[str, _Hit]]:
    for item in questions:
        for word, role in roles(item):
            yield word, _Hit(item.id, role)
        for choice, words in item.choices.items():
            for word in words:
                yield word, _Hit(item.id, f"choice:{choice}")


def _without_excluded(matches: Iterable[Match[_Hit]]) -> list[Match[_Hit]]:
    """Per question the longest phrases, those that do not count taken out."""
    by_question: dict[str, list[Match[_Hit]]] = {}
    for match in matches:
        by_question.setdefault(match.payload.question, []).append(match)
    kept = [m for items in by_question.values() for m in longest(items)]
    return sorted((m for m in kept if m.payload.role != "exclude"), key=lambda m: m.start)


def _may_read(question: Question, section: str) -> bool:
    if question.sections:
        return section in question.sections
    if question.anywhere:
        return section not in ("comparison",)
    if question.surgery:
        return section not in ("technique", "comparison")
    return section not in _QUIET


def _answer(
    question: Question, sentence: Sentence, hit: Match[_Hit], confidence: float
) -> Finding | None:
    context = context_of(sentence.text, hit.start, hit.end)
    if question.kind == "choice":
        choice = hit.payload.role.removeprefix("choice:")
        if context.negated or context.hypothetical:
            return None
        return replace(_finding(question.id, "choice", sentence, 0.9), choice=choice)
    if context.unsaid or _is_set_aside(question, context):
        return None
    value = "no" if context.negated or hit.payload.role == "no" else "yes"
    if context.uncertain and not context.negated:
        value = "uncertain"
    return _finding(question.id, value, sentence, confidence - (0.15 if context.likely else 0.0))


def _is_set_aside(question: Question, context: Context) -> bool:
    return any(
        getattr(context, role) and role not in question.accepts
        for role in ("historical", "hypothetical", "family")
    )


def _finding(question: str, value: str, sentence: Sentence, confidence: float) -> Finding:
    return Finding(
        question=question,
        value=value,  # type: ignore[arg-type]
        sentence=" ".join(sentence.text.split()),
        section=sentence.section,
        span=(sentence.start, sentence.end),
        confidence=round(confidence, 2),
    )


def _is_stronger(new: Finding, old: Finding, question: Question) -> bool:
    if new.value == "number":
        return (new.number or 0.0) > (old.number or 0.0)
    if new.value == "choice":
        order = list(question.choices)
        return order.index(new.choice) < order.index(old.choice)
    return (_RANK[new.value], new.confidence) > (_RANK[old.value], old.confidence)


def _views(report: str) -> Iterator[_View]:
    last, subject = None, frozenset[str]()
    for sentence in sentences(report):
        groups = organ_groups(sentence.text)
        topic = topic_organs(sentence.topic)
        is_next = (
            last is not None and last.section == sentence.section and last.topic == sentence.topic
        )
        if (
            is_next
            and last is not None
            and re.search(r"\n\s*\S", report[last.end : sentence.start])
        ):
            is_next = False  # a list item or paragraph of its own
        if groups or not is_next:
            subject = groups[0].organs if groups else frozenset()
        yield _View(sentence, groups, topic or subject, is_inherited=not topic)
        last = sentence


@cache
def _normal_words() -> tuple[PhraseFinder[str], tuple[re.Pattern[str], ...]]:
    finder = PhraseFinder((word, word) for word in terms()["normal"])
    return finder, tuple(re.compile(p, re.I) for p in terms()["partly_normal"])


def _normal_spans(sentence: str) -> list[tuple[int, int, bool]]:
    """Where something is called normal, and whether only its size, calibre or course."""
    finder, partly = _normal_words()
    return [
        (m.start, m.end, any(p.search(sentence[m.end :]) for p in partly))
        for m in longest(finder.find(sentence))
    ]


def _nearest(
    size: Measurement, things: list[Match[_Hit]], groups: list[OrganGroup], text: str
) -> Match[_Hit] | None:
    """The phrase a size belongs to: the nearest, what follows first; an organ's own: none."""
    for group in groups:
        is_thing = any(t.start < group.end and group.start < t.end for t in things)
        is_first = not any(thing.end <= group.start for thing in things)
        gap = text[group.end : size.start]
        if group.end <= size.start and is_first and not is_thing and _OWN_SIZE.fullmatch(gap):
            return None if len(things) == 0 else Match(group.start, group.end, _Hit("", "organ"))

    def distance(thing: Match[_Hit]) -> int:
        if thing.start >= size.end:
            return thing.start - size.end
        is_its_own = _OWN_SIZE.fullmatch(text[thing.end : size.start])
        return -1 if is_its_own else size.start - thing.end + _BEFORE_PENALTY

    return min(things, key=distance, default=None)


_BEFORE_PENALTY = 8  # characters: "2 cm cyst" beats "mass, 2 cm cyst"
_OWN_SIZE = re.compile(
    r"\s*(?:is|are|measures?|measuring|spans?|at)?\s*(?:up to|about|approximately)?\s*", re.I
)


def _same(a: Match[_Hit], b: Match[_Hit]) -> bool:
    return a.start < b.end and b.start < a.end


def _digest(questions: tuple[Question, ...]) -> str:
    state = hashlib.sha256()
    for name in ("text.yaml", "cues.yaml", "terms.yaml"):
        state.update(shipped("reading", name).read_bytes())
    for question in questions:
        state.update(question.model_dump_json().encode())
    return state.hexdigest()[:10]
