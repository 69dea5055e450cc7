//! Unicode to the ASCII and LaTeX spelling the lexer knows, with the way back to the original bytes.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Text the lexer reads, and where each changed piece stood in the original.
pub(crate) struct Folded<'a> {
    /// The folded text; borrowed when nothing had to change.
    pub(crate) text: Cow<'a, str>,
    /// `(folded offset, original offset)` after every change, ascending.
    anchors: Vec<(u32, u32)>,
}

impl Folded<'_> {
    /// The byte offset in the original of a byte offset in the folded text.
    pub(crate) fn original(&self, at: usize) -> usize {
        let after = self
            .anchors
            .partition_point(|&(folded, _)| folded as usize <= at);
        match after
            .checked_sub(1)
            .and_then(|index| self.anchors.get(index))
        {
            Some(&(folded, original)) => original as usize + (at - folded as usize),
            None => at,
        }
    }
}

/// Folds full-width forms, superscripts, vulgar fractions, operators and Greek letters.
///
/// ASCII text is returned as it is. Invisible joiners vanish; characters that reorder what the reader sees are kept,
/// so that the lexer refuses them.
pub(crate) fn fold(text: &str) -> Folded<'_> {
    if text.is_ascii() {
        return Folded {
            text: Cow::Borrowed(text),
            anchors: Vec::new(),
        };
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut anchors = Vec::new();
    let mut script = Script::None;
    for (at, c) in text.char_indices() {
        let (next, plain) = raised(c);
        if next != script {
            script.close(&mut out);
            next.open(&mut out);
            script = next;
        }
        if let Some(plain) = plain {
            out.push(plain);
        } else if c.is_ascii() {
            out.push(c);
            continue;
        } else if c == '，' && is_digit_beside(&out, text, at) {
            out.push(',');
        } else if !is_invisible(c) {
            push_folded(&mut out, c);
        }
        anchors.push((out.len() as u32, (at + c.len_utf8()) as u32));
    }
    script.close(&mut out);
    Folded {
        text: Cow::Owned(out),
        anchors,
    }
}

/// Where a run of characters stands relative to the line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    None,
    Super,
    Sub,
}

impl Script {
    fn open(self, out: &mut String) {
        match self {
            Self::None => {}
            Self::Super => out.push_str("^{"),
            Self::Sub => out.push_str("_{"),
        }
    }

    fn close(self, out: &mut String) {
        if self != Self::None {
            out.push('}');
        }
    }
}

/// The script of `c`, and the character on the line it stands for.
fn raised(c: char) -> (Script, Option<char>) {
    const SUPER: &[(char, char)] = &[
        ('⁰', '0'),
        ('¹', '1'),
        ('²', '2'),
        ('³', '3'),
        ('⁴', '4'),
        ('⁵', '5'),
        ('⁶', '6'),
        ('⁷', '7'),
        ('⁸', '8'),
        ('⁹', '9'),
        ('⁺', '+'),
        ('⁻', '-'),
        ('⁽', '('),
        ('⁾', ')'),
        ('ⁿ', 'n'),
        ('ⁱ', 'i'),
        ('ˣ', 'x'),
        ('ʸ', 'y'),
        ('ᵏ', 'k'),
        ('ᵐ', 'm'),
        ('ᵃ', 'a'),
        ('ᵇ', 'b'),
        ('ᵗ', 't'),
    ];
    const SUB: &[(char, char)] = &[
        ('₀', '0'),
        ('₁', '1'),
        ('₂', '2'),
        ('₃', '3'),
        ('₄', '4'),
        ('₅', '5'),
        ('₆', '6'),
        ('₇', '7'),
        ('₈', '8'),
        ('₉', '9'),
        ('₊', '+'),
        ('₋', '-'),
        ('ₙ', 'n'),
        ('ₖ', 'k'),
        ('ₓ', 'x'),
        ('ᵢ', 'i'),
        ('ⱼ', 'j'),
    ];
    if c.is_ascii() {
        return (Script::None, None);
    }
    let find =
        |table: &[(char, char)]| table.iter().find(|entry| entry.0 == c).map(|entry| entry.1);
    if let Some(plain) = find(SUPER) {
        (Script::Super, Some(plain))
    } else if let Some(plain) = find(SUB) {
        (Script::Sub, Some(plain))
    } else {
        (Script::None, None)
    }
}

