// The SDK for JavaScript, under Node: `node ../../sdk/js/test.js ../../sdk/tests/sdk.test.js` in a plugin's folder.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ConfigError, Held, Outcome, StreamOutcome, Transient, kv, plugin, texts, utf8 } from "../js/index.js";
import { Host, ask, context, streamed } from "../js/testing.js";

test("a span counts bytes where a string counts units", () => {
  const [text] = texts(ask("süß 🙂 ok"));
  const at = text.text.indexOf("ok");
  assert.deepEqual(text.span(at, at + 2), { at: { message: 0, part: 0 }, start: 11, end: 13 });
  assert.equal(utf8.length("süß 🙂 ok"), Buffer.byteLength("süß 🙂 ok"));
});

test("a text comes back from its bytes", () => {
  for (const text of ["", "plain", "süß 🙂 €"]) assert.equal(utf8.decode(utf8.encode(text)), text);
  assert.deepEqual([...utf8.encode("süß 🙂 €")], [...Buffer.from("süß 🙂 €")]);
});

class Trouble {
  static about = { name: "trouble", version: "1" };
  constructor({ wrong }) {
    if (wrong) throw new ConfigError("wrong");
  }
  onRequest(_cx, request) {
    switch (texts(request)[0].text) {
      case "later":
        throw new Transient("not now");
      case "store":
        return kv.get("key");
      case "bug":
        return undefined.field;
      case "odd":
        return { verdict: "pass" };
      default:
        return undefined;
    }
  }
}

function failure(text) {
  const { lifecycle, requestHook } = plugin(Trouble);
  lifecycle.configure("{}");
  try {
    return requestHook.onRequest(context(), ask(text));
  } catch (thrown) {
    return thrown;
  }
}

test("whatever is thrown is a failure of the right kind", () => {
  const host = new Host();
  assert.deepEqual(failure("later"), { tag: "transient", val: "not now" });
  assert.equal(failure("store").tag, "config");
  assert.equal(failure("bug").tag, "internal");
  assert.equal(failure("odd").tag, "internal");
  assert.match(host.logged.join(), /TypeError/);
  assert.throws(() => plugin(Trouble).lifecycle.configure('{"wrong": true}'), { tag: "config", val: "wrong" });
});

test("a hook that returns nothing lets it pass, and one that is not there is not called", () => {
  assert.deepEqual(failure("hello"), Outcome.pass());
  assert.deepEqual(plugin(Trouble).lifecycle.describe().hooks, ["on-request"]);
});

test("what is held is rewritten as one text, however it came", () => {
  const session = () => {
    const held = new Held();
    const letGo = () => held.rewrite((text) => text.replaceAll("color", "colour"));
    return {
      push(batch) {
        held.add(batch);
        const mayGoOn = (text) => [1, 2, 3, 4].some((cut) => text.endsWith("color".slice(0, cut)));
        return held.texts().some(({ text, ended }) => !ended && mayGoOn(text)) ? StreamOutcome.hold() : letGo();
      },
      finish: letGo,
    };
  };
  const said = "a color, and col";
  for (const batches of [[[said]], [["a co", "lor"], [", and c"], ["ol"]], [...said].map((piece) => [piece])]) {
    assert.equal(streamed(session(), batches), "a colour, and col");
  }
});
