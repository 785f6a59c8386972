//! The drafts of all sections, made into the model: names resolved, what is missing or doubled told.

use super::codes;
use super::draft::{LineFormat, Named, Proxy, ProxyKind, Server};
use super::reader::Reader;
use super::{hints, probe};
use crate::config::finding::{Finding, Severity};
use crate::config::model::{Config, FrontendConfig, PoolConfig, ServerConfig};
use crate::config::names::Kind;
use crate::id::{CheckId, FrontendId, PoolId, ServerId};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The line at which a name was given, by name.
type Lines = BTreeMap<Arc<str>, u32>;

const OWN_NAME: Option<&str> = Some("give it a name of its own");

/// Fills `config` with what `reader` holds.
pub(super) fn lower(reader: &mut Reader<'_>, config: &mut Config) {
    let proxies = core::mem::take(&mut reader.proxies);
    config.node.log = core::mem::take(&mut reader.node.log);
    config.node.max_connections = reader.node.max_connections;
    config.node.spread_checks = reader.node.spread_checks;
    duplicates(reader, &proxies);
    let mut authorities = BTreeMap::new();
    for proxy in &proxies {
        if runs(reader, proxy) && proxy.kind.serves() {
            pool(reader, config, proxy, &mut authorities);
        }
    }
    let backends: BTreeMap<&str, &Proxy> = proxies
        .iter()
        .filter(|proxy| proxy.kind.serves())
        .map(|proxy| (proxy.name.as_ref(), proxy))
        .collect();
    for proxy in proxies.iter().filter(|proxy| proxy.kind.listens() && live(proxy)) {
        frontend(reader, config, proxy, &backends);
    }
    if reader.findings.errors() == 0 && config.frontends.values().all(|frontend| frontend.binds.is_empty()) {
        let span = crate::config::finding::Span::whole(&reader.file);
        let message = "nothing listens: there is no frontend with a `bind` line".into();
        reader.say(Severity::Error, codes::NO_LISTENER, span, message, None);
    }
    hints::ports(reader, &proxies);
}

/// Will this proxy run? An HTTP one is refused here, once.
fn runs(reader: &mut Reader<'_>, proxy: &Proxy) -> bool {
    if proxy.draft.disabled {
        return false;
    }
    let Some(mode) = &proxy.draft.http else { return true };
    let message = format!(
        "`{}` stays in HTTP mode{}: requests would not be looked at",
        proxy.name,
        if mode.line < proxy.at.line { format!(" (line {})", mode.line) } else { String::new() }
    );
    let help = Some("write `mode tcp` in it; statistics pages and monitor-uri are not served yet");
    reader.say(Severity::Error, codes::HTTP_MODE, proxy.at.clone(), message, help);
    false
}

fn live(proxy: &Proxy) -> bool {
    !proxy.draft.disabled && proxy.draft.http.is_none()
}

/// Names used twice; a frontend and a backend may share one up to haproxy 3.2.
fn duplicates(reader: &mut Reader<'_>, proxies: &[Proxy]) {
    let (mut fronts, mut backs) = (Lines::new(), Lines::new());
    for proxy in proxies {
        let line = proxy.at.line;
        let twice = [(proxy.kind.listens(), &fronts), (proxy.kind.serves(), &backs)]
            .into_iter()
            .find_map(|(same, lines)| lines.get(&proxy.name).filter(|_| same));
        let other = fronts.get(&proxy.name).or_else(|| backs.get(&proxy.name));
        if let Some(line) = twice {
            let message = format!("the name `{}` is used in line {line} already", proxy.name);
            reader.say(Severity::Error, codes::DUPLICATE, proxy.at.clone(), message, OWN_NAME);
        } else if let Some(line) = other {
            let message = format!(
                "`{}` is the name of another kind of section in line {line}, which haproxy 3.3 and later refuse",
                proxy.name
            );
            let help = format!("call the backend `{}-servers`, say", proxy.name);
            reader.say(Severity::Warning, codes::SAME_NAME, proxy.at.clone(), message, Some(&help));
        }
        if proxy.kind.listens() {
            fronts.entry(proxy.name.clone()).or_insert(line);
        }
        if proxy.kind.serves() {
            backs.entry(proxy.name.clone()).or_insert(line);
        }
    }
}

