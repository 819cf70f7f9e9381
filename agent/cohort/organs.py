"""The abdominal organs: shapes about the average body, jittered per patient, and their overlaps.

Shapes are in body coordinates (see `agent.cohort.frame`). Later organs cut into earlier ones.
"""

import numpy as np
import numpy.typing as npt

from agent.cohort.bowel import paint_bowel
from agent.cohort.person import Person
from agent.cohort.shapes import Blend, Canvas, Ellipsoid, Field, Shape, Tube, Waves
from agent.cohort.tissues import ORGAN_VALUE, Tissue

Codes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Triple = tuple[float, float, float]


class Organs:
    """The organs of one patient; `paint` writes them into the tissue and organ arrays of a scan.

    Args:
        person: decides which organs are absent and what they suffer from.
        rng: draws position, size and shape.
    """

    def __init__(self, person: Person, rng: np.random.Generator) -> None:
        self.person = person
        self._rng = rng
        self.pancreas = self._draw_pancreas()
        self.liver = self._draw_liver()
        self.spleen = self._draw_spleen()
        self.kidneys = {side: self._draw_kidney(side) for side in ("left", "right")}
        self.stomach = self._draw_stomach()
        self.duodenum = self._draw_duodenum()
        self.bile = self._draw_gall_bladder()
        self.aorta, self.cava, self.branches = self._draw_vessels()
        self.lesions = self._draw_lesions()

    def along_pancreas(self, at: float) -> npt.NDArray[np.float64]:
        """Body coordinates of the point a share `at` of the way from head to tail."""
        centers, _ = self.pancreas.curve()
        return np.asarray(centers[round(at * (len(centers) - 1))])

    def paint(
        self,
        tissue: Codes,
        organs: Codes,
        canvas: Canvas,
        room: Bools,
        height: Field,
        rng: np.random.Generator,
        bumps: Waves,
    ) -> None:
        """Paint every organ that the patient has.

        Args:
            tissue: written in place, like `organs`: both belong to the scan being drawn.
            organs: organ values.
            canvas: the scan's voxels in body coordinates.
            room: inside the abdominal cavity, below the diaphragm.
            height: how high each voxel lies above the couch, mm: gas rises, fluid does not.
            rng: draws what changes from visit to visit (filling, contrast).
            bumps: the patient's own fine surface relief.
        """
        painter = _Painter(tissue, organs, canvas, room, self.person.absent, bumps)
        cavity = room & (tissue == Tissue.FAT)
        paint_bowel(tissue, canvas, cavity, height, bumps)
        if "ascites" in self.person.conditions:
            self._paint_ascites(painter, cavity)
        painter.organ("stomach", self.stomach, Tissue.STOMACH_WALL, bump_mm=2.0)
        self._fill_stomach(painter, height, rng)
        painter.organ("liver", self.liver, Tissue.LIVER, bump_mm=1.2)
        painter.organ("spleen", self.spleen, Tissue.SPLEEN, bump_mm=1.2)
        self._paint_kidneys(painter)
        painter.organ("duodenum", self.duodenum, Tissue.BOWEL_WALL, bump_mm=1.0)
        lumen = painter.distance["duodenum"] < -4.0
        painter.inside("duodenum", lumen, Tissue.BOWEL_FLUID)
        painter.inside("duodenum", lumen & (height > np.quantile(height[lumen], 0.9)), Tissue.GAS)
        painter.organ("pancreas", self.pancreas, Tissue.PANCREAS, bump_mm=2.0)
        self._paint_duct(painter)
        painter.organ("gall_bladder", self.bile, Tissue.BILE)
        self._paint_stones(painter, height)
        self._paint_vessels(painter)
        self._paint_bladder(painter, rng)
        for organ, shape, matter in self.lesions:
            painter.inside(
                organ, canvas.distance(shape) < 0, matter, grow=organ.startswith("kidney")
            )

    # --- shapes ---------------------------------------------------------------------------------

    def _near(self, center: Triple, spread_mm: float = 3.0) -> Triple:
        moved = np.asarray(center) + self._rng.normal(0, spread_mm, 3)
        return (float(moved[0]), float(moved[1]), float(moved[2]))

    def _sized(self, radii: Triple, spread: float = 0.07) -> Triple:
        scale = np.clip(self._rng.normal(1, spread, 3), 0.8, 1.25)
        return tuple((np.asarray(radii) * scale).tolist())

    def _draw_liver(self) -> Shape:
        low = float(self._rng.uniform(-12, 10))
        right = Ellipsoid(self._near((76, 24, 38)), self._sized((68, 84, 74)))
        tip = Ellipsoid(self._near((98, 22, -18 + low)), self._sized((32, 54, 52)))
        left = Ellipsoid(self._near((2, 78, 58)), self._sized((84, 34, 34)), (0, 12, -8))
        visceral = Ellipsoid((22, 8, -28), (54, 62, 60), (0, -18, 0))
        fissure = Ellipsoid((18, 84, 18), (3.5, 34, 26))
        return Blend([right, tip, left], [visceral, fissure], 22.0)

    def _draw_spleen(self) -> Shape:
        body = Ellipsoid(self._near((-97, -12, 42)), self._sized((42, 60, 64), 0.1), (-22, 0, 18))
        hollow = Ellipsoid((-62, 20, 38), (34, 50, 56), (-22, 0, 18))
        return Blend([body], [hollow])

    def _draw_kidney(self, side: str) -> tuple[Shape, Shape, Shape]:
        """The bean, its sinus and its collecting system."""
        sign = 1 if side == "right" else -1
        center = np.asarray(self._near((sign * 63, -21, -16 if side == "right" else 2)))
        turn = (-14.0, -sign * 12.0, -sign * 28.0)
        radii = self._sized((30.5, 27.5, 60), 0.06)

        def at(medial: float, front: float, up: float) -> Triple:
            moved = center + np.array([-sign * medial, front, up])
            return (float(moved[0]), float(moved[1]), float(moved[2]))

        bean = Ellipsoid(at(0, 0, 0), radii, turn)
        notch = Ellipsoid(at(29, 12, -2), (12, 11, 15), turn)
        sinus = Ellipsoid(at(12, 5, -1), (11, 7, 24), turn)
        pelvis = Blend(
            [Ellipsoid(at(10, 4, -2), (8, 5, 13), turn), Ellipsoid(at(22, 8, -6), (9, 6, 7), turn)]
        )
        return Blend([bean], [notch]), sinus, pelvis

    def _draw_pancreas(self) -> Tube:
        rng = self._rng
        tail_z = float(rng.uniform(18, 40))
        knots = (
            self._near((31, 40, -40), 2),
            self._near((30, 46, -20), 2),
            self._near((21, 58, -4), 2),
            self._near((2, 64, 4), 2),
            self._near((-26, 58, 12), 2),
            self._near((-56, 34, 8 + tail_z / 2), 3),
            self._near((-80, 10, tail_z), 3),
        )
        thin = float(rng.uniform(0.85, 1.1)) * (1.05 - 0.003 * max(0, self.person.age - 50))
        radii = np.array([13, 16, 12, 9.5, 11, 11.5, 8]) * thin
        return Tube(knots, tuple(radii.tolist()))

    def _draw_stomach(self) -> Shape:
        full = float(self._rng.uniform(0.8, 1.08))
        fundus = Ellipsoid(self._near((-66, 26, 68)), self._sized((37 * full, 36 * full, 32)))
        body = Tube(
            (
                (-66, 32, 68),
                self._near((-66, 64, 34)),
                self._near((-50, 88, -2)),
                self._near((-12, 94, -20)),
                self._near((22, 80, -8)),
                (36, 70, 0),
            ),
            (30 * full, 33 * full, 29 * full, 23 * full, 17, 10),
        )
        return Blend([fundus, body], (), 15.0)

    def _draw_duodenum(self) -> Tube:
        knots = (
            (38, 68, 0),
            self._near((50, 58, 6), 2),
            self._near((54, 42, -4), 2),
            self._near((54, 38, -34), 2),
            self._near((46, 40, -58), 2),
            self._near((18, 46, -68), 2),
            self._near((-12, 48, -66), 2),
            self._near((-30, 48, -44), 2),
            self._near((-34, 58, -26), 2),
        )
        return Tube(knots, (12, 13, 13, 13, 12.5, 11.5, 11, 11.5, 11))

    def _draw_gall_bladder(self) -> Shape:
        wide = float(self._rng.uniform(11, 18))
        return Tube(
            (self._near((46, 62, 14)), self._near((56, 76, -2)), self._near((62, 90, -24))),
            (5, wide * 0.85, wide),
        )

    def _draw_vessels(self) -> tuple[Tube, Tube, list[tuple[Shape, Tissue, float]]]:
        rng = self._rng
        wide = float(rng.uniform(9.5, 11.5)) * (1 + 0.004 * max(0, self.person.age - 60))
        lean = float(rng.uniform(-8, -2))
        aorta = Tube(
            ((-20, 18, 240), (-18, 22, 120), (lean - 4, 28, 50), (lean, 34, -20), (lean, 36, -95)),
            (wide * 1.15, wide * 1.1, wide, wide * 0.9, wide * 0.8),
        )
        cava = Tube(
            ((14, 52, 118), (22, 40, 92), (24, 30, 40), (21, 30, -20), (20, 31, -105)),
            (14, 13, 11.5, 10.5, 9.5),
        )
        branches: list[tuple[Shape, Tissue, float]] = [
            (Tube(((lean, 46, -2), (-6, 56, -22), (-6, 58, -80)), (4, 4, 3)), Tissue.ARTERY, 0),
            (Tube(((lean, 42, 16), (-6, 58, 20), (22, 56, 18)), (4, 3.5, 3)), Tissue.ARTERY, 0),
            (Tube(((10, 58, -80), (10, 54, -30), (14, 50, 2)), (5, 6, 7)), Tissue.PORTAL_VEIN, 0),
            (Tube(((14, 50, 2), (30, 46, 20), (46, 42, 36)), (7, 7, 6.5)), Tissue.PORTAL_VEIN, 0),
            (
                Tube(((14, 50, 2), (-24, 48, 12), (-56, 24, 24), (-78, 4, 32)), (6, 4.5, 4, 4)),
                Tissue.PORTAL_VEIN,
                0,
            ),
            (Tube(((46, 42, 36), (74, 30, 44), (100, 10, 40)), (6, 5, 2.5)), Tissue.PORTAL_VEIN, 1),
            (
                Tube(((46, 42, 36), (22, 66, 52), (-20, 80, 60)), (5, 4.5, 2.5)),
                Tissue.PORTAL_VEIN,
                1,
            ),
            (
                Tube(((22, 42, 90), (62, 28, 78), (108, 18, 52)), (6, 5, 2.5)),
                Tissue.HEPATIC_VEIN,
                1,
            ),
            (Tube(((22, 42, 90), (54, 58, 72), (78, 84, 40)), (6, 5, 2.5)), Tissue.HEPATIC_VEIN, 1),
            (Tube(((20, 44, 90), (2, 66, 74), (-30, 84, 62)), (5, 4, 2.5)), Tissue.HEPATIC_VEIN, 1),
        ]
        for sign in (1, -1):
            iliac = (
                (lean, 36, -97),
                (sign * 30, 24, -140),
                (sign * 52, 40, -200),
                (sign * 62, 78, -260),
            )
            branches.append((Tube(iliac, (7, 6, 6, 5)), Tissue.ARTERY, 0))
            vein = tuple((x + 7 * sign, y - 9, z) for x, y, z in iliac)
            branches.append((Tube(vein, (8, 7, 7, 6)), Tissue.CAVA, 0))
        right_renal = Tube(((22, 32, -14), (40, 10, -17), (50, -10, -18)), (5, 4.5, 4))
        left_renal = Tube(((20, 38, 2), (-8, 50, 1), (-34, 24, 0), (-50, -8, 0)), (4.5, 4, 4.5, 4))
        return (
            aorta,
            cava,
            [*branches, *((vein, Tissue.CAVA, 0) for vein in (right_renal, left_renal))],
        )

    def _draw_lesions(self) -> list[tuple[str, Shape, Tissue]]:
        """Cysts and metastases: organ that holds it, shape, matter."""
        rng, found = self._rng, self.person.conditions
        result: list[tuple[str, Shape, Tissue]] = []
        if "liver_cyst" in found:
            radius = float(rng.uniform(6, 16))
            result.append(
                ("liver", Ellipsoid(self._near((92, 30, 30), 12), (radius,) * 3), Tissue.CYST)
            )
        if "liver_metastases" in found:
            for _ in range(int(rng.integers(2, 6))):
                radius = float(rng.uniform(5, 13))
                spot = Ellipsoid(self._near((82, 30, 34), 24), self._sized((radius,) * 3))
                result.append(("liver", spot, Tissue.LIVER_LESION))
        if "renal_cyst" in found:
            side = self.person.cyst_side
            sign = 1 if side == "right" else -1
            radius = float(rng.uniform(8, 22))
            place = self._near((sign * 82, -24, -34 if side == "right" else -14))
            result.append((f"kidney_{side}", Ellipsoid(place, (radius,) * 3), Tissue.CYST))
        return result

    # --- painting -------------------------------------------------------------------------------

    def _fill_stomach(self, painter: "_Painter", height: Field, rng: np.random.Generator) -> None:
        lumen = painter.distance["stomach"] < -4.5
        if not lumen.any():
            return
        level = np.quantile(height[lumen], rng.uniform(0.45, 0.85))
        positive = rng.random() < 0.15  # oral contrast
        painter.inside("stomach", lumen, Tissue.CALCIUM if positive else Tissue.STOMACH_FLUID)
        painter.inside("stomach", lumen & (height > level), Tissue.GAS)

    def _paint_kidneys(self, painter: "_Painter") -> None:
        for side, (bean, sinus, pelvis) in self.kidneys.items():
            name = f"kidney_{side}"
            painter.organ(name, bean, Tissue.CORTEX, bump_mm=1.0)
            if name in self.person.absent:
                continue
            inner = painter.distance[name] < -5.0
            pyramids = painter.bumps(painter.canvas.points * np.float32(2.2)) > -0.5
            painter.inside(name, inner & pyramids, Tissue.MEDULLA)
            hollow = painter.canvas.distance(sinus) < 0
            own = painter.organs == ORGAN_VALUE[name]
            painter.tissue[hollow & own] = Tissue.FAT
            painter.organs[hollow & own] = 0
            urine = painter.canvas.distance(pelvis) < 0
            painter.tissue[urine & painter.room & (painter.organs == 0)] = Tissue.URINE

    def _paint_duct(self, painter: "_Painter") -> None:
        if "duct_dilation" not in self.person.conditions or self.person.tumor is None:
            return
        centers, _ = self.pancreas.curve()
        upstream = centers[round(self.person.tumor.at * (len(centers) - 1)) :]
        knots = tuple(map(tuple, upstream[::4].tolist()))
        duct = Tube(knots, (3.4,) * len(knots))
        painter.inside("pancreas", painter.canvas.distance(duct) < 0, Tissue.DUCT)

    def _paint_stones(self, painter: "_Painter", height: Field) -> None:
        lumen = painter.organs == ORGAN_VALUE["gall_bladder"]
        if "gallstones" not in self.person.conditions or not lumen.any():
            return
        low = lumen & (height < np.quantile(height[lumen], 0.18))
        painter.inside("gall_bladder", low, Tissue.GALLSTONE)

    def _paint_vessels(self, painter: "_Painter") -> None:
        canvas = painter.canvas
        solid = np.isin(painter.organs, [ORGAN_VALUE["liver"]])
        for shape, matter, in_liver in self.branches:
            inside = canvas.distance(shape) < 0
            where = inside & solid if in_liver else inside & ~solid & painter.room
            painter.tissue[where] = matter
            if not in_liver:
                painter.organs[where] = 0
        painter.organ("postcava", self.cava, Tissue.CAVA, everywhere=True)
        painter.organ("aorta", self.aorta, Tissue.AORTA, everywhere=True)
        if "calcified_aorta" in self.person.conditions:
            rim = painter.distance["aorta"] > -2.6
            patchy = painter.bumps(canvas.points * np.float32(1.7)) > 0.9
            painter.inside("aorta", rim & patchy, Tissue.CALCIUM)

    def _paint_bladder(self, painter: "_Painter", rng: np.random.Generator) -> None:
        full = float(rng.uniform(0.7, 1.15))
        shape = Ellipsoid((0, 48, -238), (40 * full, 32 * full, 30 * full))
        painter.organ("bladder", shape, Tissue.BLADDER_WALL)
        painter.inside("bladder", painter.distance["bladder"] < -4.0, Tissue.URINE)

    def _paint_ascites(self, painter: "_Painter", cavity: Bools) -> None:
        canvas = painter.canvas
        around = canvas.distance(self.liver) < 9
        around |= canvas.distance(self.spleen) < 8
        pool = Blend(
            [Ellipsoid((0, 6, -205), (62, 42, 46)), Ellipsoid((92, 10, -70), (24, 34, 70))]
        )
        around |= canvas.distance(pool, bumps=painter.bumps, bump_mm=9.0) < 0
        painter.tissue[cavity & around & (painter.tissue == Tissue.FAT)] = Tissue.ASCITES


