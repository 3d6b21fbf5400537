// From a class to the functions a component exports, with everything that is thrown turned into a failure.

import { log } from "./host.js";
import { Outcome, StreamOutcome } from "./outcome.js";

export class ConfigError extends Error {}
export class Transient extends Error {}

const HOOKS = [
  ["onRequest", "on-request"],
  ["onResponse", "on-response"],
  ["open", "on-stream"],
];

export function plugin(Plugin) {
  let made;

  const configured = () => {
    if (!made) throw new Error("a hook was called before `configure`");
    return made;
  };
  const outcome = (hook) => guarded(() => checked(hook(), Outcome));

  class Session {
    constructor(ctx, req) {
      // A constructor cannot fail, so that what went wrong here is told with the first batch.
      try {
        this.session = guarded(() => configured().open(ctx, req));
      } catch (failure) {
        this.failure = failure;
      }
    }

    push(batch) {
      return this.#ask(() => this.session.push(batch));
    }

    finish(usage) {
      return this.#ask(() => this.session.finish?.(usage));
    }

    #ask(hook) {
      if (this.failure) throw this.failure;
      return guarded(() => checked(hook(), StreamOutcome));
    }
  }

  return {
    lifecycle: {
      describe() {
        const { name, version, description = "", configSchema, needs = [] } = Plugin.about;
        const hooks = HOOKS.filter(([method]) => typeof Plugin.prototype[method] === "function");
        return {
          name,
          version,
          description,
          configSchemaJson: configSchema === undefined ? null : JSON.stringify(configSchema),
          hooks: hooks.map(([, hook]) => hook),
          needs,
        };
      },
      configure(configJson) {
        guarded(() => {
          made = new Plugin(JSON.parse(configJson));
        });
      },
    },
    requestHook: { onRequest: (ctx, req) => outcome(() => configured().onRequest(ctx, req)) },
    responseHook: { onResponse: (ctx, req, resp) => outcome(() => configured().onResponse(ctx, req, resp)) },
    streamHook: { Session },
  };
}

function checked(result, Kind) {
  if (result === undefined || result === null) return Kind.pass();
  if (!(result instanceof Kind)) throw new TypeError(`a hook returned ${typeof result}, and not ${Kind.name}`);
  return result;
}

function guarded(hook) {
  try {
    return hook();
  } catch (error) {
    throw failure(error);
  }
}

function failure(error) {
  if (error instanceof ConfigError) return { tag: "config", val: error.message };
  if (error instanceof Transient) return { tag: "transient", val: error.message };
  if (error instanceof Error) {
    log.write("error", `${error}\n${error.stack ?? ""}`);
    return { tag: "internal", val: `${error}` };
  }
  // Thrown by the gateway.
  if (error?.tag === "denied") {
    return { tag: "config", val: `the policy does not grant it to this plugin${error.val ? `: ${error.val}` : ""}` };
  }
  return { tag: "transient", val: JSON.stringify(error) };
}
