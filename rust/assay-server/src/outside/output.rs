//! Requests to and responses of classifiers.

use serde_json::{Value, json};

use super::config::Api;

impl Api {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Sglang | Self::Vllm => "/classify",
            Self::VllmPooling => "/pooling",
        }
    }

    pub(super) fn request(self, model: &str, texts: &[&str]) -> Value {
        match self {
            Self::Sglang => json!({"model": model, "text": texts}),
            Self::Vllm => json!({"model": model, "input": texts, "use_activation": false}),
            Self::VllmPooling => json!({"model": model, "input": texts}),
        }
    }

    /// One result for each of `count` texts.
    ///
    /// # Errors
    ///
    /// A sentence, when the response is of another form or its results cannot be told apart.
    pub(super) fn outputs(
        self,
        response: &Value,
        count: usize,
        class: Option<u64>,
    ) -> Result<Vec<Result<f64, String>>, String> {
        let (entries, field) = match self {
            Self::Sglang => (response.as_array(), "embedding"),
            Self::Vllm => (response.get("data").and_then(Value::as_array), "probs"),
            Self::VllmPooling => (response.get("data").and_then(Value::as_array), "data"),
        };
        let entries = entries.ok_or("its response is not a list of results")?;
        let numbered =
            !entries.is_empty() && entries.iter().all(|entry| entry.get("index").is_some());
        if entries.len() != count && !numbered {
            return Err(format!(
                "it gave {} results for {count} texts",
                entries.len()
            ));
        }
        let mut outputs = vec![Err("it left this text out".to_owned()); count];
        let mut seen = vec![false; count];
        for (place, entry) in entries.iter().enumerate() {
            let index = match entry.get("index") {
                Some(index) => index.as_u64().map(|index| index as usize),
                None => Some(place),
            };
            let Some(index) = index.filter(|index| *index < count && !seen[*index]) else {
                return Err("its results carry numbers that fit no text".to_owned());
            };
            seen[index] = true;
            outputs[index] = one(entry.get(field), class);
        }
        Ok(outputs)
    }
}

/// The number of one result.
fn one(values: Option<&Value>, class: Option<u64>) -> Result<f64, String> {
    let Some(values) = values.and_then(Value::as_array) else {
        return Err("its result has no outputs".to_owned());
    };
    let index = match (class, values.len()) {
        (_, 0) => return Err("its result has no outputs".to_owned()),
        (None, 1) => 0,
        (None, several) => {
            return Err(format!(
                "it has {several} outputs: say which one counts with `class`"
            ));
        }
        (Some(class), _) => class as usize,
    };
    let value = values.get(index).ok_or_else(|| {
        format!(
            "it has {} outputs, and none is `class` {index}",
            values.len()
        )
    })?;
    value
        .as_f64()
        .filter(|value| value.is_finite())
        .ok_or_else(|| "its output is not a finite number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        api: Api,
        text: &str,
        count: usize,
        class: Option<u64>,
    ) -> Result<Vec<Option<f64>>, String> {
        let response = serde_json::from_str(text).unwrap();
        let outputs = api.outputs(&response, count, class)?;
        Ok(outputs.into_iter().map(Result::ok).collect())
    }

    #[test]
    fn every_api() {
        let sglang = r#"[{"embedding": [0.5], "meta_info": {}}, {"embedding": [-2]}]"#;
        assert_eq!(
            read(Api::Sglang, sglang, 2, None).unwrap(),
            [Some(0.5), Some(-2.0)]
        );
        let vllm =
            r#"{"data": [{"index": 1, "probs": [0.1, 0.9]}, {"index": 0, "probs": [0.7, 0.3]}]}"#;
        assert_eq!(
            read(Api::Vllm, vllm, 2, Some(1)).unwrap(),
            [Some(0.3), Some(0.9)]
        );
        assert_eq!(read(Api::Vllm, vllm, 2, None).unwrap(), [None, None]);
        assert_eq!(read(Api::Vllm, vllm, 2, Some(2)).unwrap(), [None, None]);
        assert_eq!(
            read(Api::Vllm, vllm, 3, Some(0)).unwrap(),
            [Some(0.7), Some(0.1), None]
        );
        let pooling = r#"{"data": [{"index": 0, "data": [3.5]}]}"#;
        assert_eq!(
            read(Api::VllmPooling, pooling, 1, None).unwrap(),
            [Some(3.5)]
        );
    }

    #[test]
    fn what_is_no_number_is_no_value() {
        let odd = r#"[{"embedding": [null]}, {"embedding": ["1"]}, {"embedding": []}, {}, {"embedding": [1e308]}]"#;
        assert_eq!(
            read(Api::Sglang, odd, 5, None).unwrap(),
            [None, None, None, None, Some(1e308)]
        );
        for (text, count) in [
            ("{}", 1),
            ("[]", 1),
            (r#"[{"embedding": [1]}, {"embedding": [1]}]"#, 1),
            (
                r#"[{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [2]}]"#,
                2,
            ),
            (r#"[{"index": 7, "embedding": [1]}]"#, 1),
        ] {
            assert!(read(Api::Sglang, text, count, None).is_err(), "{text}");
        }
    }
}
