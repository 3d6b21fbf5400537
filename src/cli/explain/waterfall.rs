//! A decision in words, with a bar for when each part of it happened.

use serde_json::Value;

/// The lines that tell a record.
pub fn lines(record: &Value) -> Vec<String> {
    let record = Record(record);
    let mut lines = vec![record.headline()];
    lines.extend([("asked", record.asked()), ("by", record.caller()), ("decided", record.decided())].map(told));
    let mut parts: Vec<Part> = record.list("steps").map(step).collect();
    parts.extend(record.list("passed_over").map(passed_over));
    parts.extend(record.list("tries").map(attempt));
    parts.sort_by(|one, other| one.after.total_cmp(&other.after));
    let whole = record.number("took_ms").unwrap_or_default();
    let width = parts.iter().map(|part| part.name.chars().count()).max().unwrap_or_default();
    if !parts.is_empty() {
        lines.push(String::new());
    }
    for part in &parts {
        let Part { name, after, took, words } = part;
        lines.push(format!("  {name:width$}  {}  {} +{}  {words}", bar(*after, *took, whole), ms(*after), ms(*took)));
    }
    if let Some(cost) = record.cost() {
        lines.extend([String::new(), told(("cost", cost))]);
    }
    lines.into_iter().map(shown).collect()
}

/// Names are what callers make them, and a terminal does as it is told.
fn shown(line: String) -> String {
    line.replace(char::is_control, "\u{fffd}")
}

/// Something that happened between the first byte and the last.
struct Part {
    name: String,
    /// In milliseconds.
    after: f64,
    took: f64,
    words: String,
}

/// A JSON object, by what it says.
#[derive(Clone, Copy)]
struct Record<'a>(&'a Value);

