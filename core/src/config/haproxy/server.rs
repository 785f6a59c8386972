//! `server` and `default-server` lines (haproxy.md 2.4): one table entry per parameter.

use super::address::{self, Ports};
use super::codes;
use super::draft::{Named, Server};
use super::lex::{Line, Prefix};
use super::reader::Reader;
use super::value;
use crate::config::finding::Span;
use crate::config::model::Config;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// What the parameters of a server say.
#[derive(Clone, Debug)]
pub(super) struct Params {
    pub(super) check: bool,
    pub(super) pace: Pace,
    pub(super) target: Target,
    pub(super) tls: Tls,
    pub(super) weight: u16,
    pub(super) backup: bool,
    pub(super) disabled: bool,
    pub(super) shutdown_when_down: bool,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            check: false,
            pace: Pace::default(),
            target: Target::default(),
            tls: Tls::default(),
            weight: 1,
            backup: false,
            disabled: false,
            shutdown_when_down: false,
        }
    }
}

/// When checks run and how many decide.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    pub(super) inter: Duration,
    pub(super) fast: Option<Duration>,
    pub(super) down: Option<Duration>,
    pub(super) rise: u32,
    pub(super) fall: u32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { inter: Duration::from_secs(2), fast: None, down: None, rise: 2, fall: 3 }
    }
}

/// Where checks go, if not to the server's own address.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) port: Option<u16>,
    pub(super) addr: Option<IpAddr>,
    /// A port written in `addr`.
    pub(super) addr_port: Option<u16>,
}

/// TLS of checks.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls {
    pub(super) check: bool,
    /// `verify required` (true), `verify none` (false).
    pub(super) verify: Option<bool>,
    pub(super) ca: Option<Named>,
    pub(super) sni: Option<String>,
    pub(super) alpn: Vec<String>,
    pub(super) host: Option<Span>,
}

