//! Prompts that are empty, endless or no text.

use crate::support::{Server, Tau, say};

#[test]
fn an_empty_prompt_is_told_and_nobody_is_asked() {
    let tau = Tau::new();
    let server = Server::new([]);
    tau.ask(&server, &[""])
        .code(2)
        .tells("the prompt is empty")
        .tells("hint");
    tau.ask(&server, &["  \n "])
        .code(2)
        .tells("the prompt is empty");
    tau.ask_with(&server, &["-"], b"")
        .code(2)
        .tells("the prompt is empty");
    tau.ask_with(&server, &[], b"  \n")
        .code(2)
        .tells("there is no prompt");
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_prompt_of_ten_megabytes_is_told_with_what_to_do_instead() {
    let tau = Tau::new();
    let server = Server::new([]);
    let done = tau.ask_with(&server, &["-"], &b"word ".repeat(2_000_000));
    done.code(2)
        .tells("larger than 1 MiB")
        .tells("put the text into a file");
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_prompt_larger_than_the_model_is_told_with_both_sizes() {
    let tau = Tau::new();
    let server = Server::new([]);
    tau.profile(&format!(
        "[provider]\nbase_url = \"{}\"\nmodel = \"sim\"\ncontext_tokens = 8000\nmax_output_tokens = 1000\n",
        server.url()
    ));
    let done = tau.tau_with(&["run", "-"], &b"word ".repeat(10_000));
    done.code(2)
        .tells("the prompt has about 12504 tokens")
        .tells("the model takes");
}

#[test]
fn stdin_that_is_no_text_is_told_with_the_place() {
    let tau = Tau::new();
    let server = Server::new([]);
    let done = tau.ask_with(&server, &["-"], b"abc\xff\xfe");
    done.code(2).tells("not UTF-8").tells("byte 3");
    tau.ask_with(&server, &["look at this"], b"abc\xff\xfe")
        .code(2)
        .tells("byte 3");
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn control_characters_of_a_model_do_not_reach_the_terminal() {
    let tau = Tau::new();
    let server = Server::new([say("\u{1b}[31mred\u{1b}[0m and \u{7}loud")]);
    let done = tau.ask(&server, &["hello"]);
    assert_eq!(done.code(0).stdout, "red and loud\n");
}
