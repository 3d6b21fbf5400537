//! A lane of JSON text, as the arguments of a tool call are.
//!
//! What is looked at are the strings, as they read without escapes, and the numbers; names of members and what stood
//! before are context. What is put in is escaped again, and what is not touched leaves in its own bytes, so that
//! JSON stays JSON. A number that is replaced becomes a string. Text that is no JSON passes as it came.

use super::detector::Detector;
use super::lane::{Found, Judge, Lane};
use super::restore::{Restorer, Returning};
use super::rules::Rules;
use super::vault::Vault;

/// One lane of JSON text.
#[derive(Debug, Clone, Default)]
pub struct JsonLane {
    lane: Lane,
    place: Place,
}

#[derive(Debug, Clone, Default)]
enum Place {
    #[default]
    Outside,
    Text,
    /// In an escape that has come this far.
    Escape(String),
    /// In a number that has come this far.
    Number(String),
    /// In a number too long to be a finding.
    LongNumber,
}

/// The longest number that is looked at.
const MOST_NUMBER: usize = 64;

impl JsonLane {
    /// Takes more of a stream's JSON, and writes what may leave to `out`.
    ///
    /// # Errors
    /// When the judge stops.
    pub fn push<J: Judge>(
        &mut self,
        detector: &Detector,
        json: &str,
        judge: &mut J,
        out: &mut String,
    ) -> Result<(), J::Stop> {
        self.read(detector.rules(), json, judge, out)
    }

    /// The stream ended: everything leaves.
    ///
    /// # Errors
    /// When the judge stops.
    pub fn end<J: Judge>(&mut self, detector: &Detector, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        self.finish(detector.rules(), judge, out)
    }

    /// As [`JsonLane::push`], for values that come back. How many did.
    pub fn push_restored(&mut self, restorer: &Restorer, vault: &Vault, json: &str, out: &mut String) -> u64 {
        let mut returning = Returning::of(vault);
        let Ok(()) = self.read(restorer.rules(), json, &mut returning, out);
        returning.count
    }

    /// As [`JsonLane::end`], for values that come back. How many did.
    pub fn end_restored(&mut self, restorer: &Restorer, vault: &Vault, out: &mut String) -> u64 {
        let mut returning = Returning::of(vault);
        let Ok(()) = self.finish(restorer.rules(), &mut returning, out);
        returning.count
    }

    fn read<J: Judge>(&mut self, rules: &Rules, json: &str, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        for c in json.chars() {
            self.take(rules, c, judge, out)?;
        }
        if matches!(self.place, Place::Text | Place::Escape(_)) {
            self.lane.release(rules, &mut Escaping(judge), out)?;
        }
        Ok(())
    }

    fn finish<J: Judge>(&mut self, rules: &Rules, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        match std::mem::take(&mut self.place) {
            Place::Escape(escape) => {
                self.lane.take(None, &escape);
                self.lane.finish(rules, &mut Escaping(judge), out)
            }
            Place::Text => self.lane.finish(rules, &mut Escaping(judge), out),
            Place::Number(number) => self.end_number(rules, &number, judge, out),
            Place::Outside | Place::LongNumber => Ok(()),
        }
    }

    fn take<J: Judge>(&mut self, rules: &Rules, c: char, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        match std::mem::take(&mut self.place) {
            Place::Outside => self.take_outside(c, out),
            Place::Text => return self.take_text(rules, c, judge, out),
            Place::Escape(escape) => return self.take_escape(rules, escape, c, judge, out),
            Place::Number(mut number) if is_numeric(c) => {
                number.push(c);
                self.place = Place::Number(number);
                self.give_up_long_number(out);
            }
            Place::Number(number) => {
                self.end_number(rules, &number, judge, out)?;
                self.take_outside(c, out);
            }
            Place::LongNumber if is_numeric(c) => {
                out.push(c);
                self.place = Place::LongNumber;
            }
            Place::LongNumber => self.take_outside(c, out),
        }
        Ok(())
    }

    fn take_outside(&mut self, c: char, out: &mut String) {
        if c.is_ascii_digit() || c == '-' {
            self.place = Place::Number(c.into());
            return;
        }
        let mut utf8 = [0; 4];
        out.push(c);
        self.lane.pass(c.encode_utf8(&mut utf8));
        self.place = if c == '"' { Place::Text } else { Place::Outside };
    }

    fn give_up_long_number(&mut self, out: &mut String) {
        if let Place::Number(number) = &self.place
            && number.len() > MOST_NUMBER
        {
            out.push_str(number);
            self.lane.pass("0");
            self.place = Place::LongNumber;
        }
    }

