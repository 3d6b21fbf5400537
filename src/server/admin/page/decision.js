// One request, as a waterfall.

async function showDecision(id) {
  const back = element("p", {}, element("a", { href: "#" }, "← all requests"));
  try {
    put("decision", back, ...decisionOf(await askJson(`/decisions/${encodeURIComponent(id)}`)));
  } catch (error) {
    put("decision", back, element("p", { class: "bad" }, error.message));
  }
}

function decisionOf(decision) {
  const said = [
    ["Outcome", element("span", {}, outcome(decision), decision.code ? ` (${decision.code})` : "")],
    ["Time", `${new Date(decision.time).toLocaleString()}, ${ms(decision.took_ms)}, of that the gateway's own ${ms(decision.overhead_ms)}`],
    ["Asked", [decision.endpoint, decision.model && `model ${decision.model}`, decision.dialect, decision.stream && "as a stream",
      decision.estimated_input_tokens && `about ${decision.estimated_input_tokens} tokens`].filter(Boolean).join(", ")],
    ["By", ["key", "team", "user", "session"].filter(name => decision[name]).map(name => `${name} ${decision[name]}`)
      .concat((decision.tags || []).map(tag => `tag ${tag}`)).join(", ") || "nobody who is known"],
    ["Decided", [`policy ${decision.policy || "none"}`, decision.revision && `revision ${decision.revision}`,
      decision.cache && `cache ${decision.cache}`].filter(Boolean).join(", ")],
    ["Answered by", decision.target || "nobody"],
    ["Tokens", `${decision.input_tokens ?? "–"} in, ${decision.output_tokens ?? "–"} out`],
    ["Cost", usd(decision.cost_usd) + (decision.cost_estimated ? ", counted by the gateway" : "")
      + (decision.saved_usd ? `, ${usd(decision.saved_usd)} saved` : "")],
    ["Lost in translation", (decision.losses || []).join("; ")],
    ["Trace", element("span", { class: "id" }, decision.trace_id)],
  ];
  const list = element("dl", {}, ...said.filter(([, words]) => words)
    .flatMap(([name, words]) => [element("dt", {}, name), element("dd", {}, words)]));
  return [element("h2", { class: "id", tabindex: "-1" }, decision.request_id), list,
    element("h2", {}, "What happened, and when"), fallOf(decision)];
}

function partsOf(decision) {
  const steps = decision.steps.map(step => ({
    ...step, name: step.step, kind: step.verdict === "refuse" ? "failed" : "step",
    words: [step.verdict, ...Object.entries(step.notes || {}).map(([name, value]) => `${name} ${value}`)].join("; "),
  }));
  const passed = decision.passed_over.map(target => ({
    ...target, took_ms: 0, name: target.target, kind: "failed", words: `not asked: ${target.reason}`,
  }));
  const tries = decision.tries.map(one => ({
    ...one, name: `${one.number}. ${one.target}`, kind: one.outcome === "ok" ? null : "failed",
    words: [one.outcome.replace(/_/g, " "), one.status && `status ${one.status}`, one.reason,
      one.first_token_ms !== undefined && `first token after ${ms(one.first_token_ms)}`,
      one.cost_usd !== undefined && usd(one.cost_usd)].filter(Boolean).join(", "),
  }));
  return [...steps, ...passed, ...tries].sort((one, other) => one.after_ms - other.after_ms);
}

function fallOf(decision) {
  const whole = Math.max(decision.took_ms, 0.001);
  const left = time => `${Math.min(99.5, (time / whole) * 100)}%`;
  const rows = partsOf(decision).map(part => {
    const bar = element("i", { class: part.kind });
    bar.style.left = left(part.after_ms);
    bar.style.width = `${Math.min(100, (part.took_ms / whole) * 100)}%`;
    const track = element("div", { "aria-hidden": "true" }, bar);
    if (part.first_token_ms !== undefined) {
      const mark = element("b", {});
      mark.style.left = left(part.after_ms + part.first_token_ms);
      track.append(mark);
    }
    return element("tr", {}, element("td", {}, part.name), element("td", { class: "track" }, track),
      element("td", { class: "number" }, ms(part.after_ms)), element("td", { class: "number" }, `+${ms(part.took_ms)}`),
      element("td", { class: "words" }, part.words));
  });
  if (!rows.length) return element("p", { class: "none" }, "No step did anything, and nobody was asked.");
  const heads = [["Part", null], ["", null], ["After", "number"], ["Took", "number"], ["What came of it", null]]
    .map(([title, kind]) => element("th", { scope: "col", class: kind }, title));
  return element("div", { class: "wide" }, element("table", { class: "fall" },
    element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)));
}
