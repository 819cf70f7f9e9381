# ruff: noqa: E501 -- a table of sentences reads best with one sentence per line
"""Sentences of radiology reports, and what each of them says.

A phrase is ``text || question=value ...``; the questions are those of ``configs/questions``.
Braces are filled by `agent.cohort.reports`. What a phrase leaves unsaid has no value: a reader is
not judged on it.
"""

# --- indication, comparison, technique ----------------------------------------------------------
INDICATION_TUMOR = (
    "{age}-year-old {person} with a known pancreatic lesion, restaging.",
    "Follow-up of pancreatic mass.",
    "Painless jaundice and weight loss. Evaluate for pancreatic malignancy.",
    "{age} y/o {person}, elevated CA 19-9.",
    "Abnormal ultrasound of the pancreas; please characterise.",
)
INDICATION_OTHER = (
    "{age}-year-old {person} with abdominal pain, rule out pancreatic mass.",
    "Weight loss. Family history of pancreatic cancer.",
    "Epigastric pain, query pancreatitis or gallstones.",
    "Elevated lipase. Exclude pancreatic neoplasm.",
    "{age} y/o {person}. Abnormal liver function tests.",
    "Trauma survey.",
    "History of colon cancer, surveillance.",
    "Preoperative assessment of a living kidney donor.",
)
COMPARISON = (
    "None.",
    "No prior studies are available.",
    "CT abdomen dated {prior}.",
    "Outside CT from {prior}, images not available at {hospital}.",
)
COMPARISON_FOLLOW_UP = (
    "CT of the abdomen, {prior}.",
    "Prior examination of {prior} performed here.",
)
TECHNIQUE = {
    "plain": (
        "Axial CT of the {region} without intravenous contrast. || contrast_phase=non_contrast",
        "Unenhanced helical CT of the {region}. || contrast_phase=non_contrast",
        "Noncontrast CT, {region}; coronal reformats. || contrast_phase=non_contrast",
    ),
    "arterial": (
        "CT of the {region} in the late arterial phase after 100 mL iohexol. || contrast_phase=arterial",
        "Helical CT of the {region}, arterial phase imaging. || contrast_phase=arterial",
        "Arterial phase CT, {region}, bolus tracking in the aorta. || contrast_phase=arterial",
    ),
    "portal_venous": (
        "CT of the {region} with IV contrast in the portal venous phase. || contrast_phase=portal_venous",
        "Contrast-enhanced CT of the {region}, portal venous phase. || contrast_phase=portal_venous",
        "Helical images of the {region} at 70 seconds (portal venous phase). || contrast_phase=portal_venous",
    ),
    "delayed": (
        "CT of the {region}, delayed phase at 5 minutes. || contrast_phase=delayed",
        "Delayed phase contrast-enhanced CT of the {region}. || contrast_phase=delayed",
        "Images of the {region} were obtained in the excretory phase. || contrast_phase=delayed",
    ),
}

