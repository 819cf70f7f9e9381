"""Queries answered by plain loops over rows: what the index is compared with."""

from retrieval.search.query import CohortQuery

YES, NO = "yes", "no"


class Plain:
    """Scans and reports as dicts; a report has ``findings``, ``patient`` and ``day``."""

    def __init__(self, scans, reports, tree):
        self.scans, self.reports, self.tree = scans, reports, tree

    def ids(self, query: CohortQuery):
        units = self.units(query.of)
        fits = [u for u in units if self.fits(query, u)]
        if query.per_patient:
            fits = self.one_each(fits, query.per_patient)
        if query.order in ("earliest", "latest"):
            sign = 1 if query.order == "earliest" else -1
            fits.sort(key=lambda u: (u["day"] is None, sign * (u["day"] or 0), u["id"]))
        else:
            fits.sort(key=lambda u: u["id"])
        return [u["id"] for u in fits][: query.limit]

    def units(self, of):
        if of == "reports":
            return [{"id": r["report_id"], "reports": [r], **self.facts(r)} for r in self.reports]
        return [
            {
                "id": s["case_id"],
                "reports": [r for r in self.reports if r["case_id"] == s["case_id"]],
                "day": s["facts"].get("day"),
                "age": s["facts"].get("age"),
                "sex": s["facts"].get("sex", ""),
                "patient": s["patient"],
            }
            for s in self.scans
            if s["status"] == "ok"
        ]

    def facts(self, report):
        scan = next((s for s in self.scans if s["case_id"] == report["case_id"]), None)
        both = {**(scan["facts"] if scan else {}), **report["facts"]}
        patient = report["patient"] or (scan["patient"] if scan else "")
        return {
            "day": both.get("day"),
            "age": both.get("age"),
            "sex": both.get("sex", ""),
            "patient": patient,
        }

    def one_each(self, units, which):
        found = {}
        for u in units:
            found.setdefault(u["patient"] or u["id"], []).append(u)
        sign = 1 if which == "first" else -1
        return [
            min(us, key=lambda u: (u["day"] is None, sign * (u["day"] or 0), u["id"]))
            for us in found.values()
        ]

    def fits(self, query, unit):
        for name, low, high in (("age", query.age_at_least, query.age_at_most),
                                ("day", query.day_at_least, query.day_at_most)):  # fmt: skip
            value = unit[name]
            if (low is not None or high is not None) and value is None:
                return False
            if (low is not None and value < low) or (high is not None and value > high):
                return False
        if query.sex and unit["sex"] != query.sex:
            return False
        text = [" ".join(r["text"].lower().split()) for r in unit["reports"]]
        if not all(any(p.lower() in t for t in text) for p in query.phrases):
            return False
        if query.before and not self.near(query.before, unit, query, -1):
            return False
        if query.after and not self.near(query.after, unit, query, 1):
            return False
        return self.group(query, unit["reports"], query)

    def near(self, event, unit, query, sign):
        days = [
            f["day"]
            for r in self.reports
            for f in (self.facts(r),)
            if f["patient"] and f["patient"] == unit["patient"] and f["day"] is not None
            and self.group(event, [r], query)
        ]  # fmt: skip
        if not days or unit["day"] is None:
            return False
        gap = sign * (unit["day"] - min(days))
        return gap > 0 and (event.within_days is None or gap <= event.within_days)

    def group(self, group, reports, query):
        def met(c):
            return self.condition(c, reports, query)

        return (
            all(met(c) for c in group.all_of)
            and not any(met(c) for c in group.none_of)
            and (not group.any_of or any(met(c) for c in group.any_of))
            and all(self.group(g, reports, query) for g in group.groups)
            and (not group.either or any(self.group(g, reports, query) for g in group.either))
        )

    def rows(self, reports, question, query):
        return [
            (r, f)
            for r in reports
            for f in r["findings"]
            if f["question"] == question and (query.unsupported or f["supported"])
        ]

    def condition(self, c, reports, query):
        rows = self.rows(reports, c.question, query)
        if c.or_unmentioned and not rows:
            return True
        if c.value == NO and not (c.is_number or c.choice or c.side or c.change):
            return self.denied(c, c.question, reports, query)
        here = [(r, f) for r, f in rows if self.answer(c, f)]
        if not c.change:
            return bool(here)
        if any(f["change"] in c.change for _, f in (rows if c.is_number else here)):
            return bool(here)
        return bool(here) and any(self.changed(c, r, query) for r in reports)

    def answer(self, c, f):
        if c.side and f["side"] not in (c.side, "both"):
            return False
        if c.is_number:
            n = f["number"]
            return f["value"] == "number" and not (
                (c.at_least is not None and n < c.at_least)
                or (c.at_most is not None and n > c.at_most)
                or (c.above is not None and n <= c.above)
                or (c.below is not None and n >= c.below)
            )
        if c.choice:
            return bool({f["choice"], *f["items"]} & set(c.choice))
        return f["value"] == c.value or (c.or_uncertain and f["value"] == "uncertain")

    def denied(self, c, question, reports, query):
        values = [f["value"] for _, f in self.rows(reports, question, query)]
        if YES in values:
            return False
        wanted = {NO} | ({"uncertain"} if c.or_uncertain and question == c.question else set())
        if wanted & set(values):
            return True
        broader = self.tree.broader.get(question, ())
        return (
            "uncertain" not in values
            and bool(broader)
            and all(self.denied(c, name, reports, query) for name in broader)
        )

    def changed(self, c, report, query):
        facts = self.facts(report)
        if not facts["patient"] or facts["day"] is None:
            return False
        line = [
            (g["day"], r)
            for r in self.reports
            for g in (self.facts(r),)
            if g["patient"] == facts["patient"] and g["day"] is not None
        ]
        if "new" in c.change:
            said = {
                v: [
                    d
                    for d, r in line
                    for _, f in self.rows([r], c.question, query)
                    if f["value"] == v
                ]
                for v in (YES, NO)
            }
            own = [f for _, f in self.rows([report], c.question, query)
                   if f["value"] == YES and f["change"] in ("", "new")]  # fmt: skip
            if (
                own
                and said[NO]
                and facts["day"] == min(said[YES])
                and min(said[NO]) < min(said[YES])
            ):
                return True
        size = self.tree.size_of(c.question)
        if not size or not self.rows([report], size, query):
            return False
        sizes = {}
        for day, r in line:
            for _, f in self.rows([r], size, query):
                sizes[day] = max(sizes.get(day, 0.0), f["number"])
        earlier = [sizes[d] for d in sorted(sizes) if d < facts["day"]][-1:]
        if not earlier:
            return False
        gap = sizes[facts["day"]] - earlier[0]
        return any(
            name in c.change
            and sign * gap > 0
            and sign * gap >= c.by_mm
            and sign * gap >= c.by_percent / 100 * earlier[0]
            for name, sign in (("larger", 1), ("smaller", -1))
        )
