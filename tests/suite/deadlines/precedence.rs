//! Which of several timeouts applies.

use super::*;

fn a_pause_in_a_message_is_not_idle<T: Timed, M: Strategy + Default>() {
    let (hooks, reported) = reported(Hooks::<T::Request>::echo());
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Idle), |server| server);
    let client = host.client();
    // The first answer is sent when a part of the second line has arrived.
    client.send("one\ntw");
    assert_eq!(client.line(), "one\n");
    thread::sleep(PAUSE);
    client.send("o\n");
    assert_eq!(client.line(), "two\n");
    client.expect_end();
    assert_eq!(next(&reported).kind, Some(TimeoutKind::Idle));
}

fn a_pause_after_an_answer_is_not_a_pause_in_a_message<T: Timed, M: Strategy + Default>() {
    let (hooks, reported) = reported(Hooks::<T::Request>::echo());
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Read), |server| server);
    let client = host.client();
    assert_eq!(client.ask("one\n"), "one\n");
    thread::sleep(PAUSE);
    assert_eq!(client.ask("two\n"), "two\n");
    thread::sleep(PAUSE);
    client.send("half a li");
    client.expect_end();
    assert_eq!(next(&reported).kind, Some(TimeoutKind::Read));
}

/// The handler consumes its input only after it has written the answer.
fn an_echo_of_the_buffer_is_an_answer<T: Timed, M: Strategy + Default>() {
    let (hooks, reported) = reported(Hooks::new(|request: &mut T::Request| {
        loop {
            let (reader, writer) = request.split();
            let data = reader.fill_buf()?;
            let size = data.len();
            if size == 0 {
                return Ok(());
            }
            writer.write_all(data)?;
            reader.consume(size);
        }
    }));
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Idle), |server| server);
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    client.expect_end();
    assert_eq!(next(&reported).kind, Some(TimeoutKind::Idle));
}

/// Runs `test` with a client that sends before the server starts. So its first byte is always in time,
/// even on a busy machine.
fn with_early_input<T: Timed, M: Strategy + Default, S: Service<T::Request>>(
    input: &str,
    options: impl FnOnce(Options<T, S, M>) -> Options<T, S, M>,
    service: S,
    test: impl FnOnce(Client),
) {
    let dir = TempDir::new();
    let server = T::bind(&dir, options(Server::options()), service).unwrap();
    let client = T::connect(server.server_address());
    client.send(input);
    let server = server.spawn().unwrap();
    test(client);
    in_time(|| server.stop()).unwrap();
}

fn the_first_byte_timeout_ends_with_the_first_byte<T: Timed, M: Strategy + Default>() {
    let (hooks, reported) = reported(Hooks::<T::Request>::echo());
    with_early_input::<T, M, _>("o", only(TimeoutKind::FirstByte), hooks, |client| {
        thread::sleep(PAUSE);
        assert_eq!(client.ask("ne\n"), "one\n");
        thread::sleep(PAUSE);
        assert_eq!(client.ask("two\n"), "two\n");
        client.finish();
        client.expect_end();
    });
    assert!(reported.try_recv().is_err());
}

fn a_greeting_is_no_answer<T: Timed, M: Strategy + Default>() {
    let (hooks, reported) = reported(Hooks::new(|request: &mut T::Request| {
        request.send_all("hello\n")?;
        echo_lines(request)
    }));
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::FirstByte), |server| server);
    let client = host.client();
    assert_eq!(client.rest(), b"hello\n");
    assert_eq!(next(&reported).kind, Some(TimeoutKind::FirstByte));
}

fn the_read_timeout_is_the_default_for_all_reads<T: Timed, M: Strategy + Default>() {
    let (hooks, reported) = reported(Hooks::<T::Request>::echo());
    let options = |options| with_timeout(options, TimeoutKind::Read, SOON);
    let host = host_with::<T, M, _, _>(hooks, options, |server| server);
    host.client().expect_end();
    assert_eq!(next(&reported).kind, Some(TimeoutKind::Read));
    let client = host.client();
    // This client may be in time or too late. The kind is the same.
    let _ = client.try_send("hello\n");
    let _ = client.try_receive();
    assert_eq!(next(&reported).kind, Some(TimeoutKind::Read));
}

fn a_handler_can_write_after_an_idle_timeout<T: Timed, M: Strategy + Default>() {
    let hooks = Hooks::new(|request: &mut T::Request| {
        loop {
            match request.next_line(100) {
                Ok(Some(line)) => request.send_all(&line)?,
                Err(error) if TimeoutKind::of(&error) == Some(TimeoutKind::Idle) => {
                    return Ok(request.send_all("too slow\n")?);
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    });
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Idle), |server| server);
    let client = host.client();
    client.send("hello\n");
    assert_eq!(client.rest(), b"hello\ntoo slow\n");
    let handle = host.server.handle();
    drop(client);
    host.stop();
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.failed), (1, 0));
    assert_eq!(all_counted(&stats), [(TimeoutKind::Idle, 1)]);
}

over_streams_by_strategy!(
    a_pause_in_a_message_is_not_idle,
    a_pause_after_an_answer_is_not_a_pause_in_a_message,
    an_echo_of_the_buffer_is_an_answer,
    the_first_byte_timeout_ends_with_the_first_byte,
    a_greeting_is_no_answer,
    the_read_timeout_is_the_default_for_all_reads,
    a_handler_can_write_after_an_idle_timeout,
);
