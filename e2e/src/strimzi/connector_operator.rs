//! Plays what Strimzi does for one `KafkaConnector`, with the Connect that it belongs to.

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::Value;

use super::auto_restart::{AutoRestart, Policy};
use super::configuration::Settings;
use super::connectors;
use super::context::Context;
use super::kind::Kind;
use super::refusal::Refusal;
use super::resource::{Resource, View};
use super::rest::{Rest, RestError};
use super::status::{self, ConnectorReport};

const KIND: Kind = Kind::KafkaConnector;
const RESTART: &str = "strimzi.io/restart";
const RESTART_TASK: &str = "strimzi.io/restart-task";
const OFFSETS: &str = "strimzi.io/connector-offsets";

/// Makes the connector in Connect as the resource says, and says in the resource how that went. An error is this
/// program's, or Connect's silence.
pub(super) async fn reconcile(
    context: &Context,
    rest: &Rest,
    connector: &Resource,
    settings: &Settings,
) -> anyhow::Result<()> {
    let status = match make(context, rest, connector, settings).await {
        Ok(report) => status::connector_reported(connector, &report),
        Err(Failure::Rest(error)) => status::connector_failed(connector, &error.refusal()?),
        Err(Failure::Other(error)) => return Err(error),
    };
    context.kubernetes.write_status(KIND, connector, status).await
}

/// Writes why nothing can be done for a connector.
pub(super) async fn refuse(context: &Context, connector: &Resource, refusal: &Refusal) -> anyhow::Result<()> {
    context.kubernetes.write_status(KIND, connector, status::connector_failed(connector, refusal)).await
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Rest(#[from] RestError),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

async fn make(
    context: &Context,
    rest: &Rest,
    connector: &Resource,
    settings: &Settings,
) -> Result<ConnectorReport, Failure> {
    let name = connector.key().1;
    let desired = connectors::desired_state(connector);
    match rest.config(&name).await? {
        None => rest.create(&name, settings, &desired.to_uppercase()).await?,
        Some(known) if known != *settings => rest.configure(&name, settings).await?,
        Some(_) => {}
    }
    let before = rest.status(&name).await?;
    if let Some(verb) = connectors::verb(desired, before["connector"]["state"].as_str().unwrap_or_default()) {
        rest.change_state(&name, verb).await?;
    }
    let warnings = requested(context, rest, connector, &name).await?;
    let mut status = rest.status(&name).await?;
    let auto_restart = restart_failed(context, rest, connector, &mut status).await?;
    let topics = rest.topics(&name).await?;
    Ok(ConnectorReport { status, topics, auto_restart, warnings })
}

/// Does what annotations ask for once. A request that fails stays, with a warning.
async fn requested(context: &Context, rest: &Rest, connector: &Resource, name: &str) -> Result<Vec<Refusal>, Failure> {
    let mut warnings = Vec::new();
    let annotations = connector.annotations();
    if let Some((tasks, only_failed)) = annotations.get(RESTART).and_then(|value| connectors::restart_options(value)) {
        match rest.restart(name, tasks, only_failed).await {
            Ok(()) => context.kubernetes.fulfil(KIND, connector, RESTART).await?,
            Err(error) => {
                warnings.push(failed_request(
                    error,
                    "RestartConnector",
                    &format!("Failed to restart connector {name}."),
                )?);
            }
        }
    }
    if let Some(task) = annotations.get(RESTART_TASK) {
        match rest.restart_task(name, task).await {
            Ok(()) => context.kubernetes.fulfil(KIND, connector, RESTART_TASK).await?,
            Err(error) => {
                let what = format!("Failed to restart connector task {name}:{task}.");
                warnings.push(failed_request(error, "RestartConnectorTask", &what)?);
            }
        }
    }
    if annotations.get(OFFSETS).is_some_and(|value| value == "reset") {
        // Asked here, not of Connect: it says so in other words, and the stop may still be under way.
        if rest.status(name).await?["connector"]["state"] == "STOPPED" {
            rest.reset_offsets(name).await?;
            context.kubernetes.fulfil(KIND, connector, OFFSETS).await?;
        } else {
            warnings.push(not_stopped());
        }
    }
    Ok(warnings)
}

pub(super) fn not_stopped() -> Refusal {
    let message = "Encountered error resetting connector offsets. Connector is not in STOPPED state";
    Refusal::new("ResetOffsets", message)
}

fn failed_request(error: RestError, reason: &'static str, what: &str) -> Result<Refusal, RestError> {
    match error.exception() {
        // Connect's own message about a task that is not there is not shown by Strimzi.
        Some(_) if error.is_not_found() => {
            let shown = error.exception().unwrap_or_default();
            let head = shown.split("(404): ").next().unwrap_or_default().to_owned();
            Ok(Refusal::new(reason, format!("{what} {head}(404): Unexpected status code")))
        }
        Some(exception) => Ok(Refusal::new(reason, format!("{what} {exception}"))),
        None => Err(error),
    }
}

/// Restarts what has failed, when it is time to; the status is then that of after the restart.
async fn restart_failed(
    context: &Context,
    rest: &Rest,
    connector: &Resource,
    status: &mut Value,
) -> Result<Option<AutoRestart>, Failure> {
    let name = connector.key().1;
    let has_failed = status::failure(status).is_some();
    let minute = context.options.auto_restart_minute;
    let policy = Policy::of(connector);
    let decision = policy.decide(AutoRestart::recorded(connector), has_failed, Timestamp::now(), minute);
    if decision.restart {
        rest.restart(&name, true, true).await?;
        *status = rest.status(&name).await?;
    }
    Ok(decision.state)
}
