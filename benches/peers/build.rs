//! Compiles each C peer into an executable and passes its path to the runner.

use std::path::Path;
use std::{env, fs};

/// One entry per `c/NAME.c`; the runner finds the executable as `env!("PEER_NAME")`.
const PEERS: [&str; 6] = [
    "tcp_fork",
    "tcp_threads",
    "tcp_epoll",
    "udp_loop",
    "udp_mmsg",
    "udp_threads",
];

fn main() {
    println!("cargo::rerun-if-changed=c");
    let out_dir = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    let executables = Path::new(&out_dir).join("c");
    fs::create_dir_all(&executables).expect("OUT_DIR is writable");

    // `cc` builds libraries, so only its choice of a compiler is used here.
    // Optimizes in every profile, because a debug build of the runner measures the peers too.
    let compiler = cc::Build::new()
        .opt_level(2)
        .debug(true)
        .extra_warnings(true)
        .get_compiler();

    for name in PEERS {
        let executable = executables.join(name);
        let status = compiler
            .to_command()
            .args(["-std=gnu11", "-pthread", "-o"])
            .arg(&executable)
            .arg(format!("c/{name}.c"))
            .status()
            .expect("the C compiler runs");
        assert!(status.success(), "c/{name}.c does not compile: {status}");
        println!(
            "cargo::rustc-env=PEER_{}={}",
            name.to_uppercase(),
            executable.display()
        );
    }
}
