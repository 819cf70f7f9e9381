"""Jobs on a SLURM cluster.

submitit writes the batch script: what it knows of sbatch's options, their names and their forms. It
does not run our work. A function that submitit submits is pickled with its result, through
``srun``, and the state of a job is had from ``sacct``, which a cluster without accounting lacks; a
shard's folder holds all of that already, a batch script that *becomes* the job's process hears the
scheduler's notices itself, and a later driver must find the jobs by their ids alone.
"""

import hashlib
import logging
import math
import os
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from voxcurate.errors import ClusterError, ConfigError, JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import LINKS, JobSpec, JobState
from voxcurate.executors.launchers.shell import become, begin, quoted, surroundings
from voxcurate.executors.launchers.slurm_queue import Seen, UnsureError, marked, queue, tool

log = logging.getLogger(__name__)
NOTICE_S = 120  # before a job's time is over, or it is pre-empted: to end in order
OURS = frozenset({"notice_s", "parallel", "gpu_type", "arrays"})  # options that are not sbatch's
# of a job or step around this process; inherited, they contradict what a job asks for. What users
# set for themselves stays: SBATCH_ACCOUNT and the like
INHERITED = re.compile(
    "(SLURM|SLURMD|SRUN|SUBMITIT|PMI|PMIX|PMI2)_|SBATCH_(CPU|MEM)_BIND|(CUDA|ROCR)_VISIBLE_DEVICES"
)
KEPT = frozenset({"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_TIME_FORMAT"})
ORDINARY = frozenset(
    {"None", "Priority", "Resources", "JobArrayTaskLimit", "BeginTime", "Dependency"}
)


