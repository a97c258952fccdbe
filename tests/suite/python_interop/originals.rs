//! Compares each example with its Python original.

use super::*;

/// One run of a client against a server, both examples.
struct Exchange {
    server: &'static str,
    client: &'static str,
    /// Arguments of the client, after the address.
    words: &'static [&'static str],
    /// Standard input of the client.
    input: &'static [u8],
    /// Output of the server after its address, in both languages.
    server_prints: &'static str,
    /// Output of the client, in both languages.
    client_prints: &'static str,
}

impl Exchange {
    /// Runs the exchange four times: each side in Rust and in Python.
    fn run(&self) {
        for server in [Python, Rust] {
            for client in [Python, Rust] {
                self.run_between(server, client);
            }
        }
    }

    fn run_between(&self, server_language: Language, client_language: Language) {
        let languages = format!("{server_language:?} server, {client_language:?} client");
        let mut server = server_language.start(self.server, &["127.0.0.1:0".into()]);
        let address = match announces_on_stderr(self.server) {
            true => server.address_on_stderr(),
            false => server.address(),
        };

        let mut arguments = vec![address.to_string()];
        arguments.extend(self.words.iter().map(|&word| word.into()));
        let mut client = client_language.start(self.client, &arguments);
        client.type_in(self.input);
        let client = client.finish();
        assert_eq!(
            hide_ctime(client.success()),
            self.client_prints,
            "{languages}"
        );

        server.expect(self.server_prints);
        let server = match self.server {
            // Ends without a signal.
            "binary_tcp_server_v1" => server.finish(),
            // Ends at Ctrl-C without further output.
            "binary_tcp_server_v2" => {
                server.signal(Signal::SIGINT);
                server.finish()
            }
            _ => {
                let server = server.kill();
                assert_eq!(server.stderr, "", "{languages}");
                assert_eq!(
                    server.text(),
                    self.server_transcript(address),
                    "{languages}"
                );
                return;
            }
        };
        assert_eq!(
            server.success(),
            self.server_transcript(address),
            "{languages}"
        );
    }

    fn server_transcript(&self, address: SocketAddr) -> String {
        match announces_on_stderr(self.server) {
            true => self.server_prints.into(),
            false => format!("listening on {address}\n{}", self.server_prints),
        }
    }
}

#[test]
fn every_python_original_is_compared() {
    let originals = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/python");
    for original in fs::read_dir(originals).unwrap() {
        let path = original.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|extension| extension == "py") && name != "common" {
            let compared = source_of("python_interop").contains(&format!("\"{name}\""));
            assert!(
                compared || is_run_by_the_tutorial(name),
                "neither tests/suite/python_interop nor docs/tutorial runs examples/python/{name}.py"
            );
            assert!(
                path.with_file_name(format!("../{name}.rs")).exists(),
                "examples/{name}.rs is missing"
            );
        }
    }
}

#[test]
fn binary_tcp_v1_equals_its_original() {
    if !python_is_there() {
        return;
    }
    let v1 = Exchange {
        server: "binary_tcp_server_v1",
        client: "binary_tcp_client_v1",
        words: &[],
        input: b"hello\n",
        server_prints: "waiting connection...\nServer recive data: b'hello'\n",
        client_prints: ">>:Clinet recive data: [hello] <ctime>\n",
    };
    v1.run();
    Exchange {
        input: b"it's \"\xc3\xa9\" \xff\0\t\\\r\n",
        server_prints: "waiting connection...\nServer recive data: b'it\\'s \"\\xc3\\xa9\" \\xff\\x00\\t\\\\\\r'\n",
        client_prints: ">>:Clinet recive data: [it's \"\u{e9}\" \u{fffd}\0\t\\\r] <ctime>\n",
        ..v1
    }
    .run();
    Exchange {
        input: b"",
        server_prints: "waiting connection...\nServer recive data: b''\n",
        client_prints: ">>:Clinet recive data: [] <ctime>\n",
        ..v1
    }
    .run();
}

#[test]
fn binary_tcp_v2_equals_its_original() {
    if !python_is_there() {
        return;
    }
    Exchange {
        server: "binary_tcp_server_v2",
        client: "binary_tcp_client_v2",
        words: &[],
        input: b"hello\nit's me\n\n",
        server_prints: "\
waiting connection...
Server recive data: b'hello'
Server recive data: b\"it's me\"
clinet has broken the connection...
waiting connection...
",
        client_prints: ">>:Clinet recive data: [hello] <ctime>\n>>:Clinet recive data: [it's me] <ctime>\n>>:",
    }
    .run();
}

