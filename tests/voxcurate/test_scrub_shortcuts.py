"""The scrubber's shortcuts: whatever is passed over unsearched holds nothing."""

import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxcurate.identifiers import Hit
from voxcurate.scrubbing.known_numbers import date_spellings, find_dates, find_ids
from voxcurate.scrubbing.patterns import PATTERNS, Places, matches

PIECES = [
    "a@b.org", "see www.x.org", "https://x.org/a", "10.0.0.1", "1.2.840.10008.5.1.4", "123-45-6789",
    "MRN: 12-345", "accession no. A77", "call 555 0100 22", "Tel +49 30 123456", "2020-03-01",
    "1/3/20", "03/2020", "3. März 2020", "1st of MAY, 2021", "12-Sep-19", "Mar 3rd", "3 March",
    "dated 3-14", "20200301", "1234567", "AB123456", "XY12-3456", "92 year old", "aged 95",
    "ninety-one year old", "P.O. Box 12", "12 Long Oak Street", "apt 4b", "Boston, MA 02115",
    "zip 02115", "SW1A 1AA", "lives at 5 Elm Road", "Saint Mary's Hospital", "Hôpital Nord",
    "University of Basel", "KLINIKUM Süd", "2.1 x 1.8 cm", "L4-L5", "series 4", "liver is normal.",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "00:1B:44:11:3A:B7", "MRN ending in 4511",
    "license plate AB 123", "1HGCM82633A004352", "user name: jroe", "DE89 3704 0044 0532 0130 00",
    "pager #12345", "p12345", "0031 6 12345678", "030/123456", "12 345 678 9012", "AB12CD34EF",
    "in her 90s", "a centenarian", "3/1/20-3/5/20", "3/1-3/5/20", "12./13.03.2020", "DOB 030450",
    "March 3-5, 2020", "in March", "on 3/14", "am 5.4.", "by the 14th,", "12 oak avenue",
    "Lindenweg 3", "rue de la Paix 3", "lives in Basel", "Room 412", "Ward 7B", "Ward 12",
    "Ward Nightingale", "Nightingale Ward", "12345 Berlin", "1012 AB Delft", "M5V 2T6",
    "from mercy hospital", "at MGH", "Mayo", "St. Mary's", "Acme Widgets Inc",
    "works at Acme Widgets",
    "from Boston", "Springfield, OH", "adres: Noordeinde", "ext. 4321", "12 Oak St, Apt 4B",
    "chart 7713", "Protocol: 2021/33871", "CT 15-0042", "Nr badania: TK/1188/2020", "# 400178",
    "\x01 (8181 / ", "\x01, VIR20-118)", "120356-789X", "448-20-91", "R441902(6)", "W88213",
    "GC/A5520187/ts", "4F:9A:00:C1:7B", "mdh\\jpike", "\x01 / tvirt03 /", "operator rejtk2",
    "workstation RADWS-LMAY02", "RADWS-LMAY02", "car reg KX19 ZZV", "KX19 ZZV", "@jane_roe",
    "zoom 812 3344 5566", "password: Tulip44!", "51.50735, -0.12776", "poste 4417",
    "\x01 x 31", "555-0108 x 31", "040 555 0129", "F/91", "091Y", "at 91,", "14.1. ",
    "15.02.1948 r.",
    "Christmas Eve 2015", "sat the 24th", "2021年3月5日", "ngày 22 tháng 6", "mid-October",
    "5 place du Marché, 69999 Vernay-sur-Saône", "Rua das Oliveiras, 32, 9999-021 Vila Serena",
    "Bahçelievler Mah. 4. Sok. No 11, Ankara", "Váci utca 12", "Am Anger 3, Ammerbach",
    "Bridge Lane, Thornbury BS35 9ZZ", "Vine Street", "on quince st", "Co. Galway", "H91 X9Y9",
    ", 00-123 Warszawa", "PO Box 99", "address: Hill Cottage", "wohnhaft Dorfplatz 3, Ulm",
    "lives in Dry Fork", "flying in from shreveport", "Utrecht, \x01", "home, Quincy Center",
    "\x01, Ulm\n", "Prairie Digestive Center", "EHPAD Les Tilleuls", "Koivulahden keskussairaala",
    "Ward Dyfi", "unité Ambroise Paré)", "to farr 6.", "to willow glen snf",
    "St Finbarr's Hospice", "at KMC", "| KMC | 50129384", "team at Hartsmere.",
    "\x01/dw\n", "TR: gx / 8", "Reader 1 AKB,", "\nrg / Dr", "\x01MAR:jh\n", "\nA.B. = \x01",
    "\nA.\n\x01", "Dept: MO PULM\n", "OVH RADIOLOGY", "AZ Sint-Maarten", "OSPEDALE SAN TEODORO\n",
    "ROE^JANE", "typed ES)", "(T.K.)", "  MVH/kls  JOB", "\nAJ / x", "\x01-van Wyk", "enf. Bruna",
    "Anjali didi", "Our Lady of Knock", "Larkspur ward",
    "ORDERING: HAND, PETER DO", "CC: August March MD", "Paul Hand, MD", "ROSS, ANN  24F",
    "Hill-Fox R, SpR", "FORTESCUE  Alistair James  (Mr", "Deacon Bishop, 66M", "Belov A.N.",
    "A. J. Hill\n", "\n(Schmidt, W.)", "regards,\nAnn Roe\n", "Prelim: EJO |", "x\nVK",
    "胡嘉欣)", "姓名：胡嘉欣", "roommate Autumn Winters", "mom linda park", "son dele is",
    "per hsu aware", "baby girl park,", "pt hope remains", "ross, a 24f", "j. mwangi rn",
    "Son Cathal informed", "SpR Tadhg", "\x01 (Roe;", "\x01 van der Merwe", "Hill/\x01",
    "Sami U. (SpR)", "Dr. LAU Chi Fai", "al-Khatib", "lot 6E1129A", "CT 15-0042.",
    "14.III.2021", "2019Mar14", "14 Rajab 1444", "令和3年3月14日", "May 18/20", "removed 3-18.",
    "x 6109,", "then 5-0933.", "page 44712", "\x01 (91)", "(b. \x01, 90)", "\x01, 94, ",
    "user hbjornstad reports", "on ocean pkwy,", "lokal 3384", "closed by ACROSS1", "may 4th,",
    "Oct-20,", "3 mars", "placed 8.28,", "five five five oh one four", "she's 93 now",
    "grandmother (102)", "on 7 West ", "from the 3rd,", "Jan-Mar 2020", "DECT 44 12",
    "on may 4,", "xxx-xx-4411", "| 4412 |", "QQ 12 34 56 C", "exam: 44-12-18", "SX04 ZZR",
    "adres: Noordeinde 4", "Plot 14, Adeola Odeku, Lagos\n",
    "DOB: Apr 12 55", "prior Apr18", "April twelfth, nineteen fifty-five", "dal 15 al 20 aprile",
    "her 100th birthday", "fe80::1a2b:3cff:fe4d:4488", "Cubicle 7;", "resides 44 Elm, #12",
    "ask Anna (-4410)", "she turned 93 on", "\x01 (ret.), 90 but", "Teams (dprewitt)", "op 44117,",
    "room Endo 4.", "Vill Bhagta, Teh Phul, Bathinda", "says the 6th. Next",
    "Entered by PATELN at", "n_patel", "slack @npatel", "Age (yrs): 93", "will be 95 in",
    "tag 4ABC471",
    "due 2025/04.", "drawn 04-26 21:15", "11:03 04-27", "CORRECTED 04-28:", "Sat 6/14", "v. 6.5. ",
    "Weds 25 Feb", "\x01) 8.30;", "scan 2 Asvin / \x01", "Minutes: cj", "per JLO\n", "closed. jw",
    "\nmh \x01\n", "x\nS.", "\x01 / amk\n", "Wm. Louie", "Wm. \x01", "\x01 s/o \x01",
    "J.P. van den \x01", '\x01 ("Cec")', 'states name "Skip"', "; Vang, Pa Houa, 48F",
    "pt Ngai, Wing-Sum", "Pt MORRISON Heather June  12", "GRANT STONE   90211854", "Regrets Lake.",
    "H Bowen RGN", "adjuster sherry boone 800", "Ciara's line", "Tobi (that's", "x\n\nImmy",
    "at the James Paget:", "\x01, 96, from", "in 6W-24", "in ED 31,", "Bed Hall C\n", "W/B: MICU-7",
    "locker 14.", "unit Medic 41,", "RTW 4/83-2", "\x01 by rmcallister on", "by kmurray RN",
    '"username": "hodgesk"', "\x01  yfreemanito", "LK19 XVT", "Oak Hollow Imaging, LLC",
    "Lower Mainland Freight", "Temple Beth Or", '"company": "Ramos and Lowe"', "KLINIK: Trapp\n",
    "Station Virchow 3", "driving truck for Acme", "Blk 118 Toa Payoh Lor 1 #08-332 S(310118)",
    "Vill. Bishunpur, PO Sahatwar, Distt. Ballia (UP) 277211", "The Old Forge, Church Lane",
    "Hwy 10 & Polk St, Stevens Pt", '"city": "Ulm"', "Place: Hosur\n", "on Marsh Road on",
    "4471 908 223 XK", "card (ending 4417)", "badge HC 02217)", "Police log 1187", "Tx# 8841",
    "case 25/061", "SN 12788401 055", "INSURANCE: Pilgrim, HPA 771-40-8812",
    "\x01, Pa \x01", "\x01, W in 6W", "\x01 St-Onge", "\x01 w/\x01", ", A. \x01", "Dr \x01 Das (",
    "\x01. Lake, j", "Sign-off: OA\n", "Operator: Fa'asavalu;", "the twenty second of MAY",
    "gefaxt (0531 / 555 0 123)",
    "in April,", "seit März.", "compared with Nov", "the April study", "(Oct, 6.1)", "\nJan: 12 mm",
    "end of July", "June last year", "letzten Mai,", "Nov–Feb", "spring 2023", "prochaine le 27.",
    "am 27. wieder", "op de 27e.", "seen in may.", "mid-September",
    "Community: Papunya\n", "Village Kolar\n", "\x01\nIdstein\n\n", "\x01, Ulm.",
    "\x01, Main Street, Borrisokane", "Cape Town 8001\n", "Private Bag X12",
    "driver for Tri-County Transit", "ex Pine Logging)", "attends Hill View.",
    "care home (Ard na Gréine)", "Brustzentrum Rheingau", "civil hospital moga",
    "NightOwl Reporting", "Fortis Escorts", "Station 3B,", "DA 4471,",
    "78M, Salmon Arm.", "Waterloo, Iowa", "Klein Spine & Sport", "Dr Das on",
    "Re Hemi Te Whata\n", "Thank you for seeing Hemi,", "D/W JK\n", "Schreibkraft: ho\n",
    "\n-- vrs\n", "B Lake / \x01", "dr ks gill", "Dres. Wiegand", "\x01 Whata NHI",
    "S/o Late Sh. Hari Om\n", "Mo \x01",
    "TAC de noviembre", "l'ecografia di dicembre", "Volgende: 19-09.", "(96 j)",
    "Contrada Fontanelle 7",
    "Isle of Scarra\n", "Kerkstraat 41-b, 7999 ZX Oud-Hemelum", "te Oud-Hemelum", "nach Ulm",
    "At post Khedgaon, Tal. Baramoli", "r/o Wadgaon, Dist. Pune", "Foyer Les Tilleuls",
    "nursing home Sree Lotus Home", "Dr. Roe Memorial", "Elk Crossing HC\n",
    "PINE CREEK COLORECTAL\n",
    "IMAGERIE DES PINS\n", "fr PCU 338-2", "on 6 NORTH 611", "Bed MW-II/17", "resus R2",
    "bay 3 locker 2",
    "Class/Ward/Bed: B2/64/12\n", "GOLD/C4-117\n", "Ward 9 (Charak)", "\x01 (Charak) on",
    "Scanner CT-SEH-1", "auto KL 99 B 5512", "HR 26 DK 8337", "compte (sblanchet)", "lic. NB 5541",
    "REDCap record 551-23", "(Case 2217 COMPLETE)", "Medicare 3999 55512 1", "Medicare \x01 1/2\n",
    "bleeped (1147)", "DECT 7 3318", "| -4471\n", "T 0599 - 555 010", "04899 / 555 21-0",
    "Pr d'Harcourt", "in 't Zand", "M'Barek", "Anel vd Merwe", "\x01 vd Merwe", "dr.ssa Ventura",
    "P-Y. Le Goff", "Ö., Fatma, 58 J.", ": Ö., \x01", "Goh Ah Kow", "by Chew LK.", "\x01 @ Ng Ah",
    "\x01 junior,", "J. Red \x01", "P.M., maschio", "Sign: KAT\n", "\n/mp\n", "par CB\n", "MvD /",
    "FHM (on call)", "Mutter von Kjell", "Freeman: no chest", "Marsh keen on", "Ann \x01 \x01",
    "Rose (daughter)", "rang Joy at home", "Prot.: A. Reinke", "bay 3 bed 2",
    "Herr K. kommt", "Née LE GOFF.", "Hausarzt: Zubizarreta", "unter -3312.", "0551 / 39 - 6612",
    "Calle Mayor s/n, 39003 Pontones", "afd. Linde,", "do 14-03 om", "Zi. 2.114",
    "Enf. Maripaz", "Beste Joke, dank",
    "Er heißt eigentlich Soboth.", "CNS Moira to ring", "SVB 214 a",
    "turned ninety-two", "03APR1950", "the 3rd of April", "third of March", "x1234", "age 97",
    "el viernes 5.", "works nights at the Elk Jump", "employer Gulf Crate", "HMP Fosse Bridge",
    "Huonbrook FC", "for Ponderosa Children's", "\nThe Old Dairy Surgery\n", "71^^^LCI^MR",
    "PV1|1|O|LCI-1|", "MBEKI&ANDILE|", "Justified by: HK.", '"sig":"EB 01', "geschr. hs\n",
    "\x01 / BW-ek\n", "\x01 / BW-\x01", "\x01 (G.P.), ", "\x01 (G.P., 76", "/es/ PER LIND MD",
    "Req: ANDERSEN,M NP", "\nKahan, L.   77", "x2. - Bec\n", "\nAnn in Dr Roe",
    "reg Pip notified", "pcte: ana quispe ci 6", "Pn. Rohana", "courier ref AX99 8812 0045",
    "NASS 28 10099871 44", "last4 9043", "on CT2-AMU", "NAEOTOM-2.", "Name: sigrid.m",
    "user: sigrid.m",
    "bed \x01 7.", "\n XA7 4QT\n", "\n3 Chapel Row\nLittle Wenham\nXA7 4QT\n",
    "The Bungalow, Sheep Lane, Wenham XA7 4QZ", "at Wenham XA7 4QZ.", "RMB 2240 Gold Track, Flat",
    "lot 9 Cotton Mobile Park, Ulm", "12 Gold Track, Ulm", "Calle Sucre esq. Junín",
    "Derry East, Kil, X91 AC12", "Derry, Eircode \x01",
    "chauffeur de bus à la SNCF", "bij scheepswerf De Linde", "retired fitter (Elk Brewing Co.)",
    "ex Qantas engineer", "hospital La Fe", "clinique des Tilleuls", "CAP Montclar",
    "Sint Lucasgasthuis Tilburg", "Station Haus C, Ebene 3", "Abt. Innere II", "at Westgate North.",
    "from Swedish Ballard,", "\nHill Health - Medical Imaging\n", "scooty MH 12 QX 4471",
    "CT2-ED-AWP", "bay B,", "HCC 302 118 447K", "the 27th?", "done 21st.", "CT 15/03 - 2 mm",
    'unknown male "Hotel Seven"', 'ok. G."', "Checked by: ZI/SR 17", "\nGed: looking\nGed: no",
    "Keyworker: Lou 01452", "Jo Ostermeier, *30.11.38", "Pat. Lutz Brehm, 71 J.", "\nDe Wilde \x01",
    "Typed: \x01 lmh\n", "at 14:20. gho/sw", "Verslag: KVDB/ms", "\x01 5512098 L", "SVB 12",
    "W54 B22", "lives Moss Side.", "(Big Sky Ortho)", "Pharmacy Boots Hill.", "LEEDS\n",
    "  ICU-07  ", "via Medic 14,", "on I-75 near exit 39",
    "Navigator Tamika,", "Kit (CNS, ext 4)", "ask for Meg.", "Security (Daz)", "Known as: Bex\n",
    "[08:00] Kit SHO: ok", "corrected rlq 2", "reader 1 hmq,", "done. QVR\n\n", "per Dr T-R.",
    "JUNE FIRST 1949", "third of May 1949", "born third of the first twenty five",
    "pager's 5512", "\x01 x 2244", "grandad, ninety-one,", "\x01, with a K, ninety-one,",
    "dictation jo slash dw", "\nPike Hollow Surgery\n", "From: Pike Apothecary #214\n",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(". ".join)
odd = st.tuples(texts, st.text(max_size=12)).map("".join)


def spans(text, *, shortcuts):
    index = Places.of(text)
    return {
        (number, match.span("x"))
        for number, one in enumerate(PATTERNS)
        for match in (matches(one, text, index) if shortcuts else one.regex.finditer(text))
    }


@settings(max_examples=300, deadline=None)
@given(odd)
def test_what_a_shortcut_passes_over_is_no_match(text):
    for form in (text, text.upper(), text.lower()):
        missed = spans(form, shortcuts=False) - spans(form, shortcuts=True)
        assert not missed, [(PATTERNS[n].regex.pattern[:50], form[a:b]) for n, (a, b) in missed]


def test_every_pattern_was_put_to_the_test():
    hit = {number for piece in PIECES for number, _ in spans(piece, shortcuts=False)}
    missing = sorted(set(range(len(PATTERNS))) - hit)
    assert len(missing) <= 12, [PATTERNS[n].regex.pattern for n in missing]


def slow_dates(text, days):
    for day in days:
        pattern = "|".join(f"(?:{spelling})" for spelling in date_spellings(day))
        bounded = rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])"
        for match in re.finditer(bounded, text, re.IGNORECASE):
            yield Hit("DATE", *match.span())


