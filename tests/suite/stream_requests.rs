//! What a handler can do with a connection: every way to read and to write, timeouts, and both
//! ends of it.

// To set a signal's disposition.
#![allow(unsafe_code)]

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::alone::{is_alone, run, test_name};
use crate::support::net::*;
use nix::sys::signal::{SigHandler, Signal, signal};
use socket2::SockRef;
use socketserver::request::StreamSocket;
use socketserver::transport::{Tcp, UnixStream};
use socketserver::{
    Error, Request, Server, Stage, StreamRequest, TcpRequest, TcpServer, Threading,
};

/// Serves one client by `handle`, and passes on what that returns.
fn one_conversation<T: Connected, V: Send + 'static>(
    handle: impl Fn(&mut T::Request) -> V + Send + Sync + 'static,
    client: impl FnOnce(&Client),
) -> V {
    let (sender, results) = mpsc::channel();
    let host = host::<T, Threading, _>(Hooks::new(move |request| {
        let _ = sender.send(handle(request));
        Ok(())
    }));
    client(&host.client());
    next(&results)
}

/// Bytes without a pattern that a mistake could hide behind.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let bytes = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    bytes.take(size).collect()
}

// ---- reading ----

fn every_way_to_read_takes_up_where_the_last_left_off<T: Connected>() {
    let parts = one_conversation::<T, _>(
        |request| {
            let mut two = [0; 2];
            let line = request.readline(100).unwrap();
            let some = request.recv(3).unwrap();
            let exactly = request.read_exactly(4).unwrap();
            request.read_exact(&mut two).unwrap();
            let buffered = request.buffer().to_vec();
            let lines: Vec<_> = (&mut *request).lines().map(Result::unwrap).collect();
            let at_the_end = request.recv(10).unwrap();
            (line, some, exactly, two, buffered, lines, at_the_end)
        },
        |client| {
            client.send("one\n234567890\nlast\nunfinished");
            client.finish();
            client.expect_end();
        },
    );
    let lines = vec![String::new(), "last".into(), "unfinished".into()];
    assert_eq!(
        parts,
        (
            b"one\n".to_vec(),
            b"234".to_vec(),
            b"5678".to_vec(),
            *b"90",
            b"\nlast\nunfinished".to_vec(),
            lines,
            vec![]
        )
    );
}

fn reads_of_all_sizes_mixed_lose_nothing<T: Connected>() {
    let sent = noise(300_000);
    let received = one_conversation::<T, _>(
        |request| {
            let mut received = Vec::new();
            for (turn, size) in noise(100_000).into_iter().enumerate() {
                let size = usize::from(size) + 1;
                let mut large = vec![0; 40 * size];
                let read = match turn % 5 {
                    0 => request.recv(size).unwrap(),
                    1 => request.readline(size).unwrap(),
                    2 => {
                        let there = request.fill_buf().unwrap();
                        let some = there[..there.len().min(size)].to_vec();
                        request.consume(some.len());
                        some
                    }
                    3 => {
                        let size = request.read(&mut large).unwrap();
                        large[..size].to_vec()
                    }
                    _ => request
                        .read_exactly(request.buffer().len().min(size))
                        .unwrap(),
                };
                let is_end = read.is_empty() && turn % 5 != 4;
                received.extend(read);
                if is_end {
                    break;
                }
            }
            received
        },
        |client| {
            client.send(&sent);
            client.finish();
            client.expect_end();
        },
    );
    assert!(
        received == sent,
        "{} of {} bytes",
        received.len(),
        sent.len()
    );
}

fn readline_cuts_at_its_limit_as_in_python<T: Connected>() {
    // What `io.BufferedReader(io.BytesIO(input)).readline(limit)` returns, call by call.
    let cases: [(&str, usize, &[&str]); 6] = [
        ("abcdef\ng", 3, &["abc", "def", "\n", "g", ""]),
        ("abcdef\ng", 6, &["abcdef", "\n", "g", ""]),
        ("abcdef\ng", 7, &["abcdef\n", "g", ""]),
        ("abcdef\ng", 100, &["abcdef\n", "g", ""]),
        ("\n\n\n", 1, &["\n", "\n", "\n", ""]),
        ("no end", 100, &["no end", ""]),
    ];
    for (input, limit, expected) in cases {
        let calls = expected.len();
        let lines = one_conversation::<T, _>(
            move |request| {
                let line = |_| String::from_utf8(request.readline(limit).unwrap()).unwrap();
                (0..calls).map(line).collect::<Vec<_>>()
            },
            |client| {
                client.send(input);
                client.finish();
            },
        );
        assert_eq!(lines, expected, "readline({limit}) of {input:?}");
    }
}

