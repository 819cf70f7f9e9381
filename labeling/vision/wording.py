"""What a model is told about a class: fields of ``configs/anatomy``, or made from its description.

Wording is ours and carries ``{name}``, ``{side}`` and ``{half}`` (which half of the picture), so
that the two sides of a pair share it.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Literal, get_args

from pydantic import Field

from voxcurate.classes import ClassInfo, Vocabulary
from voxcurate.config import Config
from voxcurate.ids import content_id

Landmark = Literal[
    "skull",
    "jaw",
    "cervical_spine",
    "shoulders",
    "upper_ribs",
    "lower_ribs",
    "lumbar_spine",
    "pelvis",
    "hip_joints",
    "thighs",
]
LANDMARKS: tuple[Landmark, ...] = get_args(Landmark)
_OF_REGION: dict[str, tuple[Landmark, ...]] = {
    "head": ("skull",),
    "head_neck": ("jaw", "cervical_spine"),
    "neck": ("cervical_spine",),
    "chest": ("upper_ribs", "lower_ribs"),
    "abdomen": ("lower_ribs", "lumbar_spine"),
    "pelvis": ("pelvis", "hip_joints"),
}
_HALF = {"left": "right", "right": "left"}


class ClassPrompt(Config):
    """What is told about one class, and how it is shown."""

    version: int = Field(1, ge=1, description="raise it with every change of the words")
    shape: str
    unity: str
    location: str
    completeness: str
    projection: str = Field(description="what the picture shows of it")
    landmarks: tuple[Landmark, ...] = Field(
        (), description="bones at its level: all seen means that it is in the scan, none that not"
    )
    window: Literal["organs", "bone", "skeleton", "lung"] = Field(
        "bone", description="of the picture; as published: bone"
    )
    overlay: Literal["tinted", "solid"] = Field(
        "tinted", description="solid for thin structures, whose tint is lost over bone"
    )
    view: Literal["frontal", "lateral", "axial"] = "frontal"
    alike_dsc: float = Field(
        0.8,
        gt=0,
        le=1,
        description="candidates that agree so well in 3-D are not compared; lower for thin "
        "structures, on which good labels agree less",
    )


class Wording:
    """A class's prompt with its name and side filled in.

    Args:
        info: the class.
        prompt: what is written; None: made from the class's description and region.
        is_optional: healthy or operated patients may lack it, as they do a lesion.
    """

    def __init__(
        self, info: ClassInfo, prompt: ClassPrompt | None, *, is_optional: bool = False
    ) -> None:
        self.is_optional = is_optional or info.lesion
        self.class_id = info.id
        self.name = info.name or info.id.replace("_", " ")
        self.prompt = prompt or _generic(info)
        self.is_generic = prompt is None
        self._side: str = info.side

    @cached_property
    def lines(self) -> str:
        """The criteria, one to a line."""
        fields = ("shape", "unity", "location", "completeness")
        lines = [f"- {field.capitalize()}: {getattr(self.prompt, field)}" for field in fields]
        lines.append(f"- In the picture: {self.prompt.projection}")
        return self._filled("\n".join(lines))

    @property
    def landmarks(self) -> tuple[Landmark, ...]:
        """Bones at its level; none known: its place cannot be told from the skeleton."""
        return self.prompt.landmarks

    @cached_property
    def version(self) -> str:
        """Changes with every word."""
        return f"{self.prompt.version}-{content_id(self.name, self.lines, digits=8)}"

    def _filled(self, text: str) -> str:
        half = _HALF.get(self._side, "")
        return (
            text.replace("{name}", self.name).replace("{side}", self._side).replace("{half}", half)
        )


class Wordings:
    """The wording of every class.

    Args:
        vocabulary: names, sides and descriptions.
        written: class to prompt.
        optional: classes that a patient may lack beside lesions.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        written: Mapping[str, ClassPrompt],
        optional: Iterable[str] = (),
    ) -> None:
        self._vocabulary = vocabulary
        self._written = dict(written)
        self._optional = frozenset(optional)

    def __getitem__(self, class_id: str) -> Wording:
        """Of a class; one that is in no vocabulary is described by its name alone."""
        known = class_id in self._vocabulary
        info = self._vocabulary[class_id] if known else ClassInfo(id=class_id)
        return Wording(info, self._written.get(class_id), is_optional=class_id in self._optional)


def _generic(info: ClassInfo) -> ClassPrompt:
    what = info.description or "judge by what you know of its anatomy."
    side = ""
    if info.side:
        side = " It lies on the patient's {side} side, the {half} half of the picture."
    region = f"It belongs to the {info.region.replace('_', ' and ')}." if info.region else ""
    unity = "One connected piece." if info.single else "It may consist of more than one piece."
    if info.lesion:
        unity = "One or several compact pieces; scattered single pixels are noise."
    return ClassPrompt(
        shape=what,
        unity=unity,
        location=f"{region}{side}".strip() or "Where its anatomy says.",
        completeness="All of it that lies inside the scan; nothing of its neighbours.",
        projection="its outline as seen through the body from the front.",
        landmarks=_OF_REGION.get(info.region, ()),
    )
