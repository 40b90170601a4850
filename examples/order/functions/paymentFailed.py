"""Tells the customer that the payment did not go through. The message is the order's result."""


def lambda_handler(order, context):
    detail = order["detail"]
    return {
        "orderId": order["orderId"],
        "customerId": detail["customerId"],
        "payment": order["payment"],
        "message": f"Order {order['orderId']} was not sent: {detail['paymentMethod']} was declined.",
    }
