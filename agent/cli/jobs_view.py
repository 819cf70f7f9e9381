"""Work on a cluster, on a terminal."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.cli.console import DONE, show_json
from agent.clusters.driving import driver_log, read_submitted
from agent.clusters.item_log import ItemStory
from agent.clusters.live import Job, StageState, short_id, totals
from agent.clusters.overview import Overview
from voxcurate.errors import ConfigError
from voxcurate.progress import duration
from voxcurate.workspace import Workspace

MOST_JOBS = 20
TAIL = 40


def show_jobs(found: Overview) -> None:
    """One look on stdout."""
    Console().print(pictured(found))


def watching(look: Callable[[], Overview], every_s: float) -> None:
    """The same place of the terminal again and again; elsewhere one look after the other."""
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        while True:
            console.print(Text(f"--- {datetime.now():%H:%M:%S}"), pictured(look()))
            time.sleep(every_s)
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            ends = Text(f"{datetime.now():%H:%M:%S}, Ctrl-C ends")
            live.update(Group(fitted(look(), console), ends))
            live.refresh()
            time.sleep(every_s)


def fitted(found: Overview, console: Console) -> RenderableType:
    """What the terminal has lines for: everything, else the stages at work and some of the jobs."""

    def over(picture: RenderableType) -> int:
        return len(console.render_lines(picture, pad=False)) + 2 - console.height

    picture = pictured(found)
    if over(picture) > 0:
        most = min(MOST_JOBS, len(_alive(found)))
        picture = pictured(found, brief=True)
        if (excess := over(picture)) > 0:
            picture = pictured(found, brief=True, most=max(1, most - excess - 1))
    return picture


def pictured(found: Overview, *, brief: bool = False, most: int = MOST_JOBS) -> RenderableType:
    """Driver, stages (in brief those at work), sums, and so many jobs at most."""
    parts: list[RenderableType] = [Text(line) for line in _driver(found)]
    if found.unasked:
        parts.append(Text(f"the scheduler says nothing: {found.unasked}"))
    if not found.round[0]:
        return Group(*parts, Text("no round has been run yet: 'voxcurate submit' or 'round'"))
    stages = [s for s in found.stages if s.now or not brief]
    parts += [Text(f"round {found.round[0]}: {found.round[1]}"), _stages(stages)]
    if brief:
        over = sum(s.left == 0 for s in found.stages if s not in stages)
        ahead = len(found.stages) - len(stages) - over
        parts.append(Text(f"... and {over} stages done, {ahead} to come: 'voxcurate jobs'"))
    parts += [Text(line) for line in _sums(found)]
    alive = _alive(found)
    if alive:
        parts += [Text(""), _jobs(alive, most)]
    if any(job.scheduler == "gone" for job in alive):
        again = "the driver" if found.lives else "'voxcurate submit'"
        parts.append(Text(f"gone: the scheduler has no such job; {again} does its items again"))
    if len(alive) > most:
        parts.append(Text(f"... and {len(alive) - most} more jobs (--json lists all)"))
    return Group(*parts)


def _alive(found: Overview) -> list[Job]:
    """Jobs that may still be at work."""
    return [job for job in found.jobs if job.state != "ended" and not job.over]


def _driver(found: Overview) -> list[str]:
    if not found.driver and found.submitted is None:
        return ["no driver: nobody has worked on this workspace yet"]
    lines = []
    if found.lives:
        lines.append(f"driver lives: {found.driver}")
    elif found.lives is None:
        silent = duration(found.silent_s)
        lines.append(f"driver silent for {silent}, probably dead: {found.driver}")
    elif found.driver:
        lines.append(f"no driver now; the last: {found.driver}")
    if found.submitted is not None and not found.lives:
        lines.append(f"submitted last: {found.submitted.described()}")
        lines += [f"the scheduler says of it: {found.queued}"] if found.queued else []
    return lines


def _stages(stages: Sequence[StageState]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("stage", no_wrap=True)
    for name in ("done", "left", "fail", "jobs", "per h", "ETA", "core-h", "GPU-h"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in stages:
        if stage.done or stage.failed or stage.left != 0:
            table.add_row(*_row(stage), style="bold" if stage.now else "")
    return table


def _row(stage: StageState) -> list[str]:
    failed = str(stage.failed) if stage.failed else ""
    if stage.quarantined:
        failed += f" {stage.quarantined}q"
    running, waiting = stage.jobs.get("running", 0), stage.jobs.get("waiting", 0)
    lost = stage.jobs.get("lost", 0)
    told = [f"{n}{letter}" for n, letter in ((running, "r"), (waiting, "w"), (lost, "l")) if n]
    active = stage.done or stage.failed or stage.now
    return [
        stage.name,
        f"{stage.done:,}",
        "?" if stage.left is None else f"{stage.left:,}" if stage.left else "",
        failed,
        " ".join(told),
        _compact(stage.per_hour) if stage.per_hour and active else "",
        "" if stage.left == 0 else _short(stage.eta_s),
        _spent(stage.core_hours, stage.core_hours_left),
        _spent(stage.gpu_hours, stage.gpu_hours_left),
    ]


def _compact(number: float) -> str:
    """``0.52``, ``37``, ``2.5k``, ``1.2M``."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return (
                f"{number / size:.2g}{unit}" if number < 10 * size else f"{number / size:.0f}{unit}"
            )
    return f"{number:.2g}" if number < 10 else f"{number:.0f}"


