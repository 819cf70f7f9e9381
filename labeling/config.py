"""Settings of the labeling stage: fuse, attend, detect, judge, review, assemble."""

from typing import Literal

from pydantic import Field

from labeling.refine.config import RefineConfig
from labeling.roc.config import RocConfig
from labeling.vision.config import VisionConfig
from voxcurate.chat.engine import EngineConfig
from voxcurate.config import Config

Score = Literal["share", "sum", "per-ml", "per-slice", "voxels"]


class FuseConfig(Config):
    """How the soft predictions of several models become one pseudo label."""

    method: Literal["mean", "staple"] = Field(
        "mean", description="of the probabilities; or STAPLE of what is above the threshold"
    )
    threshold: float = Field(0.5, gt=0, lt=1, description="of the result, and of STAPLE's votes")
    weights: dict[str, float | dict[str, float]] = Field(
        {}, description="model name or id to its weight, or to that of each class; others 1"
    )
    by_quality: bool = Field(
        False,
        description="weigh each model's classes by its median out-of-fold DSC, measured on trusted "
        "labels of train and validation",
    )
    staple_margin_mm: float = Field(
        10.0, ge=0, description="around the votes; farther background makes all models look exact"
    )
    models: tuple[str, ...] = Field((), description="model names or ids to use; empty: all")
    exclude_roles: tuple[str, ...] = Field(
        ("flagship",), description="models of this very round with such a facts.role stay out"
    )
    postprocess: bool = Field(True, description="apply the anatomical rules to pseudo labels")


class AttentionConfig(Config):
    """Attention maps, AbdomenAtlas-8K (arXiv:2305.09666) eqs. 1-4; the defaults are the equations.

    The released code departs from them; `released_attention` gives its settings.
    """

    entropy: Literal["published", "binary"] = Field(
        "published", description="-p ln p (eq. 2), or the entropy of p and 1 - p"
    )
    overlap: Literal["models", "any", "mean"] = Field(
        "models",
        description="eq. 3 within each model; any: of one model with another; mean: between the "
        "thresholded means",
    )
    inconsistency_above: float = Field(0.0, ge=0, description="smaller values become 0")
    uncertainty_above: float = Field(0.0, ge=0, description="smaller values become 0")
    openings: int = Field(0, ge=0, description="erosions, then dilations, of what is above")


class PriorityConfig(Config):
    """What ranks the priority list, and which of its cases people look at."""

    score: Score = Field(
        "share",
        description="share: of strongly attended volume in itself and the organ, of the worst "
        "class; sum: as published, mm3; voxels: as the released code, all with attention",
    )
    rule: Literal["top", "robust", "budget"] = "top"
    budget: int = Field(400, ge=1, description="cases that people have time for; published: 400")
    fraction: float = Field(0.05, gt=0, le=1, description="published: 5 % of the cases")
    robust_z: float = Field(3.5, gt=0, description="of log attention, by median and MAD")


class RulesConfig(Config):
    """The anatomical rules: which files, and how much each kind of violation weighs."""

    anatomy: tuple[str, ...] = Field(
        ("abdomen", "chest", "head_neck", "pelvis"),
        description="files in configs/anatomy, or paths of YAML files",
    )
    weights: dict[str, float] = Field({}, description="rule to its weight, over the defaults")


