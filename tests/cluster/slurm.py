"""A real SLURM cluster on this machine: ``python -m tests.cluster.slurm FOLDER``.

It has keys, ports and spool folders of its own below FOLDER and touches nothing in ``/etc``. It
lives as long as its stdin is open: lines on it ("stop slurmctld", "start slurmctld", ...) are
obeyed and answered with "ok". When stdin ends, however whoever held it ended, all daemons and all
processes of jobs are killed: this process adopts what they leave behind.
"""

import ctypes
import getpass
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from voxcurate.keeper import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, kill_rest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
PACKAGES = ("slurm-wlm", "munge")
NODES = 2
READY_S = 60.0
PORTS = (20000, 32000)
CONF = """\
ClusterName=voxtest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=3
SlurmdTimeout=8
ReturnToService=2
GresTypes=gpu
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port={ports} \
CPUs=2 RealMemory=4000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=n[1-{nodes}] Default=YES PriorityTier=1 MaxTime=600 DefMemPerCPU=100
PartitionName=urgent Nodes=n[1-{nodes}] PriorityTier=10 PreemptMode=OFF DefMemPerCPU=100
PartitionName=short Nodes=n[1-{nodes}] MaxTime=5 DefMemPerCPU=100
"""


class NoClusterError(Exception):
    """No SLURM can be run here; says why."""


def find_programs() -> None:
    """That SLURM is installed; where we may, it is installed from the distribution's packages.

    Raises:
        NoClusterError: it is not there and cannot be had.
    """
    os.environ["PATH"] += os.pathsep + "/usr/sbin:/sbin"
    if all(map(shutil.which, PROGRAMS)):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise NoClusterError("SLURM is not installed, and only root can (slurm-wlm and munge)")
    install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update"], install):
        try:
            subprocess.run(command, env=quiet, check=True, capture_output=True, timeout=240)
        except (subprocess.SubprocessError, OSError):
            if command is install:
                raise NoClusterError(f"{' '.join(command)} does not work") from None
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        raise NoClusterError(f"{', '.join(PACKAGES)} came without {', '.join(missing)}")


class Slurm:
    """The daemons of a cluster, each a child of this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Write its files and start all daemons.

        Raises:
            NoClusterError: they do not come up; the last lines of their logs are told.
        """
        find_programs()
        self._write()
        names = [f"n{number + 1}" for number in range(NODES)]
        for name in ("munged", "slurmctld", *names):
            self.start_one(name)
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and not self._died():
            found = subprocess.run(
                ["sinfo", "-h", "-p", "main", "-t", "idle", "-o", "%D"],
                capture_output=True,
                text=True,
            )
            if found.stdout.strip() == str(NODES):
                return
            time.sleep(0.2)
        logs = [path.read_text(errors="replace")[-800:] for path in self.folder.glob("*.log")]
        raise NoClusterError("the daemons do not come up: " + "\n".join(logs))

    def start_one(self, name: str) -> None:
        """Start ``munged``, ``slurmctld``, or the daemon of a node by the node's name."""
        folder, conf = self.folder, str(self.folder / "slurm.conf")
        if name == "munged":
            files = {"socket": "munge.socket", "key-file": "munge.key", "log-file": "munged.log"}
            files |= {"pid-file": "munged.pid", "seed-file": "munged.seed"}
            options = [f"--{option}={folder / file}" for option, file in files.items()]
            command = ["munged", "--foreground", "--force", *options]
        elif name == "slurmctld":
            command = ["slurmctld", "-D", "-f", conf]
        else:
            command = ["slurmd", "-D", "-f", conf, "-N", name]
        with (folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=_die_with_us
            )
        while name == "munged" and not (folder / "munge.socket").exists() and not self._died():
            time.sleep(0.05)

    def stop_one(self, name: str, number: int = signal.SIGTERM) -> None:
        """Stop a daemon; jobs go on."""
        process = self.daemons.pop(name)
        process.send_signal(number)
        process.wait()

    def _died(self) -> list[str]:
        return [name for name, process in self.daemons.items() if process.poll() is not None]

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # munged wants that others may reach its socket
        (self.folder / "state").mkdir(exist_ok=True)
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        ports = _free_ports(NODES + 1)
        (self.folder / "slurm.conf").write_text(
            CONF.format(
                host=socket.gethostname().partition(".")[0],
                controller=ports[0],
                ports=f"[{','.join(ports[1:])}]",
                nodes=NODES,
                folder=self.folder,
                user=getpass.getuser(),
            )
        )
        devices = self.folder / "nvidia[0-1]"
        for number in range(2):  # pretended: a GPU is told by its number where it is a device
            with suppress(PermissionError):
                os.mknod(self.folder / f"nvidia{number}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        made = (self.folder / "nvidia0").exists()
        (self.folder / "gres.conf").write_text(
            f"Name=gpu {f'File={devices}' if made else 'Count=2'}\n"
        )


def _free_ports(count: int) -> list[str]:
    """Ports below those that the system hands out: a daemon that is started again finds its port
    still free."""
    found: list[str] = []
    with ExitStack() as stack:
        while len(found) < count:
            each = stack.enter_context(socket.socket())
            port = random.randrange(*PORTS)
            with suppress(OSError):
                each.bind(("127.0.0.1", port))
                found.append(str(port))
    return found


def _die_with_us() -> None:
    os.setsid()  # Ctrl-C is for us
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(folder: str) -> int:
    """Run a cluster until stdin ends."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # steps that came to us are buried at once
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    cluster = Slurm(Path(folder).resolve())
    try:
        cluster.start()
        _say("ready")
        for line in sys.stdin:
            verb, name = line.split()
            if verb == "start":
                cluster.start_one(name)
            else:
                cluster.stop_one(name, signal.SIGKILL if verb == "kill" else signal.SIGTERM)
            _say("ok")
    except NoClusterError as problem:
        _say(str(problem))
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kill_rest()
    return 0


def _say(text: str) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(text.replace("\n", " | ") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
