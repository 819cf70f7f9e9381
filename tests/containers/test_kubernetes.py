"""The templates for Kubernetes, against the keys of KubeRay's and Kubernetes' own types."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "containers" / "kubernetes"
# KubeRay 1.6, ray-operator/apis/ray/v1: the keys of its types
CLUSTER = {
    "upgradeStrategy", "authOptions", "suspend", "managedBy", "autoscalerOptions", "rayVersion",
    "headServiceAnnotations", "enableInTreeAutoscaling", "gcsFaultToleranceOptions",
    "headGroupSpec", "workerGroupSpecs",
}  # fmt: skip
HEAD = {
    "template", "headService", "enableIngress", "resources", "labels", "rayStartParams",
    "serviceType",
}  # fmt: skip
WORKERS = {
    "suspend", "groupName", "replicas", "minReplicas", "maxReplicas", "idleTimeoutSeconds",
    "resources", "labels", "rayStartParams", "template", "scaleStrategy", "numOfHosts",
}  # fmt: skip
JOB = {
    "activeDeadlineSeconds", "waitForRayClusterSeconds", "backoffLimit", "rayClusterSpec",
    "submitterPodTemplate", "metadata", "clusterSelector", "submitterConfig", "managedBy",
    "deletionStrategy", "entrypoint", "runtimeEnvYAML", "jobId", "submissionMode",
    "entrypointResources", "entrypointNumCpus", "entrypointNumGpus", "ttlSecondsAfterFinished",
    "shutdownAfterJobFinishes", "suspend",
}  # fmt: skip
# Kubernetes core/v1: what of it a template may use
POD = {
    "automountServiceAccountToken", "containers", "enableServiceLinks", "initContainers",
    "nodeSelector", "securityContext", "serviceAccountName", "terminationGracePeriodSeconds",
    "tolerations", "volumes", "imagePullSecrets", "priorityClassName", "runtimeClassName",
}  # fmt: skip
CONTAINER = {
    "name", "image", "imagePullPolicy", "command", "args", "env", "envFrom", "ports", "resources",
    "securityContext", "volumeMounts", "livenessProbe", "readinessProbe", "lifecycle",
}  # fmt: skip
START = {  # `ray start --help`
    "num-cpus", "num-gpus", "dashboard-host", "object-store-memory", "resources", "temp-dir",
    "include-dashboard", "block", "port",
}  # fmt: skip


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


@pytest.fixture(params=["ray-cluster.yaml", "ray-job.yaml"])
def cluster(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The specification of a Ray cluster."""
    [document] = documents(request.param)
    assert document["apiVersion"] == "ray.io/v1"
    spec: dict[str, Any] = document["spec"]
    if document["kind"] == "RayJob":
        assert spec.keys() <= JOB
        assert spec["submissionMode"] in {"K8sJobMode", "HTTPMode", "InteractiveMode"}
        assert isinstance(spec["backoffLimit"], int)
        spec = spec["rayClusterSpec"]
    return spec


def groups(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def pods(cluster: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for group in groups(cluster):
        yield group["template"]["spec"]


def test_keys_are_those_of_the_types(cluster: dict[str, Any]) -> None:
    assert cluster.keys() <= CLUSTER
    assert cluster["headGroupSpec"].keys() <= HEAD
    for group in cluster["workerGroupSpecs"]:
        assert group.keys() <= WORKERS
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in groups(cluster):
        assert group["rayStartParams"].keys() <= START
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        assert group["template"].keys() <= {"metadata", "spec"}
    for pod in pods(cluster):
        assert pod.keys() <= POD
        for container in pod["containers"]:
            assert container.keys() <= CONTAINER


def test_a_token_guards_it(cluster: dict[str, Any]) -> None:
    assert cluster["authOptions"] == {"mode": "token"}


def test_nobody_is_root_or_can_become_it(cluster: dict[str, Any]) -> None:
    for pod in pods(cluster):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_all_see_the_same_workspace_and_models(cluster: dict[str, Any]) -> None:
    claims = {each["metadata"]["name"] for each in documents("workspace.yaml")}
    for pod in pods(cluster):
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        named = {v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if len(v) > 1
                 and "persistentVolumeClaim" in v}  # fmt: skip
        assert named == {"voxcurate-workspace", "voxcurate-models", "voxcurate-keys"}
        assert named <= claims
        for container in pod["containers"]:
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            assert mounts["workspace"] == "/workspace"
            assert mounts["keys"] == "/keys"  # that of the image
            assert mounts.keys() <= volumes.keys()


def test_amounts_are_fixed_and_the_head_runs_no_jobs(cluster: dict[str, Any]) -> None:
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for pod in pods(cluster):
        for container in pod["containers"]:
            assert container["resources"]["limits"] == container["resources"]["requests"]
    gpus = [
        group["template"]["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu")
        for group in cluster["workerGroupSpecs"]
    ]
    assert gpus == ["2", None]


def test_pods_reach_each_other_and_names_only(cluster: dict[str, Any]) -> None:
    [policy] = [each for each in documents("workspace.yaml") if each["kind"] == "NetworkPolicy"]
    spec = policy["spec"]
    chosen = spec["podSelector"]["matchLabels"]
    for group in groups(cluster):
        assert group["template"]["metadata"]["labels"].items() >= chosen.items()
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert len(spec["egress"]) == 2
    assert spec["egress"][0] == {"to": [{"podSelector": {"matchLabels": chosen}}]}
    assert {port["port"] for port in spec["egress"][1]["ports"]} == {53}
    assert "ipBlock" not in str(spec)


def test_the_volume_is_shared() -> None:
    modes = {
        each["metadata"]["name"]: each["spec"]["accessModes"]
        for each in documents("workspace.yaml")
        if each["kind"] == "PersistentVolumeClaim"
    }
    assert modes == {
        "voxcurate-workspace": ["ReadWriteMany"],
        "voxcurate-models": ["ReadOnlyMany"],
        "voxcurate-keys": ["ReadWriteMany"],
    }
