"""What one sentence says on each question."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

from retrieval.questions import Question, terms
from retrieval.rules.context import Context
from retrieval.rules.cues import word_lists
from retrieval.rules.evidence import (
    IN_TOPIC,
    INHERITED,
    NORMAL,
    OTHERWISE,
    SURE,
    Evidence,
    confidence,
)
from retrieval.rules.normal import how_normal
from retrieval.rules.places import side_of_hit, side_words
from retrieval.rules.scan import Hit, Scan, roving, unpaired
from retrieval.rules.tables import Tables

QUIET = frozenset({"indication", "history", "comparison", "technique", "exam"})
_CANCER = re.compile(
    r"carcinoma|cancer|malignan|lymphoma|sarcoma|tumor|neoplas|melanoma|metasta|hcc|rcc"
)
_TREATED = re.compile(
    r"\b(?:status post|s/p|post[- ]?op\w*|restaging|re-staging|staging|surveillance|follow[- ]?up|"
    r"debulking|resected|under (?:chemo|immuno)?therapy|\w+ectomy|"
    r"(?:after|following|on) (?:chemo|radio|immuno)\w*|"
    r"\w+ectomies|known|treated|operated|on treatment|undergoing)\b",
    re.I,
)
_CALLED = re.compile(
    r"\s+(?:glands?\s+)?(?:is|are|appears?|remains?|looks?|was|were)\s+(?:\w+\s+)?", re.I
)
_OPEN = "affirmed, its nature open: "
_COUNTED = re.compile(
    r"\b(?:one|two|three|four|five|six|several|multiple|few|numerous|innumerable|many|\d+)\b", re.I
)
_COMPARING = frozenset({"than", "above", "beyond", "exceeding"})
_EXCEPTIONS = frozenset({"otherwise", "except", "apart", "aside", "remaining", "remainder"})


def may_read(question: Question, section: str) -> bool:
    """Whether sentences of a section count for a question."""
    if question.sections:
        return section in question.sections
    if question.anywhere:
        return section != "comparison"
    if question.surgery:
        return section != "technique"
    return section not in QUIET


def evidence_of(
    scan: Scan, number: int, tables: Tables
) -> Iterator[tuple[int, Evidence, Hit | None]]:
    """Each presence question's evidence in a sentence, with the hit that gave it."""
    section = scan.sentence.section
    sides = side_words(scan) if scan.hits else []
    starts = [h.first for h in scan.hits if h.role in ("term", "phrase")] if sides else []
    made: list[tuple[int, Evidence, Hit]] = []
    for hit in scan.hits:
        question = tables.questions[hit.question]
        if question.kind != "presence" or not may_read(question, section):
            continue
        found = _judge(question, hit, scan, number)
        if found is None:
            continue
        is_nodes = question.id == terms()["nodes"]["else"] and found.value != "no"
        if is_nodes and _is_placed(hit, scan, tables):
            continue
        if sides and found.value != "no" and question.organ not in unpaired():
            found.side = side_of_hit(hit, sides, scan.tokens.words, starts)
        made.append((hit.question, found, hit))
    doubted = {
        tables.questions[q].organ or q
        for q, e, _ in made
        if e.value == "uncertain" and e.kind == "said"
    }
    for q, found, hit in made:
        is_doubted = found.value == "yes" and (tables.questions[q].organ or q) in doubted
        is_counted = is_doubted and bool(_COUNTED.search(scan.sentence.text))
        if is_doubted and _is_vague(found.words, is_counted=is_counted):
            found.value, found.rule = "uncertain", "uncertain: a vague word beside a doubt"
        yield q, found, hit
        narrower = terms()["open"].get(tables.questions[q].id, "")
        if found.rule.startswith(_OPEN) and narrower in tables.by_id:
            rule = f"uncertain: {found.rule.removeprefix(_OPEN)}"
            sign = replace(found, value="uncertain", kind="sign", rule=rule, confidence=NORMAL)
            yield tables.by_id[narrower], sign, None


def _is_title(hit: Hit, scan: Scan) -> bool:
    """A cancer that a line names with its treatment and no verb: why the scan was made.

    Not where the line reads a finding so ("thickening consistent with the known gastric cancer").
    """
    if scan.context(hit).likely:
        return False
    words = scan.tokens.words
    named = " ".join(words[hit.first : hit.last])
    return (
        bool(_CANCER.search(named))
        and bool(_TREATED.search(scan.sentence.text))
        and not word_lists()["verbs"].intersection(words)
        and not any(w[:1].isdigit() and u in ("mm", "cm") for w, u in pairwise(words))
    )


