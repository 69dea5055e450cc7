//! What holds for every text the parser is given.

use assay_core::math::parse::{MAX_BYTES, ParseOptions, Parsed, canonical, parse};
use assay_core::math::render::render;
use proptest::prelude::*;

fn read(text: &str) -> Option<Parsed> {
    match parse(text, &ParseOptions::default()) {
        Ok(parsed) => {
            assert!((1..=8).contains(&parsed.readings.len()), "{text:?}");
            Some(parsed)
        }
        Err(error) => {
            assert!(error.at() <= text.len(), "{text:?}: {error}");
            None
        }
    }
}

/// Every reading, rendered, has itself among its readings.
fn comes_back(text: &str) -> Result<(), TestCaseError> {
    let Some(parsed) = read(text) else {
        return Ok(());
    };
    for value in &parsed.readings {
        let latex = render(value);
        let again = parse(&latex, &ParseOptions::default());
        let found = again
            .as_ref()
            .is_ok_and(|again| again.readings.contains(value));
        prop_assert!(
            found,
            "{text:?} is {value:?},\nrendered {latex},\nread {again:?}"
        );
    }
    Ok(())
}

#[rustfmt::skip]
const FRAGMENTS: &[&str] = &[
    "1", "2", "10", "345", "000", "0.5", "3.25", "007", "x", "y", "n", "a", "e", "i", "f", "C", "B", "+", "-", "*", "/", "^", "_", "=", "<",
    ">", "\\le ", "\\ne ", "(", ")", "[", "]", "{", "}", "\\{", "\\}", "|", ",", ", ", ";", ":", "!", "%", "\\%", "'", ".", " ", "\\frac",
    "\\frac{1}{2}", "\\sqrt", "\\sqrt{x}", "\\pi", "\\infty", "\\alpha", "\\cdot ", "\\times ", "\\pm ", "\\cup ", "\\in ", "\\setminus ",
    "\\emptyset", "\\mathbb{R}", "\\left(", "\\right)", "\\left|", "\\right|", "\\sin ", "\\ln ", "\\log ", "\\log_2 ", "\\text{ or }",
    "\\text{ and }", "\\text{cm}", "\\mathrm{e}", "\\sum_{k=1}^{n}", "\\int_0^1 ", "dx", "\\lim_{x\\to 0}", "^{2}", "^\\circ",
    "\\overline{3}", "\\dot{3}", "\\ldots", "cm", "km/h", "\\$", "$", "apples", "or", "two", "\\begin{pmatrix}", "\\end{pmatrix}", "&",
    "\\\\", "\\binom{5}{2}", "\\gcd(4,6)", "\\lfloor ", "\\rfloor ", "\\bmod ", "\\pmod{3}", "三", "元", "½", "²", "−", "∞", "\\,", "{,}",
    "\\vec{v}", "x_1", "\\operatorname{g}", "\\to ", "\\angle ", "101_2", "\\equiv ", "e5", "(A)", "\\lor ", "\\land ",
];

fn soup(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(FRAGMENTS), 1..most).prop_map(|parts| parts.concat())
}

/// Formulas that are mostly well formed.
fn formula() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "2",
        "12",
        "-3",
        "0.5",
        "1.25",
        "x",
        "y",
        "n",
        "\\pi",
        "e",
        "i",
        "\\theta",
        "\\frac{1}{2}",
        "2\\frac{1}{3}",
        "0.\\overline{3}",
        "50\\%",
        "30^\\circ",
        "x_1",
        "C_5^2",
        "\\infty",
        "1.2\\times 10^{5}",
        "f(x)",
        "\\sqrt2",
        "3!",
        "a_{n+1}",
        "\\mathrm{i}",
        "abc",
        "1,234",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 48, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (
                two.clone(),
                prop::sample::select(vec![
                    "+", "-", "*", "/", "^", "\\cdot ", "\\pm ", " ", "\\bmod ", "\\times "
                ])
            )
                .prop_map(|((a, b), operator)| format!("{a}{operator}{b}")),
            two.clone()
                .prop_map(|(a, b)| format!("\\frac{{{a}}}{{{b}}}")),
            two.clone().prop_map(|(a, b)| format!("({a})^{{{b}}}")),
            two.clone().prop_map(|(a, b)| format!("\\log_{{{a}}}({b})")),
            two.clone()
                .prop_map(|(a, b)| format!("\\sum_{{k={a}}}^{{{b}}} k")),
            two.clone()
                .prop_map(|(a, b)| format!("\\int_{{{a}}}^{{{b}}} x \\, dx")),
            two.clone()
                .prop_map(|(a, b)| format!("\\begin{{pmatrix}}{a}&{b}\\end{{pmatrix}}")),
            two.prop_map(|(a, b)| format!("\\gcd({a}, {b})")),
            (
                inner.clone(),
                prop::sample::select(vec![
                    "\\sin", "\\cos^2", "\\ln", "\\arctan", "\\exp", "-", "\\sqrt", "\\pm"
                ])
            )
                .prop_map(|(a, function)| format!("{function}{{{a}}}")),
            inner.clone().prop_map(|a| format!("|{a}|")),
            inner.clone().prop_map(|a| format!("\\sqrt[3]{{{a}}}")),
            inner.prop_map(|a| format!("({a})")),
        ]
    })
}

