//! The copy of the workspace that carries the mutants, and its build.
//!
//! `target/mutants/ws` holds core, io and sim. Files are written only when they differ, so that a second build is short.
//! The copy has a version of its own: it can then share the target folder, and with it every built dependency, without
//! ever being taken for the real thing. Its program has a name of its own for the same reason.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that the simulator is built from.
const PACKAGES: [&str; 3] = ["core", "io", "sim"];
/// The program of the copy.
const PROGRAM: &str = "mutated-sim";

/// Where things lie.
#[derive(Debug)]
pub(crate) struct Workshop {
    /// The repository.
    home: PathBuf,
    /// Cargo's target folder.
    target: PathBuf,
}

impl Workshop {
    /// Finds the repository and the target folder that this program was built in.
    pub(crate) fn find() -> Result<Workshop, String> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let home = package.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        let home = home.filter(|home| home.join("sim/mutants.toml").is_file());
        let program = std::env::current_exe().unwrap_or_default();
        let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
        match (home, target) {
            (Some(home), Some(target)) => Ok(Workshop { home, target: target.to_path_buf() }),
            _ => Err(String::from(
                "mutants are built from the repository: run `cargo sim mutants` inside it, not the program itself",
            )),
        }
    }

    /// The list of mutants.
    pub(crate) fn list(&self) -> PathBuf {
        self.home.join("sim/mutants.toml")
    }

    /// The sources of the core.
    pub(crate) fn core(&self) -> PathBuf {
        self.home.join("core/src")
    }

    /// Copies the workspace with `changed` files of the core in it, builds it, and returns the program.
    pub(crate) fn build(&self, changed: &BTreeMap<String, String>) -> Result<PathBuf, String> {
        let copy = self.target.join("mutants/ws");
        self.copy(&copy, changed).map_err(|error| format!("cannot copy to {}: {error}", copy.display()))?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        // What `cargo run` says of this package; build scripts of dependencies would take it for theirs, and run again.
        for (name, _) in std::env::vars_os() {
            let said = name.to_string_lossy();
            if ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"]
                .iter()
                .any(|own| said.starts_with(own))
            {
                command.env_remove(&name);
            }
        }
        let built = command
            .args(["build", "--quiet", "--profile", "sim", "--package", "sim", "--bin", PROGRAM])
            .arg("--target-dir")
            .arg(&self.target)
            .current_dir(&copy)
            .output()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if !built.status.success() {
            let words = String::from_utf8_lossy(&built.stderr);
            return Err(format!("the core does not build with its mutants in it:\n{words}"));
        }
        Ok(self.target.join("sim").join(PROGRAM))
    }

    fn copy(&self, to: &Path, changed: &BTreeMap<String, String>) -> io::Result<()> {
        let mut files = BTreeMap::new();
        for package in PACKAGES {
            read(&self.home.join(package), Path::new(package), &mut files)?;
        }
        for (file, text) in changed {
            files.insert(Path::new("core/src").join(file), text.clone().into_bytes());
        }
        let manifest = std::fs::read_to_string(self.home.join("Cargo.toml"))?;
        files.insert("Cargo.toml".into(), workspace(&manifest).into_bytes());
        if let Some(manifest) = files.get_mut(Path::new("sim/Cargo.toml")) {
            let text = String::from_utf8_lossy(manifest);
            let text = text.replacen("[package]\n", "[package]\nautobins = false\n", 1);
            *manifest =
                format!("{text}\n[[bin]]\nname = \"{PROGRAM}\"\npath = \"src/main.rs\"\n").into_bytes();
        }
        let lock = to.join("Cargo.lock");
        if !lock.exists() {
            std::fs::create_dir_all(to)?;
            std::fs::copy(self.home.join("Cargo.lock"), lock)?;
        }
        forget_gone(to, to, &files)?;
        for (path, bytes) in files {
            let path = to.join(path);
            if std::fs::read(&path).ok().as_ref() != Some(&bytes) {
                std::fs::create_dir_all(path.parent().unwrap_or(to))?;
                std::fs::write(path, bytes)?;
            }
        }
        Ok(())
    }
}

/// The workspace's manifest, for the three packages only and with a version of its own.
fn workspace(manifest: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("members = ") {
            format!("members = {PACKAGES:?}")
        } else if line.starts_with("default-members = ") {
            String::from("default-members = [\"sim\"]")
        } else if line.starts_with("version = ") {
            String::from("version = \"0.0.0-mutants\"")
        } else {
            line.to_owned()
        }
    };
    manifest.lines().map(|text| line(text) + "\n").collect()
}

/// Reads every file below `from`, by its path below `name`.
fn read(from: &Path, name: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = name.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read(&entry.path(), &name, files)?;
        } else {
            files.insert(name, std::fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Removes what an earlier copy has below `folder` that is not in `files`: a test or binary that is gone.
fn forget_gone(root: &Path, folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let known = path.strip_prefix(root).is_ok_and(|name| files.contains_key(name));
        if path.is_dir() {
            forget_gone(root, &path, files)?;
        } else if !known && path.file_name().is_some_and(|name| name != "Cargo.lock") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copys_workspace_has_three_packages_and_another_version() {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
        let copy = workspace(&text);
        assert!(copy.contains("members = [\"core\", \"io\", \"sim\"]\n"), "{copy}");
        assert_eq!(copy.matches("version = \"0.0.0-mutants\"").count(), 1, "{copy}");
        assert_eq!(copy.lines().count(), text.lines().count());
    }
}
