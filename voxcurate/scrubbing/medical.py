# ruff: noqa: E501 -- tables of expressions read best with one expression per line
"""Medical text that looks like an identifier and must stay: measurements, levels, stages, doses."""

import re

from voxcurate.scrubbing.pattern import UNITS

_N = r"\d+(?:[.,]\d+)?"
_I = re.IGNORECASE
_SCORES = (
    r"segments?|couinaud|zones?|levels?|stations?|stages?|grades?|type|class|category|bi-?rads|li-?rads|lr|pi-?rads|ti-?rads|"
    r"lung-?rads|o-?rads|cad-?rads|vi-?rads|ni-?rads|gleason|bosniak|asa|ecog|aspects|nyha|figo|tnm|child-?pugh|meld|gcs|apgars?|"
    r"grade\s+group|isup|deauville|lugano|fleischner|kellgren|modic|pfirrmann|gustilo|salter-harris|garden|aast|who"
)
PROTECTED: tuple[re.Pattern[str], ...] = (
    re.compile(rf"(?<![\w.]){_N}(?:\s*(?:mm|cm)?\s*(?:x|×|by|\*|-|–|to|/)\s*{_N}){{0,3}}[ \t]*-?{UNITS}(?:/\w+)?(?![\w@]|\.\w)", _I),
    re.compile(r"\b[CTLSDctls](?:1[0-2]|[1-9])(?:\s?(?:[-/–]|to)\s?[CTLSctls]?(?:1[0-2]|[1-9]))*\b"),
    re.compile(r"(?<!c-)\b(?:images?|img|series|ser|se|im|slices?|sequence|phase|frames?|sections?|key\s+image|views?|fig(?:ure)?s?|tables?|levels?)\s*(?:#|no\.?|numbers?|:)?\s*\d+(?:\s*(?:[-/,&–]|and|to|of|through)\s*\d+)*(?!\d|-\d)", _I),
    re.compile(rf"\b(?:{_SCORES})\s*(?:score|segment|no\.?|of)?\s*[-:]?\s*(?:[IVX]+|\d+)[abcf]?(?:\s*(?:[-/,+–=]|and|to)\s*(?:[IVX]+|\d+)[abcf]?)*\b", _I),
    re.compile(rf"\b(?:te|tr|ti|fov|sd|hu|suv(?:max)?|psa|afp|cea|egfr|creatinine|wbc|hgb|hct|plt|inr|bun|ef|lvef|hounsfield(?:\s+units?)?|bp|hr|rr|sat|sats|spo2|o2|temp|ph|abg|vbg|vent|peep|fio2|bipap|cpap|gcs)\s*(?:of|=|:|is|was|value)?\s*-?\d{{1,4}}(?:[.,]\d+)?(?:\s?[-/]\s?{_N})*\b", _I),
    re.compile(r"\bb(?:[\s=-]|\svalues?\s(?:of\s)?)?\d{2,4}(?:\s?[-/,]\s?\d{2,4})*\b"),
    re.compile(r"\b[rpcy]{0,3}T(?:\d|is|x)[a-d]?\s?(?:N[\dx][a-c]?)?\s?(?:M[\dx][a-c]?)?\b"),
    re.compile(rf"\b{_N}\s?/\s?{_N}\s*(?:strength|motor|power|pain|murmur|segments?|lobes?|nodes?|ln|lymph|cores?|vessels?|systolic|pulses|points?|cm|mm)\b", _I),
)  # fmt: skip

# beside a name it makes a disease, a sign or a device of it
MEDICAL_NOUN = re.compile(
    r"(?:['’]?s)?(?:[ ](?:and|or)[ ]\w+|[-–]\w+|[ ]\w+)?(?:\s|-)(?:disease|syndromes?|lymphoma|procedure|operation|resection|"
    r"duct|pouch|fascia|space|node|nodule|nodes|score|class|grade|stage|criteria|segments?|classification|tumou?r|"
    r"sarcoma|hernia|diverticulum|ligament|line|lines|lesion|fracture|ulcer|sign|cyst|esophagus|oesophagus|scale|index|"
    r"type|ring|capsule|triangle|cells?|units?|catheter|balloon|anastomosis|loop|fundoplication|stump|category|bodies|body|"
    r"canal|foramen|ampulla|matter|lobe|thyroiditis|macroglobulinemia|carcinoma|gastrectomy|pugh|criterion|nodes?|stent|"
    r"malformation|deformity|contracture|palsy|phenomenon|dystrophy|ataxia|test|maneuver|manoeuvre|reflex|position|"
    r"incision|approach|technique|tube|drain|filter|device|clamp|retractor|prosthesis|valve|graft|shunt|flap|graft|"
    r"spots?|patch|plaques?|crisis|disorder|thyroid|chorea|dementia|rule|equation|formula|stain|protocol|guidelines?|"
    r"gastroplasty|pancreaticoduodenectomy|hepatectomy|dissection|artery|vein|fissure|sulcus|gland|glands|membrane|"
    r"tuberosity|nodularity|metastasis|virus|toxin|bacillus|purpura|anemia|anaemia|sphincter|groove|recess|cartilage|"
    r"solution|lactate|scan|ct|mri|angiogram|tendon|defect|aneurysm|ray|bruit|murmur|respirations?|breathing|coma)\b",
    re.IGNORECASE,
)  # fmt: skip

