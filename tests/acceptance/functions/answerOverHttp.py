"""Behind a proxy integration of API Gateway: tells what it was called with."""

import json
from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    told = {
        "method": event["httpMethod"],
        "id": event["pathParameters"]["id"],
        "query": event["queryStringParameters"],
        "body": event["body"],
    }
    return {"statusCode": 201, "headers": {"X-Made-By": context.function_name}, "body": json.dumps(told)}
