# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Numbers and codes that nothing clinical explains.

A report's numbers belong to a closed world: values with units, ranges, sizes, levels, stages,
scores, image numbers, years, clocks, doses, isotopes, genes, models of scanners. What is long
enough to tell somebody apart and is none of these is taken for an identifier, doubtfully; so ids
are found that no pattern foresaw.
"""

import re
from collections.abc import Iterator

from voxcurate.scrubbing.hits import Hit
from voxcurate.scrubbing.pattern import UNITS
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_set

# a run of letters and digits with joining signs, no comma or colon but between digits
_TOKEN = re.compile(
    r"[^\W_](?:\w|[-–‑/.+&*^~\\'’](?=\w)|(?<=\d)[,:](?=\d)|(?<=\d):(?=[A-Z]{1,3}\d))*"
)
_GROUPS = re.compile(
    r"(?<![\w.,/:+-])(?:[A-Z]{1,4}[ ]?)?\d{1,7}(?:[ \xa0-]\d{1,7}){1,6}(?![\w]|[.,:/]\d)"
)
_NUMBER = re.compile(r"\d+")
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_PARTS = re.compile(r"[-–‑/.+&*^~\\'’,:_]")

_N = r"\d{1,4}(?:[.,]\d{1,4})?"
_UNIT = rf"(?:{UNITS}|mcg|nm|µm|um|kpa|mm\s?hg|cmh2o|cgy|gbq|kbq|µsv|usv|kev|mev|ev|w|wk|mo|yo|y|yr|d|h|hr|fr|french|gauge|g|ga|t|ppm|ppb|db|hz|khz|ms|rpm|fps|px|pixels?|row|slice|detector|channel|lead|fold|french|amp|iu|u|mu|ui|miu|ng|pg|ug|fl|fmol|pmol|nmol|umol|µmol|mol|mosm|osm|meq|k|m|cells?|zellen|cellules|c[ée]lulas|cellule|cellen|µl|ul|mcl|beats?|bpm|steps?|kilos?|kilograms?|grams?|metres?|meters?|millimet\w+|centimet\w+|cc|jahre|jahr|tage|tag|wochen|monate|stunden|std|sek|ans|jours|mois|semaines|heures|a[nñ]os|d[ií]as|meses|semanas|horas|anni|giorni|mesi|jaar|dagen|weken|maanden|uur|person\w*|nodes?|cores?|slices?|segments?|lesions?|patients?|cases?|copies|events?|participants?|women|men|subjects|times|counts?|pulses?|frames?|voxels?|rows?|tons?|tablets?|caps?(?:ules?)?|puffs?|drops?|sprays?|drinks?|cigarettes?|packs?|calories|kcal|kj|joules?|watts?|volts?|mv|v|amps?|mega\w+|gtt)"
_VALUE_UNIT = re.compile(
    rf"(?:[<>~≈±]?{_N}\s?(?:[-–/x×*:]|to)?\s?)*[ \t]*[-–]?(?:x|×|\*)?(?:10\^?\d)?{_UNIT}?(?:\^?[23²³])?(?:[/.·]{_UNIT}(?:\^?[23²³])?)*",
    re.IGNORECASE,
)
# a unit, or a power of ten, after a number
_UNIT_AFTER = re.compile(
    rf"(?![ \t]?(?-i:[MFD])(?!\w))[ \t]?[-–]?(?:(?:[x×*·][ \t]?10|10\^|e[+-]?\d)|(?:[x×*-]|–|to|by)[ \t]?{_N}[ \t]*-?{_UNIT}(?!\w)|{_UNIT}(?:[²³]|\^?[23])?(?:/\w+)?(?![\w@]|[.-]\w)|/\s?(?:[mµu]?l|mm3|mm³|hpf|lpf|hour|day|min|dl|kg|m2|m²)\b|[%°‰µ$€£])",
    re.IGNORECASE,
)
# laboratory values and settings of machines, whose numbers have no unit at times
_LAB_BEFORE = re.compile(
    r"(?:\b(?:platelets?|plts?|thrombo\w*|wbc|wcc|rbc|leu[ck]o\w*|neutro\w*|anc|alc|lympho\w*|eosino\w*|ferritin\w*|ck|cpk|ldh|lipase|amylase|ast|alt|ggt|alp|troponin\w*|trop|tn[it]|hs-?tn[it]?|bnp|nt-?pro-?bnp|d-?dimers?e?|afp|cea|psa|hcg|β-?hcg|beta-?hcg|bhcg|"
    r"ca(?:\s?(?:19-?9|125|15-?3|27-?29|72-?4))?|chromogranin\w*|cga|calcitonin|thyroglobulin|tg|ige|igg\d?|crp|esr|procalcitonin|pct|viral\s+load|vl|copies|cd4|count|b12|folate|vitamin\s+\w+|iron|tibc|acth|prolactin|testosterone|cortisol|hba1c|ebv|cmv|hbv|hcv|hiv|dna|rna|agatston|calcium\s+score|cac(?:s|\s+score)?|"
    r"volume|vol|dlp|dose|mass|weight|wt|index|titre|titer|mean|median|sd|total|sum|cost|price|level|te|tr|ti|matrix|fov|ww|wl|window|hu|iso|iec|ieee|astm|nema|icd(?:-?\d+)?(?:-?cm)?|cpt|hcpcs|snomed(?:\s?ct)?|sct|loinc|radlex|rid|umls|cui|ops|drg|ebm|goä|nct|pmid|doi|omim|mim|tarmed|mkn|version|software|syngo|build|release|firmware|chr|energies|kev)"
    r"[ \t]*(?:was|is|of|were|at|:|=|<|>|~|≈|approx\w*|about|up\s+to|now|from|to|and|then|today|peak\w*|rising|score|value|level|->|→|,|-)*[ \t]*(?:\(?[\d.]+\)?[ \t]*(?:->|→|to|-|–|,|/|and|then)[ \t]*)*\(?)$",
    re.IGNORECASE,
)
_ID_WORDS = (
    r"mrn|mr|hosp\w*|patient|pt|acc(?:ession)?|acct|account|ssn|nhs|chi|policy|member|subscriber|group|visit|encounter|csn|fin|claim|req\w*|spec(?:imen)?|file|chart|folder|dossier|participant|subject|enrol\w+|volunteer|screening|study|licen[cs]e|dea|npi|gmc|"
    r"passport|serial|lot|badge|employee|staff|label|ticket|confirmation|tracking|invoice|receipt|auth\w*|referral|prescription|rx|incident|job|dictation|doc(?:ument)?|medicare|medicaid|insurance|ins|identifier|id|nr|no|num|number|ref|reference|msp|phn|ohip|ramq|carecard|hcn|ihi|dva|crn|ur|urn|rr|cnp|fo|vid|kenn\w*|vers\w*|fall\w*|aufnahme\w*|auftrag\w*|patienten\w*|dossier\w*|case|order|record|registration|reg|unit|barcode"
)
_ID_BEFORE = re.compile(
    rf"\b(?:{_ID_WORDS})\W{{0,3}}(?:(?:no|nr|num|number|id|code|is|was|there|here)\b\W{{0,3}})*$",
    re.IGNORECASE,
)
_STRICT_ID_BEFORE = re.compile(
    r"\b(?:mrn|umrn|emrn|mr\s?(?:\#|no\.?|number)|med(?:ical)?\.?\s?rec(?:ord)?s?\.?\s?(?:no\.?|number|\#)?|(?:hosp|hospital|patient|pt|pat|chart|file|account|acct|case|visit|encounter|record|unit)\s?(?:\#|no\.?|nr\.?|number|num|id)|accession(?:\s(?:no\.?|number|\#))?|acc\s?(?:\#|no\.?)|msp|phn|csn|nhs(?:\s(?:no\.?|number))?|patientennummer|pat\.?-?nr\.?|fallnummer|patiëntnummer|n[°º]\s?(?:de\s)?dossier)[ \t]*(?:[:#=]|is|was)?[ \t]*$",
    re.IGNORECASE,
)

_GENES = word_set("""
    brca1 brca2 her2 her3 her4 tp53 p53 cdkn2a cdkn2b pik3ca mlh1 msh2 msh6 pms2 idh1 idh2 ros1 ntrk1
    ntrk2 ntrk3 fgfr1 fgfr2 fgfr3 vegfr vegfr2 ctla4 pdl1 pd1 smad4 stk11 keap1 arid1a bap1 mdm2 cdk4
    cdk6 cdk12 sox10 sox11 gata3 ttf1 napsina ck7 ck20 ck19 ck5 cdx2 pax8 pax5 wt1 s100 s100b hmb45
    melan mart1 dog1 cd3 cd5 cd10 cd19 cd20 cd23 cd30 cd31 cd34 cd38 cd45 cd56 cd68 cd79a cd99 cd117
    cd138 bcl2 bcl6 muc1 muc5ac ki67 p16 p40 p63 hnf1 hnf1a arx sstr2 sstr sf3b1 jak2 flt3 npm1 runx1
    tet2 asxl1 dnmt3a abl1 bcr kmt2a nf1 nf2 tsc1 tsc2 smarcb1 ini1 brg1 smarca4 foxl2 dicer1 ctnnb1
    pole pold1 palb2 chek2 rad51c rad51d rad51 atm cdh1 men1 sdhb sdhd vhl max tmem127 fh1 flcn tert
    h3k27m h3k27 h3f3a brafv600e v600e nkx2 nkx3 apoe apoe4 mthfr serpina1 hfe cftr col3a1 fbn1 acta2
    smad3 tgfbr1 tgfbr2 lmna mybpc3 myh7 scn5a kcnq1 hsd17b13 pnpla3 glut1 pdx1 igg1 igg2 igg3 igg4
    cea72 ca125 ca199 ca153 b2m il2 il6 il10 il17 tnf hla scl70 pr3 mpo anti ssa ssb lrp4 musk gad65
    aqp4 mog igf1 igfbp3 cyp2c19 cyp2d6 cyp3a4 dpyd ugt1a1 g6pd c282y h63d factor2 gpiib
    mammaprint oncotype dx21 covid19 sarscov2 h1n1 h5n1 h7n9 hpv16 hpv18 htlv1 hsv1 hsv2 hhv8 o157 o157h7
    gleason10 chads2 cha2ds2 abcd2 abcd3 timi3 phq9 phq2 gad7 t2star chf1 hba1c a1c spo2 pao2 paco2 fio2
    etco2 svo2 scvo2 tco2 hco3 fev1 fev25 po2 pco2 sao2 h2o nh3 caco3 feso4 mgso4 kcl d5w d50w d10w d5ns
    d5lr b12 vitd3 vitb12 omega3 coq10 t3 t4 ft3 ft4 tsh3 pth12 folfox6 mfolfox6 folfiri3 rchop21
    chop21 chop14 abvd2 imrt3 3dcrt 2drt 4dct 2d 3d 4d mp2rage 3dflair pc3d suv41 mip3d