class DetectConfig(Config):
    """Label errors from test-on-training, rules and shape."""

    threshold: float = Field(0.5, gt=0, lt=1, description="error probability that flags a label")
    prior_n: float = Field(5.0, ge=0, description="weight of the prior in a class's statistics")
    prior_scale: float = Field(0.08, gt=0, description="prior scatter of a class's DSC")
    minimum_n: int = Field(5, ge=2, description="labels needed before a class's DSC counts")
    tot_z: float = Field(3.5, gt=0, description="robust z of a low DSC that means 1/2")
    tot_slope: float = Field(1.5, gt=0, description="of its logistic, per unit of z")
    doubt_z: float = Field(
        3.5, gt=0, description="robust z of the volume that models doubt that means 1/2"
    )
    doubt_slope: float = Field(1.5, gt=0, description="of its logistic, per unit of z")
    shape_z: float = Field(2.0, gt=0, description="oddity of shape and place that means 1/2")
    shape_slope: float = Field(3.0, gt=0, description="of its logistic, per unit")
    wrong_class_margin: float = Field(0.2, ge=0, description="DSC gained by another class")
    missing_probability: float = Field(0.7, gt=0, le=1, description="mean soft value of a find")
    missing_ml: float = Field(0.5, ge=0, description="smallest find that can be missing")
    missing_ml_by_class: dict[str, float] = Field(
        {
            "celiac_trunk": 0.1,
            "superior_mesenteric_artery": 0.2,
            "common_bile_duct": 0.1,
            "pancreatic_duct": 0.1,
            "adrenal_gland_left": 0.3,
            "adrenal_gland_right": 0.3,
        },
        description="the same for small and thin structures, of which half a mL is much",
    )
    regions: bool = Field(
        False,
        description="leave regions out that out-of-fold probabilities contradict in a suspect "
        "label that the judge keeps (docs/audit.md has what that costs)",
    )
    region_from: float = Field(
        0.8,
        ge=0,
        le=1,
        description="noisy-or of the witnesses from which a label's regions are looked for: of "
        "other labels 33 good voxels would go with each wrong one",
    )
    region_ml: float = Field(2.0, gt=0, description="smallest region that is left out")
    region_ml_by_class: dict[str, float] = Field(
        {}, description="the same by class; where nothing is written see `region_share`"
    )
    region_share: float = Field(
        0.08, gt=0, lt=1, description="of the label: a smaller region is left in, whatever its mL"
    )
    region_sure: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="probability inside the label below which, and outside 1 less it above which, "
        "a voxel is contradicted",
    )
    region_depth_mm: float = Field(
        4.0,
        ge=0,
        description="half the least thickness of a region; never below one voxel diagonal. Thinner "
        "ones are borders drawn differently",
    )

    def missing_ml_of(self, class_id: str) -> float:
        """The smallest find of a class that can be missing, mL."""
        return self.missing_ml_by_class.get(class_id, self.missing_ml)

    def region_ml_of(self, class_id: str) -> float:
        """The smallest region of a class that is left out, mL."""
        return self.region_ml_by_class.get(class_id, self.region_ml)


class CommitteeConfig(Config):
    """What the committee learns from reviewed decisions."""

    learn: bool = Field(True, description="off: the weights stay as written")
    minimum: int = Field(30, ge=1, description="reviewed decisions before weights are learned")
    minimum_each: int = Field(5, ge=1, description="of these, of either answer")


ASKING = ("vision", "committee")  # judges that ask a model


class JudgeConfig(Config):
    """The judge that compares candidates for one structure."""

    name: str = Field(
        "anatomy",
        description="of voxcurate.protocols.LABEL_JUDGES: anatomy, without a network; vision, a "
        "vision-language model; committee, all that is known",
    )
    engine: EngineConfig = Field(
        default_factory=EngineConfig, description="the vision-language model; empty: none"
    )
    vision: VisionConfig = Field(default_factory=VisionConfig, description="how it is asked")
    committee: CommitteeConfig = Field(default_factory=CommitteeConfig)
    auto_mend: tuple[str, ...] = Field(
        ("pseudo", "judged"), description="origins that may be replaced without a person"
    )
    mend_probability: float = Field(
        0.8, ge=0, le=1, description="error probability from which an original may be mended"
    )
    mend_confidence: float = Field(
        0.9,
        ge=0.5,
        le=1,
        description="chance of being the better one from which a candidate replaces a label",
    )
    sure: float = Field(
        0.8,
        gt=0,
        le=1,
        description="chance from which a witness is sure; the models and rules or usual shape must "
        "be before a label is removed",
    )
    usual_weight: float = Field(
        0.5, ge=0, description="largest sum of broken rules' weights of a mask that does so"
    )
    usual_oddity: float = Field(2.0, gt=0, description="largest of a mask that mends an original")
    minimum_n: int = Field(5, ge=3, description="trusted labels needed to learn a shape")
    oddity_weight: float = Field(4.0, gt=0, description="log-odds per half squared oddity")
    step_weight: float = Field(
        8.0, ge=0, description="log-odds if the models' probability falls from 1 to 0 at the border"
    )
    margin: float = Field(0.1, ge=0, description="log-odds below which nothing is known")
    similar_dsc: float = Field(
        0.8,
        gt=0,
        le=1,
        description="a label that agrees so well with what is a little better is kept",
    )
    doubt: float = Field(
        0.3, ge=0, le=1, description="rule weight from which a pseudo label is judged"
    )
    absent_score: float = Field(-16.0, description="of an empty mask where the class is in view")
    violation_cost: float = Field(3.0, ge=0, description="log-odds lost per unit of rule weight")

    @property
    def asks_model(self) -> bool:
        """Whether it asks a vision-language model."""
        return self.name in ASKING and bool(self.engine.engine)