class _Painter:
    """Writes organs into one scan and remembers their distances."""

    def __init__(
        self,
        tissue: Codes,
        organs: Codes,
        canvas: Canvas,
        room: Bools,
        absent: frozenset[str],
        bumps: Waves,
    ) -> None:
        self.tissue, self.organs, self.canvas = tissue, organs, canvas
        self.room, self.absent, self.bumps = room, absent, bumps
        self.distance: dict[str, Field] = {}

    def organ(
        self,
        name: str,
        shape: Shape,
        matter: Tissue,
        *,
        bump_mm: float = 0.0,
        everywhere: bool = False,
    ) -> None:
        """Paint an organ where there is room (vessels pass the diaphragm: `everywhere`)."""
        distance = self.canvas.distance(
            shape, bumps=self.bumps if bump_mm else None, bump_mm=bump_mm
        )
        self.distance[name] = distance
        if name in self.absent:
            return
        inside = distance < 0
        if not everywhere:
            inside &= self.room
        self.tissue[inside] = matter
        self.organs[inside] = ORGAN_VALUE[name]

    def inside(self, name: str, where: Bools, matter: Tissue, *, grow: bool = False) -> None:
        """Change matter within an organ; with `grow` the organ takes in what it did not hold."""
        own = self.organs == ORGAN_VALUE[name]
        if grow:
            own |= (self.organs == 0) & self.room & own.any()
        self.tissue[where & own] = matter
        self.organs[where & own] = ORGAN_VALUE[name]