impl<'a> Record<'a> {
    fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn number(self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    fn is(self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    fn list(self, name: &str) -> impl Iterator<Item = Record<'a>> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().map(Record)
    }

    fn headline(self) -> String {
        let code = self.text("code").map(|code| format!(" ({code})")).unwrap_or_default();
        let status = self.number("status").unwrap_or_default();
        let own = self.number("overhead_ms").map(|own| format!(", {} of that its own", ms(own))).unwrap_or_default();
        let took = ms(self.number("took_ms").unwrap_or_default());
        let (id, outcome) = (self.text("request_id").unwrap_or("?"), self.text("outcome").unwrap_or("?"));
        format!("{id}: {status} {outcome}{code} in {took}{own}")
    }

    fn asked(self) -> String {
        let mut words = vec![self.text("endpoint").unwrap_or("nothing").to_owned()];
        words.extend(self.text("model").map(|model| format!("of {model}")));
        words.extend(self.text("dialect").map(|dialect| format!("in {dialect}")));
        words.extend(self.is("stream").then(|| "as a stream".to_owned()));
        words.extend(self.text("time").map(|time| format!("at {time}")));
        words.extend(self.text("shadow_of").map(|original| format!("as a copy of {original}")));
        let tokens = self.number("estimated_input_tokens");
        words.join(" ") + &tokens.map(|tokens| format!("; about {tokens} tokens")).unwrap_or_default()
    }

    fn caller(self) -> String {
        let named = ["key", "team", "user", "session"].map(|name| Some(format!("{name} {}", self.text(name)?)));
        let mut named: Vec<_> = named.into_iter().flatten().collect();
        named.extend(self.list("tags").filter_map(|tag| tag.0.as_str()).map(|tag| format!("tag {tag}")));
        if named.is_empty() { "nobody who is known".to_owned() } else { named.join(", ") }
    }

    fn decided(self) -> String {
        let policy = self.text("policy").map_or_else(|| "no policy".to_owned(), |policy| format!("policy {policy}"));
        let mut words = vec![policy];
        words.extend(self.text("revision").map(|revision| format!("revision {revision}")));
        words.extend(self.text("cache").map(|cache| format!("cache {cache}")));
        words.extend(self.text("target").map(|target| format!("answered by {target}")));
        words.join(", ")
    }

    fn cost(self) -> Option<String> {
        let count = |name: &str, what: &str| self.number(name).map(|count| format!("{count} tokens {what}"));
        let mut words: Vec<_> =
            [count("input_tokens", "in"), count("output_tokens", "out")].into_iter().flatten().collect();
        words.extend(self.0.get("cost_usd").map(|cost| format!("${cost}")));
        words.extend(self.is("cost_estimated").then(|| "counted by the gateway".to_owned()));
        words.extend(self.0.get("saved_usd").map(|saved| format!("${saved} saved")));
        (!words.is_empty()).then(|| words.join(", "))
    }
}

fn told((what, words): (&str, String)) -> String {
    format!("  {what:8} {words}")
}

fn step(step: Record<'_>) -> Part {
    let mut words = step.text("verdict").unwrap_or("?").to_owned();
    for (name, value) in step.0.get("notes").and_then(Value::as_object).into_iter().flatten() {
        words += &format!("; {name} {}", value.as_str().unwrap_or_default());
    }
    part(step, step.text("step").unwrap_or("?").to_owned(), words)
}

fn passed_over(passed: Record<'_>) -> Part {
    let words = format!("not asked: {}", passed.text("reason").unwrap_or("?"));
    part(passed, passed.text("target").unwrap_or("?").to_owned(), words)
}

fn attempt(attempt: Record<'_>) -> Part {
    let number = attempt.number("number").unwrap_or_default();
    let name = format!("{number}. {}", attempt.text("target").unwrap_or("?"));
    let mut words = vec![attempt.text("outcome").unwrap_or("?").to_owned()];
    words.extend(attempt.number("status").map(|status| format!("status {status}")));
    words.extend(attempt.text("reason").map(ToOwned::to_owned));
    words.extend(attempt.number("first_token_ms").map(|first| format!("first token after {}", ms(first).trim_start())));
    words.extend(attempt.0.get("cost_usd").map(|cost| format!("${cost}")));
    part(attempt, name, words.join(", "))
}

fn part(of: Record<'_>, name: String, words: String) -> Part {
    let after = of.number("after_ms").unwrap_or_default();
    Part { name, after, took: of.number("took_ms").unwrap_or_default(), words }
}

/// Where a part lies in the whole.
fn bar(after: f64, took: f64, whole: f64) -> String {
    let at = |time: f64| ((time / whole.max(f64::MIN_POSITIVE)) * WIDTH).clamp(0.0, WIDTH);
    let begin = (at(after) as usize).min(WIDTH as usize - 1);
    let end = (at(after + took).ceil() as usize).max(begin + 1);
    format!("|{}{}{}|", " ".repeat(begin), "=".repeat(end - begin), " ".repeat((WIDTH as usize).saturating_sub(end)))
}

const WIDTH: f64 = 32.0;

fn ms(time: f64) -> String {
    if time < 1000.0 { format!("{time:.1}ms") } else { format!("{:.2}s", time / 1000.0) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_told_in_the_order_in_which_it_happened() {
        let record = json!({
            "request_id": "req_1", "time": "2026-11-29T06:00:00Z", "status": 200, "outcome": "ok", "endpoint": "chat",
            "model": "gpt", "dialect": "openai_chat", "stream": true, "took_ms": 1000.0, "overhead_ms": 1.5, "key": "k",
            "team": "t", "policy": "p", "revision": "abc", "target": "b/y", "cost_usd": 0.0125, "input_tokens": 10,
            "steps": [{ "step": "redact", "after_ms": 0.0, "took_ms": 2.0, "verdict": "pass", "notes": { "email": "2" } }],
            "passed_over": [{ "target": "c/z", "after_ms": 2.0, "reason": "its breaker is open" }],
            "tries": [
                { "number": 1, "target": "a/x", "after_ms": 2.0, "took_ms": 498.0, "outcome": "server_error", "status": 500 },
                { "number": 2, "target": "b/y", "after_ms": 500.0, "took_ms": 500.0, "outcome": "ok", "first_token_ms": 40.0 }
            ]
        });
        let told = lines(&record);
        assert_eq!(
            told,
            [
                "req_1: 200 ok in 1.00s, 1.5ms of that its own",
                "  asked    chat of gpt in openai_chat as a stream at 2026-11-29T06:00:00Z",
                "  by       key k, team t",
                "  decided  policy p, revision abc, answered by b/y",
                "",
                "  redact  |=                               |  0.0ms +2.0ms  pass; email 2",
                "  c/z     |=                               |  2.0ms +0.0ms  not asked: its breaker is open",
                "  1. a/x  |================                |  2.0ms +498.0ms  server_error, status 500",
                "  2. b/y  |                ================|  500.0ms +500.0ms  ok, first token after 40.0ms",
                "",
                "  cost     10 tokens in, $0.0125",
            ]
        );
    }

    #[test]
    fn a_name_tells_the_terminal_nothing() {
        let told = lines(&json!({ "model": "a\u{1b}[2Jb\nc" })).join("\n");
        assert!(told.contains("a\u{fffd}[2Jb\u{fffd}c") && !told.contains('\u{1b}'), "{told}");
    }

    #[test]
    fn what_is_no_record_is_told_without_a_fall() {
        for odd in
            [json!(null), json!({}), json!({ "steps": [null, { "after_ms": -5, "took_ms": 1e300 }], "took_ms": 0 })]
        {
            assert!(lines(&odd).len() >= 4);
        }
    }
}
