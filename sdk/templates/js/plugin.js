// @ts-check
// Refuses requests in which a word of a list stands. Rename it to `plugin.ts` to write TypeScript.

import { ConfigError, Outcome, finding, plugin, texts } from "tidegate-plugin";

/** @implements {import("tidegate-plugin").Hooks} */
export class Words {
  static about = {
    name: "__NAME__",
    version: "0.1.0",
    description: "refuses requests in which a word of a list stands",
    needs: ["request.text"],
    // What a policy says under `config`.
    configSchema: {
      type: "object",
      properties: {
        words: {
          type: "array",
          items: { type: "string" },
          description: "words that may not stand in a request",
        },
      },
      required: ["words"],
      additionalProperties: false,
    },
  };

  /** @param {{ words: string[] }} config */
  constructor({ words }) {
    if (words.length === 0) throw new ConfigError("`words` is empty");
    this.words = words;
  }

  /**
   * @param {import("tidegate-plugin").Context} _cx
   * @param {import("tidegate-plugin").ChatRequest} request
   */
  onRequest(_cx, request) {
    for (const text of texts(request)) {
      for (const word of this.words) {
        const at = text.text.indexOf(word);
        if (at >= 0) {
          const found = finding("word", { severity: "medium", at: text.span(at, at + word.length) });
          return Outcome.deny(403, "word_denied", "this is not talked about here").finding(found);
        }
      }
    }
  }

  // Further hooks: `onResponse(cx, request, answer)` and `open(cx, request)` for streams.
}

export const { lifecycle, requestHook, responseHook, streamHook } = plugin(Words);
