"""Maps of the printed sheets: the province's communes, and a commune's numbered places.

Does not belong here: which places there are (`stops.py`), the page around a map (`sheets.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from pipeline.publish.picture import png_of, shape_path
from pipeline.publish.plan.stops import Stop, phrase
from pipeline.schema import texts
from pipeline.sources.values import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 180
INK, OUTLINE, BESIDE = "#123a5c", "#33312c", "#9a968c"
SHADES = ("#cfe3f1", "#7fb3d8", "#2f74aa")  # few to many phones
DECIDED, OTHER = "#cfe6cf", "#f4f2ec"
_KM = 111.32  # of a degree of longitude at the equator
_NAMED = 60  # communes whose names a province's map can hold
_DOT_CM, _CHARACTER_CM, _LINE_CM = (
    0.5,
    0.15,
    0.3,
)  # a dot; a character and a line of a village's name
_SCALES = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # km
Box = tuple[float, float, float, float]  # west, south, east, north, cm


@dataclass(frozen=True)
class Frame:
    """What a map shows, degrees WGS 84, and how large it is printed, cm."""

    west: float
    south: float
    east: float
    north: float
    width_cm: float
    height_cm: float

    @property
    def squeeze(self) -> float:
        """Length of a degree of longitude in degrees of latitude."""
        return max(0.05, math.cos(math.radians((self.south + self.north) / 2)))

    @property
    def km_per_cm(self) -> float:
        """Scale of the map."""
        return (self.east - self.west) * self.squeeze * _KM / self.width_cm

    def in_cm(self, longitude: npt.ArrayLike, latitude: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Positions on paper, n × 2, cm from the lower left corner."""
        x = (np.asarray(longitude) - self.west) * self.width_cm / (self.east - self.west)
        y = (np.asarray(latitude) - self.south) * self.height_cm / (self.north - self.south)
        return np.column_stack([x, y])

    def in_degrees(self, point: npt.NDArray[np.float64]) -> tuple[float, float]:
        """Longitude and latitude of a point on paper."""
        x = self.west + point[0] * (self.east - self.west) / self.width_cm
        y = self.south + point[1] * (self.north - self.south) / self.height_cm
        return float(x), float(y)


def frame_around(
    bounds: npt.ArrayLike, width_cm: float, height_cm: float, pad: float = 0.06
) -> Frame:
    """The frame of a size that shows the bounds (west, south, east, north) whole."""
    west, south, east, north = np.asarray(bounds, dtype="float64")
    squeeze = max(0.05, math.cos(math.radians((south + north) / 2)))
    wide = max((east - west) * squeeze, 1e-4) * (1 + 2 * pad)
    high = max(north - south, 1e-4) * (1 + 2 * pad)
    step = max(wide / width_cm, high / height_cm)  # degrees of latitude on a cm
    half_x, half_y = step * width_cm / 2 / squeeze, step * height_cm / 2
    x, y = (west + east) / 2, (south + north) / 2
    return Frame(x - half_x, y - half_y, x + half_x, y + half_y, width_cm, height_cm)


def apart(points: npt.NDArray[np.float64], least: float) -> npt.NDArray[np.float64]:
    """Points moved until any two are `least` apart (nearly, where there are very many).

    Points at one place leave it in different directions, the same in every run.

    >>> apart(np.array([[1.0, 1.0], [1.0, 1.0], [9.0, 9.0]]), 1.0).round(1).tolist()[2]
    [9.0, 9.0]
    """
    moved = points.copy()
    for _ in range(60):
        gap = moved[:, None] - moved[None, :]
        length = np.hypot(gap[..., 0], gap[..., 1])
        near = (length < least) & ~np.eye(len(moved), dtype=bool)
        if not near.any():
            break
        turn = np.arange(len(moved)) * 2.4
        own = np.column_stack([np.cos(turn), np.sin(turn)])
        away = np.where(length[..., None] > 1e-9, gap / np.maximum(length, 1e-9)[..., None],
                        own[:, None] - own[None, :])  # fmt: skip
        push = (np.where(near, least * 1.02 - length, 0.0) / 2)[..., None] * away
        moved += push.sum(axis=1)
    return moved