""")  # fmt: skip
_PREFIXES = word_set("""
    ca cd il ck hla ig igg iga igm b bv br hc hr qr fc i j t c l s d th lw bw hw lwk bwk hwk sk tvb
    img im se ser series image images slice sl seq st stage grade gr seg segment zone level station
    q x n m r p g pt pn pm ct yp rp yt cn cm v pl ly ln lns covid sars rads birads lirads pirads tirads
    lungrads orads lr pr br bi li pi ti nirads cadrads suv suvmax hu te tr ti ti fa nex b kv kvp ma mas kev
    ef lvef fev fvc dlco ph po pco fio spo hb hgb hct wbc plt inr crp esr psa afp cea bun cr na k cl
    gcs nihss asa ecog kps who nyha ccs figo timi aspects mrs wells meld apache sofa apgar bmi bp hr rr
    fr ga gauge row slice day days week weeks wk month months year years yr yo mo hr hrs min sec h d w y
    mm cm ml cc mg mcg kg g u iu mmol mci mbq gy cgy mgy msv dlp ctdi ctdivol fov ww wl wk pod hd dol
    cycle c phase dose lesion target nodule tumor tumour mass cyst node le re rt lt right left no nr
    type class tx rx dx hx fx vs aka am pm utc lm lad rca lcx om pda ivc svc pa ap lat pal rao lao cran
    caud nct rid icd cpt rtog eortc nsabp swog ecog calgb gog keynote checkmate impower recist irecist
    mrecist pet pct percist lugano iso hl dicom fhir pacs ris va vb ve xa xr vc vd ne nz mk abt amg bms
    gsk ly pf sar ro azd incb tak jnj bay tc ga lu fdg dota psma fapi mibg mdp dtpa sestamibi mag
    hdl ldl vldl hcv hbv hiv hpv ebv cmv hsv htlv hhv rsv pcv ppsv mmr tdap v2 n95 kn ffp o2 co2 h2
    xl xp xt xe ac as de ml mf sd cad fh gd cine flair dwi adc swi tof gre fse tse haste vibe lava
    dixon mdixon ideal star t2star mra mrv mrcp cta ctv ctp cxr axr kub us ivus oct ffr ifr rfr pfr
    e f ekv ge bpm fe o a ns lr ep tra cor sag ax bh fb fs tir blade spc twist fl gr dyn pre post arr nav ox sn ax aox aaox plcom
