// The overview, and the loop that keeps it fresh.

const EVERY = 3000;
const NEWEST = 200;
const SHOWN = 25;
let before = null;
let isPaused = false;

function showRevision(policies) {
  const problems = policies.last_reload.problems;
  put("revision", `revision ${policies.revision.slice(0, 12)}, in charge since ${new Date(policies.loaded_at).toLocaleString()}`);
  byId("alarm").hidden = !problems.length;
  const when = new Date(policies.last_reload.at).toLocaleString();
  put("alarm", tone("bad", `The files on disk have errors (${when}). The revision before stays in charge.`),
    element("pre", {}, problems.join("\n")));
  const columns = [["Policy", policy => policy.policy], ["Steps, in order", policy => policy.steps.join(" → ") || "none", "words"]];
  put("policies", table(columns, policies.policies, "There are no policies."));
}

function showFigures(metrics, decisions) {
  const now = { at: performance.now(), requests: metrics.sum("tidegate_requests_total"), cost: metrics.sum("tidegate_cost_usd_total") };
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  const rate = before && seconds ? Math.max(0, now.requests - before.requests) / seconds : null;
  before = now;
  const took = decisions.map(one => one.took_ms).sort((one, other) => one - other);
  const any = () => true;
  const half = took.length ? at(took, 0.5) : metrics.quantile("gen_ai_client_operation_duration_seconds", 0.5, any);
  const most = took.length ? at(took, 0.95) : metrics.quantile("gen_ai_client_operation_duration_seconds", 0.95, any);
  const failed = metrics.sum("tidegate_requests_total", labels => ["failed", "cut", "refused"].includes(labels.decision));
  const given = metrics.sum("tidegate_cache_total", labels => ["hit", "stale", "shared"].includes(labels.result));
  const looked = given + metrics.sum("tidegate_cache_total", labels => ["miss", "refresh"].includes(labels.result));
  const lost = ["tidegate_otlp_spans_dropped_total", "tidegate_decisions_dropped_total", "tidegate_access_log_dropped"]
    .reduce((sum, name) => sum + metrics.sum(name), 0);
  const own = metrics.quantile("tidegate_overhead_seconds", 0.95, any);
  const figures = [
    ["Under way", metrics.sum("tidegate_requests_in_flight")],
    ["A second", rate === null ? "–" : rate.toFixed(1), `${now.requests} requests in all`],
    ["Half within", ms(half), took.length ? `of the last ${took.length}` : "since the start"],
    ["95 % within", ms(most), own === null ? "" : `gateway itself ${ms(own)}`],
    ["Errors", percent(failed, now.requests), "and refusals"],
    ["Spent", usd(now.cost), "since the start"],
    ["Found in cache", percent(given, looked), looked ? `of ${looked}` : ""],
    ["Fell back", decisions.length ? percent(decisions.filter(hasFallen).length, decisions.length) : "–", decisions.length ? `of the last ${decisions.length}` : ""],
    ["Telemetry lost", lost ? tone("bad", lost) : 0],
  ];
  put("figures", ...figures.map(([name, value, note]) => element("div", {}, element("dt", {}, name),
    element("dd", {}, value, note ? element("small", {}, note) : null))));
}

function showRequests(decisions) {
  const columns = [
    ["Time", one => clock(one.time)],
    ["Request", one => element("a", { class: "id", href: `#${one.request_id}` }, `…${one.request_id.slice(-8)}`)],
    ["Outcome", outcome],
    ["Model", one => one.model || one.endpoint],
    ["Answered by", one => (isKept(one) ? "kept answer" : one.target || "–")],
    ["Policy", one => one.policy || "none"],
    ["Team", one => one.team || "–"],
    ["Tries", one => one.attempts, "number"],
    ["First token", one => (one.stream ? ms(one.first_token_ms) : "–"), "number"],
    ["Took", one => ms(one.took_ms), "number"],
    ["Cost", one => usd(one.cost_usd), "number"],
  ];
  put("requests", table(columns, decisions.slice(0, SHOWN), "No request is like that, so far."));
}

function showGroups(decisions) {
  const columns = title => [
    [title, group => group.name],
    ["Requests", group => group.count, "number"],
    ["Half within", group => ms(group.half), "number"],
    ["95 %", group => ms(group.most), "number"],
    ["Cost", group => usd(group.cost), "number"],
    ["Errors", group => percent(group.errors, group.count), "number"],
    ["Cached", group => percent(group.kept, group.count), "number"],
    ["Fell back", group => percent(group.fell, group.count), "number"],
  ];
  put("models", table(columns("Model"), groupsOf(decisions, one => one.model || one.endpoint), "Nothing is recorded."));
  put("teams", table(columns("Team"), groupsOf(decisions, one => one.team || "none"), "Nothing is recorded."));
}

