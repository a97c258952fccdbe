//! What an accept loop does while there are no descriptors, or no memory.

use std::io;
use std::time::Duration;

use super::accept::{AcceptLoop, Place, Turn};
use super::pace::Pace;
use super::stats::Refusal;
use crate::error::Error;
use crate::service::Service;
use crate::strategy::{Ready, RequestKind, Wait};
use crate::transport::Transport;

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// Out of descriptors or memory: trying again at once would only burn a processor. Waits a
    /// little, longer each time, but not for a stop, nor for a descriptor that is there again.
    pub(super) fn sit_out(
        &self,
        pace: &mut Pace,
        left: Duration,
        timeout: Option<Duration>,
        place: &Place,
    ) -> Result<Turn, Error> {
        let reserve = &self.core().reserve;
        let awaited = pace
            .starving_since
            .map(|since| (since, reserve.await_one()));
        let mut delay = left;
        if let Some((since, _)) = awaited {
            // One that was closed before the line above was announced to nobody.
            let calm = pace.calm();
            if calm.is_none() && reserve.is_one_free() {
                pace.retry();
                return Ok(Turn::Nothing);
            }
            if let Some(calm) = calm {
                delay = delay.min(calm);
            }
            let is_hungry = T::KIND == RequestKind::Connection && since.elapsed() >= Pace::HUNGER;
            if is_hungry && self.turn_some_away() {
                pace.recover();
                return Ok(Turn::Nothing);
            }
            delay = delay.min(Pace::LOOK_AROUND);
        }
        let (delay, turn) = match timeout {
            Some(timeout) if timeout <= delay => (timeout, Turn::TimedOut),
            _ => (delay, Turn::Nothing),
        };
        match self.wait_without_requests(Some(delay), place)? {
            Ready::Woken => Ok(Turn::Nothing),
            _ => Ok(turn),
        }
    }

    /// Waits, and leaves requests to the kernel's queue meanwhile.
    pub(super) fn wait_without_requests(
        &self,
        timeout: Option<Duration>,
        place: &Place,
    ) -> Result<Ready, Error> {
        let wait = Wait {
            starved: true,
            ..self.wait(timeout, place)
        };
        // A strategy that lacks something too cannot even wait in its own way.
        let waited = self.wait_by_strategy(&wait);
        let waited = waited.or_else(|_| wait.for_notification());
        let ready = waited.map_err(|source| Error::Accept { source })?;
        if ready == Ready::Woken {
            self.core().acknowledge_wake();
        }
        Ok(ready)
    }

    /// There has been no descriptor for so long that clients have waited enough: with the one that is
    /// kept for this, they get an end at least. Returns whether nobody is left.
    fn turn_some_away(&self) -> bool {
        let reserve = &self.core().reserve;
        for _ in 0..Pace::AT_ONCE {
            let one = || {
                let taken = self.get_request();
                taken.map(|request| self.turn_away(request, Refusal::Descriptors, b""))
            };
            let turned_away = reserve.spend(one);
            let in_stock = reserve.stock();
            match turned_away {
                Ok(()) if in_stock => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                _ => break,
            }
        }
        false
    }
}
