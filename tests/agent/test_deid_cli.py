"""``voxcurate deid dicom``: help, key, exit status, and nothing that identifies in what it says."""

import json
import stat

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from benchmarks.deid.base import encoded, slice_of
from benchmarks.deid.people import person
from tests.agent.test_cli import DOCS, commands

WHO = person(77, "cli")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in" / f"{WHO.last} {WHO.first}"
    folder.mkdir(parents=True)
    for number in (1, 2):
        ds = slice_of(WHO, study="s", series="a", number=number)
        (folder / f"{number}.dcm").write_bytes(encoded(ds))
    return lambda *words: CliRunner().invoke(app, ["deid", "dicom", *map(str, words)])


def test_it_has_help_and_is_documented():
    text = commands()["deid dicom"].help
    assert "Example: voxcurate deid dicom" in text
    assert "voxcurate deid dicom" in DOCS.read_text()


def test_a_key_is_made_once_and_told_of(run, tmp_path):
    first = run("in", "out", "--workers", 1)
    assert first.exit_code == 0
    assert "made a new key" in first.stderr
    key = tmp_path / "config" / "voxcurate" / "keys" / "deid.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "2 written" in first.stdout
    again = run("in", "out", "--workers", 1)
    assert "key" not in again.stderr


def test_json_and_what_is_said_name_nobody(run, tmp_path):
    (tmp_path / "in" / f"{WHO.last}.dcm").write_bytes(
        b"\0" * 128 + b"DICM" + b"\x08\0\x05\0CS\xff\xff"
    )
    result = run("in", "out", "--json", "--workers", 1)
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["written"] == 2
    assert not found["ok"]
    assert sum(map(len, found["refused"].values())) == 1
    for word in (WHO.last, WHO.first, WHO.patient_id):
        assert word not in result.output


def test_a_given_key_gives_the_same_ids(run, tmp_path):
    assert run("in", "one", "--key", "secret", "--workers", 1).exit_code == 0
    assert run("in", "two", "--key", "secret", "--workers", 1).exit_code == 0
    assert run("in", "three", "--key", "other", "--workers", 1).exit_code == 0
    names = [{p.name for p in (tmp_path / d).rglob("*.dcm")} for d in ("one", "two", "three")]
    assert names[0] == names[1]
    assert not names[0] & names[2]


def test_secrets_do_not_go_into_what_is_shared(run):
    assert run("in", "out", "--key", "out/key").exit_code == 2
    assert run("in", "out", "--private-map", "out/map.csv").exit_code == 2


def test_the_map_is_the_owner_s_alone(run, tmp_path):
    assert run("in", "out", "--private-map", "map.csv", "--workers", 1).exit_code == 0
    assert stat.S_IMODE((tmp_path / "map.csv").stat().st_mode) == 0o600
    lines = (tmp_path / "map.csv").read_text().splitlines()
    assert len(lines) == 3
    assert WHO.last in lines[1]
    assert (tmp_path / "out" / lines[1].split(",")[2]).is_file()


def test_nothing_to_do_is_an_error(run, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("empty", "out")
    assert result.exit_code == 2
    assert "error: no DICOM files" in result.stderr
