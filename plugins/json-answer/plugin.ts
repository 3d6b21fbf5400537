// Sees to it that an answer is the JSON that was asked for.
//
// The schema is the one that the request names under `response_format`, or the policy's. An answer that does not keep to
// it goes to a model once, to be mended; if that fails as well, the caller gets an error and not something that breaks
// further on. Answers have to be whole for this, so streams are held until then.

// The engine has no `URL`, which the validator resolves `$ref` with.
import "core-js/actual/url";

import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import {
  type ChatRequest,
  type ChatResponse,
  ConfigError,
  type Context,
  type Hooks,
  Outcome,
  type Place,
  finding,
  log,
  message,
  model,
  params,
  plugin,
} from "tidegate-plugin";

interface Config {
  schema?: Schema;
  repair_with?: string;
}

export class JsonAnswer implements Hooks {
  static about = {
    name: "json-answer",
    version: "0.1.0",
    description: "sees to it that an answer is the JSON that was asked for",
    needs: ["request.text", "answer.text"],
    configSchema: {
      type: "object",
      properties: {
        schema: { type: "object", description: "what answers keep to where the request names no schema" },
        repair_with: { type: "string", description: "the model that mends an answer; it has to be granted" },
      },
      additionalProperties: false,
    },
  };

  readonly #config: Config;

  constructor(config: Config) {
    if (config.schema && Object.keys(config.schema).length === 0) throw new ConfigError("`schema` allows everything");
    this.#config = config;
  }

  onResponse(_cx: Context, request: ChatRequest, answer: ChatResponse): Outcome | void {
    const schema: Schema | undefined = params(request).response_format?.json_schema?.schema ?? this.#config.schema;
    const said = onlyText(answer);
    if (!schema || !said) return;
    const validator = new Validator(schema, "2020-12", false);
    const json = unfenced(said.text);
    const errors = mistakes(validator, json);
    if (errors.length === 0) return json === said.text ? undefined : Outcome.pass().setText(said.at, json);
    const mended = this.#repaired(json, errors, schema);
    if (mended !== undefined && mistakes(validator, mended).length === 0) {
      return Outcome.pass().setText(said.at, mended).finding(finding("answer_repaired", { severity: "info" }));
    }
    return Outcome.deny(502, "answer_invalid", "the model's answer is not the JSON that was asked for").finding(
      finding("answer_invalid", { severity: "medium" }),
    );
  }

  #repaired(json: string, errors: string[], schema: Schema): string | undefined {
    const name = this.#config.repair_with;
    if (!name) return undefined;
    try {
      const answer = model.complete({
        model: name,
        messages: [
          message("system", "You mend JSON. Answer with the mended JSON document and nothing else."),
          message("user", `Schema:\n${JSON.stringify(schema)}\n\nWrong:\n${errors.join("\n")}\n\nDocument:\n${json}`),
        ],
        paramsJson: JSON.stringify({ temperature: 0, response_format: "json_object" }),
        timeoutMs: 30_000,
      });
      return unfenced(answer.text);
    } catch (error) {
      // It is invalid whether or not it could be mended.
      log.write("warn", `the answer could not be mended: ${JSON.stringify(error)}`);
      return undefined;
    }
  }
}

/** The text of an answer that is nothing else: no tool calls, and not several choices. */
function onlyText(answer: ChatResponse): { text: string; at: Place } | undefined {
  const [choice, ...others] = answer.choices;
  if (!choice || others.length > 0 || choice.parts.some((part) => part.tag === "tool-call")) return undefined;
  const number = choice.parts.findIndex((part) => part.tag === "text");
  const part = choice.parts[number];
  return part?.tag === "text" ? { text: part.val, at: { message: 0, part: number } } : undefined;
}

/** Without the code fence that models like to put around JSON. */
function unfenced(text: string): string {
  const fenced = /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/.exec(text);
  return fenced ? fenced[1] : text;
}

/** What is wrong with a text, a line each; nothing if it keeps to the schema. */
function mistakes(validator: Validator, text: string): string[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return [`it is no JSON: ${(error as Error).message}`];
  }
  const { valid, errors } = validator.validate(document);
  return valid ? [] : errors.map((error: OutputUnit) => `${error.instanceLocation}: ${error.error}`).slice(0, 10);
}

export const { lifecycle, requestHook, responseHook, streamHook } = plugin(JsonAnswer);
