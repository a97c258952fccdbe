//! The file server, with `curl` and Chromium.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;

/// Directory `public`, and files beside it that must not be served. Removed at the end.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("public/sub")).unwrap();
        fs::write(path.join("secret"), "secret").unwrap();
        fs::write(path.join("public/a b.txt"), "0123456789").unwrap();
        fs::write(path.join("public/large"), large()).unwrap();
        fs::write(path.join("public/empty"), "").unwrap();
        symlink(path.join("secret"), path.join("public/link")).unwrap();
        Self(path)
    }

    fn serve(&self) -> (Program, SocketAddr) {
        serve("file_server", &[self.0.join("public").to_str().unwrap()])
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn large() -> Vec<u8> {
    (0..3_000_000_u32).map(|n| (n ^ (n >> 8)) as u8).collect()
}

#[test]
fn curl_fetches_files_and_ranges() {
    if !is_installed("curl") {
        return;
    }
    let site = Site::new("socketserver-curl");
    let (server, address) = site.serve();
    let curl = |path: &str, arguments: &[&str]| {
        let url = format!("http://{address}/{path}");
        let own = ["-s", "--noproxy", "*", "--max-time", "50", "--path-as-is"];
        run("curl", &[&own, arguments, &[&url]].concat(), "").stdout
    };
    assert_eq!(curl("a%20b.txt", &[]), b"0123456789");
    assert_eq!(curl("a%20b.txt?query", &["--http1.0"]), b"0123456789");
    assert!(curl("large", &[]) == large(), "the file differs");
    assert_eq!(curl("empty", &[]), b"");
    for (range, part) in [
        ("2-4", "234"),
        ("7-", "789"),
        ("-2", "89"),
        ("5-99", "56789"),
    ] {
        assert_eq!(curl("a%20b.txt", &["--range", range]), part.as_bytes());
    }
    let code = |path: &str, arguments: &[&str]| {
        let own = ["-o", "/dev/null", "-w", "%{http_code}"];
        String::from_utf8(curl(path, &[&own, arguments].concat())).unwrap()
    };
    assert_eq!(code("a%20b.txt", &["--range", "10-"]), "416");
    assert_eq!(code("empty", &["--range", "0-0"]), "416");
    assert_eq!(code("a%20b.txt", &["--range", "1-2"]), "206");
    assert_eq!(code("a%20b.txt", &["--range", "1-2,4-5"]), "200");
    assert_eq!(code("a%20b.txt", &["-X", "DELETE"]), "405");
    assert_eq!(code("a%20b.txt", &["-d", "body"]), "400");
    for path in [
        "",
        "sub",
        "missing",
        "../secret",
        "%2e%2e/secret",
        "sub/../../secret",
        "link",
        "a%00",
    ] {
        assert_eq!(code(path, &[]), "404", "{path}");
    }
    let head = String::from_utf8(curl("large", &["--head"])).unwrap();
    assert!(head.contains("Content-Length: 3000000\r\n"), "{head}");

    // Two files over one connection.
    let second = format!("http://{address}/a%20b.txt");
    let connects = ["-w", "%{num_connects} ", &second];
    assert_eq!(curl("a%20b.txt", &connects), b"01234567891 01234567890 ");
    assert!(stop(server).contains(" GET /a b.txt 206\n"));
}

#[test]
fn file_server_rejects_what_is_no_request() {
    let site = Site::new("socketserver-http");
    let (server, address) = site.serve();
    let long = "x".repeat(10_000);
    for request in [
        "\r\n",
        "GET\r\n\r\n",
        "GET /large\r\n\r\n",
        "GET large HTTP/1.1\r\n\r\n",
        "GET / HTTP/2\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
        &format!("GET /{long} HTTP/1.1\r\n\r\n"),
        &format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200)),
    ] {
        let answer = converse(address, request.as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{request:?}");
    }
    let pipelined = "GET /empty HTTP/1.1\r\n\r\n".repeat(3);
    let answer = String::from_utf8(converse(address, pipelined.as_bytes())).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 3);
    stop(server);
}

/// Page with a stylesheet and a picture. Once they are loaded, its title states what came of them.
const PAGE: &str = r#"<!DOCTYPE html>
<link rel="stylesheet" href="sub/style.css">
<img id="picture" src="sub/picture">
<script>
addEventListener("load", () => {
    const color = getComputedStyle(document.body).color;
    document.title = `${color}, width ${document.getElementById("picture").naturalWidth}`;
});
</script>
"#;

/// A GIF of 7 × 1 pixels.
const PICTURE: &[u8] =
    b"GIF89a\x07\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x07\0\x01\0\0\x02\x02\x8cS\0;";

#[test]
fn chromium_shows_a_page_over_connections_that_stay_open() {
    if !is_installed("chromium") {
        return;
    }
    let site = Site::new("socketserver-chromium");
    let file = |name: &str| site.0.join(name);
    fs::write(file("public/page.html"), PAGE).unwrap();
    fs::write(file("public/sub/style.css"), "body { color: rgb(1, 2, 3) }").unwrap();
    fs::write(file("public/sub/picture"), PICTURE).unwrap();
    let (server, address) = site.serve();
    let profile = format!("--user-data-dir={}", file("profile").display());
    let own = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-proxy-server",
        &profile,
    ];
    let page = format!("http://{address}/page.html");
    let browser = run("chromium", &[&own[..], &["--dump-dom", &page]].concat(), "");
    let title = "<title>rgb(1, 2, 3), width 7</title>";
    assert!(browser.text().contains(title), "{}", browser.text());

    let log = stop(server);
    let answers = log.lines().filter(|line| line.ends_with(" 200"));
    let clients: Vec<_> = answers.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(clients.len(), 3, "{log}");
    let distinct: HashSet<_> = clients.iter().collect();
    assert!(distinct.len() < 3, "no connection was used twice: {log}");
}
