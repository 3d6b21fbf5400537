"""Write plugins for the Tidegate gateway.

A plugin is a class with a method for each hook it wants:

    from tidegate_plugin import Outcome, Plugin, export, texts

    class Topics(Plugin):
        name = "topics"
        version = "0.1.0"
        description = "refuses what nobody may ask about"
        needs = ["request.text"]
        config_schema = {
            "type": "object",
            "properties": {"words": {"type": "array", "items": {"type": "string"}}},
            "required": ["words"],
            "additionalProperties": False,
        }

        def on_request(self, cx, request):
            for text in texts(request):
                for word in self.config["words"]:
                    if word in text:
                        return Outcome.deny(403, "topic_denied", f"`{word}` is not talked about here")

    Lifecycle, RequestHook, ResponseHook = export(Topics)

The last line is needed as it stands. `testing.Host` plays the gateway, so that hooks run under plain Python.

What a plugin may rely on:

* It sees nothing that its policy does not grant: there are no messages, and host functions raise. The policy lists
  grants by name (`request.text`, `answer.text`, `kv`, ...); `needs` says which it must.
* It has no files, no network and no environment. `kv`, `http`, `model`, `secrets`, `blobs`, `clock`, `random` and
  `metrics` are all there is; what is printed goes to the plugin's log, and so does `log`. Their functions are those of
  `sdk/wit/host.wit`; they raise `Err`, whose `value` is one of their errors.
* An instance serves one call at a time. Instances come and go: what must be remembered belongs into `kv`.
* An exception in a hook is a failure of the plugin; the policy says what becomes of the request.
* Modules are imported when the plugin is built, and what they did then is all there: random numbers that were drawn
  or times that were read at the top of a module are the same in every instance.
"""

from . import _bindings  # first: it makes sure that `wit_world` is there
from ._export import ConfigError, Plugin, Transient, export
from ._host import blobs, clock, http, kv, log, metrics, model, random, secrets
from ._outcome import Finding, Outcome, StreamOutcome, message
from ._stream import Held, HeldText
from ._texts import Text, last_user, params, texts
from ._types import Err, Role, Severity, types

__all__ = [
    "ConfigError",
    "Err",
    "Finding",
    "Held",
    "HeldText",
    "Outcome",
    "Plugin",
    "Role",
    "Severity",
    "StreamOutcome",
    "Text",
    "Transient",
    "blobs",
    "clock",
    "export",
    "http",
    "kv",
    "last_user",
    "log",
    "message",
    "metrics",
    "model",
    "params",
    "random",
    "secrets",
    "texts",
    "types",
]
