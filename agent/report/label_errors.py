"""The section on label errors: this round's and all rounds' taxonomy, and what comes back."""

from agent.report import error_charts
from agent.report.blocks import Block, Chart, Section, Table, Text
from agent.report.found_errors import FoundErrors
from agent.report.summary import plural
from agent.report.view import RoundView
from labeling.errors import FOUND, KINDS, MENDS
from labeling.errors.known import KEPT, RIGHT, UNSEEN, Confusion
from labeling.errors.rates import Rate
from labeling.errors.record import Scope

TITLE = "Label errors"
MOST = 12  # rows of a table that may grow
PANELS = 24  # classes in the chart
TREND_WORDS = {
    "falls": "falls",
    "rises": "rises",
    "no clear change": "no clear change (within chance)",
    "unknown": "seen in one round only",
}
ABOUT = (
    "An error is a label that detection, the judge, the rules, a report or a person took for "
    "wrong, and that neither the judge nor a person has cleared since. The kinds are those of "
    "ScaleMAI (arXiv:2501.03410, figure 5) and AbdomenAtlas-8K; they are told from what made a "
    "label suspect and what was put in its place. Intervals are 95 %; they allow for errors of "
    "one patient coming together. Test scans are never looked at."
)


def label_errors(view: RoundView, found: FoundErrors) -> Section:
    """Kinds, classes and data sets by round; how errors were found and mended; what comes back."""
    if not found.tally.cells and not found.looked.labels:
        why = "No label has been looked at yet."
        return Section("errors", TITLE, empty=why)
    blocks: list[Block] = [Text(_in_words(view, found))]
    blocks += _kinds(view, found)
    blocks += _classes(view, found)
    blocks += [_how_found(found), _how_mended(found)]
    blocks += _coming_back(view, found)
    if found.confusion is not None:
        blocks += _compared(found.confusion)
    return Section("errors", TITLE, blocks, about=ABOUT)


def _in_words(view: RoundView, found: FoundErrors) -> str:
    n, tally = view.number, found.tally
    rate = tally.rate(found.looked, n)
    if rate.value is None:
        return f"Round {n} looked at no label."
    new = sum(tally.count(scope="label", round=n, new=True).values())
    by = tally.count("standing", scope="label", round=n, errors=False)
    old = rate.errors - new
    before = f", {old} known from earlier rounds" if old > 0 else ""
    text = (
        f"Round {n} looked at {plural(rate.labels, 'label')} that counted when it began: "
        f"{rate.errors:,} are wrong ({_shown(rate)} per 1,000), {new} newly found{before}. "
        f"Of these {by['mended']} were mended by the program, {by['verified']} settled by people, "
        f"{by['open']} wait. {by['kept']} more were suspected and kept by the judge, "
        f"{by['refuted']} cleared by people."
    )
    drawn = tally.rate(found.looked, n, scope="drawing")
    if drawn.errors:
        text += (
            f" Of {plural(drawn.labels, 'structure')} that machines drew in the round, "
            f"{drawn.errors:,} had errors that were caught before they counted."
        )
    return text


def _shown(rate: Rate | None) -> str:
    if rate is None or rate.value is None:
        return ""
    value, low, high = (f"{v or 0.0:.{0 if (v or 0) >= 100 else 1}f}" for v in
                        (rate.value, rate.low, rate.high))  # fmt: skip
    return f"{value} ({low} to {high})"


def _rounds(found: FoundErrors) -> list[int]:
    return sorted({*found.tally.rounds, *found.looked.rounds})


def _kinds(view: RoundView, found: FoundErrors) -> list[Block]:
    tally, looked, rounds = found.tally, found.looked, _rounds(found)
    titles: dict[Scope, str] = {
        "label": "labels that counted when the round began",
        "drawing": "what machines drew in the round, caught before it counted",
    }
    panels: dict[str, list[tuple[str, error_charts.By]]] = {}
    for scope, title in titles.items():
        counts = tally.count("kind", scope=scope)
        ranked = sorted(
            counts,
            key=lambda k: -(tally.rate(looked, view.number, "kind", k, scope).value or 0.0),
        )
        lines: list[tuple[str, error_charts.By]] = [
            (KINDS[k].name, {n: tally.rate(looked, n, "kind", k, scope) for n in rounds})
            for k in ranked
        ]
        if lines:
            panels[title] = lines
    blocks: list[Block] = []
    if panels:
        picture = error_charts.kinds_by_round("error-kinds", panels)
        alt = "; ".join(
            f"{title}: " + ", ".join(f"{k} {_shown(by.get(view.number))}" for k, by in lines[:6])
            for title, lines in panels.items()
        )
        blocks.append(Chart(picture, f"errors per 1,000 labels by kind; {alt}", "Kinds by round"))
    blocks.append(_kind_table(view, found))
    return blocks


