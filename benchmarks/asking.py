"""How fast questions are answered from a large catalog, and whether they are answered rightly.

Run: ``python -m benchmarks.asking --reports 250000``. Synthetic reports, of distinct sentences,
with their findings are put straight into a catalog; the index is built; each question is asked
several times. Before that, on a small catalog, the structured questions' answers are compared with
plain loops over the rows.
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retrieval.questions import load_questions
from retrieval.search.ask import ask
from retrieval.search.index import index_path
from retrieval.search.query import CohortQuery, Condition, Event
from retrieval.search.session import opened
from retrieval.search.tree import Tree
from voxcurate.catalog import Catalog, FindingRow, Report, Scan
from voxcurate.catalog.schema import TABLES
from voxcurate.catalog.statements import column_values
from voxcurate.workspace import Workspace

STRUCTURED = (
    "pancreatic tumours under 2 cm in women over 60, earliest first",
    "portal venous CT with liver metastases",
    "no ascites in men aged 40 to 60",
    "kidney stones",
    "lung nodules between 5 and 10 mm",
)
QUERIES = {
    "first scan per patient with a liver lesion": CohortQuery(
        all_of=(Condition(question="liver_lesion"),), per_patient="first"
    ),
    "before the first pancreatic tumour": CohortQuery(
        before=Event(all_of=(Condition(question="pancreas_tumour"),))
    ),
    "between a cyst and a tumour of the pancreas": CohortQuery(
        after=Event(all_of=(Condition(question="pancreas_cyst"),)),
        before=Event(all_of=(Condition(question="pancreas_tumour"),)),
    ),
    "growing liver lesions": CohortQuery(
        all_of=(Condition(question="liver_lesion", change=("larger",)),)
    ),
    "new liver metastases": CohortQuery(
        all_of=(Condition(question="liver_metastasis", change=("new",)),)
    ),
    "everything over 80, thin slices, GE": CohortQuery(
        age_at_least=80, slice_mm_at_most=1.5, scanner=("ge",)
    ),
}
HYBRID = {
    "hyperenhancing lesion in the tail": CohortQuery(text="hyperenhancing lesion in the tail"),
    "stranding, women over 60": CohortQuery(text="fat stranding", sex="F", age_at_least=60),
    "mass near the hilum, with ascites": CohortQuery(
        text="mass near the hilum", all_of=(Condition(question="ascites"),)
    ),
    'the words "stable since"': CohortQuery(phrases=("stable since",)),
    "calcified nodule, first per patient": CohortQuery(
        text="calcified nodule", per_patient="first"
    ),
}  # fmt: skip
FINDINGS = (
    "liver_lesion", "liver_metastasis", "liver_cyst", "pancreas_lesion", "pancreas_tumour",
    "pancreas_cyst", "kidney_stone", "kidney_lesion", "ascites", "lung_nodule", "pleural_effusion",
    "splenomegaly",
)  # fmt: skip
SIZES = {"liver_lesion": "liver_lesion_size", "lung_nodule": "lung_nodule_size",
         "pancreas_lesion": "pancreas_lesion_size"}  # fmt: skip
_WHAT = ("mass", "cyst", "calcified nodule", "hyperenhancing lesion", "fat stranding", "stent")
_WHERE = ("tail", "hilum", "dome", "left lobe", "body", "mesentery", "pelvis", "apex")
_HOW = ("stable since", "new from", "larger than in", "unchanged from", "not seen in")
_PER_WRITE = 5000


def main() -> None:
    """Parse, check, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=250_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the workspace here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary) / "workspace"
        workspace = Workspace.create(folder, key_file="key")
        catalog = Catalog(workspace.catalog_url)
        if not catalog.count(Report):
            start = time.perf_counter()
            fill(catalog, given.reports)
            _say(f"catalog of {given.reports:,} reports written in {_since(start)}")
        check(Path(temporary) / "small")
        measure(workspace, catalog, given.repeats)
        catalog.close()


def fill(catalog: Catalog, n: int, seed: int = 0) -> None:
    """Put reports, each of a scan of its own, with their findings into a catalog."""
    rng = random.Random(seed)
    for low in range(0, n, _PER_WRITE):
        rows: dict[type[Any], list[dict[str, Any]]] = {Scan: [], Report: [], FindingRow: []}
        for i in range(low, min(n, low + _PER_WRITE)):
            for record in _records(i, rng):
                rows[type(record)].append(column_values(record))
        with catalog.engine.begin() as connection:
            for kind, values in rows.items():
                connection.execute(sa.insert(TABLES[kind]), values)


