//! Tables for people: columns under each other, two spaces apart.
//!
//! What is shown comes from callers too, so nothing in a cell can move the cursor or colour the terminal.

use std::io::{self, Write};

/// Where the cells of a column meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
    /// At the decimal point.
    Point,
}

/// Rows of as many cells as there are columns.
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn of<H: Into<String>>(columns: impl IntoIterator<Item = (H, Align)>) -> Self {
        let columns = columns.into_iter().map(|(head, align)| (head.into(), align));
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| harmless(&cell)).collect());
    }

    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns: Vec<_> = (0..self.columns.len()).map(|number| self.column(number)).collect();
        for row in 0..=self.rows.len() {
            let cells: Vec<_> = columns.iter().filter_map(|cells| cells.get(row)).map(String::as_str).collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }

    /// The cells of a column with its head, all equally wide.
    fn column(&self, number: usize) -> Vec<String> {
        let Some((head, align)) = self.columns.get(number) else { return Vec::new() };
        let cells = self.rows.iter().map(|row| row.get(number).cloned().unwrap_or_default());
        let cells = match align {
            Align::Point => pointed(cells.collect()),
            Align::Left | Align::Right => cells.collect(),
        };
        let all: Vec<_> = std::iter::once(head.clone()).chain(cells).collect();
        let width = all.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
        let pad = |cell: String| match align {
            Align::Left => format!("{cell:width$}"),
            Align::Right | Align::Point => format!("{cell:>width$}"),
        };
        all.into_iter().map(pad).collect()
    }
}

/// Fills up what is behind the point, so that numbers that end together have their points under each other.
fn pointed(cells: Vec<String>) -> Vec<String> {
    let behind = |cell: &String| cell.find('.').map_or(0, |point| cell.len() - point);
    let most = cells.iter().map(behind).max().unwrap_or_default();
    let fill = |cell: String| format!("{cell}{}", " ".repeat(most - behind(&cell)));
    cells.into_iter().map(fill).collect()
}

/// With what is not to be printed written out, like `\u{1b}`.
pub fn harmless(text: &str) -> String {
    let is_harmful = |c: char| c.is_control() || TURNS.contains(&c);
    let shown = |c: char| if is_harmful(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// Characters that turn the direction of writing, and make a row read otherwise than it is.
const TURNS: [char; 9] =
    ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: &Table) -> String {
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let mut table = Table::of([("NAME", Align::Left), ("N", Align::Right), ("USD", Align::Point)]);
        table.row(["ü".into(), "12".into(), "12.5".into()]);
        table.row(["longer".into(), "3".into(), "0.000001".into()]);
        table.row(["whole".into(), "4".into(), "7".into()]);
        let wanted = "\
NAME     N        USD
ü       12  12.5
longer   3   0.000001
whole    4   7
";
        assert_eq!(shown(&table), wanted);
    }

    #[test]
    fn a_cell_cannot_take_over_the_terminal() {
        let mut table = Table::of([("USER", Align::Left)]);
        table.row(["\u{1b}[2Jgone\nadmin\u{202e}".into()]);
        assert_eq!(shown(&table), "USER\n\\u{1b}[2Jgone\\nadmin\\u{202e}\n");
    }
}
