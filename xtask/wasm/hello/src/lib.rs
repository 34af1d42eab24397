//! A Worker that does nothing but greet, from a Durable Object that counts in its SQL store and
//! streams its answer: the least that has the parts of Tau's Worker. `cargo xtask size` builds it
//! the same way and prints both.

#![expect(
    missing_docs,
    reason = "the functions that the macros add have no documentation"
)]

use futures_util::stream;
use worker::{
    Context, DurableObject, Env, Request, Response, Result, SqlStorage, State, durable_object,
    event,
};

/// Passes every request to the one object.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let stub = env.durable_object("GREETER")?.get_by_name("greeter")?;
    stub.fetch_with_request(request).await
}

/// Greets and counts.
#[durable_object(fetch)]
pub struct Greeter {
    sql: SqlStorage,
}

impl DurableObject for Greeter {
    fn new(state: State, _env: Env) -> Self {
        Self {
            sql: state.storage().sql(),
        }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        self.sql.exec(
            "CREATE TABLE IF NOT EXISTS greetings (id INTEGER PRIMARY KEY)",
            None,
        )?;
        self.sql
            .exec("INSERT INTO greetings DEFAULT VALUES", None)?;
        let pieces = ["Hello, ", "world!\n"].map(|piece| Ok::<_, worker::Error>(piece.as_bytes()));
        Response::from_stream(stream::iter(pieces))
    }
}
