//! Both ends of a connection.

use super::*;

fn a_handler_can_close_before_it_returns<T: Connected>() {
    let end_seen = Gate::default();
    let gate = end_seen.clone();
    let after = one_conversation::<T, _>(
        move |request| {
            request.send_all(b"bye").unwrap();
            request.close();
            end_seen.pass();
            let read = request.recv(10).map_err(|error| error.kind());
            (read, request.send_all(b"more").is_err())
        },
        |client| {
            // The end arrives while the handler is still running.
            assert_eq!(client.rest(), b"bye");
            gate.open();
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

/// Sends a line and then more than the socket buffers of the server hold. The server may close meanwhile, which makes
/// the send fail.
fn send_unread_input(client: &Client, how: &str) {
    let _ = client.try_send([format!("{how}\n").into_bytes(), noise(150_000)].concat());
}

/// Answers the first line and leaves the rest unread. The line selects whether the handler returns or fails.
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
    // A short answer fits the socket buffers. Most of a long one waits until the client reads.
    for (size, times) in [(1000, 50), (1_000_000, 5)] {
        let answer = noise(size);
        let host = host::<T, Threading, _>(reads_one_line_only(answer.clone()));
        for how in ["return", "fail"] {
            for _ in 0..times {
                let client = host.client();
                send_unread_input(&client, how);
                assert!(client.exactly(answer.len()) == answer);
            }
        }
    }
}

fn input_that_is_left_unread_does_not_make_the_end_a_reset<T: Connected>() {
    let host = host::<T, Threading, _>(reads_one_line_only(b"answer".to_vec()));
    for _ in 0..50 {
        let client = host.client();
        send_unread_input(&client, "return");
        assert_eq!(client.rest(), b"answer");
    }
}

over_streams!(
    a_handler_can_close_before_it_returns,
    a_client_that_sends_no_more_can_be_answered,
    an_answer_is_not_lost_if_input_is_left_unread,
    input_that_is_left_unread_does_not_make_the_end_a_reset,
);
