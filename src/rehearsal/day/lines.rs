//! A team's own questions, from a file: a JSON object on each line.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::traffic::{Asked, Meaning};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    question: String,
    /// The same for all questions that one answer is for.
    means: Option<String>,
    #[serde(default = "usual")]
    team: String,
    #[serde(default = "usual")]
    user: String,
    system: Option<String>,
    #[serde(default)]
    stream: bool,
}

fn usual() -> String {
    "all".to_owned()
}

/// The questions of a file, or of standard input if it is `-`, spread evenly over a day in their order.
///
/// # Errors
/// When it cannot be read, has no questions, or has a line that is none.
pub fn read(path: &Path) -> Result<Vec<Asked>, String> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(path).map(|read| text = read),
    };
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    parse(&text).map_err(|wrong| format!("{}{wrong}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Asked>, String> {
    let lines: Vec<_> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    let apart =
        DAY / u32::try_from(lines.len()).ok().filter(|count| *count > 0).ok_or(format!(" has no questions; {FORM}"))?;
    let asked = |((number, line), nth): (&(usize, &str), u32)| {
        let line: Line = serde_json::from_str(line).map_err(|error| format!(":{}: {error}; {FORM}", number + 1))?;
        Ok(line.asked(apart * nth))
    };
    lines.iter().zip(0..).map(asked).collect()
}

impl Line {
    fn asked(self, at: Duration) -> Asked {
        let Self { question, means, team, user, system, stream } = self;
        let text = question;
        let unsaid = || Meaning::Unsaid(format!("{team}\n{}\n{text}", system.as_deref().unwrap_or_default()));
        let topic = means.clone().unwrap_or_else(|| text.clone());
        let meaning = means.map_or_else(unsaid, Meaning::Common);
        Asked {
            at,
            user: format!("{team}-{user}"),
            team,
            system,
            before: Vec::new(),
            text,
            is_stream: stream,
            topic,
            meaning,
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);
const FORM: &str =
    r#"a line is {"question": "…"}, with what it `means`, `team`, `user`, `system` and `stream` if these are known"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_spread_over_the_day_and_a_bad_one_is_named() {
        let day = parse(
            "{\"question\": \"a?\", \"means\": \"x\"}\n\n{\"question\": \"b?\", \"team\": \"t\", \"user\": \"u\"}\n",
        )
        .unwrap();
        assert_eq!((day[1].at, day[1].team.as_str(), day[1].user.as_str()), (DAY / 2, "t", "t-u"));
        assert_eq!(day[0].meaning, Meaning::Common("x".into()));
        assert!(matches!(&day[1].meaning, Meaning::Unsaid(text) if text.contains("b?")));
        assert!(parse("{\"question\": \"a?\"}\n{\"q\": 1}").unwrap_err().starts_with(":2: unknown field"));
        assert!(parse("\n").unwrap_err().contains("no questions"));
    }
}
