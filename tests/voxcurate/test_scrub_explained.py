# ruff: noqa: E501 -- lines of reports read best as they stand
"""What nothing explains goes; numbers of the clinic stay: families of both, not single cases."""

import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxcurate.scrub import Scrubber
from voxcurate.scrubbing.explained import find_unexplained
from voxcurate.scrubbing.partial_dates import is_partial_date
from voxcurate.scrubbing.postal import find_postal

SCRUBBER = Scrubber()
NUMBERS = ("DATE", "ID", "PHONE", "ADDRESS", "AGE", "OTHER", "IP", "URL", "EMAIL")
CLINICAL = [
    'CT dose: CTDIvol 12.34 mGy, DLP 1234.56 mGy*cm, effective dose 8.4 mSv; 120 kVp, 250 mAs, pitch 0.984, rotation 0.5 s.',
    'Technique: 64-slice MDCT, 0.625-mm collimation, 2.5 mm reconstructions, B30f and B70f kernels, iDose4 level 3, SAFIRE 3.',
    '100 mL Omnipaque-350 IV at 4.5 mL/s; 30 cc Gastrografin PO; Gd-DOTA 0.1 mmol/kg; Gadovist 7.5 mL.',
    'MR: 3T Siemens Skyra; T1 VIBE, T2 HASTE, DWI b50/400/800, b=1000, TR/TE 4000/102, flip 150, matrix 320x256, FOV 380 mm, NEX 2.',
    '3D MPRAGE 1.0 x 1.0 x 1.0 mm, TI 900, FLAIR TI 2500, SWI TE 20.',
    'DECT 80/Sn150 kVp, monoenergetic 40-190 keV, iodine 2.3 mg/mL, Zeff 7.5; spectral curves at 40, 50 and 70 keV.',
    'Lab: WBC 12,300, Hgb 9.8, Plt 450000, Na 138, K 4.2, Cr 1.23, BUN 34, eGFR 54, CRP 123.4, lipase 12345, CA 19-9 12450, AFP 35000, CEA 245.6.',
    'Troponin 0.045 -> 1.234 -> 12.56; NT-proBNP 23456; D-dimer 4500 ng/mL; ferritin 15000; CK 45678 U/L; LDH 1234.',
    'ABG 7.32/48/92/24 on 40%; lactate 4.5. BP 90/60-120/80, MAP 65, HR 110-120s, RR 24-32, SpO2 88-92%, T 38.9.',
    'Vent: AC/VC 450x16/PEEP 8/FiO2 0.5; SIMV 550x12 PS 10; BiPAP 12/6; HFNC 50L/60%.',
    'HCG 112000, then 98,450 mIU/mL; PSA 0.012; TSH 0.005; HIV VL 234567 copies/mL; CD4 123.',
    'Agatston 1234.5 (LM 0, LAD 823.1, LCx 211.4, RCA 200), MESA 92nd percentile; LVEF 35-40%; LVEDV 234 mL.',
    'Right hepatic lobe lesion 4.2 x 3.8 x 5.1 cm (series 5, image 123), previously 3.1x2.9x4.0 (4/112); LI-RADS LR-5, v2018.',
    'Images 5/123, 5/130-135; key image 3/45; se 4 im 112; (7:34); series 601 image 1203; S2/I45; IM#1234.',
    'Couinaud 5/8, segment IVa/b, 2/3 and 6/7; station 4R, 7, 10L/11L; level IIA/III; zones 3/4; segment 8/5 interface.',
    'TNM: pT2aN1bM0, ypT1a(m)N0(0/15)L0V1Pn0R0, cT3N2aM1c, T4bN3c; Stage IIIC1; AJCC 8th; FIGO IIIC1r; 3/14 nodes, 0/22, 2/2 sentinel.',
    'Gleason 4+5=9 (GG5) in 7/12 cores, max 60%; PI-RADS 5, PSAD 0.34; PIRADS v2.1; TZ 4/5; ECOG 0-1; KPS 90.',
    'Scores: MELD-Na 23, Child B8, APACHE II 18, SOFA 9, GCS E3V4M5, NIHSS 14, mRS 2, ASPECTS 7/10, CHA2DS2-VASc 5, HAS-BLED 3, MMSE 24/30, MoCA 19/30.',
    'Strength 4+/5 RUE, 4-/5 LLE, 5/5 elsewhere; DTR 2+/4; pulses 2+; pain 8/10 -> 4/10; murmur 2/6; 3/5 IP, 4/5 quads.',
    'Spine: L4-L5 grade I anterolisthesis, L5/S1 disc, C3-C7 laminectomy, T10/11, T12-L2, C1-2 pannus, S1-S3; Modic 2; Pfirrmann 4/5; Cobb 34°.',
    'Fractures ribs 3-9, 4th-8th left; AO 31-A2; Salter-Harris II; Weber B; 5th MT base; L1 burst 40% height loss, TLICS 5.',
    'OB: G3P2002, 32w4d, 29 3/7 wks, BPD 78 mm, EFW 1850 g (42%), AFI 12.3, UA S/D 2.8, NT 1.2 mm, CRL 55.',
    'ICD-10 C34.11, K35.80, S72.001A, Z85.3; CPT 74177, 71260-26; SNOMED 363346000; RadLex RID58; LOINC 24627-2; ICD-9 162.9.',
    'Meds: metoprolol 25 mg BID, heparin 5000 U SQ q8h, enoxaparin 40 mg, vanc 1250 mg q12h, insulin glargine 22 units, warfarin 5/7.5 alternating, Augmentin 875/125, Bactrim 800/160, Advair 250/50, Percocet 5/325 q4-6h, NaCl 0.9%, D5 1/2NS @ 75.',
    'Chemo: FOLFOX6 x12, AC-T, R-CHOP x6, 5-FU 400 mg/m2, carboplatin AUC 5, pembrolizumab 200 mg q3w C4D1, 50.4 Gy/28 fx, SBRT 54 Gy in 3, 60/30, TMZ 75 mg/m2.',
    'Genes: EGFR L858R, T790M, exon 19 del, ALK+, ROS1-, KRAS G12C, BRAF V600E, PD-L1 TPS 60%, TP53 R273H, HER2 3+, BRCA1/2, MSI-H, Ki-67 85%, IDH1 R132H, 1p/19q, MGMT, H3 K27M, t(11;22), del(17p), CDKN2A/B, PIK3CA E545K, NTRK1/2/3.',
    'IHC: CK7+, CK20-, TTF-1+, p40-, CDX2-, S100+, SOX10+, HMB-45, CD117, DOG1, CD3/CD20, CD34, BCL2, Cyclin D1, p16 block+, HPV 16/18.',
    'Nuc: 18F-FDG 10.2 mCi (377 MBq), 68Ga-DOTATATE 5.1 mCi, F-18 PSMA-1007, Tc-99m MDP 25 mCi, I-131 150 mCi, 177Lu, In-111, SUVmax 12.3, SUV 4.5-6.7, Deauville 4, blood glucose 112, uptake 61 min.',
    'Scanner: GE Revolution CT, Discovery CT750HD, Optima CT660, Siemens SOMATOM Force VB20A, Philips iCT 256, Ingenuity 128, Canon Aquilion ONE/PRISM, Signa HDxt 1.5T, Prisma-fit, MAGNETOM Vida XA31, syngo.via VB60A_HF04.',
    'Devices: 7 Fr sheath, 10F pigtail, 5-Fr Cobra C2, 0.035" wire, 8 x 59 mm iCAST, 14 x 60 Wallstent, 22G Chiba, 18-gauge Temno, 12-Fr Thal-Quick, Amplatzer 8 mm, 6-0 Prolene, 2-0 silk, #15 blade, CRE 15-18.',
    'Fleischner 2017: 6-8 mm, CT at 6-12 months then 18-24 months; Lung-RADS 4A; 30 pack-years, 1.5 ppd; low dose 1.2 mSv.',
    'RECIST 1.1: SLD 84 -> 62 mm (-26%); iRECIST; mRECIST; Choi; baseline 120, nadir 62; NT: none.',
    'Time: door 0915, needle 0948; clamp 1003-1041; on bypass 45 min; reported 14:05; called at 1530; shift 0700-1900; NPO after 0000; 1st dose 0600.',
    'Age 67, 67-year-old, 67yo, 67 y/o, 67F, 6-month-old, 3 d old, in his 60s, 45 pack-yr, 1987, since 2012, 2015-2019, 1990s, 2009/10 season, class of 1999.',
    'Follow up 3/12, 6/52 and 1/7; BD x 5/7; 2/52 hx of cough; review in 6/12.',
    'Ratio 1:160, 1:2, 3:1, ANA 1:1280, anti-dsDNA 1:320, epi 1:10,000, 1:100000.',
    'Counts 250 x 10^9/L, 12.3 x10(9)/L, 4.5e12, 10^6, 3 x 10E5, 1.2E-3, 250 000/µl, 12 500 cells, 1.234.567 Zellen.',
    'COVID-19 PCR Ct 23.4, SARS-CoV-2, H1N1, HPV16, HTLV-1, E. coli O157:H7, CO-RADS 5, CT-SS 14/25, CTSI 8/10, BSTI CVCX1.',
    'Grading: AAST IV, Fazekas 2/3, Kellgren-Lawrence 3/4, Outerbridge 2-3, ICRS 4, Goutallier 2, Bosniak IIF, BI-RADS 4B, TI-RADS TR4, O-RADS 3, CAD-RADS 3/P2, C-RADS C2E3.',
    'HU: -12 HU, 35-40 HU, mean 12.5 (SD 8.2), liver 42/spleen 55, L/S 0.76, -1000 to 3071, W400 L40, WW/WL 1500/-600.',
    "Aorta: sinus 41, STJ 34, ascending 48 x 47 mm, arch 32, 12 o'clock, 3-6 o'clock; EOA 0.8 cm2; Vmax 4.3 m/s; gradient 72/43 mmHg; annulus 23.4 x 19.8 mm, area 412 mm2, perimeter 72.9.",
    'Stone 5 x 4 x 7 mm 1,234 HU; 3-4 mm; ureter 7-8 mm; PVR 123 mL; ADC 0.876 x 10-3 mm2/s; ADC 876; Ktrans 0.23; PI 0.12, MTT 5.6, Tmax>6 s 45 mL, CBF<30% 12 mL, mismatch 3.75.',
    'Largest 12-15 mm; up to 10-12 nodules; 2 of 12; 5 out of 7; 1 in 20; 3 x 4 x 5 cm; 12x10x8mm; 3 by 4 cm; 1.5-cm; 15/12/9 mm; 12 mm/8 mm; 45x38 mm.',
    'Impression: 1. No PE. 2. Stable 6 mm nodule. 3) Follow-up in 12 months. (4) none. #5 done. a) b) 10.',
    'Sequence names: T1w, T2*, STIR, T1+C, T1FS, T2FS, 3DFLAIR, CISS, FIESTA, DIXON, SPAIR, VIBE2D, MRCP 3D, TWIST, b1500, ADC_800, T1rho, T2prep.',
    'Vitamin B12 234, B6, D3 25-OH 18, omega-3, CoQ10, folate 5.6, 1,25-dihydroxy, HbA1c 7.2% (55), C3 90, C4 12, C-peptide 1.2, IgG4 345, IL-6 1234, anti-Xa 0.45, factor VIII 150%, PT 14.5/INR 1.2, aPTT 45.',
    'Insulin: NPH 14/8, 70/30 20 units, regular 6/6; PCA 0.2/6/2; D50; NS 1/2; 1/2 tab; 3/4 dose; 2/3 of the liver; lower 1/3; distal third.',
    'Vision 20/40 OD, 20/200 OS, IOP 14/16; hearing 25 dB; Snellen 6/9; FEV1 1.23 (45%), FEV1/FVC 0.56, DLCO 34%, 6MWT 345 m.',
    'Patient weight 70 kg, height 172 cm, BMI 23.7, BSA 1.83; EBL 250; UOP 1200/24h; I/O 2345/1800; drains 120/45/30; NG 300.',
    'Trials: KEYNOTE-189, RTOG 0617, NLST, NELSON, NCT01234567, ECOG-ACRIN EA5163, CheckMate-9LA, PACIFIC-2, SABR-COMET-10, I-SPY2, DAWN 6-24 h.',
    'Level of obstruction at 34 cm from incisors; GEJ 38-40; polyp at 25 cm; anal verge 4.5; 12 F; prague C2M4; LA grade B; Forrest IIa; Mayo 3; UCEIS 6; 10-mm.',
    'DLP (mGy.cm) 345 + 567 + 1234 = 2146; phantom 32 cm; SSDE 15.6; AEC ref 210 mAs; noise index 11.5; ASiR-V 50%; mA 150-600.',
]  # fmt: skip