    fn take_text<J: Judge>(&mut self, rules: &Rules, c: char, judge: &mut J, out: &mut String) -> Result<(), J::Stop> {
        match c {
            '"' => {
                self.lane.finish(rules, &mut Escaping(judge), out)?;
                out.push('"');
                self.lane.pass("\"");
                self.place = Place::Outside;
            }
            '\\' => self.place = Place::Escape("\\".into()),
            _ => {
                let mut utf8 = [0; 4];
                self.lane.take(Some(c), c.encode_utf8(&mut utf8));
                self.place = Place::Text;
            }
        }
        Ok(())
    }

    fn take_escape<J: Judge>(
        &mut self,
        rules: &Rules,
        mut escape: String,
        c: char,
        judge: &mut J,
        out: &mut String,
    ) -> Result<(), J::Stop> {
        let fits = match escape.len() {
            1 => true,
            6 => c == '\\',
            7 => c == 'u',
            _ => c.is_ascii_hexdigit(),
        };
        if !fits {
            self.lane.take(None, &escape);
            return self.take_text(rules, c, judge, out);
        }
        escape.push(c);
        self.place = match read_escape(&escape) {
            Escape::Unfinished => Place::Escape(escape),
            Escape::Character(c) => {
                self.lane.take(Some(c), &escape);
                Place::Text
            }
            Escape::Broken => {
                self.lane.take(None, &escape);
                Place::Text
            }
        };
        Ok(())
    }

    fn end_number<J: Judge>(
        &mut self,
        rules: &Rules,
        number: &str,
        judge: &mut J,
        out: &mut String,
    ) -> Result<(), J::Stop> {
        let mut replaced = String::new();
        self.lane.take_text(number);
        self.lane.finish(rules, &mut Bare(judge), &mut replaced)?;
        self.lane.pass("");
        if replaced == number {
            out.push_str(number);
        } else {
            out.push('"');
            escape(&replaced, out);
            out.push('"');
        }
        Ok(())
    }
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E')
}

enum Escape {
    Unfinished,
    Character(char),
    Broken,
}

fn read_escape(escape: &str) -> Escape {
    let unit = |from: usize| escape.get(from..from + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let plain = |c: char| Escape::Character(c);
    match escape.as_bytes() {
        [_, b'u'] => Escape::Unfinished,
        [_, b'n'] => plain('\n'),
        [_, b't'] => plain('\t'),
        [_, b'r'] => plain('\r'),
        [_, b'b'] => plain('\u{8}'),
        [_, b'f'] => plain('\u{c}'),
        [_, c @ (b'"' | b'\\' | b'/')] => plain(char::from(*c)),
        [_, b'u', rest @ ..] if rest.len() < 4 => Escape::Unfinished,
        [_, b'u', rest @ ..] if rest.len() == 4 => match unit(2) {
            Some(0xD800..=0xDBFF) => Escape::Unfinished,
            Some(code) => char::from_u32(code).map_or(Escape::Broken, Escape::Character),
            None => Escape::Broken,
        },
        [_, b'u', rest @ ..] if rest.len() < 10 => Escape::Unfinished,
        [_, b'u', ..] => match (unit(2), unit(8)) {
            (Some(high), Some(low @ 0xDC00..=0xDFFF)) => {
                char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
                    .map_or(Escape::Broken, Escape::Character)
            }
            _ => Escape::Broken,
        },
        _ => Escape::Broken,
    }
}

/// The text of a piece of a JSON string.
fn unescape(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut escape = String::new();
    for c in source.chars() {
        if escape.is_empty() && c != '\\' {
            text.push(c);
            continue;
        }
        escape.push(c);
        if escape.len() > 1 {
            match read_escape(&escape) {
                Escape::Unfinished => continue,
                Escape::Character(c) => text.push(c),
                Escape::Broken => text.push('\u{FFFD}'),
            }
            escape.clear();
        }
    }
    text
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

/// Lets a judge put something in place of a number that is given its quotes here.
struct Bare<'a, J>(&'a mut J);

impl<J: Judge> Judge for Bare<'_, J> {
    type Stop = J::Stop;

    fn judge(&mut self, found: Found<'_>, out: &mut String) -> Result<(), J::Stop> {
        self.0.judge(Found { past: &[], ..found }, out)
    }
}

/// Lets a judge read and write text where there is the inside of a JSON string.
struct Escaping<'a, J>(&'a mut J);

impl<J: Judge> Judge for Escaping<'_, J> {
    type Stop = J::Stop;

    fn judge(&mut self, found: Found<'_>, out: &mut String) -> Result<(), J::Stop> {
        let text = unescape(found.source);
        let mut put = String::new();
        self.0.judge(Found { source: &text, ..found }, &mut put)?;
        if put == text {
            out.push_str(found.source);
        } else {
            escape(&put, out);
        }
        Ok(())
    }
}
