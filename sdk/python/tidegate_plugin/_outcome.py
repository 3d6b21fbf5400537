"""Saying what becomes of a request or an answer."""

import json
from typing import Any, Self

from ._types import Role, Severity, types


class Finding(types.Finding):
    """Something that was noticed. `kind` is 1 to 64 characters of `a-z`, `0-9`, `_`, `-`, `.`."""

    def __init__(
        self, kind: str, severity: Severity = Severity.LOW, score: float = 1.0, at: types.Span | None = None
    ) -> None:
        super().__init__(kind, severity, score, at)


def message(role: Role, text: str) -> types.Message:
    """A message of one text."""
    return types.Message(role, None, [types.Part_Text(text)])


class Outcome(types.Outcome):
    """What becomes of a request or an answer. The methods add to it and return it."""

    @classmethod
    def ok(cls) -> Self:
        """On it goes; a hook that returns nothing says the same."""
        return cls(types.Verdict_Pass(), [], [], [])

    @classmethod
    def deny(cls, status: int, code: str, message: str, retry_after_ms: int | None = None) -> Self:
        """The caller gets an error with this status (400 to 599), stable word and message."""
        return cls(types.Verdict_Deny(types.Denial(status, code, message, retry_after_ms)), [], [], [])

    @classmethod
    def respond(cls, text: str) -> Self:
        """The caller gets this text for an answer; of a request, no model is asked."""
        return cls(types.Verdict_Respond(types.Reply([types.Part_Text(text)], "stop")), [], [], [])

    def replace(self, span: types.Span, text: str) -> Self:
        """Puts a text in the place of a range. Ranges of one text must not overlap."""
        return self.edit(types.Edit_Replace((span, text)))

    def set_text(self, at: types.Place, text: str) -> Self:
        """Puts a text in the place of a whole one."""
        return self.edit(types.Edit_SetText((at, text)))

    def insert(self, before: int, message: types.Message) -> Self:
        """Puts a message before the one of that number."""
        return self.edit(types.Edit_InsertMessage((before, message)))

    def model(self, model: str) -> Self:
        """Asks for another model. Needs the grant `request.model`."""
        return self.edit(types.Edit_SetModel(model))

    def params(self, patch: dict[str, Any]) -> Self:
        """Lays a JSON merge patch over the parameters. Needs the grant `request.params`."""
        return self.edit(types.Edit_MergeParams(json.dumps(patch)))

    def header(self, name: str, value: str) -> Self:
        """Sends a header to the provider. Requests only; needs the grant `request.set_headers` with its name."""
        return self.edit(types.Edit_SetHeader(types.Tag(name, value)))

    def edit(self, edit: types.Edit) -> Self:
        self.edits.append(edit)
        return self

    def tag(self, key: str, value: str) -> Self:
        """Tags the request for plugins behind this one, for conditions of routes, and for the decision log."""
        self.tags.append(types.Tag(key, value))
        return self

    def finding(self, finding: types.Finding) -> Self:
        self.findings.append(finding)
        return self


class StreamOutcome(types.StreamOutcome):
    """What becomes of a batch and of what is held."""

    @classmethod
    def ok(cls) -> Self:
        """Lets the batch go, and all that was held; a hook that returns nothing says the same."""
        return cls(types.StreamVerdict_Pass(), [])

    @classmethod
    def hold(cls) -> Self:
        """Keeps the batch; a later verdict is about it as well."""
        return cls(types.StreamVerdict_Hold(), [])

    @classmethod
    def replace(cls, deltas: list[types.Delta]) -> Self:
        """Sends these texts instead."""
        return cls(types.StreamVerdict_Replace(deltas), [])

    @classmethod
    def stop(cls, status: int, code: str, message: str) -> Self:
        """Ends the answer with an error."""
        return cls(types.StreamVerdict_Stop(types.Denial(status, code, message, None)), [])

    def finding(self, finding: types.Finding) -> Self:
        self.findings.append(finding)
        return self
