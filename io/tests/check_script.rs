//! Scripts as processes: exit codes, time-outs, groups, output, accounts.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod support;

use standfast_core::config::model::Command;
use standfast_core::input::{CheckCode, Outcome};
use standfast_io::check::Scripts;
use standfast_io::linux::process::Processes;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{SECOND, command};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

/// One at a time: a process forked while another test writes a script would hold that file open for writing, and
/// the kernel then refuses to run it.
static ALONE: Mutex<()> = Mutex::const_new(());

struct Place {
    folder: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Place {
    async fn new(name: &str) -> Place {
        let alone = ALONE.lock().await;
        let folder = std::env::temp_dir().join(format!("standfast-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        Place { folder, _alone: alone }
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn sh(script: &str, within: Duration) -> Outcome {
    Processes.run(&command(&["/bin/sh", "-c", script]), within).await
}

fn is(outcome: &Outcome, code: CheckCode, status: Option<u32>) {
    assert_eq!((outcome.code, outcome.status), (code, status), "{}", outcome.info);
    assert_eq!(outcome.passed, code == CheckCode::ScriptOk);
}

/// Waits until `path` holds a process number.
async fn pid_in(path: &str) -> u32 {
    for _ in 0..200 {
        if let Ok(pid) = fs::read_to_string(path).unwrap_or_default().trim().parse() {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no process wrote its number to {path}");
}

/// The process runs, and is not merely waiting to be reaped.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

async fn is_gone(pid: u32) {
    for _ in 0..100 {
        if !runs(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {pid} still runs");
}

#[tokio::test]
async fn only_status_zero_is_good() {
    let _alone = ALONE.lock().await;
    is(&sh("exit 0", SECOND).await, CheckCode::ScriptOk, Some(0));
    is(&sh("exit 1", SECOND).await, CheckCode::ScriptExit, Some(1));
    is(&sh("exit 255", SECOND).await, CheckCode::ScriptExit, Some(255));
}

#[tokio::test]
async fn a_signal_of_somebody_else_is_not_a_timeout() {
    let _alone = ALONE.lock().await;
    is(&sh("kill -TERM $$", SECOND).await, CheckCode::ScriptSignal, Some(15));
    is(&sh("kill -SEGV $$", SECOND).await, CheckCode::ScriptSignal, Some(11));
}

#[tokio::test]
async fn what_a_failing_check_says_is_kept_and_bounded() {
    let _alone = ALONE.lock().await;
    let said = sh("echo lost; echo '*** Error GET https://localhost:6443/' 1>&2; exit 1", SECOND).await;
    assert_eq!(said.info, "*** Error GET https://localhost:6443/");
    let script =
        "i=0; while [ $i -lt 1100 ]; do printf '%01000d' 0; printf '%01000d' 1 >&2; i=$((i+1)); done";
    let much = sh(script, 10 * SECOND).await;
    is(&much, CheckCode::ScriptOk, Some(0));
    assert_eq!(much.info.len(), Outcome::MAX_INFO);
    assert!(much.info.ends_with("01"));
}

#[tokio::test]
async fn a_script_that_never_stops_printing_ends_in_time() {
    let _alone = ALONE.lock().await;
    let outcome = sh("while :; do echo y; echo x >&2; done", Duration::from_millis(300)).await;
    is(&outcome, CheckCode::ScriptTimeout, Some(15));
    assert!(outcome.took < SECOND, "{:?}", outcome.took);
}

#[tokio::test]
async fn a_hanging_script_gets_term_at_its_time() {
    let _alone = ALONE.lock().await;
    let outcome = sh("sleep 60", Duration::from_millis(200)).await;
    is(&outcome, CheckCode::ScriptTimeout, Some(15));
    assert!((200..1_000).contains(&outcome.took.as_millis()), "{:?}", outcome.took);
}

#[tokio::test]
async fn a_script_that_ignores_term_gets_kill_two_seconds_later() {
    let _alone = ALONE.lock().await;
    let outcome = sh("trap '' TERM; while :; do sleep 1; done", Duration::from_millis(200)).await;
    is(&outcome, CheckCode::ScriptTimeout, Some(9));
    assert!((2_200..2_600).contains(&outcome.took.as_millis()), "{:?}", outcome.took);
}

#[tokio::test]
async fn a_script_that_ends_well_at_term_is_good_and_else_late() {
    let _alone = ALONE.lock().await;
    let well = sh("trap 'exit 0' TERM; while :; do sleep 0.05; done", Duration::from_millis(200)).await;
    is(&well, CheckCode::ScriptOk, Some(0));
    let ill = sh("trap 'exit 7' TERM; while :; do sleep 0.05; done", Duration::from_millis(200)).await;
    is(&ill, CheckCode::ScriptTimeout, Some(7));
}

#[tokio::test]
async fn a_child_that_would_outlive_its_script_dies_with_the_group() {
    let place = Place::new("child").await;
    let pid = place.path("pid");
    let script = format!("(trap '' TERM; while :; do sleep 0.1; done) & echo $! > {pid}; sleep 60");
    let outcome = sh(&script, Duration::from_millis(300)).await;
    is(&outcome, CheckCode::ScriptTimeout, Some(15));
    is_gone(pid_in(&pid).await).await;
}

#[tokio::test]
async fn dropping_the_run_kills_the_group() {
    let place = Place::new("drop").await;
    let pid = place.path("pid");
    let script = format!("sleep 60 & echo $! > {pid}; wait");
    let argv = command(&["/bin/sh", "-c", &script]);
    let mut run = Box::pin(Processes.run(&argv, 60 * SECOND));
    let child = tokio::select! { biased;
        _ = &mut run => panic!("it ended"),
        child = pid_in(&pid) => child,
    };
    assert!(runs(child));
    drop(run);
    is_gone(child).await;
}

#[tokio::test]
async fn a_service_that_a_notify_script_leaves_behind_goes_on_and_may_print() {
    let place = Place::new("service").await;
    let (pid, done) = (place.path("pid"), place.path("done"));
    let script =
        format!("(sleep 0.3; echo talk >&2; echo $? > {done}; exec sleep 60) & echo $! > {pid}; exit 0");
    let started = Instant::now();
    let outcome = Processes.notify(&command(&["/bin/sh", "-c", &script]), 10 * SECOND).await;
    is(&outcome, CheckCode::ScriptOk, Some(0));
    assert!(started.elapsed() < Duration::from_millis(250), "nobody waits for the service");
    assert_eq!(pid_in(&done).await, 0, "it could print");
    let service = pid_in(&pid).await;
    assert!(runs(service));
    let kill = std::process::Command::new("kill").args(["-9", &service.to_string()]).status().unwrap();
    assert!(kill.success());
}

#[tokio::test]
async fn a_check_that_leaves_a_child_behind_is_not_waited_for() {
    let _alone = ALONE.lock().await;
    let outcome = sh("sleep 3 & exit 0", 10 * SECOND).await;
    is(&outcome, CheckCode::ScriptOk, Some(0));
    assert!(outcome.took < SECOND, "{:?}", outcome.took);
}

#[tokio::test]
async fn what_cannot_be_run_is_said_to_be_missing() {
    let place = Place::new("missing").await;
    let gone = place.path("gone.sh");
    let outcome = Processes.run(&command(&[&gone]), SECOND).await;
    is(&outcome, CheckCode::ScriptMissing, None);
    assert_eq!(outcome.info, format!("{gone}: No such file or directory"));
    let plain = place.file("plain.sh", "#!/bin/sh\nexit 0\n", 0o644);
    let outcome = Processes.run(&command(&[&plain]), SECOND).await;
    is(&outcome, CheckCode::ScriptMissing, None);
    assert_eq!(outcome.info, format!("{plain}: Permission denied"));
    let interpreter = place.file("odd.sh", "#!/no/such/shell\n", 0o755);
    is(&Processes.run(&command(&[&interpreter]), SECOND).await, CheckCode::ScriptMissing, None);
    is(&Processes.run(&command(&[]), SECOND).await, CheckCode::ScriptMissing, None);
    let nul = Processes.run(&command(&["/bin/sh", "a\0b"]), SECOND).await;
    is(&nul, CheckCode::ScriptMissing, None);
}

#[tokio::test]
async fn a_file_without_shebang_is_run_by_the_shell_with_its_arguments() {
    let place = Place::new("noshebang").await;
    let script = place.file("check", "[ \"$1\" = yes ] && exit 0\nexit 3\n", 0o755);
    is(&Processes.run(&command(&[&script, "yes"]), SECOND).await, CheckCode::ScriptOk, Some(0));
    is(&Processes.run(&command(&[&script, "no"]), SECOND).await, CheckCode::ScriptExit, Some(3));
}

#[tokio::test]
async fn a_command_without_a_slash_is_found_in_the_path() {
    let _alone = ALONE.lock().await;
    is(&Processes.run(&command(&["true"]), SECOND).await, CheckCode::ScriptOk, Some(0));
}

#[tokio::test]
async fn an_unknown_user_or_group_is_said_and_nothing_is_run() {
    let place = Place::new("user").await;
    let mark = place.path("mark");
    for (user, why) in [
        ("nobody_of_that_name", "no such user: nobody_of_that_name"),
        ("root:no_such_group_here", "no such group: no_such_group_here"),
    ] {
        let outcome = Processes
            .run(&Command { user: Some(user.into()), ..command(&["/bin/touch", &mark]) }, SECOND)
            .await;
        is(&outcome, CheckCode::ScriptMissing, None);
        assert_eq!(outcome.info, why);
    }
    assert!(!Path::new(&mark).exists());
}

#[tokio::test]
async fn a_script_of_another_user_runs_as_that_user_without_other_groups() {
    let _alone = ALONE.lock().await;
    let as_nobody = Command {
        user: Some("nobody".into()),
        ..command(&["/bin/sh", "-c", "id -u >&2; id -G >&2; id -g >&2; exit 1"])
    };
    let outcome = Processes.run(&as_nobody, SECOND).await;
    if outcome.code == CheckCode::ScriptMissing {
        // Without the right to become somebody else that is what must be said.
        assert!(outcome.info.contains("cannot become nobody"), "{}", outcome.info);
        return;
    }
    let words: Vec<_> = outcome.info.split_whitespace().collect();
    assert_eq!(words.len(), 3, "one group only: {words:?}");
    assert_eq!((words[0], words[1]), ("65534", words[2]));
}

#[tokio::test]
async fn a_script_inherits_neither_input_nor_dangerous_variables_nor_descriptors() {
    let _alone = ALONE.lock().await;
    let script = "[ -z \"$LD_PRELOAD$LD_LIBRARY_PATH\" ] || exit 2
        [ \"$(cat)\" = '' ] || exit 3
        [ \"$(ls /proc/self/fd | wc -l)\" -le 4 ] || exit 4
        set -- $(cut -d' ' -f1,5 /proc/$$/stat); [ \"$1\" = \"$2\" ] || exit 5
        exit 0";
    is(&sh(script, 5 * SECOND).await, CheckCode::ScriptOk, Some(0));
}
