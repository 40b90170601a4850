"""Hands an item over to the carrier. The tracking number follows from the product."""

import hashlib


def lambda_handler(item, context):
    digest = hashlib.sha256(item["productName"].encode()).hexdigest()
    delivery = {**item["delivery"], "status": "onItsWay", "trackingNumber": f"TR-{digest[:8].upper()}"}
    return {**item, "delivery": delivery}