def commune_map(
    communes: gpd.GeoDataFrame, code: str, stops: Sequence[Stop], size_cm: tuple[float, float],
    lang: texts.Lang,
) -> bytes:  # fmt: skip
    """PNG: the commune's outline, its neighbours, its places with their numbers, a scale."""
    own = communes[communes["commune_code"] == code]
    placed = [stop for stop in stops if stop.is_placed]
    inside = own.total_bounds if len(own) else [np.inf, np.inf, -np.inf, -np.inf]
    at = np.array([[stop.longitude, stop.latitude] for stop in placed]).reshape(-1, 2)
    corners = np.vstack([np.reshape(inside, (2, 2)), at])
    frame = frame_around([*corners.min(axis=0), *corners.max(axis=0)], *size_cm)

    def draw(figure: Figure) -> None:
        axes = _axes(figure, frame)
        window = shapely.box(frame.west, frame.south, frame.east, frame.north)
        beside = communes[communes.intersects(window) & (communes["commune_code"] != code)]
        for shape in beside.geometry:
            _outline(axes, shape, OTHER, BESIDE, 0.6)
        for shape in own.geometry:
            _outline(axes, shape, "#ffffff", OUTLINE, 1.6)
        _neighbour_names(axes, frame, beside, _dots(axes, frame, placed))
        _scale(axes, frame, lang)

    return png_of(draw, (size_cm[0] / 2.54, size_cm[1] / 2.54), DPI)


