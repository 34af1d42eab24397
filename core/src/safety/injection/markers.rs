//! What is markup rather than words: the tokens that part speakers in prompts of model families,
//! lines that pretend to be a speaker's, comments, and links made to carry data away.

use core::ops::Range;

use crate::safety::Severity::{self, High, Low, Medium};

const TOKEN: &str = "chat_template_token";
const ROLE: &str = "role_spoof";

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
    ("<!--", "hidden_text", Low),
];

/// Calls `found` with each marker.
pub(super) fn search(text: &str, found: &mut dyn FnMut(&'static str, Severity, Range<usize>)) {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if !matches!(byte, b'<' | b'[' | b'#') {
            continue;
        }
        // Headings and brackets are common; what follows them is not.
        let Some(second) = bytes.get(at + 1) else {
            return;
        };
        if *byte == b'#' && *second != b'#' {
            continue;
        }
        let rest = &bytes[at..];
        for (marker, family, severity) in MARKERS {
            let marker = marker.as_bytes();
            if marker[1] == second.to_ascii_lowercase()
                && rest.len() >= marker.len()
                && rest[..marker.len()].eq_ignore_ascii_case(marker)
            {
                found(family, *severity, at..at + marker.len());
                break;
            }
        }
    }
}
