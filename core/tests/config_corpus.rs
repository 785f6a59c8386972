//! The fuzz targets of haproxy.cfg and of the native file, replayed: corpus, every prefix of it, and mutations.

use standfast_core::config::{haproxy, native};
use std::path::{Path, PathBuf};

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is in the repository")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), std::fs::read(path).expect("a corpus file")))
        .collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

/// Bytes that mean something to one of the two languages.
const SIGNS: &[u8] = b"\"'\\${}#[]= \n\t\0\xff:,-0";

/// Feeds each file, cut at many places, and with bytes changed by a small generator of its own.
fn replay(name: &str, run: fn(&[u8])) {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below fits")
    };
    for (_, bytes) in corpus(name) {
        run(&bytes);
        for cut in (0..bytes.len()).step_by(13) {
            run(&bytes[..cut]);
        }
        for _ in 0..200 {
            let mut changed = bytes.clone();
            for _ in 0..=next(4) {
                if changed.is_empty() {
                    break;
                }
                let at = next(changed.len());
                match next(4) {
                    0 => changed[at] = SIGNS[next(SIGNS.len())],
                    1 => drop(changed.remove(at)),
                    2 => changed.insert(at, b" \n\"0"[next(4)]),
                    _ => {
                        let end = (at + next(60)).min(changed.len());
                        let piece = changed[at..end].to_vec();
                        let to = next(changed.len());
                        changed.splice(to..to, piece);
                    }
                }
            }
            run(&changed);
        }
    }
}

#[test]
fn no_haproxy_file_of_the_corpus_or_near_it_panics() {
    replay("haproxy", haproxy::fuzz_haproxy);
}

#[test]
fn no_native_file_of_the_corpus_or_near_it_panics_or_changes_by_being_written() {
    replay("native", native::fuzz_native);
}
