//! `check` on wrong files: every word of what it says is kept beside the file. `UPDATE_GOLDEN=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// A file that is larger than this as output would say the same thing over and over.
const MAX_OUTPUT: usize = 8 * 1024;

#[test]
fn every_wrong_file_is_told_with_place_reason_and_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wrong");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".golden"))
        .collect();
    names.sort();
    assert!(names.len() >= 30, "only {} wrong files", names.len());
    let mut different = String::new();
    for name in &names {
        let output = Command::new(env!("CARGO_BIN_EXE_standfast-for-tests"))
            .args(["check", name, "--deny", "warnings"])
            .current_dir(&folder)
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let code = output.status.code().map_or("killed".to_owned(), |code| code.to_string());
        let said = format!(
            "{}{}exit code {code}\n",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.len() <= MAX_OUTPUT, "{name}: {} bytes of output", said.len());
        assert_ne!(code, "0", "{name} is wrong, and not a word about it");
        assert!(!said.contains("panicked"), "{name}: {said}");
        let golden = folder.join(format!("{name}.golden"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, said).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != said {
            writeln!(different, "--- {name}\n{said}").unwrap();
        }
    }
    assert!(different.is_empty(), "what `check` says has changed:\n{different}");
}
