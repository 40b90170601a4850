"""How Step Functions names what belongs to other services: as the AWS SDK for Java 2.x does.

    what                     rule                                                      example
    a member                 the letters that it begins with are one word,             DBInstances -> DbInstances
                             then the first is upper-case
    an error                 every word capitalised, then `Exception`, also in         DBInstanceNotFoundFault ->
                             place of `Fault`                                          DbInstanceNotFoundException
    what errors begin with   the service's id, every word capitalised, without         Amazon DynamoDB -> DynamoDb
                             `AWS` and `Amazon` before it and `Service` behind it

Recorded: `Sfn.InvalidTokenException`, `DynamoDb.DynamoDbException`, `S3.NoSuchKeyException`,
`SecretsManager.SecretsManagerException`. The other rules are those of that SDK's published class and method names.
"""

from __future__ import annotations

import re

_first_word = re.compile(r"[A-Z]+(?=[A-Z][a-z]|[^A-Za-z]|$)|[A-Z]")
_between_words = re.compile(
    r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z][A-Za-z0-9])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[0-9])(?=[A-Za-z])"
)


def uncapitalised(name: str) -> str:
    """The name of a method: `startExecution`, `dbInstances`, `eTag`."""
    return _first_word.sub(lambda match: match.group().lower(), name, count=1) if name[:1].isupper() else name


def spelled(member: str) -> str:
    """A member of a request or an answer, by its name in the service's model."""
    name = uncapitalised(member)
    # The developer guide: what is called equals is EqualsValue, because Java's objects have a method of that name.
    return "EqualsValue" if name == "equals" else name[:1].upper() + name[1:]


def spellings(member: str) -> tuple[str, ...]:
    """What is taken for the member: Step Functions' own name, and the model's with an upper-case letter first."""
    return (spelled(member), member[:1].upper() + member[1:])


def exception_name(code: str) -> str:
    """An error, by the name of its shape in the service's model."""
    name = _capitalised(code.removesuffix("Fault"))
    return name if name.endswith("Exception") else name + "Exception"


def error_prefix(service_id: str) -> str:
    """What the names of a service's errors begin with, by botocore's id of the service."""
    core = re.sub(r"^(AWS|Amazon)(?=[^a-z])|\bService$", "", service_id.strip())
    return _capitalised(core)


def _capitalised(name: str) -> str:
    return "".join(word.capitalize() for word in _between_words.split(name))