fn lines_come_one_by_one_up_to_the_end<T: Connected>() {
    let lines = one_conversation::<T, _>(
        |request| {
            let mut lines = Vec::new();
            while let Some(line) = request.next_line(6).unwrap() {
                lines.push(String::from_utf8(line).unwrap());
            }
            lines
        },
        |client| {
            client.send("one\n\nthree\nfourth");
            client.finish();
            client.expect_end();
        },
    );
    assert_eq!(lines, ["one\n", "\n", "three\n", "fourth"]);
}

/// The rest of it would look like the next line.
fn a_line_that_is_too_long_is_an_error<T: Connected>() {
    let (first, error) = one_conversation::<T, _>(
        |request| {
            let first = request.next_line(10).unwrap();
            (first, request.next_line(10).unwrap_err())
        },
        |client| {
            client.send("SET a 1\nSET b DEL a\n");
            client.expect_end();
        },
    );
    assert_eq!(first.as_deref(), Some(&b"SET a 1\n"[..]));
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("more than 10 bytes"), "{error}");
}

fn numbers_are_read_as_arrays<T: Connected>() {
    let numbers = one_conversation::<T, _>(
        |request| {
            let number = u32::from_be_bytes(request.read_bytes().unwrap());
            (number, request.read_bytes::<8>().unwrap_err().kind())
        },
        |client| {
            client.send([0, 0, 1, 2, 3]);
            client.finish();
        },
    );
    assert_eq!(numbers, (0x0102, ErrorKind::UnexpectedEof));
}

fn texts_and_bytes_are_sent<T: Connected>() {
    one_conversation::<T, _>(
        |request| {
            request.send_all("a").unwrap();
            request.send_all(String::from("b")).unwrap();
            request.send_all(b"c").unwrap();
            request.send_all(vec![b'd']).unwrap();
            request.sender().send_all(format!("{}", 5)).unwrap();
        },
        |client| assert_eq!(client.rest(), b"abcd5"),
    );
}

/// Were it not so, the test would end in a timeout: the client sends nothing.
fn reading_nothing_does_not_wait<T: Connected>() {
    let nothing = one_conversation::<T, _>(
        |request| {
            request.set_timeout(Some(PATIENCE)).unwrap();
            let recv = request.recv(0).map_err(|error| error.kind());
            let readline = request.readline(0).map_err(|error| error.kind());
            let exactly = request.read_exactly(0).map_err(|error| error.kind());
            (recv, readline, exactly)
        },
        Client::expect_end,
    );
    assert_eq!(nothing, (Ok(vec![]), Ok(vec![]), Ok(vec![])));
}

/// As for the sockets of the standard library.
fn reading_into_an_empty_slice_does_not_wait<T: Connected>() {
    let nothing = one_conversation::<T, _>(
        |request| {
            request
                .set_timeout(Some(Duration::from_millis(50)))
                .unwrap();
            request.read(&mut []).map_err(|error| error.kind())
        },
        Client::expect_end,
    );
    assert_eq!(nothing, Ok(0));
}

fn a_client_that_leaves_half_way_is_a_disconnect<T: Connected>() {
    let (hooks, failures) = Hooks::new(|request: &mut T::Request| {
        let how = request.readline(10)?;
        match &*how {
            b"exactly\n" => drop(request.read_exactly(10)?),
            _ => request.read_exact(&mut [0; 10])?,
        }
        Ok(())
    })
    .failures();
    let host = host::<T, Threading, _>(hooks);
    for how in ["exactly", "exact"] {
        let client = host.client();
        client.send(format!("{how}\n123"));
        drop(client);
        let failure = next(&failures);
        assert_eq!(failure.stage, Stage::Handle);
        assert_eq!(failure.kind, Some(ErrorKind::UnexpectedEof));
        assert!(failure.is_disconnect && !failure.is_timeout, "{failure:?}");
    }
}

