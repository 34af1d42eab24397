//! Regular expressions, compiled: the syntax that other engines share, less what cannot be matched
//! in linear time.
//!
//! `.` `[a-z]` `[^…]` `\d\w\s\b` and their opposites, `(…)` `(?:…)` `(?i)` `|` `* + ? {n,m}` (lazy
//! with `?`), `^` `$`. Classes are of ASCII; `(?i)` holds for all letters.

use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

use crate::letter::lower_case;

/// The most steps of a program.
const MOST_STEPS: usize = 8192;

/// The most repetitions that can be written.
const MOST_REPEATS: u32 = 1000;

/// The deepest groups may lie in each other.
const DEEPEST: usize = 64;

/// One step of a program.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A character of a set.
    Set(Set),
    /// Both places, the first one preferred.
    Fork(usize, usize),
    /// Another place.
    Jump(usize),
    /// A condition between characters.
    Look(Look),
    /// The pattern's end.
    Match,
}

/// A condition between characters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    Start,
    End,
    Border,
    NoBorder,
}

/// Characters.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    ranges: Vec<(char, char)>,
    is_negated: bool,
    ignores_case: bool,
}

impl Set {
    pub(super) fn has(&self, c: char) -> bool {
        let within = |c: char| {
            self.ranges
                .iter()
                .any(|(low, high)| (*low..=*high).contains(&c))
        };
        let found = within(c)
            || (self.ignores_case && (within(c.to_ascii_uppercase()) || lower_case(c).any(within)));
        found != self.is_negated
    }
}

/// A pattern, compiled.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
}

/// A pattern, parsed.
#[derive(Clone, Debug)]
enum Node {
    Empty,
    Set(Set),
    Look(Look),
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat {
        node: Box<Node>,
        least: u32,
        most: Option<u32>,
        is_lazy: bool,
    },
}

/// Compiles a pattern, or says what is wrong with it.
pub(super) fn compile(pattern: &str) -> Result<Program, String> {
    let mut parser = Parser {
        chars: pattern.chars().collect(),
        at: 0,
        ignores_case: false,
        depth: 0,
    };
    let node = parser.choice()?;
    if parser.at < parser.chars.len() {
        return Err(parser.error("a closing parenthesis without its opening one"));
    }
    let mut program = Program { steps: Vec::new() };
    program.emit(&node)?;
    program.push(Step::Match)?;
    if matches_nothing(&node) {
        return Err("it matches an empty text, and so every text".into());
    }
    Ok(program)
}

/// Whether a pattern can match no characters at all.
fn matches_nothing(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Look(_) => true,
        Node::Set(_) => false,
        Node::Sequence(nodes) => nodes.iter().all(matches_nothing),
        Node::Choice(nodes) => nodes.iter().any(matches_nothing),
        Node::Repeat { node, least, .. } => *least == 0 || matches_nothing(node),
    }
}

