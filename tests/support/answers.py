"""What is looked at in the answers of the API."""

from typing import Any


def ids(answer: dict[str, Any]) -> list[str]:
    return [record["_id"] for record in answer["answer_records"]]
