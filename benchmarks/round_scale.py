"""A round's bookkeeping on many cases: time and memory of each stage, restarts after kills.

    python -m benchmarks.round_scale --scans 2500 --scans 25000

simulates scans with 25 classes, three models (``--models``) and labels of two origins, and runs the
ledger, the priority list, the assembly, the catalog's questions and the commands that ask them,
each in a process of its own; last the drivers of fuse, detect and judge as they are, without
images. With ``--kill`` also in a copy where fuse and assemble (in its own work and in that of its
ledger) are killed (SIGKILL) several times, which must end as the first did. Prints JSON: seconds,
peak memory (MiB; of the process alone, without workers), and what was found.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks import round_scale_data as data
from benchmarks import round_scale_stages as real
from voxcurate.catalog import Catalog, WorkItem
from voxcurate.executors import ExecutorConfig
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

ROUND = ("predict", "fuse", "detect", "priority", "assemble")
REAL = ("real_fuse", "real_detect", "real_judge")  # drivers as they are, no images
AFTER = ("again", "queries", "review", "export_tables", "report", *REAL)
KILLED = (
    "predict",
    "kill:fuse",
    "fuse",
    "detect",
    "priority",
    "kill:assemble",
    "assemble",
    "again",
)
KILLS = 3
COMMAND = [sys.executable, "-c", "from agent.cli.main import main; main()"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print figures as JSON."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, action="append")
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--kill", action="store_true", help="also with kills, and compare")
    parser.add_argument("--folder", type=Path, help="keep the workspaces there")
    parser.add_argument("--only", action="append", help="only these stages, on what is there")
    parser.add_argument("--stage", nargs=3, help="internal: stage, workspace, number of scans")
    asked = parser.parse_args(arguments)
    if asked.stage:
        stage, root, n = asked.stage
        sys.stdout.write(json.dumps(measured(stage, Path(root), int(n))))
        return 0
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="round_scale_"))
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    equal = True
    try:
        for n in asked.scans or [2500]:
            for found in figures(
                folder / str(n), n, asked.only, models=asked.models, kill=asked.kill
            ):
                equal &= found.get("equal", True)
                sys.stdout.write(json.dumps({"scans": n, **found}) + "\n")
                sys.stdout.flush()
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)
    return 0 if equal else 1


def figures(
    folder: Path, n: int, only: Sequence[str] | None, *, models: int, kill: bool
) -> Iterator[dict[str, Any]]:
    """The figures of one size, one by one."""
    root, rough = folder / "calm", folder / "rough"
    for stage in only or (f"make:{models}", *ROUND, *AFTER):
        yield in_process(stage, root, n)
        if kill and stage == KILLED[0]:  # the same workspace, its key too
            shutil.copytree(root, rough)
    yield {"disk_mb": _size_mb(root), "catalog_mb": _catalog_mb(root)}
    if kill:
        for stage in KILLED[1:]:
            yield in_process(stage, rough, n)
        ours, theirs = in_process("state", root, n), in_process("state", rough, n)
        keys = ("tables", "views", "versions")
        yield {"equal": all(ours[k] == theirs[k] for k in keys), "calm": ours, "rough": theirs}
    if not only:
        yield from commands(root)


def in_process(stage: str, root: Path, n: int) -> dict[str, Any]:
    """What a fresh process measures of a stage."""
    if stage.startswith("kill:"):
        return {"stage": stage, "killed_at": killed(stage.removeprefix("kill:"), root, n)}
    done = subprocess.run(_stage(stage, root, n), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def killed(stage: str, root: Path, n: int) -> list[int]:
    """Start a stage and kill it, `KILLS` times, each time further on; how far it was."""
    whole = 2 * n if stage == "assemble" else n
    goals = [(k + 1) * whole // (KILLS + 1) for k in range(KILLS)]
    seen = []
    for goal in goals:
        process = subprocess.Popen(
            _stage(stage, root, n), stdout=subprocess.DEVNULL, start_new_session=True
        )
        while process.poll() is None and _progress(root, stage) < goal:
            time.sleep(0.02 + n / 50_000)
        if process.poll() is not None:
            raise RuntimeError(f"{stage} ended before it could be killed")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        seen.append(_progress(root, stage))
    return seen


def _progress(root: Path, stage: str) -> int:
    """Cases that are done; of assemble those with pointers and those compared."""
    lines = "SELECT count(*) FROM work_item WHERE round = 1 AND stage = ? AND status = 'done'"
    pointed = "SELECT count(DISTINCT case_id) FROM assembly WHERE round = 1"
    with closing(sqlite3.connect(root / "catalog.sqlite")) as connection:
        if stage == "assemble":
            (done,) = connection.execute(pointed).fetchone()
            (compared,) = connection.execute(lines, ["assemble_conflicts"]).fetchone()
            return int(done + compared)
        return int(connection.execute(lines, [stage]).fetchone()[0])


def measured(stage: str, root: Path, n: int) -> dict[str, Any]:
    """Seconds and peak memory of a stage in this process."""
    start, cpu = time.perf_counter(), time.process_time()
    name, _, value = stage.partition(":")
    found = STAGES[name](root, n, *([int(value)] if value else []))
    return {
        "stage": stage,
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_mb": _peak_mb(),
        **found,
    }


def _make(root: Path, n: int, n_models: int = 3) -> dict[str, Any]:
    data.make(root, n, n_models)
    return {}


def _real(run: Callable[[StageContext, Any], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def stage(root: Path, n: int) -> dict[str, Any]:
        ctx, config = context(root, "serial")
        return run(ctx, config.labeling)

    return stage


def _ledger(run: Callable[[StageContext, dict[str, int]], Any]) -> Callable[..., dict[str, Any]]:
    def stage(root: Path, n: int) -> dict[str, Any]:
        ctx, _ = context(root, "serial")
        done = run(ctx, names(n))
        return {"computed": done.computed, "reused": done.reused, "failed": len(done.failed)}

    return stage


def _priority(root: Path, n: int) -> dict[str, Any]:
    from labeling.attention import priority

    ctx, config = context(root)
    return {"counts": priority.run(ctx, config.labeling).counts}


def _assemble(root: Path, n: int) -> dict[str, Any]:
    from labeling.assembly import assemble

    ctx, config = context(root)
    done = assemble.run(ctx, config.labeling)
    return {"counts": dict(done.counts), "failed": len(done.failed)}


def _review(root: Path, n: int) -> dict[str, Any]:
    from labeling.review.review import build_queue

    ctx, config = context(root)
    return {"queued": len(build_queue(ctx, config.labeling))}


def _export_tables(root: Path, n: int) -> dict[str, Any]:
    from agent.export_tables import Released, write_tables

    ctx, _ = context(root)
    out = root / "tmp" / "release"
    out.mkdir(parents=True)
    write_tables(Released(ctx, list(ctx.cases()), data.CLASSES, combined=False), {}, out)
    size = sum(p.stat().st_size for p in out.iterdir())
    shutil.rmtree(out)
    return {"tables_mb": round(size / 1e6)}


def _report(root: Path, n: int) -> dict[str, Any]:
    from agent.report import write_report

    ctx, _ = context(root)
    return {"page_mb": round(write_report(ctx, 1).stat().st_size / 1e6, 1)}


def _queries(root: Path, n: int) -> dict[str, Any]:
    """Seconds of each question about the catalog; the slower of two times."""
    from agent.cli.labels_view import conflicts_of, counting_labels
    from agent.status import status
    from labeling.assembly.history import history
    from voxcurate.catalog import Label, Measure, Scan

    ctx, _ = context(root)
    catalog, case = ctx.catalog, data.case_name(n // 2)
    questions: dict[str, Callable[[], Any]] = {
        "open": lambda: Catalog(ctx.workspace.catalog_url).close(),
        "status": lambda: status(ctx.workspace, catalog),
        "labels of a case": lambda: counting_labels(catalog, [case], (), ""),
        "history": lambda: history(catalog, case, "liver"),
        "conflicts": lambda: conflicts_of(catalog),
        "scan": lambda: catalog.one(Scan, case_id=case),
        "labels of a structure": lambda: catalog.rows(Label, case_id=case, class_id="liver"),
        "measures of a case": lambda: catalog.rows(Measure, case_id=case),
        "failed items": lambda: catalog.rows(WorkItem, status="failed"),
        "count scans in use": lambda: catalog.count(Scan, status=("ok", "suspect")),
        "count labels": lambda: catalog.count(Label),
        "pointers of a case": lambda: catalog.current(case_id=case),
    }
    times = {}
    for name, ask in questions.items():
        taken = []
        for _ in range(2):
            start = time.perf_counter()
            ask()
            taken.append(time.perf_counter() - start)
        times[name] = round(max(taken), 3)
    return {"slowest": max(times.values()), "times": times}


def _state(root: Path, n: int) -> dict[str, Any]:
    return asdict(data.state(root))


STAGES: dict[str, Callable[..., dict[str, Any]]] = {
    "make": _make,
    "predict": _ledger(data.predictions),
    "fuse": _ledger(data.fusion),
    "detect": _ledger(data.detection),
    "priority": _priority,
    "assemble": _assemble,
    "again": _assemble,
    "queries": _queries,
    "review": _review,
    "export_tables": _export_tables,
    "report": _report,
    "state": _state,
    "real_fuse": _real(real.fusing),
    "real_detect": _real(real.detecting),
    "real_judge": _real(real.judging),
}


def commands(root: Path) -> Iterator[dict[str, Any]]:
    """The commands that people type, start of Python and all."""
    case, place = data.case_name(4), ["-w", str(root)]
    asked = [
        ["status", "--json"],
        ["priority", "--json"],
        ["labels", "list"],
        ["labels", "list", "--case", case],
        ["labels", "list", "--class", "pancreas", "--trust", "pseudo"],
        ["labels", "history", case, "liver"],
        ["labels", "conflicts"],
        ["labels", "versions"],
        ["labels", "undo", case, "liver", "--reason", "tail cut off"],
        ["assemble"],
        ["labels", "diff", "first"],
    ]
    for words in asked:
        if words[-1] == "first":
            words[-1] = (root / "datasets" / "first").read_text()
        if words[:2] == ["labels", "undo"]:
            name = (root / "datasets" / "current").read_text().strip()
            (root / "datasets" / "first").write_text(name)
            with sqlite3.connect(root / "catalog.sqlite") as connection:
                query = (
                    "SELECT label_id FROM label WHERE case_id = ? AND class_id = ? AND origin = ?"
                )
                found = connection.execute(query, (case, "liver", "pseudo")).fetchone()
            words += ["--to", found[0]]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*COMMAND, *words, *place], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{words}: {errors.decode()}")
        yield {
            "command": " ".join(words[:3]),
            "seconds": round(time.perf_counter() - start, 2),
            "output_kb": len(out) // 1000,
        }


def context(root: Path, kind: str = "local") -> tuple[StageContext, Any]:
    """The context and the settings of the simulated round."""
    from agent.rounds import config_of, context_of

    workspace = Workspace.find(root)
    catalog = Catalog(workspace.catalog_url)
    ctx = context_of(workspace, catalog, 1, quiet=True)
    executor = ExecutorConfig(kind=kind, workers=2)
    return replace(ctx, executor_config=executor), config_of(catalog, 1)


def names(n: int) -> dict[str, int]:
    """Train and validation cases with their numbers, in case order."""
    found = {data.case_name(k): k for k in range(n) if data.split(k) != "test"}
    return dict(sorted(found.items()))


def _stage(stage: str, root: Path, n: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.round_scale", "--stage", stage, str(root), str(n)]


def _peak_mb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def _size_mb(root: Path) -> int:
    done = subprocess.run(["du", "-sm", str(root)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def _catalog_mb(root: Path) -> int:
    return sum(p.stat().st_size for p in root.glob("catalog.sqlite*")) >> 20


if __name__ == "__main__":
    raise SystemExit(main())
