"""``voxcurate read-reports``: any file of reports in, answers out, in order, nothing kept."""

import csv
import io
import json
from itertools import count, islice

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from retrieval import alone
from retrieval.alone import AHEAD, BATCH, Alone, Answered, Given, questions_of
from retrieval.config import RetrievalConfig
from retrieval.questions import load_questions
from retrieval.reading import EMPTY
from retrieval.rules.reader import RuleReader
from voxcurate.errors import ConfigError

QUESTIONS = """
cyst: {text: Is there a cyst?, phrases: [cyst]}
cyst_size: {text: How large?, kind: size, of: cyst}
side: {text: Which side?, kind: choice, choices: {left: [left], right: [right]}}
"""
REPORTS = ["A cyst of 12 mm on the left.", "No cyst.", "Normal heart."]
ONLY = ("--questions", "mine.yaml", "--workers", "1")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(QUESTIONS)
    return lambda *words, **more: CliRunner().invoke(
        app, ["read-reports", *map(str, words)], **more
    )


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def texts_of(result):
    return {item["id"]: item["text"] for item in lines(result)}


def test_csv_to_json_lines(run, tmp_path):
    rows = [("id", "report"), *zip("abc", REPORTS, strict=True)]
    with (tmp_path / "r.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    result = run("r.csv", *ONLY, "--json")
    assert result.exit_code == 0, result.output
    found = lines(result)
    assert [item["id"] for item in found] == ["a", "b", "c"]
    cyst, size, side = (found[0]["answers"][name] for name in ("cyst", "cyst_size", "side"))
    assert (cyst["value"], cyst["evidence"], cyst["supported"]) == ("yes", REPORTS[0], True)
    assert REPORTS[0][cyst["start"] : cyst["end"]] == REPORTS[0]
    assert cyst["reader"].startswith("rules ")
    assert (size["value"], size["number"], size["unit"]) == ("number", 12.0, "mm")
    assert (side["value"], side["choice"]) == ("choice", "left")
    assert found[1]["answers"]["cyst"]["value"] == "no"
    assert found[2] == {"id": "c", "answers": {}}, "silence is no answer"


def test_all_tells_what_is_not_mentioned(run, tmp_path):
    (tmp_path / "r.jsonl").write_text('{"text": "No cyst."}\n{"text": ""}\n')
    result = run("r.jsonl", *ONLY, "--json", "--all")
    first, second = lines(result)
    assert list(first["answers"]) == ["cyst", "cyst_size", "side"]
    assert first["answers"]["cyst"]["value"] == "no"
    assert first["answers"]["side"]["value"] == "not mentioned"
    assert second["answers"] == {}, "a report that was not read says nothing, not even that"
    assert "empty" in second["error"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.jsonl", '{"id": "x", "Findings": "No cyst.", "Impression": "Normal."}\n'),
        ("r.tsv", "Age\tFindings\tImpression\tid\n7\tNo cyst.\tNormal.\tx\n"),
        ("r.json", '[{"id": "x", "Findings": "No cyst.", "Impression": "Normal."}]'),
    ],
)
def test_findings_and_impression_are_one_report(run, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    result = run(name, *ONLY, "--json", "--with-text")
    assert texts_of(result) == {"x": "FINDINGS:\nNo cyst.\n\nIMPRESSION:\nNormal."}
    answer = lines(result)[0]["answers"]["cyst"]
    assert lines(result)[0]["text"][answer["start"] : answer["end"]] == "No cyst."


def test_parquet(run, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [1, 2], "report": ["No cyst.", None]}), tmp_path / "r.parquet")
    result = run("r.parquet", *ONLY, "--json")
    assert [(item["id"], "error" in item) for item in lines(result)] == [("1", False), ("2", True)]
    assert result.exit_code == 1