@pytest.mark.parametrize("line", CLINICAL)
def test_numbers_of_the_clinic_stay(line):
    taken = [line[h.start : h.end] for h in SCRUBBER.find(line) if h.kind in NUMBERS]
    assert taken == []


# each line: identifiers stand between brackets
TELLING = [
    "Hx: MVC [3/2/19], ORIF [3-4-19], hardware out [Nov. 2019]; CT on [the 17th] was clear.",
    "Comparison: exams of [7/8/2015], [9/15] and [11/30], PET [Oct-20]; DOB [4-Jul-1976].",
    "Vorbefund vom [3.11.] und [12. Dez. 2018]; Kontrolle am [Montag, den 7. Januar].",
    "Examen du [1er avril 2021] comparé au [12/02/2020] et au [3 mars] dernier.",
    "Foley [9/2] → [9/6]; PICC placed [8.28], JP removed [3-18]; stented [7/3] by GI.",
    "Injected [22/XI/2019], read [2019 Nov 22], [2019Mar14] and [平成30年4月1日].",
    "Chemo C1D1 [2/20], C3 held [4/3] for ANC 0.4; labs in the week of [3/26].",
    "Patient ID there [YH0071], here [808812]. Pt ID [7A-4432-K]; enc [E4438812]; MRN [909].",
    "acc# [19-CT-004418], prior [C1902211]; CSN [1000 4418 22]; grp [0881231-010-00001].",
    "subject [017-044-M]; [1103-0042] randomised; participant [55-771-2]; RR [68.05.13-210.22].",
    "Medicaid [AB12345C], Medicare [1EG4-TE5-MK73], policy [XQH 552 900 184]; [2123 45670 1].",
    "MD TQ417: dictated [TQ417]; SPEC #: [0220:CT00113R]; [KOWALE3]; FO [55120/2019].",
    "DNI [12345678Z]; NHC [44188]; CIP [ROGA780404012]; cartella [2019/4412]; [44.12.19-8].",
    "pager [7-4412], Vocera [44122], ICU ([x4412]), then [5-0933]; page [44127]; lokal [3384].",
    "t: [020 7946 0144] m: [07700 900 144]; h [555-0199]; Fx. [505/555-0110]; poste [4417].",
    "user [kmoran2] at station [CPR-CT2]; scanned by [RT44]; closed by [ACROSS1]; host [CTWS-04].",
    "Home: [1220 W 44th St #12, Brennan City, MO 64199]; lives on [ocean pkwy].",
    "[9 Beacon Reach, North Shoal, ME 04999]",
    "[61 Heather Brae, Eastmuir G99 1XX]",
    "[ROUTE 9 BOX 114, CYPRESS BEND, LA 70999]",
    "[5/88 Banksia Pde, Wattlebank NSW 2999]",
    "of [17 Ironbark Cres, Upper Wattlebank 2998]. Stable.",
    "[Box 118, 199 98 Karlslunda]",
    "[12 bis, allée des Tilleuls, 69006 Lyon]",
    "[C/ Mayor, 44, 3º B, 28013 Madrid]",
    "[Via dei Mille 44/A, 10123 Torino (TO)]",
    "[Van Ostadestraat 144-3, 1072 VC Amsterdam]",
    "[Am Alten Markt 4-6, D-50667 Köln]",
    "[2-14-4 Nishi-Shinjuku, Shinjuku-ku, Tokyo 160-0023]",
    "[Plot 14, Adeola Odeku St, Victoria Island, Lagos]",
    "EMS from corner of [5th and Main]; found at [1400 block of Elm].",
    "she's [93] now; Grandmother ([102]) alive; patiente de [95] ans; aged [101].",
]  # fmt: skip


