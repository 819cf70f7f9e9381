# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Places of care of many countries, by the word for such a place beside a name."""

import re

from voxcurate.scrubbing.forms import first_words, one_of
from voxcurate.scrubbing.name_words import KIN, SHORT_FORMS
from voxcurate.scrubbing.pattern import UPPER, Pattern, pattern
from voxcurate.scrubbing.vocabulary import fold, lexicon
from voxcurate.scrubbing.wordlist import word_set

# words that every place of care may have beside its kind: they are no name
GENERIC = word_set("""
    a an the this that our their his her your my same another other any some no each every all outside local
    prior previous new old current recent referring nearby private public free acute chronic primary secondary tertiary
    general medical surgical clinical hospital clinic center centre ctr unit ward department dept division
    service services emergency urgent intensive critical care health healthcare community regional county
    city state national district municipal metropolitan university teaching academic training research
    cancer oncology cardiac cardiology cardiothoracic cardiovascular heart vascular thoracic chest lung
    pulmonary respiratory renal kidney dialysis urology urologic nephrology liver hepatic hepatology
    gastrointestinal gastroenterology gi digestive endocrine endocrinology diabetes diabetic thyroid
    neurology neurological neurosurgery neuro neurosciences brain spine spinal stroke orthopaedic
    orthopedic orthopedics trauma burn burns fracture bone joint pain rheumatology dermatology skin eye
    ophthalmology ent ear nose throat dental oral maxillofacial plastic breast women womens women's
    children childrens children's pediatric paediatric neonatal newborn maternity obstetric obstetrics
    gynecology gynaecology gyn antenatal prenatal fetal fertility geriatric elderly senior psychiatric
    psychiatry mental behavioral rehabilitation rehab physical occupational speech therapy nursing home
    skilled assisted living long term extended hospice palliative infusion imaging radiology radiological
    diagnostic diagnostics nuclear interventional ct mri pet ultrasound xray x-ray laboratory lab
    pathology blood transfusion transplant anticoagulation coumadin wound ostomy sleep allergy immunology
    infectious disease hiv travel vaccine preop pre-op preoperative postoperative post-op day outpatient
    inpatient ambulatory walk-in follow-up followup family internal medicine surgery practice group
    associates partners office high step down stepdown recovery operating observation isolation private
    multidisciplinary joint virtual telephone review consultant team nurse led and of for in at to from
    with on by via or der die das des de du la le les van het een und et y e her was is has had be been
    go going went come back sent seen called she he they it patient pt until after before then still
    large small left right upper lower main central north south east west medicine weight loss memory
    number cataract tumor tumour board bariatric colorectal robotic minimally invasive abdominal pelvic head neck
    dc d/c dispo plan awaiting accepted bed alone independent residential locked men's mens women's
    hepatobiliary upper-gi lower interventional ground first second third floor
    subacute sub-acute acute short level total hip knee continuing care visiting vna pulm ortho peds
    transferred discharged admitted referred presented arrived returned transfer discharge
    nodule nodules asthma copd tb tuberculosis lipid lipids hypertension syncope arrhythmia device pacemaker hernia
    incidental lump polyp aneurysm sarcoma lymphoma myeloma melanoma gout obesity headache migraine epilepsy
    seizure movement falls frailty swallow voice fistula hepatitis cirrhosis genetics amputee
    paed paeds gastro resp haem onc uro vasc specialist specialists outpatients outpatient's neurosurgical
""")
_HEAD = one_of("care", "head")
_HEAD_WORDS = first_words(_HEAD)
_WEAK_HEADS = word_set(
    "scans memorial surgery drugs house hall court unit ward wing suite medical medicine health fire eye cardiology oncology radiology imaging urology dermatology gynecology center centre lodge manor diagnostic pc lab labs school college veterans rehab nursing dialysis practice group diagnostics"
)
_SMALL_HEADS = one_of("care", "small_heads")
_SAINT = r"(?:St\.?|Saint|Sankt|Sint|Sta\.?|Santa|San|Mount|Mt\.?|Our Lady of)"
_W = rf"(?!(?:Signed|Seen|Dr|Mr|Mrs|Ms|Prof|MD|RN|CNS|SpR|Address|Tel|Fax|Date|Ref|Re)\b){UPPER}(?:[\w'’-]|\.(?=\w))*"
_FOREIGN = one_of("care", "foreign")
_FOREIGN_STARTS = first_words(_FOREIGN)
_FOREIGN_CAPITALS = one_of("care", "foreign_capitals")
NOT_SITES = word_set(
    "mg ml mm cm right left bilateral none no yes normal deny denies negative positive alert awake and with of the"
)
_FIELD = re.compile(r"(?:logi[ae]|iatri[ae]|urgi[ae])$")  # "Ambulatorio di Epatologia"
_LINK = one_of("care", "link")
_ENDINGS = one_of("care", "endings")