""")  # fmt: skip
_MACHINES = frozenset({"pc", "ws", "srv", "pacs", "ris", "prn", "host", "wks"})
_I = re.IGNORECASE
_TOKENS: tuple[re.Pattern[str], ...] = (
    re.compile(r"[A-Z]{2,4}[1-9]\d?|[A-Za-z]{2,12}-[A-Z]?\d{1,2}[a-z]?|(?:[01]\d|2[0-3])[0-5]\d[-–](?:[01]\d|2[0-3])[0-5]\d"),  # PHQ-9, clock to clock
    re.compile(r"(?:18|19|20)\d\d(?:s|er|ern)?(?:[-/–](?:(?:18|19|20)?\d\d))?(?:s)?"),  # years
    re.compile(r"\d{1,2}(?::|h)\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:[-–]\d{1,2}(?::|h)\d{2})?(?:hrs?|h|uhr|am|pm|a|p|z|uur)?|(?:[01]\d|2[0-4])[0-5]\d(?:[-–](?:[01]\d|2[0-4])(?:00|15|30|45))?(?:hrs?|h|am|pm|a|p|z|uhr)?|\d{1,2}(?:am|pm|a|p)[-–]\d{1,2}(?:am|pm|a|p)", _I),
    re.compile(r"(?:[CTLSDO]|Th|BWK?|LWK?|HWK?|SWK?|Co)\d{1,2}(?:(?:[-/–]|bis)(?:[CTLSDO]|Th|BWK|LWK|HWK|SWK|Co)?\d{1,2})*", _I),
    re.compile(r"[aAmcrpuyP]{0,4}(?:T(?:is|x|\d[a-d]?(?:mi|\d)?)|N(?:x|\d(?:mi|sn|[a-d])?(?:sn)?)|M(?:x|\d[a-d]?\d?)|L\d|V\d|Pn\d|R[012xX]|G[1-4xX]|S\d|E?MVI[+-]?|D\d)(?:(?:\([\w+/,-]+\)|[,/.-])?[rpcyau]{0,3}(?:T(?:is|x|\d[a-d]?)|N(?:x|\d(?:mi|[a-d])?)|M(?:x|\d[a-d]?\d?)|L\d|V\d|Pn\d|R[012xX]|G[1-4xX]|S\d))*"),
    re.compile(r"G\d{1,2}(?:P|T)\d{1,4}(?:(?:A|L|M|AB|SAB|TAB|EC)\d{1,2})*|P\d{1,2}\+\d|\d{1,2}\+\d(?:/7)?|\d{1,2}w(?:ks?|eeks)?\s?\+?\d(?:d|days)?", _I),
    re.compile(r"[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}[!*+]?|[A-TV-Z]\d\d[-–][A-TV-Z]\d\d"),  # ICD-10
    re.compile(r"(?:p\.|c\.|g\.|m\.|n\.)?\(?[ACDEFGHIKLMNPQRSTVWY]\d{1,4}(?:[ACDEFGHIKLMNPQRSTVWYX*]|fs\*?\d*|del|dup|ins)|(?:p\.)?[A-Z][a-z]{2}\d{1,4}[A-Z][a-z]{2}|c\.\d{1,5}\w*|(?:del|t|inv|dup|add|ins|i|der)?\d{1,2}[pq]\d{0,2}(?:\.\d+)?(?:[/-]?\d{1,2}[pq]\d{0,2})?(?:del)?|exon\d{1,2}"),
    re.compile(r"(?:\d{1,3}m?[-–]?(?:Tc|I|F|Ga|Lu|In|Xe|Tl|Rb|Cu|Zr|Y|Ra|Sm|Sr|Th|Ac|C|N|O|H|P|Kr|Re|Ir|Cs|Co|Pd)|(?:Tc|I|F|Ga|Lu|In|Xe|Tl|Rb|Cu|Zr|Y|Ra|Sm|Sr|Ac|C|N|O|P|Kr|Re|Ir|Cs|Co|Pd)[-–]?\d{1,3}m?)(?:[-–/]?(?:FDG|DOTA\w*|PSMA(?:[-–]?\d{1,4})?|MDP|HDP|MIBI|MAA|DTPA|MAG3?|DMSA|FAPI\w*|FES|NaF|MIBG|HMPAO|FET|FDOPA|DOPA|RBCs?|WBCs?|PET|PIB)|[-–][A-Za-z]{3,}(?:[-–]\d{1,4})?)*"),
    re.compile(r"[A-Z][a-z]{0,2}\d{2}[a-z]{0,2}\d?(?:[\\/]\d)?(?:[/,+][A-Z][a-z]{1,2}\d{2}[a-z]?\d?)*|FC\d{2}|q(?:[AO]?\d{1,2}(?:-\d{1,2})?)(?:h|hrs?|d|w|wk|wks|mo|min|pm)?|x\d{1,4}[a-z]{0,4}|b\d{1,4}(?:[/,-]\d{2,4})*|[WLC][-–]?\d{2,4}|[A-Z]{1,3}\d(?:[,-]\d)+|G?\d{1,2}P\d{1,4}|[A-Za-z]{0,5}(?:cm|mm|m|kg)[23]|T[12][a-z*+]\w{0,6}|(?:ADC|DWI|b|TRACEW?|T[12]\w?)_\w{1,8}|PS3\.\d{1,2}\w?|EA\d{4}|[vV]?\d{1,2}(?:\.\d{1,2}){1,3}[a-z]?\d?|[vV]20[12]\d|[VXNR][A-Z]\d{2}[A-Z]?(?:[_-]?(?:SP|HF)\d+)?|CT\d{3}(?:HD)?|MR\d{3}w?|\d{2,3}(?:HD|AS|DE|S|W|w|XT|X)\+?"),
    re.compile(r"\d{2,3}s?(?:[-–]\d{2,3}s?)?/\d{2,3}s?(?:[-–]\d{2,3}s?)?s|1:\d{1,7}|\d{1,3}(?:[,'’ ]\d{3})+(?:\.\d+)?|\d{1,5}[.,]\d{1,4}|\d{1,2}[-–]\d{1,2}[-–]\d{1,2}(?=-)|10\^?-?\d{1,2}|\d(?:[.,]\d+)?[eE][+-]?\d{1,2}"),
    re.compile(r"(?:1?\d?1st|1?\d?2nd|1?\d?3rd|\d{1,3}th|\d{1,2}(?:er|e|ème|eme|de|ste|º|ª))(?:[-–/](?:\d{1,2}(?:st|nd|rd|th)?|[a-z]+))*", _I),
    re.compile(r"\d{1,3}[-–]?(?:year|yr|y|yo|y/o|month|mo|week|wk|day|d|hour|hr|min|jahre?|jähriger?|jährige[nrs]?|jarige?|ans|años)s?(?:[-–](?:old|olds|ago|long|f|m))?(?:[-/]?[fm])?|\d{1,3}[-–]?[MFmfwW]", _I),
    re.compile(r"(?:[A-Za-z]{1,3}\d?RADS|(?:BI|LI|PI|TI|NI|O|VI|CAD|Lung|Node|C)[-–]?RADS(?:®|v?\d)?)[-–/]?[A-Z]{0,2}\d?[A-Za-z]?(?:[-–/+,](?:[A-Z]?\d?[A-Za-z]?))*|(?:LR|PR|TR)[-–](?:\d|M|TIV|TR|NC)[a-c]?(?:[/-]\d)?", _I),
    re.compile(r"NCT\d{8}|RID\d{1,6}|PMC?ID:?\d{6,8}|(?:rs|NM_|NP_)\d{4,9}(?:\.\d+)?|(?:RTOG|EORTC|NSABP|SWOG|ECOG|CALGB|ACOSOG|GOG|NRG|KEYNOTE|CheckMate|IMpower|NCIC|HALT|CROSS|JCOG|PROFILE|AGITG|TROG|BIG|PACIFIC|ISO|IEC|DIN|NEMA|AAPM|ICRU|ICRP|CKD|EPI|MDRD)[-–_]?[A-Z]?\d{1,5}(?:\.\d+)?(?:[-–:/]\d{1,4})*[A-Za-z]{0,3}|(?:MK|ABT|AMG|BMS|GSK|LY|PF|SAR|RO|AZD|INCB|TAK|JNJ|BAY|MEDI|DS|PSMA|EN|TG|PS|CAP|SOP)[-–]\d{1,5}", _I),
)  # fmt: skip
_CLOSED = 4  # from here on the forms are nobody's id even where a pattern takes them for one
_CODE_SYSTEM = re.compile(
    r"\b(?:snomed(?:[\s-]?ct)?|sct|loinc|radlex|cpt|hcpcs|icd(?:-?1?[019](?:-?\w{2,3})?)?|umls|cui|nct|pmid|doi|omim|ops|ebm|iso|iec|din|ieee|astm|nema|en)\s?(?:codes?|no\.?)?\s?[:#]?\s?\(?(?:[\w.]+\s?[,+/&]\s?)*$",
    re.IGNORECASE,
)
_SIZES = re.compile(
    rf"{_N}\s?(?:mm|cm|m)?(?:\s?[x×*]\s?{_N}\s?(?:mm|cm|m)?)+(?:[-–]?{_UNIT})?(?:[²³23])?",
    re.IGNORECASE,
)
_IMAGE_BEFORE = re.compile(
    r"\b(?:images?|imgs?|ims?|series|ser?|slices?|sl|frames?|bilder?|serie|coupes?)\b[\s\d/,;:#&.()–-]*$",
    re.IGNORECASE,
)
_EXAM_BEFORE = re.compile(
    r"\b(?:cta?|ldct|mr[iaecp]*|us|xr|x-?ray|ultrasound|ultrasonography|mammo\w*|pet|scan|nm|dexa|spine|breast|screening|exam)\b[^\n]*\((?:\w{5}\s?[/,+&]\s?)*$",
    re.IGNORECASE,
)
_PRESSURES = re.compile(r"[~<>]?\d{2,3}/\d{2,3}(?:[-–/]\d{2,3}(?:/\d{2,3})?)*")
_VENTILATION = re.compile(
    r"(?:\b(?:ac|simv|cmv|prvc|imv|vc|pc|psv?|bi-?pap|vent\w*|settings?|abgs?|vbgs?|gas|te|tr|ti|flip|matrix|lytes|chem\s?\d|bmp|ratio|rate|i/o|in/out|uop)\b[^\n\d]{0,8})(?:[\d./x-]+[ ,>]*){0,2}$",
    re.IGNORECASE,
)
_CAPITALS_BEFORE = re.compile(r"(?:^|[\s:#.])([A-Z]{2,5})[ ]$")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SHIFT = re.compile(r"(?:[01]\d|2[0-4])(?:00|15|30|45)[-–](?:[01]\d|2[0-4])(?:00|15|30|45)")


def find_unexplained(text: str) -> Iterator[Hit]:
    """Numbers and codes long enough to be somebody's that nothing clinical explains; doubtful.

    After a label such as "MRN" short ones count too, and they are sure.
    """
    for start, end in _tokens(text):
        token = text[start:end]
        digits = sum(map(str.isdigit, token))
        letters = sum(map(str.isalpha, token))
        if is_long(token, digits, letters):
            if not is_explained(text, start, end, digits, letters) and not is_value(
                text, start, end, labelled=True
            ):
                start, end = _with_letters(text, start, end)
                labelled = digits > 2 and _ID_BEFORE.search(text, max(0, start - 30), start)
                yield Hit("ID", start, end, bool(labelled))
        elif digits >= 3 and _STRICT_ID_BEFORE.search(text, max(0, start - 32), start):
            yield Hit("ID", start, end)
    yield from _find_groups(text)


def _with_letters(text: str, start: int, end: int) -> tuple[int, int]:
    """A long number with the odd capitals before it and the two letters after: "TNMC 58814"."""
    if not text[start:end].isdigit():
        return start, end
    before = _CAPITALS_BEFORE.search(text, max(0, start - 8), start)
    if before and not _is_prefix(before[1]) and lexicon().kind(fold(before[1])) == "u":
        start = before.start(1)
    return start, end


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the tokens that hold a digit."""
    done = 0
    for digit in _NUMBER.finditer(text):
        start = digit.start()
        if start < done:
            continue
        while start > done and not text[start - 1].isspace():
            start -= 1
        for match in _TOKEN.finditer(text, start):
            done = match.end()
            if done > digit.start():
                yield match.span()
                break


