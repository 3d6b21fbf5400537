// Hooks under Node, without Wasm: a gateway that is played. `testing.d.ts` says what there is.

import { createHmac } from "node:crypto";

import { blobs, clock, http, kv, log, metrics, model, random, secrets } from "./lib/host.js";
import { message } from "./lib/outcome.js";

export const ask = (text) => ({
  model: "chat",
  messages: [message("user", text)],
  tools: [],
  paramsJson: "{}",
  streaming: false,
});

export const answer = (text) => ({
  model: "chat-2026",
  provider: "house",
  choices: [{ index: 0, parts: [{ tag: "text", val: text }], finishReason: "stop" }],
  usage: null,
  streaming: false,
});

export const context = () => ({
  requestId: "req_test",
  policy: "default",
  dialect: "openai_chat",
  key: null,
  team: null,
  user: null,
  callerTags: [],
  claimsJson: null,
  headers: [],
  tags: [],
  deadlineMs: 1000,
});

export function streamed(session, batches) {
  let read = "";
  let held = [];
  const decide = (outcome) => {
    const verdict = outcome?.verdict ?? { tag: "pass" };
    if (verdict.tag === "hold") return null;
    if (verdict.tag === "stop") return verdict.val;
    const leaves = verdict.tag === "replace" ? verdict.val : held;
    held = [];
    for (const { piece } of leaves) if (piece.tag === "text") read += piece.val;
    return null;
  };
  for (const [number, batch] of batches.entries()) {
    const deltas = batch.map((text) => ({ choice: 0, part: 0, piece: { tag: "text", val: text } }));
    if (number + 1 === batches.length) deltas.push({ choice: 0, part: 0, piece: { tag: "end" } });
    held.push(...deltas);
    const denial = decide(session.push(deltas));
    if (denial) return denial;
  }
  return decide(session.finish?.(null)) ?? read;
}

const denied = (why) => ({ tag: "denied", val: why });

/** The gateway as the plugin sees it, in the place of the one before. Nothing is granted that is not said. */
export class Host {
  constructor(grants = {}) {
    this.logged = [];
    this.counted = new Map();
    this.stored = new Map();
    this.numbers = new Map();
    this.grants = grants;
    this.#install();
  }

  plugin(Plugin, config = {}) {
    return new Plugin(config);
  }

  #install() {
    const { grants } = this;
    log.write = (_level, line) => void this.logged.push(line);
    clock.unixMs = () => {
      if (grants.clockMs === undefined) throw new Error("the test does not grant `clock`: `new Host({ clockMs: 0 })`");
      return grants.clockMs;
    };
    clock.elapsedMs = () => clock.unixMs() && 0;
    random.bytes = (length) => {
      if (!grants.random) throw new Error("the test does not grant `random`: `new Host({ random: [1, 2, 3] })`");
      return Uint8Array.from({ length }, (_, at) => grants.random[at % grants.random.length]);
    };
    metrics.add = (name, label, value) => {
      const counter = `${name}/${label}`;
      this.counted.set(counter, (this.counted.get(counter) ?? 0) + value);
    };
    this.#store();
    secrets.reveal = (name) => {
      if (!grants.secrets) throw denied();
      if (!(name in grants.secrets)) throw { tag: "missing" };
      return grants.secrets[name];
    };
    secrets.hmacSha256 = (name, data) => {
      const mac = createHmac("sha256", secrets.reveal(name));
      return new Uint8Array(mac.update(Uint8Array.from(data)).digest());
    };
    blobs.read = (id, offset, length) => {
      const blob = grants.blobs?.[id];
      if (!blob) throw { tag: "gone" };
      return Uint8Array.from(blob.slice(offset, offset + length));
    };
    http.send = played(grants.http);
    model.complete = played(grants.model);
  }

  #store() {
    const granted = () => {
      if (!this.grants.kv) throw denied();
    };
    kv.get = (key) => {
      granted();
      return this.stored.get(key) ?? null;
    };
    kv.set = (key, value) => {
      granted();
      this.stored.set(key, value);
    };
    kv.delete = (key) => {
      granted();
      this.stored.delete(key);
      this.numbers.delete(key);
    };
    kv.add = (key, by) => {
      granted();
      this.numbers.set(key, (this.numbers.get(key) ?? 0) + by);
      return this.numbers.get(key);
    };
  }
}

const played = (player) => (asked) => {
  if (!player) throw denied("the test does not grant it");
  return player(asked);
};
