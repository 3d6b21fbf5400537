//! What a share that was counted says of one that was not.

/// What the share is below with a confidence of 95 %: the upper end of the two-sided Wilson score interval for `part` of
/// `whole`. 1 of nothing.
pub fn upper(part: u64, whole: u64) -> f64 {
    const Z: f64 = 1.959_963_985;
    if whole == 0 {
        return 1.0;
    }
    let (share, count) = (part as f64 / whole as f64, whole as f64);
    let middle = share + Z * Z / (2.0 * count);
    let spread = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    ((middle + spread) / (1.0 + Z * Z / count)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_wilson() {
        let near = |one: f64, other: f64| assert!((one - other).abs() < 5e-4, "{one} is not {other}");
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        near(upper(81, 263), 0.3662);
        near(upper(15, 148), 0.1605);
        near(upper(0, 20), 0.1611);
        near(upper(1, 29), 0.1718);
        near(upper(0, 0), 1.0);
    }
}
