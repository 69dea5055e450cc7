//! Every row of `tests/cases/score.jsonl` scores the same over the network as in the core, bit for bit.

use std::path::Path;

use crate::common::{TestServer, request, text};
use assay_core::score::{Item, Scorer, Status};
use assay_core::spec::RewardSpec;
use assay_server::pb::item_result::Outcome;
use assay_server::{Config, pb};
use serde_json::Value;

/// A result as bits and words; `None` is "no value".
#[derive(Debug, PartialEq)]
struct Seen {
    total: Option<u64>,
    components: Vec<(String, Option<u64>)>,
    status: &'static str,
    reason: Option<String>,
    answer: Option<String>,
}

fn bits(value: f64) -> Option<u64> {
    (!value.is_nan()).then(|| value.to_bits())
}

fn local(spec: &str, completion: &str, reference: Option<&str>) -> Seen {
    let scorer = Scorer::new(RewardSpec::from_json(spec).unwrap()).unwrap();
    let item = Item {
        completion,
        reference,
        prompt: None,
    };
    let result = scorer.score(&[item]).unwrap();
    let columns = result.components.iter();
    Seen {
        total: bits(result.total[0]),
        components: columns
            .map(|(name, values)| (name.clone(), bits(values[0])))
            .collect(),
        status: result.status[0].as_str(),
        reason: result.reasons[0].clone(),
        answer: result.answers[0].clone(),
    }
}

fn remote(response: &pb::ScoreResponse) -> Seen {
    let result = &response.results[0];
    let value = |index: usize| {
        let found = result
            .components
            .iter()
            .find(|value| value.component as usize == index);
        found.map(|value| value.value.to_bits())
    };
    let names = response.components.iter().enumerate();
    let (total, status, reason) = match result.outcome.as_ref().unwrap() {
        Outcome::Scored(scored) => (Some(scored.total.to_bits()), Status::Scored, &scored.reason),
        Outcome::Error(error) => {
            let status = match error.code() {
                pb::ErrorCode::Undecided => Status::Undecided,
                pb::ErrorCode::Limit => Status::Limit,
                pb::ErrorCode::InvalidReference => Status::InvalidReference,
                _ => Status::Unavailable,
            };
            (None, status, &error.reason)
        }
    };
    Seen {
        total,
        components: names
            .map(|(index, name)| (name.clone(), value(index)))
            .collect(),
        status: status.as_str(),
        reason: reason.clone(),
        answer: result.answer.clone(),
    }
}

#[tokio::test]
async fn every_row_is_the_same_through_core_and_network() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.client().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/score.jsonl");
    let mut compared = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row.get("error").is_some() {
            continue;
        }
        let spec = row["spec"].to_string();
        let (completion, reference) = (
            row["completion"].as_str().unwrap(),
            row["reference"].as_str(),
        );
        let message = request(&spec, vec![text(completion, reference)]);
        let response = client.score(message).await.unwrap().into_inner();
        assert_eq!(
            remote(&response),
            local(&spec, completion, reference),
            "{line}"
        );
        compared += 1;
    }
    assert!(compared > 20);
    server.stop().await.unwrap();
}
