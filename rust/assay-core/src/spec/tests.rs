//! One row per thing a spec may get wrong, with the words that must be in the message.

use super::*;

const WRONG: &[(&str, &[&str])] = &[
    (
        r#""acuracy""#,
        &[
            "component 1",
            "unknown kind `acuracy`",
            "did you mean `accuracy`",
        ],
    ),
    (r#"{"acuracy": 1.0}"#, &["did you mean `accuracy`"]),
    (
        r#"{"accuracy": null}"#,
        &["component 1 (`accuracy`)", "`weight`", "finite", "NaN"],
    ),
    (r#"{"accuracy": 1e300}"#, &["`weight`", "within 1e9"]),
    (
        r#"{"accuracy": 1, "accuracy": 2}"#,
        &["component 2 (`accuracy`)", "used twice"],
    ),
    (r#"{"accuracy": true}"#, &["unknown key `accuracy`"]),
    ("{}", &["no component"]),
    ("[]", &["invalid type: sequence"]),
    ("3", &["invalid type: integer"]),
    (r#"{"component": []}"#, &["no component"]),
    (
        r#"{"component": {}}"#,
        &["`component` is not a list of tables"],
    ),
    (r#"{"component": [1]}"#, &["component 1: not a table"]),
    (
        r#"{"components": [{"kind": "accuracy"}]}"#,
        &["unknown key `components`", "did you mean `component`"],
    ),
    (
        r#"{"component": [{"kind": "accuracy"}], "on_undecided": "zeor"}"#,
        &["`on_undecided`", "did you mean `zero`"],
    ),
    (
        r#"{"component": [{}]}"#,
        &["component 1", "`kind` is missing", "`repetition`"],
    ),
    (
        r#"{"component": [{"kind": 1}]}"#,
        &["`kind` is not a string"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "profil": "r1"}]}"#,
        &[
            "component 1 (`accuracy`)",
            "unknown option `profil`",
            "did you mean `profile`",
        ],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "answer": "numbr"}]}"#,
        &["`answer`", "unknown value `numbr`", "did you mean `number`"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "profile": 3}]}"#,
        &["`profile`", "invalid type"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "tolerance": "loose"}]}"#,
        &["`tolerance`", "last_place", "loose"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "tolerance": {"absolut": 1}}]}"#,
        &["`tolerance`", "absolut"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "tolerance": {"absolute": -1}}]}"#,
        &["`tolerance.absolute`", "negative"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "name": ""}]}"#,
        &["`name` must be 1 to 64"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "name": "a/b"}]}"#,
        &["`name` must be"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "weight": "1"}]}"#,
        &["`weight`", "invalid type"],
    ),
    (
        r#"{"component": [{"kind": "accuracy", "wieght": 1}]}"#,
        &["did you mean `weight`"],
    ),
    (
        r#"{"component": [{"kind": "format", "think_in_promt": true}]}"#,
        &["did you mean `think_in_prompt`"],
    ),
    (
        r#"{"length": 1}"#,
        &["component 1 (`length`)", "`mode` is missing", "`cosine`"],
    ),
    (
        r#"{"component": [{"kind": "length", "mode": "cosin"}]}"#,
        &["`mode`", "did you mean `cosine`"],
    ),
    (
        r#"{"component": [{"kind": "length", "mode": 2}]}"#,
        &["`mode`"],
    ),
    (
        r#"{"component": [{"kind": "length", "mode": "cosine", "max_length": 5}]}"#,
        &["`cosine` needs", "kind `accuracy`"],
    ),
    (
        r#"{"component": [{"kind": "accuracy"}, {"kind": "length", "mode": "cosine"}]}"#,
        &["component 2", "`max_length` is required"],
    ),
    (
        r#"{"component": [{"kind": "length", "mode": "cosine", "buffer": 5}]}"#,
        &["unknown option `buffer`"],
    ),
    (
        r#"{"component": [{"kind": "length", "mode": "soft_overlong", "max_length": -5}]}"#,
        &["`max_length`", "invalid value"],
    ),
    (
        r#"{"component": [{"kind": "length", "mode": "soft_overlong", "max_length": 5}]}"#,
        &["`buffer` is required"],
    ),
    (
        r#"{"component": [{"kind": "length", "mode": "soft_overlong", "max_length": 5, "buffer": 6}]}"#,
        &["`buffer` must not be larger"],
    ),
    (
        r#"{"component": [{"kind": "repetition", "ngram": 0}]}"#,
        &["`ngram` must be 1 to 64"],
    ),
    (
        r#"{"component": [{"kind": "repetition", "max_penalty": 0.5}]}"#,
        &["`max_penalty` must not be positive"],
    ),
];

