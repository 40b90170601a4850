"""Packs an item: how many parcels, and how heavy."""

import math

KILOGRAMS = {"book": 0.8, "grocery": 0.5}
PARCEL_KILOGRAMS = 5


def lambda_handler(item, context):
    weight = KILOGRAMS.get(item["category"], 1.0) * item["quantity"]
    parcels = math.ceil(weight / PARCEL_KILOGRAMS)
    return {**item, "delivery": {"weightKg": round(weight, 2), "parcels": parcels}}