FORMS = ["{d}/{m}/{y}", "{m:02d}-{d:02d}-{y}", "{d}.{m}.'{s:02d}", "{y}{m:02d}{d:02d}",
         "{y}_{m}_{d}", "{b} {d}", "{d}th of {B}, {y}", "{d:02d}{m:02d}{y}", "{B}-{d}",
         "{d} / {m} / {s:02d}", "{B} of {y}", "{y}{m:02d}{d:02d}101500",
         "{y} - {m} - {d}"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.dates(date(1930, 1, 1), date(2030, 1, 1)),
    st.dates(date(1930, 1, 1), date(2030, 1, 1)),
    st.lists(st.sampled_from([*FORMS, "12.5 x 3.1 cm", "2019", "may"]), max_size=5),
)
def test_known_dates_are_found_as_by_searching_for_every_spelling(day, other, forms):
    names = {"d": day.day, "m": day.month, "y": day.year, "s": day.year % 100}
    text = " and ".join(f.format(**names, b=f"{day:%b}", B=f"{day:%B}".upper()) for f in forms)
    days = [other, day]
    assert list(find_dates(text, days)) == list(slow_dates(text, days))
    if any("{" in form for form in forms):
        assert list(find_dates(text, [day]))


@pytest.mark.parametrize(
    "text",
    ["id mrn-481-511", "000MRN481511", "mrn 481511.", "MRN.481/511", "MRN481511", "no 481511",
     "MRN ending in 1511", "***-81511"],
)  # fmt: skip
def test_known_ids_are_found_in_every_form(text):
    assert list(find_ids(text, ["MRN481511"], kind="ID"))