# beside any name at all, though no list knows it as an eponym
STRONG_NOUN = re.compile(
    r"(?:['’]s?)?(?:[ ](?:and|or|&)[ ][A-Z][^\W\d_]+(?:['’]s)?)?[ -](?:disease|syndromes?|lymphoma|procedure|operation|resection|duct|pouch|"
    r"fascia|space|node|nodes|score|scores|class|grade|grading|stage|staging|criteria|criterion|segment|classification|tumou?r|sarcoma|"
    r"hernias?|diverticul(?:um|a)|ligament|lines?|lesion|fractures?|ulcer|signs?|cysts?|o?esophagus|scale|index|ring|capsule|triangle|"
    r"triad|tetrad|pentad|cells?|catheter|balloon|anastomosis|loop|fundoplication|stump|category|bodies|canal|foramen|ampulla|thyroiditis|"
    r"carcinoma|gastrectomy|stent|malformation|deformity|contracture|palsy|phenomenon|dystrophy|ataxia|maneuver|manoeuvre|reflex|"
    r"incision|technique|tube|drains?|filter|device|clamp|retractors?|forceps|needle|wires?|cannula|sheath|prosthesis|valve|graft|shunt|"
    r"flap|spots?|patch|plaques?|crisis|disorder|chorea|dementia|rule|equation|formula|stain|gastroplasty|pancreaticoduodenectomy|"
    r"hepatectomy|septum|effect|configuration|angle|nodul(?:e|arity)|plane|zone|depth|system|method|spine|tubercle|crest|muscle|trunk|bundle|"
    r"arcade|plexus|process|fissure|sulcus|glands?|membrane|tuberosity|sphincter|groove|recess|cartilage|solution|lactate|tendon|defect|"
    r"murmur|respirations?|staple|mesh|screw|nail|rod|plate|cage|frame|bag|trocar|port|reservoir|pump|swallow|questionnaire|scoring|"
    r"type\s(?:[IVX]+|\d)|positive|negative|modification|nomogram|calculator|model|paralysis|neuralgia|neuropathy|encephalopathy|virus|"
    r"views?|focus|foci|fingers?|relaxation|liner|cup|templating|marks?|infraction|baseline|node|"
    r"variant|biplane|field|grid|chart|vest|harness|cast|casting|screening|stem|blue|red|tonometry|tubercle|injury|injuries|contrast|"
    r"\w+(?:plasty|ectomy|otomy|ostomy|pexy|rrhaphy|desis|suspension|metry))(?:e?s)?\b"
)  # fmt: skip

# endings of clinical words and of drugs
CLINICAL = re.compile(
    r"(?:itis|oma|omas|osis|oses|emia|aemia|ectomy|ectomies|ostomy|otomy|ectas[ie]s|graphy|gram|grams|scop[yi]e?s?|"
    r"scopic|algia|uria|pathy|pathic|plasty|megaly|penia|plegia|paresis|rrhage|rrhagic|rrhea|lysis|lytic|trophy|"
    r"trophic|genic|pril|olol|statin|mycin|micin|cillin|azole|[mz]umab|tinib|sartan|dipine|tidine|prazole|cycline|"
    r"oxacin|azepam|parin|xaban|gliptin|gliflozin|setron|triptan|barbital|platin|taxel|rubicin|ation|ations|itic|"
    r"otic|osed|tomy|ically|ability|ization|isation|eous|iform|aceous|ness|ment|ments|tion|tions|sion|sions|ism|ology|"
    r"ological|opic|metry|heid|keit|ungen|ischen?|scher|isch)$"
)
