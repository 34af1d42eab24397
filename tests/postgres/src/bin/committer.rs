//! The process that is killed: commits pairs of keys to the store at the first argument, and says
//! so on stdout.

use std::io::Write;
use tau_core::session::{Batch, Range};
use tau_platform::Storage;
use tau_target_postgres::{Options, Password, PostgresStorage};
use zeroize::Zeroizing;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("an address is needed")?;
    let options: Options = address.parse()?;
    let store = PostgresStorage::new(
        options,
        Password::new(|| Ok(std::env::var("PGPASSWORD").ok().map(Zeroizing::new))),
    );
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
