# ruff: noqa: E501 -- lines of notes read best as they stand
"""Families of places and dates that no single example made: each with its like in other languages."""

import pytest

from voxcurate.scrub import Scrubber
from voxcurate.scrubbing.forms import any_of, first_words, one_of
from voxcurate.scrubbing.months import month_number

SCRUBBER = Scrubber()


def gone(text, value):
    start = text.index(value)
    letters = [i for i in range(start, start + len(value)) if text[i].isalnum()]
    taken = {i for hit in SCRUBBER.find(text) for i in range(hit.start, hit.end)}
    return all(i in taken for i in letters)


DATES = [
    ("Larger than on the April study.", "April"), ("compared with the october CT", "october"),
    ("PSA 7.8 (Oct, previously 6.1)", "Oct"), ("last seen in may\nstable", "may"),
    ("away until end of July; send after", "end of July"), ("seit Mitte März Husten", "März"),
    ("prochaine cure le 27.", "27"), ("Wiedervorstellung am 27. wieder nüchtern", "27"),
    ("outcome Weds 13/03/24, chair", "Weds 13/03/24"), ("control en mayo.", "mayo"), ("see the June MRI", "June"),
    ("stent by Dr Anh Tran 1/7, resolved", "1/7"), ("between March and May she", "March and May"),
    ("fell in spring 2023", "spring 2023"), ("in early November", "November"),
]  # fmt: skip
TOWNS = [
    ("Community: Papunya   Health centre", "Papunya"), ("Herrn Dr. Klaus-Peter Lang\nIdstein\n\n7. November 2023", "Idstein"),
    ("Bourges, le 22 avril 2024", "Bourges"), ("Dr. Proinsias Hackett, Main Street, Borrisokane\n\nRE: x", "Main Street, Borrisokane"),
    ("ALEXIS, Clarence 78M, Salmon Arm. CT", "Salmon Arm"), ("Private Bag X1234, Polokwane 0700", "X1234"),
    ("(John Deere, Waterloo, Iowa) with", "Waterloo, Iowa"),
]  # fmt: skip
HOUSES = [
    ("im Brustzentrum Rheingau geplant", "Brustzentrum Rheingau"), ("film from civil hospital moga if", "civil hospital moga"),
    ("works as a bus driver for Tri-County Transit, worse", "Tri-County Transit"), ("forestry worker (ex Ngāti Pine Logging), painful", "Ngāti Pine Logging"),
    ("H/O fall in nursing home (Ard na Gréine), unable", "Ard na Gréine"), ("CENTRE HOSPITALIER DU VAL D'AUBOIS\nService", "CENTRE HOSPITALIER DU VAL D'AUBOIS"),
    ("cc: Balaji Ortho & Trauma, Tirupati", "Balaji Ortho & Trauma"), ("issued by NightOwl Reporting today", "NightOwl Reporting"),
]  # fmt: skip
PEOPLE = [
    ("read dr ks gill", "ks gill"), ("Onkologische Praxis Dres. Wiegand / Nowak", "Wiegand"), ("D/W JK, agrees", "JK"),
    ("scan change B Lake / 5510932", "B Lake"), ("S/o Late Sh. Hari Om Sharma\nAge", "Hari Om Sharma"),
    ("Re Hemi Te Whata NHI ZXA4419", "Hemi Te Whata"), ("and to Dr. Das on 033 5550 1209", "Das"),
    ("Esperanza Ybarra, 92 -- lives alone", "92"),
]  # fmt: skip
MANNERS = [
    ("Beste Joke,\nhierbij de uitslag van het onderzoek", "Joke"), ("CNS Moira to ring.", "Moira"), ("Badante: Oksana.", "Oksana"),
    ("Anwesend: Kröger (Chir), Özdemir (Onko); entschuldigt: Fink\n", "Fink"), ("présents : Pr d'Ornano, Dr Roux", "d'Ornano"),
    ("Byrne: not a surgical candidate.\nHart keen on ablation.", "Hart"), ("Byrne: not a surgical candidate.\n", "Byrne"),
    ("Visite con dott.ssa Ferri il lunedì", "Ferri"), ("hr Van 't Zand wordt gebeld", "Van 't Zand"), ("seen by Anel vd Merwe\n", "Anel vd Merwe"),
    ("Tan Wei Ling seen by Chew LK.", "Chew LK"), ("Tan Wei Ling seen today", "Tan Wei Ling"), ("Mutter von Kjell ruft an und fragt", "Kjell"),
    ("R.W., 63M, mCRC", "R.W."), ("report typed\n/mp\n", "mp"), ("transcrit 23 avril par CB\n", "CB"), ("Dr. J.-F. Le Gall\n", "Le Gall"),
    ("Médecin traitant : Kervella\n", "Kervella"), ("Tél. portable. Née LE GOFF.", "LE GOFF"), ("Rose (daughter) aware", "Rose"),
    ("MvD / supervisie K. Oosterhuis", "MvD"), ("Mw. Claes (96 j) terug", "96"),
]  # fmt: skip
WARDS = [
    ("arr per cart fr PCU 338-2 with trans", "PCU 338-2"), ("Bed MW-II/17   15 Jan", "MW-II/17"), ("Zimmer 1.204 | -4471\n", "1.204"),
    ("Zimmer 1.204 | -4471\n", "4471"), ("reg bleeped (1147), SHO", "1147"), ("DECT 7 3318.", "7 3318"), ("T 0599 - 555 010\n", "0599 - 555 010"),
    ("avec mon compte (sblanchet).", "sblanchet"), ("hit him: auto KL 99 B 5512.", "KL 99 B 5512"), ("(Case 2217 COMPLETE)", "2217"),
    ("lic. NB 5541  ", "NB 5541"), ("put REDCap record 551-23 on hold", "551-23"), ("Scanner CT-SEH-1, dosis", "CT-SEH-1"),
]  # fmt: skip
VILLAGES = [
    ("residente in Contrada Fontanelle 7, tessera", "Contrada Fontanelle 7"), ("lives alone Isle of Scarra\n", "Isle of Scarra"),
    ("Kerkstraat 41-b, 7999 ZX Oud-Hemelum\n", "Kerkstraat 41-b, 7999 ZX Oud-Hemelum"), ("Trekvaart 6 te Oud-Hemelum\n", "Oud-Hemelum"),
    ("r/o At post Khedgaon, Tal. Baramoli, BPL", "At post Khedgaon, Tal. Baramoli"), ("Hameau des Genêts.", "Genêts"),
    ("Vive en Calle Mayor s/n, Pontones.", "Calle Mayor s/n"), ("Foyer Les Tilleuls, chambre 31", "Les Tilleuls"),
    ("IMAGERIE DES TROIS RIVIÈRES - Nord", "TROIS RIVIÈRES"), ("DR LEE AT MERCY CREEK COLORECTAL. END", "MERCY CREEK COLORECTAL"),
    ("TC di novembre invariata", "novembre"), ("Volgende: 19-09.\n", "19-09"),
]  # fmt: skip

