//! Python environments with pinned packages: `LocalStack`'s, and those that others ask for.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::Download;
use super::{machine, mortal, run};

const REQUIREMENTS: &str = include_str!("localstack.requirements.txt");

pub(super) const LOCALSTACK: Download<'static> =
    Download { name: "localstack", title: "LocalStack 4.3.0 (about 240 MB)", recipe: REQUIREMENTS, tool: "python" };

/// The Python program that has `LocalStack`'s packages. Blocks while they are downloaded.
pub(super) fn localstack() -> anyhow::Result<PathBuf> {
    environment(&LOCALSTACK)
}

/// The Python program of an environment that has these packages (the text of a requirements file), made once. `title`
/// says what it is to the person who waits. Blocks.
pub fn python_environment(name: &str, title: &str, requirements: &str) -> anyhow::Result<PathBuf> {
    machine::require(&[machine::Program::PythonVenv])?;
    environment(&Download { name, title, recipe: requirements, tool: "python" })
}

fn environment(download: &Download<'_>) -> anyhow::Result<PathBuf> {
    Ok(download.get(|folder| fill(folder, download.recipe))?.join("bin").join("python"))
}

fn fill(environment: &Path, packages: &str) -> anyhow::Result<()> {
    let requirements = environment.join("requirements.txt");
    std::fs::write(&requirements, packages)?;
    run(Command::new("python3").args(["-m", "venv"]).arg(environment), "Python's venv module must work")?;
    let mut pip = mortal(environment.join("bin").join("python"));
    pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"]).arg(&requirements);
    run(&mut pip, "PyPI must be reachable, directly or as pip's configuration says")
}
