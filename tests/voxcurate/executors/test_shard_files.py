"""Frames, tasks and scratch of shards: torn tails, damage, identities, paths."""

import errno
import os
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxcurate.executors.shards.files import (
    Contents,
    Order,
    ShardFolder,
    ShardWriter,
    identity,
    shards_in,
)
from voxcurate.executors.shards.frames import BEGUN, DONE, FrameWriter, Tail, frame_at, framed
from voxcurate.executors.shards.scratch import Call, moved, named_files, size_of, work
from voxcurate.protocols import Task

ROOT = Path(__file__).parents[3]


def read(path):
    return [(f.kind, f.number, f.body) for f in Tail(path).frames()]


def test_a_file_torn_at_any_byte_gives_the_frames_before(tmp_path):
    parts = [framed(BEGUN, 1), framed(DONE, 1, b"x" * 30), framed(DONE, 70000, b"")]
    ends = [sum(map(len, parts[: n + 1])) for n in range(3)]
    data = b"".join(parts)
    path = tmp_path / "f"
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        assert len(read(path)) == sum(end <= cut for end in ends)


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_damaged_byte_hides_its_frame_and_what_follows(tmp_path_factory, place, change):
    data = bytearray(framed(DONE, 5, b"abc") * 3)
    path = tmp_path_factory.mktemp("f") / "f"
    place %= len(data)
    data[place] ^= change
    path.write_bytes(data)
    assert read(path) == [(DONE, 5, b"abc")] * (place // (len(data) // 3))


def test_a_reader_goes_on_where_it_was_once_the_rest_is_there(tmp_path):
    path, tail = tmp_path / "f", Tail(tmp_path / "f")
    assert list(tail.frames()) == []
    whole = framed(DONE, 1, b"one") + framed(DONE, 2, b"two")
    path.write_bytes(whole[:-1] + b"\0" * 40)  # a page whose bytes have not all come yet
    (first,) = tail.frames()
    path.write_bytes(whole)
    (second,) = tail.frames()
    assert (first.body, second.body, second.number) == (b"one", b"two", 2)
    assert frame_at(path, second.offset) == second
    assert list(tail.frames()) == []


def test_a_writer_tells_a_full_disk_and_writes_nothing_behind_a_torn_frame(tmp_path, monkeypatch):
    writer = FrameWriter(tmp_path / "f")
    writer.add(DONE, 1, b"whole", now=True)
    real = os.write

    def full(file, data):
        monkeypatch.setattr(os, "write", refuse)
        return real(file, bytes(data)[:7])

    def refuse(file, data):
        monkeypatch.setattr(os, "write", real)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="full"):
        writer.add(DONE, 2, b"torn", now=True)
    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            writer.add(DONE, 3, b"later", now=True)
    with pytest.raises(OSError, match="full"):
        writer.close()
    assert read(tmp_path / "f") == [(DONE, 1, b"whole")]


def test_frames_are_written_soon_even_if_nothing_follows(tmp_path):
    import time

    writer = FrameWriter(tmp_path / "f")
    writer.add(BEGUN, 1)
    writer.add(BEGUN, 2)
    deadline = time.monotonic() + 30
    while len(read(tmp_path / "f")) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    writer.close()
    with pytest.raises(FileExistsError):
        FrameWriter(tmp_path / "f")


def shard(tmp_path, payloads):
    folder = ShardFolder(tmp_path / "s" / "000001-a")
    writer = ShardWriter(folder)
    for n, payload in enumerate(payloads):
        writer.add(Task(f"t{n}", None), 1.0, bytes(16), payload)
    writer.finish(Contents(entries=tuple(writer.entries), worker="w", family="f"))
    return folder


def test_a_shard_cut_short_at_any_byte_is_none(tmp_path):
    folder = shard(tmp_path, [b"one", b"two", b""])
    contents = folder.contents()
    assert [folder.payload(entry) for entry in contents.entries] == [b"one", b"two", b""]
    data = (folder.path / "tasks.bin").read_bytes()
    for cut in range(len(data)):
        (folder.path / "tasks.bin").write_bytes(data[:cut])
        assert folder.contents() is None


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_what_reports_say_is_for_its_owner_alone(tmp_path, mask):
    before = os.umask(mask)
    try:
        folder = shard(tmp_path, [b"the report"])
        FrameWriter(folder.new_outcomes(1)).close()
    finally:
        os.umask(before)
    made = [folder.path.parent, folder.path, *folder.path.iterdir()]
    assert {path.name for path in made} >= {"s", "tasks.bin", "outcomes.1.0.bin"}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}


def test_a_shard_of_another_version_is_none(tmp_path, monkeypatch):
    folder = shard(tmp_path, [b"one"])
    path = folder.path / "tasks.bin"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"VXSHARD1", b"VXSHARD0", 1))
    assert folder.contents() is None
    path.write_bytes(whole)
    (folder.path / "try.1.json").write_text('{"todo": null, "of a later version": 1}')
    assert folder.order(1) is None
    assert folder.contents() is not None
    monkeypatch.delattr("voxcurate.executors.shards.files.Entry")
    assert folder.contents() is None