fn pool(reader: &mut Reader<'_>, config: &mut Config, proxy: &Proxy, authorities: &mut probe::Authorities) {
    let draft = &proxy.draft;
    let mut names = Lines::new();
    let mut servers = Vec::new();
    probe::rules(reader, proxy);
    for server in &proxy.servers {
        if let Some(line) = names.get(&server.name) {
            let message = format!("the server name `{}` is used in line {line} already", server.name);
            reader.say(Severity::Error, codes::DUPLICATE, server.at.clone(), message, OWN_NAME);
            continue;
        }
        names.insert(server.name.clone(), server.at.line);
        servers.push(one_server(reader, config, proxy, server, authorities));
    }
    if proxy.kind == ProxyKind::Backend {
        forward(reader, proxy);
    }
    if servers.is_empty() {
        if !refused(reader, proxy, "server") {
            let message = format!("`{}` has no server: its connections are refused", proxy.name);
            let help = Some("add a line: server NAME ADDRESS:PORT check");
            reader.say(Severity::Warning, codes::NO_SERVER, proxy.at.clone(), message, help);
        }
    } else {
        missing(reader, proxy, "connect", draft.timeouts.connect.is_some());
        missing(reader, proxy, "server", draft.timeouts.server.is_some() || draft.timeouts.tunnel.is_some());
    }
    hints::healthz(reader, proxy);
    let id = PoolId(config.names.id(Kind::Pool, &proxy.name));
    let pool = PoolConfig {
        id,
        name: proxy.name.clone(),
        algorithm: draft.balance.algorithm(),
        all_backups: draft.balance.all_backups,
        servers,
        retries: draft.retries,
        redispatch: draft.redispatch,
        connect: draft.timeouts.connect,
        // A connected TCP session has `timeout tunnel` on both sides, as nothing else comes after the connect.
        server: draft.timeouts.tunnel.as_ref().or(draft.timeouts.server.as_ref()).map(|timed| timed.value),
        log: draft.logging.targets.to_vec(),
        listen: proxy.kind == ProxyKind::Listen,
    };
    config.pools.insert(id, Arc::new(pool));
}

fn one_server(
    reader: &mut Reader<'_>,
    config: &mut Config,
    proxy: &Proxy,
    server: &Server,
    authorities: &mut probe::Authorities,
) -> ServerConfig {
    let full = format!("{}/{}", proxy.name, server.name);
    let check = if server.params.check {
        let id = CheckId(config.names.id(Kind::Check, &full));
        if let Some(check) = probe::check(reader, proxy, server, id, authorities) {
            config.checks.insert(id, Arc::new(check));
        }
        Some(id)
    } else {
        None
    };
    ServerConfig {
        id: ServerId(config.names.id(Kind::Server, &full)),
        name: server.name.clone(),
        address: server.address,
        weight: server.params.weight,
        backup: server.params.backup,
        disabled: server.params.disabled,
        check,
        shutdown_when_down: server.params.shutdown_when_down,
    }
}

fn missing(reader: &mut Reader<'_>, proxy: &Proxy, name: &str, there: bool) {
    // One that was written and refused, here or in `defaults`, was said already.
    let said = |f: &Finding| f.severity == Severity::Error && first_word(f) == Some("timeout");
    if !there && !reader.findings.list().iter().any(said) {
        let message =
            format!("`timeout {name}` is missing in `{}`: dead connections stay for ever", proxy.name);
        let help =
            format!("add to `defaults`, say: timeout {name} {}", if name == "connect" { "5s" } else { "1h" });
        reader.say(Severity::Warning, codes::NO_TIMEOUT, proxy.at.clone(), message, Some(&help));
    }
}

/// A line of this section that begins with `word` was refused, and said.
fn refused(reader: &Reader<'_>, proxy: &Proxy, word: &str) -> bool {
    let lines = proxy.at.line..=proxy.until;
    let said = |f: &&Finding| f.severity == Severity::Error && lines.contains(&f.span.line);
    reader.findings.list().iter().filter(said).any(|f| first_word(f) == Some(word))
}

