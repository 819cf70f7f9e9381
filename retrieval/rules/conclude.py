"""From what each sentence says to the findings of the report."""

import re
from dataclasses import replace
from typing import Any

from retrieval.questions import Question, terms
from retrieval.rules.evidence import Evidence, decide, raised, side_of
from retrieval.rules.judge import QUIET, may_read
from retrieval.rules.measure import Measurement
from retrieval.rules.numbers import counted
from retrieval.rules.places import Places
from retrieval.rules.scan import Hit, Scan
from retrieval.rules.sizes import owner
from retrieval.rules.tables import Tables
from voxcurate.protocols import Finding

_AFFIRMED = ("yes", "uncertain")
_GOES_ON = re.compile(r";\s*(?:the )?(?:largest|larger|biggest|dominant|one)\b", re.I)


class Conclusion:
    """The findings of one report.

    Args:
        tables: of the questionnaire.
        places: its choices that differ by side.
        text: of the report.
        scans: of its sentences.
        affirmed: by sentence, the questions it affirms or doubts, with their hits; none where it
            goes on with what the sentence before speaks of.
        carried: by sentence, the questions that it goes on with.
        evidence: by question.
    """

    def __init__(
        self,
        tables: Tables,
        places: Places,
        text: str,
        scans: list[Scan],
        affirmed: list[dict[int, list[Hit]]],
        carried: list[frozenset[int]],
        evidence: dict[int, list[Evidence]],
    ) -> None:
        self._tables, self._places, self._text, self._scans = tables, places, text, scans
        self._affirmed, self._carried, self._evidence = affirmed, carried, evidence
        self._found: dict[str, Finding] = {}
        self._proofs: dict[int, tuple[str, str, tuple[int, int]]] = {}

    def findings(self) -> list[Finding]:
        """In the order of the questions."""
        questions = self._tables.questions
        for q, items in self._evidence.items():
            decided = decide(items) if len(items) > 1 else (items[0], items)
            if decided is not None:
                self._found[questions[q].id] = self._presence(questions[q], *decided)
        self._raise()
        if self._signs():
            self._raise()
        self._sizes()
        if self._wide():
            self._raise()
            self._signs()
        self._choices()
        for q in self._tables.numbers:
            self._number(q)
        found = self._found
        return [found[name] for name in self._tables.by_id if name in found]

    def _presence(self, question: Question, best: Evidence, items: list[Evidence]) -> Finding:
        made, sure = self._made, best.confidence
        others = dict.fromkeys([e.order for e in items if e.order != best.order])
        mentions = tuple(map(self._span, others)) if others else ()
        if best.value == "no":
            return made(question.id, "no", best.order, sure, best.rule, mentions=mentions)
        return made(
            question.id,
            best.value,
            best.order,
            sure,
            best.rule,
            side=side_of(items),
            change=next((e.change for e in items if e.change), ""),
            mentions=mentions,
        )

    def _span(self, order: int) -> tuple[int, int]:
        sentence = self._scans[order].sentence
        return sentence.start, sentence.end

    def _made(
        self, question: str, value: str, order: int, sure: float, rule: str, **more: Any
    ) -> Finding:
        proof = self._proofs.get(order)
        if proof is None:
            said = self._scans[order].sentence
            whole = " ".join(said.text.split())
            proof = self._proofs[order] = whole, said.section, (said.start, said.end)
        sentence, section, span = proof
        return Finding(
            question,
            value,  # type: ignore[arg-type]
            sentence=sentence,
            section=section,
            span=span,
            confidence=sure,
            rule=rule,
            **more,
        )

    # --- answers that follow from others ---
    def _raise(self) -> None:
        """A narrower yes or doubt is its broader questions' too, from the narrowest up."""
        for name, broader in self._tables.broader:
            found = self._found.get(name)
            if found is None or found.value not in _AFFIRMED:
                continue
            if len(broader) > 1:  # one of them suffices
                held = [self._found.get(other) for other in broader]
                if any(f is not None and f.value in _AFFIRMED for f in held):
                    continue
            new = raised(self._found.get(broader[0]), found, broader[0])
            if new is not None:
                self._found[broader[0]] = new

    def _signs(self) -> bool:
        """Answers that together make another question uncertain, where no more is said on it."""
        is_new = False
        for question in self._tables.by_signs:
            old = self._found.get(question.id)
            if old is not None and not old.rule.startswith("normal"):
                continue
            for sign in question.signs:
                held = [self._found.get(name) for name in sign.yes]
                if any(f is None or f.value != "yes" for f in held) or any(
                    self._is_yes(name) for name in sign.unless
                ):
                    continue
                first = self._found[sign.yes[0]]
                self._found[question.id] = replace(
                    first,
                    question=question.id,
                    value="uncertain",
                    rule=f"sign: {' and '.join(sign.yes)}",
                    confidence=min(first.confidence, 0.6),
                    change="",
                )
                is_new = True
                break
        return is_new

    def _is_yes(self, name: str) -> bool:
        found = self._found.get(name)
        return found is not None and found.value == "yes"

    # --- sizes ---
    def _sizes(self) -> None:
        if not self._tables.sizes:
            return
        sized: dict[int, list[tuple[float, int, Measurement]]] = {}
        for order, scan in enumerate(self._scans):
            if scan.sentence.section in QUIET or not self._may_own(scan, order):
                continue
            for size in scan.sizes():
                if size.is_prior or size.is_distance:
                    continue
                for q in self._owners(size, scan, order):
                    sized.setdefault(q, []).append((size.largest_mm, order, size))
        for q, items in sized.items():
            question = self._tables.questions[q]
            if question.of and not self._is_affirmed(question.of):
                continue
            measured = [item for item in items if not item[2].rule] or items
            largest, order, size = max(measured, key=lambda item: item[0])
            numbers = tuple(sorted(dict.fromkeys(n for n, _, _ in measured), reverse=True))
            rule = f"size: {size.rule}" if size.rule else "size: nearest"
            self._found[question.id] = self._made(
                question.id, "number", order, 0.9, rule, number=largest, unit="mm", numbers=numbers
            )

    def _may_own(self, scan: Scan, order: int) -> bool:
        """Whether a size in a sentence could be one that is asked for."""
        tables = self._tables
        return (
            bool(self._carried[order])
            or not tables.sized.isdisjoint(self._affirmed[order])
            or any(hit.question in tables.measured for hit in scan.hits)
            or any(not tables.measured_organs.isdisjoint(g.organs) for g in scan.groups)
        )

    def _wide(self) -> bool:
        """Dilatation by the calibre alone, where no more is said."""
        is_new = False
        for name, (asked, least) in terms()["wide"].items():
            size, old = self._found.get(name), self._found.get(asked)
            is_open = old is None or old.rule.startswith(("normal", "sign"))
            if asked in self._tables.by_id and is_open and size and (size.number or 0) >= least:
                self._found[asked] = replace(
                    size,
                    question=asked,
                    value="yes",
                    number=None,
                    unit="",
                    numbers=(),
                    rule=f"size: {size.number:g} mm",
                )
                is_new = True
        return is_new

    def _owners(self, size: Measurement, scan: Scan, order: int) -> list[int]:
        things = [h for h in scan.hits if h.role in ("term", "phrase")]
        thing = owner(size, things, scan, self._tables.sized)
        is_carried = bool(self._carried[order]) and all(h.start >= size.end for h in things)
        known = self._affirmed[order]
        if thing is None or is_carried:
            return [q for q, of, _ in self._tables.sizes if of in self._carried[order]]
        start, end = thing
        there = {h.question for h in things if h.start < end and start < h.end}
        organs = {self._tables.questions[q].organ for q in there}  # "the main duct is 2 mm"
        organs.update(o for g in scan.groups if (g.start, g.end) == thing for o in g.organs)
        return [
            q
            for q, of, organ in self._tables.sizes
            if q in there
            or (organ and organ in organs)
            or (of in known and any(h.start < end and start < h.end for h in known[of]))
        ]

    def _is_affirmed(self, name: str) -> bool:
        found = self._found.get(name)
        return found is not None and found.value in _AFFIRMED

    # --- choices, lists, numbers ---
    def _choices(self) -> None:
        named: dict[int, dict[str, int]] = {}
        for order, scan in enumerate(self._scans):
            for hit in scan.hits:
                if not hit.role.startswith("choice:"):
                    continue
                question = self._tables.questions[hit.question]
                if not may_read(question, scan.sentence.section):
                    continue
                if question.of and self._tables.by_id[question.of] not in self._affirmed[order]:
                    continue
                context = scan.context(hit)
                is_title = question.anywhere and bool(question.sections)
                if context.hypothetical or (context.negated and not question.of and not is_title):
                    continue
                if question.of and not self._is_beside(hit, question.of, order):
                    continue
                for choice in self._places.choices(hit, scan):
                    named.setdefault(hit.question, {}).setdefault(choice, order)
        for q, orders in named.items():
            question = self._tables.questions[q]
            if question.of and not self._is_affirmed(question.of):
                continue
            in_order = [choice for choice in question.choices if choice in orders]
            first = in_order[0]
            if question.anywhere and question.sections:  # what was scanned stands first
                first = min(in_order, key=lambda choice: orders[choice])
            answer = {"items": tuple(in_order)} if question.kind == "list" else {"choice": first}
            self._found[question.id] = self._made(
                question.id, question.kind, orders[first], 0.9, f"named: {first}", **answer
            )

    def _is_beside(self, hit: Hit, of: str, order: int) -> bool:
        """Whether a place stands in the clause of what it is the place of."""
        found = self._affirmed[order].get(self._tables.by_id[of]) or ()
        text = self._scans[order].sentence.text
        return not found or any(
            ";" not in _GOES_ON.sub("", text[min(h.start, hit.start) : max(h.end, hit.end)])
            for h in found
        )

    def _number(self, q: int) -> None:
        question = self._tables.questions[q]
        of = self._tables.by_id.get(question.of, -1)
        best: tuple[float, int] | None = None
        values: list[float] = []
        for order, scan in enumerate(self._scans):
            if not may_read(question, scan.sentence.section):
                continue
            hits = [h for h in scan.hits if h.question == q and h.role in ("term", "phrase")]
            hits += self._affirmed[order].get(of, [])
            for value in counted(scan, hits, question.unit, of in self._affirmed[order]):
                values.append(value)
                if best is None or value > best[0]:
                    best = value, order
        if best is not None and (not question.of or self._is_affirmed(question.of)):
            self._found[question.id] = self._made(
                question.id,
                "number",
                best[1],
                0.85,
                "number: nearest",
                number=best[0],
                unit=question.unit,
                numbers=tuple(sorted(dict.fromkeys(values), reverse=True)),
            )
