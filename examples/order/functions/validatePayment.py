"""Decides whether an order can be paid. A real shop would ask its payment provider here."""

DECLINED = {"declinedCard"}


def lambda_handler(order, context):
    detail = order["detail"]
    amount = sum(item["price"] * item["quantity"] for item in detail["items"])
    payment = "Declined" if detail["paymentMethod"] in DECLINED else "Ok"
    print(f"order {order['orderId']}: {amount:.2f} by {detail['paymentMethod']}: {payment}")
    return {**order, "payment": payment}