def _axes(figure: Figure, frame: Frame) -> Axes:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(frame.west, frame.east)
    axes.set_ylim(frame.south, frame.north)
    axes.set_aspect("auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("#ece9e1")
    for side in axes.spines.values():
        side.set_color("#bdbab2")
    return axes


def _outline(axes: Axes, shape: shapely.Geometry, fill: str, edge: str, width: float) -> None:
    from matplotlib.patches import PathPatch

    axes.add_patch(PathPatch(shape_path(shape), facecolor=fill, edgecolor=edge, lw=width))


def _neighbour_names(
    axes: Axes, frame: Frame, beside: gpd.GeoDataFrame, taken: Sequence[Box]
) -> None:
    """Names of the communes beside, where there is space for them."""
    window = shapely.box(frame.west, frame.south, frame.east, frame.north)
    for name, shape in zip(beside["commune_name"], beside.geometry, strict=True):
        seen = shapely.make_valid(shape).intersection(window)
        if seen.is_empty:
            continue
        spot = seen.representative_point()
        x, y = frame.in_cm([spot.x], [spot.y])[0]
        half = _CHARACTER_CM * len(_cut(name)) / 2
        if not _covered((x - half, y - _LINE_CM / 2, x + half, y + _LINE_CM / 2), taken, frame):
            axes.text(spot.x, spot.y, _cut(name), fontsize=6.5, color="#77736a", ha="center",
                      va="center", style="italic")  # fmt: skip


def _dots(axes: Axes, frame: Frame, stops: Sequence[Stop]) -> list[Box]:
    """Numbered dots, main places full and replacements hollow, moved apart where they overlap.

    Gives what dots and names cover.
    """
    if not stops:
        return []
    at = frame.in_cm([stop.longitude for stop in stops], [stop.latitude for stop in stops])
    shown = apart(at, _DOT_CM * 1.1)
    for stop, true, dot in zip(stops, at, shown, strict=True):
        (x0, y0), (x, y) = frame.in_degrees(true), frame.in_degrees(dot)
        if np.hypot(*(true - dot)) > 0.02:
            axes.plot([x0, x], [y0, y], color=INK, lw=0.8, zorder=4)
            axes.plot(x0, y0, ".", color=INK, ms=4, zorder=4)
        fill, ink = ("#ffffff", INK) if stop.is_replacement else (INK, "#ffffff")
        axes.plot(x, y, "o", ms=_DOT_CM / 2.54 * 72, mfc=fill, mec=INK, mew=1.1, zorder=6)
        size = {1: 7.5, 2: 7.5, 3: 6.2, 4: 5.4}.get(len(stop.label), 4.4)
        axes.text(x, y, stop.label, fontsize=size, color=ink, ha="center", va="center_baseline",
                  fontweight="bold", zorder=7)  # fmt: skip
    names = [_cut(stop.village_name, 24) for stop in stops]
    return _village_names(axes, frame, names, shown)


def _village_names(
    axes: Axes, frame: Frame, names: Sequence[str], dots: npt.NDArray[np.float64]
) -> list[Box]:
    """Names beside their dots, where they cover no dot and no other name."""
    from matplotlib.patheffects import withStroke

    half = _DOT_CM / 2
    taken = [(x - half, y - half, x + half, y + half) for x, y in dots]
    for name, (x, y) in zip(names, dots, strict=True):
        if not name:
            continue
        width = _CHARACTER_CM * len(name)
        boxes = [
            (left, y + up - _LINE_CM / 2, left + width, y + up + _LINE_CM / 2)
            for up in (0, _DOT_CM * 0.75, -_DOT_CM * 0.75)
            for left in (x + half * 1.2, x - half * 1.2 - width, x - width / 2)
            if up or left != x - width / 2
        ]
        west, south, east, north = min(boxes, key=lambda box: _covered(box, taken, frame))
        taken.append((west, south, east, north))
        sides = {"left": west, "right": east, "center": (west + east) / 2}
        side = "left" if west > x else "right" if east < x else "center"
        at = frame.in_degrees(np.array([sides[side], (south + north) / 2]))
        text = axes.text(*at, name, fontsize=6.8, color=INK, ha=side, va="center", zorder=5,
                         clip_on=True)  # fmt: skip
        text.set_path_effects([withStroke(linewidth=2, foreground="#ffffff")])
    return taken


def _covered(box: Box, others: Sequence[Box], frame: Frame) -> float:
    """How much of a box lies over others or outside the map, cm²."""
    whole = (box[2] - box[0]) * (box[3] - box[1])
    inside = _common(box, (0.0, 0.0, frame.width_cm, frame.height_cm))
    return round(sum(_common(box, other) for other in others) + 4 * (whole - inside), 6)


def _common(one: Box, other: Box) -> float:
    """Area that two boxes have in common."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)


def _scale(axes: Axes, frame: Frame, lang: texts.Lang) -> None:
    """A bar of whole kilometres, and where north is."""
    fitting = [one for one in _SCALES if one / frame.km_per_cm <= 0.25 * frame.width_cm]
    km = max(fitting, default=_SCALES[0])
    length = km / frame.km_per_cm
    left, right, middle, corner = (
        frame.in_degrees(np.array(point))
        for point in (
            (0.35, 0.3), (0.35 + length, 0.3), (0.35 + length / 2, 0.42),
            (frame.width_cm - 0.3, frame.height_cm - 0.25),
        )
    )  # fmt: skip
    axes.plot([left[0], right[0]], [left[1], right[1]], color="#1c1c1c", lw=2.2,
              solid_capstyle="butt", zorder=8)  # fmt: skip
    label = f"{texts.short_number(km, lang)} km"
    axes.text(*middle, label, fontsize=7, ha="center", zorder=8)
    axes.text(*corner, f"{phrase('north', lang)} ↑", fontsize=8, ha="right", va="top",
              fontweight="bold", zorder=8)  # fmt: skip


@dataclass(frozen=True)
class Shade:
    """A class of communes on the province's map."""

    fill: str
    name: str
    codes: frozenset[str]


def shades_of(
    devices: Mapping[str, int], decided: frozenset[str], every: Sequence[str], lang: texts.Lang
) -> list[Shade]:
    """Communes by phones needed (up to three classes of about as many), decided, and others."""
    wanted = {code: count for code, count in devices.items() if count > 0}
    counts = np.array(sorted(wanted.values()))
    found = []
    if len(counts):
        cuts = sorted({int(counts[len(counts) * part // 3]) for part in (1, 2)})
        bounds = [int(counts[0]), *(cut for cut in cuts if cut > counts[0]), int(counts[-1]) + 1]
        for number, (low, high) in enumerate(pairwise(bounds)):
            codes = frozenset(code for code, count in wanted.items() if low <= count < high)
            held = sorted(wanted[code] for code in codes)
            if held:
                key = "legend_test" if held[0] < held[-1] else "legend_test_one"
                name = phrase(key, lang, low=held[0], **(
                    {"high": held[-1]} if held[0] < held[-1] else {}))  # fmt: skip
                found.append(Shade(SHADES[number + 3 - (len(bounds) - 1)], name, codes))
    done = decided - set(wanted)
    rest = frozenset(every) - set(wanted) - done
    if done:
        found.append(Shade(DECIDED, phrase("legend_decided", lang), frozenset(done)))
    if rest:
        found.append(Shade(OTHER, phrase("legend_other", lang), rest))
    return found


def province_map(
    communes: gpd.GeoDataFrame, shades: Sequence[Shade], size_cm: tuple[float, float],
    lang: texts.Lang,
) -> bytes:  # fmt: skip
    """PNG: the communes in their shades, with names where there is space, and a legend."""
    legend_cm = 5.2
    frame = frame_around(communes.total_bounds, size_cm[0] - legend_cm, size_cm[1], 0.02)
    fills = {code: shade.fill for shade in shades for code in shade.codes}
    tested = {code for shade in shades if shade.fill in SHADES for code in shade.codes}

    def draw(figure: Figure) -> None:
        axes = _axes(figure, frame)
        axes.set_position((0, 0, 1 - legend_cm / size_cm[0], 1))
        axes.set_facecolor("#ffffff")
        for code, shape in zip(communes["commune_code"], communes.geometry, strict=True):
            _outline(axes, shape, fills.get(code, OTHER), OUTLINE, 0.5)
        if len(communes) <= _NAMED:
            _commune_names(axes, frame, communes[communes["commune_code"].isin(tested)], fills)
        _scale(axes, frame, lang)
        _legend(figure.add_axes((1 - (legend_cm - 0.3) / size_cm[0], 0, (legend_cm - 0.3)
                                 / size_cm[0], 1)), shades)  # fmt: skip

    return png_of(draw, (size_cm[0] / 2.54, size_cm[1] / 2.54), DPI)


def _commune_names(
    axes: Axes, frame: Frame, communes: gpd.GeoDataFrame, fills: Mapping[str, str]
) -> None:
    """Names of communes, the largest first; one that would cover another is left out."""
    ordered = communes.iloc[np.argsort(-shapely.area(communes.geometry.to_numpy()), kind="stable")]
    taken: list[Box] = []
    columns = (ordered["commune_code"], ordered["commune_name"], ordered.geometry)
    for code, name, shape in zip(*columns, strict=True):
        spot = shape.representative_point()
        text = _broken(name)
        x, y = frame.in_cm([spot.x], [spot.y])[0]
        wide = 0.055 * max(map(len, text.split("\n")))
        high = 0.1 * (1 + text.count("\n"))
        box = (x - wide, y - high, x + wide, y + high)
        if any(_common(box, other) for other in taken):
            continue
        taken.append(box)
        ink = "#ffffff" if fills[code] == SHADES[-1] else "#1c1c1c"
        axes.text(spot.x, spot.y, text, fontsize=4.8, color=ink, ha="center", va="center",
                  linespacing=0.95)  # fmt: skip


def _legend(axes: Axes, shades: Sequence[Shade]) -> None:
    from matplotlib.patches import Rectangle

    axes.set_xlim(0, 100)
    axes.set_ylim(100, 0)
    axes.axis("off")
    for number, shade in enumerate(shades):
        y = 6 + 11 * number
        box = Rectangle((0, y - 3), 11, 6, facecolor=shade.fill, edgecolor=OUTLINE, lw=0.6)
        axes.add_patch(box)
        axes.text(14, y, f"{_wrapped(shade.name)} ({len(shade.codes)})", fontsize=7, va="center")


def _wrapped(text: str, width: int = 27) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def _cut(name: str, most: int = 28) -> str:
    name = printable(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _broken(name: str) -> str:
    return _wrapped(_cut(name), 11)
