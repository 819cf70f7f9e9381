"""Words around names: titles, labels, verbs, degrees, relatives; and what never begins a name."""

from voxcurate.scrubbing.wordlist import word_set

TITLES = word_set("""
    dr drs doctor mr mrs ms miss mx prof professor herr herrn frau fr mme madame monsieur mlle
    mevr mevrouw mw dhr meneer mijnheer sr sra senor senora sig sir rev reverend sgt capt lt judge
    dra docteur dott fra dres hrn frl pan pani mister missus sgra shri smt kum
""")
SOFT_TITLES = word_set("""
    fr sir rev judge lt capt sgt sr sra pan pani fra sig ms mx mw
""")  # words or short forms too
PARTICLES = word_set("""
    ap ab ferch i v van von de der den del della di da dos das du la le el al bin ben ibn abu
    ter ten te 't zu
    zur af av st st. mac mc y e op het o d' ni nic ui ua
""")
SUFFIXES = frozenset(["jr", "sr", "ii", "iii", "iv"])
DEGREES = word_set("""
    md m.d do phd rn np pa pa-c crnp frcr frcpc facr mbbs mbchb mrcp frcs frca lpn lvn cna rrt
    dpm dds dmd dc rmo dnb abnm mdrd cdces frcem fracp franzcr mrcs frcp frcophth frcpath mrcgp
    bds lcsw msw aprn arnp fnp cnm cns dnp facs facc facp pharmd psyd mph msc bsc mba cnp rdms
    rvt edd jd esq ccc-slp slp otr dpt
""")
SHORT_DEGREES = frozenset(
    ["do", "np", "pa", "rn", "dpt", "jd", "otr", "slp"]
)  # want a comma or a name before