@pytest.mark.parametrize("line", TELLING)
def test_what_nothing_explains_goes(line):
    pieces = re.split(r"\[([^]]*)\]", line)
    text = "".join(pieces)
    gone = {i for h in SCRUBBER.find(text) for i in range(h.start, h.end)}
    place, left = 0, []
    for number, piece in enumerate(pieces):
        if number % 2 and not all(
            i in gone for i in range(place, place + len(piece)) if text[i].isalnum()
        ):
            left.append(piece)
        place += len(piece)
    assert left == []


LONG_IDS = st.from_regex(
    r"[1-9]\d{4}[1-9]|[A-Z]{2}\d{3}[1-9]\d|[A-HJ-Z]\d{2}-\d{4}[1-9]|\d{2}-[A-Z]{2}-\d{5}|[1-9]\d{2} \d{3} \d{3}[1-9]", fullmatch=True
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(LONG_IDS, st.sampled_from(["seen ({}) again", "Ktr {}, stable", "re {}; nodule", "vid: {}"]))
def test_codes_of_any_form_are_doubtful_at_least(code, form):
    text = form.format(code)
    hits = [(h.start, h.end) for h in SCRUBBER.find(text)]
    at = text.index(code)
    assert any(start <= at and at + len(code) <= end for start, end in hits)


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 9999),
    st.integers(1, 400),
    st.sampled_from([
        "{a} mm", "{a} HU", "{a} mL/kg", "{b}x{b}x{b} mm", "platelets {a}000", "image {b}/{a}", "{b}/{b} nodes",
        "series {b}, image {a}", "DLP {a}.{b} mGy*cm", "se {b} im {a}", "ferritin {a}", "{a} x 10^9/L", "SUVmax {b}.{b}",
        "{b} mg q8h", "volume {a} mm3", "T{b} mm", "{b}-{b} mm", "1:{a}0", "ADC {a}", "CA 19-9 {a}", "HCG {a}{b}",
    ]),
)  # fmt: skip
def test_values_with_what_explains_them_stay(a, b, form):
    text = f"The finding, {form.format(a=a, b=b)}, is stable."
    assert [text[h.start : h.end] for h in find_unexplained(text)] == []
    assert list(find_postal(text)) == []


