//! What the modules for workerd and the page weigh, beside a Worker that only greets.
//!
//! A module is weighed with the JavaScript that loads it: both are fetched before the first word.

use crate::{
    tools::toolchain::Toolchain,
    wasm::{
        self, Part,
        finish::Size,
        module::{Module, Profile, Runtime, Speed},
    },
    workspace,
};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::fs;

/// The core with its provider formats behind a plain interface.
const CORE: Module = Module {
    package: "tau-size-core",
    features: &[],
    runtime: Runtime::Page,
    output: "build/size/core",
    name: "core",
    files: &[],
    speed: Speed::Small,
};

/// What Tau is compared with: a Worker with a Durable Object, built the same way.
pub(super) const HELLO: Module = Module {
    package: "tau-size-hello",
    features: &[],
    runtime: Runtime::Worker,
    output: "build/size/hello",
    name: "index",
    files: &["xtask/wasm/hello/shim.mjs"],
    speed: Speed::Small,
};

/// What each weighs.
pub(super) struct Modules {
    hello: Size,
    tau: Vec<Weighed>,
}

/// Something of Tau's.
struct Weighed {
    name: &'static str,
    key: &'static str,
    size: Size,
    aim_gzip_bytes: Option<u64>,
}

impl Modules {
    /// Builds all of them and weighs them.
    pub(super) fn measure() -> Result<Self> {
        let toolchain = Toolchain::need()?;
        let weigh = |module: &Module| weigh(module, &toolchain);
        let shipped = |part: Part, number: usize| {
            let mut modules = wasm::modules(part);
            weigh(modules.nth(number).context("no module of this part")?)
        };
        let entry = |name, key, size, aim_kilobytes: Option<u64>| Weighed {
            name,
            key,
            size,
            aim_gzip_bytes: aim_kilobytes.map(|kilobytes| kilobytes * 1000),
        };
        Ok(Self {
            hello: weigh(&HELLO)?,
            tau: vec![
                entry("core alone", "core", weigh(&CORE)?, Some(120)),
                entry("Worker", "worker", shipped(Part::Worker, 0)?, Some(350)),
                entry("page", "page", shipped(Part::Browser, 0)?, Some(450)),
                entry(
                    "page, with agents",
                    "page_agents",
                    shipped(Part::Browser, 1)?,
                    None,
                ),
                entry("page's model", "model", shipped(Part::Model, 0)?, None),
            ],
        })
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let size = |size: &Size| {
            json!({
                "raw_bytes": size.raw_bytes,
                "gzip_bytes": size.gzip_bytes,
                "gzip_of_hello": (self.ratio(size) * 100.0).round() / 100.0,
            })
        };
        let tau = self.tau.iter().map(|weighed| (weighed.key, &weighed.size));
        let all = tau.chain([("hello", &self.hello)]);
        let all: Map<_, _> = all.map(|(key, of)| (key.to_owned(), size(of))).collect();
        super::fields(json!({ "modules": all }))
    }

    pub(super) fn print(&self) {
        println!("greeting Worker   {}", self.hello);
        for weighed in &self.tau {
            let ratio = self.ratio(&weighed.size);
            let aim = weighed.aim_gzip_bytes.map_or_else(String::new, |aim| {
                let verdict = match weighed.size.gzip_bytes <= aim {
                    true => "kept",
                    false => "MISSED",
                };
                format!(", aim {} KB gzip {verdict}", aim / 1000)
            });
            println!(
                "{:<17} {}, {ratio:.1} times the greeting one{aim}",
                weighed.name, weighed.size
            );
        }
    }

    fn ratio(&self, size: &Size) -> f64 {
        // Sizes of modules are far below where a double loses a byte.
        size.gzip_bytes as f64 / self.hello.gzip_bytes as f64
    }
}

/// The module with the JavaScript that loads it.
fn weigh(module: &Module, toolchain: &Toolchain) -> Result<Size> {
    let mut size = module.build(toolchain, Profile::Shipped)?;
    let directory = workspace::root().join(module.output);
    let mut scripts = vec![format!("{}.js", module.name)];
    if module.runtime == Runtime::Worker {
        scripts.push("shim.mjs".to_owned());
    }
    for script in scripts {
        let file = directory.join(&script);
        let bytes = fs::read(&file).with_context(|| format!("no {}", file.display()))?;
        let of_script = Size::of(&bytes)?;
        size.raw_bytes += of_script.raw_bytes;
        size.gzip_bytes += of_script.gzip_bytes;
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_beside_the_worker_that_greets() {
        let size = |gzip_bytes| Size {
            raw_bytes: gzip_bytes * 3,
            gzip_bytes,
        };
        let modules = Modules {
            hello: size(40_000),
            tau: vec![Weighed {
                name: "core alone",
                key: "core",
                size: size(100_000),
                aim_gzip_bytes: Some(120_000),
            }],
        };
        let json = modules.json();
        assert_eq!(json["modules"]["core"]["gzip_of_hello"], 2.5);
        assert_eq!(json["modules"]["hello"]["raw_bytes"], 120_000);
    }
}
