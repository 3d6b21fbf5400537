//! Training a logistic score.

use tidegate::steps::cache::likeness::score::TERMS;

const COUNT: usize = TERMS.len();
/// How much is held against large weights, but for the first one.
const REIN: f64 = 1.0;

/// The weights under which what is known is likeliest, by Newton's way. The same for the same rows on any machine, but for
/// the last digits.
pub fn weights(rows: &[([f64; COUNT], bool)]) -> [f64; COUNT] {
    let mut weights = [0.0; COUNT];
    for _ in 0..50 {
        let mut slope = [0.0; COUNT];
        let mut bend = [[0.0; COUNT]; COUNT];
        for at in 0..COUNT {
            let rein = if at == 0 { 1e-9 } else { REIN };
            slope[at] = rein * weights[at];
            bend[at][at] = rein;
        }
        for (terms, is_same) in rows {
            let sum: f64 = terms.iter().zip(&weights).map(|(term, weight)| term * weight).sum();
            let share = 1.0 / (1.0 + (-sum).exp());
            for at in 0..COUNT {
                slope[at] += terms[at] * (share - f64::from(u8::from(*is_same)));
                for other in 0..COUNT {
                    bend[at][other] += terms[at] * terms[other] * share * (1.0 - share);
                }
            }
        }
        let step = solved(bend, slope);
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight -= step);
    }
    weights
}

/// What `matrix` turns into `sum`, by elimination. The matrix is positive definite, so no row has to be looked for.
fn solved(mut matrix: [[f64; COUNT]; COUNT], mut sum: [f64; COUNT]) -> [f64; COUNT] {
    for at in 0..COUNT {
        for below in at + 1..COUNT {
            let share = matrix[below][at] / matrix[at][at];
            let above = matrix[at];
            matrix[below].iter_mut().zip(above).skip(at).for_each(|(value, above)| *value -= share * above);
            sum[below] -= share * sum[at];
        }
    }
    for at in (0..COUNT).rev() {
        let known: f64 = (at + 1..COUNT).map(|column| matrix[at][column] * sum[column]).sum();
        sum[at] = (sum[at] - known) / matrix[at][at];
    }
    sum
}
