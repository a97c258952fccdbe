//! Groups and processes: signals, and servers that fork beside servers with threads.

#![allow(unsafe_code, reason = "forks")]

use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use socketserver::{Forking, StopSignal, ThreadingUdpServer};

use super::*;
use crate::support::alone::{apart, test_name};
use crate::support::process::reset_signals;

/// Starts `work` in a forked process, which has one thread. It exits with code 0 if `work` succeeds.
fn start_forked(work: impl FnOnce() -> Result<(), String>) -> Pid {
    // SAFETY: the other threads of this process wait, and hold no lock that `work` takes.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let succeeded = work().map_err(|problem| eprintln!("{problem}"));
            // SAFETY: the call has no preconditions.
            unsafe { nix::libc::_exit(i32::from(succeeded.is_err())) }
        }
        ForkResult::Parent { child } => {
            // Closing a server here would shut down the sockets of the forked process.
            std::mem::forget(work);
            child
        }
    }
}

/// A terminal sends SIGINT to the process. All servers of the group are stopped, and the process ends in order.
#[test]
fn a_signal_stops_all_servers() {
    apart(test_name!("a_signal_stops_all_servers"), || {
        reset_signals().unwrap();
        for number in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            let udp = UdpServer::bind(own_loopback(), handler_fn(echo_or_stop)).unwrap();
            let group = ServerGroup::new()
                .add_named("tcp", tcp().strategy(Threading::new()))
                .add_named("udp", udp);
            let handle = group.handle();
            let process = start_forked(|| {
                let text = |error| format!("{error:?}");
                let stats = group.handle();
                group.shutdown_on_ctrl_c().map_err(text)?;
                group.serve_forever().map_err(text)?;
                let report = group.server_close();
                // The signal may come before the end of the datagram's request.
                let last = &report.members[0].report;
                let counts = (last.running, last.completed, stats.stats().completed);
                if counts == (1, 1, 2) {
                    Ok(())
                } else {
                    Err(report.to_string())
                }
            });
            let client = connect(&member(&handle, "tcp"));
            assert_eq!(client.ask("await\n"), "await\n");
            assert_eq!(
                connect_udp(&member(&handle, "udp")).ask("hello\n"),
                "hello\n"
            );
            kill(process, number).unwrap();
            // The connection has the grace period.
            assert_eq!(client.line(), "stopping\n");
            assert_eq!(client.ask("last\n"), "last\n");
            client.finish();
            client.expect_end();
            assert_eq!(waitpid(process, None), Ok(WaitStatus::Exited(process, 0)));
        }
    });
}

#[test]
fn only_the_named_signals_stop_the_group() {
    apart(test_name!("only_the_named_signals_stop_the_group"), || {
        reset_signals().unwrap();
        let group = ServerGroup::new().add(tcp()).add(tcp());
        group.shutdown_on([StopSignal::HangUp]).unwrap();
        let group = group.spawn().unwrap();
        raise(Signal::SIGHUP).unwrap();
        in_time(move || group.join()).unwrap();
    });
}

/// The threads of a group wait where a fork is safe, so that a server can fork beside them.
#[test]
fn a_forking_server_serves_beside_one_with_threads() {
    apart(
        test_name!("a_forking_server_serves_beside_one_with_threads"),
        || {
            reset_signals().unwrap();
            for spawned in [true, false] {
                // The process of this test has threads of its own; the forked one has not.
                let forking = tcp().strategy(Forking::new());
                let udp =
                    ThreadingUdpServer::bind(own_loopback(), handler_fn(echo_or_stop)).unwrap();
                let group = ServerGroup::new()
                    .max_connections(2)
                    .add_named("tcp", forking)
                    .add_named("udp", udp)
                    .add(tcp().strategy(Coroutines::new().workers(1)));
                let handle = group.handle();
                let process = start_forked(|| {
                    let text = |error| format!("{error:?}");
                    let stats = group.handle();
                    let report = match spawned {
                        true => group
                            .spawn()
                            .map_err(text)?
                            .join()
                            .map_err(|e| e.to_string())?,
                        false => {
                            group.serve_forever().map_err(text)?;
                            group.server_close()
                        }
                    };
                    let stats = stats.stats();
                    let counts = (stats.completed, stats.failed, stats.active);
                    let expected = (22, 0, 0);
                    if counts == expected && report.members.len() == 3 {
                        Ok(())
                    } else {
                        Err(format!("{stats:?}\n{report}"))
                    }
                });
                let [tcp, udp] = ["tcp", "udp"].map(|name| member(&handle, name));
                std::thread::scope(|scope| {
                    for _ in 0..2 {
                        let tcp = &tcp;
                        scope.spawn(move || {
                            for _ in 0..5 {
                                let client = connect(tcp);
                                assert_eq!(client.ask("hello\n"), "hello\n");
                                client.finish();
                                client.expect_end();
                            }
                        });
                    }
                    for _ in 0..10 {
                        assert_eq!(connect_udp(&udp).ask("hello\n"), "hello\n");
                    }
                });
                // A child process, and its handle in the child, stop the group in the parent.
                let other = handle.members().nth(2).unwrap().1;
                let idle = connect(&other);
                assert_eq!(idle.ask("hello\n"), "hello\n");
                let client = connect(&tcp);
                assert_eq!(client.ask("stop\n"), "stop\n");
                for client in [client, idle] {
                    client.finish();
                    client.expect_end();
                }
                assert_eq!(waitpid(process, None), Ok(WaitStatus::Exited(process, 0)));
            }
        },
    );
}

/// The parent counts a connection until it has reaped the child process.
#[test]
fn child_processes_count_for_the_shared_limit() {
    apart(
        test_name!("child_processes_count_for_the_shared_limit"),
        || {
            let group = ServerGroup::new()
                .max_connections(1)
                .add_named("forking", tcp().strategy(forking()))
                .add_named("threading", tcp().strategy(Threading::new()))
                .spawn()
                .unwrap();
            let handle = group.handle();
            let [forking, threading] = ["forking", "threading"].map(|name| member(&handle, name));
            for (first, second) in [(&forking, &threading), (&threading, &forking)] {
                let one = connect(first);
                assert_eq!(one.ask("one\n"), "one\n");
                let two = connect(second);
                two.send("two\n");
                assert_eq!(one.ask("still one\n"), "still one\n");
                assert_eq!(handle.stats().active, 1);
                assert_eq!(two.try_receive_now().unwrap(), None);
                one.finish();
                one.expect_end();
                assert_eq!(two.line(), "two\n");
                two.finish();
                two.expect_end();
                assert!(handle.wait_until_idle(PATIENCE));
            }
            assert_eq!(handle.stats().completed, 4);
            expect_reports_add_up(&stop(group));
        },
    );
}