def _is_named(text: str, start: int, end: int) -> bool:
    """Whether a place of care has a name of its own beside words that any may have."""
    words = [word for word in re.split(r"[\s,&]+", fold(text[start:end]).replace("’", "'")) if word]
    own = [
        word
        for word in words[:-1]
        if word.strip(".") not in GENERIC and word.strip(".") not in SHORT_FORMS
    ]
    if not own:
        return False
    if words[-1].strip(".") in _WEAK_HEADS:
        known = lexicon()
        clinical = {
            "dose",
            "contrast",
            "scan",
            "report",
            "image",
            "images",
            "study",
            "findings",
            "technique",
        }
        if any(word in clinical for word in own):
            return False
        return any(
            known.foreign_kind(word) != "w" or word in known.places for word in own
        ) or _is_inside(text, start)
    return True


def _is_inside(text: str, start: int) -> bool:
    """Whether what stands before speaks of a place: "at", "from", "to" ."""
    return (
        re.search(
            r"\b(?:at|from|to|by|via|the|en|au|in|in\s+the|of|bei|aus)\s$|[@,(|]\s?$",
            text[max(0, start - 8) : start],
        )
        is not None
    )


def _is_small_place(text: str, start: int, end: int) -> bool:
    words = fold(text[start:end]).split()
    if any(word.rstrip("s").rstrip("'’") in KIN for word in words):
        return False  # "her daughter's house"
    head = (
        2
        if " ".join(words[-2:])
        in ("rest home", "nursing home", "care home", "group home", "assisted living")
        else 1
    )
    own = words[:-head]
    if not own or any(
        word in ("the", "a", "an", "this", "that", "and", "for", "was", "with", "of", "no")
        for word in own
    ):
        return False
    return any(
        word.strip(".") not in GENERIC
        and (
            lexicon().foreign_kind(word) != "w"
            or word in lexicon().places
            or word
            in (
                "st",
                "st.",
                "mt",
                "mercy",
                "phoenix",
                "grace",
                "oak",
                "maple",
                "hill",
                "glen",
                "valley",
                "river",
                "lake",
                "green",
                "park",
                "bridge",
                "brook",
                "wood",
            )
        )
        for word in own
    )


def _is_site(text: str, start: int, end: int) -> bool:
    """Whether what a label such as "Dept:" introduces is a name, not only a kind of department."""
    words = re.findall(r"[^\W_]+", text[start:end])
    lows = [fold(word) for word in words]
    if any(low in NOT_SITES for low in lows):
        return False
    own = [low for low in lows if low not in GENERIC and low not in SHORT_FORMS and len(low) > 1]
    mixed = any(re.search(r"[^\W\d_]", low) and re.search(r"\d", low) for low in own)
    return mixed or any(
        lexicon().foreign_kind(low) != "w" and low not in lexicon().eponyms
        for low in own
        if low.isalpha()
    )


def _is_saintly(text: str, start: int, end: int) -> bool:
    """Whether "St" is a saint's, whom reports do not know as a valve or a herb."""
    words = fold(text[start:end]).split()
    if words[-1].strip("'’") in ("valve", "wort", "jude", "elevation", "depression", "segment"):
        return False
    return not any(word in GENERIC or word in SHORT_FORMS for word in words[1:2])


def _is_ward(text: str, start: int, end: int) -> bool:
    words = fold(text[start:end]).split()
    known = lexicon()
    own = words[:-1]
    return all(word not in GENERIC for word in own) and any(
        known.foreign_kind(word) != "w" and word not in known.eponyms for word in own
    )