def test_a_shard_that_cannot_be_read_now_is_not_taken_for_none(tmp_path, monkeypatch):
    folder = shard(tmp_path, [b"one"])
    folder.stop(1)

    def away(*_, **__):
        raise OSError(errno.ESTALE, "stale file handle")

    for name in ("open", "exists", "iterdir", "read_text"):
        monkeypatch.setattr(Path, name, away)
    assert folder.stopped(1) is False, "a job goes on while the file server is away"
    for ask in (folder.contents, folder.tries, folder.journal, lambda: folder.order(1)):
        with pytest.raises(OSError, match="stale"):
            ask()


def test_a_shard_is_there_when_it_is_finished_and_tells_its_jobs(tmp_path):
    writer = ShardWriter(ShardFolder(tmp_path / "s" / "000002-b"))
    assert shards_in(tmp_path / "s")[0].contents() is None
    writer.discard()
    assert shards_in(tmp_path / "s") == []
    assert shards_in(tmp_path / "none") == []
    folder = shard(tmp_path, [b""])
    assert folder.stopped(1) is False
    folder.write_order(2, Order(todo=(3, 1), job="7_1", careful=True))
    folder.write_order(10, Order())
    assert folder.tries() == [2, 10]
    assert folder.order(2) == Order(todo=(3, 1), job="7_1", careful=True)
    assert folder.order(3) is None
    folder.stop(2)
    assert folder.stopped(2)
    assert not folder.stopped(10)
    folder.remove()
    assert folder.stopped(10), "without its tasks nobody wants a shard"
    with pytest.raises(FileNotFoundError):
        folder.write_beat(2, {})


def test_identity_is_the_same_in_every_process_though_sets_are_not():
    code = (
        "import pickle; from voxcurate.protocols import Task;"
        "from voxcurate.executors.shards.files import identity;"
        "p = {'b': {'x', 'y', 'z', 'w'}, 'a': frozenset('abcdef'), 'n': [1, (2, 3.5)]};"
        "t = Task('k', p); print(identity('w', 'f', t, pickle.dumps(p)).hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    }  # fmt: skip
    assert len(found) == 1


def test_identity_tells_worker_family_key_and_payload_apart():
    def of(worker="w", family="f", key="k", payload=None, blob=b""):
        return identity(worker, family, Task(key, payload), blob)

    odd = np.arange(3)
    assert len({of(), of(worker="v"), of(family="g"), of(key="l"), of(payload=1)}) == 5
    assert of(payload=odd, blob=b"1") == of(payload=odd, blob=b"1") != of(payload=odd, blob=b"2")
    assert of(payload={"a": 1, "b": 2}) == of(payload={"b": 2, "a": 1})


@dataclass(frozen=True)
class Made:
    path: str
    array: object = None


Pair = namedtuple("Pair", "one two")


def test_paths_in_the_scratch_folder_are_moved_but_for_what_lies_there(tmp_path):
    old, new = str(tmp_path / "tmp"), "/own"
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "input").touch()
    array = np.zeros(3)
    payload = {
        "scratch": old,
        "deep": [(f"{old}/a/b", Path(old)), Made(f"{old}/c", array), Pair(f"{old}/d", 1)],
        "input": f"{old}/input",
        "near": f"{old}x",
        "set": {f"{old}/e"},
    }
    found = moved(payload, old, new)
    assert found["scratch"] == "/own"
    assert found["deep"][0] == ("/own/a/b", Path("/own"))
    assert found["deep"][1].path == "/own/c"
    assert found["deep"][1].array is array
    assert found["deep"][2] == Pair("/own/d", 1)
    assert (found["input"], found["near"]) == (payload["input"], payload["near"])
    assert found["set"] == {"/own/e"}
    assert payload["scratch"] == old, "the input is not changed"
    plain = {"a": [1, "x"], "b": Made("y")}
    assert moved(plain, old, new) is plain


def test_a_result_names_its_files_with_their_sizes(tmp_path):
    import pickle

    old, own = tmp_path / "tmp", tmp_path / "tmp" / "own"
    own.mkdir(parents=True)
    payload = {"scratch": str(old), "name": "made"}
    call = Call(
        "tests.voxcurate.executors.items:leave_file", pickle.dumps(payload), str(old), str(own)
    )
    sealed = work(call)
    assert sealed.files == ((str(own / "made"), 4),)
    assert sealed.complete()
    (own / "made").rename(tmp_path / "adopted")
    assert not sealed.complete()
    (own / "bundle" / "deep").mkdir(parents=True)
    (own / "bundle" / "deep" / "weights").write_bytes(b"12345")
    assert named_files([Path(own, "bundle"), str(own)], str(own)) == [str(own / "bundle")]
    assert size_of(str(own / "bundle")) == 5
    assert size_of(str(own / "none")) == -1


def test_a_job_without_its_tasks_says_so_in_its_log(tmp_path):
    folder = shard(tmp_path, [b"one"])
    folder.write_order(1, Order())
    command = [sys.executable, "-m", "voxcurate.executors.shards.job", str(folder.path), "1"]

    def said():
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        return done.returncode, done.stderr.strip()

    (folder.path / "tasks.bin").write_bytes(b"VXSHARD0")
    status, words = said()
    assert status == 1
    assert "another version" in words
    (folder.path / "tasks.bin").unlink()
    status, words = said()
    assert status == 0
    assert "does not see the workspace" in words
