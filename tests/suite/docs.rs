//! Checks statements of the documentation about the repository: the tests it names exist, all pages are
//! compiled, and `.ci/run` runs the commands of the README.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the source of a module of the suite, which is a file, a directory of files, or both.
pub(crate) fn source_of(module: &str) -> String {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let directory = suite.join(module);
    let file = format!("tests/suite/{module}.rs");
    match directory.is_dir() {
        true if directory.with_extension("rs").exists() => read(&file) + &sources_under(&directory),
        true => sources_under(&directory),
        false => read(&file),
    }
}

/// Returns the paths of all pages below `docs`, relative to the repository.
pub(crate) fn pages() -> Vec<String> {
    fn add(directory: &Path, pages: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
                pages.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    let mut pages = Vec::new();
    add(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"),
        &mut pages,
    );
    pages.sort();
    pages
}

fn sources_under(directory: &Path) -> String {
    let paths = fs::read_dir(directory).unwrap();
    let paths = paths.map(|entry| entry.unwrap().path());
    let sources = paths.map(|path| {
        if path.is_dir() {
            sources_under(&path)
        } else {
            fs::read_to_string(path).unwrap()
        }
    });
    sources.collect()
}

#[test]
fn every_difference_names_a_test_that_exists() {
    let page = read("docs/reference/differences.md");
    let (tested, _) = page.split_once("## What is not there").unwrap();
    let rows = tested.lines().filter(|line| {
        line.starts_with("| ") && !line.starts_with("| Python |") && !line.starts_with("| ---")
    });
    for row in rows {
        assert!(!row.contains("| |"), "a cell is empty in: {row}");
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        if cell == "`src/compile_fail.rs`" {
            continue;
        }
        for test in cell.split(", ") {
            let name = test.trim_matches('`').split_once("::");
            let (file, name) = name.unwrap_or_else(|| panic!("no test in: {row}"));
            if file == "differential" {
                read(&format!("tests/suite/differential/pairs/{name}.py"));
                continue;
            }
            let source = source_of(file);
            let found = ["(", "<"].map(|end| source.contains(&format!("fn {name}{end}")));
            assert!(
                found.contains(&true),
                "no test {name} in tests/suite/{file}"
            );
        }
    }
}

/// `docs/SUMMARY.md` is a list of links. The code of translated pages is that of the English pages.
#[test]
fn every_page_is_compiled() {
    let list = read("src/documentation.rs");
    for page in pages() {
        if page == "docs/SUMMARY.md" || page.starts_with("docs/zh/") {
            continue;
        }
        let included = format!("include_str!(\"../{page}\")");
        assert!(
            list.contains(&included),
            "{page} is not in src/documentation.rs"
        );
    }
}

#[test]
fn every_test_that_the_pages_on_reliability_name_exists() {
    let page = read("docs/reference/reliability.md") + &read("docs/explanation/tests.md");
    let names = page.split('`').skip(1).step_by(2);
    let tests = |name: &&str| name.starts_with("tests/") || name.starts_with("benches/");
    let named: Vec<_> = names.filter(tests).collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        assert!(path.exists(), "there is no {name}");
    }
}

/// The page on TLS compiles the block.
#[test]
fn the_tls_server_of_the_readme_is_that_of_the_page() {
    let readme = read("README.md");
    let (_, block) = readme.split_once("```rust,ignore\n").unwrap();
    let (block, _) = block.split_once("```\n").unwrap();
    assert!(block.contains("ThreadingTlsServer"), "{block}");
    let compiled = read("docs/how-to/tls.md");
    for line in block.lines() {
        assert!(compiled.contains(line), "not in docs/how-to/tls.md: {line}");
    }
}

/// The command that the error of a missing certificate advises is that of the pages, and makes a certificate that
/// servers and clients take.
#[cfg(feature = "tls")]
#[test]
fn the_command_for_a_certificate_is_that_of_the_error() {
    use socketserver::tls::TlsConfig;
    use std::process::Command;

    let error = TlsConfig::from_pem_files("missing.pem", "missing.key").unwrap_err();
    let error = error.to_string();
    let (_, command) = error.split_once("a certificate for trying: ").unwrap();
    for page in [
        "docs/how-to/tls.md",
        "docs/tutorial/21-tls.md",
        "examples/tutorial_tls.rs",
    ] {
        let text = read(page).replace("\\\n", "").replace("//!", "");
        let words: Vec<_> = text.split_whitespace().collect();
        let wanted: Vec<_> = command.split_whitespace().collect();
        assert!(
            words.windows(wanted.len()).any(|part| part == wanted),
            "{page} has another command than: {command}"
        );
    }

    let directory = format!("certificate-{}", std::process::id());
    let directory = std::env::temp_dir().join(directory);
    fs::create_dir(&directory).unwrap();
    let made = Command::new("openssl")
        .args(command.split_whitespace().skip(1))
        .current_dir(&directory)
        .output();
    match made {
        Err(error) => eprintln!("skipped: openssl cannot be started: {error}"),
        Ok(made) => {
            assert!(made.status.success(), "{made:?}");
            check_certificate(&directory);
        }
    }
    fs::remove_dir_all(directory).unwrap();
}

