//! Answers that are not formulas: option letters, truth values, and phrases that stand for a set.

use super::super::ast::Value;
use super::item::real_line;

/// Longest text that is looked at here, in bytes.
const MAX_BYTES: usize = 512;

/// An answer's text without styles, braces and markdown, for comparing words.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // For each open brace, whether it belongs to a style and vanishes with it.
    let mut braces = Vec::new();
    let mut style = true;
    while let Some(first) = rest.chars().next() {
        if first == '\\' {
            let name: usize = rest
                .get(1..)
                .unwrap_or("")
                .bytes()
                .take_while(u8::is_ascii_alphabetic)
                .count();
            let command = rest.get(1..=name).unwrap_or("");
            if is_style(command) && name > 0 {
                rest = rest.get(1 + name..).unwrap_or("");
                style = true;
                continue;
            }
            if name == 0
                && matches!(
                    rest.as_bytes().get(1),
                    Some(b',' | b';' | b':' | b' ' | b'!')
                )
            {
                push_blank(&mut out);
                rest = rest.get(2..).unwrap_or("");
                continue;
            }
            if name == 0 {
                // An escaped sign stays as it is.
                let length = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
                out.push_str(rest.get(..length).unwrap_or(""));
                rest = rest.get(length..).unwrap_or("");
                continue;
            }
        }
        match first {
            '{' => {
                braces.push(style);
                if !style {
                    out.push('{');
                }
                rest = rest.get(1..).unwrap_or("");
                continue;
            }
            '}' if braces.pop().unwrap_or(false) => {}
            '$' | '"' | '`' => {}
            '*' if rest.starts_with("**") || out.is_empty() => {}
            '~' => push_blank(&mut out),
            c if c.is_whitespace() => push_blank(&mut out),
            c => out.push(c),
        }
        style = false;
        rest = rest.get(first.len_utf8()..).unwrap_or("");
    }
    let end = out
        .trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ',' | ';'))
        .len();
    out.truncate(end);
    out
}

fn push_blank(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

fn is_style(command: &str) -> bool {
    matches!(
        command,
        "text"
            | "textbf"
            | "textit"
            | "textrm"
            | "mathrm"
            | "mathbf"
            | "mathit"
            | "mbox"
            | "boldsymbol"
            | "bm"
            | "boxed"
            | "bf"
            | "rm"
            | "it"
            | "quad"
            | "qquad"
            | "left"
            | "right"
            | "displaystyle"
            | "textsf"
            | "mathsf"
            | "operatorname"
            | "emph"
    )
}

/// An option as written.
pub(super) struct Lettered<'a> {
    /// Its letter or letters.
    pub(super) choice: Value,
    /// What of the text is the option's own.
    pub(super) text: Option<&'a str>,
    /// It can be nothing else: `option B`.
    pub(super) certain: bool,
}

/// The option letters a plain text names: `B`, `(B)`, `B) 12`, `option B`, `A, C`, `ACD`.
///
/// `lower`: a bare small letter counts, too.
pub(super) fn choice(plain: &str, lower: bool) -> Option<Lettered<'_>> {
    const HEADS: &[&str] = &[
        "option ", "choice ", "answer ", "Option ", "Choice ", "Answer ", "选项", "答案", "选择",
        "选",
    ];
    if plain.len() > MAX_BYTES {
        return None;
    }
    let named = HEADS.iter().find_map(|head| plain.strip_prefix(head));
    let text = named.unwrap_or(plain).trim();
    let certain = named.is_some();
    let option = |found: &str, text| Lettered {
        choice: letters(found),
        text,
        certain,
    };
    if let Some((letter, rest)) = decorated(text) {
        let rest = super::strip::strip(rest);
        let letter = letter.to_string();
        if rest.is_empty() {
            return Some(option(&letter, None));
        }
        let another = ["(", ",", ";", "&", "and ", "、", "和", "与"]
            .iter()
            .any(|mark| rest.starts_with(mark));
        if let Some(more) = list(text).filter(|_| another) {
            return Some(option(&more, None));
        }
        return is_option_text(text, rest).then(|| Lettered {
            choice: Value::Choice(letter.to_ascii_uppercase().into(), Some(rest.into())),
            text: Some(rest),
            certain: true,
        });
    }
    let mut characters = text.chars();
    if let (Some(letter), None) = (characters.next(), characters.next()) {
        let known =
            ('A'..='J').contains(&letter) || ((lower || certain) && ('a'..='j').contains(&letter));
        return known.then(|| option(&letter.to_string(), None));
    }
    list(text).map(|found| option(&found, None))
}