def test_text_file_folder_and_standard_input(run, tmp_path):
    folder = tmp_path / "reports" / "more"
    folder.mkdir(parents=True)
    (folder / "b.txt").write_bytes("Zyste ä. A cyst.".encode("cp1252"))
    (folder.parent / "a.txt").write_text("No cyst.")
    (folder.parent / "z.txt").write_bytes(b"\0\1")
    (folder.parent / "notes.md").write_text("no report")
    one = run(folder / "b.txt", *ONLY, "--json", "--with-text")
    assert texts_of(one) == {"b": "Zyste ä. A cyst."}
    many = run("reports", *ONLY, "--json")
    assert [item["id"] for item in lines(many)] == ["a", "more/b", "z"]
    assert (many.exit_code, "no text" in lines(many)[2]["error"]) == (1, True)
    piped = run("-", *ONLY, "--json", input="A cyst of 3 mm.")
    assert lines(piped)[0]["answers"]["cyst_size"]["number"] == 3.0
    assert lines(piped)[0]["id"] == "stdin"


def test_bad_rows_are_named_and_the_others_go_on(run, tmp_path):
    (tmp_path / "r.csv").write_text('id,text\na,No cyst.\nb,one,too many\n,"A cyst."\nd, \n')
    result = run("r.csv", *ONLY, "--json")
    assert result.exit_code == 1
    assert [item["id"] for item in lines(result)] == ["a", "row 3", "row 4", "d"]
    assert "3 cells under 2 headings" in lines(result)[1]["error"]
    assert "failed: row 3" in result.stderr
    assert "one,too" not in result.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("r.csv", "--text-column", "nope"), "no column 'nope'; there are: a, b"),
        (("r.csv", "--text-column", "a", "--id-column", "key"), "no column 'key'"),
        (("r.csv",), "say --text-column; there are: a, b"),
        (("gone.csv",), "no such file"),
        (("empty",), "no text files"),
        (("r.csv", "--text-column", "a", "--questions", "gone.yaml"), "abdomen, chest"),
        (("r.csv", "--text-column", "a", "--questions", "bad.yaml"), "bad.yaml: question x"),
        (("r.csv", "--text-column", "a", "--reader", "tea"), "rules or llm"),
        (("r.csv", "--text-column", "a", "--reader", "llm"), "engine"),
        (("r.csv", "--text-column", "a", "--set", "nonsense=1"), "no such setting"),
        (("r.csv", "--text-column", "a", "--json", "--csv"), "not both"),
    ],
)
def test_what_cannot_run_says_why(run, tmp_path, words, why):
    (tmp_path / "r.csv").write_text("a,b\nNo cyst.,x\n")
    (tmp_path / "bad.yaml").write_text("x: {text: A, frases: [b]}")
    (tmp_path / "empty").mkdir()
    result = run(*words, "--out", "out.jsonl")
    assert result.exit_code == 2
    assert why in result.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_named_columns_win_and_make_any_file_a_table(run, tmp_path):
    (tmp_path / "r.dat").write_text("text,other,key\nA cyst.,Normal.,k\n")
    words = ("--text-column", "other", "--id-column", "key")
    result = run("r.dat", *ONLY, *words, "--json", "--with-text")
    assert texts_of(result) == {"k": "Normal."}


def test_csv_for_spreadsheets(run, tmp_path):
    (tmp_path / "r.jsonl").write_text(
        "".join(
            json.dumps({"id": k, "text": t}) + "\n" for k, t in zip("=bc", REPORTS, strict=True)
        )
    )
    result = run("r.jsonl", *ONLY, "--csv")
    assert list(csv.reader(io.StringIO(result.stdout))) == [
        ["id", "cyst", "cyst_size", "side", "error"],
        ["'=", "yes", "12", "left", ""],
        ["b", "no", "", "", ""],
        ["c", "", "", "", ""],
    ]


def test_people_see_what_is_affirmed_with_its_sentence(run, tmp_path):
    (tmp_path / "r.txt").write_text("A cyst of 12 mm on the left. [bold]No[/bold] mass.")
    text = run("r.txt", *ONLY).stdout
    assert "12 mm" in text
    assert "A cyst of 12 mm on the left." in text
    (tmp_path / "r.txt").write_text(REPORTS[1])
    assert "nothing affirmed" in run("r.txt", *ONLY).stdout