fn first_word(finding: &Finding) -> Option<&str> {
    finding.span.text.split_whitespace().next()
}

/// `option forwardfor` does nothing in TCP mode; haproxy says so too, for each proxy.
fn forward(reader: &mut Reader<'_>, proxy: &Proxy) {
    if let Some(at) = &proxy.draft.forward {
        let message = format!("`option forwardfor` has no effect in `{}`, which is in TCP mode", proxy.name);
        let inherited = at.line < proxy.at.line;
        let span = if inherited { proxy.at.clone() } else { at.clone() };
        let help = inherited.then(|| format!("the option stands in line {}", at.line));
        reader.say(Severity::Warning, codes::HTTP_ONLY, span, message, help.as_deref());
    }
}

fn frontend(reader: &mut Reader<'_>, config: &mut Config, proxy: &Proxy, backends: &BTreeMap<&str, &Proxy>) {
    let draft = &proxy.draft;
    forward(reader, proxy);
    let tcplog = match &draft.logging.format {
        LineFormat::Short => false,
        LineFormat::Tcp => true,
        LineFormat::Http(at) => {
            let message = format!(
                "`option httplog` is not possible in `{}`, which is in TCP mode: `tcplog` is used",
                proxy.name
            );
            reader.say(
                Severity::Warning,
                codes::HTTP_LOG,
                at.clone(),
                message,
                Some("write `option tcplog` in it"),
            );
            true
        }
    };
    let target = target(reader, proxy, backends);
    let tunnel = target.and_then(|target| target.draft.timeouts.tunnel.as_ref());
    if !proxy.binds.is_empty() {
        missing(reader, proxy, "client", draft.timeouts.client.is_some() || tunnel.is_some());
        hints::idle(reader, proxy, tunnel.is_some());
    } else if !refused(reader, proxy, "bind") {
        let message = format!("`{}` has no `bind` line: nobody can reach it", proxy.name);
        let help = Some("add a line: bind *:PORT");
        reader.say(Severity::Warning, codes::NO_LISTENER, proxy.at.clone(), message, help);
    }
    let id = FrontendId(config.names.id(Kind::Frontend, &proxy.name));
    let frontend = FrontendConfig {
        id,
        name: proxy.name.clone(),
        binds: proxy.binds.iter().map(|(bind, _)| bind.clone()).collect(),
        pool: target
            .filter(|target| live(target))
            .map(|target| PoolId(config.names.id(Kind::Pool, &target.name))),
        client: tunnel.or(draft.timeouts.client.as_ref()).map(|timed| timed.value),
        max_connections: draft.max_connections,
        tcplog,
        dont_log_null: draft.logging.dont_log_null,
        log: draft.logging.targets.to_vec(),
    };
    config.frontends.insert(id, Arc::new(frontend));
}

/// The proxy that serves the connections of this one.
fn target<'a>(
    reader: &mut Reader<'_>,
    proxy: &'a Proxy,
    backends: &BTreeMap<&str, &'a Proxy>,
) -> Option<&'a Proxy> {
    let mut named: Option<&Named> = proxy.first.as_ref().or(proxy.draft.backend.as_ref());
    if proxy.kind == ProxyKind::Listen {
        // A listen section with servers of its own needs no backend; what is named elsewhere counts before them.
        named = named.filter(|_| proxy.first.is_some() || proxy.servers.is_empty());
        if named.is_none() {
            return Some(proxy);
        }
    }
    let Some(named) = named else {
        let message = format!("`{}` names no backend: its connections are closed at once", proxy.name);
        let help = Some("write `default_backend NAME`");
        reader.say(Severity::Warning, codes::NO_BACKEND, proxy.at.clone(), message, help);
        return None;
    };
    let found = backends.get(named.name.as_str()).copied();
    if found.is_none() {
        let help =
            reader.near(&named.name, backends.keys().copied()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no backend `{}`", named.name);
        reader.say(Severity::Error, codes::UNKNOWN_BACKEND, named.at.clone(), message, help.as_deref());
    }
    found
}
