"""Sentences of many manners with what they say, by phenomenon. None: nothing on the question."""

from typing import Any

CASES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "denials before": [
        ("No evidence of focal liver lesion.", {"liver_lesion": "no"}),
        (
            "There is no hydronephrosis or renal calculus.",
            {"hydronephrosis": "no", "kidney_stone": "no"},
        ),
        ("The gallbladder is distended without stones.", {"gallstones": "no"}),
        ("The lungs are free of nodules.", {"lung_nodule": "no"}),
        ("Negative for pulmonary embolism.", {"pulmonary_embolism": "no"}),
        ("No filling defect to suggest pulmonary embolism.", {"pulmonary_embolism": "no"}),
        ("Absence of pleural effusion.", {"pleural_effusion": "no"}),
        (
            "Neither ascites nor pneumoperitoneum is seen.",
            {"ascites": "no", "pneumoperitoneum": "no"},
        ),
        ("No CT evidence of acute appendicitis.", {"appendicitis": "no"}),
        (
            "There is no pleural effusion, pneumothorax, or consolidation.",
            {"pleural_effusion": "no", "pneumothorax": "no", "consolidation": "no"},
        ),
        ("The appendix is normal without evidence of appendicitis.", {"appendicitis": "no"}),
        ("No definite mass is seen within the pancreas.", {"pancreas_lesion": "no"}),
        (
            "Pancreas shows no mass, cyst or ductal dilatation.",
            {"pancreas_tumour": "no", "pancreas_cyst": "no", "pancreatic_duct_dilated": "no"},
        ),
        (
            "No nodules or masses in the lungs bilaterally.",
            {"lung_nodule": "no", "lung_mass": "no"},
        ),
        ("No intra- or extrahepatic biliary dilatation.", {"bile_duct_dilated": "no"}),
        ("The patient has no splenomegaly.", {"splenomegaly": "no"}),
    ],
    "denials behind": [
        ("Pericardial effusion-thickening was not observed.", {"pericardial_effusion": "no"}),
        (
            "Pleural effusion, pneumothorax was not observed.",
            {"pleural_effusion": "no", "pneumothorax": "no"},
        ),
        (
            "Pleural effusion or thickening was not detected.",
            {"pleural_effusion": "no", "pleural_thickening": "no"},
        ),
        ("A mass lesion was not detected in the liver.", {"liver_lesion": "no"}),
        ("Bilateral hydronephrosis is not identified.", {"hydronephrosis": "no"}),
        ("Gallstones: none.", {"gallstones": "no"}),
        ("Ascites: absent.", {"ascites": "no"}),
        ("The previously seen pancreatic cyst has resolved.", {"pancreas_cyst": "no"}),
        ("The right pleural effusion has completely resolved.", {"pleural_effusion": "no"}),
        ("The left lower lobe consolidation is no longer seen.", {"consolidation": "no"}),
        ("Interval resolution of the ascites.", {"ascites": "no"}),
        ("Pulmonary embolism has been ruled out.", {"pulmonary_embolism": "no"}),
        ("Bowel obstruction is unlikely.", {"bowel_obstruction": "no"}),
    ],
    "scope": [
        (
            "No hydronephrosis, but a 3 mm stone is present in the left kidney.",
            {"hydronephrosis": "no", "kidney_stone": "yes"},
        ),
        (
            "No pleural effusion; mild cardiomegaly.",
            {"pleural_effusion": "no", "cardiomegaly": "yes"},
        ),
        ("No pleural effusion, mild cardiomegaly.", {"cardiomegaly": "yes"}),
        ("Cholelithiasis without cholecystitis.", {"gallstones": "yes", "cholecystitis": "no"}),
        (
            "Gallstones are present and there is no biliary dilatation.",
            {"gallstones": "yes", "bile_duct_dilated": "no"},
        ),
        (
            "There is a cyst in the left kidney and hydronephrosis is not seen.",
            {"kidney_cyst": "yes", "hydronephrosis": "no"},
        ),
        (
            "Diverticulosis without diverticulitis.",
            {"diverticulosis": "yes", "diverticulitis": "no"},
        ),
        (
            "No bowel obstruction however there is moderate ascites.",
            {"bowel_obstruction": "no", "ascites": "yes"},
        ),
        ("Emphysema is seen, with no pneumothorax.", {"emphysema": "yes", "pneumothorax": "no"}),
        (
            "Liver cyst (no enhancement) and a renal cyst.",
            {"liver_cyst": "yes", "kidney_cyst": "yes"},
        ),
        (
            "Small hiatal hernia, no bowel obstruction.",
            {"hiatal_hernia": "yes", "bowel_obstruction": "no"},
        ),
        ("Apart from a small hepatic cyst, no focal liver lesion.", {"liver_cyst": "yes"}),
        (
            "No focal hepatic lesion other than a 1 cm cyst in segment 4.",
            {"liver_cyst": "yes", "liver_lesion": "yes"},
        ),
    ],
    "pseudo-negation": [
        ("No change in the pancreatic cyst.", {"pancreas_cyst": "yes"}),
        ("No significant interval increase in the renal mass.", {"kidney_tumour": "yes"}),
        ("The pulmonary nodule is not significantly changed.", {"lung_nodule": "yes"}),
        ("No increase in size of the nodule in the right lower lobe.", {"lung_nodule": "yes"}),
        ("Stable right renal cyst without change.", {"kidney_cyst": "yes"}),
        ("Not only a cyst but a solid mass in the left kidney.", {"kidney_tumour": "yes"}),
        ("The pleural effusion has not resolved.", {"pleural_effusion": "yes"}),
        ("Nonobstructing stone in the right kidney.", {"kidney_stone": "yes"}),
        ("Pancreatic cyst without suspicious features.", {"pancreas_cyst": "yes"}),
        ("The adrenal nodule shows no significant growth.", {"adrenal_lesion": "yes"}),
    ],
    "doubt": [
        ("Metastasis to the liver cannot be excluded.", {"liver_metastasis": "uncertain"}),
        ("A pancreatic mass cannot be ruled out.", {"pancreas_tumour": "uncertain"}),
        ("Possible small gallstone.", {"gallstones": "uncertain"}),
        ("Findings suspicious for acute appendicitis.", {"appendicitis": "uncertain"}),
        ("Questionable stone in the left kidney.", {"kidney_stone": "uncertain"}),
        (
            "Consolidation may represent pneumonia or atelectasis.",
            {"consolidation": "yes", "pneumonia": "uncertain", "atelectasis": "uncertain"},
        ),
        (
            "Opacity at the right base, atelectasis versus pneumonia.",
            {"atelectasis": "uncertain", "pneumonia": "uncertain"},
        ),
        (
            "Hypodense liver lesion, cyst versus haemangioma.",
            {"liver_lesion": "yes", "liver_cyst": "uncertain", "liver_hemangioma": "uncertain"},
        ),
        (
            "5 mm hypodensity in the liver, too small to characterise.",
            {"liver_lesion": "yes", "liver_tumour": "uncertain"},
        ),
        ("Early cirrhosis is suspected.", {"cirrhosis": "uncertain"}),
        ("Cannot exclude a nondisplaced fracture.", {"fracture": "uncertain"}),
        (
            "Possible pneumonia with a small left pleural effusion.",
            {"pneumonia": "uncertain", "pleural_effusion": "yes"},
        ),
        (
            "Subtle hypodensity in the pancreatic tail, an underlying mass cannot be excluded.",
            {"pancreas_tumour": "uncertain"},
        ),
        (
            "The appearance raises concern for peritoneal carcinomatosis.",
            {"peritoneal_carcinomatosis": "uncertain"},
        ),
    ],
    "likely is yes": [
        ("Liver lesion, most likely a haemangioma.", {"liver_hemangioma": "yes"}),
        ("Findings consistent with acute pancreatitis.", {"pancreatitis": "yes"}),
        ("Appearances in keeping with hepatic steatosis.", {"steatosis": "yes"}),
        (
            "Right lower lobe consolidation, likely pneumonia.",
            {"pneumonia": "yes", "consolidation": "yes"},
        ),
        ("Probable simple cyst in the left kidney.", {"kidney_cyst": "yes"}),
        (
            "Ground glass densities compatible with pneumonia.",
            {"ground_glass": "yes", "pneumonia": "yes"},
        ),
    ],
    "not of now": [
        ("INDICATION: Rule out appendicitis.\nFINDINGS: Normal liver.", {"appendicitis": None}),
        ("HISTORY: Pancreatic cancer.\nFINDINGS: Normal spleen.", {"pancreas_malignancy": None}),
        ("History of hepatocellular carcinoma.", {"liver_tumour": None}),
        ("Family history of pancreatic cancer.", {"pancreas_malignancy": None}),
        ("If a renal mass is suspected, MRI is recommended.", {"kidney_tumour": None}),
        ("MRI is recommended to evaluate for pancreatic mass.", {"pancreas_tumour": None}),
        ("No new liver lesion.", {"liver_lesion": None}),
        ("No other pulmonary nodule.", {"lung_nodule": None}),
        ("Evaluation of the pancreas for mass is limited.", {"pancreas_tumour": None}),
        ("Pleural effusion cannot be evaluated.", {"pleural_effusion": None}),
    ],
    "normal": [
        ("The liver is normal in size, contour and attenuation.", {"liver_lesion": "no"}),
        ("The liver is normal in size and contour.", {"liver_lesion": "no"}),
        ("The liver is normal in size.", {"liver_lesion": None}),
        ("The spleen is normal in size.", {"splenomegaly": "no"}),
        (
            "Liver, spleen and pancreas are unremarkable.",
            {"liver_lesion": "no", "spleen_lesion": "no", "pancreas_lesion": "no"},
        ),
        ("Pancreas: Unremarkable.", {"pancreas_lesion": "no"}),
        ("Unremarkable adrenal glands.", {"adrenal_lesion": "no"}),
        (
            "The kidneys are unremarkable except for a 2 cm cyst on the left.",
            {"kidney_cyst": "yes", "kidney_lesion": "yes"},
        ),
        ("The lungs are clear.", {"lung_nodule": "no", "lung_opacity": "no"}),
        ("Heart size is normal.", {"cardiomegaly": "no"}),
        ("Heart contour and size are normal.", {"cardiomegaly": "no"}),
        ("The gallbladder is not normal.", {"gallstones": None}),
        ("The common bile duct is of normal calibre.", {"bile_duct_dilated": "no"}),
        ("Both adrenal glands are normal.", {"adrenal_lesion": "no"}),
    ],
    "lists and ellipsis": [
        (
            "No pleural or pericardial effusion.",
            {"pleural_effusion": "no", "pericardial_effusion": "no"},
        ),
        (
            "No pericardial or pleural effusion.",
            {"pleural_effusion": "no", "pericardial_effusion": "no"},
        ),
        ("No mediastinal, hilar or axillary lymphadenopathy.", {"thoracic_lymphadenopathy": "no"}),
        (
            "Small pleural and pericardial effusions.",
            {"pleural_effusion": "yes", "pericardial_effusion": "yes"},
        ),
        ("Multiple hepatic and renal cysts.", {"liver_cyst": "yes", "kidney_cyst": "yes"}),
        (
            "Hepatic cysts and renal stones.",
            {"liver_cyst": "yes", "kidney_stone": "yes", "kidney_cyst": None},
        ),
        ("No mass in the liver, spleen or kidneys.", {"liver_tumour": "no", "kidney_tumour": "no"}),
    ],
    "word order and spelling": [
        (
            "A few millimetric nonspecific nodules are observed in both lungs.",
            {"lung_nodule": "yes"},
        ),
        ("Nodular lesion measuring 5 mm in the right lung.", {"lung_nodule": "yes"}),
        ("Effusion is seen in the left pleural space.", {"pleural_effusion": "yes"}),
        ("The bile ducts are dilated.", {"bile_duct_dilated": "yes"}),
        ("The main pancreatic duct is mildly dilated.", {"pancreatic_duct_dilated": "yes"}),
        ("The pancreatic duct is not dilated.", {"pancreatic_duct_dilated": "no"}),
        (
            "Calcific atheroma plaques are observed in the aortic arch and coronary arteries.",
            {"coronary_calcification": "yes", "arterial_calcification": "yes"},
        ),
        ("Bilateral minimal peribronchial thickening.", {"peribronchial_thickening": "yes"}),
        ("Peri-bronchial thickening in both lungs.", {"peribronchial_thickening": "yes"}),
        ("Sequelae fibrotic changes in both apices.", {"pulmonary_fibrosis": "yes"}),
        ("Emphysematous changes in both lungs.", {"emphysema": "yes"}),
        ("Groundglass opacities in the lower lobes.", {"ground_glass": "yes"}),
        ("Ground-glass densities in the lower lobes.", {"ground_glass": "yes"}),
        ("Oedema of the lungs.", {"pulmonary_edema": "yes"}),
        ("Haemangioma in segment 6 of the liver.", {"liver_hemangioma": "yes"}),
        ("Bilateral pleural efusion.", {"pleural_effusion": "yes"}),
        ("Cholelithiassis is noted.", {"gallstones": "yes"}),
        ("Gall bladder calculi.", {"gallstones": "yes"}),
        ("Enlarged lymph nodes are seen in the mediastinum.", {"thoracic_lymphadenopathy": "yes"}),
        (
            "No lymph node with pathological size and appearance was detected in the mediastinum.",
            {"thoracic_lymphadenopathy": "no"},
        ),
        ("Thickening of the interlobular septa.", {"septal_thickening": "yes"}),
        ("The heart is enlarged.", {"cardiomegaly": "yes"}),
    ],
    "organ across sentences": [
        (
            "Spleen: Normal in size. Pancreas is atrophic; there is no discrete mass.",
            {"pancreas_lesion": "no", "spleen_lesion": None},
        ),
        (
            "Spleen: Normal. The pancreas is atrophic. There is a mass.",
            {"pancreas_lesion": "yes", "spleen_lesion": "no"},
        ),
        ("Kidneys: Symmetric. The left ureter is normal. No stone.", {"kidney_stone": "no"}),
        ("The liver is enlarged. There is a 2 cm mass.", {"liver_tumour": "yes"}),
        (
            "The liver is unremarkable. Head of the pancreas: 2 cm mass.",
            {"pancreas_tumour": "yes", "liver_tumour": "no"},
        ),
        (
            "Spleen is normal. The pancreas contains a cyst. It measures 12 mm.",
            {"pancreas_cyst": "yes", "spleen_lesion": "no", "pancreas_lesion_size": 12},
        ),
        (
            "Liver:\nThere is a 9 mm cyst.\nKidneys:\nNo stone.",
            {"liver_cyst": "yes", "kidney_stone": "no", "kidney_cyst": None},
        ),
        ("KIDNEYS: Multiple cysts are seen bilaterally.", {"kidney_cyst": "yes"}),
        (
            "The pancreas is atrophic. The spleen is normal. There is no mass.",
            {"pancreas_tumour": None},
        ),
    ],
    "sizes": [
        ("A 2.1 x 1.8 cm cyst in the liver.", {"liver_lesion_size": 21}),
        (
            "Pancreatic head mass measuring 3.4 x 2.8 cm, previously 2.0 cm.",
            {"pancreas_lesion_size": 34},
        ),
        ("The pancreatic cyst has increased from 12 mm to 15 mm.", {"pancreas_lesion_size": 15}),
        ("Renal cysts, the largest measuring 3 cm on the left.", {"kidney_lesion_size": 30}),
        (
            "Nodules in both lungs, the largest of which is 4 mm in the right lower lobe.",
            {"lung_nodule_size": 4},
        ),
        ("The liver measures 18 cm and holds a cyst.", {"liver_lesion_size": None}),
        ("The main pancreatic duct measures 7 mm.", {"pancreatic_duct_size": 7}),
        (
            "Dilated pancreatic duct up to 7 mm. Mass of 2 cm in the head.",
            {"pancreatic_duct_size": 7},
        ),
        (
            "A 5 mm nodule in the left upper lobe and an 8 mm nodule in the lingula.",
            {"lung_nodule_size": 8},
        ),
        ("No renal mass larger than 1 cm.", {"kidney_lesion_size": None}),
    ],
    "narrower and broader": [
        (
            "Pancreatic ductal adenocarcinoma in the head.",
            {"pancreas_lesion": "yes", "pancreas_tumour": "yes", "pancreas_malignancy": "yes"},
        ),
        ("Pancreatic mass. No biliary dilatation.", {"pancreas_lesion": "yes"}),
        (
            "Hepatic metastases.",
            {"liver_metastasis": "yes", "liver_tumour": "yes", "liver_lesion": "yes"},
        ),
        ("Simple hepatic cyst.", {"liver_lesion": "yes", "liver_tumour": None}),
        ("IPMN in the pancreatic body.", {"pancreas_cyst": "yes", "pancreas_lesion": "yes"}),
    ],
    "translated reports": [
        (
            "No active infiltration or mass lesion was detected in both lung parenchyma.",
            {"lung_mass": "no", "lung_opacity": "no"},
        ),
        (
            "Lymph nodes that do not reach pathological size are observed in both axillae.",
            {"lymphadenopathy": "no", "thoracic_lymphadenopathy": "no"},
        ),
        (
            "There is a mosaic attenuation pattern in both lungs (small airway disease?).",
            {"mosaic_attenuation": "yes"},
        ),
        (
            "Interlobular septal thickness increases and bilateral pleural effusion are seen.",
            {"septal_thickening": "yes", "pleural_effusion": "yes", "pleural_thickening": None},
        ),
        (
            "Nodules of the lung with ground glass density, the largest 7x5 mm, are seen.",
            {"lung_nodule": "yes", "lung_nodule_size": 7},
        ),
        ("Findings were evaluated in favor of viral pneumonia.", {"pneumonia": "yes"}),
        ("Aeration of both lung parenchyma is normal.", {"lung_nodule": None}),
        ("Heart contour, size are normal.", {"cardiomegaly": "no"}),
        (
            "The heart and mediastinum are natural. Heart size is increased.",
            {"cardiomegaly": "yes"},
        ),
        (
            "A few nonspecific nodules are observed in both lungs. No other nodule was detected.",
            {"lung_nodule": "yes"},
        ),
        (
            "A consolidation area in which air bronchograms are observed in the left lung.",
            {"consolidation": "yes"},
        ),
    ],
    "operations": [
        ("HISTORY: Status post cholecystectomy.", {"cholecystectomy": "yes"}),
        ("The gallbladder is surgically absent.", {"cholecystectomy": "yes"}),
        ("Postcholecystectomy changes.", {"cholecystectomy": "yes"}),
        ("Prior Whipple procedure.", {"whipple": "yes"}),
        ("The uterus is surgically absent.", {"hysterectomy": "yes"}),
    ],
    "impression": [
        ("FINDINGS: Possible gallstone.\nIMPRESSION: No gallstones.", {"gallstones": "no"}),
        ("FINDINGS: No ascites.\nIMPRESSION: Small ascites.", {"ascites": "yes"}),
        ("FINDINGS: Gallstones.\nIMPRESSION: No gallstones.", {"gallstones": "uncertain"}),
        (
            "FINDINGS: 4 mm nodule in the right lung.\nIMPRESSION: No suspicious pulmonary nodule.",
            {"lung_nodule": "yes"},
        ),
    ],
}
