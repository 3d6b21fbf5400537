"""Streamed answers: what has come and not been let go."""

from collections.abc import Callable
from dataclasses import dataclass

from ._outcome import StreamOutcome
from ._types import types


@dataclass
class HeldText:
    """What is held of the text of one part."""

    choice: int
    part: int
    text: str
    ended: bool
    """Whether the part is complete."""


class Held:
    """What has come of an answer and not been let go, so that whole texts are seen however the stream was cut."""

    def __init__(self) -> None:
        self._deltas: list[types.Delta] = []

    def add(self, batch: list[types.Delta]) -> None:
        """A batch that was pushed."""
        self._deltas.extend(batch)

    def texts(self) -> list[HeldText]:
        """The texts that are held, each part's in one; no thinking, and no arguments of tool calls."""
        held: dict[tuple[int, int], HeldText] = {}
        for delta in self._deltas:
            part = (delta.choice, delta.part)
            match delta.piece:
                case types.Piece_Text(text):
                    held.setdefault(part, HeldText(*part, "", False)).text += text
                case types.Piece_End() if part in held:
                    held[part].ended = True
        return list(held.values())

    def rewrite(self, rewrite: Callable[[str], str]) -> StreamOutcome:
        """Lets all of it go, with each text as `rewrite` has it."""
        old = self.texts()
        new = {(held.choice, held.part): rewrite(held.text) for held in old}
        deltas, self._deltas = self._deltas, []
        if all(held.text == new[(held.choice, held.part)] for held in old):
            return StreamOutcome.ok()
        put = []
        for delta in deltas:
            if not isinstance(delta.piece, types.Piece_Text):
                put.append(delta)
            elif (text := new.pop((delta.choice, delta.part), None)) is not None:
                put.append(types.Delta(delta.choice, delta.part, types.Piece_Text(text)))
        return StreamOutcome.replace(put)

    def let_go(self) -> StreamOutcome:
        """Lets all of it go as it is."""
        self._deltas = []
        return StreamOutcome.ok()
