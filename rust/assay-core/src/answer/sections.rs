//! The `<think>` and `<answer>` tags of a completion.

use std::ops::Range;

use memchr::memchr_iter;

/// One of the four tags of the R1 template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tag {
    ThinkOpen,
    ThinkClose,
    AnswerOpen,
    AnswerClose,
}

impl Tag {
    /// All four, in the order in which [`TagCounts`] lists them.
    pub(crate) const ALL: [Self; 4] = [
        Self::ThinkOpen,
        Self::ThinkClose,
        Self::AnswerOpen,
        Self::AnswerClose,
    ];

    /// The tag as models write it.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::ThinkOpen => "<think>",
            Self::ThinkClose => "</think>",
            Self::AnswerOpen => "<answer>",
            Self::AnswerClose => "</answer>",
        }
    }

    /// The tag that stands at the beginning of `bytes`.
    pub(crate) fn at(bytes: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|tag| bytes.starts_with(tag.text().as_bytes()))
    }
}

/// Length in bytes of the longest tag.
pub(crate) const LONGEST_TAG: usize = "</answer>".len();

/// How often each tag occurs in a whole completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TagCounts {
    /// Occurrences of `<think>`.
    pub think_open: usize,
    /// Occurrences of `</think>`.
    pub think_close: usize,
    /// Occurrences of `<answer>`.
    pub answer_open: usize,
    /// Occurrences of `</answer>`.
    pub answer_close: usize,
}

/// Whether the completion thinks, and whether it stopped thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Think {
    /// No think tag at all: everything may be the answer.
    #[default]
    Absent,
    /// The last think block is closed; what follows `</think>` may be the answer.
    Closed,
    /// The last think block never ends: there is no answer.
    Unclosed,
}

/// Where thinking ends and where the answer block stands.
///
/// Spans are byte offsets into the text that was read. In the sections of a [`Tail`](super::Tail) the text is the
/// tail alone, while `counts`, `state` and `well_formed` still describe the whole completion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// Occurrences of the four tags.
    pub counts: TagCounts,
    /// The prompt already opened `<think>`.
    pub think_in_prompt: bool,
    /// Whether thinking was closed.
    pub state: Think,
    /// Exactly one think block, then exactly one answer block, and nothing but white space outside them.
    pub well_formed: bool,
    /// The chain of thought: after the first `<think>` (or from the start, if the prompt opened it or the opening tag
    /// is missing) up to the last `</think>`, or up to the end where it is unclosed. `None` without think tags.
    pub think: Option<Range<usize>>,
    /// What is judged: everything after the last `</think>`. Empty if thinking is unclosed.
    pub tail: Range<usize>,
    /// Body of the last `<answer>` in the tail. Generation often stops at `</answer>` and drops it, so a missing
    /// closing tag ends the body at the end of the text.
    pub answer: Option<Range<usize>>,
}

/// Reads tags in the order in which they occur. `P` is a position: a byte offset, or a place among token ids.
#[derive(Clone, Debug)]
pub(crate) struct Tracker<P> {
    counts: TagCounts,
    think_in_prompt: bool,
    /// Start and end of the last occurrence of each tag.
    last: [Option<(P, P)>; 4],
    first_think_body: Option<P>,
    answer: Option<(P, Option<P>)>,
    open: bool,
}

/// Where only white space may stand in a well-formed completion.
pub(crate) struct Layout<P> {
    /// Everything before this, if anything.
    pub(crate) head_end: Option<P>,
    /// Between the think block and the answer block.
    pub(crate) gap: Range<P>,
    /// Everything from here on.
    pub(crate) rest: P,
}

impl<P: Copy + Ord> Tracker<P> {
    pub(crate) fn new(think_in_prompt: bool) -> Self {
        Self {
            counts: TagCounts::default(),
            think_in_prompt,
            last: [None; 4],
            first_think_body: None,
            answer: None,
            open: think_in_prompt,
        }
    }

