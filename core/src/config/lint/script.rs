//! Does a tracked check ask through the node's own balancer? Then it is answered by any server of the cluster: it says
//! whether the cluster works, not whether this node does, and fails on all nodes at once.
//!
//! Looks at the command line, at scripts that lie beside the configuration, and at native probes. Finds `HOST:PORT`,
//! URLs with the port left out, and `HOST PORT`, where HOST is this node or a virtual address; `$NAME` is followed to
//! `NAME=value` in the same script.

use super::finding::Place;
use super::{Extra, Node, Report, codes};
use crate::config::finding::{Severity, Span};
use crate::config::model::{Bind, CheckConfig, Config, FrontendConfig, Probe, Tracked};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

/// The rule for all tracked checks of `node`.
pub(super) fn rules(node: &Node, config: &Config, report: &mut Report) {
    let trackers = config.instances.values().flat_map(|instance| &instance.trackers);
    let tracked: BTreeSet<_> = trackers
        .filter_map(|tracker| match tracker.what {
            Tracked::Check(id) => Some(id),
            Tracked::Interface(_) | Tracked::Session(_) => None,
        })
        .collect();
    for check in tracked.iter().filter_map(|id| config.checks.get(id)) {
        let probe = match &*check.probe {
            Probe::Script { command, .. } => {
                script(node, config, check, &command.argv, report);
                continue;
            }
            Probe::Watch(_) => continue,
            Probe::Tcp { to, .. } | Probe::SslHello { to, .. } | Probe::Tls { to, .. } => to,
            Probe::Http(http) => &http.to,
            Probe::Talk(talk) => &talk.first.to,
        };
        let local = probe.ip().is_loopback() || virtual_addresses(config).contains(&probe.ip());
        if let Some(frontend) = balancer(config, probe.port()).filter(|_| local) {
            let at = node.at(node.places.check(&check.name, &["to", "run", "script"]));
            say(node, check, frontend, &probe.to_string(), alloc::vec![at], report);
        }
    }
}

fn virtual_addresses(config: &Config) -> BTreeSet<IpAddr> {
    let all = config.instances.values().flat_map(|instance| &instance.addresses);
    all.map(|address| address.address.addr()).collect()
}

/// The listening side at `port` that spreads connections over several servers.
pub(super) fn balancer(config: &Config, port: u16) -> Option<&FrontendConfig> {
    let several = |frontend: &&FrontendConfig| {
        let pool = frontend.pool.and_then(|id| config.pools.get(&id));
        pool.is_some_and(|pool| pool.servers.len() > 1)
    };
    let here = |frontend: &&FrontendConfig| frontend.binds.iter().any(|bind: &Bind| bind.at.port() == port);
    config.frontends.values().map(AsRef::as_ref).filter(several).find(here)
}

fn script(node: &Node, config: &Config, check: &CheckConfig, argv: &[String], report: &mut Report) {
    let command = argv.join(" ");
    let at = node.at(node.places.check(&check.name, &["script", "run"]));
    if let Some((found, frontend)) = asked(config, &command).into_iter().next() {
        return say(node, check, frontend, &found.shown, alloc::vec![at], report);
    }
    for extra in argv.iter().filter_map(|word| beside(node, word)) {
        if let Some((found, frontend)) = asked(config, &extra.text).into_iter().next() {
            let places = alloc::vec![node.at(span(extra, &found)), at];
            return say(node, check, frontend, &found.shown, places, report);
        }
    }
}

/// The file of the node's folder that stands for the path `word`.
fn beside<'n>(node: &'n Node, word: &str) -> Option<&'n Extra> {
    let name = word.rsplit('/').next().filter(|name| !name.is_empty())?;
    node.extras.iter().find(|extra| extra.file.rsplit('/').next() == Some(name))
}