def _is_acronym(text: str, start: int, end: int) -> bool:
    low = fold(text[start:end])
    return lexicon().foreign_kind(low) == "u" and low not in SHORT_FORMS and low not in GENERIC


def _is_strange(text: str, start: int, end: int) -> bool:
    word = fold(text[start:end].split()[-1])
    return (
        lexicon().foreign_kind(word) in "un"
        and word not in lexicon().eponyms
        and word not in SHORT_FORMS
    )


def _head_end(text: str, start: int, end: int) -> int:
    """Where the kind of place ends, before "for Endocrine Surgery" or ", PLLC"."""
    tail = re.search(r"\s(?:for|of)\s|,\s|\s(?:No\.?\s)?\d", text[start:end])
    if tail is None:
        return end
    head = text[start : start + tail.start()]
    return start + tail.start() if re.search(rf"{_HEAD}$", head) else end


def _is_place_of_care(text: str, start: int, end: int) -> bool:
    if "\n" in text[start:end]:
        return False
    stop = _head_end(text, start, end)
    tail = re.split(r"[\s,]+", fold(text[stop:end]).strip(" ,"))
    if re.search(r"\bNo\.?\s\d", text[stop:end]) or (
        tail[0] == "of" and tail[-1] in ("pllc", "llc", "llp")
    ):
        return True
    return _is_named(text, start, stop)


