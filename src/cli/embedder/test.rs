//! `tidegate embedder test`: how like texts are to each other, and how long it takes to find out.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cli::table::{Align, Table};
use crate::embedding::{Files, Model};

/// Show how like texts are to each other, as the model in a folder has it
///
/// The likeness is the cosine: 1 for the same direction, about 0 for texts that have nothing to do with each other.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that it was installed in
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[arg(value_name = "TEXT", required = true, num_args = 2..)]
    texts: Vec<String>,
}

impl Args {
    pub fn perform(&self) -> Result<(), String> {
        let files = Files::read(&self.folder).map_err(|unfit| unfit.to_string())?;
        let model = Model::of(&files).map_err(|unfit| unfit.to_string())?;
        let mut took = Vec::new();
        let mut directions = Vec::new();
        for text in &self.texts {
            let (direction, time) = timed(&model, text);
            directions.extend(direction);
            took.push(time);
        }
        took.sort_unstable();
        let mut table = Table::of([("LIKENESS", Align::Point), ("", Align::Left), ("", Align::Left)]);
        for (at, (one, text)) in directions.iter().zip(&self.texts).enumerate() {
            for (other, like) in directions.iter().zip(&self.texts).skip(at + 1) {
                let cosine: f32 = one.iter().zip(other).map(|(a, b)| a * b).sum();
                table.row([format!("{cosine:.4}"), text.clone(), like.clone()]);
            }
        }
        let middle = took.get(took.len() / 2).copied().unwrap_or_default();
        let mut out = io::stdout().lock();
        let written = table.write(&mut out).and_then(|()| {
            let milliseconds = middle.as_secs_f64() * 1e3;
            writeln!(out, "\n{milliseconds:.1} ms for a text; {} dimensions; {}", model.dimensions(), files.pin())
        });
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
            _ => Ok(()),
        }
    }
}

/// The fastest of a few runs: the first one finds nothing at hand.
fn timed(model: &Model, text: &str) -> (Option<Vec<f32>>, Duration) {
    let mut best = (None, Duration::MAX);
    for _ in 0..RUNS {
        let begun = Instant::now();
        let direction = model.embed(&[text]).pop();
        best = (direction, best.1.min(begun.elapsed()));
    }
    best
}

const RUNS: usize = 5;
