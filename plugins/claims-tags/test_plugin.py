"""Hooks of the plugin, without Wasm: `python3 -m unittest`."""

import json
import unittest

from plugin import ClaimsTags
from tidegate_plugin import ConfigError
from tidegate_plugin.testing import Host, ask, context


def tags(claims, **rules):
    plugin = Host().plugin(ClaimsTags, tags=rules)
    cx = context()
    cx.claims_json = None if claims is None else json.dumps(claims)
    outcome = plugin.on_request(cx, ask("hello"))
    return outcome, {tag.key: tag.value for tag in outcome.tags}


class ClaimsTagsTest(unittest.TestCase):
    def test_a_claim_is_found_by_its_path(self):
        _, found = tags({"org": {"plan": "gold"}, "groups": ["a", "b"]}, plan={"claim": "org.plan"}, group={"claim": "groups.1"})
        self.assertEqual(found, {"plan": "gold", "group": "b"})

    def test_a_value_that_is_not_listed_is_other(self):
        _, found = tags({"sub": "alice@example.org"}, who={"claim": "sub", "values": ["robot"]})
        self.assertEqual(found, {"who": "other"})

    def test_a_token_without_a_required_claim_is_refused(self):
        outcome, _ = tags(None, plan={"claim": "org.plan", "required": True})
        self.assertEqual(outcome.verdict.value.code, "claim_missing")

    def test_no_rules_are_a_mistake(self):
        with self.assertRaises(ConfigError):
            tags({})


if __name__ == "__main__":
    unittest.main()
