//! Next steps for the errors of the system, which [`Error`](super::Error) prints.
//!
//! A number of an error has several causes. The text is right for all of them, or names them all.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::errno::{self, Errno};

type Text = Cow<'static, str>;

/// Error of the system for which the cause is known better than from its number.
#[derive(Debug)]
struct WithAdvice {
    error: io::Error,
    advice: Text,
}

/// Adds the cause and the next step to an error of binding. [`Error::Bind`](super::Error::Bind) prints
/// them.
pub(crate) fn with_advice(error: io::Error, advice: impl Into<Text>) -> io::Error {
    let advice = advice.into();
    io::Error::new(error.kind(), WithAdvice { error, advice })
}

impl fmt::Display for WithAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for WithAdvice {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// Returns the next step that [`with_advice`] has added.
fn added(error: &io::Error) -> Option<Text> {
    let error = error.get_ref()?.downcast_ref::<WithAdvice>()?;
    Some(error.advice.clone())
}

/// Next step for an address that could not be resolved. `address` is its debug format.
pub(super) fn resolve(address: &str, error: &io::Error) -> Text {
    let starts_with = |begins: &[&str]| begins.iter().any(|begin| address.starts_with(begin));
    if starts_with(&["\"/", "\"./"]) {
        return "a path is an address of a Unix server, such as `UnixStreamServer`".into();
    }
    if address.trim_matches('"').parse::<Ipv6Addr>().is_ok() {
        return "write an IPv6 address as \"[::1]:PORT\"".into();
    }
    if error.kind() == io::ErrorKind::InvalidInput {
        return "write it as \"HOST:PORT\", with a port from 0 to 65535".into();
    }
    if starts_with(&["\":"]) {
        return "the host is missing: for all interfaces, use \"0.0.0.0:PORT\", or (\"\", PORT) as in Python"
            .into();
    }
    "check the spelling of the host name, and that the name service of this machine works; an IP \
     address needs none"
        .into()
}

/// Next step for a socket that could not be bound, taken over or made to listen.
pub(super) fn bind(address: &str, error: &io::Error) -> Option<Text> {
    if let Some(advice) = added(error) {
        return Some(advice);
    }
    let errno = Errno::from_io_error(error)?;
    let advice = match address.parse() {
        Ok(address) => inet(address, errno),
        Err(_) => unix(address, errno),
    };
    advice.or_else(|| Some(memory_or_descriptors(errno)?.into()))
}

fn inet(address: SocketAddr, errno: Errno) -> Option<Text> {
    let (ip, port) = (address.ip(), address.port());
    let any = SocketAddr::new(
        match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        },
        port,
    );
    Some(match errno {
        Errno::ADDRINUSE if port == 0 => {
            "no port is free: bind to a certain port, or, on Linux, widen the range of the sysctl \
             net.ipv4.ip_local_port_range"
                .into()
        }
        Errno::ADDRINUSE => {
            let beside = if address == any && address.is_ipv6() {
                "; with `only_v6(true)`, an IPv4 server can have the same port"
            } else {
                ""
            };
            let tool = if cfg!(windows) {
                "`netstat -ano` shows"
            } else {
                "`ss -tuanp` shows on Linux"
            };
            format!(
                "another socket is using it, of a server or of an outgoing connection: stop its \
                 program, which {tool}, or bind to another port; port 0 picks a free one{beside}"
            )
            .into()
        }
        Errno::ACCESS if cfg!(windows) => {
            "Windows has excluded the port, for example for virtual machines, or another program holds the \
             address for itself: bind to another port. `netsh int ipv4 show excludedportrange \
             protocol=tcp` (or `protocol=udp`) shows excluded ports, and `netstat -ano` shows programs"
                .into()
        }
        Errno::ACCESS | errno::PERM if (1..1024).contains(&port) => {
            "ports below 1024 need privileges: bind to a higher port, or give the program the \
             capability CAP_NET_BIND_SERVICE; if it has that, a policy of the system forbids the port, \
             for example SELinux"
                .into()
        }
        Errno::ACCESS | errno::PERM => {
            "a policy of the system forbids this, for example SELinux or that of a container, or the \
             sysctl net.ipv4.ip_unprivileged_port_start is above the port: bind to another port"
                .into()
        }
        Errno::ADDRNOTAVAIL => format!(
            "no interface of this machine has this address, or not yet: bind to one that `ip address` \
             lists, or to all, \"{any}\""
        )
        .into(),
        Errno::AFNOSUPPORT => {
            let (missing, other) = match address {
                SocketAddr::V4(_) => ("IPv4", format!("[::]:{port}")),
                SocketAddr::V6(_) => ("IPv6", format!("0.0.0.0:{port}")),
            };
            format!(
                "this machine has no {missing}, or this program may not use it: bind to an address of \
                 the other family, such as \"{other}\""
            )
            .into()
        }
        Errno::INVAL if is_link_local_without_interface(address) => format!(
            "a link-local address needs its interface, by the number that `ip link` shows: \
             \"[{ip}%2]:{port}\" for number 2"
        )
        .into(),
        errno::NODEV => {
            "there is no network interface of the number that follows the % of the address: `ip link` \
             lists them"
                .into()
        }
        Errno::INVAL => ALREADY_BOUND.into(),
        Errno::NOPROTOOPT | Errno::OPNOTSUPP => {
            "this system does not have one of the options that are set".into()
        }
        _ => return None,
    })
}

