"""A question in plain language made into a cohort query.

By vocabulary, not by a model: what is not in the vocabulary is returned as not understood, never
guessed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from retrieval.questions import Question, expand, load_questions, roles
from retrieval.rules.anatomy import organ_groups, organs_of
from retrieval.rules.context import context_of
from retrieval.rules.measure import measurements
from retrieval.rules.phrases import Match, PhraseFinder, longest
from retrieval.search.frames import frames
from retrieval.search.joining import Said, join
from retrieval.search.query import CohortQuery, Condition
from retrieval.search.tree import Tree
from voxcurate.config import build, read_yaml, shipped

_AGE = re.compile(
    r"\b(\d{1,3})\s*(?:(?:to|-|–|and)\s*(\d{1,3})\s*)?(?:-|\s)?(?:years?|yrs?|y/?o)\b", re.I
)
_AGED = re.compile(r"\b(?:aged?|ages)\s+(?:(\d{1,3})\s*(?:to|-|–|and)\s*)?(\d{1,3})\b", re.I)
_OLDER = re.compile(
    r"\b(older|younger) than\s+(\d{1,3})\b"
    r"|\bover\s+(\d{1,3})(?!\s*(?:mm|cm|\d|scans|cases|patients))\b",
    re.I,
)
_LIMIT = re.compile(
    r"\b(?:first|top|at most)?\s*(\d+)\s+(?:scans?|cases?|patients?|cts?|exams?|studies)\b", re.I
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*|\d+(?:\.\d+)?")
_AFTER_PENALTY = 8  # characters: "tumours over 2 cm or cysts" speaks of tumours
_MALIGNANT_NEAR = 30  # characters: "malignant solid pancreatic tumour"
_BOUNDS = {"below": "below", "at_most": "at_most", "above": "above", "at_least": "at_least"}


@dataclass(frozen=True)
class Asked:
    """What a question was understood as, and the words that were not understood."""

    query: CohortQuery
    not_understood: tuple[str, ...]
    used: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Found:
    question: Question
    start: int
    end: int


def ask(
    text: str, questions: Iterable[Question] | None = None, sources: Sequence[str] = ()
) -> Asked:
    """The cohort query of a question in plain language.

    Understands organs and findings, operations, contrast phase, sizes ("under 2 cm"), age, sex,
    modality, the names of `sources`, order ("earliest first") and a number of scans. "Without" and
    "no" ask for a no.

    Args:
        text: the question; empty asks for everything.
        questions: defaults to the shipped ones.
        sources: names of sources in the catalog.
    """
    known = tuple(questions) if questions is not None else load_questions()
    done = [f for f in _findings(text, known, []) if f.question.surgery]
    frame = frames(text, [(f.start, f.end) for f in done])
    shown, taken = frame.text, list[tuple[int, int]]()
    choices = _choices(shown, known, taken)
    findings = _findings(shown, known, taken)
    choices += _places(shown, findings, known, taken)
    layer: dict[str, Any] = {**_people(shown, taken), **_rest(shown, sources, taken), **frame.layer}
    parts = join(shown, frame, _conditions(shown, findings, known, taken), choices)
    used = [(text[a:b], use) for a, b, use in frame.used] + parts.used
    layer.update(parts.layer)
    query = build(CohortQuery, layer).model_copy(update=parts.groups)
    spent = [*taken, *((a, b) for a, b, _ in frame.used), *parts.taken]
    return Asked(query, _left(text, spent), tuple(used))


def _findings(text: str, known: Sequence[Question], taken: list[tuple[int, int]]) -> list[_Found]:
    """The most specific question for each phrase: the one with the fewest phrases of its own."""
    groups = organ_groups(text)
    best: dict[tuple[int, str], _Found] = {}
    for match in longest_per_question(_finder(known).find(text)):
        question, role = match.payload
        organs = organs_of(text, match.start, match.end, groups)
        if role == "term" and question.organ not in organs:
            continue
        key = (match.end, question.organ or min(organs, default=""))
        found = _Found(question, match.start, match.end)
        if key not in best or _size(question) < _size(best[key].question):
            best[key] = found
        taken.append((match.start, match.end))
        taken.extend((g.start, g.end) for g in groups if question.organ in g.organs)
    chosen = [_made_malignant(text, found, known, taken) for found in best.values()]
    return [f for f in chosen if not any(_hides(other, f) for other in chosen)]


def _made_malignant(
    text: str, found: _Found, known: Sequence[Question], taken: list[tuple[int, int]]
) -> _Found:
    """ "Malignant pancreatic tumour" asks the organ's question on malignancy, if it has one."""
    words = "|".join(map(re.escape, _ask()["malignant"]))
    before = re.search(rf"\b(?:{words})\b(?P<gap>[^,;.]*)$", text[: found.start], re.I)
    narrower = next(
        (q for q in known if q.organ == found.question.organ and q.id.endswith("_malignancy")), None
    )
    if before is None or narrower is None or len(before.group("gap")) > _MALIGNANT_NEAR:
        return found
    taken.append(before.span())
    return _Found(narrower, found.start, found.end)


