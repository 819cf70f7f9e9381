"""Sections on the reports: how the cohort was chosen, how reading went, what the reports say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from agent.report import charts, tally
from agent.report.blocks import Block, Chart, Section, Table, Text
from agent.report.chosen import Chosen, disagreements, read_chosen
from agent.report.summary import plural
from agent.report.view import RoundView
from voxcurate.catalog import Report
from voxcurate.progress import duration

MOST_QUESTIONS = 30
MOST_ERRORS = 5
MOST_CHOICES = 4
MOST_EVIDENCE = 8
MOST_DISAGREEMENTS = 8
MOST_SENTENCE = 240  # characters
ANSWERS = {  # part of a bar -> colour, hatch
    "yes": (charts.BLUE, ""),
    "uncertain": (charts.ORANGE, "//"),
    "no": ("#C9C9C9", ""),
}


def chosen(view: RoundView) -> Section:
    """The cohort query in words, and sentences that prove it for some scans."""
    title = "How the cohort was chosen"
    found = read_chosen(view.folder, MOST_EVIDENCE)
    if found is None:
        return Section("chosen", title, empty="No query chose the cohort: all scans are in it.")
    named = view.ctx.cohort or view.scans
    said = f"{plural(len(named), 'scan')} of {len(view.scans):,} fit"
    if not found.query_said:
        return Section("chosen", title, [Text(f"Nothing was asked for: {said}.")])
    blocks: list[Block] = [Text(_query(found), "strong"), Text(f"{said} this query.")]
    if found.proofs:
        head = ("scan", "asked", "answer", "the report's sentence")
        rows = [(case, name(q), answer, short(text)) for case, q, answer, text in found.proofs]
        note = "The first of the cohort; all are in cohort.json, beside this page."
        blocks.append(Table(head, rows, "Some of the evidence", note=note))
    return Section("chosen", title, blocks)


def _query(found: Chosen) -> str:
    return "; ".join(part[:1].upper() + part[1:] for part in found.query_said) + "."


def reading(view: RoundView) -> Section:
    """Reports read, failed and without a scan; costs, and where rules and model disagree."""
    title = "Reading the reports"
    catalog = view.ctx.catalog
    n = catalog.count(Report)
    if not n:
        return Section("reading", title, empty="The catalog holds no report.")
    lines = tally.readings(catalog)
    status: Counter[str] = Counter()
    for kind, _, count, _ in lines:
        status[kind] += count
    unlinked = catalog.count(Report, case_id="")
    rows = [
        ("in the catalog", n),
        ("read", status["read"]),
        ("without words to read", status["unreadable"]),
        ("failed", status["failed"]),
        ("not read yet", max(n - status.total(), 0)),
        ("without a scan", unlinked),
    ]
    shown = [(what, f"{count:,}", f"{count / n:.1%}") for what, count in rows if count]
    table = Table(("reports", "number", "share"), shown, "", frozenset({1, 2}))
    blocks: list[Block] = [Text(_readers(lines)), table] if lines else [table]
    causes = tally.errors(catalog, MOST_ERRORS)
    if causes:
        bad = [(kind, short(error) or "no cause given", f"{k:,}") for kind, error, k in causes]
        head = ("status", "cause", "reports")
        blocks.append(Table(head, bad, "Why reports were not read", frozenset({2})))
    return Section("reading", title, [*blocks, *_costs(view), *_disagreements(view)])


def _readers(lines: Sequence[tuple[str, str, int, int]]) -> str:
    readers = list(dict.fromkeys(reader for status, reader, _, _ in lines if status == "read"))
    answers = sum(n for _, _, _, n in lines)
    by = f", read by {', '.join(readers)}" if readers else ""
    return f"{answers:,} answers with their proofs{by}."


def _costs(view: RoundView) -> list[Block]:
    spent = {
        m.name.removeprefix("llm_"): m.value or 0.0
        for m in view.measures
        if m.stage == "retrieve" and m.name.startswith("llm_") and not m.case_id
    }
    if not any(spent.values()):
        return []
    words = {"requests": "requests", "cached": "answered from the cache", "tokens_in":
             "tokens in", "tokens_out": "tokens out", "seconds": "model time",
             "price": "price (in the unit of the prices set)"}  # fmt: skip
    rows = [
        (words.get(key, key), duration(n) if key == "seconds" else _number(n))
        for key, n in sorted(spent.items(), key=lambda kv: [*words, kv[0]].index(kv[0]))
        if n
    ]
    return [Table(("language model", "this round"), rows, "", frozenset({1}))]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _disagreements(view: RoundView) -> list[Block]:
    kinds, worst = disagreements(view.folder, MOST_DISAGREEMENTS)
    if not kinds:
        return []
    said = ", ".join(f"{kind.replace('_', ' ')} {n:,}" for kind, n in kinds.most_common())
    rows = [
        (d.get("report_id", ""), name(d.get("question", "")), _side(d, "rules"), _side(d, "model"))
        for d in worst
    ]
    head = ("report", "question", "rules", "model")
    note = "The gravest first; all are in report_disagreements.jsonl, beside this page."
    total = plural(kinds.total(), "answer")
    return [
        Text(f"Rules and language model disagree on {total}: {said}.", "warn"),
        Table(head, rows, "Disagreements", note=note),
    ]


def _side(item: Mapping[str, Any], who: str) -> str:
    told = item.get(who) or {}
    if not told:
        return "says nothing"
    answer = told.get("answer", "")
    words = ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer)
    return f"{words}: {short(str(told.get('sentence', '')))}"


def findings(view: RoundView) -> Section:
    """How often each question is answered yes, uncertain or no, and which values were read."""
    title = "What the reports say"
    catalog = view.ctx.catalog
    narrow = bool(view.ctx.cohort) and len(view.cohort) < len(view.scans)
    cases = [scan.case_id for scan in view.cohort] if narrow else None
    counts = tally.answers(catalog, cases)
    if not counts:
        why = "No report is linked to a scan of the cohort, or none has been read."
        return Section("findings", title, empty=why)
    everyone = tally.answers(catalog) if narrow else counts
    whose = "the cohort" if narrow else "the catalog"
    n = tally.n_reports(catalog, cases)
    text = f"{plural(n, 'report')} of {whose} with answers. Silence is not counted as no."
    blocks: list[Block] = [Text(text)]
    asked = [q for q in counts if any(counts[q][part] for part in ANSWERS)]
    ordered = sorted(asked, key=lambda q: (-counts[q]["yes"], -counts[q].total(), q))
    if ordered:
        blocks += [_chart(ordered, counts), _table(ordered, counts, everyone, narrow)]
    numeric = [q for q in counts if counts[q]["number"]]
    blocks += _numbers(tally.numbers(catalog, numeric, cases)) if numeric else []
    named = [q for q in counts if counts[q]["choice"]]
    blocks += _choices(tally.choices(catalog, named, cases)) if named else []
    return Section("findings", title, blocks)


def _chart(ordered: Sequence[str], counts: Mapping[str, Counter[str]]) -> Chart:
    shown = [(name(q), {p: counts[q][p] for p in ANSWERS}) for q in ordered[:MOST_QUESTIONS]]
    parts = {p: style for p, style in ANSWERS.items() if any(row[1][p] for row in shown)}
    picture = charts.bars("findings", shown, parts, unit="reports")
    alt = "; ".join(
        f"{q}: {', '.join(f'{n} {v}' for v, n in c.items() if n)}" for q, c in shown[:10]
    )
    left = len(ordered) - len(shown)
    return Chart(picture, alt, f"{left} rarer questions are in the table only." if left else "")


def _table(
    ordered: Sequence[str],
    counts: Mapping[str, Counter[str]],
    everyone: Mapping[str, Counter[str]],
    narrow: bool,
) -> Table:
    rows = [
        (name(q), *(f"{counts[q][part]:,}" for part in ANSWERS))
        + ((f"{everyone[q]['yes']:,}",) if narrow else ())
        for q in ordered
    ]
    head = ("question", *ANSWERS, *(("yes in all reports",) if narrow else ()))
    caption = f"All {len(rows)} questions, in reports"
    return Table(head, rows, caption, frozenset(range(1, 5)), is_folded=True)


def _numbers(found: Mapping[str, tuple[str, Any]]) -> list[Block]:
    rows = []
    for question, (unit, values) in sorted(found.items(), key=lambda kv: (-len(kv[1][1]), kv[0])):
        ordered = sorted(values)
        span = f"{ordered[0]:.4g} to {ordered[-1]:.4g}"
        middle = f"{ordered[len(ordered) // 2]:.4g}"
        rows.append((name(question), f"{len(ordered):,}", middle, span, unit))
    head = ("quantity", "reports", "median", "range", "unit")
    caption = "Values read from reports"
    return [Table(head, rows, caption, frozenset({1, 2}), is_folded=len(rows) > MOST_QUESTIONS)]


def _choices(found: Mapping[str, Counter[str]]) -> list[Block]:
    rows = []
    for question, counts in sorted(found.items(), key=lambda kv: (-kv[1].total(), kv[0])):
        ranked = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
        said = ", ".join(f"{name(choice)} {n:,}" for choice, n in ranked[:MOST_CHOICES])
        more = len(ranked) - MOST_CHOICES
        rest = f" and {plural(more, 'other')}" if more > 0 else ""
        rows.append((name(question), f"{counts.total():,}", said + rest))
    head = ("question", "reports", "answers")
    caption = "Choices read from reports"
    return [Table(head, rows, caption, frozenset({1}), is_folded=len(rows) > MOST_QUESTIONS)]


def name(question: str) -> str:
    """An id for people."""
    return question.replace("_", " ")


def short(text: str) -> str:
    """A sentence on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_SENTENCE else line[: MOST_SENTENCE - 1].rstrip() + "…"
