//! Connect's REST API as Strimzi uses it, with errors in Strimzi's words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::configuration::Settings;
use super::refusal::Refusal;

/// The REST API of one worker.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    url: String,
    http: reqwest::Client,
}

/// Connect did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestError {
    /// It answered with an error.
    #[error("{method} {path} returned {code} ({code}): {message}")]
    Refused { method: Method, path: String, code: u16, message: String },
    /// It did not answer.
    #[error("Kafka Connect does not answer")]
    Unreachable(#[from] reqwest::Error),
}

/// How long a request is repeated while the workers agree on who does what (409).
const PATIENCE: Duration = Duration::from_secs(15);

impl RestError {
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// The exception that Strimzi puts into a condition; `None` when there was no answer.
    pub(super) fn exception(&self) -> Option<String> {
        let class = "io.strimzi.operator.cluster.operator.assembly.ConnectRestException";
        matches!(self, Self::Refused { .. }).then(|| format!("{class}: {self}"))
    }

    /// The condition; no answer is an error of this program's.
    pub(super) fn refusal(self) -> Result<Refusal, Self> {
        match self.exception() {
            Some(exception) => Ok(Refusal::new("CompletionException", exception)),
            None => Err(self),
        }
    }
}

impl Rest {
    pub(super) fn at(address: SocketAddr) -> Self {
        Self { url: format!("http://{address}"), http: reqwest::Client::new() }
    }

    /// The connectors that the worker could run: `None` when it does not answer yet.
    pub(super) async fn plugins(&self) -> Option<Value> {
        let mut plugins = self.get("/connector-plugins").await.ok()?;
        // Until it has joined its group it answers, and knows nothing of connectors.
        self.get("/connectors").await.ok()?;
        let list = plugins.as_array_mut()?;
        list.retain(|plugin| plugin["type"] == "source" || plugin["type"] == "sink");
        Some(plugins)
    }

    pub(super) async fn names(&self) -> Result<Vec<String>, RestError> {
        let names = self.get("/connectors").await?;
        Ok(names.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect())
    }

    /// The configuration that Connect has; `None` when it does not know the connector.
    pub(super) async fn config(&self, name: &str) -> Result<Option<Settings>, RestError> {
        let answer = self.get(&format!("/connectors/{name}/config")).await;
        let config = match answer {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields = config.as_object().into_iter().flatten();
        Ok(Some(fields.map(|(name, value)| (name.clone(), text(value))).collect()))
    }

    pub(super) async fn create(&self, name: &str, config: &Settings, state: &str) -> Result<(), RestError> {
        let body = json!({"name": name, "config": config, "initial_state": state});
        self.call(Method::POST, "/connectors", Some(&body)).await.map(drop)
    }

    pub(super) async fn configure(&self, name: &str, config: &Settings) -> Result<(), RestError> {
        self.call(Method::PUT, &format!("/connectors/{name}/config"), Some(&json!(config))).await.map(drop)
    }

    /// `verb` is pause, stop or resume.
    pub(super) async fn change_state(&self, name: &str, verb: &str) -> Result<(), RestError> {
        self.call(Method::PUT, &format!("/connectors/{name}/{verb}"), None).await.map(drop)
    }

    /// The state of a connector. One that was just created may not have one yet.
    pub(super) async fn status(&self, name: &str) -> Result<Value, RestError> {
        let path = format!("/connectors/{name}/status");
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match self.get(&path).await {
                Err(error) if error.is_not_found() && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => return other,
            }
        }
    }

    /// The topics that a connector has written to.
    pub(super) async fn topics(&self, name: &str) -> Result<Vec<String>, RestError> {
        let answer: Value = self.get(&format!("/connectors/{name}/topics")).await?;
        let answer: BTreeMap<String, Value> = serde_json::from_value(answer).unwrap_or_default();
        let topics = answer.values().flat_map(|of| of["topics"].as_array().into_iter().flatten());
        Ok(topics.filter_map(|topic| Some(topic.as_str()?.to_owned())).collect())
    }

    pub(super) async fn restart(&self, name: &str, tasks: bool, only_failed: bool) -> Result<(), RestError> {
        let path = format!("/connectors/{name}/restart?includeTasks={tasks}&onlyFailed={only_failed}");
        self.call(Method::POST, &path, None).await.map(drop)
    }

    pub(super) async fn restart_task(&self, name: &str, task: &str) -> Result<(), RestError> {
        self.call(Method::POST, &format!("/connectors/{name}/tasks/{task}/restart"), None).await.map(drop)
    }

    /// Forgets the positions of a stopped connector.
    pub(super) async fn reset_offsets(&self, name: &str) -> Result<(), RestError> {
        self.call(Method::DELETE, &format!("/connectors/{name}/offsets"), None).await.map(drop)
    }

    /// Deletes a connector; it is no error if there is none.
    pub(super) async fn delete(&self, name: &str) -> Result<(), RestError> {
        match self.call(Method::DELETE, &format!("/connectors/{name}"), None).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }

    async fn get(&self, path: &str) -> Result<Value, RestError> {
        self.call(Method::GET, path, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, RestError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
            request = request.timeout(Duration::from_mins(1));
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await?;
            let code = answer.status();
            let text = answer.text().await?;
            if code.is_success() {
                return Ok(serde_json::from_str(&text).unwrap_or(Value::Null));
            }
            if code != StatusCode::CONFLICT || Instant::now() > deadline {
                let path = path.split('?').next().unwrap_or(path).to_owned();
                return Err(RestError::Refused { method, path, code: code.as_u16(), message: message(&text) });
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The message in Connect's JSON answer.
fn message(body: &str) -> String {
    let answer: Option<Value> = serde_json::from_str(body).ok();
    let message = answer.as_ref().and_then(|answer| answer["message"].as_str());
    message.map_or_else(|| "Unexpected status code".to_owned(), str::to_owned)
}
