"""What is implied of an organ by its size or its absence, and what a report's layout says."""

import pytest

from retrieval.rules.breaks import label_at
from retrieval.rules.measure import measurements
from retrieval.rules.preamble import is_title
from retrieval.rules.reader import RuleReader

READER = RuleReader()

CASES: dict[str, list[tuple[str, dict[str, object]]]] = {
    "gone": [
        ("Uterus absent.", {"hysterectomy": "yes"}),
        ("The gallbladder and the spleen are missing.", {"cholecystectomy": "yes"}),
        ("The gallbladder and the spleen are missing. ", {"splenectomy": "yes"}),
        ("Spleen | Removed", {"splenectomy": "yes"}),
        ("Liver: the left lateral segment was resected.", {"hepatectomy": "yes"}),
        ("The left kidney is congenitally absent.", {"nephrectomy": None}),
        ("Hydronephrosis: absent.", {"hydronephrosis": "no", "nephrectomy": None}),
    ],
    "large": [
        ("The spleen measures 17 cm.", {"splenomegaly": "yes"}),
        ("The spleen measures 11 cm.", {"splenomegaly": None}),
        ("Splenic cyst of 15 cm.", {"splenomegaly": None, "spleen_lesion": "yes"}),
        ("CBD 13 mm.", {"bile_duct_dilated": "yes"}),
        ("Common duct measures 13 mm post cholecystectomy.", {"bile_duct_dilated": "yes"}),
        ("Ascending aorta was measured as 52 mm.", {"thoracic_aneurysm": "yes"}),
        ("Ascending aorta measures 38 mm.", {"thoracic_aneurysm": None}),
    ],
    "nodes": [
        (
            "Subcarinal lymph nodes of 12 mm in short axis.",
            {"thoracic_lymphadenopathy": "yes"},
        ),
        ("Perigastric nodes of 11 mm.", {"lymphadenopathy": "yes"}),
        ("Perigastric nodes of 10 mm.", {"lymphadenopathy": "uncertain"}),
        ("Mesenteric nodes up to 13 x 7 mm.", {"lymphadenopathy": "uncertain"}),
        ("Mesenteric nodes up to 13 mm in long axis.", {"lymphadenopathy": "uncertain"}),
        ("Left external iliac node of 13 mm.", {"lymphadenopathy": "yes"}),
        ("Lymph nodes up to 12 mm, not enlarged by CT criteria.", {"lymphadenopathy": "no"}),
        (
            "Findings: portacaval node of 12 mm.\nImpression: No lymphadenopathy.",
            {"lymphadenopathy": "no"},
        ),
        (
            "No inguinal lymphadenopathy. Left obturator node of 12 mm, suspicious.",
            {"lymphadenopathy": "yes"},
        ),
        (
            "Enlarged mediastinal lymph nodes up to 14 mm and retroperitoneal lymph nodes.",
            {"thoracic_lymphadenopathy": "yes", "lymphadenopathy": "yes"},
        ),
        (
            "Enlarged mediastinal nodes, no retroperitoneal lymphadenopathy.",
            {"thoracic_lymphadenopathy": "yes", "lymphadenopathy": "no"},
        ),
        ("Enlarged mediastinal nodes and an abdominal hernia.", {"lymphadenopathy": None}),
        ("Mesenteric nodes up to 25 mm.", {"lymphadenopathy": "yes"}),
        ("Axillary lymph nodes, short axis 8 mm.", {"thoracic_lymphadenopathy": None}),
    ],
    "nature": [
        (
            "Hypodensity in the liver, too small to characterise.",
            {"liver_lesion": "yes", "liver_tumour": "uncertain"},
        ),
        (
            "Two hypodense foci in the liver, metastasis cannot be excluded.",
            {"liver_lesion": "yes", "liver_metastasis": "uncertain"},
        ),
    ],
    "scope": [
        ("No effusion there is a lung nodule.", {"lung_nodule": "yes"}),
        ("Mild effusion, ?mild splenomegaly.", {"splenomegaly": "uncertain"}),
        ("Lung opacities likely atelectasis versus pneumonia.", {"lung_opacity": "yes"}),
        ("As far as can be observed, the heart is enlarged.", {"cardiomegaly": "yes"}),
        ("It is not observed ascites.", {"ascites": "no"}),
        ("The hernia has been repaired.", {"hernia": "no"}),
        ("Compression deformity of L1, age indeterminate.", {"vertebral_fracture": "yes"}),
        ("Dilated bile ducts (CBD 13 mm), no mass seen.", {"bile_duct_dilated": "yes"}),
        ("In the pancreatic head a mass with contact to the SMV.", {"pancreas_lesion": "yes"}),
        ("Left renal stone seen before has passed.", {"kidney_stone": "no"}),
        (
            "Calcified plaques in the aorta and the coronaries.",
            {"coronary_calcification": "yes"},
        ),
    ],
    "layout": [
        ("Liver - normal\nSpleen - 8 mm cyst", {"liver_lesion": "no", "spleen_lesion": "yes"}),
        ("Adrenals | Right normal. Left: myelolipoma 24 mm", {"adrenal_lesion": "yes"}),
        ("**Liver:**\n2 cm cyst.\n\n**Spleen:**\nNormal.", {"liver_cyst": "yes"}),
        ("Kidneys: no stone. Cysts: left, 2 cm.", {"kidney_cyst": "yes", "kidney_stone": "no"}),
        ("CTA chest, PE protocol. No effusion.", {"pulmonary_embolism": None}),
    ],
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(text, wanted, id=f"{name}: {text[:60]}")
        for name, cases in CASES.items()
        for text, wanted in cases
    ],
)
def test_what_is_implied(text, wanted):
    found = {f.question: f.value for f in READER.read(text)}
    assert {question: found.get(question) for question in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "question", "millimetres"),
    [
        ("Right kidney 3.2 cm cyst, left kidney 1.1 cm cyst.", "kidney_lesion_size", 32.0),
        ("5 cm left renal cyst; 18 mm left adrenal nodule.", "adrenal_lesion_size", 18.0),
        ("Main pancreatic duct 7 mm, common bile duct 14 mm.", "pancreatic_duct_size", 7.0),
        ("No pancreatic mass, and the main duct is 2 mm.", "pancreatic_duct_size", 2.0),
        ("Liver lesion of 2.4 cm in 2019, now 1.9 cm.", "liver_lesion_size", 19.0),
        ("The kidneys are normal aside from a 2 cm cyst.", "kidney_lesion_size", 20.0),
        ("Liver metastasis of 40 mm (52 mm).", "liver_lesion_size", 40.0),
    ],
)
def test_whose_size_it_is(text, question, millimetres):
    assert {f.question: f.number for f in READER.read(text)}[question] == millimetres


