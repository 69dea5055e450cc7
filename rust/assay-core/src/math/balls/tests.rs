//! Digits from an independent source, and the property that makes a ball a ball: it holds what a finer one holds.

use dashu::rational::RBig;
use proptest::prelude::*;

use super::{Big, Complex, Fast, Real};

fn rational(text: &str) -> RBig {
    RBig::from_str_decimal(text).unwrap()
}

/// A ball of a hundred digits around a decimal.
fn around(digits: &str) -> Big {
    let value = rational(digits);
    let wide = 2_000;
    let ulp = RBig::from_parts(1.into(), dashu::integer::UBig::from(10u8).pow(98));
    let size = if value > RBig::ONE || value < RBig::NEG_ONE {
        value.clone()
    } else {
        RBig::ONE
    };
    let radius = Big::from_rational(&(size * ulp), wide);
    Big::from_rational(&value, wide).widened(&radius)
}

#[test]
fn known_digits() {
    let of = |text: &str, p: u32| Big::from_rational(&rational(text), p);
    for p in [53, 128, 320, 1_024] {
        let cases: Vec<(&str, Big, &str)> = vec![
            (
                "pi",
                Big::pi(p),
                "3.141592653589793238462643383279502884197169399375105820974944592307816406286208998628034825342117068",
            ),
            (
                "exp(1)",
                of("1", p).exp(p),
                "2.718281828459045235360287471352662497757247093699959574966967627724076630353547594571382178525166427",
            ),
            (
                "exp(-7.25)",
                of("-7.25", p).exp(p),
                "0.0007101743888425490635846003705775444086763023873618958855644522887464704494811934536677967239185252786",
            ),
            (
                "exp(100)",
                of("100", p).exp(p),
                "26881171418161354484126255515800135873611118.77374192241519160861528028703490956491415887109721984571",
            ),
            (
                "ln(2)",
                of("2", p).ln(p),
                "0.6931471805599453094172321214581765680755001343602552541206800094933936219696947156058633269964186875",
            ),
            (
                "ln(10^30)",
                of("1000000000000000000000000000000", p).ln(p),
                "69.07755278982137052053974364053092622803304465886318928099983702902717829032057440707991615268794895",
            ),
            (
                "ln(1.125)",
                of("1.125", p).ln(p),
                "0.1177830356563834545387941094705217050684807125647331411073486387948077205281337869296415286382081149",
            ),
            (
                "sin(1)",
                of("1", p).sin_cos(p).0,
                "0.8414709848078965066525023216302989996225630607983710656727517099919104043912396689486397435430526959",
            ),
            (
                "cos(1)",
                of("1", p).sin_cos(p).1,
                "0.5403023058681397174009366074429766037323104206179222276700972553811003947744717645179518560871830893",
            ),
            (
                "sin(10^20)",
                of("100000000000000000000", p).sin_cos(p).0,
                "-0.6452512852657808442058117113125230074069041966868971183031170068878986162188568608555379550092177132",
            ),
            (
                "atan(0.5)",
                of("0.5", p).atan(p),
                "0.4636476090008061162142562314612144020285370542861202638109330887201978641657417053006002839848878926",
            ),
            (
                "atan(-9)",
                of("-9", p).atan(p),
                "-1.460139105621000972672181819429689336123298604684488878364657853046262997402605785548788523237570561",
            ),
            (
                "sqrt(2)",
                of("2", p).sqrt(p),
                "1.414213562373095048801688724209698078569671875376948073176679737990732478462107038850387534327641573",
            ),
        ];
        for (name, value, digits) in cases {
            assert!(!value.is_entire(), "{name} with {p} bits");
            assert!(
                !value.is_disjoint(&around(digits)),
                "{name} with {p} bits: {value:?}"
            );
            // Sharp, too: a few bits less than asked for.
            let slack = value.radius().exponent().unwrap_or(i64::MIN)
                - value.above().exponent().unwrap_or(0);
            assert!(
                slack < 20 - i64::from(p),
                "{name} with {p} bits: radius 2^{slack}"
            );
        }
    }
}

/// Arguments of many sizes and both signs.
fn arguments() -> impl Strategy<Value = RBig> {
    (any::<i64>(), 1u64..1 << 40, -60i32..60).prop_map(|(top, bottom, shift)| {
        let value = RBig::from_parts(top.into(), bottom.into());
        let scale = RBig::from(2).pow(shift.unsigned_abs() as isize);
        if shift < 0 {
            value / scale
        } else {
            value * scale
        }
    })
}

