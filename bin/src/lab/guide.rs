//! The guide's files, as they are in `tests/guide`, and the few ways in which tests and demo vary them.
//!
//! Every variation is a textual edit that fails loudly when the text to be edited is not there.

/// Which edition of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// The text of 2020: the check asks through the virtual address, servers are checked by an old TLS hello.
    Classic,
    /// The text of 2024: the check asks `/healthz`, servers are checked by HTTPS.
    Current,
}

/// The files of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// `keepalived.conf`.
    pub keepalived: String,
    /// `haproxy.cfg`; none where only the virtual address is of interest.
    pub haproxy: Option<String>,
    /// `check_apiserver.sh`; none where nothing is checked.
    pub check: Option<String>,
}

/// Where the guide puts the check script.
pub const CHECK_PATH: &str = "/etc/keepalived/check_apiserver.sh";

macro_rules! node {
    ($edition:literal, $node:literal) => {
        [
            include_str!(concat!("../../../tests/guide/", $edition, "/", $node, "/keepalived.conf")),
            include_str!(concat!("../../../tests/guide/", $edition, "/", $node, "/haproxy.cfg")),
            include_str!(concat!("../../../tests/guide/", $edition, "/", $node, "/check_apiserver.sh")),
        ]
    };
}

const CLASSIC: [[&str; 3]; 3] = [node!("classic", "cp1"), node!("classic", "cp2"), node!("classic", "cp3")];
const CURRENT: [[&str; 3]; 3] = [node!("current", "cp1"), node!("current", "cp2"), node!("current", "cp3")];

impl Files {
    /// The guide's files for node `cpN`, N from 1 to 3, unchanged.
    #[must_use]
    pub fn guide(edition: Edition, node: usize) -> Files {
        let all = match edition {
            Edition::Classic => &CLASSIC,
            Edition::Current => &CURRENT,
        };
        let [keepalived, haproxy, check] = all[node - 1];
        Files {
            keepalived: keepalived.to_owned(),
            haproxy: Some(haproxy.to_owned()),
            check: Some(check.to_owned()),
        }
    }

    /// A bare virtual router with these lines in its block, no check and no proxy.
    #[must_use]
    pub fn router(lines: &str) -> Files {
        let keepalived = format!(
            "global_defs {{\n    router_id LVS_DEVEL\n}}\nvrrp_instance VI_1 {{\n    interface eth0\n{lines}\n}}\n"
        );
        Files { keepalived, haproxy: None, check: None }
    }

    /// The same with `new` in place of `old` in `keepalived.conf`.
    ///
    /// # Panics
    /// When `old` is not there: the variation would be without effect.
    #[must_use]
    pub fn with(mut self, old: &str, new: &str) -> Files {
        assert!(self.keepalived.contains(old), "`{old}` is not in keepalived.conf");
        self.keepalived = self.keepalived.replace(old, new);
        self
    }

    /// The same with more lines in the instance.
    #[must_use]
    pub fn instance(self, lines: &str) -> Files {
        self.with("    virtual_router_id 51", &format!("    virtual_router_id 51\n    {lines}"))
    }

    /// The check every second, down after 2 failures, up after 1 success.
    #[must_use]
    pub fn quick(self) -> Files {
        self.with("interval 3", "interval 1").with("fall 10", "fall 2").with("rise 2", "rise 1")
    }

    /// Node `cpN` of three, with the two others as unicast peers.
    #[must_use]
    pub fn unicast(self, node: usize) -> Files {
        let peers: Vec<String> =
            (1..=3).filter(|peer| *peer != node).map(|peer| format!("192.0.2.{}", 10 + peer)).collect();
        let own = 10 + node;
        self.instance(&format!(
            "unicast_src_ip 192.0.2.{own}\n    unicast_peer {{\n        {}\n    }}",
            peers.join("\n        ")
        ))
    }

    /// Without check script and proxy.
    #[must_use]
    pub fn alone(mut self) -> Files {
        if let (Some(start), Some(end)) =
            (self.keepalived.find("vrrp_script"), self.keepalived.find("vrrp_instance"))
        {
            self.keepalived.replace_range(start..end, "");
        }
        if let Some(start) = self.keepalived.find("    track_script {") {
            self.keepalived.replace_range(start.., "}\n");
        }
        Files { haproxy: None, check: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_first_node_is_the_preferred_one() {
        assert!(Files::guide(Edition::Classic, 1).keepalived.contains("priority 101"));
        assert!(Files::guide(Edition::Current, 3).keepalived.contains("priority 100"));
    }

    #[test]
    fn a_node_without_check_has_no_trace_of_one() {
        let alone = Files::guide(Edition::Current, 2).alone().keepalived;
        assert!(!alone.contains("script"), "{alone}");
        assert_eq!(alone.matches('{').count(), alone.matches('}').count(), "{alone}");
    }
}
