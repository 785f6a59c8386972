//! The check of one server, from the rules of its section and its own parameters (haproxy.md 3.4).

use super::check::{Connect, Kind, Request};
use super::codes;
use super::draft::{Named, Proxy, Server};
use super::reader::Reader;
use super::talk::Rule;
use crate::config::finding::{Severity, Span};
use crate::config::model::{CheckConfig, Counter, Expect, HttpProbe, Probe, Schedule, TlsProbe};
use crate::config::source::ReadError;
use crate::config::talk::{Dial, MAX_OCTETS, Step, Talk};
use crate::id::CheckId;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

/// Texts of certificate files by path, so that each is read and blamed once.
pub(super) type Authorities = BTreeMap<String, Option<Arc<str>>>;

/// Tells about rules that belong to a kind of check this section does not use.
pub(super) fn rules(reader: &mut Reader<'_>, proxy: &Proxy) {
    let checks = &proxy.draft.checks;
    let lost_http = checks.http_rule.as_ref().filter(|_| checks.kind != Kind::Http && !checks.told);
    let lost_tcp = checks.tcp_rule.as_ref().filter(|_| checks.kind != Kind::Tcp);
    let pairs = [(lost_http, "http-check", "option httpchk"), (lost_tcp, "tcp-check", "option tcp-check")];
    for (at, rule, option) in pairs {
        let Some(at) = at else { continue };
        let message = format!("`{rule}` has no effect: the checks of `{}` are of another kind", proxy.name);
        let help = format!("write `{option}` below any other check option, or remove the rule");
        reader.say(Severity::Warning, codes::CHECK_UNUSED, at.clone(), message, Some(&help));
    }
    if checks.kind == Kind::Http
        && checks.option.is_none()
        && checks.send.is_none()
        && let Some(at) = &checks.http_rule
    {
        let message = format!(
            "rules of its own drop the inherited `option httpchk`: haproxy asks the servers of `{}` nothing and finds them down",
            proxy.name
        );
        let help = Some("write `option httpchk` with its request in this section too");
        reader.say(Severity::Error, codes::CHECK_REFUSED, at.clone(), message, help);
    }
    if proxy.servers.iter().all(|server| !server.params.check)
        && let Some((name, at)) = &checks.option
        && !proxy.servers.is_empty()
    {
        let message = format!("`option {name}` has no effect: no server of `{}` has `check`", proxy.name);
        reader.say(
            Severity::Warning,
            codes::NOT_CHECKED,
            at.clone(),
            message,
            Some("add `check` to the servers"),
        );
    }
}

/// The check of `server`; `None` when an error was told.
pub(super) fn check(
    reader: &mut Reader<'_>,
    proxy: &Proxy,
    server: &Server,
    id: CheckId,
    authorities: &mut Authorities,
) -> Option<CheckConfig> {
    let pace = &server.params.pace;
    let timeouts = &proxy.draft.timeouts;
    let connect = match (timeouts.check, timeouts.connect) {
        (Some(_), Some(connect)) => pace.inter.min(connect),
        _ => pace.inter,
    };
    let probe = probe(reader, proxy, server, connect, authorities)?;
    // The time for an answer begins anew with each connect.
    let again = |step: &&Step| matches!(step, Step::Connect(_));
    let connects =
        if let Probe::Talk(talk) = &probe { 1 + talk.steps.iter().filter(again).count() } else { 1 };
    let once = timeouts.check.map_or(pace.inter, |check| connect.saturating_add(check));
    let timeout = once.saturating_mul(u32::try_from(connects).unwrap_or(u32::MAX));
    Some(CheckConfig {
        id,
        name: Arc::from(format!("{}/{}", proxy.name, server.name)),
        probe: Arc::new(probe),
        schedule: Schedule {
            interval: pace.inter,
            fast: pace.fast.unwrap_or(pace.inter),
            down: pace.down.unwrap_or(pace.inter),
            timeout,
        },
        counter: Counter::Server,
        rise: pace.rise,
        fall: pace.fall,
    })
}

