//! The text format of Prometheus out of that of OpenMetrics: a counter is described by the name that its samples have,
//! and there are no units, no exemplars and no end.

use std::fmt::Write as _;

use super::reading::families;

/// The same metrics in Prometheus' own format.
pub fn of(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    for family in families(openmetrics) {
        let name = family.name;
        let ending = if family.kind == "counter" { "_total" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {name}{ending} {}\n# TYPE {name}{ending} {}", family.help, family.kind);
        for sample in family.samples {
            let _ = writeln!(text, "{} {}", sample.series, sample.value);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_counter_is_described_by_the_name_of_its_samples() {
        let openmetrics = "# HELP a Things, many.\n# TYPE a counter\na_total{x=\"y # z\"} 1 # {trace=\"t\"} 1\n\
                           # HELP b_seconds How long.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 2\n# EOF\n";
        assert_eq!(
            super::of(openmetrics),
            "# HELP a_total Things, many.\n# TYPE a_total counter\na_total{x=\"y # z\"} 1\n\
             # HELP b_seconds How long.\n# TYPE b_seconds gauge\nb_seconds 2\n"
        );
    }
}