RECORDS = [
    ("Adm 4/14 - DC 4/17\n\nCC: pain.", "4/17"),
    ("ertapenem thru 4-28.", "4-28"),
    ("Planned tmrw 22/11 8 am so.", "22/11"),
    ("¿Sería posible el viernes 5?", "viernes 5"),
    ("Termin lundi 12, sinon rappel.", "lundi 12"),
    ("Kontrolle morgen 14/11.", "14/11"),
    ("Sent, courier ref AX99 8812 0045. Fine.", "AX99 8812 0045"),
    ("NASS 28 10099871 44. In.", "28 10099871 44"),
    ("IRB (ref DSRB 2023/00551) will chase.", "DSRB 2023/00551"),
    ("Pt seen, last4 9043, ok.", "9043"),
    ("Verde, braccialetto PS-88213\n", "PS-88213"),
    ("polsbandje KR-77120, nuchter", "KR-77120"),
    ("I rang ext 2781 x 3, no answer.", "2781"),
    ("PID|1||70011823^^^LCI^MR||", "LCI"),
    ("PV1|1|O|LCICT-1||||", "LCICT-1"),
    ("||CT|F||MBEKI&ANDILE\nOBX", "MBEKI&ANDILE"),
    ('{"text":"FNA advised.","sig":"EB 01/05/24"}', "EB"),
    ("Justified by: HK. Dose ok.", "HK"),
    ("diktiert, geschr. hs\n", "hs"),
    ("Read 07:58 /es/ PER LINDGREN MD\n", "PER LINDGREN"),
    ("CHEST\nKahananui, L.   7712-334\n", "Kahananui, L."),
    ("Resend needed x2. - Bec\n", "Bec"),
    ("pcte: yolanda quispe mamani ci 6877123\n", "yolanda quispe mamani"),
    ("A colleague, Pn. Rohana, asks.", "Rohana"),
    ("Scanned on CT2-AMU today.", "CT2-AMU"),
    ("Operators' Name: sigrid.m\n", "sigrid.m"),
    ("The Old Mill\n3 Chapel Row\nLittle Wenham\nXA7 4QT\n\nDear Farah,", "XA7 4QT"),
    (
        "Re: him, The Bungalow, Sheepwash Lane, Little Wenham XA7 4QZ\n",
        "The Bungalow, Sheepwash Lane, Little Wenham XA7 4QZ",
    ),
    (
        "Home: RMB 2240 Goldfields Track, Creswick Flat\n",
        "RMB 2240 Goldfields Track, Creswick Flat",
    ),
    (
        "She is at lot 9 Cottonwood Mobile Park, Wheatland; ok.",
        "lot 9 Cottonwood Mobile Park, Wheatland",
    ),
    ("Clínica, Calle Sucre esq. Junín\n", "Calle Sucre esq. Junín"),
    (
        "Lives Derrybeg East, Kilcolman, Eircode X91 AB12, mobile",
        "Derrybeg East, Kilcolman, Eircode X91 AB12",
    ),
    ("The chap from HMP Fosse Bridge we scanned.", "HMP Fosse Bridge"),
    ("Injury at Huonbrook FC on Sat.", "Huonbrook FC"),
    ("He can't do PET at Lexmoor VA before.", "Lexmoor VA"),
    ("Employer Gulf Crate & Pallet, injured.", "Gulf Crate & Pallet"),
    ("She works nights at the Buffalo Jump Truck Stop so.", "Buffalo Jump Truck Stop"),
    ("Maurer bei der Firma Bauunternehmung Glöckle.", "Bauunternehmung Glöckle"),
]