def is_long(token: str, digits: int, letters: int) -> bool:
    """Whether a token is long enough to be somebody's own."""
    if letters:
        return len(token) >= 5
    return digits >= 6 or (digits == 5 and len(token) == 5)


def is_explained(text: str, start: int, end: int, digits: int, letters: int) -> bool:
    """Whether a token is a value, a level, a stage, a score, a gene... by its form and context."""
    token = text[start:end]
    if any(one.fullmatch(token) for one in _TOKENS) or fold(token) in _GENES:
        return not _goes_back(token)
    if _is_billed(text, start, end):
        return True
    if letters == 0:
        return _number_is_explained(text, start, end, digits)
    if re.match(r"\d{3}(?!\d)", token) and re.search(
        r"(?<!\d)\d{1,3}[ \xa0]$", text[max(0, start - 4) : start]
    ):
        return True  # 250 000/µl
    if _SIZES.fullmatch(token):
        return True
    if digits <= 7 and not re.search(r"(?<![\d.,])0\d", token) and _VALUE_UNIT.fullmatch(token):
        return True
    if _LAB_BEFORE.search(text, max(0, start - 40), start) and digits <= 6:
        return True
    return _parts_are_explained(token, digits)


def _is_billed(text: str, start: int, end: int) -> bool:
    """Whether five digits in brackets after an examination's name are its code: "CT CHEST (71260)"."""
    line = text[max(text.rfind("\n", 0, start), start - 70, 0) : start]
    return (
        end - start == 5
        and _EXAM_BEFORE.search(line) is not None
        and re.match(r"(?:\s?[/,+&]\s?\w{5})*\)", text[end : end + 20]) is not None
    )


