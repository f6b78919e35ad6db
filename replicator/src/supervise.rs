//! Watches over the tasks of the tables: who ends unasked is reported, and started again when that can help.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::pipeline::PipelineError;
use crate::policy::Policy;
use crate::report::{TableHandle, describe};

/// When a table is opened again that stopped for something that others can cure.
const TRY_LATER: Duration = Duration::from_mins(5);

/// The work of one table, from one start to its end.
pub type Work = Pin<Box<dyn Future<Output = Result<(), PipelineError>> + Send>>;

/// Makes the work of a table anew at each start; it ends, without an error, when the token is cancelled.
pub type Start = Box<dyn FnMut(CancellationToken) -> Result<Work, PipelineError> + Send>;

/// Runs the tasks of all tables.
pub struct Supervisor {
    tables: BTreeMap<String, Table>,
    tasks: JoinSet<Result<(), PipelineError>>,
    /// Task → table.
    names: HashMap<Id, String>,
    stop: CancellationToken,
    /// When a table is opened again that stopped for something that others can cure.
    try_later: Duration,
}

struct Table {
    report: TableHandle,
    start: Start,
    state: State,
}

enum State {
    /// Its task runs until the token is cancelled.
    Running(CancellationToken),
    /// It was told to end, and is started again when it has.
    Restarting,
    /// It has stopped; when it is started again by itself.
    Stopped(Option<Instant>),
}

impl Supervisor {
    /// Supervises nothing yet. All tables end when `stop` is cancelled.
    pub fn new(stop: CancellationToken) -> Self {
        Self { tables: BTreeMap::new(), tasks: JoinSet::new(), names: HashMap::new(), stop, try_later: TRY_LATER }
    }

    /// Starts a table.
    pub fn add(&mut self, name: &str, report: TableHandle, start: Start) {
        self.tables.insert(name.to_owned(), Table { report, start, state: State::Stopped(None) });
        self.start(name);
    }

    /// Watches until `stop` is cancelled and all tables have ended. A name that comes out of `restarts` has its table
    /// started again.
    pub async fn run(mut self, mut restarts: mpsc::UnboundedReceiver<String>) {
        while !(self.stop.is_cancelled() && self.tasks.is_empty()) {
            let due = self.tables.values().filter_map(Table::due).min();
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                Some(name) = restarts.recv(), if !self.stop.is_cancelled() => self.restart(&name),
                () = at(due), if !self.stop.is_cancelled() => self.start_due(),
                () = self.stop.cancelled(), if !self.stop.is_cancelled() => {}
            }
        }
    }

    fn start(&mut self, name: &str) {
        let Some(table) = self.tables.get_mut(name) else { return };
        let stop = self.stop.child_token();
        match (table.start)(stop.clone()) {
            Ok(work) => {
                let task = self.tasks.spawn(work);
                self.names.insert(task.id(), name.to_owned());
                table.state = State::Running(stop);
            }
            Err(error) => table.stop(&error, self.try_later),
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        let due = self.tables.iter().filter(|(_, table)| table.due().is_some_and(|due| due <= now));
        let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            self.start_again(&name, "what stopped it may be cured");
        }
    }

    fn restart(&mut self, name: &str) {
        let Some(table) = self.tables.get_mut(name) else { return };
        match &table.state {
            State::Running(stop) => {
                stop.cancel();
                table.state = State::Restarting;
            }
            State::Restarting => {}
            State::Stopped(_) => self.start_again(name, "asked for"),
        }
    }

    fn start_again(&mut self, name: &str, why: &str) {
        if let Some(table) = self.tables.get(name) {
            table.report.restarting(why);
        }
        self.start(name);
    }

    fn ended(&mut self, ended: Result<(Id, Result<(), PipelineError>), JoinError>) {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(panicked())),
        };
        let Some(name) = self.names.remove(&id) else { return };
        let Some(table) = self.tables.get_mut(&name) else { return };
        let asked = !matches!(table.state, State::Running(_)) || self.stop.is_cancelled();
        let again = matches!(table.state, State::Restarting) && !self.stop.is_cancelled();
        match result {
            Ok(()) if asked => table.state = State::Stopped(None),
            Ok(()) => {
                let error = PipelineError::Internal("its task has ended, and nobody asked it to".into());
                table.stop(&error, self.try_later);
            }
            Err(error) => table.stop(&error, self.try_later),
        }
        if again {
            self.start_again(&name, "asked for");
        }
    }
}

impl Table {
    fn due(&self) -> Option<Instant> {
        match self.state {
            State::Stopped(due) => due,
            State::Running(_) | State::Restarting => None,
        }
    }

    /// Its task has ended with an error: says so.
    fn stop(&mut self, error: &PipelineError, try_later: Duration) {
        let policy = Policy::of(error);
        match error {
            PipelineError::Internal(_) => self.report.internal_error(&describe(error)),
            _ => self.report.stopped(policy, &describe(error)),
        }
        self.state = State::Stopped((policy != Policy::Stop).then(|| Instant::now() + try_later));
    }
}

/// What a panic says may hold a value of a row: it stands in the log of the process, and nowhere else.
fn panicked() -> PipelineError {
    PipelineError::Internal("its task panicked, at the place that the log says".into())
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
