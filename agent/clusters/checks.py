"""Whether a node fits the work: what its probe told, against what is here and what is asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from voxcurate.executors.cluster import Needs, counted

OPEN_FILES = 4096
SHM_GB = 1.0  # data loaders of training hand samples over through it; docker gives 0.064
SKEW_S = 5.0
MEMORY_SHARE = 0.98  # a machine of "16 GB" tells a little less
# a difference in these can change results or unpickle otherwise; in others it is said
EXACT = {"torch", "monai", "numpy", "voxcurate", "SimpleITK"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, where, what was found and wanted, and how to mend it."""

    name: str
    status: Literal["ok", "warning", "failed"]
    found: str
    wanted: str = ""
    mend: str = ""
    where: str = ""


@dataclass(frozen=True)
class Asked:
    """What the round needs of a node.

    Attributes:
        needs: of the stages that run there.
        disk_gb: that the round will write.
        offline: models are loaded that libraries would else look for on the internet.
        modules: to what each importable module is needed.
        driver: the driver itself is to run there.
    """

    needs: Needs
    disk_gb: float
    offline: bool = False
    modules: Mapping[str, str] = field(default_factory=dict)
    driver: bool = False


def compare(here: Mapping[str, Any], there: Mapping[str, Any], asked: Asked) -> list[Check]:
    """All checks of one node."""
    return [
        *_software(here, there, asked),
        *_machine(there, asked),
        *_models(here, there),
        *_files(here, there, asked),
        *_clock(there),
    ]


def _software(here: Mapping[str, Any], there: Mapping[str, Any], asked: Asked) -> Iterator[Check]:
    yield _equal(
        "python", there["python"], here["python"],
        "set `python` of the cluster's YAML to the same environment",
    )  # fmt: skip
    yield _equal(
        "our code", there["code"], here["code"],
        "install the same version of voxcurate on the nodes, or one folder that all see",
    )  # fmt: skip
    others = {
        name: (version or "none", here["packages"][name] or "none")
        for name, version in there["packages"].items()
        if version != here["packages"][name]
    }
    if others:
        told = ", ".join(f"{name} {a}" for name, (a, _) in others.items())
        wanted = ", ".join(f"{name} {b}" for name, (_, b) in others.items())
        status: Literal["warning", "failed"] = "failed" if EXACT & set(others) else "warning"
        mend = "install what is here: pip install -c constraints.txt"
        yield Check("packages", status, told, wanted, mend)
    else:
        yield Check("packages", "ok", f"{len(there['packages'])} as here")
    for name, why in asked.modules.items():
        if there["modules"].get(name):
            yield Check(f"module {name}", "ok", "there")
        else:
            mend = f"install {name} in the nodes' environment"
            yield Check(f"module {name}", "failed", "not there", why, mend)
    good = there["locale"].lower().replace("-", "") == "utf8"
    yield Check(
        "locale", "ok" if good else "warning", there["locale"], "UTF-8",
        "" if good else "environment: {LC_ALL: C.UTF-8, PYTHONUTF8: '1'} in the cluster's YAML",
    )  # fmt: skip


def _machine(there: Mapping[str, Any], asked: Asked) -> Iterator[Check]:
    needs = asked.needs
    yield _enough(
        "cores",
        there["cores"],
        needs.cpus,
        "",
        "lower `cpus` of the stage's needs, or ask for bigger nodes",
        "warning",
    )
    least = needs.memory_gb * MEMORY_SHARE
    yield _enough(
        "memory",
        there["memory_gb"],
        least,
        " GB",
        "lower `memory_gb` of the stage's needs, or ask for bigger nodes",
    )
    if "devices" in there:
        yield _devices(there["devices"], needs)
    yield _enough(
        "/dev/shm", there["shm_gb"], SHM_GB, " GB",
        "containers: --shm-size=8g (docker), --ipc=host", "warning",
    )  # fmt: skip
    yield _enough(
        "open files", there["open_files"], OPEN_FILES, "",
        f"setup: ['ulimit -n {OPEN_FILES}'] in the cluster's YAML", "warning",
    )  # fmt: skip


def _devices(devices: Mapping[str, Any], needs: Needs) -> Check:
    names = list(devices["names"])
    found = ", ".join(f"{names.count(n)} x {n}" for n in sorted(set(names))) or "none"
    wanted = counted(needs.gpus, "GPU")
    if "error" in devices:
        mend = "look at nvidia-smi there: driver, or a torch built without CUDA"
        return Check("GPUs", "failed", f"{found} ({devices['error']})", wanted, mend)
    if len(names) < needs.gpus:
        mend = (
            "`gpus: 0` of the stage's needs, to work without; else ask for them in the cluster's "
            "options, and see that torch there is built for CUDA"
        )
        return Check("GPUs", "failed", found, wanted, mend)
    return Check("GPUs", "ok", found, wanted)


