"""Refuses requests in which a word of a list stands."""

from tidegate_plugin import ConfigError, Finding, Outcome, Plugin, Severity, export, texts


class Words(Plugin):
    name = "__NAME__"
    version = "0.1.0"
    description = "refuses requests in which a word of a list stands"
    needs = ["request.text"]
    # What a policy says under `config`.
    config_schema = {
        "type": "object",
        "properties": {
            "words": {
                "type": "array",
                "items": {"type": "string"},
                "description": "words that may not stand in a request",
            }
        },
        "required": ["words"],
        "additionalProperties": False,
    }

    def configure(self):
        if not self.config["words"]:
            raise ConfigError("`words` is empty")

    def on_request(self, cx, request):
        for text in texts(request):
            for word in self.config["words"]:
                at = text.find(word)
                if at >= 0:
                    found = Finding("word", Severity.MEDIUM, at=text.span(at, at + len(word)))
                    return Outcome.deny(403, "word_denied", "this is not talked about here").finding(found)

    # Further hooks: `on_response(self, cx, request, answer)` and `open(self, cx, request)` for streams.


Lifecycle, RequestHook, ResponseHook = export(Words)
