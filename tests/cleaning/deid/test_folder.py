"""Folders: what is written where, what is held back, and that a killed run goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.deid.base import encoded, slice_of
from benchmarks.deid.people import person
from cleaning.deid import case as case_module
from cleaning.deid.config import DeidConfig
from cleaning.deid.folder import deidentify_folder
from voxcurate.dicom import find_series, read_series
from voxcurate.errors import SourceError

KEY = b"k" * 32
ONE, TWO = person(31, "folder"), person(32, "folder")
REPOSITORY = Path(__file__).resolve().parents[3]


def run(source, out, **changes):
    workers = changes.pop("workers", 1)
    return deidentify_folder(source, out, DeidConfig(**changes), KEY, workers=workers, quiet=True)


@pytest.fixture
def archive(tmp_path):
    root = tmp_path / "archive"
    for who in (ONE, TWO):
        for study in ("first", "first later"):
            for number in (1, 2, 3):
                ds = slice_of(who, study=f"{who.last} {study}", series="a", number=number)
                path = root / who.last / study / f"{number}.dcm"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded(ds))
    (root / "notes.txt").write_text("no DICOM")
    return root


def written(out):
    patients = [folder for folder in out.iterdir() if folder.name != case_module.STATE]
    return sorted(path for folder in patients for path in folder.rglob("*.dcm"))


def content(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in written(out)}


def test_a_folder_takes_one_key_only(archive, tmp_path):
    out = tmp_path / "out"
    run(archive, out)
    before = content(out)
    with pytest.raises(SourceError, match="want the key"):
        deidentify_folder(archive, out, DeidConfig(), b"o" * 32, workers=1, quiet=True)
    assert content(out) == before


def test_the_owner_is_told_of_files_that_were_not_written_too(archive, tmp_path):
    bad = archive / "cut.dcm"
    bad.write_bytes(next(archive.rglob("1.dcm")).read_bytes()[:-4])
    done = run(archive, tmp_path / "out")
    assert len(done.places) == done.n_files == 13
    assert [path for path, place in done.places.values() if not place] == [bad]


def test_pipes_and_broken_links_are_passed_over(archive, tmp_path):
    os.mkfifo(archive / "pipe.dcm")
    (archive / "broken.dcm").symlink_to("nowhere")
    done = run(archive, tmp_path / "out")
    assert done.ok
    assert done.n_others == 3


def test_series_come_out_in_folders_of_their_patient(archive, tmp_path):
    done = run(archive, tmp_path / "out")
    assert done.ok
    assert done.summary()["written"] == done.n_files == 12
    assert done.n_others == 1
    names = list(content(tmp_path / "out"))
    assert len({name.split("/")[0] for name in names}) == 2
    assert len({tuple(name.split("/")[:3]) for name in names}) == 4
    text = " ".join(names) + json.dumps(done.summary()) + json.dumps(done.cases)
    for who in (ONE, TWO):
        assert not any(
            word.lower() in text.lower() for word in (who.last, who.first, who.patient_id)
        )


def test_volumes_and_intervals_stay(archive, tmp_path):
    run(archive, tmp_path / "out")
    before, after = find_series(archive), find_series(tmp_path / "out")
    assert len(before) == len(after) == 4
    for patient in {series.patient_id for series in after}:
        days = sorted(s.study_date for s in after if s.patient_id == patient)
        assert (days[1] - days[0]).days == 90
    old, new = read_series(before[0]), read_series(after[0])
    assert (old.array == new.array).all()
    assert (old.affine == new.affine).all()


def test_a_second_run_does_nothing_and_writes_the_same(archive, tmp_path):
    run(archive, tmp_path / "out")
    before = content(tmp_path / "out")
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.dcm")}
    again = run(archive, tmp_path / "out")
    assert again.n_done_before == 4
    assert {p: p.stat().st_mtime_ns for p in times} == times
    run(archive, tmp_path / "other", workers=2)
    assert content(tmp_path / "other") == before


def test_what_changed_is_done_again(archive, tmp_path):
    run(archive, tmp_path / "out")
    ds = slice_of(ONE, study=f"{ONE.last} first", series="a", number=9)
    (archive / ONE.last / "first" / "9.dcm").write_bytes(encoded(ds))
    (archive / ONE.last / "first" / "1.dcm").unlink()
    again = run(archive, tmp_path / "out")
    assert again.n_done_before == 3
    assert content(tmp_path / "out") == content_of_fresh(archive, tmp_path)


def content_of_fresh(archive, tmp_path):
    run(archive, tmp_path / "fresh")
    return content(tmp_path / "fresh")


def test_a_file_that_is_gone_is_written_again(archive, tmp_path):
    run(archive, tmp_path / "out")
    before = content(tmp_path / "out")
    victim = next((tmp_path / "out").rglob("*.dcm"))
    victim.unlink()
    assert run(archive, tmp_path / "out").n_done_before == 3
    assert content(tmp_path / "out") == before


def test_a_leak_holds_its_series_back_alone(archive, tmp_path, monkeypatch):
    real = case_module.Deidentifier.run

    def leaky(self, data, origin):
        done = real(self, data, origin)
        if ONE.last.encode() in data:
            done.content[-1] = done.content[-1].replace(b"ABDOMEN ", ONE.last[:8].encode().ljust(8))
            done.content.append(b"\x21\x00\x10\x00LO\x08\x00" + ONE.patient_id.encode())
        return done

    monkeypatch.setattr(case_module.Deidentifier, "run", leaky)
    done = run(archive, tmp_path / "out")
    assert not done.ok
    assert done.summary()["released"] == 2
    leaks = [leak for case in done.cases for leak in case["leaks"]]
    assert "ID" in {leak["kind"] for leak in leaks}
    assert ONE.patient_id not in json.dumps(done.cases)
    assert len(content(tmp_path / "out")) == 6
    assert not list((tmp_path / "out" / case_module.STATE / "work").iterdir())


def test_copies_and_conflicts(archive, tmp_path):
    folder = archive / ONE.last / "first"
    (folder / "copy of 1.dcm").write_bytes((folder / "1.dcm").read_bytes())
    ds = slice_of(ONE, study=f"{ONE.last} first", series="a", number=2)
    ds.PixelData = bytes(len(ds.PixelData))
    (folder / "x2.dcm").write_bytes(encoded(ds))
    done = run(archive, tmp_path / "out")
    assert done.summary()["copies"] == 1
    assert "same SOP Instance UID" in next(iter(done.summary()["refused"]))
    assert len(content(tmp_path / "out")) == 12


def test_risky_and_broken_files_are_listed_by_number(archive, tmp_path):
    ds = slice_of(ONE, study=f"{ONE.last} first", series="a", number=5)
    ds.BurnedInAnnotation = "YES"
    (archive / "a.dcm").write_bytes(encoded(ds))
    whole = encoded(slice_of(ONE, study="s", series="b", number=1))
    (archive / "b.dcm").write_bytes(whole[:-300])
    done = run(archive, tmp_path / "out")
    found = done.summary()
    assert sorted(found["risky"].values()) == [[13]]
    assert sum(map(len, found["refused"].values())) == 1
    assert not done.ok
    assert run(archive, tmp_path / "out", keep_risky=True).summary()["written"] == 13


def test_words_that_are_kept_are_no_leaks_but_names_are(archive, tmp_path):
    ds = slice_of(ONE, study=f"{ONE.last} first", series="a", number=5)
    ds.SeriesDescription = "Abdomen Quillby"
    (archive / "a.dcm").write_bytes(encoded(ds))
    done = run(archive, tmp_path / "out", keep_words=True)
    assert done.ok
    assert any(b"Quillby" in data for data in content(tmp_path / "out").values())
    ds.PatientComments = "private"
    ds.OperatorsName = "Quillby"
    (archive / "a.dcm").write_bytes(encoded(ds))
    assert run(archive, tmp_path / "out", keep_words=True).ok
    assert not any(b"Quillby" in data for data in content(tmp_path / "out").values())


def test_folders_that_will_not_do(archive, tmp_path):
    with pytest.raises(SourceError, match="no such"):
        run(tmp_path / "none", tmp_path / "out")
    with pytest.raises(SourceError, match="another folder"):
        run(archive, archive)
    with pytest.raises(SourceError, match="new or empty"):
        run(archive, archive / ONE.last)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no DICOM"):
        run(tmp_path / "empty", tmp_path / "out")
    run(archive, archive / "inside")
    assert run(archive, archive / "inside").n_files == 12


def test_a_killed_run_goes_on_to_the_same_result(archive, tmp_path):
    for seed in range(40, 70):  # more, so that there is something to kill
        who = person(seed, "folder")
        for number in range(1, 5):
            ds = slice_of(who, study=who.last, series="a", number=number)
            path = archive / who.last / f"{number}.dcm"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(encoded(ds))
    out = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path; from cleaning.deid.folder import deidentify_folder;"
        "from cleaning.deid.config import DeidConfig;"
        f"deidentify_folder(Path({str(archive)!r}), Path({str(out)!r}), DeidConfig(), b'k' * 32,"
        "workers=1, quiet=True)"
    )
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
        started = time.monotonic()
        done = len(content(out)) if out.exists() else 0
        while time.monotonic() - started < 60 and process.poll() is None:
            if out.exists() and len(written(out)) > done + 8:
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert all(path.stat().st_size > 2000 for path in written(out))  # whole
    last = run(archive, out)
    assert last.ok
    assert last.n_done_before > 0
    run(archive, tmp_path / "fresh")
    assert content(out) == content(tmp_path / "fresh")


def test_another_writer_is_told_so(archive, tmp_path):
    import fcntl

    (tmp_path / "out" / case_module.STATE).mkdir(parents=True)
    with (tmp_path / "out" / case_module.STATE / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(SourceError, match="another command"):
            run(archive, tmp_path / "out")


def test_a_file_nobody_may_read_is_refused(archive, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (archive / ONE.last / "first" / "1.dcm").chmod(0)
    assert not run(archive, tmp_path / "out").ok


@pytest.mark.real_data
def test_public_files_are_written_and_read_again(real_data, tmp_path):
    folder = real_data / "highdicom_dicom"
    done = run(folder, tmp_path / "out", keep_risky=True)
    assert done.ok
    assert done.summary()["written"] == done.n_files
    assert len(find_series(tmp_path / "out")) == len(find_series(folder))
