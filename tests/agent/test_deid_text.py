"""``voxcurate deid text``: any file in, scrubbed text and spans out, and nothing else."""

import json
import re
from datetime import date

import pytest
from typer.testing import CliRunner

from agent.cli.main import app

ROW = '"{id}","{name}",{mrn},{day},"{text}"\n'
HEAD = "accession,patient_name,mrn,study_date,report\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return lambda *words, **more: CliRunner().invoke(
        app, ["deid", "text", *map(str, words)], **more
    )


@pytest.fixture
def table(tmp_path):
    rows = [
        ROW.format(id="ACC1", name="Quark, Zorb", mrn="77812", day="2021-03-05",
                   text="zorb quark, 0077812, seen 3/5. A 12 mm cyst."),
        ROW.format(id="ACC2", name="Brown, Al", mrn="88123", day="2021-05-03",
                   text="Brown stool. Mr Brown (ACC2); Grant denies pain."),
    ]  # fmt: skip
    path = tmp_path / "reports.csv"
    path.write_text(HEAD + "".join(rows))
    return path


def test_columns_of_a_table_are_what_is_known_of_its_text(run, table):
    result = run(table, "--json")
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert rows[0]["text"] == "[NAME], [ID], seen [DATE]. A 12 mm cyst."
    assert rows[1]["text"] == "Brown stool. Mr [NAME] ([ID]); [NAME] denies pain."
    assert [row["place"] for row in rows] == ["row 2", "row 3"]
    assert [span["kind"] for span in rows[0]["spans"]] == ["NAME", "ID", "DATE"]
    assert rows[1]["spans"][-1] == {"kind": "NAME", "start": 30, "end": 35, "sure": False}
    assert "doubtful: 1" in result.stderr


def test_nothing_that_identifies_is_printed_unless_the_id_is_asked_for(run, table):
    result = run(table, "--json")
    for value in ("ACC1", "Quark", "77812", "reports.csv"):
        assert value not in result.output
    asked = run(table, "--json", "--id-column", "accession")
    assert json.loads(asked.stdout.splitlines()[0])["id"] == "ACC1"


def test_plain_output_of_one_text_is_the_text_alone(run, tmp_path):
    (tmp_path / "a.txt").write_text("Dr. Roe called 555-1234.")
    assert run("a.txt").stdout == "Dr. [NAME] called [PHONE].\n"
    assert run("-", input="Dr. Roe called.").stdout == "Dr. [NAME] called.\n"


def test_known_people_from_an_object_or_a_table(run, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "one.txt").write_text("Zorb was seen.")
    (folder / "two.txt").write_text("Zorb stays here.")
    (tmp_path / "known.json").write_text('{"names": ["Quark^Zorb"]}')
    (tmp_path / "known.csv").write_text('report_id,patient_name\none,"Quark, Zorb"\n')
    all_known = run("notes", "--known", "known.json", "--json")
    assert _texts(all_known) == ["[NAME] was seen.", "[NAME] stays here."]
    assert _texts(run("notes", "--known", "known.csv", "--json"))[0] == "[NAME] was seen."


def test_moved_dates_keep_their_distance_and_follow_the_key(run, table):
    path = table.with_name("two.csv")
    path.write_text(HEAD + ROW.format(id="A", name="X", mrn="1234", day="2021-03-05",
                                      text="CT 2021-03-05 and March 15, 2021."))  # fmt: skip
    for name in "ab":
        table.with_name(name).write_text(name * 64)
        table.with_name(name).chmod(0o600)
    moved = _texts(run(path, "--json", "--shift-dates", "--key", "a"))
    assert moved == _texts(run(path, "--json", "--shift-dates", "--key", "a"))
    first, second = map(date.fromisoformat, re.findall(r"\[DATE (\S{10})\]", moved[0]))
    assert (second - first).days == 10
    assert first != date(2021, 3, 5)
    assert moved != _texts(run(path, "--json", "--shift-dates", "--key", "b"))
    assert run(path, "--key", "a").exit_code == 2


def _texts(result):
    return [json.loads(line)["text"] for line in result.stdout.splitlines()]


def test_what_is_doubtful_stays_on_demand_and_is_listed(run, tmp_path):
    (tmp_path / "a.txt").write_text("Grant denies pain.")
    result = run("a.txt", "--sure-only", "--json")
    row = json.loads(result.stdout)
    assert row["text"] == "Grant denies pain."
    assert not row["spans"][0]["sure"]


def test_errors_are_clear_and_name_no_path(run, tmp_path):
    for words in (["nothing.txt"], ["a.csv"], ["a.txt", "--known", "no.json"]):
        (tmp_path / "a.csv").write_text("x,y\n1,2\n")
        (tmp_path / "a.txt").write_text("text")
        result = run(*words)
        assert result.exit_code == 2
        assert result.output.startswith("error: ")
        assert str(tmp_path) not in result.output
    (tmp_path / "bad.json").write_text('{"nmaes": []}')
    assert "names, physicians" in run("a.txt", "--known", "bad.json").output


def test_a_bad_row_has_its_error_in_its_place(run, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"report": "Dr. Roe."}\nnonsense\n{"report": "Fine."}\n')
    result = run("a.jsonl", "--json")
    assert result.exit_code == 1
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row.get("text") for row in rows] == ["Dr. [NAME].", None, "Fine."]
    assert rows[1]["error"]
