//! Reading.

use super::*;

fn every_way_to_read_continues_where_the_last_ended<T: Connected>() {
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
                        let buffered = request.fill_buf().unwrap();
                        let some = buffered[..buffered.len().min(size)].to_vec();
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

fn readline_ends_at_its_limit_as_in_python<T: Connected>() {
    // Results of the calls of `io.BufferedReader(io.BytesIO(input)).readline(limit)` in Python.
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

/// Without the error, the rest of the line would look like the next line.
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

/// The client sends nothing, so a read that waited would time out.
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

/// As with the sockets of the standard library.
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

over_streams!(
    every_way_to_read_continues_where_the_last_ended,
    reads_of_all_sizes_mixed_lose_nothing,
    readline_ends_at_its_limit_as_in_python,
    lines_come_one_by_one_up_to_the_end,
    a_line_that_is_too_long_is_an_error,
    numbers_are_read_as_arrays,
    texts_and_bytes_are_sent,
    reading_nothing_does_not_wait,
    reading_into_an_empty_slice_does_not_wait,
    a_client_that_leaves_half_way_is_a_disconnect,
);
