//! What `wrangler.toml` and `.dev.vars` say, as far as a Worker without wrangler needs it.

use super::Object;
use anyhow::{Context, Result};
use std::{collections::BTreeMap, fs, path::Path};
use toml::{Table, Value};

/// The Worker's settings.
pub(super) struct Manifest {
    pub(super) compatibility_date: String,
    pub(super) objects: Vec<Object>,
    pub(super) vars: BTreeMap<String, String>,
}

impl Manifest {
    pub(super) fn read(file: &Path) -> Result<Self> {
        let name = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
        Self::parse(&text).with_context(|| format!("{name} is not what is expected"))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let date = table.get("compatibility_date").and_then(Value::as_str);
        let bindings = table
            .get("durable_objects")
            .and_then(|objects| objects.get("bindings")?.as_array());
        let objects = bindings.into_iter().flatten().map(|binding| {
            let text = |key: &str| {
                let value = binding.get(key).and_then(Value::as_str);
                let value = value.with_context(|| format!("a binding without {key}"));
                value.map(str::to_owned)
            };
            Ok(Object {
                binding: text("name")?,
                class: text("class_name")?,
            })
        });
        let vars = table.get("vars").and_then(Value::as_table);
        let vars = vars.into_iter().flatten().map(|(name, value)| {
            let value = value
                .as_str()
                .with_context(|| format!("{name} is no text"))?;
            Ok((name.clone(), value.to_owned()))
        });
        Ok(Self {
            compatibility_date: date.context("no compatibility_date")?.to_owned(),
            objects: objects.collect::<Result<_>>()?,
            vars: vars.collect::<Result<_>>()?,
        })
    }
}

/// The pairs in lines of `NAME=VALUE`, the value in quotes or not, `#` before a comment.
pub(super) fn dotenv(text: &str) -> Result<Vec<(String, String)>> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| {
            let (name, value) = line
                .split_once('=')
                .with_context(|| format!("line {} is not NAME=VALUE", index + 1))?;
            let value = value.trim();
            let quoted = ['"', '\''].into_iter().find_map(|quote| {
                value
                    .strip_prefix(quote)
                    .and_then(|rest| rest.strip_suffix(quote))
            });
            let value = quoted.unwrap_or(value);
            Ok((name.trim().to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deployed_can_also_be_served_here() {
        let file = crate::workspace::root().join("wrangler.toml");
        let manifest = Manifest::read(&file).unwrap();
        let classes: Vec<_> = manifest.objects.iter().map(|o| o.class.as_str()).collect();
        assert_eq!(classes, ["SessionObject", "Directory"]);
        assert!(manifest.vars.contains_key("TAU_MODEL"));
    }

    #[test]
    fn a_binding_without_a_class_is_an_error() {
        let text =
            "compatibility_date = \"2026-11-01\"\n[[durable_objects.bindings]]\nname = \"A\"";
        let error = Manifest::parse(text).err().unwrap();
        assert_eq!(error.to_string(), "a binding without class_name");
    }

    #[test]
    fn secrets_are_read_with_and_without_quotes() {
        let text = "# who\nTAU_TOKENS='{\"a\": \"b\"}'\n\nTAU_API_KEY = key=1\nA=\"x\"\n";
        let pairs = dotenv(text).unwrap();
        let expected = [
            ("TAU_TOKENS", "{\"a\": \"b\"}"),
            ("TAU_API_KEY", "key=1"),
            ("A", "x"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected);
        assert!(dotenv("\nnothing").is_err());
    }
}
