//! Complex balls: two real ones. A real number has an imaginary part that is exactly zero.

use std::cmp::Ordering;

use super::Real;

#[derive(Clone, Debug)]
pub(crate) struct Complex<R> {
    pub(crate) re: R,
    pub(crate) im: R,
}

impl<R: Real> Complex<R> {
    pub(crate) fn real(re: R) -> Self {
        Self { re, im: R::zero() }
    }

    pub(crate) fn new(re: R, im: R) -> Self {
        Self { re, im }
    }

    pub(crate) fn entire() -> Self {
        Self {
            re: R::entire(),
            im: R::entire(),
        }
    }

    pub(crate) fn one() -> Self {
        Self::real(R::from_integer(1))
    }

    pub(crate) fn is_real(&self) -> bool {
        self.im.is_zero()
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.re.is_zero() && self.im.is_zero()
    }

    pub(crate) fn is_entire(&self) -> bool {
        self.re.is_entire() || self.im.is_entire()
    }

    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        self.re.is_disjoint(&other.re) || self.im.is_disjoint(&other.im)
    }

    pub(crate) fn neg(&self) -> Self {
        Self {
            re: self.re.neg(),
            im: self.im.neg(),
        }
    }

    pub(crate) fn conjugate(&self) -> Self {
        Self {
            re: self.re.clone(),
            im: self.im.neg(),
        }
    }

    pub(crate) fn add(&self, other: &Self, p: u32) -> Self {
        Self {
            re: self.re.add(&other.re, p),
            im: self.im.add(&other.im, p),
        }
    }

    pub(crate) fn sub(&self, other: &Self, p: u32) -> Self {
        self.add(&other.neg(), p)
    }

    pub(crate) fn mul(&self, other: &Self, p: u32) -> Self {
        if self.is_real() && other.is_real() {
            return Self::real(self.re.mul(&other.re, p));
        }
        let (rr, ii) = (self.re.mul(&other.re, p), self.im.mul(&other.im, p));
        let (ri, ir) = (self.re.mul(&other.im, p), self.im.mul(&other.re, p));
        Self {
            re: rr.sub(&ii, p),
            im: ri.add(&ir, p),
        }
    }

    pub(crate) fn scale(&self, by: &R, p: u32) -> Self {
        Self {
            re: self.re.mul(by, p),
            im: self.im.mul(by, p),
        }
    }

    /// `re^2 + im^2`.
    pub(crate) fn norm(&self, p: u32) -> R {
        let square = self.re.mul(&self.re, p);
        if self.is_real() {
            return square;
        }
        square.add(&self.im.mul(&self.im, p), p)
    }

    /// `1 / self`; entire when it may be zero.
    pub(crate) fn inverse(&self, p: u32) -> Self {
        if self.is_real() {
            return Self::real(R::from_integer(1).div(&self.re, p));
        }
        let norm = self.norm(p);
        Self {
            re: self.re.div(&norm, p),
            im: self.im.neg().div(&norm, p),
        }
    }

    /// By repeated squaring; `0^0` is for the caller to refuse.
    pub(crate) fn power(&self, count: u64, p: u32) -> Self {
        let mut result = Self::one();
        let mut square = self.clone();
        let mut left = count;
        while left > 0 {
            if left & 1 == 1 {
                result = result.mul(&square, p);
            }
            left >>= 1;
            if left > 0 {
                square = square.mul(&square, p);
            }
        }
        result
    }

    pub(crate) fn modulus(&self, p: u32) -> R {
        if self.is_real() {
            return match self.re.sign() {
                Some(Ordering::Less) => self.re.neg(),
                Some(_) => self.re.clone(),
                None => self.re.around_zero(),
            };
        }
        if self.re.is_zero() {
            return Self::real(self.im.clone()).modulus(p);
        }
        self.norm(p).sqrt(p)
    }

    /// The argument in `(-pi, pi]`; any number when the ball crosses the negative axis or holds zero.
    pub(crate) fn argument(&self, p: u32) -> R {
        let half_pi = || R::pi(p).mul(&R::from_integer(1).div(&R::from_integer(2), p), p);
        match (self.re.sign(), self.im.sign()) {
            (Some(Ordering::Greater), _) => self.im.div(&self.re, p).atan(p),
            (_, Some(Ordering::Greater)) => half_pi().sub(&self.re.div(&self.im, p).atan(p), p),
            (_, Some(Ordering::Less)) => half_pi().neg().sub(&self.re.div(&self.im, p).atan(p), p),
            (Some(Ordering::Less), Some(Ordering::Equal)) => R::pi(p),
            (Some(Ordering::Equal), Some(Ordering::Equal)) => R::zero(),
            _ => R::entire(),
        }
    }

    pub(crate) fn exp(&self, p: u32) -> Self {
        let length = self.re.exp(p);
        if self.is_real() {
            return Self::real(length);
        }
        let (sin, cos) = self.im.sin_cos(p);
        Self {
            re: length.mul(&cos, p),
            im: length.mul(&sin, p),
        }
    }

    /// The principal logarithm.
    pub(crate) fn ln(&self, p: u32) -> Self {
        if self.is_real() && self.re.sign() == Some(Ordering::Greater) {
            return Self::real(self.re.ln(p));
        }
        Self {
            re: self.modulus(p).ln(p),
            im: self.argument(p),
        }
    }

    /// The principal square root.
    pub(crate) fn sqrt(&self, p: u32) -> Self {
        if self.is_real() {
            return match self.re.sign() {
                Some(Ordering::Less) => Self {
                    re: R::zero(),
                    im: self.re.neg().sqrt(p),
                },
                Some(_) => Self::real(self.re.sqrt(p)),
                // Around zero: on the real axis or on the imaginary one.
                None => {
                    let around = self.re.sqrt(p).widened(&self.re.neg().sqrt(p));
                    Self {
                        re: around.clone(),
                        im: around,
                    }
                }
            };
        }
        let modulus = self.modulus(p);
        let half = R::from_integer(1).div(&R::from_integer(2), p);
        if self.re.sign() == Some(Ordering::Greater) {
            let re = modulus.add(&self.re, p).mul(&half, p).sqrt(p);
            let im = self.im.mul(&half, p).div(&re, p);
            return Self { re, im };
        }
        let im = modulus.sub(&self.re, p).mul(&half, p).sqrt(p);
        match self.im.sign() {
            Some(Ordering::Greater) => Self {
                re: self.im.mul(&half, p).div(&im, p),
                im,
            },
            Some(Ordering::Less) => Self {
                re: self.im.mul(&half, p).div(&im, p).neg(),
                im: im.neg(),
            },
            // Across the cut, either root.
            _ => {
                let around = modulus.sqrt(p).around_zero();
                Self {
                    re: around.clone(),
                    im: around,
                }
            }
        }
    }

    pub(crate) fn sin_cos(&self, p: u32) -> (Self, Self) {
        let (sin, cos) = self.re.sin_cos(p);
        if self.is_real() {
            return (Self::real(sin), Self::real(cos));
        }
        // sin(a + bi) = sin a cosh b + i cos a sinh b
        let half = R::from_integer(1).div(&R::from_integer(2), p);
        let (up, down) = (self.im.exp(p), self.im.neg().exp(p));
        let (cosh, sinh) = (
            up.add(&down, p).mul(&half, p),
            up.sub(&down, p).mul(&half, p),
        );
        (
            Self {
                re: sin.mul(&cosh, p),
                im: cos.mul(&sinh, p),
            },
            Self {
                re: cos.mul(&cosh, p),
                im: sin.mul(&sinh, p).neg(),
            },
        )
    }

    /// Times `i`.
    pub(crate) fn turned(&self) -> Self {
        Self {
            re: self.im.neg(),
            im: self.re.clone(),
        }
    }
}
