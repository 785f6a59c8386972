//! Files in, one configuration and all findings out.

use super::finding::Findings;
use super::model::Config;
use super::source::Source;
use super::{haproxy, keepalived, native};
use alloc::string::String;

/// A configuration language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// keepalived.conf.
    Keepalived,
    /// haproxy.cfg.
    Haproxy,
    /// The native TOML file.
    Native,
}

/// What the command line has to say about reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-i`, `--config-id`: which `@id` lines are ours; `None` is the host's name up to its first dot.
    pub config_id: Option<String>,
    /// Mixed into `${_RANDOM}`.
    pub seed: u64,
    /// The most references and generated lines of a keepalived.conf; `None` is 100,000. Fewer bound the time that a
    /// hostile file takes.
    pub expansions: Option<u32>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The configuration; `None` if and only if there is an error among the findings.
    pub config: Option<Config>,
    /// All there is to say.
    pub findings: Findings,
}

/// Reads `inputs` in their order into one configuration; things that `previous` knew keep their ids.
#[must_use]
pub fn load(
    inputs: &[(Language, &str)],
    source: &dyn Source,
    previous: Option<&Config>,
    options: &Options,
) -> Loaded {
    let mut config = Config::default();
    if let Some(previous) = previous {
        config.names = previous.names.successor();
    }
    let mut findings = Findings::default();
    for (language, path) in inputs {
        match language {
            Language::Keepalived => keepalived::read(path, source, &mut config, &mut findings, options),
            Language::Haproxy => haproxy::read(path, source, &mut config, &mut findings, options),
            Language::Native => native::read(path, source, &mut config, &mut findings, options),
        }
    }
    config.names.settle();
    Loaded { config: (findings.errors() == 0).then_some(config), findings }
}

/// The language of a file, by its name, else by what is written in it.
#[must_use]
pub fn guess_language(path: &str, text: &str) -> Language {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.ends_with(".toml") {
        return Language::Native;
    }
    if name.ends_with(".cfg") {
        return Language::Haproxy;
    }
    let sections = ["global", "defaults", "frontend", "backend", "listen"];
    let blocks = [
        "global_defs",
        "vrrp_instance",
        "vrrp_script",
        "vrrp_sync_group",
        "virtual_server",
        "static_ipaddress",
    ];
    for line in text.lines() {
        let word = line.trim_start().split(['{', ' ', '\t', '\r']).next().unwrap_or("");
        if blocks.contains(&word) {
            return Language::Keepalived;
        }
        if sections.contains(&word) {
            return Language::Haproxy;
        }
        if word.starts_with('[') {
            return Language::Native;
        }
    }
    Language::Keepalived
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_name_or_by_content() {
        assert_eq!(guess_language("/etc/x/standfast.toml", ""), Language::Native);
        assert_eq!(guess_language("haproxy.cfg", "vrrp_instance"), Language::Haproxy);
        assert_eq!(guess_language("keepalived.conf", "! x\nvrrp_instance V {"), Language::Keepalived);
        assert_eq!(guess_language("a", "# x\ndefaults\n  mode tcp"), Language::Haproxy);
        assert_eq!(guess_language("a", "[node]\n"), Language::Native);
    }
}
