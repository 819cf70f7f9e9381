"""From what each sentence says to the findings of the report."""

from dataclasses import replace

from retrieval.questions import Question, terms
from retrieval.rules.evidence import Evidence, decide, raised, side_of
from retrieval.rules.judge import QUIET, may_read
from retrieval.rules.measure import Measurement, measurements
from retrieval.rules.numbers import counted
from retrieval.rules.places import Places
from retrieval.rules.scan import Hit, Scan
from retrieval.rules.sizes import owner
from retrieval.rules.tables import Tables
from voxcurate.protocols import Finding

_AFFIRMED = ("yes", "uncertain")


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

    def findings(self, depths: list[tuple[Question, ...]]) -> list[Finding]:
        """In the order of the questions.

        Args:
            depths: the questions by depth, the broadest first.
        """
        questions = self._tables.questions
        for q, items in self._evidence.items():
            decided = decide(items)
            if decided is not None:
                self._found[questions[q].id] = self._presence(questions[q], *decided)
        self._raise(depths)
        if self._signs():
            self._raise(depths)
        self._sizes()
        if self._wide():
            self._raise(depths)
            self._signs()
        self._choices()
        for q in self._tables.numbers:
            self._number(q)
        found = self._found
        return [found[item.id] for item in questions if item.id in found]

    def _presence(self, question: Question, best: Evidence, items: list[Evidence]) -> Finding:
        others = dict.fromkeys(e.order for e in items if e.order != best.order)
        is_there = best.value != "no"
        change = next((e.change for e in items if e.change), "")
        return replace(
            self._made(question.id, best.value, best.order, best.confidence, best.rule),
            side=side_of(items) if is_there else "",  # type: ignore[arg-type]
            change=change if is_there else "",  # type: ignore[arg-type]
            mentions=tuple(self._span(order) for order in others),
        )

    def _span(self, order: int) -> tuple[int, int]:
        sentence = self._scans[order].sentence
        return sentence.start, sentence.end

    def _made(self, question: str, value: str, order: int, sure: float, rule: str) -> Finding:
        sentence = self._scans[order].sentence
        return Finding(
            question=question,
            value=value,  # type: ignore[arg-type]
            sentence=" ".join(sentence.text.split()),
            section=sentence.section,
            span=(sentence.start, sentence.end),
            confidence=sure,
            rule=rule,
        )

    # --- answers that follow from others ---
    def _raise(self, depths: list[tuple[Question, ...]]) -> None:
        """A narrower yes or doubt is its broader questions' too, from the narrowest up."""
        for step in reversed(depths):
            for question in step:
                found = self._found.get(question.id)
                if question.kind != "presence" or found is None or found.value not in _AFFIRMED:
                    continue
                broader = question.asked_when
                if len(broader) > 1:  # one of them suffices
                    held = [self._found.get(name) for name in broader]
                    if any(f is not None and f.value in _AFFIRMED for f in held):
                        continue
                for name in broader[:1]:
                    new = raised(self._found.get(name), found, name)
                    if new is not None:
                        self._found[name] = new

    def _signs(self) -> bool:
        """Answers that together make another question uncertain, where no more is said on it."""
        is_new = False
        for question in self._tables.questions:
            old = self._found.get(question.id)
            if not question.signs or (old is not None and not old.rule.startswith("normal")):
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
            if scan.sentence.section in QUIET:
                continue
            for size in measurements(scan.sentence.text):
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
            made = self._made(question.id, "number", order, 0.9, rule)
            self._found[question.id] = replace(made, number=largest, unit="mm", numbers=numbers)

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
        found = []
        for q in self._tables.sizes:
            question = self._tables.questions[q]
            of = self._tables.by_id.get(question.of, -1)
            if thing is None or is_carried:
                fits = of in self._carried[order]
            else:
                start, end = thing
                own = [h for h in things if self._is_of(h, q)]
                fits = any(h.start < end and start < h.end for h in (*known.get(of, ()), *own))
                if not question.of and question.organ:  # "the main duct is 2 mm"
                    named = [g for g in scan.groups if (g.start, g.end) == thing]
                    fits = fits or any(question.organ in g.organs for g in named)
            if fits:
                found.append(q)
        return found

    def _is_of(self, hit: Hit, q: int) -> bool:
        """Whether a hit speaks of what a size is asked of: its own words, or those of its organ."""
        question, other = self._tables.questions[q], self._tables.questions[hit.question]
        is_organ = not question.of and bool(question.organ) and other.organ == question.organ
        return hit.question == q or is_organ

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
            made = self._made(question.id, question.kind, orders[first], 0.9, f"named: {first}")
            if question.kind == "list":
                self._found[question.id] = replace(made, items=tuple(in_order))
            else:
                self._found[question.id] = replace(made, choice=first)

    def _is_beside(self, hit: Hit, of: str, order: int) -> bool:
        """Whether a place stands in the clause of what it is the place of."""
        found = self._affirmed[order].get(self._tables.by_id[of]) or ()
        text = self._scans[order].sentence.text
        return not found or any(
            ";" not in text[min(h.start, hit.start) : max(h.end, hit.end)] for h in found
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
            made = self._made(question.id, "number", best[1], 0.85, "number: nearest")
            numbers = tuple(sorted(dict.fromkeys(values), reverse=True))
            self._found[question.id] = replace(
                made, number=best[0], unit=question.unit, numbers=numbers
            )