@pytest.mark.parametrize(
    ("text", "value"), [*DATES, *TOWNS, *HOUSES, *PEOPLE, *MANNERS, *WARDS, *VILLAGES, *RECORDS]
)
def test_families_go(text, value):
    assert gone(text, value)


@pytest.mark.parametrize(
    "text",
    [
        "The lesion seen in may represent artefact; this may be march fracture.",
        "Technique: T1 Dixon, b0-b1000.\nHARRINGTON ROD INTACT. ALLEN TEST NORMAL.",
        "Nachweis einer Mikroangiopathie Fazekas 1, sonst unauffällig ohne Befund.",
        "No change - pt says no.\n17:00 reviewed; blood cultures 2/2 grew E. coli on a 1.5 T scanner.",
        "Findings: Heart: normal. Colon: clear. Loc: T2. Drainage Ch 16. SUV 4 - 12. In ED 4 hours.",
        "Beurteilung: Stauungszeichen. Procedere: Vorstellung im Tumorboard. Nach Port-Implantation FLOT.",
        "Advies: Controle over drie maanden. Naar huis met Thuiszorg, naar Cardiologie verwezen.",
        "Si consiglia Controllo. Trasferito in Rianimazione, letto occupato. Visita Oncologica.",
        "Décision : Lobectomie. Surveillance Bosniak II. Indication : Bilan d'extension.",
        "3/12 R chest wall pain, weight loss. 6/52 of night cough. Plan -> MRCP 12/12.",
        "Lung bases: 3 mm RLL nodule (4/12). Omnipaque 350 via R PICC. Stone (1120 UH), cyst 1210 HE.",
        "LOW DOSE CT SCREENING (G0297/71271). Exam: CT KNEE RIGHT W/O (73700-RT).",
        "Study Time: 093315.250000, Protocol Name: 2_ThorAbd_pv (Adult), CT CHEST W/O,120,1.25,GE",
        "Auto-anticorps : anti-Jo1 positif, anti-MDA5 neg.",
        "Kein Nachweis einer Stenose. Der Abszess wurde entlastet, CT-gesteuerte Drainage 10F. Er spricht wenig Deutsch. Fußsenkung KG 4/5.",
        "R CFA puncture, 5F sheath. USS Abdomen requested. Sputum AFB neg. HC 176, AC 152.",
        "Lung Nodule Clinic. Robotic Prostate Surgery. GeneXpert Ultra negative; on Rifafour day 9.",
        "Micron: Michel's aplasia. Osteochondrose L5/S1. Baastrup-Phänomen, Spondylarthrose. Octaplex given.",
        '{"exam_dttm":"none","body_part":"neck"} 74177^CT ABD PELVIS W CON^CPT',
        "Omnipaque 300 via L ACF. Visipaque 270 via port. Protocol: 12_CAP_pv70s.",
        "Referto: esame eseguito con Mezzo di Contrasto. Quadro invariato rispetto al Precedente. Direttore: assente.",
        "Hallazgos: cisura de Silvio libre. Paciente jubilado, Albañil de profesión. Derrame Pleural leve.",
        "Le Pneumologue est prévenu. Patient Droitier, Tabagisme Actif. Opacités en Verre Dépoli.",
        "Verslag: Vergeleken met eerder onderzoek. Bekend met Morbus Crohn. Geen Pleuravocht. Syndesmose intact.",
        "Utlåtande: Datortomografi Buk med Kontrast. Levern utan Fokala förändringar. Tidigare Snickare.",
        "Laudo: Nódulo Estável. Médico Plantonista avisado. Uso de Losartana e Xarelto.",
        "In Uganda two years ago. Explained in Assamese. CPT codes billed 99152, 99153.",
    ],
)  # fmt: skip
def test_what_is_like_them_stays(text):
    assert SCRUBBER.scrub(text).text == text


