//! Small prime factors, so that roots and powers of integers have one form.

use dashu::base::BitTest as _;
use dashu::integer::UBig;

use crate::math::fuel::{Fuel, Step};

/// Trial division stops here; what is left counts as one factor.
const LAST_PRIME: u64 = 1_009;

/// `value` as a product of powers: primes up to 1,009, then at most one cofactor without such factors, itself
/// written as a power when it is a perfect one. Every pair has an exponent of at least one; 1 gives no pairs.
pub(crate) fn factor(value: &UBig, fuel: &Fuel) -> Step<Vec<(UBig, u64)>> {
    let mut factors = Vec::new();
    if value.is_zero() || value.is_one() {
        return Ok(factors);
    }
    let mut rest = value.clone();
    let mut prime = 2u64;
    while prime <= LAST_PRIME {
        if let Ok(small) = u64::try_from(&rest) {
            return factor_small(small, prime, factors, fuel);
        }
        fuel.spend(1 + rest.bit_len() as u64 / 64)?;
        if (&rest % prime) == 0 {
            fuel.spend_product(rest.bit_len(), rest.bit_len())?;
            if let Some(count) = rest.remove(&UBig::from(prime)) {
                factors.push((UBig::from(prime), count as u64));
            }
        }
        prime = next_candidate(prime);
    }
    if !rest.is_one() {
        factors.push(perfect_power(rest, fuel)?);
    }
    Ok(factors)
}

fn factor_small(
    mut rest: u64,
    mut prime: u64,
    mut factors: Vec<(UBig, u64)>,
    fuel: &Fuel,
) -> Step<Vec<(UBig, u64)>> {
    while prime <= LAST_PRIME && prime * prime <= rest {
        fuel.spend(1)?;
        let mut count = 0;
        while rest.is_multiple_of(prime) {
            rest /= prime;
            count += 1;
        }
        if count > 0 {
            factors.push((UBig::from(prime), count));
        }
        prime = next_candidate(prime);
    }
    if rest > 1 {
        let whole = UBig::from(rest);
        // Below the square of the last trial divisor it is prime.
        factors.push(if rest < prime * prime {
            (whole, 1)
        } else {
            perfect_power(whole, fuel)?
        });
    }
    Ok(factors)
}

/// 2, 3, 5 and then the numbers prime to 6.
fn next_candidate(prime: u64) -> u64 {
    match prime {
        2 => 3,
        3 => 5,
        _ if prime % 6 == 5 => prime + 2,
        _ => prime + 4,
    }
}

/// `value = base^exponent` with the largest exponent. No prime factor is below 1,009, which bounds the exponent.
fn perfect_power(value: UBig, fuel: &Fuel) -> Step<(UBig, u64)> {
    let mut base = value;
    let mut exponent = 1;
    for degree in [2usize, 3, 5, 7, 11, 13] {
        while base.bit_len() > 9 * degree {
            let Some(root) = super::exact_root(&base, degree, fuel)? else {
                break;
            };
            base = root;
            exponent *= degree as u64;
        }
    }
    Ok((base, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::fuel::BUDGET;

    fn pairs(value: &UBig) -> Vec<(String, u64)> {
        factor(value, &Fuel::new(BUDGET))
            .expect("within the budget")
            .into_iter()
            .map(|(base, count)| (base.to_string(), count))
            .collect()
    }

    #[test]
    fn factors_multiply_back() {
        for value in [
            1u64,
            2,
            12,
            97,
            360,
            1_018_081,
            1_000_003,
            1_022_121,
            999_999_999_989,
            18_446_744_073_709_551_557,
        ] {
            let value = UBig::from(value);
            let product = factor(&value, &Fuel::new(BUDGET))
                .expect("within the budget")
                .iter()
                .fold(UBig::ONE, |product, (base, count)| {
                    product * base.pow(*count as usize)
                });
            assert_eq!(product, value);
        }
    }

    #[test]
    fn long_numbers_have_small_primes_and_a_cofactor() {
        let value = UBig::from(10u32).pow(60) * UBig::from(10_007u32).pow(6);
        assert_eq!(
            pairs(&value),
            [("2".into(), 60), ("5".into(), 60), ("10007".into(), 6)]
        );
    }
}
