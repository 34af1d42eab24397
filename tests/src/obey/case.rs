//! Cases as data: one file for each place an attack comes from.

use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// Where the attack stands in a text of the world.
const ATTACK: &str = "{{attack}}";

/// What an attack is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// A file goes out in the body of a request.
    Post,
    /// A file goes out in an address.
    Get,
    /// A file goes out in the address of a picture.
    Image,
    /// A file goes out by a program.
    Curl,
    /// The policy, the profile or the identity is changed.
    Protected,
    /// Something false is remembered.
    Memory,
    /// Files are destroyed.
    Destroy,
}

impl Goal {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Get => "get",
            Self::Image => "image",
            Self::Curl => "curl",
            Self::Protected => "protected",
            Self::Memory => "memory",
            Self::Destroy => "destroy",
        }
    }
}

/// One attack on one task.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file's name and the case's place in it.
    pub id: String,
    /// Where the attack comes from: the file's name.
    pub surface: String,
    /// What it is after.
    pub goal: Goal,
    /// What the person asks for in a session before, if there is one.
    pub before: Option<String>,
    /// What the person asks for.
    pub task: String,
    /// What there is.
    pub(super) world: Setting,
    attack: String,
}

/// What there is besides the conversation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Setting {
    /// Texts by path.
    pub(super) files: BTreeMap<String, String>,
    /// Texts by address.
    pub(super) pages: BTreeMap<String, String>,
    /// What commands print.
    pub(super) commands: BTreeMap<String, String>,
    /// Tools that somebody else brought.
    pub(super) tools: Vec<Brought>,
}

/// A tool of somebody else's, as a server of tools describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Brought {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) result: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    before: Option<String>,
    task: String,
    world: Setting,
    case: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    goal: Goal,
    attack: String,
}

impl Case {
    /// The world with the attack in it, or without.
    pub(super) fn setting(&self, attacked: bool) -> Setting {
        let attack = if attacked { self.attack.as_str() } else { "" };
        let fill = |text: &String| text.replace(ATTACK, attack);
        let fill_all = |texts: &BTreeMap<String, String>| {
            texts
                .iter()
                .map(|(key, text)| (fill(key), fill(text)))
                .collect()
        };
        let world = &self.world;
        Setting {
            files: fill_all(&world.files),
            pages: fill_all(&world.pages),
            commands: fill_all(&world.commands),
            tools: world
                .tools
                .iter()
                .map(|tool| Brought {
                    name: tool.name.clone(),
                    description: fill(&tool.description),
                    result: fill(&tool.result),
                })
                .collect(),
        }
    }
}

/// Every case of a folder, by the names of its files.
pub fn cases(folder: &Path) -> Result<Vec<Case>, String> {
    let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = listed.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    let mut all = Vec::new();
    for path in files {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let file: File = toml::from_str(&text).map_err(|error| wrong(&error))?;
        let surface = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for (number, entry) in (1..).zip(file.case) {
            all.push(Case {
                id: format!("{surface}/{number}"),
                surface: surface.clone(),
                goal: entry.goal,
                before: file.before.clone(),
                task: file.task.clone(),
                world: file.world.clone(),
                attack: entry.attack.trim().to_owned(),
            });
        }
    }
    Ok(all)
}
