//! Random numbers that nothing can disturb.
//!
//! In: a seed, the name of a stream and a place in it. Out: a [`Stream`] of numbers. Invariant: a
//! stream depends on its key alone, so resuming, threads, backends and the order of statements
//! cannot change what is drawn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A generator at the start of the stream its key names.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of these words: `["episode"]` and `[step, sample]`, `["param", path]` and `[]`.
    #[must_use]
    pub fn new(seed: u64, names: &[&str], places: &[u64]) -> Stream {
        let mut hash = Sha256::new();
        hash.update(b"ntmc stream 1");
        hash.update(seed.to_le_bytes());
        for name in names {
            // The length keeps ["ab", "c"] apart from ["a", "bc"].
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
        }
        hash.update((places.len() as u64).to_le_bytes());
        places.iter().for_each(|place| hash.update(place.to_le_bytes()));
        Stream(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// Uniform in `0.0..1.0`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (0.5f64).powi(53)
    }

    /// Uniform in `low..high`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Normal with mean 0 and standard deviation 1 (Box and Muller 1958, one of the pair).
    pub fn normal(&mut self) -> f64 {
        // 1 - unit lies in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A fair coin: 0 or 1.
    pub fn bit(&mut self) -> f64 {
        f64::from(u8::from(self.0.next_u32() >> 31 == 1))
    }

    /// A whole number, both ends included, each equally likely.
    pub fn whole(&mut self, low: u32, high: u32) -> u32 {
        let count = u64::from(high - low) + 1;
        // Multiplying and keeping the high half, with the draws that would be unfair rejected
        // (Lemire 2019).
        let unfair = count.wrapping_neg() % count;
        loop {
            let wide = u128::from(self.0.next_u64()) * u128::from(count);
            if wide as u64 >= unfair {
                return low + (wide >> 64) as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_every_part_of_its_key() {
        let first = |seed, names: &[&str], places: &[u64]| Stream::new(seed, names, places).unit();
        let all = [
            first(1, &["a"], &[0]),
            first(2, &["a"], &[0]),
            first(1, &["b"], &[0]),
            first(1, &["a"], &[1]),
            first(1, &["a"], &[0, 0]),
            first(1, &["a", ""], &[0]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one));
        }
        assert_eq!(all[0], first(1, &["a"], &[0]));
    }

    #[test]
    fn whole_numbers_reach_both_ends_and_normals_have_unit_variance() {
        let mut stream = Stream::new(0, &["test"], &[]);
        let mut seen = [0u32; 6];
        for _ in 0..6000 {
            seen[stream.whole(0, 5) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
        assert_eq!(stream.whole(7, 7), 7);
        let square: f64 = (0..10_000).map(|_| stream.normal().powi(2)).sum::<f64>() / 10_000.0;
        assert!((square - 1.0).abs() < 0.05, "{square}");
    }
}
