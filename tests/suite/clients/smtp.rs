//! The mail server, with Python's `smtplib`.

use super::*;

/// Sends mail with smtplib, checks two refusals, and ends in order.
const CLIENT: &str = r#"
import smtplib, sys
client = smtplib.SMTP(sys.argv[1], int(sys.argv[2]), timeout=50)
text = "Subject: hi\n\nHello\n.dot\n..\n\x1b[2J end"
assert client.sendmail("ada@a.test", ["bob@b.test", "eve@b.test"], text) == {}
assert client.docmd("MAIL", "ada")[0] == 501
assert client.docmd("DATA")[0] == 503
refused = client.sendmail("ada@a.test", [f"{n}@b.test" for n in range(101)], "many")
assert refused == {"100@b.test": (452, b"too many recipients")}, refused
client.mail("ada@a.test"), client.rcpt("bob@b.test")
assert client.data("x" * 1000 + "\r\n" + ("y" * 1000 + "\r\n") * 1100)[0] == 552
assert client.docmd("NONSENSE")[0] == 500
assert client.quit()[0] == 221
"#;

#[test]
fn smtplib_sends_mail() {
    if !is_installed("python3") {
        return;
    }
    let (server, address) = serve("smtp_sink", &[]);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let client = run("python3", &["-c", CLIENT, &host, &port], "");
    assert_eq!(client.stderr, "");
    let output = stop(server);
    let first = "from <ada@a.test> to <bob@b.test>, <eve@b.test>, 42 bytes\n| Subject: hi\n|\n\
                 | Hello\n| .dot\n| ..\n| \\u{1b}[2J end\nfrom <ada@a.test> to <0@b.test>, ";
    let (_, mails) = output.split_once('\n').unwrap();
    assert!(mails.starts_with(first), "{mails}");
    assert!(
        mails.ends_with(" <99@b.test>, 6 bytes\n| many\n"),
        "{mails}"
    );
}

#[test]
fn smtp_sink_answers_malformed_commands() {
    let (server, address) = serve("smtp_sink", &[]);
    let input = b"\r\n\xff\xff\r\nMAIL\r\nMAIL \xc3\xa9\xc3\xa9\xc3\xa9<\r\nMAIL FROM:>x<\r\nRCPT TO:<a>\r\n";
    let answer = String::from_utf8(converse(address, input)).unwrap();
    let codes: Vec<_> = answer.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "500", "500", "501", "501", "501", "503"]);
    stop(server);
}
