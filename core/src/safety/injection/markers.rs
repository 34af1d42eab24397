//! What is markup rather than words: the tokens that part speakers in prompts of model families,
//! lines that pretend to be a speaker's, comments, and links made to carry data away.

use core::ops::Range;

use super::findings::{HIDDEN, ROLE};
use crate::safety::Severity::{self, High, Low, Medium};

const TOKEN: &str = "chat_template_token";

/// Markers by how they begin; compared without case.
const MARKERS: &[(&str, &str, Severity)] = &[
    // ChatML and Qwen, Llama 3, Phi, GPT, Command R, DeepSeek.
    ("<|im_start|>", TOKEN, High),
    ("<|im_end|>", TOKEN, High),
    ("<|im_sep|>", TOKEN, High),
    ("<|begin_of_text|>", TOKEN, High),
    ("<|start_header_id|>", TOKEN, High),
    ("<|end_header_id|>", TOKEN, High),
    ("<|eot_id|>", TOKEN, High),
    ("<|eom_id|>", TOKEN, High),
    ("<|python_tag|>", TOKEN, Medium),
    ("<|system|>", TOKEN, High),
    ("<|user|>", TOKEN, High),
    ("<|assistant|>", TOKEN, High),
    ("<|end|>", TOKEN, High),
    ("<|endoftext|>", TOKEN, Low),
    ("<|endofprompt|>", TOKEN, High),
    ("<|start|>system", TOKEN, High),
    ("<|start|>developer", TOKEN, High),
    ("<|start|>assistant", TOKEN, High),
    ("<|start|>", TOKEN, Low),
    ("<|channel|>", TOKEN, Low),
    ("<|message|>", TOKEN, Low),
    ("<|start_of_turn_token|>", TOKEN, High),
    ("<|end_of_turn_token|>", TOKEN, High),
    ("<|system_token|>", TOKEN, High),
    ("<|user_token|>", TOKEN, High),
    ("<|chatbot_token|>", TOKEN, High),
    ("<|start_of_role|>", TOKEN, High),
    ("<|end_of_role|>", TOKEN, High),
    ("<｜user｜>", TOKEN, High),
    ("<｜assistant｜>", TOKEN, High),
    ("<｜begin▁of▁sentence｜>", TOKEN, High),
    ("<｜end▁of▁sentence｜>", TOKEN, High),
    ("<｜system｜>", TOKEN, High),
    ("<start_of_turn>", TOKEN, High),
    ("<end_of_turn>", TOKEN, High),
    ("[inst]", TOKEN, High),
    ("[/inst]", TOKEN, High),
    ("<<sys>>", TOKEN, High),
    ("<</sys>>", TOKEN, High),
    ("[system_prompt]", TOKEN, High),
    ("[/system_prompt]", TOKEN, High),
    ("[available_tools]", TOKEN, Medium),
    ("[tool_results]", TOKEN, Medium),
    // Alpaca and Vicuna.
    ("### instruction:", TOKEN, Medium),
    ("### system:", TOKEN, Medium),
    ("### response:", TOKEN, Medium),
    ("### human:", TOKEN, Medium),
    ("### assistant:", TOKEN, Medium),
    // Speakers in brackets.
    ("<system>", ROLE, Low),
    ("</system>", ROLE, Low),
    ("</user>", ROLE, Low),
    ("</user_input>", ROLE, Medium),
    ("</user_query>", ROLE, Medium),
    ("</document>", ROLE, Low),
    ("[system]", ROLE, Low),
    ("[/system]", ROLE, Medium),
    ("[system:", ROLE, Low),
    ("[assistant]", ROLE, Low),
    ("[end of", ROLE, Low),
    ("<system_prompt>", ROLE, Low),
    ("</system_prompt>", ROLE, Medium),
    ("<system-reminder>", ROLE, Medium),
    ("<system-override>", ROLE, Medium),
    ("</tool_response>", ROLE, Medium),
    ("</tool_result>", ROLE, Medium),
    ("</function_results>", ROLE, Medium),
    ("</untrusted", ROLE, Medium),
    ("<important>", ROLE, Low),
    ("<!--", HIDDEN, Low),
];

/// For each byte, the markers that have it in second place; and in third.
static SECOND: [u128; 128] = having(1);
static THIRD: [u128; 128] = having(2);

const fn having(place: usize) -> [u128; 128] {
    assert!(MARKERS.len() <= 128, "a marker is a bit of 128");
    let mut sets = [0; 128];
    let mut marker = 0;
    while marker < MARKERS.len() {
        let byte = MARKERS[marker].0.as_bytes()[place];
        sets[byte as usize & 127] |= 1 << marker;
        sets[byte.to_ascii_uppercase() as usize & 127] |= 1 << marker;
        marker += 1;
    }
    sets
}

/// Calls `found` with each marker.
pub(super) fn search(text: &str, found: &mut dyn FnMut(&'static str, Severity, Range<usize>)) {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if !matches!(byte, b'<' | b'[' | b'#') {
            continue;
        }
        // Headings and brackets are common; what follows them is not.
        let [_, second, third, ..] = bytes[at..] else {
            return;
        };
        let mut sets = SECOND[usize::from(second & 127)] & THIRD[usize::from(third & 127)];
        while sets != 0 {
            let (marker, family, severity) = MARKERS[sets.trailing_zeros() as usize];
            sets &= sets - 1;
            let end = at + marker.len();
            let found_here = bytes
                .get(at..end)
                .is_some_and(|here| here.eq_ignore_ascii_case(marker.as_bytes()));
            if found_here {
                found(family, severity, at..end);
                break;
            }
        }
    }
}
