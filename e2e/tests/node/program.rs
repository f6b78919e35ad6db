//! The program `node`, and what becomes of a node whose owner is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tributary_e2e::node::NodeState;

use super::{control_groups, need_a_node, text, until_nothing_is_left, until_the_machine_is_gone};

fn node(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
    command.args(arguments).arg("--dir").arg(directory).stdin(Stdio::null());
    command
}

fn output(directory: &Path, arguments: &[&str]) -> Output {
    node(directory, arguments).output().unwrap()
}

/// A node that ends with the process that is returned.
fn in_foreground(directory: &Path) -> Child {
    let mut child = node(directory, &["up", "--foreground"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(printed.any(|line| line.unwrap().contains("Ctrl-C stops it")), "the node did not come up");
    child
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

fn left_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_node_whose_owner_is_killed_ends_and_one_whose_keeper_is_killed_too_does_not_hinder_the_next() {
    need_a_node!();
    let folder = tempfile::tempdir().unwrap();
    let mut owner = in_foreground(folder.path());
    let state = NodeState::read(folder.path()).unwrap().unwrap();
    assert!(!control_groups(&state).is_empty());
    owner.kill().unwrap();
    owner.wait().unwrap();
    until_nothing_is_left(&state, folder.path()).await;
    assert_eq!(left_in(folder.path()), [".tributary-node", "logs"]);

    let mut owner = in_foreground(folder.path());
    let state = NodeState::read(folder.path()).unwrap().unwrap();
    kill(state.keeper.pid);
    kill(owner.id().cast_signed());
    owner.wait().unwrap();
    until_the_machine_is_gone(&state, folder.path()).await;

    let up = output(folder.path(), &["up"]);
    assert!(up.status.success() && text(&up).contains("export KUBECONFIG="), "{}", text(&up));
    let second = output(folder.path(), &["up"]);
    assert!(!second.status.success() && text(&second).contains("a node is running in"), "{}", text(&second));
    let status = output(folder.path(), &["status"]);
    assert!(status.status.success() && text(&status).contains("kubelet"), "{}", text(&status));

    let state = NodeState::read(folder.path()).unwrap().unwrap();
    assert!(!control_groups(&state).is_empty());
    let down = output(folder.path(), &["down"]);
    assert!(text(&down).contains("Stopped the node."), "{}", text(&down));
    until_nothing_is_left(&state, folder.path()).await;
    assert!(folder.path().join("logs/kubelet.log").exists());
    assert!(text(&output(folder.path(), &["down"])).contains("No node is running"));
}
