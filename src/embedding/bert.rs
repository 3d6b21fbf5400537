//! A BERT, run forward: tokens in, one direction for each text out.
//!
//! Texts of one batch are laid end to end, so that each matrix of weights is gone through once for all of them and nothing
//! is filled up; only attention looks at each text by itself. The mean over a text's tokens, scaled to length 1,
//! is where it lies: what sentence-transformers calls mean pooling and normalising.
//!
//! See <https://arxiv.org/abs/1810.04805>. Models with other activations or relative positions are not read.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, Axis, concatenate, s};
use serde::Deserialize;

use super::Unfit;
use super::weights::Weights;

/// What of a model's `config.json` matters.
#[derive(Deserialize)]
struct Settings {
    model_type: String,
    hidden_act: String,
    hidden_size: usize,
    intermediate_size: usize,
    layer_norm_eps: f32,
    max_position_embeddings: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    #[serde(default)]
    position_embedding_type: Option<String>,
    type_vocab_size: usize,
    vocab_size: usize,
}

pub struct Bert {
    words: Array2<f32>,
    /// Those of the positions, to which the one kind of text there is has been added.
    positions: Array2<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: usize,
}

/// One layer: attention, and two matrices with a bend between them.
struct Layer {
    /// What asks, what is asked and what is heard, below each other.
    inward: Linear,
    outward: Linear,
    attended: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

/// A row of weights for each value that comes out.
struct Linear {
    weights: Array2<f32>,
    bias: Array1<f32>,
}

struct Norm {
    scale: Array1<f32>,
    shift: Array1<f32>,
    /// Added to the variance, so that nothing is divided by 0.
    least: f32,
}

impl Settings {
    fn read(bytes: &[u8]) -> Result<Self, Unfit> {
        let settings: Self = serde_json::from_slice(bytes).map_err(|error| Unfit::Config(error.to_string()))?;
        let Self { model_type, hidden_act, hidden_size, num_attention_heads, .. } = &settings;
        let position = settings.position_embedding_type.as_deref().unwrap_or("absolute");
        for (name, said, known) in [
            ("model_type", model_type.as_str(), "bert"),
            ("hidden_act", hidden_act, "gelu"),
            ("position_embedding_type", position, "absolute"),
        ] {
            if said != known {
                return Err(Unfit::Config(format!("its `{name}` is `{said}`, and only `{known}` is read")));
            }
        }
        if *num_attention_heads == 0 || hidden_size % num_attention_heads != 0 || *hidden_size == 0 {
            return Err(Unfit::Config(format!("{hidden_size} dimensions are not for {num_attention_heads} heads")));
        }
        if settings.max_position_embeddings < 2 || settings.type_vocab_size == 0 {
            return Err(Unfit::Config("it has no room for a text".to_owned()));
        }
        Ok(settings)
    }

    fn linear(&self, weights: &Weights<'_>, name: &str, rows: usize, columns: usize) -> Result<Linear, Unfit> {
        Ok(Linear {
            weights: weights.matrix(&format!("{name}.weight"), rows, columns)?,
            bias: weights.vector(&format!("{name}.bias"), rows)?,
        })
    }

    fn norm(&self, weights: &Weights<'_>, name: &str) -> Result<Norm, Unfit> {
        Ok(Norm {
            scale: weights.vector(&format!("{name}.weight"), self.hidden_size)?,
            shift: weights.vector(&format!("{name}.bias"), self.hidden_size)?,
            least: self.layer_norm_eps,
        })
    }

    fn layer(&self, weights: &Weights<'_>, number: usize) -> Result<Layer, Unfit> {
        let (own, wide) = (self.hidden_size, self.intermediate_size);
        let named = |part: &str| format!("encoder.layer.{number}.{part}");
        let part = |name: &str| self.linear(weights, &named(&format!("attention.self.{name}")), own, own);
        let [query, key, value] = [part("query")?, part("key")?, part("value")?];
        let unfit = |error: ndarray::ShapeError| Unfit::Weights(error.to_string());
        let inward = Linear {
            weights: concatenate(Axis(0), &[query.weights.view(), key.weights.view(), value.weights.view()])
                .map_err(unfit)?,
            bias: concatenate(Axis(0), &[query.bias.view(), key.bias.view(), value.bias.view()]).map_err(unfit)?,
        };
        Ok(Layer {
            inward,
            outward: self.linear(weights, &named("attention.output.dense"), own, own)?,
            attended: self.norm(weights, &named("attention.output.LayerNorm"))?,
            up: self.linear(weights, &named("intermediate.dense"), wide, own)?,
            down: self.linear(weights, &named("output.dense"), own, wide)?,
            norm: self.norm(weights, &named("output.LayerNorm"))?,
        })
    }
}

impl Bert {
    /// # Errors
    /// When the settings are of another kind of model, or the weights are not of that shape.
    pub fn read(config: &[u8], weights: &[u8]) -> Result<Self, Unfit> {
        let (settings, weights) = (Settings::read(config)?, Weights::read(weights)?);
        let table = |name: &str, rows| weights.matrix(&format!("embeddings.{name}.weight"), rows, settings.hidden_size);
        let kinds = table("token_type_embeddings", settings.type_vocab_size)?;
        Ok(Self {
            words: table("word_embeddings", settings.vocab_size)?,
            positions: table("position_embeddings", settings.max_position_embeddings)? + kinds.row(0),
            norm: settings.norm(&weights, "embeddings.LayerNorm")?,
            layers: (0..settings.num_hidden_layers)
                .map(|number| settings.layer(&weights, number))
                .collect::<Result<_, _>>()?,
            heads: settings.num_attention_heads,
        })
    }

