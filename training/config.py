"""Settings of training, prediction and evaluation. Budgets are steps, never seconds."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from training.synthetic.config import SyntheticConfig
from voxcurate.config import Config, build, read_yaml, shipped

TECHNICAL = frozenset({"checkpoint_every", "log_every", "device", "compute"})  # of `TrainingConfig`
Triple = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]
Shape = tuple[int, int, int]


class NetworkConfig(Config):
    """A MONAI network below one head per class.

    `channels` are the widths from the finest level down; transformers use the first as feature
    size.
    """

    architecture: Literal["unet", "dynunet", "resenc", "segresnet", "swinunetr", "mednext"]
    channels: tuple[int, ...] = Field((16, 32, 64, 128), min_length=1)
    blocks: Annotated[int, Field(ge=0)] | tuple[Annotated[int, Field(ge=1)], ...] = Field(
        1, description="residual units (unet) or blocks per level; a list: one number per level"
    )
    features: int = Field(16, ge=1, description="width of the last layer, below the classes' heads")
    deep_supervision: int = Field(
        0, ge=0, description="coarser scales that the loss looks at too, halved each time"
    )
    text: str = Field(
        "hashing",
        description="embedder of the classes' names and descriptions, which the heads are made "
        "from: hashing, minilm, a folder of a sentence-transformers model; none: plain heads",
    )


class GridConfig(Config):
    """The grid on which networks work: axes to the right, front and head, body box only."""

    spacing_mm: tuple[Positive, Positive, Positive] | None = Field(
        None, description="none: the median of the training scans, not below floor_mm"
    )
    floor_mm: float | None = Field(
        None, gt=0, description="none: as fine as a patch still shows enough of a scan (planning)"
    )
    windows: tuple[tuple[float, float], ...] = Field(
        ((-160.0, 240.0), (-1000.0, 1500.0)), min_length=1, description="HU, one channel each"
    )
    body_hu: float = Field(-300.0, description="the body is the largest piece above it (CT only)")

    @field_validator("windows")
    @classmethod
    def _rising(cls, value: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if any(low >= high for low, high in value):
            raise ValueError("want windows from a lower to a higher HU")
        return value


NotNegative = Annotated[float, Field(ge=0)]
Share = NotNegative | tuple[NotNegative, NotNegative]  # one, or from the start to the end


class MixConfig(Config):
    """Data mix: share of the samples by kind, one number or ``[start, end]`` of the run.

    Kinds without data give theirs to `labelled`.
    """

    labelled: Share = 0.45
    selective: Share = Field(0.3, description="labelled, drawn where the loss was high")
    unlabeled: Share = Field(0.0, description="self-supervision on scans as they are")
    synthetic: Share = Field(0.0, description="tumours grown in healthy organs")
    replay: Share = Field(0.25, description="from the memory of earlier rounds")


class SelectiveConfig(Config):
    """How selective samples find hard places without starving a class or chasing wrong labels."""

    by_class: float = Field(
        0.3, ge=0.05, le=1, description="share that takes the classes in turn, each at its hardest"
    )
    clip: float = Field(
        0.95,
        gt=0,
        le=1,
        description="quantile of the losses above which a loss counts no more: "
        "the very worst places are often wrong labels",
    )
    cap: float = Field(
        8.0, ge=1, description="a place is drawn at most so many times as often as the average"
    )
    forget: float = Field(0.3, gt=0, le=1, description="weight of a new loss against the old one")


class RestorationConfig(Config):
    """Self-supervision: how raw scans are spoiled for the network to restore.

    `blocks` and `genesis` are shares of the samples; the rest holds within Models Genesis, whose
    published probabilities are the defaults.
    """

    blocks: float = Field(0.5, ge=0, description="masked-volume reconstruction")
    genesis: float = Field(0.5, ge=0, description="restoration after Models Genesis")
    block: int = Field(8, ge=1, description="voxels a side that are hidden at a time")
    hidden: float = Field(0.5, gt=0, lt=1, description="share of the blocks that is hidden")
    curve: float = Field(0.9, ge=0, le=1, description="probability of an intensity curve")
    shuffle: float = Field(0.5, ge=0, le=1, description="probability of local pixel shuffling")
    shuffled: float = Field(0.5, ge=0, le=1, description="share of the cells that is shuffled")
    paint: float = Field(0.9, ge=0, le=1, description="probability of painting")
    inner: float = Field(0.2, ge=0, le=1, description="share of painting that is inner, not outer")

    @model_validator(mode="after")
    def _something(self) -> "RestorationConfig":
        if not self.blocks + self.genesis:
            raise ValueError("want a share of blocks or of genesis above 0")
        return self


class AnnealConfig(Config):
    """Data annealing: the last part of the steps on the best labels, rate to zero."""

    share: float = Field(0.25, ge=0, lt=1)
    on: Literal["gold", "gold_or_revised", "none"] = "gold"
    ramp: float = Field(
        0.5, ge=0, le=1, description="part of the annealing in which the mix moves over; 0: at once"
    )
    gold: float = Field(1.0, gt=0, le=1, description="share of the best labels after the ramp")


class AugmentConfig(Config):
    """Augmentation that is cheap on a CPU.

    `mirror`: left for right, classes of a pair swapped; none: only if half of the classes or
    more are one of a pair or lie in a symmetric region.
    """

    rotation_deg: float = Field(8.0, ge=0)
    scale: float = Field(0.12, ge=0, lt=0.5)
    shift_hu: float = Field(20.0, ge=0)
    contrast: float = Field(0.1, ge=0, lt=1)
    noise_hu: float = Field(15.0, ge=0)
    mirror: bool | None = None
    on_device: bool = Field(False, description="turn, scale and vary samples on the GPU")
    symmetric_regions: tuple[str, ...] = ("head and neck", "brain", "spine", "pelvis")


class ComputeConfig(Config):
    """With what a run is computed: no part of what it computes.

    Processes share the batch: each cuts and learns from its part of the samples. On one machine
    they are started as they are needed, and on the nodes of a SLURM job; `launcher` starts them
    elsewhere.
    """

    devices: int = Field(1, ge=1, description="GPUs, or processes on CPUs, per machine")
    nodes: int = Field(1, ge=1)
    launcher: tuple[str, ...] = Field(
        (),
        description="words that start all processes of a run, with {payload} and {result} in "
        "their places; none: torchrun on this machine, srun on the nodes of a SLURM job",
    )
    loaders: int = Field(
        0, ge=0, description="threads that cut batches ahead; 0: one on CPUs, up to 8 beside a GPU"
    )
    deterministic: bool = Field(False, description="slower; warns of what CUDA cannot do so")
    time_budget_s: float = Field(
        0.0, ge=0, description="then the run stops to be gone on with later; 0: none"
    )
    tensorboard: bool = Field(False, description="beside the JSONL log, if it is installed")


class TrustConfig(Config):
    """How much a label weighs that a judge or a detection has looked at.

    Its weight by origin times the probability that it is right; gold and confirmed labels count
    in full.
    """

    by_probability: bool = True
    floor: float = Field(0.2, ge=0, le=1, description="least factor: judges err too")


class TrainingConfig(Config):
    """How one network is trained."""

    steps: int = Field(600, ge=1)
    batch: int = Field(2, ge=1)
    patch: Shape = (64, 48, 64)
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps")
    schedule: Literal["cosine", "poly"] = "cosine"
    poly_power: float = Field(0.9, gt=0)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 on CUDA, fp32 on CPUs"
    )
    prefetch: int = Field(
        4, ge=0, description="steps that batches are drawn ahead: the sampler learns so much later"
    )
    exclusion: float = Field(
        0.0, ge=0, description="weight of the penalty for voxels in two classes that are disjoint"
    )
    exclusion_as_background: bool = Field(
        False, description="a class's mask is background to unknown classes that exclude it"
    )
    trust: TrustConfig = TrustConfig()
    clip_norm: float = Field(5.0, gt=0)
    ema: float = Field(0.99, ge=0, lt=1, description="decay of the averaged weights; 0: off")
    foreground: float = Field(0.75, ge=0, le=1, description="share of patches around a structure")
    reconstruction: float = Field(0.1, ge=0, description="weight of the loss of self-supervision")
    distill: float = Field(
        0.0,
        ge=0,
        description="weight of what the model before says of its classes on cases without a label "
        "of them (learning without forgetting)",
    )
    restoration: RestorationConfig = RestorationConfig()
    synthetic: SyntheticConfig = SyntheticConfig()
    pretrain_share: float = Field(
        0.0, ge=0, lt=1, description="of the steps, at first: self-supervision on all scans only"
    )
    label_weights: dict[str, Positive] = Field(
        default_factory=lambda: {
            "original": 1.0,
            "revised": 1.0,
            "judged": 0.8,
            "pseudo": 0.5,
            "synthetic": 0.5,
        }
    )
    grid: GridConfig = GridConfig()
    mix: MixConfig = MixConfig()
    selective: SelectiveConfig = SelectiveConfig()
    anneal: AnnealConfig = AnnealConfig()
    augment: AugmentConfig = AugmentConfig()
    checkpoint_every: int = Field(100, ge=1)
    log_every: int = Field(10, ge=1)
    max_bad_steps: int = Field(
        5, ge=0, description="skipped steps in a row with a loss or gradient that is no number"
    )
    max_bad_total: int = Field(50, ge=0, description="such steps in all")
    compute: ComputeConfig = ComputeConfig()
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @field_validator("patch")
    @classmethod
    def _divisible(cls, value: Shape) -> Shape:
        if any(n < 16 or n % 8 for n in value):
            raise ValueError("want sides of at least 16 voxels, divisible by 8")
        return value


class PlanningConfig(Config):
    """What `training.planning` chooses from: voxels per patch by machine, networks, time."""

    coverage: float = Field(
        0.1,
        gt=0,
        le=1,
        description="share of the median scan that a patch must show, else the grid is coarsened: "
        "a network that sees less cannot tell where it is",
    )
    cpu_voxels_per_core: float = Field(
        98_304, gt=0, description="two cores: 64 x 48 x 64, 1 to 2 s a step with a small network"
    )
    cpu_most_voxels: float = Field(884_736, gt=0, description="96^3")
    gpu_voxels_per_gb: float = Field(
        87_382, gt=0, description="24 GB: 128^3, two at once in bf16 with a large network"
    )
    gpu_most_voxels: float = Field(4_096_000, gt=0, description="160^3")
    batch: int = Field(2, ge=1, description="patches of full size a step")
    most_batch: int = Field(8, ge=1, description="of small patches, on a GPU")
    divisor: int = Field(8, ge=1, description="of patch sides; deeper networks want more")
    cpu_network: str = "unet_small"
    cpu_whole_network: str = Field(
        "resenc_small", description="where a patch holds the whole scan: it has full resolution"
    )
    gpu_network: str = "resenc_large"
    small_gpu_network: str = "resenc_small"
    wide_channels: int = Field(32, ge=1, description="from this width on a network wants")
    wide_rate: float = Field(4e-4, gt=0, description="this learning rate")
    large_gpu_gb: float = Field(16.0, gt=0)
    cpu_minutes: float = Field(30.0, gt=0, description="where neither steps nor minutes are given")
    gpu_minutes: float = Field(240.0, gt=0)
    cpu_steps: int = Field(1000, ge=1, description="where the time of a step is not measured")
    gpu_steps: int = Field(40_000, ge=1)
    least_steps: int = Field(
        300, ge=1, description="fewer in the time: smaller patches, a coarser grid"
    )


class ZooConfig(Config):
    """The cold-start zoo: each network leaves out one fold of the training patients."""

    networks: tuple[str, ...] = Field(
        ("unet_small", "dynunet_small", "segresnet_small"),
        description="shipped: configs/networks/<name>.yaml",
    )
    training: TrainingConfig = TrainingConfig(anneal=AnnealConfig(share=0.0, on="none"))
    retrain: bool = Field(False, description="train anew in later rounds, on the current labels")
    threads: int = Field(0, ge=0, description="per model; 0: all cores, one model at a time")
    time_limit_s: float = Field(86400.0, gt=0)


class ReplayConfig(Config):
    """Which cases of earlier rounds, outside this round's cohort, are learnt from again."""

    memory: Literal["full", "linear", "reservoir", "dynamic", "selective"] = Field(
        "full",
        description="all, the latest, any, the least alike, or these with the hardest protected",
    )
    size: int = Field(0, ge=0, description="cases that are kept; 0: all (always so with full)")