fn is_link_local_without_interface(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V4(_) => false,
        SocketAddr::V6(address) => address.ip().is_unicast_link_local() && address.scope_id() == 0,
    }
}

const ALREADY_BOUND: &str = "the address is invalid, or the socket is bound or connected already: a \
                             function given to `before_bind` must do neither";

fn unix(address: &str, errno: Errno) -> Option<Text> {
    // No path begins like this, because binding rejects them.
    let is_abstract = address.starts_with('@');
    let advice = match errno {
        Errno::NAMETOOLONG if is_abstract => {
            "a name in the abstract namespace has at most 107 bytes: use a shorter name"
        }
        Errno::AFNOSUPPORT if is_abstract => "only Linux has abstract addresses: use a path",
        Errno::NAMETOOLONG => {
            "the path of a Unix socket has at most 107 bytes, on some systems fewer: use a shorter \
             path, for example a relative one"
        }
        Errno::AFNOSUPPORT => "this system has no Unix sockets, or this program may not use them",
        Errno::ACCESS => {
            "the process needs write permission for the directory of the socket file, and search \
             permission for each directory of its path; if it has them, a policy of the system forbids \
             this, for example SELinux"
        }
        errno::PERM => {
            "no socket file may be created in this directory, because its file system has none or \
             because of its attributes: choose another directory"
        }
        errno::NOENT if address.ends_with('/') => {
            "the path of a Unix socket names a file: remove the slash at its end"
        }
        errno::NOENT => "create the directory of the socket file first",
        errno::NOTDIR => {
            "a part of the path that should be a directory is a file: correct the path"
        }
        Errno::LOOP => "symbolic links of the path refer to each other: correct them",
        errno::ROFS => "the file system is read-only: choose another directory",
        errno::NOSPC | Errno::DQUOT => {
            "the file system is full: free space, or choose another directory"
        }
        Errno::INVAL => ALREADY_BOUND,
        _ => return None,
    };
    Some(advice.into())
}

/// Next step if the accept loop ended.
pub(super) fn accept(error: &io::Error) -> Text {
    match Errno::from_io_error(error) {
        Some(Errno::INVAL) => {
            "the socket does not listen any more, because other code or another process that has it \
             too has shut it down: close this server and bind a new one"
        }
        Some(Errno::BADF | Errno::NOTSOCK) => {
            "other code of this program has closed the descriptor of the listening socket, which it \
             must not: close this server and bind a new one"
        }
        _ => {
            "the listening socket or the strategy has failed: close this server and bind a new one"
        }
    }
    .into()
}

/// Next step if the system did not provide a thread or a descriptor.
pub(super) fn resources(error: &io::Error) -> Option<Text> {
    let errno = Errno::from_io_error(error)?;
    Some(match errno {
        Errno::AGAIN => {
            "too many threads: raise the limit of the user with `ulimit -u`, or that of the container"
                .into()
        }
        errno => memory_or_descriptors(errno)?.into(),
    })
}

fn memory_or_descriptors(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::MFILE => {
            "this process has reached its limit of open descriptors: raise it with `ulimit -n`"
        }
        errno::NFILE => {
            "the system has reached its limit of open descriptors: raise it, on Linux with \
             `sysctl -w fs.file-max=NUMBER`"
        }
        errno::NOMEM | Errno::NOBUFS => {
            "the system is short of memory, or the limit of this process or container is reached"
        }
        _ => return None,
    })
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn a_denied_port_is_excluded_or_held() {
        for address in ["127.0.0.1:80", "[::]:50000"] {
            let advice = bind(address, &Errno::ACCESS.into()).unwrap();
            assert!(advice.contains("excludedportrange"), "{advice}");
            assert!(!advice.contains("SELinux"), "{advice}");
        }
    }
}