/// Whether the sign at `at` stands directly between digits.
fn is_digit_beside(out: &str, text: &str, at: usize) -> bool {
    let digit = |c: char| c.is_ascii_digit() || ('０'..='９').contains(&c);
    let next = text.get(at..).and_then(|rest| rest.chars().nth(1));
    out.ends_with(digit) && next.is_some_and(digit)
}

/// Characters that leave no mark and reorder nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe0e}' | '\u{fe0f}' | '\u{ad}')
}

fn push_folded(out: &mut String, c: char) {
    if let Some(spelling) = spelling(c) {
        out.push_str(spelling);
        return;
    }
    match c {
        '\u{2006}' | '\u{2009}' | '\u{200a}' | '\u{202f}' => out.push_str("\\,"),
        c if c.is_whitespace() => out.push(' '),
        '，' | '、' | '﹐' => out.push_str(", "),
        '￥' | '¥' => out.push('¥'),
        '\u{660}'..='\u{669}' => push_digit(out, c, 0x660),
        '\u{6f0}'..='\u{6f9}' => push_digit(out, c, 0x6f0),
        '\u{966}'..='\u{96f}' => push_digit(out, c, 0x966),
        // Compatibility forms (full width, mathematical alphabets, ligatures) of this one character.
        c => out.extend(
            std::iter::once(c)
                .nfkc()
                .map(|folded| if folded == '\u{2044}' { '/' } else { folded }),
        ),
    }
}

fn push_digit(out: &mut String, c: char, zero: u32) {
    out.extend(char::from_digit((c as u32).wrapping_sub(zero), 10));
}

/// The LaTeX or ASCII spelling of one character. A control word ends in a blank so that a letter may follow.
#[expect(clippy::too_many_lines, reason = "one table")]
fn spelling(c: char) -> Option<&'static str> {
    Some(match c {
        '−' | '–' | '—' | '‐' | '‑' | '‒' | '﹣' | '－' | '➖' => "-",
        '＋' => "+",
        '×' | '✕' | '✖' | '⨯' => "\\times ",
        '·' | '⋅' | '∙' | '•' | '・' => "\\cdot ",
        '÷' => "\\div ",
        '∕' | '⁄' | '／' => "/",
        '∗' => "*",
        '±' => "\\pm ",
        '∓' => "\\mp ",
        '≤' | '⩽' | '≦' => "\\le ",
        '≥' | '⩾' | '≧' => "\\ge ",
        '≠' => "\\ne ",
        '≈' | '≅' | '≃' | '≒' => "\\approx ",
        '≡' => "\\equiv ",
        '＝' => "=",
        '＜' | '〈' | '⟨' => {
            if c == '＜' {
                "<"
            } else {
                "\\langle "
            }
        }
        '＞' | '〉' | '⟩' => {
            if c == '＞' {
                ">"
            } else {
                "\\rangle "
            }
        }
        '∞' => "\\infty ",
        '√' => "\\sqrt ",
        '∛' => "\\sqrt[3]",
        '∜' => "\\sqrt[4]",
        '∪' | '⋃' => "\\cup ",
        '∩' | '⋂' => "\\cap ",
        '∅' | 'Ø' | '⌀' => "\\emptyset ",
        '∈' | '∊' => "\\in ",
        '∉' => "\\notin ",
        '∖' => "\\setminus ",
        '∧' => "\\land ",
        '∨' => "\\lor ",
        '→' | '⟶' => "\\to ",
        '⇒' | '⟹' => "\\Rightarrow ",
        '⇔' | '⟺' => "\\Leftrightarrow ",
        '∣' | '｜' | '❘' => "|",
        '‖' | '∥' => "\\|",
        '⌊' => "\\lfloor ",
        '⌋' => "\\rfloor ",
        '⌈' => "\\lceil ",
        '⌉' => "\\rceil ",
        '∑' => "\\sum ",
        '∏' => "\\prod ",
        '∫' => "\\int ",
        '∂' => "\\partial ",
        '∠' => "\\angle ",
        '△' => "\\triangle ",
        '°' | '˚' | 'º' => "^{\\circ}",
        '℃' => "\\degC ",
        '℉' => "\\degF ",
        '′' | '’' | '‘' | '＇' => "'",
        '″' | '”' | '“' | '＂' => "\"",
        '…' | '⋯' => "\\ldots ",
        '％' => "\\%",
        '‰' => "\\permille ",
        '＄' => "\\$",
        '。' | '．' => ".",
        '：' | '∶' => ":",
        '；' => ";",
        '（' => "(",
        '）' => ")",
        '［' | '【' => "[",
        '］' | '】' => "]",
        '｛' => "\\{",
        '｝' => "\\}",
        'ℝ' => "\\mathbb{R}",
        'ℤ' => "\\mathbb{Z}",
        'ℕ' => "\\mathbb{N}",
        'ℚ' => "\\mathbb{Q}",
        'ℂ' => "\\mathbb{C}",
        'ℯ' => "\\mathrm{e}",
        'ⅈ' | 'ⅉ' => "\\mathrm{i}",
        _ => return greek(c).or_else(|| vulgar(c)),
    })
}

