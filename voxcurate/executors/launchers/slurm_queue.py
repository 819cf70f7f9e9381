"""What SLURM says of jobs: one question for thousands of them; and how its tools are called."""

import os
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from voxcurate.errors import ClusterError, JobRefusedError
from voxcurate.executors.launchers import JobState

ANSWER_S = 120.0
WORDS = {
    JobState.RUNNING: ("RUNNING", "COMPLETING", "STAGE_OUT", "RESIZING", "SIGNALING", "STOPPED"),
    JobState.ENDED: ("COMPLETED", "FAILED", "OUT_OF_MEMORY"),
    JobState.LOST: (
        "TIMEOUT", "CANCELLED", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "REVOKED",
    ),
}  # fmt: skip
STATES = {word: state for state, words in WORDS.items() for word in words}
# why a job waits that will not pass by itself, nor when others' jobs end
NEVER = re.compile(
    "Partition(Config|TimeLimit|NodeLimit)|BadConstraints|DependencyNeverSatisfied|Invalid(Account|QOS)"
    "|(Account|QOS)NotAllowed|(Assoc|QOS).*PerJob.*|(Assoc|QOS)Max(Wall|.*Mins).*|QOSMin.*|QOSTimeLimit"
)
HELD_BY_FAILURE = re.compile("launch.failed.requeued.held", re.IGNORECASE)
# whatever else the tools say is a refusal
AWAY = re.compile(
    "unable to contact|connect failure|connection (refused|timed out|reset)|communication"
    "|standby mode|authentication|temporarily|munge|try again|could not resolve|MaxSubmit"
    "|not responding|configuration file|slurm_persist_conn_open|is (busy|starting)",
    re.IGNORECASE,
)
UNSURE = re.compile("timed out on send|zero bytes were transmitted", re.IGNORECASE)


class UnsureError(ClusterError):
    """The scheduler was asked, and may have acted; its answer was lost."""


@dataclass(frozen=True)
class Seen:
    """A job as the scheduler sees it.

    Attributes:
        word: SLURM's own for its state.
        reason: why it waits, or ended so.
        mark: the comment it was submitted with.
    """

    word: str
    reason: str = ""
    mark: str = ""

    @property
    def state(self) -> JobState:
        """In our words; one that could not be started is LOST, and what is unknown WAITING."""
        if self.held_by_failure:
            return JobState.LOST
        return STATES.get(self.word, JobState.WAITING)

    @property
    def waits(self) -> bool:
        """Whether it is in the queue."""
        return self.word == "PENDING"

    @property
    def never(self) -> bool:
        """Whether it would wait for ever."""
        return self.waits and bool(NEVER.fullmatch(self.reason))

    @property
    def held_by_failure(self) -> bool:
        """Whether a node failed to start it, and it now waits for an administrator."""
        return self.waits and bool(HELD_BY_FAILURE.search(self.reason))


def queue(ids: Collection[str]) -> dict[str, Seen]:
    """What is known of jobs; those of which nothing is known are left out.

    One ``squeue`` tells all of the user's jobs, those that ended some minutes ago too. The others
    are asked of the accounting, where there is one.

    Raises:
        ClusterError: the scheduler cannot be reached.
    """
    wanted = set(ids)
    found = {name: seen for name, seen in _all() if name in wanted}
    rest = sorted(wanted - found.keys())
    for start in range(0, len(rest), 500):
        past = _past(rest[start : start + 500])
        found.update({name: seen for name, seen in past if name in wanted})
    return found


def marked(mark: str) -> list[str]:
    """Ids of the user's jobs that were submitted with a comment and are not over."""
    return [name for name, seen in _all("--states=PENDING,RUNNING,SUSPENDED") if seen.mark == mark]


def _all(states: str = "--states=all") -> Iterator[tuple[str, Seen]]:
    """Every job of the user, arrays task by task."""
    mine = ["--all", "--noheader", "--array", states, f"--user={os.geteuid()}"]
    for line in tool(["squeue", *mine, "--format=%i|%T|%r|%k"]).splitlines():
        name, word, reason, mark = (*line.split("|", 3), "", "", "")[:4]
        yield name, Seen(word, reason, mark)


def _past(ids: Sequence[str]) -> Iterator[tuple[str, Seen]]:
    """Jobs from the accounting; none where there is no accounting, or it is away."""
    options = ["--noheader", "--allocations", "--parsable2", "--format=JobID,State"]
    try:
        said = tool(["sacct", *options, "--jobs", ",".join(ids)])
    except ClusterError:
        return
    for line in said.splitlines():
        name, _, state = line.partition("|")
        yield name, Seen((state.split() or ["UNKNOWN"])[0])  # "CANCELLED by 1000"


def tool(
    command: Sequence[str],
    *,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
    passed_over: str = "",
) -> str:
    """What one of SLURM's tools says.

    Args:
        command: its words.
        text: its stdin.
        environment: instead of ours.
        passed_over: a failure that says this is none.

    Raises:
        ClusterError: the scheduler cannot be reached.
        UnsureError: nor is it known whether it did what it was asked for.
        JobRefusedError: it refuses.
    """
    env = {**(os.environ if environment is None else environment), "LC_ALL": "C"}
    name = command[0]
    try:
        done = subprocess.run(
            command, input=text or "", env=env, capture_output=True, text=True, timeout=ANSWER_S
        )
    except subprocess.TimeoutExpired:
        raise UnsureError(f"{name} gave no answer within {ANSWER_S:g} s") from None
    except OSError:
        raise JobRefusedError(f"{name} is not there: want a machine that can submit jobs") from None
    if not done.returncode or (passed_over and passed_over in done.stderr):
        return done.stdout
    lines = [line.partition("error: ")[2] or line for line in done.stderr.splitlines()]
    why = "; ".join(line.strip() for line in lines if line.strip()) or f"exit {done.returncode}"
    if UNSURE.search(why):
        raise UnsureError(f"{name}: {why}")
    if AWAY.search(why):
        raise ClusterError(f"{name}: {why}")
    raise JobRefusedError(f"{name}: {why}")
