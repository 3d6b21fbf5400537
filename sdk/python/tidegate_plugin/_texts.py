"""The texts of a request or an answer, and where they lie."""

import json
from collections.abc import Iterator
from typing import Any

from ._types import Role, types


class Text(str):
    """A text, where it lies (`at`) and who says it (`role`). Otherwise a `str`."""

    at: types.Place
    role: Role
    part: types.Part

    def span(self, start: int, end: int) -> types.Span:
        """The characters from `start` to `end` as a span, whose bounds are bytes."""
        before = len(self[:start].encode())
        return types.Span(self.at, before, before + len(self[start:end].encode()))


def texts(of: types.ChatRequest | types.ChatResponse) -> Iterator[Text]:
    """All that the model reads, or says, as text: calls of tools and their results included, definitions of tools not."""
    if isinstance(of, types.ChatRequest):
        for number, message in enumerate(of.messages):
            yield from _of(number, message.role, message.parts)
    else:
        for number, choice in enumerate(of.choices):
            yield from _of(number, Role.ASSISTANT, choice.parts)


def last_user(request: types.ChatRequest) -> Iterator[Text]:
    """The texts of the last message of the user."""
    for number in reversed(range(len(request.messages))):
        message = request.messages[number]
        if message.role == Role.USER:
            yield from _of(number, message.role, message.parts)
            return


def params(request: types.ChatRequest) -> dict[str, Any]:
    """The parameters that the caller gave."""
    return json.loads(request.params_json)


def _of(message: int, role: Role, parts: list[types.Part]) -> Iterator[Text]:
    for number, part in enumerate(parts):
        match part:
            case types.Part_Text(value) | types.Part_Thinking(value) | types.Part_Refusal(value):
                said = value
            case types.Part_ToolCall(call):
                said = call.arguments_json
            case types.Part_ToolResult(result):
                said = result.text
            case _:
                continue
        text = Text(said)
        text.at, text.role, text.part = types.Place(message, number), role, part
        yield text