#[test]
fn a_client_that_resets_the_connection_is_a_disconnect() {
    let (hooks, failures) = Hooks::new(|request: &mut TcpRequest| {
        request.readline(10)?;
        request.readline(10)?;
        Ok(())
    })
    .failures();
    let host = host::<Tcp, Threading, _>(hooks);
    let client = host.client();
    client.send("hello\n");
    client.socket().set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let failure = next(&failures);
    assert_eq!(failure.kind, Some(ErrorKind::ConnectionReset));
    assert!(failure.is_disconnect);
}

fn writing_to_a_client_that_left_is_a_disconnect<T: Connected>() {
    let (hooks, failures) = Hooks::new(|request: &mut T::Request| {
        loop {
            request.send_all([0; 1000])?;
        }
    })
    .failures();
    let host = host::<T, Threading, _>(hooks);
    drop(host.client());
    let failure = next(&failures);
    assert!(failure.is_disconnect, "{failure:?}");
}

// ---- writing ----

#[test]
#[ignore = "is run in a process of its own, by `a_client_that_left_raises_no_sigpipe`"]
fn the_process_that_a_sigpipe_would_end() {
    if !is_alone(test_name!("the_process_that_a_sigpipe_would_end")) {
        return;
    }
    // SAFETY: the default runs no code in signal context.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
    writing_to_a_client_that_left_is_a_disconnect::<Tcp>();
    writing_to_a_client_that_left_is_a_disconnect::<UnixStream>();
    println!("it goes on");
}

/// Rust programs ignore that signal, as Python does; others that this library is a part of may not.
#[test]
fn a_client_that_left_raises_no_sigpipe() {
    let finished = run(test_name!("the_process_that_a_sigpipe_would_end"));
    assert!(finished.success().contains("it goes on"));
}

fn megabytes_go_both_ways_at_the_same_time<T: Connected>() {
    let host = host::<T, Threading, _>(Hooks::new(|request: &mut T::Request| {
        let mut chunk = vec![0; 30_000];
        loop {
            let size = request.read(&mut chunk)?;
            if size == 0 {
                return Ok(());
            }
            request.send_all(&chunk[..size])?;
        }
    }));
    let sent = noise(8 << 20);
    let client = host.client();
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            client.send(&sent);
            client.finish();
        });
        client.rest()
    });
    assert!(received == sent, "{} bytes came back", received.len());
}

fn megabytes_arrive_by_read_exactly_and_leave_in_one_write<T: Connected>() {
    const SIZE: usize = 5 << 20;
    let host = host::<T, Threading, _>(Hooks::new(|request: &mut T::Request| {
        let data = request.read_exactly(SIZE)?;
        assert_eq!(request.write(&data)?, SIZE, "a write was partial");
        Ok(())
    }));
    let sent = noise(SIZE);
    let client = host.client();
    client.send(&sent);
    assert!(client.rest() == sent);
}

/// Counts what would be system calls.
#[derive(Default)]
struct Recorder {
    sends: Arc<AtomicUsize>,
}

impl StreamSocket for Recorder {
    type Address = SocketAddr;

    fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.sends.fetch_add(1, Ordering::SeqCst);
        Ok(data.len())
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.send(data)
    }

    fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        Ok(())
    }

    fn set_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_formatted_is_sent_in_one_piece() {
    let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let recorder = Recorder::default();
    let sends = Arc::clone(&recorder.sends);
    let mut request = StreamRequest::new(recorder, *server.server_address(), &server.handle());
    let sent_by = |write: &mut dyn FnMut(&mut StreamRequest<Recorder>) -> io::Result<()>,
                   request: &mut StreamRequest<Recorder>| {
        let before = sends.load(Ordering::SeqCst);
        write(request).unwrap();
        sends.load(Ordering::SeqCst) - before
    };
    let (one, two) = (1, "2");
    assert_eq!(
        sent_by(
            &mut |to| write!(to, "{one}, {two}, {:?}", [3, 4]),
            &mut request
        ),
        1
    );
    assert_eq!(sent_by(&mut |to| writeln!(to, "plain"), &mut request), 1);
    assert_eq!(
        sent_by(&mut |to| to.send_all([0; 1 << 20]), &mut request),
        1
    );
    assert_eq!(
        sent_by(&mut |to| write!(to.sender(), "{one}, {two}"), &mut request),
        1
    );
    assert_eq!(
        sent_by(&mut |to| write!(to.split().1, "{one}, {two}"), &mut request),
        1
    );
}