# --- pancreas -------------------------------------------------------------------------------------
PANCREAS_NORMAL = (
    "The pancreas is unremarkable. || pancreas_lesion=no",
    "Pancreas: Normal. No focal lesion. || pancreas_lesion=no",
    "No pancreatic mass or ductal dilatation. || pancreas_lesion=no pancreatic_duct_dilated=no",
    "The pancreas enhances homogeneously without evidence of a mass; the main pancreatic duct is not"
    " dilated. || pancreas_lesion=no pancreatic_duct_dilated=no",
    "Fatty atrophy of the pancreas. No focal pancreatic lesion is identified. || pancreas_lesion=no",
    "The pancreas is normal, its duct of normal calibre. || pancreas_lesion=no"
    " pancreatic_duct_dilated=no",
    "The previously questioned hypodensity in the pancreatic tail is no longer seen. || pancreas_lesion=no",
    "Pancreas: No mass, no cyst, no ductal dilatation. || pancreas_lesion=no pancreas_cyst=no"
    " pancreatic_duct_dilated=no",
    "The pancreas is atrophic; there is no discrete mass. || pancreas_lesion=no",
    "No focal lesion in the liver, spleen or pancreas. || pancreas_lesion=no spleen_lesion=no",
    "Normal pancreatic parenchyma with no space-occupying lesion. || pancreas_lesion=no",
    "The pancreas shows homogeneous attenuation and no mass was observed. || pancreas_lesion=no",
    "Pancreas unremarkable other than mild fatty lobulation. || pancreas_lesion=no",
    "I see no mass in the pancreas, and the duct is of normal calibre. || pancreas_lesion=no pancreatic_duct_dilated=no",
    "Head, body and tail of the pancreas are preserved, with no solid or cystic lesion. || pancreas_lesion=no pancreas_cyst=no",
    "Pancreatic mass: none. || pancreas_lesion=no",
)
PANCREAS_UNCERTAIN = (
    "Equivocal {mm} mm hypodensity in the pancreatic {segment}, a small lesion cannot be excluded."
    " || pancreas_lesion=uncertain",
    "Questionable {mm} mm low-density focus in the pancreatic {segment}, possibly artefact."
    " || pancreas_lesion=uncertain",
    "Possible lesion in the {segment} of the pancreas; MRI is suggested. || pancreas_lesion=uncertain",
    "Focal fullness of the pancreatic {segment}; an underlying mass is not excluded."
    " || pancreas_lesion=uncertain",
    "A {mm} mm focus of reduced enhancement in the pancreatic {segment} is too small to characterise. || pancreas_lesion=uncertain",
    "Subtle {mm} mm low attenuation area in the {segment} of the pancreas, which may represent volume averaging or a small lesion. || pancreas_lesion=uncertain",
    "Indeterminate {mm} mm density in the pancreatic {segment}: lesion versus fatty cleft. || pancreas_lesion=uncertain",
)
PANCREAS_TUMOR = {
    "pdac": (
        "There is an ill-defined hypoattenuating mass in the {segment} of the pancreas measuring {size}."
        " || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "Pancreas: {size} hypodense mass in the pancreatic {segment}, consistent with adenocarcinoma."
        " || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "A poorly enhancing {size} lesion arises from the pancreatic {segment}, highly suspicious for"
        " ductal adenocarcinoma. || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "Infiltrative mass centred on the pancreatic {segment}, maximal diameter {size}."
        " || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "The known lesion of the pancreatic {segment} now measures {size} in maximal axial dimension and"
        " abuts the superior mesenteric vein. || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "Hypoenhancing pancreatic {segment} neoplasm, currently {size}, with abrupt duct cut-off."
        " || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "In the pancreatic {segment}, a mass of {size} with indistinct margins has appeared since the last study. || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "A hypodense lesion is observed in the pancreas {segment} section, its size being {size}. || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "Pancreatic {segment} carcinoma measuring {size}, no interval change in the adjacent fat planes. || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "The {segment} of the pancreas is expanded by a {size} solid tumor. || pancreas_lesion=yes pancreas_lesion_size={mm}",
    ),
    "pnet": (
        "Avidly enhancing {size} nodule in the pancreatic {segment}, compatible with neuroendocrine tumor."
        " || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "Hypervascular mass in the {segment} of the pancreas measuring {size}."
        " || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "Brightly enhancing {size} lesion of the pancreatic {segment} in keeping with a neuroendocrine neoplasm. || pancreas_lesion=yes pancreas_lesion_size={mm}",
        "Pancreatic {segment}: {size} hyperenhancing lesion, redemonstrated. || pancreas_lesion=yes pancreas_lesion_size={mm}",
    ),
    "cyst": (
        "{size} cystic lesion in the {segment} of the pancreas, without enhancing septa."
        " || pancreas_lesion=yes pancreas_lesion_size={mm} pancreas_cyst=yes",
        "There is a well-defined cyst in the pancreatic {segment} measuring {size}, likely IPMN."
        " || pancreas_lesion=yes pancreas_lesion_size={mm} pancreas_cyst=yes",
        "No significant change in the {size} cyst of the pancreatic {segment}. || pancreas_lesion=yes pancreas_lesion_size={mm} pancreas_cyst=yes",
        "Side-branch IPMN in the pancreatic {segment}, {size}, no mural nodule. || pancreas_lesion=yes pancreas_lesion_size={mm} pancreas_cyst=yes",
        "Unilocular cystic lesion of {size} in the pancreatic {segment}; no solid component. || pancreas_lesion=yes pancreas_lesion_size={mm} pancreas_cyst=yes",
    ),
}
GROWN = (
    "Previously it measured {prior_mm} mm.",
    "This has increased from {prior_mm} mm on the prior study.",
    "(prior: {prior_mm} mm)",
    "Formerly {prior_mm} mm.",
    "It was {prior_mm} mm on the previous examination.",
)
DUCT_DILATED = (
    "The main pancreatic duct is dilated to {duct} mm upstream. || pancreatic_duct_dilated=yes",
    "Upstream pancreatic ductal dilatation up to {duct} mm. || pancreatic_duct_dilated=yes",
    "There is marked dilation of the upstream pancreatic duct. || pancreatic_duct_dilated=yes",
)
DUCT_NORMAL = (
    "The pancreatic duct is not dilated. || pancreatic_duct_dilated=no",
    "No dilatation of the main pancreatic duct. || pancreatic_duct_dilated=no",
)