def _kind_table(view: RoundView, found: FoundErrors) -> Table:
    tally, n = found.tally, view.number
    by = tally.count("kind", "standing", scope="label", round=n, errors=False)
    new = tally.count("kind", scope="label", round=n, new=True)
    total = tally.count("kind", scope="label", new=True)
    rows = []
    for kind, info in KINDS.items():
        rate = tally.rate(found.looked, n, "kind", kind)
        if not total[kind] and not any(by[kind, s] for s in ("kept", "refuted")):
            continue
        rows.append(
            (
                info.name, rate.errors, _shown(rate), new[kind], by[kind, "mended"],
                by[kind, "verified"], by[kind, "open"], by[kind, "kept"], by[kind, "refuted"],
                total[kind],
            )
        )  # fmt: skip
    head = (
        "kind", "wrong", "per 1,000 (95 %)", "new", "mended", "by people", "waiting", "kept",
        "cleared", "all rounds",
    )  # fmt: skip
    note = (
        "Wrong: mended by the program, settled by people, or waiting. Suspected, but not counted: "
        "kept by the judge, cleared by people. All rounds: newly found, each version once."
    )
    return Table(head, rows, f"Round {n}, labels by kind", frozenset(range(1, 10)), note)


def _classes(view: RoundView, found: FoundErrors) -> list[Block]:
    tally, looked = found.tally, found.looked
    trends = tally.trends(looked)
    rounds = sorted({n for t in trends for n in t.by_round})
    if not trends or not rounds:
        return []
    blocks: list[Block] = []
    if len(rounds) > 1:
        panels = {
            view.class_name(t.class_id): {
                origin: {
                    n: tally.rate(looked, n, "class origin", f"{t.class_id} {origin}")
                    for n in rounds
                }
                for origin in ("people", "machines")
            }
            for t in trends[:PANELS]
        }
        picture = error_charts.classes_by_round("error-classes", panels, rounds)
        alt = "; ".join(
            f"{view.class_name(t.class_id)}: {TREND_WORDS[t.trend]}" for t in trends[:PANELS]
        )
        left = len(trends) - len(panels)
        more = f"; {left} more classes are in the table" if left else ""
        blocks.append(
            Chart(picture, f"errors per 1,000 labels by class and round; {alt}",
                  f"Classes by round, those that do not fall first{more}")
        )  # fmt: skip
    shown = rounds[-error_charts.SHOWN :]
    rows = [
        (
            view.class_name(t.class_id),
            *(_shown(t.by_round.get(n)) for n in shown),
            TREND_WORDS[t.trend],
        )
        for t in trends
    ]
    sources = sorted({g[3] for g in looked.labels if g[1] == "label" and g[2] == "source"})
    rows_of_sources = [
        (name, *(_shown(tally.rate(looked, n, "source", name)) for n in shown)) for name in sources
    ]
    heads = [f"round {n} (per 1,000, 95 %)" for n in shown]
    numbers = frozenset(range(1, len(shown) + 1))
    note = (
        "From the first round to the last; a rate falls or rises if the 95 % interval of the "
        "difference leaves out 0 (Newcombe)."
    )
    blocks.append(
        Table(("class", *heads, "trend"), rows, "Does it grow less? By class", numbers, note,
              is_folded=len(rows) > MOST)
    )  # fmt: skip
    blocks.append(Table(("data set", *heads), rows_of_sources, "By data set", numbers))
    return blocks


def _how_found(found: FoundErrors) -> Table:
    tally = found.tally
    by = tally.count("found", "standing", scope="label", errors=False, new=True)
    order = tally.count("found", scope="label", errors=False, new=True).most_common()
    standings = ("verified", "mended", "open", "kept", "refuted")
    rows = [(FOUND.get(name, name), n, *(by[name, s] for s in standings)) for name, n in order]
    head = (
        "loudest witness", "labels", "wrong, by people", "mended", "waiting", "kept",
        "right, by people",
    )  # fmt: skip
    return Table(head, rows, "How they were found, all rounds", frozenset(range(1, 7)))


