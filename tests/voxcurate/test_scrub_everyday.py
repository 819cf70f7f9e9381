# ruff: noqa: E501 -- lines of notes read best as they stand
"""What everyday notes of many countries write, and what of medicine looks like it and stays."""

import pytest

from voxcurate.scrub import Scrubber
from voxcurate.scrubbing.address_tail import address_end
from voxcurate.scrubbing.tables import find_in_tables

SCRUBBER = Scrubber()


def taken(text):
    return {i for hit in SCRUBBER.find(text) for i in range(hit.start, hit.end)}


def gone(text, value):
    start = text.index(value)
    return {i for i in range(start, start + len(value)) if text[i].isalnum()} <= taken(text)


DAYS = [
    ("MR pelvis 18/11 - two enhancing foci, 6 mm left ilium.", "18/11"), ("MRI liver 4/5 22 mm lesion seg VI", "4/5"),
    ("CTPA 30/1 neg.", "30/1"), ("Ct thorax d.d. 12/4: geen metastasen.", "12/4"), ("Echo dd 21-9 cyste.", "21-9"),
    ("RM rodilla 17/05 sin cambios. TAC 3/4 normal.", "3/4"), ("Seen in clinic 9/4 2.15pm with daughter", "9/4"),
    ("Admitted the 21st, drains out the 23rd.", "the 23rd"), ("can we do it 26th? she asks", "26th"),
    ("Home the 2nd?", "the 2nd"), ("scan the 11th please.", "the 11th"), ("Slot Thursday 18th, op 29th.", "29th"),
]  # fmt: skip
FRACTIONS = [
    "Blood cultures 3/3 Staph epidermidis.", "Co-amoxiclav 4/7, then oral.", "Tazocin 7/7 completed.", "Cough x 3/52, fever x 4/7.",
    "Vision 6/9 R, 6/12 L.", "Passed 2/3 swallow trials.", "Attended 4/6 sessions.", "CT 2/3 slices degraded, Echo 3/4 views.",
    "MRI 4/5 discs dehydrated.", "Review in 6/52. Repeat CT 3/12.", "Sac 5.8 cm (pre-op 6.1), now 4.8.", "AC 15th, HC 22nd, EFW 18th centile.",
    "Fractures of the 3rd to 5th ribs.", "Cord compression T11/T12, L3/4 disc.", "PHQ-9 12/27, CT severity 14/25.",
]  # fmt: skip
ADDRESSES = [
    ("vive en C/ Olmo 14, 2º A, Getafe. Acude", "C/ Olmo 14, 2º A, Getafe"), ("Vive en Avda. de la Constitución 112, bajo B.", "Avda. de la Constitución 112, bajo B"),
    ("reside en Pza. Nueva, 8, esc. 2, 3.º 4.ª, Sabadell.", "Pza. Nueva, 8, esc. 2, 3.º 4.ª, Sabadell"),
    ("mora na Rua das Amoreiras, 45 - 3º Esq., Setúbal.", "Rua das Amoreiras, 45 - 3º Esq., Setúbal"),
    ("reside: Av. Getúlio Vargas 1200, apto 302, Canoas - RS", "Av. Getúlio Vargas 1200, apto 302, Canoas - RS"),
    ("abita in via dei Mille 8, int. 5, Pavia.", "via dei Mille 8, int. 5, Pavia"), ("domiciliée 27, allée des Acacias, bât. C, 69500 Bron.", "27, allée des Acacias, bât. C, 69500 Bron"),
    ("wohnhaft Lindenstr. 14a, 50674 Köln.", "Lindenstr. 14a, 50674 Köln"), ("Adres: Lange Nieuwstraat 88 bis, Utrecht.", "Lange Nieuwstraat 88 bis, Utrecht"),
]  # fmt: skip
CODES = [
    ("DVA QX 114832 gold card.", "QX 114832"), ("Study ID RIV 30512.", "RIV 30512"), ("Folder GSH 88 2045.", "GSH 88 2045"), ("Patient no: KM 55 20 18.", "KM 55 20 18"),
    ("pillion on (GJ 01 AB 7765), helmeted", "GJ 01 AB 7765"), ("Scanner: MR2-OPD-RJH, s/n 1", "MR2-OPD-RJH"), ("Door code still B2290Y", "B2290Y"),
    ("Gate code 5512.", "5512"), ("Schockraum 3, Bett 12.", "3"), ("Box de urgencias 11.", "11"), ("review in OPD no. 14 with CBC", "14"), ("in bay B overnight", "B"),
]  # fmt: skip
HOUSES = [
    ("chauffeur de bus à la SNCF, 52 ans", "SNCF"), ("arbeitet bei Bosch.", "Bosch"), ("werkte bij scheepswerf Volharding.", "scheepswerf Volharding"),
    ("retired fitter (Kestrel Brewing Co.) with a nodule", "Kestrel Brewing Co"), ("ex Qantas engineer", "Qantas"), ("en su centro de salud Las Rosas con", "Las Rosas"),
    ("ingresa en hospital La Fe.", "La Fe"), ("suivi à la clinique des Tilleuls.", "des Tilleuls"), ("uit Sint Lucasgasthuis Tilburg.", "Sint Lucasgasthuis"),
    ("prior at Swedish Everett 2018", "Swedish Everett"), ("scanned at Westgate North.", "Westgate North"), ("Ward: Pine Ridge VAMC OPC", "Pine Ridge VAMC OPC"),
    ("\nHillcrest Health - Diagnostic Imaging\nPatient", "Hillcrest Health - Diagnostic Imaging"), ("Station Haus C, Ebene 3", "Haus C, Ebene 3"),
]  # fmt: skip
PEOPLE = [
    ("Tam: looking now\nBev: ok\nTam: ruptured AAA", "Tam"), ("Key worker: Lou 01452 496 077", "Lou"), ("gez. I. Wagenknecht   29.12.2022", "I. Wagenknecht"),
    ("Verslag gemaakt door FJ, akkoord", "FJ"), ("Checked by: ZI/SR 17.05.2021", "SR"), ("Unknown male \"Hotel Nine\" at 0310", "Hotel Nine"), ("motion; reader kls\"\n", "kls"),
    ("Present: NG, RDS, Prof Thorne", "RDS"), ("I'll tell them. B.\"\nfile note", "B."),
]  # fmt: skip
STAY = [
    "Charge 71260; 76377 for 3D. Codes 74177, 99152.", "AE title on port 11112.", "100 mL Omnipaque 350 @ 3.5, 80 mL Isovue 370 @ 4.0.", "Emphysema 14% LAA-950.",
    "PPSB 2500 IE, Heparin 5000 IE.", "Transferred by ambulance 0505.", "Pancreatic tail, CEA 412 ng/mL.", "hydatid, 5 cm (Gharbi III).", "- Lund-Mackay 15/24.",
    "Robotic nephrectomy on the da Vinci Xi, Gore Excluder in place.", "Tab Glycomet GP1 BD, Tab Orofer XT OD, Cap Becosules.", "Team notified via Vocera.",
    "Befund: Kleiner Perikarderguss. Präsakraler Narbenzustand über der rechten Hälfte, keine Stenose.", "Ross River virus, West Nile virus, Murray Valley encephalitis.",
    "lives in northern Ontario", "26/F, P1L1, POD 5 LSCS", "Thanks, bye.", "HL7 ORU^R01 extract.", "Milwaukee brace, Ottawa ankle rules.",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"), [*DAYS, *ADDRESSES, *CODES, *HOUSES, *PEOPLE], ids=lambda one: one[:24]
)
def test_what_identifies_goes(text, value):
    assert gone(text, value)


