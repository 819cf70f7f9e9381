"""Every query feature, on small random catalogs, against plain loops."""

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.search.find import find
from retrieval.search.query import CohortQuery, Condition, Event, Group
from retrieval.search.rows import ReportRows
from retrieval.search.schema import connect
from retrieval.search.tree import Tree
from retrieval.search.writing import IndexWriter
from tests.retrieval.search.plain import Plain

TREE = Tree({"tumour": ("lesion",), "pdac": ("tumour", "cyst")}, {"lesion": "lesion_size"})
PRESENCE = ("lesion", "tumour", "cyst", "pdac")
WORDS = ("Mass in the tail.", "No ascites.", "Stable cyst.")
DAYS = st.one_of(st.none(), st.integers(0, 5))


def without_none(facts):
    return {k: v for k, v in facts.items() if v is not None}


FACTS = st.fixed_dictionaries(
    {"day": DAYS, "age": st.one_of(st.none(), st.integers(40, 44)), "sex": st.sampled_from("FM")}
).map(without_none)


def finding(question, value, **more):
    base = {"number": None, "choice": "", "items": [], "side": "", "change": "", "supported": True}
    return {"question": question, "value": value, **base, **more}


@st.composite
def findings(draw):
    made = []
    for question in PRESENCE:
        value = draw(st.sampled_from(["", "yes", "no", "uncertain"]))
        if value:
            made.append(
                finding(
                    question,
                    value,
                    side=draw(st.sampled_from(["", "left", "both"])),
                    change=draw(st.sampled_from(["", "", "new", "same"])),
                    supported=draw(st.sampled_from([True, True, False])),
                )
            )
    if draw(st.booleans()):
        made.append(finding("lesion_size", "number", number=float(draw(st.integers(5, 20)))))
    if draw(st.booleans()):
        made.append(finding("phase", "choice", choice=draw(st.sampled_from("ab"))))
    if draw(st.booleans()):
        made.append(
            finding("place", "list", items=draw(st.lists(st.sampled_from("cd"), min_size=1)))
        )
    return made


@st.composite
def catalogs(draw):
    scans = [
        {
            "case_id": f"s{i}",
            "patient": draw(st.sampled_from(["p", "q"])),
            "facts": draw(FACTS),
            "status": draw(st.sampled_from(["ok", "ok", "rejected"])),
        }
        for i in range(draw(st.integers(0, 4)))
    ]
    cases = st.sampled_from(["", *(s["case_id"] for s in scans)])
    reports = []
    for i in range(draw(st.integers(1, 6))):
        case = draw(cases)
        own = next((s["patient"] for s in scans if s["case_id"] == case), None)
        reports.append(
            {
                "report_id": f"r{i}",
                "case_id": case,
                "patient": own or draw(st.sampled_from(["", "p", "q"])),
                "text": " ".join(draw(st.lists(st.sampled_from(WORDS), max_size=3))),
                "facts": draw(FACTS) if not case else {},
                "findings": draw(findings()),
            }
        )
    return scans, reports


BOUND = st.one_of(st.none(), st.integers(5, 20).map(float))


@st.composite
def conditions(draw):
    kind = draw(st.sampled_from(["presence", "presence", "size", "choice"]))
    silent = draw(st.booleans()) and draw(st.booleans())
    if kind == "size":
        bounds = {"above": draw(BOUND), "at_most": draw(BOUND), "at_least": draw(BOUND)}
        bounds = bounds if any(b is not None for b in bounds.values()) else {"below": 12.0}
        return Condition(question="lesion_size", or_unmentioned=silent, **bounds)
    if kind == "choice":
        question, names = draw(st.sampled_from([("phase", "ab"), ("place", "cd")]))
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))
        return Condition(question=question, choice=tuple(chosen), or_unmentioned=silent)
    change = draw(st.sampled_from([(), (), ("new",), ("larger",), ("smaller", "same")]))
    return Condition(
        question=draw(st.sampled_from(PRESENCE)),
        value="yes" if change else draw(st.sampled_from(["yes", "no", "uncertain"])),
        or_uncertain=draw(st.booleans()),
        or_unmentioned=silent,
        side=draw(st.sampled_from(["", "", "left"])),
        change=change,
        by_mm=draw(st.sampled_from([0.0, 2.0])),
    )


