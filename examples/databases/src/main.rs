//! Counts visits in SQLite or PostgreSQL, under the strategy that the command line names.
//!
//! ```text
//! $ cargo run -- threading visits.db
//! listening on 127.0.0.1:9999
//! ```
//!
//! In another terminal:
//!
//! ```text
//! $ printf 'Ada\nAda\n' | nc -N 127.0.0.1 9999
//! 1
//! 2
//! ```

use std::path::Path;

use databases::{postgresql, sqlite};
use socketserver::prelude::*;

const USAGE: &str = "usage: visits STRATEGY DATABASE [ADDRESS]
STRATEGY is sequential, threading, thread-pool, forking or coroutines.
DATABASE is a file, or postgresql://user@host/name, or host=.. user=.. dbname=..";

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (strategy, database, address) = match &arguments[..] {
        [strategy, database] => (strategy, database, "127.0.0.1:9999"),
        [strategy, database, address] => (strategy, database, &**address),
        _ => return Err(USAGE.into()),
    };
    if database.starts_with("postgresql://") || database.starts_with("host=") {
        let config = postgresql::config(database)?;
        postgresql::create(&config)?;
        match &**strategy {
            "sequential" => serve(address, postgresql::pooled(config, 1)?, Sequential),
            "threading" => serve(address, postgresql::pooled(config, 8)?, Threading::new()),
            "thread-pool" => serve(address, postgresql::pooled(config, 8)?, ThreadPool::new(8)),
            "forking" => serve(
                address,
                postgresql::connection_of_request(config),
                Forking::new(),
            ),
            "coroutines" => serve(address, postgresql::pooled(config, 8)?, Coroutines::new()),
            _ => Err(USAGE.into()),
        }
    } else {
        let path = Path::new(database);
        sqlite::create(path)?;
        let path = path.to_owned();
        match &**strategy {
            "sequential" => serve(address, sqlite::one_connection(&path)?, Sequential),
            "threading" => serve(
                address,
                sqlite::connection_of_thread(path),
                Threading::new(),
            ),
            "thread-pool" => serve(
                address,
                sqlite::connection_of_thread(path),
                ThreadPool::new(8),
            ),
            "forking" => serve(address, sqlite::connection_of_request(path), Forking::new()),
            "coroutines" => serve(
                address,
                sqlite::connection_of_thread(path),
                Coroutines::new(),
            ),
            _ => Err(USAGE.into()),
        }
    }
}

/// Serves until Ctrl-C or SIGTERM.
fn serve<S: Service<TcpRequest>>(address: &str, service: S, strategy: impl Strategy) -> Result {
    let server = TcpServer::bind(address, service)?.strategy(strategy);
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
