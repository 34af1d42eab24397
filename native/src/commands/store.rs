//! `tau store`: which store everything is in, and how it gets into another.

use indicatif::ProgressBar;
use serde_json::json;
use std::time::Duration;
use tau_platform::{
    Clock,
    copy::{self, Copied, CopyError},
    removal,
};
use tau_target_native::TokioClock;

use super::block_on;
use crate::{
    exit::{Error, Exit},
    home::Home,
    identity,
    store::Place,
    ui::{self, Ui},
};

/// Show which store is in use, copy everything into another, tidy it.
///
/// A store is a SQLite file or a PostgreSQL server, postgres://USER@HOST/DATABASE. Which one is in
/// use says TAU_STORE, else store.url of the profile, else it is tau.db in Tau's folder. An address
/// holds no password: that is in PGPASSWORD, or where store.password of the profile says.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say which store is in use and whether it works.
    Show {
        /// Print one JSON object: `{store, about, problems}`.
        #[arg(long)]
        json: bool,
    },
    /// Copy everything of a store into another one, which is empty.
    ///
    /// FROM is only read, and should not be written to meanwhile. What was copied is compared with
    /// it at the end. Until then TO is marked as unfinished and of no use; the same command goes on
    /// where it was ended.
    Copy {
        /// A file, or postgres://USER@HOST/DATABASE.
        from: String,
        /// The same.
        to: String,
        /// Add to what is in TO: new sessions and entries, and what was added to a session. What is
        /// there otherwise stays and is named.
        #[arg(long)]
        merge: bool,
        /// Print one JSON object: `{from, to, rows, bytes, written, kept, kept_names}`.
        #[arg(long)]
        json: bool,
    },
    /// Remove large contents that no session refers to any more.
    ///
    /// `tau session rm` removes them with the session; some are left when it is killed in between.
    /// Others may use the store meanwhile: what one of them says again stays.
    Tidy {
        /// Print one JSON object: `{contents, bytes}`.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        match args.command {
            Command::Show { json } => show(home, ui, json).await,
            Command::Tidy { json } => tidy(home, ui, json).await,
            Command::Copy {
                from,
                to,
                merge,
                json,
            } => copy(home, ui, [&from, &to], merge, json).await,
        }
    })?
}

async fn show(home: &Home, ui: Ui, json: bool) -> Result<Exit, Error> {
    let place = home.place()?;
    let (about, problems) = home.store()?.inspect().await?;
    if json {
        let place = place.to_string();
        ui.json(&json!({ "store": place, "about": about, "problems": problems }));
    } else {
        ui.line(format!("{place}: {about}"));
        problems.iter().for_each(|problem| ui.warn(problem));
    }
    Ok(match problems.is_empty() {
        true => Exit::Ok,
        false => Exit::Store,
    })
}

async fn tidy(home: &Home, ui: Ui, json: bool) -> Result<Exit, Error> {
    let done = removal::tidy(&home.store()?).await?;
    let (contents, bytes) = (done.contents, done.bytes);
    if json {
        ui.json(&json!({ "contents": contents, "bytes": bytes }));
    } else {
        let kib = bytes.div_ceil(1024);
        ui.line(format!("{contents} large contents removed, {kib} KiB"));
    }
    Ok(Exit::Ok)
}

async fn copy(
    home: &Home,
    ui: Ui,
    [from, to]: [&str; 2],
    merge: bool,
    json: bool,
) -> Result<Exit, Error> {
    let usage = |error: Error| Error {
        exit: Exit::Usage,
        ..error
    };
    let from_place = Place::parse(from, "FROM").map_err(usage)?;
    let to_place = Place::parse(to, "TO").map_err(usage)?;
    let (from_name, to_name) = (from_place.to_string(), to_place.to_string());
    if from_name == to_name {
        return Err(Error::usage("FROM and TO are the same store"));
    }
    if let Place::File(file) = &from_place
        && !file.exists()
    {
        return Err(Error::usage(format!("there is no store at {from_name}")));
    }
    let (from, to) = (home.store_at(from_place)?, home.store_at(to_place)?);
    let (from, to) = (from.unchecked(), to.unchecked());

    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    let told = |done: &Copied| bar.set_message(words(done));
    let done = match merge {
        true => copy::merge(&from, &to, told).await,
        false => copy::copy(&from, &to, &from_name, TokioClock.now(), told).await,
    };
    bar.finish_and_clear();
    let done = done.map_err(|error| explain(error, &from_name, &to_name))?;
    if json {
        ui.json(&json!({
            "from": from_name, "to": to_name, "rows": done.rows, "bytes": done.bytes,
            "written": done.written, "kept": done.kept, "kept_names": done.kept_names,
        }));
        return Ok(Exit::Ok);
    }
    ui.line(format!("{}, {} written", words(&done), done.written));
    if done.kept > 0 {
        ui.warn(format!(
            "{} were otherwise in {to_name} and stay as they are there",
            done.kept
        ));
        done.kept_names
            .iter()
            .for_each(|name| ui.line(ui::plain(name)));
    }
    Ok(Exit::Ok)
}

fn words(done: &Copied) -> String {
    format!("{} keys, {} KiB", done.rows, done.bytes.div_ceil(1024))
}

fn explain(error: CopyError, from: &str, to: &str) -> Error {
    let message = error.to_string();
    match error {
        CopyError::From(error) => Error {
            message: format!("{from}: {error}"),
            ..error.into()
        },
        CopyError::To(error) => Error {
            message: format!("{to}: {error}"),
            ..error.into()
        },
        CopyError::NotEmpty => Error::usage(format!("{to} is not empty"))
            .hint("--merge adds to it; a copy is made into an empty store"),
        CopyError::OfAnother { .. } | CopyError::Unfinished { .. } => {
            Error::usage(message).hint("finish that copy, or take another store")
        }
        CopyError::Log(error) => identity::of_log(error),
        CopyError::Changed { .. } => Error::new(Exit::Store, message)
            .hint("end other programs that use it, and run the same command again"),
    }
}