def test_a_degree_or_post_is_no_part_of_a_name():
    assert SCRUBBER.scrub("Seen by Oscar Zhu, RMO and R. Penner MD.").text == (
        "Seen by [NAME], RMO and [NAME] MD."
    )


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(?:neighbou?r|fianc[ée]e?)", "fiance fiancee neighbor neighbour"),
        ("(?:key[ -]?worker|dr)", "dr key keyworker"), (r"(?:st\.?|saint)\s", "saint st"),
        (r"\bn[°o]\.?", "n no"), ("(?:Reha-?[Kk]linik|X(?=Y))", "reha rehaklinik x"), ("4th", ""),
    ],
)  # fmt: skip
def test_first_words_are_all_that_a_match_begins_with(expression, words):
    assert first_words(expression) == words


def test_a_word_of_any_length_cannot_be_listed():
    with pytest.raises(ValueError, match="any length"):
        first_words(r"(?:invent\w*)")


def test_months_of_many_languages_have_numbers():
    told = {"März": 3, "août": 8, "aout": 8, "červenec": 7, "juillet": 7, "kwietnia": 4, "Dez": 12}
    assert {word: month_number(word) for word in told} == told
    assert month_number("xyz") is None
    assert any_of(["mai", "märz"], titled=True) == "(?:M[äa]rz|Mai)"
    assert "nursing home" in one_of("houses", "kind")