def _models(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[Check]:
    for name, wanted in here["models"].items():
        seen = there["models"][name]
        if "error" in wanted:
            mend = "put it into a local folder and name that in the round"
            yield Check(f"model {name}", "failed", f"here: {wanted['error']}", "a folder", mend)
        elif "error" in seen:
            mend = "put it on a file system that the nodes see"
            yield Check(f"model {name}", "failed", seen["error"], _size(wanted), mend)
        elif seen["mark"] != wanted["mark"]:
            mend = "copy it again: the node has other files under the same path"
            yield Check(f"model {name}", "failed", _size(seen), f"{_size(wanted)} as here", mend)
        else:
            yield Check(f"model {name}", "ok", _size(seen))


def _size(mark: Mapping[str, Any]) -> str:
    return f"{mark['files']} files, {mark['bytes'] / 1e6:.3g} MB"


def _files(here: Mapping[str, Any], there: Mapping[str, Any], asked: Asked) -> Iterator[Check]:
    space = there["workspace"]
    mend = "the workspace must lie on a file system that all nodes mount at the same path"
    if "error" in space:
        yield Check("workspace", "failed", space["error"], "the same folder as here", mend)
    elif not space["sees"]:
        yield Check("workspace", "failed", "another folder", "the driver's file", mend)
    elif not (space["readable"] and space["writable"]):
        wanted = "readable and writable"
        mend = "permissions, or a read-only mount: see `ls -ld` of the workspace there"
        yield Check("workspace", "failed", "not both", wanted, mend)
    elif not space["answered"]:
        wanted = "files that each writes are seen by the other"
        yield Check("workspace", "failed", "no answer to the node's file", wanted, mend)
    elif space["uid"] != here["workspace"]["uid"]:
        found, wanted = f"user id {space['uid']}", f"{here['workspace']['uid']} as here"
        mend = "the same user must own what both write"
        yield Check("workspace", "failed", found, wanted, mend)
    else:
        yield Check("workspace", "ok", "one folder, both write and see it")
    spare = there["disk_gb"]
    yield _enough(
        "free disk",
        spare,
        asked.disk_gb,
        " GB",
        "make room, or fewer scans and models in the round",
    )
    if asked.offline:
        unset = [name for name, value in there["variables"].items() if value not in {"1", "true"}]
        if unset:
            mend = f"environment: {{{', '.join(f'{n}: {chr(39)}1{chr(39)}' for n in unset)}}}"
            found = f"{', '.join(unset)} not set"
            yield Check("offline", "warning", found, "1", f"{mend} in the cluster's YAML")
        else:
            yield Check("offline", "ok", "nothing would be downloaded")
    if asked.driver and "database" in there:
        error = there["database"].get("error", "")
        yield Check(
            "catalog", "failed" if error else "ok", error or "can be used",
            "usable by the driver there" if error else "",
            "--driver here, or a catalog in PostgreSQL that the nodes reach" if error else "",
        )  # fmt: skip
        if there.get("key") is False:
            mend = "--driver here, or `key_file` on a file system that the nodes see"
            yield Check("key of ids", "failed", "not there", "readable by the driver there", mend)


def _clock(there: Mapping[str, Any]) -> Iterator[Check]:
    """How far the node's clock is ahead of the driver's, as far as the file system lets know."""
    space = there["workspace"]
    if space.get("ahead_s") is None:
        return  # no answer: told elsewhere
    ahead, unsure = space["ahead_s"], space["unsure_s"]
    told = f"{ahead:+.2f} s (within {unsure:.2f} s)"
    if abs(ahead) - unsure > SKEW_S:
        mend = "set the clocks by NTP (chrony): files of the future confuse caches"
        yield Check("clock", "warning", told, f"within {SKEW_S:g} s", mend)
    else:
        yield Check("clock", "ok", told, f"within {SKEW_S:g} s")


def _equal(name: str, found: str, wanted: str, mend: str) -> Check:
    if found == wanted:
        return Check(name, "ok", found)
    return Check(name, "failed", found, wanted, mend)


def _enough(
    name: str,
    found: float,
    least: float,
    unit: str,
    mend: str,
    otherwise: Literal["warning", "failed"] = "failed",
) -> Check:
    told, wanted = f"{_plainly(found)}{unit}", f"{_plainly(least)}{unit}"
    if found >= least:
        return Check(name, "ok", told, wanted)
    return Check(name, otherwise, told, wanted, mend)


def _plainly(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.3g}"