def _goes_back(token: str) -> bool:
    """Whether four digits after four others are no later hour: "1103-0042"."""
    hours = re.fullmatch(r"(\d{4})[-–](\d{4})", token)
    if hours is None or _SHIFT.fullmatch(token) or _YEAR.fullmatch(hours[1]):
        return False
    return not 0 < int(hours[2]) - int(hours[1]) < 1000


def _number_is_explained(text: str, start: int, end: int, digits: int) -> bool:
    token = text[start:end]
    if _CODE_SYSTEM.search(text, max(0, start - 24), start) or _is_billed(text, start, end):
        return True
    if token.isdigit():
        if _UNIT_AFTER.match(text, end) and (token[0] != "0" and digits <= 7):
            return True
        if token.endswith("000") and token[0] != "0" and len(token.rstrip("0")) <= 3:
            return True
        return (
            digits <= 8
            and token[0] != "0"
            and _LAB_BEFORE.search(text, max(0, start - 40), start) is not None
        )
    parts = _PARTS.split(token)
    if any(len(part) > 4 for part in parts):
        return (
            digits <= 9
            and bool(re.fullmatch(r"\d{1,6}[.,]\d{1,3}|\d{1,6}[-–]\d{1,6}", token))
            and (
                _UNIT_AFTER.match(text, end) is not None
                or _LAB_BEFORE.search(text, max(0, start - 40), start) is not None
            )
        )
    if _UNIT_AFTER.match(text, end) and digits <= 8:
        return True
    ranges = re.split(r"[-–/x×*:]", token)
    if all(re.fullmatch(r"\d{1,4}(?:[.,]\d{1,3})?", one) for one in ranges) and any(
        "." in one or "," in one for one in ranges
    ):
        return True  # ranges and ratios of decimals
    if any(len(part) > 2 and part[0] == "0" for part in parts):
        return False
    if _VENTILATION.search(text, max(0, start - 40), start) or _IMAGE_BEFORE.search(
        text, max(0, start - 40), start
    ):
        return True
    if _PRESSURES.fullmatch(token) and digits <= 10 and _falls(token):
        return True
    if len(parts) == 2:
        return _is_range(parts, token)
    if len(parts) == 3 and "/" in token and all(int(part) % 10 == 0 for part in parts[1:]):
        return int(parts[0]) % 10 == 0  # b 50/400/800
    return len(parts) >= 4 and all(len(part) <= 3 for part in parts) and "/" in token


