//! The native file: TOML in the words of RFC 9568 and of common usage, for all that the two other languages can say.
//!
//! `[node]`, `[[check]]` (with `[check.run]`), `[[watch]]`, `[[bfd]]`, `[[virtual_router]]` (with `address`, `election`, `transport`,
//! `announce`, `track`, `notify`), `[[routing]]`, `[[group]]`, `[[pool]]` (with `check` for all its servers, `server`, `log`) and
//! `[[frontend]]` (with `bind`, `log`). Times are strings with a unit (`"250ms"`, `"2s"`). Unknown keys are errors.
//! What is left out has the default that the keepalived and haproxy languages have.
//!
//! `file` is the text as serde sees it, `value` single values, `read` the way into the model, `write` the way back:
//! `read` of what `write` made is the same configuration, apart from its ids.

mod bfd;
mod check;
pub mod codes;
mod desk;
mod file;
mod process;
mod read;
mod routing;
mod talk;
mod value;
mod watch;
mod write;

use super::finding::Findings;
use super::load::Options;
use super::model::Config;
use super::source::{MemorySource, Source};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use desk::Desk;

pub use codes::explain;

/// Reads `path` into `config`.
pub fn read(
    path: &str,
    source: &dyn Source,
    config: &mut Config,
    findings: &mut Findings,
    _options: &Options,
) {
    let Some((mut desk, file)) = desk::open(path, source, findings) else { return };
    read::lower(&mut desk, &file, config);
    let Desk { findings: found, .. } = desk;
    findings.append(found.in_order());
}

/// Where everything stands: a row for each key of each table, under the names that keepalived's blocks have.
#[must_use]
pub fn outline(path: &str, source: &dyn Source) -> Vec<super::lint::place::Row> {
    let Some((desk, _)) = desk::open(path, source, &mut Findings::default()) else { return Vec::new() };
    let Ok(root) = toml::de::DeTable::parse(&desk.text) else { return Vec::new() };
    let mut rows = Vec::new();
    for (kind, value) in root.get_ref() {
        let block = match kind.get_ref().as_ref() {
            "virtual_router" => "vrrp_instance",
            "check" => "vrrp_script",
            "pool" => "backend",
            other => other,
        };
        for table in value.get_ref().as_array().iter().flat_map(|list| list.iter()) {
            let name = table.get_ref().get("name");
            let text = name.and_then(|name| name.get_ref().as_str()).unwrap_or("");
            let block = format!("{block} {text}");
            if let Some(name) = name {
                rows.push((block.clone(), String::new(), desk.span(&name.span())));
            }
            keys(&desk, &block, "", table, &mut rows);
        }
    }
    rows
}

/// The rows of a value in a block, under the keys `path` that lead to it; a list's items by their address or name.
fn keys(
    desk: &Desk<'_>,
    block: &str,
    path: &str,
    value: &toml::Spanned<toml::de::DeValue<'_>>,
    rows: &mut Vec<super::lint::place::Row>,
) {
    match value.get_ref() {
        toml::de::DeValue::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() {
                    String::from(key.get_ref().as_ref())
                } else {
                    format!("{path} {}", key.get_ref())
                };
                rows.push((block.into(), path.clone(), desk.span(&value.span())));
                keys(desk, block, &path, value, rows);
            }
        }
        toml::de::DeValue::Array(list) => {
            for item in list.iter() {
                let named = ["address", "check", "bfd", "interface", "name"]
                    .iter()
                    .find_map(|key| item.get_ref().get(*key));
                if let Some((named, text)) = named.and_then(|named| Some((named, named.get_ref().as_str()?)))
                {
                    let text = text.split('/').next().unwrap_or("");
                    rows.push((block.into(), format!("{path} {text}"), desk.span(&named.span())));
                }
            }
        }
        toml::de::DeValue::String(_)
        | toml::de::DeValue::Integer(_)
        | toml::de::DeValue::Float(_)
        | toml::de::DeValue::Boolean(_)
        | toml::de::DeValue::Datetime(_) => {}
    }
}

/// The native text of `config`.
#[must_use]
pub fn write(config: &Config) -> String {
    let head = "# standfast, native configuration\n\n";
    let text = toml::to_string(&write::file(config)).unwrap_or_default();
    String::from(head) + &text
}

/// Reads any bytes as a native file and, if it is one, writes it and reads it again; for fuzzing.
///
/// # Panics
/// When a configuration changes by being written and read.
pub fn fuzz_native(bytes: &[u8]) {
    let once = |bytes: &[u8]| {
        let source = MemorySource::with("standfast.toml", bytes);
        let (mut config, mut findings) = (Config::default(), Findings::default());
        read("standfast.toml", &source, &mut config, &mut findings, &Options::default());
        for finding in findings.list() {
            assert!(explain(finding.code).is_some(), "{finding}");
        }
        (findings.errors() == 0).then_some(config)
    };
    if let Some(config) = once(bytes) {
        let again = once(write(&config).as_bytes());
        assert!(again.as_ref() == Some(&config), "written and read, the configuration differs");
    }
}
