//! The fuzz target of advertisements, replayed: corpus, every prefix of it, and every octet changed.

use standfast_core::config::model::{Family, Version};
use standfast_core::wire::vrrp::{View, fuzz_advertisement};
use std::path::Path;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/advertisement");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is in the repository")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            (name, std::fs::read(path).expect("a corpus file"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn no_advertisement_of_the_corpus_or_near_it_breaks_the_codec() {
    for (_, bytes) in corpus() {
        for end in 0..=bytes.len() {
            fuzz_advertisement(&bytes[..end]);
        }
        for at in 0..bytes.len().min(64) {
            for to in [0, 1, 2, 0x21, 0x31, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = to;
                fuzz_advertisement(&changed);
            }
        }
    }
}

#[test]
fn the_corpus_has_right_and_wrong_packets_of_every_kind() {
    let kinds = [(Version::V2, Family::V4), (Version::V3, Family::V4), (Version::V3, Family::V6)];
    for (version, family) in kinds {
        let number = if version == Version::V2 { 2 } else { 3 };
        let (right, wrong): (Vec<_>, Vec<_>) = corpus()
            .into_iter()
            .map(|(name, bytes)| {
                let parsed = View::new(&bytes, version, family);
                (name, parsed.is_ok_and(|view| view.version() == number))
            })
            .partition(|(_, right)| *right);
        assert!(right.len() >= 2 && wrong.len() >= 2, "{version:?} {family:?}: {right:?} {wrong:?}");
    }
}
