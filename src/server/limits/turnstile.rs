//! The turnstile: how an accept loop goes by the limits.

use std::io;
use std::time::Duration;

use super::AtLimit;
use super::gate::{Entry, Verdict};
use crate::error::Error;
use crate::panics::contain;
use crate::request::Request;
use crate::server::accept::{AcceptLoop, Place, Turn};
use crate::server::core::InFlight;
use crate::server::stats::Refusal;
use crate::service::Service;
use crate::strategy::{Ready, RequestKind};
use crate::transport::Transport;

/// How often a loop that waits for a place looks for one itself, where there are several: of these, one is
/// woken, and a handler may hold it up just then.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl<T: Transport, S: Service<T::Request>> AcceptLoop<T, S> {
    /// What the limits say about whoever comes next. They are for connections.
    #[inline]
    pub(in crate::server) fn verdict(&self) -> Verdict {
        match T::KIND {
            RequestKind::Connection => self.core().limits.verdict(self.core()),
            RequestKind::Message => Verdict::Open,
        }
    }

    /// Takes in the request that `next` gets, or turns it away, as the limits say. It is `WouldBlock` if they
    /// say that it has to wait. `turning_away`: the strategy was not asked for room.
    pub(in crate::server) fn take_in(
        &self,
        turning_away: bool,
        next: impl FnOnce() -> io::Result<T::Request>,
        place: &Place,
    ) -> io::Result<()> {
        let core = self.core();
        let entry = match T::KIND {
            RequestKind::Connection => core.limits.enter(core),
            RequestKind::Message => Entry::Free,
        };
        match entry {
            Entry::Free => {
                let request = next()?;
                let _ = contain(|| self.process_request(request, InFlight::begin(core), place));
            }
            // There is room now: all is to be done again, as it is done then.
            Entry::Pass(_) if turning_away => return Err(io::ErrorKind::WouldBlock.into()),
            Entry::Pass(pass) => {
                let request = next()?;
                let _ = contain(|| {
                    let address = || request.client_address().clone().into().ip();
                    match pass.admit(address) {
                        Ok(in_flight) => self.process_request(request, in_flight, place),
                        Err((reason, policy)) => self.turn_away_by(&policy, request, reason),
                    }
                });
            }
            Entry::Shut => return Err(io::ErrorKind::WouldBlock.into()),
            Entry::Away(reason, policy) => {
                let request = next()?;
                let _ = contain(|| self.turn_away_by(&policy, request, reason));
            }
        }
        Ok(())
    }

    fn turn_away_by(&self, policy: &AtLimit, request: T::Request, reason: Refusal) {
        self.core().counters.count_turned_away(reason);
        self.log_refusal(&request, reason);
        policy.turn_away(request);
    }

    /// Leaves clients in the kernel's queue until the limits may say something else, and goes on with
    /// what else there is to do. As every wait, it ends with a stop.
    pub(in crate::server) fn await_place(
        &self,
        timeout: Option<Duration>,
        place: &Place,
    ) -> Result<Turn, Error> {
        let core = self.core();
        let _waiting = core.limits.await_place();
        let Verdict::Shut(mut left) = self.verdict() else {
            return Ok(Turn::Nothing);
        };
        if place.is_own() {
            left = Some(left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN)));
        }
        let (delay, turn) = match (timeout, left) {
            (Some(timeout), Some(left)) if left < timeout => (Some(left), Turn::Nothing),
            (None, left) => (left, Turn::Nothing),
            (timeout, _) => (timeout, Turn::TimedOut),
        };
        match self.wait_without_requests(delay, place)? {
            Ready::Woken => Ok(Turn::Nothing),
            _ => Ok(turn),
        }
    }
}