#[test]
fn every_mistake_is_named() {
    for (json, words) in WRONG {
        let error = RewardSpec::from_json(json).expect_err(json);
        assert_eq!(error.kind(), crate::ErrorKind::InvalidSpec, "{json}");
        let message = error.to_string();
        assert!(!message.contains('\n'), "{message}");
        for word in *words {
            assert!(message.contains(word), "{json}: {message:?} lacks {word:?}");
        }
    }
}

#[test]
fn toml_errors_name_the_line_and_nan_is_not_a_weight() {
    let error =
        RewardSpec::from_toml("[[component]]\nkind = \"accuracy\"\nweight = = 1\n").unwrap_err();
    assert!(
        error.to_string().starts_with("reward spec, line 3: "),
        "{error}"
    );
    for weight in ["nan", "inf", "-inf"] {
        let toml = format!("[[component]]\nkind = \"accuracy\"\nweight = {weight}\n");
        let error = RewardSpec::from_toml(&toml).unwrap_err().to_string();
        assert!(
            error.contains("`weight` must be a finite number"),
            "{error}"
        );
    }
    for toml in ["", "on_undecided = \"zero\"\n"] {
        let error = RewardSpec::from_toml(toml).unwrap_err().to_string();
        assert!(error.contains("no component"), "{error}");
    }
}

#[test]
fn the_three_spellings_mean_the_same() {
    let name = RewardSpec::from_json(r#""accuracy""#).expect("valid");
    let by_kind = RewardSpec::from_json(r#"{"accuracy": 1}"#).expect("valid");
    let full = RewardSpec::from_json(r#"{"component": [{"kind": "accuracy"}]}"#).expect("valid");
    let toml = RewardSpec::from_toml("accuracy = 1.0").expect("valid");
    assert!(name == by_kind && by_kind == full && full == toml);
    assert_eq!(
        (full.components[0].name.as_str(), full.components[0].weight),
        ("accuracy", 1.0)
    );
}

#[test]
fn components_keep_the_order_written() {
    let spec =
        RewardSpec::from_json(r#"{"tags": 0.5, "accuracy": 1, "format": 0}"#).expect("valid");
    let names: Vec<&str> = spec
        .components
        .iter()
        .map(|component| component.name.as_str())
        .collect();
    assert_eq!(names, ["tags", "accuracy", "format"]);
}

#[test]
fn a_spec_survives_json_with_every_option() {
    let toml = r#"
        on_undecided = "zero"
        [[component]]
        kind = "accuracy"
        name = "exact"
        weight = 2
        answer = "math"
        tolerance = { relative = 1e-3 }
        units = "convert"
        [[component]]
        kind = "accuracy"
        tolerance = "exact"
        [[component]]
        kind = "format"
        think_in_prompt = true
        [[component]]
        kind = "tags"
        [[component]]
        kind = "length"
        mode = "cosine"
        max_length = 100
        unit = "words"
        min_correct = 0.1
        [[component]]
        kind = "length"
        name = "overlong"
        mode = "soft_overlong"
        max_length = 100
        buffer = 20
        [[component]]
        kind = "repetition"
        unit = "tokens"
        ngram = 4
        max_penalty = -0.25
    "#;
    let spec = RewardSpec::from_toml(toml).expect("valid");
    assert_eq!(
        RewardSpec::from_json(&spec.to_json()).expect("own output"),
        spec
    );
    let embedded: RewardSpec = serde_json::from_str(&spec.to_json()).expect("through serde");
    assert_eq!(embedded, spec);
    assert!(
        spec.components
            .iter()
            .filter(|component| component.kind.needs_tokens())
            .count()
            == 2
    );
}