def _falls(token: str) -> bool:
    """Whether each pair of a blood pressure falls: 120/80-130/85."""
    return all(
        50 <= int(high) <= 300 and int(low) < int(high)
        for high, low in re.findall(r"(\d+)/(\d+)", token)
    )


def _is_range(parts: list[str], token: str) -> bool:
    low, high = int(parts[0]), int(parts[1])
    if "/" in token:
        return low % 5 == high % 5 == 0 and not _YEAR.fullmatch(parts[1])
    if len(parts[0]) == len(parts[1]) == 3:
        return low < high
    return low < high and low % 10 == 0 and high % 10 == 0


def _parts_are_explained(token: str, digits: int) -> bool:
    """Whether each part between joining signs is a word, a short number, or both as in "CK7"."""
    if digits > 5 and "_" not in token:
        return False
    parts = [part for part in _PARTS.split(token) if part]
    years = [part for part in parts if _YEAR.fullmatch(part)]
    if years and any(part.isdigit() and part not in years for part in parts):
        return False
    compound = not re.search(r"[^\w-]|_", token)  # a word of any language beside a gene or a number
    capital = any(part.isalpha() and part.isupper() for part in parts)
    brief = max(map(len, re.findall(r"\d+", token)), default=0) < 3
    for part in parts:
        if fold(part) in _GENES:
            continue
        for run in _RUNS.findall(part):
            if run.isdigit():
                alone = run == part
                most = (
                    4 if alone and "_" not in token and (not capital or _YEAR.fullmatch(run)) else 3
                )
                if len(run) == 4 and "_" in token and run.startswith("00"):
                    continue  # the number of a file or series
                if (len(run) > most and not _YEAR.fullmatch(run)) or (
                    len(run) > 1 and run[0] == "0" and len(run) + capital > 2
                ):
                    return False
            elif not _is_prefix(run, alone=brief and run == part) and not (
                compound and run == part and run.islower() and len(run) > 3
            ):
                return False
    return True


