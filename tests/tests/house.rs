//! The house keeps its own rules: the arrows between packages, the size of files, `biased` in every `select!`.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The longest source file, in lines.
const MAX_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_path_buf()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != ".git" {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn texts() -> Vec<(String, String)> {
    let root = root();
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 40, "the walk found only {} files", paths.len());
    let name = |path: &Path| path.strip_prefix(&root).expect("found below the root").display().to_string();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).expect("UTF-8 source"))).collect()
}

#[test]
fn packages_depend_on_each_other_only_along_the_arrows() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("standfast-core", [].as_slice()),
        ("standfast-io", &["standfast-core"]),
        ("sim", &["standfast-core", "standfast-io"]),
        ("standfast", &["sim", "standfast-core", "standfast-io"]),
        ("system-tests", &["sim", "standfast", "standfast-core", "standfast-io"]),
    ]);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    assert_eq!(packages.len(), allowed.len());
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("package {name} is not in DESIGN's house"));
        assert_eq!(package["features"], serde_json::json!({}), "{name}: no cargo feature switches behaviour");
        for dependency in package["dependencies"].as_array().expect("a list of dependencies") {
            let on = dependency["name"].as_str().expect("a name");
            if dependency["path"].is_string() {
                assert!(allowed.contains(&on), "{name} must not depend on {on}");
            } else if name == "standfast-core" && dependency["kind"].is_null() {
                assert!(
                    ["serde", "ipnet", "toml", "regex"].contains(&on),
                    "core must stay pure, but depends on {on}"
                );
            }
        }
    }
}

#[test]
fn no_source_file_is_longer_than_the_limit() {
    let long: Vec<_> = texts()
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, n)| *n > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:?}");
}

/// The most fields of a struct.
const MAX_FIELDS: usize = 12;

/// The structs with named fields in `text`, and how many each has: fields stand one step to the right of their struct,
/// as rustfmt writes them; a struct in one line has its fields between commas.
fn structs(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let start = line.trim_start();
        let words = start
            .strip_prefix("pub ")
            .or(start.strip_prefix("pub(crate) "))
            .or(start.strip_prefix("pub(super) "));
        let Some(rest) = words.unwrap_or(start).strip_prefix("struct ") else { continue };
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if let Some((_, body)) = rest.split_once('{').filter(|(_, body)| body.contains('}')) {
            found.push((name.to_owned(), body.matches(':').count() - body.matches("::").count() * 2));
        } else if rest.ends_with('{') || rest.ends_with("where") || !rest.contains([';', '(']) {
            let indent = " ".repeat(line.len() - start.len());
            let (end, field) = (format!("{indent}}}"), format!("{indent}    "));
            let own = |line: &&str| {
                line.strip_prefix(&field).is_some_and(|own| {
                    own.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                        && own.contains(": ") | own.ends_with(':')
                })
            };
            found.push((name.to_owned(), lines.by_ref().take_while(|line| *line != end).filter(own).count()));
        }
    }
    found
}

#[test]
fn no_struct_has_more_fields_than_the_limit() {
    let example = "pub(super) struct Wide<T>\nwhere\n    T: Copy,\n{\n    /// One: it is.\n    pub one: T,\n    two: Vec<\n        u8,\n    >,\n}\n\
                   struct Short { a: u8, b: std::io::Error }\nstruct Unit;\nstruct Tuple(u8, u8);\n";
    let expected = [("Wide", 2), ("Short", 2)].map(|(name, fields)| (name.to_owned(), fields));
    assert_eq!(structs(example), expected, "the scanner counts");
    let all: Vec<(String, String, usize)> = texts()
        .into_iter()
        .flat_map(|(file, text)| {
            structs(&text).into_iter().map(move |(name, fields)| (file.clone(), name, fields))
        })
        .collect();
    assert!(all.len() > 300, "the scanner found only {} structs", all.len());
    assert!(all.iter().any(|(_, _, fields)| *fields == MAX_FIELDS), "the scanner finds large ones");
    let wide: Vec<_> = all.iter().filter(|(_, _, fields)| *fields > MAX_FIELDS).collect();
    assert!(wide.is_empty(), "over {MAX_FIELDS} fields: {wide:?}");
}

#[test]
fn the_core_names_floats_only_where_it_refuses_them() {
    let refusals = ["serialize_f32", "serialize_f64", "_value: f32", "_value: f64"];
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate().filter(|_| name.starts_with("core/src/")) {
            let mut rest = line.to_owned();
            for refusal in refusals {
                rest = rest.replace(refusal, "");
            }
            let words: Vec<&str> = rest.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let float = |word: &&str| {
                ["f32", "f64"].iter().any(|kind| word.ends_with(kind) && !word.starts_with("0x"))
            };
            assert!(!words.iter().any(float), "{name}:{}: {line}", number + 1);
        }
    }
}

#[test]
fn every_select_is_biased() {
    let word = concat!("select", "! {");
    for (name, text) in texts() {
        for (at, _) in text.match_indices(word) {
            let rest = text[at + word.len()..].trim_start();
            assert!(rest.starts_with("biased;"), "{name}: a select without `biased;`");
        }
    }
}

#[test]
fn no_source_holds_an_unfinished_place() {
    for (name, text) in texts() {
        for word in [
            concat!("to", "do!("),
            concat!("un", "implemented!("),
            concat!("#[", "ignore"),
            concat!("FIX", "ME"),
        ] {
            assert!(!text.contains(word), "{name}: {word}");
        }
    }
}
