//! Arithmetic modulo a 61-bit prime, in Montgomery form.

use dashu::base::Sign;
use dashu::integer::{IBig, UBig};

/// 64 primes below `2^61`, drawn at random among those with `p = 9 mod 16`, `p = 4 or 7 mod 9`, `p - 1` prime to 5, 7
/// and 11, such that 2, 3, 5, 7, 11 and 13 are squares and 2 and 3 are cubes modulo `p`. So -1 has a root, and the
/// commonest surds exist.
const PRIMES: [u64; 64] = [
    1_161_755_179_361_061_289,
    1_185_203_820_464_213_449,
    1_186_737_010_580_080_969,
    1_252_894_264_067_239_369,
    1_263_324_062_688_572_329,
    1_283_727_197_369_856_409,
    1_292_278_180_089_843_769,
    1_334_307_217_077_409_129,
    1_353_569_756_806_678_009,
    1_356_639_606_732_261_289,
    1_404_023_114_607_653_929,
    1_426_524_427_012_350_649,
    1_444_628_743_445_757_769,
    1_475_745_534_594_373_849,
    1_506_611_031_843_667_369,
    1_508_067_392_111_859_049,
    1_508_766_593_728_550_809,
    1_510_843_714_047_960_889,
    1_518_689_431_639_216_489,
    1_551_374_630_156_122_249,
    1_558_805_961_200_678_089,
    1_573_485_009_095_552_569,
    1_602_386_092_990_854_889,
    1_650_213_284_255_981_449,
    1_656_390_192_669_209_209,
    1_660_212_207_523_478_569,
    1_672_649_055_748_960_249,
    1_682_300_435_539_135_129,
    1_709_573_834_038_336_249,
    1_737_667_624_761_636_649,
    1_743_097_973_700_654_169,
    1_747_679_074_539_005_689,
    1_759_890_291_963_400_249,
    1_806_685_869_790_962_169,
    1_829_070_393_430_791_289,
    1_829_960_841_513_606_169,
    1_838_212_526_951_338_729,
    1_846_222_215_972_069_049,
    1_861_377_430_261_311_769,
    1_884_209_014_649_893_369,
    1_900_962_952_780_918_009,
    1_927_506_758_921_672_569,
    1_943_978_692_673_177_449,
    2_021_048_913_593_078_329,
    2_028_106_043_949_440_569,
    2_043_834_070_820_033_209,
    2_085_040_895_752_400_569,
    2_087_829_595_291_540_489,
    2_104_865_682_481_977_529,
    2_125_987_146_488_464_009,
    2_131_884_198_990_185_929,
    2_143_720_049_655_941_689,
    2_146_683_096_230_413_129,
    2_157_545_444_627_799_769,
    2_167_727_289_489_099_529,
    2_168_403_686_842_629_289,
    2_179_642_889_454_273_049,
    2_205_715_779_204_879_769,
    2_209_888_907_687_527_609,
    2_281_929_030_069_913_849,
    2_283_376_422_531_274_249,
    2_283_988_310_335_900_249,
    2_293_351_226_597_435_449,
    2_295_521_612_085_901_369,
];

/// A residue in Montgomery form: `value * 2^64 mod p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Residue(u64);

/// The integers modulo one of [`PRIMES`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    prime: u64,
    /// `-1 / prime mod 2^64`.
    inverse: u64,
    /// `2^128 mod prime`.
    square: u64,
}

