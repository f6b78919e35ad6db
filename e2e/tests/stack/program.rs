//! The program `stack`, and what becomes of its processes.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tributary_e2e::stack::{Part, ProcessId, Stack, StackOptions, StackState};

fn stack(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
    command.args(arguments).arg("--dir").arg(directory).stdin(Stdio::null());
    command
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    stack(directory, arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A folder that the user `postgres` can reach too.
fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("stack-test-").permissions(permissions).tempdir().unwrap()
}

fn processes(directory: &Path) -> Vec<ProcessId> {
    StackState::read(directory).unwrap().map_or_else(Vec::new, |state| state.parts.into_values().collect())
}

#[tokio::test]
async fn a_stack_is_left_running_shown_and_stopped_by_other_runs_of_the_program() {
    let folder = folder();
    let up = ["up", "--base-port", "0", "--without", "kafka,connect,registry"];
    let first = run(folder.path(), &up);
    assert!(first.status.success(), "{}", text(&first));
    assert!(text(&first).contains("postgresql://postgres:postgres@127.0.0.1:"), "{}", text(&first));
    let left_running = processes(folder.path());
    assert_eq!(left_running.len(), 2);

    let second = run(folder.path(), &up);
    assert!(!second.status.success() && text(&second).contains("a stack is running in"), "{}", text(&second));
    let status = run(folder.path(), &["status"]);
    assert!(status.status.success(), "{}", text(&status));
    assert_eq!(text(&status).matches(" ready ").count(), 2, "{}", text(&status));
    let logs = run(folder.path(), &["logs", "postgres"]);
    assert!(text(&logs).contains("ready to accept connections"), "{}", text(&logs));

    let down = run(folder.path(), &["down"]);
    assert!(text(&down).contains("Stopped postgres, s3."), "{}", text(&down));
    assert!(left_running.iter().all(|id| !id.is_alive()));
    assert!(!folder.path().join("postgres").exists() && folder.path().join("logs/postgres.log").exists());
    assert!(text(&run(folder.path(), &["down"])).contains("No stack is running"));
}

#[tokio::test]
async fn what_down_finds_under_an_old_number_is_left_alone() {
    let folder = folder();
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let state = serde_json::json!({
        "addresses": {
            "bind": "127.0.0.1", "postgres": 1, "kafka": 1, "kafka_scram": 1, "kafka_mtls": 1, "kafka_controller": 1,
            "connect": 1, "registry": 1, "s3": 1
        },
        "parts": { "kafka": { "pid": bystander.id(), "start_time": 1 } },
    });
    std::fs::write(folder.path().join("stack.json"), state.to_string()).unwrap();
    let down = run(folder.path(), &["down"]);
    assert!(text(&down).contains("No stack is running"), "{}", text(&down));
    assert!(bystander.try_wait().unwrap().is_none());
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn a_killed_parent_leaves_nothing_behind() {
    let folder = folder();
    let up = ["up", "--foreground", "--base-port", "0", "--without", "connect,registry"];
    let mut parent: Child = stack(folder.path(), &up).stdout(Stdio::null()).spawn().unwrap();
    super::until("all parts are started", async || processes(folder.path()).len() == 3).await;
    let started = processes(folder.path());
    assert!(started.iter().all(|id| id.is_alive()));
    parent.kill().unwrap();
    parent.wait().unwrap();
    super::until_gone(&started).await;
}

#[tokio::test]
async fn a_part_that_cannot_start_shows_the_end_of_its_log() {
    let stack = Stack::up(StackOptions::only([Part::Postgres])).await.unwrap();
    stack.kill(Part::Postgres).await.unwrap();
    let settings = stack.directory().join("postgres/data/postgresql.conf");
    std::fs::write(settings, "no_such_setting = 1\n").unwrap();

    let message = stack.restart(Part::Postgres).await.unwrap_err().to_string();
    assert!(message.contains("postgres ended with exit status: 1 as it started"), "{message}");
    assert!(message.contains("unrecognized configuration parameter \"no_such_setting\""), "{message}");
}

#[tokio::test]
async fn a_folder_with_something_else_in_it_is_refused_and_left_as_it_is() {
    let folder = folder();
    let precious = folder.path().join("postgres");
    std::fs::write(&precious, "years of work").unwrap();
    let up = run(folder.path(), &["up", "--base-port", "0", "--without", "kafka,connect,registry"]);
    assert!(!up.status.success() && text(&up).contains("is not a stack's directory"), "{}", text(&up));
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "years of work");
}
