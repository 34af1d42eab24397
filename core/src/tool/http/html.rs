//! HTML as plain text: what is written, where lines end, headings, list items and links.
//!
//! A reducer, not a parser: it never fails, reads any bytes once from front to back, and leaves out
//! what a reader does not see (scripts, styles, templates, drawings, comments).

use alloc::{borrow::ToOwned, format, string::String};

/// What stands between two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Cell,
    Line,
    Paragraph,
}

/// Elements whose content nobody reads.
const UNSEEN: [&str; 7] = [
    "script", "style", "noscript", "template", "svg", "iframe", "object",
];

/// What is written in `html`.
pub(super) fn readable(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push(&rest[..at]);
        rest = &rest[at..];
        rest = if Tag::begins(rest) {
            // What never ends has no text after it.
            let Some((tag, after)) = Tag::parse(rest) else {
                return text.out;
            };
            text.tag(&tag);
            if !tag.closes && UNSEEN.contains(&tag.name.as_str()) {
                skip_element(after, &tag.name)
            } else {
                after
            }
        } else if let Some(after) = skip_markup(rest) {
            after
        } else {
            text.push("<");
            &rest[1..]
        };
    }
    text.push(rest);
    text.out
}

/// The text so far, and what comes before its next word.
struct Text {
    out: String,
    gap: Gap,
    /// A heading's or list item's mark, written when a word follows.
    mark: String,
    /// How many elements around keep white space as it is.
    preformatted: u32,
    /// Where an open link's words begin, and where it leads.
    link: Option<(usize, String)>,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            out: String::new(),
            gap: Gap::None,
            mark: String::new(),
            preformatted: 0,
            link: None,
        }
    }
}

impl Text {
    fn push(&mut self, raw: &str) {
        let mut rest = raw;
        while let Some(first) = rest.chars().next() {
            let (c, length) = match first {
                '&' => character(rest).unwrap_or(('&', 1)),
                c => (c, c.len_utf8()),
            };
            rest = &rest[length..];
            if c.is_whitespace() && self.preformatted == 0 {
                self.gap(Gap::Space);
            } else {
                self.word(c);
            }
        }
    }

    fn word(&mut self, c: char) {
        if !self.out.is_empty() {
            self.out.push_str(match self.gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Cell => " | ",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        self.gap = Gap::None;
        self.out.push_str(&core::mem::take(&mut self.mark));
        self.out.push(c);
    }

    fn gap(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn tag(&mut self, tag: &Tag) {
        match tag.name.as_str() {
            "a" => self.anchor(tag),
            "br" => self.gap(Gap::Line),
            "div" | "tr" | "dt" | "dd" | "option" | "caption" | "summary" | "figcaption"
            | "label" => self.gap(Gap::Line),
            "td" | "th" => self.gap(Gap::Cell),
            "li" => {
                self.gap(Gap::Line);
                self.mark = if tag.closes { "" } else { "- " }.to_owned();
            }
            "pre" => {
                self.gap(Gap::Paragraph);
                self.preformatted = if tag.closes {
                    self.preformatted.saturating_sub(1)
                } else {
                    self.preformatted + 1
                };
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.gap(Gap::Paragraph);
                let level = usize::from(tag.name.as_bytes()[1] - b'0');
                self.mark = if tag.closes {
                    String::new()
                } else {
                    format!("{} ", "#".repeat(level))
                };
            }
            "p" | "ul" | "ol" | "dl" | "table" | "blockquote" | "section" | "article"
            | "header" | "footer" | "main" | "aside" | "nav" | "form" | "figure" | "title"
            | "hr" | "details" | "body" => self.gap(Gap::Paragraph),
            _ => {}
        }
    }

    /// Writes where a link leads behind its words.
    fn anchor(&mut self, tag: &Tag) {
        if let Some((start, target)) = self.link.take()
            && self.out.len() > start
        {
            self.out.push_str(" <");
            self.out.push_str(&target);
            self.out.push('>');
        }
        let target = tag.href.trim();
        let leads = !target.is_empty()
            && !target.starts_with('#')
            && !target.to_ascii_lowercase().starts_with("javascript:");
        if !tag.closes && leads {
            self.link = Some((self.out.len(), target.to_owned()));
        }
    }
}

/// An opening or closing tag.
struct Tag {
    /// In lower case.
    name: String,
    closes: bool,
    /// Its attribute `href`, empty without one.
    href: String,
}

impl Tag {
    fn begins(text: &str) -> bool {
        let after = text.strip_prefix('<').unwrap_or_default();
        let name = after.strip_prefix('/').unwrap_or(after);
        name.starts_with(|c: char| c.is_ascii_alphabetic())
    }

    /// The tag that `text` begins with, and what comes after it; none when it never ends.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let after = text.strip_prefix('<')?;
        let (closes, after) = match after.strip_prefix('/') {
            Some(after) => (true, after),
            None => (false, after),
        };
        let length = after.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>')?;
        let mut tag = Self {
            name: after[..length].to_ascii_lowercase(),
            closes,
            href: String::new(),
        };
        let mut rest = &after[length..];
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if let Some(after) = rest.strip_prefix('>') {
                return Some((tag, after));
            }
            let (name, value, after) = attribute(rest)?;
            if name.eq_ignore_ascii_case("href") {
                tag.href = decoded(value);
            }
            rest = after;
        }
    }
}

/// Name and raw value of the attribute `text` begins with, and what comes after it.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let end = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
    // An equals sign in front belongs to the name (HTML standard, before attribute name state).
    let first = text.chars().next()?.len_utf8();
    let length = first + text[first..].find(end)?;
    let (name, rest) = text.split_at(length);
    let Some(value) = rest.trim_ascii_start().strip_prefix('=') else {
        return Some((name, "", rest));
    };
    let value = value.trim_ascii_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            let (value, rest) = quoted.split_once(quote)?;
            return Some((name, value, rest));
        }
    }
    let (value, rest) = value.split_at(value.find(|c: char| c.is_ascii_whitespace() || c == '>')?);
    Some((name, value, rest))
}

