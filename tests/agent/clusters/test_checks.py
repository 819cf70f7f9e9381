"""Each check fails where it should, and says how to mend it."""

from copy import deepcopy

import pytest

from agent.clusters.checks import Asked, compare
from voxcurate.executors.cluster import Needs

MARK = {"files": 3, "bytes": 2_000_000, "mark": "abc"}
HERE = {
    "python": "3.11.7",
    "code": "c0de",
    "packages": {"torch": "2.13.0", "isal": "1.9"},
    "models": {"unet": MARK},
    "workspace": {"uid": 1000},
}
THERE = {
    "host": "node1", "python": "3.11.7", "code": "c0de", "locale": "UTF-8", "open_files": 65536,
    "packages": {"torch": "2.13.0", "isal": "1.9"}, "modules": {"vllm": True},
    "variables": {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}, "models": {"unet": MARK},
    "shm_gb": 8.0, "tmp_gb": 100.0, "cores": 8, "memory_gb": 64.0, "disk_gb": 500.0,
    "workspace": {
        "sees": True, "answered": True, "ahead_s": 0.2, "unsure_s": 0.1, "uid": 1000,
        "readable": True, "writable": True,
    },
    "devices": {"names": ["H100", "H100"], "memory_gb": [80.0, 80.0]}, "database": {}, "key": True,
}  # fmt: skip
ASKED = Asked(
    needs=Needs(cpus=8, memory_gb=64, gpus=2), disk_gb=100.0, offline=True,
    modules={"vllm": "wanted by the judge"}, driver=True,
)  # fmt: skip


def changed(path, value):
    there = deepcopy(THERE)
    place = there
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return there


def test_a_node_that_fits_passes_everything():
    found = compare(HERE, THERE, ASKED)
    assert {check.status for check in found} == {"ok"}
    names = [check.name for check in found]
    assert names == sorted(set(names), key=names.index)
    wanted = {"python", "our code", "packages", "GPUs", "model unet", "workspace", "clock"}
    wanted |= {"free disk", "offline", "catalog", "locale", "open files", "/dev/shm"}
    assert wanted <= set(names)


@pytest.mark.parametrize(
    ("path", "value", "name", "status"),
    [
        (("python",), "3.12.1", "python", "failed"),
        (("code",), "other", "our code", "failed"),
        (("packages", "torch"), "2.12.0", "packages", "failed"),
        (("packages", "isal"), "", "packages", "warning"),
        (("modules", "vllm"), False, "module vllm", "failed"),
        (("locale",), "ANSI_X3.4-1968", "locale", "warning"),
        (("open_files",), 1024, "open files", "warning"),
        (("shm_gb",), 0.064, "/dev/shm", "warning"),
        (("cores",), 4, "cores", "warning"),
        (("memory_gb",), 32.0, "memory", "failed"),
        (("devices", "names"), ["H100"], "GPUs", "failed"),
        (("devices",), {"names": [], "error": "RuntimeError"}, "GPUs", "failed"),
        (("models", "unet"), {"error": "No such file or directory"}, "model unet", "failed"),
        (("models", "unet", "mark"), "xyz", "model unet", "failed"),
        (("workspace",), {"error": "No such file or directory"}, "workspace", "failed"),
        (("workspace", "sees"), False, "workspace", "failed"),
        (("workspace", "answered"), False, "workspace", "failed"),
        (("workspace", "writable"), False, "workspace", "failed"),
        (("workspace", "uid"), 1001, "workspace", "failed"),
        (("workspace", "ahead_s"), -90.0, "clock", "warning"),
        (("disk_gb",), 99.0, "free disk", "failed"),
        (("variables", "HF_HUB_OFFLINE"), "", "offline", "warning"),
        (("database",), {"error": "OperationalError"}, "catalog", "failed"),
        (("key",), False, "key of ids", "failed"),
    ],
)
def test_each_fault_is_told_with_its_mending(path, value, name, status):
    bad = [c for c in compare(HERE, changed(path, value), ASKED) if c.status != "ok"]
    assert [(check.name, check.status) for check in bad] == [(name, status)]
    assert bad[0].found
    assert bad[0].wanted
    assert bad[0].mend


def test_who_has_no_gpus_is_told_to_ask_for_none():
    bad = compare(HERE, changed(("devices", "names"), []), ASKED)
    assert "`gpus: 0` of the stage's needs" in next(c.mend for c in bad if c.name == "GPUs")


def test_a_model_that_is_not_here_either_is_told():
    here = deepcopy(HERE)
    here["models"]["unet"] = {"error": "No such file or directory"}
    (bad,) = [c for c in compare(here, THERE, ASKED) if c.status != "ok"]
    assert bad.found.startswith("here:")


def test_a_slow_answer_does_not_blame_the_clock():
    there = changed(("workspace", "ahead_s"), 20.0)
    there["workspace"]["unsure_s"] = 18.0
    assert {c.status for c in compare(HERE, there, ASKED)} == {"ok"}
