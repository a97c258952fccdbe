//! Decides which system interfaces `src/sys` uses.
//!
//! | cfg | meaning |
//! | --- | --- |
//! | `linux_api` | the interfaces of Linux exist, such as `epoll(7)` |
//! | `coroutines` | the processor is one for which `corosensei` has coroutines |
//! | `poll_sees_shutdown` | `shutdown(2)` ends the waits of other threads in `poll(2)`, which reports a hang-up to a wait for space only if nothing can be sent: Unix |
//! | `kernel_waits` | `shutdown(2)` ends the waits of other threads in `recv(2)` and `send(2)`, too, and a flag of each call tells it not to wait: Unix but macOS and NetBSD, where `send(2)` has no such flag |
//!
//! `RUSTFLAGS='--cfg socketserver_portable'` sets none of `linux_api`, `poll_sees_shutdown` and `kernel_waits`, so that
//! tests on Linux run the portable code, as Windows does. With `--cfg poll_sees_shutdown` in addition, they run that of
//! macOS.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(linux_api, poll_sees_shutdown, kernel_waits, coroutines)");
    println!("cargo::rerun-if-changed=build.rs");
    let is_set = |name: &str| env::var_os(format!("CARGO_CFG_{name}")).is_some();
    // Cargo.toml has the same list.
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let has_coroutines = match &*architecture {
        "x86_64" | "x86" => true,
        "aarch64" | "arm" | "riscv64" | "riscv32" | "loongarch64" => !is_set("WINDOWS"),
        _ => false,
    };
    if has_coroutines {
        println!("cargo::rustc-cfg=coroutines");
    }
    if is_set("SOCKETSERVER_PORTABLE") {
        return;
    }
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cfg=linux_api");
    }
    if is_set("UNIX") {
        println!("cargo::rustc-cfg=poll_sees_shutdown");
        let is = |name: &str, value: &str| {
            env::var(format!("CARGO_CFG_TARGET_{name}")).as_deref() == Ok(value)
        };
        if !is("VENDOR", "apple") && !is("OS", "netbsd") {
            println!("cargo::rustc-cfg=kernel_waits");
        }
    }
}
