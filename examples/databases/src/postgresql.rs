//! Visits in a PostgreSQL database.

// region: postgresql-connect
use std::time::Duration;

use postgres::{Client, Config, NoTls};
use r2d2::Pool;
use r2d2_postgres::PostgresConnectionManager;
use socketserver::blocking;
use socketserver::prelude::*;

/// Makes the table if there is none. Called once, before the server serves.
pub fn create(config: &Config) -> Result {
    let mut database = config.connect(NoTls)?;
    database.batch_execute(
        "CREATE TABLE IF NOT EXISTS visits (name TEXT PRIMARY KEY, count BIGINT NOT NULL)",
    )?;
    Ok(())
}

/// Reads `host=/run/postgresql user=me dbname=me`, or `postgresql://me@host/me`, and sets time limits.
pub fn config(parameters: &str) -> Result<Config> {
    let mut config: Config = parameters.parse()?;
    config.connect_timeout(Duration::from_secs(5));
    config.options("-c statement_timeout=10s");
    Ok(config)
}

/// Counts a visit, and returns the number of visits.
fn count_visit(database: &mut Client, name: &str) -> Result<i64> {
    let row = database.query_one(
        "INSERT INTO visits VALUES ($1, 1)
         ON CONFLICT (name) DO UPDATE SET count = visits.count + 1 RETURNING count",
        &[&name],
    )?;
    Ok(row.get(0))
}
// endregion

// region: postgresql-pool
/// At most `connections` connections, which the requests of all clients share.
pub fn pooled(config: Config, connections: u32) -> Result<impl Service<TcpRequest>> {
    let manager = PostgresConnectionManager::new(config, NoTls);
    let pool = Pool::builder()
        .max_size(connections)
        .connection_timeout(Duration::from_secs(5)) // limit of the wait in `get`
        .build(manager)?;
    Ok(handler_fn(move |request: &mut TcpRequest| {
        while let Some(name) = request.next_text_line(100)? {
            let visits = blocking(|| count_visit(&mut *pool.get()?, &name))?;
            writeln!(request, "{visits}")?;
        }
        Ok(())
    }))
}
// endregion

// region: postgresql-each-request
/// A connection for each request.
pub fn connection_of_request(config: Config) -> impl Service<TcpRequest> {
    handler_fn(move |request: &mut TcpRequest| {
        let mut database = config.connect(NoTls)?;
        while let Some(name) = request.next_text_line(100)? {
            let visits = count_visit(&mut database, &name)?;
            writeln!(request, "{visits}")?;
        }
        Ok(())
    })
}
// endregion

// region: postgresql-cancel
/// A slow query: lasts as many seconds as the client sends. The query ends early if the client leaves.
pub fn sleep(config: Config) -> impl Service<TcpRequest> {
    handler_fn(move |request: &mut TcpRequest| {
        let line = request.next_text_line(100)?.unwrap_or_default();
        let seconds: f64 = line.parse()?;
        let mut database = config.connect(NoTls)?;
        let cancel = database.cancel_token();
        let slept = request.while_connected(
            || database.execute("SELECT pg_sleep($1)", &[&seconds]),
            || drop(cancel.cancel_query(NoTls)), // asks PostgreSQL to end the query
        );
        if request.is_client_gone() {
            return Ok(()); // no client waits for the answer, or for the error of the cancelled query
        }
        slept?;
        Ok(request.send_all("done\n")?)
    })
}
// endregion
