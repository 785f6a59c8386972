//! What is said about wrong native files: each `*.toml` has its `*.txt` beside it.
//!
//! `UPDATE_GOLDEN=1` writes the expected texts anew.

use standfast_core::config::finding::Findings;
use standfast_core::config::load::Options;
use standfast_core::config::model::Config;
use standfast_core::config::native;
use standfast_core::config::source::{MAX_FILE, MemorySource};
use std::fmt::Write as _;
use std::path::Path;

fn read(text: &[u8]) -> Findings {
    let source = MemorySource::with("standfast.toml", text);
    let (mut config, mut findings) = (Config::default(), Findings::default());
    native::read("standfast.toml", &source, &mut config, &mut findings, &Options::default());
    findings
}

#[test]
fn every_wrong_file_gets_the_findings_that_were_agreed_upon() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native_findings");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    names.sort();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = String::new();
    for path in names {
        let findings = read(&std::fs::read(&path).expect("a golden input"));
        assert!(findings.errors() > 0, "{}", path.display());
        let found: Vec<String> = findings.list().iter().map(ToString::to_string).collect();
        let found = found.join("\n");
        let golden = path.with_extension("txt");
        if update {
            std::fs::write(&golden, &found).expect("a golden file can be written");
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != found {
            let _ = writeln!(wrong, "--- {}\n{found}", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn limits_hold_at_one_more() {
    let router = |n: usize| {
        format!(
            "[[virtual_router]]\nname = \"r{n}\"\ninterface = \"eth0\"\nvrid = 1\naddress = [{{ address = \"192.0.2.1\" }}]\n"
        )
    };
    let routers = |most: usize| (0..most).map(router).collect::<String>();
    assert_eq!(read(routers(Config::MAX_INSTANCES).as_bytes()).errors(), 0);
    assert_eq!(read(routers(Config::MAX_INSTANCES + 1).as_bytes()).errors(), 1);
    let servers = |most: usize| {
        let server = |n| format!("[[pool.server]]\nname = \"s{n}\"\naddress = \"192.0.2.1:1\"\n");
        String::from("[[pool]]\nname = \"p\"\n") + &(0..most).map(server).collect::<String>()
    };
    assert_eq!(read(servers(Config::MAX_SERVERS).as_bytes()).errors(), 0);
    assert_eq!(read(servers(Config::MAX_SERVERS + 1).as_bytes()).errors(), 1);
    let addresses = |most: usize| {
        let all = "{ address = \"192.0.2.1\" },".repeat(most);
        format!("[[virtual_router]]\nname = \"r\"\ninterface = \"eth0\"\nvrid = 1\naddress = [{all}]\n")
    };
    assert_eq!(read(addresses(Config::MAX_ADDRESSES).as_bytes()).errors(), 0);
    assert_eq!(read(addresses(Config::MAX_ADDRESSES + 1).as_bytes()).errors(), 1);
    let delayed = |most: usize| {
        let link = |n| format!("[[node.links.debounce]]\ninterface = \"e{n}\"\n");
        (0..most).map(link).collect::<String>()
    };
    assert_eq!(read(delayed(4096).as_bytes()).errors(), 0);
    assert_eq!(read(delayed(4097).as_bytes()).errors(), 1);
    // Eight bytes are counted for each text beside its length.
    let body = |long: usize| {
        let check = format!("check = {{ kind = \"http\", http = {{ body = \"{}\" }} }}", "x".repeat(long));
        format!("[[pool]]\nname = \"p\"\n{check}\nserver = [{{ name = \"a\", address = \"192.0.2.1:1\" }}]\n")
    };
    assert_eq!(read(body(8184).as_bytes()).errors(), 0);
    assert_eq!(read(body(8185).as_bytes()).errors(), 1);
    let wait = |days: u32| {
        let check = format!("check = {{ kind = \"tcp\", every = \"{days}d\" }}");
        format!("[[pool]]\nname = \"p\"\n{check}\nserver = [{{ name = \"a\", address = \"192.0.2.1:1\" }}]\n")
    };
    assert_eq!(read(wait(365_000).as_bytes()).errors(), 0);
    assert_eq!(read(wait(365_001).as_bytes()).errors(), 1);
    let deep = |most: usize| format!("a = {}{}\n", "[".repeat(most), "]".repeat(most));
    assert!(!read(deep(64).as_bytes()).list()[0].message.contains("nested more"));
    assert!(read(deep(65).as_bytes()).list()[0].message.contains("nested more"));
    let too_large = |long: usize| read(&vec![b'#'; long]).list().iter().any(|finding| finding.code.0 == 3001);
    assert!(!too_large(4 * 1024 * 1024));
    assert!(too_large(4 * 1024 * 1024 + 1) && too_large(MAX_FILE + 1));
}

#[test]
fn huge_and_binary_files_end_in_clear_findings() {
    let noise: Vec<u8> =
        (0..10_u32 * 1024 * 1024).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let line = "[[virtual_router]]\nname = \"r\"\nxyz = 1\n";
    let lines = line.repeat(10 * 1024 * 1024 / line.len());
    let routers: String = (0..100_000)
        .map(|n| format!("[[virtual_router]]\nname = \"r{n}\"\ninterface = \"e{n}\"\nvrid = 1\naddress = [{{ address = \"192.0.2.1\" }}]\n"))
        .collect();
    for text in [noise, lines.into_bytes(), routers.into_bytes(), b"[node]\nname = \"a\0b\"\n".to_vec()] {
        let found = read(&text);
        assert!(found.errors() > 0 && found.list().len() <= Findings::MAX);
        let longest = found.list().iter().map(|finding| finding.to_string().len()).max();
        assert!(longest.is_some_and(|longest| longest < 2000), "{longest:?}");
    }
}