fn say(
    node: &Node,
    check: &CheckConfig,
    frontend: &FrontendConfig,
    asked: &str,
    mut places: Vec<Place>,
    report: &mut Report,
) {
    let message = format!(
        "{} asks {asked}, which is the balancer {} of the same node: it measures the cluster, not this node",
        check.name, frontend.name
    );
    let block = format!("frontend {}", frontend.name);
    places.push(node.at(node.places.find(&block, &["bind"])));
    let help = "that is right for \"can clients be served from here\"; to follow the node's own server, ask that server directly";
    // The same words on all nodes are one finding.
    let same =
        |before: &&mut super::CrossFinding| before.code == codes::ASKS_PROXY && before.message == message;
    match report.findings.iter_mut().find(same) {
        Some(before) => before.places.extend(places.into_iter().take(1)),
        None => report.say(Severity::Note, codes::ASKS_PROXY, places, message, help),
    }
}

/// A question found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    /// Line, from 1.
    line: usize,
    /// The byte of the line where it begins.
    from: usize,
    /// Its characters.
    shown: String,
}

/// The questions in `text` that go to a balancer of the node.
fn asked<'c>(config: &'c Config, text: &str) -> Vec<(Asked, &'c FrontendConfig)> {
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]", "::1"].map(String::from).into();
    for address in virtual_addresses(config) {
        match address {
            IpAddr::V4(v4) => hosts.push(v4.to_string()),
            IpAddr::V6(_) => {
                hosts.push(SocketAddr::new(address, 0).to_string().trim_end_matches(":0").to_string())
            }
        }
    }
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with('#') {
            continue;
        }
        for host in &hosts {
            for (from, _) in line.match_indices(host.as_str()) {
                let (before, after) = (&line[..from], &line[from + host.len()..]);
                if before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == ':') {
                    continue;
                }
                let Some((port, used)) = port(text, before, after) else { continue };
                if let Some(frontend) = balancer(config, port) {
                    let shown = format!("{host}{}", &after[..used]);
                    found.push((Asked { line: number, from, shown }, frontend));
                }
            }
        }
    }
    found
}

/// The port that follows a host name, and how many bytes of `after` say it.
fn port(text: &str, before: &str, after: &str) -> Option<(u16, usize)> {
    let scheme = if before.ends_with("https://") {
        Some(443)
    } else if before.ends_with("http://") {
        Some(80)
    } else {
        None
    };
    let Some(rest) = after.strip_prefix(':').or_else(|| after.strip_prefix(' ')) else {
        return scheme
            .filter(|_| !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.'))
            .map(|port| (port, 0));
    };
    let word_end =
        |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    if let Some(name) = rest.strip_prefix('$') {
        let bare = name.strip_prefix('{').unwrap_or(name);
        let name_end = word_end(bare);
        let braces = if name.len() > bare.len() { 2 } else { 0 };
        return Some((value(text, &bare[..name_end])?, 2 + braces + name_end));
    }
    let end = word_end(rest);
    Some((rest[..end].parse().ok()?, 1 + end))
}

/// What `NAME=value` says, when it is a port.
fn value(text: &str, name: &str) -> Option<u16> {
    let lines =
        text.lines().map(|line| line.trim().trim_start_matches("export ").trim_start_matches("readonly "));
    let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.next_back()?.trim_matches(['"', '\'', ';', ' ']).parse().ok()
}

fn span(extra: &Extra, found: &Asked) -> Span {
    let line = extra.text.lines().nth(found.line - 1).unwrap_or("");
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let shown: String = line
        .chars()
        .take(Span::MAX_TEXT)
        .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
        .collect();
    Span {
        file: Arc::from(extra.file.as_str()),
        line: number(found.line),
        column: number(line[..found.from].chars().count()) + 1,
        width: number(found.shown.chars().count()),
        text: Arc::from(shown.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_found_as_written_by_default_and_through_a_variable() {
        let text = "PORT=8443\nexport Q=\"9443\"\n";
        for (before, after, wanted) in [
            ("curl https://", ":8443/healthz", Some((8443, 5))),
            ("curl https://", "/healthz", Some((443, 0))),
            ("curl http://", " -o x", None),
            ("nc -z ", " 6443", Some((6443, 5))),
            ("curl https://", ":${PORT}/x", Some((8443, 8))),
            ("curl https://", ":$Q/x", Some((9443, 3))),
            ("curl https://", ":$NONE/x", None),
            ("curl https://", ".example.org/", None),
            ("ping ", "", None),
        ] {
            assert_eq!(port(text, before, after), wanted, "{before} {after}");
        }
    }
}
