//! The work budget of one verdict. No clock: the same input burns the same fuel on every machine.

use std::cell::Cell;

/// What one comparison may spend. A unit is 2.5 ns of big-integer work, and up to 7 ns of many small steps on an AMD EPYC core
/// without AVX-512, so this is 3 to 9 ms.
pub(crate) const BUDGET: u64 = 1_300_000;

/// Why a step ended without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The expression has no value: division by zero, the logarithm of zero, `0^0`.
    Undefined(&'static str),
    /// Nothing here can evaluate it.
    Unsupported(&'static str),
    /// The budget is spent.
    Fuel,
}

/// A step's result.
pub(crate) type Step<T> = Result<T, Stop>;

/// A counter that only goes down.
#[derive(Debug)]
pub(crate) struct Fuel(Cell<u64>);

impl Fuel {
    pub(crate) fn new(budget: u64) -> Self {
        Self(Cell::new(budget))
    }

    /// Takes `units`, or everything that is left and [`Stop::Fuel`].
    pub(crate) fn spend(&self, units: u64) -> Step<()> {
        match self.0.get().checked_sub(units) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => {
                self.0.set(0);
                Err(Stop::Fuel)
            }
        }
    }

    /// The price of multiplying or dividing integers of so many bits.
    pub(crate) fn spend_product(&self, left_bits: usize, right_bits: usize) -> Step<()> {
        let (left, right) = words(left_bits, right_bits);
        self.spend(left.saturating_mul(right).saturating_add(4))
    }

    /// The price of a power with so many bits: its last squarings are long, and grow a little slower than `words^1.585`.
    pub(crate) fn spend_power(&self, bits: usize) -> Step<()> {
        let words = bits as u64 / 64 + 1;
        self.spend(words.saturating_mul(words.isqrt() + 1).saturating_add(4))
    }

    /// The price of multiplying or adding fractions of so many bits: two greatest common divisors.
    pub(crate) fn spend_fraction(&self, left_bits: usize, right_bits: usize) -> Step<()> {
        let (left, right) = words(left_bits, right_bits);
        let linear = if left + right <= 2 {
            40
        } else {
            150 * (left + right)
        };
        self.spend(
            left.saturating_mul(right)
                .saturating_mul(10)
                .saturating_add(linear),
        )
    }

    /// How much is left.
    pub(crate) fn left(&self) -> u64 {
        self.0.get()
    }
}

fn words(left_bits: usize, right_bits: usize) -> (u64, u64) {
    (left_bits as u64 / 64 + 1, right_bits as u64 / 64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spent_fuel_stays_spent() {
        let fuel = Fuel::new(10);
        assert_eq!(fuel.spend(4), Ok(()));
        assert_eq!(fuel.spend(7), Err(Stop::Fuel));
        assert_eq!(fuel.spend(1), Err(Stop::Fuel));
        assert_eq!(fuel.left(), 0);
    }
}
