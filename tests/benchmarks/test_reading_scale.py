"""The reports that reading is timed on: distinct, repeatable, about 150 words."""

import json

from benchmarks import reading_scale


def test_reports_differ_and_come_again():
    found = list(reading_scale.reports(3000))
    assert len({report.text for report in found}) == 3000
    assert len({report.report_id for report in found}) == 3000
    assert found == list(reading_scale.reports(3000))
    assert found[:10] != list(reading_scale.reports(10, seed=1))
    words = [len(report.text.split()) for report in found]
    assert 130 < sum(words) / len(words) < 190
    assert not any("<" in report.text for report in found)


def test_measures_reading_and_that_nothing_is_read_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    reading_scale.main(["--reports", "40", "--workers", "1", "--keep", str(tmp_path / "w")])
    found = json.loads(capsys.readouterr().out)
    assert (found["reports"], found["read"], found["again_read"], found["failed"]) == (40, 40, 0, 0)
    assert found["findings"] > 400
    assert found["peak_mb_driver"] > 10 < found["peak_mb_worker"]