/// What is done with a parameter.
#[derive(Clone, Copy)]
enum Do {
    /// Takes effect; reads its arguments behind the index.
    Set(fn(&mut Reader<'_>, &Line, usize, &mut Params)),
    /// No effect in TCP mode, as in haproxy.
    Accept,
    /// No effect here.
    Warn(&'static str),
    /// Not served.
    Refuse(&'static str),
}

/// A parameter: its name, how many words follow it, what is done.
struct Param(&'static str, usize, Do);

use Do::{Accept, Refuse, Set, Warn};

const NO_TLS: &str =
    "connections to this server would not be encrypted; `check-ssl` encrypts its checks alone";
const NO_QUEUE: &str = "connections do not wait for a free place, so that the limit would not hold";
const NO_PROXY: &str = "the server would wait for a PROXY header that is not sent";
const NO_AGENT: &str = "the agent would not be asked";
const DNS: &str = "the host name is looked up once, when the file is read";

const TABLE: &[Param] = &[
    Param("check", 0, Set(|_, _, _, p| p.check = true)),
    Param("no-check", 0, Set(|_, _, _, p| p.check = false)),
    Param("inter", 1, Set(|r, l, i, p| pace(r, l, i, |t| p.pace.inter = t))),
    Param("fastinter", 1, Set(|r, l, i, p| pace(r, l, i, |t| p.pace.fast = Some(t)))),
    Param("downinter", 1, Set(|r, l, i, p| pace(r, l, i, |t| p.pace.down = Some(t)))),
    Param("rise", 1, Set(|r, l, i, p| set(r.number(l, i + 1, 1, MAX_RUNS), &mut p.pace.rise))),
    Param("fall", 1, Set(|r, l, i, p| set(r.number(l, i + 1, 1, MAX_RUNS), &mut p.pace.fall))),
    Param("weight", 1, Set(weight)),
    Param("backup", 0, Set(|_, _, _, p| p.backup = true)),
    Param("no-backup", 0, Set(|_, _, _, p| p.backup = false)),
    Param("disabled", 0, Set(|_, _, _, p| p.disabled = true)),
    Param("enabled", 0, Set(|_, _, _, p| p.disabled = false)),
    Param("port", 1, Set(port)),
    Param("addr", 1, Set(addr)),
    Param("check-ssl", 0, Set(|_, _, _, p| p.tls.check = true)),
    Param("no-check-ssl", 0, Set(|_, _, _, p| p.tls.check = false)),
    Param("verify", 1, Set(verify)),
    Param(
        "ca-file",
        1,
        Set(|r, l, i, p| p.tls.ca = Some(Named { name: l.word(i + 1).into(), at: r.at(l, i + 1) })),
    ),
    Param("check-sni", 1, Set(|_, l, i, p| p.tls.sni = Some(l.word(i + 1).into()))),
    Param("check-alpn", 1, Set(|_, l, i, p| p.tls.alpn = words(l.word(i + 1)))),
    Param("verifyhost", 1, Set(|r, l, i, p| p.tls.host = Some(r.at(l, i)))),
    Param("on-marked-down", 1, Set(on_marked_down)),
    Param("ssl", 0, Refuse(NO_TLS)),
    Param("no-ssl", 0, Accept),
    // Without `ssl` these two concern nothing: checks do not inherit them.
    Param("sni", 1, Accept),
    Param("alpn", 1, Accept),
    Param("crt", 1, Refuse("checks would not show a client certificate")),
    Param("crl-file", 1, Refuse("revoked certificates would be taken")),
    Param("ciphers", 1, Warn("checks use the TLS library's own list")),
    Param("ciphersuites", 1, Warn("checks use the TLS library's own list")),
    Param("curves", 1, Warn("checks use the TLS library's own list")),
    Param("ssl-min-ver", 1, Warn("checks use TLS 1.2 or 1.3")),
    Param("ssl-max-ver", 1, Warn("checks use TLS 1.2 or 1.3")),
    Param("force-sslv3", 0, Refuse("checks use TLS 1.2 or 1.3")),
    Param("force-tlsv10", 0, Refuse("checks use TLS 1.2 or 1.3")),
    Param("force-tlsv11", 0, Refuse("checks use TLS 1.2 or 1.3")),
    Param("force-tlsv12", 0, Warn("checks use TLS 1.2 or 1.3")),
    Param("force-tlsv13", 0, Warn("checks use TLS 1.2 or 1.3")),
    Param("no-sslv3", 0, Accept),
    Param("no-tlsv10", 0, Accept),
    Param("no-tlsv11", 0, Accept),
    Param("no-tlsv12", 0, Warn("checks use TLS 1.2 or 1.3")),
    Param("no-tlsv13", 0, Warn("checks use TLS 1.2 or 1.3")),
    Param("no-tls-tickets", 0, Accept),
    Param("tls-tickets", 0, Accept),
    Param("ssl-reuse", 0, Accept),
    Param("no-ssl-reuse", 0, Accept),
    Param("no-verifyhost", 0, Accept),
    Param("renegotiate", 0, Accept),
    Param("no-renegotiate", 0, Accept),
    Param("ktls", 1, Accept),
    Param("maxconn", 1, Refuse(NO_QUEUE)),
    Param("minconn", 1, Refuse(NO_QUEUE)),
    Param("maxqueue", 1, Refuse(NO_QUEUE)),
    Param("strict-maxconn", 0, Refuse(NO_QUEUE)),
    Param("on-marked-up", 1, Refuse("connections on backup servers would stay there")),
    Param("slowstart", 1, Warn("a server that comes back gets its full weight at once")),
    Param("observe", 1, Warn("only checks decide about the server, not live connections")),
    Param("error-limit", 1, Warn("only checks decide about the server, not live connections")),
    Param("on-error", 1, Warn("only checks decide about the server, not live connections")),
    Param("track", 1, Refuse("the server would not follow the state of the other one")),
    Param("send-proxy", 0, Refuse(NO_PROXY)),
    Param("send-proxy-v2", 0, Refuse(NO_PROXY)),
    Param("send-proxy-v2-ssl", 0, Refuse(NO_PROXY)),
    Param("send-proxy-v2-ssl-cn", 0, Refuse(NO_PROXY)),
    Param("no-send-proxy", 0, Accept),
    Param("no-send-proxy-v2", 0, Accept),
    Param("no-send-proxy-v2-ssl", 0, Accept),
    Param("no-send-proxy-v2-ssl-cn", 0, Accept),
    Param("proxy-v2-options", 1, Accept),
    Param("set-proxy-v2-tlv-fmt", 1, Accept),
    Param("check-send-proxy", 0, Refuse("checks would not send the PROXY header the server waits for")),
    Param("no-check-send-proxy", 0, Accept),
    Param("check-via-socks4", 0, Refuse("checks would not go through the SOCKS proxy")),
    Param("check-proto", 1, Warn("checks speak HTTP/1")),
    Param("agent-check", 0, Refuse(NO_AGENT)),
    Param("no-agent-check", 0, Accept),
    Param("agent-port", 1, Accept),
    Param("agent-addr", 1, Accept),
    Param("agent-inter", 1, Accept),
    Param("agent-send", 1, Accept),
    Param("resolvers", 1, Warn(DNS)),
    Param("init-addr", 1, Warn(DNS)),
    Param("resolve-prefer", 1, Warn(DNS)),
    Param("resolve-net", 1, Warn(DNS)),
    Param("resolve-opts", 1, Warn(DNS)),
    Param("init-state", 1, Warn("servers start as up, and one failed check takes them down")),
    Param("source", 1, Refuse("connections would come from another address than the server expects")),
    Param("usesrc", 1, Refuse("connections would come from another address than the server expects")),
    Param("interface", 1, Refuse("connections would leave by another interface")),
    Param("socks4", 1, Refuse("connections would not go through the SOCKS proxy")),
    Param("namespace", 1, Refuse("connections would leave from another network namespace")),
    Param("tcp-md5sig", 1, Refuse("the server would drop segments that are not signed")),
    Param("tcp-ut", 1, Warn("the kernel's own limit for unacknowledged data is used")),
    Param("tfo", 0, Warn("connections are opened without data in the first segment")),
    Param("no-tfo", 0, Accept),
    Param("id", 1, Accept),
    Param("guid", 1, Accept),
    Param("cookie", 1, Accept),
    Param("redir", 1, Accept),
    Param("stick", 0, Accept),
    Param("non-stick", 0, Accept),
    Param("pool-purge-delay", 1, Accept),
    Param("pool-max-conn", 1, Accept),
    Param("pool-low-conn", 1, Accept),
    Param("pool-conn-name", 1, Accept),
    Param("max-reuse", 1, Accept),
    Param("idle-ping", 1, Accept),
    Param("hash-key", 1, Accept),
    Param("proto", 1, Accept),
    Param("ws", 1, Accept),
    Param("log-proto", 1, Accept),
    Param("log-bufsize", 1, Accept),
    Param("shard", 1, Accept),
    Param("healthcheck", 1, Refuse("the server would not be checked by that section")),
];

/// The most runs of a check that `rise` and `fall` may ask for.
const MAX_RUNS: u32 = 1_000_000;

fn set<T>(value: Option<T>, place: &mut T) {
    if let Some(value) = value {
        *place = value;
    }
}

fn pace(reader: &mut Reader<'_>, line: &Line, index: usize, set: impl FnOnce(Duration)) {
    let Some(time) = reader.time(line, index + 1) else { return };
    if time.is_zero() {
        let message = format!("`{}` must be longer than zero", line.word(index));
        reader.error(codes::BAD_TIME, line, index + 1, message, None);
    } else {
        set(time);
    }
}

fn weight(reader: &mut Reader<'_>, line: &Line, index: usize, params: &mut Params) {
    if let Some(weight) = reader.number(line, index + 1, 0, 256) {
        params.weight = u16::try_from(weight).unwrap_or(256);
    }
}

fn port(reader: &mut Reader<'_>, line: &Line, index: usize, params: &mut Params) {
    let text = line.word(index + 1);
    params.target.port = address::port(text);
    if params.target.port.is_none() {
        let message = format!("`{text}` is not a port from 1 to 65535");
        reader.error(codes::BAD_PORT, line, index + 1, message, None);
    }
}

fn addr(reader: &mut Reader<'_>, line: &Line, index: usize, params: &mut Params) {
    let Some((host, ports)) = address::parse(reader, line, index + 1, line.word(index + 1)) else { return };
    params.target.addr = Some(host);
    match ports {
        Ports::None => {}
        Ports::Range(low, high) if low == high => params.target.addr_port = Some(low),
        Ports::Range(..) | Ports::Offset => {
            let message = "checks go to one port".into();
            reader.error(codes::BAD_PORT, line, index + 1, message, None);
        }
    }
}

fn verify(reader: &mut Reader<'_>, line: &Line, index: usize, params: &mut Params) {
    match line.word(index + 1) {
        "none" => params.tls.verify = Some(false),
        "required" => params.tls.verify = Some(true),
        other => {
            let message = format!("`verify` takes `none` or `required`, not `{other}`");
            reader.error(codes::BAD_VALUE, line, index + 1, message, None);
        }
    }
}

fn on_marked_down(reader: &mut Reader<'_>, line: &Line, index: usize, params: &mut Params) {
    match line.word(index + 1) {
        "shutdown-sessions" => params.shutdown_when_down = true,
        other => {
            let message = format!("`on-marked-down` takes `shutdown-sessions`, not `{other}`");
            reader.error(codes::BAD_VALUE, line, index + 1, message, None);
        }
    }
}

/// A list separated by commas.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(String::from).collect()
}

fn params(reader: &mut Reader<'_>, line: &Line, mut index: usize, params: &mut Params) {
    while index < line.words.len() {
        let word = line.word(index);
        let Some(Param(_, takes, act)) = TABLE.iter().find(|param| param.0 == word) else {
            let help = reader
                .near(word, TABLE.iter().map(|param| param.0))
                .map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{word}` is not a parameter of a server");
            return reader.error(codes::UNKNOWN_KEYWORD, line, index, message, help.as_deref());
        };
        if line.words.len() <= index + takes {
            let message = format!("`{word}` needs a value");
            return reader.error(codes::MISSING_ARGUMENT, line, index + 1, message, None);
        }
        match *act {
            Set(run) => run(reader, line, index, params),
            Accept => {}
            Warn(effect) => {
                let message = format!("`{word}` has no effect: {effect}");
                reader.warn(codes::NO_EFFECT, line, index, message, None);
            }
            Refuse(effect) => {
                let message = format!("`{word}` is not served: {effect}");
                reader.error(codes::REFUSED, line, index, message, None);
            }
        }
        index += 1 + takes;
    }
}

/// `default-server PARAMS`.
pub(super) fn default_server(reader: &mut Reader<'_>, line: &Line) {
    let mut preset = reader.draft().server.clone();
    params(reader, line, 1, &mut preset);
    reader.draft().server = preset;
}

/// `server NAME ADDRESS PARAMS`.
pub(super) fn server(reader: &mut Reader<'_>, line: &Line) {
    if !reader.needs(line, 1, "a name") || !reader.needs(line, 2, "an address") {
        return;
    }
    let name = line.word(1);
    if let Some(c) = value::bad_character(name) {
        let message = format!("character `{c}` is not possible in the name of a server");
        reader.error(codes::BAD_NAME, line, 1, message, Some("names hold letters, digits and - _ . :"));
    }
    let mut preset = reader.draft().server.clone();
    let address = socket(reader, line);
    params(reader, line, 3, &mut preset);
    reader.count.servers += 1;
    if reader.count.servers > Config::MAX_SERVERS {
        if reader.count.servers == Config::MAX_SERVERS + 1 {
            let message =
                format!("more than {} servers; this one and those below are not read", Config::MAX_SERVERS);
            reader.error(codes::TOO_MANY, line, 0, message, None);
        }
        return;
    }
    let Some(address) = address else { return };
    let (at, address_at) = (reader.at(line, 1), reader.at(line, 2));
    if let Some(proxy) = reader.proxies.last_mut() {
        proxy.servers.push(Server { name: Arc::from(name), at, address, address_at, params: preset });
    }
}

fn socket(reader: &mut Reader<'_>, line: &Line) -> Option<SocketAddr> {
    let (host, ports) = address::parse(reader, line, 2, line.word(2))?;
    let message = match ports {
        Ports::Range(low, high) if low == high && !host.is_unspecified() => {
            return Some(SocketAddr::new(host, low));
        }
        Ports::Range(low, high) if low == high => "the client's own target address as a server is not served",
        Ports::Range(..) => "a server has one port, not a range",
        Ports::None => "the port is missing, and forwarding to the port the client asked for is not served",
        Ports::Offset => "ports relative to the client's are not served",
    };
    reader.error(codes::BAD_PORT, line, 2, message.into(), Some("write the server's address and port"));
    None
}

/// `server-template` is known and refused at its place.
pub(super) fn template(reader: &mut Reader<'_>, line: &Line) {
    debug_assert!(line.prefix != Prefix::No, "the table allows no prefix");
    let message = "`server-template` is not served: its servers would be missing".into();
    reader.error(codes::REFUSED, line, 0, message, Some("write one `server` line for each"));
}