SOME = st.lists(conditions(), max_size=2).map(tuple)
GROUPS = st.builds(Group, all_of=SOME, any_of=SOME, none_of=SOME)
EVENTS = st.builds(
    Event,
    all_of=st.lists(conditions(), min_size=1, max_size=2).map(tuple),
    within_days=st.sampled_from([None, 2.0]),
)
QUERIES = st.builds(
    CohortQuery,
    of=st.sampled_from(["scans", "reports"]),
    all_of=SOME,
    any_of=SOME,
    none_of=SOME,
    groups=st.lists(GROUPS, max_size=1).map(tuple),
    either=st.lists(GROUPS, max_size=2).map(tuple),
    phrases=st.sampled_from([(), (), ("in the tail",), ("stable cyst", "no ascites")]),
    age_at_least=st.sampled_from([None, None, 42]),
    day_at_most=st.sampled_from([None, None, 3]),
    sex=st.sampled_from(["", "", "F"]),
    before=st.one_of(st.none(), EVENTS),
    after=st.one_of(st.none(), st.none(), EVENTS),
    per_patient=st.sampled_from(["", "", "first", "last"]),
    unsupported=st.booleans(),
    order=st.sampled_from(["case", "earliest", "latest"]),
    limit=st.sampled_from([None, None, 2]),
)


def indexed(scans, reports):
    connection = connect(None)
    writer = IndexWriter(connection)
    writer.put_scans([(scan, 1) for scan in scans])
    by_case = {scan["case_id"]: scan for scan in scans}
    writer.put_reports([ReportRows(r, by_case.get(r["case_id"]), r["findings"]) for r in reports])
    return connection


@settings(max_examples=150, deadline=None)
@given(catalogs(), st.lists(QUERIES, min_size=1, max_size=4))
def test_index_answers_as_plain_loops_do(catalog, queries):
    scans, reports = catalog
    connection = indexed(scans, reports)
    for query in queries:
        hits = find(connection, query, TREE).hits
        names = [hit.case_id if query.of == "scans" else hit.report_id for hit in hits]
        assert names == Plain(scans, reports, TREE).ids(query), query
    connection.close()


@settings(max_examples=150, deadline=None)
@given(catalogs(), conditions(), st.sampled_from(["scans", "reports"]))
def test_each_condition_alone(catalog, condition, of):
    scans, reports = catalog
    connection = indexed(scans, reports)
    for query in (
        CohortQuery(of=of, all_of=(condition,)),
        CohortQuery(of=of, none_of=(condition,)),
        CohortQuery(of=of, before=Event(all_of=(condition,))),
        CohortQuery(of=of, after=Event(all_of=(condition,), within_days=2)),
    ):
        hits = find(connection, query, TREE).hits
        names = [hit.case_id if of == "scans" else hit.report_id for hit in hits]
        assert names == Plain(scans, reports, TREE).ids(query), query
    connection.close()


def test_a_broader_no_counts_for_a_question_that_no_report_answers():
    report = {
        "report_id": "r0", "case_id": "", "patient": "", "text": "", "facts": {},
        "findings": [finding("lesion", "no")],
    }  # fmt: skip
    connection = indexed([], [report])
    denied = Condition(question="tumour", value="no")
    for query, n in (
        (CohortQuery(of="reports", all_of=(denied,)), 1),
        (CohortQuery(of="reports", none_of=(denied,)), 0),
    ):
        assert find(connection, query, TREE).total == n
    connection.close()
