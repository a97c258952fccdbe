//! Mode, owner and group of the file of a Unix socket.

use std::io;
use std::path::Path;

use crate::address::UnixAddress;
use crate::error::with_advice;
use crate::sys::socket_access::{Ownership, SocketFile};
use crate::transport::SocketOptions;

/// What the options state about the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    mode: Option<u32>,
    ownership: Ownership,
}

impl Access {
    /// Permissions of the user to whom a file belongs.
    const OF_OWNER: u32 = 0o700;

    /// Returns what the options state, if the address has a file that can be like this.
    pub(super) fn of(options: &SocketOptions, address: &UnixAddress) -> io::Result<Self> {
        let &SocketOptions {
            mode, owner, group, ..
        } = options;
        let ownership = Ownership { owner, group };
        let invalid = |problem: &'static str, advice: &'static str| {
            let error = io::Error::new(io::ErrorKind::InvalidInput, problem);
            Err(with_advice(error, advice))
        };
        if let UnixAddress::Abstract(_) = address
            && (mode.is_some() || !ownership.is_empty())
        {
            return invalid(
                "a name in the abstract namespace has no mode, owner or group",
                "every process of the network namespace can connect to an abstract name: use a path, or leave \
                 out `mode`, `owner` and `group` and check the `peer_credentials` of clients",
            );
        }
        if mode.is_some_and(|mode| mode > 0o777) {
            return invalid(
                "the mode has other bits than the nine permissions",
                "write `mode` as an octal number, such as 0o660",
            );
        }
        if [owner, group].contains(&Some(u32::MAX)) {
            return invalid(
                "no user and no group has this number",
                "`owner` and `group` are numbers of a user and a group; leave them out to keep those of the \
                 process",
            );
        }
        Ok(Self { mode, ownership })
    }

    /// Returns the mode with which the file is created. A file that is given away permits nothing to others
    /// before.
    pub(super) fn first_mode(self) -> Option<u32> {
        if self.ownership.is_empty() {
            return self.mode;
        }
        self.mode.map(|mode| mode & Self::OF_OWNER)
    }

    /// Gives the file its owner, its group and its mode, in this order.
    pub(super) fn apply(self, path: &Path) -> io::Result<()> {
        if self.mode.is_none() && self.ownership.is_empty() {
            return Ok(());
        }
        let file = SocketFile::open(path)?;
        if !self.ownership.is_empty() {
            let set = file.set_ownership(self.ownership);
            set.map_err(|error| self.ownership_error(error))?;
        }
        if let Some(mode) = self.mode {
            file.set_mode(mode).map_err(|error| {
                let advice = match error.kind() {
                    io::ErrorKind::NotFound => {
                        "the mode of the file is set by way of `/proc`: mount it, for example in the \
                         directory of a chroot, or leave out `mode`"
                    }
                    _ => {
                        "the mode of the file cannot be set: leave out `mode`, or choose a path on another \
                         file system"
                    }
                };
                with_advice(error, advice)
            })?;
        }
        Ok(())
    }

    fn ownership_error(self, error: io::Error) -> io::Error {
        let advice = if error.kind() != io::ErrorKind::PermissionDenied {
            "the file cannot be given to this `owner` and `group`: check the numbers, which must exist in \
             the user namespace of the process"
        } else if self.ownership.gives_away() {
            "only root, and a program with the capability CAP_CHOWN, can give the file to another user: start \
             it as root, or leave out `owner`, so that the file belongs to the user of the process"
        } else {
            "the process does not belong to this group: add its user to the group, start it as root, or \
             leave out `group`"
        };
        with_advice(error, advice)
    }
}
