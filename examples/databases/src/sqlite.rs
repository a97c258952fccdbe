//! Visits in a file of SQLite.

// region: sqlite-open
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use socketserver::blocking;
use socketserver::prelude::*;

/// Makes the database if there is none. Called once, before the server serves.
pub fn create(path: &Path) -> Result {
    let database = open(path)?;
    database.pragma_update(None, "journal_mode", "WAL")?; // reads do not wait for a write
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS visits (name TEXT PRIMARY KEY, count INTEGER NOT NULL)",
    )?;
    Ok(())
}

/// Opens the database.
pub fn open(path: &Path) -> Result<Connection> {
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::from_secs(5))?; // limit of the wait for other writes
    Ok(database)
}

/// Counts a visit, and returns the number of visits.
fn count_visit(database: &Connection, name: &str) -> Result<i64> {
    let mut statement = database.prepare_cached(
        "INSERT INTO visits VALUES (?1, 1)
         ON CONFLICT (name) DO UPDATE SET count = count + 1 RETURNING count",
    )?;
    Ok(statement.query_row([name], |row| row.get(0))?)
}
// endregion

// region: sqlite-one
/// One connection for all clients, which use it one after the other.
pub fn one_connection(path: &Path) -> Result<impl Service<TcpRequest> + use<>> {
    let database = Mutex::new(open(path)?);
    Ok(handler_fn(move |request: &mut TcpRequest| {
        while let Some(name) = request.next_text_line(100)? {
            let visits = count_visit(&database.lock().unwrap(), &name)?; // the lock ends with this line
            writeln!(request, "{visits}")?;
        }
        Ok(())
    }))
}
// endregion

// region: sqlite-each-thread
thread_local! {
    static DATABASE: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Calls `work` with the connection of this thread. Opens the connection first if there is none.
fn with_database<T>(path: &Path, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    DATABASE.with_borrow_mut(|database| {
        let database = match database {
            Some(database) => database,
            None => database.insert(open(path)?),
        };
        work(database)
    })
}

/// A connection for each thread that calls the database.
pub fn connection_of_thread(path: PathBuf) -> impl Service<TcpRequest> {
    handler_fn(move |request: &mut TcpRequest| {
        while let Some(name) = request.next_text_line(100)? {
            let visits =
                blocking(|| with_database(&path, |database| count_visit(database, &name)))?;
            writeln!(request, "{visits}")?;
        }
        Ok(())
    })
}
// endregion

// region: sqlite-each-request
/// A connection for each request.
pub fn connection_of_request(path: PathBuf) -> impl Service<TcpRequest> {
    handler_fn(move |request: &mut TcpRequest| {
        let database = open(&path)?;
        while let Some(name) = request.next_text_line(100)? {
            let visits = count_visit(&database, &name)?;
            writeln!(request, "{visits}")?;
        }
        Ok(())
    })
}
// endregion

// region: sqlite-interrupt
/// A slow query: counts up to the number that the client sends. The query ends early if the client leaves.
pub fn count_up(path: PathBuf) -> impl Service<TcpRequest> {
    handler_fn(move |request: &mut TcpRequest| {
        let line = request.next_text_line(100)?.unwrap_or_default();
        let last: i64 = line.parse()?;
        let mut database = open(&path)?;
        let client_left = Arc::new(AtomicBool::new(false));
        let is_cancelled = Arc::clone(&client_left);
        database.progress_handler(10_000, Some(move || is_cancelled.load(Ordering::Relaxed)));
        let database = &mut database; // moves into the closure: a connection is not `Sync`
        let count: Result<i64, _> = request.while_connected(
            move || {
                database.query_row(
                    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT ?1)
                     SELECT count(*) FROM numbers",
                    [last],
                    |row| row.get(0),
                )
            },
            || client_left.store(true, Ordering::Relaxed),
        );
        if request.is_client_gone() {
            return Ok(()); // no client waits for the number, or for the error of the interrupted query
        }
        Ok(writeln!(request, "{}", count?)?)
    })
}
// endregion
