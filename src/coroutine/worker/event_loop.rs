//! The event loop of a worker.

use std::io;
use std::time::{Duration, Instant};

use crate::coroutine::mailbox::Message;
use crate::coroutine::worker::{AcceptEvents, Worker, key};
use crate::panics::catch_panic;
use crate::sys::fork_gate::parked;

impl Worker {
    /// Runs coroutines and messages until no coroutine is left and the mailbox is closed.
    pub(crate) fn run(&self) {
        while !self.is_done() {
            if self.run_once(None, false).is_err() {
                // The error cannot be handled. The sleep keeps the loop from using a whole processor.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn is_done(&self) -> bool {
        self.live() == 0 && self.mailbox.is_closed() && !self.mailbox.has_news()
    }

    /// Runs each coroutine that is ready once, then polls for events, at most until `deadline`. With
    /// `at_capacity`, it returns without a poll if a coroutine has ended, because there is capacity
    /// then.
    pub(super) fn run_once(
        &self,
        deadline: Option<Instant>,
        at_capacity: bool,
    ) -> io::Result<AcceptEvents> {
        let live = self.live();
        self.read_messages();
        self.run_ready();
        self.scheduler().expire_waits(self.now.get());
        if self.is_done() || (at_capacity && self.live() < live) {
            return Ok(AcceptEvents::default());
        }
        let events = self.poll(deadline)?;
        let now = Instant::now();
        self.now.set(now);
        self.mailbox.set_busy(Some(now));
        // Behind the coroutines whose sockets have just become ready.
        let scheduler = &mut *self.scheduler();
        scheduler.ready.extend(scheduler.retrying.drain(..));
        Ok(events)
    }

    fn read_messages(&self) {
        for message in self.mailbox.take() {
            match message {
                Message::Wake(token) => self.scheduler().wake(token),
                Message::Run(work) => drop(catch_panic(work)),
            }
        }
    }

    /// Polls for events. Waits, at most until `deadline`, if there is nothing else to do.
    fn poll(&self, deadline: Option<Instant>) -> io::Result<AcceptEvents> {
        let wait_until = {
            let scheduler = self.scheduler();
            if scheduler.ready.is_empty() && scheduler.retrying.is_empty() {
                let moments = [
                    deadline,
                    scheduler.timers.next(),
                    scheduler.short_waits.next(),
                ];
                Some(moments.into_iter().flatten().min())
            } else {
                None
            }
        };
        match wait_until {
            Some(until) if self.mailbox.prepare_sleep() => {
                self.mailbox.set_busy(None);
                let now = self.now.get();
                let timeout = until.map(|until| until.saturating_duration_since(now));
                let events = parked(|| self.poll_for(timeout));
                self.mailbox.end_sleep();
                events
            }
            _ => self.poll_for(Some(Duration::ZERO)),
        }
    }

    fn poll_for(&self, timeout: Option<Duration>) -> io::Result<AcceptEvents> {
        let mut accept_events = AcceptEvents::default();
        let mut has_foreign_events = false;
        let scheduler = &mut *self.scheduler();
        self.poller.wait(timeout, |event| match event.key {
            key::WAKER => accept_events.woken = true,
            key::MAILBOX => self.mailbox.drain_waker(),
            key::FOREIGN_FDS => has_foreign_events = true,
            listener if listener > key::LAST_LISTENER => accept_events.request = true,
            _ => scheduler.record_event(event),
        })?;
        if has_foreign_events {
            let mut foreign_fds = self.foreign_fds.borrow_mut();
            foreign_fds.take_ready(|token| scheduler.wake(token))?;
        }
        Ok(accept_events)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::coroutine::scheduler::Scheduler;
    use crate::coroutine::{BlockingPool, Waiter};

    #[test]
    fn timers_of_coroutines_that_have_ended_are_removed() {
        let worker = Worker::new(16 * 1024, BlockingPool::default(), |_| {}).unwrap();
        for _ in 0..1000 {
            let (sender, receiver) = mpsc::channel();
            let stack = worker.take_stack().unwrap();
            worker.start(stack, None, move || {
                sender.send(Waiter::current().unwrap()).unwrap();
                Waiter::wait(Instant::now().checked_add(Duration::from_secs(3600)));
            });
            receiver.recv().unwrap().wake();
            worker.run_once(Some(Instant::now()), false).unwrap();
        }
        assert_eq!(worker.live(), 0);
        assert!(worker.scheduler().timers.len() <= Scheduler::SPARE_TIMERS + 2);
    }
}
