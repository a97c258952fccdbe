//! The server with SQLite, under each strategy.

mod support;

use databases::sqlite;
use socketserver::prelude::*;
use socketserver::testing::{TestServer, converse, wait_until};

use support::{Directory, Program, STRATEGIES, check_strategy};

#[test]
fn visits_are_counted_under_each_strategy() {
    for strategy in STRATEGIES {
        let directory = Directory::new();
        let file = directory.path().join("visits.db");
        check_strategy(strategy, file.to_str().unwrap());
    }
}

// region: test
#[test]
fn visits_are_counted_in_a_new_file() -> Result {
    let directory = Directory::new(); // is removed at the end
    let file = directory.path().join("visits.db");
    sqlite::create(&file)?;
    assert_eq!(
        converse(sqlite::one_connection(&file)?, "Ada\nBob\nAda")?,
        b"1\n1\n2\n"
    );
    assert_eq!(
        converse(sqlite::connection_of_thread(file), "Ada\n")?,
        b"3\n"
    );
    Ok(())
}
// endregion

#[test]
fn a_query_ends_when_its_client_leaves() -> Result {
    let directory = Directory::new();
    let file = directory.path().join("visits.db");
    sqlite::create(&file)?;
    let server = ThreadingTcpServer::bind("127.0.0.1:0", sqlite::count_up(file))?;
    let server = TestServer::start(server);
    let mut client = server.client();
    client.send_all("1000\n")?;
    assert_eq!(client.readline()?, b"1000\n");
    drop(client);
    let mut client = server.client();
    client.send_all(format!("{}\n", i64::MAX))?;
    wait_until("the query runs", || {
        server
            .handle()
            .requests()
            .iter()
            .any(|request| request.bytes_received() > 0)
    });
    drop(client);
    wait_until("the query has ended", || server.stats().active == 0);
    Ok(())
}

#[test]
fn a_database_that_cannot_be_opened_is_reported() {
    let missing = "/there/is/no/such/directory/visits.db";
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_visits"))
        .args(["threading", missing, "127.0.0.1:0"])
        .output()
        .unwrap();
    let error = String::from_utf8(program.stderr).unwrap();
    assert!(error.contains("unable to open database file"), "{error}");
    assert!(!program.status.success());
}

#[test]
fn two_programs_share_the_database() {
    let directory = Directory::new();
    let file = directory.path().join("visits.db");
    let file = file.to_str().unwrap();
    let first = Program::start("threading", file);
    let second = Program::start("coroutines", file);
    assert_eq!(first.visit(&["Ada"]), [1]);
    assert_eq!(second.visit(&["Ada"]), [2]);
    first.stop();
    second.stop();
}