impl Field {
    /// The field of the `index`-th prime, counted round.
    pub(super) fn new(index: usize) -> Self {
        let prime = PRIMES[index % PRIMES.len()];
        // Newton's iteration doubles the correct bits: 3, 6, .., 96.
        let mut inverse = prime;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(prime.wrapping_mul(inverse)));
        }
        let word = u64::MAX % prime + 1;
        let square = (u128::from(word) * u128::from(word) % u128::from(prime)) as u64;
        Self {
            prime,
            inverse: inverse.wrapping_neg(),
            square,
        }
    }

    fn reduce(self, value: u128) -> u64 {
        let quotient = (value as u64).wrapping_mul(self.inverse);
        let sum = value + u128::from(quotient) * u128::from(self.prime);
        let result = (sum >> 64) as u64;
        if result >= self.prime {
            result - self.prime
        } else {
            result
        }
    }

    pub(super) fn small(self, value: u64) -> Residue {
        Residue(self.reduce(u128::from(value % self.prime) * u128::from(self.square)))
    }

    pub(super) fn one(self) -> Residue {
        self.small(1)
    }

    pub(super) fn zero() -> Residue {
        Residue(0)
    }

    pub(super) fn is_zero(value: Residue) -> bool {
        value.0 == 0
    }

    pub(super) fn magnitude(self, value: &UBig) -> Residue {
        self.small(value % self.prime)
    }

    pub(super) fn integer(self, value: &IBig) -> Residue {
        let (sign, magnitude) = value.clone().into_parts();
        let residue = self.magnitude(&magnitude);
        if sign == Sign::Negative {
            self.neg(residue)
        } else {
            residue
        }
    }

    pub(super) fn add(self, a: Residue, b: Residue) -> Residue {
        let sum = a.0 + b.0;
        Residue(if sum >= self.prime {
            sum - self.prime
        } else {
            sum
        })
    }

    pub(super) fn neg(self, a: Residue) -> Residue {
        Residue(if a.0 == 0 { 0 } else { self.prime - a.0 })
    }

    pub(super) fn mul(self, a: Residue, b: Residue) -> Residue {
        Residue(self.reduce(u128::from(a.0) * u128::from(b.0)))
    }

    pub(super) fn pow(self, base: Residue, exponent: u64) -> Residue {
        let mut result = self.one();
        let mut square = base;
        let mut left = exponent;
        while left > 0 {
            if left & 1 == 1 {
                result = self.mul(result, square);
            }
            left >>= 1;
            if left > 0 {
                square = self.mul(square, square);
            }
        }
        result
    }

    /// `base^exponent` for an exponent of any length and sign; `None` for a division by zero.
    pub(super) fn power(self, base: Residue, exponent: &IBig) -> Option<Residue> {
        let negative = exponent.sign() == Sign::Negative && !exponent.is_zero();
        if Self::is_zero(base) {
            return (!negative).then_some(if exponent.is_zero() { self.one() } else { base });
        }
        let order = self.prime - 1;
        let count = exponent.clone().into_parts().1 % order;
        let power = self.pow(base, count);
        Some(if negative {
            self.pow(power, self.prime - 2)
        } else {
            power
        })
    }

    pub(super) fn inverse(self, a: Residue) -> Option<Residue> {
        (a.0 != 0).then(|| self.pow(a, self.prime - 2))
    }

    /// A square root, if there is one; which of the two is arbitrary but fixed.
    pub(super) fn sqrt(self, a: Residue) -> Option<Residue> {
        if a.0 == 0 {
            return Some(a);
        }
        // p - 1 = 8 q with odd q: Tonelli and Shanks in at most two corrections.
        let q = (self.prime - 1) / 8;
        let mut root = self.pow(a, q.div_ceil(2));
        let mut rest = self.pow(a, q);
        let mut generator = self.eighth_root_of_unity();
        let mut order = 3u32;
        while rest != self.one() {
            let mut square = rest;
            let mut steps = 0;
            while square != self.one() {
                square = self.mul(square, square);
                steps += 1;
                if steps >= order {
                    return None;
                }
            }
            let factor = self.pow(generator, 1 << (order - steps - 1));
            root = self.mul(root, factor);
            generator = self.mul(factor, factor);
            rest = self.mul(rest, generator);
            order = steps;
        }
        Some(root)
    }

    /// A primitive eighth root of unity: a non-residue to the power `q`.
    fn eighth_root_of_unity(self) -> Residue {
        let q = (self.prime - 1) / 8;
        let minus_one = self.neg(self.one());
        let mut candidate = 17;
        loop {
            let root = self.pow(self.small(candidate), q);
            if self.pow(root, 4) == minus_one {
                return root;
            }
            candidate += 2;
        }
    }

    /// A root of -1.
    pub(super) fn imaginary_unit(self) -> Residue {
        let eighth = self.eighth_root_of_unity();
        self.mul(eighth, eighth)
    }

    /// `a^(1/index)`, if it exists, for an `index` of at most one factor 2, one factor 3, and others prime to `p - 1`.
    pub(super) fn root(self, a: Residue, index: u64) -> Option<Residue> {
        let mut root = a;
        let mut rest = index;
        if rest.is_multiple_of(2) {
            root = self.sqrt(root)?;
            rest /= 2;
        }
        let order = self.prime - 1;
        if rest.is_multiple_of(3) {
            // The cubes are a group of order (p - 1) / 3, which 3 does not divide.
            let cube_root = self.pow(root, inverse_modulo(3, order / 3)?);
            if self.pow(cube_root, 3) != root {
                return None;
            }
            root = cube_root;
            rest /= 3;
        }
        if rest == 1 {
            return Some(root);
        }
        Some(self.pow(root, inverse_modulo(rest, order)?))
    }
}

/// `1 / a mod m`, if `a` is prime to `m`.
fn inverse_modulo(a: u64, m: u64) -> Option<u64> {
    let (mut r, mut next) = (i128::from(m), i128::from(a % m));
    let (mut t, mut following) = (0i128, 1i128);
    while next != 0 {
        let quotient = r / next;
        (r, next) = (next, r - quotient * next);
        (t, following) = (following, t - quotient * following);
    }
    (r == 1).then(|| t.rem_euclid(i128::from(m)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_laws() {
        for index in 0..PRIMES.len() {
            let field = Field::new(index);
            let (a, b) = (field.small(123_456_789_123), field.small(u64::MAX));
            assert_eq!(
                field.mul(a, field.add(b, field.one())),
                field.add(field.mul(a, b), a)
            );
            assert_eq!(field.mul(a, field.inverse(a).unwrap()), field.one());
            assert_eq!(field.add(b, field.neg(b)), Field::zero());
            let unit = field.imaginary_unit();
            assert_eq!(field.mul(unit, unit), field.neg(field.one()));
            for square in [2u64, 3, 5, 7, 11, 13] {
                let root = field.sqrt(field.small(square)).unwrap();
                assert_eq!(field.mul(root, root), field.small(square));
            }
            for degree in [3u64, 5, 6, 7, 15, 21] {
                let root = field.root(field.small(2), degree).unwrap();
                assert_eq!(field.pow(root, degree), field.small(2));
            }
            assert_eq!(field.root(a, 4), None);
        }
    }

    #[test]
    fn long_integers_and_exponents() {
        let field = Field::new(7);
        let long = IBig::from(10).pow(100) + 7;
        let parts = field.add(field.pow(field.small(10), 100), field.small(7));
        assert_eq!(field.integer(&long), parts);
        assert_eq!(field.integer(&-long.clone()), field.neg(parts));
        let two = field.small(2);
        assert_eq!(
            field.power(two, &IBig::from(-3)),
            field.inverse(field.small(8))
        );
        assert_eq!(field.power(Field::zero(), &IBig::from(-3)), None);
        assert_eq!(
            field.power(two, &IBig::from(1_000_000)),
            Some(field.pow(two, 1_000_000))
        );
    }
}
