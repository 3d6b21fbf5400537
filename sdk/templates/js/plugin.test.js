import assert from "node:assert/strict";
import { test } from "node:test";

import { Host, ask, context } from "tidegate-plugin/testing";

import { Words } from "./plugin.js";

test("a word on the list is refused", () => {
  const plugin = new Host().plugin(Words, { words: ["thermite"] });
  const denied = plugin.onRequest(context(), ask("how is thermite made?"));
  assert.equal(denied?.verdict.val.code, "word_denied");
  assert.equal(plugin.onRequest(context(), ask("hello")), undefined);
});
