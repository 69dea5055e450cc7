//! The R1 template: one think block, then one answer block.

use crate::answer::Sections;

/// 1 if the completion is exactly one think block followed by exactly one answer block, else 0.
///
/// White space may stand before, between and after the blocks, nothing else; the bodies may hold anything but tags.
/// With `think_in_prompt` the opening `<think>` stands in the prompt and must not be repeated. (open-r1's
/// `format_reward` moreover demands a line break beside every tag.)
///
/// ```
/// use assay_core::{answer::sections, text};
/// assert_eq!(text::format(&sections("<think>1+1</think>\n<answer>2</answer>", false)), 1.0);
/// assert_eq!(text::format(&sections("<think>1+1</think>\nIt is 2.", false)), 0.0);
/// ```
pub fn format(sections: &Sections) -> f64 {
    f64::from(sections.well_formed)
}

/// Partial credit: a quarter for each of the four tags that occurs exactly once. One of 0, 0.25, 0.5, 0.75, 1.
///
/// As open-r1's `tag_count_reward`, without its demand for line breaks. With `think_in_prompt` the quarter of `<think>`
/// is earned by not repeating it.
pub fn tags(sections: &Sections) -> f64 {
    let counts = &sections.counts;
    let opened = usize::from(!sections.think_in_prompt);
    let right = [
        counts.think_open == opened,
        counts.think_close == 1,
        counts.answer_open == 1,
        counts.answer_close == 1,
    ];
    right.into_iter().map(f64::from).sum::<f64>() / 4.0
}
