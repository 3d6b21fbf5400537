import assert from "node:assert/strict";
import { test } from "node:test";

import type { Schema } from "@cfworker/json-schema";
import { type Grants, Host, answer, ask, context } from "tidegate-plugin/testing";

import { JsonAnswer } from "./plugin.js";

const schema: Schema = { type: "object", properties: { age: { type: "integer" } }, required: ["age"] };

function outcome(text: string, grants: Grants = {}, repair_with?: string) {
  const host = new Host(grants);
  const plugin = host.plugin(JsonAnswer, { schema, repair_with });
  return { outcome: plugin.onResponse(context(), ask("how old?"), answer(text)), host };
}

test("an answer that keeps to the schema is left alone", () => {
  assert.equal(outcome('{"age": 7}').outcome, undefined);
});

test("a fence around it is taken away", () => {
  const { outcome: unfenced } = outcome('```json\n{"age": 7}\n```');
  assert.deepEqual(unfenced?.edits, [{ tag: "set-text", val: [{ message: 0, part: 0 }, '{"age": 7}'] }]);
});

test("one that does not is mended by a model, which is told what is wrong", () => {
  let asked = "";
  const says = (ask: { messages: any[] }) => {
    asked = ask.messages[1].parts[0].val;
    return { text: '{"age": 7}', finishReason: "stop", usage: null };
  };
  const { outcome: mended } = outcome('{"age": "seven"}', { model: says }, "small");
  assert.equal(mended?.findings[0].kind, "answer_repaired");
  assert.match(asked, /#\/age/);
});

test("one that nobody can mend is an error", () => {
  const still = { model: () => ({ text: "sorry", finishReason: "stop", usage: null }) };
  assert.equal(outcome("seven", still, "small").outcome?.verdict.val.code, "answer_invalid");
  assert.equal(outcome("seven", {}, "small").outcome?.verdict.val.code, "answer_invalid");
  assert.equal(outcome("seven").outcome?.verdict.val.code, "answer_invalid");
});

test("the schema of the request goes first", () => {
  const request = ask("how old?");
  request.paramsJson = JSON.stringify({ response_format: { json_schema: { schema: { type: "string" } } } });
  const plugin = new Host().plugin(JsonAnswer, { schema });
  assert.equal(plugin.onResponse(context(), request, answer('"seven"')), undefined);
});
