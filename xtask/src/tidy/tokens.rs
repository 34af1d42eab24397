//! Rust source as a flat list of tokens: comments and strings can then never look like code.
//!
//! Each token knows its line and whether it is compiled only for tests.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// As written; `::` and other joined punctuation is one token per character.
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
    /// Inside an item marked `#[test]` or `#[cfg(test)]`.
    pub(crate) in_test: bool,
}

impl Token {
    /// Whether the token is written `text`.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// The tokens of a file, or `None` if it is not Rust.
pub(crate) fn of(source: &str) -> Option<Vec<Token>> {
    // A leading `#!` line of a script is no token.
    let stream: TokenStream = source.trim_start_matches('\u{feff}').parse().ok()?;
    let mut tokens = Vec::new();
    flatten(stream, false, &mut tokens);
    Some(tokens)
}

/// Whether `tokens[at..]` is written `texts`.
pub(crate) fn matches(tokens: &[Token], at: usize, texts: &[&str]) -> bool {
    tokens
        .get(at..at + texts.len())
        .is_some_and(|window| window.iter().zip(texts).all(|(token, text)| token.is(text)))
}

fn flatten(stream: TokenStream, outer_test: bool, out: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut in_test = outer_test || trees.windows(3).any(is_inner_test);
    let whole = in_test;
    for (index, tree) in trees.iter().enumerate() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                if index > 0
                    && is_hash(&trees[index - 1])
                    && marks_test(&group.stream().to_string())
                {
                    in_test = true;
                }
                push(out, open, line, in_test);
                flatten(group.stream(), in_test, out);
                push(out, close, group.span_close().start().line, in_test);
                // The item that the attribute stands on ends with its body.
                if group.delimiter() == Delimiter::Brace {
                    in_test = whole;
                }
            }
            TokenTree::Punct(punct) => {
                push(out, &punct.as_char().to_string(), line, in_test);
                if punct.as_char() == ';' && punct.spacing() == Spacing::Alone {
                    in_test = whole;
                }
            }
            other => push(out, &other.to_string(), line, in_test),
        }
    }
}

fn push(out: &mut Vec<Token>, text: &str, line: usize, in_test: bool) {
    out.push(Token {
        text: text.to_owned(),
        line,
        in_test,
    });
}

fn is_hash(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == '#')
}

/// `#![cfg(test)]`: everything around it is a test.
fn is_inner_test(window: &[TokenTree]) -> bool {
    let bang = matches!(&window[1], TokenTree::Punct(punct) if punct.as_char() == '!');
    let TokenTree::Group(group) = &window[2] else {
        return false;
    };
    is_hash(&window[0]) && bang && marks_test(&group.stream().to_string())
}

/// Whether an attribute means "only in tests": `test`, `tokio::test`, `cfg(test)`, `cfg(all(test, …))`.
fn marks_test(attribute: &str) -> bool {
    let attribute: String = attribute.split_whitespace().collect();
    let path = attribute.split('(').next().unwrap_or_default();
    path == "test"
        || path.ends_with("::test")
        || attribute == "cfg(test)"
        || attribute.starts_with("cfg(all(test,")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The identifiers of `source` that are in tests.
    fn tested(source: &str) -> Vec<String> {
        let tokens = of(source).unwrap().into_iter();
        let names = tokens.filter(|t| t.in_test && t.text.starts_with("t_"));
        names.map(|t| t.text).collect()
    }

    #[test]
    fn a_test_ends_with_its_item() {
        let source = "#[cfg(test)] mod t_a { fn t_b() {} } fn b() {} #[test] fn t_c() { t_d; } const C: u8 = 1;";
        assert_eq!(tested(source), ["t_a", "t_b", "t_c", "t_d"]);
        assert_eq!(tested("#[cfg(test)] use t_a; use b;"), ["t_a"]);
        assert_eq!(
            tested("#![cfg(test)] fn t_a() {} fn t_b() {}"),
            ["t_a", "t_b"]
        );
        assert_eq!(tested("#[cfg(any(test, unix))] fn t_a() {}"), [""; 0]);
        assert_eq!(tested("#[cfg(not(test))] fn t_a() {}"), [""; 0]);
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let tokens = of("\n\nfn a() {\n}\n").unwrap();
        let lines: Vec<_> = tokens.iter().map(|t| (t.text.as_str(), t.line)).collect();
        assert_eq!(
            lines,
            [("fn", 3), ("a", 3), ("(", 3), (")", 3), ("{", 3), ("}", 4)]
        );
    }

    #[test]
    fn strings_and_comments_are_not_code() {
        let tokens = of("// std::time\nconst A: &str = \"std::time\";").unwrap();
        assert!(!tokens.iter().any(|t| t.is("std")));
    }
}