def test_out_appears_whole_or_not_at_all(run, tmp_path, monkeypatch):
    (tmp_path / "r.csv").write_text("text\nA cyst.\nNo cyst.\n")
    (tmp_path / "out.jsonl").write_text("before")
    honest = Alone.read

    def breaks(self, given):
        yield from islice(honest(self, given), 1)
        raise RuntimeError("power cut")

    monkeypatch.setattr(Alone, "read", breaks)
    assert isinstance(run("r.csv", *ONLY, "--json", "--out", "out.jsonl").exception, RuntimeError)
    assert (tmp_path / "out.jsonl").read_text() == "before"
    monkeypatch.setattr(Alone, "read", honest)
    result = run("r.csv", *ONLY, "--json", "--out", "out.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    assert {p.name for p in tmp_path.iterdir()} == {"r.csv", "out.jsonl", "mine.yaml"}


def reader(workers=1, **config):
    return Alone(load_questions(), RetrievalConfig(**config), workers)


def given(n):
    return [Given(str(k), f"Liver: cyst of {k + 1} mm. Report {k}.") for k in range(n)]


def test_processes_keep_the_order_and_the_answers():
    reports = given(BATCH * 5 + 3)
    reports[7] = Given("7", "")
    reports[70] = Given("70", error="row 70 is bad")
    one, two = (list(reader(workers).read(reports)) for workers in (1, 2))
    assert one == two
    assert [a.key for a in two] == [str(k) for k in range(len(reports))]
    assert {a.key: a.error for a in two if a.error} == {"7": EMPTY, "70": "row 70 is bad"}
    sizes = [f.number for a in two for f in a.findings if f.question == "liver_lesion_size"]
    assert sizes[:3] == [1.0, 2.0, 3.0]


def test_a_report_that_kills_its_process_fails_alone(monkeypatch):
    monkeypatch.setattr(alone, "WORKER", "tests.retrieval.bad_worker:read_texts")
    reports = given(BATCH + 5)
    assert len(reports) > BATCH, "fewer are read in this process"
    reports[3] = Given("3", "DEADLY")
    found = list(reader(2).read(reports))
    assert [a.key for a in found if a.error] == ["3"]
    assert "died" in found[3].error
    assert len(found) == BATCH + 5


def test_few_batches_are_held_however_slow_the_first_is():
    """Without a bound all that comes after a slow batch would wait in memory."""
    taken = count()
    window = alone._Window(([Given(str(next(taken)))] for _ in count()), lambda batch: batch)
    tasks = list(window.tasks())
    assert len(tasks) == AHEAD == next(taken)
    for task in tasks[1:]:
        window.put(task.key, [Answered(window.batch(task.key)[0])])
    assert not list(window.ready())
    assert not list(window.tasks())
    window.put("0", [Answered(Given("0"))])
    assert [a.key for a in window.ready()] == [str(k) for k in range(AHEAD)]
    assert len(list(window.tasks())) == AHEAD
    assert not window.is_over


def test_an_unforeseen_error_of_the_reader_quotes_nothing(monkeypatch):
    def trips(self, text):
        raise ValueError(text)

    monkeypatch.setattr(RuleReader, "read", trips)
    (found,) = reader().read([Given("a", "secret words")])
    assert "ValueError" in found.error
    assert "secret" not in found.error


@pytest.mark.parametrize("name", ["abdomen", "chest", "head_neck", "pancreas", "study"])
def test_every_shipped_questionnaire_stands_alone(name):
    asked = questions_of([name])
    assert 0 < len(asked) < len(load_questions())
    assert RuleReader(asked).read("Normal study.") is not None


def test_own_and_shipped_questions_together(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("unicorn: {text: Is there a unicorn?, phrases: [unicorn]}")
    assert [item.id for item in questions_of([str(path)])] == ["unicorn"]
    both = {item.id for item in questions_of(["pancreas", str(path)])}
    assert both == {"unicorn", *(item.id for item in questions_of(["pancreas"]))}
    assert questions_of([]) == load_questions()
    with pytest.raises(ConfigError, match=r"no question file 'other\.yaml'"):
        questions_of(["other.yaml"])
