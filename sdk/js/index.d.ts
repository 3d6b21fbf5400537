/**
 * Write plugins for the Tidegate gateway.
 *
 * A plugin is a class with a method for each hook it wants; what it does not have is never called:
 *
 *     import { Outcome, plugin, texts } from "tidegate-plugin";
 *
 *     class Topics {
 *       static about = {
 *         name: "topics",
 *         version: "0.1.0",
 *         description: "refuses what nobody may ask about",
 *         needs: ["request.text"],
 *         configSchema: {
 *           type: "object",
 *           properties: { words: { type: "array", items: { type: "string" } } },
 *           required: ["words"],
 *           additionalProperties: false,
 *         },
 *       };
 *
 *       constructor({ words }) {
 *         this.words = words;
 *       }
 *
 *       onRequest(cx, request) {
 *         const all = texts(request);
 *         const word = this.words.find((word) => all.some(({ text }) => text.includes(word)));
 *         if (word) return Outcome.deny(403, "topic_denied", `\`${word}\` is not talked about here`);
 *       }
 *     }
 *
 *     export const { lifecycle, requestHook, responseHook, streamHook } = plugin(Topics);
 *
 * The last line is needed as it stands. `tidegate-plugin/testing` plays the gateway, so that hooks run under Node.
 *
 * What a plugin may rely on:
 *
 * - It sees nothing that its policy does not grant: there are no messages, and host functions throw. The policy lists
 *   grants by name (`request.text`, `answer.text`, `kv`, …); `needs` says which it must.
 * - It has no files, no network, no environment and no timers; `Math.random` and `Date` are of the time it was built.
 * - An instance serves one call at a time. Instances come and go: what must be remembered belongs into `kv`.
 * - What a hook throws is a failure of the plugin; the policy says what becomes of the request. Hooks are not `async`.
 * - The engine is QuickJS. It has no `TextEncoder`: see `utf8`.
 */

export type Role = "system" | "developer" | "user" | "assistant" | "tool";
export type Media = "image" | "audio" | "file";
export type Severity = "info" | "low" | "medium" | "high" | "critical";

/** Read it with `blobs.read`, while the hook runs that was given this. */
export interface Blob {
  media: Media;
  id: number;
  /** Empty where nobody has said. */
  mediaType: string;
  /** In bytes. */
  size: number;
  name: string | null;
}
export interface Link {
  media: Media;
  url: string;
  name: string | null;
}
export interface ToolCall {
  id: string;
  name: string;
  argumentsJson: string;
}
export interface ToolResult {
  callId: string;
  text: string;
  isError: boolean;
}
export type Part =
  | { tag: "text" | "thinking" | "refusal"; val: string }
  | { tag: "tool-call"; val: ToolCall }
  | { tag: "tool-result"; val: ToolResult }
  | { tag: "blob"; val: Blob }
  | { tag: "link"; val: Link }
  /** What this version has no name for, as JSON. It cannot be edited. */
  | { tag: "other"; val: string };
export interface Message {
  role: Role;
  name: string | null;
  parts: Part[];
}
export interface Tag {
  key: string;
  value: string;
}
/** Who asks, and where the request stands: facts that were verified, never a credential. */
export interface Context {
  requestId: string;
  policy: string;
  /** `openai_chat`, `anthropic_messages`. */
  dialect: string;
  key: string | null;
  team: string | null;
  user: string | null;
  callerTags: string[];
  /** A JSON object. Needs the grant `caller.claims`. */
  claimsJson: string | null;
  /** Those that the grant `request.headers` lists, in lower case. */
  headers: Tag[];
  /** What plugins before this one have tagged the request with. */
  tags: Tag[];
  deadlineMs: number;
}
export interface ToolDef {
  name: string;
  description: string;
  /** Empty if there is none. */
  schemaJson: string;
}
export interface ChatRequest {
  model: string;
  /** Empty without the grant `request.text`, and so are `tools`. */
  messages: Message[];
  tools: ToolDef[];
  paramsJson: string;
  streaming: boolean;
}
export interface Usage {
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
}
export interface Choice {
  index: number;
  /** Empty without the grant `answer.text`. */
  parts: Part[];
  /** `stop`, `length`, `tool_calls`, `content_filter`, `pause`, `other`. */
  finishReason: string | null;
}
export interface ChatResponse {
  model: string;
  provider: string | null;
  choices: Choice[];
  usage: Usage | null;
  streaming: boolean;
}
/** Where a text lies: the number of its message, or choice, and of its part. */
export interface Place {
  message: number;
  part: number;
}
/** A range of bytes; made by `Text.span`. */
export interface Span {
  at: Place;
  start: number;
  end: number;
}
export type Edit =
  | { tag: "replace"; val: [Span, string] }
  | { tag: "set-text"; val: [Place, string] }
  | { tag: "insert-message"; val: [number, Message] }
  | { tag: "remove-message"; val: number }
  | { tag: "set-model" | "merge-params"; val: string }
  | { tag: "set-header"; val: Tag };
