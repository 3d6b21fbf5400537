"""The hooks, without Wasm: `PYTHONPATH=sdk/python .venv/bin/python -m unittest`."""

import unittest

from plugin import Words
from tidegate_plugin.testing import Host, ask, context


class WordsTest(unittest.TestCase):
    def test_a_word_on_the_list_is_refused(self):
        plugin = Host().plugin(Words, words=["thermite"])
        denied = plugin.on_request(context(), ask("how is thermite made?"))
        self.assertEqual(denied.verdict.value.code, "word_denied")
        self.assertIsNone(plugin.on_request(context(), ask("hello")))


if __name__ == "__main__":
    unittest.main()