def is_value(text: str, start: int, end: int, *, labelled: bool) -> bool:
    """Whether what a pattern took for a code is clinical: a value with its unit, working hours, a
    nodal station; or, where no label introduces it, of a closed form such as a gene's."""
    token = text[start:end]
    if re.fullmatch(r"\d{1,2}[RLrl][is]?", token):
        return re.search(r"station\s?$", text[max(0, start - 9) : start], re.I) is not None
    if re.match(r"[.,]\d", text[end : end + 2]) and end - start <= 3:
        return True
    if _is_tag(text, start, end) or _is_round_range(text, start):
        return True
    if re.fullmatch(r"T\d{5}", token) and re.match(r"[ ,/]{1,2}M\d{5}", text[end : end + 9]):
        return True  # topography and morphology
    if re.fullmatch(r"M\d{5}", token) and re.search(
        r"T\d{5}[ ,/]{1,2}$", text[max(0, start - 9) : start]
    ):
        return True
    if _SHIFT.fullmatch(token) or re.fullmatch(r"\d{1,3}[.,]\d{1,2}", token):
        return True
    if re.fullmatch(r"\d{1,4}", token):
        return bool(_UNIT_AFTER.match(text, end))
    if labelled:
        return False
    if _CODE_SYSTEM.search(text, max(0, start - 24), start):
        return True
    last = token.split()[-1]
    if len(last) < 5 or last.isdigit() or last.isalpha():
        return False
    digits = sum(map(str.isdigit, last))
    return any(one.fullmatch(last) for one in _TOKENS[_CLOSED:]) or (
        digits <= 6 and "/" in last and _UNIT_AFTER.match(text, end) is not None
    )


