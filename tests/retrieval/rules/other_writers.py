"""More sentences with what they say: dictated, translated, in letters. None: nothing on it."""

from typing import Any

CASES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "denials behind a subject or a topic": [
        ("BILE DUCT: Not widened, not dilated.", {"bile_duct_dilated": "no"}),
        ("LYMPH NODES: None pathologically enlarged.", {"lymphadenopathy": "no"}),
        ("Nodes: none enlarged.", {"lymphadenopathy": "no"}),
        ("Mesenteric lymph nodes are below pathological size.", {"lymphadenopathy": "no"}),
        ("Pleural thickening is not a feature.", {"pleural_thickening": "no"}),
        ("Coronary calcifications are lacking.", {"coronary_calcification": "no"}),
        ("A consolidation did not attract attention.", {"consolidation": "no"}),
        ("The ascites is no longer demonstrable.", {"ascites": "no"}),
        ("The cyst of the spleen can no longer be seen.", {"spleen_lesion": "no"}),
        ("The consolidation has turned into a scar.", {"consolidation": "no"}),
        ("Ascites in the last study, today no longer detectable.", {"ascites": "no"}),
        ("The effusion on the left has vanished.", {"pleural_effusion": "no"}),
    ],
    "exceptions": [
        (
            "I see nothing in the liver to suggest metastases, only a haemangioma.",
            {"liver_metastasis": "no", "liver_hemangioma": "yes"},
        ),
        ("No hepatic lesion save for a cyst in segment 3.", {"liver_cyst": "yes"}),
    ],
    "questions, titles, kin": [
        ("?recurrent pneumothorax.", {"pneumothorax": None}),
        ("Her mother died of pancreatic cancer.", {"pancreas_tumour": None}),
        ("His brother has emphysema.", {"emphysema": None}),
        ("If antibiotics were given for pneumonia, repeat the scan.", {"pneumonia": None}),
        ("Colon carcinoma, status post hemicolectomy 2018.", {"colon_tumour": None}),
        ("Restaging CT - renal cell carcinoma after nephrectomy.", {"kidney_tumour": None}),
        ("Restaging CT. Renal mass of 30 mm on the left.", {"kidney_tumour": "yes"}),
    ],
    "whose finding": [
        (
            "The liver contains a cyst in segment 6 and the spleen, both kidneys are normal.",
            {"liver_cyst": "yes", "spleen_lesion": "no", "kidney_lesion": "no"},
        ),
        (
            "There are cysts in the liver and the kidneys.",
            {"liver_cyst": "yes", "kidney_cyst": "yes"},
        ),
        (
            "The liver has a small cyst. The vertebrae show lytic metastases.",
            {"liver_metastasis": None, "bone_metastasis": "yes"},
        ),
        (
            "The pancreas is atrophic. The duct is dilated to 6 mm.",
            {"pancreatic_duct_dilated": "yes", "bile_duct_dilated": None},
        ),
        (
            "The gallbladder is normal. The duct is dilated to 9 mm.",
            {"pancreatic_duct_dilated": None, "bile_duct_dilated": "yes"},
        ),
        ("Ampullary carcinoma.", {"liver_tumour": None}),
        ("The spleen is 15 cm and larger than normal.", {"splenomegaly": "yes"}),
    ],
    "nodes": [
        (
            "Hilar nodes are enlarged to 13 mm.",
            {"thoracic_lymphadenopathy": "yes", "lymphadenopathy": None},
        ),
        ("Mediastinum: Nodal conglomerate of 30 mm.", {"lymphadenopathy": None}),
        ("A right paratracheal lymph node of 19 mm.", {"thoracic_lymphadenopathy": "yes"}),
        ("Portocaval lymph nodes up to 2.2 cm.", {"lymphadenopathy": "yes"}),
        ("Portocaval lymph nodes up to 8 mm.", {"lymphadenopathy": None}),
        ("The nodes are normal, formerly 17 mm, now 7 mm.", {"lymphadenopathy": "no"}),
    ],
    "of two ducts, of two sides": [
        (
            "Known chronic pancreatitis. The duct is irregular and dilated to 8 mm.",
            {"pancreatic_duct_dilated": "yes", "bile_duct_dilated": None},
        ),
        ("The pancreatic duct measures 7 mm.", {"pancreatic_duct_dilated": "yes"}),
        ("The pancreatic duct measures 2 mm.", {"pancreatic_duct_dilated": None}),
        (
            "The spleen is small and both kidneys are free of stones. A cyst is in the left one.",
            {"kidney_cyst": "yes", "spleen_lesion": None},
        ),
        ("Gallbladder surgically absent, clips.", {"medical_device": "yes"}),
        ("There is a small left effusion.", {"pericardial_effusion": None}),
    ],
    "what is said of whom": [
        (
            "The spleen, pancreas and kidneys are unremarkable other than a left renal cyst.",
            {"spleen_lesion": "no", "pancreas_lesion": "no", "kidney_cyst": "yes"},
        ),
        ("Innumerable hepatic metastases, not present before.", {"liver_metastasis": "yes"}),
        (
            "A mass of 50 mm, invading the chest wall, is seen in the right upper lobe.",
            {"lung_mass": "yes"},
        ),
        ("Consider follow-up CT for the 4 mm pulmonary nodule.", {"lung_nodule": "yes"}),
        ("Heart size is at the upper limit of normal.", {"cardiomegaly": "uncertain"}),
    ],
    "which of two": [
        (
            "Atelectasis or scar in the lingula; hard to tell which.",
            {"atelectasis": "uncertain", "pulmonary_fibrosis": "uncertain"},
        ),
        (
            "Pericardial effusion or thickening, difficult to distinguish.",
            {"pericardial_effusion": "uncertain"},
        ),
        ("Pneumonia and infarct are both considerations.", {"pneumonia": "uncertain"}),
        ("Liver lesion, metastasis should be ruled out.", {"liver_metastasis": "uncertain"}),
    ],
    "words of other schools": [
        ("14 mm nodule in the left surrenal gland.", {"adrenal_lesion": "yes"}),
        ("Gallbladder with several concrements.", {"gallstones": "yes"}),
        ("Trace fluid in the pouch of Douglas.", {"ascites": "yes"}),
        ("Hernia of the oesophageal hiatus.", {"hiatal_hernia": "yes", "hernia": None}),
        ("The gallbladder was taken out.", {"cholecystectomy": "yes"}),
        ("No PE.", {"pulmonary_embolism": "no"}),
        ("Old wedge fx of T11.", {"vertebral_fracture": "yes"}),
    ],
}
