//! The pipes that are told of transitions (`notify_fifo`), as keepalived makes them: created at the start unless a
//! pipe of ours is there, open for reading and writing so that no reader is needed, never waited for.
//!
//! A line that does not fit is lost and counted, said once until a line fits again. A pipe that this run has made goes
//! with it. Programs that read one are started again when they end, later each time.

use super::accounts::account;
use super::process::Processes;
use super::sys;
use crate::check::{LONGEST, Scripts};
use futures_util::future::join_all;
use standfast_core::config::model::{Command, Config, Pipe};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, chown};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// keepalived's 0644 under its umask of 0177.
const MODE: u32 = 0o600;
/// What is said of anything else by that name.
const NO_PIPE: &str = "it is there and not a pipe; remove it, or name another one";
/// Before a reader that has ended is started again, at first; doubled each time.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause; a reader that has run for longer starts anew from the first.
pub const LAST_PAUSE: Duration = Duration::from_secs(60);

/// The open pipes of a node.
#[derive(Debug, Default)]
pub struct Pipes {
    open: BTreeMap<Arc<str>, Open>,
}

#[derive(Debug)]
struct Open {
    file: io::Result<File>,
    made: bool,
    lost: u64,
}

impl Pipes {
    /// Opens the pipes of `config` that are not open yet, and gives up those that are not in it any more. What went
    /// wrong, in words.
    pub fn follow(&mut self, config: &Config) -> Vec<String> {
        let wanted = &config.node.pipes;
        let gone: Vec<Arc<str>> =
            self.open.keys().filter(|path| !wanted.iter().any(|pipe| pipe.path == **path)).cloned().collect();
        for path in gone {
            self.close(&path);
        }
        let mut troubles = Vec::new();
        for pipe in wanted {
            if self.open.get(&pipe.path).is_some_and(|open| open.file.is_ok()) {
                continue;
            }
            let made = !fs::exists(&*pipe.path).unwrap_or(true);
            let file = open(pipe);
            let before = self.open.get(&pipe.path).and_then(|open| open.file.as_ref().err());
            // Tried again before each line, said once.
            if let Err(error) = &file
                && before.is_none_or(|before| before.to_string() != error.to_string())
            {
                troubles.push(format!("Nobody is told through {}: {error}", pipe.path));
            }
            self.open.insert(pipe.path.clone(), Open { made: made && file.is_ok(), file, lost: 0 });
        }
        troubles
    }

    /// Writes a line to every pipe; the troubles are new ones, in words.
    pub fn tell(&mut self, line: &str) -> Vec<String> {
        let mut troubles = Vec::new();
        for (path, open) in &mut self.open {
            let Ok(file) = &mut open.file else { continue };
            match file.write_all(line.as_bytes()) {
                Ok(()) => open.lost = 0,
                Err(error) => {
                    open.lost += 1;
                    if open.lost == 1 {
                        troubles.push(format!("A line for {path} is lost, and more may be: {error}"));
                    }
                }
            }
        }
        troubles
    }

    fn close(&mut self, path: &str) {
        if self.open.remove(path).is_some_and(|open| open.made) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        for path in self.open.keys().cloned().collect::<Vec<_>>() {
            self.close(&path);
        }
    }
}

fn open(pipe: &Pipe) -> io::Result<File> {
    let other = |why: String| io::Error::other(why);
    let owner = pipe.user.as_deref().map(account).transpose().map_err(other)?;
    let path = &*pipe.path;
    let made = match sys::make_pipe(path, MODE) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        made => made.map(|()| true)?,
    };
    // Not through a link: what it leads to may be anybody's.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| {
            if error.kind() == io::ErrorKind::IsADirectory { other(NO_PIPE.to_owned()) } else { error }
        })?;
    let about = file.metadata()?;
    if !about.file_type().is_fifo() {
        return Err(other(NO_PIPE.to_owned()));
    }
    if made {
        if let Some(owner) = owner {
            chown(path, Some(owner.uid), Some(owner.gid))?;
        }
    } else if about.uid() != sys::user() && owner.is_none_or(|owner| owner.uid != about.uid()) {
        return Err(other(format!("it belongs to user {}, neither to us nor to its account", about.uid())));
    }
    Ok(file)
}

/// Runs the programs that read the pipes of `config`, for ever; they end when this is dropped.
pub async fn readers(config: &Config, say: impl Fn(&str)) {
    let one = |pipe: &Pipe| {
        let command = pipe.reader.as_ref().map(|reader| Command {
            argv: reader.argv.iter().cloned().chain([pipe.path.to_string()]).collect(),
            user: reader.user.clone(),
        });
        let say = &say;
        async move {
            let Some(command) = command else { return };
            let mut pause = FIRST_PAUSE;
            loop {
                let started = Instant::now();
                let outcome = Processes.run(&command, LONGEST).await;
                if started.elapsed() > LAST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                let (program, seconds) = (&command.argv[0], pause.as_secs());
                let why =
                    if outcome.info.is_empty() { String::new() } else { format!(" ({})", outcome.info) };
                say(&format!("{program}, which reads a notify pipe, has ended{why}; again in {seconds} s"));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    };
    join_all(config.node.pipes.iter().map(one)).await;
    std::future::pending().await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use std::io::Read;

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("standfast-pipes-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn config(&self, name: &str) -> Config {
            let path = Arc::from(self.0.join(name).to_str().unwrap());
            let mut config = Config::default();
            config.node.pipes = vec![Pipe { path, user: None, reader: None }];
            config
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_pipe_is_made_told_and_removed() {
        let folder = Folder::new("made");
        let config = folder.config("p");
        let path = folder.0.join("p");
        let mut pipes = Pipes::default();
        assert!(pipes.follow(&config).is_empty());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        let mut reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        assert!(pipes.tell("INSTANCE \"V\" MASTER 100\n").is_empty());
        let mut text = [0; 64];
        let length = reader.read(&mut text).unwrap();
        assert_eq!(&text[..length], b"INSTANCE \"V\" MASTER 100\n");
        assert!(pipes.follow(&Config::default()).is_empty());
        assert!(!path.exists());
    }

    #[test]
    fn what_was_there_stays_and_what_is_no_pipe_is_refused() {
        let folder = Folder::new("there");
        let path = folder.0.join("p");
        sys::make_pipe(path.to_str().unwrap(), 0o600).unwrap();
        let mut pipes = Pipes::default();
        assert!(pipes.follow(&folder.config("p")).is_empty());
        drop(pipes);
        assert!(path.exists());
        fs::create_dir(folder.0.join("d")).unwrap();
        fs::write(folder.0.join("f"), "").unwrap();
        std::os::unix::fs::symlink(&path, folder.0.join("l")).unwrap();
        for name in ["d", "f", "l"] {
            let mut pipes = Pipes::default();
            assert_eq!(pipes.follow(&folder.config(name)).len(), 1, "{name}");
            assert!(pipes.follow(&folder.config(name)).is_empty(), "{name} is told once");
            assert!(folder.0.join(name).exists());
        }
    }

    #[test]
    fn a_full_pipe_loses_lines_and_says_so_once() {
        let folder = Folder::new("full");
        let config = folder.config("p");
        let mut pipes = Pipes::default();
        assert!(pipes.follow(&config).is_empty());
        let line = "x".repeat(Pipe::LINE);
        let said: Vec<String> = (0..100).flat_map(|_| pipes.tell(&line)).collect();
        assert_eq!(said.len(), 1, "{said:?}");
    }
}
