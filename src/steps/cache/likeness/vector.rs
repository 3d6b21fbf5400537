//! Where a text lies among others, as its embedder has it.

/// A direction: eight bits for each dimension, which is as good as any for telling near from far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector(Box<[i8]>);

impl Vector {
    /// `None` for what points nowhere.
    pub fn of(embedding: &[f32]) -> Option<Self> {
        let length = embedding.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt();
        if !length.is_finite() || length <= f64::from(f32::MIN_POSITIVE) {
            return None;
        }
        // As fine as the largest of them allows: of a thousand dimensions each alone is small.
        let largest = embedding.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = f32::from(i8::MAX) / largest;
        Some(Self(embedding.iter().map(|value| (value * scale).round() as i8).collect()))
    }

    /// The cosine of the angle between two; `None` if they are not of one kind.
    pub fn likeness(&self, other: &Self) -> Option<f32> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let dot = product(&self.0, &other.0) as f32;
        let lengths = (product(&self.0, &self.0) as f32 * product(&other.0, &other.0) as f32).sqrt();
        (lengths > 0.0).then(|| dot / lengths)
    }

    /// Its dimensions, each in 127ths of the largest.
    pub fn values(&self) -> &[i8] {
        &self.0
    }

    /// Of dimensions as [`values`](Self::values) has them; `None` for none at all.
    pub fn of_values(values: &[i8]) -> Option<Self> {
        values.iter().any(|value| *value != 0).then(|| Self(values.into()))
    }
}

/// The sum of what each two come to.
pub(super) fn product(one: &[i8], other: &[i8]) -> i64 {
    one.iter().zip(other).map(|(one, other)| i64::from(i32::from(*one) * i32::from(*other))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_the_cosine_and_its_error_is_small() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100 {
            let one: Vec<f32> = (0..384).map(|_| random.f32() - 0.5).collect();
            let other: Vec<f32> = one.iter().map(|value| value + (random.f32() - 0.5) * 0.4).collect();
            let product = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
            let cosine = product(&one, &other) / (product(&one, &one) * product(&other, &other)).sqrt();
            let likeness = Vector::of(&one).unwrap().likeness(&Vector::of(&other).unwrap()).unwrap();
            assert!((cosine - likeness).abs() < 0.003, "{cosine} {likeness}");
        }
    }

    #[test]
    fn what_points_nowhere_or_is_of_another_kind_is_like_nothing() {
        assert_eq!(Vector::of(&[0.0, 0.0]), None);
        assert_eq!(Vector::of(&[f32::NAN, 1.0]), None);
        assert_eq!(Vector::of(&[f32::INFINITY]), None);
        let (two, three) = (Vector::of(&[1.0, 0.0]).unwrap(), Vector::of(&[1.0, 0.0, 0.0]).unwrap());
        assert_eq!(two.likeness(&three), None);
        assert_eq!(two.likeness(&two), Some(1.0));
    }
}