export interface Finding {
  /** 1 to 64 characters of `a-z`, `0-9`, `_`, `-`, `.`. */
  kind: string;
  severity: Severity;
  /** From 0 to 1. */
  score: number;
  at: Span | null;
}
export type Piece =
  | { tag: "text" | "thinking" | "refusal" | "tool-arguments"; val: string }
  | { tag: "tool-call"; val: ToolCall }
  /** The part is complete. */
  | { tag: "end" };
/** What a part of a streamed answer goes on with. */
export interface Delta {
  choice: number;
  part: number;
  piece: Piece;
}

export interface About {
  name: string;
  version: string;
  description?: string;
  /** The JSON Schema (2020-12) of the configuration. The gateway checks by it what a policy says. */
  configSchema?: object;
  /** The grants without which the plugin cannot do its work. A policy that does not give them does not load. */
  needs?: string[];
}

/** What a plugin remembers of one answer. */
export interface Session {
  /** Called with what has come since the last call. The verdict is about this batch and all that is held. */
  push(batch: Delta[]): StreamOutcome | void;
  /** Called at the end of an answer that ended well. The verdict is about what is held, if anything is. */
  finish?(usage: Usage | null): StreamOutcome | void;
}
/** An instance of a plugin. */
export interface Hooks {
  /** Called with each request before it is sent. */
  onRequest?(cx: Context, request: ChatRequest): Outcome | void;
  /** Called with each answer once it is whole. `request` is as it left this plugin. */
  onResponse?(cx: Context, request: ChatRequest, answer: ChatResponse): Outcome | void;
  /** Called once for each answer that is seen piece by piece. */
  open?(cx: Context, request: ChatRequest): Session;
}
/** A plugin: `about`, and a constructor that is called once for every instance and may throw a `ConfigError`. */
export interface PluginClass<Config = any> {
  about: About;
  new (config: Config): Hooks;
}
/** What a component exports. */
export function plugin(made: PluginClass): {
  lifecycle: object;
  requestHook: object;
  responseHook: object;
  streamHook: object;
};

/** The configuration is wrong. Shown to the operator while the policy loads. */
export class ConfigError extends Error {}
/** Something that the plugin depends on does not work at the moment. */
export class Transient extends Error {}

export class Text {
  readonly text: string;
  readonly at: Place;
  readonly role: Role;
  readonly part: Part;
  /** From `start` to `end`, as indices of the string, as a span, whose bounds are bytes. */
  span(start: number, end: number): Span;
}
/** All that the model reads, or says, as text: calls of tools and their results included, definitions of tools not. */
export function texts(of: ChatRequest | ChatResponse): Text[];
/** The texts of the last message of the user. */
export function lastUser(request: ChatRequest): Text[];
/** The parameters that the caller gave. */
export function params(request: ChatRequest): Record<string, any>;

export function finding(kind: string, more?: { severity?: Severity; score?: number; at?: Span }): Finding;
/** A message of one text. */
export function message(role: Role, text: string): Message;

