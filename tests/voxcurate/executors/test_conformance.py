"""Every executor of this machine keeps what executors promise."""

import pytest

from tests.voxcurate.executors.conformance import Conformance, sharded
from voxcurate.executors import LocalExecutor, SerialExecutor
from voxcurate.executors.cluster import ClusterConfig
from voxcurate.executors.launchers.processes import ProcessLauncher


class TestSerial(Conformance):
    isolated = False

    @pytest.fixture
    def make(self):
        return lambda **limits: SerialExecutor()


class TestLocal(Conformance):
    @pytest.fixture
    def make(self):
        return lambda **limits: LocalExecutor(workers=2, **limits)


@pytest.mark.slow
class TestProcesses(Conformance):
    """Shards over processes of this machine."""

    @pytest.fixture
    def make(self, tmp_path):
        def made(**limits):
            return sharded(ProcessLauncher(ClusterConfig()), tmp_path, **limits)

        return made