fn the_halves_work_on_two_threads_at_once<T: Connected>() {
    // Neither half could go on if it had to wait for the other: the handler's reader waits for the
    // client, which waits for the handler's writer.
    let received = one_conversation::<T, _>(
        |request| {
            let (reader, writer) = request.split();
            thread::scope(|scope| {
                let reader = scope.spawn(move || {
                    let mut line = String::new();
                    reader.read_line(&mut line).map(|_| line)
                });
                let wrote = writeln!(writer, "speak");
                (reader.join().unwrap().unwrap(), wrote.is_ok())
            })
        },
        |client| {
            assert_eq!(client.line(), "speak\n");
            client.send("spoken\n");
            client.expect_end();
        },
    );
    assert_eq!(received, ("spoken\n".into(), true));
}

fn a_relay_passes_on_both_directions<T: Connected>() {
    let target = host::<T, Threading, _>(Hooks::<T::Request>::echo());
    let address = target.server.server_address().clone();
    let relay = host::<T, Threading, _>(Hooks::new(move |request: &mut T::Request| {
        let target = T::connect(&address);
        let (reader, writer) = request.split();
        thread::scope(|scope| {
            scope.spawn(|| {
                let copied = io::copy(reader, &mut &*target.socket());
                target.finish();
                copied
            });
            io::copy(&mut &*target.socket(), writer)
        })?;
        Ok(())
    }));
    let sent = noise(1 << 20);
    let client = relay.client();
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            client.send(&sent);
            client.finish();
        });
        client.rest()
    });
    assert!(received == sent, "{} bytes came back", received.len());
}

// ---- the ends ----

fn a_handler_can_close_before_it_returns<T: Connected>() {
    let seen = Gate::default();
    let end_seen = seen.clone();
    let after = one_conversation::<T, _>(
        move |request| {
            request.send_all(b"bye").unwrap();
            request.close();
            seen.pass();
            let read = request.recv(10).map_err(|error| error.kind());
            (read, request.send_all(b"more").is_err())
        },
        |client| {
            // The handler is still running when this comes.
            assert_eq!(client.rest(), b"bye");
            end_seen.open();
        },
    );
    assert_eq!(after, (Ok(vec![]), true));
}

fn a_client_that_sends_no_more_can_be_answered<T: Connected>() {
    let host = host::<T, Threading, _>(Hooks::new(|request: &mut T::Request| {
        let mut everything = String::new();
        request.read_to_string(&mut everything)?;
        request.send_all(everything.to_uppercase().as_bytes())?;
        Ok(())
    }));
    let client = host.client();
    client.send("all of ");
    client.send("it");
    client.finish();
    assert_eq!(client.rest(), b"ALL OF IT");
}

/// Asks for an answer and says much more: more than the handler's side takes in at once, so that
/// the server may close while this still sends, which is an error then.
fn talks_on(client: &Client, how: &str) {
    let _ = client.try_send([format!("{how}\n").into_bytes(), noise(150_000)].concat());
}

/// Answers the first line and leaves the rest unread, then returns or fails, as the line says.
fn reads_one_line_only<R: Request>(answer: Vec<u8>) -> Hooks<R> {
    Hooks::new(move |request: &mut R| {
        let how = request.readline(10)?;
        request.send_all(&answer)?;
        match &*how {
            b"fail\n" => Err("on purpose".into()),
            _ => Ok(()),
        }
    })
}

