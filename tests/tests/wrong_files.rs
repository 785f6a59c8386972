//! `check` on wrong files: every word of what it says is kept beside the file. `UPDATE_GOLDEN=1` writes it anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

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

/// What a laptop spares without a word, in kibibytes of address space.
const MEMORY: &str = "786432";
/// Far more than it takes, on a machine that has other things to do.
const TIME: Duration = Duration::from_secs(60);

/// A file that is gone when the test ends.
struct Huge(PathBuf);

impl Huge {
    fn new(name: &str, text: &[u8]) -> Huge {
        let path = std::env::temp_dir().join(format!("standfast-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("the temporary folder can be written");
        Huge(path)
    }
}

impl Drop for Huge {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn huge_files_end_soon_in_little_memory_with_a_few_clear_lines() {
    let size = 10 * 1024 * 1024;
    let fill = |line: &str| line.repeat(size / line.len()).into_bytes();
    let many = |one: &dyn Fn(usize) -> String| (0..100_000).map(one).collect::<String>().into_bytes();
    let instance = |n| format!("vrrp_instance V{n} {{\n interface e{n}\n virtual_router_id 1\n}}\n");
    let section = |n| format!("backend b{n}\n server s 192.0.2.1:1\n");
    let router =
        |n| format!("[[virtual_router]]\nname = \"r{n}\"\ninterface = \"eth0\"\nvrid = 1\naddress = []\n");
    for (name, text) in [
        ("lines.conf", fill("vrrp_instance V { intreface eth0\n")),
        ("instances.conf", many(&instance)),
        ("lines.cfg", fill("  sever x 192.0.2.1:1 chek\n")),
        ("sections.cfg", many(&section)),
        ("lines.toml", fill("a = [1,\n")),
        ("routers.toml", many(&router)),
    ] {
        let file = Huge::new(name, &text);
        let started = Instant::now();
        let output = Command::new("sh")
            .args(["-c", "ulimit -v $0; exec \"$@\"", MEMORY, env!("CARGO_BIN_EXE_standfast-for-tests")])
            .args(["check", file.0.to_str().unwrap()])
            .output()
            .unwrap();
        let took = started.elapsed();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let shown: String = said.chars().take(2000).collect();
        assert_eq!(output.status.code(), Some(1), "{name}: {shown}");
        assert!(said.contains("error[SF"), "{name}: {shown}");
        assert!(took < TIME, "{name} took {took:?}");
        assert!(said.len() < 1024 * 1024, "{name}: {} bytes of output", said.len());
    }
}
