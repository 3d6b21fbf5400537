"""From a `Plugin` to the functions a component exports, with every exception turned into a failure."""

import json
import traceback
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from wit_world.exports import lifecycle

from ._host import http, kv, log, model, secrets
from ._outcome import Outcome, StreamOutcome
from ._types import Err, types

T = TypeVar("T")


class ConfigError(Exception):
    """The configuration is wrong. Raised by `configure`, and shown to the operator while the policy loads."""


class Transient(Exception):
    """Something that the plugin depends on does not work at the moment."""


class Plugin:
    """What a plugin derives from. It overrides the hooks it wants; what it does not override is never called."""

    name: ClassVar[str]
    version: ClassVar[str]
    description: ClassVar[str] = ""
    config_schema: ClassVar[dict[str, Any] | None] = None
    """The JSON Schema (2020-12) of the configuration. The gateway checks by it what a policy says."""
    needs: ClassVar[list[str]] = []
    """The grants without which the plugin cannot do its work. A policy that does not give them does not load."""

    config: dict[str, Any]

    def configure(self) -> None:
        """Called once for every instance, with `self.config` set and nothing granted yet. Raises `ConfigError`."""

    def on_request(self, cx: types.Context, request: types.ChatRequest) -> Outcome | None:
        """Called with each request before it is sent."""

    def on_response(
        self, cx: types.Context, request: types.ChatRequest, answer: types.ChatResponse
    ) -> Outcome | None:
        """Called with each answer once it is whole. `request` is as it left this plugin."""

    def open(self, cx: types.Context, request: types.ChatRequest) -> Any:
        """Called once for each answer that is seen piece by piece. What it returns has the methods

        * `push(batch)`, called with what has come since the last call,
        * `finish(usage)`, called at the end,

        which return a `StreamOutcome`, or nothing to let it go.
        """


def export(plugin: type[Plugin]) -> tuple[type, type, type]:
    """The three classes that a plugin's module has to have."""
    return _Lifecycle.of(plugin), _RequestHook, _ResponseHook


_plugin: Plugin | None = None


def _guarded(hook: Callable[[], T]) -> T:
    try:
        return hook()
    except Err as error:
        raise Err(_failure(error.value)) from error
    except ConfigError as error:
        raise Err(types.Failure_Config(str(error))) from error
    except Transient as error:
        raise Err(types.Failure_Transient(str(error))) from error
    except Exception as error:
        log.write(log.Level.ERROR, traceback.format_exc())
        raise Err(types.Failure_Internal(f"{type(error).__name__}: {error}")) from error


def _failure(error: Any) -> types.Failure:
    match error:
        case types.Failure_Config() | types.Failure_Transient() | types.Failure_Internal():
            return error
        case kv.Error_Denied():
            return types.Failure_Config("the policy does not grant `kv` to this plugin")
        case secrets.Error_Denied():
            return types.Failure_Config("the policy does not grant this secret to this plugin")
        case http.Error_Denied(reason):
            return types.Failure_Config(f"the policy does not grant this request: {reason}")
        case model.Error_Denied(reason):
            return types.Failure_Config(f"the policy does not grant this model: {reason}")
        case _:
            return types.Failure_Transient(repr(error))


def _checked(outcome: Any, kind: type[T], default: Callable[[], T]) -> T:
    if outcome is None:
        return default()
    if not isinstance(outcome, kind):
        raise TypeError(f"a hook returned {type(outcome).__name__}, and not {kind.__name__}")
    return outcome


def _overrides(plugin: type[Plugin], method: str) -> bool:
    return getattr(plugin, method) is not getattr(Plugin, method)


class _Lifecycle:
    _made_of: ClassVar[type[Plugin]]

    @classmethod
    def of(cls, plugin: type[Plugin]) -> type:
        return type("Lifecycle", (cls,), {"_made_of": plugin})

    def describe(self) -> lifecycle.About:
        plugin = self._made_of
        methods = [
            ("on_request", lifecycle.Hook.ON_REQUEST),
            ("on_response", lifecycle.Hook.ON_RESPONSE),
            ("open", lifecycle.Hook.ON_STREAM),
        ]
        hooks = [hook for method, hook in methods if _overrides(plugin, method)]
        schema = None if plugin.config_schema is None else json.dumps(plugin.config_schema)
        return lifecycle.About(
            plugin.name, plugin.version, plugin.description, schema, hooks, list(plugin.needs)
        )

    def configure(self, config_json: str) -> None:
        def make() -> None:
            global _plugin
            plugin = self._made_of()
            plugin.config = json.loads(config_json)
            plugin.configure()
            _plugin = plugin

        _guarded(make)


def _configured() -> Plugin:
    if _plugin is None:
        raise RuntimeError("a hook was called before `configure`")
    return _plugin


class _RequestHook:
    def on_request(self, ctx: types.Context, req: types.ChatRequest) -> types.Outcome:
        return _guarded(lambda: _checked(_configured().on_request(ctx, req), types.Outcome, Outcome.ok))


class _ResponseHook:
    def on_response(
        self, ctx: types.Context, req: types.ChatRequest, resp: types.ChatResponse
    ) -> types.Outcome:
        return _guarded(lambda: _checked(_configured().on_response(ctx, req, resp), types.Outcome, Outcome.ok))


class Session:
    """One answer, as `stream_hook` has it."""

    def __init__(self, ctx: types.Context, req: types.ChatRequest) -> None:
        # A constructor cannot fail, so that what went wrong here is told with the first batch.
        self._failed: Err | None = None
        try:
            self._session = _guarded(lambda: _configured().open(ctx, req))
        except Err as failed:
            self._failed = failed

    def push(self, batch: list[types.Delta]) -> types.StreamOutcome:
        return self._ask(lambda: self._session.push(batch))

    def finish(self, usage: types.Usage | None) -> types.StreamOutcome:
        return self._ask(lambda: self._session.finish(usage))

    def _ask(self, hook: Callable[[], Any]) -> types.StreamOutcome:
        if self._failed is not None:
            raise self._failed
        return _guarded(lambda: _checked(hook(), types.StreamOutcome, StreamOutcome.ok))