def _is_placed(hit: Hit, scan: Scan, tables: Tables) -> bool:
    """Whether nodes lie where another question asks for them ("mediastinal nodes")."""
    organs = scan.organs(hit.first, hit.last)
    if not organs - roving():
        organs |= scan.subject
    places = terms()["nodes"]["places"].items()
    return any(name in tables.by_id and organs.intersection(found) for name, found in places)


def _judge(question: Question, hit: Hit, scan: Scan, number: int) -> Evidence | None:
    context = scan.context(hit)
    if context.unsaid or _is_set_aside(question, context):
        return None
    if not question.accepts and not context.negated and _is_title(hit, scan):
        return None
    words = " ".join(scan.tokens.words[hit.first : hit.last])
    value, rule = _value(question, hit, context, words)
    if not value:
        return None
    base = SURE if hit.is_own else IN_TOPIC if scan.is_topic else INHERITED
    sure = _confidence(base, context.likely, context.restricted)
    return Evidence(
        value,
        "sign" if hit.role == "sign" else "said",
        rule,
        sure,
        number,
        scan.sentence.section,
        words,
        change=context.change,
        is_restricted=context.restricted,
    )


@cache
def _confidence(base: float, is_likely: bool, is_restricted: bool) -> float:
    return confidence(base, is_likely=is_likely, is_restricted=is_restricted)


def _value(question: Question, hit: Hit, context: Context, words: str) -> tuple[str, str]:
    if hit.role == "sign":
        return ("", "") if context.negated else ("uncertain", "sign: what suggests it")
    if hit.role == "no":
        return ("", "") if context.negated or context.uncertain else ("no", "denied by its words")
    if context.negated:
        return "no", f"negated: {context.cues['negated'].lower()}"
    if context.uncertain:
        return "uncertain", f"uncertain: {context.cues['uncertain'].lower()}"
    if context.nature and (question.asked_when or _is_vague(words, is_counted=True)):
        return "uncertain", f"uncertain: {context.cues['nature'].lower()}"
    if context.nature:
        return "yes", f"{_OPEN}{context.cues['nature'].lower()}"
    if context.likely:
        return "yes", f"likely: {context.cues['likely'].lower()}"
    return "yes", "affirmed"


def _is_set_aside(question: Question, context: Context) -> bool:
    return (
        (context.historical and "historical" not in question.accepts)
        or (context.hypothetical and "hypothetical" not in question.accepts)
        or (context.family and "family" not in question.accepts)
    )


@cache
def _vague() -> tuple[str, ...]:
    return tuple(terms()["vague"])


@cache
def _countable() -> tuple[str, ...]:
    return tuple(terms()["countable"])


def _is_vague(words: str, *, is_counted: bool) -> bool:
    """Whether words name no finding; `is_counted`: one of those that a number makes a finding."""
    if is_counted and any(word.startswith(_countable()) for word in words.split()):
        return False
    return all(word.startswith(_vague()) or word in ("of", "in") for word in words.split())


def _called(scan: Scan, first: int) -> frozenset[str]:
    """The organs right before "are" that are called something."""
    text, start = scan.sentence.text, scan.tokens.starts[first]
    for group in reversed(scan.groups):
        if group.end <= start:
            is_said = _CALLED.fullmatch(text, group.end, start)
            return group.organs if is_said else frozenset()
    return frozenset()


def normal_evidence(scan: Scan, number: int, tables: Tables) -> Iterator[tuple[int, Evidence]]:
    """What "the liver is unremarkable" denies: of the organs it names, or that the line is on.

    "Normal except for a cyst" and "otherwise normal" deny too, with the least confidence: what is
    named besides is found by its own words and beats them.
    """
    if not scan.normals or scan.sentence.section in QUIET:
        return
    words = scan.tokens.words
    is_exception = bool(_EXCEPTIONS.intersection(words))
    for first, last in scan.normals:
        context = scan.scopes.of(first, last)
        if first and words[first - 1] in _COMPARING:
            continue  # "larger than normal"
        if words[max(0, first - 3) : first] == ["upper", "limit", "of"]:
            continue
        if context.negated or context.hypothetical or context.historical or context.uncertain:
            continue
        extent = how_normal(scan, first, last, tables)
        said = " ".join(words[first:last])
        rule = f"normal: {said}" if extent == "wholly" else f"normal in part: {said}"
        for organ in _called(scan, first) or scan.organs(first, last) or scan.subject:
            for q in tables.normal_of.get(organ, ()):
                question = tables.questions[q]
                if question.normal_size or (question.normal and extent == "wholly"):
                    sure = OTHERWISE if is_exception else NORMAL
                    yield q, Evidence("no", "normal", rule, sure, number, scan.sentence.section)
