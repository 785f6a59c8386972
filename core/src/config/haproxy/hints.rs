//! Notes about what is right as it stands and surprises people later (ports, idle sessions, `/healthz`).

use super::check::Kind;
use super::codes;
use super::draft::{Proxy, Timed};
use super::reader::Reader;
use crate::config::finding::Severity;
use alloc::collections::BTreeMap;
use alloc::format;
use core::time::Duration;

/// Below this an idle `kubectl exec` or `logs -f` is cut during normal work.
const IDLE: Duration = Duration::from_secs(300);

/// A bind line and a server on this very host at the same port: only one of the two can have it.
pub(super) fn ports(reader: &mut Reader<'_>, proxies: &[Proxy]) {
    if proxies.iter().all(|proxy| proxy.servers.is_empty()) {
        return;
    }
    let local = reader.source.resolve(&reader.source.host());
    let mut exact = BTreeMap::new();
    let mut here = BTreeMap::new();
    for server in proxies.iter().flat_map(|proxy| &proxy.servers) {
        exact.entry(server.address).or_insert(server);
        if server.address.ip().is_loopback() || local.contains(&server.address.ip()) {
            here.entry(server.address.port()).or_insert(server);
        }
    }
    for (bind, at) in proxies.iter().flat_map(|proxy| &proxy.binds) {
        let any = bind.at.ip().is_unspecified();
        let clash = if any { here.get(&bind.at.port()) } else { exact.get(&bind.at) };
        if let Some(server) = clash {
            let port = bind.at.port();
            let message = format!(
                "port {port} is also that of server `{}` in line {}, which is on this host: only one can bind it",
                server.name, server.address_at.line
            );
            let help = "let the balancer listen on another port, or on the virtual address alone";
            reader.say(Severity::Note, codes::SAME_PORT, at.clone(), message, Some(help));
        }
    }
}

/// Inactivity limits that cut a quiet `kubectl exec`.
pub(super) fn idle(reader: &mut Reader<'_>, proxy: &Proxy, tunnel: bool) {
    let short = |timed: &&Timed| !tunnel && timed.value < IDLE;
    if let Some(timed) = proxy.draft.timeouts.client.as_ref().filter(short) {
        let message = format!(
            "connections of `{}` that are quiet for {} s are cut, such as an idle `kubectl exec`",
            proxy.name,
            timed.value.as_secs()
        );
        let help = "write `timeout tunnel 1h` in the backend, or live with it";
        reader.say(Severity::Note, codes::IDLE_SESSIONS, timed.at.clone(), message, Some(help));
    }
}

/// `/healthz` of the Kubernetes API server is deprecated in favour of `/readyz`.
pub(super) fn healthz(reader: &mut Reader<'_>, proxy: &Proxy) {
    let checks = &proxy.draft.checks;
    if checks.kind != Kind::Http {
        return;
    }
    let asked =
        [checks.send.as_ref(), Some(&checks.asked)].into_iter().flatten().find(|asked| !asked.uri.is_empty());
    if let Some(asked) = asked.filter(|asked| asked.uri == "/healthz")
        && let Some(at) = &asked.uri_at
    {
        let message = "/healthz of the Kubernetes API server is deprecated since 1.16".into();
        let help =
            "ask /readyz: it fails while the server starts and stops, when it should get no connections";
        reader.say(Severity::Note, codes::HEALTHZ, at.clone(), message, Some(help));
    }
}
