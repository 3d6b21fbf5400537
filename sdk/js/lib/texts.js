// The texts of a request or an answer, and where they lie.

import { utf8 } from "./utf8.js";

/** A text, where it lies and who says it. */
export class Text {
  constructor(text, at, role, part) {
    this.text = text;
    this.at = at;
    this.role = role;
    this.part = part;
  }

  /** From `start` to `end`, as indices of the string, as a span, whose bounds are bytes. */
  span(start, end) {
    const before = utf8.length(this.text.slice(0, start));
    return { at: this.at, start: before, end: before + utf8.length(this.text.slice(start, end)) };
  }

  toString() {
    return this.text;
  }
}

export function texts(of) {
  const found = [];
  (of.messages ?? []).forEach((message, number) => collect(found, number, message.role, message.parts));
  (of.choices ?? []).forEach((choice, number) => collect(found, number, "assistant", choice.parts));
  return found;
}

export function lastUser(request) {
  const number = request.messages.findLastIndex((message) => message.role === "user");
  const found = [];
  if (number >= 0) collect(found, number, "user", request.messages[number].parts);
  return found;
}

export function params(request) {
  return JSON.parse(request.paramsJson);
}

function collect(found, message, role, parts) {
  parts.forEach((part, number) => {
    const text = said(part);
    if (text !== undefined) found.push(new Text(text, { message, part: number }, role, part));
  });
}

function said(part) {
  switch (part.tag) {
    case "text":
    case "thinking":
    case "refusal":
      return part.val;
    case "tool-call":
      return part.val.argumentsJson;
    case "tool-result":
      return part.val.text;
    default:
      return undefined;
  }
}