/** What becomes of a request or an answer. A hook that returns nothing lets it pass. The methods add to it and return it. */
export class Outcome {
  verdict: { tag: string; val?: any };
  edits: Edit[];
  findings: Finding[];
  tags: Tag[];
  static pass(): Outcome;
  /** The caller gets an error with this status (400 to 599), stable word and message. */
  static deny(status: number, code: string, message: string, retryAfterMs?: number): Outcome;
  /** The caller gets this text for an answer; of a request, no model is asked. */
  static respond(text: string): Outcome;
  /** Puts a text in the place of a range. Ranges of one text must not overlap. */
  replace(span: Span, text: string): this;
  /** Puts a text in the place of a whole one. */
  setText(at: Place, text: string): this;
  /** Puts a message before the one of that number. */
  insert(before: number, message: Message): this;
  /** Asks for another model. Needs the grant `request.model`. */
  model(model: string): this;
  /** Lays a JSON merge patch over the parameters. Needs the grant `request.params`. */
  params(patch: object): this;
  /** Sends a header to the provider. Requests only; needs the grant `request.set_headers` with its name. */
  header(name: string, value: string): this;
  edit(edit: Edit): this;
  /** Tags the request for plugins behind this one, for conditions of routes, and for the decision log. */
  tag(key: string, value: string): this;
  finding(finding: Finding): this;
}

/** What becomes of a batch and of what is held. */
export class StreamOutcome {
  verdict: { tag: string; val?: any };
  findings: Finding[];
  /** Lets the batch go, and all that was held. */
  static pass(): StreamOutcome;
  /** Keeps the batch; a later verdict is about it as well. */
  static hold(): StreamOutcome;
  /** Sends these texts instead. */
  static replace(deltas: Delta[]): StreamOutcome;
  /** Ends the answer with an error. */
  static stop(status: number, code: string, message: string): StreamOutcome;
  finding(finding: Finding): this;
}

/** What has come of an answer and not been let go, so that whole texts are seen however the stream was cut. */
export class Held {
  /** A batch that was pushed. */
  add(batch: Delta[]): void;
  /** The texts that are held, each part's in one; no thinking, and no arguments of tool calls. */
  texts(): { choice: number; part: number; text: string; ended: boolean }[];
  /** Lets all of it go, with each text as `rewrite` has it. */
  rewrite(rewrite: (text: string) => string): StreamOutcome;
  /** Lets all of it go as it is. */
  letGo(): StreamOutcome;
}

/** Strings as bytes. */
export const utf8: {
  length(text: string): number;
  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array | number[]): string;
};

export type Level = "trace" | "debug" | "info" | "warn" | "error";
/** Lines in the gateway's log. Needs no grant; no text of a request belongs there. */
export const log: { write(level: Level, message: string): void };
/** Needs the grant `clock`. */
export const clock: { unixMs(): number; elapsedMs(): number };
/** Needs the grant `random`. At most 4,096 bytes at a time. */
export const random: { bytes(length: number): Uint8Array };
/** Needs the grant `metrics` with the names that may be used. */
export const metrics: { add(name: string, label: string, value: number): void };
/** A small store that lasts. Needs the grant `kv`. Throws `{ tag: "denied" | "too-large" | "quota" | "unavailable" }`. */
export const kv: {
  get(key: string): Uint8Array | null;
  set(key: string, value: Uint8Array, ttlMs: number | null): void;
  delete(key: string): void;
  /** Adds to a number and returns the sum. A number is read by adding 0. */
  add(key: string, by: number, ttlMs: number | null): number;
};
/** Needs the grant `secrets` with their names. Throws `{ tag: "denied" | "missing" }`. */
export const secrets: {
  /** A signature whose key stays in the gateway. */
  hmacSha256(name: string, data: Uint8Array): Uint8Array;
  /** Needs `reveal: true` in the grant. */
  reveal(name: string): string;
};
/** The bytes behind a `Blob`, at most 1 MiB at a time. */
export const blobs: { read(id: number, offset: number, length: number): Uint8Array };
export interface HttpRequest {
  method: string;
  url: string;
  headers: [string, string][];
  body: Uint8Array;
  timeoutMs: number;
}
export interface HttpResponse {
  status: number;
  headers: [string, string][];
  body: Uint8Array;
}
/** Needs the grant `http` with the origins that may be called. */
export const http: { send(request: HttpRequest): HttpResponse };
export interface Ask {
  model: string;
  messages: Message[];
  /** A JSON object; `{}` for none. */
  paramsJson: string;
  timeoutMs: number;
}
export interface Answer {
  text: string;
  finishReason: string;
  usage: Usage | null;
}
/** Questions to a model, through the gateway. Needs the grant `model` with the models that may be asked. */
export const model: { complete(ask: Ask): Answer };