def _how_mended(found: FoundErrors) -> Table:
    rows = []
    scopes: tuple[tuple[Scope, str], ...] = (("label", "label"), ("drawing", "drawing"))
    for scope, name in scopes:
        ranked = sorted(
            found.tally.costs("mended", scope=scope).items(), key=lambda kv: (-kv[1].n, kv[0])
        )
        for how, total in ranked:
            done = MENDS.get(how, "not mended: waits, kept or cleared")
            rows.append((name, done, total.n, f"{total.seconds:.1f}", f"{total.minutes:.1f}"))
    head = ("of", "what became of it", "errors", "processor time (s)", "people's time (min)")
    note = (
        "People's time is reckoned where it was not written down: 5 s for a look (ScaleMAI A.3), "
        "the class's time by hand for a new drawing (AbdomenAtlas-8K, table 4)."
    )
    return Table(head, rows, "How they were mended, all rounds", frozenset({2, 3, 4}), note)


def _coming_back(view: RoundView, found: FoundErrors) -> list[Block]:
    rounds = _rounds(found)
    if len(rounds) < 2:
        return [Text("Whether errors come back can be told from the second round on.", "note")]
    blocks: list[Block] = []
    back = [e for e in found.tally.back if view.number in e.seen]
    labels = [e for e in back if e.scope == "label"]
    n = found.tally.again_in[view.number, "label"]
    if n:
        text = (
            f"{plural(n, 'label')} of structures that had been mended "
            f"{'is' if n == 1 else 'are'} wrong again in this round."
        )
        blocks.append(Text(text, "warn"))
        rows = [
            (
                e.case_id,
                view.class_name(e.class_id),
                f"{KINDS[e.again].name} (round {e.again_round})",
                KINDS[e.kind].name,
                "what had mended it" if e.is_relapse else "a new drawing",
                e.drawn_by,
                e.standing,
            )
            for e in labels[:MOST]
        ]
        head = ("case", "class", "before", "now", "at fault", "drawn by", "standing")
        left = n - len(rows)
        note = f"{left} more; voxcurate errors list tells all." if left > 0 else ""
        blocks.append(Table(head, rows, "Structures whose error came back", frozenset(), note))
    else:
        blocks.append(Text("No label that had been mended is wrong again in this round.", "good"))
    recurring = found.tally.recurrences()
    if recurring:
        shown = rounds[-error_charts.SHOWN :]
        groups = [
            (
                r.scope,
                KINDS[r.kind].name,
                view.class_name(r.class_id),
                r.source,
                *(r.by_round.get(n, 0) for n in shown),
                r.relapses,
            )
            for r in recurring[:MOST]
        ]
        numbers = frozenset(range(4, 5 + len(shown)))
        heads = (
            "of", "kind", "class", "data set", *(f"new in round {n}" for n in shown),
            "structures that came back",
        )  # fmt: skip
        left = len(recurring) - len(groups)
        note = f"{left} more; voxcurate errors summary --json tells all." if left > 0 else ""
        caption = "The same kind, class and data set again, though it had been mended"
        blocks.append(Table(heads, groups, caption, numbers, note))
    return blocks


def _compared(found: Confusion) -> list[Block]:
    """What labels were taken for, where somebody knows what is wrong with them."""
    share = f"{found.found / found.wrong:.0%}" if found.wrong else "none"
    text = (
        f"Of {plural(found.wrong, 'label')} known to be wrong {found.found} ({share}) are told as "
        f"errors, {found.named} of them by the right name; of {found.total(RIGHT)} known to be "
        f"right {found.accused} are told as errors."
    )
    names = {KEPT: "suspected, kept", UNSEEN: "not suspected"}
    answers = found.answers
    rows = [
        (_name(true), found.total(true), *(found.counts.get((true, a), 0) or "" for a in answers))
        for true in found.truths
    ]
    head = ("truth", "all", *(names.get(a, _name(a)) for a in answers))
    note = (
        "Lines: what is wrong (known_errors.csv in the workspace). Columns: what the label was "
        "taken for. A label of another patient is told as misplaced."
    )
    numbers = frozenset(range(1, len(head)))
    table = Table(head, rows, "Truth and verdict (labels)", numbers, note, is_upright=True)
    return [Text(text), table]


def _name(kind: str) -> str:
    return KINDS[kind].name if kind in KINDS else kind.replace("_", " ")
