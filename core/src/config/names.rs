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
    /// `bfd_instance`.
    Bfd,
}

/// The numbers given so far. Serialised as a list, since JSON has no compound keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "NameList", into = "NameList")]
pub struct Names {
    given: BTreeMap<(Kind, String), u32>,
    last: u32,
    /// Those of the previous configuration, while a new one is read.
    before: BTreeMap<(Kind, String), u32>,
}

/// [`Names`] as it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct NameList {
    given: alloc::vec::Vec<(Kind, String, u32)>,
    last: u32,
}

impl From<NameList> for Names {
    fn from(list: NameList) -> Names {
        let given = list.given.into_iter().map(|(k, n, i)| ((k, n), i)).collect();
        Names { given, last: list.last, before: BTreeMap::new() }
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
        let key = (kind, String::from(name));
        if let Some(id) = self.given.get(&key) {
            return *id;
        }
        let id = self.before.remove(&key).unwrap_or_else(|| {
            self.last = self.last.saturating_add(1);
            self.last
        });
        self.given.insert(key, id);
        id
    }

    /// Names for the configuration that follows this one: it keeps the numbers of what it names again.
    #[must_use]
    pub fn successor(&self) -> Names {
        Names { given: BTreeMap::new(), last: self.last, before: self.given.clone() }
    }

    /// The configuration is read: what it does not name is forgotten, so that reloads without end stay bounded. Its
    /// number is not given again.
    pub fn settle(&mut self) {
        self.before.clear();
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

    #[test]
    fn reloads_keep_what_is_named_again_and_forget_the_rest_for_good() {
        let mut names = Names::default();
        let (a, b) = (names.id(Kind::Pool, "a"), names.id(Kind::Pool, "b"));
        for _ in 0..3 {
            names = names.successor();
            assert_eq!(names.id(Kind::Pool, "a"), a);
            names.settle();
            assert_eq!(names.given.len() + names.before.len(), 1);
        }
        names = names.successor();
        assert!(names.id(Kind::Pool, "b") > b, "another one of that name");
    }
}
