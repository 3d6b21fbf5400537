//! The text format of Prometheus out of that of OpenMetrics: a counter is described by the name that its samples have,
//! and there are no units and no end.

use std::fmt::Write as _;

/// What is said of a family before its samples.
#[derive(Default)]
struct About<'a> {
    name: &'a str,
    help: &'a str,
    kind: &'a str,
}

/// The same metrics in Prometheus' own format.
pub fn of(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut about = About::default();
    for line in openmetrics.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["#", "EOF"] | ["#", "UNIT", ..] => {}
            ["#", "HELP", name, ..] => {
                about = About { name, help: line.splitn(4, ' ').nth(3).unwrap_or_default(), kind: "" };
            }
            ["#", "TYPE", name, kind] => {
                about = About { name, kind, ..about };
                about.write(&mut text);
            }
            _ => {
                // Behind the sample there may be an example of it.
                text.push_str(line.split(" # ").next().unwrap_or(line));
                text.push('\n');
            }
        }
    }
    text
}

impl About<'_> {
    fn write(&self, text: &mut String) {
        let Self { name, help, kind } = self;
        let ending = if *kind == "counter" { "_total" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name}{ending} {help}\n# TYPE {name}{ending} {kind}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_counter_is_described_by_the_name_of_its_samples() {
        let openmetrics = "# HELP a Things, many.\n# TYPE a counter\na_total{x=\"y z\"} 1 # {trace=\"t\"} 1\n\
                           # HELP b_seconds How long.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 2\n# EOF\n";
        assert_eq!(
            super::of(openmetrics),
            "# HELP a_total Things, many.\n# TYPE a_total counter\na_total{x=\"y z\"} 1\n\
             # HELP b_seconds How long.\n# TYPE b_seconds gauge\nb_seconds 2\n"
        );
    }
}