@pytest.mark.parametrize(
    ("text", "is_day"),
    [
        ("filter 2/8,", True), ("repeat volumetry 10/4;", True), ("midline to 1/6.", True),
        ("NPN 3/3->3/4", True), ("pain 8/10 -> 4/10", False), ("pN1 (4/15)", False),
        ("in 3/12", False), ("2/52 hx", False), ("29 3/7 weeks", False), ("MMSE 24/30", False),
        ("Goddard 10/24", False), ("strength 4/5", False), ("on 4/5", True), ("25/5 Gy", False),
        ("course 25/5", False), ("night of 4/5", True), ("lower 1/3", False), ("03/07", True),
    ],
)  # fmt: skip
def test_days_and_scores_are_told_apart(text, is_day):
    pair = re.search(r"\d+/\d+", text)
    assert is_partial_date(text, *pair.span()) is is_day


@pytest.mark.parametrize("size", [2_000, 20_000])
def test_long_odd_texts_take_no_long_time(size):
    rng = random.Random(4)
    signs = string.digits + ",.-/ :()xX"
    text = "".join(rng.choice(signs) for _ in range(size))
    assert list(find_unexplained(text)) is not None
    assert list(find_postal("A1 " * (size // 3))) is not None
    assert list(find_unexplained("1" * size)) == [("ID", 0, size, False)]
