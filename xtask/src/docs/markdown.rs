//! A page of Markdown: its links, its headings, its code.

use super::Dangling;
use crate::tidy::tree::Tree;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What is checked of a page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) path: String,
    /// Targets of links and images, with their lines.
    links: Vec<(usize, String)>,
    /// What `#…` in a link may name.
    anchors: Vec<String>,
    /// Code between backticks, with its line.
    pub(super) spans: Vec<(usize, String)>,
    /// Lines of code blocks a reader would type, with their lines.
    pub(super) commands: Vec<(usize, String)>,
}

impl Page {
    /// Reads a page.
    pub(super) fn read(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        let mut heading: Option<String> = None;
        let mut is_shell = false;
        let options =
            Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            let line = text[..range.start].matches('\n').count() + 1;
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push((line, dest_url.into_string()));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let title = heading.take().unwrap_or_default();
                    let anchor = page.free_anchor(&anchor(&title));
                    page.anchors.push(anchor);
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    is_shell = matches!(kind, CodeBlockKind::Fenced(language)
                        if matches!(&*language, "sh" | "bash" | "shell" | "console"));
                }
                Event::End(TagEnd::CodeBlock) => is_shell = false,
                Event::Text(code) if is_shell => page.add_commands(line, &code),
                Event::Text(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    page.spans.push((line, code.into_string()));
                }
                _ => {}
            }
        }
        page
    }

    fn add_commands(&mut self, first: usize, code: &str) {
        let lines = code.lines().enumerate().map(|(index, line)| {
            let line = line.trim_start().trim_start_matches("$ ");
            (first + index, line.to_owned())
        });
        self.commands.extend(lines);
    }

    /// `anchor`, or with `-1`, `-2` … if headings before it have the same.
    fn free_anchor(&self, anchor: &str) -> String {
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let mut candidates = std::iter::once(anchor.to_owned()).chain(numbered);
        let free = candidates.find(|name| !self.anchors.contains(name));
        free.unwrap_or_default()
    }
}

/// Links to files and headings of the tree that are not there. The web is not asked.
pub(super) fn links(page: &Page, tree: &Tree) -> Vec<Dangling> {
    let mut found = Vec::new();
    for (line, link) in &page.links {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = match file {
            "" => Some(page.path.clone()),
            file => resolve(&page.path, file),
        };
        let target = target.filter(|target| tree.has(target));
        let what = match target {
            None => format!("the link to `{link}` leads nowhere"),
            Some(target) if !anchor.is_empty() && !has_anchor(tree, &target, anchor) => {
                format!("`{target}` has no heading `#{anchor}`")
            }
            Some(_) => continue,
        };
        found.push(Dangling {
            path: page.path.clone(),
            line: *line,
            what,
        });
    }
    found
}

/// Whether `target` is a page with that heading; in other files an anchor is a line and always there.
fn has_anchor(tree: &Tree, target: &str, anchor: &str) -> bool {
    match tree.file(target).filter(|_| target.ends_with(".md")) {
        Some(file) => Page::read(target, &file.text)
            .anchors
            .iter()
            .any(|name| name == anchor),
        None => true,
    }
}

/// `link` seen from the folder of `page`, as a path from the root; `None` if it leaves the tree.
fn resolve(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = match link.starts_with('/') {
        true => Vec::new(),
        false => page
            .split('/')
            .rev()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    };
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// GitHub's anchor of a heading: lower case, spaces as hyphens, punctuation gone.
fn anchor(title: &str) -> String {
    let kept = title.trim().chars().filter_map(|c| match c {
        ' ' | '-' => Some('-'),
        c if c.is_alphanumeric() || c == '_' => Some(c),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dangling(text: &str) -> Vec<String> {
        let files = [
            ("docs/a.md", text),
            ("docs/b.md", "# The `tau run` way, twice\n# Same\n# Same"),
            ("core/src/lib.rs", ""),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let tree = Tree::new(files.into(), Vec::new(), String::new());
        let found = links(&Page::read("docs/a.md", text), &tree);
        found
            .into_iter()
            .map(|dangling| dangling.to_string())
            .collect()
    }

    #[test]
    fn links_that_resolve_are_fine() {
        let fine = "# Top\n[a](b.md) [b](../core/src/lib.rs#L3) [c](../core) [d](#top) [e](https://x.example/y) [f](b.md#the-tau-run-way-twice) [g](b.md#same-1)";
        assert_eq!(dangling(fine), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_reported() {
        assert_eq!(
            dangling("\n[a](c.md)\n[b](../../x)\n[c](b.md#gone)\n[d](#gone)"),
            [
                "docs/a.md:2: the link to `c.md` leads nowhere",
                "docs/a.md:3: the link to `../../x` leads nowhere",
                "docs/a.md:4: `docs/b.md` has no heading `#gone`",
                "docs/a.md:5: `docs/a.md` has no heading `#gone`",
            ]
        );
    }

    #[test]
    fn commands_are_the_lines_of_shell_blocks() {
        let page = Page::read(
            "a.md",
            "```sh\n$ tau run\ncargo x\n```\n```text\ntau no\n```\n`tau yes`",
        );
        let lines: Vec<_> = page
            .commands
            .iter()
            .map(|(line, text)| (*line, text.as_str()))
            .collect();
        assert_eq!(lines, [(2, "tau run"), (3, "cargo x")]);
        assert_eq!(page.spans, [(8, "tau yes".to_owned())]);
    }
}
