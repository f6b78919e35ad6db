//! Spark with Delta, as a process that runs one statement after the other.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tributary_e2e::oracle::TableLocation;
use tributary_e2e::stack::{maven_set, python_environment};

/// How `commitInfo` names it.
pub(super) const ENGINE: &str = "Apache-Spark/4.1.3 Delta-Lake/4.4.0";
/// Why it downloads.
pub(super) const TITLE: &str = "Spark 4.1.3 (PySpark, about 450 MB)";

const SCRIPT: &str = include_str!("spark.py");
const REQUIREMENTS: &str = include_str!("spark.requirements.txt");
const POM: &str = include_str!("spark.pom.xml");
const PATIENCE: Duration = Duration::from_mins(5);

/// A running Spark; it ends when this is dropped.
pub(super) struct Spark {
    statements: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
    _folder: TempDir,
}

impl Spark {
    /// Downloads it if it is not there, and starts it.
    pub(super) async fn start() -> Self {
        let python = blocking(|| python_environment("spark", TITLE, REQUIREMENTS)).await;
        let jars = blocking(|| maven_set("spark-delta", "Delta 4.4.0 for Spark (about 10 MB)", POM)).await;
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT]).arg(jars.join("libs")).arg(folder.path()).current_dir(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { statements: process.stdin.take().unwrap(), answers, _process: process, _folder: folder }
    }

    /// Runs a statement: its rows, or what Spark says against it.
    pub(super) async fn sql(&mut self, statement: &str) -> Result<Vec<Value>, String> {
        self.statements.write_all(format!("{statement}\n").as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, self.answers.next_line()).await.unwrap().unwrap();
        let answer: Result<_, _> = serde_json::from_str(&answer.expect("Spark ended")).unwrap();
        println!("{statement}: {answer:?}");
        answer
    }

    /// Runs a statement until no commit of others comes before its own.
    pub(super) async fn land(&mut self, statement: &str) -> Vec<Value> {
        loop {
            match self.sql(statement).await {
                Ok(rows) => return rows,
                Err(error) => assert!(error.contains("DELTA_CONCURRENT"), "{error}"),
            }
        }
    }

    /// How many rows it sees in a table.
    pub(super) async fn count(&mut self, table: &str) -> i64 {
        let rows = self.sql(&format!("SELECT count(*) AS rows FROM {table}")).await.unwrap();
        rows[0]["rows"].as_i64().unwrap()
    }
}

/// How SQL names a table by its folder.
pub(super) fn name(table: &TableLocation) -> String {
    format!("delta.`{}`", table.uri())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap().unwrap()
}