#[test]
fn tcp_server_equals_its_original() {
    if !python_is_there() {
        return;
    }
    let documented = Exchange {
        server: "tcp_server",
        client: "tcp_client",
        words: &["hello", "world", "with", "TCP"],
        input: b"",
        server_prints: "Received from 127.0.0.1:\nb'hello world with TCP\\n'\n",
        client_prints: "Sent:     hello world with TCP\nReceived: HELLO WORLD WITH TCP\n\n",
    };
    documented.run();
    Exchange {
        words: &["  naïve", "straße "],
        server_prints: "Received from 127.0.0.1:\nb'  na\\xc3\\xafve stra\\xc3\\x9fe \\n'\n",
        client_prints: "Sent:       naïve straße \nReceived:   NAïVE STRAßE \n\n",
        ..documented
    }
    .run();
    Exchange {
        words: &[],
        server_prints: "Received from 127.0.0.1:\nb'\\n'\n",
        client_prints: "Sent:     \nReceived: \n\n",
        ..documented
    }
    .run();
}

#[test]
fn tcp_server_stream_equals_its_original() {
    if !python_is_there() {
        return;
    }
    Exchange {
        server: "tcp_server_stream",
        client: "tcp_client",
        words: &["  naïve", "straße "],
        input: b"",
        server_prints: "127.0.0.1 wrote:\nb'  na\\xc3\\xafve stra\\xc3\\x9fe'\n",
        client_prints: "Sent:       naïve straße \nReceived:   NAïVE STRAßE\n",
    }
    .run();
}

#[test]
fn udp_server_equals_its_original() {
    if !python_is_there() {
        return;
    }
    let documented = Exchange {
        server: "udp_server",
        client: "udp_client",
        words: &["hello", "world", "with", "UDP"],
        input: b"",
        server_prints: "127.0.0.1 wrote:\nb'hello world with UDP'\n",
        client_prints: "Sent:     hello world with UDP\nReceived: HELLO WORLD WITH UDP\n",
    };
    documented.run();
    Exchange {
        words: &["  naïve "],
        server_prints: "127.0.0.1 wrote:\nb'na\\xc3\\xafve'\n",
        client_prints: "Sent:       naïve \nReceived: NAïVE\n",
        ..documented
    }
    .run();
    // The reply is an empty datagram.
    Exchange {
        words: &[],
        server_prints: "127.0.0.1 wrote:\nb''\n",
        client_prints: "Sent:     \nReceived: \n",
        ..documented
    }
    .run();
}

#[test]
fn threaded_server_equals_its_original() {
    if !python_is_there() {
        return;
    }
    /// Replaces the names of threads, because they differ between the languages.
    fn hide_threads(transcript: &str) -> String {
        transcript
            .split_inclusive('\n')
            .map(|line| match line.split(": ").collect::<Vec<_>>()[..] {
                ["Server loop running in thread", _] => "loop in <thread>\n".into(),
                ["Received", _, message] => format!("<thread>: {message}"),
                _ => line.into(),
            })
            .collect()
    }
    let transcripts = [Python, Rust].map(|language| {
        let server = language.start("threaded_server", &[]).finish();
        hide_threads(server.success())
    });
    assert_eq!(transcripts[0], transcripts[1]);
    assert_eq!(
        transcripts[1],
        "loop in <thread>\n<thread>: Hello World 1\n<thread>: Hello World 2\n<thread>: Hello World 3\n"
    );
}

#[test]
fn bytes_and_times_are_shown_as_in_python() {
    if !python_is_there() {
        return;
    }
    let mut samples: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    samples.extend([b"".into(), b"'\"".into(), b"it's".into(), b"\"".into()]);
    samples.extend([bytes(256), bytes(1000)]);

    let mut python = Program::python("tests/python/repr.py", &[] as &[&str]);
    for sample in &samples {
        let digits: String = sample.iter().map(|byte| format!("{byte:02x}")).collect();
        python.type_in(digits + "\n");
    }
    let python = python.finish();
    let lines: Vec<_> = python.success().lines().collect();
    let (ctime, shown) = lines.split_last().unwrap();
    assert_eq!(
        shown,
        samples
            .iter()
            .map(|sample| common::repr(sample))
            .collect::<Vec<_>>()
    );

    // Both programs read the same clock in the same time zone, shortly after each other.
    let earlier = parse_ctime(ctime).expect("a time in the format of ctime()");
    let later = parse_ctime(&common::ctime()).unwrap();
    assert!((0..600).contains(&(later - earlier).num_seconds()));
}