fn an_answer_is_not_lost_if_input_is_left_unread<T: Connected>() {
    // A short answer is on its way at once; most of a long one waits for the client to read.
    for (size, times) in [(1000, 50), (1_000_000, 5)] {
        let answer = noise(size);
        let host = host::<T, Threading, _>(reads_one_line_only(answer.clone()));
        for how in ["return", "fail"] {
            for _ in 0..times {
                let client = host.client();
                talks_on(&client, how);
                assert!(client.exactly(answer.len()) == answer);
            }
        }
    }
}

fn input_that_is_left_unread_does_not_make_the_end_a_reset<T: Connected>() {
    let host = host::<T, Threading, _>(reads_one_line_only(b"answer".to_vec()));
    for _ in 0..50 {
        let client = host.client();
        talks_on(&client, "return");
        assert_eq!(client.rest(), b"answer");
    }
}

// ---- timeouts ----

const SOON: Duration = Duration::from_millis(60);
/// The kernel counts in ticks, of which the first may be over already.
const HARDLY_SOON: Duration = Duration::from_millis(40);

fn a_read_that_timed_out_can_be_repeated<T: Connected>() {
    let (told, go_on) = mpsc::channel();
    let (first, took, second) = one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(SOON)).unwrap();
            let start = Instant::now();
            let first = request.readline(100).map_err(|error| error.kind());
            let took = start.elapsed();
            request.set_timeout(None).unwrap();
            told.send(()).unwrap();
            (first, took, request.readline(100).unwrap())
        },
        |client| {
            next(&go_on);
            client.send("late\n");
            client.expect_end();
        },
    );
    assert_eq!(first, Err(ErrorKind::TimedOut));
    assert!(took >= HARDLY_SOON, "{took:?}");
    assert_eq!(second, b"late\n");
}

fn a_write_times_out_and_the_request_stays_usable<T: Connected>() {
    let (told, go_on) = mpsc::channel();
    let sent = one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(SOON)).unwrap();
            let timed_out = loop {
                if let Err(error) = request.send_all([b'.'; 10_000]) {
                    break error.kind();
                }
            };
            told.send(()).unwrap();
            request.set_timeout(Some(PATIENCE)).unwrap();
            request.send_all(b"!").unwrap();
            (timed_out, request.readline(100).unwrap())
        },
        |client| {
            next(&go_on);
            client.send("still here\n");
            let received = client.rest();
            assert!(received.ends_with(b".!"), "{} bytes", received.len());
        },
    );
    assert_eq!(sent, (ErrorKind::TimedOut, b"still here\n".to_vec()));
}

/// As `sendall` in Python: a client that reads a little now and then does not begin it anew.
fn a_write_has_one_timeout_for_all_of_its_data<T: Connected>() {
    let (told, timed_out) = mpsc::channel();
    one_conversation::<T, _>(
        move |request| {
            request.set_timeout(Some(SOON)).unwrap();
            let sent = request.send_all(vec![0; 1 << 28]);
            told.send(sent.map_err(|error| error.kind())).unwrap();
        },
        |client| {
            let start = Instant::now();
            let sent = loop {
                client.exactly(4096);
                match timed_out.recv_timeout(Duration::from_millis(1)) {
                    Ok(sent) => break sent,
                    Err(_) => assert!(start.elapsed() < PATIENCE, "it sends and sends"),
                }
            };
            assert_eq!(sent, Err(ErrorKind::TimedOut));
        },
    );
}

fn a_timeout_can_be_an_option_of_the_server<T: Connected>() {
    let (hooks, failures) = Hooks::new(|request: &mut T::Request| {
        request.readline(100)?;
        Ok(())
    })
    .failures();
    let host = host_with::<T, Threading, _, _>(hooks, |options| options.timeout(SOON), |it| it);
    let start = Instant::now();
    let client = host.client();
    client.expect_end();
    assert!(start.elapsed() >= HARDLY_SOON);
    let failure = next(&failures);
    assert!(failure.is_timeout && !failure.is_disconnect, "{failure:?}");
    assert_eq!(failure.kind, Some(ErrorKind::TimedOut));
}

fn a_timeout_of_zero_is_rejected_by_a_request<T: Connected>() {
    let (kind, line) = one_conversation::<T, _>(
        |request| {
            let zero = request.set_timeout(Some(Duration::ZERO));
            (zero.unwrap_err().kind(), request.readline(100).unwrap())
        },
        |client| {
            client.send("hello\n");
            client.expect_end();
        },
    );
    assert_eq!((kind, &*line), (ErrorKind::InvalidInput, &b"hello\n"[..]));
}

