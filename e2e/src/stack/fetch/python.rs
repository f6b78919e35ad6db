//! `LocalStack` from the Python package index, in a Python environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::Download;
use super::{mortal, run};

const REQUIREMENTS: &str = include_str!("localstack.requirements.txt");

pub(super) const LOCALSTACK: Download<'static> =
    Download { name: "localstack", title: "LocalStack 4.3.0 (about 240 MB)", recipe: REQUIREMENTS, tool: "python" };

/// The Python program that has `LocalStack`'s packages. Blocks while they are downloaded.
pub(super) fn localstack() -> anyhow::Result<PathBuf> {
    Ok(LOCALSTACK.get(fill)?.join("bin").join("python"))
}

fn fill(environment: &Path) -> anyhow::Result<()> {
    let requirements = environment.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)?;
    run(Command::new("python3").args(["-m", "venv"]).arg(environment), "Python's venv module must work")?;
    let mut pip = mortal(environment.join("bin").join("python"));
    pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"]).arg(&requirements);
    run(&mut pip, "PyPI must be reachable, directly or as pip's configuration says")
}
