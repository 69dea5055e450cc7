//! Token ids: decoding the tail alone gives what decoding everything gives.

use assay_core::answer::{Profile, TokenDecoder, extract_in, sections};
use assay_core::{ErrorKind, text};
use proptest::prelude::*;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{AddedToken, Tokenizer};

const TAGS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];
const END: &str = "<|end|>";

/// The character of GPT-2's alphabet for a byte, straight from its definition.
fn character(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    if printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&byte| !printable(byte)).count() as u32;
    char::from_u32(256 + before).unwrap()
}

fn spelled(text: &str) -> String {
    text.bytes().map(character).collect()
}

/// Byte-level BPE with all bytes and merges that glue tags to their neighbours; `added` become tokens of their own.
fn tokenizer(added: &[(&str, bool)]) -> Tokenizer {
    let mut vocab = Vocab::default();
    for byte in 0..=255 {
        vocab.insert(spelled_byte(byte), u32::from(byte));
    }
    let mut merges = Vec::new();
    for (left, right) in [
        (">", "\n"),
        ("<", "/"),
        ("t", "h"),
        ("th", "i"),
        ("n", "k"),
        ("</", "thi"),
        ("nk", ">\n"),
        (".", "<"),
        (".<", "thi"),
        ("nk", ">"),
        ("nk>", "<"),
        ("a", "n"),
        ("an", "s"),
        ("1", "<"),
        ("1<", "/"),
        (" ", "<"),
        ("é", "<"),
        ("><", "/"),
        (">", "<"),
        ("é", " "),
    ] {
        let (left, right) = (spelled(left), spelled(right));
        for part in [&left, &right] {
            let next = vocab.len() as u32;
            vocab.entry(part.clone()).or_insert(next);
        }
        let next = vocab.len() as u32;
        vocab.entry(format!("{left}{right}")).or_insert(next);
        merges.push((left, right));
    }
    let model = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .build()
        .unwrap();
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_decoder(Some(tokenizers::decoders::byte_level::ByteLevel::default()));
    for &(text, special) in added {
        let token = AddedToken::from(text, special);
        if special {
            tokenizer.add_special_tokens(&[token]);
        } else {
            tokenizer.add_tokens(&[token]);
        }
    }
    tokenizer
}

fn spelled_byte(byte: u8) -> String {
    character(byte).to_string()
}

/// The oracle: special tokens out (tags stay), then the crate's own decoder.
fn reference(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let special = |id: u32| {
        let token = tokenizer.id_to_token(id).unwrap();
        tokenizer.get_added_vocabulary().is_special_token(&token) && !TAGS.contains(&token.as_str())
    };
    let kept: Vec<u32> = ids.iter().copied().filter(|&id| !special(id)).collect();
    tokenizer.decode(&kept, false).unwrap()
}

fn agree(tokenizer: &Tokenizer, ids: &[u32], think_in_prompt: bool) {
    let decoder = TokenDecoder::new(tokenizer).unwrap();
    let full = reference(tokenizer, ids);
    assert_eq!(decoder.decode(ids).unwrap(), full);
    let tail = decoder.tail(ids, think_in_prompt).unwrap();
    let whole = sections(&full, think_in_prompt);
    assert_eq!(tail.text, &full[whole.tail.clone()], "of {full:?}");
    assert_eq!(tail.sections.counts, whole.counts, "of {full:?}");
    assert_eq!(tail.sections.state, whole.state, "of {full:?}");
    assert_eq!(tail.sections.well_formed, whole.well_formed, "of {full:?}");
    assert_eq!(text::format(&tail.sections), text::format(&whole));
    assert_eq!(text::tags(&tail.sections), text::tags(&whole));
    let from_tail = extract_in(&tail.text, &tail.sections, Profile::R1);
    let from_full = extract_in(&full, &whole, Profile::R1);
    let plain = |found: Result<assay_core::answer::Extraction, _>| {
        found.map(|found| (found.text, found.source))
    };
    assert_eq!(plain(from_tail), plain(from_full), "of {full:?}");
}

fn variants() -> [Tokenizer; 4] {
    let all = |special| TAGS.map(|tag| (tag, special));
    let with_end = |tags: [(&'static str, bool); 4]| {
        let mut added = tags.to_vec();
        added.push((END, true));
        added
    };
    [
        tokenizer(&[(END, true)]),
        tokenizer(&with_end(all(false))),
        tokenizer(&with_end(all(true))),
        tokenizer(&[
            ("<think>", false),
            ("</think>", true),
            (END, true),
            ("</", false),
        ]),
    ]
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(TAGS.to_vec()).prop_map(str::to_owned),
        1 => Just(END.to_owned()),
        4 => prop::sample::select(vec![
            " ", "\n", "1", ".", "<", ">", "/", "é", "\u{3000}", "\\boxed{7}", "12", "the answer is 3.", "#### 4", "</thi", "nk>",
            "<answer", "think",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,3}",
    ]
}

proptest! {
    #[test]
    fn encoded_text_agrees(pieces in prop::collection::vec(piece(), 0..14), in_prompt: bool) {
        let text = pieces.concat();
        for tokenizer in variants() {
            let ids = tokenizer.encode(text.as_str(), false).unwrap().get_ids().to_vec();
            agree(&tokenizer, &ids, in_prompt);
        }
    }

    #[test]
    fn any_ids_agree(raw in prop::collection::vec(any::<u32>(), 0..40), in_prompt: bool) {
        for tokenizer in variants() {
            let size = tokenizer.get_vocab(true).len() as u32;
            // Half of the ids come from the end of the vocabulary, where merges and tags are.
            let ids: Vec<u32> = raw
                .iter()
                .map(|&id| if id % 2 == 0 { id % size } else { size - 1 - (id / 2) % 40 })
                .collect();
            agree(&tokenizer, &ids, in_prompt);
        }
    }
}

#[test]
fn other_decoders_agree_too() {
    let mut tokenizer = tokenizer(&[(END, true)]);
    tokenizer.with_decoder(Some(tokenizers::decoders::fuse::Fuse::default()));
    let ids = tokenizer
        .encode("<think>1</think><answer>2</answer>", false)
        .unwrap()
        .get_ids()
        .to_vec();
    agree(&tokenizer, &ids, false);
    agree(&tokenizer, &ids, true);
}

#[test]
fn an_id_outside_the_vocabulary_is_an_error_that_names_it() {
    let decoder = TokenDecoder::new(&tokenizer(&[])).unwrap();
    let unknown = decoder.vocab_size() as u32;
    let error = decoder.tail(&[65, unknown], false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error
            .to_string()
            .contains(&format!("id {unknown} at position 1")),
        "{error}"
    );
    assert_eq!(
        decoder.decode(&[unknown]).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}
