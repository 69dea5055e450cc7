//! Products of powers and factorials too large to write out, by their prime exponents.

use std::collections::BTreeMap;

use dashu::integer::{IBig, UBig};

use crate::math::arena::{Arena, Id, Node};
use crate::math::ast::Function;
use crate::math::exact;
use crate::math::fuel::Step;

/// Factorials up to this are taken apart: the sieve of their primes costs about a millisecond.
const MAX_FACTORIAL: u64 = 200_000;

/// Whether two positive or negative products of prime powers are equal; `None` for anything else.
pub(super) fn compare(arena: &mut Arena, a: Id, b: Id) -> Step<Option<bool>> {
    let (Some(left), Some(right)) = (Product::of(arena, a)?, Product::of(arena, b)?) else {
        return Ok(None);
    };
    if left.negative != right.negative {
        return Ok(Some(false));
    }
    if left.huge != right.huge {
        // Exponents that are powers themselves: equal exponents are equal nodes, others need a closer look.
        return left.compare_huge(&right, arena);
    }
    Ok(Some(left.exponents == right.exponents))
}

#[derive(Debug, Default, PartialEq)]
struct Product {
    negative: bool,
    exponents: BTreeMap<UBig, IBig>,
    /// Primes whose exponent is not written out either.
    huge: BTreeMap<UBig, Id>,
}

/// Whether a constant is an integer by its form: a product, sum or power of integers.
fn is_integer(arena: &Arena, id: Id) -> bool {
    match arena.node(id) {
        Node::Number(value) => exact::integer(value).is_some(),
        Node::Add(parts) | Node::Mul(parts) => parts.iter().all(|&part| is_integer(arena, part)),
        Node::Pow(base, exponent) => {
            let positive = arena
                .number(*exponent)
                .is_none_or(|value| !exact::is_negative(value));
            positive && is_integer(arena, *base) && is_natural(arena, *exponent)
        }
        Node::Call(Function::Factorial, _) => true,
        _ => false,
    }
}

/// Whether a constant is an integer and not negative by its form.
fn is_natural(arena: &Arena, id: Id) -> bool {
    match arena.node(id) {
        Node::Number(value) => exact::integer(value).is_some() && !exact::is_negative(value),
        Node::Add(parts) | Node::Mul(parts) => parts.iter().all(|&part| is_natural(arena, part)),
        Node::Pow(base, exponent) => is_natural(arena, *base) && is_natural(arena, *exponent),
        Node::Call(Function::Factorial, _) => true,
        _ => false,
    }
}

impl Product {
    fn of(arena: &Arena, id: Id) -> Step<Option<Self>> {
        let factors = match arena.node(id) {
            Node::Mul(factors) => factors.clone(),
            _ => [id].into(),
        };
        let mut product = Self::default();
        for factor in factors {
            if !product.take(arena, factor, 1)? {
                return Ok(None);
            }
        }
        product.exponents.retain(|_, exponent| !exponent.is_zero());
        Ok(Some(product))
    }

    /// Multiplies by `factor^times`; `false` if that is no such product.
    fn take(&mut self, arena: &Arena, factor: Id, times: i64) -> Step<bool> {
        match arena.node(factor) {
            Node::Number(value) => {
                if value.is_zero() {
                    return Ok(false);
                }
                self.negative ^= exact::is_negative(value);
                let sides = [
                    (exact::magnitude(value.numerator()), times),
                    (value.denominator().clone(), -times),
                ];
                for (side, sign) in sides {
                    for (prime, count) in exact::factor::factor(&side, &arena.fuel)? {
                        *self.exponents.entry(prime).or_default() += IBig::from(count) * sign;
                    }
                }
                Ok(true)
            }
            Node::Pow(base, exponent) => {
                if let (Node::Call(Function::Factorial, _), Some(count)) =
                    (arena.node(*base), arena.small(*exponent))
                {
                    return self.take(arena, *base, times.saturating_mul(count));
                }
                let Some(prime) = arena.number(*base).and_then(exact::integer) else {
                    return Ok(false);
                };
                if exact::is_negative(&prime.clone().into()) || prime.is_zero() {
                    return Ok(false);
                }
                let prime = exact::magnitude(&prime);
                match arena.number(*exponent) {
                    Some(value) => match exact::integer(value) {
                        Some(count) => *self.exponents.entry(prime).or_default() += count * times,
                        None => return Ok(false),
                    },
                    None if times == 1 && is_integer(arena, *exponent) => {
                        if self.huge.insert(prime, *exponent).is_some() {
                            return Ok(false);
                        }
                    }
                    None => return Ok(false),
                }
                Ok(true)
            }
            Node::Call(Function::Factorial, arguments) => match arena.small(arguments[0]) {
                Some(n) if (0..=MAX_FACTORIAL as i64).contains(&n) => {
                    self.take_factorial(arena, n as u64, times)?;
                    Ok(true)
                }
                _ => Ok(false),
            },
            _ => Ok(false),
        }
    }

    /// `n!` by Legendre: the exponent of `p` is `n/p + n/p^2 + ..`.
    fn take_factorial(&mut self, arena: &Arena, n: u64, times: i64) -> Step<()> {
        arena.fuel.spend(n)?;
        let mut composite = vec![false; n as usize + 1];
        for prime in 2..=n {
            if composite[prime as usize] {
                continue;
            }
            let mut multiple = prime * prime;
            while multiple <= n {
                composite[multiple as usize] = true;
                multiple += prime;
            }
            arena.fuel.spend(20)?;
            let (mut count, mut rest) = (0, n);
            while rest > 0 {
                rest /= prime;
                count += rest as i64;
            }
            *self.exponents.entry(UBig::from(prime)).or_default() += IBig::from(count) * times;
        }
        Ok(())
    }

    /// With different huge exponents: different if some exponent differs for sure.
    fn compare_huge(&self, other: &Self, arena: &mut Arena) -> Step<Option<bool>> {
        for (prime, &exponent) in self.huge.iter().chain(&other.huge) {
            let side = |product: &Self| product.huge.get(prime).copied();
            let fallback =
                |product: &Self| product.exponents.get(prime).cloned().unwrap_or_default();
            // Each side's exponent is the written one or the huge one; both on one side do not occur together, since
            // the arena joins powers of one base.
            let (left, right) = match (side(self), side(other)) {
                (Some(left), Some(right)) => (left, right),
                (Some(left), None) => (left, arena.rational(fallback(other).into())?),
                (None, Some(right)) => (arena.rational(fallback(self).into())?, right),
                (None, None) => (exponent, exponent),
            };
            if left == right {
                continue;
            }
            let difference = arena.sub(left, right)?;
            if arena
                .number(difference)
                .is_some_and(|value| !value.is_zero())
                || super::scalar::is_surely_nonzero(arena, difference)?
            {
                return Ok(Some(false));
            }
            if let Some(false) = compare(arena, left, right)? {
                return Ok(Some(false));
            }
        }
        Ok(None)
    }
}
