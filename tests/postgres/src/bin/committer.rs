//! A process of its own, at the store whose address is its first argument.
//!
//! Alone it commits pairs of keys until it is killed, and says so on stdout. With `race COUNT WHO`
//! it tries to be the first to write each of so many keys, and prints how often it was. With
//! `routines SESSION ID UNTIL` it takes what is due of a routine before that time, and prints how many
//! due times it took.

use std::io::Write;
use tau_core::{
    ids::{SessionId, UnixMillis},
    routine::{self, Routine},
    session::{Batch, Range, StoreError},
};
use tau_platform::Storage;
use tau_target_postgres::{Options, Password, PostgresStorage};
use zeroize::Zeroizing;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().ok_or("an address is needed")?;
    let options: Options = address.parse()?;
    let store = PostgresStorage::new(
        options,
        Password::new(|| Ok(std::env::var("PGPASSWORD").ok().map(Zeroizing::new))),
    );
    match &arguments[1..] {
        [race, count, who] if race == "race" => self::race(&store, count.parse()?, who).await,
        [routines, session, id, until] if routines == "routines" => {
            let key = routine::key(&SessionId(session.clone()), id);
            take(&store, &key, UnixMillis(until.parse()?)).await
        }
        _ => commit(&store).await,
    }
}

async fn commit(store: &PostgresStorage) -> Outcome {
    let next = store.scan(Range::prefix("left/", u32::MAX)).await?.len();
    let mut out = std::io::stdout();
    for n in next.. {
        let batch = Batch {
            require_absent: vec![format!("left/{n:010}")],
            put: vec![
                (format!("left/{n:010}"), vec![0x5a; 3_000]),
                (format!("right/{n:010}"), vec![0xa5; 3_000]),
            ],
            delete: Vec::new(),
        };
        store.commit(batch).await?;
        writeln!(out, "committed {n}")?;
        out.flush()?;
    }
    Ok(())
}

async fn race(store: &PostgresStorage, count: u32, who: &str) -> Outcome {
    let mut won = 0;
    for n in 0..count {
        let key = format!("session/s/journal/{n:010}");
        let batch = Batch {
            require_absent: vec![key.clone()],
            put: vec![(key, who.as_bytes().to_vec())],
            delete: Vec::new(),
        };
        match store.commit(batch).await {
            Ok(()) => won += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    writeln!(std::io::stdout(), "{won}")?;
    Ok(())
}

/// Takes due times as a home does that carries out routines.
async fn take(store: &PostgresStorage, key: &str, until: UnixMillis) -> Outcome {
    let mut taken = 0;
    loop {
        let row = store.get(key.into()).await?;
        let routine = row.as_deref().and_then(Routine::read);
        let routine = routine.ok_or("a routine")?;
        let next = routine.next.ok_or("it goes on")?;
        // As if it were that time.
        let Some((moved, run)) = routine.fire(next).filter(|_| next < until) else {
            break;
        };
        match store.commit(moved.begin(&run)).await {
            Ok(()) => taken += 1,
            Err(StoreError::Conflict { .. }) => store.commit(moved.save()).await?,
            Err(error) => return Err(error.into()),
        }
    }
    writeln!(std::io::stdout(), "{taken}")?;
    Ok(())
}