fn probe(
    reader: &mut Reader<'_>,
    proxy: &Proxy,
    server: &Server,
    connect: Duration,
    authorities: &mut Authorities,
) -> Option<Probe> {
    let checks = &proxy.draft.checks;
    let rule = match checks.kind {
        Kind::Http => checks.http_connect.as_ref(),
        Kind::Tcp => match &checks.tcp[..] {
            [] => None,
            [Rule::Connect(only)] => Some(only),
            _ => return talk(reader, server, &checks.tcp, connect, authorities, checks.tcp_rule.as_ref()),
        },
        Kind::Protocol => return talk(reader, server, &checks.protocol, connect, authorities, None),
        Kind::Connect | Kind::SslHello => None,
    };
    let to = target(server, rule);
    let tls = match tls(reader, server, rule, authorities) {
        Ok(tls) => tls,
        Err(()) => return None,
    };
    match (checks.kind, tls) {
        (Kind::Connect | Kind::Tcp | Kind::Protocol, None) => Some(Probe::Tcp { to, connect }),
        (Kind::Connect | Kind::Tcp | Kind::Protocol, Some(tls)) => Some(Probe::Tls { to, connect, tls }),
        (Kind::SslHello, None) => Some(Probe::SslHello { to, connect }),
        (Kind::SslHello, Some(_)) => {
            let message =
                "`check-ssl` together with `option ssl-hello-chk` is not served: a hello inside of TLS"
                    .into();
            let help = Some("remove `option ssl-hello-chk`: `check-ssl` alone makes a real handshake");
            reader.say(Severity::Error, codes::CHECK_REFUSED, server.at.clone(), message, help);
            None
        }
        (Kind::Http, tls) => Some(Probe::Http(http(
            &checks.asked,
            checks.send.as_ref(),
            HttpProbe {
                to,
                connect,
                tls,
                method: String::new(),
                uri: String::new(),
                version: String::new(),
                headers: Vec::new(),
                body: String::new(),
                expect: checks.expect.as_ref().map_or(Expect::Default, |(expect, _)| expect.clone()),
            },
        ))),
    }
}

/// A conversation after `rules`; without a `connect` at its beginning it gets one (haproxy).
fn talk(
    reader: &mut Reader<'_>,
    server: &Server,
    rules: &[Rule],
    connect: Duration,
    authorities: &mut Authorities,
    at: Option<&Span>,
) -> Option<Probe> {
    let mut dial = |rule: Option<&Connect>| {
        let tls = tls(reader, server, rule, authorities).ok()?;
        Some(Dial { to: target(server, rule), tls })
    };
    let (first, rules) = match rules {
        [Rule::Connect(rule), rest @ ..] => (dial(Some(rule))?, rest),
        all => (dial(None)?, all),
    };
    let mut steps = Vec::new();
    for rule in rules {
        steps.push(match rule {
            Rule::Connect(rule) => Step::Connect(dial(Some(rule))?),
            Rule::Send(said) => Step::Send(said.clone()),
            Rule::Expect(answer) => Step::Expect(answer.clone()),
        });
    }
    let talk = Talk { first, connect, steps };
    if talk.octets() > MAX_OCTETS {
        let message = format!("the rules of one check send and expect more than {MAX_OCTETS} bytes");
        reader.say(Severity::Error, codes::TOO_MANY, at.unwrap_or(&server.at).clone(), message, None);
        return None;
    }
    Some(Probe::Talk(talk))
}

