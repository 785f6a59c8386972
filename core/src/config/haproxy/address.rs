//! Addresses as haproxy writes them (haproxy.md 7.3, 7.4): `[family@]host[:port[-end]]`, host may be empty or `*`.

use super::codes;
use super::lex::Line;
use super::reader::Reader;
use alloc::format;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What follows the last colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ports {
    /// Nothing.
    None,
    /// One port or a range, both ends included.
    Range(u16, u16),
    /// `+N` or `-N`: an offset to the client's port.
    Offset,
}

/// Is the word at `index` one whose variables haproxy expands even without quotes?
pub(super) fn is_address(line: &Line, index: usize) -> bool {
    let before = index.checked_sub(1).map_or("", |before| line.word(before));
    match (line.word(0), index) {
        ("bind" | "log" | "source" | "dispatch", 1) | ("server" | "nameserver" | "peer" | "stats", 2) => true,
        ("server" | "default-server", _) => matches!(before, "addr" | "agent-addr" | "source" | "socks4"),
        ("http-check" | "tcp-check", _) => before == "addr",
        _ => false,
    }
}

/// Other kinds of socket, all refused with their prefix or first character.
const OTHER: &[&str] = &[
    "unix@",
    "uxst@",
    "uxdg@",
    "abns@",
    "abnsz@",
    "fd@",
    "sockpair@",
    "quic4@",
    "quic6@",
    "quic@",
    "udp@",
    "udp4@",
    "udp6@",
    "rhttp@",
    "rev@",
    "mptcp@",
    "mptcp4@",
    "mptcp6@",
    "stdout",
    "stderr",
    "ring@",
    "/",
];

/// Host and ports of `text`, which stands at `word`.
pub(super) fn parse(
    reader: &mut Reader<'_>,
    line: &Line,
    word: usize,
    text: &str,
) -> Option<(IpAddr, Ports)> {
    if let Some(prefix) = OTHER.iter().find(|prefix| text.starts_with(**prefix)) {
        let message =
            format!("addresses of the kind `{prefix}...` are not served, only IPv4, IPv6 and host names");
        reader.error(codes::BAD_ADDRESS, line, word, message, None);
        return None;
    }
    let (family, rest) = family(text);
    let (host, port) = split(rest);
    let ports = match ports(port) {
        Ok(ports) => ports,
        Err(()) => {
            let message = format!("`{port}` is not a port from 1 to 65535 or a range of them");
            reader.error(codes::BAD_PORT, line, word, message, None);
            return None;
        }
    };
    let host = self::host(reader, line, word, host, family)?;
    Some((host, ports))
}

fn family(text: &str) -> (Option<bool>, &str) {
    for (prefix, v6) in [("ipv4@", false), ("tcp4@", false), ("ipv6@", true), ("tcp6@", true)] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return (Some(v6), rest);
        }
    }
    (None, text.strip_prefix("tcp@").unwrap_or(text))
}

/// The host and what follows the last colon, brackets respected.
fn split(text: &str) -> (&str, &str) {
    match text.rfind([':', ']']) {
        Some(at) if text.as_bytes()[at] == b':' => (&text[..at], &text[at + 1..]),
        _ => (text, ""),
    }
}

fn ports(text: &str) -> Result<Ports, ()> {
    if text.is_empty() {
        return Ok(Ports::None);
    }
    if let Some(offset) = text.strip_prefix(['+', '-']) {
        return offset.parse::<u16>().map(|_| Ports::Offset).map_err(|_| ());
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (port(low), port(high)) {
        (Some(low), Some(high)) if low <= high => Ok(Ports::Range(low, high)),
        _ => Err(()),
    }
}

/// A port other than 0.
pub(super) fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// An address or a resolved name; an empty host and `*` are any address.
fn host(reader: &mut Reader<'_>, line: &Line, word: usize, text: &str, v6: Option<bool>) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let any4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    if bare.is_empty() || bare == "*" {
        return Some(if v6 == Some(true) { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { any4 });
    }
    if let Ok(ip) = bare.parse::<IpAddr>() {
        if v6.is_some_and(|v6| v6 != ip.is_ipv6()) {
            let message = format!("`{bare}` is not of the address family written before it");
            reader.error(codes::BAD_ADDRESS, line, word, message, None);
            return None;
        }
        return Some(ip);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let numbers = bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if numbers || !bare.chars().all(plain) {
        let message = format!("`{bare}` is neither an address nor a host name");
        reader.error(codes::BAD_ADDRESS, line, word, message, None);
        return None;
    }
    let all = reader.source.resolve(bare);
    let found = all.into_iter().find(|ip| v6.is_none_or(|v6| v6 == ip.is_ipv6()));
    if found.is_none() {
        let message = format!("the host name `{bare}` has no address");
        let help = Some("write the address, or see that the name can be looked up before the daemon starts");
        reader.error(codes::UNRESOLVED, line, word, message, help);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colon_starts_the_port_unless_it_is_in_brackets() {
        assert_eq!(split("192.0.2.1:80"), ("192.0.2.1", "80"));
        assert_eq!(split("[2001:db8::1]:80"), ("[2001:db8::1]", "80"));
        assert_eq!(split("[2001:db8::1]"), ("[2001:db8::1]", ""));
        assert_eq!(split(":::80"), ("::", "80"));
        assert_eq!(split("host"), ("host", ""));
        assert_eq!(split(":80"), ("", "80"));
    }

    #[test]
    fn ports_have_ranges_and_offsets() {
        assert_eq!(ports("80"), Ok(Ports::Range(80, 80)));
        assert_eq!(ports("80-90"), Ok(Ports::Range(80, 90)));
        assert_eq!(ports("+10"), Ok(Ports::Offset));
        assert_eq!(ports(""), Ok(Ports::None));
        for bad in ["0", "65536", "90-80", "x", "80-", "1-2-3", "٣"] {
            assert_eq!(ports(bad), Err(()), "{bad}");
        }
    }
}
