//! `kubectl`, as the demo types it.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::screen::Screen;
use crate::cluster::LocalCluster;

/// `kubectl` in one namespace.
pub(super) struct Kubectl {
    environment: Vec<(&'static str, OsString)>,
    namespace: &'static str,
}

impl Kubectl {
    pub(super) fn new(environment: Vec<(&'static str, OsString)>, namespace: &'static str) -> Self {
        Self { environment, namespace }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // `env` looks the program up in the PATH that it is given.
        let mut command = Command::new("env");
        command.args(["kubectl", "--namespace", self.namespace]).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("kubectl has no standard input")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        let output = child.wait_with_output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "kubectl {} failed: {}", arguments.join(" "), said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Creates one Secret: its name, and its keys with their values.
    pub(super) async fn create_secret(&self, values: &[(&str, &str, &str)]) -> anyhow::Result<()> {
        let name = values.first().context("a Secret without values")?.0;
        let data: serde_json::Map<_, _> =
            values.iter().map(|(_, key, value)| ((*key).to_owned(), (*value).into())).collect();
        let secret =
            serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        self.apply(&secret.to_string()).await
    }

    /// `kubectl apply -f -`.
    pub(super) async fn apply(&self, manifest: &str) -> anyhow::Result<()> {
        self.run(&["apply", "-f", "-"], manifest).await.map(drop)
    }

    /// `kubectl delete cdc NAME`, and what it says.
    pub(super) async fn delete(&self, name: &str) -> anyhow::Result<String> {
        self.run(&["delete", "cdc", name], "").await
    }

    /// `kubectl get cdc NAME --watch`.
    pub(super) fn watch(&self, name: &str) -> anyhow::Result<Watching> {
        let mut command = self.command(&["get", "cdc", name, "--watch"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().context("kubectl has no standard output")?;
        Ok(Watching { lines: BufReader::new(stdout).lines(), last: String::new(), _child: child })
    }
}

/// A running `kubectl get --watch`.
pub(super) struct Watching {
    lines: Lines<BufReader<ChildStdout>>,
    last: String,
    _child: Child,
}

impl Watching {
    /// Shows what it prints until something is done, or a part of the cluster has died. The same line is not shown twice.
    pub(super) async fn show_until<T>(
        &mut self,
        screen: &mut Screen,
        local: &mut LocalCluster,
        done: impl Future<Output = T>,
    ) -> anyhow::Result<T> {
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        tokio::pin!(done);
        loop {
            tokio::select! {
                done = &mut done => return Ok(done),
                line = self.lines.next_line() => self.show(screen, &line?.context("kubectl get --watch ended")?),
                _ = every_second.tick() => if let Some(what) = local.ended() { anyhow::bail!("{what}") },
            }
        }
    }

    fn show(&mut self, screen: &mut Screen, line: &str) {
        // The last column is the age, which always differs.
        let told = line.trim_end().rsplit_once(' ').map_or(line, |(rest, _age)| rest).trim_end();
        if told != self.last {
            screen.note(line);
            told.clone_into(&mut self.last);
        }
    }
}
