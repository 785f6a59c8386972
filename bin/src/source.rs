//! The real file system as configuration languages see it: files, globs, scripts, accounts, names.
//!
//! Reads only. Decides whether a command could be changed by somebody other than root (keepalived's
//! `enable_script_security`), not what follows from it.

use standfast_core::config::source::{MAX_FILE, ReadError, ScriptState, Source, matches_name};
use std::fs;
use std::io::Read;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The most paths one pattern may match.
pub const MAX_MATCHES: usize = 4096;

/// The host that the daemon runs on.
#[derive(Clone, Debug, Default)]
pub struct FsSource {}

impl Source for FsSource {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let refused = |error: std::io::Error| {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            if missing { ReadError::Missing } else { ReadError::Refused(error.to_string()) }
        };
        let about = fs::metadata(path).map_err(refused)?;
        if about.is_dir() {
            return Err(ReadError::NotRegular(
                "it is a directory (was the file missing when it was mounted?)".into(),
            ));
        }
        if !about.is_file() {
            return Err(ReadError::NotRegular("it is not a regular file".into()));
        }
        if about.permissions().mode() & 0o111 != 0 {
            return Err(ReadError::NotRegular(
                "it is executable, so it is not taken for a configuration".into(),
            ));
        }
        let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(refused)?;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(refused)?;
        if bytes.len() > MAX_FILE { Err(ReadError::TooLarge) } else { Ok(bytes) }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let mut found = glob(pattern);
        found.sort();
        found.truncate(MAX_MATCHES);
        found
    }

    fn script(&self, path: &str) -> ScriptState {
        let Some(found) = locate(path) else { return ScriptState::Missing };
        let Ok(about) = fs::metadata(&found) else { return ScriptState::Missing };
        if !about.is_file() || about.permissions().mode() & 0o111 == 0 {
            return ScriptState::NotExecutable;
        }
        match changeable(&found) {
            Some(who) => ScriptState::Insecure(who),
            None => ScriptState::Runnable,
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn host(&self) -> String {
        fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_string())
            .unwrap_or_default()
    }

    fn user(&self, user: &str) -> Option<bool> {
        listed("/etc/passwd", user)
    }

    fn group(&self, group: &str) -> Option<bool> {
        listed("/etc/group", group)
    }

    fn absolute(&self, path: &str) -> String {
        std::path::absolute(path)
            .ok()
            .and_then(|path| path.to_str().map(str::to_owned))
            .unwrap_or_else(|| path.to_owned())
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        let found = (name, 0).to_socket_addrs().map(|all| all.map(|at| at.ip()).collect::<Vec<_>>());
        let mut found = found.unwrap_or_default();
        found.dedup();
        found
    }
}

/// Is `name` the first field of a line of the file?
fn listed(file: &str, name: &str) -> Option<bool> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.lines().any(|line| line.split(':').next() == Some(name)))
}

/// Where a command is: as given when it has a slash, else on the usual path.
fn locate(command: &str) -> Option<PathBuf> {
    if command.contains('/') {
        return Some(PathBuf::from(command));
    }
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(command))
        .find(|path| path.is_file())
}

/// Who other than root could change the file, its folders, or what its links point at; in words.
fn changeable(path: &Path) -> Option<String> {
    let real = fs::canonicalize(path).ok();
    let absolute = std::path::absolute(path).ok();
    for start in [absolute, real].into_iter().flatten() {
        for part in start.ancestors() {
            let Ok(about) = fs::metadata(part) else { continue };
            let mode = about.permissions().mode();
            let shown = part.display();
            if about.uid() != 0 {
                return Some(format!("user {} (it owns {shown})", account(about.uid())));
            }
            // A sticky folder keeps others from replacing what is not theirs.
            let sticky = about.is_dir() && mode & 0o1000 != 0;
            if mode & 0o020 != 0 && about.gid() != 0 && !sticky {
                return Some(format!("group {} ({shown} is writable by it)", about.gid()));
            }
            if mode & 0o002 != 0 && !sticky {
                return Some(format!("everybody ({shown} is writable by all)"));
            }
        }
    }
    None
}

