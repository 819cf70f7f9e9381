"""Which process of a training is which, on several machines of a SLURM job.

torchrun's variables (``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR``, ``MASTER_PORT``)
are what torch and Fabric go by. torchrun sets them; of a process that ``srun`` started they are
made from SLURM's.
"""

import socket
import sys
from collections.abc import Mapping, MutableMapping

from training.config import ComputeConfig
from voxcurate.errors import TrainingError

SLURM = {
    "RANK": "SLURM_PROCID",
    "WORLD_SIZE": "SLURM_NTASKS",
    "LOCAL_RANK": "SLURM_LOCALID",
    "GROUP_RANK": "SLURM_NODEID",
}
PORTS = range(15_000, 25_000)  # of a job whose first process is on a machine that is not asked


def srun(compute: ComputeConfig, own: list[str], job: Mapping[str, str]) -> list[str]:
    """The command that starts all processes within the SLURM job around this process.

    Each node's share of the job is divided among its processes, which all see its GPUs: they take
    theirs by `LOCAL_RANK`. When one dies the others are ended.

    Args:
        compute: how many nodes, and processes on each.
        own: python's arguments.
        job: the variables of this process.

    Raises:
        TrainingError: no SLURM job around us, or one with fewer nodes.
    """
    if "SLURM_JOB_ID" not in job:
        raise TrainingError(
            "several nodes are configured: want a SLURM job around the training, or a launcher "
            "that starts its processes (`compute.launcher`)"
        )
    nodes = int(job.get("SLURM_JOB_NUM_NODES", "1"))
    if nodes < compute.nodes:
        raise TrainingError(
            f"{compute.nodes} nodes are configured, but the SLURM job has {nodes}: set `nodes` of "
            "the stage in the cluster's file"
        )
    cpus = int(job.get("SLURM_CPUS_PER_TASK") or job.get("SLURM_CPUS_ON_NODE") or compute.devices)
    return [
        "srun",
        f"--nodes={compute.nodes}",
        f"--ntasks={compute.nodes * compute.devices}",
        f"--ntasks-per-node={compute.devices}",
        f"--cpus-per-task={max(1, cpus // compute.devices)}",
        "--distribution=block",  # the first process is on this node
        "--kill-on-bad-exit=1",
        "--unbuffered",
        sys.executable,
        *own,
    ]


def meeting_point(job: Mapping[str, str]) -> dict[str, str]:
    """Where the first process will listen, if it runs on this machine: on a port that is free now.

    It does where we are in a job's batch script, which runs on the job's first node.
    """
    if job.get("SLURM_NODEID", "0") != "0":
        return {}
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    return {"MASTER_ADDR": this_host(), "MASTER_PORT": str(port)}


def this_host() -> str:
    """A name by which others find this machine; where it has none there are no others."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return "127.0.0.1"
    return name


def without_places(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for processes to be started: none that tell of another training's places."""
    told = {*SLURM, "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    return {name: value for name, value in environment.items() if name not in told}


def find_place(environment: MutableMapping[str, str]) -> int:
    """Make torchrun's variables from SLURM's where there are none; the rank of this process."""
    if "RANK" in environment or "SLURM_PROCID" not in environment:
        return int(environment.get("RANK", "0"))
    environment.update({ours: environment[theirs] for ours, theirs in SLURM.items()})
    if "MASTER_ADDR" not in environment:  # the launcher was started elsewhere
        from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

        nodes = environment.get("SLURM_STEP_NODELIST") or environment["SLURM_JOB_NODELIST"]
        environment["MASTER_ADDR"] = SLURMEnvironment.resolve_root_node_address(nodes)
        step = int(environment.get("SLURM_STEP_ID", "0"))
        place = int(environment["SLURM_JOB_ID"]) * 7 + step  # steps one after the other differ too
        environment["MASTER_PORT"] = str(PORTS[place % len(PORTS)])
    return int(environment["RANK"])
