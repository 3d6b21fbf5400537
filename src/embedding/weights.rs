//! The tensors of a model's file, each held to the shape that the model's settings promise.

use ndarray::{Array1, Array2};
use safetensors::{Dtype, SafeTensors};

use super::Unfit;

pub struct Weights<'a>(SafeTensors<'a>);

impl<'a> Weights<'a> {
    /// # Errors
    /// When the bytes are no safetensors file.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unfit> {
        SafeTensors::deserialize(bytes).map(Self).map_err(|error| Unfit::Weights(error.to_string()))
    }

    /// # Errors
    /// When it is not there, or has another shape.
    pub fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Array2<f32>, Unfit> {
        let values = self.values(name, &[rows, columns])?;
        Array2::from_shape_vec((rows, columns), values).map_err(|error| Unfit::Weights(format!("`{name}`: {error}")))
    }

    /// # Errors
    /// When it is not there, or has another shape.
    pub fn vector(&self, name: &str, length: usize) -> Result<Array1<f32>, Unfit> {
        Ok(Array1::from_vec(self.values(name, &[length])?))
    }

    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Unfit> {
        let unfit = |why: String| Unfit::Weights(format!("`{name}` {why}"));
        let tensor = self.0.tensor(name).map_err(|_| unfit("is not there".to_owned()))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(unfit(format!("is {:?}, and only F32 is read", tensor.dtype())));
        }
        if tensor.shape() != shape {
            return Err(unfit(format!("has the shape {:?}, and {shape:?} is what `config.json` says", tensor.shape())));
        }
        let (values, _) = tensor.data().as_chunks::<4>();
        Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}