/// Whole answers built from formulas.
fn answer() -> impl Strategy<Value = String> {
    let parts = prop::collection::vec(formula(), 1..4);
    let shape = prop::sample::select(vec![
        "{}",
        "({})",
        "[{})",
        "]{}[",
        "\\{{}\\}",
        "x = {}",
        "x \\in ({}) \\cup [{}]",
        "{} \\text{ or } {}",
        "{} < x \\le {}",
        "{} : {}",
        "{}\\text{ cm}",
        "\\${}",
        "x \\ne {}",
        "\\langle {} \\rangle",
        "(({}), ({}))",
        "\\mathbb{R} \\setminus \\{{}\\}",
        "(x, y) = ({}, {})",
        "{} \\land {}",
        "f(x) = {}",
    ]);
    (parts, shape).prop_map(|(parts, shape)| shape.replace("{}", &parts.join(", ")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        read(&text);
        let _ = canonical(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn fragments_are_read_or_refused_and_come_back(text in soup(14)) {
        comes_back(&text)?;
    }

    #[test]
    fn formulas_come_back(text in formula()) {
        comes_back(&text)?;
    }

    #[test]
    fn answers_come_back(text in answer()) {
        comes_back(&text)?;
    }

    #[test]
    fn wrappers_say_nothing(text in formula()) {
        let bare = read(&text).map(|parsed| parsed.readings);
        for wrapped in [format!("${text}$"), format!("\\boxed{{{text}}}"), format!(" \\({text}\\). ")] {
            prop_assert_eq!(&read(&wrapped).map(|parsed| parsed.readings), &bare, "{}", wrapped);
        }
    }

    #[test]
    fn canonical_text_is_a_fixed_point_of_reading(text in soup(8)) {
        if let Some(parsed) = read(&text) {
            prop_assert_eq!(&parsed.canonical, &canonical(&text));
        }
    }
}

/// The shapes that overflow stacks or take quadratic time in careless parsers.
#[rustfmt::skip]
const HOSTILE: &[&str] = &[
    "(", ")", "[", "{", "}", "|", "\\{", "-", "+", "--", "- ", "^", "_", "\\sqrt", "\\sqrt{", "\\frac{", "\\frac{1}{", "\\frac", "\\left(",
    "\\text{", "\\sin", "\\sin ", "\\boxed{", "\\begin{cases}", "\\begin{pmatrix}", "x_{", "x^{", "2^", "1/", "1+", "x!", "x'", "1 ", "1,",
    "1,000", "1;", "1:", "1.", "%", "5%", "°", "\\pm ", "\\sum_{k=1}^", "\\int ", "\\int_", "\\lim_{x\\to ", "\\mathbb{R}\\setminus ",
    "(1,", "[1,", "]1,", "{1,", "\\cup ", "x=", "x<", "x \\in ", "a", "ab ", "apples ", "5 apples ", "5 ft ", "三", "三万", "one ", "twenty ",
    "and ", "or ", "\\text{ or }", "$", "$1", "\\$", "\\", "\\\\", "&", "\u{b2}", "½", "１", "\u{202e}", "\u{0}", "(A) ", "A, ", "\\angle ",
    "1\\angle ", "\\log_", "\\log ", "f(", "f(x)", "f'", "|x", "||", "\\overline{", "0.\\overline{3}", "0.(3)", "1e", "1e5", "0.3...",
    "\\not", "e^", "x**", "\\operatorname{f}(", "C_", "C_5^", "\\binom", "x/y/", "(x)(", "1:2:", "(1,2)\\cup", "{\\rm ", "\\mathrm{",
    "\\dot{1}", "∪", "\\overline", "12:30 ", "\\frac{d}{dx}",
];

#[test]
fn hostile_texts_end_on_a_small_stack() {
    let thread = std::thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(move || {
            for unit in HOSTILE {
                for length in [300, 4_000, MAX_BYTES] {
                    let text = unit.repeat(length / unit.len());
                    read(&text);
                    read(&format!("{text}1"));
                    read(&format!("\\boxed{{{text}1{}}}", ")".repeat(20)));
                    let _ = canonical(&text);
                }
                let closes: String = unit
                    .chars()
                    .rev()
                    .filter_map(|c| "({[".find(c).and_then(|at| ")}]".chars().nth(at)))
                    .collect();
                if !closes.is_empty() {
                    for depth in [50, 150, 199, 201, 5_000] {
                        read(&format!("{}1{}", unit.repeat(depth), closes.repeat(depth)));
                    }
                }
            }
        });
    thread.unwrap().join().unwrap();
}

#[test]
fn longer_than_the_cap_is_an_error() {
    let error = parse(&"1".repeat(MAX_BYTES + 1), &ParseOptions::default()).unwrap_err();
    assert_eq!(
        error.kind(),
        assay_core::math::parse::ParseErrorKind::TooLong
    );
}
