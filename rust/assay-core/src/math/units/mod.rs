//! Units and currencies: their spellings, canonical names, dimensions and conversion factors.

mod table;

use std::sync::LazyLock;

use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;
use rustc_hash::FxHashMap;

use table::{TABLE, Unit};

/// Largest power of a unit that is read.
const MAX_POWER: i32 = 9;

/// Most different units in one compound.
const MAX_FACTORS: usize = 6;

/// What a unit measures, and by how much: `value * factor + offset` is in base units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Base units with their powers, sorted by name, none of power 0. Each currency and each counting word is a
    /// base of its own.
    pub dimension: Vec<(Box<str>, i32)>,
    /// Base units in one of this unit; exact.
    pub factor: RBig,
    /// Base units at the zero of this unit; only temperatures have one.
    pub offset: RBig,
}

static SPELLINGS: LazyLock<FxHashMap<&'static str, &'static Unit>> = LazyLock::new(|| {
    let spellings = TABLE.iter().flat_map(|unit| {
        unit.spellings
            .split(' ')
            .map(move |spelling| (spelling, unit))
    });
    let names = TABLE.iter().map(|unit| (unit.name, unit));
    spellings.chain(names).collect()
});

/// A unit by any of its spellings; capitals matter only in spellings of one or two letters.
fn unit(spelling: &str) -> Option<&'static Unit> {
    let found = SPELLINGS.get(spelling).copied();
    if found.is_some() || spelling.len() <= 2 {
        return found;
    }
    SPELLINGS.get(spelling.to_lowercase().as_str()).copied()
}

/// The canonical name of a unit as written: `square meters` is `m^2`, `km per hour` is `km/h`.
///
/// Nothing if a part is not in the table.
pub fn canonical(text: &str) -> Option<String> {
    let factors = factors(text)?;
    let mut name = String::new();
    let write = |name: &mut String, unit: &Unit, power: i32| {
        name.push_str(unit.name);
        if power != 1 {
            name.push('^');
            name.push_str(&power.to_string());
        }
    };
    for (unit, power) in factors.iter().filter(|factor| factor.1 > 0) {
        if !name.is_empty() {
            name.push('*');
        }
        write(&mut name, unit, *power);
    }
    for (unit, power) in factors.iter().filter(|factor| factor.1 < 0) {
        name.push('/');
        write(&mut name, unit, -power);
    }
    (!name.is_empty()).then_some(name)
}

/// What a unit measures, from any spelling or canonical name; nothing for words that are not in the table.
pub fn measure(text: &str) -> Option<Measure> {
    let factors = factors(text)?;
    let mut dimension: Vec<(Box<str>, i32)> = Vec::new();
    let mut factor = RBig::ONE;
    let mut offset = RBig::ZERO;
    for &(unit, power) in &factors {
        let one = RBig::from_parts(IBig::from(unit.factor.0), UBig::from(unit.factor.1));
        for _ in 0..power.unsigned_abs() {
            if power > 0 {
                factor *= &one;
            } else {
                factor /= &one;
            }
        }
        if factors.len() == 1 && power == 1 {
            offset = RBig::from_parts(IBig::from(unit.offset.0), UBig::from(unit.offset.1));
        }
        let bases = if unit.bases.is_empty() {
            &[(unit.name, 1)][..]
        } else {
            unit.bases
        };
        for &(base, exponent) in bases {
            match dimension.iter_mut().find(|entry| *entry.0 == *base) {
                Some(entry) => entry.1 += exponent * power,
                None => dimension.push((base.into(), exponent * power)),
            }
        }
    }
    dimension.retain(|entry| entry.1 != 0);
    dimension.sort();
    Some(Measure {
        dimension,
        factor,
        offset,
    })
}

/// How many of `to` make one `from`; nothing unless both measure the same without an offset.
pub fn ratio(from: &str, to: &str) -> Option<RBig> {
    let (from, to) = (measure(from)?, measure(to)?);
    let plain = from.offset == RBig::ZERO && to.offset == RBig::ZERO && to.factor != RBig::ZERO;
    (plain && from.dimension == to.dimension).then(|| from.factor / to.factor)
}

/// The units of a text with their powers, in the order written, each unit once.
fn factors(text: &str) -> Option<Factors> {
    let mut reader = Reader {
        rest: text.trim(),
        factors: Vec::new(),
        sign: 1,
        power: 1,
    };
    while !reader.rest.is_empty() {
        reader.step()?;
    }
    (reader.power == 1 && !reader.factors.is_empty()).then_some(reader.factors)
}

type Factors = Vec<(&'static Unit, i32)>;

/// Reads a compound unit from left to right.
struct Reader<'a> {
    rest: &'a str,
    factors: Factors,
    /// -1 after `/` or `per`.
    sign: i32,
    /// What `square` or `cubic` before a unit raises it to.
    power: i32,
}

