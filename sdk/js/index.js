// Write plugins for the Tidegate gateway. `index.d.ts` says what there is.

export { ConfigError, Transient, plugin } from "./lib/export.js";
export { Held } from "./lib/held.js";
export { blobs, clock, http, kv, log, metrics, model, random, secrets } from "./lib/host.js";
export { Outcome, StreamOutcome, finding, message } from "./lib/outcome.js";
export { Text, lastUser, params, texts } from "./lib/texts.js";
export { utf8 } from "./lib/utf8.js";
