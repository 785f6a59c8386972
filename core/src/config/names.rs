//! Ids for names, kept over reloads: the same kind and name get the same number as in the previous configuration.

use alloc::collections::BTreeMap;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// What a name belongs to; names of different kinds do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// `vrrp_instance`.
    Instance,
    /// `vrrp_sync_group`.
    Group,
    /// `vrrp_script`, or the check of `pool/server`.
    Check,
    /// `frontend`, `listen`.
    Frontend,
    /// `backend`, `listen`.
    Pool,
    /// `pool/server`.
    Server,
}

/// The numbers given so far. Serialised as a list, since JSON has no compound keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "NameList", into = "NameList")]
pub struct Names {
    given: BTreeMap<(Kind, String), u32>,
    last: u32,
}

/// [`Names`] as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct NameList {
    given: alloc::vec::Vec<(Kind, String, u32)>,
    last: u32,
}

impl From<NameList> for Names {
    fn from(list: NameList) -> Names {
        Names { given: list.given.into_iter().map(|(k, n, i)| ((k, n), i)).collect(), last: list.last }
    }
}

impl From<Names> for NameList {
    fn from(names: Names) -> NameList {
        NameList { given: names.given.into_iter().map(|((k, n), i)| (k, n, i)).collect(), last: names.last }
    }
}

impl Names {
    /// The number of `name`: the old one, or the next free one. Numbers start at 1 and grow in the order of first
    /// appearance, so that in a fresh configuration their order is the file's.
    pub fn id(&mut self, kind: Kind, name: &str) -> u32 {
        if let Some(id) = self.given.get(&(kind, String::from(name))) {
            return *id;
        }
        self.last = self.last.saturating_add(1);
        self.given.insert((kind, String::from(name)), self.last);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_kinds_do_not_meet() {
        let mut names = Names::default();
        let a = names.id(Kind::Pool, "apiserver");
        assert_ne!(a, names.id(Kind::Frontend, "apiserver"));
        assert_eq!(a, names.id(Kind::Pool, "apiserver"));
    }
}
