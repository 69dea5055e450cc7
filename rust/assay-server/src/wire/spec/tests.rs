use assay_core::spec::RewardSpec;

use super::{REVISION, spec_from_wire, spec_to_wire};
use crate::pb;
use crate::pb::component::Kind;

#[test]
fn every_spec_survives_the_wire() {
    let specs = [
        r#""accuracy""#,
        r#"{"accuracy": 1.0, "format": 0.1, "tags": -0.0, "repetition": 5e-324}"#,
        r#"{"on_undecided": "zero", "component": [{"kind": "accuracy", "name": "math.v2", "weight": 0.30000000000000004,
            "profile": "gsm8k_strict", "answer": "number", "tolerance": "exact", "units": "convert", "think_in_prompt": true}]}"#,
        r#"{"component": [{"kind": "accuracy", "tolerance": {"absolute": 1e-9}}]}"#,
        r#"{"component": [{"kind": "accuracy", "tolerance": {"absolute": 0.1, "relative": 0.01}, "answer": "choice"}]}"#,
        r#"{"component": [{"kind": "format", "think_in_prompt": true}, {"kind": "tags", "think_in_prompt": false}]}"#,
        r#"{"component": [{"kind": "accuracy"}, {"kind": "length", "mode": "cosine", "max_length": 9007199254740993,
            "unit": "words", "min_correct": 0.1, "max_correct": 0.2, "min_wrong": -0.3, "max_wrong": -0.4}]}"#,
        r#"{"component": [{"kind": "length", "mode": "soft_overlong", "max_length": 20480, "buffer": 4096,
            "unit": "characters"}]}"#,
        r#"{"component": [{"kind": "repetition", "unit": "tokens", "ngram": 20, "max_penalty": -0.05}]}"#,
        r#"{"component": [{"kind": "reward_model", "endpoint": "helpful"}, {"kind": "plugin", "function": "mine"}]}"#,
        r#"{"component": [{"kind": "reward_model", "endpoint": "a", "mode": "judge", "input": "answer", "low": 0, "high": 5,
            "template": "{prompt} {completion}", "system": "", "max_tokens": 9, "missing": -1, "think_in_prompt": true},
            {"kind": "reward_model", "name": "b", "endpoint": "a", "class": 0, "input": "summary"}]}"#,
    ];
    for json in specs {
        let spec = RewardSpec::from_json(json).unwrap();
        let wire = spec_to_wire(&spec).unwrap();
        let back = spec_from_wire(&wire).unwrap();
        assert_eq!(back.to_json(), spec.to_json(), "{json}");
    }
}

#[test]
fn every_enum_word_of_the_wire_is_one_of_the_core() {
    fn accuracy(set: impl Fn(&mut pb::Accuracy)) -> pb::RewardSpec {
        let mut accuracy = pb::Accuracy::default();
        set(&mut accuracy);
        one(Kind::Accuracy(accuracy))
    }
    let known = |spec: &pb::RewardSpec| spec_from_wire(spec).unwrap();
    for value in 1.. {
        if pb::Profile::try_from(value).is_err() {
            break;
        }
        known(&accuracy(|accuracy| accuracy.profile = value));
    }
    for value in 1.. {
        if pb::Answer::try_from(value).is_err() {
            break;
        }
        known(&accuracy(|accuracy| accuracy.answer = value));
    }
    for value in 1.. {
        if pb::Units::try_from(value).is_err() {
            break;
        }
        known(&accuracy(|accuracy| accuracy.units = value));
    }
}

#[test]
fn an_absent_field_takes_the_default_of_the_core() {
    let wire = one(Kind::Accuracy(pb::Accuracy::default()));
    assert_eq!(
        spec_from_wire(&wire).unwrap(),
        RewardSpec::from_json(r#""accuracy""#).unwrap()
    );
}

#[test]
fn what_the_server_does_not_know_is_refused() {
    let accuracy = || Kind::Accuracy(pb::Accuracy::default());
    let mut newer = one(accuracy());
    newer.revision = REVISION + 1;
    let mut no_kind = one(accuracy());
    no_kind.components[0].kind = None;
    let mut not_finite = one(accuracy());
    not_finite.components[0].weight = Some(f64::NAN);
    let tolerance = pb::Tolerance {
        rule: 0,
        absolute: Some(1.0),
        relative: None,
    };
    let rows = [
        (newer, "revision 2"),
        (no_kind, "component 1 has no kind"),
        (not_finite, "weight of component 1 is NaN"),
        (
            one(Kind::Accuracy(pb::Accuracy {
                profile: 99,
                ..Default::default()
            })),
            "profile of component 1 is 99",
        ),
        (
            one(Kind::Accuracy(pb::Accuracy {
                tolerance: Some(tolerance),
                ..Default::default()
            })),
            "TOLERANCE_RULE_WITHIN",
        ),
        (pb::RewardSpec::default(), "no component"),
    ];
    for (spec, expected) in rows {
        let error = spec_from_wire(&spec).unwrap_err();
        assert_eq!(error.kind(), assay_core::ErrorKind::InvalidSpec);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

fn one(kind: Kind) -> pb::RewardSpec {
    let component = pb::Component {
        name: String::new(),
        weight: None,
        kind: Some(kind),
    };
    pb::RewardSpec {
        on_undecided: 0,
        components: vec![component],
        revision: 0,
    }
}
