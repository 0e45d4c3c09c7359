"""The appraisal written out again in plain NumPy, draw by draw, from the spec's numbers; no code of the package."""

import numpy as np

TREATED = {"SCR IW": 1260, "SCR OOW": 1799, "WMCA": 1837}
ANSWERED = {"SCR IW": 640, "SCR OOW": 762, "WMCA": 754}
PLANNED = {"SCR IW": 3750, "SCR OOW": 3750, "WMCA": 3300}
RECRUITED = {"SCR IW": 3059, "SCR OOW": 3059, "WMCA": 1837}
COST = {"SCR IW": 2116, "SCR OOW": 2416, "WMCA": 3893}
INDEX = {"2014": 83.0, "2018/19": 88.825, "2019": 90.3, "2019/20": 90.95, "2020/21": 95.825}
PARTS = {"All SCR": ("SCR IW", "SCR OOW"), "All OOW": ("SCR OOW", "WMCA")}
UPRATE = {year: INDEX["2020/21"] / index for year, index in INDEX.items()}


def years(decay, horizon, rate, first_year=1.0, rise=1.0):
    total = first_year
    for year in range(2, horizon + 1):
        total = total + rise * ((1 - decay) / (1 + rate)) ** (year - 1)
    return total


def green_book(impact, q, group, *, planned=False):
    """Cost and benefits of both perspectives {sample} of a trial group, £ of 2020/21, from impacts and quantities."""
    e, w, h, s = (impact[name] for name in ("employment", "earnings", "health", "wellbeing"))
    response = ANSWERED[group] / TREATED[group]
    everybody = response + (1 - response) * q["nonresponse.share"]
    work = years(q["persistence.work.decay"], 5, 0.035)
    pay = years(q["persistence.earnings.decay"], 5, 0.035, rise=q["persistence.earnings.rise"])
    health = years(q["persistence.health.decay"], 5, 0.015, first_year=q["persistence.health.first_year"])
    in_work = e * work * q["conversions.years-of-work"] * UPRATE["2019/20"]
    service = e * work * q["benefits.health-service.price"] * UPRATE["2019/20"]
    society = {
        "output": in_work * q["benefits.output.price"] * q["benefits.output.undisplaced"],
        "earnings": w * pay * 1.04 * UPRATE["2019/20"] * q["benefits.earnings.additional"],
        "health": h * everybody * health * q["conversions.qalys"] * 70_000,
        "wellbeing": s
        * everybody
        * health
        * q["conversions.life-satisfaction"]
        * q["benefits.wellbeing.additional"]
        * 13_000
        * UPRATE["2019"],
        "health-service": service,
    }
    exchequer = {
        "tax": in_work * q["benefits.tax.price"],
        "benefits-saved": in_work * q["benefits.benefits-saved.price"],
        "health-service": service,
    }
    fixed = q["costs.fixed_share"] if planned else 0.0
    scale = fixed * RECRUITED[group] / PLANNED[group] + (1 - fixed)
    cost = COST[group] * UPRATE["2019/20"] * q["costs.uncertainty"] * scale
    return {"cost": np.broadcast_to(cost, np.shape(e)), "economic": society, "financial": exchequer}


def pooled(values, row):
    """Mean of two trial groups by recruits to treatment."""
    parts = PARTS[row]
    return sum(TREATED[part] * values[part] for part in parts) / sum(TREATED[part] for part in parts)
