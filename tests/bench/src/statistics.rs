//! Medians and spreads of samples.

/// A set of samples of one cell.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    values: Vec<f64>,
}

impl Samples {
    /// Adds one sample.
    pub fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The smallest sample.
    #[must_use]
    pub fn minimum(&self) -> Option<f64> {
        self.quantile(0.0)
    }

    /// The middle sample.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The distance between the quartiles as a part of the median: the noise of a cell.
    #[must_use]
    pub fn spread(&self) -> Option<f64> {
        let median = self.median()?;
        (median > 0.0).then_some((self.quantile(0.75)? - self.quantile(0.25)?) / median)
    }

    /// The value below which the part `fraction` (0 to 1) of the samples lies, by linear interpolation.
    fn quantile(&self, fraction: f64) -> Option<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let position = fraction * last as f64;
        let below = position.floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a position between 0 and the last index"
        )]
        let index = below as usize;
        let (low, high) = (sorted[index], sorted[(index + 1).min(last)]);
        Some(low + (high - low) * (position - below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_do_not_depend_on_the_order_of_samples() {
        let mut samples = Samples::default();
        assert_eq!(samples.median(), None);
        for value in [5.0, 1.0, 4.0, 2.0, 3.0] {
            samples.push(value);
        }
        assert_eq!(samples.minimum(), Some(1.0));
        assert_eq!(samples.median(), Some(3.0));
        assert_eq!(samples.spread(), Some((4.0 - 2.0) / 3.0));
        samples.push(100.0);
        assert_eq!(samples.median(), Some(3.5));
    }
}
