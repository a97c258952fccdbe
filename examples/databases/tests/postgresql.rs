//! The server with PostgreSQL, under each strategy.
//!
//! `SOCKETSERVER_POSTGRES` names a database, as `host=/run/postgresql user=me dbname=me`. Without it, the tests start
//! the PostgreSQL that is installed, on a Unix socket in a temporary directory. If there is none, they are skipped.

mod support;

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use databases::postgresql;
use postgres::NoTls;
use socketserver::prelude::*;
use socketserver::testing::{TestServer, wait_until};

use support::{Directory, STRATEGIES, check_strategy};

/// A user without privileges. PostgreSQL does not run as root.
const NOBODY: u32 = 65534;

/// A database, and its server if this test has started it.
struct Database {
    parameters: String,
    _server: Option<Server>,
}

struct Server {
    process: Child,
    _directory: Directory,
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-INT", &id]).status(); // a fast shutdown
        let _ = self.process.wait();
    }
}

/// Returns the directory of the programs of PostgreSQL.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.flatten().map(|version| version.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let mut directories = env::split_paths(&path).chain(versions);
    directories.find(|directory| directory.join("initdb").exists())
}

/// Returns a command that runs as a user without privileges, if this test runs as root.
fn unprivileged(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home).env("HOME", home);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

fn start(programs: &Path) -> Database {
    let directory = Directory::new();
    let home = directory.path().to_owned();
    if is_root() {
        chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let data = home.join("data");
    let made = unprivileged(&programs.join("initdb"), &home)
        .args([
            "--username=visits",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--pgdata",
        ])
        .arg(&data)
        .status()
        .unwrap();
    assert!(made.success());
    let process = unprivileged(&programs.join("postgres"), &home)
        .args(["-F", "-c", "listen_addresses=", "-k"])
        .arg(&home)
        .arg("-D")
        .arg(&data)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let database = Database {
        parameters: format!("host={} user=visits dbname=postgres", home.display()),
        _server: Some(Server {
            process,
            _directory: directory,
        }),
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = postgres::Client::connect(&database.parameters, NoTls) {
        assert!(Instant::now() < deadline, "{error}");
        thread::sleep(Duration::from_millis(10));
    }
    database
}

/// Returns a database without the table of the tests; `None` if there is no PostgreSQL.
fn database() -> Option<Database> {
    let database = match (env::var("SOCKETSERVER_POSTGRES"), programs()) {
        (Ok(parameters), _) => Database {
            parameters,
            _server: None,
        },
        (Err(_), Some(programs)) => start(&programs),
        (Err(_), None) => {
            println!("skipped: no PostgreSQL is installed, and SOCKETSERVER_POSTGRES is not set");
            return None;
        }
    };
    Some(database)
}

fn drop_table(database: &Database) {
    let mut client = postgres::Client::connect(&database.parameters, NoTls).unwrap();
    client.batch_execute("DROP TABLE IF EXISTS visits").unwrap();
}

/// One test, because all use one database.
#[test]
fn the_server_uses_postgresql() -> Result {
    let Some(database) = database() else {
        return Ok(());
    };
    for strategy in STRATEGIES {
        drop_table(&database);
        check_strategy(strategy, &database.parameters);
    }
    drop_table(&database);
    more_clients_than_connections_are_served(&database)?;
    a_query_ends_when_its_client_leaves(&database)?;
    a_connection_that_is_lost_is_replaced(&database)
}

fn more_clients_than_connections_are_served(database: &Database) -> Result {
    let config = postgresql::config(&database.parameters)?;
    postgresql::create(&config)?;
    let server = ThreadingTcpServer::bind("127.0.0.1:0", postgresql::pooled(config, 2)?)?;
    let server = TestServer::start(server);
    let mut clients: Vec<_> = (0..10).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send_all("pool\n")?;
    }
    let mut counts = Vec::new();
    for client in &mut clients {
        let line = String::from_utf8(client.readline()?)?;
        counts.push(line.trim().parse::<u32>()?);
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=10).collect::<Vec<_>>());
    Ok(())
}

fn a_query_ends_when_its_client_leaves(database: &Database) -> Result {
    let mut config = postgresql::config(&database.parameters)?;
    config.options(""); // no time limit ends the query
    let server = ThreadingTcpServer::bind("127.0.0.1:0", postgresql::sleep(config))?;
    let server = TestServer::start(server);
    let mut observer = postgres::Client::connect(&database.parameters, NoTls)?;
    let mut running = move || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep($1)' AND state = 'active'";
        observer.query_one(query, &[]).unwrap().get::<_, i64>(0)
    };
    let mut client = server.client();
    client.send_all("0.001\n")?;
    assert_eq!(client.readline()?, b"done\n");
    drop(client);
    let mut client = server.client();
    client.send_all("3600\n")?;
    wait_until("the query runs", || running() == 1);
    drop(client);
    wait_until("the query has ended", || running() == 0);
    wait_until("the request has ended", || server.stats().active == 0);
    Ok(())
}

fn a_connection_that_is_lost_is_replaced(database: &Database) -> Result {
    let mut config = postgresql::config(&database.parameters)?;
    config.application_name("lost");
    let server = ThreadingTcpServer::bind("127.0.0.1:0", postgresql::pooled(config, 1)?)?;
    let server = TestServer::start(server);
    let mut client = server.client();
    client.send_all("lost\n")?;
    assert_eq!(client.readline()?, b"1\n");
    let mut observer = postgres::Client::connect(&database.parameters, NoTls)?;
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'lost'";
    assert!(observer.query_one(end, &[])?.get::<_, bool>(0));
    client.send_all("lost\n")?;
    assert_eq!(client.readline()?, b"2\n");
    Ok(())
}
