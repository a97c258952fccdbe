//! The key-value store, with `redis-cli` and `redis-benchmark`.

use super::*;

/// Runs `redis-cli` with commands on its standard input. Returns its output.
fn redis_cli(address: SocketAddr, arguments: &[&str], input: &str) -> String {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let arguments = [&["-h", &host, "-p", &port], arguments].concat();
    let client = run("redis-cli", &arguments, input);
    assert_eq!(client.stderr, "");
    client.text().to_owned()
}

#[test]
fn redis_cli_reads_and_writes_the_store() {
    if !is_installed("redis-cli") {
        return;
    }
    let (server, address) = serve("kv_server", &[]);
    let answers = |input: &str| redis_cli(address, &["--no-raw"], input);
    assert_eq!(answers("PING\nping hi\n"), "PONG\n\"hi\"\n");
    assert_eq!(answers("SET a 1\nGET a\nget b\n"), "OK\n\"1\"\n(nil)\n");
    assert_eq!(
        answers("EXISTS a b a\nINCR a\nINCR new\nDEL a new b\nGET a\n"),
        "(integer) 2\n(integer) 2\n(integer) 1\n(integer) 2\n(nil)\n"
    );
    assert_eq!(answers("COMMAND\n"), "(empty array)\n");
    let not_a_number = "OK\n(error) ERR value is not an integer or out of range\n";
    for value in ["text", "9223372036854775807", "'\\x00\\xff'"] {
        assert_eq!(answers(&format!("SET n {value}\nINCR n\n")), not_a_number);
    }
    assert_eq!(
        answers("GET\nNONSENSE 1 2\n"),
        "(error) ERR unknown command or wrong number of arguments\n".repeat(2)
    );
    // Any bytes can be keys and values.
    assert_eq!(
        answers("SET \"\\x00\\r\\n\" \"\\xff\\n\"\nGET \"\\x00\\r\\n\"\n"),
        "OK\n\"\\xff\\n\"\n"
    );
    stop(server);
}

#[test]
fn redis_cli_sends_many_commands_at_once() {
    if !is_installed("redis-cli") {
        return;
    }
    let (server, address) = serve("kv_server", &[]);
    let commands: String = (0..5000).map(|n| format!("SET k{n} {n}\r\n")).collect();
    let report = redis_cli(address, &["--pipe"], &commands);
    assert!(report.contains("errors: 0, replies: 5000"), "{report}");
    assert_eq!(redis_cli(address, &["GET", "k4999"], ""), "4999\n");
    stop(server);
}

#[test]
fn redis_benchmark_measures_the_store() {
    if !is_installed("redis-benchmark") {
        return;
    }
    let (server, address) = serve("kv_server", &[]);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    for pipeline in ["1", "16"] {
        let own = ["-t", "ping,set,get,incr", "-n", "2000", "-c", "20"];
        let arguments = [&["-h", &host, "-p", &port, "-q", "-P", pipeline], &own[..]].concat();
        let report = run("redis-benchmark", &arguments, "");
        for name in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"] {
            let line = format!("{name}: ");
            assert!(report.text().contains(&line), "{}", report.text());
        }
    }
    // The benchmark has incremented one key in both runs.
    let key = "counter:__rand_int__";
    assert_eq!(
        converse(address, format!("GET {key}\r\n").as_bytes()),
        b"$4\r\n4000\r\n"
    );
    stop(server);
}

#[test]
fn kv_server_rejects_what_is_no_command() {
    let (server, address) = serve("kv_server", &[]);
    let long = "x".repeat(20_000);
    for input in [
        "*99999999999999999999\r\n",
        "*-1\r\n",
        "*2000\r\n",
        "*x\r\n",
        "*1\r\nPING\r\n",
        "*1\r\n$-5\r\nPING\r\n",
        "*1\r\n$999999999\r\nPING\r\n",
        "*2\r\n$9000\r\n",
        "*1\r\n$3\r\nPING\r\n",
        &format!("*1\r\n{long}\r\n"),
        &long,
    ] {
        let answer = converse(address, format!("PING\r\n{input}").as_bytes());
        let answer = String::from_utf8(answer).unwrap();
        let cut = input.contains("$9000"); // the client ends in the middle of an argument
        let expected = if cut {
            ""
        } else {
            "+PONG\r\n-ERR Protocol error: "
        };
        assert!(answer.starts_with(expected), "{input:?}: {answer:?}");
    }
    for input in ["\r\n", "*0\r\n"] {
        let answer = converse(address, format!("{input}PING\r\n").as_bytes());
        assert_eq!(answer, b"+PONG\r\n", "{input:?}");
    }
    stop(server);
}

#[test]
fn kv_server_ends_at_once_although_clients_are_connected() {
    let (server, address) = serve("kv_server", &[]);
    let mut client = connect(address);
    client.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
    let output = stop(server);
    assert_eq!(output, format!("listening on {address}\n"));
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "an orderly end");
}
