//! Balancer and server at the same port of the same node: only one of the two can bind it.
//!
//! `check` says so for loopback and for what the host's name resolves to; from several nodes more is known: a node's
//! own address is its advertisements' source, or that of the server that has the node's name.

use super::{Node, Report};
use crate::config::finding::Severity;
use crate::config::haproxy::codes::SAME_PORT;
use crate::config::model::{Config, ServerConfig};
use alloc::collections::BTreeSet;
use alloc::format;
use core::net::IpAddr;

/// The rule for all listening sides of `node`.
pub(super) fn rules(node: &Node, config: &Config, report: &mut Report) {
    if node.findings.list().iter().any(|finding| finding.code == SAME_PORT) {
        return; // said already, with the same words
    }
    let own: BTreeSet<IpAddr> =
        config.instances.values().filter_map(|instance| instance.transport.source).collect();
    let here = |server: &&ServerConfig| own.contains(&server.address.ip()) || *server.name == *node.name;
    for frontend in config.frontends.values() {
        for bind in frontend.binds.iter().filter(|bind| bind.at.ip().is_unspecified()) {
            let servers =
                config.pools.values().flat_map(|pool| pool.servers.iter().map(move |one| (pool, one)));
            let mut same = servers.filter(|(_, server)| server.address.port() == bind.at.port());
            let Some((pool, server)) = same.find(|(_, server)| here(server)) else { continue };
            let (port, name) = (bind.at.port(), &node.name);
            let message = format!(
                "port {port} of {name} is wanted by the balancer {} and by its own server {}",
                frontend.name, server.name
            );
            let help = "let the balancer listen on another port, or on the virtual address alone";
            let places = alloc::vec![
                node.at(node.places.find(&format!("frontend {}", frontend.name), &["bind"])),
                node.at(node
                    .places
                    .find(&format!("backend {}", pool.name), &[&format!("server {}", server.name)])),
            ];
            report.say(Severity::Warning, SAME_PORT, places, message, help);
        }
    }
}
