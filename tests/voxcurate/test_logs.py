"""Logs: one JSON line per event, and no text that may name a patient or a path."""

import io
import json
import logging
import sys
from pathlib import Path

from voxcurate.logs import set_up


def events(folder):
    return [json.loads(line) for line in (folder / "voxcurate.jsonl").read_text().splitlines()]


def broken():
    try:
        raise ValueError("Jane Doe, /home/jane/ct")
    except ValueError:
        logging.getLogger("cleaning.check").exception("cannot check", extra={"item": "a_case"})


def test_events_are_json_with_their_extra(tmp_path, capsys):
    set_up(tmp_path)
    logging.getLogger("training.trainer.loop").info(
        "stage %s", "starts", extra={"round": 2, "why": "ä\n"}
    )
    (event,) = events(tmp_path)
    assert event.pop("time").endswith("+00:00")
    assert event == {
        "level": "info",
        "logger": "training.trainer.loop",
        "message": "stage starts",
        "round": 2,
        "why": "ä\n",
    }
    assert capsys.readouterr().err == "", "only warnings are for people"


def test_the_text_of_an_exception_is_nowhere(tmp_path, capsys):
    set_up(tmp_path)
    broken()
    (event,) = events(tmp_path)
    assert (event["message"], event["exception"], event["item"]) == (
        "cannot check",
        "ValueError",
        "a_case",
    )
    shown = capsys.readouterr().err
    assert shown == "ERROR cannot check (item a_case, exception ValueError)\n"
    assert "jane" not in (tmp_path / "voxcurate.jsonl").read_text().lower()


def test_what_is_not_plain_data_is_named_by_its_type(tmp_path, capsys):
    set_up(tmp_path)
    extra = {"path": Path("/home/jane"), "why": ValueError("Jane"), "n": [1, 2]}
    logging.getLogger("agent").warning("odd", extra=extra)
    (event,) = events(tmp_path)
    assert (event["path"], event["why"], event["n"]) == ("<PosixPath>", "<ValueError>", [1, 2])
    assert "jane" not in capsys.readouterr().err.lower()


def test_calling_again_replaces_and_verbose_shows_more(tmp_path, capsys):
    set_up(tmp_path / "one")
    set_up(tmp_path / "two", verbose=True)
    logging.getLogger("voxcurate").info("once")
    assert not (tmp_path / "one" / "voxcurate.jsonl").read_text()
    assert [event["message"] for event in events(tmp_path / "two")] == ["once"]
    assert capsys.readouterr().err == "INFO once\n"


def test_a_terminal_that_is_gone_does_not_stop_the_work(tmp_path, monkeypatch):
    set_up(tmp_path)
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", gone)
    for _ in range(2):
        logging.getLogger("voxcurate").warning("odd")
    assert len(events(tmp_path)) == 2