# before "by": somebody did it
BY_VERBS = word_set("""
    dictated transcribed signed read interpreted reviewed approved verified reported performed
    attested finalized finalised requested ordered referred authorized authorised supervised seen
    examined evaluated assessed accompanied followed attended entered typed written prepared
    checked authored assisted confirmed brought given administered placed obtained called managed
    treated told notified informed discussed admitted discharged consulted edited cosigned
    co-signed countersigned recorded completed done scanned acquired witnessed collected e-signed
    esigned paged contacted driven visited raised adopted dictated/signed electronically
""")
WITH_VERBS = word_set("""
    discussed discuss spoke spoken speak talked talk communicated reviewed conversation conferred
    conference follow-up followup up fu met meeting meet consulted consultation appointment appt
    phone telephone call lives living here conjunction confirmed arranged together case plan
    results findings coordinated left visiting stays staying agreement visit check touch
""")
TO_VERBS = word_set("""
    reported communicated conveyed relayed spoke given called telephoned paged faxed referred
    results discussed message sent handed report endorsed married talked phoned transmitted
    emailed dictated forwarded copied findings verbally result presented addressed thanks thank
    directed assigned introduced speak talk listened signed delivered verbal directly
""")
KIN = word_set("""
    wife husband daughter son mother father brother sister spouse partner fiance fiancee
    girlfriend boyfriend niece nephew uncle aunt cousin friend neighbor neighbour granddaughter
    gdtr ggdtr ggson gson husb hubby bro sis pastor rabbi imam priest doula medic lawyer landlord
    grandson guardian mom dad mum nurse dtr dtrs gf bf brother-in-law sister-in-law ex-wife
    mother-in-law father-in-law son-in-law daughter-in-law ex-husband
""")
FOREIGN_KIN = word_set("""
    dochter zoon moeder vader broer zus echtgenote echtgenoot fille fils mari epouse mere pere frere
    soeur hija hijo esposa esposo marido madre padre hermana hermano figlia figlio moglie marito
    sorella fratello filha filho mae pai irma irmao sobrina sobrino nuera yerno nicht neef
""")
OBJECT_VERBS = KIN | word_set("""
    call page ring email e-mail text ask tell notify inform contact thx ta cheers texted emailed
    chaperone attender attendant clerk scribe escort lpn cna msw cm sn bcn anp spr sho sonographer
    maiden nee formerly alias notified informed paged contacted telephoned phoned named attn
    attention dear cc aka nee geb
    geboren genannt called told asked updated per hi hello hallo hai hoi beste geachte cher chere
    thanks regards sincerely groet groeten intern nurse nurses rn np pa chaplain sister wife
    husband daughter son mother father brother spouse partner fiance fiancee girlfriend boyfriend
    niece nephew uncle aunt cousin friend neighbor neighbour granddaughter grandson guardian
    caregiver roommate mom dad mum grandmother grandfather sibling twin stepson stepdaughter
    stepfather stepmother child kid colleague attending resident fellow surgeon radiologist
    technologist sonographer cardiologist oncologist neurologist urologist pathologist hospitalist
    pcp internist gastroenterologist pulmonologist nephrologist psychiatrist dochter zoon moeder
    vader broer zus echtgenote echtgenoot client patient patientin paciente ehefrau ehemann
    tochter sohn mutter vater bruder schwester kollege kollegin verpleegkundige huisarts
    psychiater begeleider maatje fille fils mari epouse epoux infirmiere medecin pt pharmacist
    therapist physiotherapist counselor interpreter paramedic secretary clerk tech operator
    dentist optometrist midwife matron consultant registrar
""")
LABELS = word_set("""
    patient name physician provider attending resident fellow radiologist technologist dictator
    author surgeon assistant assistants anesthesiologist anaesthetist nurse rn pcp md cc attn
    attention from to reader cosigner signed dictated transcribed transcriptionist signature
    signee contact kin nok guardian proxy spokesperson mother father wife husband son daughter
    sister brother spouse partner consultant clinician doctor arzt oberarzt chefarzt assistenzarzt
    radiologe patientin naam nom prenom nombre paciente medico medecin arts huisarts behandelaar
    verwijzer radioloog client surname forename firstname lastname alias initials operator
    manip manipulateur manipulatrice interne externe secretaire schreibkraft sekretariat infermiere
    operateur operatrice tecnico redacteur redactrice assistent medewerker laborantin laborant
    performed reviewed read interpreted verified approved by pathologist sonographer tech
    cardiologist consultants dr copies copy next-of-kin hcp witness informant interpreter
    caregiver vorname nachname voornaam achternaam betreft ansprechpartner gp registrar referrer
    requester requested referring ordering authorizing responsible reporter investigator staff
    completed
""")
PERSON_VERBS = word_set("""
    reports reported denies denied states stated presented presents complains complained lives
    lived called says said tolerated ambulated underwent feels felt returned came arrived agreed
    refused requested expressed verbalized wants wanted asked told went works worked smokes drinks
    describes described endorses endorsed admits understands understood remains resting sleeping
    awoke woke ate slept followed visits visited continues needs takes took agrees recommends
    recommended notified aware spoke performed dictated reviewed interpreted signed advised
    suggested confirmed discussed has had is was will would who does did can heeft kwam gaat geeft
    zegt vertelt wil belt woont berichtet klagt lebt hat wurde et a est presente thinks believes
    wishes acknowledged completed gave weighed thought improved recovered attended received
    developed sustained suffered fell recalls noticed needed prefers insists hopes plans consented
    declined brought scored walked experienced met sees saw likes turned weighs
    shouted started stopped reviews recalled worries worried lost gained requests uses used drove
    drives moved tried
""")
WEAK_VERBS = word_set("""
    has had is was will would who does did can hat wurde et a est heeft
""")
AFTER_WAS = word_set("""
    covering calling coming asking working staying waiting visiting away off back keen happy
    worried anxious comfortable drowsy copied unwell
    born admitted discharged brought transferred referred evaluated examined informed notified
    paged called consulted contacted diagnosed hospitalized treated intubated extubated present at
    a an the here very alert not able unable told given his her started also then taken scheduled
    followed under in on doing previously aware concerned last found
""")
WEAK_BEFORE = word_set("""
    by with to from and for per via told asked saw of met said says see thanks under
""")

