//! The title of a page of example.com. Asks for requests to that host, which Tau sends and decides
//! about.

use serde::{Deserialize, Serialize};
use std::process::ExitCode;

#[derive(Deserialize)]
struct Arguments {
    url: String,
}

#[derive(Serialize)]
struct Answer {
    title: String,
}

fn main() -> ExitCode {
    tau_tool::run(|Arguments { url }| {
        let page = tau_tool::http::get(&url)?;
        // Tau gives HTML as readable text, which begins with its title.
        let title = page.body.lines().next().unwrap_or_default().to_owned();
        Ok(Answer { title })
    })
}
