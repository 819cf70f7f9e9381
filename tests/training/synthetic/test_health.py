"""Where tumours may grow: labels of people, reports, and every reason against."""

import pytest

from training.synthetic.config import SyntheticConfig
from training.synthetic.health import (
    Asked,
    Evidence,
    counted,
    healthy,
    hosts,
    kin,
    lesion_sites,
    proof,
)
from voxcurate.catalog import Catalog, FindingRow, Label, Reading, Report
from voxcurate.classes import load_vocabulary

WORDS = load_vocabulary()
ASKED = {
    "liver_lesion": Asked(("liver_lesion", "liver_cyst", "liver_abscess"), ("liver_lesion",)),
    "liver_tumor": Asked(("liver_tumour", "liver_metastasis"), ("liver_tumour", "liver_lesion")),
    "liver_cyst": Asked(("liver_cyst",), ("liver_cyst", "liver_lesion")),
}


def test_hosts_and_kin():
    assert hosts("liver_tumor", WORDS) == ("liver",)
    assert hosts("pancreatic_pdac", WORDS) == ("pancreas",)
    assert hosts("kidney_tumor", WORDS) == ("kidney_left", "kidney_right")
    assert hosts("tumor", WORDS) == ()
    assert {"liver_tumor", "liver_cyst", "liver_lesion", "tumor"} == set(kin("liver_tumor", WORDS))
    assert "kidney_cyst_left" in kin("kidney_tumor", WORDS)
    assert "pancreatic_cyst" not in kin("liver_tumor", WORDS)


def test_sites_of_a_run():
    classes = ["pancreas", "pancreatic_tumor", "pancreatic_pdac", "pancreatic_cyst",
               "pancreatic_lesion", "aorta", "liver_tumor"]  # fmt: skip
    found = lesion_sites(classes, WORDS, SyntheticConfig())
    assert "liver_tumor" not in found  # its organ is not trained
    pdac = found["pancreatic_pdac"]
    assert pdac["hosts"] == ["pancreas"]
    assert pdac["also"] == ["pancreatic_tumor"]
    assert "pancreatic_tumor" not in pdac["unsure"]
    assert "aorta" in pdac["vessels"]
    assert found["pancreatic_tumor"]["unsure"] == ["pancreatic_pdac", "pancreatic_lesion"]
    assert "pancreatic_cyst" not in found["pancreatic_tumor"]["unsure"]


@pytest.mark.parametrize(
    ("labels", "reports", "expected"),
    [
        ({"liver_tumor": "absent"}, {}, "label"),
        ({}, {"liver_tumor": "no"}, "report"),
        ({}, {}, "unknown"),
        ({"liver_tumor": ""}, {}, "unknown"),
        ({"liver_tumor": "there"}, {}, "none"),
        ({"liver_tumor": "absent", "liver_cyst": "there"}, {}, "none"),
        ({"liver_tumor": "absent"}, {"liver_tumor": "yes"}, "none"),
        ({"liver_tumor": "absent"}, {"liver_cyst": "uncertain"}, "none"),
        ({}, {"liver_tumor": "no", "liver_lesion": "yes"}, "none"),
        ({}, {"liver_tumor": "no", "pancreatic_tumor": "yes"}, "report"),
        ({"liver_tumor": "absent", "tumor": "there"}, {}, "none"),
    ],
)
def test_proof(labels, reports, expected):
    assert proof("liver_tumor", Evidence(labels, reports), WORDS) == expected


def test_an_unread_report_forbids_and_a_broader_label_proves():
    assert proof("liver_tumor", Evidence({"liver_tumor": "absent"}, {}, True), WORDS) == "none"
    assert proof("pancreatic_pdac", Evidence({"pancreatic_tumor": "absent"}, {}), WORDS) == "label"


def label(case, class_id, origin="original", voxels=0, **more):
    path = "x.nii.gz" if voxels else ""
    return Label(f"{case}{class_id}", case, class_id, origin, "", "", 0, path, "", "", 0.0, voxels,
                 **more)  # fmt: skip


def finding(case, question, value, confidence=1.0, **more):
    return FindingRow(f"r_{case}", question, case, value, None, "", "", "s", "", confidence,
                      "rules", 1, **more)  # fmt: skip


@pytest.fixture
def catalog(tmp_path):
    made = Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    yield made
    made.close()


def fill(catalog, findings=(), unread=()):
    cases = {row.case_id for row in findings} | set(unread)
    with catalog.write() as writer:
        for case in sorted(cases):
            writer.add(Report(f"r_{case}", case, "p", "s", "text"))
            status = "failed" if case in unread else "read"
            writer.put(Reading(f"r_{case}", "c", "rules", status, 1))
        for row in findings:
            writer.put(row)


def asked_about(catalog, labels, lesions=("liver_tumor", "liver_cyst"), asked=ASKED, **config):
    return healthy(catalog, WORDS, lesions, labels, asked, SyntheticConfig(**config))


def test_healthy_by_label_and_report(catalog):
    fill(
        catalog,
        [
            finding("said_no", "liver_lesion", "no"),
            finding("said_yes", "liver_metastasis", "yes"),
            finding("hedged", "liver_abscess", "uncertain"),
            finding("doubtful", "liver_lesion", "no", confidence=0.5),
            finding("silent", "steatosis", "yes"),
            finding("unsupported", "liver_lesion", "no", supported=False),
            finding("mixed", "liver_lesion", "no"),
            finding("mixed", "liver_cyst", "yes"),
        ],
        unread=["unread"],
    )
    labels = {
        name: {"liver_tumor": label(name, "liver_tumor")} if name != "said_no" else {}
        for name in (
            "said_no",
            "said_yes",
            "hedged",
            "doubtful",
            "silent",
            "mixed",
            "unread",
            "no_report",
        )
    }
    labels["unsupported"] = {}
    found = asked_about(catalog, labels)
    assert found["said_no"] == {"liver_tumor": "report", "liver_cyst": "report"}
    assert found["no_report"] == {"liver_tumor": "label"}
    assert found["silent"] == {"liver_tumor": "label"}
    assert set(found) == {"said_no", "no_report", "silent"}
    assert counted(found.values()) == {"liver_cyst": 1, "liver_tumor": 3}


def test_a_models_empty_prediction_is_no_proof_and_its_tumour_forbids(catalog):
    labels = {
        "empty": {"liver_tumor": label("empty", "liver_tumor", "pseudo")},
        "full": {"liver_tumor": label("full", "liver_tumor"),
                 "liver_cyst": label("full", "liver_cyst", "pseudo", 9)},
        "confirmed": {"liver_tumor": label("c", "liver_tumor", "pseudo", confirmed=True)},
    }  # fmt: skip
    assert asked_about(catalog, labels) == {"confirmed": {"liver_tumor": "label"}}
    free = asked_about(catalog, labels, unlabelled=True)
    assert free["empty"]["liver_tumor"] == "unknown"
    assert "full" not in free


def test_without_questions_no_case_with_a_report(catalog):
    fill(catalog, [finding("a", "liver_lesion", "no")])
    labels = {n: {"liver_tumor": label(n, "liver_tumor")} for n in ("a", "b")}
    assert asked_about(catalog, labels, asked={}) == {"b": {"liver_tumor": "label"}}