/// The name of an account, or its number.
fn account(uid: u32) -> String {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = uid.to_string();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(number.as_str()));
    line.and_then(|line| line.split(':').next()).map_or(number.clone(), str::to_string)
}

/// The existing paths that match, folder by folder.
fn glob(pattern: &str) -> Vec<String> {
    let mut found = vec![String::from(if pattern.starts_with('/') { "/" } else { "" })];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in &found {
            let join = |name: &str| match folder.as_str() {
                "" => name.to_string(),
                "/" => format!("/{name}"),
                folder => format!("{folder}/{name}"),
            };
            if part.contains(['*', '?', '[', '\\']) {
                let place = if folder.is_empty() { "." } else { folder.as_str() };
                let entries = fs::read_dir(place).into_iter().flatten().flatten();
                let mut names: Vec<String> =
                    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
                names.sort();
                next.extend(names.iter().filter(|name| matches_name(part, name)).map(|name| join(name)));
            } else if Path::new(&join(part)).exists() {
                next.push(join(part));
            }
            if next.len() > MAX_MATCHES {
                break;
            }
        }
        found = next;
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    /// A folder that is gone when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("standfast-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn file(&self, name: &str, mode: u32) -> String {
            let path = self.0.join(name);
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_string()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn patterns_match_sorted() {
        let folder = Folder::new("glob");
        let wanted: Vec<String> =
            ["a.conf", "b.conf", "c.cfg"].iter().map(|name| folder.file(name, 0o644)).collect();
        folder.file("d.txt", 0o644);
        let source = FsSource::default();
        let base = folder.0.to_str().unwrap();
        assert_eq!(source.glob(&format!("{base}/*.conf")), wanted[..2]);
        assert_eq!(source.glob(&format!("{base}/?.c*")), wanted);
        assert_eq!(source.glob(&format!("{base}/a.conf")), wanted[..1]);
        assert!(source.glob(&format!("{base}/nothing")).is_empty());
    }

    #[test]
    fn one_file_more_than_may_match_is_left_out() {
        let folder = Folder::new("many");
        for n in 0..=MAX_MATCHES {
            fs::write(folder.0.join(format!("{n}.conf")), "").unwrap();
        }
        let found = FsSource::default().glob(&format!("{}/*.conf", folder.0.display()));
        assert_eq!(found.len(), MAX_MATCHES);
    }

    #[test]
    fn folders_and_executables_are_not_configurations() {
        let folder = Folder::new("read");
        let source = FsSource::default();
        assert!(matches!(source.read(folder.0.to_str().unwrap()), Err(ReadError::NotRegular(_))));
        assert!(matches!(source.read(&folder.file("x", 0o755)), Err(ReadError::NotRegular(_))));
        assert_eq!(source.read(&folder.file("y", 0o644)), Ok(b"x".to_vec()));
        assert_eq!(source.read("/nothing/here"), Err(ReadError::Missing));
    }

    #[test]
    fn a_script_that_all_may_write_is_insecure() {
        let folder = Folder::new("script");
        let source = FsSource::default();
        assert!(matches!(source.script(&folder.file("open.sh", 0o777)), ScriptState::Insecure(_)));
        assert_eq!(source.script(&folder.file("plain.sh", 0o644)), ScriptState::NotExecutable);
        assert_eq!(source.script("/nothing/here"), ScriptState::Missing);
        assert_eq!(source.script("sh"), ScriptState::Runnable);
        assert_eq!(source.user("root"), Some(true));
        assert_eq!(source.user("no such account"), Some(false));
        assert_eq!((source.group("root"), source.group("no such group")), (Some(true), Some(false)));
    }

    #[test]
    fn an_address_resolves_to_itself() {
        assert_eq!(FsSource::default().resolve("192.0.2.1"), vec!["192.0.2.1".parse::<IpAddr>().unwrap()]);
    }
}
