//! Looks at the host: the number in a file, how many of a process run (`/proc`).
//!
//! One look is one pass; what it means is decided by `standfast_core::config::watch`. A file is read only when it is a
//! regular one, and no further than a number can be long; a zombie does not run.

use standfast_core::config::model::Probe;
use standfast_core::config::watch::{FileStart, MAX_NUMBER, Watch, WatchedFile, WatchedProcess, number};
use standfast_core::input::{CheckCode, Outcome};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tokio::time::Instant;

/// The most bytes of a command line that are compared.
pub const MAX_COMMAND_LINE: u64 = 64 * 1024;

/// Looks once.
#[must_use]
pub fn look(watch: &Watch) -> Outcome {
    let started = Instant::now();
    let (passed, status, info) = match watch {
        Watch::File(file) => file_says(file),
        Watch::Process(process) => {
            let running = running(process, Path::new("/proc"));
            (process.enough(running), running, format!("{running} running"))
        }
    };
    let code = if passed { CheckCode::WatchGood } else { CheckCode::WatchBad };
    Outcome { passed, code, status: Some(status), info, took: started.elapsed() }
}

fn file_says(file: &WatchedFile) -> (bool, u32, String) {
    let (value, info) = match read_number(&file.path) {
        Ok(value) => (value, format!("it says {value}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (0, "it is not there: 0".to_owned()),
        Err(error) => (0, format!("it cannot be read ({error}): 0")),
    };
    (value == 0, value.cast_unsigned(), info)
}

fn read_number(path: &str) -> io::Result<i32> {
    // A pipe would block, or be emptied under its reader.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut text = Vec::new();
    file.take(u64::try_from(MAX_NUMBER).unwrap_or(u64::MAX)).read_to_end(&mut text)?;
    Ok(number(&text))
}

/// How many processes below `proc` are the wanted one.
fn running(wanted: &WatchedProcess, proc: &Path) -> u32 {
    let mut count = 0;
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        let named = entry.file_name();
        if !named.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let path = entry.path();
        let Ok(stat) = fs::read(path.join("stat")) else { continue };
        let Some(name) = living(&stat) else { continue };
        let mut line = Vec::new();
        let command = File::open(path.join("cmdline"));
        if command.and_then(|file| file.take(MAX_COMMAND_LINE).read_to_end(&mut line)).is_err() {
            continue;
        }
        let line = line.strip_suffix(&[0]).unwrap_or(&line);
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        if wanted.is(name, &words) {
            count += 1;
        }
    }
    count
}

/// The name of a process from its `stat` line, `PID (NAME) STATE …`, unless it is dead.
fn living(stat: &[u8]) -> Option<&[u8]> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(close + 2)?;
    if matches!(state, b'Z' | b'X' | b'x') { None } else { stat.get(open + 1..close) }
}

/// Writes the first number of a file that asks for it (`init_file`); `again` leaves files alone that are there.
///
/// # Errors
/// What the file system said.
pub fn prepare(probe: &Probe, again: bool) -> io::Result<()> {
    let Probe::Watch(watch) = probe else { return Ok(()) };
    let Watch::File(WatchedFile { path, start: Some(FileStart { value, overwrite }) }) = &**watch else {
        return Ok(());
    };
    if Path::new(&**path).exists() && (again || !overwrite) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    // A link in a folder of others must not lead us to somebody else's file.
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    writeln!(options.open(&**path)?, "{value}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use standfast_core::config::watch::Parameters;
    use std::path::PathBuf;
    use std::sync::Arc;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("standfast-watch-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn file(path: &Path, start: Option<FileStart>) -> Watch {
        Watch::File(WatchedFile { path: path.to_str().unwrap().into(), start })
    }

    #[test]
    fn a_file_says_its_number_and_nothing_is_zero() {
        let folder = Folder::new("file");
        let path = folder.0.join("f");
        assert_eq!(look(&file(&path, None)).status, Some(0));
        fs::write(&path, "-3\n").unwrap();
        let outcome = look(&file(&path, None));
        assert_eq!((outcome.passed, outcome.status.map(u32::cast_signed)), (false, Some(-3)));
        assert_eq!(look(&file(&folder.0, None)).status, Some(0));
    }

    #[test]
    fn only_the_living_are_counted() {
        let proc = Folder::new("proc");
        for (pid, stat, line) in [
            ("10", "10 (a (b) c) S 1", "/bin/x\0-a\0"),
            ("11", "11 (a (b) c) Z 1", ""),
            ("12", "12 (other) S 1", "/bin/x\0-b\0"),
            ("self", "13 (a (b) c) S 1", "/bin/x\0"),
        ] {
            fs::create_dir_all(proc.0.join(pid)).unwrap();
            fs::write(proc.0.join(pid).join("stat"), stat).unwrap();
            fs::write(proc.0.join(pid).join("cmdline"), line).unwrap();
        }
        let count = |words: &[&str]| {
            let argv: Arc<[String]> = words.iter().map(|word| (*word).to_owned()).collect();
            let parameters = Parameters::Exact;
            let wanted =
                WatchedProcess { argv, full_command: false, parameters, quorum: 1, quorum_max: None };
            running(&wanted, &proc.0)
        };
        assert_eq!(count(&["a (b) c"]), 1);
        assert_eq!(count(&["x", "-a"]), 1);
        assert_eq!(count(&["x", "-c"]), 0);
    }

    #[test]
    fn a_first_number_is_written_where_it_is_asked_for() {
        let folder = Folder::new("init");
        let path = folder.0.join("f");
        let says = |start: FileStart, again: bool| {
            prepare(&Probe::Watch(Arc::new(file(&path, Some(start)))), again).unwrap();
            fs::read_to_string(&path).unwrap()
        };
        assert_eq!(says(FileStart { value: 5, overwrite: false }, false), "5\n");
        assert_eq!(says(FileStart { value: 6, overwrite: false }, false), "5\n");
        assert_eq!(says(FileStart { value: 7, overwrite: true }, true), "5\n");
        assert_eq!(says(FileStart { value: 8, overwrite: true }, false), "8\n");
    }
}
