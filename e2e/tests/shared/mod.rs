//! The stack that most tests share, each with a database and names of its own in it.

mod busy;
pub(crate) mod locked_registry;
pub(crate) mod watch;

use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tributary_e2e::oracle::Oracle;
use tributary_e2e::pipeline::{Pipeline, PipelineOptions};
use tributary_e2e::stack::{Stack, StackOptions};

static STACK: OnceCell<Arc<Stack>> = OnceCell::const_new();

/// Connectors and replicators at work at the same time, so that a machine with many cores does not overload the stack.
static TURNS: Semaphore = Semaphore::const_new(4);

/// The shared stack. The first test that needs it starts it; its processes end with this one.
pub(crate) async fn stack() -> Arc<Stack> {
    let start = || async {
        let options = StackOptions {
            directory: Some(folder_that_goes_with_us()),
            // Postgres takes no two-phase commits otherwise.
            postgres_settings: vec!["max_prepared_transactions=8".to_owned()],
            ..StackOptions::default()
        };
        Arc::new(Stack::up(options).await.unwrap())
    };
    Arc::clone(STACK.get_or_init(start).await)
}

/// A static is never dropped, so a shell that sees our end removes the folder.
fn folder_that_goes_with_us() -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    // Run as root, the stack starts PostgreSQL as the user postgres, who must be able to get there.
    let permissions = std::fs::Permissions::from_mode(0o755);
    let folder = tempfile::Builder::new().prefix("tributary-tests-").permissions(permissions).tempdir().unwrap().keep();
    let mut janitor = Command::new("sh");
    janitor.args(["-c", "cat; until rm -rf -- \"$0\"; do sleep 0.1; done"]).arg(&folder);
    let janitor = janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Its standard input stays open until this process ends, however it ends.
    std::mem::forget(janitor);
    folder
}

/// A pipeline on the shared stack, and the reader that judges it.
pub(crate) struct Bench {
    pub(crate) pipeline: Pipeline,
    pub(crate) oracle: Oracle,
    _turn: SemaphorePermit<'static>,
}

impl Bench {
    /// With an empty database; nothing runs yet.
    pub(crate) async fn new(options: &PipelineOptions) -> Self {
        Self::on(&stack().await, options).await
    }

    /// On another stack than the shared one.
    pub(crate) async fn on(stack: &Arc<Stack>, options: &PipelineOptions) -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let pipeline = Pipeline::create(stack, options).await.unwrap();
        Self { pipeline, oracle: Oracle::start().await.unwrap(), _turn: turn }
    }

    /// Runs SQL in the source database.
    pub(crate) async fn sql(&self, sql: &str) {
        self.pipeline.source().batch_execute(sql).await.unwrap();
    }

    /// Waits until these tables equal their sources.
    pub(crate) async fn until_equal(&self, tables: &[&str]) {
        let verdict = self.pipeline.until_equal(&self.oracle, tables).await.unwrap();
        println!("{verdict}");
    }
}
