"""Tags requests by the verified claims of the caller's token, for plugins behind it and for the decision log.

A rule names a claim by its path and the tag it becomes. `values` says what the tag may be, so that nothing personal gets
into a log: other values become `other`. A claim that `required` names and a token lacks is a refusal.
"""

import json

from tidegate_plugin import ConfigError, Outcome, Plugin, export

OTHER = "other"


class ClaimsTags(Plugin):
    name = "claims-tags"
    version = "0.1.0"
    description = "tags requests by the claims of the caller's token"
    needs = ["caller.claims"]
    config_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "tags": {
                "type": "object",
                "description": "each tag, and where it comes from",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "claim": {"type": "string", "description": "the path of the claim, as `org.plan` or `groups.0`"},
                        "values": {"type": "array", "items": {"type": "string"}, "description": "what it may be"},
                        "required": {"type": "boolean", "default": False},
                    },
                    "required": ["claim"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["tags"],
        "additionalProperties": False,
    }

    def configure(self):
        if not self.config["tags"]:
            raise ConfigError("`tags` is empty")

    def on_request(self, cx, request):
        claims = json.loads(cx.claims_json or "{}")
        outcome = Outcome.ok()
        for tag, rule in self.config["tags"].items():
            value = at(claims, rule["claim"])
            if value is None:
                if rule.get("required"):
                    return Outcome.deny(403, "claim_missing", f"the token has no `{rule['claim']}`")
                continue
            outcome.tag(tag, word(value, rule.get("values")))
        return outcome


def at(claims, path):
    """The claim at a path; `None` if it is not there or is no plain value."""
    for step in path.split("."):
        if isinstance(claims, list) and step.isdigit() and int(step) < len(claims):
            claims = claims[int(step)]
        elif isinstance(claims, dict):
            claims = claims.get(step)
        else:
            return None
    return None if isinstance(claims, (dict, list)) else claims


def word(value, allowed):
    """A value as a tag may have it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if allowed is not None:
        return text if text in allowed else OTHER
    fits = len(text) <= 64 and text.isascii() and text.isprintable()
    return text if fits else OTHER


Lifecycle, RequestHook, ResponseHook = export(ClaimsTags)
