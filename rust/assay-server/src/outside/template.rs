//! What is sent to a reward model.

use assay_core::spec::RewardModel;

use super::Asked;

/// The template with its placeholders filled in, in one pass: text that was filled in is not looked at again.
///
/// # Errors
///
/// A sentence, when the template wants a prompt or a reference that the item lacks.
pub(super) fn fill(options: &RewardModel, asked: &Asked) -> Result<String, String> {
    let mut rest = options.template();
    let mut out = String::with_capacity(rest.len() + asked.text.len());
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = RewardModel::PLACEHOLDERS
            .into_iter()
            .find(|name| rest.starts_with(name));
        let Some(name) = name else {
            out.push('{');
            rest = &rest[1..];
            continue;
        };
        match name {
            "{completion}" => out.push_str(&asked.text),
            "{prompt}" => out.push_str(required(asked.prompt.as_deref(), "prompt")?),
            "{reference}" => out.push_str(required(asked.reference.as_deref(), "reference")?),
            "{low}" => out.push_str(&options.low.to_string()),
            _ => out.push_str(&options.high.to_string()),
        }
        rest = &rest[name.len()..];
    }
    out.push_str(rest);
    Ok(out)
}

fn required<'a>(text: Option<&'a str>, what: &str) -> Result<&'a str, String> {
    text.ok_or_else(|| {
        format!("the template has {{{what}}} and the item has no {what}: pass it, or use a template without")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str, prompt: Option<&str>) -> Asked {
        Asked {
            row: 0,
            text: text.to_owned(),
            prompt: prompt.map(str::to_owned),
            reference: None,
        }
    }

    #[test]
    fn a_completion_that_looks_like_a_placeholder_stays_as_it_is() {
        let options = RewardModel {
            template: Some("{x}{prompt}|{completion}|{low}-{high}{".to_owned()),
            ..RewardModel::default()
        };
        let filled = fill(
            &options,
            &asked("{prompt}{reference}", Some("Q{completion}")),
        );
        assert_eq!(
            filled.unwrap(),
            "{x}Q{completion}|{prompt}{reference}|1-10{"
        );
    }

    #[test]
    fn what_the_template_needs_and_the_item_lacks_is_a_reason() {
        let reason = fill(&RewardModel::default(), &asked("a", None)).unwrap_err();
        assert!(reason.contains("no prompt"), "{reason}");
    }
}
