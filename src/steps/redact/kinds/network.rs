//! Machines and links.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::steps::redact::kind::Profile::{Default, Pii, Secrets};
use crate::steps::redact::kind::{Edge, Kind, Shape};

pub const KINDS: &[Kind] = &[
    Kind {
        name: "url_credentials",
        label: "URL_WITH_PASSWORD",
        says: "a URL that carries a user's name and password, such as a database's connection string",
        profiles: &[Default, Secrets],
        near: &[],
        unless: &[],
        shapes: &[Shape::new(
            r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[A-Za-z0-9._~%!$&*+=-]{0,64}:[A-Za-z0-9._~%!$&*+=#^?-]{1,96}@[A-Za-z0-9.\[\]:_-]{1,120}",
        )
        .tail(r"[A-Za-z0-9._~%!$&*+=/?#,:@-]*[A-Za-z0-9_~%$&*+=/#-]|")
        .needs(b'@')
        .check(has_password)],
        examples: &[
            "«postgres://app:hunter2@db.internal:5432/main»", "see «https://joe:s3cret@example.com/path?x=1».",
            "«redis://:pa55@cache:6379/0»", "«mongodb+srv://u:p%40ss@cluster0.mongodb.net/test»",
        ],
        counters: &["https://example.com:8080/a@b", "postgres://user:${PASSWORD}@db/x", "https://example.com/a:b"],
    },
    Kind {
        name: "ip",
        label: "IP",
        says: "an IPv4 or IPv6 address, but for unspecified, loop-back and broadcast ones",
        profiles: &[Pii],
        near: &["ip", "address", "host", "server", "client", "remote", "addr", "gateway", "dns"],
        unless: &["version", "v", "release", "build", "section", "chapter", "chrome", "firmware", "oid", "ver", "rev", "assembly", "sdk", "update"],
        shapes: &[
            Shape::new(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}").edge(Edge::Apart(".-")).check(ipv4).sure(60, 90),
            Shape::new(r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}").edge(Edge::Apart(".:-")).check(ipv6),
            Shape::new(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5}::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5})?").edge(Edge::Apart(".:-")).check(ipv6),
            Shape::new(r"::[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){1,6}").edge(Edge::Apart(".:-")).check(ipv6),
            Shape::new(r"::(?i:ffff):\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}").edge(Edge::Apart(".:-")).check(ipv6),
        ],
        examples: &[
            "from «192.168.0.1».", "http://«203.0.113.7»:8080/x", "«2001:db8::1»", "«2001:0db8:85a3:0000:0000:8a2e:0370:7334»",
            "«fe80::1ff:fe23:4567:890a»",
        ],
        counters: &["version 1.2.3.4", "1.2.3.4.5", "300.1.1.1", "0.0.0.0", "std::vec", "10:15:30", "a::b", "127.0.0.1", "::1"],
    },
    Kind {
        name: "mac",
        label: "MAC",
        says: "the hardware address of a network card",
        profiles: &[Pii],
        near: &[],
        unless: &[],
        shapes: &[
            Shape::new(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}").edge(Edge::Apart(".:-")).check(mac),
            Shape::new(r"[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}").edge(Edge::Apart(".:-")).check(mac),
            Shape::new(r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}").edge(Edge::Apart(".:-")).check(mac),
        ],
        examples: &["«00:1A:2B:3C:4D:5E»", "«00-1a-2b-3c-4d-5f»", "«0011.2233.44ff»"],
        counters: &["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "00:1A:2B:3C:4D", "12:1A:2B:3C:4D:5E:6F:70", "2024.1010.1212"],
    },
    Kind {
        name: "url",
        label: "URL",
        says: "a web address with its scheme, or one that begins with `www.`",
        profiles: &[],
        near: &[],
        unless: &[],
        shapes: &[
            Shape::new(r"(?i:https?|ftp)://[A-Za-z0-9.-]{1,200}").tail(URL_TAIL),
            Shape::new(r"(?i:www)\.[A-Za-z0-9-]{1,63}\.[A-Za-z0-9.-]{1,64}").tail(URL_TAIL),
        ],
        examples: &["at «https://www.example.com/a?b=c#d».", "«www.example.org»"],
        counters: &["http:/", "file.txt"],
    },
];

const URL_TAIL: &str = r"(?::[0-9]{1,5})?(?:[/?#](?:[A-Za-z0-9._~%!$&*+=/?#,:@;()-]*[A-Za-z0-9_~%$&*+=/#-])?)?";

/// A password that is written out, not a variable's name to be filled in.
fn has_password(text: &str) -> bool {
    let login = text.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
    let password = login.and_then(|login| login.split_once(':')).map(|(_, password)| password);
    password.is_some_and(|password| {
        !password.is_empty() && !password.starts_with(['$', '%', '*']) && !password.contains("xxx")
    })
}

fn ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok_and(|ip| {
        let first = ip.octets().first().copied().unwrap_or_default();
        first > 0 && !ip.is_loopback() && !ip.is_broadcast() && text != "255.255.255.0" && first != 255
    })
}

fn ipv6(text: &str) -> bool {
    let groups = text.split(':').filter(|group| !group.is_empty());
    let is_written_out =
        groups.clone().count() >= 2 && (text.bytes().any(|c| c.is_ascii_digit()) || groups.count() >= 4);
    is_written_out && text.parse::<Ipv6Addr>().is_ok_and(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

fn mac(text: &str) -> bool {
    let hex: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect();
    let is_plain = hex.iter().all(|c| hex.first() == Some(c));
    let is_decimal = text.contains('.') && hex.iter().all(u8::is_ascii_digit);
    !is_plain && !is_decimal
}