/// After a comment, a declaration or an instruction; without an end it takes everything.
fn skip_markup(text: &str) -> Option<&str> {
    if let Some(comment) = text.strip_prefix("<!--") {
        return Some(comment.split_once("-->").map_or("", |(_, after)| after));
    }
    let declares = ["<!", "<?", "</"]
        .iter()
        .any(|start| text.starts_with(start));
    declares.then(|| text.split_once('>').map_or("", |(_, after)| after))
}

/// What comes after the end tag of an element; everything belongs to one that never ends.
fn skip_element<'t>(text: &'t str, name: &str) -> &'t str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at..];
        // Only its own end tag: scripts hold what would look like others, and their quotes.
        let end = rest.as_bytes()[2..].split_at_checked(name.len());
        if let Some((found, [b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'>', ..])) = end
            && found.eq_ignore_ascii_case(name.as_bytes())
        {
            return Tag::parse(rest).map_or("", |(_, after)| after);
        }
        rest = &rest[2..];
    }
    ""
}

fn decoded(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        let (c, length) = character(&rest[at..]).unwrap_or(('&', 1));
        text.push(c);
        rest = &rest[at + length..];
    }
    text + rest
}

/// The character reference `text` begins with, and its length. Of the names only common ones.
fn character(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(12).position(|byte| byte == b';')?;
    let name = &text[1..end];
    let c = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
        None => NAMES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((c, end + 1))
}

const NAMES: [(&str, char); 24] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("hellip", '…'),
    ("bull", '•'),
    ("middot", '·'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("deg", '°'),
    ("times", '×'),
    ("euro", '€'),
    ("shy", '\u{ad}'),
];

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    fn check(html: &str, text: &str) {
        assert_eq!(readable(html), text, "{html}");
    }

    #[test]
    fn what_is_written_stays_and_what_is_not_goes() {
        check(
            "<!doctype html><html><head><title>T &amp; t</title><style>p{a:b}</style>\
             <script>if (a</p>b) '</scrip'</script></head><body><h1>Head</h1>\n<p>One\n  two\
             <b>three</b>.</p><!-- <p>no --> <p>Next<br>line</p></body></html>",
            "T & t\n\n# Head\n\nOne twothree.\n\nNext\nline",
        );
        check("<SCRIPT>x</SCRIPT >a<svg><text>no</text></svg>b", "ab");
        check(
            "<template><p>no</p></template><noscript>no</noscript>yes",
            "yes",
        );
    }

    #[test]
    fn lists_tables_and_preformatted_text_keep_their_shape() {
        check("<ul><li>one<li>two</li></ul>after", "- one\n- two\n\nafter");
        check("<ul><li></li></ul>after", "after");
        check(
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
            "a | b\n1 | 2",
        );
        check("x<pre>a\n  b</pre>y", "x\n\na\n  b\n\ny");
    }

    #[test]
    fn links_say_where_they_lead() {
        check(
            "<a class='x>y' href=\"/a?b=1&amp;c=2\">words</a> on",
            "words </a?b=1&c=2> on",
        );
        check("<a href=#top>up</a> <a href='javascript:x'>do</a>", "up do");
        check("<a href=/x></a>none", "none");
        check("<a href=/x>never closed", "never closed");
        check("<a href=/x>one<a href=/y>two</a>", "one </x>two </y>");
    }

    #[test]
    fn references_become_characters() {
        check("&lt;b&gt; &#65;&#x42;&mdash;&hellip;", "<b> AB—…");
        check(
            "a&nbsp;b &unknown; & &; &#x110000; &#55296;",
            "a b &unknown; & &; &#x110000; &#55296;",
        );
        check("AT&T &amp", "AT&T &amp");
    }

    #[test]
    fn broken_html_is_still_read() {
        check("a < b and c <3 d", "a < b and c <3 d");
        check("text <b", "text");
        check("text <a href=\"never", "text");
        check("<script>\"</a '</script>b", "b");
        check("a<!-- never", "a");
        check("a<script>never", "a");
        check("</>a</p >b", "a\n\nb");
        check("é<p title=ü>€</p", "é\n\n€");
        check("", "");
    }

    #[test]
    fn no_input_makes_it_stop_or_wait() {
        let pieces = [
            "<", ">", "</", "<a href=", "\"", "'", "=", "&", ";", "#x", "é", "<!--", "-->",
            "<script>", "</script", " ", "p", "<pre>", "/",
        ];
        let mut state = 7_u32;
        for _ in 0..3_000 {
            let html: String = (0..20)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    pieces[(state >> 16) as usize % pieces.len()]
                })
                .collect();
            readable(&html);
        }
        let started = std::time::Instant::now();
        readable(&"<a href=\"".repeat(100_000));
        readable(&"</".repeat(500_000));
        readable(&"&".repeat(1_000_000));
        readable(&"<script></".repeat(100_000));
        readable(&"</script ".repeat(100_000));
        readable(&"<p a=".repeat(200_000));
        assert!(
            started.elapsed().as_secs() < 10,
            "a megabyte takes too long"
        );
    }
}