impl Program {
    fn push(&mut self, step: Step) -> Result<usize, String> {
        if self.steps.len() == MOST_STEPS {
            return Err(format!(
                "it is longer than {MOST_STEPS} steps when its repetitions are written out"
            ));
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn emit(&mut self, node: &Node) -> Result<(), String> {
        match node {
            Node::Empty => {}
            Node::Set(set) => {
                self.push(Step::Set(set.clone()))?;
            }
            Node::Look(look) => {
                self.push(Step::Look(*look))?;
            }
            Node::Sequence(nodes) => {
                for node in nodes {
                    self.emit(node)?;
                }
            }
            Node::Choice(nodes) => self.emit_choice(nodes)?,
            Node::Repeat {
                node,
                least,
                most,
                is_lazy,
            } => self.emit_repeat(node, *least, *most, *is_lazy)?,
        }
        Ok(())
    }

    fn emit_choice(&mut self, nodes: &[Node]) -> Result<(), String> {
        let mut ends = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            if i + 1 == nodes.len() {
                self.emit(node)?;
            } else {
                let fork = self.push(Step::Fork(0, 0))?;
                self.emit(node)?;
                ends.push(self.push(Step::Jump(0))?);
                self.steps[fork] = Step::Fork(fork + 1, self.steps.len());
            }
        }
        let end = self.steps.len();
        for jump in ends {
            self.steps[jump] = Step::Jump(end);
        }
        Ok(())
    }

    fn emit_repeat(
        &mut self,
        node: &Node,
        least: u32,
        most: Option<u32>,
        is_lazy: bool,
    ) -> Result<(), String> {
        let fork = |enter, leave| {
            if is_lazy {
                Step::Fork(leave, enter)
            } else {
                Step::Fork(enter, leave)
            }
        };
        for _ in 0..least {
            self.emit(node)?;
        }
        match most {
            None => {
                let at = self.push(Step::Fork(0, 0))?;
                self.emit(node)?;
                self.push(Step::Jump(at))?;
                self.steps[at] = fork(at + 1, self.steps.len());
            }
            Some(most) => {
                let mut forks = Vec::new();
                for _ in least..most {
                    forks.push(self.push(Step::Fork(0, 0))?);
                    self.emit(node)?;
                }
                let end = self.steps.len();
                for at in forks {
                    self.steps[at] = fork(at + 1, end);
                }
            }
        }
        Ok(())
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    ignores_case: bool,
    depth: usize,
}

impl Parser {
    fn error(&self, what: &str) -> String {
        format!("{what}, at character {}", self.at + 1)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next_if(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        self.at += usize::from(is_next);
        is_next
    }

    fn starts_with(&mut self, prefix: &str) -> bool {
        let is_next = prefix
            .chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if is_next {
            self.at += prefix.chars().count();
        }
        is_next
    }

    fn choice(&mut self) -> Result<Node, String> {
        let mut nodes = vec![self.sequence()?];
        while self.next_if('|') {
            nodes.push(self.sequence()?);
        }
        Ok(match nodes.len() {
            1 => nodes.swap_remove(0),
            _ => Node::Choice(nodes),
        })
    }

    fn sequence(&mut self) -> Result<Node, String> {
        let mut nodes = Vec::new();
        while let Some(c) = self.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            let node = self.atom()?;
            nodes.push(self.repeated(node)?);
        }
        Ok(Node::Sequence(nodes))
    }

    fn atom(&mut self) -> Result<Node, String> {
        let Some(c) = self.peek() else {
            return Ok(Node::Empty);
        };
        match c {
            '(' => self.group(),
            '[' => {
                self.at += 1;
                self.class().map(Node::Set)
            }
            '*' | '+' | '?' | '{' => Err(self.error("nothing to repeat")),
            '.' => {
                self.at += 1;
                Ok(Node::Set(Set {
                    ranges: vec![('\n', '\n')],
                    is_negated: true,
                    ignores_case: false,
                }))
            }
            '^' | '$' => {
                self.at += 1;
                Ok(Node::Look(if c == '^' { Look::Start } else { Look::End }))
            }
            '\\' => self.escape(),
            c => {
                self.at += 1;
                Ok(self.literal(c))
            }
        }
    }

    fn literal(&self, c: char) -> Node {
        // Another alphabet's capital is met by its small letter.
        let c = if self.ignores_case {
            lower_case(c).next().unwrap_or(c)
        } else {
            c
        };
        Node::Set(Set {
            ranges: vec![(c, c)],
            is_negated: false,
            ignores_case: self.ignores_case,
        })
    }

    fn group(&mut self) -> Result<Node, String> {
        let before = self.ignores_case;
        self.at += 1;
        if self.starts_with("?i)") {
            self.ignores_case = true;
            return Ok(Node::Empty);
        }
        if self.starts_with("?i:") {
            self.ignores_case = true;
        } else if !self.starts_with("?:") && self.peek() == Some('?') {
            return Err(self.error(
                "a group that is not supported (look-around, names and other flags are not)",
            ));
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("groups that lie too deep in each other"));
        }
        let node = self.choice()?;
        self.depth -= 1;
        self.ignores_case = before;
        if !self.next_if(')') {
            return Err(self.error("a group that is not closed"));
        }
        Ok(node)
    }

    fn repeated(&mut self, node: Node) -> Result<Node, String> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted(node),
            _ => return Ok(node),
        };
        self.at += 1;
        self.finish_repeat(node, least, most)
    }

    fn counted(&mut self, node: Node) -> Result<Node, String> {
        self.at += 1;
        let least = self.number()?;
        let most = if self.next_if(',') {
            if self.peek() == Some('}') {
                None
            } else {
                Some(self.number()?)
            }
        } else {
            Some(least)
        };
        if !self.next_if('}') {
            return Err(self.error("a repetition that is not closed"));
        }
        if most.is_some_and(|most| most < least) {
            return Err(self.error("a repetition whose most is less than its least"));
        }
        self.finish_repeat(node, least, most)
    }

    fn finish_repeat(&mut self, node: Node, least: u32, most: Option<u32>) -> Result<Node, String> {
        let is_lazy = self.next_if('?');
        if matches!(self.peek(), Some('*' | '+' | '?')) {
            return Err(self.error("a repetition of a repetition"));
        }
        if most.is_none() && matches_nothing(&node) {
            return Err(self.error("an endless repetition of what may be empty"));
        }
        Ok(Node::Repeat {
            node: Box::new(node),
            least,
            most,
            is_lazy,
        })
    }

    fn number(&mut self) -> Result<u32, String> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let value = number.unwrap_or(0) * 10 + digit;
            if value > MOST_REPEATS {
                return Err(self.error("more repetitions than 1000"));
            }
            number = Some(value);
            self.at += 1;
        }
        number.ok_or_else(|| self.error("a repetition without a number"))
    }

    fn escape(&mut self) -> Result<Node, String> {
        self.at += 1;
        let Some(c) = self.peek() else {
            return Err(self.error("a backslash at the end"));
        };
        if let 'b' | 'B' = c {
            self.at += 1;
            return Ok(Node::Look(if c == 'b' {
                Look::Border
            } else {
                Look::NoBorder
            }));
        }
        if let Some((ranges, is_negated)) = named(c) {
            self.at += 1;
            return Ok(Node::Set(Set {
                ranges,
                is_negated,
                ignores_case: false,
            }));
        }
        self.escaped_char().map(|c| self.literal(c))
    }

    /// The character an escape stands for; the backslash was read.
    fn escaped_char(&mut self) -> Result<char, String> {
        let Some(c) = self.peek() else {
            return Err(self.error("a backslash at the end"));
        };
        self.at += 1;
        match c {
            't' => Ok('\t'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            'x' | 'u' => {
                let is_braced = self.next_if('{');
                let mut code = 0_u32;
                let mut digits = 0;
                let most = if is_braced {
                    6
                } else if c == 'x' {
                    2
                } else {
                    4
                };
                while digits < most
                    && let Some(digit) = self.peek().and_then(|c| c.to_digit(16))
                {
                    code = code * 16 + digit;
                    digits += 1;
                    self.at += 1;
                }
                if (is_braced && !self.next_if('}')) || digits == 0 || (!is_braced && digits < most)
                {
                    return Err(self.error("a character's code that is not complete"));
                }
                char::from_u32(code).ok_or_else(|| self.error("a code that is no character's"))
            }
            c if c.is_ascii_alphanumeric() => Err(self.error("an escape that is not supported")),
            c => Ok(c),
        }
    }

    fn class(&mut self) -> Result<Set, String> {
        let mut set = Set {
            ranges: Vec::new(),
            is_negated: self.next_if('^'),
            ignores_case: self.ignores_case,
        };
        let mut is_first = true;
        loop {
            let Some(c) = self.peek() else {
                return Err(self.error("a class that is not closed"));
            };
            self.at += 1;
            if c == ']' && !is_first {
                return Ok(set);
            }
            is_first = false;
            let low = if c == '\\' {
                match self.peek().and_then(named) {
                    Some((_, true)) => return Err(self.error("an opposite within a class")),
                    Some((ranges, false)) => {
                        self.at += 1;
                        set.ranges.extend(ranges);
                        continue;
                    }
                    None => self.escaped_char()?,
                }
            } else {
                c
            };
            let mut high = low;
            if self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|c| *c != ']') {
                self.at += 1;
                high = match self.peek() {
                    Some('\\') => {
                        self.at += 1;
                        self.escaped_char()?
                    }
                    Some(c) => {
                        self.at += 1;
                        c
                    }
                    None => return Err(self.error("a class that is not closed")),
                };
                if high < low {
                    return Err(self.error("a range whose end is before its beginning"));
                }
            }
            set.ranges.push((low, high));
        }
    }
}

/// The class that a letter after a backslash names, and whether its opposite is meant.
fn named(c: char) -> Option<(Vec<(char, char)>, bool)> {
    let ranges = match c.to_ascii_lowercase() {
        'd' => vec![('0', '9')],
        'w' => vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        's' => vec![('\t', '\r'), (' ', ' ')],
        _ => return None,
    };
    Some((ranges, c.is_ascii_uppercase()))
}
