//! `handle_request`.

use super::*;

fn without_a_timeout_handle_request_waits_for_a_request<T: Reachable>() {
    for timeout in [None, Some(Duration::MAX)] {
        let (timeouts, timed_out) = mpsc::channel();
        let service = Hooks::<T::Request>::echo().on_timeout(move || timeouts.send(()).unwrap());
        let dir = TempDir::new();
        let server = T::bind::<_, Sequential>(&dir, Server::options(), service).unwrap();
        let server = server.handle_request_timeout(timeout);
        let address = server.server_address().clone();
        let handled = thread::spawn(move || server.handle_request());
        // No event shows that `handle_request` waits. After this time it must not have returned.
        thread::sleep(Duration::from_millis(20));
        assert!(!handled.is_finished());
        let client = T::connect(&address);
        assert_eq!(client.ask("hello\n"), "hello\n");
        drop(client);
        let handled = in_time(|| handled.join()).unwrap();
        assert_eq!(handled.unwrap(), Handled::Request);
        assert_eq!(timed_out.iter().count(), 0);
    }
}

over!([Tcp, Udp, UnixStream, UnixDatagram]
    without_a_timeout_handle_request_waits_for_a_request,
);
