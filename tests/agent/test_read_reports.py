"""``voxcurate read-reports`` on bad input and when ended: what it refuses, names and leaves."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.cli.read_reports import FAILURES_SHOWN
from retrieval.alone import Alone
from retrieval.reading import LONGEST
from tests.servers.rude import RudeServer

QUESTIONS = "cyst: {text: Is there a cyst?, phrases: [cyst]}\n"
ONLY = ("--questions", "mine.yaml", "--workers", "1")
COMMAND = [sys.executable, "-c", "from agent.cli.main import main; main()", "read-reports"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(QUESTIONS)
    return lambda *words, **more: CliRunner().invoke(
        app, ["read-reports", *map(str, words)], **more
    )


def answers(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def values(result):
    return {
        item["id"]: item["answers"].get("cyst", {}).get("value", item.get("error"))
        for item in answers(result)
    }


def test_json_lines_on_standard_input(run):
    rows = '\n{"id": "a", "text": "A cyst."}\nno object\n\n{"text": "No cyst."}\n'
    result = run("-", *ONLY, "--json", input=rows)
    assert values(result) == {"a": "yes", "row 3": "want a JSON object", "row 5": "no"}
    assert result.exit_code == 1


@pytest.mark.parametrize("text", ['[{"text": "A cyst."}]', '{\n "text": "A cyst."\n}'])
def test_other_json_on_standard_input_is_not_read_as_a_report(run, text):
    result = run("-", *ONLY, "--json", input=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "an object per line" in result.stderr


@pytest.mark.parametrize("out", ["folder", "r.csv"])
def test_out_is_refused_before_anything_is_read(run, tmp_path, monkeypatch, out):
    (tmp_path / "folder").mkdir()
    (tmp_path / "r.csv").write_text("text\nA cyst.\n")
    monkeypatch.setattr(Alone, "read", lambda *_: pytest.fail("reports were read"))
    result = run("r.csv", *ONLY, "--json", "--out", out)
    assert result.exit_code == 2, result.output
    assert "error: --out is" in result.stderr
    assert (tmp_path / "r.csv").read_text() == "text\nA cyst.\n"
    assert not list((tmp_path / "folder").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM that a process could answer")
def test_sigterm_leaves_nothing_and_until_then_nobody_else_reads(run, tmp_path):
    (tmp_path / "out").mkdir()
    words = ["-", *ONLY, "--json", "--out", "out/answers.jsonl"]
    process = subprocess.Popen(
        [*COMMAND, *words], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    try:
        row = json.dumps({"text": "A cyst."}) + "\n"
        process.stdin.write(row.encode() * 1100)  # more than are looked at for their columns
        process.stdin.flush()  # and it stays open: the command waits for more
        limit = time.monotonic() + 30
        while not (made := list((tmp_path / "out").iterdir())):
            assert process.poll() is None
            assert time.monotonic() < limit, "no temporary file"
            time.sleep(0.02)
        assert made[0].name != "answers.jsonl"
        assert made[0].stat().st_mode & 0o077 == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.stdin.close()
        process.wait()
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_written_to_and_stays(run, tmp_path):
    (tmp_path / "r.csv").write_text("text\nA cyst.\n")
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as cat:
        assert run("r.csv", *ONLY, "--json", "--out", "pipe").exit_code == 0
        assert json.loads(cat.stdout.read())["id"] == "row 2"
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("form", [["--json", "--with-text"], ["--csv"], []])
@pytest.mark.parametrize("out", [[], ["--out", "out"]])
def test_half_of_a_surrogate_pair_does_not_stop_the_others(run, tmp_path, form, out):
    rows = '{"id": "a\\ud800", "text": "A cyst \\udc00."}\n{"id": "b", "text": "No cyst."}\n'
    (tmp_path / "r.jsonl").write_text(rows)
    result = run("r.jsonl", *ONLY, *form, *out)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 1)
    text = (tmp_path / "out").read_text(encoding="utf-8") if out else result.stdout
    assert "b" in text.splitlines()[-1] or "report b" in text


def test_a_text_too_long_fails_alone(run, tmp_path):
    long = "No cyst. " * (LONGEST // 9 + 1)
    rows = [{"id": "long", "text": long}, {"id": "b", "text": "A cyst."}]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run("r.jsonl", *ONLY, "--json")
    assert result.exit_code == 1
    first, second = answers(result)
    assert "want at most 200,000" in first["error"]
    assert second["answers"]["cyst"]["value"] == "yes"


def test_headings_without_rows_are_warned_of(run, tmp_path):
    (tmp_path / "r.csv").write_text("id,text\n")
    result = run("r.csv", *ONLY, "--json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "warning: there are no reports" in result.stderr


def test_failures_are_named_by_row_up_to_a_limit_and_the_rest_counted(run, tmp_path):
    (tmp_path / "r.csv").write_text("id,text\n" + "".join(f"ACC{n},\n" for n in range(40)))
    result = run("r.csv", *ONLY, "--json")
    assert result.exit_code == 1
    named = [line for line in result.stderr.splitlines() if line.startswith("failed: row ")]
    assert len(named) == FAILURES_SHOWN == 30
    assert "... and 10 more" in result.stderr
    assert "ACC" not in result.stderr, "an accession number names a patient"
    assert len(answers(result)) == 40


def test_the_cache_spares_the_model_what_it_has_answered(run, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXCURATE_API_KEY", "none")
    (tmp_path / "r.csv").write_text("id,text\na,No cyst at all.\n")
    reply = {"justification": "", "evidence": "No cyst at all.", "value": "no"}
    with RudeServer() as server:
        server.content = json.dumps({"cyst": reply})
        engine = {"engine": "openai", "base_url": server.url, "model": "served"}
        settings = [w for k, v in engine.items() for w in ("--set", f"engine.{k}={v}")]
        words = (*ONLY, "--json", "--reader", "llm", *settings, "--cache", "kept.sqlite")
        assert values(run("r.csv", *words)) == {"a": "no"}
        asked = len(server.requests)
        assert asked
        (tmp_path / "r.csv").write_text("id,text\na,No cyst at all.\nb,\n")
        assert values(run("r.csv", *words))["a"] == "no"
        assert len(server.requests) == asked
    assert b"No cyst at all" not in (tmp_path / "kept.sqlite").read_bytes()
    assert (tmp_path / "kept.sqlite").stat().st_mode & 0o077 == 0


def test_the_cache_is_refused_for_rules(run, tmp_path):
    (tmp_path / "r.csv").write_text("text\nA cyst.\n")
    result = run("r.csv", *ONLY, "--cache", "kept.sqlite")
    assert result.exit_code == 2
    assert not (tmp_path / "kept.sqlite").exists()
