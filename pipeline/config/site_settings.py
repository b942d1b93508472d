"""Sections of the settings for the plan of sites: what things cost, and what the plan assumes.

Does not belong here: the list of sites (`settings.Sites`), reading the file (`settings.py`), the
formulas that use the assumptions (`actions/sites`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from pipeline.config.output_settings import Section

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Level = Annotated[float, Field(allow_inf_nan=False)]  # dB or dBm, of either sign
Range = tuple[Positive, Positive]  # low, high
_SUM = 1.000_001  # shares such as three times 0.333334 may exceed 1 by their rounding


class ByTerrain(Section):
    """An amount for each class of terrain."""

    flat: Amount
    hilly: Amount
    mountainous: Amount

    def of(self, terrain: str | None) -> float:
        """The amount of a class; of terrain that is not known that of hilly, as its loss is."""
        return {"flat": self.flat, "mountainous": self.mountainous}.get(terrain or "", self.hilly)


class ByAction(Section):
    """An amount a year for each kind of action; what is absent costs nothing to run."""

    new_site: Amount = 0.0
    upgrade: Amount = 0.0
    shared_site: Amount = 0.0
    satellite_site: Amount = 0.0
    terminal: Amount = 0.0


class Costs(Section):
    """What the plan's actions cost, in one currency.

    No amount has a default: prices are the operators' and change. What is absent is not known, and
    an action of unknown cost is not priced.
    """

    currency: str = ""
    new_site: ByTerrain | None = None  # a number, or one for each of flat, hilly, mountainous
    upgrade: Amount | None = None  # of an operator's own site that stands
    shared_site: Amount | None = None  # one operator's equipment on a tower that stands
    satellite_site: Amount | None = None  # a small site connected by satellite
    terminal: Amount | None = None  # a community terminal by satellite
    solar: Amount | None = None  # beside the action, where there is no grid
    backhaul_km: Amount | None = None  # per km of fibre or microwave to the nearest site
    yearly: ByAction | None = None  # running cost: a number for all, or one by action
    years: float = Field(10.0, ge=0, allow_inf_nan=False)  # of running cost that count

    @field_validator("new_site", mode="before")
    @classmethod
    def _everywhere(cls, value: object) -> object:
        return _spread(value, ByTerrain)

    @field_validator("yearly", mode="before")
    @classmethod
    def _of_all(cls, value: object) -> object:
        return _spread(value, ByAction)

    @property
    def is_given(self) -> bool:
        """Whether any amount is set."""
        others = {"currency", "years"}
        return any(getattr(self, name) is not None for name in set(Costs.model_fields) - others)


def _spread(value: object, section: type[Section]) -> object:
    """A number as the section with this number everywhere."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return dict.fromkeys(section.model_fields, value)
    return value


class SitePlan(Section):
    """What the plan of sites assumes; `docs/investment.md` gives the sources and the reasons."""

    sites: int | None = Field(None, ge=1)  # that a run plans; None, and no budget: no plan
    budget: Positive | None = None  # in the currency of [costs]
    shared: bool = False  # operators stand on common towers, new ones and each other's

    # radio of a site whose row says nothing else
    band_mhz: float = Field(1800.0, ge=400, le=3000)  # MHz; 4G's first band in Vietnam, 2017
    height_m: float = Field(42.0, ge=3, le=300)  # m above ground, of the antenna
    # dBm per resource element: 46 dBm over 1,200 subcarriers of 20 MHz, 15 dBi less the feeder
    # (3GPP TR 36.942, macro cell)
    eirp_dbm: Level = 30.0
    min_rsrp_dbm: Level = -110.0  # dBm; the thin coverage of [diagnosis] weak_signal_dbm
    indoor_loss_db: Amount = 0.0  # dB; 13.6: median of a traditional house, ITU-R P.2109, 1.8 GHz
    shadowing_sd_db: float = Field(8.0, gt=0, le=20)  # dB; 3GPP TR 38.901, rural, no line of sight
    radius_km: Positive | None = None  # km; every site reaches so far, instead of the model
    satellite_radius_km: Positive = 1.5  # km; a small site of a village, as [villages] radius_km

    # capacity
    gb_per_person_month: Positive | None = None  # GB; absent: the plan has no limit of capacity
    bandwidth_mhz: Positive = 20.0  # MHz of downlink per sector; the widest LTE carrier
    # bit/s/Hz per sector, low and high: minimum requirements of ITU-R M.2134 for downlink in
    # rural (high-speed) and in urban macro cells
    spectral_efficiency: Range = (1.1, 2.2)
    sectors: int = Field(3, ge=1, le=12)
    busy_share: float = Field(0.10, gt=0, le=1)  # of a day's traffic in its busiest hour; chosen
    # how many times the speed after an upgrade, low and high: 4×4 antennas on the same carrier,
    # a second carrier of the same width
    upgrade_factor: Range = (1.3, 2.0)
    # log-sd of places' means around their unit's; 0: a commune's places are all alike
    place_log_sd: float = Field(0.45, ge=0, le=1.0)
    shares: dict[str, float] = Field({})  # of subscribers, by operator; absent: equal

    @field_validator("spectral_efficiency", "upgrade_factor")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError("two numbers, the low one first")
        return value

    @field_validator("upgrade_factor")
    @classmethod
    def _no_loss(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] < 1:
            raise ValueError("an upgrade makes no network slower: at least 1")
        return value

    @field_validator("shares")
    @classmethod
    def _shares(cls, value: dict[str, float]) -> dict[str, float]:
        if not all(0 <= one <= 1 for one in value.values()) or sum(value.values()) > _SUM:
            raise ValueError("shares from 0 to 1 that add up to at most 1")
        return value

    @model_validator(mode="after")
    def _one_limit(self) -> SitePlan:
        if self.sites is not None and self.budget is not None:
            raise ValueError("sites or budget, one of the two")
        return self

    @model_validator(mode="after")
    def _reaches(self) -> SitePlan:
        if self.min_rsrp_dbm >= self.eirp_dbm:
            raise ValueError("min_rsrp_dbm must be below eirp_dbm")
        return self
