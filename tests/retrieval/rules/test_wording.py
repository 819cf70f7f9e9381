"""Ways of saying that new readers' reports have taught, each with a look-alike that differs."""

import pytest

from retrieval.rules.reader import RuleReader

READER = RuleReader()

CASES: dict[str, list[tuple[str, dict[str, object]]]] = {
    "contracted": [
        ("There isn't any pleural effusion.", {"pleural_effusion": "no"}),
        ("Pleural effusion wasn't observed.", {"pleural_effusion": "no"}),
        ("Nodules aren’t seen in the lungs.", {"lung_nodule": "no"}),
        ("A mass in the liver can't be excluded.", {"liver_tumour": "uncertain"}),
        ("The nodule in the left lung hasn't changed.", {"lung_nodule": "yes"}),
    ],
    "change": [
        ("No significant change in the pleural effusion.", {"pleural_effusion": "yes"}),
        (
            "Lungs: No ground-glass change, consolidation or collapse.",
            {"ground_glass": "no", "consolidation": "no", "atelectasis": "no"},
        ),
        ("No pathological density increase was seen in the lungs.", {"lung_opacity": "no"}),
        (
            "A spiculated nodule in the left upper lobe, not seen on the previous exam.",
            {"lung_nodule": "yes"},
        ),
    ],
    "not": [
        ("Liver: not enlarged, density reduced, steatosis.", {"steatosis": "yes"}),
        ("There was not a lung nodule, consolidation, effusion.", {"consolidation": "no"}),
        ("Focal fat stranding around the sigmoid colon.", {"steatosis": None}),
        ("The ducts are not dilated, thickened or obstructed.", {"bile_duct_dilated": "no"}),
        ("Lymph nodes: Nil enlarged", {"lymphadenopathy": "no"}),
        ("Cholelithiasis with out evidence of cholecystitis.", {"cholecystitis": "no"}),
        (
            "No pleural effusion, a discrete pleural thickening apically on the left.",
            {"pleural_effusion": "no", "pleural_thickening": "yes"},
        ),
        ("The aorta is ectatic, though short of aneurysmal.", {"aortic_aneurysm": "no"}),
    ],
    "doubt": [
        (
            "Opacities in the right lower lobe are suspicious for pneumonia.",
            {"lung_opacity": "yes", "pneumonia": "uncertain"},
        ),
        (
            "Portal vein: slow flow; thrombus thought unlikely but not excluded.",
            {"portal_vein_thrombosis": "uncertain"},
        ),
        (
            "Interlobular septal thickening was seen: lymphangitis carcinomatosa?",
            {"septal_thickening": "yes"},
        ),
        (
            "A stenosing tumour of the colon cannot be differentiated.",
            {"colon_tumour": "uncertain"},
        ),
        ("A consolidation may be overlooked.", {"consolidation": "uncertain"}),
        ("He is being assessed for liver transplantation.", {"transplant": None}),
    ],
    "place": [
        (
            "Spleen: in the lower pole a hypodense lesion of 10 mm.",
            {"spleen_lesion": "yes", "kidney_lesion": None},
        ),
        ("In the lower pole a hypodense lesion of 10 mm.", {"kidney_lesion": "yes"}),
        (
            "Lungs: 5 mm nodule in segment 6 on the right.",
            {"lung_nodule": "yes", "liver_lesion": None},
        ),
        ("Hypodense lesion of 12 mm in segment 6.", {"liver_lesion": "yes"}),
        (
            "The pancreas is atrophic, with mild prominence of the duct.",
            {"pancreatic_atrophy": "yes"},
        ),
        (
            "The adrenals are normal, as are the kidneys, but for a cyst on each side.",
            {"adrenal_lesion": "no", "kidney_lesion": "yes"},
        ),
        ("A collection in the splenic bed, consistent with an abscess.", {"spleen_lesion": None}),
        (
            "Calcified aorta and coronary arteries.",
            {"arterial_calcification": "yes", "coronary_calcification": "yes"},
        ),
        ("Iliac arteries: calcified, patent.", {"arterial_calcification": "yes"}),
        (
            "Mild septal thickening and trace left pleural effusion.",
            {"septal_thickening": "yes", "pleural_thickening": None},
        ),
    ],
    "preamble": [
        (
            "CT chest\nHistory: lung cancer.\nStatus post right upper lobectomy, with a pleural "
            "effusion on the right.\nThe liver is normal.",
            {"pleural_effusion": "yes", "lung_resection": "yes"},
        ),
        (
            "CT abdomen\nStatus post Whipple procedure, pneumobilia.",
            {"whipple": "yes", "pneumobilia": "yes"},
        ),
        (
            "CT abdomen\nStatus post nephrectomy for renal cell carcinoma.\nThe liver is normal.",
            {"nephrectomy": "yes", "kidney_tumour": None},
        ),
        (
            "CT abdomen\nStaging of pancreatic carcinoma, primary in the tail.\nLiver normal.",
            {"pancreas_tumour": None, "pancreas_malignancy": None},
        ),
        (
            "THORAX CT\nReason for examination: fever. On the sections obtained, a catheter is "
            "present in the superior vena cava. Nodules in both lungs.",
            {"medical_device": "yes", "lung_nodule": "yes"},
        ),
        ("CT thorax\nQuestion: Tumour? Infiltrates?\nNo effusion.", {"lung_opacity": None}),
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
def test_how_it_is_said(text, wanted):
    found = {f.question: f.value for f in READER.read(text)}
    assert {question: found.get(question) for question in wanted} == wanted


def test_a_unit_shared_by_two_sizes():
    text = "Two hypodense lesions of the liver consistent with cysts, 1.4 and 0.8 cm."
    sizes = {f.question: f.number for f in READER.read(text)}
    assert sizes["liver_lesion_size"] == 14.0