/// Every function at one argument.
fn all<R: Real>(x: &RBig, y: &RBig, p: u32) -> Vec<(&'static str, R)> {
    let (a, b) = (R::from_rational(x, p), R::from_rational(y, p));
    let (sin, cos) = a.sin_cos(p);
    let z = Complex::new(a.clone(), b.clone());
    let root = z.sqrt(p);
    let logarithm = z.ln(p);
    let small = R::from_rational(&(x / RBig::from(1u64 << 62)), p);
    vec![
        ("add", a.add(&b, p)),
        ("sub", a.sub(&b, p)),
        ("mul", a.mul(&b, p)),
        ("div", a.div(&b, p)),
        ("sqrt", a.sqrt(p)),
        ("exp", small.exp(p)),
        ("exp of a quotient", a.div(&b, p).exp(p)),
        ("ln", a.ln(p)),
        ("sin", sin),
        ("cos", cos),
        ("sin of a sum", a.add(&b, p).sin_cos(p).0),
        ("atan", a.atan(p)),
        ("atan of a quotient", a.div(&b, p).atan(p)),
        ("sqrt of a difference", a.sub(&b, p).sqrt(p)),
        ("re sqrt", root.re),
        ("im sqrt", root.im),
        ("re ln", logarithm.re),
        ("im ln", logarithm.im),
        ("modulus", z.modulus(p)),
        ("re inverse", z.inverse(p).re),
        ("im power", z.power(7, p).im),
    ]
}

proptest! {
    #[test]
    fn coarse_balls_hold_fine_ones(x in arguments(), y in arguments()) {
        let fine = all::<Big>(&x, &y, 1_024);
        for p in [53, 90, 320] {
            for ((name, coarse), (_, fine)) in all::<Big>(&x, &y, p).iter().zip(&fine) {
                prop_assert!(!coarse.is_disjoint(fine), "{name} of {x} and {y} with {p} bits: {coarse:?} {fine:?}");
            }
        }
    }

    #[test]
    fn machine_balls_hold_fine_ones(x in arguments(), y in arguments()) {
        for ((name, coarse), (_, fine)) in all::<Fast>(&x, &y, 53).iter().zip(all::<Big>(&x, &y, 320)) {
            if coarse.is_entire() {
                continue;
            }
            let (mid, radius) = coarse.bounds();
            let exact = |value: f64| Big::from_rational(&RBig::try_from(value).unwrap(), 2_000);
            let coarse = exact(mid).widened(&exact(radius));
            prop_assert!(!coarse.is_disjoint(&fine), "{name} of {x} and {y}: {coarse:?} {fine:?}");
        }
    }

    #[test]
    fn signs_and_floors_are_right(x in arguments()) {
        for p in [53, 200] {
            let ball = Big::from_rational(&x, p);
            let expected = x.cmp(&RBig::ZERO);
            prop_assert!(ball.sign().is_none_or(|sign| sign == expected));
            prop_assert!(ball.floor().is_none_or(|floor| floor == x.floor()));
        }
        let fast = Fast::from_rational(&x, 53);
        prop_assert!(fast.sign().is_none_or(|sign| sign == x.cmp(&RBig::ZERO)));
        prop_assert!(fast.floor().is_none_or(|floor| floor == x.floor()));
    }
}

#[test]
fn what_may_be_anything_is_entire() {
    let around_zero = Big::from_integer(1).div(&Big::from_integer(3), 64);
    let around_zero = around_zero.sub(&around_zero, 64);
    assert!(!around_zero.is_zero() && around_zero.sign().is_none());
    assert!(Big::from_integer(1).div(&around_zero, 64).is_entire());
    assert!(around_zero.ln(64).is_entire() && Big::from_integer(-1).ln(64).is_entire());
    assert!(Big::from_integer(i64::MAX).exp(64).exp(64).is_entire());
    assert!(Big::entire().exp(64).is_entire() && Big::entire().add(&Big::zero(), 64).is_entire());
    assert!(!Big::entire().sin_cos(64).0.is_entire() && !Big::entire().atan(64).is_entire());
    assert!(Fast::from_integer(1_000).exp(53).is_entire());
    assert!(!Big::entire().is_disjoint(&Big::zero()));
}
