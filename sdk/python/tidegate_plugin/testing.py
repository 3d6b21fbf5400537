"""Hooks under plain Python, without Wasm: a gateway that is played.

    from tidegate_plugin.testing import Host, ask, context

    def test_a_word_is_refused():
        host = Host()
        topics = host.plugin(Topics, words=["thermite"])
        outcome = topics.on_request(context(), ask("how is thermite made?"))
        assert outcome.verdict.value.code == "topic_denied"

As with the real gateway, what a test does not grant is denied: `Host(kv=True, clock_ms=0, ...)`. What only the real one
can show (limits, and whether the policy grants what is needed) is shown by `tidegate plugin test`.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, TypeVar


from ._export import Plugin
from ._host import blobs, clock, http, kv, log, metrics, model, random, secrets
from ._outcome import message
from ._types import Err, Role, types

P = TypeVar("P", bound=Plugin)


def ask(text: str) -> types.ChatRequest:
    """A request with one message of the user. Its fields can be changed."""
    return types.ChatRequest("chat", [message(Role.USER, text)], [], "{}", False)


def answer(text: str) -> types.ChatResponse:
    """An answer of one text. Its fields can be changed."""
    choice = types.Choice(0, [types.Part_Text(text)], "stop")
    return types.ChatResponse("chat-2026", "house", [choice], None, False)


def context() -> types.Context:
    """A caller nobody knows anything about. Its fields can be changed."""
    return types.Context("req_test", "default", "openai_chat", None, None, None, [], None, [], [], 1000)


def streamed(session: Any, batches: list[list[str]]) -> str | types.Denial:
    """What the caller reads of a text whose pieces go through `session` batch by batch, or the error it ends with."""
    read, held = "", []
    for number, batch in enumerate(batches):
        deltas = [types.Delta(0, 0, types.Piece_Text(text)) for text in batch]
        if number + 1 == len(batches):
            deltas.append(types.Delta(0, 0, types.Piece_End()))
        held += deltas
        leaves = _decided(session.push(deltas), held)
        if isinstance(leaves, types.Denial):
            return leaves
        read += leaves
    leaves = _decided(session.finish(None), held)
    return leaves if isinstance(leaves, types.Denial) else read + leaves


def _decided(outcome: types.StreamOutcome | None, held: list[types.Delta]) -> str | types.Denial:
    match outcome.verdict if outcome else types.StreamVerdict_Pass():
        case types.StreamVerdict_Hold():
            return ""
        case types.StreamVerdict_Stop(denial):
            return denial
        case types.StreamVerdict_Replace(deltas):
            leaves = deltas
        case _:
            leaves = list(held)
    held.clear()
    return "".join(delta.piece.value for delta in leaves if isinstance(delta.piece, types.Piece_Text))


class Host:
    """The gateway as the plugin sees it, in the place of the one before. Nothing is granted that is not said."""

    def __init__(
        self,
        *,
        kv: bool = False,
        clock_ms: int | None = None,
        random: bytes | None = None,
        secrets: dict[str, str] | None = None,
        blobs: dict[int, bytes] | None = None,
        http: Callable[[Any], Any] | None = None,
        model: Callable[[Any], Any] | None = None,
    ) -> None:
        self.logged: list[str] = []
        self.counted: dict[tuple[str, str], int] = {}
        self.stored: dict[str, bytes] = {}
        self.numbers: dict[str, int] = {}
        self._kv, self._clock_ms, self._random = kv, clock_ms, random
        self._secrets, self._blobs, self._http, self._model = secrets, blobs or {}, http, model
        self._install()

    def plugin(self, plugin: type[P], **config: Any) -> P:
        """The plugin, made as the gateway makes it."""
        made = plugin()
        made.config = config
        made.configure()
        return made

    def _install(self) -> None:
        log.write = lambda level, line: self.logged.append(line)
        clock.unix_ms, clock.elapsed_ms = self._now, lambda: self._now() and 0
        random.bytes = self._bytes
        metrics.add = self._count
        kv.get, kv.set, kv.delete, kv.add = self._get, self._set, self._delete, self._add
        secrets.reveal, secrets.hmac_sha256 = self._reveal, self._hmac
        blobs.read = self._read
        http.send = lambda request: self._played(self._http, http, request)
        model.complete = lambda ask: self._played(self._model, model, ask)

    def _now(self) -> int:
        if self._clock_ms is None:
            raise AssertionError("the test does not grant `clock`: `Host(clock_ms=...)`")
        return self._clock_ms

    def _bytes(self, length: int) -> bytes:
        if not self._random:
            raise AssertionError("the test does not grant `random`: `Host(random=b'...')`")
        return (self._random * (length // len(self._random) + 1))[:length]

    def _count(self, name: str, label: str, value: int) -> None:
        self.counted[(name, label)] = self.counted.get((name, label), 0) + value

    def _granted_kv(self) -> None:
        if not self._kv:
            raise Err(kv.Error_Denied())

    def _get(self, key: str) -> bytes | None:
        self._granted_kv()
        return self.stored.get(key)

    def _set(self, key: str, value: bytes, ttl_ms: int | None) -> None:
        self._granted_kv()
        self.stored[key] = value

    def _delete(self, key: str) -> None:
        self._granted_kv()
        self.stored.pop(key, None)
        self.numbers.pop(key, None)

    def _add(self, key: str, by: int, ttl_ms: int | None) -> int:
        self._granted_kv()
        self.numbers[key] = self.numbers.get(key, 0) + by
        return self.numbers[key]

    def _reveal(self, name: str) -> str:
        if self._secrets is None:
            raise Err(secrets.Error_Denied())
        if name not in self._secrets:
            raise Err(secrets.Error_Missing())
        return self._secrets[name]

    def _hmac(self, name: str, data: bytes) -> bytes:
        return hmac.digest(self._reveal(name).encode(), data, hashlib.sha256)

    def _read(self, number: int, offset: int, length: int) -> bytes:
        if number not in self._blobs:
            raise Err(blobs.Error_Gone())
        return self._blobs[number][offset : offset + length]

    @staticmethod
    def _played(player: Callable[[Any], Any] | None, interface: Any, asked: Any) -> Any:
        if player is None:
            raise Err(interface.Error_Denied("the test does not grant it"))
        return player(asked)
