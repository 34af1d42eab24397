//! Words: quotes, expansions, and the commands in them.

use alloc::{string::String, vec::Vec};

use super::{End, MISPLACED, Read, Reader, Unclear, Word, identifier};

impl Reader<'_> {
    /// One word, up to a blank or an operator. Empty when none is here.
    pub(super) fn word(&mut self) -> Read<Word> {
        let start = self.at;
        let mut word = Word::fixed("");
        let mut braces = false;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b')' => break,
                b'<' | b'>' if self.byte(1) == Some(b'(') => {
                    let from = self.at;
                    self.at += 2;
                    self.substitution()?;
                    word.expanded(&self.text[from..self.at]);
                }
                b'(' if self.at > start => break,
                b'<' | b'>' => break,
                b'(' => return Err(Unclear(MISPLACED)),
                b'\'' => {
                    self.single_quoted(&mut word)?;
                }
                b'"' => {
                    self.at += 1;
                    self.double_quoted(&mut word, Some(b'"'))?;
                }
                b'\\' => {
                    self.at += 1;
                    let escaped = self.character().ok_or(Unclear("it ends with a \\"))?;
                    if escaped != '\n' {
                        word.text.push(escaped);
                    }
                }
                b'$' => self.dollar(&mut word, false)?,
                b'`' => self.backticks(&mut word, false)?,
                b'*' | b'?' | b'[' => {
                    self.at += 1;
                    word.fixed &= byte == b'[' && self.at == start + 1 && self.ends_word();
                    word.text.push(char::from(byte));
                }
                b'~' if self.at == start || matches!(self.before(), b'=' | b':') => {
                    self.at += 1;
                    word.expanded("~");
                }
                b'{' | b'}' => {
                    self.at += 1;
                    braces = true;
                    word.text.push(char::from(byte));
                }
                _ => {
                    let plain = self.character().ok_or(Unclear("it ends too early"))?;
                    if plain.is_control() || (!plain.is_ascii() && plain.is_whitespace()) {
                        return Err(Unclear("there is a control character in it"));
                    }
                    word.text.push(plain);
                }
            }
        }
        if braces && (word.text.contains(',') || word.text.contains("..")) {
            word.fixed = false;
        }
        if !self.heredocs.is_empty() && self.text[start..self.at].contains('\n') {
            return Err(Unclear("a word goes on behind a here-document"));
        }
        Ok(word)
    }

    fn single_quoted(&mut self, word: &mut Word) -> Read<()> {
        let rest = &self.text[self.at + 1..];
        let end = rest.find('\'').ok_or(Unclear("a ' is not closed"))?;
        word.text.push_str(&rest[..end]);
        self.at += end + 2;
        Ok(())
    }

    /// Up to `close`, which is consumed, or to the end of the text.
    pub(super) fn double_quoted(&mut self, word: &mut Word, close: Option<u8>) -> Read<()> {
        while let Some(byte) = self.peek() {
            match byte {
                _ if Some(byte) == close => {
                    self.at += 1;
                    return Ok(());
                }
                b'$' => self.dollar(word, true)?,
                b'`' => self.backticks(word, true)?,
                b'\\' => {
                    self.at += 1;
                    match self.character() {
                        Some('\n') => {}
                        Some(escaped @ ('$' | '`' | '"' | '\\')) => word.text.push(escaped),
                        Some(other) => {
                            word.text.push('\\');
                            word.text.push(other);
                        }
                        None => {}
                    }
                }
                _ => word.text.extend(self.character()),
            }
        }
        match close {
            None => Ok(()),
            Some(_) => Err(Unclear("a \" is not closed")),
        }
    }

    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Read<()> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'(') if self.byte(1) == Some(b'(') => {
                self.at += 2;
                self.arithmetic()?;
            }
            Some(b'(') => {
                self.at += 1;
                self.substitution()?;
            }
            Some(b'{') => self.parameter()?,
            Some(b'[') => return Err(Unclear("there is a $[")),
            Some(b'\'') if !quoted => {
                let from = self.at;
                self.single_quoted(word)?;
                if self.text[from..self.at].contains("\\'") {
                    return Err(Unclear("shells disagree about \\' in $'…'"));
                }
                // Escapes are for bash alone, and what they stand for is not looked up.
                word.fixed = false;
                return Ok(());
            }
            Some(b'"') if !quoted => {
                word.fixed = false;
                return Ok(());
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                self.at += identifier(&self.text[self.at..]).len();
            }
            Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'$' | b'!' | b'-') => self.at += 1,
            _ => {
                word.text.push('$');
                return Ok(());
            }
        }
        word.expanded(&self.text[start..self.at]);
        Ok(())
    }

    /// The commands up to `)`.
    fn substitution(&mut self) -> Read<()> {
        self.substitutions += 1;
        self.nested(End::Parenthesis)?;
        self.substitutions -= 1;
        Ok(())
    }

    /// Numbers and operators up to `))`. A name could hold an expression that starts programs.
    fn arithmetic(&mut self) -> Read<()> {
        let mut open = 2_usize;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'(' => open += 1,
                b')' => {
                    open -= 1;
                    match open {
                        0 => return Ok(()),
                        1 if self.peek() != Some(b')') => break,
                        _ => {}
                    }
                }
                b'0'..=b'9'
                | b' '
                | b'+'
                | b'-'
                | b'*'
                | b'/'
                | b'%'
                | b'<'
                | b'>'
                | b'='
                | b'!'
                | b'&'
                | b'|'
                | b'^'
                | b'~'
                | b'?'
                | b':'
                | b',' => {}
                _ => break,
            }
        }
        Err(Unclear("arithmetic is more than numbers"))
    }

    /// `{name}`, `{#name}`, or `{name` with a plain default, prefix or suffix `}`.
    fn parameter(&mut self) -> Read<()> {
        self.at += 1;
        let rest = &self.text[self.at..];
        let end = rest.find('}').ok_or(Unclear("a ${ is not closed"))?;
        let inside = &rest[..end];
        let body = match inside.strip_prefix('#') {
            Some(body) if !body.is_empty() => body,
            _ => inside,
        };
        let name = match identifier(body) {
            "" => {
                &body[..body
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(body.len())]
            }
            name => name,
        };
        let name = match (name, body.as_bytes().first()) {
            ("", Some(b'@' | b'*' | b'#' | b'?' | b'$' | b'!' | b'-')) => &body[..1],
            (name, _) => name,
        };
        let operation = &body[name.len()..];
        let known = operation.is_empty()
            || operation.starts_with(['-', '+', '?', '#', '%', '/', '^', ','])
            || [":-", ":+", ":?"]
                .iter()
                .any(|op| operation.starts_with(op));
        let plain = operation
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || !c.is_ascii() || " _-+?#%/^,.:@*=~".contains(c));
        if name.is_empty()
            || !known
            || !plain
            || (inside.len() != body.len() && !operation.is_empty())
        {
            return Err(Unclear("a ${…} does more than it can be sure about"));
        }
        self.at += end + 1;
        Ok(())
    }

    fn backticks(&mut self, word: &mut Word, quoted: bool) -> Read<()> {
        let start = self.at;
        self.at += 1;
        let mut inside = String::new();
        loop {
            match self.character().ok_or(Unclear("a ` is not closed"))? {
                '`' => break,
                '\\' => match self.character().ok_or(Unclear("a ` is not closed"))? {
                    escaped @ ('`' | '\\' | '$') => inside.push(escaped),
                    other => {
                        inside.push('\\');
                        inside.push(other);
                    }
                },
                other => inside.push(other),
            }
        }
        if quoted && inside.contains('"') {
            return Err(Unclear("shells disagree about \" in `…` in quotes"));
        }
        if !self.heredocs.is_empty() && inside.contains('\n') {
            return Err(Unclear("a here-document begins before a group of lines"));
        }
        self.deeper()?;
        let mut reader = Reader {
            text: &inside,
            at: 0,
            depth: self.depth,
            substitutions: self.substitutions + 1,
            heredocs: Vec::new(),
            script: self.script,
        };
        reader.list(End::Text)?;
        self.depth -= 1;
        word.expanded(&self.text[start..self.at]);
        Ok(())
    }
}

impl Word {
    fn expanded(&mut self, written: &str) {
        self.text.push_str(written);
        self.fixed = false;
    }
}