/// Starts a server with the files `cert.pem` and `key.pem`, and connects a client that trusts the first.
#[cfg(feature = "tls")]
fn check_certificate(directory: &Path) {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use socketserver::prelude::*;
    use socketserver::tls::TlsConfig;
    use std::sync::Arc;

    let certificate = directory.join("cert.pem");
    let tls = TlsConfig::from_pem_files(&certificate, directory.join("key.pem")).unwrap();
    let hello = handler_fn(|request: &mut TlsRequest| Ok(request.send_all("hello")?));
    let options = ThreadingTlsServer::options().tls(tls);
    let server = options.bind("127.0.0.1:0", hello).unwrap().spawn().unwrap();
    for name in ["localhost", "127.0.0.1"] {
        let mut roots = rustls::RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(&certificate).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name).unwrap();
        let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = std::net::TcpStream::connect(server.server_address()).unwrap();
        let client = rustls::StreamOwned::new(session, socket);
        assert_eq!(std::io::read_to_string(client).unwrap(), "hello");
    }
}

/// The blocks need crates that are not dependencies of this one. The package `examples/databases` compiles and tests
/// them.
#[test]
fn the_code_on_databases_is_that_of_the_example() {
    let package = "examples/databases";
    let files = ["src/sqlite.rs", "src/postgresql.rs", "tests/sqlite.rs"];
    let sources: String = files
        .map(|file| read(&format!("{package}/{file}")))
        .concat();
    let regions = sources.split("// region: ").skip(1);
    let mut regions: Vec<&str> = regions
        .map(|region| region.split_once('\n').unwrap().1)
        .map(|region| region.split_once("// endregion\n").unwrap().0)
        .collect();
    let page = read("docs/how-to/databases.md");
    let blocks = page.split("```rust").skip(1);
    for block in blocks.map(|block| block.split_once("```\n").unwrap().0) {
        let code = block.strip_prefix(",ignore\n").unwrap_or(block);
        let position = regions.iter().position(|region| *region == code);
        let position = position.unwrap_or_else(|| panic!("no region of {package} is:\n{code}"));
        regions.remove(position);
    }
    assert!(regions.is_empty(), "not in the page: {regions:?}");

    let manifest = read(&format!("{package}/Cargo.toml"));
    let (_, listed) = page.split_once("[dependencies]\n").unwrap();
    let (listed, _) = listed.split_once("```").unwrap();
    for dependency in listed.lines() {
        let dependency = dependency.split(" #").next().unwrap();
        assert!(manifest.contains(dependency), "not listed: {dependency}");
    }
}

/// The records contain the messages of the compiler. In the page, `..` stands for any text, and the quotation marks of
/// the compiler are left out.
#[test]
fn every_compiler_message_of_the_faq_is_recorded() {
    fn plain(text: &str) -> String {
        let text = text.replace('`', "").replace("\\|", "|");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let records = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let records = records.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "stderr")
    });
    let records: Vec<String> = records
        .map(|path| plain(&fs::read_to_string(path).unwrap()))
        .collect();
    let contains = |record: &str, message: &str| {
        let mut rest = Some(record);
        for piece in message.split("..") {
            let found = rest.and_then(|rest| rest.split_once(piece.trim()));
            rest = found.map(|(_, after)| after);
        }
        rest.is_some()
    };

    let page = read("docs/faq.md");
    let (_, table) = page.split_once("## Compiler errors").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let mut number = 0;
    for row in rows.skip(2) {
        let (cell, _) = row[2..].split_once(" | ").unwrap();
        let separator = if cell.contains("``") { "``" } else { "`" };
        let messages = cell.split(separator).skip(1).step_by(2);
        // A single word is a place, not a message.
        for message in messages.map(plain).filter(|message| message.contains(' ')) {
            let is_recorded = records.iter().any(|record| contains(record, &message));
            assert!(
                is_recorded,
                "no record in tests/compile_fail has: {message}"
            );
            number += 1;
        }
    }
    assert!(number > 40, "{number}");
}

/// Returns the text of a page without its code blocks.
fn prose(page: &str) -> String {
    let pieces = page.split("\n```").step_by(2);
    pieces.collect()
}

/// Returns the anchors that GitHub generates for the headings of a page.
fn anchors(page: &str) -> Vec<String> {
    let page = prose(page);
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings
        .map(|heading| heading.trim_start_matches('#').trim().chars())
        .map(|heading| heading.filter(kept).collect::<String>())
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect()
}

#[test]
fn links_to_sections_have_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages() {
        let text = prose(&read(&page));
        let directory = root.join(&page).parent().unwrap().to_owned();
        // A link may be split over two lines, but its target is not.
        let targets = text.split("](").skip(1);
        for target in targets.map(|rest| rest.split(')').next().unwrap()) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if file.contains(':') {
                continue; // another site's page
            }
            let path = if file.is_empty() {
                root.join(&page)
            } else {
                directory.join(file)
            };
            assert!(path.exists(), "{page} links to {target}, which is missing");
            if anchor.is_empty() {
                continue;
            }
            let found = anchors(&fs::read_to_string(&path).unwrap());
            assert!(
                found.iter().any(|other| other == anchor),
                "{page} links to {target}, and its headings are {found:?}"
            );
        }
    }
}

#[test]
fn ci_runs_the_commands_of_the_readme() {
    let readme = read("README.md");
    let ci = read(".ci/run");
    assert!(readme.contains("```sh\ncargo run --example echo_server\n```"));
    assert!(readme.contains("```sh\ncargo test --all-features\n```"));
    assert!(
        ci.lines()
            .any(|line| line == "SOCKETSERVER_TESTS=all step cargo test --all-features")
    );
}