class SlurmLauncher:
    """Starts jobs with sbatch: those with the same needs as one array.

    An array's tasks learn their shard from a list in the batch script and write into their shard's
    folder. SLURM itself starts a job again, under its id, when a node is gone or the job was
    pre-empted and may be requeued: such a job is WAITING again and goes on with its shard.

    Args:
        cluster: where; its options are sbatch's (``partition``, ``account``, ``qos``, any other
            long option; true for one without a value) but for ours: ``notice_s`` (seconds between
            the notice and the end), ``parallel`` (jobs of an array at once), ``gpu_type``,
            ``arrays`` (false: every job by itself).
    """

    def __init__(self, cluster: ClusterConfig) -> None:
        self.cluster = cluster
        self.waiting: dict[str, str] = {}  # id to why it does, at the last look
        self._unsure: set[str] = set()  # marks of submissions whose answer was lost
        self._largest = 0
        self._told: set[str] = set()
        self._never: set[str] = set()  # jobs that could never start, at the last look

    def launch(self, jobs: Sequence[JobSpec]) -> list[str]:
        """Submit jobs; ids like ``123`` and, of arrays, ``123_4``. All are submitted, or none.

        Raises:
            ClusterError: the scheduler cannot be reached.
            JobRefusedError: it refuses, and always would.
        """
        self._forget_unsure()
        ids: dict[int, str] = {}
        marks: list[str] = []
        try:
            for places in self._groups(jobs):
                some = [jobs[place] for place in places]
                ids.update(zip(places, self._submit(some), strict=True))
                marks.append(_mark(some))
        except ClusterError:
            try:
                self.cancel(ids.values())
            except ClusterError:
                self._unsure.update(marks)  # before the next submission, then
            raise
        return [ids[place] for place in range(len(jobs))]

    def states(self, ids: Collection[str]) -> Mapping[str, JobState]:
        """What became of jobs: one question for all of them.

        Raises:
            ClusterError: the scheduler cannot be reached.
            JobRefusedError: jobs are in the queue that it would never start; they are
                cancelled.
        """
        if not ids:
            return {}
        seen = queue(ids)
        self.waiting = {name: one.reason for name, one in seen.items() if one.waits}
        doubtful = {name for name, one in seen.items() if one.never}
        never = sorted(doubtful & self._never)  # at two looks: partitions are changed at times
        self._never = doubtful
        if never:
            self.cancel(never)
            raise JobRefusedError(f"{len(never)} jobs can never start: {seen[never[0]].reason}")
        stuck = [name for name, one in seen.items() if one.held_by_failure]
        if stuck:
            log.warning("nodes could not start jobs", extra={"jobs": len(stuck)})
            self.cancel(stuck)
        self._tell(seen.values())
        return {name: seen[name].state if name in seen else JobState.LOST for name in ids}

    def cancel(self, ids: Collection[str]) -> None:
        """Cancel jobs; those that are over already are passed over.

        Raises:
            ClusterError: the scheduler cannot be reached.
        """
        known = sorted(ids)
        for start in range(0, len(known), 500):
            # not there any more, or over: nothing to say
            tool(["scancel", "--quiet", *known[start : start + 500]], passed_over="Invalid job id")

    def script(self, jobs: Sequence[JobSpec]) -> str:
        """What would be given to sbatch for jobs with the same needs: for a look beforehand."""
        return self._script(jobs, _mark(jobs))

    def _groups(self, jobs: Sequence[JobSpec]) -> Iterable[list[int]]:
        """Places of jobs that may be one array."""
        groups: dict[tuple[str, Path], list[int]] = {}
        for place, job in enumerate(jobs):
            alike = (job.needs.model_dump_json(), job.folder.parent)
            groups.setdefault(alike, []).append(place)
        for places in groups.values():
            many = len(places) > 1 and self.cluster.options.get("arrays", True)
            step = self._array_size() if many else 1
            yield from (places[start : start + step] for start in range(0, len(places), step))

    def _array_size(self) -> int:
        if not self._largest:
            found = re.search(r"MaxArraySize\s*=\s*(\d+)", tool(["scontrol", "show", "config"]))
            self._largest = max(1, int(found[1]) - 1) if found else 1
        return self._largest

    def _submit(self, jobs: Sequence[JobSpec]) -> list[str]:
        mark = _mark(jobs)
        text = self._script(jobs, mark)
        if len(jobs) > 1:
            _link_logs(jobs, mark)
        try:
            said = tool(["sbatch", "--parsable"], text=text, environment=_own_environment())
        except UnsureError:
            self._unsure.add(mark)
            raise
        job_id = said.strip().splitlines()[-1].partition(";")[0]
        if not job_id.isdigit():
            raise ClusterError("want a job's id from sbatch, found something else")
        return [job_id] if len(jobs) == 1 else [f"{job_id}_{n}" for n in range(len(jobs))]

    def _forget_unsure(self) -> None:
        """Cancel what was submitted without our hearing of it: it would run beside its twin."""
        for mark in sorted(self._unsure):
            self.cancel(marked(mark))
            self._unsure.discard(mark)

    def _tell(self, seen: Iterable[Seen]) -> None:
        """Say once of each reason why jobs wait that is not the others before them."""
        counts = Counter(one.reason for one in seen if one.waits and one.reason not in ORDINARY)
        for reason, n in counts.items():
            if reason not in self._told:
                self._told.add(reason)
                log.warning("jobs wait", extra={"jobs": n, "why": reason})

    def _script(self, jobs: Sequence[JobSpec], mark: str) -> str:
        try:
            from submitit.slurm.slurm import _make_sbatch_string
        except ImportError:
            raise ConfigError("SLURM needs submitit: pip install 'voxcurate[cluster]'") from None
        first = jobs[0]
        options = {**self.cluster.options, **first.needs.options}
        own = {name: options.pop(name) for name in OURS & options.keys()}
        asked = _resources(first.needs, str(own.get("gpu_type", "")))
        notice = _notice(first.needs, float(own.get("notice_s", NOTICE_S)))
        # too short for a notice: one that does nothing, for submitit's own would end a job's steps
        asked["signal"] = f"B:TERM@{notice}" if notice else "B:CONT@1"
        asked["output"] = _pattern(first.log)
        if len(jobs) > 1:
            asked["output"] = _pattern(_links(first, mark)) + "/%a.log"
            asked["array"] = f"0-{len(jobs) - 1}"
            if own.get("parallel"):
                asked["array"] += f"%{own['parallel']}"
        asked |= {name.replace("_", "-"): value for name, value in options.items()}
        if not asked["requeue"]:
            asked["no-requeue"] = True
        asked = {name: value for name, value in asked.items() if value is not False}
        return _make_sbatch_string(
            command=self._command(jobs),
            folder=first.folder,
            job_name=_name(jobs),
            comment=mark,
            setup=self._setup(hidden=not first.needs.gpus and "gres" not in options),
            additional_parameters=asked,
            wckey=None,  # type: ignore[arg-type] # left out: not all clusters know such keys
            stderr_to_stdout=True,
            use_srun=False,
        )

    def _setup(self, *, hidden: bool) -> list[str]:
        """Shell lines before the job; one without a GPU does not see those of its node."""
        lines = surroundings(self.cluster)
        return [*lines, "export CUDA_VISIBLE_DEVICES="] if hidden else lines

    def _command(self, jobs: Sequence[JobSpec]) -> str:
        """The script becomes the job's process."""
        if len(jobs) == 1:
            return "\n".join(begin(self.cluster, jobs[0]))
        cases = [
            f"{n}) signs={quoted(job.signs)}; set -- {shlex.join(job.command)} ;;"
            for n, job in enumerate(jobs)
        ]
        choice = ["case $SLURM_ARRAY_TASK_ID in", *cases, "esac"]
        return "\n".join([*choice, *become(self.cluster, '"$@"')])