    pub fn dimensions(&self) -> usize {
        self.words.ncols()
    }

    /// How many tokens it knows.
    pub fn vocabulary(&self) -> usize {
        self.words.nrows()
    }

    /// The most tokens of a text.
    pub fn longest(&self) -> usize {
        self.positions.nrows()
    }

    /// One direction of length 1 for each text. No token is beyond the [vocabulary](Self::vocabulary), and no text
    /// longer than the [longest](Self::longest).
    pub fn embed(&self, texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let mut places = Vec::with_capacity(texts.len());
        let mut end = 0;
        for text in texts {
            places.push(end..end + text.len());
            end += text.len();
        }
        let mut all = Array2::zeros((end, self.dimensions()));
        let tokens = texts.iter().flat_map(|text| text.iter().enumerate());
        for (mut row, (position, token)) in all.rows_mut().into_iter().zip(tokens) {
            row.assign(&(&self.words.row(*token as usize) + &self.positions.row(position)));
        }
        self.norm.apply(&mut all);
        for layer in &self.layers {
            layer.apply(&mut all, &places, self.heads);
        }
        places.into_iter().map(|place| mean(&all, place)).collect()
    }
}

/// Of length 1.
fn mean(all: &Array2<f32>, place: Range<usize>) -> Vec<f32> {
    let sum = all.slice(s![place, ..]).sum_axis(Axis(0));
    let length = sum.dot(&sum).sqrt().max(f32::MIN_POSITIVE);
    (sum / length).to_vec()
}

impl Layer {
    fn apply(&self, all: &mut Array2<f32>, places: &[Range<usize>], heads: usize) {
        let asked = self.inward.apply(all);
        let mut heard = Array2::zeros(all.raw_dim());
        for place in places {
            attend(&asked, &mut heard, place, heads);
        }
        *all += &self.outward.apply(&heard);
        self.attended.apply(all);
        let mut wide = self.up.apply(all);
        wide.mapv_inplace(gelu);
        *all += &self.down.apply(&wide);
        self.norm.apply(all);
    }
}

/// What each token of a text hears from all of them, head by head.
fn attend(asked: &Array2<f32>, heard: &mut Array2<f32>, place: &Range<usize>, heads: usize) {
    let own = heard.ncols();
    let width = own / heads;
    for head in 0..heads {
        let part = |which: usize| {
            let begin = which * own + head * width;
            asked.slice(s![place.clone(), begin..begin + width])
        };
        let mut shares = part(0).dot(&part(1).t());
        shares *= 1.0 / (width as f32).sqrt();
        shares.rows_mut().into_iter().for_each(soften);
        heard.slice_mut(s![place.clone(), head * width..(head + 1) * width]).assign(&shares.dot(&part(2)));
    }
}

/// Into shares of 1.
fn soften(mut row: ArrayViewMut1<'_, f32>) {
    let most = row.fold(f32::NEG_INFINITY, |most, value| most.max(*value));
    row.mapv_inplace(|value| (value - most).exp());
    let sum = row.sum();
    row /= sum;
}

impl Linear {
    fn apply(&self, rows: &Array2<f32>) -> Array2<f32> {
        rows.dot(&self.weights.t()) + &self.bias
    }
}

impl Norm {
    fn apply(&self, rows: &mut Array2<f32>) {
        for mut row in rows.rows_mut() {
            let count = row.len() as f32;
            let middle = row.sum() / count;
            let variance = spread(row.view(), middle) / count;
            let scale = 1.0 / (variance + self.least).sqrt();
            row.mapv_inplace(|value| (value - middle) * scale);
            row *= &self.scale;
            row += &self.shift;
        }
    }
}

fn spread(row: ArrayView1<'_, f32>, middle: f32) -> f32 {
    row.fold(0.0, |sum, value| sum + (value - middle) * (value - middle))
}

/// The value times the share of the normal distribution below it.
fn gelu(value: f32) -> f32 {
    0.5 * value * (1.0 + erf(value * std::f32::consts::FRAC_1_SQRT_2))
}

/// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: no further off than 1.5e-7.
fn erf(value: f32) -> f32 {
    const FACTORS: [f32; 5] = [1.061_405_4, -1.453_152_1, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let far = value.abs();
    let near = 1.0 / (1.0 + 0.327_591_1 * far);
    let sum = FACTORS.iter().fold(0.0, |sum, factor| (sum + factor) * near);
    (1.0 - sum * (-far * far).exp()).copysign(value)
}
