//! Bytes that nobody can foretell.

/// # Errors
/// If the random source of the system fails.
pub fn fill(bytes: &mut [u8]) -> Result<(), String> {
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(bytes).map_err(|_| "the system gave no random bytes".to_owned())
}
