//! The search of the documentation.

use super::page::{names, page, row_of, rows};
use super::*;

/// Search alias and its place in the source.
struct Alias {
    name: String,
    file: PathBuf,
    item: String,
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn aliases() -> Vec<Alias> {
    let mut files = Vec::new();
    sources(&repository("src"), &mut files);
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut pending: Vec<String> = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(alias) = line.strip_prefix("#[doc(alias = \"") {
                pending.push(alias.trim_end_matches("\")]").to_owned());
            } else if ["pub ", "fn ", "unsafe fn "]
                .iter()
                .any(|start| line.starts_with(start))
            {
                found.extend(pending.drain(..).map(|name| Alias {
                    name,
                    file: file.clone(),
                    item: line.to_owned(),
                }));
            }
        }
    }
    found
}

impl Alias {
    /// Returns whether a search for this alias finds `twin`.
    fn finds(&self, python: &str, twin: &str) -> bool {
        let words = || {
            self.item
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
        };
        let names_it = twin
            .split("::")
            .any(|part| words().any(|word| word == part));
        // rustdoc drops aliases at the definition of an item that is re-exported from a private module.
        // Aliases of types therefore have to be in src/lib.rs. Names that differ only in case are found
        // without an alias.
        let kept = twin.contains("::")
            || twin.eq_ignore_ascii_case(python)
            || self.file == repository("src/lib.rs");
        self.name == python && names_it && kept
    }
}

#[test]
fn searching_the_documentation_for_a_name_finds_its_twin() {
    let rows = rows(&page());
    let aliases = aliases();
    for (kind, name) in names() {
        let Some(row) = row_of(&rows, kind, name) else {
            continue; // tested by `every_name_has_a_row_and_every_row_a_name`
        };
        let same = |twin: &String| twin.rsplit("::").next() == Some(name);
        let found = row.twins.is_empty()
            || row.twins.iter().any(same)
            || row
                .twins
                .iter()
                .any(|twin| aliases.iter().any(|alias| alias.finds(name, twin)));
        assert!(
            found,
            "none of {:?} has #[doc(alias = \"{name}\")]",
            row.twins
        );
    }
}

/// Methods of Python's sockets and files, and the twins that a search of the documentation has to find.
#[test]
fn searching_the_documentation_for_a_socket_method_finds_its_twin() {
    let aliases = aliases();
    for (name, twin) in [
        ("sendall", "Request::send_all"),
        ("makefile", "Request"),
        ("settimeout", "Request::set_timeout"),
        ("settimeout", "ServerOptions::timeout"),
        ("getpeername", "Request::client_address"),
        ("getsockname", "Request::local_address"),
        ("peek", "Request::at_end"),
        ("setsockopt", "ServerOptions::before_bind"),
        ("backlog", "ServerOptions::request_queue_size"),
        ("fromfd", "Server::from_listener"),
        ("fileno", "Server"),
        ("rfile", "StreamReader"),
        ("rbufsize", "StreamReader"),
        ("wfile", "StreamWriter"),
        ("wbufsize", "StreamWriter"),
        ("daemon_threads", "Server::block_on_close"),
        ("server_close", "Server::stop_as_python"),
    ] {
        assert!(
            aliases.iter().any(|alias| alias.finds(name, twin)),
            "{twin} lacks #[doc(alias = \"{name}\")]"
        );
    }
    let exact = ["recv", "readline", "server_close", "verify_request"];
    for name in exact
        .into_iter()
        .chain(["process_request", "active_children", "max_children"])
    {
        let item = format!("fn {name}(");
        let mut files = Vec::new();
        sources(&repository("src"), &mut files);
        let defines = |file: &PathBuf| fs::read_to_string(file).unwrap().contains(&item);
        assert!(files.iter().any(defines), "no function has the name {name}");
    }
}
