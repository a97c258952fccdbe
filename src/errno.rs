//! Numbers of errors, with those that Winsock lacks.

pub(crate) use rustix::io::Errno;

/// Defines numbers that Unix systems have, and the closest numbers of Windows.
macro_rules! numbers {
    ($($name:ident = $windows:literal,)*) => {$(
        #[cfg(unix)]
        pub(crate) const $name: Errno = Errno::$name;
        #[cfg(windows)]
        pub(crate) const $name: Errno = Errno::from_raw_os_error($windows);
    )*};
}

numbers! {
    // ERROR_FILE_NOT_FOUND
    NOENT = 2,
    // ERROR_PATH_NOT_FOUND
    NOTDIR = 3,
    // ERROR_TOO_MANY_OPEN_FILES
    NFILE = 4,
    // ERROR_ACCESS_DENIED
    PERM = 5,
    // ERROR_NOT_ENOUGH_MEMORY
    NOMEM = 8,
    // ERROR_WRITE_PROTECT
    ROFS = 19,
    // ERROR_DEV_NOT_EXIST
    NODEV = 55,
    // ERROR_BROKEN_PIPE
    PIPE = 109,
    // ERROR_DISK_FULL
    NOSPC = 112,
    // Not an error of Windows.
    PROTO = -1,
}