class FlagshipConfig(Config):
    """The flagship: trained on the assembled labels, from the last round's weights if there."""

    network: str = "unet_small"
    text: str = Field("", description="embedder of the classes' texts; empty: as the network says")
    training: TrainingConfig = TrainingConfig()
    warm_start: bool = Field(True, description="fine-tune the flagship before; false: train anew")
    warm_steps: int = Field(0, ge=0, description="steps of a warm-started round; 0: as `training`")
    keep_classes: bool = Field(
        True, description="classes of the flagship before stay, whatever the round is about"
    )
    replay: ReplayConfig = ReplayConfig()
    without: tuple[Literal["mix", "synthetic", "selective", "anneal", "replay", "text"], ...] = (
        Field((), description="ablation: parts that are switched off (docs/training.md)")
    )
    threads: int = Field(0, ge=0)
    time_limit_s: float = Field(86400.0, gt=0)


class PredictConfig(Config):
    """Prediction: our own networks' windows, and further models of the zoo."""

    models: tuple[str, ...] = Field(
        (), description="further models, by name or YAML file (docs/models.md)"
    )
    model_folder: str = Field("", description="of their weights; empty: $VOXCURATE_MODELS")
    overlap: float = Field(0.35, ge=0, lt=0.9)
    body_only: bool = Field(True, description="no windows where there is no body (CT)")
    floor: float = Field(0.02, ge=0, le=0.5, description="lower probabilities are stored as 0")
    time_limit_s: float = Field(1800.0, gt=0, description="per case")
    memory_limit_mb: float | None = Field(None, gt=0, description="per case")
    workers: int = Field(
        0, ge=0, description="cases at once; 0: one per GPU, without any as the executor says"
    )
    keep_rounds: int = Field(
        0, ge=0, description="rounds whose predictions stay on disk; 0: all of them"
    )


Limit = Annotated[float, Field(gt=0)] | None


class BudgetConfig(Config):
    """What all rounds together may cost; what is not given has no limit."""

    money: Limit = Field(None, description="language models, in the unit of their prices")
    hours: Limit = Field(None, description="of the computer")
    review_minutes: Limit = Field(None, description="of people who look at labels or draw them")
    steps: Limit = Field(None, description="of the optimiser, over all models")


class StopConfig(Config):
    """When rounds stop."""

    max_rounds: int = Field(5, ge=1)
    top: int = Field(10, ge=1, description="cases looked at on top of the priority list")
    min_gain: float = Field(0.0, description="mean DSC gain that is worth a round")
    patience: int = Field(2, ge=1, description="rounds without a gain, one after the other")
    inter_annotator: dict[str, float] = Field(
        default_factory=dict, description="DSC of two people by class, above that of classes.yaml"
    )
    budget: BudgetConfig = BudgetConfig()


def network_config(name: str) -> NetworkConfig:
    """The shipped network of that name (``configs/networks/<name>.yaml``).

    Raises:
        ConfigError: no such file, or a setting in it is wrong.
    """
    return build(NetworkConfig, read_yaml(shipped("networks", f"{name}.yaml")))
