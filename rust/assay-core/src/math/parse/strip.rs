//! What may stand round an answer without being part of it.

use super::super::lexer;

/// Strips white space, `$..$`, `\(..\)`, `\boxed{..}`, styles, markdown and a final full stop. Borrows from `text`.
pub(super) fn strip(text: &str) -> &str {
    strip_styled(text).0
}

/// [`strip`], and whether the whole was set as text: `\text{odd}`.
pub(super) fn strip_styled(text: &str) -> (&str, bool) {
    let mut text = text;
    let mut styled = false;
    // More wrappers than this are not an answer; the bound keeps the work linear.
    for _ in 0..12 {
        let next = once(text);
        if next.len() == text.len() {
            break;
        }
        styled |= text.trim_start().starts_with("\\text") && !next.starts_with('\\');
        text = next;
    }
    (text, styled)
}

/// A text in which every command has two backslashes, as texts escaped once too often have them: with single ones. Nothing
/// where a command has one backslash or is not known, or where two backslashes end the rows of an environment.
pub(super) fn undoubled(text: &str) -> Option<String> {
    if !text.contains("\\\\") || text.contains("\\begin") {
        return None;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut command = false;
    while let Some(skip) = memchr::memchr(b'\\', bytes.get(at..)?) {
        let start = at + skip;
        let run = bytes
            .get(start..)?
            .iter()
            .take_while(|byte| **byte == b'\\')
            .count();
        if run != 2 {
            return None;
        }
        at = start + run;
        let rest = text.get(at..)?;
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if length > 0 {
            lexer::is_command(rest.get(..length)?).then_some(())?;
            command = true;
        }
    }
    command.then(|| text.replace("\\\\", "\\"))
}

fn once(text: &str) -> &str {
    const PAIRS: &[(&str, &str)] = &[
        ("$$", "$$"),
        ("$", "$"),
        ("\\(", "\\)"),
        ("\\[", "\\]"),
        ("**", "**"),
        ("__", "__"),
        ("`", "`"),
        ("\"", "\""),
        ("“", "”"),
    ];
    let mut text = text.trim();
    let last = text.as_bytes().last().copied().unwrap_or(b' ');
    if matches!(last, b'.' | b',' | b';' | b'!' | b'\\' | 0x80..) {
        text = without_tail(text);
    }
    let first = text.as_bytes().first().copied().unwrap_or(b' ');
    if matches!(first, b'=' | b':' | b'\\' | 0x80..) {
        text = without_head(text);
    }
    let first = text.as_bytes().first().copied().unwrap_or(b' ');
    if matches!(first, b'a' | b'A' | b'r' | b'R' | 0x80..) {
        text = without_hedge(text);
    }
    if first.is_ascii_alphanumeric() {
        return text;
    }
    for &(open, close) in PAIRS {
        if let Some(inner) = text
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            && !inner.is_empty()
            && !inner.ends_with('\\')
            && !inner.contains(open)
            && !inner.contains(close)
        {
            return inner.trim();
        }
    }
    unwrap_command(text).unwrap_or(text)
}

fn without_tail(mut text: &str) -> &str {
    for tail in [
        ".", "。", ",", "，", ";", "；", "\\\\", "\\,", "\\!", "\\;", "\\ ",
    ] {
        if let Some(rest) = text.strip_suffix(tail)
            && !rest.ends_with(['.', '\\'])
            && !(tail == "." && rest.ends_with("\\left") || rest.ends_with("\\right"))
        {
            text = rest.trim_end();
        }
    }
    text
}

fn without_head(mut text: &str) -> &str {
    for head in [
        "=",
        ":",
        "：",
        "\\,",
        "\\!",
        "\\;",
        "\\displaystyle",
        "\\approx",
        "≈",
    ] {
        if let Some(rest) = text.strip_prefix(head)
            && !rest.starts_with('=')
        {
            text = rest.trim_start();
        }
    }
    text
}

/// "about 5" and "approximately 3.14" are these numbers.
fn without_hedge(text: &str) -> &str {
    const HEDGES: &[&str] = &[
        "approximately",
        "approx.",
        "approx",
        "about",
        "roughly",
        "大约",
        "约",
    ];
    for hedge in HEDGES {
        let Some(head) = text.get(..hedge.len()) else {
            continue;
        };
        let rest = text.get(hedge.len()..).unwrap_or("");
        if head.eq_ignore_ascii_case(hedge)
            && rest
                .trim_start()
                .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '$' | '\\' | '-' | '.'))
            && (rest.starts_with(' ') || !hedge.is_ascii())
        {
            return rest.trim_start();
        }
    }
    text
}

/// The inside of a `\boxed{..}` or a style that is the whole text.
fn unwrap_command(text: &str) -> Option<&str> {
    const COMMANDS: &[&str] = &[
        "boxed",
        "fbox",
        "framebox",
        "text",
        "textbf",
        "textit",
        "textrm",
        "mathbf",
        "boldsymbol",
        "bm",
        "mbox",
        "",
    ];
    let rest = match text.strip_prefix('\\') {
        Some(rest) => rest,
        None if text.starts_with('{') => text,
        None => return None,
    };
    let open = rest.find('{')?;
    let name = rest.get(..open)?.trim_end();
    if !COMMANDS.contains(&name) {
        return None;
    }
    if name.is_empty() && text.starts_with('\\') {
        return None;
    }
    let inside = rest.get(open + 1..)?;
    let close = matching_brace(inside)?;
    // `\boxed{x} , \boxed{y}` closes early; `{1,2}` is a set.
    if close + 1 != inside.len()
        || (name.is_empty()
            && (inside.contains([',', '|', ':'])
                || inside.contains("\\mid")
                || inside.contains("\\choose")
                || inside.contains("\\over")))
    {
        return None;
    }
    inside.get(..close).map(str::trim)
}

/// Offset of the brace that closes a group whose inside starts here.
fn matching_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\\' if !escaped => {
                escaped = true;
                continue;
            }
            b'{' if !escaped => depth += 1,
            b'}' if !escaped => {
                if depth == 0 {
                    return Some(at);
                }
                depth -= 1;
            }
            _ => {}
        }
        escaped = false;
    }
    None
}
