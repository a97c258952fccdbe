//! `Coroutines` inside of other strategies.

use super::*;

#[test]
fn the_strategy_can_be_boxed() {
    let boxed: Box<dyn Strategy> = Box::new(Coroutines::new().workers(2));
    let host = host_by::<Tcp, _, _>(boxed, Hooks::echo());
    let clients = [(); 20].map(|()| host.client());
    for client in clients.iter().rev() {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    drop(clients);
    assert_eq!(host.stop().abandoned.len(), 0);
}

/// Counts jobs and forwards all calls.
struct Counting {
    jobs: Arc<AtomicUsize>,
    inner: Coroutines,
}

impl Strategy for Counting {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        self.jobs.fetch_add(1, Ordering::SeqCst);
        self.inner.process_request(job)
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        self.inner.wait(wait)
    }

    fn server_close(&self, timeout: Duration) {
        self.inner.server_close(timeout);
    }

    fn scheduling(&self) -> Scheduling<'_> {
        self.inner.scheduling().wrapped()
    }
}

fn the_strategy_can_be_wrapped<T: Connected>() {
    let jobs: Arc<AtomicUsize> = Arc::default();
    let strategy = Counting {
        jobs: Arc::clone(&jobs),
        inner: Coroutines::new().workers(2),
    };
    let host = host_by::<T, _, _>(strategy, Hooks::<T::Request>::echo());
    let clients = [(); 20].map(|()| host.client());
    for client in clients.iter().rev() {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    assert_eq!(jobs.load(Ordering::SeqCst), 20);
    drop(clients);
    assert_eq!(host.stop().abandoned.len(), 0);
}

over_streams!(the_strategy_can_be_wrapped,);

/// Does not forward `scheduling`. So `Coroutines` has no accept loops and runs jobs on auxiliary workers.
struct NoLoops(Coroutines);

impl Strategy for NoLoops {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        self.0.process_request(job)
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        self.0.wait(wait)
    }

    fn server_close(&self, grace: Duration) {
        self.0.server_close(grace);
    }
}

fn requests_of_another_accept_loop_are_run<T: Connected>() {
    let host = host_with::<T, Sequential, _, _>(
        Hooks::<T::Request>::echo(),
        |options| options,
        |server| {
            let strategy = NoLoops(Coroutines::new().workers(2).max_coroutines(6));
            // Without a poll interval the loop wakes up only for events.
            server.strategy(strategy).poll_interval(None)
        },
    );
    let mut clients: Vec<_> = (0..6)
        .map(|_| {
            let client = host.client();
            assert_eq!(client.ask("hello\n"), "hello\n");
            client
        })
        .collect();
    // Clients beyond the cap are accepted when others leave.
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let client = host.client();
        client.send("waiting\n");
        waiting.push(client);
    }
    // No event reports that the loop has noticed the cap.
    thread::sleep(Duration::from_millis(50));
    assert!(host.server.stats().accepted < 12);
    for client in waiting {
        clients.remove(0);
        assert_eq!(client.line(), "waiting\n");
        clients.push(client);
    }
    drop(clients);
    assert_eq!(host.stop().abandoned.len(), 0);
}

over_streams!(requests_of_another_accept_loop_are_run,);

#[test]
fn datagrams_are_served_by_all_workers() {
    let server = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
    let server = server.strategy(Coroutines::new().workers(3));
    let server = server.spawn().unwrap();
    let clients = [(); 10].map(|()| socketserver::transport::Udp::connect(server.server_address()));
    for n in 0..50 {
        for client in &clients {
            client.send(format!("{n}\n"));
        }
        for client in &clients {
            assert_eq!(client.receive(), format!("{n}\n").into_bytes());
        }
    }
    let handle = server.handle();
    in_time(|| server.stop()).unwrap();
    assert_eq!(handle.stats().completed, 500);
}