/// Whether what follows an option letter is the option's text: `(A) 12`, `(B) -3`; but not `(a) + 1`.
fn is_option_text(text: &str, rest: &str) -> bool {
    const OPERATORS: &[&str] = &[
        "\\cup",
        "\\cap",
        "\\cdot",
        "\\times",
        "\\div",
        "\\to",
        "\\le",
        "\\ge",
        "\\ne",
        "\\in",
        "\\pm",
        "\\setminus",
        "\\%",
    ];
    let empty = !rest.contains(char::is_alphanumeric);
    if empty || text.starts_with(|first: char| first.is_ascii_lowercase()) || !is_balanced(rest) {
        return false;
    }
    let operator = rest.starts_with(['+', '-', '*', '/', '^', '=', '_', '!', '<', '>', '|'])
        || OPERATORS.iter().any(|name| rest.starts_with(name));
    // A sign glued to what follows, after a blank, is the option's.
    let signed = rest.starts_with('-') && text.contains(" -") && !rest.starts_with("- ");
    !operator || signed || rest.starts_with("\\left") || rest.starts_with("\\infty")
}

/// Whether brackets and braces come in pairs.
pub(super) fn is_balanced(text: &str) -> bool {
    let (mut round, mut square, mut curly) = (0_i32, 0_i32, 0_i32);
    let mut escaped = false;
    for byte in text.bytes() {
        let skipped = escaped;
        escaped = byte == b'\\' && !skipped;
        if skipped {
            continue;
        }
        match byte {
            b'(' => round += 1,
            b')' => round -= 1,
            b'[' => square += 1,
            b']' => square -= 1,
            b'{' => curly += 1,
            b'}' => curly -= 1,
            _ => {}
        }
        if round < 0 || square < 0 || curly < 0 {
            return false;
        }
    }
    (round, square, curly) == (0, 0, 0)
}

fn letters(found: &str) -> Value {
    Value::Choice(found.to_ascii_uppercase().into(), None)
}

/// `(B)`, `B)`, `B.`, `[B]`, `B:` at the start: the letter, and what follows.
fn decorated(text: &str) -> Option<(char, &str)> {
    let open = text.starts_with(['(', '[']);
    let inner = if open { text.get(1..)? } else { text };
    let letter = inner
        .chars()
        .next()
        .filter(|letter| matches!(letter, 'A'..='J' | 'a'..='j'))?;
    let after = inner.get(1..)?;
    let close: &[char] = if open {
        &[')', ']']
    } else {
        &[')', '.', ':', '、']
    };
    let mark = after.chars().next().filter(|mark| close.contains(mark))?;
    let rest = after.get(mark.len_utf8()..)?;
    // `e.g.`, `B:C` and `a.m.` are not options.
    let clear = open || mark == ')' || rest.is_empty() || rest.starts_with(' ') || !rest.is_ascii();
    if !open && letter.is_ascii_lowercase() && mark != ')' {
        return None;
    }
    clear.then_some((letter, rest))
}

/// `A, C`, `A and C`, `(A), (C)`, `ACD`: distinct option letters, sorted.
fn list(text: &str) -> Option<String> {
    let mut found: Vec<char> = Vec::new();
    let mut separated = false;
    for piece in text.split([' ', ',', ';', '、', '，', '&']) {
        let piece = piece.trim_matches(|c| matches!(c, '(' | ')' | '[' | ']' | '.'));
        match piece {
            "" => {}
            "and" | "和" | "与" => separated = true,
            piece => {
                let run: Vec<char> = piece.chars().collect();
                if !run.iter().all(|letter| ('A'..='J').contains(letter))
                    || run.windows(2).any(|pair| pair.first() >= pair.last())
                {
                    return None;
                }
                separated |= !found.is_empty();
                found.extend(run);
            }
        }
    }
    let count = found.len();
    found.sort_unstable();
    found.dedup();
    let run = !separated && text.chars().all(|c| c.is_ascii_uppercase());
    (count == found.len() && (2..=8).contains(&count) && (separated || run))
        .then(|| found.into_iter().collect())
}

/// `true`, `yes`, `对`.
pub(super) fn truth(plain: &str) -> Option<Value> {
    if plain.len() > 24 {
        return None;
    }
    match plain.to_lowercase().as_str() {
        "true" | "yes" | "对" | "是" | "正确" | "真" | "是的" => Some(Value::Truth(true)),
        "false" | "no" | "错" | "否" | "错误" | "假" | "不是" | "不正确" => {
            Some(Value::Truth(false))
        }
        _ => None,
    }
}

/// Phrases that name the empty set or the real line.
pub(super) fn phrase(plain: &str) -> Option<Value> {
    if plain.len() > 48 {
        return None;
    }
    match plain.to_lowercase().as_str() {
        "no solution" | "no solutions" | "no real solution" | "no real solutions" | "empty set"
        | "the empty set" | "无解" | "空集" | "无实数解" => Some(Value::Set(Vec::new())),
        "all real numbers" | "all reals" | "the real numbers" | "all real" | "全体实数"
        | "任意实数" | "一切实数" | "所有实数" => Some(real_line()),
        _ => None,
    }
}
