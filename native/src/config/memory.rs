//! What the profile says of memory: `memory = false`, or a table with more to set.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

/// Estimated tokens recalled at the beginning of a turn where nothing else is set.
const RECALL_TOKENS: u32 = 300;

/// What the profile says of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Whether the agent is offered its memory tools.
    pub(crate) enabled: bool,
    /// Estimated tokens of what is recalled at the beginning of a turn; 0 recalls nothing.
    pub(crate) recall_tokens: u32,
}

/// As a table.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    enabled: bool,
    recall_tokens: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self::of(true)
    }
}

impl Default for Table {
    fn default() -> Self {
        let Memory {
            enabled,
            recall_tokens,
        } = Memory::default();
        Self {
            enabled,
            recall_tokens,
        }
    }
}

impl Memory {
    fn of(enabled: bool) -> Self {
        Self {
            enabled,
            recall_tokens: RECALL_TOKENS,
        }
    }
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::of(self.enabled) {
            return serializer.serialize_bool(self.enabled);
        }
        Table {
            enabled: self.enabled,
            recall_tokens: self.recall_tokens,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Memory;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a table")
            }

            fn visit_bool<E>(self, enabled: bool) -> Result<Memory, E> {
                Ok(Memory::of(enabled))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Memory, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Memory {
                    enabled: table.enabled,
                    recall_tokens: table.recall_tokens,
                })
            }
        }

        deserializer.deserialize_any(Written)
    }
}
