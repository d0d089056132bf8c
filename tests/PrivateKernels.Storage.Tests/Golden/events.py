"""Golden exports of six histories, and what they add up to, in exact integers apart from the product.

Run in this folder: python3 events.py. price.py compares exports of a server with what dp_accounting says.
"""
import json
import math
from fractions import Fraction
from statistics import NormalDist

ONE = 1 << 40
SPENDS = [("a", "0.25"), ("b", "0.1"), ("returned", "0.5"), ("held", "0.125")]


def units_of(strength, is_normal):
    asked = Fraction(strength)
    return math.floor(ONE * (asked * asked if is_normal else asked))


def normal_scale(squared, units):
    """The least multiple of 2^-10 with s^2 units at least Delta^2 2^40."""
    target = -(-(squared << 60) // units)
    return (math.isqrt(target - 1) + 1) / 1024


def history(kind, relation):
    factor = 2 if relation == "replace_one" else 1
    events, total, charged = [], 0.0, 0
    for name, strength in SPENDS:
        is_normal = kind == "gaussian" or (kind == "mixed" and name != "b")
        units = units_of(strength, is_normal)
        if name == "returned":
            continue
        if is_normal:
            scale = normal_scale((41 * 41) * factor**2 * 4, units)
            one_record = math.sqrt(41 * 41 * factor**2 * 4) / factor
            event = {"class_name": "GaussianDpEvent", "noise_multiplier": scale / one_record}
            total += (factor * one_record / scale) ** 2
        else:
            scale = float(Fraction(97 * factor * 2 * ONE, units))
            epsilon = units / ONE
            shown = epsilon if kind == "pure" else math.nextafter(97 * factor * 2 / scale, math.inf)
            event = {"class_name": "EpsilonDeltaDpEvent", "epsilon": shown, "delta": 0}
            total += epsilon if kind == "pure" else (2 * NormalDist().inv_cdf(math.exp(epsilon) / (1 + math.exp(epsilon)))) ** 2
        event["release"] = f"datasets/people/releases/{name}"
        if name == "held":
            event["reserved"] = True
        events.append(event)
    return {"class_name": "ComposedDpEvent", "events": events}, total


for kind in ("gaussian", "pure", "mixed"):
    for relation in ("add_or_remove_one", "replace_one"):
        composed, total = history(kind, relation)
        with open(f"events-{kind}-{relation}.json", "w") as file:
            json.dump({"event": composed, "total": total}, file, indent=1)
            file.write("\n")
        print(kind, relation, total)
