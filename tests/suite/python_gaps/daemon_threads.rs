//! `daemon_threads`.

use super::*;

#[test]
#[ignore = "run by abandoned_threads_end_with_the_process"]
fn the_process_that_abandons_a_thread() {
    if !is_alone(test_name!("the_process_that_abandons_a_thread")) {
        return;
    }
    let (started, starts) = mpsc::channel();
    let service = Hooks::new(move |_: &mut TcpRequest| {
        let _ = started.send(());
        loop {
            thread::park();
        }
    });
    let server = ThreadingTcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.block_on_close(false).spawn().unwrap();
    let _client = Tcp::connect(server.server_address());
    next(&starts);
    assert_eq!(server.stop().unwrap().running, 1);
    println!("the server is closed");
}

/// A thread for which the close does not wait does not keep the process alive. Python: daemon threads.
#[test]
fn abandoned_threads_end_with_the_process() {
    let finished = run(test_name!("the_process_that_abandons_a_thread"));
    assert!(finished.success().contains("the server is closed"));
}
