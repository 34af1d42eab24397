//! Where in the profile a value stands: what errors and `tau policy show` name it by.

use toml_edit::{Document, TableLike};

/// The line of `key`, such as `policy.paths.protect[1]`, counted from 1. Where only the beginning
/// of it is there, the line of that; nothing where not even that is.
pub(crate) fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = Document::parse(text).ok()?;
    let mut table: Option<&dyn TableLike> = Some(document.as_table());
    let mut span = None;
    for part in key.split('.') {
        let (name, index) = match part.split_once('[') {
            Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((key, item)) = table.and_then(|table| table.get_key_value(name)) else {
            break;
        };
        span = key.span().or(item.span()).or(span);
        table = item.as_table_like();
        let Some(index) = index else {
            continue;
        };
        if let Some(value) = item.as_array().and_then(|array| array.get(index)) {
            span = value.span().or(span);
            table = value.as_inline_table().map(|table| table as &dyn TableLike);
        } else if let Some(one) = item
            .as_array_of_tables()
            .and_then(|tables| tables.get(index))
        {
            span = one.span().or(span);
            table = Some(one);
        }
    }
    Some(text.get(..span?.start)?.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn values_are_found_however_they_are_written() {
        let text = "\
compaction = true
[policy]
preset = \"strict\"
http = { timeout_ms = 5 }
[policy.commands]
allow = [
  \"ls\",
  \"cat *\",
]
[policy.tools]
shell = \"ask\"

[[policy.screen.rules]]
family = \"a\"
[[policy.screen.rules]]
family = \"b\"
pattern = \"(\"
";
        for (key, line) in [
            ("compaction", Some(1)),
            ("policy.preset", Some(3)),
            ("policy.http.timeout_ms", Some(4)),
            ("policy.commands.allow", Some(6)),
            ("policy.commands.allow[0]", Some(7)),
            ("policy.commands.allow[1]", Some(8)),
            ("policy.tools.shell", Some(11)),
            ("policy.screen.rules[0]", Some(13)),
            ("policy.screen.rules[1]", Some(15)),
            ("policy.screen.rules[1].pattern", Some(17)),
            ("provider", None),
        ] {
            assert_eq!(line_of(text, key), line, "{key}");
        }
        assert_eq!(line_of("a = ", "a"), None);
    }
}