@pytest.mark.parametrize(
    ("text", "lobes"),
    [
        ("Lung nodules in the upper lobes of both lungs.", {"left_upper", "right_upper"}),
        ("In the left lung a nodule in the lower lobe.", {"left_lower"}),
        ("Lung nodules in the lower lobes.", {"left_lower", "right_lower"}),
        ("A lung nodule in the upper lobe.", None),
    ],
)
def test_choices_that_differ_by_side(text, lobes):
    found = {f.question: set(f.items) for f in READER.read(text)}
    assert found.get("lung_nodule_lobe") == lobes


def test_a_place_is_told_of_its_own_clause():
    text = "A mass in the pancreatic head; the pancreatic body and tail are atrophic."
    found = {f.question: f.items for f in READER.read(text)}
    assert found["pancreas_lesion_location"] == ("head",)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Liver: normal", "Liver"),
        ("Liver | normal", "Liver"),
        ("Liver and spleen - normal", "Liver and spleen"),
        ("Small effusion - unchanged", ""),
        ("Left: a cyst", ""),
        ("There is: a cyst", ""),
    ],
)
def test_labels(text, label):
    assert label_at(text, 0, len(text)) == label


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("CT chest with contrast for PE", True),
        ("CT chest shows a nodule", False),
        ("CT chest: 5 mm nodule", False),
        ("Pneumonia", False),
    ],
)
def test_a_title_names_the_study_only(text, wanted):
    assert is_title(text) == wanted


def test_a_size_in_brackets_behind_one_is_of_before():
    now, before = measurements("Metastasis of 40 mm (52 mm).")
    assert (now.is_prior, before.is_prior) == (False, True)
    assert not any(m.is_prior for m in measurements("Nodule of 40 mm (52 mm long)."))