/// And not accepted there, to end the server with the first client.
fn a_timeout_of_zero_is_rejected_when_binding<T: Reachable>() {
    let dir = TempDir::new();
    let options = Server::<T, _, Threading>::options().timeout(Duration::ZERO);
    match T::bind(&dir, options, || LineEcho) {
        Err(Error::Bind { source, .. }) => assert_eq!(source.kind(), ErrorKind::InvalidInput),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("it was accepted"),
    }
}

over!([Tcp, UnixStream, UnixDatagram] a_timeout_of_zero_is_rejected_when_binding);

// ---- the socket ----

#[test]
fn small_writes_are_not_held_back_unless_asked_for() {
    for nagle in [None, Some(true), Some(false)] {
        let (sender, nodelay) = mpsc::channel();
        let hooks = Hooks::new(move |request: &mut TcpRequest| {
            sender.send(request.socket().nodelay()?)?;
            Ok(())
        });
        let host = host_with::<Tcp, Threading, _, _>(
            hooks,
            |options| match nagle {
                Some(disable) => options.disable_nagle_algorithm(disable),
                None => options,
            },
            |server| server,
        );
        host.client().expect_end();
        assert_eq!(next(&nodelay), nagle.unwrap_or(true), "{nagle:?}");
    }
}

fn the_socket_is_there_for_its_options<T: Connected>() {
    let (before, after) = one_conversation::<T, _>(
        |request| {
            let socket = request.socket().as_fd();
            let socket = SockRef::from(&socket);
            let before = socket.read_timeout().unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            (before, socket.read_timeout().unwrap())
        },
        Client::expect_end,
    );
    assert_eq!((before, after), (None, Some(PATIENCE)));
}

/// Python: "accepted socket is in blocking mode even if the listener has a timeout". That of the
/// listener is for `handle_request`.
fn the_timeout_of_the_listener_is_not_that_of_its_clients<T: Connected>() {
    let (sender, timeouts) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        let socket = request.socket().as_fd();
        let socket = SockRef::from(&socket);
        sender.send((socket.read_timeout()?, socket.write_timeout()?))?;
        Ok(())
    });
    let host = host_with::<T, Threading, _, _>(
        hooks,
        |options| {
            options.before_bind(|socket| {
                SockRef::from(&socket).set_read_timeout(Some(PATIENCE))?;
                SockRef::from(&socket).set_write_timeout(Some(PATIENCE))
            })
        },
        |server| server,
    );
    host.client().expect_end();
    assert_eq!(next(&timeouts), (None, None));
}

over_streams!(
    every_way_to_read_takes_up_where_the_last_left_off,
    reads_of_all_sizes_mixed_lose_nothing,
    readline_cuts_at_its_limit_as_in_python,
    lines_come_one_by_one_up_to_the_end,
    a_line_that_is_too_long_is_an_error,
    numbers_are_read_as_arrays,
    texts_and_bytes_are_sent,
    reading_nothing_does_not_wait,
    reading_into_an_empty_slice_does_not_wait,
    a_client_that_leaves_half_way_is_a_disconnect,
    writing_to_a_client_that_left_is_a_disconnect,
    megabytes_go_both_ways_at_the_same_time,
    megabytes_arrive_by_read_exactly_and_leave_in_one_write,
    the_halves_work_on_two_threads_at_once,
    a_relay_passes_on_both_directions,
    a_handler_can_close_before_it_returns,
    a_client_that_sends_no_more_can_be_answered,
    an_answer_is_not_lost_if_input_is_left_unread,
    input_that_is_left_unread_does_not_make_the_end_a_reset,
    a_read_that_timed_out_can_be_repeated,
    a_write_times_out_and_the_request_stays_usable,
    a_write_has_one_timeout_for_all_of_its_data,
    a_timeout_can_be_an_option_of_the_server,
    a_timeout_of_zero_is_rejected_by_a_request,
    the_socket_is_there_for_its_options,
    the_timeout_of_the_listener_is_not_that_of_its_clients,
);