def _records(i: int, rng: random.Random) -> Iterator[Any]:
    patient, case, report = f"patient{i // 3:07}", f"big_{i:07}", f"big_r{i:07}"
    facts = {
        "sex": "FM"[i // 3 % 2], "age": 20 + i // 3 * 7 % 70, "day": i % 3 * 90,
        "slice_thickness_mm": rng.choice((1.0, 1.25, 2.5, 5.0)),
        "manufacturer": rng.choice(("GE", "Siemens", "Philips")), "model": f"M{i % 9}",
        "phase": rng.choice(("portal_venous", "arterial", "non_contrast", "")),
    }  # fmt: skip
    yield Scan(
        case, f"source{i % 4}", patient, patient, "train", "CT", f"scans/{case}/ct.nii.gz", "0",
        [512, 512, 300], [0.8, 0.8, 2.5], [], facts=facts,
    )  # fmt: skip
    lines: list[str] = []
    found: list[tuple[str, str, float | None, str]] = []
    for question in FINDINGS:
        value = rng.choices(("yes", "no", "uncertain", ""), (15, 45, 4, 36))[0]
        line = (
            f"{rng.choice(_WHAT).capitalize()} in the {rng.choice(_WHERE)}, {rng.randint(2, 90)} mm"
            f" at image {rng.randint(1, 999)}, {rng.choice(_HOW)} {rng.randint(1990, 2025)}."
        )
        lines.append(line)
        if value:
            found.append((question, value, None, line))
        if value == "yes" and question in SIZES:
            found.append((SIZES[question], "number", float(rng.randint(3, 60)), line))
    yield Report(report, case, patient, f"source{i % 4}", "FINDINGS: " + " ".join(lines))
    for question, value, size, line in found:
        yield FindingRow(
            report, question, case, value, size, "mm" if size else "", "", line, "findings", 0.9,
            "rules synthetic", 1, 10, 10 + len(line),
        )  # fmt: skip


def measure(workspace: Workspace, catalog: Catalog, repeats: int) -> None:
    """Build the index, ask every question, print seconds."""
    questions = load_questions()
    start = time.perf_counter()
    with opened(workspace, catalog, questions) as _:
        pass
    size = sum(p.stat().st_size for p in index_path(workspace).parent.iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _say(f"index up to date in {_since(start)}, {size / 2**20:,.0f} MiB, peak {peak:,.0f} MiB")
    asked = {text: ask(text, questions).query for text in STRUCTURED} | QUERIES
    for title, part in (("structured", asked), ("hybrid", HYBRID)):
        _say(f"\n{title:<48}{'found':>9}{'median s':>10}{'worst s':>10}")
        for text, query in part.items():
            seconds, total = [], 0
            for _ in range(repeats):
                start = time.perf_counter()
                with opened(workspace, catalog, questions) as session:
                    total = session.ask(query.model_copy(update={"limit": 50})).found.total
                seconds.append(time.perf_counter() - start)
            middle, worst = statistics.median(seconds), max(seconds)
            _say(f"{text[:47]:<48}{total:>9,}{middle:>10.3f}{worst:>10.3f}")


def check(folder: Path, n: int = 300) -> None:
    """Compare the questions' answers on a small catalog with plain loops; they must be equal."""
    from tests.retrieval.search.plain import Plain

    workspace, questions = Workspace.create(folder, key_file="key"), load_questions()
    catalog = Catalog(workspace.catalog_url)
    fill(catalog, n, seed=1)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in catalog.rows(FindingRow):
        found.setdefault(row.report_id, []).append(asdict(row))
    reports = [asdict(r) | {"findings": found.get(r.report_id, [])} for r in catalog.rows(Report)]
    loops: Any = Plain  # untyped, as tests are
    plain = loops([asdict(scan) for scan in catalog.rows(Scan)], reports, Tree.of(questions))
    asked = {text: ask(text, questions).query for text in STRUCTURED} | QUERIES
    compared = 0
    with opened(workspace, catalog, questions, quiet=True) as session:
        for text, query in asked.items():
            if query.scanner or "contrast_phase" in query.questions():
                continue  # not of the findings alone: the plain loops do not know it
            got = [hit.case_id for hit in session.ask(query).found.hits]
            if got != plain.ids(query):
                raise SystemExit(f"wrong answer: {text}")
            compared += 1
    catalog.close()
    _say(f"{compared} questions on {n} reports answered as plain loops answer them")


def _since(start: float) -> str:
    return f"{time.perf_counter() - start:.1f} s"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the benchmark's output


if __name__ == "__main__":
    main()