@pytest.mark.parametrize("text", [*FRACTIONS, *STAY], ids=lambda one: one[:24])
def test_what_is_medicine_stays(text):
    assert not [text[hit.start : hit.end] for hit in SCRUBBER.find(text)]


TABLE = """case,patient_name,mrn,site,comment
01,"PELLO^ANA",100238,Main Street,"no nodule, see below"
02,Oda Vik,100241,Hilltop,stable

Findings, as above, were, discussed, today
"""


def test_a_table_is_read_by_its_head():
    found = [(hit.kind, TABLE[hit.start : hit.end]) for hit in find_in_tables(TABLE)]
    assert found == [
        ("NAME", "PELLO^ANA"), ("ID", "100238"), ("INSTITUTION", "Main Street"),
        ("NAME", "Oda Vik"), ("ID", "100241"), ("INSTITUTION", "Hilltop"),
    ]  # fmt: skip


def test_prose_with_commas_is_no_table():
    prose = "Seen by patient, name, doctor: all well, no pain.\nLiver, spleen, kidneys, normal.\n"
    assert not list(find_in_tables(prose))


def test_facilities_of_a_message_go():
    text = "MSH|^~\\&|PACS|HILLTOP_MED|RIS|HGH|2023||ORU^R01|M1|P|2.3\n"
    assert [text[hit.start : hit.end] for hit in find_in_tables(text)] == ["HILLTOP_MED", "HGH"]


@pytest.mark.parametrize(
    ("found", "after", "whole"),
    [
        ("Via Roma 3", ", int. 5, Pavia. Torna", "Via Roma 3, int. 5, Pavia"),
        ("Calle Sol 9", ", Impresión: normal", "Calle Sol 9"),
        ("12 Elm Street", ", Patient seen", "12 Elm Street"),
        ("Basel", ", Bern", "Basel"),
    ],
)
def test_an_address_ends_where_its_parts_do(found, after, whole):
    text = found + after
    assert text[: address_end(text, 0, len(found))] == whole