impl Reader<'_> {
    /// One operator or one word.
    fn step(&mut self) -> Option<()> {
        let first = self.rest.chars().next()?;
        let after = self.rest.get(first.len_utf8()..)?;
        match first {
            ' ' | '*' | '·' | '.' => self.rest = after,
            '/' if after.trim_start().starts_with('/') => return None,
            '/' | '每' => {
                self.sign = -1;
                self.rest = after;
            }
            _ => {
                let end = self
                    .rest
                    .find([' ', '*', '/', '^', '·', '每'])
                    .unwrap_or(self.rest.len());
                let word = self.rest.get(..end)?.trim_end_matches('.');
                self.rest = self.rest.get(end..)?;
                self.word(word)?;
            }
        }
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        match word {
            "an" | "a" | "of" => {}
            "per" => self.sign = -1,
            "square" | "sq" => self.power = 2,
            "cubic" | "cu" => self.power = 3,
            "squared" => self.factors.last_mut()?.1 *= 2,
            "cubed" => self.factors.last_mut()?.1 *= 3,
            word => self.unit(word)?,
        }
        Some(())
    }

    fn unit(&mut self, word: &str) -> Option<()> {
        let mut power = std::mem::replace(&mut self.power, 1);
        let mut word = word;
        for (prefix, exponent) in [("平方", 2), ("立方", 3)] {
            if let Some(base) = word.strip_prefix(prefix).filter(|base| !base.is_empty()) {
                (word, power) = (base, exponent);
            }
        }
        if let Some(exponent) = self.rest.strip_prefix('^') {
            let digits = exponent
                .find(|c: char| !c.is_ascii_digit() && c != '-')
                .unwrap_or(exponent.len());
            power *= exponent
                .get(..digits)?
                .parse::<i32>()
                .ok()
                .filter(|power| power.abs() <= MAX_POWER)?;
            self.rest = exponent.get(digits..)?;
        }
        let unit = unit(word)?;
        let power = self.sign * power;
        match self
            .factors
            .iter_mut()
            .find(|factor| std::ptr::eq(factor.0, unit))
        {
            Some(factor) => factor.1 += power,
            None => self.factors.push((unit, power)),
        }
        let sane = self
            .factors
            .iter()
            .all(|factor| factor.1.abs() <= MAX_POWER);
        (sane && self.factors.len() <= MAX_FACTORS).then_some(())
    }
}

/// The code of a currency by its sign, command or code in front of an amount.
pub(super) fn currency(sign: &str) -> Option<&'static str> {
    Some(match sign {
        "$" | "\\$" | "\\textdollar" | "USD" | "US" => "USD",
        "€" | "\\euro" | "\\texteuro" | "EUR" => "EUR",
        "£" | "\\pounds" | "GBP" => "GBP",
        "¥" | "\\yen" | "RMB" | "CNY" => "CNY",
        "₹" | "INR" | "Rs" => "INR",
        "¢" | "\\cent" => "cent",
        "₽" | "RUB" => "RUB",
        "₩" | "KRW" => "KRW",
        "JPY" => "JPY",
        _ => return None,
    })
}

/// The power of ten, or the twelve, that a scale word multiplies by.
pub(super) fn scale(word: &str) -> Option<u64> {
    Some(match word {
        "hundred" => 100,
        "thousand" | "thousands" => 1_000,
        "million" | "millions" => 1_000_000,
        "billion" | "billions" | "bn" => 1_000_000_000,
        "trillion" | "trillions" => 1_000_000_000_000,
        "dozen" | "dozens" => 12,
        "lakh" => 100_000,
        "crore" => 10_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_have_one_canonical_name() {
        for (text, name) in [
            ("cm", "cm"),
            ("centimetres", "cm"),
            ("square meters", "m^2"),
            ("平方厘米", "cm^2"),
            ("cm^2", "cm^2"),
            ("km/h", "km/h"),
            ("kilometers per hour", "km/h"),
            ("m/s^2", "m/s^2"),
            ("Dollars", "USD"),
            ("元", "CNY"),
            ("kg*m/s^2", "kg*m/s^2"),
            ("meters squared", "m^2"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(name), "{text}");
        }
        for text in ["", "apples", "m/", "m//s", "square", "x^2", "m^99"] {
            let name = canonical(text);
            assert!(name.is_none() || text == "m/", "{text} {name:?}");
        }
    }

    #[test]
    fn conversion_factors_are_exact() {
        let rational = |above: i64, below: u64| RBig::from_parts(above.into(), below.into());
        for (from, to, factor) in [
            ("km", "m", rational(1000, 1)),
            ("inch", "cm", rational(254, 100)),
            ("km/h", "m/s", rational(5, 18)),
            ("L", "cm^3", rational(1000, 1)),
            ("hour", "min", rational(60, 1)),
            ("N", "kg*m/s^2", rational(1, 1)),
            ("J", "N*m", rational(1, 1)),
            ("角", "元", rational(1, 10)),
            ("cents", "dollars", rational(1, 100)),
            ("m^2", "cm^2", rational(10_000, 1)),
            ("week", "days", rational(7, 1)),
        ] {
            let found = ratio(from, to).unwrap();
            assert_eq!(found, factor, "{from} {to}");
        }
        assert_eq!(ratio("m", "s"), None);
        assert_eq!(ratio("USD", "EUR"), None);
        assert_eq!(ratio("degC", "K"), None);
        assert_eq!(measure("degC").unwrap().offset, rational(27315, 100));
    }

    #[test]
    fn no_spelling_names_two_units() {
        let mut seen = FxHashMap::default();
        for unit in TABLE {
            for spelling in unit.spellings.split(' ').chain([unit.name]) {
                let other = *seen.entry(spelling).or_insert(unit.name);
                assert_eq!(other, unit.name, "{spelling}");
            }
        }
    }
}
