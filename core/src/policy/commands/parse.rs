//! Reading the text of a shell command.
//!
//! Invariant: every program the shell would start is among the calls of the [`Script`], or the
//! script says what was not understood. Both bash and the POSIX shells (dash, busybox) may be the
//! one that runs the text, so whatever they read differently is not understood. Everything that is
//! written in the text counts as run: both branches of a condition, the body of a function.
//!
//! The reader goes over the text once; nesting is bounded by [`MAX_DEPTH`].

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::unwrap;

mod redirect;
mod words;

/// How deep substitutions, subshells and commands in arguments may be nested.
pub(super) const MAX_DEPTH: usize = 16;
/// The longest text that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;
const MISPLACED: &str = "there is a ( where none is expected";

/// One word of a command, quotes removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word; expansions stand as they were written.
    pub text: String,
    /// Whether the shell passes on exactly `text`: no expansion, glob, brace or tilde is in it.
    pub fixed: bool,
}

impl Word {
    pub(super) fn fixed(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            fixed: true,
        }
    }
}

/// One program with its arguments, or a builtin of the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program and its arguments; never empty.
    pub words: Vec<Word>,
    /// Why it may start programs that are not among the calls.
    pub opaque: Option<&'static str>,
}

/// A file that a redirection opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The file.
    pub target: Word,
    /// Whether it is opened for writing.
    pub writes: bool,
}

/// What a command's text comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Every program in it, those that others start included, in the order of the text.
    pub calls: Vec<Call>,
    /// Every file opened by a redirection.
    pub redirects: Vec<Redirect>,
    /// The first thing that was not understood.
    pub unknown: Option<&'static str>,
}

impl Script {
    /// Reads `text`. Never fails: what is not understood is in [`unknown`](Self::unknown).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut script = Self::default();
        if text.len() > MAX_BYTES {
            script.note("it is longer than 64 KiB");
        } else {
            script.read(text, 0);
        }
        script
    }

    pub(super) fn read(&mut self, text: &str, depth: usize) {
        let mut reader = Reader {
            text,
            at: 0,
            depth,
            substitutions: 0,
            heredocs: Vec::new(),
            script: self,
        };
        let read = reader.list(End::Text);
        if let Err(Unclear(why)) = read {
            self.note(why);
        }
    }

    pub(super) fn note(&mut self, why: &'static str) {
        self.unknown.get_or_insert(why);
    }
}

/// What cannot be read with certainty; nothing after it is.
struct Unclear(&'static str);

type Read<T> = Result<T, Unclear>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Text,
    Parenthesis,
    /// `;;` and its kin, or `esac`.
    CaseItem,
}

struct Heredoc {
    delimiter: String,
    expands: bool,
    strips_tabs: bool,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// How many command substitutions this place is in.
    substitutions: usize,
    /// Those announced on this line.
    heredocs: Vec<Heredoc>,
    script: &'t mut Script,
}

/// A command while its words are read.
#[derive(Default)]
struct Simple {
    /// The names that are assigned to.
    assignments: Vec<String>,
    words: Vec<Word>,
    redirected: bool,
    /// `&>` was seen: bash goes on with the command, dash starts another one.
    ambiguous: bool,
}

impl Simple {
    fn is_empty(&self) -> bool {
        self.assignments.is_empty() && self.words.is_empty() && !self.redirected
    }
}

