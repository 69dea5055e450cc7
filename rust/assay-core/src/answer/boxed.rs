//! `\boxed{..}`, `\fbox{..}` and `\framebox{..}`.

use std::ops::Range;

use memchr::memrchr3;

const COMMANDS: [&str; 3] = ["boxed", "fbox", "framebox"];

/// A box: the whole command, and what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Boxed {
    /// From the backslash to just after the closing brace.
    pub(crate) outer: Range<usize>,
    /// What is inside.
    pub(crate) inner: Range<usize>,
}

/// What a search for the last box found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// No box command at all.
    None,
    /// A box command whose braces never close, and no balanced one.
    Unclosed,
    /// The last balanced box.
    Found(Boxed),
}

/// The last balanced box that ends in `text`. One backward pass; a balanced box near the end is found without reading
/// the rest.
pub(crate) fn last(text: &str) -> Search {
    let bytes = text.as_bytes();
    let mut closes: Vec<usize> = Vec::new();
    // The group that was opened by the brace read last, and the start of the optional arguments before it.
    let mut group: Option<Range<usize>> = None;
    let mut unclosed = false;
    let mut end = bytes.len();
    while let Some(at) = memrchr3(b'{', b'}', b'\\', &bytes[..end]) {
        end = at;
        match bytes[at] {
            b'\\' => {
                let Some(after) = command_end(text, at) else {
                    continue;
                };
                match argument(text, after, group.as_ref()) {
                    Argument::Found(found) => {
                        return Search::Found(Boxed {
                            outer: at..found.outer_end,
                            inner: found.inner,
                        });
                    }
                    Argument::Unclosed => unclosed = true,
                    Argument::Missing => {}
                }
            }
            _ if is_escaped(bytes, at) => {}
            b'}' => closes.push(at),
            _ => group = closes.pop().map(|close| at..close),
        }
    }
    if unclosed {
        Search::Unclosed
    } else {
        Search::None
    }
}

/// Whether the byte at `at` follows an odd number of backslashes. Runs of backslashes are scanned once per brace, and a
/// run has at most one brace after it, so the whole search stays linear.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let run = bytes[..at]
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'\\')
        .count();
    run % 2 == 1
}

/// Just after the box command that starts with the backslash at `at`, if there is one.
fn command_end(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at + 1..)?;
    let command = COMMANDS
        .into_iter()
        .find(|command| rest.starts_with(command.as_bytes()))?;
    let after = rest.get(command.len());
    (!after.is_some_and(u8::is_ascii_alphabetic)).then_some(at + 1 + command.len())
}

struct Found {
    inner: Range<usize>,
    outer_end: usize,
}

enum Argument {
    Found(Found),
    Unclosed,
    Missing,
}

/// The argument of a box command that ends at `after`: a braced group, or `\boxed 5`.
fn argument(text: &str, after: usize, group: Option<&Range<usize>>) -> Argument {
    let bytes = text.as_bytes();
    let mut at = skip_blank(bytes, after);
    while bytes.get(at) == Some(&b'[') {
        // `\framebox[3cm][c]{5}`
        let Some(length) = text[at..].find([']', '\n', '{']) else {
            return Argument::Missing;
        };
        if bytes[at + length] != b']' {
            return Argument::Missing;
        }
        at = skip_blank(bytes, at + length + 1);
    }
    match bytes.get(at) {
        None => Argument::Missing,
        Some(b'{') => match group {
            Some(group) if group.start == at => Argument::Found(Found {
                inner: at + 1..group.end,
                outer_end: group.end + 1,
            }),
            _ => Argument::Unclosed,
        },
        Some(_) => {
            let rest = &text[at..];
            let stop = rest
                .find(|character: char| character.is_whitespace() || "$}".contains(character))
                .unwrap_or(rest.len());
            let stop = rest[..stop].find("\\)").unwrap_or(stop);
            let kept = rest[..stop].trim_end_matches(['.', ',', ';', ':', '。', '，']);
            if kept.is_empty() {
                return Argument::Missing;
            }
            Argument::Found(Found {
                inner: at..at + kept.len(),
                outer_end: at + kept.len(),
            })
        }
    }
}

fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    while bytes
        .get(at)
        .is_some_and(|&byte| byte == b' ' || byte == b'\t')
    {
        at += 1;
    }
    at
}

/// The last box and the boxes joined to it: `\boxed{1}, \boxed{2}` and `\boxed{1} \text{ or } \boxed{2}` are one list.
///
/// Boxes with anything else between them are separate attempts, and the last one is the answer. In reading order.
pub(crate) fn last_list(text: &str) -> Result<Vec<Boxed>, Search> {
    let mut boxes = match last(text) {
        Search::Found(found) => vec![found],
        other => return Err(other),
    };
    let mut start = boxes[0].outer.start;
    while let Some(before) = joined(&text[..start]) {
        let Search::Found(found) = last(before) else {
            break;
        };
        // Only a box that ends where the joint begins belongs to the list.
        if found.outer.end != before.len() {
            break;
        }
        start = found.outer.start;
        boxes.push(found);
    }
    boxes.reverse();
    Ok(boxes)
}

/// `text` without the joint at its end, if it ends with one that holds a comma, `and` or `or`.
fn joined(text: &str) -> Option<&str> {
    const GLUE: [&str; 11] = [
        "$", "\\(", "\\)", "\\[", "\\]", "\\quad", "\\qquad", "\\,", "\\;", "\\ ", "&",
    ];
    const JOINTS: [&str; 14] = [
        "\\text{ and }",
        "\\text{ or }",
        "\\text{and}",
        "\\text{or}",
        "\\text{, and }",
        "\\text{, or }",
        "and",
        "or",
        ",",
        ";",
        "，",
        "、",
        "和",
        "或",
    ];
    let mut rest = text;
    let mut seen = false;
    loop {
        let before = rest;
        rest = rest.trim_end();
        for glue in GLUE {
            rest = rest.strip_suffix(glue).unwrap_or(rest);
        }
        for joint in JOINTS {
            if let Some(shorter) = rest.strip_suffix(joint) {
                rest = shorter;
                seen = true;
                break;
            }
        }
        if rest.len() == before.len() {
            break;
        }
    }
    (seen && rest.ends_with('}')).then_some(rest)
}
