//! Signals and `shutdown_on_ctrl_c`: in a process that was forked, and if they are ignored.

#![allow(unsafe_code, reason = "forks, and changes the actions of signals")]

#[cfg(unix)]
use nix::sys::signal::{SigHandler, Signal, kill, raise, signal};
#[cfg(unix)]
use nix::sys::wait::{WaitStatus, waitpid};
#[cfg(unix)]
use nix::unistd::{ForkResult, Pid, fork, setsid};
use socketserver::StopSignal;
use socketserver::prelude::*;

use super::*;
use crate::support::alone::{apart, test_name};
use crate::support::process::reset_signals;

fn bound_server() -> TcpServer<impl Service<TcpRequest>> {
    TcpServer::bind(LOOPBACK, || LineEcho).unwrap()
}

/// Starts `work` in a forked process, as a program does that becomes a daemon. It exits with code 0 if `work`
/// succeeds.
fn start_forked(work: impl FnOnce() -> Result<(), String>) -> Pid {
    // SAFETY: the other threads of this process wait, and hold no lock that `work` takes.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let succeeded = work().map_err(|problem| eprintln!("{problem}"));
            // SAFETY: the call has no preconditions.
            unsafe { nix::libc::_exit(i32::from(succeeded.is_err())) }
        }
        ForkResult::Parent { child } => child,
    }
}

fn expect_signal_error<T>(result: Result<T, Error>) -> Result<(), String> {
    match result {
        Err(Error::Signal { .. }) => {
            let text = format!("{:?}", result.map(drop).unwrap_err());
            let words = ["shutdown_on_ctrl_c() only after", "daemon", "forked"];
            match words.iter().all(|word| text.contains(word)) {
                true => Ok(()),
                false => Err(text),
            }
        }
        Err(error) => Err(format!("another error: {error:?}")),
        Ok(_) => Err("it has served".into()),
    }
}

/// The thread that waits for signals stays in the parent, so that signals would have no effect.
#[test]
fn a_server_reports_that_the_process_was_forked_after_shutdown_on_ctrl_c() {
    apart(
        test_name!("a_server_reports_that_the_process_was_forked_after_shutdown_on_ctrl_c"),
        || {
            reset_signals().unwrap();
            let server = bound_server();
            let other = bound_server();
            // The first server of the forked process to serve is stopped at once.
            let (handle, other_handle) = (server.handle(), other.handle());
            server.shutdown_on_ctrl_c().unwrap();
            let forked = start_forked(|| {
                handle.shutdown();
                other_handle.shutdown();
                expect_signal_error(server.serve_forever())?;
                expect_signal_error(server.handle_request())?;
                expect_signal_error(server.shutdown_on_ctrl_c())?;
                // The handler belongs to the process, not to the server.
                expect_signal_error(other.serve_forever())?;
                expect_signal_error(other.spawn())?;
                // With other actions, signals have an effect again.
                reset_signals().map_err(|error| error.to_string())?;
                server.serve_forever().map_err(|error| error.to_string())
            });
            assert_eq!(waitpid(forked, None), Ok(WaitStatus::Exited(forked, 0)));
            let server = server.spawn().unwrap();
            raise(Signal::SIGTERM).unwrap();
            assert!(server.handle().wait(PATIENCE));
        },
    );
}

/// The steps that the documentation names: bind, fork, `setsid`, `shutdown_on_ctrl_c`, serve.
#[test]
fn a_daemon_is_stopped_by_signals() {
    apart(test_name!("a_daemon_is_stopped_by_signals"), || {
        reset_signals().unwrap();
        for number in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let server = bound_server();
            let daemon = start_forked(|| {
                setsid().map_err(|error| error.to_string())?;
                server
                    .shutdown_on_ctrl_c()
                    .and_then(|()| server.serve_forever())
                    .map_err(|error| format!("{error:?}"))
            });
            let client = Tcp::connect(server.server_address());
            assert_eq!(client.ask("hello\n"), "hello\n");
            client.finish();
            client.expect_end();
            kill(daemon, number).unwrap();
            assert_eq!(waitpid(daemon, None), Ok(WaitStatus::Exited(daemon, 0)));
        }
    });
}

/// Serves with some signals ignored. They have no effect, and SIGTERM, SIGINT or SIGHUP stops the server.
fn serve_while_ignoring(ignored: &[Signal], stops: Signal) {
    reset_signals().unwrap();
    for &number in ignored {
        // SAFETY: ignoring runs no code in signal context.
        unsafe { signal(number, SigHandler::SigIgn) }.unwrap();
    }
    let host = host::<Tcp, Threading, _>(|| LineEcho);
    host.server.shutdown_on_ctrl_c().unwrap();
    for &number in ignored {
        raise(number).unwrap();
    }
    assert_eq!(host.client().ask("hello\n"), "hello\n");
    // A second signal would end this process.
    raise(stops).unwrap();
    assert!(host.server.handle().wait(PATIENCE));
    for &number in ignored {
        // SAFETY: the default action runs no code in signal context.
        let action = unsafe { signal(number, SigHandler::SigDfl) }.unwrap();
        assert!(matches!(action, SigHandler::SigIgn), "{number}: {action:?}");
    }
}

/// A shell without job control starts programs in the background with SIGINT ignored, and `nohup` starts them with
/// SIGHUP ignored. Python leaves an ignored SIGINT alone, too.
#[test]
fn ignored_interrupts_and_hangups_stay_ignored() {
    apart(
        test_name!("ignored_interrupts_and_hangups_stay_ignored"),
        || serve_while_ignoring(&[Signal::SIGINT, Signal::SIGHUP], Signal::SIGTERM),
    );
}

#[test]
fn an_ignored_sigterm_stays_ignored() {
    apart(test_name!("an_ignored_sigterm_stays_ignored"), || {
        serve_while_ignoring(&[Signal::SIGTERM], Signal::SIGINT)
    });
}

/// The other signals keep the action that they had.
#[test]
fn only_the_signals_that_were_named_stop_the_server() {
    apart(
        test_name!("only_the_signals_that_were_named_stop_the_server"),
        || {
            reset_signals().unwrap();
            let server = bound_server();
            let forked = start_forked(|| {
                let interrupt = [StopSignal::Interrupt];
                server
                    .shutdown_on(interrupt)
                    .and_then(|()| server.serve_forever())
                    .map_err(|error| format!("{error:?}"))
            });
            assert_eq!(
                Tcp::connect(server.server_address()).ask("hello\n"),
                "hello\n"
            );
            kill(forked, Signal::SIGTERM).unwrap();
            let ended = waitpid(forked, None);
            assert_eq!(
                ended,
                Ok(WaitStatus::Signaled(forked, Signal::SIGTERM, false))
            );

            server.shutdown_on([StopSignal::HangUp]).unwrap();
            server.shutdown_on([StopSignal::Interrupt]).unwrap();
            // SAFETY: ignoring runs no code in signal context.
            let action = unsafe { signal(Signal::SIGTERM, SigHandler::SigIgn) }.unwrap();
            assert!(matches!(action, SigHandler::SigDfl), "{action:?}");
            for number in [Signal::SIGINT, Signal::SIGHUP] {
                raise(number).unwrap();
                server.serve_forever().unwrap();
                server.shutdown_on([]).unwrap(); // The next signal is a first one again.
            }
        },
    );
}
