//! The core by itself, without Python: what one check, one component, one extraction and one plan cost.
//!
//! Every benchmark first asserts the result that it times. `cargo bench -p assay-core`; the peers stand beside the Python
//! side in `benches/python`.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::num::NonZeroUsize;

use assay_core::answer::{Profile, extract};
use assay_core::batch::{Balance, balance, pack};
use assay_core::group::{AdvantageKind, DEFAULT_EPSILON, advantages};
use assay_core::math::{Gold, Options, Outcome, verify};
use assay_core::score::{Item, Scorer};
use assay_core::spec::RewardSpec;
use assay_core::text::{Language, Repetition, language, readability, repetition_words};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// A small generator, so that inputs are the same everywhere.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn checks(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify");
    let options = Options::default();
    for (name, gold, answer, expected) in [
        ("integer", "72", "72", Outcome::Equal),
        ("thousands", "1234", "\\$1,234.00", Outcome::Equal),
        ("fraction", "\\frac{1}{2}", "0.5", Outcome::Equal),
        (
            "radicals",
            "\\frac{\\sqrt{8}}{2}",
            "\\sqrt{2}",
            Outcome::Equal,
        ),
        ("polynomial", "(x+1)^3", "x^3+3x^2+3x+1", Outcome::Equal),
        ("trigonometry", "\\sin^2 x + \\cos^2 x", "1", Outcome::Equal),
        ("interval", "[1, 3)", "1 \\le x < 3", Outcome::Equal),
        (
            "matrix",
            "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}",
            "\\begin{pmatrix}1&2\\\\3&5\\end{pmatrix}",
            Outcome::Different,
        ),
        ("tower", "9^{9^{9^{9}}}", "1", Outcome::Different),
    ] {
        assert_eq!(verify(gold, answer, &options).outcome, expected, "{name}");
        group.bench_function(name, |b| {
            b.iter(|| verify(black_box(gold), black_box(answer), &options));
        });
    }
    let gold = Gold::new("\\frac{\\sqrt{8}}{2}", &options);
    assert!(gold.compare("\\sqrt{2}").is_equal());
    group.bench_function("radicals, reference read before", |b| {
        b.iter(|| gold.compare(black_box("\\sqrt{2}")));
    });
    group.finish();
}

/// A completion of about `words` words of reasoning and a boxed answer.
fn completion(draw: &mut Draw, words: usize, answer: u64) -> String {
    let vocabulary = [
        "so", "we", "add", "the", "carry", "then", "total", "is", "again", "$x = 4$",
    ];
    let mut text = "<think>".to_owned();
    for _ in 0..words {
        if draw.below(5) == 0 {
            let _ = write!(text, "{} ", draw.below(1_000));
        } else {
            text.push_str(vocabulary[draw.below(vocabulary.len() as u64) as usize]);
            text.push(' ');
        }
    }
    let _ = write!(text, "</think>\n<answer>\\boxed{{{answer}}}</answer>");
    text
}

fn texts(c: &mut Criterion) {
    let text = completion(&mut Draw(1), 3_000, 42);
    let found = extract(&text, Profile::R1).expect("the box is there");
    assert_eq!(&*found.text, "42");
    let mut group = c.benchmark_group("completion of 3,000 words");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("extract", |b| {
        b.iter(|| extract(black_box(&text), Profile::R1));
    });
    let repeats = Repetition {
        ngram: NonZeroUsize::new(3).expect("3 is not 0"),
        max_penalty: -1.0,
    };
    assert!((-1.0..=0.0).contains(&repetition_words(&text, &repeats)));
    group.bench_function("repetition", |b| {
        b.iter(|| repetition_words(black_box(&text), &repeats));
    });
    assert!(language(&text, Language::En) > 0.9);
    group.bench_function("language", |b| {
        b.iter(|| language(black_box(&text), Language::En));
    });
    assert!((0.0..=1.0).contains(&readability(&text)));
    group.bench_function("readability", |b| b.iter(|| readability(black_box(&text))));
    group.finish();
}

fn batches(c: &mut Criterion) {
    let mut draw = Draw(2);
    let rows: Vec<(String, String, f64)> = (0..1_024)
        .map(|_| {
            let (answer, wrong) = (draw.below(10_000), draw.below(2));
            let text = completion(&mut draw, 100, answer);
            (text, (answer + wrong).to_string(), 1.5 - wrong as f64)
        })
        .collect();
    let items: Vec<Item<'_>> = rows
        .iter()
        .map(|(text, reference, _)| Item {
            completion: text,
            reference: Some(reference),
            prompt: None,
        })
        .collect();
    let spec = RewardSpec::from_json(r#"{"accuracy": 1.0, "format": 0.5}"#).expect("a valid spec");
    let rewards = Scorer::new(spec).expect("a valid spec");
    let scored = rewards.score(&items).expect("items are valid");
    let expected: Vec<f64> = rows.iter().map(|row| row.2).collect();
    assert_eq!(scored.total, expected);
    let mut group = c.benchmark_group("score");
    group.throughput(Throughput::Elements(items.len() as u64));
    group.bench_function("1,024 completions of 100 words, all threads", |b| {
        b.iter(|| rewards.score(black_box(&items)));
    });
    group.finish();
}

fn plans(c: &mut Criterion) {
    let mut draw = Draw(3);
    let rewards: Vec<f64> = (0..8_192).map(|_| draw.below(2) as f64).collect();
    let groups: Vec<i64> = (0..8_192).map(|index| index / 8).collect();
    let values = advantages(&rewards, &groups, AdvantageKind::Grpo, DEFAULT_EPSILON)
        .expect("rewards are finite");
    assert!(
        values
            .chunks(8)
            .all(|group| group.iter().sum::<f32>().abs() < 1e-3)
    );
    c.bench_function("advantages of 8,192 in groups of 8", |b| {
        b.iter(|| {
            advantages(
                black_box(&rewards),
                &groups,
                AdvantageKind::Grpo,
                DEFAULT_EPSILON,
            )
        });
    });
    let lengths: Vec<u64> = (0..4_096).map(|_| 16 + draw.below(4_080)).collect();
    let total: u64 = lengths.iter().sum();
    let bins = pack(&lengths, 32_768, None).expect("every length fits");
    assert!(bins.len() as u64 <= total.div_ceil(32_768) + 1);
    c.bench_function("pack 4,096 into 32,768", |b| {
        b.iter_batched(
            || lengths.clone(),
            |lengths| pack(&lengths, 32_768, None),
            BatchSize::SmallInput,
        );
    });
    let parts = balance(&lengths, 64, Balance::KarmarkarKarp, true).expect("64 parts");
    assert!(parts.iter().all(|part| part.len() == 64));
    c.bench_function("balance 4,096 into 64 of equal size", |b| {
        b.iter(|| balance(black_box(&lengths), 64, Balance::KarmarkarKarp, true));
    });
}

criterion_group!(benches, checks, texts, batches, plans);
criterion_main!(benches);