def _is_tag(text: str, start: int, end: int) -> bool:
    """Whether a code is a half of a DICOM tag "(0008,103E)"."""
    around = text[max(0, start - 6) : end + 6]
    tag = re.search(r"\([0-9A-Fa-f]{4},\s?[0-9A-Fa-f]{4}\)", around)
    return tag is not None and text[start:end] in tag.group()


def _is_round_range(text: str, start: int) -> bool:
    """Whether a range of round numbers begins here, such as "950-1050" after "ref"."""
    span = re.match(r"(\d{2,4})[-–](\d{2,4})(?![\d-])", text[start : start + 10])
    return (
        span is not None
        and int(span[1]) < int(span[2])
        and int(span[1]) % 50 == int(span[2]) % 50 == 0
        and not _YEAR.fullmatch(span[1])
    )


def _is_prefix(run: str, *, alone: bool = False) -> bool:
    low = fold(run)
    if low in _PREFIXES or (alone and len(run) <= 4 and run != low and low not in _MACHINES):
        return True
    camel = re.findall(r"[A-Z][a-z]{2,}", run)
    if alone and len(camel) > 1 and "".join(camel) == run:
        return all(lexicon().kind(fold(one)) == "w" for one in camel)
    return len(run) > 2 and lexicon().kind(low) == "w"


def _find_groups(text: str) -> Iterator[Hit]:
    """Numbers in groups parted by spaces, seven digits or more: "2123 45670 1"."""
    for match in _GROUPS.finditer(text):
        start, end = match.span()
        groups = re.findall(r"\d+", match.group())
        labelled = _STRICT_ID_BEFORE.search(text, max(0, start - 30), start) is not None
        letters = re.match(r"[A-Z]{2,} ?", match.group())
        if (
            letters
            and not labelled
            and (_is_prefix(letters.group().strip()) or _ID_BEFORE.match(letters.group()))
        ):
            start += letters.end()
        if sum(map(len, groups)) < (5 if labelled else 7) or not any(
            map(str.isspace, text[start:end])
        ):
            continue
        if labelled or not _groups_are_values(groups, text, start, end):
            yield Hit("ID", start, end, labelled)


def _groups_are_values(groups: list[str], text: str, start: int, end: int) -> bool:
    if any(len(g) > 1 and g[0] == "0" for g in groups):
        return False
    if _UNIT_AFTER.match(text, end) or _VENTILATION.search(text, max(0, start - 40), start):
        return True
    if _LAB_BEFORE.search(text, max(0, start - 40), start):
        return True
    if max(map(len, groups)) <= 3:
        return len(groups) > 4 or len({len(g) for g in groups}) > 1 or len(groups) < 3
    return all(_YEAR.fullmatch(g) or len(g) <= 2 for g in groups)
