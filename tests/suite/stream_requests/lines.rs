//! Lines: as text, and lines that must be there.

use super::*;

/// Reads lines by `read` until it returns `None` or fails, and returns the results.
fn results_of<T: Connected, V: Send + 'static>(
    input: &'static [u8],
    read: fn(&mut T::Request) -> io::Result<Option<V>>,
) -> Vec<Result<V, ErrorKind>> {
    one_conversation::<T, _>(
        move |request| {
            let mut results = Vec::new();
            loop {
                match read(request) {
                    Ok(Some(line)) => results.push(Ok(line)),
                    Ok(None) => return results,
                    Err(error) => {
                        results.push(Err(error.kind()));
                        if error.kind() != ErrorKind::InvalidData {
                            return results;
                        }
                    }
                }
            }
        },
        |client| {
            client.send(input);
            client.finish();
        },
    )
}

fn text_lines_have_no_line_end<T: Connected>() {
    let text = |line: &str| Ok(line.to_owned());
    assert_eq!(
        results_of::<T, _>(b"unix\nwindows\r\n\n\rmac\rlast", |request| request
            .next_text_line(100)),
        [text("unix"), text("windows"), text(""), text("\rmac\rlast"),]
    );
    assert_eq!(
        results_of::<T, _>(b"", |request| request.next_text_line(100)),
        []
    );
}

fn a_line_that_is_not_utf8_is_an_error_and_is_read<T: Connected>() {
    assert_eq!(
        results_of::<T, _>("\u{4f60}\u{597d}\n".as_bytes(), |request| request
            .next_text_line(100)),
        [Ok("\u{4f60}\u{597d}".to_owned())]
    );
    assert_eq!(
        results_of::<T, _>(b"\xff\nnext\n", |request| request.next_text_line(100)),
        [Err(ErrorKind::InvalidData), Ok("next".to_owned())]
    );
}

fn an_expected_line_must_be_complete<T: Connected>() {
    let expect = |request: &mut T::Request| request.expect_line(100).map(Some);
    let line = || Ok(b"header\n".to_vec());
    assert_eq!(
        results_of::<T, _>(b"header\n", expect),
        [line(), Err(ErrorKind::UnexpectedEof)]
    );
    assert_eq!(
        results_of::<T, _>(b"header\nhea", expect),
        [line(), Err(ErrorKind::UnexpectedEof)]
    );
}

fn an_expected_line_has_a_limit<T: Connected>() {
    let kind = one_conversation::<T, _>(
        |request| request.expect_line(3).map_err(|error| error.kind()),
        |client| client.send("123456\n"),
    );
    assert_eq!(kind, Err(ErrorKind::InvalidData));
}

/// A client that leaves inside a header has left inside a message.
fn the_end_inside_an_expected_line_is_a_disconnect<T: Connected>() {
    let (service, failures) = Hooks::new(|request: &mut T::Request| {
        request.expect_line(100)?;
        Ok(())
    })
    .failures();
    let host = host::<T, Threading, _>(service);
    let client = host.client();
    client.send("hea");
    client.finish();
    client.expect_end();
    let failure = next(&failures);
    assert!(failure.is_disconnect, "{failure:?}");
    let handle = host.server.handle();
    host.stop();
    assert_eq!(handle.stats().disconnected, 1);
}

fn at_end_consumes_nothing<T: Connected>() {
    let read = one_conversation::<T, _>(
        |request| {
            assert!(!request.at_end().unwrap());
            assert!(!request.at_end().unwrap());
            let line = request.readline(100).unwrap();
            assert!(request.at_end().unwrap());
            line
        },
        |client| {
            client.send("line\n");
            client.finish();
        },
    );
    assert_eq!(read, b"line\n");
}

over_streams!(
    text_lines_have_no_line_end,
    a_line_that_is_not_utf8_is_an_error_and_is_read,
    an_expected_line_must_be_complete,
    an_expected_line_has_a_limit,
    the_end_inside_an_expected_line_is_a_disconnect,
    at_end_consumes_nothing,
);

/// The lines of a datagram end with it.
#[test]
fn a_datagram_has_lines_too() {
    let service = Hooks::new(|request: &mut socketserver::UdpRequest| {
        let header = request.expect_line(100)?;
        let text = request.next_text_line(100)?;
        assert!(request.at_end()?);
        let missing = request.expect_line(100).map_err(|error| error.kind());
        assert_eq!(missing, Err(ErrorKind::UnexpectedEof));
        request.send_all(header)?;
        Ok(request.send_all(text.unwrap_or_default())?)
    });
    let host = host::<socketserver::transport::Udp, Threading, _>(service);
    let client = host.client();
    client.send("a header\na body");
    assert_eq!(client.receive(), b"a header\na body");
}