def longest_per_question(
    matches: Iterable[Match[tuple[Question, str]]],
) -> list[Match[tuple[Question, str]]]:
    """Overlapping phrases of one question: the longest."""
    by_question: dict[str, list[Match[tuple[Question, str]]]] = {}
    for match in matches:
        by_question.setdefault(match.payload[0].id, []).append(match)
    return [m for items in by_question.values() for m in longest(items)]


def _hides(other: _Found, found: _Found) -> bool:
    covers = other.start <= found.start and found.end <= other.end
    return covers and (other.end - other.start) > (found.end - found.start)


def _size(question: Question) -> int:
    return len(expand(question.terms)) + len(question.phrases)


def _finder(known: Sequence[Question]) -> PhraseFinder[tuple[Question, str]]:
    """The finder of some questions; that of the last ones asked for is kept."""
    if not _LAST or _LAST[0][0] is not known:
        _LAST[:] = [(known, _made_finder(known))]
    return _LAST[0][1]


_LAST: list[tuple[Sequence[Question], PhraseFinder[tuple[Question, str]]]] = []


def _made_finder(known: Sequence[Question]) -> PhraseFinder[tuple[Question, str]]:
    return PhraseFinder(
        (word, (question, role))
        for question in known
        if question.kind == "presence"
        for word, role in roles(question)
        if role in ("term", "phrase")
    )


def _conditions(
    text: str, findings: Sequence[_Found], known: Sequence[Question], taken: list[tuple[int, int]]
) -> list[Said]:
    made = []
    tree = Tree.of(known)
    for found in sorted(findings, key=lambda f: f.start):
        context = context_of(text, found.start, found.end)
        unsure = context.uncertain and not context.negated
        condition = Condition(
            question=found.question.id,
            value="no" if context.negated else "yes",
            or_uncertain=unsure,
        )
        made.append(Said(condition, found.start, found.end))
    for low, high, bounds in _bounds(text, taken):
        near = min(findings, key=lambda f: _gap(f, low, high), default=None)
        size = tree.size_of(near.question.id) if near else ""
        if near and size:
            made.append(Said(Condition(question=size, **bounds), low, high, near.start))
            taken.append((low, high))
    return made


def _gap(found: _Found, low: int, high: int) -> int:
    """How far a size is from a finding; what goes before it is nearer than what follows."""
    return low - found.end if found.end <= low else max(0, found.start - high) + _AFTER_PENALTY


def _bounds(text: str, taken: list[tuple[int, int]]) -> list[tuple[int, int, dict[str, float]]]:
    found = []
    for size in measurements(text):
        before = text[max(0, size.start - 25) : size.start].lower()
        after = text[size.end : size.end + 12].lower()
        if size.is_range or (len(size.dims_mm) > 1 and "between" in before):
            found.append(
                (
                    size.start,
                    size.end,
                    {"at_least": min(size.dims_mm), "at_most": max(size.dims_mm)},
                )
            )
            continue
        kind = next(
            (
                k
                for k in _BOUNDS
                for word in _ask()[k]
                if before.rstrip().endswith(word) or after.strip().startswith(word)
            ),
            "",
        )
        if kind:
            found.append((size.start, size.end, {kind: size.largest_mm}))
    return found


def _choices(text: str, known: Sequence[Question], taken: list[tuple[int, int]]) -> list[Condition]:
    made = []
    for question in known:
        if question.kind != "choice":
            continue
        bare = _ask()["bare"].get(question.id, {})
        named = [(word, name) for name, words in question.choices.items() for word in words]
        if re.search(r"\bphases?\b", text, re.I):
            named += [(word, name) for name, words in bare.items() for word in words]
        words = PhraseFinder(named)
        hits = longest(words.find(text))
        if hits:
            wanted = [
                c
                for name in (hit.payload for hit in hits)
                for c in (name, *question.covers.get(name, ()))
            ]
            made.append(Condition(question=question.id, choice=tuple(dict.fromkeys(wanted))))
            taken.extend((h.start, h.end) for h in hits)
    return made


