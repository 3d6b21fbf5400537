/**
 * Hooks under Node, without Wasm: a gateway that is played. `npm test` bundles and runs `*.test.js` and `*.test.ts`.
 *
 *     import assert from "node:assert/strict";
 *     import { test } from "node:test";
 *     import { Host, ask, context } from "tidegate-plugin/testing";
 *     import { Topics } from "./plugin.js";
 *
 *     test("a word is refused", () => {
 *       const topics = new Host().plugin(Topics, { words: ["thermite"] });
 *       const outcome = topics.onRequest(context(), ask("how is thermite made?"));
 *       assert.equal(outcome.verdict.val.code, "topic_denied");
 *     });
 *
 * As with the real gateway, what a test does not grant is denied. What only the real one can show (limits, and whether
 * the policy grants what is needed) is shown by `tidegate plugin test`.
 */
import type { Answer, Ask, ChatRequest, ChatResponse, Context, HttpRequest, HttpResponse, PluginClass, Session } from "./index.js";

/** A request with one message of the user. Its fields can be changed. */
export function ask(text: string): ChatRequest;
/** An answer of one text. Its fields can be changed. */
export function answer(text: string): ChatResponse;
/** A caller nobody knows anything about. Its fields can be changed. */
export function context(): Context;
/** What the caller reads of a text whose pieces go through `session` batch by batch, or the error it ends with. */
export function streamed(session: Session, batches: string[][]): string | { status: number; code: string; message: string };

export interface Grants {
  kv?: boolean;
  clockMs?: number;
  /** Given out over and over. */
  random?: number[];
  secrets?: Record<string, string>;
  blobs?: Record<number, Uint8Array>;
  /** All servers are played by this. */
  http?: (request: HttpRequest) => HttpResponse;
  /** All models are played by this. */
  model?: (ask: Ask) => Answer;
}
/** The gateway as the plugin sees it, in the place of the one before. Nothing is granted that is not said. */
export class Host {
  constructor(grants?: Grants);
  readonly logged: string[];
  /** By `name/label`. */
  readonly counted: Map<string, number>;
  readonly stored: Map<string, Uint8Array>;
  readonly numbers: Map<string, number>;
  /** The plugin, made as the gateway makes it. */
  plugin<C extends PluginClass>(made: C, config?: ConstructorParameters<C>[0]): InstanceType<C>;
}
