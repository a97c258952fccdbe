//! `Sequential`.

use super::*;

fn a_sequential_server_serves_one_at_a_time_in_order<T: Connected>() {
    let (hooks, watched) = watched::<T::Request>();
    let host = host::<T, Sequential, _>(hooks);
    let clients = [(); 5].map(|()| host.client());
    // All clients send at once.
    for (n, client) in clients.iter().enumerate() {
        client.send(format!("{n}\n"));
    }
    let mut threads = BTreeSet::new();
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(client.line(), format!("{n}\n"));
        assert_eq!(client.ask("again\n"), "again\n");
        threads.insert(next(&watched.starts).1);
        assert!(
            watched.starts.try_recv().is_err(),
            "the next request has begun"
        );
        client.finish();
        client.expect_end();
    }
    assert_eq!(watched.most_at_once.load(Ordering::SeqCst), 1);
    assert_eq!(threads, BTreeSet::from(["socketserver".into()]));
}

#[test]
fn a_sequential_server_runs_on_the_thread_that_serves() {
    let (hooks, watched) = watched::<TcpRequest>();
    let server = Server::<Tcp, _, Sequential>::bind(LOOPBACK, hooks).unwrap();
    let client = Tcp::connect(server.server_address());
    client.send("hello\n");
    client.finish();
    server.handle_request().unwrap();
    assert_eq!(next(&watched.starts).0, thread::current().id());
    assert_eq!(client.rest(), b"hello\n");
}

over_streams!(a_sequential_server_serves_one_at_a_time_in_order,);