CARE: tuple[Pattern, ...] = (
    pattern("INSTITUTION", rf"(?<![\w-])(?P<x>(?:{_W}[ ]){{1,3}}(?:clinic|hospital|pharmacy|rehab|hospice|nursing home|rest home|care home|detox|surgery|practice|infirmary|snf|ER|ED))(?!\w)", 0, near="clinic hospital pharmacy rehab hospice home detox surgery practice infirmary snf er ed", check=lambda text, start, end: _is_named(text, start, end) and _is_inside(text, start), sure=False),
    pattern("INSTITUTION", rf"(?<![\w-])(?P<x>(?:The[ ])?(?:(?:{_W}|St\.)[ ](?:(?:of|and|&|for|the)[ ])?){{0,4}}{_HEAD}(?:[ ](?:for|of)[ ]{_W}(?:[ ](?!On|In|At|The){_W}){{0,2}})?(?:[ ](?:No\.?[ ])?\d{{1,3}})?(?:,\s(?:PLLC|LLC|LLP|Inc\.?|P\.?C\.?|a\.s\.|GmbH))?)(?![\w-])(?!\s(?:[Cc]ourse|[Ss]tay|[Dd]ay))", 0, near=_HEAD_WORDS, check=_is_place_of_care, sure=False),
    pattern("INSTITUTION", rf"(?<![\w-])(?P<x>{_FOREIGN}(?:[ ]{_LINK}){{0,2}}(?:[ ]|(?<=['’])){_W}(?:(?:[ -]{_LINK}){{0,2}}[ -]{_W}){{0,4}}(?:,\s(?:a\.s\.|s\.r\.o\.|GmbH|S\.A\.))?)", 0, starts=_FOREIGN_STARTS, check=lambda text, start, end: "\n" not in text[start:end] and any(word not in GENERIC and lexicon().foreign_kind(word) != "w" and not _FIELD.search(word) for word in re.split(r"[\s.,-]+", fold(text[start:end]))[1:] if len(word) > 2), sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:{UPPER}[^\W\d_]+\s){{1,3}}(?:[Kk]eskus|[Yy]liopistollinen\s)?(?:[a-zäöå]*{_ENDINGS}|(?:Devlet|Üniversite(?:si)?|Eğitim|Şehir|Özel)?\s?(?:Hastanesi|Hastanesine|Tıp Merkezi|Sağlık Ocağı|Kórház|Szpital|Bolnica|Hospitalet)))(?!\w)", 0, shape=r"(?:sairaala|terveys|palvelutalo|sjukhus|sykehus|sygehus|haus|klinik|ziekenhuis|gasthuis|spital|heim|hospital|lasarett|Hastane|Merkez|Oca|rház|Szpital|Bolnica)", check=lambda text, start, end: any(lexicon().foreign_kind(fold(word)) != "w" for word in text[start:end].split()[:-1]), sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:(?:Ward|WARD|Afdeling|Station|Unit|Unité|Unidad|Reparto|Service)[ ]{UPPER}[a-zà-ÿ]{{3,}}(?:[ ]{UPPER}[a-zà-ÿ]{{3,}})?))(?!\w)", 0, starts="ward afdeling station unit unite unidad reparto service", check=lambda text, start, end: all(lexicon().foreign_kind(fold(word)) in "unb" for word in text[start:end].split()[1:]), sure=False),
    pattern("INSTITUTION", rf"\b(?i:unit[ée]|service|ward|station|pavillon|pabell[óo]n|padiglione)\s(?P<x>{UPPER}[a-zà-ÿ]+(?:\s{UPPER}[a-zà-ÿé]+)?)(?=\s?[).,;\n])", 0, starts="unite unit service ward station pavillon pabellon padiglione", check=_is_strange, sure=False),
    pattern("INSTITUTION", r"\b(?:to|from|at|@|out\s+to|on)\s(?P<x>[a-z]{4,}\s\d{1,2}[a-z]?)(?=\s?(?:[.,;)\n]|$|(?:for|when|bed|written|today|tonight|tomorrow|once|after|if|in|at|this|via|per|now|this)\b))", 0, starts="to from at out on", check=lambda text, start, end: lexicon().foreign_kind(fold(text[start:end].split()[0])) in "nu" and lexicon().foreign_kind(fold(text[start:end].split()[0])) != "w", sure=False),
    pattern("INSTITUTION", r"(?:\b(?:to|from|at|via|f/u|by|of|the|with|seen|near|outside|in)\s|[@(,;]\s?|\.\s)(?P<x>(?:[a-z'.-]{2,}\s){1,3}" + _SMALL_HEADS + r")(?!\w)", 0, near=first_words(_SMALL_HEADS), check=_is_small_place, sure=False),
    pattern("INSTITUTION", r"\b(?i:loc|location|ward|dept|department|facility|site|nursing unit|pt loc|hospice|dme|pharmacy|vendor|agency|employer|school|church|insurance|insurer|payer|payor|lab|campus|hosp|hospital|practice|clinic|organi[sz]ation|institution|sender|ordering location|performed at|location of exam)[ ]?:[ ]{0,3}(?P<x>[A-Z\d][^\n|;:,]{1,40}?)(?=[ ]{2}|[ ]*(?:\n|$|\||;|,))", 0, starts="ward hospice dme pharmacy vendor agency employer school church insurance insurer payer payor lab loc location dept department facility site nursing pt campus hosp hospital practice clinic organisation organization institution sender ordering performed", check=_is_site, sure=False),
    pattern("INSTITUTION", r"(?<![^\n])(?P<x>[A-Z]{2,5})[ ](?=(?i:radiology|imaging|department|dept|medical|diagnostic|hospital|teleradiology|emergency)\b)", 0, near="radiology imaging department dept medical diagnostic hospital teleradiology emergency", check=_is_acronym, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:AZ|UZ|ZNA|ASZ|MC|MCL|UMC|CHU|CHR|CHI|CHIREC|GZA|OLV|SJG|KH|UK|KSW|LKH|KBC|SPZOZ)[ ](?:(?:Sint|St\.?|Sankt)[- ])?{UPPER}[a-zà-ÿ]{{3,}}(?:-{UPPER}[a-zà-ÿ]+)?)(?!\w)", 0, starts="az uz zna asz mc mcl umc chu chr chi chirec gza olv sjg kh uk ksw lkh kbc spzoz", check=_is_strange, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>{_FOREIGN_CAPITALS}(?:[ ](?:DI|DE|DEL|DELLA|DA|DO|DOS|DAS|DU|LA|LE|SAN|SANTA|SANTO|ST\.?|SAINT|SINT|SANKT|DER|AM|IM|AN))*[ ][A-ZÀ-Þ'’-]{{3,}}(?:(?:[ ](?:DI|DE|DEL|DELLA|DU|DES|LA|LE|D['’]))*[ ][A-ZÀ-Þ'’-]{{3,}}){{0,3}})(?=[ ]*(?:\n|$|[-–|,(\x01/.\"”]|[ ]{{2}}))", 0, starts="ospedale hopital clinique klinikum krankenhaus klinik praxis universitatsklinikum ziekenhuis hospital clinica policlinico istituto centro centre szpital nemocnice", sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>(?:Our Lady of(?: the)?|Saint|Sainte|St\.?|Holy|Sacred)[ ](?!Vincent['’]s[ ]dance){UPPER}[a-zà-ÿ'’]{{2,}}(?:[ ]{UPPER}[a-zà-ÿ'’]{{2,}}){{0,2}})(?!\w|[ ](?:valve|wort|disease))", 0, starts="our saint sainte st holy sacred", check=_is_saintly, sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>{UPPER}[a-zà-ÿ'’]{{3,}}(?:[ ]{UPPER}[a-zà-ÿ]{{2,}})?[ ](?:ward|unit|wing|suite|lounge|house|day unit))(?!\w)", 0, near="ward unit wing suite lounge house", check=_is_ward, sure=False),
    pattern("INSTITUTION", r"\b(?P<x>(?:walgreens?|cvs|rite aid|wal-?mart|costco|kroger|publix|safeway|tesco|sainsbury['’]?s|superdrug|asda|aldi|lidl|waitrose|morrisons|woolworths|chemist warehouse|starbucks|mcdonald['’]?s|quest diagnostics|labcorp|lincare|apria)(?:[ ](?:pharmacy|store))?(?:[ ]?#?[ ]?\d{2,5})?)(?![\w-])", starts="walgreen walgreens cvs rite wal walmart costco kroger publix safeway tesco sainsbury sainsburys superdrug asda aldi lidl waitrose morrisons woolworths chemist starbucks mcdonald mcdonalds quest labcorp lincare apria", sure=False),
    pattern("INSTITUTION", rf"(?<!\w)(?P<x>{_SAINT}\s{UPPER}[a-zà-ÿ'’]+(?:\s(?:Neurosciences|Hospice|Hospital|House|Lodge|Ward|Unit|Clinic|Surgery|Medical|Health|Campus|Nursing))(?:\s{_W})?)(?!\w)", 0, starts="st saint sankt sint sta santa san mount mt our", sure=False),
    pattern("INSTITUTION", r"\b(?:at|from|to|@|via|in)\s(?P<x>[A-Z]{1,3}(?:MC|GH|UH|MH|RH|CH|RI|HC|HS|MCH|HSC|VA))(?![\w-])", 0, starts="at from to via in", check=lambda text, start, end: fold(text[start:end]) not in SHORT_FORMS and text[start:end] not in ("PCH", "ICH", "LMC", "ACH", "IH", "DCH", "BRI", "MRI", "FMRI", "CRI"), sure=False),
    pattern("INSTITUTION", r"\|\s?(?P<x>[A-Z]{2,4})\s?(?=\|\s?(?:\d|\x01))", 0, shape=r"\|\s?[A-Z]{2,4}\s?\|", check=lambda text, start, end: fold(text[start:end]) not in SHORT_FORMS and lexicon().foreign_kind(fold(text[start:end])) == "u", sure=False),
    pattern("INSTITUTION", rf"\b(?:team|seen|admitted|scan(?:ned)?|imaging|performed|done|transferred|transfer|repatriat\w+|referred|follow-up|clinic|colleagues|airlift(?:ed)?|discharged|d/c|theatre|registrar|SpR|consultant|on-call|treated|operated|worked\sup|admission|stay)\s(?:up\s|back\s|over\s)?(?:at|to|from)\s(?P<x>{UPPER}[a-zà-ÿ]{{4,}})(?=\s?[.,;()\n]|\s(?:for|on|in|with|and|where|who|because)\b|$)", 0, starts="team seen admitted scan scanned imaging performed done transferred transfer repatriated repatriation referred follow clinic colleagues airlift airlifted discharged d theatre registrar spr consultant on treated operated worked admission stay", check=_is_strange, sure=False),
)  # fmt: skip
