//! Vectors for texts: the same text, the same vector, of length one. They mean nothing.

/// The most dimensions that can be asked for.
pub(crate) const DIMENSIONS_LIMIT: usize = 4_096;

/// The vector of a text.
pub(crate) fn unit_vector(text: &[u8], dimensions: usize) -> Vec<f32> {
    let mut bytes = vec![0; dimensions * 2];
    blake3::Hasher::new().update(text).finalize_xof().fill(&mut bytes);
    let numbers: Vec<f32> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        // An odd number is never zero, so no vector is.
        .map(|pair| f32::from(i16::from_le_bytes(*pair) | 1))
        .collect();
    let norm = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.into_iter().map(|number| number / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_length_one_and_belongs_to_its_text() {
        for dimensions in [1, 3, 1536] {
            let vector = unit_vector(b"hello", dimensions);
            let norm: f32 = vector.iter().map(|number| number * number).sum();
            assert!((norm - 1.0).abs() < 1e-4, "{norm}");
            assert_eq!(vector, unit_vector(b"hello", dimensions));
            assert_eq!(vector.len(), dimensions);
        }
        assert_ne!(unit_vector(b"hello", 8), unit_vector(b"world", 8));
    }
}