function showTargets(policies, metrics) {
  const of = target => labels => labels.target === target.target;
  const tones = { closed: "good", probing: "warn", open: "bad" };
  const tries = (target, isOk) => metrics.sum("tidegate_attempts_total",
    labels => of(target)(labels) && (labels.outcome === "ok") === isOk && labels.outcome !== "passed_over");
  const time = (name, share) => target => ms(metrics.quantile(name, share, of(target)));
  put("targets", table([
    ["Target", target => target.target],
    ["Provider", target => target.provider],
    ["Breaker", target => tone(tones[target.breaker], target.breaker)],
    ["Under way", target => target.in_flight, "number"],
    ["Went well", target => tries(target, true), "number"],
    ["Came to nothing", target => tries(target, false), "number"],
    ["First token, 95 %", time("gen_ai_client_operation_time_to_first_chunk_seconds", 0.95), "number"],
    ["Whole, 95 %", time("gen_ai_client_operation_duration_seconds", 0.95), "number"],
    ["Cost", target => usd(metrics.sum("tidegate_cost_usd_total", of(target))), "number"],
  ], policies.targets, "There are no targets."));
}

function showBudgets(budgets) {
  const used = account => Number(account.spent_usd) + Number(account.held_usd);
  put("budgets", table([
    ["Account", account => account.account],
    ["Used", account => share(used(account), Number(account.usd), percent(used(account), Number(account.usd)))],
    ["Spent", account => usd(Number(account.spent_usd)), "number"],
    ["Of", account => usd(Number(account.usd)), "number"],
    ["Renews", account => (account.renews_at ? new Date(account.renews_at).toLocaleString() : "never")],
  ], budgets.accounts, "There are no budgets, or nobody has spent anything."));
}

function showCache(cache) {
  const counts = (policy, results) => results.reduce((sum, result) => sum + (policy.since_start[result] || 0), 0);
  const found = policy => counts(policy, ["hit", "stale", "shared"]);
  put("cache", table([
    ["Policy", policy => policy.policy],
    ["Answers", policy => policy.answers, "number"],
    ["Found", policy => percent(found(policy), found(policy) + counts(policy, ["miss", "refresh"])), "number"],
    ["Saved", policy => usd(Number(policy.saved_usd)), "number"],
  ], cache.policies, "No policy keeps answers."));
}

function showGuards(metrics) {
  put("guards", table([
    ["Guard", act => act.labels.guard],
    ["Did", act => act.labels.action],
    ["About", act => act.labels.kind || "–"],
    ["Times", act => act.value, "number"],
  ], metrics.all("tidegate_guard_actions_total"), "No guard has done anything."));
}

function showPlugins(metrics) {
  put("plugins", table([
    ["Plugin", call => call.labels.plugin],
    ["Policy", call => call.labels.policy],
    ["Hook", call => call.labels.hook],
    ["Came to", call => call.labels.outcome],
    ["Times", call => call.value, "number"],
  ], metrics.all("tidegate_plugin_calls_total"), "No plugin was called."));
}

function query() {
  const said = new URLSearchParams();
  for (const [name, value] of new FormData(byId("filter"))) if (value) said.set(name, value);
  said.set("limit", NEWEST);
  return said;
}

async function showDecisions(metrics) {
  let decisions = [];
  try {
    decisions = (await askJson(`/decisions?${query()}`)).decisions;
    showRequests(decisions);
  } catch (error) {
    put("requests", element("p", { class: "none" }, error.message));
  }
  showFigures(metrics, decisions);
  showGroups(decisions);
}

async function showBudgetsOrWhy() {
  try {
    showBudgets(await askJson("/budgets"));
  } catch (error) {
    put("budgets", element("p", { class: "bad" }, error.message));
  }
}

async function refresh() {
  const id = location.hash.slice(1);
  byId("overview").hidden = Boolean(id);
  byId("decision").hidden = !id;
  try {
    if (id) {
      await showDecision(id);
    } else {
      const [policies, text, cache] = await Promise.all([askJson("/policies"), ask("/metrics").then(answer => answer.text()), askJson("/cache")]);
      const metrics = new Metrics(text);
      showRevision(policies);
      await Promise.all([showDecisions(metrics), showBudgetsOrWhy()]);
      showTargets(policies, metrics);
      showCache(cache);
      showGuards(metrics);
      showPlugins(metrics);
    }
    put("state", isPaused ? "paused" : `as of ${clock(Date.now())}`);
  } catch (error) {
    put("state", tone("bad", `no word from the gateway: ${error.message}`));
  }
}

// Whoever comes by keyboard, or is read the page, goes on where the news is, and afterwards where they left.
function arrive(from) {
  const decision = byId("decision");
  const there = location.hash.slice(1)
    ? decision.querySelector("h2") || decision.querySelector("a")
    : [...byId("requests").querySelectorAll("a")].find(link => link.getAttribute("href") === from);
  if (there) there.focus();
}

async function keepFresh() {
  // A decision does not change any more, and a page that nobody looks at need not ask.
  if (!isPaused && !location.hash.slice(1) && document.visibilityState === "visible") await refresh();
  setTimeout(keepFresh, EVERY);
}

byId("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  byId("pause").setAttribute("aria-pressed", isPaused);
  refresh();
});
byId("filter").addEventListener("submit", event => {
  event.preventDefault();
  refresh();
});
addEventListener("hashchange", async event => {
  await refresh();
  arrive(new URL(event.oldURL).hash);
});
if (location.hash.slice(1)) refresh();
keepFresh();