fn vulgar(c: char) -> Option<&'static str> {
    Some(match c {
        '½' => "\\frac{1}{2}",
        '⅓' => "\\frac{1}{3}",
        '⅔' => "\\frac{2}{3}",
        '¼' => "\\frac{1}{4}",
        '¾' => "\\frac{3}{4}",
        '⅕' => "\\frac{1}{5}",
        '⅖' => "\\frac{2}{5}",
        '⅗' => "\\frac{3}{5}",
        '⅘' => "\\frac{4}{5}",
        '⅙' => "\\frac{1}{6}",
        '⅚' => "\\frac{5}{6}",
        '⅐' => "\\frac{1}{7}",
        '⅛' => "\\frac{1}{8}",
        '⅜' => "\\frac{3}{8}",
        '⅝' => "\\frac{5}{8}",
        '⅞' => "\\frac{7}{8}",
        '⅑' => "\\frac{1}{9}",
        '⅒' => "\\frac{1}{10}",
        _ => return None,
    })
}

fn greek(c: char) -> Option<&'static str> {
    Some(match c {
        'α' => "\\alpha ",
        'β' => "\\beta ",
        'γ' => "\\gamma ",
        'δ' => "\\delta ",
        'ε' | 'ϵ' => "\\epsilon ",
        'ζ' => "\\zeta ",
        'η' => "\\eta ",
        'θ' | 'ϑ' => "\\theta ",
        'ι' => "\\iota ",
        'κ' => "\\kappa ",
        'λ' => "\\lambda ",
        'μ' | 'µ' => "\\mu ",
        'ν' => "\\nu ",
        'ξ' => "\\xi ",
        'π' => "\\pi ",
        'ρ' => "\\rho ",
        'σ' => "\\sigma ",
        'τ' => "\\tau ",
        'φ' | 'ϕ' => "\\phi ",
        'χ' => "\\chi ",
        'ψ' => "\\psi ",
        'ω' => "\\omega ",
        'Γ' => "\\Gamma ",
        'Δ' | '∆' => "\\Delta ",
        'Θ' => "\\Theta ",
        'Λ' => "\\Lambda ",
        'Ξ' => "\\Xi ",
        'Π' => "\\Pi ",
        'Σ' => "\\Sigma ",
        'Φ' => "\\Phi ",
        'Ψ' => "\\Psi ",
        'Ω' => "\\Omega ",
        _ => return None,
    })
}
