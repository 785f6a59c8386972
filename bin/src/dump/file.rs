//! Puts a text where a name stands, whole or not at all, and through no link that somebody may have put there.
//!
//! The new file is made beside the old one under a name that did not exist, readable by nobody but its owner (less what
//! the umask takes), and then renamed: a reader sees the old text or the new one, and a link in its place is replaced, not
//! followed. keepalived opens its files without following links and writes into them (its JSON could be read half).

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// keepalived's 0666 under its umask of 0177.
const MODE: u32 = 0o600;
/// Names that may be taken already before it is given up.
const TRIES: u32 = 16;

/// Makes `text` the content of `path`.
///
/// # Errors
/// When the folder does not allow it, or a folder has that name.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for _ in 0..TRIES {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let fresh = path.with_file_name(format!(".{name}.{}.{nth}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&fresh);
        let written = match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
            Ok(mut file) => file.write_all(text.as_bytes()),
        };
        let done = written.and_then(|()| fs::rename(&fresh, path));
        if done.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        return done;
    }
    Err(io::Error::other(format!("{TRIES} files of that name and a number are there already")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("sf-dump-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (victim, path) = (folder.join("victim"), folder.join("keepalived.data"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &path).unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        let meta = fs::symlink_metadata(&path).unwrap();
        assert!(meta.is_file() && meta.mode() & 0o177 == 0);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, "new").is_err(), "a folder stays");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left behind");
        fs::remove_dir_all(&folder).unwrap();
    }
}