# --- other organs -----------------------------------------------------------------------------------
LIVER_NORMAL = (
    "The liver is normal in size and attenuation, without focal lesion. || liver_lesion=no",
    "Liver: Unremarkable. || liver_lesion=no",
    "No focal hepatic lesion. || liver_lesion=no",
    "Smooth liver contour. No suspicious liver lesions. || liver_lesion=no",
    "Allowing for motion artefact, no hepatic mass is identified. || liver_lesion=no",
    "Liver: the focus described previously in segment VII is not reproduced; no lesion. || liver_lesion=no",
    "Liver contours and parenchymal density are regular and no space-occupying lesion was detected. || liver_lesion=no",
    "The liver, allowing for the phase, shows no mass or cyst. || liver_lesion=no liver_cyst=no",
    "Homogeneous liver.",
    "Hepatic parenchyma free of focal abnormality. || liver_lesion=no",
)
LIVER_CYST = (
    "{mm} mm simple cyst in segment {segment_number} of the liver. || liver_cyst=yes liver_lesion=yes",
    "The liver contains a simple hepatic cyst measuring {mm} mm. || liver_cyst=yes liver_lesion=yes",
    "Liver: a {mm} mm well-circumscribed fluid-density lesion, compatible with a cyst."
    " || liver_cyst=yes liver_lesion=yes",
    "Unchanged {mm} mm hepatic cyst, segment {segment_number}. || liver_cyst=yes liver_lesion=yes",
    "A cyst of {mm} mm is observed in liver segment {segment_number}. || liver_cyst=yes liver_lesion=yes",
)
LIVER_METASTASES = (
    "Multiple hypoattenuating hepatic lesions, the largest {mm} mm, consistent with metastases."
    " || liver_lesion=yes liver_metastasis=yes",
    "Scattered low-density liver metastases in both lobes. || liver_lesion=yes liver_metastasis=yes",
    "Innumerable hepatic metastases, up to {mm} mm, not present before. || liver_lesion=yes liver_metastasis=yes",
    "Known liver metastases have not changed; the largest measures {mm} mm. || liver_lesion=yes liver_metastasis=yes",
)
STEATOSIS = (
    "Diffuse hepatic steatosis. || steatosis=yes",
    "The liver is diffusely low in attenuation, in keeping with fatty infiltration. || steatosis=yes",
    "Fatty liver. || steatosis=yes",
    "Hepatic attenuation is lower than that of the spleen, compatible with steatosis. || steatosis=yes",
)
SPLEEN_NORMAL = (
    "Spleen: Normal in size.",
    "The spleen is unremarkable. || splenomegaly=no",
    "No splenomegaly. || splenomegaly=no",
    "The spleen is not enlarged and contains no lesion. || splenomegaly=no spleen_lesion=no",
)
SPLEEN_ABSENT = (
    "Status post splenectomy. || splenectomy=yes",
    "The spleen is surgically absent. || splenectomy=yes",
)
KIDNEY_NORMAL = (
    "The kidneys enhance symmetrically. No hydronephrosis or stone. || hydronephrosis=no kidney_stone=no",
    "Kidneys: Unremarkable, no hydronephrosis. || hydronephrosis=no kidney_lesion=no",
    "Both kidneys are normal. || kidney_lesion=no",
    "Neither kidney shows a mass, stone or hydronephrosis. || kidney_lesion=no kidney_stone=no hydronephrosis=no",
    "No dilatation of the renal collecting systems. || hydronephrosis=no",
)
KIDNEY_CYST = (
    "Simple {side} renal cyst measuring {mm} mm. || kidney_cyst=yes kidney_lesion=yes",
    "{mm} mm exophytic cyst of the {side} kidney, Bosniak I. || kidney_cyst=yes kidney_lesion=yes",
    "There is a {mm} mm cyst in the {side} kidney. No hydronephrosis."
    " || kidney_cyst=yes kidney_lesion=yes hydronephrosis=no",
    "Stable {side} kidney cyst of {mm} mm, no enhancement. || kidney_cyst=yes kidney_lesion=yes",
    "In the {side} kidney a cortical cyst measuring {mm} mm is observed. || kidney_cyst=yes kidney_lesion=yes",
)
KIDNEY_ABSENT = (
    "Status post {side} nephrectomy. || nephrectomy=yes",
    "The {side} kidney is surgically absent. || nephrectomy=yes",
)
GALL_BLADDER_NORMAL = (
    "Gallbladder: No stones. || gallstones=no",
    "The gallbladder is unremarkable. || gallstones=no",
    "No cholelithiasis. No biliary dilatation. || gallstones=no bile_duct_dilated=no",
    "The gallbladder is thin-walled and free of stones. || gallstones=no",
)
GALLSTONES = (
    "Cholelithiasis without wall thickening. || gallstones=yes",
    "Several dependent gallstones. No pericholecystic fluid. || gallstones=yes",
    "Calcified stones layer in the gallbladder. || gallstones=yes",
    "A 9 mm stone lies in the neck of the gallbladder, which is not distended. || gallstones=yes",
    "Known gallstones, no change. || gallstones=yes",
    "Multiple calculi are observed in the gallbladder. || gallstones=yes",
)
GALL_BLADDER_ABSENT = (
    "Status post cholecystectomy. || cholecystectomy=yes",
    "The gallbladder is surgically absent. || cholecystectomy=yes",
    "Prior cholecystectomy with clips in the fossa. || cholecystectomy=yes",
    "Surgical clips in the right upper quadrant; the gallbladder has been removed. || cholecystectomy=yes",
)
ASCITES = (
    "Small volume ascites. || ascites=yes",
    "Perihepatic and pelvic free fluid. || ascites=yes",
    "Moderate ascites is present. || ascites=yes",
    "Interval increase of ascites, now moderate. || ascites=yes",
    "Trace free fluid in the pelvis. || ascites=yes",
    "Free fluid is observed in the abdomen. || ascites=yes",
    "Ascites persists, no significant decrease. || ascites=yes",
)
NO_ASCITES = (
    "No ascites. || ascites=no",
    "No free fluid or free air. || ascites=no pneumoperitoneum=no",
    "There is no free intraperitoneal fluid. || ascites=no",
    "The ascites seen previously has resolved. || ascites=no",
    "Ascites was not observed. || ascites=no",
    "Abdomen without free fluid. || ascites=no",
)
NODES = (
    "No lymphadenopathy. || lymphadenopathy=no",
    "No pathologically enlarged lymph nodes. || lymphadenopathy=no",
    "A portacaval lymph node measures 9 mm in short axis, not enlarged by size criteria."
    " || lymphadenopathy=no",
    "Lymph nodes of pathological size were not detected. || lymphadenopathy=no",
    "No nodal enlargement by size criteria. || lymphadenopathy=no",
)
BOWEL = (
    "No bowel obstruction. || bowel_obstruction=no",
    "Bowel loops are of normal calibre.",
    "Sigmoid diverticulosis without diverticulitis. || diverticulitis=no",
    "The bowel is not obstructed. || bowel_obstruction=no",
)
AORTA = ("Atherosclerotic calcification of the abdominal aorta.", "Calcified aortic plaque.")
AORTA_NORMAL = (
    "The abdominal aorta is of normal calibre. || aortic_aneurysm=no",
    "No aortic aneurysm. || aortic_aneurysm=no",
)
BLADDER = ("Urinary bladder: Unremarkable.", "The bladder is well distended and smooth-walled.")
BONES = (
    "No aggressive osseous lesion.",
    "Degenerative changes of the lumbar spine.",
    "Bones: unremarkable.",
)
INCIDENTAL = (
    "A 12 mm left adrenal nodule is unchanged, likely an adenoma. || adrenal_lesion=yes",
    "4 mm nodule in the right lower lobe, unchanged.",
    "Small hiatal hernia.",
    "Fat-containing umbilical hernia measuring 2.1 cm at its neck.",
    "Mild bibasilar atelectasis. Small right pleural effusion.",
)
METAL = "Posterior spinal screws with streak artefact."