def _places(
    text: str,
    findings: Sequence[_Found],
    known: Sequence[Question],
    taken: list[tuple[int, int]],
) -> list[Condition]:
    """Where in its organ a finding is to lie ("in the head"): items of list questions."""
    organs = {q.id: q.organ for q in known}
    asked = {
        f.question.organ
        for f in findings
        if f.question.organ and not context_of(text, f.start, f.end).negated
    }
    made = []
    for question in known:
        if question.kind == "list" and organs.get(question.of) in asked:
            named = ((word, name) for name, words in question.choices.items() for word in words)
            matches = list(PhraseFinder(named).find(text))
            spans = {(m.start, m.end) for m in longest(matches)}
            hits = [m for m in matches if (m.start, m.end) in spans]
            if hits:
                wanted = tuple(dict.fromkeys(hit.payload for hit in hits))
                made.append(Condition(question=question.id, choice=wanted))
                taken.extend(spans)
    return made


def _people(text: str, taken: list[tuple[int, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for sex, words in _ask()["sex"].items():
        for match in longest(PhraseFinder((word, sex) for word in words).find(text)):
            found["sex"] = "" if found.get("sex", sex) != sex else sex  # both sexes: no condition
            taken.append((match.start, match.end))
    for group, (low, high) in _ask()["age_groups"].items():
        for named in re.finditer(rf"\b{group}\b", text, re.I):
            found.update({"age_at_least": low, "age_at_most": high})
            taken.append(named.span())
    for aged in (*_AGE.finditer(text), *_AGED.finditer(text)):
        found.update(_age_bounds(text, aged))
        taken.append(aged.span())
    for bound in _OLDER.finditer(text):
        age = float(bound.group(2) or bound.group(3))
        is_younger = (bound.group(1) or "").lower() == "younger"
        found.update({"age_at_most": age} if is_younger else {"age_at_least": age})
        taken.append(bound.span())
    return found


def _age_bounds(text: str, match: re.Match[str]) -> dict[str, float]:
    ages = sorted(float(g) for g in match.groups() if g)
    if len(ages) == 2:
        return {"age_at_least": ages[0], "age_at_most": ages[1]}
    before, after = text[: match.start()].lower().rstrip(), text[match.end() :].lower().lstrip()
    for kind in ("below", "at_most"):
        if any(before.endswith(word) for word in _ask()[kind]) or after.startswith(
            ("or younger", "or less")
        ):
            return {"age_at_most": ages[0]}
    for kind in ("above", "at_least"):
        if any(before.endswith(word) for word in _ask()[kind]) or after.startswith(
            ("or older", "or more", "and older")
        ):
            return {"age_at_least": ages[0]}
    return {"age_at_least": ages[0], "age_at_most": ages[0]}


def _rest(text: str, sources: Sequence[str], taken: list[tuple[int, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, table in (("modality", _ask()["modality"]), ("order", _ask()["order"])):
        words = PhraseFinder((word, key) for key, words in table.items() for word in words)
        for match in longest(words.find(text)):
            found[name] = match.payload if name == "order" else (match.payload,)
            taken.append((match.start, match.end))
    named = [m for s in sources for m in re.finditer(rf"\b{re.escape(s)}\b", text, re.I)]
    if named:
        found["source"] = tuple(
            sorted({s for s in sources for m in named if m.group().lower() == s.lower()})
        )
        taken.extend(m.span() for m in named)
    limit = _LIMIT.search(text)
    if limit:
        found["limit"] = int(limit.group(1))
        taken.append(limit.span())
    return found


def _left(text: str, taken: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Words that were neither used nor are filler, in their order."""
    left = []
    for word in _WORD.finditer(text):
        is_used = any(start < word.end() and word.start() < end for start, end in taken)
        if not is_used and word.group().lower() not in _filler():
            left.append(word.group())
    return tuple(dict.fromkeys(left))


@cache
def _ask() -> dict[str, Any]:
    return read_yaml(shipped("reading", "ask.yaml"))


@cache
def _filler() -> frozenset[str]:
    data = _ask()
    used = {
        word for kind in (*_BOUNDS, "uncertain") for words in data[kind] for word in words.split()
    }
    return frozenset(str(word) for word in data["filler"]) | used