class ReviewConfig(Config):
    """What people are asked to look at."""

    budget: int = Field(20, ge=0, description="items of one round")
    priority_share: float = Field(0.25, ge=0, le=1, description="of the budget, from the top")


class AssembleConfig(Config):
    """Which version of a label counts; earlier in `trust` is better.

    ``human`` is a revised or confirmed version. AbdomenAtlas' published order is
    ``[original, human, judged, pseudo]``.
    """

    trust: tuple[str, ...] = ("gold", "human", "original", "judged", "pseudo", "synthetic")
    minimum_dsc: float = Field(
        0.5, ge=0, le=1, description="out-of-fold DSC from which a class's pseudo labels count"
    )
    minimum_labels: int = Field(3, ge=1, description="trusted labels needed to measure it")
    compare: bool = Field(
        True, description="look for voxels that two labels of excluding classes share"
    )


class AnnotationTimeConfig(Config):
    """What people's time is reckoned with: AbdomenAtlas-8K (arXiv:2305.09666) section 3.3."""

    minutes_per_structure: float = Field(
        60.0,
        gt=0,
        description="by hand, one structure of one scan; section 3.3, after Park et al. 2020",
    )
    minutes_per_structure_low: float = Field(
        30.0, gt=0, description="the lower end of Park et al.'s 30 to 60 (footnote 3)"
    )
    minutes_by_class: dict[str, float] = Field(
        {
            "spleen": 29.0,
            "kidney_right": 27.0,
            "kidney_left": 24.0,
            "gall_bladder": 10.0,
            "liver": 40.0,
            "stomach": 32.0,
            "aorta": 21.0,
            "postcava": 28.0,
            "pancreas": 19.0,
        },
        description="by hand, measured: the means of table 4; other classes get their mean",
    )
    minutes_per_revised_scan: float = Field(
        15.0, gt=0, description="to confirm or revise all labels of a scan; section 3.2"
    )
    hours_per_day: float = Field(8.0, gt=0, le=24, description="section 3.3")
    days_per_week: float = Field(5.0, gt=0, le=7, description="section 3.3")
    weeks_per_year: float = Field(52.0, gt=0, le=53, description="section 3.3: 1600 are 30.8 years")


class StatisticsConfig(Config):
    """Who agrees with whom, and how much time was saved."""

    cases: int = Field(
        200, ge=0, description="scans whose predictions and labels are compared; 0: none"
    )
    time: AnnotationTimeConfig = AnnotationTimeConfig()


class LabelingConfig(Config):
    """All settings of the stage."""

    fuse: FuseConfig = FuseConfig()
    attention: AttentionConfig = AttentionConfig()
    priority: PriorityConfig = PriorityConfig()
    rules: RulesConfig = RulesConfig()
    detect: DetectConfig = DetectConfig()
    judge: JudgeConfig = JudgeConfig()
    refine: RefineConfig = RefineConfig()
    roc: RocConfig = RocConfig()
    review: ReviewConfig = ReviewConfig()
    assemble: AssembleConfig = AssembleConfig()
    statistics: StatisticsConfig = StatisticsConfig()


def released_attention() -> AttentionConfig:
    """The settings of AbdomenAtlas' released code, which the paper's equations leave out."""
    return AttentionConfig(
        overlap="mean", inconsistency_above=0.1, uncertainty_above=0.05, openings=2
    )