def _resources(needs: Needs, gpu_type: str) -> dict[str, Any]:
    """What a job asks for. Needs are of the whole job, SLURM's of each of its nodes."""
    gpus = math.ceil(needs.gpus / needs.nodes)
    asked: dict[str, Any] = {
        "nodes": needs.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": math.ceil(needs.cpus / needs.nodes),
        "mem": f"{math.ceil(needs.memory_gb * 1024 / needs.nodes)}M",
        "time": math.ceil(needs.minutes),
        "requeue": True,
        "open-mode": "append",
    }
    if gpus:
        asked["gres"] = ":".join(["gpu", *([gpu_type] if gpu_type else []), str(gpus)])
    return asked


def _notice(needs: Needs, wanted_s: float) -> int:
    """Seconds between notice and end. SLURM may send it a minute too early: a job must not hear it
    when it has just begun; 0: too short a job for one."""
    return max(0, int(min(wanted_s, (math.ceil(needs.minutes) * 60 - 60) / 2)))


def _name(jobs: Sequence[JobSpec]) -> str:
    """What the names have in common, or the first's."""
    letters = zip(*(job.name for job in jobs), strict=False)
    same = "".join(one[0] for one in takewhile(lambda one: len(set(one)) == 1, letters))
    return same.rstrip("-_.") or jobs[0].name


def _mark(jobs: Sequence[JobSpec]) -> str:
    """Names a submission: its jobs, and which try of them it is."""
    told = [f"{job.folder} {job.attempt} {job.command}" for job in jobs]
    return "voxcurate-" + hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _pattern(path: Path) -> str:
    """A path where sbatch expands patterns."""
    return str(path.absolute()).replace("%", "%%")


def _links(job: JobSpec, mark: str) -> Path:
    return job.folder.parent / LINKS / mark


def _link_logs(jobs: Sequence[JobSpec], mark: str) -> None:
    """An array has one pattern for its logs: links by number lead into the shards' folders."""
    folder = _links(jobs[0], mark)
    if folder.parent.is_dir():
        for old in folder.parent.iterdir():  # whose shards are all gone
            if not any(link.readlink().parent.is_dir() for link in old.iterdir()):
                shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, job in enumerate(jobs):
        (folder / f"{number}.log").symlink_to(job.log.absolute())


def _own_environment() -> dict[str, str]:
    """Ours without what a job or step around us left in it."""
    return {k: v for k, v in os.environ.items() if k in KEPT or not INHERITED.match(k)}
