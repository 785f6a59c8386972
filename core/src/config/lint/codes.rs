//! The codes of findings across nodes, `SF4000` to `SF4999`, and one sentence about each.
//!
//! Each has a page `docs/lint/SFnnnn.md`; so has each of [`TRAPS`]. A code keeps its meaning for ever.

use crate::config::finding::Code;

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: Code = Code($number);)*

        /// All of them.
        pub const TABLE: &[(Code, &str)] = &[$(($name, $text)),*];
    };
}

codes! {
    REFUSED_NODE = 4000, "A node's configuration cannot be run, so it is not compared with the others.";
    VRID = 4001, "Nodes that hold the same addresses have different virtual router ids and do not hear each other.";
    VERSION = 4002, "The nodes of a virtual router speak different versions of VRRP.";
    INTERVAL = 4003, "The nodes of a virtual router have different advertisement intervals.";
    PASSWORD = 4004, "The nodes of a virtual router have different passwords.";
    ADDRESSES = 4005, "The nodes of a virtual router do not hold the same addresses.";
    ADDRESS_FORM = 4006, "The nodes of a virtual router write the same addresses in another order or with another prefix length.";
    PEERS = 4007, "The peer lists of the nodes are not symmetric.";
    TRANSPORT = 4008, "The nodes of a virtual router do not send to the same place: some to a group, some to peers.";
    EQUAL_PRIORITY = 4009, "Two nodes of a virtual router have the same priority.";
    ORDER = 4010, "A failed check does not lower the priority below that of a healthy node.";
    NEVER_TAKEN = 4011, "A failed check lowers a priority, but nopreempt keeps the others from taking over.";
    DETECTION = 4012, "How long a takeover takes after power loss and after a failed check.";
    ASKS_PROXY = 4013, "A check script asks through the balancer: it measures the cluster, not the node.";
    TWO_CLUSTERS = 4014, "Two clusters with different addresses use one virtual router id.";
    ALONE = 4015, "Only one of the nodes has this virtual router.";
    PREEMPTION = 4016, "The nodes of a virtual router do not agree about nopreempt.";
    TOO_MANY_CHECKS = 4017, "A node tracks more checks than all combinations can be computed for.";
    TOO_MANY_NODES = 4018, "More nodes than are compared with each other.";
    NOT_READ = 4019, "A folder holds a native file and keepalived's or haproxy's as well; only the native one is read.";
    PROBE_THROUGH_PROXY = 4031, "The liveness probe of the balancer's pod asks a server through the balancer.";
    BROADCAST_CAPABILITY = 4032, "The pod asks for NET_BROADCAST, which Linux does not use.";
    IMAGE_PATH = 4033, "The pod's image reads its configuration from another path than the one that is mounted.";
    FILE_MOUNT = 4034, "A single file is mounted into the pod, so that a replaced file is not seen.";
    MANIFEST = 4035, "A pod manifest cannot be read.";
}

/// The traps of the kubeadm guide's own files, and the codes of the rules that speak of them.
pub const TRAPS: [(&str, &[u16]); 15] = [
    ("a failed check is only believed after 30 s", &[4012]),
    ("weights that are too small, and ties", &[4010, 4009]),
    ("the check script asks through the local balancer", &[4013]),
    ("the liveness probe asks through the balancer", &[4031]),
    ("NET_BROADCAST", &[4032]),
    ("an image that reads another path", &[4033]),
    ("scripts that run as root", &[1203]),
    ("placeholders that were never replaced", &[9, 2009]),
    ("mounts of single files", &[4034]),
    ("two check options, of which the last one wins", &[2050]),
    ("balancer and server want the same port", &[2060]),
    ("/healthz", &[2062]),
    ("a password in clear, cut at 8 bytes", &[1302, 1110]),
    ("virtual router id 51", &[1303]),
    ("idle sessions that are cut", &[2061]),
];

/// Codes of `check` that lint relies on besides: nopreempt with state MASTER.
pub const RELIED_ON: [u16; 1] = [1111];

/// What `code` means, in one sentence.
#[must_use]
pub fn explain(code: Code) -> Option<&'static str> {
    TABLE.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

/// Every code that has a page: those of this table, and those of the traps.
#[must_use]
pub fn with_page() -> alloc::vec::Vec<Code> {
    let traps =
        TRAPS.iter().flat_map(|(_, codes)| codes.iter()).chain(&RELIED_ON).map(|number| Code(*number));
    let mut all: alloc::vec::Vec<Code> = TABLE.iter().map(|(code, _)| *code).chain(traps).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_its_range_and_given_once_and_every_trap_is_explained() {
        for (index, (code, text)) in TABLE.iter().enumerate() {
            assert!((4000..5000).contains(&code.0) && text.ends_with('.'), "{code}");
            assert!(TABLE[..index].iter().all(|(other, _)| other != code), "{code}");
        }
        for (trap, codes) in TRAPS {
            for code in codes {
                assert!(crate::config::codes::explain(Code(*code)).is_some(), "{trap}: {code}");
            }
        }
    }
}
