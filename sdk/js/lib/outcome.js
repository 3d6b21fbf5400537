// Saying what becomes of a request or an answer.

const denial = (status, code, message, retryAfterMs = null) => ({ status, code, message, retryAfterMs });

export function finding(kind, { severity = "low", score = 1, at = null } = {}) {
  return { kind, severity, score, at };
}

export function message(role, text) {
  return { role, name: null, parts: [{ tag: "text", val: text }] };
}

export class Outcome {
  constructor(verdict) {
    this.verdict = verdict;
    this.edits = [];
    this.findings = [];
    this.tags = [];
  }

  static pass() {
    return new Outcome({ tag: "pass" });
  }

  static deny(status, code, message, retryAfterMs) {
    return new Outcome({ tag: "deny", val: denial(status, code, message, retryAfterMs) });
  }

  static respond(text) {
    return new Outcome({ tag: "respond", val: { parts: [{ tag: "text", val: text }], finishReason: "stop" } });
  }

  replace(span, text) {
    return this.edit({ tag: "replace", val: [span, text] });
  }

  setText(at, text) {
    return this.edit({ tag: "set-text", val: [at, text] });
  }

  insert(before, message) {
    return this.edit({ tag: "insert-message", val: [before, message] });
  }

  model(model) {
    return this.edit({ tag: "set-model", val: model });
  }

  params(patch) {
    return this.edit({ tag: "merge-params", val: JSON.stringify(patch) });
  }

  header(key, value) {
    return this.edit({ tag: "set-header", val: { key, value } });
  }

  edit(edit) {
    this.edits.push(edit);
    return this;
  }

  tag(key, value) {
    this.tags.push({ key, value });
    return this;
  }

  finding(finding) {
    this.findings.push(finding);
    return this;
  }
}

export class StreamOutcome {
  constructor(verdict) {
    this.verdict = verdict;
    this.findings = [];
  }

  static pass() {
    return new StreamOutcome({ tag: "pass" });
  }

  static hold() {
    return new StreamOutcome({ tag: "hold" });
  }

  static replace(deltas) {
    return new StreamOutcome({ tag: "replace", val: deltas });
  }

  static stop(status, code, message) {
    return new StreamOutcome({ tag: "stop", val: denial(status, code, message) });
  }

  finding(finding) {
    this.findings.push(finding);
    return this;
  }
}
