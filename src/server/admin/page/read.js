"use strict";
// Reading what the admin port says.

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `${path}: ${answer.status}`);
  return answer;
}

const askJson = async path => (await ask(path)).json();

// The samples of Prometheus' text format.
function samplesIn(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const found = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name] = value.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
    }
    samples.push({ name: found[1], labels, value: Number(found[3]) });
  }
  return samples;
}

class Metrics {
  constructor(text) {
    this.byName = Map.groupBy(samplesIn(text), sample => sample.name);
  }
  all(name) {
    return this.byName.get(name) || [];
  }
  sum(name, is = () => true) {
    return this.all(name).filter(sample => is(sample.labels)).reduce((sum, sample) => sum + sample.value, 0);
  }
  // The time within which this share of requests was done, as far as a histogram tells.
  quantile(name, share, is) {
    const buckets = new Map();
    for (const { labels, value } of this.all(`${name}_bucket`)) {
      if (is(labels)) buckets.set(labels.le, (buckets.get(labels.le) || 0) + value);
    }
    const sorted = [...buckets].map(([le, count]) => [le === "+Inf" ? Infinity : Number(le), count]);
    sorted.sort((one, other) => one[0] - other[0]);
    const all = sorted.length ? sorted[sorted.length - 1][1] : 0;
    const found = sorted.find(([, count]) => count >= all * share);
    return all && found && Number.isFinite(found[0]) ? found[0] * 1000 : null;
  }
}

// What requests have in common that share a name.
function groupsOf(decisions, nameOf) {
  const groups = [...Map.groupBy(decisions, nameOf)].map(([name, all]) => {
    const took = all.map(one => one.took_ms).sort((one, other) => one - other);
    return {
      name,
      count: all.length,
      errors: all.filter(isError).length,
      half: at(took, 0.5),
      most: at(took, 0.95),
      cost: all.reduce((sum, one) => sum + (one.cost_usd || 0), 0),
      kept: all.filter(isKept).length,
      fell: all.filter(hasFallen).length,
    };
  });
  return groups.sort((one, other) => other.count - one.count);
}

const at = (sorted, share) => (sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : null);
const isError = decision => ["failed", "cut", "refused"].includes(decision.outcome);
const isKept = decision => ["hit", "stale", "shared"].includes(decision.cache);
const hasFallen = decision => decision.attempts > 1 || decision.passed_over.length > 0;
