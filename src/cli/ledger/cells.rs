//! A line of the bill as a row of a spreadsheet.
//!
//! Names come from callers, and a spreadsheet calculates what looks like a formula. So text that begins like one is
//! given a `'` in front (<https://owasp.org/www-community/attacks/CSV_Injection>).

use crate::state::CostLine;

/// What stands at the head of each column.
pub fn heads() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(head, _)| *head)
}

/// The cells under [`heads`].
pub fn of(line: &CostLine) -> impl Iterator<Item = String> {
    COLUMNS.iter().map(|(_, cell)| safe(cell(line)))
}

type Cell = fn(&CostLine) -> String;

const COLUMNS: &[(&str, Cell)] = &[
    ("request", |line| line.request.to_string()),
    ("attempt", |line| line.attempt.to_string()),
    ("at", |line| line.at.to_string()),
    ("key", |line| text(line.key.as_ref())),
    ("team", |line| text(line.team.as_ref())),
    ("user", |line| text(line.user.as_ref())),
    ("policy", |line| text(line.policy.as_ref())),
    ("model", |line| line.model.to_string()),
    ("target", |line| text(line.target.as_ref())),
    ("provider", |line| text(line.provider.as_ref())),
    ("input_tokens", |line| line.usage.input().to_string()),
    ("output_tokens", |line| line.usage.output().to_string()),
    ("cost_usd", |line| line.cost.to_string()),
    ("marks", |line| line.marks.iter().map(|mark| mark.name()).collect::<Vec<_>>().join(" ")),
    ("priced_model", |line| text(line.priced.as_ref().map(|priced| &priced.model))),
    ("priced_since", |line| text(line.priced.as_ref().map(|priced| priced.since))),
    ("text_in", |line| text(line.usage.text_in)),
    ("cache_read", |line| text(line.usage.cache_read)),
    ("cache_write_5m", |line| text(line.usage.cache_write_5m)),
    ("cache_write_1h", |line| text(line.usage.cache_write_1h)),
    ("audio_in", |line| text(line.usage.audio_in)),
    ("image_in", |line| text(line.usage.image_in)),
    ("out", |line| text(line.usage.out)),
    ("reasoning_out", |line| text(line.usage.reasoning_out)),
    ("audio_out", |line| text(line.usage.audio_out)),
];

/// Nothing where nothing is known, which is not the same as zero.
fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn safe(cell: String) -> String {
    if cell.starts_with(FORMULAS) { format!("'{cell}") } else { cell }
}

/// Some programs skip white space before a formula.
const FORMULAS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];