# after "was": what is done to people only
DONE_TO_PEOPLE = word_set("""
    born admitted discharged brought transferred referred diagnosed hospitalized informed notified
    intubated extubated told paged
""")
# what a capital or a label before it does not make a name
STOP = word_set("""
    bye at on by and or in is was has for of the to from with who via date time mrn dob age sex
    findings finding impression ct mri mr comparison technique history indication exam no there
    radiology department clinic surgery oncology team service emergency ed er icu md phd this that
    he she they it his her their our your my we you i a an as but if so not none unknown left
    right chest abdomen pelvis head neck spine brain dear please thank thanks re regarding
    sincerely regards address phone tel fax room ward bed unit status signed electronically
    dictated transcribed attending resident physician provider patient name male female procedure
    report study study's series image conclusion plan assessment discharge admission hospital
    medical center family course note summary diagnosis medications allergies labs vitals january
    february march april may june july august september october november december monday tuesday
    wednesday thursday friday saturday sunday dr mrs ms prof doctor nurse page pager id number
    accession account reason clinical information interpretation und der die das den dem des mit
    von vom zum bei het een van de en les pour dans une
""")  # fmt: skip
SHORT_FORMS = word_set("""
    ct mr mri us pet xr pa ap ed er icu or iv im po pr sc bp hr rr o2 md rn np do hx dx tx rx sx
    fx pt ot st ms dm htn cad chf copd uti dvt pe afib mi cva tia gi gu ent obgyn ob gyn cabg pci
    ef bmi wbc rbc hgb hct plt na cl bun cr ast alt alp inr ptt lmp edd ega cxr kub ekg ecg eeg
    emg tte tee lad rca lcx svc ivc pcp ccu micu sicu nicu picu pacu tcu rehab snf ltac dnr dni
    prn bid tid qid qd qhs hs ac pc ng og peg picc lul lll rul rll rml ruq luq rlq llq hu suv fdg
    adc dwi flair gre stir mra cta mrcp ercp bal tnm nsclc sclc hcc rcc tcc ipmn pnet gist all aml
    cll cml nhl hiv hbv hcv tb mrsa vre cdiff usa uk eu am pm ok ro s/p w/o nad aox perrl eomi
    ctab rrr nt nd bs cn lvef lv rv la ra as ar mvr avr asd vsd pfo pda vp vps tbi sah sdh edh ich
    ivh acl pcl mcl lcl tka tha orif acr nccn recist cc hpi pmh psh fh sh ros vs imp dc sob cp n/v
    doe ha loc gcs nihss tpa tnk io ivf ns lr d5w kcl tpn npo ada ldl hdl tsh psa cea afp ca icd
    cpt dicom pacs ris his emr ehr hipaa fax tel ext id mrn dob ssn acc ref re doa dod dos sig ste
    fy st ct spr str sho ho ssg apt ave rd blvd nos nec bi li ti pi rads vii viii iii vi ix xi xii
    ii xiv hcpc ccrc franzcr fmcr rpps
""")  # fmt: skip

# never part of a name, unless the lists know it as one
NO_NAME = LABELS | OBJECT_VERBS | BY_VERBS | WITH_VERBS | TO_VERBS
# between a title and its name: "Dr. med. Weiss"
BETWEEN = word_set("med ing dent phil drs ir kollege kollegin collega confrere")
# after these a name is likelier than after the other verbs
STRONG_VERBS = KIN | word_set("""
    dear named pt hi hello hallo hai hoi beste geachte aka nee attn cc notified paged informed
    contacted regards sincerely intern
""")
# between a verb and the name: "discussed with the resident Smith"
ROLES = TITLES | word_set("""
    the both nurse rn resident fellow attending surgeon intern consultant colleague is physician
    np pa chirurg collega collegae kollege kollegin confrere heer
""")
# after a name and "to": "Voss to review"
DUTIES = word_set("""
    review follow see call discuss chase attend sign book arrange speak contact inform scrub operate
    consent supervise cover present refer visit drive come bring decide confirm advise
""")
