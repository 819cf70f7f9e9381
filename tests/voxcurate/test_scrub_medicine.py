# ruff: noqa: E501 -- lines of reports read best as they stand
"""Medicine stays: scores, levels, stages, doses, eponyms, drugs and devices, in several languages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxcurate.scrub import Scrubber

LINES = [
    "Strength 5/5 in all extremities. Pain 3/10. GCS 14/15. Pulses 2+. DTRs 2/4 bilaterally.",
    "BiPAP 12/5, FiO2 40%. Vent: AC 14/500/5/50%. PSV 10/5. BP 110/60 (97/50 nadir). HR 80-90s.",
    "3/14 lymph nodes positive. 2/12 cores. Gleason 4+3=7 in 3/6 cores. Margins negative.",
    "Received 1/2 NS at 75 cc/hr. 1/2 tab PO daily. D5 1/2NS. Took 1/4 of the dose.",
    "T12-L1 disc. C5/6 stenosis. L4-5, L5/S1. S1 nerve root. Th11/12. LWK 4/5. HWK 5/6.",
    "T2N0M0, pT3aN1bM0, ypT0N0, cT1c. Stage IIIB. FIGO IB2. ECOG 1. KPS 80.",
    "BI-RADS 4A. LI-RADS 5. TI-RADS 4. PI-RADS 4/5. Lung-RADS 4B. Bosniak IIF. Fleischner Society guidelines 2017.",
    "Hodgkin lymphoma; Crohn disease; Whipple procedure; Foley catheter; Swan-Ganz catheter; Hickman line; Hartmann pouch.",
    "Pouch of Douglas, Gerota's fascia, Couinaud segment IVb, Calot's triangle, Morison pouch, Bochdalek hernia.",
    "Baker cyst. Hill-Sachs lesion. Arnold-Chiari malformation. Budd-Chiari syndrome. Von Hippel-Lindau disease. Klatskin tumor.",
    "Guillain-Barre syndrome, Parkinson's disease, Alzheimer dementia, Marfan syndrome, Ehlers-Danlos, Wilson disease, Graves disease, Hashimoto thyroiditis.",
    "Child-Pugh B, MELD 14, Ranson 3. Wells score 4.5. CHA2DS2-VASc 3. Glasgow 15. Karnofsky 70. Kellgren-Lawrence grade 3.",
    "Siemens Somatom Force, GE Revolution, Philips Brilliance 64, Canon Aquilion ONE, Toshiba. Omnipaque 350, Isovue-370, Gadavist 7.5 mL, Visipaque.",
    "Pembrolizumab 200 mg q3w, FOLFIRINOX cycle 5, Xarelto 20 mg, Tylenol 650 mg, Keytruda, Humira, Lantus 20 units, Neulasta.",
    "Lymph nodes at stations 4R and 7. Segment 5/6. Segments 2, 3 and 4a. Image 34 of series 5. Series 2 image 120-134.",
    "HU 45-60. 120 135 140 HU. kVp 120. CTDIvol 12.3 mGy. DLP 560. b1000. TE 80 TR 4000. FOV 350. 1.5 T. SUVmax 12.3.",
    "Platelets 250000. WBC 12.3. Hgb 9.8. Na 138, K 4.2. PSA 4.5. CEA 12. INR 2.3. Trop 0.04. pH 7.35/45/80. ABG 7.40-40-90.",
    "May be related to prior surgery. March fracture of the second metatarsal. No acute changes. Will follow. Mark the area.",
    "The patient may have had a stroke. In the right lower lobe. Patient was seen in the ED. Discussed with patient and family.",
    "Findings discussed with the surgical team. Results called to the ICU. Reported to Oncology. Seen by Neurology. Referred to Cardiology by PCP.",
    "IMPRESSION: 1. NO ACUTE CARDIOPULMONARY PROCESS. 2. STABLE NODULE RIGHT UPPER LOBE. 3. CHRONIC BRAIN CHANGES.",
    "LIVER: NORMAL. SPLEEN: NORMAL. KIDNEYS: NO HYDRONEPHROSIS. GALLBLADDER SURGICALLY ABSENT. GRAY-WHITE DIFFERENTIATION PRESERVED.",
    "pt alert and oriented x3, perrl, mae. ls clear, diminished at bases. abd soft nt nd +bs. foley to gravity. skin w/d/i.",
    "neuro: sedated on propofol, fentanyl gtt. cv: sr no ectopy. resp: cmv 500x14 peep 5. gi: tf promote w/ fiber @ 60. id: afebrile on vanco/zosyn.",
    "Wound VAC, Jackson-Pratt drain, Kocher clamp, Penrose drain, St. Jude valve, Bard port, Greenfield filter, Amplatzer device.",
    "Grade 3/6 systolic murmur at LLSB. EF 55%. 2/6 SEM. NYHA III. CCS 2. TIMI 3 flow. RCA 80% stenosis. LAD 90%.",
    "Age 67, weight 70 kg, height 172 cm. 45-year-old. 88 y.o. male. 5 days. 3 weeks ago. In 6 months. q4-6h. x3 days.",
    "Streptococcus pneumoniae, E. coli, C. difficile, S. aureus, H. pylori, Candida albicans, Pseudomonas. MRSA. VRE.",
    "ICD-10 C34.11, CPT 74177. RECIST 1.1. HU threshold 130. Agatston score 245. FLAIR. T1-weighted, T2* GRE. DWI/ADC.",
    "Volume 1234567 mm3. 1,234,567 cells. 250 x 10^9/L. 3.2x4.1x5.0cm. 12 x 15 mm. 4-5 cm. 2.5-cm mass. 10-12-mm.",
    "Die Leber ist normal. Kein Pleuraerguss. Herz nicht vergrößert. Raumforderung in Segment VII, 2,5 x 3,1 cm. Hiatushernie. Cholezystolithiasis.",
    "Geen aanwijzingen voor longembolie. Lever en milt normaal. Bloeddruk 130/80. Paracetamol 500 mg 3 dd. Buik soepel.",
    "Foie de taille normale. Pas d'épanchement pleural. Kyste rénal gauche de 3 cm. Absence de lésion focale.",
    "Hypodense lesion in Liver. Normal Chest X-ray. Status Post CABG. Past Medical History: Diabetes Mellitus, Hypertension, Coronary Artery Disease.",
    "Medications on Admission: Aspirin, Lisinopril, Metoprolol, Atorvastatin, Coumadin, Protonix, Colace, Ativan, Percocet, Synthroid, Dilantin.",
    "Allergies: Penicillin, Sulfa, Codeine, Bactrim, Morphine. Social History: Lives with wife. No tobacco. Drinks socially. Family History: Mother died of CVA.",
    "Ventricles and Sulci are normal. Sylvian fissure. Virchow-Robin spaces. Circle of Willis. Broca area. Heschl gyrus. Meckel cave. Luschka foramen.",
    "Dictated but not read. Electronically signed. Final report. End of report. Signed out. Attending physician: present. Radiologist: see above.",
]
SCRUBBER = Scrubber()


@pytest.mark.parametrize("line", LINES)
def test_medicine_stays_as_it_is(line):
    assert SCRUBBER.scrub(line).text == line


@settings(deadline=None, max_examples=100)
@given(
    st.floats(0.1, 300).map(lambda x: f"{x:.1f}"),
    st.integers(1, 400),
    st.sampled_from(["mm", "cm", "mL", "HU", "mg", "%"]),
    st.sampled_from(["{a} {u}", "{a} x {b} {u}", "{a}-{b} {u}", "{a} {u} (image {n})", "series {n}, {a} {u}", "{n} of {n} {u}"]),
)  # fmt: skip
def test_no_measurement_is_damaged(size, number, unit, form):
    text = "The lesion measures " + form.format(a=size, b=number, u=unit, n=number) + "."
    assert SCRUBBER.scrub(text).text == text


@pytest.mark.parametrize("of", [5, 6, 10, 15, 30])
@pytest.mark.parametrize("what", ["Strength {}", "pain {}", "GCS {}", "{} cores", "grade {} murmur", "{} strength", "{} lymph nodes"])  # fmt: skip
def test_no_score_is_a_date(of, what):
    for score in range(1, of + 1):
        text = what.format(f"{score}/{of}") + " today."
        assert SCRUBBER.scrub(text).text == text
