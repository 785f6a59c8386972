//! Gives the recorder's format a fingerprint: the text of every type that serde can write.
//!
//! A recording holds inputs and whole nodes without names of fields, so that a build with other types must not read
//! it. Comments and code do not count: a build that only decides differently may replay, and says where it does.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=src");
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    let mut types: Vec<String> = files.iter().flat_map(|file| types(file)).collect();
    types.sort();
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in types.iter().flat_map(|text| text.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    println!("cargo::rustc-env=STANDFAST_SCHEMA={hash:016x}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the sources are there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The definitions in `file` that derive `Serialize`, without comments and blanks.
fn types(file: &Path) -> Vec<String> {
    let source = std::fs::read_to_string(file).expect("a source is text");
    let (mut types, mut open) = (Vec::new(), None::<(String, usize)>);
    for line in source.lines() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim().split("//").next().unwrap_or_default();
        if open.is_none() && code.starts_with("#[derive(") && code.contains("Serialize") {
            open = Some((String::new(), indent));
        }
        if let Some((text, outer)) = &mut open {
            text.extend(code.split_whitespace());
            let is_attribute = code.starts_with("#[");
            if indent == *outer && !is_attribute && (code.starts_with('}') || code.ends_with([';', '}'])) {
                types.extend(open.take().map(|(text, _)| text));
            }
        }
    }
    types
}
