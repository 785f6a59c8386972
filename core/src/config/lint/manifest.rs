//! Pod manifests beside a node's configuration: what in them makes a sound configuration fail.
//!
//! A liveness probe that asks through the balancer, a capability that Linux does not use, an image that reads another
//! path than the mounted one, and mounts of single files. Every `*.yaml` and `*.yml` of the folder that has a pod in it.

use super::finding::Place;
use super::yaml::{self, Value};
use super::{Extra, Node, Report, codes, script};
use crate::config::finding::{Severity, Span};
use crate::config::keepalived::codes::PLACEHOLDER;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The rules for all manifests of `node`.
pub(super) fn rules(node: &Node, report: &mut Report) {
    let manifests =
        node.extras.iter().filter(|extra| extra.file.ends_with(".yaml") || extra.file.ends_with(".yml"));
    for extra in manifests {
        match yaml::parse(&extra.text) {
            Ok(documents) => documents.iter().for_each(|document| pod(node, extra, document, report)),
            Err((line, why)) => {
                let message = format!("this manifest is not looked at: {why}");
                let help = "write it as block YAML, or leave it out of the folder";
                let place = node.at(span(extra, line, 1));
                report.say(Severity::Note, codes::MANIFEST, alloc::vec![place], message, help);
            }
        }
    }
}

/// A place in a manifest: from a column to the end of the line.
fn span(extra: &Extra, line: usize, column: usize) -> Span {
    let text = extra.text.lines().nth(line.saturating_sub(1)).unwrap_or("");
    let shown: String = text
        .chars()
        .take(Span::MAX_TEXT)
        .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
        .collect();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let width = shown.trim_end().chars().count().saturating_sub(column - 1).max(1);
    Span {
        file: Arc::from(extra.file.as_str()),
        line: number(line),
        column: number(column),
        width: number(width),
        text: Arc::from(shown.as_str()),
    }
}

fn place(node: &Node, extra: &Extra, value: &Value) -> Place {
    node.at(span(extra, value.line, value.column))
}

/// The rules for a pod, or for the pods that a workload makes.
fn pod(node: &Node, extra: &Extra, document: &Value, report: &mut Report) {
    let Some(spec) = document.get(&["spec", "template", "spec"]).or_else(|| document.get(&["spec"])) else {
        return;
    };
    for container in spec.items(&["containers"]) {
        probe(node, extra, container, report);
        capability(node, extra, container, report);
        image(node, extra, container, report);
        files(node, extra, spec, container, report);
    }
}

fn probe(node: &Node, extra: &Extra, container: &Value, report: &mut Report) {
    let Some(asked) = container.get(&["livenessProbe", "httpGet"]) else { return };
    let Some(port) = asked.get(&["port"]) else { return };
    if let Some(text) = port.text(&[]).filter(|text| text.contains("${")) {
        let message = format!("the placeholder {text} was never replaced by its value");
        let at = alloc::vec![place(node, extra, port)];
        report.say(Severity::Error, PLACEHOLDER, at, message, "write the port that the balancer listens on");
    }
    let Some(config) = &node.config else { return };
    let Some(number) = port.text(&[]).and_then(|text| text.parse().ok()) else { return };
    let Some(frontend) = script::balancer(config, number) else { return };
    let path = asked.text(&["path"]).unwrap_or("/");
    let message = format!(
        "the liveness probe of {} asks {path} at port {number}, through the balancer {}: when all servers are down, or etcd is, every node's balancer is killed as well",
        container.text(&["name"]).unwrap_or("this container"),
        frontend.name
    );
    let help = "probe something that is the balancer's own: a tcpSocket probe of its port, or a stats page";
    report.say(
        Severity::Warning,
        codes::PROBE_THROUGH_PROXY,
        alloc::vec![place(node, extra, port)],
        message,
        help,
    );
}

fn capability(node: &Node, extra: &Extra, container: &Value, report: &mut Report) {
    let added = container.items(&["securityContext", "capabilities", "add"]);
    let broadcast = |value: &&Value| matches!(value.text(&[]), Some("NET_BROADCAST" | "CAP_NET_BROADCAST"));
    if let Some(found) = added.iter().find(broadcast) {
        let message = "NET_BROADCAST has no effect: Linux does not use this capability".into();
        let help = "remove it; VRRP needs NET_ADMIN and NET_RAW";
        report.say(
            Severity::Note,
            codes::BROADCAST_CAPABILITY,
            alloc::vec![place(node, extra, found)],
            message,
            help,
        );
    }
}

