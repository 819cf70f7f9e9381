"""Progress: a bar on a terminal, plain lines elsewhere, nothing when quiet; the time left."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from voxcurate import progress as module
from voxcurate.progress import Progress, duration, progress

ROOT = Path(__file__).parents[2]
SCRIPT = """
import logging, time
from voxcurate.logs import set_up
from voxcurate.progress import progress
set_up()
with progress("train [fold 1]", 3) as bar:
    for n in range(3):
        time.sleep(0.2)
        bar.advance(note="[case]")
        logging.getLogger("training").warning("odd", extra={"item": n})
"""


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when told: ``clock[0] += seconds``."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_come_now_and_then_and_at_the_end(clock, capsys):
    with progress("predict", 100) as bar:
        for _ in range(99):
            clock[0] += 1
            bar.advance()
        bar.advance(note="last")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "  predict: 15/100, about 1 min 25 s left"
    assert lines[-1] == "  predict: 100/100 in 1 min 39 s"
    assert len(lines) == 99 // 15 + 1
    assert "\r" not in "".join(lines)
    assert "\x1b" not in "".join(lines)


def test_time_left_follows_the_speed_so_far(clock):
    bar = Progress("t", 10)
    assert bar.eta_s() is None
    clock[0] += 8
    bar.advance(2, note="x")
    assert bar.eta_s() == pytest.approx(32)
    bar.advance(8)
    assert bar.eta_s() == 0


def test_an_interrupted_job_says_how_far_it_came(clock, capsys):
    def job():
        with progress("fuse", 5) as bar:
            bar.advance()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job()
    assert capsys.readouterr().err == "  fuse: 1/5 in 0 s\n"


@pytest.mark.parametrize(("total", "quiet"), [(0, False), (3, True)])
def test_nothing_is_shown_for_nothing_or_when_quiet(total, quiet, capsys):
    with progress("t", total, quiet=quiet) as bar:
        bar.advance(total)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar_and_messages_stand_above_it():
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"},
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(screen, 65536)
        except OSError:  # the terminal is gone with its process
            break
    out, _ = process.communicate(timeout=60)
    os.close(screen)
    text = shown.decode()
    assert process.returncode == 0, text
    assert out == b"", "progress belongs on stderr"
    assert "train [fold 1]" in text
    assert "[case]" in text
    assert "3/3" in text
    assert "━" in text
    assert text.count("WARNING odd (item") == 3
    for line in text.replace("\r", "\n").split("\n"):
        assert "WARNING" not in line or "train" not in line, "a message inside the bar"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0.4, "0 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (3599.7, "1 h 0 min"),
    ],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
