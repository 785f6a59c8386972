//! standfast as keepalived: its flags, its exit codes, its pid file, its unit, and its name.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::node::Kind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use system_tests::{Bench, bench};

const ROUTER: &str = "vrrp_instance V {\n  interface eth0\n  virtual_router_id 7\n  virtual_ipaddress {\n    \
                      192.0.2.100/24\n  }\n}\n";

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sf-compat-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `standfast compat keepalived ARGS`.
fn compat(bench: &Bench, args: &[&str]) -> Command {
    let Kind::Standfast(program) = bench.standfast() else { panic!("PEER_ONLY tests other files") };
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).args(["compat", "keepalived"]).args(args);
    command
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_test_of_the_configuration_ends_with_the_codes_of_keepalived() {
    let bench = bench!("compat",);
    let folder = Folder::new("codes");
    let script = |path: &str| {
        let track = "  track_script {\n    c\n  }\n}\n";
        let router = ROUTER.trim_end().trim_end_matches('}').to_owned() + track;
        let users = "global_defs {\n  script_user root\n  enable_script_security\n}\n";
        let body = format!("vrrp_script c {{\n  script {path}\n}}\n{router}");
        (users.to_owned() + &body, body)
    };
    for (name, text) in [
        ("fine", ROUTER.to_owned()),
        ("unknown", ROUTER.replace("interface", "interfase")),
        ("missing", script("/no/such/script").0),
        ("well", script("/bin/true").0),
        ("unsafe", script("/bin/true").1),
    ] {
        let file = folder.file(name, &text);
        let ours = compat(&bench, &["-t", "-f", &file]).output().unwrap();
        let theirs = Command::new("unshare")
            .args([
                "-n",
                "-m",
                "sh",
                "-c",
                "ip link add eth0 type bridge; exec keepalived -t -f \"$0\"",
                &file,
            ])
            .output()
            .unwrap();
        assert_eq!(code(&ours), code(&theirs), "{name}: {}", String::from_utf8_lossy(&ours.stderr));
    }
    let log = folder.path("log");
    let into =
        compat(&bench, &[&format!("--config-test={log}"), "-f", &folder.path("unknown")]).output().unwrap();
    assert!(code(&into) == Some(5) && into.stderr.is_empty());
    assert!(std::fs::read_to_string(&log).unwrap().contains("interfase"));
    let run = |file: &str| code(&compat(&bench, &["-n", "-f", &folder.path(file)]).output().unwrap());
    assert_eq!((run("nothing here"), run("unknown")), (Some(6), Some(2)));
    let refused = compat(&bench, &["-V"]).output().unwrap();
    assert_eq!(code(&refused), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not served"));
}

#[test]
fn it_runs_by_the_name_of_keepalived_in_fore_and_background() {
    let bench = bench!("compat",);
    let folder = Folder::new("runs");
    let (file, pid_file) = (folder.file("k.conf", ROUTER), folder.path("pid"));
    let socket = folder.path("notify");
    let heard = UnixDatagram::bind(&socket).unwrap();
    heard.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let Kind::Standfast(program) = bench.standfast() else { return };
    let link = folder.path("keepalived");
    std::os::unix::fs::symlink(&program[0], &link).unwrap();
    let start = |more: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["-n", &link, "-l", "-f", &file, "-p", &pid_file])
            .args(more)
            .env("NOTIFY_SOCKET", &socket);
        command.stdin(Stdio::null());
        command
    };
    let log = std::fs::File::create(folder.path("log")).unwrap();
    let mut front = start(&["--dont-fork"]).stderr(log).spawn().unwrap();
    let mut text = [0; 64];
    let length = heard.recv(&mut text).unwrap();
    assert_eq!(&text[..length], b"READY=1");
    let pid = || std::fs::read_to_string(&pid_file).ok()?.trim().parse::<u32>().ok();
    assert_eq!(pid(), Some(front.id()));
    let second = start(&["-n"]).output().unwrap();
    assert_eq!(code(&second), Some(1), "one daemon for each pid file");
    until("a log", || std::fs::read_to_string(folder.path("log")).unwrap().contains("eth0"));
    stop(front.id());
    assert!(front.wait().unwrap().success());
    assert_eq!(pid(), None, "the pid file goes with the daemon");

    let log = folder.path("log of its own");
    let back = start(&[&format!("-g{log}")]).output().unwrap();
    assert_eq!(code(&back), Some(0), "{}", String::from_utf8_lossy(&back.stderr));
    let daemon = pid().unwrap();
    until("its log", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("eth0")));
    stop(daemon);
    until("its end", || !Path::new(&format!("/proc/{daemon}/exe")).exists());
    assert_eq!(pid(), None);
}

fn stop(pid: u32) {
    assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
}
