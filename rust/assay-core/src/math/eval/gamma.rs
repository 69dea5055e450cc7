//! The gamma and zeta functions on the positive reals.

use std::cmp::Ordering;
use std::sync::OnceLock;

use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::Evaluator;
use crate::math::balls::{Complex, Real};
use crate::math::fuel::{Step, Stop};

/// Terms of Stirling's series.
const TERMS: usize = 40;

/// `B_2, B_4, ..`, by `sum_j binomial(m+1, j) B_j = 0`.
fn bernoulli() -> &'static [RBig] {
    static NUMBERS: OnceLock<Vec<RBig>> = OnceLock::new();
    NUMBERS.get_or_init(|| {
        let mut all: Vec<RBig> = vec![RBig::ONE];
        for m in 1..=2 * TERMS + 2 {
            let mut binomial = IBig::ONE;
            let mut sum = RBig::ZERO;
            for (j, number) in all.iter().enumerate() {
                sum += RBig::from(binomial.clone()) * number;
                binomial = binomial * (m + 1 - j) / (j + 1);
            }
            all.push(-sum / RBig::from(m as i64 + 1));
        }
        all.into_iter().skip(2).step_by(2).collect()
    })
}

impl<R: Real> Evaluator<'_, R> {
    pub(super) fn gamma(&mut self, x: &Complex<R>) -> Step<Complex<R>> {
        let p = self.precision;
        if x.is_real() && x.re.sign() == Some(Ordering::Equal) {
            return Err(Stop::Undefined("the gamma function at zero"));
        }
        let logarithm = self.ln_gamma(x)?;
        self.pay(true)?;
        Ok(logarithm.exp(p))
    }

    /// `ln Gamma(x)` for `x > 0`: `Gamma(x) = Gamma(x + n) / (x (x+1) .. )` up to where Stirling's series is sharp,
    /// whose error is below its first omitted term.
    pub(super) fn ln_gamma(&mut self, x: &Complex<R>) -> Step<Complex<R>> {
        let p = self.precision;
        if !x.is_real() || x.re.sign() != Some(Ordering::Greater) {
            return Ok(Complex::entire());
        }
        let start = match p {
            0..=64 => 12,
            65..=400 => 150,
            _ => 2_500,
        };
        let mut z = x.re.clone();
        let mut product = R::from_integer(1);
        let threshold = R::from_integer(start);
        while z.sub(&threshold, p).sign() != Some(Ordering::Greater) {
            self.pay(false)?;
            self.pay(false)?;
            if z.is_entire() {
                return Ok(Complex::entire());
            }
            product = product.mul(&z, p);
            z = z.add(&R::from_integer(1), p);
        }
        // (z - 1/2) ln z - z + ln(2 pi)/2 + sum B_2k / (2k (2k-1) z^(2k-1))
        for _ in 0..3 {
            self.pay(true)?;
        }
        let half = R::from_integer(1).div(&R::from_integer(2), p);
        let two_pi = R::pi(p).add(&R::pi(p), p);
        let mut sum = z
            .sub(&half, p)
            .mul(&z.ln(p), p)
            .sub(&z, p)
            .add(&half.mul(&two_pi.ln(p), p), p);
        let inverse = R::from_integer(1).div(&z, p);
        let square = inverse.mul(&inverse, p);
        let mut power = inverse;
        let count = if p <= 64 { 12 } else { TERMS };
        for (index, number) in bernoulli().iter().enumerate().take(count + 1) {
            self.pay(false)?;
            let k = index as i64 + 1;
            let scale = R::from_integer(2 * k * (2 * k - 1));
            let term = R::from_rational(number, p).mul(&power, p).div(&scale, p);
            if index == count {
                sum = sum.widened(&term);
            } else {
                sum = sum.add(&term, p);
            }
            power = power.mul(&square, p);
        }
        Ok(Complex::real(sum.sub(&product.ln(p), p)))
    }

    /// For real `s >= 3/2`, by Borwein's alternating sum; the error is below `3 (3 + sqrt 8)^-n / (1 - 2^(1-s))`.
    pub(super) fn zeta(&mut self, s: &Complex<R>) -> Step<Complex<R>> {
        let p = self.precision;
        let bound = R::from_rational(&RBig::from_parts(3.into(), UBig::from(2u8)), p);
        if !s.is_real() || s.re.sub(&bound, p).sign() != Some(Ordering::Greater) {
            return Ok(Complex::entire());
        }
        // Each term gains 2.54 bits.
        let n = u64::from(p) * 2 / 5 + 8;
        // d_k = n sum_{i <= k} (n+i-1)! 4^i / ((n-i)! (2i)!)
        let mut term = RBig::ONE;
        let mut partial = vec![RBig::ONE];
        for i in 1..=n {
            let ratio = RBig::from_parts(
                IBig::from(4 * (n + i - 1) * (n - i + 1)),
                UBig::from(2 * i * (2 * i - 1)),
            );
            term *= ratio;
            let last = partial.last().cloned().unwrap_or_default();
            partial.push(last + &term);
            self.pay(false)?;
        }
        let total = partial.last().cloned().unwrap_or_default();
        let mut sum = R::zero();
        for (k, part) in partial.iter().take(n as usize).enumerate() {
            self.pay(true)?;
            self.pay(true)?;
            let weight = R::from_rational(&(&total - part), p);
            let power = R::from_integer(k as i64 + 1)
                .ln(p)
                .mul(&s.re.neg(), p)
                .exp(p);
            let value = weight.mul(&power, p);
            sum = if k % 2 == 0 {
                sum.add(&value, p)
            } else {
                sum.sub(&value, p)
            };
        }
        let two = R::from_integer(2);
        let base = R::from_integer(1).sub(
            &R::from_integer(1).sub(&s.re, p).mul(&two.ln(p), p).exp(p),
            p,
        );
        // 5.8 < 3 + sqrt 8
        let error = (0..n).fold(R::from_integer(3), |error, _| {
            error.mul(
                &R::from_rational(&RBig::from_parts(10.into(), UBig::from(58u8)), 64),
                64,
            )
        });
        let sum = sum.div(&R::from_rational(&total, p), p).widened(&error);
        Ok(Complex::real(sum.div(&base, p)))
    }
}