def _short(seconds: float | None) -> str:
    """``45s``, ``12m``, ``3h10``, ``5d``: what fits into a column."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.0f}s"
    if seconds < 3600:
        return f"{seconds / 60:.0f}m"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)}h{int(seconds % 3600 // 60):02d}"
    return f"{seconds / 86400:.1f}d"


def _spent(so_far: float, left: float | None) -> str:
    """``1.2+3.4``: so far, and to come."""
    if left is None:
        return f"{_hours(so_far)}+?" if so_far else "?"
    if so_far + left < 0.005:
        return ""
    return f"{_hours(so_far)}+{_hours(left)}" if left else _hours(so_far)


def _hours(value: float) -> str:
    return "0" if value < 0.005 else f"{value:.2f}" if value < 1 else _compact(value)


def _sums(found: Overview) -> list[str]:
    added = totals(found.stages)
    lines = []
    for name, what in (("core_hours", "core-hours"), ("gpu_hours", "GPU-hours")):
        known = sum(v for s in found.stages if (v := getattr(s, f"{name}_left")) is not None)
        if added[f"{name}_left"] is not None:
            more = f"about {_hours(known)} to come"
        else:
            more = f"at least {_hours(known)} to come" if known else "the rest is not yet measured"
        lines.append(f"{what}: {_hours(added[name] or 0.0)} so far, {more}")
    if added["eta_s"]:
        lines.append(f"left if stages follow each other at this speed: {duration(added['eta_s'])}")
    if any(stage.jobs for stage in found.stages):
        lines.append("jobs: r running, w waiting, l lost; hours: so far + to come")
    if any(stage.quarantined for stage in found.stages):
        lines.append("fail: q quarantined, they took their jobs down: 'voxcurate logs ITEM'")
    unknown = [s.name for s in found.stages if s.left is None]
    if unknown:
        lines.append(f"not known yet: {', '.join(unknown)}")
    return lines


def _jobs(jobs: list[Job], most: int) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=True)
    for name in ("job", "stage", "state", "host"):
        table.add_column(name, overflow="ellipsis", no_wrap=True, max_width=20)
    table.add_column("done", justify="right", no_wrap=True)
    table.add_column("in hand (s)", overflow="ellipsis", no_wrap=True, ratio=1)
    order = {"running": 0, "waiting": 1, "lost": 2}
    for job in sorted(jobs, key=lambda job: order.get(job.state, 3))[:most]:
        hand = ", ".join(f"{seconds:.0f} {key}" for key, seconds in list(job.hand.items())[:3])
        hand = hand or (f"({job.reason})" if job.reason else "")
        name = short_id(job.job) or f"{job.shard}.{job.number}"
        table.add_row(name, job.stage, _state(job), job.host, f"{job.done}/{job.items}", hand)
    return table


def _state(job: Job) -> str:
    """In a word or two: by its own signs of life, else by what the scheduler says."""
    if job.scheduler in {"queued", "gone"}:
        return job.scheduler
    if job.state == "waiting":
        return "starting" if job.scheduler else "waiting"
    if job.state == "lost" and job.silent_s is not None:
        return f"lost {_short(job.silent_s)}"
    return job.state


def show_story(told: ItemStory) -> None:
    """Ledger, events, then the logs' parts."""
    for line in told.ledger:
        seconds = duration(line["seconds"])
        tries = f"{line['attempts']} {'try' if line['attempts'] == 1 else 'tries'}"
        at = str(line["updated"])[:19].replace("T", " ")
        head = f"round {line['round']} {line['stage']} {line['item']}: {line['status']}"
        typer.echo(f"{head} ({tries}, {seconds}, {line['peak_mb']:.0f} MB, {at})")
        if line["error"]:
            typer.echo(f"  error: {line['error']}")
    if told.events:
        typer.echo("\nlogs/voxcurate.jsonl:")
        for event in told.events:
            typer.echo(f"  {event}")
    for words in told.words:
        typer.echo(f"\n{words.of} ({words.path}):")
        for text in words.lines or ("(nothing about it)",):
            typer.echo(f"  {text}")


def show_driver_log(workspace: Workspace, *, as_json: bool) -> int:
    """The end of what the driver's last job said.

    Raises:
        ConfigError: no driver was submitted, or it has said nothing yet.
    """
    told = read_submitted(workspace)
    if told is None:
        raise ConfigError("no driver was submitted from here: 'voxcurate submit --driver job'")
    path = driver_log(workspace, told)
    if not path.exists():
        raise ConfigError(f"the driver has not begun: {told.described()}")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if as_json:
        show_json({"job": told.job, "lines": lines})
        return DONE
    typer.echo(f"{told.described()} (driver/{path.name}, the last lines):")
    for line in lines[-TAIL:]:
        typer.echo(f"  {line}")
    return DONE
