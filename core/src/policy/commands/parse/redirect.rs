//! Redirections and here-documents.

use alloc::{borrow::ToOwned, vec::Vec};

use super::{Heredoc, Read, Reader, Redirect, Simple, Unclear, Word};

impl Reader<'_> {
    pub(super) fn redirection(&mut self, simple: &mut Simple) -> Read<()> {
        let rest = &self.text[self.at..];
        if rest.starts_with("<(") || rest.starts_with(">(") {
            let start = self.at;
            self.word()?;
            simple.words.push(Word {
                text: self.text[start..self.at].to_owned(),
                fixed: false,
            });
            return Ok(());
        }
        simple.redirected = true;
        let operator = [
            "&>>", "&>", "<<<", "<<-", "<<", "<>", "<&", ">>", ">|", ">&", "<", ">",
        ]
        .into_iter()
        .find(|operator| rest.starts_with(operator))
        .ok_or(Unclear("a redirection is not known"))?;
        self.at += operator.len();
        simple.ambiguous |= operator.starts_with("&>");
        self.blanks();
        if let "<<" | "<<-" = operator {
            return self.heredoc(operator == "<<-");
        }
        let start = self.at;
        let target = self.word()?;
        if self.at == start {
            return Err(Unclear("a redirection has no file"));
        }
        let descriptor = target
            .text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
        match operator {
            "<<<" => {}
            ">&" | "<&" if target.fixed && descriptor => {}
            _ => self.script.redirects.push(Redirect {
                target,
                writes: !matches!(operator, "<" | "<&"),
            }),
        }
        Ok(())
    }

    fn heredoc(&mut self, strips_tabs: bool) -> Read<()> {
        let start = self.at;
        let word = self.word()?;
        let raw = &self.text[start..self.at];
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        let expands = plain(raw);
        let quoted = ['\'', '"'].into_iter().any(|quote| {
            raw.strip_prefix(quote)
                .and_then(|rest| rest.strip_suffix(quote))
                .is_some_and(plain)
        });
        if !(expands || quoted || raw.strip_prefix('\\').is_some_and(plain)) {
            return Err(Unclear("the end of a here-document is not a plain word"));
        }
        self.heredocs.push(Heredoc {
            delimiter: word.text,
            expands,
            strips_tabs,
        });
        Ok(())
    }

    /// The bodies announced on the line that just ended.
    pub(super) fn heredoc_bodies(&mut self) -> Read<()> {
        for heredoc in core::mem::take(&mut self.heredocs) {
            let start = self.at;
            let end = loop {
                let rest = &self.text[self.at..];
                if rest.is_empty() {
                    return Err(Unclear("a here-document has no end"));
                }
                let line = rest.split('\n').next().unwrap_or_default();
                let before = self.at;
                self.at = (self.at + line.len() + 1).min(self.text.len());
                if heredoc.expands && line.ends_with('\\') {
                    return Err(Unclear("a line of a here-document is continued"));
                }
                let line = if heredoc.strips_tabs {
                    line.trim_start_matches('\t')
                } else {
                    line
                };
                if line == heredoc.delimiter {
                    break before;
                }
            };
            if heredoc.expands {
                let mut body = Reader {
                    text: &self.text[start..end],
                    at: 0,
                    depth: self.depth,
                    substitutions: self.substitutions,
                    heredocs: Vec::new(),
                    script: self.script,
                };
                let mut word = Word::fixed("");
                body.double_quoted(&mut word, None)?;
            }
        }
        Ok(())
    }
}
