//! Daemon_threads.

use super::*;

#[test]
#[ignore = "is run in a process of its own, by `threads_that_are_left_behind_end_with_the_process`"]
fn the_process_that_leaves_a_thread_behind() {
    if !is_alone(test_name!("the_process_that_leaves_a_thread_behind")) {
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

/// Python's daemon threads: where closing does not wait for a thread, neither does the process.
#[test]
fn threads_that_are_left_behind_end_with_the_process() {
    let finished = run(test_name!("the_process_that_leaves_a_thread_behind"));
    assert!(finished.success().contains("the server is closed"));
}
