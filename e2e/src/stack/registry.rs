//! The schema registry: Apicurio, which keeps its schemas in memory, so they are carried over a restart here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::directory::Directory;
use super::fetch::Software;
use super::process::Program;
use super::{Addresses, Part, java};

pub(super) fn program(software: &Software, directory: &Directory, addresses: &Addresses) -> anyhow::Result<Program> {
    let mut program = java::program(software, directory, Part::Registry, "256m");
    let runner = runner_jar(&software.registry.join("app"))?;
    program.arguments.extend([
        // The quick compiler only: it never works long enough for the thorough one to pay.
        "-XX:TieredStopAtLevel=1".into(),
        format!("-Dquarkus.http.host={}", addresses.bind).into(),
        format!("-Dquarkus.http.port={}", addresses.registry).into(),
        "-jar".into(),
        runner.into(),
    ]);
    Ok(program)
}

fn runner_jar(app: &Path) -> anyhow::Result<PathBuf> {
    let names = std::fs::read_dir(app).with_context(|| format!("cannot read {}", app.display()))?;
    let mut paths = names.filter_map(|entry| Some(entry.ok()?.path()));
    let runner = paths.find(|path| path.to_string_lossy().ends_with("runner.jar"));
    runner.with_context(|| format!("{} has no *runner.jar: remove the folder, and it is fetched anew", app.display()))
}

fn saved(directory: &Directory) -> PathBuf {
    directory.part(Part::Registry).join("schemas.zip")
}

/// Saves all schemas with their ids, to be there again after a restart.
pub(super) async fn save(directory: &Directory, addresses: &Addresses) -> anyhow::Result<()> {
    let url = format!("{}/admin/export", addresses.registry_v2_url());
    let request = reqwest::Client::new().get(url).header("Accept", "application/zip").timeout(Duration::from_secs(10));
    let archive = request.send().await?.error_for_status()?.bytes().await?;
    std::fs::write(saved(directory), archive).context("cannot save the registry's schemas")
}

/// Gives a registry that has just started what was saved.
pub(super) async fn restore(directory: &Directory, addresses: &Addresses) -> anyhow::Result<()> {
    let Ok(archive) = std::fs::read(saved(directory)) else { return Ok(()) };
    let url = format!("{}/admin/import", addresses.registry_v2_url());
    let request = reqwest::Client::new().post(url).header("Content-Type", "application/zip").body(archive);
    let answer = request.send().await?;
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "the registry refused its saved schemas: {status} {}", answer.text().await?);
    Ok(())
}
