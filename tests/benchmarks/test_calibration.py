"""The figures of ``python -m benchmarks.label_errors.calibration``."""

import json

import numpy as np
import pytest

from benchmarks.label_errors.calibration import main, read, reliability
from benchmarks.label_errors.planting import half_of


def test_reliability_by_hand():
    found = reliability(np.array([0.1, 0.1, 0.9, 1.0]), np.array([0.0, 1.0, 1.0, 1.0]), (0, 0.5, 1))
    assert [(b["n"], b["told"], b["wrong"]) for b in found["bins"]] == [
        (2, pytest.approx(0.1), 0.5),
        (2, pytest.approx(0.95), 1.0),
    ]
    assert found["ece"] == pytest.approx(0.5 * 0.4 + 0.5 * 0.05)
    assert found["brier"] == pytest.approx((0.01 + 0.81 + 0.01 + 0.0) / 4)


def test_only_the_asked_half_and_seeds_count(tmp_path, capsys):
    cases = {half_of(f"c{n}"): f"c{n}" for n in range(20)}
    rows = [
        {"case_id": case, "kind": kind, "scores": {"ours": score}}
        for case, kind, score in (
            (cases["even"], "", 0.1),
            (cases["even"], "cut_off", 0.99),
            (cases["odd"], "", 0.3),
        )
    ]
    arms = [{"arm": {"group": "gross", "rate": 0.05, "seed": s}, "rows": rows} for s in (0, 1)]
    path = tmp_path / "found.json"
    path.write_text(json.dumps({"measured": arms}))
    assert read(path, "even", [0]) == {("gross", 0.05): [[0.1, 0.0], [0.99, 1.0]]}
    assert len(read(path, "all", [])["gross", 0.05]) == 6
    assert main([str(path)]) == 0
    assert "gross, 5 %" in capsys.readouterr().out
