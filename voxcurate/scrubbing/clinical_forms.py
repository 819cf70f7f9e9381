# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Closed forms of clinical numbers and codes: years, clocks, levels, stages, genes, isotopes, models."""

import re

from voxcurate.scrubbing.wordlist import word_set

GENES = word_set("""
    sato2 satao2 sat02
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
PREFIXES = word_set("""
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
    laa raa perc
    xl xp xt xe ac as de ml mf sd cad fh gd cine flair dwi adc swi tof gre fse tse haste vibe lava
    dixon mdixon ideal star t2star mra mrv mrcp cta ctv ctp cxr axr kub us ivus oct ffr ifr rfr pfr
    e f ekv ge bpm fe o a ns lr ep tra cor sag ax bh fb fs tir blade spc twist fl gr dyn pre post arr nav ox sn ax aox aaox plcom
""")  # fmt: skip
MACHINES = frozenset({"pc", "ws", "srv", "pacs", "ris", "prn", "host", "wks"})
_I = re.IGNORECASE
TOKENS: tuple[re.Pattern[str], ...] = (
    re.compile(r"[A-Z]{2,4}[1-9]\d?|[A-Za-z]{2,12}-[A-Z]?\d{1,2}[a-z]?|(?:[01]\d|2[0-3])[0-5]\d[-–](?:[01]\d|2[0-3])[0-5]\d"),  # PHQ-9, clock to clock
    re.compile(r"(?:18|19|20)\d\d(?:s|er|ern)?(?:[-/–](?:(?:18|19|20)?\d\d))?(?:s)?"),  # years
    re.compile(r"\d{1,2}(?::|h)\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:[-–]\d{1,2}(?::|h)\d{2})?(?:hrs?|h|uhr|am|pm|a|p|z|uur)?|(?:[01]\d|2[0-4])[0-5]\d(?:[-–](?:[01]\d|2[0-4])(?:00|15|30|45))?(?:hrs?|h|am|pm|a|p|z|uhr)?|\d{1,2}(?:am|pm|a|p)[-–]\d{1,2}(?:am|pm|a|p)", _I),
    re.compile(r"(?:[CTLSDO]|Th|BWK?|LWK?|HWK?|SWK?|Co)\d{1,2}(?:(?:[-/–]|bis)(?:[CTLSDO]|Th|BWK|LWK|HWK|SWK|Co)?\d{1,2})*", _I),
    re.compile(r"[aAmcrpuyP]{0,4}(?:T(?:is|x|\d[a-d]?(?:mi|\d)?)|N(?:x|\d(?:mi|sn|[a-d])?(?:sn)?)|M(?:x|\d[a-d]?\d?)|L\d|V\d|Pn\d|R[012xX]|G[1-4xX]|S\d|E?MVI[+-]?|D\d)(?:(?:\([\w+/,-]+\)|[,/.-])?[rpcyau]{0,3}(?:T(?:is|x|\d[a-d]?)|N(?:x|\d(?:mi|[a-d])?)|M(?:x|\d[a-d]?\d?)|L\d|V\d|Pn\d|R[012xX]|G[1-4xX]|S\d))*"),
    re.compile(r"G\d{1,2}(?:P|T)\d{1,4}(?:(?:A|L|M|AB|SAB|TAB|EC)\d{1,2})*|P\d{1,2}\+\d|\d{1,2}\+\d(?:/7)?|\d{1,2}w(?:ks?|eeks)?\s?\+?\d(?:d|days)?", _I),
    re.compile(r"[Aa]nti[-–][A-Za-zαβγ]{1,8}-?\d{0,3}[A-Za-z]?(?:[-/][A-Za-z]{1,5}\d{0,3})?"),  # anti-Jo1
    re.compile(r"[A-Z]{3}\^[A-Z]\d\d(?:\^[A-Z]{3}_[A-Z]\d\d)?"),  # kinds of messages
    re.compile(r"[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}[!*+]?|[A-TV-Z]\d\d[-–][A-TV-Z]\d\d"),  # ICD-10
    re.compile(r"(?:p\.|c\.|g\.|m\.|n\.)?\(?[ACDEFGHIKLMNPQRSTVWY]\d{1,4}(?:[ACDEFGHIKLMNPQRSTVWYX*]|fs\*?\d*|del|dup|ins)|(?:p\.)?[A-Z][a-z]{2}\d{1,4}[A-Z][a-z]{2}|c\.\d{1,5}\w*|(?:del|t|inv|dup|add|ins|i|der)?\d{1,2}[pq]\d{0,2}(?:\.\d+)?(?:[/-]?\d{1,2}[pq]\d{0,2})?(?:del)?|exon\d{1,2}"),
    re.compile(r"(?:\d{1,3}m?[-–]?(?:Tc|I|F|Ga|Lu|In|Xe|Tl|Rb|Cu|Zr|Y|Ra|Sm|Sr|Th|Ac|C|N|O|H|P|Kr|Re|Ir|Cs|Co|Pd)|(?:Tc|I|F|Ga|Lu|In|Xe|Tl|Rb|Cu|Zr|Y|Ra|Sm|Sr|Ac|C|N|O|P|Kr|Re|Ir|Cs|Co|Pd)[-–]?\d{1,3}m?)(?:[-–/]?(?:FDG|DOTA\w*|PSMA(?:[-–]?\d{1,4})?|MDP|HDP|MIBI|MAA|DTPA|MAG3?|DMSA|FAPI\w*|FES|NaF|MIBG|HMPAO|FET|FDOPA|DOPA|RBCs?|WBCs?|PET|PIB)|[-–][A-Za-z]{3,}(?:[-–]\d{1,4})?)*"),
    re.compile(r"[A-Z][a-z]{0,2}\d{2}[a-z]{0,2}\d?(?:[\\/]\d)?(?:[/,+][A-Z][a-z]{1,2}\d{2}[a-z]?\d?)*|FC\d{2}|q(?:[AO]?\d{1,2}(?:-\d{1,2})?)(?:h|hrs?|d|w|wk|wks|mo|min|pm)?|x\d{1,4}[a-z]{0,4}|b\d{1,4}(?:[/,-]b?\d{1,4})*|[WLC][-–]?\d{2,4}|[A-Z]{1,3}\d(?:[,-]\d)+|G?\d{1,2}P\d{1,4}|[A-Za-z]{0,5}(?:cm|mm|m|kg)[23]|T[12][a-z*+]\w{0,6}|(?:ADC|DWI|b|TRACEW?|T[12]\w?)_\w{1,8}|PS3\.\d{1,2}\w?|EA\d{4}|[vV]?\d{1,2}(?:\.\d{1,2}){1,3}[a-z]?\d?|[vV]20[12]\d|[VXNR][A-Z]\d{2}[A-Z]?(?:[_-]?(?:SP|HF)\d+)?|CT\d{3}(?:HD)?|MR\d{3}w?|\d{2,3}(?:HD|AS|DE|S|W|w|XT|X)\+?"),
    re.compile(r"\d{2,3}s?(?:[-–]\d{2,3}s?)?/\d{2,3}s?(?:[-–]\d{2,3}s?)?s|1:\d{1,7}|\d{1,3}(?:[,'’ ]\d{3})+(?:\.\d+)?|\d{1,5}[.,]\d{1,4}|\d{1,2}[-–]\d{1,2}[-–]\d{1,2}(?=-)|10\^?-?\d{1,2}|\d(?:[.,]\d+)?[eE][+-]?\d{1,2}"),
    re.compile(r"(?:1?\d?1st|1?\d?2nd|1?\d?3rd|\d{1,3}th|\d{1,2}(?:er|e|ème|eme|de|ste|º|ª))(?:[-–/](?:\d{1,2}(?:st|nd|rd|th)?|[a-z]+))*|\d/\d(?:rd|th)s?", _I),
    re.compile(r"\d{1,3}(?:/[A-Z][a-z]{3,12})?/[MFmf](?:/[A-Z][a-z]{3,12})?"),  # 70/Malay/F
    re.compile(r"\d{1,3}[-–]?(?:year|yr|y|yo|y/o|month|mo|week|wk|day|d|hour|hr|min|jahre?|jähriger?|jährige[nrs]?|jarige?|ans|años)s?(?:[-–](?:old|olds|ago|long|f|m))?(?:[-/]?[fm])?|\d{1,3}[-–]?[MFmfwW]", _I),
    re.compile(r"(?:[A-Za-z]{1,3}\d?RADS|(?:BI|LI|PI|TI|NI|O|VI|CAD|Lung|Node|C)[-–]?RADS(?:®|v?\d)?)[-–/]?[A-Z]{0,2}\d?[A-Za-z]?(?:[-–/+,](?:[A-Z]?\d?[A-Za-z]?))*|(?:LR|PR|TR)[-–](?:\d|M|TIV|TR|NC)[a-c]?(?:[/-]\d)?", _I),
    re.compile(r"NCT\d{8}|RID\d{1,6}|PMC?ID:?\d{6,8}|(?:rs|NM_|NP_)\d{4,9}(?:\.\d+)?|(?:RTOG|EORTC|NSABP|SWOG|ECOG|CALGB|ACOSOG|GOG|NRG|KEYNOTE|CheckMate|IMpower|NCIC|HALT|CROSS|JCOG|PROFILE|AGITG|TROG|BIG|PACIFIC|ISO|IEC|DIN|NEMA|AAPM|ICRU|ICRP|CKD|EPI|MDRD)[-–_]?[A-Z]?\d{1,5}(?:\.\d+)?(?:[-–:/]\d{1,4})*[A-Za-z]{0,3}|(?:MK|ABT|AMG|BMS|GSK|LY|PF|SAR|RO|AZD|INCB|TAK|JNJ|BAY|MEDI|DS|PSMA|EN|TG|PS|CAP|SOP)[-–]\d{1,5}", _I),
)  # fmt: skip
CLOSED = 4  # from here on the forms are nobody's id even where a pattern takes them for one