    /// Notes that `tag` stands at `start..end`. Calls come in ascending order.
    pub(crate) fn see(&mut self, tag: Tag, start: P, end: P) {
        self.last[tag as usize] = Some((start, end));
        match tag {
            Tag::ThinkOpen => {
                self.counts.think_open += 1;
                self.open = true;
                self.first_think_body.get_or_insert(end);
            }
            Tag::ThinkClose => {
                self.counts.think_close += 1;
                self.open = false;
                self.answer = None;
            }
            Tag::AnswerOpen => {
                self.counts.answer_open += 1;
                self.answer = Some((end, None));
            }
            Tag::AnswerClose => {
                self.counts.answer_close += 1;
                if let Some((_, stop @ None)) = &mut self.answer {
                    *stop = Some(start);
                }
            }
        }
    }

    pub(crate) fn counts(&self) -> TagCounts {
        self.counts
    }

    pub(crate) fn state(&self) -> Think {
        match (self.open, self.last[Tag::ThinkClose as usize]) {
            (true, _) => Think::Unclosed,
            (false, Some(_)) => Think::Closed,
            (false, None) => Think::Absent,
        }
    }

    /// Just after the last `</think>`.
    pub(crate) fn tail(&self) -> Option<P> {
        self.last[Tag::ThinkClose as usize].map(|(_, end)| end)
    }

    /// What has to be blank for the completion to be well formed; `None` if the tags already forbid it.
    pub(crate) fn layout(&self) -> Option<Layout<P>> {
        let TagCounts {
            think_open,
            think_close,
            answer_open,
            answer_close,
        } = self.counts;
        let opened = usize::from(!self.think_in_prompt);
        if (think_open, think_close, answer_open, answer_close) != (opened, 1, 1, 1) {
            return None;
        }
        let [head, close, body, stop] = self.last;
        let ((close_at, gap_start), (body_at, body_start), (stop_at, rest)) =
            (close?, body?, stop?);
        let in_order = head.is_none_or(|(_, end)| end <= close_at)
            && gap_start <= body_at
            && body_start <= stop_at;
        in_order.then_some(Layout {
            head_end: head.map(|(start, _)| start),
            gap: gap_start..body_at,
            rest,
        })
    }
}

/// Finds the tags of `completion`. Linear in its length.
///
/// `think_in_prompt` says that the prompt ended with `<think>`, so that the completion starts inside the block.
///
/// ```
/// use assay_core::answer::{sections, Think};
/// let text = "<think>1+1</think> <answer>2</answer>";
/// let found = sections(text, false);
/// assert_eq!(found.state, Think::Closed);
/// assert_eq!(&text[found.answer.unwrap()], "2");
/// assert!(found.well_formed);
/// ```
pub fn sections(completion: &str, think_in_prompt: bool) -> Sections {
    let bytes = completion.as_bytes();
    let mut tracker = Tracker::new(think_in_prompt);
    for at in memchr_iter(b'<', bytes) {
        if let Some(tag) = Tag::at(&bytes[at..]) {
            tracker.see(tag, at, at + tag.text().len());
        }
    }
    let end = completion.len();
    let state = tracker.state();
    let body = if think_in_prompt {
        0
    } else {
        tracker.first_think_body.unwrap_or(0)
    };
    let close = tracker.last[Tag::ThinkClose as usize];
    let (think, tail) = match state {
        Think::Absent => (None, 0..end),
        Think::Closed => {
            let (stop, tail) = close.unwrap_or((end, end));
            // `</think> .. <think></think>`: without an opening tag before it, thinking began at the start.
            let start = if body <= stop { body } else { 0 };
            (Some(start..stop), tail..end)
        }
        Think::Unclosed => (Some(body..end), end..end),
    };
    let blank = |span: Range<usize>| completion[span].trim().is_empty();
    let well_formed = tracker.layout().is_some_and(|layout| {
        blank(0..layout.head_end.unwrap_or(0)) && blank(layout.gap) && blank(layout.rest..end)
    });
    let answer = match (state, tracker.answer) {
        (Think::Unclosed, _) | (_, None) => None,
        (_, Some((start, stop))) => Some(start..stop.unwrap_or(end)),
    };
    Sections {
        counts: tracker.counts(),
        think_in_prompt,
        state,
        well_formed,
        think,
        tail,
        answer,
    }
}
