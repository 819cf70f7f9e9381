"""Linking by patient and date, against a plain reading of its rule."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ingest.linking import link_all
from agent.ingest.report_keys import PartRules, ReportKeys, ScanKeys
from agent.ingest.report_store import ReportStore
from voxcurate.workspace import Workspace

FIRST = date(2020, 1, 1)
WINDOW = 3


def day(n):
    return (FIRST + timedelta(days=n)).isoformat()


def linked(folder, scans, reports, *, usable=None):
    """Outcome by report number, of one patient's scans and reports on the given days."""
    if not (folder / "config.yaml").exists():
        Workspace.create(folder)
    workspace = Workspace(folder)
    (folder / "private" / "reports.sqlite").unlink(missing_ok=True)
    with ReportStore(workspace) as store:
        store.add_scans(
            ScanKeys(f"c{n}", "s", "p", True, f"study{study}", day(d), "CT")
            for n, (d, study) in enumerate(scans)
        )
        store.set_rules(PartRules("r", 1, ("patient_date",), WINDOW, ()))
        with store.transaction():
            store.add_reports(
                ReportKeys(f"r{n}", "r", 1, n, patients=("p",), day=day(d))
                for n, d in enumerate(reports)
            )
        link_all(store, usable)
        found = store.outcomes([f"r{n}" for n in range(len(reports))])
        return {int(name[1:]): outcome for name, outcome in found.items()}


def expected(scans, reports):
    """Each report's exam: nearest within the window, with no other exam as near, and no other
    report that is as near to that exam or nearer."""
    exams = {study: d for d, study in scans}

    def nearest(r):
        gaps = {study: abs(d - r) for study, d in exams.items()}
        best = min(gaps.values(), default=WINDOW + 1)
        found = [study for study, gap in gaps.items() if gap == best]
        return (found[0], best) if best <= WINDOW and len(found) == 1 else (None, best)

    chosen = [nearest(r) for r in reports]
    return {
        n: study
        for n, (study, gap) in enumerate(chosen)
        if study is not None
        and not any(s == study and g <= gap for m, (s, g) in enumerate(chosen) if m != n)
    }


days = st.integers(0, 12)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.integers(0, 4), days, max_size=5),
    st.lists(days, max_size=5),
    st.data(),
)
def test_nearest_is_mutual_and_unique(tmp_path_factory, exams, reports, data):
    folder = tmp_path_factory.getbasetemp() / "linking"
    folder.mkdir(exist_ok=True)
    scans = [(d, study) for study, d in exams.items() for _ in range(1 + study % 2)]
    outcomes = linked(folder, scans, reports)
    wanted = expected(scans, reports)
    assert {n for n, one in outcomes.items() if one.link} == set(wanted)
    for n, one in outcomes.items():
        studies = {scans[int(case[1:])][1] for case in one.cases}
        assert studies == ({wanted[n]} if n in wanted else set())
        assert bool(one.reason) != bool(one.link)
    order = data.draw(st.permutations(range(len(scans))))
    again = linked(folder, [scans[n] for n in order], reports)
    assert {n: one.study for n, one in again.items()} == {n: o.study for n, o in outcomes.items()}


def test_scans_that_did_not_come_in_are_not_linked_to(tmp_path):
    scans = [(0, 1), (0, 1), (5, 2)]
    one = linked(tmp_path, scans, [0, 5], usable=["c1"])
    assert (one[0].cases, one[1].cases) == (("c1",), ())
    assert one[1].reason == "no_scan_near"
