//! `standfast lint` and `standfast explain` as the operator calls them: exit codes, the guide's files, bad input.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn standfast(args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_standfast"));
    command.args(args).current_dir(root).output().expect("standfast starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("standfast-lint-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn node(&self, name: &str, file: &str, text: &str) -> String {
        let folder = self.0.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(file), text).expect("a file");
        folder.to_str().expect("UTF-8").to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const CURRENT: [&str; 4] =
    ["lint", "tests/guide/current/cp1", "tests/guide/current/cp2", "tests/guide/current/cp3"];

#[test]
fn the_guides_nodes_have_warnings_that_only_count_when_denied() {
    let plain = standfast(&CURRENT);
    assert_eq!(plain.status.code(), Some(0), "{}", out(&plain));
    let text = out(&plain);
    for words in [
        "warning[SF4009]: cp2 and cp3 have the same priority 100",
        "warning[SF4012]: a failure of check_apiserver on cp1 moves the addresses only after 33.6 s",
        "note[SF4013]: check_apiserver asks localhost:8443",
        "note[SF1303]",
        "cp1 loses power: cp2 or cp3 takes over within 3.61 s",
        "check_apiserver fails on all: cp1 is active, with 99",
        "3 nodes: 0 errors, ",
    ] {
        assert!(text.contains(words), "`{words}` is missing:\n{text}");
    }
    assert!(!text.contains("SF1201"), "a script that lies in the folder is not missing:\n{text}");
    let denied = standfast(&[&CURRENT[..], &["--deny", "warnings"]].concat());
    assert_eq!(denied.status.code(), Some(3));
}

#[test]
fn the_sound_pair_is_sound_even_when_warnings_are_denied() {
    let done = standfast(&["lint", "docs/lint/good/cp1", "docs/lint/good/cp2/", "--deny", "warnings"]);
    assert_eq!(done.status.code(), Some(0), "{}", out(&done));
}

#[test]
fn an_error_between_nodes_and_a_refused_node_end_with_1() {
    let folder = Folder::new("errors");
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lint/good/cp1/keepalived.conf"),
    )
    .expect("the sound node");
    let one = folder.node("one", "keepalived.conf", &text);
    let other =
        folder.node("other", "keepalived.conf", &text.replace("_id 61", "_id 62").replace("102", "101"));
    let done = standfast(&["lint", &one, &other]);
    assert_eq!(done.status.code(), Some(1));
    assert!(out(&done).contains("error[SF4001]"), "{}", out(&done));
    let broken = folder.node("broken", "keepalived.conf", "vrrp_instance X {\n    nonsense 1\n}\n");
    let done = standfast(&["lint", &one, &broken]);
    assert_eq!(done.status.code(), Some(1));
    assert!(out(&done).contains("nonsense") && out(&done).contains("SF4000"), "{}", out(&done));
    let mounted = folder.node("mounted", "haproxy.cfg", "");
    std::fs::create_dir_all(Path::new(&mounted).join("keepalived.conf")).expect("a folder");
    let done = standfast(&["lint", &one, &mounted]);
    assert_eq!(done.status.code(), Some(1));
    assert!(out(&done).contains("it is a directory"), "{}", out(&done));
    let empty = folder.node("empty", "notes.txt", "nothing");
    let done = standfast(&["lint", &one, &empty]);
    assert_eq!(done.status.code(), Some(1));
    assert!(out(&done).contains("there is no configuration here"), "{}", out(&done));
}

#[test]
fn nodes_may_be_named_with_their_files() {
    let node = |n: u8| {
        let at = format!("docs/lint/good/cp{n}");
        format!("cp{n}={at}/keepalived.conf,{at}/haproxy.cfg,{at}/check_server.sh")
    };
    let done = standfast(&["lint", &node(1), &node(2)]);
    assert_eq!(done.status.code(), Some(0), "{}", out(&done));
    assert!(out(&done).contains("cp1 102, cp2 101"), "{}", out(&done));
}

#[test]
fn folders_of_the_same_name_are_told_apart() {
    let done = standfast(&["lint", "tests/guide/current/cp1", "tests/guide/classic/cp1"]);
    let text = out(&done);
    assert!(text.contains("tests/guide/current/cp1 101, tests/guide/classic/cp1 101"), "{text}");
}

#[test]
fn what_is_no_node_is_a_usage_error_with_a_remedy() {
    for (word, remedy) in [
        ("docs/nowhere", "there is no folder docs/nowhere"),
        ("docs/lint/good/cp1/haproxy.cfg", "NAME=docs/lint/good/cp1/haproxy.cfg"),
        ("x=", "NAME=FILE,FILE"),
    ] {
        let done = standfast(&["lint", word]);
        assert_eq!(done.status.code(), Some(2), "{word}");
        assert!(err(&done).contains(remedy), "{word}: {}", err(&done));
    }
}

#[test]
fn json_has_every_place_of_every_finding() {
    let done = standfast(&[&CURRENT[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(json["nodes"], serde_json::json!(["cp1", "cp2", "cp3"]));
    let findings = json["report"]["findings"].as_array().expect("a list");
    let tie = findings.iter().find(|finding| finding["code"] == 4009).expect("the tie");
    assert_eq!(tie["places"][1]["node"], "cp3");
    assert_eq!(tie["places"][1]["span"]["line"], 18);
}

#[test]
fn a_page_is_shown_and_an_unknown_code_is_a_usage_error() {
    let done = standfast(&["explain", "SF4010"]);
    assert!(out(&done).starts_with("# SF4010: a failed check does not move the address"), "{}", out(&done));
    let done = standfast(&["explain", "1001"]);
    assert_eq!(out(&done), "SF1001: keepalived knows no such keyword here.\n");
    let done = standfast(&["explain", "SF9999"]);
    assert_eq!(done.status.code(), Some(2));
}

#[test]
fn scripts_and_manifests_beyond_the_limit_are_not_looked_at() {
    let folder = Folder::new("limits");
    let conf = "vrrp_script c {\n    script \"/x/check.sh\"\n}\nvrrp_instance V {\n    interface eth0\n    virtual_router_id 61\n    \
                virtual_ipaddress {\n        192.0.2.100\n    }\n    track_script {\n        c\n    }\n}\n";
    let proxy = "defaults\n    mode tcp\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\nlisten l\n    \
                 bind *:8443\n    server a 192.0.2.1:1\n    server b 192.0.2.2:1\n";
    let ask = "curl https://localhost:8443/\n";
    for (nth, padding, found) in [(0, 0, true), (1, standfast::lint::MAX_EXTRA, false)] {
        let name = format!("node{nth}");
        folder.node(&name, "haproxy.cfg", proxy);
        let large = format!("{ask}{}", " ".repeat(usize::try_from(padding).expect("small")));
        folder.node(&name, "check.sh", &large);
        let node = folder.node(&name, "keepalived.conf", conf);
        let done = standfast(&["lint", &node]);
        assert_eq!(out(&done).contains("SF4013"), found, "{}", out(&done));
    }
    let node = folder.node("many", "haproxy.cfg", proxy);
    folder.node("many", "keepalived.conf", conf);
    for nth in 0..standfast::lint::MAX_EXTRAS {
        folder.node("many", &format!("a{nth:03}"), "x");
    }
    folder.node("many", "check.sh", ask);
    assert!(!out(&standfast(&["lint", &node])).contains("SF4013"));
    std::fs::remove_file(Path::new(&node).join("a000")).expect("one less");
    assert!(out(&standfast(&["lint", &node])).contains("SF4013"));
}