impl Reader<'_> {
    /// Commands up to `end`, which is consumed. For an item of `case`, whether `esac` ended it.
    fn list(&mut self, end: End) -> Read<bool> {
        self.deeper()?;
        let mut simple = Simple::default();
        // After `fi`, `done`, `}` or `)` only a redirection or a separator makes sense.
        let mut closed = false;
        loop {
            self.blanks();
            let Some(byte) = self.peek() else {
                self.push(&mut simple);
                self.depth -= 1;
                return match end {
                    End::Text if self.heredocs.is_empty() => Ok(false),
                    End::Text => Err(Unclear("a here-document has no end")),
                    _ => Err(Unclear("a parenthesis or case is not closed")),
                };
            };
            match byte {
                b'\n' => {
                    self.push(&mut simple);
                    closed = false;
                    self.at += 1;
                    self.heredoc_bodies()?;
                }
                b'#' => self.comment()?,
                b';' | b'&' | b'|' if !self.looking_at("&>") => {
                    self.push(&mut simple);
                    closed = false;
                    if self.looking_at(";;") || self.looking_at(";&") {
                        if end != End::CaseItem {
                            return Err(Unclear("there is ;; outside of case"));
                        }
                        self.at += if self.looking_at(";;&") { 3 } else { 2 };
                        self.depth -= 1;
                        return Ok(false);
                    }
                    self.at += 1;
                }
                b')' => {
                    self.push(&mut simple);
                    if end != End::Parenthesis {
                        return Err(Unclear("there is a ) too many"));
                    }
                    if !self.heredocs.is_empty() {
                        return Err(Unclear("a here-document begins inside parentheses"));
                    }
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(false);
                }
                b'(' => {
                    if closed {
                        return Err(Unclear(MISPLACED));
                    }
                    closed = self.parenthesis(&mut simple)?;
                }
                b'<' | b'>' => self.redirection(&mut simple)?,
                b'&' => self.redirection(&mut simple)?,
                _ => {
                    let start = self.at;
                    let word = self.word()?;
                    let raw = &self.text[start..self.at];
                    if matches!(self.peek(), Some(b'<' | b'>'))
                        && raw.bytes().all(|byte| byte.is_ascii_digit())
                    {
                        // A file descriptor: the redirection follows.
                        continue;
                    }
                    if closed {
                        return Err(Unclear("there is a word after the end of a group"));
                    }
                    if simple.ambiguous {
                        return Err(Unclear("shells disagree about words after &>"));
                    }
                    if simple.is_empty() && word.fixed && raw == word.text {
                        match self.keyword(raw, end)? {
                            Keyword::None => {}
                            Keyword::Opens => continue,
                            Keyword::Closes => {
                                closed = true;
                                continue;
                            }
                            Keyword::EndsCase => {
                                self.depth -= 1;
                                return Ok(true);
                            }
                        }
                    }
                    self.take(&mut simple, word, start)?;
                }
            }
        }
    }

    /// A word is an assignment or a part of the command.
    fn take(&mut self, simple: &mut Simple, word: Word, start: usize) -> Read<()> {
        let raw = &self.text[start..self.at];
        if simple.words.is_empty() {
            let name = identifier(raw);
            let rest = &raw[name.len()..];
            if !name.is_empty() && (rest.starts_with('=') || rest.starts_with("+=")) {
                simple.assignments.push(name.to_owned());
                return Ok(());
            }
            if !name.is_empty() && rest.starts_with('[') && rest.contains('=') {
                return Err(Unclear("an element of an array is set"));
            }
        }
        simple.words.push(word);
        Ok(())
    }

    /// The command is complete.
    fn push(&mut self, simple: &mut Simple) {
        let Simple {
            assignments, words, ..
        } = core::mem::take(simple);
        let for_program = !words.is_empty();
        for name in &assignments {
            if !unwrap::harmless_variable(name, for_program) {
                self.script.note("it sets a variable that programs act on");
            }
        }
        if for_program {
            unwrap::push(self.script, words, self.depth);
        }
    }

    /// `( list )`, which is complete, or the `()` of a function, which is not.
    fn parenthesis(&mut self, simple: &mut Simple) -> Read<bool> {
        if simple.is_empty() {
            if self.looking_at("((") {
                return Err(Unclear("shells disagree about (("));
            }
            self.at += 1;
            self.nested(End::Parenthesis)?;
            return Ok(true);
        }
        let named = simple.words.len() == 1
            && simple.words[0].fixed
            && !simple.redirected
            && simple.assignments.is_empty();
        self.at += 1;
        self.blanks();
        if !named || self.peek() != Some(b')') {
            return Err(Unclear(MISPLACED));
        }
        self.at += 1;
        *simple = Simple::default();
        self.body()?;
        Ok(false)
    }

    /// The body of a function comes next; its commands count as run.
    fn body(&mut self) -> Read<()> {
        self.skip_newlines()?;
        match self.peek() {
            Some(b'{' | b'(') => Ok(()),
            _ => Err(Unclear("a function has no { body }")),
        }
    }

    fn nested(&mut self, end: End) -> Read<bool> {
        let start = self.at;
        let outer = core::mem::take(&mut self.heredocs);
        let ended = self.list(end)?;
        if !outer.is_empty() && self.text[start..self.at].contains('\n') {
            return Err(Unclear("a here-document begins before a group of lines"));
        }
        self.heredocs = outer;
        Ok(ended)
    }

    /// What the reserved word `raw` at the beginning of a command does.
    fn keyword(&mut self, raw: &str, end: End) -> Read<Keyword> {
        Ok(match raw {
            "if" | "then" | "elif" | "else" | "while" | "until" | "do" | "{" | "!" => {
                Keyword::Opens
            }
            "fi" | "done" | "}" => Keyword::Closes,
            "esac" if end == End::CaseItem => Keyword::EndsCase,
            "for" => {
                self.blanks();
                let start = self.at;
                let name = self.word()?;
                let raw = &self.text[start..self.at];
                if identifier(raw) != raw || raw.is_empty() {
                    return Err(Unclear("the variable of a for is not a name"));
                }
                if !unwrap::harmless_variable(&name.text, false) {
                    self.script.note("it sets a variable that programs act on");
                }
                self.skip_newlines()?;
                self.for_words()?;
                Keyword::Opens
            }
            "case" => {
                self.case()?;
                Keyword::Closes
            }
            "function" => {
                self.blanks();
                let name = self.word()?;
                self.blanks();
                if self.looking_at("()") {
                    self.at += 2;
                }
                if !name.fixed {
                    return Err(Unclear("the name of a function is computed"));
                }
                self.body()?;
                Keyword::Opens
            }
            "[[" => return Err(Unclear("there is a [[")),
            "select" | "coproc" => return Err(Unclear("there is a select or coproc")),
            "esac" | "in" => return Err(Unclear("a word is reserved elsewhere")),
            _ => Keyword::None,
        })
    }

    /// `in words` of a for; they are no commands.
    fn for_words(&mut self) -> Read<()> {
        let start = self.at;
        if !matches!(self.peek(), Some(b'i' | b'd')) {
            return Ok(());
        }
        let word = self.word()?;
        if &self.text[start..self.at] != "in" {
            self.at = start;
            return match word.text.as_str() {
                "do" => Ok(()),
                _ => Err(Unclear("a for has no in or do")),
            };
        }
        loop {
            self.blanks();
            match self.peek() {
                None | Some(b';' | b'\n') => return Ok(()),
                Some(b'#') => self.comment()?,
                Some(b'&' | b'|' | b'<' | b'>' | b'(' | b')') => {
                    return Err(Unclear("the words of a for have no end"));
                }
                Some(_) => {
                    self.word()?;
                }
            }
        }
    }

    fn case(&mut self) -> Read<()> {
        if self.substitutions > 0 {
            // Older bash takes the ) of a pattern for the end of the substitution.
            return Err(Unclear("there is a case in a substitution"));
        }
        self.deeper()?;
        self.blanks();
        self.word()?;
        self.skip_newlines()?;
        let start = self.at;
        self.word()?;
        if &self.text[start..self.at] != "in" {
            return Err(Unclear("a case has no in"));
        }
        loop {
            self.skip_newlines()?;
            if self.peek() == Some(b'(') {
                self.at += 1;
                self.blanks();
            }
            loop {
                let start = self.at;
                self.word()?;
                let raw = &self.text[start..self.at];
                if raw.is_empty() {
                    return Err(Unclear("a pattern of a case is empty"));
                }
                if raw == "esac" {
                    self.depth -= 1;
                    return Ok(());
                }
                self.blanks();
                match self.peek() {
                    Some(b'|') => {
                        self.at += 1;
                        self.blanks();
                    }
                    Some(b')') => break,
                    _ => return Err(Unclear("a pattern of a case has no end")),
                }
            }
            self.at += 1;
            if self.nested(End::CaseItem)? {
                self.depth -= 1;
                return Ok(());
            }
        }
    }

    fn comment(&mut self) -> Read<()> {
        let rest = &self.text[self.at..];
        let line = rest.split('\n').next().unwrap_or_default();
        if self.substitutions > 0 && line.contains(['\'', '"', '`', '(', ')', '\\']) {
            // Older bash counts quotes and parentheses in comments here.
            return Err(Unclear("there is a comment with quotes in a substitution"));
        }
        self.at += line.len();
        Ok(())
    }

    fn skip_newlines(&mut self) -> Read<()> {
        loop {
            self.blanks();
            match self.peek() {
                Some(b'\n') => {
                    self.at += 1;
                    self.heredoc_bodies()?;
                }
                Some(b'#') => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// Blanks and continued lines.
    fn blanks(&mut self) {
        loop {
            if matches!(self.peek(), Some(b' ' | b'\t')) {
                self.at += 1;
            } else if self.heredocs.is_empty() && self.looking_at("\\\n") {
                self.at += 2;
            } else {
                return;
            }
        }
    }

    fn deeper(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unclear("it is nested too deep"));
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.byte(0)
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn before(&self) -> u8 {
        self.text.as_bytes()[self.at - 1]
    }

    fn ends_word(&self) -> bool {
        matches!(self.peek(), None | Some(b' ' | b'\t' | b'\n' | b';'))
    }

    fn looking_at(&self, text: &str) -> bool {
        self.text.as_bytes()[self.at..].starts_with(text.as_bytes())
    }

    fn character(&mut self) -> Option<char> {
        let next = self.text[self.at..].chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }
}

enum Keyword {
    /// None; it is a program's name.
    None,
    /// A command follows.
    Opens,
    /// The end of a group.
    Closes,
    /// `esac`.
    EndsCase,
}

/// The name of a variable at the start of `text`, maybe empty.
pub(super) fn identifier(text: &str) -> &str {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let name = &text[..end];
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        ""
    } else {
        name
    }
}