/// Fills in the request: what `http-check send` says, else `option httpchk`, else haproxy's own.
fn http(asked: &Request, send: Option<&Request>, mut probe: HttpProbe) -> HttpProbe {
    let none = Request::default();
    let send = send.unwrap_or(&none);
    let pick = |a: &String, b: &String, own: &str| {
        let chosen = [a.as_str(), b.as_str(), own].into_iter().find(|text| !text.is_empty());
        String::from(chosen.unwrap_or(own))
    };
    probe.method = pick(&send.method, &asked.method, "OPTIONS");
    probe.uri = pick(&send.uri, &asked.uri, "/");
    probe.version = pick(&send.version, &asked.version, "HTTP/1.0");
    // Headers of the rule replace those hidden behind the option's version.
    probe.headers.clone_from(if send.headers.is_empty() { &asked.headers } else { &send.headers });
    probe.body.clone_from(&send.body);
    probe
}

/// Where the check connects: its `connect` rule, then `addr` and `port`, then the server's own address.
fn target(server: &Server, rule: Option<&Connect>) -> SocketAddr {
    let own = &server.params.target;
    let ip = rule.and_then(|rule| rule.addr).or(own.addr).unwrap_or(server.address.ip());
    let port =
        rule.and_then(|rule| rule.port).or(own.port).or(own.addr_port).unwrap_or(server.address.port());
    SocketAddr::new(ip, port)
}

fn tls(
    reader: &mut Reader<'_>,
    server: &Server,
    rule: Option<&Connect>,
    authorities: &mut Authorities,
) -> Result<Option<TlsProbe>, ()> {
    let own = &server.params.tls;
    // A `connect` rule stands for itself unless it says `default`.
    let inherits = rule.is_none_or(|rule| rule.inherit);
    if !(rule.is_some_and(|rule| rule.ssl) || inherits && own.check) {
        return Ok(None);
    }
    let name = rule.and_then(|rule| rule.sni.clone()).or_else(|| own.sni.clone().filter(|_| inherits));
    let alpn = match rule {
        Some(rule) if !rule.alpn.is_empty() => rule.alpn.clone(),
        Some(rule) if !rule.inherit => Vec::new(),
        _ => own.alpn.clone(),
    };
    let verify = own.verify.unwrap_or(!reader.global.trusting);
    if !verify {
        return Ok(Some(TlsProbe { verify, roots: None, name, alpn }));
    }
    if let (Some(at), None) = (&own.host, &name) {
        let message = "`verifyhost` is not served: any name of the certificate would be taken".into();
        let help = Some("write `check-sni NAME`, which is sent and compared");
        reader.say(Severity::Error, codes::REFUSED, at.clone(), message, help);
        return Err(());
    }
    let Some(ca) = &own.ca else {
        let message =
            format!("the certificate of `{}` shall be verified, but there is no `ca-file`", server.name);
        let help = Some("add `ca-file FILE`, or `verify none` where the network can be trusted");
        reader.say(Severity::Error, codes::NO_CA, server.at.clone(), message, help);
        return Err(());
    };
    if ca.name == "@system-ca" {
        return Ok(Some(TlsProbe { verify, roots: None, name, alpn }));
    }
    let roots = authorities.entry(ca.name.clone()).or_insert_with(|| authority(reader, ca)).clone();
    Ok(Some(TlsProbe { verify, roots: Some(roots.ok_or(())?), name, alpn }))
}

/// The text of a certificate file.
fn authority(reader: &mut Reader<'_>, ca: &Named) -> Option<Arc<str>> {
    let base = reader.global.ca_base.clone();
    let path = if ca.name.starts_with('/') || base.is_empty() {
        ca.name.clone()
    } else {
        format!("{base}/{}", ca.name)
    };
    let bytes = reader.source.read(&path);
    let missing = matches!(bytes, Err(ReadError::Missing));
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text.filter(|text| text.contains("-----BEGIN")) {
        Some(text) => Some(Arc::from(text)),
        None => {
            let message = if missing {
                format!("there is no file `{path}`")
            } else {
                format!("`{path}` cannot be read as a file of PEM certificates")
            };
            let help =
                Some("put the authority's certificate there, or write `verify none` to believe anybody");
            reader.say(Severity::Error, codes::UNREADABLE, ca.at.clone(), message, help);
            None
        }
    }
}
