"""The SDK for Python, under plain Python: `PYTHONPATH=sdk/python python3 -m unittest discover sdk/tests`."""

import unittest

from tidegate_plugin import ConfigError, Err, Held, Outcome, Plugin, StreamOutcome, Transient, export, kv, texts, types
from tidegate_plugin.testing import Host, ask, context, streamed


class Trouble(Plugin):
    name = "trouble"
    version = "1"

    def configure(self):
        if self.config.get("wrong"):
            raise ConfigError("wrong")

    def on_request(self, cx, request):
        match next(texts(request)):
            case "later":
                raise Transient("not now")
            case "store":
                return kv.get("key")
            case "bug":
                return None.field
            case "odd":
                return "pass"


def failure(text):
    lifecycle, hook, _ = export(Trouble)
    lifecycle().configure("{}")
    try:
        return hook().on_request(context(), ask(text))
    except Err as failed:
        return failed.value


class British:
    def __init__(self):
        self.held = Held()

    def push(self, batch):
        self.held.add(batch)
        for text in self.held.texts():
            if not text.ended and any(text.text.endswith("color"[:cut]) for cut in range(1, 5)):
                return StreamOutcome.hold()
        return self.finish(None)

    def finish(self, usage):
        return self.held.rewrite(lambda text: text.replace("color", "colour"))


class SdkTest(unittest.TestCase):
    def test_a_span_counts_bytes_where_a_string_counts_characters(self):
        text = next(texts(ask("süß 🙂 ok")))
        at = text.find("ok")
        self.assertEqual(text.span(at, at + 2), types.Span(types.Place(0, 0), 11, 13))

    def test_whatever_is_raised_is_a_failure_of_the_right_kind(self):
        host = Host()
        self.assertEqual(failure("later"), types.Failure_Transient("not now"))
        self.assertIsInstance(failure("store"), types.Failure_Config)
        self.assertIsInstance(failure("bug"), types.Failure_Internal)
        self.assertIsInstance(failure("odd"), types.Failure_Internal)
        self.assertIn("AttributeError", "".join(host.logged))
        with self.assertRaises(Err) as raised:
            export(Trouble)[0]().configure('{"wrong": true}')
        self.assertEqual(raised.exception.value, types.Failure_Config("wrong"))

    def test_a_hook_that_returns_nothing_lets_it_pass_and_one_that_is_not_there_is_not_called(self):
        self.assertEqual(failure("hello"), Outcome.ok())
        self.assertEqual([hook.name for hook in export(Trouble)[0]().describe().hooks], ["ON_REQUEST"])

    def test_what_is_held_is_rewritten_as_one_text_however_it_came(self):
        said = "a color, and col"
        for batches in ([[said]], [["a co", "lor"], [", and c"], ["ol"]], [[piece] for piece in said]):
            self.assertEqual(streamed(British(), batches), "a colour, and col")


if __name__ == "__main__":
    unittest.main()
