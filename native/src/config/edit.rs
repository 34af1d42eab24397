//! Changing one value of the profile, with comments and order left as they are.

use std::{fs, io, path::Path};
use tau_target_native::tools::written_by_tau;
use toml_edit::{DocumentMut, Item, Table, Value};

use super::parse;
use crate::{exit::Error, home::Home, replace::replace};

/// Sets the dotted `key` of the profile to `value`, written as in TOML; what is not TOML is text.
/// `None` takes the key out. The file is changed only if the profile is still sound.
pub(crate) fn set(home: &Home, changes: &[(&str, Option<&str>)]) -> Result<(), Error> {
    home.make()?;
    let file = home.config_file();
    let name = file.display().to_string();
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::config(format!("{name} cannot be read")).cause(error)),
    };
    let changed = change(&text, &name, changes)?;
    write(&file, &changed)
        .map_err(|error| Error::config(format!("{name} cannot be written")).cause(error))
}

fn change(text: &str, name: &str, changes: &[(&str, Option<&str>)]) -> Result<String, Error> {
    let mut document: DocumentMut = match text.parse() {
        Ok(document) => document,
        // Told with its line.
        Err(_) => return parse(text, name).map(|_| text.to_owned()),
    };
    for (key, value) in changes {
        put(document.as_table_mut(), key, *value)?;
    }
    let changed = document.to_string();
    parse(&changed, name).map_err(|error| Error {
        message: format!("not changed: {}", error.message),
        ..error
    })?;
    Ok(changed)
}

fn put(table: &mut Table, key: &str, value: Option<&str>) -> Result<(), Error> {
    let wrong = || Error::usage(format!("{key:?} is not a key: write it as provider.model"));
    let (path, last) = match key.rsplit_once('.') {
        Some((path, last)) => (path.split('.').collect(), last),
        None => (Vec::new(), key),
    };
    if last.is_empty() || path.iter().any(|part: &&str| part.is_empty()) {
        return Err(wrong());
    }
    let mut table: &mut dyn toml_edit::TableLike = table;
    for part in path {
        let item = table.entry(part).or_insert_with(|| {
            let mut fresh = Table::new();
            fresh.set_implicit(true);
            Item::Table(fresh)
        });
        if let Some(enabled) = item.as_bool() {
            // A switch that more is set of now.
            let mut fresh = Table::new();
            fresh.insert("enabled", Item::Value(enabled.into()));
            *item = Item::Table(fresh);
        }
        table = item.as_table_like_mut().ok_or_else(wrong)?;
    }
    let Some(value) = value else {
        table.remove(last);
        return Ok(());
    };
    let value: Value = value.parse().unwrap_or_else(|_| Value::from(value));
    match table.get_mut(last).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(last, Item::Value(value));
        }
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    replace(file, text.as_bytes())?;
    // A command of the agent's may be running: this is not its doing.
    written_by_tau(file, text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, key: &str, value: &str) -> Result<String, String> {
        change(text, "config.toml", &[(key, Some(value))]).map_err(|error| error.message)
    }

    #[test]
    fn comments_stay() {
        let text = "# mine\n[provider]\nmodel = \"a\" # good\napi = \"openai\"\n";
        assert_eq!(
            changed(text, "provider.model", "b").unwrap(),
            "# mine\n[provider]\nmodel = \"b\" # good\napi = \"openai\"\n"
        );
    }

    #[test]
    fn values_keep_their_types() {
        assert_eq!(
            changed("", "budgets.steps", "4").unwrap(),
            "[budgets]\nsteps = 4\n"
        );
        assert_eq!(
            changed("", "policy.tools.shell", "allow").unwrap(),
            "[policy.tools]\nshell = \"allow\"\n"
        );
        assert_eq!(
            changed("", "compaction", "false").unwrap(),
            "compaction = false\n"
        );
    }

    #[test]
    fn a_switch_becomes_the_table_it_is_short_for() {
        let text = "memory = false\n[provider]\nmodel = \"a\"\n";
        let changed = changed(text, "memory.embeddings", "off").unwrap();
        let memory = parse(&changed, "changed").unwrap().memory;
        assert!(!memory.enabled && memory.embeddings == super::super::Embeddings::Off);
        let back = change(&changed, "p", &[("memory.embeddings", None)]).unwrap();
        assert!(!parse(&back, "back").unwrap().memory.enabled, "{back}");
    }

    #[test]
    fn a_profile_that_would_break_is_not_written() {
        assert!(
            changed("", "provider.modle", "b")
                .unwrap_err()
                .contains("unknown field `modle`")
        );
        assert!(
            changed("", "budgets.steps", "many")
                .unwrap_err()
                .starts_with("not changed")
        );
        assert!(changed("compaction = true", "compaction.x", "1").is_err());
        assert!(changed("", "provider..model", "1").is_err());
    }
}
