//! The fuzz target of BFD control packets, replayed: corpus, every prefix of it, and every octet changed.

use standfast_core::wire::bfd::{Control, fuzz_bfd};
use std::path::Path;

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/bfd");
    let entries = std::fs::read_dir(folder).expect("the corpus is in the repository");
    let mut all: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("a corpus file"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn no_packet_of_the_corpus_or_near_it_breaks_the_codec() {
    for (_, bytes) in corpus() {
        for end in 0..=bytes.len() {
            fuzz_bfd(&bytes[..end]);
        }
        for at in 0..bytes.len() {
            for to in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = to;
                fuzz_bfd(&changed);
            }
        }
    }
}

#[test]
fn the_corpus_has_right_and_wrong_packets_of_every_kind() {
    let (right, wrong): (Vec<_>, Vec<_>) =
        corpus().into_iter().partition(|(_, bytes)| Control::parse(bytes).is_ok());
    let states: std::collections::BTreeSet<_> =
        right.iter().filter_map(|(_, bytes)| Control::parse(bytes).ok()).map(|packet| packet.state).collect();
    let errors: std::collections::BTreeSet<_> =
        wrong.iter().filter_map(|(_, bytes)| Control::parse(bytes).err()).collect();
    assert_eq!((states.len(), errors.len()), (4, 5), "{states:?} {errors:?}");
}