@pytest.mark.parametrize("text", ["MRN481512", "image 481", "1511 mL", "81511 cells"])
def test_other_numbers_are_not_the_known_id(text):
    assert not list(find_ids(text, ["MRN481511"], kind="ID"))


def slow_ids(text, one, embedded):
    """The id as one expression, as its rule is worded."""
    core = re.sub(r"[^A-Za-z0-9]", "", one).lstrip("0")
    loose = "" if core.isdigit() and len(core) < 7 else r"[\s./_-]?"
    edge = ("", "") if embedded else (r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])")
    body = loose.join(map(re.escape, core))
    return [m.span() for m in re.finditer(f"{edge[0]}0*{body}{edge[1]}", text, re.IGNORECASE)]


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(["A1B2", "A1B2C3", "ZZ00ZZ", "9.8-7/6 5 4 3"]),
    st.lists(
        st.sampled_from(
            [*"A1B2z09", "12", "1234567", "A1B2", "a-1.b 2", "00", " ", "-", ". ", "é"]
        ),
        max_size=9,
    ),
    st.booleans(),
)
def test_ids_are_found_as_by_one_expression_for_each(one, pieces, embedded):
    text = "".join([*pieces, one, *pieces])
    found = {(h.start, h.end) for h in find_ids(text, [one], kind="ID", embedded=embedded)}
    assert found >= set(slow_ids(text, one, embedded))
