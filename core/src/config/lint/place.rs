//! Where things stand: for each block of a node's files the span of each of its keywords.
//!
//! Made from the statements of the languages themselves (includes, conditions and definitions have been followed),
//! not from the model, which knows no files. Decides nothing; a place that is not known falls back to its block, and
//! that to the file as a whole.

use crate::config::finding::Span;
use crate::config::load::{Language, Options};
use crate::config::source::Source;
use crate::config::{haproxy, keepalived, native};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;

/// One keyword of a block: the block, the keyword's path in it, and where its value stands.
pub type Row = (String, String, Span);

/// What of a virtual router is looked for; each language has its own word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// VRID.
    Vrid,
    /// Protocol version.
    Version,
    /// Advertisement interval.
    Interval,
    /// Password.
    Password,
    /// The list of addresses.
    Addresses,
    /// How packets travel.
    Peers,
    /// Priority.
    Priority,
    /// Preemption.
    Preempt,
    /// What is tracked.
    Track,
}

impl Key {
    /// The words for it, keepalived's first, the most exact first.
    fn words(self) -> &'static [&'static str] {
        match self {
            Key::Vrid => &["virtual_router_id", "vrid"],
            Key::Version => &["version", "vrrp_version"],
            Key::Interval => &["advert_int", "election advertisement_interval"],
            Key::Password => &["authentication auth_pass", "authentication", "transport password"],
            Key::Addresses => &["virtual_ipaddress", "address"],
            Key::Peers => &["unicast_peer", "transport peer", "mcast_group4", "transport"],
            Key::Priority => &["priority"],
            Key::Preempt => &["nopreempt", "election preempt", "state"],
            Key::Track => &["track_script", "track"],
        }
    }
}

/// The places of one node.
#[derive(Clone, Debug, Default)]
pub struct Places {
    rows: BTreeMap<(String, String), Span>,
    first: Option<Span>,
}

impl Places {
    /// The places of the files `inputs`.
    #[must_use]
    pub fn read(inputs: &[(Language, &str)], source: &dyn Source, options: &Options) -> Places {
        let mut places = Places::default();
        for (language, path) in inputs {
            let rows = match language {
                Language::Keepalived => keepalived::outline(path, source, options),
                Language::Haproxy => haproxy::outline(path, source),
                Language::Native => native::outline(path, source),
            };
            places.first.get_or_insert_with(|| Span::whole(path));
            for (block, key, span) in rows {
                places.rows.entry((block, key)).or_insert(span);
            }
        }
        places
    }

    fn get(&self, block: &str, key: &str) -> Option<&Span> {
        self.rows.get(&(block.to_string(), key.to_string()))
    }

    /// Where `key` of the block stands, else the same for all blocks (`global_defs`), else the block's name.
    #[must_use]
    pub fn find(&self, block: &str, keys: &[&str]) -> Span {
        let own = keys.iter().find_map(|key| self.get(block, key));
        let all = || keys.iter().find_map(|key| self.get("global_defs", key));
        let found = own.or_else(all).or_else(|| self.get(block, "")).or(self.first.as_ref());
        found.cloned().unwrap_or_else(|| Span::whole("(no file)"))
    }

    /// Where `key` of the virtual router `name` stands.
    #[must_use]
    pub fn router(&self, name: &str, key: Key) -> Span {
        self.find(&format!("vrrp_instance {name}"), key.words())
    }

    /// Where one `item` of a list of the virtual router `name` stands: an address, a peer, a tracked check.
    #[must_use]
    pub fn item(&self, name: &str, key: Key, item: &dyn Display) -> Span {
        let block = format!("vrrp_instance {name}");
        let exact = key.words().iter().find_map(|word| self.get(&block, &format!("{word} {item}")));
        exact.cloned().unwrap_or_else(|| self.router(name, key))
    }

    /// Where `key` of the check `name` stands.
    #[must_use]
    pub fn check(&self, name: &str, keys: &[&str]) -> Span {
        self.find(&format!("vrrp_script {name}"), keys)
    }
}
