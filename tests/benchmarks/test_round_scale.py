"""The simulated round: its stages run, find what was planted, and end alike after kills."""

import pytest

from benchmarks import round_scale, round_scale_data


@pytest.mark.slow
def test_a_small_round_is_simulated_and_ends_alike_each_time(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    n, states = 12, []
    for name in ("one", "two"):
        root = tmp_path / name
        found = {
            stage: round_scale.measured(stage, root, n)
            for stage in ("make", *round_scale.ROUND, "again", "queries", "review")
        }
        assert found["predict"]["computed"] == 10 * len(round_scale_data.MODELS)
        assert found["fuse"]["computed"] == 10  # two are of the test split
        assert found["priority"]["counts"]["lines"] == 10 * len(round_scale_data.CLASSES)
        unmeasured = 1  # an empty prostate: of a class without trusted labels it says nothing
        assert found["assemble"]["counts"]["changed"] == 10 * 19 - unmeasured
        assert found["again"]["counts"]["changed"] == 0
        assert found["assemble"]["counts"]["conflicts"] > 0
        assert found["queries"]["slowest"] < 60
        states.append(round_scale_data.state(root))
    assert states[0] == states[1]
    assert states[0].versions
