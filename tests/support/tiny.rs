//! A model of two layers that says where texts lie, made here: its weights mean nothing and are the same each time.

use std::path::Path;

use serde_json::{Value, json};
use tidegate::embedding::{Files, Pin};

pub const CONFIG: &str = include_str!("../embedding/config.json");
pub const TOKENIZER: &str = include_str!("../embedding/tokenizer.json");

/// The files, to be spoilt before they are used.
pub struct Tiny {
    pub config: Value,
    pub tensors: Vec<(String, Vec<usize>)>,
}

impl Tiny {
    pub fn new() -> Self {
        let config: Value = serde_json::from_str(CONFIG).unwrap();
        let size = |name: &str| config[name].as_u64().unwrap() as usize;
        let (own, wide) = (size("hidden_size"), size("intermediate_size"));
        let mut tensors = vec![
            ("embeddings.word_embeddings.weight".to_owned(), vec![size("vocab_size"), own]),
            ("embeddings.position_embeddings.weight".to_owned(), vec![size("max_position_embeddings"), own]),
            ("embeddings.token_type_embeddings.weight".to_owned(), vec![size("type_vocab_size"), own]),
            ("embeddings.LayerNorm.weight".to_owned(), vec![own]),
            ("embeddings.LayerNorm.bias".to_owned(), vec![own]),
        ];
        for layer in 0..size("num_hidden_layers") {
            let mut add = |part: &str, shape: Vec<usize>| {
                let rows = shape[0];
                tensors.push((format!("encoder.layer.{layer}.{part}.weight"), shape));
                tensors.push((format!("encoder.layer.{layer}.{part}.bias"), vec![rows]));
            };
            add("attention.self.query", vec![own, own]);
            add("attention.self.key", vec![own, own]);
            add("attention.self.value", vec![own, own]);
            add("attention.output.dense", vec![own, own]);
            add("intermediate.dense", vec![wide, own]);
            add("output.dense", vec![own, wide]);
            add("attention.output.LayerNorm", vec![own]);
            add("output.LayerNorm", vec![own]);
        }
        Self { config, tensors }
    }

    pub fn files(&self) -> Files {
        Files {
            config: self.config.to_string().into_bytes(),
            weights: self.weights(),
            tokenizer: TOKENIZER.as_bytes().to_vec(),
        }
    }

    /// A safetensors file: the length of its head, the head, the values.
    fn weights(&self) -> Vec<u8> {
        let (mut head, mut data, mut state) = (serde_json::Map::new(), Vec::new(), 1_u32);
        for (name, shape) in &self.tensors {
            let begin = data.len();
            for _ in 0..shape.iter().product() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let value = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
                data.extend((value as f32).to_le_bytes());
            }
            head.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]}));
        }
        let head = Value::from(head).to_string().into_bytes();
        [(head.len() as u64).to_le_bytes().to_vec(), head, data].concat()
    }

    /// Writes it into a folder; returns its hash.
    pub fn install(folder: &Path) -> Pin {
        let files = Self::new().files();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("config.json"), &files.config).unwrap();
        std::fs::write(folder.join("model.safetensors"), &files.weights).unwrap();
        std::fs::write(folder.join("tokenizer.json"), &files.tokenizer).unwrap();
        files.pin()
    }
}
