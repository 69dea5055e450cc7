use super::*;

fn run(rewards: &[f64], groups: &[i64], kind: AdvantageKind) -> Vec<f32> {
    advantages(rewards, groups, kind, 0.0).expect("valid input")
}

#[test]
fn grpo_by_hand() {
    // mean 0.5, sample std sqrt(1/3)
    let expected = (0.5 / (1.0f64 / 3.0).sqrt()) as f32;
    let got = run(&[1.0, 0.0, 1.0, 0.0], &[3; 4], AdvantageKind::Grpo);
    assert_eq!(got, [expected, -expected, expected, -expected]);
}

#[test]
fn interleaved_ragged_groups_match_contiguous_ones() {
    let rewards = [1.0, 5.0, 0.0, 7.0, 0.5, 2.0];
    let interleaved = run(
        &rewards,
        &[i64::MIN, 9, i64::MIN, 9, i64::MIN, 4],
        AdvantageKind::Grpo,
    );
    let first = run(&[1.0, 0.0, 0.5], &[0; 3], AdvantageKind::Grpo);
    let second = run(&[5.0, 7.0], &[0; 2], AdvantageKind::Grpo);
    assert_eq!(
        interleaved,
        [first[0], second[0], first[1], second[1], first[2], 0.0]
    );
}

#[test]
fn equal_rewards_give_exactly_zero_despite_rounding() {
    for kind in AdvantageKind::ALL {
        assert_eq!(run(&[0.1; 7], &[1; 7], kind), [0.0; 7], "{kind:?}");
        assert_eq!(run(&[0.1 + 0.2, 0.3], &[1; 2], kind), [0.0; 2], "{kind:?}");
    }
}

#[test]
fn nan_is_left_out_and_gets_zero() {
    for kind in AdvantageKind::ALL {
        let with = run(&[1.0, f64::NAN, 0.0, 0.25], &[1; 4], kind);
        let without = run(&[1.0, 0.0, 0.25], &[1; 3], kind);
        assert_eq!(with, [without[0], 0.0, without[1], without[2]], "{kind:?}");
        assert_eq!(run(&[f64::NAN; 2], &[1; 2], kind), [0.0; 2], "{kind:?}");
    }
}

#[test]
fn reinforce_pp_whitens_the_batch() {
    let got = run(&[3.0, 1.0], &[1, 2], AdvantageKind::ReinforcePp);
    let expected = (1.0 / 2.0f64.sqrt()) as f32;
    assert_eq!(got, [expected, -expected]);
}

#[test]
fn gdpo_keeps_apart_what_a_sum_would_merge() {
    // Both members of group 1 total 1, so GRPO on the sum sees nothing; with weights 2:1 GDPO does.
    let (first, second) = ([1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]);
    let got = gdpo(&[(2.0, &first), (1.0, &second)], &[1, 1, 2, 2], 0.0).expect("valid");
    assert!(got[0] > 0.0 && got[0] == -got[1]);
    assert_eq!(got[2..], [0.0, 0.0]);
}

#[test]
fn gdpo_leaves_out_an_item_with_a_missing_component() {
    let first = [1.0, 0.0, 9.0];
    let second = [0.0, 1.0, f64::NAN];
    let got = gdpo(&[(2.0, &first), (1.0, &second)], &[1; 3], 0.0).expect("valid");
    let without = gdpo(&[(2.0, &first[..2]), (1.0, &second[..2])], &[1; 2], 0.0).expect("valid");
    assert_eq!(got, [without[0], without[1], 0.0]);
    let ignored = gdpo(&[(2.0, &first), (0.0, &second)], &[1; 3], 0.0).expect("valid");
    assert_ne!(ignored[2], 0.0);
}

#[test]
fn bad_input_names_the_argument() {
    let message = |rewards: &[f64], groups: &[i64], epsilon| {
        advantages(rewards, groups, AdvantageKind::Grpo, epsilon)
            .unwrap_err()
            .to_string()
    };
    assert!(message(&[1.0], &[], 0.0).starts_with("rewards has 1 entries"));
    assert!(message(&[f64::INFINITY], &[1], 0.0).starts_with("rewards[0] is inf"));
    assert!(message(&[1.0], &[1], -1.0).starts_with("epsilon is -1"));
    assert!(message(&[1.0], &[1], f64::NAN).starts_with("epsilon is NaN"));
    let error = "grop".parse::<AdvantageKind>().unwrap_err().to_string();
    assert!(error.contains("did you mean `grpo`"), "{error}");
}