/// The folder that an image reads its configuration from, and the file's name in it.
fn read_from(image: &str) -> Option<(&'static str, &'static str)> {
    let image = image.trim_start_matches("docker.io/").trim_start_matches("library/");
    let (name, tag) = image.split_once(':')?;
    let mut numbers = tag.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next()?, numbers.next().unwrap_or(0));
    match name {
        // The start script reads /usr/local/etc up to 2.1; the rewrite of 2.3 reads KEEPALIVED_CONF, in /etc.
        "osixia/keepalived" if version.0 == 0 => None,
        "osixia/keepalived" if version < (2, 2) => Some(("/usr/local/etc/keepalived", "keepalived.conf")),
        "osixia/keepalived" => Some(("/etc/keepalived", "keepalived.conf")),
        "haproxy" => Some(("/usr/local/etc/haproxy", "haproxy.cfg")),
        _ => None,
    }
}

fn image(node: &Node, extra: &Extra, container: &Value, report: &mut Report) {
    let Some(image) = container.get(&["image"]) else { return };
    let Some((folder, file)) = image.text(&[]).and_then(read_from) else { return };
    // Whoever passes arguments or environment says himself what is read.
    if ["args", "command", "env"].iter().any(|key| container.get(&[key]).is_some()) {
        return;
    }
    let right = format!("{folder}/{file}");
    let mounts = container.items(&["volumeMounts"]);
    let path =
        |mount: &Value| mount.text(&["mountPath"]).map(|path| String::from(path.trim_end_matches('/')));
    let mounted: Vec<(String, &Value)> =
        mounts.iter().filter_map(|mount| Some((path(mount)?, mount))).collect();
    if mounted.iter().any(|(path, _)| *path == right || path == folder) {
        return;
    }
    let own = |path: &str| path.ends_with(file) || path.rsplit('/').next() == folder.rsplit('/').next();
    let Some((wrong, mount)) = mounted.iter().find(|(path, _)| own(path)) else { return };
    let message = format!(
        "{} reads {right}, but the configuration is mounted at {wrong}: the image's own template is used instead",
        image.text(&[]).unwrap_or("the image")
    );
    let help = format!("mount it at {folder}");
    let at = mount.get(&["mountPath"]).unwrap_or(mount);
    let places = alloc::vec![place(node, extra, at), place(node, extra, image)];
    report.say(Severity::Warning, codes::IMAGE_PATH, places, message, help);
}

/// Volumes of the host that are a single file.
fn files(node: &Node, extra: &Extra, spec: &Value, container: &Value, report: &mut Report) {
    let ends = [".conf", ".cfg", ".toml", ".sh"];
    let mut places = Vec::new();
    let mut names = Vec::new();
    for volume in spec.items(&["volumes"]) {
        let Some(path) = volume.get(&["hostPath", "path"]) else { continue };
        let text = path.text(&[]).unwrap_or("");
        let single = matches!(volume.text(&["hostPath", "type"]), Some("File" | "FileOrCreate"));
        let name = volume.text(&["name"]);
        let used = container.items(&["volumeMounts"]).iter().any(|mount| mount.text(&["name"]) == name);
        if used && (single || ends.iter().any(|end| text.ends_with(end))) {
            places.push(place(node, extra, path));
            names.push(text);
        }
    }
    if !places.is_empty() {
        let message = format!(
            "single files are mounted ({}): an editor that replaces the file leaves the pod with the old one, and a missing file becomes an empty file or a folder",
            super::finding::list(&names)
        );
        let help = "mount the folder that holds them";
        report.say(Severity::Warning, codes::FILE_MOUNT, places, message, help);
    }
}

#[cfg(test)]
mod tests {
    use super::read_from;

    #[test]
    fn an_image_reads_where_its_generation_does() {
        for (image, folder) in [
            ("osixia/keepalived:1.3.5-1", Some("/usr/local/etc/keepalived")),
            ("docker.io/osixia/keepalived:2.0.20", Some("/usr/local/etc/keepalived")),
            ("osixia/keepalived:2.3.4", Some("/etc/keepalived")),
            ("docker.io/library/haproxy:2.8", Some("/usr/local/etc/haproxy")),
            ("haproxy:lts", Some("/usr/local/etc/haproxy")),
            ("example.org/own:1", None),
            ("osixia/keepalived:latest", None),
        ] {
            assert_eq!(read_from(image).map(|(folder, _)| folder), folder, "{image}");
        }
    }
}
